//! Rows from a catalog, on a real server and in SQLite files: every constraint is enforced, every seed repeats itself.

mod scratch;

use rusqlite::Connection;
use scratch::Scratch;
use std::path::Path;
use whimbrel::catalog::Catalog;
use whimbrel::endpoint::postgres::introspect;
use whimbrel::harness::Seed;
use whimbrel::harness::generate::{
    Generator, Nobody, Options, PostgresJudge, SqliteJudge, load_postgres, load_sqlite, sqlite_catalog,
};
use whimbrel::project::{Project, apply_schema};

fn options(rows: u64, seed: u64, awkward: f64) -> Options {
    Options { rows, seed: Seed(seed), awkward, ..Options::default() }
}

const EVERYTHING: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
    CREATE DOMAIN email AS text CHECK (VALUE ~ '^[a-z]{2,8}@[a-z]{2,8}\.org$');
    CREATE DOMAIN percent AS integer CHECK (VALUE BETWEEN 0 AND 100);
    CREATE TABLE tenant (id serial PRIMARY KEY, name text NOT NULL UNIQUE CHECK (name <> ''), mood mood NOT NULL);
    CREATE TABLE person (
        tenant_id integer NOT NULL REFERENCES tenant, id bigint GENERATED ALWAYS AS IDENTITY,
        email email NOT NULL, boss bigint, share percent, born date CHECK (born < '2020-01-01'),
        code varchar(8) NOT NULL CHECK (length(code) BETWEEN 3 AND 8), doubled bigint GENERATED ALWAYS AS (id * 2) STORED,
        PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, boss) REFERENCES person (tenant_id, id)
    );
    CREATE UNIQUE INDEX person_email ON person (lower(email));
    CREATE TABLE project (
        tenant_id integer NOT NULL, id integer NOT NULL, owner bigint NOT NULL, deputy bigint,
        state text NOT NULL CHECK (state IN ('new', 'open', 'done')), starts timestamp, ends timestamp,
        budget numeric(10,2) CHECK (budget >= 0), done_at timestamptz,
        CHECK (starts < ends), CHECK ((state = 'done') = (done_at IS NOT NULL)),
        PRIMARY KEY (tenant_id, id),
        FOREIGN KEY (tenant_id, owner) REFERENCES person (tenant_id, id),
        FOREIGN KEY (tenant_id, deputy) REFERENCES person (tenant_id, id)
    );
    CREATE UNIQUE INDEX one_open ON project (tenant_id) WHERE state = 'open';
    CREATE TABLE member (
        tenant_id integer, person_id bigint, project_id integer, role text, PRIMARY KEY (tenant_id, person_id, project_id),
        FOREIGN KEY (tenant_id, person_id) REFERENCES person, FOREIGN KEY (tenant_id, project_id) REFERENCES project
    );
    CREATE TABLE passport (person_tenant integer, person_id bigint, no text, PRIMARY KEY (person_tenant, person_id),
        FOREIGN KEY (person_tenant, person_id) REFERENCES person MATCH FULL);
    CREATE TABLE hen (id integer PRIMARY KEY, first_egg integer, name text);
    CREATE TABLE egg (id integer PRIMARY KEY, hen integer NOT NULL REFERENCES hen);
    ALTER TABLE hen ADD FOREIGN KEY (first_egg) REFERENCES egg;
    CREATE TABLE wheel (id integer PRIMARY KEY, car integer NOT NULL);
    CREATE TABLE car (id integer PRIMARY KEY, spare integer NOT NULL REFERENCES wheel);
    ALTER TABLE wheel ADD FOREIGN KEY (car) REFERENCES car DEFERRABLE INITIALLY IMMEDIATE;
    CREATE TABLE flag (a boolean NOT NULL, b mood NOT NULL, PRIMARY KEY (a, b));
    CREATE TABLE odd (n integer CHECK (n % 3 = 1), a integer, b integer, UNIQUE NULLS NOT DISTINCT (a, b), CHECK (num_nonnulls(n, a) >= 1));
    CREATE TABLE measure (at date NOT NULL, v real) PARTITION BY RANGE (at);
    CREATE TABLE measure_2020 PARTITION OF measure FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE measure_2021 PARTITION OF measure FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
    CREATE TABLE base (id integer PRIMARY KEY, word text);
    CREATE TABLE heir (extra integer NOT NULL) INHERITS (base);
    CREATE TABLE nothing ();
"#;

fn catalog_of(scratch: &Scratch) -> Catalog {
    introspect(&mut scratch.session()).unwrap()
}

