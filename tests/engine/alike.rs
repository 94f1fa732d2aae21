//! Whatever compares, sorts or names something is asked of both engines over the same awkward rows, in databases of every
//! kind of collation: carried, it answers alike or it was told; else it is not carried, with a reason.

use crate::support::whole_run::{Server, TextRow, migrate};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::path::PathBuf;
use whimbrel::plan::version::SqliteVersion;
use whimbrel::provision::shared;
use whimbrel::to_sqlite::{Job, Outcome};

/// The kinds of databases, in the order of the signs in the fixtures.
const DATABASES: [(&str, &str); 3] = [
    ("C", "LOCALE 'C'"),
    ("C.UTF-8", "LOCALE 'C.UTF-8'"),
    ("en-US", "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"),
];

/// A database of one's own with that collation; it is gone when this is dropped.
struct Collated {
    name: String,
    url: String,
}

impl Collated {
    fn new(number: usize, sql: &str) -> Collated {
        // Of the other database, only the address is used.
        let other = shared().expect("a PostgreSQL server").create_database("alike").expect("a database");
        let name = format!("{}_{number}", other.name());
        let url = other.url().replace(other.name(), &name);
        let mut server = Server::connect(&other.url());
        server.run(format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {}", DATABASES[number].1));
        let collated = Collated { name, url };
        Server::connect(&collated.url).run(sql);
        collated
    }
}

impl Drop for Collated {
    fn drop(&mut self) {
        let server = shared().expect("a PostgreSQL server");
        let dropped = Server::connect(server.admin_url()).try_run(format!("DROP DATABASE {} WITH (FORCE)", self.name));
        assert!(dropped.is_ok() || std::thread::panicking(), "{dropped:?}");
    }
}

/// The databases that the server can make: those of ICU came with version 15.
fn databases() -> std::ops::Range<usize> {
    let server = shared().expect("a PostgreSQL server");
    let version: u32 = Server::connect(server.admin_url()).value("SHOW server_version_num").parse().expect("a number");
    if version < 150_000 {
        eprintln!("NOT RUN: a database under the collation of a language needs PostgreSQL 15");
        return 0..2;
    }
    0..3
}

fn fixture(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fixtures", "alike", name].iter().collect();
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines that are none of a comment: the signs before the SQL, in groups of three, and the SQL.
fn lines(text: &str, groups: usize) -> Vec<(Vec<[char; 3]>, &str)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (signs, sql) = line.split_at(groups * 4);
            let signs = signs.split_whitespace().map(|signs| {
                let signs: Vec<char> = signs.chars().collect();
                assert!(signs.iter().all(|sign| "=+~-".contains(*sign)), "{line}");
                <[char; 3]>::try_from(signs).unwrap_or_else(|_| panic!("{line}"))
            });
            (signs.collect(), sql)
        })
        .collect()
}

/// What became of an object, and what was said about it.
struct Fate {
    carried: bool,
    words: String,
}

fn fate(outcome: &Outcome, object: &str) -> Fate {
    let lost: Vec<String> =
        outcome.plan.losses.iter().filter(|loss| loss.object == object).map(|loss| loss.reason.to_string()).collect();
    let told = outcome.plan.caveats.iter().filter(|caveat| {
        let rest = caveat.object.strip_prefix("view ").unwrap_or(&caveat.object).strip_prefix(object);
        // Answers are asked for, not writes through a view.
        let is_about_writes = caveat.text.starts_with("read only: ");
        !is_about_writes && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    let words = if lost.is_empty() { told.map(|caveat| caveat.text.clone()).collect() } else { lost.clone() };
    Fate { carried: lost.is_empty(), words: words.join("; ") }
}

/// A value of either engine in one spelling.
fn plain(value: &str) -> String {
    match value {
        "t" | "true" => "1.0".into(),
        "f" | "false" => "0.0".into(),
        _ => match value.parse::<f64>() {
            Ok(number) => format!("{number:?}"),
            // A `char(n)` is kept without the blanks at its end.
            Err(_) => value.trim_end_matches(' ').to_owned(),
        },
    }
}

fn sorted(mut rows: Vec<TextRow>) -> Vec<TextRow> {
    rows.sort();
    rows
}

fn rows_of(connection: &Connection, sql: &str) -> Vec<TextRow> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|place| {
                Ok(match row.get_ref(place)? {
                    ValueRef::Null => None,
                    ValueRef::Integer(value) => Some(value.to_string()),
                    ValueRef::Real(value) => Some(format!("{value:?}")),
                    ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => {
                        Some(bytes.iter().fold("\\x".to_owned(), |text, byte| text + &format!("{byte:02x}")))
                    }
                })
            })
            .collect()
    });
    rows.expect(sql).collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn migrated(url: &str) -> (Outcome, Connection, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut job = Job::new(directory.path().join("alike.db"));
    job.options.run.choices.sqlite_version = SqliteVersion::bundled();
    let outcome = migrate(url, &job).unwrap_or_else(|error| panic!("{error}: {:?}", error.way_out()));
    outcome.ensure_published().expect("a file");
    let connection = Connection::open(&job.target).expect("the file");
    (outcome, connection, directory)
}

