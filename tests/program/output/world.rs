//! A small world in which every verb has something to do: a database, a migrated file, projects, folders of migrations.
//! Every name in it that somebody else chooses ends in `suffix`.

use rusqlite::Connection;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use whimbrel::provision::{Database, shared};
use whimbrel::quote::{postgres_literal, quote};

/// Erases the screen, rings, sets a title, turns the reading direction, moves back, hides, and forges a line of its own.
pub const HOSTILE: &str = "\u{1b}[2J\u{7}\u{9d}\u{202e}\r\u{8}\u{200b}\u{7f}\nforged";

pub struct World {
    pub suffix: &'static str,
    pub database: Database,
    folder: tempfile::TempDir,
    /// Counts the places that are used once.
    next: Cell<u32>,
}

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
    command.stdin(Stdio::null()).env_remove("PGPASSWORD").env_remove("DATABASE_URL").env("COLUMNS", "100");
    command
}

#[tokio::main(flavor = "current_thread")]
pub async fn execute(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("the statements run");
    connection.close().await.expect("the connection closes");
}

impl World {
    pub fn new(suffix: &'static str) -> World {
        let database = shared().expect("a server").create_database("output").expect("a database");
        let folder = tempfile::tempdir().expect("a folder");
        let world = World { suffix, database, folder, next: Cell::new(0) };
        execute(&world.database.url(), &world.source_schema());
        world.write(&world.named("app").join("project.toml"), &world.project_file());
        world.write(&world.named("app").join("checks").join(format!("c{suffix}.sql")), &world.check("1 = 0"));
        world.write(&world.named("app").join("queries").join(format!("q{suffix}.sql")), &world.query());
        world.write(&world.named("generated.toml"), "");
        let migrated = world.run(&["migrate", &world.database.url(), &world.text(&world.target())]);
        assert!(migrated.status.success(), "{}", describe(&migrated));
        world
    }

