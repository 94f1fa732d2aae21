//! Files that were made to do harm, and files whose ledger no longer fits their rows, on the way home.

use crate::support::whole_run::{self, Server, findings};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use whimbrel::cancel::Cancel;
use whimbrel::catalog::{Catalog, Check, ObjectKind, OtherObject, QualifiedName, Shape, TableKind};
use whimbrel::endpoint::postgres::{Patience, PostgresTarget};
use whimbrel::endpoint::sqlite::SqliteSource;
use whimbrel::endpoint::{Level, PostgresUrl, ReadTable, RowSink, Source};
use whimbrel::event::nobody;
use whimbrel::plan::home::Wishes;
use whimbrel::provision::{Database, shared};
use whimbrel::to_postgres::{self, Outcome};
use whimbrel::to_sqlite;
use whimbrel::transfer::run::{self, RunOptions};

struct Homes {
    first: Database,
    second: Database,
    directory: TempDir,
}

impl Homes {
    /// Both databases, and the file that was made of the first.
    fn new(sql: &str) -> Homes {
        let server = shared().expect("a server");
        let (first, second) =
            (server.create_database("leaves").expect("one"), server.create_database("home").expect("one"));
        Server::connect(&first.url()).run(sql);
        let homes = Homes { first, second, directory: tempfile::tempdir().expect("a directory") };
        let job = to_sqlite::Job::new(homes.file());
        let outcome = whole_run::migrate(&homes.first.url(), &job).expect("a migration");
        assert!(outcome.published.is_some(), "{}", findings(&outcome.verification));
        homes
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    fn edit(&self, sql: &str) {
        Connection::open(self.file()).expect("a file").execute_batch(sql).expect("an edit");
    }

    fn come_home(&self, run: RunOptions) -> whimbrel::Result<Outcome> {
        let mut source = SqliteSource::open(&self.file(), &Cancel::new())?;
        let target = PostgresUrl::parse(&self.second.url())?;
        let job = to_postgres::Job { target, wishes: Wishes::default(), run, patience: Patience::default() };
        to_postgres::attempt(&mut source, &job, &Cancel::new(), &nobody)?.outcome()
    }
}

/// A file whose catalog says something else.
struct Hostile {
    file: SqliteSource,
    catalog: Arc<Catalog>,
}

impl Source for Hostile {
    fn label(&self) -> &str {
        self.file.label()
    }

    fn catalog(&mut self) -> whimbrel::Result<Arc<Catalog>> {
        Ok(Arc::clone(&self.catalog))
    }