/// What was expected of an object and is not so.
struct Judge<'a> {
    outcome: &'a Outcome,
    connection: &'a Connection,
    server: Server,
    database: &'static str,
    wrong: Vec<String>,
}

impl Judge<'_> {
    /// Asks both engines for all rows of a view.
    fn view(&mut self, expected: char, name: &str, sql: &str) {
        let fate = fate(self.outcome, &format!("public.{name}"));
        let query = format!("SELECT * FROM {name}");
        let (mut source, mut target) = (Vec::new(), Vec::new());
        if fate.carried {
            let spelled = |rows: Vec<TextRow>| {
                sorted(
                    rows.into_iter()
                        .map(|row| row.into_iter().map(|value| value.map(|text| plain(&text))).collect())
                        .collect(),
                )
            };
            source = spelled(self.server.rows(query.clone()));
            target = spelled(rows_of(self.connection, &query));
        }
        let found = match (fate.carried, fate.words.is_empty(), source == target) {
            (false, _, _) => '-',
            (true, true, true) => '=',
            (true, false, true) => '+',
            (true, false, false) => '~',
            (true, true, false) => '!',
        };
        if found != expected || (found == '-' && fate.words.is_empty()) {
            let only = |these: &[TextRow], others: &[TextRow]| -> Vec<TextRow> {
                these.iter().filter(|row| !others.contains(row)).take(3).cloned().collect()
            };
            self.wrong.push(format!(
                "{}: {sql}: {found}, not {expected} ({}) {:?} {:?}",
                self.database,
                fate.words,
                only(&source, &target),
                only(&target, &source)
            ));
        }
    }

    /// Looks at what became of a constraint; that it let every row pass, the migration has shown.
    fn constraint(&mut self, expected: &[char], object: &str, sql: &str) {
        let fate = fate(self.outcome, object);
        let found = match (fate.carried, fate.words.is_empty()) {
            (false, _) => '-',
            (true, true) => '=',
            (true, false) => '+',
        };
        if !expected.contains(&found) || (found == '-' && fate.words.is_empty()) {
            self.wrong.push(format!("{}: {object}: {sql}: {found}, not {expected:?} ({})", self.database, fate.words));
        }
    }
}

#[test]
fn both_engines_answer_alike_or_it_was_told() {
    let (conditions, views) = (fixture("conditions.txt"), fixture("views.txt"));
    let (conditions, views) = (lines(&conditions, 2), lines(&views, 1));
    assert!(conditions.len() > 100 && views.len() > 150, "{} conditions, {} views", conditions.len(), views.len());
    let mut sql = fixture("tables.sql");
    for (at, (_, view)) in views.iter().enumerate() {
        sql.push_str(&format!("CREATE VIEW v{at} AS {view};\n"));
    }
    for (at, (_, condition)) in conditions.iter().enumerate() {
        // Who passes is in `c`, with the check and the generated column; everybody is in `p`, where those who do not pass
        // have one number, so that the unique index must hold no more of them than the source's.
        sql.push_str(&format!(
            "CREATE VIEW v_c{at} AS SELECT id, ({condition}) AS x FROM words;
             CREATE TABLE c{at} (LIKE words INCLUDING INDEXES);
             INSERT INTO c{at} SELECT * FROM words WHERE ({condition}) IS NOT FALSE;
             ALTER TABLE c{at} ADD CONSTRAINT k{at} CHECK ({condition}), ADD g boolean GENERATED ALWAYS AS ({condition}) STORED;
             CREATE TABLE p{at} AS SELECT *, CASE WHEN ({condition}) THEN id ELSE 0 END AS same FROM words;
             CREATE UNIQUE INDEX i{at} ON p{at} (same) WHERE {condition};\n"
        ));
    }
    let mut wrong = Vec::new();
    for number in databases() {
        let name = DATABASES[number].0;
        let database = Collated::new(number, &sql);
        let (outcome, connection, _directory) = migrated(&database.url);
        let server = Server::connect(&database.url);
        let mut judge = Judge { outcome: &outcome, connection: &connection, server, database: name, wrong: Vec::new() };
        for (at, (signs, view)) in views.iter().enumerate() {
            judge.view(signs[0][number], &format!("v{at}"), view);
        }
        for (at, (signs, condition)) in conditions.iter().enumerate() {
            judge.view(signs[0][number], &format!("v_c{at}"), condition);
            let (check, generated, index): (&[char], &[char], &[char]) = match signs[1][number] {
                '=' => (&['='], &['='], &['=']),
                '-' => (&['-'], &['-'], &['-']),
                // A CHECK does not ask for NaN, which a view and an index do.
                '+' => (&['+', '='], &['-'], &['+', '-']),
                _ => (&['+'], &['-'], &['+', '-']),
            };
            judge.constraint(check, &format!("public.c{at}.k{at}"), condition);
            judge.constraint(generated, &format!("public.c{at}.g"), condition);
            judge.constraint(index, &format!("i{at} on public.p{at}"), condition);
        }
        wrong.append(&mut judge.wrong);
    }
    assert!(wrong.is_empty(), "{} are otherwise than expected:\n{}", wrong.len(), wrong.join("\n"));
}

