//! A target schema that somebody wrote: what its columns keep, which objects of the source it has, and what is told where
//! a row of the source does not fit it.

use crate::support::whole_run::{Server, compared, findings, migrate, source};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;
use whimbrel::error::{Error, Kind};
use whimbrel::plan::Plan;
use whimbrel::plan::choices::Choices;
use whimbrel::provision::{Database, shared};
use whimbrel::to_sqlite::{self, Job, Outcome};
use whimbrel::types::{Representation, TextForm};
use whimbrel::verify::Level;

const SOURCE: &str = "
CREATE SCHEMA audit;
CREATE SCHEMA report;
CREATE TYPE state AS ENUM ('on', 'off');
CREATE DOMAIN positive AS integer CONSTRAINT above_zero CHECK (VALUE > 0);
CREATE DOMAIN code AS text CONSTRAINT three CHECK (length(VALUE) = 3);
CREATE TABLE users (
  id uuid PRIMARY KEY, login text, born date, seen timestamptz(3), deleted_at timestamp, balance numeric(12,2), big numeric(20,6),
  ratio double precision, amount positive, short code, state state, tags integer[], flag boolean,
  CONSTRAINT some_login CHECK (login <> ''), CONSTRAINT solvent CHECK (balance >= 0), CONSTRAINT small CHECK (big < 1e12));
CREATE UNIQUE INDEX live_login ON users (login) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX live_short ON users (short) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX live_born ON users (born) WHERE deleted_at IS NULL;
CREATE INDEX lower_login ON users (lower(login));
CREATE INDEX by_amount ON users (amount) WHERE flag;
CREATE TABLE audit.log (id serial PRIMARY KEY, who uuid REFERENCES users, what text);
CREATE VIEW live AS SELECT id FROM users WHERE deleted_at IS NULL;
CREATE VIEW report.totals AS SELECT count(*) AS n FROM users;
INSERT INTO users VALUES
  ('123e4567-1234-1234-1234-123456789012', 'ann', '2026-01-31', '2026-01-31 12:00:00.123+00', NULL, 12.00, 7.500000, 1.0, 5, 'abc', 'on', '{1,2}', true),
  ('00000000-0000-0000-0000-000000000001', '007', 'infinity', '-infinity', '0044-03-15 12:00:00 BC', 12.50, 0.000001, 1.5, 7, '007', 'off', '{}', false),
  ('00000000-0000-0000-0000-000000000002', NULL, '12026-01-01', 'infinity', 'infinity', 0, 123456789.123456, 'NaN', 9, '1e3', NULL, NULL, NULL);
INSERT INTO audit.log VALUES (1, '123e4567-1234-1234-1234-123456789012', 'came')";

const TARGET: &str = "
CREATE TABLE users (
  id UUID PRIMARY KEY, login TEXT check( (Login<>'') ), born DATE, seen DATETIME, deleted_at TIMESTAMP, balance DECIMAL(12,2), big DECIMAL(20,6),
  ratio NUMERIC, amount INT, short TEXT, state STATE, tags JSON, flag BOOLEAN,
  CONSTRAINT Solvent CHECK (balance > -1));
CREATE UNIQUE INDEX one_live_login ON users (LOGIN) WHERE deleted_at is null;
CREATE UNIQUE INDEX live_short ON users (short) WHERE flag;
CREATE UNIQUE INDEX any_born ON users (born);
CREATE TABLE log (id INTEGER PRIMARY KEY, who UUID REFERENCES users, what TEXT);
CREATE VIEW totals AS SELECT count(*) AS n FROM users;";

/// A source of its own, and a folder for files.
struct Given {
    database: Database,
    folder: tempfile::TempDir,
}

impl Given {
    fn of(source: &str) -> Given {
        let database = shared().expect("a PostgreSQL server").create_database("given").expect("a database");
        Server::connect(&database.url()).run(source);
        Given { database, folder: tempfile::tempdir().expect("a directory") }
    }

    fn job<'j>(&self, choices: &Choices, schema: &'j to_sqlite::ApplySchema<'j>) -> Job<'j> {
        let target = self.folder.path().join("app.db");
        let mut job = Job { schema: Some(schema), ..Job::new(target) }.verified(Level::Paranoid);
        job.options.run.choices = choices.clone();
        job
    }

    fn plan(&self, choices: &Choices, target: &str) -> Plan {
        let schema = apply(target);
        to_sqlite::plan(&mut source(&self.database.url()).expect("a source"), &self.job(choices, &schema))
            .expect("a plan")
            .1
    }