    /// A path in the world's folder whose name ends in the suffix.
    pub fn named(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}{}", self.suffix))
    }

    pub fn target(&self) -> PathBuf {
        self.named("app").join(format!("app{}.db", self.suffix))
    }

    pub fn text(&self, path: &Path) -> String {
        path.to_str().expect("UTF-8").to_owned()
    }

    pub fn write(&self, path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("the folder");
        std::fs::write(path, text).expect("the file");
    }

    /// A path that nothing has used yet.
    pub fn fresh(&self, name: &str) -> PathBuf {
        self.next.set(self.next.get() + 1);
        self.named(&format!("{}-{name}", self.next.get()))
    }

    /// Runs the program in the world's folder.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program starts")
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = program();
        command.args(words).current_dir(self.folder.path());
        command
    }

    fn name(&self, name: &str) -> String {
        quote(&format!("{name}{}", self.suffix))
    }

    fn value(&self, value: &str) -> String {
        postgres_literal(&format!("{value}{}", self.suffix))
    }

    /// Every kind of object, with values in every kind of column.
    fn source_schema(&self) -> String {
        let [schema, table, other, column, key, check] = ["s", "t", "o", "c", "k", "h"].map(|name| self.name(name));
        let [index, view, function, label, role] = ["i", "v", "f", "e", "r"].map(|name| self.name(name));
        let value = self.value("value");
        format!(
            "CREATE SCHEMA {schema};
             CREATE TYPE {schema}.{label} AS ENUM ({value}, 'plain');
             CREATE TABLE {schema}.{table} (
                 {column} text CONSTRAINT {key} PRIMARY KEY CONSTRAINT {check} CHECK ({column} <> {value} || 'x'),
                 label {schema}.{label} DEFAULT {value}, doc jsonb, list text[], weight float8, at timestamptz);
             INSERT INTO {schema}.{table} VALUES ({value}, {value}, to_jsonb({value}::text), ARRAY[{value}], 'NaN', 'infinity'),
                 ('plain', 'plain', NULL, NULL, 1, now());
             CREATE TABLE {other} (id integer PRIMARY KEY, {column} text REFERENCES {schema}.{table} ({column}));
             INSERT INTO {other} VALUES (1, {value}), (2, NULL);
             CREATE INDEX {index} ON {other} ({column}) WHERE {column} <> {value};
             CREATE INDEX {role} ON {other} USING gin (to_tsvector('simple', {column}));
             CREATE VIEW {view} AS SELECT {column} AS {label}, {value}::text AS {role} FROM {other};
             CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
             CREATE TRIGGER {function} BEFORE INSERT ON {other} FOR EACH ROW EXECUTE FUNCTION {function}();
             CREATE RULE {role} AS ON DELETE TO {other} DO INSTEAD NOTHING;
             CREATE POLICY {role} ON {other} USING ({column} = {value});
             CREATE SEQUENCE {role}_;
             COMMENT ON TABLE {other} IS {value}; COMMENT ON COLUMN {other}.{column} IS {value};
             ANALYZE",
            role = role.trim_end_matches('"').to_owned() + "\"",
        )
        .replace(&format!("CREATE SEQUENCE {role}_"), &format!("CREATE SEQUENCE {}", self.name("seq")))
    }

    fn project_file(&self) -> String {
        let escaped = |text: String| serde_json::to_string(&text).expect("a text");
        // JSON's escapes are TOML's, but for the one that JSON leaves out.
        let escaped = |text: String| escaped(text).replace('\u{7f}', "\\u007f");
        let mut url = self.database.url();
        url.push_str("&application_name=world");
        format!(
            "name = {}\n[source]\nurl = {}\n[target]\npath = {}\n[latency]\nruns = 3\nwarm_up = 0\n",
            escaped(format!("app{}", self.suffix)),
            escaped(url),
            escaped(format!("app{}.db", self.suffix)),
        )
    }

    /// A check that finds every row where the condition holds.
    pub fn check(&self, condition: &str) -> String {
        format!("-- A title\nSELECT {} AS {} FROM {} WHERE {condition}", self.name("c"), self.name("x"), self.name("o"))
    }

    fn query(&self) -> String {
        format!("-- a query\nSELECT id, {} FROM {} WHERE id > 0\n", self.name("c"), self.name("o"))
    }

    /// A folder with two migrations.
    pub fn migrations(&self) -> PathBuf {
        let folder = self.fresh("migrations");
        let (table, second) = (self.name("m"), self.name("n"));
        self.write(&folder.join("0001_a.up.sql"), &format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY);"));
        self.write(&folder.join("0001_a.down.sql"), &format!("-- whimbrel: lossy\nDROP TABLE {table};"));
        self.write(&folder.join("0002_b.up.sql"), &format!("CREATE TABLE {second} (x TEXT);"));
        self.write(&folder.join("0002_b.down.sql"), &format!("-- whimbrel: lossy\nDROP TABLE {second};"));
        folder
    }

    /// A file that all of these migrations have been applied to.
    pub fn migrated(&self, folder: &Path) -> PathBuf {
        let file = self.fresh("file.db");
        let output = self.run(&["schema", "up", &self.text(&file), &self.text(folder)]);
        assert!(output.status.success(), "{}", describe(&output));
        file
    }

    /// A SQLite file that no history knows of.
    pub fn file(&self, sql: &str) -> PathBuf {
        let file = self.fresh("plain.db");
        Connection::open(&file).expect("a file").execute_batch(sql).expect("the statements run");
        file
    }

    /// The words that let a verb succeed, at any time and again. A verb without an entry here is a failure.
    pub fn words(&self, verb: &str) -> Vec<String> {
        let (url, target) = (self.database.url(), self.text(&self.target()));
        let project = self.text(&self.named("app"));
        let two = |folder: &Path, file: &Path| vec![self.text(file), self.text(folder)];
        let arguments = match verb {
            "plan" => vec![url, target],
            "migrate" | "verify" => vec![project],
            "rollback" | "backups" | "check" | "optimize" => vec![target],
            "backups take" => vec![target],
            "backups prune" => vec![target, "--keep".into(), "50".into()],
            "sync" | "store health" | "store repair" | "store mode" => {
                let (project, tree) = (self.fresh("layout"), self.fresh("tree"));
                self.write(&project.join("project.toml"), "name = \"notes\"\n");
                let layout = "[[file]]\npath = \"{name}.txt\"\nformat = \"bytes\"\n[[file.records]]\ntable = \"notes\"\nkey = [\"name\"]\n\
                              columns.name = \"@path.name\"\ncolumns.content = { from = \"@content\", type = \"text\" }\n";
                self.write(&project.join("layout.toml"), layout);
                self.write(&tree.join("a.txt"), "a note");
                let file = self.fresh("tree.db");
                let words = [&project, &tree, &file].map(|path| self.text(path));
                let output = self.run(&["migrate", &words[0], &words[1], &words[2]]);
                assert!(output.status.success(), "{}", describe(&output));
                self.write(&tree.join("a.txt"), "another note");
                let mode = (verb == "store mode").then(|| "files".to_owned());
                words.into_iter().chain(mode).collect()
            }
            "latency" => vec![project, "--target".into(), target],
            "generate" => {
                let table =
                    format!("CREATE TABLE {} (id INTEGER PRIMARY KEY, {} TEXT)", self.name("g"), self.name("c"));
                vec![self.text(&self.file(&table)), "--rows".into(), "5".into()]
            }
            "test" => {
                let folder = self.fresh("schema");
                let table =
                    format!("CREATE TABLE {} (id integer PRIMARY KEY, {} text);", self.name("t"), self.name("c"));
                self.write(&folder.join("schema.sql"), &table);
                let options = ["--cases", "1", "--rows", "5", "--seed", "1", "--regressions"].map(str::to_owned);
                [vec![self.text(&folder)], options.to_vec(), vec![self.text(&self.fresh("kept"))]].concat()
            }
            "schema new" => vec!["add_it".into(), self.text(&self.migrations())],
            "schema up" => {
                let folder = self.migrations();
                two(&folder, &self.fresh("new.db"))
            }
            "schema down" | "schema redo" | "schema status" | "schema validate" => {
                let folder = self.migrations();
                two(&folder, &self.migrated(&folder))
            }
            "schema repair" => {
                let folder = self.migrations();
                let file = self.migrated(&folder);
                let changed = format!("-- changed\nCREATE TABLE {} (x TEXT);", self.name("n"));
                self.write(&folder.join("0002_b.up.sql"), &changed);
                [vec!["2".to_owned()], two(&folder, &file)].concat()
            }
            "schema adopt" => {
                let folder = self.fresh("empty");
                std::fs::create_dir_all(&folder).expect("the folder");
                two(
                    &folder,
                    &self.file(
                        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
                     installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
                     checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)",
                    ),
                )
            }
            "demo" => vec![],
            other => panic!("the new verb `{other}` needs words here, so that the tests of all output run it"),
        };
        verb.split(' ').map(str::to_owned).chain(arguments).collect()
    }
}

