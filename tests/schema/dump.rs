//! A dump, as `pg_dump` writes it for psql, is a migration and the source schema of a project alike: by one reader of
//! scripts, for `schema up`, `latency` and `test`.

use std::path::Path;

use whimbrel::cancel::Cancel;
use whimbrel::harness::{Scenario, Seed, latency};
use whimbrel::project::Project as Folder;
use whimbrel::schema::{Event, Migrations, Runner, RunnerOptions, State, To};

use crate::support::runner::{Postgres, Project};

/// What `pg_dump --create` of version 17 writes of a database with roles, rows and rights, shortened.
const DUMP: &str = "--
-- PostgreSQL database dump
--

\\restrict aXd5Tn2dVQ

-- Dumped from database version 17.6
-- Dumped by pg_dump version 17.6

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;

CREATE DATABASE app WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8';


ALTER DATABASE app OWNER TO whimbrel_nobody;

\\unrestrict aXd5Tn2dVQ
\\connect app
\\restrict aXd5Tn2dVQ

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET setting_of_a_later_server = 'x';
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET row_security = off;

COMMENT ON DATABASE app IS 'the application';
ALTER DATABASE app SET work_mem TO '8MB';

--
-- Name: public; Type: SCHEMA; Schema: -; Owner: whimbrel_nobody
--

CREATE SCHEMA public;
ALTER SCHEMA public OWNER TO whimbrel_nobody;

CREATE TYPE public.mood AS ENUM (
    'low',
    'high'
);
ALTER TYPE public.mood OWNER TO whimbrel_nobody;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.people (
    id integer NOT NULL,
    name text,
    mood public.mood DEFAULT 'low'::public.mood
);
ALTER TABLE public.people OWNER TO whimbrel_nobody;

ALTER TABLE public.people ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.people_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

COPY public.people (id, name, mood) FROM stdin;
1	a;b -- no comment '	low
2	back\\\\slash\\tand tab	high
3	\\N	\\N
\\.

SELECT pg_catalog.setval('public.people_id_seq', 3, true);

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (id);

CREATE POLICY readers ON public.people FOR SELECT TO whimbrel_nobody USING ((name IS NOT NULL));

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO PUBLIC;
GRANT SELECT,INSERT ON TABLE public.people TO whimbrel_nobody;
ALTER DEFAULT PRIVILEGES FOR ROLE whimbrel_nobody IN SCHEMA public GRANT SELECT ON TABLES TO whimbrel_nobody;
GRANT ALL ON DATABASE app TO whimbrel_nobody;

--
-- PostgreSQL database dump complete
--

\\unrestrict aXd5Tn2dVQ
";

const NEXT: &str =
    "CREATE TABLE later (id int PRIMARY KEY, people_id int REFERENCES people);\nINSERT INTO later VALUES (1, 1);\n";

fn describe(runner: Runner) -> (Runner, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&told);
    let runner = runner.on_event(move |event| {
        if let Event::LeftOut { line, why, .. } = event {
            keep.lock().unwrap().push(format!("{line}: {why}"));
        }
    });
    (runner, told)
}

#[test]
fn a_dump_is_a_migration() {
    for dump in [DUMP.to_owned(), DUMP.replace('\n', "\r\n")] {
        let project = Project::new(&[("1_dump.up.sql", &dump), ("2_next.up.sql", NEXT)]);
        let postgres = Postgres::new();
        let (mut runner, left_out) = describe(project.runner_for(&postgres.url));
        runner.up(To::Newest).unwrap();
        assert_eq!(postgres.number("SELECT count(*) FROM people"), 3);
        assert_eq!(postgres.text("SELECT name FROM people WHERE id = 1"), "a;b -- no comment '");
        assert_eq!(postgres.text("SELECT name FROM people WHERE id = 2"), "back\\slash\tand tab");
        assert_eq!(postgres.number("SELECT count(*) FROM people WHERE name IS NULL AND mood IS NULL"), 1);
        assert_eq!(postgres.number("INSERT INTO people (name) VALUES ('x') RETURNING id::bigint"), 4);
        let left_out = left_out.lock().unwrap();
        let lines = |why: &str| left_out.iter().filter(|told| told.contains(why)).count();
        assert!(
            lines("no setting `setting_of_a_later_server`") == 1 && lines("the database has it") == 1,
            "{left_out:?}"
        );
        assert_eq!(lines("there is no role `whimbrel_nobody`"), 6, "{left_out:?}");
        let findings = project.runner_for(&postgres.url).validate().unwrap();
        assert!(findings.is_clean(), "{:?}", findings.problems());
    }
}