#[test]
fn every_constraint_is_satisfied_whatever_the_seed() {
    for seed in 0..30 {
        let scratch = Scratch::new(EVERYTHING);
        let url = scratch.postgres_url();
        let catalog = catalog_of(&scratch);
        let awkward = if seed % 2 == 0 { 0.0 } else { 0.3 };
        let generator = Generator::new(&catalog, options(300, seed, awkward)).unwrap();
        let dataset = generator.dataset(&mut PostgresJudge::new(&url)).unwrap();
        load_postgres(&url, &catalog, &dataset).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let flags = dataset.tables.iter().find(|rows| rows.table.name == "flag").unwrap();
        assert_eq!(flags.rows.len(), 6, "its key allows six");
        let sql = "SELECT (SELECT count(*) FROM person)::text, (SELECT count(first_egg) FROM hen)::text";
        let rows = scratch.session().query_rows("count", "rows", sql).unwrap();
        assert_ne!(rows[0][0].as_deref(), Some("0"));
        assert_ne!(rows[0][1].as_deref(), Some("0"), "the cycle is closed");
        scratch.execute("INSERT INTO tenant (name, mood) VALUES ('the next of the sequence', 'ok')");
    }
}

#[test]
fn what_cannot_be_is_named() {
    let scratch = Scratch::new(
        "CREATE TABLE a (id integer PRIMARY KEY, b integer NOT NULL); CREATE TABLE b (id integer PRIMARY KEY, a integer \
         NOT NULL REFERENCES a); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;",
    );
    let catalog = catalog_of(&scratch);
    let error = Generator::new(&catalog, options(10, 1, 0.0)).unwrap_err().to_string();
    assert!(error.contains("`public.a` (b) → `public.b` (a) → `public.a`"), "{error}");

    let scratch = Scratch::new("CREATE TABLE t (a integer NOT NULL, CONSTRAINT never CHECK (a % 2 = 5))");
    let (catalog, url) = (catalog_of(&scratch), scratch.postgres_url());
    let generator = Generator::new(&catalog, options(10, 1, 0.0)).unwrap();
    let error = generator.dataset(&mut PostgresJudge::new(&url)).unwrap_err().to_string();
    assert!(error.contains("`public.t`") && error.contains("`never`") && error.contains("tries"), "{error}");
    let error = generator.dataset(&mut Nobody).unwrap_err().to_string();
    assert!(error.contains("`never`"), "{error}");
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_one_others() {
    let file = Connection::open_in_memory().unwrap();
    file.execute_batch(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, at TEXT CHECK (julianday(at) IS NOT NULL));
         CREATE TABLE b (a INTEGER NOT NULL REFERENCES a (id), n INTEGER CHECK (n BETWEEN 1 AND 5), UNIQUE (a, n));",
    )
    .unwrap();
    let catalog = sqlite_catalog(&file).unwrap();
    let rows = |seed| {
        let generator = Generator::new(&catalog, options(50, seed, 0.1)).unwrap();
        generator.dataset(&mut SqliteJudge::new(&file).unwrap()).unwrap()
    };
    assert_eq!(rows(7), rows(7));
    assert_ne!(rows(7), rows(8));
    assert_eq!(rows(7).row_count(), 50);
    let sql = rows(7).to_sql(&catalog);
    file.execute_batch(&sql).unwrap();
}

#[test]
fn every_project_takes_rows_with_its_triggers_and_checks_active() {
    for name in ["sessions", "usage", "agents", "deespec", "vibing2"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
        let project = Project::load(&folder).unwrap();
        for seed in 0..10 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("target.db");
            apply_schema(project.target_schema.as_deref().unwrap(), &path, 4096).unwrap();
            let file = Connection::open(&path).unwrap();
            file.execute_batch("PRAGMA foreign_keys = ON").unwrap();
            let catalog = sqlite_catalog(&file).unwrap();
            let awkward = if seed % 2 == 0 { 0.0 } else { 0.3 };
            let options = Options { hints: project.generate.clone(), ..options(300, seed, awkward) };
            let generator = Generator::new(&catalog, options).unwrap_or_else(|error| panic!("{name}: {error}"));
            let dataset = generator.dataset(&mut SqliteJudge::new(&file).unwrap());
            let dataset = dataset.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            assert!(dataset.row_count() >= 200, "{name}: {}", dataset.row_count());
            load_sqlite(&file, &catalog, &dataset).unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            for check in std::fs::read_dir(project.checks.as_deref().unwrap()).unwrap() {
                let check = check.unwrap().path();
                let mut statement = file.prepare(&std::fs::read_to_string(&check).unwrap()).unwrap();
                let violated = statement.query([]).unwrap().next().unwrap().is_some();
                assert!(!violated, "{name}, seed {seed}: {}", check.display());
            }
        }
    }
}