/// Every verb with each of its actions, as the program lists them.
pub fn verbs() -> BTreeSet<String> {
    fn below(path: &[String], found: &mut BTreeSet<String>) {
        let output = program().args(path).arg("--help").output().expect("the program starts");
        let help = String::from_utf8(output.stdout).expect("UTF-8");
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let commands = commands.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
        let commands: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).collect();
        let mut usage = help.lines().skip_while(|line| !line.starts_with("Usage:")).take_while(|line| !line.is_empty());
        let has_to_have_one = usage.all(|line| line.contains("<COMMAND>"));
        if !path.is_empty() && !has_to_have_one {
            found.insert(path.join(" "));
        }
        for command in commands.into_iter().filter(|command| *command != "help") {
            below(&[path, &[command.to_owned()]].concat(), found);
        }
    }
    let mut found = BTreeSet::new();
    below(&[], &mut found);
    assert!(found.len() >= 20 && found.contains("schema up") && found.contains("backups prune"), "{found:?}");
    found
}

/// Whether a verb speaks JSON, by its own help.
pub fn speaks_json(verb: &str) -> bool {
    let output = program().args(verb.split(' ')).arg("--help").output().expect("the program starts");
    String::from_utf8_lossy(&output.stdout).contains("--json")
}

pub fn describe(output: &Output) -> String {
    format!(
        "exit code {:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).escape_debug().to_string().replace("\\n", "\n"),
        String::from_utf8_lossy(&output.stderr).escape_debug().to_string().replace("\\n", "\n")
    )
}