const KEYS: &str = r#"
CREATE EXTENSION citext SCHEMA public;
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION german (provider = icu, locale = 'de');
CREATE DOMAIN loose_text AS text COLLATE loose CHECK (VALUE <> 'NOBODY') CHECK (length(VALUE) < 9);
CREATE DOMAIN plain_text AS text COLLATE "C" CHECK (VALUE >= 'a');
CREATE TABLE acct (login text COLLATE loose PRIMARY KEY); INSERT INTO acct VALUES ('ann');
CREATE TABLE acct_child (login text COLLATE loose REFERENCES acct); INSERT INTO acct_child VALUES ('ANN');
CREATE TABLE acct_check (login text COLLATE loose CHECK (login = 'ANN'), is_ann boolean GENERATED ALWAYS AS (login = 'ANN') STORED);
INSERT INTO acct_check VALUES ('ann');
CREATE VIEW acct_view AS SELECT login FROM acct WHERE login = 'ANN';
CREATE TABLE loose_child (login text COLLATE "C" UNIQUE); INSERT INTO loose_child VALUES ('ann'), ('ANN');
CREATE TABLE strict_child (login text REFERENCES loose_child (login)); INSERT INTO strict_child VALUES ('ANN');
CREATE TABLE words (a text COLLATE loose UNIQUE, b text COLLATE german, c text COLLATE "C", d text, e plain_text, f loose_text,
  g text[] COLLATE loose UNIQUE, CONSTRAINT order_of_c CHECK (c >= 'A'), CONSTRAINT order_of_b CHECK (b >= 'a'));
CREATE INDEX on_a ON words (a); CREATE UNIQUE INDEX on_a_c ON words (a COLLATE "C"); CREATE INDEX on_b ON words (b);
CREATE INDEX on_d_german ON words (d COLLATE german); CREATE INDEX on_d_c ON words (d COLLATE "C"); CREATE INDEX on_d ON words (d);
CREATE UNIQUE INDEX on_d_loose ON words (d COLLATE loose); CREATE INDEX some_d ON words (c) WHERE d > 'm';
CREATE UNIQUE INDEX some_c ON words (d) WHERE c > 'm'; CREATE UNIQUE INDEX some_b ON words (d) WHERE b > 'm';
INSERT INTO words VALUES ('x', 'Z', 'Z', 'Z', 'z', 'somebody', '{x}'), ('y', 'z', 'z', 'y', 'a', 'other', '{y}');
CREATE TABLE person (name citext PRIMARY KEY, nick citext); INSERT INTO person VALUES ('Ann', 'A');
CREATE TABLE person_child (name citext REFERENCES person); INSERT INTO person_child VALUES ('ANN');
CREATE UNIQUE INDEX nick ON person (nick) NULLS NOT DISTINCT;
CREATE TABLE tag (name citext CONSTRAINT in_ascii CHECK (name IN ('a', 'B')), CONSTRAINT not_in CHECK (name NOT IN ('ä', 'b', 'B')),
  CONSTRAINT above CHECK (name OPERATOR(public.~~) ANY ('{a%,b%}'::citext[])), CONSTRAINT from_array CHECK (name = ANY ('{a,B}')));