    fn migrate(&self, choices: &Choices, target: &str) -> whimbrel::Result<Outcome> {
        let schema = apply(target);
        let outcome = migrate(&self.database.url(), &self.job(choices, &schema))?;
        outcome.ensure_published()?;
        Ok(outcome)
    }

    fn refused(&self, choices: &Choices, target: &str) -> Error {
        let error = self.migrate(choices, target).expect_err(target);
        assert!(!self.folder.path().join("app.db").exists(), "nothing is published");
        error
    }
}

fn apply(sql: &str) -> impl Fn(&Path) -> whimbrel::Result<()> + Sync {
    let sql = sql.to_owned();
    move |path: &Path| {
        Connection::open(path).and_then(|connection| connection.execute_batch(&sql)).expect("a sound schema");
        Ok(())
    }
}

fn choices(rules: &[(&str, Representation)]) -> Choices {
    let mut choices = Choices::default();
    for (key, rule) in rules {
        let rules = if key.contains('.') { &mut choices.rules.columns } else { &mut choices.rules.types };
        rules.insert((*key).to_owned(), *rule);
    }
    choices
}

/// Texts for the columns of times, and numbers for the decimals.
fn readable() -> Choices {
    choices(&[
        ("timestamptz", Representation::Text(TextForm::Iso8601)),
        ("timestamp", Representation::Text(TextForm::Iso8601)),
        ("users.big", Representation::DecimalReal),
    ])
}

fn losses(plan: &Plan) -> BTreeSet<String> {
    plan.losses.iter().map(|loss| format!("{} {}: {}", loss.kind, loss.object, loss.reason)).collect()
}

#[test]
fn what_a_column_keeps_exactly_is_carried_into_it() {
    let given = Given::of(SOURCE);
    let outcome = given.migrate(&readable(), TARGET).unwrap_or_else(|error| panic!("{error} {:?}", error.way_out()));
    assert!(outcome.verification.is_sound(), "{}", findings(&outcome.verification));
    let connection = Connection::open(given.folder.path().join("app.db")).expect("the target");
    let read = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).expect(sql);
        let rows = statement.query_map([], |row| row.get(0)).expect(sql);
        rows.collect::<rusqlite::Result<_>>().expect(sql)
    };
    let columns = "quote(id) || quote(born) || quote(seen) || quote(balance) || quote(big) || quote(ratio) || quote(state) || quote(flag)";
    assert_eq!(
        read(&format!("SELECT {columns} FROM users ORDER BY id DESC")),
        [
            "'123e4567-1234-1234-1234-123456789012''2026-01-31''2026-01-31 12:00:00.123+00'127.51'on'1",
            "'00000000-0000-0000-0000-000000000002''12026-01-01''infinity'0123456789.123456NULLNULLNULL",
            "'00000000-0000-0000-0000-000000000001''infinity''-infinity'12.51.0e-061.5'off'0",
        ]
    );
    assert_eq!(outcome.ledger_entries(), 1, "a NaN");
}

#[test]
fn each_object_of_the_source_is_found_or_listed() {
    let given = Given::of(SOURCE);
    let plan = given.plan(&readable(), TARGET);
    assert_eq!(plan.refusals, []);
    let expected = [
        "check public.users.small: the target schema does not have it",
        "check public.positive.above_zero on public.users.amount: the target schema does not have it",
        "check public.code.three on public.users.short: the target schema does not have it",
        "not null public.users.id: the target schema allows NULL there",
        "index by_amount on public.users: the target schema does not have it",
        "index live_born on public.users: the target schema has it without its condition, and so refuses more rows",
        "index lower_login on public.users: the target schema does not have it",
        "view public.live: the target schema does not have it",
    ];
    let mut found = losses(&plan);
    let expected: BTreeSet<String> = expected.map(str::to_owned).into();
    found.retain(|one| !one.starts_with("sequence"));
    assert_eq!(found, expected);
    assert_eq!(plan.tables.iter().map(|table| table.target.as_str()).collect::<BTreeSet<_>>(), ["log", "users"].into());
    // The words of a check or an index are its own, whatever its name is; the derived schema has all of its own.
    let derived = "CREATE VIEW live AS SELECT 1; CREATE INDEX other ON users (lower(\"login\"));
                   CREATE INDEX third ON users (amount) WHERE \"flag\"";
    let fuller = TARGET
        .replace("amount INT", "amount INT CHECK (amount>0)")
        .replace("short TEXT", "short TEXT CONSTRAINT three CHECK (short LIKE '___')")
        + derived;
    let found = losses(&given.plan(&readable(), &fuller));
    for gone in ["above_zero", "three", "lower_login", "by_amount", "view"] {
        assert!(!found.iter().any(|one| one.contains(gone)), "{gone} is in {found:#?}");
    }
}