#[test]
fn a_dump_runs_statement_by_statement_too_and_resumes_at_its_rows() {
    let dump = format!("-- whimbrel: no-transaction\n{}", DUMP.replace("2\tback", "1\tback"));
    let project = Project::new(&[("1_dump.up.sql", &dump)]);
    let postgres = Postgres::new();
    let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    assert!(error.cause().contains("could not create unique index"), "{error}");
    // What has run is not what it was.
    project.write("1_dump.up.sql", &dump.replace("1\tback", "2\tback"));
    let error = project.runner_for(&postgres.url).resume().unwrap_err();
    assert!(error.cause().contains("are not those that ran"), "{error}");
    project.write("1_dump.up.sql", &dump);
    postgres.execute("DELETE FROM people WHERE name LIKE 'back%'");
    project.runner_for(&postgres.url).resume().unwrap();
    assert_eq!(postgres.number("SELECT count(*) FROM pg_constraint WHERE conname = 'people_pkey'"), 1);
}

#[test]
fn a_row_that_does_not_fit_is_named_and_nothing_stays() {
    let dump = DUMP.replace("3\t\\N", "three\t\\N");
    let project = Project::new(&[("1_dump.up.sql", &dump)]);
    let postgres = Postgres::new();
    let error = project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    let line = 1 + dump[..dump.find("COPY public").unwrap()].matches('\n').count();
    assert!(error.object().contains(&format!("`1_dump.up.sql` line {line}")), "{error}");
    assert!(error.cause().contains("\"three\"") && error.cause().contains("COPY people, line 3"), "{error}");
    assert_eq!(postgres.number("SELECT count(*) FROM pg_class WHERE relname = 'people'"), 0);
}

#[test]
fn roles_and_settings_are_not_overlooked_in_a_script_that_somebody_wrote() {
    for (sql, cause) in [
        ("CREATE TABLE a(b int);\nGRANT SELECT ON a TO whimbrel_nobody;", "role \"whimbrel_nobody\" does not exist"),
        ("SET setting_of_a_later_server = 1;", "unrecognized configuration parameter"),
    ] {
        let project = Project::new(&[("1_a.up.sql", sql)]);
        let error = project.runner_for(&Postgres::new().url).up(To::Newest).unwrap_err();
        assert!(error.cause().contains(cause), "{error}");
    }
    // A dump's too, where another statement of it is wrong.
    let project =
        Project::new(&[("1_a.up.sql", &DUMP.replace("ADD CONSTRAINT people_pkey", "ADD CONSTRIANT people_pkey"))]);
    let postgres = Postgres::new();
    project.runner_for(&postgres.url).up(To::Newest).unwrap_err();
    assert_eq!(project.runner_for(&postgres.url).status().unwrap().count(State::Pending), 1);
}

#[test]
fn a_dump_ends_where_it_was_cut_off_with_its_line() {
    let cut = &DUMP[..DUMP.find("3\t\\N").unwrap()];
    let project = Project::new(&[("1_dump.up.sql", cut)]);
    let error = project.runner_for(&Postgres::new().url).up(To::Newest).unwrap_err();
    assert!(error.cause().contains("never end") && error.way_out().unwrap().contains("it is not whole"), "{error}");
}

/// A project whose source schema is that dump.
fn dumped(folder: &Path, first: &str) {
    std::fs::create_dir_all(folder.join("source")).unwrap();
    std::fs::write(folder.join("project.toml"), "name = 'dumped'\n[source]\nschema = 'source'\n").unwrap();
    std::fs::write(folder.join("source/2_dump.up.sql"), first).unwrap();
    // After it by its number, and before it by its name.
    std::fs::write(folder.join("source/10_next.up.sql"), NEXT).unwrap();
}