INSERT INTO tag VALUES ('A');
CREATE VIEW in_ascii AS SELECT name FROM tag WHERE name IN ('B', 'a'); CREATE VIEW umlaut AS SELECT name FROM person WHERE name = 'ä';
CREATE VIEW in_umlaut AS SELECT name FROM person WHERE name IN ('ä', 'B'); CREATE VIEW nulled AS SELECT nullif(name, 'ä') AS name FROM person;
CREATE VIEW cased AS SELECT CASE name WHEN 'ä' THEN 1 END AS one FROM person;
CREATE VIEW not_umlaut AS SELECT name FROM person WHERE name IS DISTINCT FROM 'ä';
CREATE VIEW in_rows AS SELECT name FROM person WHERE nick IN (SELECT name FROM tag); CREATE VIEW joined AS SELECT name FROM person JOIN tag USING (name);
CREATE TABLE padded (k char(5) PRIMARY KEY); INSERT INTO padded VALUES ('ab'); CREATE TABLE unpadded (k varchar(5) PRIMARY KEY); INSERT INTO unpadded VALUES ('ab');
CREATE TABLE to_padded (k varchar(5) REFERENCES padded); INSERT INTO to_padded VALUES ('ab  '); CREATE TABLE to_unpadded (k char(5) REFERENCES unpadded); INSERT INTO to_unpadded VALUES ('ab');
CREATE TABLE both_padded (k char(9) REFERENCES padded); INSERT INTO both_padded VALUES ('ab');
CREATE TABLE hosts (a inet PRIMARY KEY); INSERT INTO hosts VALUES ('10.0.0.1'); CREATE TABLE to_host (a cidr REFERENCES hosts); INSERT INTO to_host VALUES ('10.0.0.1/32');
CREATE TABLE days (d timestamp PRIMARY KEY); INSERT INTO days VALUES ('2020-01-01'); CREATE TABLE to_day (d date REFERENCES days); INSERT INTO to_day VALUES ('2020-01-01');
CREATE FUNCTION stand_in() RETURNS char(5) LANGUAGE plpgsql AS 'BEGIN RETURN ''ab''; END';
CREATE TABLE left_behind (k char(5) DEFAULT stand_in() REFERENCES padded ON DELETE SET DEFAULT, l char(5) DEFAULT 'ab' REFERENCES padded ON UPDATE SET DEFAULT); INSERT INTO left_behind VALUES ('ab');
CREATE TABLE item (id int PRIMARY KEY, "ID" text); INSERT INTO item VALUES (1, 'x');
CREATE VIEW w AS SELECT id, "ID" FROM item; CREATE VIEW "W" AS SELECT "ID", id FROM w; CREATE VIEW "Item" AS SELECT 1 AS one;
"#;

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases, and what is done with each")]
fn keys_indexes_and_notes_say_what_is_so() {
    for number in databases() {
        let name = DATABASES[number].0;
        let database = Collated::new(number, KEYS);
        if number > 0 {
            let mut server = Server::connect(&database.url);
            server.run(
                "INSERT INTO person VALUES ('\u{c9}t\u{e9}', NULL); INSERT INTO person_child VALUES ('\u{e9}T\u{c9}')",
            );
        }
        let (outcome, connection, _directory) = migrated(&database.url);
        let mut wrong = Vec::new();
        // Carried without a word, carried with a note that has the word, or not carried with a reason that has it; one
        // for each database.
        let quiet = ('=', "");
        let loose = ('+', "takes different texts for equal");
        let language = ('+', "code point, not under");
        let citext = ('+', "ASCII");
        let beyond = ('-', "it compares values beyond ASCII");
        for (object, fates) in [
            ("public.acct.acct_pkey", [loose; 3]),
            ("public.acct.login", [('+', "takes for equal are different"); 3]),
            ("public.acct_child.acct_child_login_fkey", [('-', "public.loose"); 3]),
            ("public.acct_check.acct_check_login_check", [('-', "takes different texts for equal"); 3]),
            ("public.acct_check.is_ann", [('-', "kept as a plain column"); 3]),
            ("public.acct_view", [('-', "takes different texts for equal"); 3]),
            ("public.loose_child.loose_child_login_key", [quiet; 3]),
            ("public.loose_child.login", [quiet; 3]),
            ("public.strict_child.strict_child_login_fkey", [quiet; 3]),
            ("public.words.words_a_key", [loose; 3]),
            ("public.words.words_g_key", [loose; 3]),
            ("public.words.b", [language; 3]),
            ("public.words.c", [quiet; 3]),
            ("public.words.d", [quiet; 3]),
            ("public.words.e", [quiet; 3]),
            ("public.loose_text.loose_text_check on public.words.f", [('-', "takes different texts for equal"); 3]),
            ("public.loose_text.loose_text_check1 on public.words.f", [quiet; 3]),
            ("public.plain_text.plain_text_check on public.words.e", [quiet; 3]),
            ("public.words.order_of_c", [quiet; 3]),
            ("public.words.order_of_b", [('-', "rules of a language"); 3]),
            ("on_a on public.words", [quiet; 3]),
            ("on_a_c on public.words", [quiet; 3]),
            ("on_b on public.words", [quiet; 3]),
            ("on_d on public.words", [quiet; 3]),
            ("on_d_c on public.words", [quiet; 3]),
            ("on_d_german on public.words", [language; 3]),
            ("on_d_loose on public.words", [('+', "takes for equal"); 3]),
            ("some_c on public.words", [quiet; 3]),
            ("some_b on public.words", [('-', "rules of a language"); 3]),
            ("some_d on public.words", [quiet, quiet, ('+', "other rows")]),
            ("public.person.name", [quiet, citext, citext]),
            ("public.person.person_pkey", [quiet, citext, citext]),
            ("nick on public.person", [quiet, citext, citext]),
            ("public.person_child.person_child_name_fkey", [quiet, ('-', "ASCII"), ('-', "ASCII")]),
            ("public.tag.in_ascii", [quiet, citext, citext]),
            ("public.tag.from_array", [quiet, citext, citext]),
            ("public.tag.not_in", [quiet, beyond, beyond]),
            ("public.tag.above", [('-', "the operator `OPERATOR(public.~~)`"); 3]),
            ("public.in_ascii", [quiet, citext, citext]),
            ("public.umlaut", [quiet, beyond, beyond]),
            ("public.in_umlaut", [quiet, beyond, beyond]),
            ("public.nulled", [quiet, beyond, beyond]),
            ("public.cased", [quiet, beyond, beyond]),
            ("public.not_umlaut", [quiet, beyond, beyond]),
            ("public.in_rows", [('-', "a subquery by an operator of an extension"); 3]),
            ("public.joined", [quiet, citext, citext]),
            ("public.to_padded.to_padded_k_fkey", [('-', "between which PostgreSQL converts"); 3]),
            ("public.to_unpadded.to_unpadded_k_fkey", [quiet; 3]),
            ("public.both_padded.both_padded_k_fkey", [quiet; 3]),
            ("public.to_host.to_host_a_fkey", [('-', "between which PostgreSQL converts"); 3]),
            ("public.to_day.to_day_d_fkey", [('-', "which do not compare"); 3]),
            ("public.left_behind.left_behind_k_fkey", [('+', "SET DEFAULT sets NULL: the default of `k`"); 3]),
            ("public.left_behind.left_behind_l_fkey", [quiet; 3]),
            ("public.w.ID", [('+', "named `ID_2`"); 3]),
            ("public.W", [('+', "named `W_2`"); 3]),
            ("public.Item", [('+', "named `Item_2`"); 3]),
        ] {
            let (expected, word) = fates[number];
            let fate = fate(&outcome, object);
            let found = match (fate.carried, fate.words.is_empty()) {
                (false, _) => '-',
                (true, true) => '=',
                (true, false) => '+',
            };
            if found != expected || !fate.words.contains(word) {
                wrong.push(format!("{name}: {object}: {found} ({}), not {expected} ({word})", fate.words));
            }
        }
        let own: Vec<&str> = outcome
            .plan
            .caveats
            .iter()
            .filter(|caveat| caveat.object.starts_with("database "))
            .map(|caveat| caveat.text.as_str())
            .collect();
        let expected: &[&str] =
            if number == 2 { &["texts sort by code point, not under its collation `en-US`"] } else { &[] };
        assert_eq!(own, expected, "{name}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        connection
            .execute_batch("INSERT INTO person VALUES ('x', 'a')")
            .expect_err("a nick that is there, in another case");
        assert_eq!(rows_of(&connection, "SELECT name FROM in_ascii"), [[Some("A".to_owned())]]);
        assert_eq!(rows_of(&connection, "SELECT id, \"ID_2\" FROM w"), [[Some("1".to_owned()), Some("x".to_owned())]]);
        assert_eq!(
            rows_of(&connection, "SELECT \"ID\", \"id_2\" FROM \"W_2\""),
            [[Some("x".to_owned()), Some("1".to_owned())]]
        );
    }
}