#[test]
fn what_is_excluded_is_not_asked_for_and_what_matches_nothing_is_refused() {
    let given = Given::of(SOURCE);
    let mut choices = readable();
    choices.tables.exclude_objects =
        ["live", "users.solvent", "three", "lower_login", "typo"].map(str::to_owned).to_vec();
    let plan = given.plan(&choices, TARGET);
    let found = losses(&plan);
    for excluded in
        ["view public.live", "check public.code.three on public.users.short", "index lower_login on public.users"]
    {
        assert!(found.contains(&format!("{excluded}: excluded by name")), "{excluded} is not in {found:#?}");
    }
    let told = plan.caveats.iter().find(|caveat| caveat.object == "public.users.solvent").expect("a caveat");
    assert_eq!(told.text, "excluded by name, and the target schema has it all the same");
    let refused: Vec<_> = plan.refusals.iter().map(|refusal| refusal.object()).collect();
    assert_eq!(refused, ["`tables.exclude_objects` `typo`"]);
    // A derived schema leaves out the checks of domains as well.
    choices.tables.exclude_objects.pop();
    let target = given.folder.path().join("derived.db");
    let mut job = Job::new(target);
    job.options.run.choices = choices;
    let outcome = migrate(&given.database.url(), &job).expect("a file");
    assert!(losses(&outcome.plan).contains("check public.code.three on public.users.short: excluded by name"));
    assert!(!outcome.plan.statements().concat().contains("\"three\""));
}

#[test]
fn a_refusal_says_which_rules_fit() {
    let given = Given::of(SOURCE);
    let plan = given.plan(&Choices::default(), TARGET);
    let [refusal] = plan.refusals.as_slice() else { panic!("{:?}", plan.refusals) };
    assert_eq!(refusal.object(), "column public.users.big");
    assert_eq!(
        refusal.way_out(),
        "choose a rule that fits it under `rules.columns` (`decimal-integer`, `decimal-real`), or declare the target's \
         column TEXT"
    );
    let strict = TARGET.replace("what TEXT);", "what INTEGER) STRICT;");
    let strict = strict.replace("who UUID", "who TEXT");
    let plan = given.plan(&readable(), &strict);
    let (refusal, others) = plan.refusals.split_first().expect("a refusal");
    assert!(others.is_empty() && refusal.object() == "column audit.log.what", "{:?}", plan.refusals);
    assert_eq!(refusal.way_out(), "no rule for `text` fits it: declare the target's column TEXT");
}

#[test]
fn a_row_that_the_given_schema_refuses_is_named_and_no_hint_is_without_effect() {
    let given = Given::of(
        "CREATE TABLE t (id integer PRIMARY KEY, a text, b integer); INSERT INTO t VALUES (1, 'x', 1), (2, 'x', NULL), (3, 'y', -1)",
    );
    for (target, object, cause) in [
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER CONSTRAINT up CHECK (b > 0))", "row [3]", "up"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER NOT NULL)", "row [2]", "NOT NULL"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INTEGER)", "row [2]", "t.a"),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER); CREATE UNIQUE INDEX i ON t (a)",
            "`i`",
            "2 rows have the key (\"a\") = ('x')",
        ),
    ] {
        let error = given.refused(&Choices::default(), target);
        assert!(error.object().contains(object) && error.cause().contains(cause), "{error}");
        let hint = error.way_out().expect("a hint");
        assert!(hint.contains("target schema says so") && !hint.contains("exclude_objects"), "{error}: {hint}");
    }
}