#[test]
fn a_dump_is_a_source_schema_to_measure_and_to_test() {
    let folder = tempfile::tempdir().unwrap();
    // Rights of a role that does not exist have no meaning there, whoever wrote them.
    let by_hand = "CREATE TABLE people (id int PRIMARY KEY, name text);\nGRANT SELECT ON people TO whimbrel_nobody;\n\
                   INSERT INTO people VALUES (1, 'x');\nCREATE INDEX names ON people (name);\n";
    for script in [DUMP, by_hand] {
        dumped(folder.path(), script);
        // The runner takes the same files.
        let migrations = Migrations::from_dir(folder.path().join("source")).unwrap();
        if script == DUMP {
            Runner::open(&Postgres::new().url, migrations).unwrap().up(To::Newest).unwrap();
        }
        let project = Folder::load(folder.path()).unwrap();
        let prepared = latency::prepare(&project, 60, Seed(1), &Cancel::new()).unwrap();
        let rows: u64 = {
            let connection = rusqlite::Connection::open(prepared.path()).unwrap();
            let sql = "SELECT (SELECT count(*) FROM people) + (SELECT count(*) FROM later)";
            connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
        };
        assert_eq!(rows, prepared.rows(), "the rows of the script are not among them");
        let scenario = Scenario::project(folder.path()).unwrap().cases(2).rows(30).seed(Seed(1));
        let passed = scenario.regressions(folder.path().join("kept")).run().unwrap_or_else(|failed| panic!("{failed}"));
        assert!(passed.rows > 0, "{passed}");
    }
}

#[test]
fn a_command_of_psql_is_named_alike_whoever_reads_the_script() {
    let folder = tempfile::tempdir().unwrap();
    dumped(folder.path(), "CREATE TABLE people (id int PRIMARY KEY);\n\\i more.sql\n");
    let migrations = Migrations::from_dir(folder.path().join("source")).unwrap();
    let up = Runner::open_with(&Postgres::new().url, migrations, RunnerOptions::default())
        .unwrap()
        .up(To::Newest)
        .unwrap_err();
    let project = Folder::load(folder.path()).unwrap();
    let latency = latency::prepare(&project, 60, Seed(1), &Cancel::new()).unwrap_err();
    let scenario = Scenario::project(folder.path()).unwrap().cases(1).regressions(folder.path().join("kept"));
    let test = scenario.run().unwrap_err();
    for told in [up.to_string(), latency.to_string(), test.found.clone()] {
        assert!(told.contains("2_dump.up.sql` line 2: `\\i` is a command of psql, and no SQL"), "{told}");
    }
    for hint in [up.way_out(), latency.way_out(), test.hint.as_deref()] {
        assert!(hint.unwrap().contains("put the SQL of that file here"), "{hint:?}");
    }
}

#[test]
fn what_pg_dump_itself_writes_comes_back() {
    // Where the server's own programs are at hand.
    let found = ["15", "16", "17", "14", "13"].map(|version| format!("/usr/lib/postgresql/{version}/bin/pg_dump"));
    let Some(pg_dump) = found.iter().find(|path| Path::new(path).exists()) else { return };
    let from = Postgres::new();
    from.execute(
        "CREATE TABLE people (id serial PRIMARY KEY, name text); INSERT INTO people (name) VALUES ('a\\b'), (E'c\nd'), (NULL);
         CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT x; END;
         CREATE VIEW named AS SELECT name FROM people WHERE name LIKE ':%';
         COMMENT ON TABLE people IS 'a; b'; ALTER TABLE people ENABLE ROW LEVEL SECURITY;",
    );
    for options in [&["--create"][..], &["--inserts"], &["--schema-only"], &["--no-owner", "--no-privileges"]] {
        let output = std::process::Command::new(pg_dump).args(options).arg(&from.url).output().unwrap();
        if !output.status.success() {
            // A server that is newer than the program, which is not what this is about.
            assert!(String::from_utf8_lossy(&output.stderr).contains("server version"), "{output:?}");
            return;
        }
        let project = Project::new(&[("1_dump.up.sql", std::str::from_utf8(&output.stdout).unwrap())]);
        let to = Postgres::new();
        project.runner_for(&to.url).up(To::Newest).unwrap();
        let rows = if options == ["--schema-only"] { 0 } else { 3 };
        assert_eq!(to.number("SELECT count(*) FROM people"), rows, "{options:?}");
        let text = "SELECT coalesce(string_agg(quote_nullable(name), ' ' ORDER BY id), '') FROM people";
        assert!(rows == 0 || to.text(text) == from.text(text), "{options:?}");
    }
}