    fn ensure_readable(&mut self, tables: &[&QualifiedName]) -> whimbrel::Result<()> {
        self.file.ensure_readable(tables)
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> whimbrel::Result<()> {
        self.file.read(tables, sink)
    }
}

const VICTIM: &str = "CREATE SCHEMA victims; CREATE TABLE victims.victim (a integer); INSERT INTO victims.victim VALUES (1);
  CREATE SEQUENCE victims.numbers; CREATE FUNCTION victims.evil(text DEFAULT 'x') RETURNS boolean LANGUAGE sql VOLATILE
  AS 'INSERT INTO victims.victim VALUES (2); SELECT true'; CREATE FUNCTION victims.meek(text DEFAULT 'x') RETURNS boolean LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN PERFORM victims.evil(); RETURN true; END $$";

/// What is others', and must be what it was.
const OF_OTHERS: &str = "SELECT concat_ws(' ', (SELECT string_agg(a::text, ',') FROM victims.victim), (SELECT last_value || ' ' || is_called FROM victims.numbers),
  (SELECT count(*) FROM pg_inherits WHERE inhparent = 'victims.victim'::regclass), (SELECT count(*) FROM pg_index WHERE indrelid = 'victims.victim'::regclass),
  (SELECT count(*) FROM pg_constraint WHERE conrelid = 'victims.victim'::regclass), (SELECT count(*) FROM pg_largeobject_metadata),
  (SELECT count(*) FROM pg_attribute WHERE attrelid = 'victims.victim'::regclass), (SELECT count(*) FROM pg_class WHERE relnamespace = 'victims'::regnamespace))";

/// Texts that end what they are put into, go on with something else, or run what does more than tell a value.
const INJECTIONS: &[&str] = &[
    "true); SELECT victims.evil(); SELECT (true",
    "true), ADD CHECK (victims.evil()",
    "true, INHERIT victims.victim",
    "victims.evil()",
    "victims.meek('x')",
    "('x'::text).lo_import IS NULL",
    "lo_create(0) > 0",
    "nextval('victims.numbers'::regclass) > 0",
    "pg_catalog.\"setval\"('victims.numbers'::regclass, 77) > 0",
    "integer CHECK (victims.evil())",
    "integer DEFAULT nextval('victims.numbers'::regclass)",
    "integer, ADD COLUMN x integer CHECK (victims.meek())",
    "EXCLUDE USING btree (id WITH =), ADD CHECK (victims.evil())",
    "EXCLUDE USING btree (id WITH =), INHERIT victims.victim",
    "CREATE INDEX ix ON victims.victim USING btree (a)",
    "CREATE INDEX ix ON ours.t USING btree (victims.meek(b))",
    "SELECT 1 AS a; INSERT INTO victims.victim VALUES (3)",
    "WITH w AS (INSERT INTO victims.victim VALUES (3) RETURNING a) SELECT a FROM w",
    "SELECT victims.evil() AS a",
    "E'a'\n'\\' ' IS NULL); SELECT victims.evil(); -- '",
    "1e'\\' ' IS NULL); SELECT victims.evil(); -- '",
    "1$$ ' $$); SELECT victims.evil(); -- '",
];

type Field = (&'static str, fn(&mut Catalog, String));

/// Every text of a catalog that goes into a statement.
const FIELDS: &[Field] = &[
    ("type", |catalog, text| catalog.tables[0].columns[2].data_type.name = text),
    ("default", |catalog, text| catalog.tables[0].columns[1].default = Some(text)),
    ("generated", |catalog, text| {
        if let Some(generated) = &mut catalog.tables[0].columns[3].generated {
            generated.expression = text;
        }
    }),
    ("check", |catalog, text| {
        catalog.tables[0].checks.push(Check { name: "own".to_owned(), expression: text, validated: true });
    }),
    ("domain's base", |catalog, text| domain(catalog, |domain| domain.base.name = text)),
    ("domain's default", |catalog, text| domain(catalog, |domain| domain.default = Some(text))),
    ("domain's check", |catalog, text| domain(catalog, |domain| domain.checks[0].expression = text)),
    ("composite's field", |catalog, text| {
        if let Shape::Composite(composite) = &mut catalog.tables[0].columns[5].data_type.shape {
            composite.fields[0].data_type.name = text;
        }
    }),
    ("index", |catalog, text| catalog.tables[0].indexes[0].definition = text),
    ("index's predicate", |catalog, text| {
        catalog.tables[0].indexes[0].definition.clear();
        catalog.tables[0].indexes[0].predicate = Some(text);
    }),
    ("exclusion", |catalog, text| {
        let (kind, name) = (ObjectKind::ExclusionConstraint, "apart on ours.t".to_owned());
        catalog.others.push(OtherObject { kind, name, definition: Some(text) });
    }),
    ("view", |catalog, text| catalog.views[0].definition = text),
    ("materialized view", |catalog, text| {
        if let TableKind::MaterializedView { definition, .. } = &mut catalog.tables[1].kind {
            *definition = text;
        }
    }),
    ("sequence's type", |catalog, text| catalog.sequences[0].data_type = text),
];

fn domain(catalog: &mut Catalog, change: impl FnOnce(&mut whimbrel::catalog::Domain)) {
    match &mut catalog.tables[0].columns[4].data_type.shape {
        Shape::Domain(domain) => change(domain),
        other => panic!("{other:?}"),
    }
}

/// Whether an injection has the form of what stands in that field.
fn is_made_for(field: &str, injection: &str) -> bool {
    let begins = |head: &str| injection.starts_with(head);
    match field {
        "type" | "domain's base" | "composite's field" => begins("integer"),
        "index" => begins("CREATE"),
        "exclusion" => begins("EXCLUDE"),
        "default" => begins("true, INHERIT") || begins("nextval"),
        "view" | "materialized view" => begins("SELECT") || begins("WITH"),
        _ => false,
    }
}

/// Every text of the metadata times everything that one could put there: nothing outside of what the run made is another than before,
/// after the load and after somebody has used what was made. A quarter of the pairs; all of them with `WHIMBREL_HOSTILE_ALL`.
#[test]
fn no_text_of_a_hostile_file_reaches_beyond_its_own_tables() {
    let homes = Homes::new(
        "CREATE SCHEMA ours; CREATE DOMAIN ours.d AS text CHECK (VALUE <> 'q'); CREATE TYPE ours.c AS (a integer, b text);
         CREATE SEQUENCE ours.s; CREATE TABLE ours.t (id integer PRIMARY KEY, a integer DEFAULT 1, b text, g text GENERATED ALWAYS AS (b || '!') STORED,
         d ours.d, c ours.c); CREATE INDEX ix ON ours.t (b) WHERE a > 0; INSERT INTO ours.t VALUES (1, 1, 'x', DEFAULT, 'd', '(1,x)');
         CREATE VIEW ours.v AS SELECT id AS a FROM ours.t; CREATE MATERIALIZED VIEW ours.w AS SELECT id AS a FROM ours.t",
    );
    let mut server = Server::connect(&homes.second.url());
    server.run(VICTIM);
    let before = server.value(OF_OTHERS);
    let own = SqliteSource::open(&homes.file(), &Cancel::new()).expect("a file").catalog().expect("a catalog");
    let shape = |place: usize| own.tables[0].columns[place].name.clone();
    assert_eq!([own.tables[0].name.to_string(), shape(3), shape(4), shape(5)], ["ours.t", "g", "d", "c"]);
    let (mut loaded, mut wrong) = (0, Vec::new());
    let mut tried = 0;
    let all = std::env::var_os("WHIMBREL_HOSTILE_ALL").is_some();
    for (number, (field, put)) in FIELDS.iter().enumerate() {
        for (place, injection) in INJECTIONS.iter().enumerate() {
            if !all && !(number + place).is_multiple_of(4) && !is_made_for(field, injection) {
                continue;
            }
            tried += 1;
            let mut catalog = Catalog::clone(&own);
            put(&mut catalog, (*injection).to_owned());
            assert_ne!(catalog, *own, "{field} is of the catalog");
            let file = SqliteSource::open(&homes.file(), &Cancel::new()).expect("a file");
            let mut source = Hostile { file, catalog: Arc::new(catalog) };
            let url = PostgresUrl::parse(&homes.second.url()).expect("a URL");
            let target = PostgresTarget::new(url, Wishes::default(), Patience::default(), Cancel::new());
            let options = RunOptions { metadata: false, level: Level::Counts, ..RunOptions::default() };
            let done =
                run::attempt(&mut source, target, &options, &Cancel::new(), &nobody).and_then(run::Attempt::outcome);
            loaded += usize::from(done.is_ok());
            // Whoever has the tables now writes and reads.
            server.run(
                "DO $$ BEGIN IF to_regclass('ours.t') IS NOT NULL THEN
                   BEGIN INSERT INTO ours.t (id) VALUES (7); EXCEPTION WHEN others THEN NULL; END;
                   BEGIN PERFORM * FROM ours.v; EXCEPTION WHEN others THEN NULL; END;
                 END IF; END $$",
            );
            let after = server.value(OF_OTHERS);
            if after != before {
                wrong.push(format!("{field} `{injection}`: {before} has become {after}"));
                break;
            }
            server.run("SET client_min_messages = warning; DROP SCHEMA IF EXISTS ours CASCADE");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 80 && loaded > tried / 3, "what is left out by name does not stop the rest: {loaded} of {tried}");
}

/// A sequence that the file has no right to is not moved, whatever its metadata says.
#[test]
fn a_name_that_is_taken_stops_the_run() {
    let sql = "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, u integer UNIQUE); INSERT INTO t (u) VALUES (1); CREATE INDEX ix ON t (u)";
    for (taken, kind) in [
        ("CREATE TABLE other (a integer); CREATE INDEX t_pkey ON other (a)", "primary key t_pkey on public.t"),
        ("CREATE TABLE other (a integer); CREATE INDEX t_u_key ON other (a)", "t_u_key on public.t"),
        ("CREATE TABLE other (a integer); CREATE INDEX ix ON other (a)", "index ix on public.t"),
        ("CREATE SEQUENCE t_id_seq", "public.t.id"),
    ] {
        let homes = Homes::new(sql);
        Server::connect(&homes.second.url()).run(taken);
        let told = homes.come_home(RunOptions::default()).expect_err(taken).to_string();
        assert!(told.contains(kind) && told.contains("the database has something of that name"), "{taken}: {told}");
    }
}

/// An entry whose row has another key or number now says nothing in silence.
#[test]
fn a_ledger_that_fits_no_row_any_more_stops_the_run() {
    let keyed = "CREATE TABLE o (id integer PRIMARY KEY, n numeric(5,2), f double precision); INSERT INTO o VALUES (1, 'NaN', '-0'), (2, 1, 1)";
    let keyless = "CREATE TABLE o (a integer, n numeric(5,2)); INSERT INTO o VALUES (7, 7), (8, 1.5), (9, 'NaN')";
    let mixed = "CREATE TABLE o (a integer, n numeric(5,2)); INSERT INTO o VALUES (7, 7), (8, 'NaN'), (9, NULL)";
    for (sql, edit) in [
        (keyed, "UPDATE o SET id = 9 WHERE id = 1"),
        (keyed, "DELETE FROM o WHERE id = 1; INSERT INTO o VALUES (4, NULL, 0.0)"),
        (keyless, "DELETE FROM o WHERE a = 7; VACUUM"),
        (mixed, "DELETE FROM o WHERE a = 7; VACUUM"),
    ] {
        let homes = Homes::new(sql);
        homes.edit(edit);
        let told = homes.come_home(RunOptions::default()).expect_err(edit).to_string();
        assert!(told.contains("the ledger keeps `"), "{edit}: {told}");
        let left = "SELECT count(*) FROM pg_class WHERE relname = 'o'";
        assert_eq!(Server::connect(&homes.second.url()).value(left), "0");
        let outcome = homes.come_home(RunOptions { allow_inexact: true, ..RunOptions::default() }).expect("asked for");
        assert!(outcome.plan.caveats.iter().any(|caveat| caveat.text.contains("the ledger keeps `NaN`")), "{edit}");
    }
    for (sql, edit, expected) in [
        (keyed, "DELETE FROM o WHERE id = 1", "(2,1.00,1)"),
        (keyed, "UPDATE o SET n = 4 WHERE id = 1; INSERT INTO o VALUES (3, 5, 6)", "(1,4.00,-0)(2,1.00,1)(3,5.00,6)"),
        (keyless, "INSERT INTO o VALUES (10, 5)", "(7,7.00)(8,1.50)(9,NaN)(10,5.00)"),
        (keyless, "VACUUM", "(7,7.00)(8,1.50)(9,NaN)"),
    ] {
        let homes = Homes::new(sql);
        homes.edit(edit);
        homes.come_home(RunOptions::default()).expect(edit);
        let found = Server::connect(&homes.second.url())
            .value("SELECT string_agg(o::text, '' ORDER BY 1) FROM (SELECT * FROM o ORDER BY 1) AS o");
        let sorted = |text: &str| {
            let mut rows: Vec<String> = text.split(')').map(str::to_owned).collect();
            rows.sort();
            rows
        };
        assert_eq!(sorted(&found), sorted(expected), "{edit}");
    }
}

/// What the server would round or cut is found at every level.
#[test]
fn no_level_lets_the_server_round() {
    let homes = Homes::new(
        "CREATE TABLE a (id integer PRIMARY KEY, v time(3)); INSERT INTO a VALUES (1, '12:00:00.123');
         CREATE TABLE b (id integer PRIMARY KEY, v numeric(5,2)[]); INSERT INTO b VALUES (1, '{1.23}')",
    );
    let before = std::fs::read(homes.file()).expect("a file");
    for edit in ["UPDATE a SET v = '12:00:00.1239'", "UPDATE a SET v = 'now'", "UPDATE b SET v = '{1.239}'"] {
        std::fs::write(homes.file(), &before).expect("a file");
        homes.edit(&format!("PRAGMA ignore_check_constraints = ON; {edit}"));
        let found = homes.come_home(RunOptions { level: Level::Counts, ..RunOptions::default() });
        assert!(!found.is_ok_and(|outcome| outcome.published.is_some()), "{edit}");
        let left = "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')";
        assert_eq!(Server::connect(&homes.second.url()).value(left), "0", "{edit}");
    }
}

/// Sequences stand where a key that they can hand out says; generated columns are no change; a key that is no number says nothing.
#[test]
fn positions_stand_whatever_the_keys_are() {
    let homes = Homes::new(
        "CREATE TABLE g (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a text, b text GENERATED ALWAYS AS (a || '!') STORED);
         INSERT INTO g (id, a) VALUES (50, 'x'); CREATE TABLE z (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a text);
         CREATE SEQUENCE cs; CREATE TABLE c (id text PRIMARY KEY DEFAULT 'c' || nextval('cs')); ALTER SEQUENCE cs OWNED BY c.id; INSERT INTO c DEFAULT VALUES;
         CREATE SEQUENCE few MAXVALUE 9; CREATE TABLE m (id integer PRIMARY KEY DEFAULT nextval('few')); ALTER SEQUENCE few OWNED BY m.id;
         INSERT INTO m VALUES (DEFAULT), (12)",
    );
    homes.edit(
        "INSERT INTO z VALUES (0, 'zero'), (-5, 'less'); INSERT INTO c VALUES ('own'); INSERT INTO m VALUES (20), (4)",
    );
    homes.come_home(RunOptions::default()).expect("a way home");
    let mut server = Server::connect(&homes.second.url());
    let mut next = |sequence: &str| server.value(format!("SELECT nextval('{sequence}')"));
    assert_eq!(["g_id_seq", "z_id_seq", "cs", "few"].map(&mut next), ["1", "1", "2", "5"]);
}

/// Everything in one schema is held against what it is called there.
#[test]
fn columns_of_a_users_type_go_into_another_schema() {
    let homes = Homes::new(
        "CREATE TYPE en AS ENUM ('a'); CREATE DOMAIN dn AS en; CREATE TYPE cn AS (e en); CREATE TABLE t (id integer PRIMARY KEY, e en, f en[], d dn, c cn);
         INSERT INTO t VALUES (1, 'a', '{a}', 'a', '(a)')",
    );
    let mut source = SqliteSource::open(&homes.file(), &Cancel::new()).expect("a file");
    let target = PostgresUrl::parse(&homes.second.url()).expect("a URL");
    let wishes = Wishes { into: Some("zz".to_owned()), ..Wishes::default() };
    let job = to_postgres::Job { target, wishes, run: RunOptions::default(), patience: Patience::default() };
    let outcome = to_postgres::attempt(&mut source, &job, &Cancel::new(), &nobody)
        .and_then(to_postgres::Attempt::outcome)
        .expect("a way home");
    assert!(outcome.published.is_some(), "{}", findings(&outcome.verification));
    assert_eq!(Server::connect(&homes.second.url()).value("SELECT t::text FROM zz.t"), "(1,a,{a},a,\"(a)\")");
}