#[test]
fn rows_of_the_source_without_a_parent_are_the_sources_own() {
    let given = Given::of(
        "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (id integer PRIMARY KEY, a text, p integer CONSTRAINT c_p REFERENCES p);
         CREATE TABLE loose (id integer, p integer); INSERT INTO loose VALUES (1, 5);
         ALTER TABLE loose ADD CONSTRAINT loose_p FOREIGN KEY (p) REFERENCES p NOT VALID;
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 'x', 1);
         ALTER TABLE c DISABLE TRIGGER ALL; INSERT INTO c VALUES (2, 'y', 99), (3, 'z', 98); ALTER TABLE c ENABLE TRIGGER ALL",
    );
    let target = given.folder.path().join("app.db");
    let url = given.database.url();
    let mut job = Job::new(&target);
    let outcome = migrate(&url, &job).expect("a run");
    let error = outcome.ensure_published().expect_err("a row without its parent");
    assert_eq!(error.kind(), Kind::Differs);
    let cause = "2 rows of the source itself have no parent (table `c`, row [2]: `p` = [99] is not in `p`)";
    assert!(error.cause().contains(cause), "{error}");
    let hint = error.way_out().expect("a hint");
    assert!(hint.contains("correct the rows in the source") && hint.contains("`public.c.c_p`"), "{hint}");
    // Who heeds it gets a file, and the key that the source has not checked stops nobody.
    job.options.run.choices.tables.exclude_objects = vec!["c_p".into()];
    migrate(&url, &job).expect("a run").ensure_published().expect("a file");
    std::fs::remove_file(&target).expect("the file");
    let schema = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, a TEXT, p INTEGER);
                  CREATE TABLE loose (id INTEGER, p INTEGER REFERENCES p)";
    let error = given.refused(&Choices::default(), schema);
    assert!(
        error
            .cause()
            .contains("1 row of the source itself has no parent (table `loose`, rowid 1: `p` = [5] is not in `p`)"),
        "{error}"
    );
    assert!(error.way_out().expect("a hint").contains("change the foreign key in the target schema"), "{error:?}");
}

/// A key of SQLite's may hold NULL in any number of rows, and NaN becomes one: each of these rows has its own entries in the
/// ledger.
#[test]
fn rows_with_null_and_with_nan_in_their_key_are_told_apart() {
    let mut sql = "CREATE TABLE one (k float8 UNIQUE, v float8); CREATE TABLE two (a float8, b integer, v float8);
                   CREATE TABLE down (k numeric UNIQUE, v float8);"
        .to_owned();
    let values = ["'NaN'", "NULL", "'-0'", "2"];
    for (number, v) in values.iter().enumerate() {
        sql.push_str(&format!(
            "INSERT INTO one VALUES (NULL, {v}), ({number}, {v}); INSERT INTO down VALUES (NULL, {v}), ({number}, {v});"
        ));
        sql.push_str(&format!(
            "INSERT INTO two SELECT a, b, {v} FROM (VALUES ('NaN'::float8, 1), ('NaN', 2), ('NaN', NULL), (NULL, 1),"
        ));
        sql.push_str(&format!(
            "  (NULL, NULL), (1.5, NULL), ('-0', {number}), ('Infinity', {number})) AS keys (a, b);"
        ));
    }
    sql.push_str("INSERT INTO one VALUES ('NaN', 'NaN'), (-0.5, 'NaN'); INSERT INTO down VALUES ('NaN', 'NaN')");
    let given = Given::of(&sql);
    let target = "CREATE TABLE one (k REAL PRIMARY KEY, v REAL); CREATE TABLE two (a REAL, b INTEGER, v REAL, PRIMARY KEY (a, b));
                  CREATE TABLE down (k INTEGER PRIMARY KEY DESC, v REAL)";
    let choices = choices(&[("down.k", Representation::DecimalInteger)]);
    let outcome = given.migrate(&choices, target).unwrap_or_else(|error| panic!("{error} {:?}", error.way_out()));
    assert!(outcome.verification.is_sound(), "{}", findings(&outcome.verification));
    let path = given.folder.path().join("app.db");
    let found = compared(&given.database.url(), &path);
    assert!(found.is_sound(), "{}", findings(&found));
    // One of the rows that look alike is changed.
    let change = "UPDATE two SET v = 3 WHERE rowid = (SELECT max(rowid) FROM two WHERE a IS NULL AND b = 1)";
    assert_eq!(Connection::open(&path).and_then(|file| file.execute(change, [])), Ok(1));
    let found = compared(&given.database.url(), &path);
    let differing = found.tables.iter().filter(|table| !table.is_sound()).map(|table| table.source.name.as_str());
    assert_eq!(differing.collect::<Vec<_>>(), ["two"], "{}", findings(&found));
    // Where the target takes no NULL there, the row of the source is named.
    let strict = target.replace("one (k REAL", "one (k REAL NOT NULL").replace("DESC", "");
    let schema = apply(&strict);
    let error = migrate(&given.database.url(), &given.job(&choices, &schema)).expect_err("no NULL in that key");
    assert!(error.cause().contains("SQLite has no NaN") || error.cause().contains("NOT NULL"), "{error}");
}
