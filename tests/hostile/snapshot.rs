//! One snapshot, whatever another session does to tables meanwhile: each run gives what was there at one moment, or ends
//! with an error that says why.

use crate::support::program::{self, ask, database, execute, try_ask};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use whimbrel::cancel::Cancel;
use whimbrel::catalog::QualifiedName;
use whimbrel::endpoint::postgres::PostgresSource;
use whimbrel::endpoint::{PostgresUrl, ReadColumn, ReadTable, Source};
use whimbrel::error::Error;
use whimbrel::value::Cell;

const RUNS: usize = 25;

/// The numbers in the first column of a table, summed, through a source that is connected.
fn sum(source: &mut PostgresSource, schema: &str, name: &str) -> whimbrel::Result<i64> {
    let (catalog, name) = (source.catalog()?, QualifiedName::new(schema, name));
    // The catalog has partitions under their root; the first column is alike in all tables.
    let found = catalog.table(&name);
    let column = &found.unwrap_or(&catalog.tables[0]).columns[0];
    let columns = vec![ReadColumn { name: &column.name, shape: &column.data_type.shape }];
    let only = found.is_some_and(|table| matches!(table.kind, whimbrel::catalog::TableKind::Ordinary));
    let mut sum = 0;
    source.read(&[ReadTable { table: &name, only, columns, key: &[] }], &mut |_: usize, cells: &[Cell<'_>]| {
        if let Cell::Int(value) = &cells[0] {
            sum += value;
        }
        Ok(())
    })?;
    Ok(sum)
}

/// The first column, an integer, of every table that the snapshot has, summed, and its rows counted.
fn read(url: &str) -> whimbrel::Result<BTreeMap<String, (i64, u64)>> {
    let mut source = PostgresSource::connect(&PostgresUrl::parse(url)?, &Cancel::new())?;
    let mut found = BTreeMap::new();
    let catalog = source.catalog()?;
    for table in &catalog.tables {
        let column = &table.columns[0];
        let request = ReadTable {
            table: &table.name,
            only: matches!(table.kind, whimbrel::catalog::TableKind::Ordinary),
            columns: vec![ReadColumn { name: &column.name, shape: &column.data_type.shape }],
            key: &[],
        };
        let (mut sum, mut rows) = (0, 0);
        source.read(&[request], &mut |_: usize, cells: &[Cell<'_>]| {
            if let Cell::Int(value) = &cells[0] {
                sum += value;
            }
            rows += 1;
            Ok(())
        })?;
        found.insert(table.name.name.clone(), (sum, rows));
    }
    Ok(found)
}

/// The sum and the number of the rows of each table.
type Totals = BTreeMap<String, (i64, u64)>;

/// A schema and a table in it.
type Name = (&'static str, &'static str);

/// Reads again and again while other sessions run their statements in a loop, each message of them one transaction;
/// gives what was read, and the errors.
fn beside(schema: &str, loops: &[&[&str]]) -> (Vec<Totals>, Vec<Error>) {
    let database = database(schema);
    let url = database.url();
    let stop = AtomicBool::new(false);
    let (mut read_well, mut errors) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        for statements in loops {
            let (url, stop) = (&url, &stop);
            scope.spawn(move || {
                let script = statements.iter().map(|sql| (*sql).to_owned()).collect::<Vec<_>>();
                while !stop.load(Ordering::Relaxed) {
                    for sql in &script {
                        // Two loops may be in each other's way; the test is about who reads.
                        let _ = try_ask(url, sql);
                    }
                }
            });
        }
        for _ in 0..RUNS {
            match read(&url) {
                Ok(found) => read_well.push(found),
                Err(error) => errors.push(error),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    for error in &errors {
        let told = format!("{error} ({})", error.way_out().unwrap_or_default());
        assert!(!told.contains("the view ran"), "{told}");
        assert!(told.contains("run again") || told.contains("start again"), "{told}");
    }
    eprintln!(
        "{} of {RUNS} runs were read, {} ended with an error: {:?}",
        read_well.len(),
        errors.len(),
        errors.first()
    );
    (read_well, errors)
}

#[test]
fn a_table_that_is_emptied_and_filled_in_one_transaction_is_never_seen_empty() {
    let schema = "CREATE TABLE a (v integer); CREATE TABLE b (v integer); INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (3)";
    let refill = "TRUNCATE a; INSERT INTO a VALUES (1), (2); TRUNCATE b; INSERT INTO b VALUES (3)";
    let (found, _) = beside(schema, &[&[refill]]);
    assert!(!found.is_empty());
    for tables in found {
        assert_eq!((tables["a"], tables["b"]), ((3, 2), (3, 1)));
    }
}

#[test]
fn a_table_that_is_made_anew_is_never_read_unlocked() {
    let schema = "CREATE TABLE a (v integer); INSERT INTO a VALUES (1), (2)";
    // Emptied by whoever has just made it: only the lock keeps that from a run which has the filled one in its snapshot.
    let again = "DROP TABLE a; CREATE TABLE a (v integer); INSERT INTO a VALUES (1), (2)";
    let (found, _) = beside(schema, &[&[again, "BEGIN; TRUNCATE a; INSERT INTO a VALUES (1), (2); COMMIT"]]);
    for tables in found {
        assert_eq!(tables["a"], (3, 2));
    }
}

#[test]
fn a_total_is_that_of_the_rows_beside_it() {
    let schema = "CREATE TABLE a (v integer); INSERT INTO a VALUES (1);
                  CREATE MATERIALIZED VIEW total AS SELECT sum(v)::integer AS v FROM a";
    let (found, _) = beside(schema, &[&["UPDATE a SET v = v + 1; REFRESH MATERIALIZED VIEW total"]]);
    assert!(!found.is_empty());
    for tables in found {
        assert_eq!((tables["total"].0, tables["total"].1), (tables["a"].0, 1));
    }
}

#[test]
fn a_view_in_a_tables_place_is_never_run() {
    let schema =
        "CREATE FUNCTION trap() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the view ran''; END';
                  CREATE TABLE a (v integer); INSERT INTO a VALUES (1)";
    let view = "DROP TABLE a; CREATE VIEW a AS SELECT trap() AS v";
    let table = "DROP VIEW a; CREATE TABLE a (v integer); INSERT INTO a VALUES (1)";
    let (found, _) = beside(schema, &[&[view, table]]);
    for tables in found {
        assert!(tables.get("a").is_none_or(|read| *read == (1, 1)), "{tables:?}");
    }
}

#[test]
fn a_materialized_view_that_becomes_a_view_is_never_run() {
    let schema = "CREATE FUNCTION trap() RETURNS integer IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the view ran''; END';
                  CREATE MATERIALIZED VIEW a AS SELECT 1 AS v";
    let view = "DROP MATERIALIZED VIEW a; CREATE VIEW a AS SELECT trap() AS v";
    let (found, _) = beside(schema, &[&[view, "DROP VIEW a; CREATE MATERIALIZED VIEW a AS SELECT 1 AS v"]]);
    for tables in found {
        assert!(tables.get("a").is_none_or(|read| *read == (1, 1)), "{tables:?}");
    }
}

#[test]
fn a_table_that_is_rewritten_keeps_its_rows() {
    let schema = "CREATE TABLE a (v integer); INSERT INTO a VALUES (1), (2)";
    let rewrite = ["ALTER TABLE a ALTER v TYPE bigint", "ALTER TABLE a ALTER v TYPE integer"];
    let (found, _) = beside(schema, &[&rewrite]);
    assert!(!found.is_empty());
    for tables in found {
        assert_eq!(tables["a"], (3, 2));
    }
}

#[test]
fn partitions_that_come_and_go_are_those_of_one_moment() {
    let schema = "CREATE TABLE p (v integer) PARTITION BY RANGE (v);
                  CREATE TABLE low PARTITION OF p FOR VALUES FROM (0) TO (10);
                  CREATE TABLE high PARTITION OF p FOR VALUES FROM (10) TO (20);
                  INSERT INTO p VALUES (1), (11); CREATE TABLE expected (v integer); INSERT INTO expected VALUES (12)";
    let detach = "ALTER TABLE p DETACH PARTITION high; UPDATE expected SET v = 1";
    let attach = "ALTER TABLE p ATTACH PARTITION high FOR VALUES FROM (10) TO (20); UPDATE expected SET v = 12";
    let (found, _) = beside(schema, &[&[detach, attach]]);
    assert!(!found.is_empty());
    for tables in found {
        assert_eq!(tables["p"].0, tables["expected"].0, "{tables:?}");
    }
}

#[test]
fn a_schema_that_is_renamed_does_not_lead_to_another_relation() {
    let schema =
        "CREATE FUNCTION trap() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the view ran''; END';
                  CREATE SCHEMA s; CREATE TABLE s.a (v integer); INSERT INTO s.a VALUES (1);
                  CREATE SCHEMA evil; CREATE VIEW evil.a AS SELECT trap() AS v";
    let database = database(schema);
    let url = database.url();
    let mut source = PostgresSource::connect(&PostgresUrl::parse(&url).unwrap(), &Cancel::new()).unwrap();
    let catalog = source.catalog().unwrap();
    execute(&url, "ALTER SCHEMA s RENAME TO t; ALTER SCHEMA evil RENAME TO s");
    let table = catalog.table(&QualifiedName::new("s", "a")).unwrap();
    let column = &table.columns[0];
    let columns = vec![ReadColumn { name: &column.name, shape: &column.data_type.shape }];
    let request = ReadTable { table: &table.name, only: true, columns, key: &[] };
    let error = source.read(&[request], &mut |_: usize, _: &[Cell<'_>]| Ok(())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read table `s.a`: its name leads to another relation than when the snapshot was taken"
    );
}

#[test]
fn a_view_that_is_dropped_while_it_is_read_is_named() {
    let loops: [&[&str]; 2] = [
        &["DROP VIEW v; CREATE VIEW v AS SELECT v FROM a"],
        &["DROP VIEW w; CREATE VIEW w AS SELECT v + 1 AS v FROM a"],
    ];
    let schema = "CREATE TABLE a (v integer); INSERT INTO a VALUES (1); CREATE VIEW v AS SELECT v FROM a;
                  CREATE VIEW w AS SELECT v + 1 AS v FROM a";
    let (read_well, errors) = beside(schema, &loops);
    assert!(read_well.iter().all(|found| found["a"] == (1, 1)));
    eprintln!("{} of {RUNS} runs met a view that was gone", errors.len());
    for error in errors {
        assert!(error.to_string().starts_with("read the definition of view `public."), "{error}");
    }
}

#[test]
fn a_partition_that_is_made_behind_the_snapshot_has_no_part_in_it() {
    let schema = "CREATE TABLE p (v integer) PARTITION BY RANGE (v);
                  CREATE TABLE low PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (1)";
    let database = database(schema);
    let url = database.url();
    let mut source = PostgresSource::connect(&PostgresUrl::parse(&url).unwrap(), &Cancel::new()).unwrap();
    let catalog = source.catalog().unwrap();
    execute(
        &url,
        "CREATE TABLE high (v integer); INSERT INTO high VALUES (11);
         ALTER TABLE p ATTACH PARTITION high FOR VALUES FROM (10) TO (20)",
    );
    let table = catalog.table(&QualifiedName::new("public", "p")).unwrap();
    let column = &table.columns[0];
    let columns = vec![ReadColumn { name: &column.name, shape: &column.data_type.shape }];
    let mut rows = 0;
    let request = ReadTable { table: &table.name, only: false, columns, key: &[] };
    source
        .read(&[request], &mut |_: usize, _: &[Cell<'_>]| {
            rows += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, 1);
}

#[test]
fn the_owners_functions_in_indexes_are_not_run_by_reading_a_table() {
    // The planner computes what depends on no column; COPY of a table plans nothing.
    let schema = "CREATE TABLE a (v integer); INSERT INTO a VALUES (1);
                  CREATE FUNCTION trap(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
                  CREATE INDEX ON a ((trap(1))); CREATE INDEX ON a (v) WHERE trap(2) > 0;
                  CREATE OR REPLACE FUNCTION trap(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql
                      AS 'BEGIN RAISE EXCEPTION ''the function ran''; END'";
    let database = database(schema);
    let url = database.url();
    assert!(
        try_ask(&url, "SELECT v FROM a").unwrap_err().to_string().contains("the function ran"),
        "the planner runs it"
    );
    assert_eq!(read(&url).unwrap()["a"], (1, 1));
}

#[test]
fn rows_of_ordinary_tables_depend_on_none_of_their_functions() {
    // The search path is pinned, and f2 names f1 without its schema: wherever a planner inlines it, the statement fails.
    let wide = "a bigint, since interval, at time, net inet, parts text[], note text, real real, born date, raw bytea";
    let row = r"1, '1 day', '12:00', '10.0.0.1', ARRAY['a,b', NULL, E'c\td'], E'tab\t line\n return\r back\\slash \\N é', 'NaN', '0044-03-15 BC', '\x00ff'";
    let database = database(&format!(
        "CREATE FUNCTION f1(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'select $1';
         CREATE FUNCTION f2(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'select f1($1)';
         CREATE TABLE plain (a bigint DEFAULT f2(7) CHECK (f2(a) > 0)); INSERT INTO plain VALUES (1); CREATE INDEX ON plain (f2(a));
         CREATE TABLE wide ({wide}); INSERT INTO wide VALUES ({row}), (2, NULL, NULL, NULL, NULL, '', 0, NULL, '');
         CREATE INDEX ON wide (f2(a)); CREATE INDEX ON wide (a) WHERE f2(a) > 0;
         CREATE TABLE same ({wide}); INSERT INTO same TABLE wide;
         CREATE TABLE parent (a bigint, since interval); CREATE TABLE child () INHERITS (parent);
         INSERT INTO parent VALUES (1, '1 day'); INSERT INTO child VALUES (2, '2 days'), (3, NULL);
         CREATE INDEX ON parent (f2(a)); CREATE INDEX ON child (f2(a));
         CREATE TABLE computed (a bigint, b bigint GENERATED ALWAYS AS (f2(a)) STORED); INSERT INTO computed VALUES (4);
         CREATE POLICY few ON plain USING (f2(a) > 0); CREATE RULE also AS ON UPDATE TO plain DO ALSO SELECT f2(1);
         CREATE VIEW seen AS SELECT f2(a) AS b FROM plain"
    ));
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db").to_string_lossy().into_owned();
    for words in [&["migrate", &url, &target][..], &["verify", &url, &target]] {
        let output = program::whimbrel(words);
        assert_eq!(output.status.code(), Some(0), "{}", program::describe(&output));
    }
    let file = rusqlite::Connection::open(&target).unwrap();
    let digest = |table: &str| -> String {
        let sql = "SELECT rows || ' ' || digest FROM _whimbrel_tables WHERE source = 'public.' || ?1";
        file.query_row(sql, [table], |row| row.get(0)).unwrap()
    };
    assert_eq!(digest("wide"), digest("same"), "read in COPY's text format, and by a query");
    let rows: String = file.query_row("SELECT group_concat(since) FROM child", [], |row| row.get(0)).unwrap();
    assert_eq!((rows.as_str(), digest("computed").starts_with("1 ")), ("2 days", true));
    // What has to be planned says which function it is, and what there is to do.
    let output = program::whimbrel(&["verify", &url, &target, "--verify", "paranoid"]);
    let said = program::describe(&output);
    assert!(output.status.code() == Some(3) && said.contains("SQL function \"f2\""), "{said}");
    assert!(said.contains("ALTER FUNCTION … SET search_path"), "{said}");
    execute(&url, "ALTER FUNCTION f2(bigint) SET search_path = public");
    let output = program::whimbrel(&["verify", &url, &target, "--verify", "paranoid"]);
    assert_eq!(output.status.code(), Some(0), "{}", program::describe(&output));
}

/// Runs statements by the server itself again and again, each a transaction, until the database goes or the test ends
/// the session.
fn again_and_again(url: &str, statements: &[String]) {
    let body: String = statements.iter().map(|sql| format!("EXECUTE $s${sql}$s$; COMMIT; ")).collect();
    let _ = try_ask(url, &format!("DO $$ BEGIN LOOP {body} END LOOP; END $$"));
}

fn end_the_others(url: &str) {
    execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'DO %'",
    );
}

#[test]
fn what_others_go_on_changing_stops_only_who_reads_it() {
    let schema = "CREATE TABLE a (v integer); INSERT INTO a VALUES (1), (2);
                  CREATE MATERIALIZED VIEW busy AS SELECT 1 AS v FROM (SELECT pg_sleep(0.2)) AS slow";
    let database = database(schema);
    let url = database.url();
    std::thread::scope(|scope| {
        scope.spawn(|| again_and_again(&url, &["REFRESH MATERIALIZED VIEW busy".to_owned()]));
        for number in 0..2 {
            let name = format!("zz{number}");
            let statements = [format!("CREATE TABLE {name} (v integer)"), format!("DROP TABLE {name}")];
            let url = &url;
            scope.spawn(move || again_and_again(url, &statements));
        }
        std::thread::sleep(Duration::from_millis(500));
        let outcome = std::panic::catch_unwind(|| {
            for _ in 0..3 {
                let begun = Instant::now();
                let mut source = PostgresSource::connect(&PostgresUrl::parse(&url).unwrap(), &Cancel::new()).unwrap();
                assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
                assert_eq!(sum(&mut source, "public", "a").unwrap(), 3);
                // It may have been left alone for once.
                if let Err(error) = sum(&mut source, "public", "busy") {
                    assert!(
                        error
                            .to_string()
                            .starts_with("read table `public.busy`: it or a partition of it was created, ")
                    );
                    assert!(error.way_out().unwrap().contains("run again when it is done, or exclude it"));
                }
            }
        });
        end_the_others(&url);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases, and what is done with each")]
fn every_combination_of_privileges_reads_what_it_may_read() {
    // What is granted to the role, what of (schema, table) it then reads, and what it may not.
    const GRANTS: &[(&str, &[Name], &[Name])] = &[
        ("", &[], &[("public", "t"), ("public", "part"), ("public", "child")]),
        ("GRANT SELECT (v) ON part TO ROLE", &[("public", "part")], &[("public", "part1"), ("public", "t")]),
        ("GRANT SELECT ON part TO ROLE", &[("public", "part")], &[("public", "t")]),
        ("GRANT SELECT ON part1 TO ROLE", &[("public", "part1")], &[("public", "part")]),
        ("GRANT SELECT (v) ON part1 TO ROLE", &[("public", "part1")], &[("public", "part")]),
        ("GRANT SELECT (v) ON part, part1 TO ROLE", &[("public", "part"), ("public", "part1")], &[]),
        ("GRANT SELECT ON sub TO ROLE", &[("public", "sub")], &[("public", "part")]),
        ("GRANT SELECT (v) ON sub TO ROLE", &[("public", "sub")], &[("public", "part")]),
        (
            "GRANT SELECT (v) ON part TO ROLE; GRANT SELECT ON sub TO ROLE",
            &[("public", "part"), ("public", "sub")],
            &[],
        ),
        // A foreign partition without the table above it, with it, and with a column of it.
        ("GRANT SELECT ON far1, t TO ROLE", &[("public", "t")], &[("public", "far")]),
        ("GRANT SELECT ON far, t TO ROLE", &[("public", "t")], &[]),
        ("GRANT SELECT (v) ON far, t TO ROLE", &[("public", "t")], &[]),
        ("GRANT SELECT (v) ON far1, t TO ROLE", &[("public", "t")], &[("public", "far")]),
        // A partition in a schema that the role may not use, and a root in one.
        ("GRANT SELECT ON wide TO ROLE", &[("public", "wide")], &[("closed", "wide1")]),
        ("GRANT SELECT (v) ON wide TO ROLE", &[("public", "wide")], &[("closed", "wide1")]),
        ("GRANT SELECT ON closed.root, t TO ROLE", &[("public", "t")], &[("closed", "root"), ("public", "root1")]),
        ("GRANT SELECT (v) ON closed.root, t TO ROLE", &[("public", "t")], &[("closed", "root"), ("public", "root1")]),
        (
            "GRANT USAGE ON SCHEMA closed TO ROLE; GRANT SELECT (v) ON closed.root TO ROLE",
            &[("closed", "root")],
            &[("public", "t")],
        ),
        // Tables that inherit are tables of their own.
        ("GRANT SELECT (v) ON parent TO ROLE", &[("public", "parent")], &[("public", "child")]),
        ("GRANT SELECT (v) ON parent, child TO ROLE", &[("public", "parent"), ("public", "child")], &[]),
        (
            "GRANT SELECT (v) ON child TO ROLE; GRANT SELECT ON parent TO ROLE",
            &[("public", "parent"), ("public", "child")],
            &[],
        ),
        ("GRANT SELECT ON total TO ROLE", &[("public", "total")], &[("public", "t")]),
        ("GRANT SELECT (v) ON total TO ROLE", &[("public", "total")], &[("public", "t")]),
        ("GRANT SELECT ON t TO ROLE", &[("public", "t")], &[("public", "total")]),
        ("GRANT INSERT, UPDATE, DELETE, TRUNCATE ON t TO ROLE", &[], &[("public", "t")]),
        ("GRANT SELECT (v) ON part TO GROUP_ROLE; GRANT GROUP_ROLE TO ROLE", &[("public", "part")], &[("public", "t")]),
        ("GRANT SELECT ON far1, part1 TO PUBLIC", &[("public", "part1")], &[("public", "part"), ("public", "far")]),
        (
            "GRANT pg_read_all_data TO ROLE",
            &[("public", "t"), ("public", "part"), ("closed", "root"), ("public", "wide"), ("public", "total")],
            &[],
        ),
    ];
    const TABLES: &str = "
        CREATE TABLE t (v integer, w integer); INSERT INTO t VALUES (7);
        CREATE MATERIALIZED VIEW total AS SELECT 7 AS v;
        CREATE TABLE parent (v integer, w integer); CREATE TABLE child () INHERITS (parent);
        INSERT INTO parent VALUES (7); INSERT INTO child VALUES (7);
        CREATE TABLE part (v integer, w integer) PARTITION BY RANGE (v);
        CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10);
        CREATE TABLE sub PARTITION OF part FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (v);
        CREATE TABLE sub1 PARTITION OF sub FOR VALUES FROM (10) TO (20); INSERT INTO part VALUES (7), (17);
        CREATE SCHEMA closed;
        CREATE TABLE wide (v integer, w integer) PARTITION BY RANGE (v);
        CREATE TABLE closed.wide1 PARTITION OF wide FOR VALUES FROM (0) TO (10); INSERT INTO wide VALUES (7);
        CREATE TABLE closed.root (v integer, w integer) PARTITION BY RANGE (v);
        CREATE TABLE root1 PARTITION OF closed.root FOR VALUES FROM (0) TO (10); INSERT INTO closed.root VALUES (7);
        CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
        CREATE TABLE far (v integer, w integer) PARTITION BY RANGE (v);
        CREATE FOREIGN TABLE far1 PARTITION OF far FOR VALUES FROM (0) TO (10) SERVER nowhere";
    let database = database(TABLES);
    let url = database.url();
    let (role, group) = (format!("reader_{}", std::process::id()), format!("readers_{}", std::process::id()));
    let knows_read_all = ask(&url, "SHOW server_version_num")[0].parse::<u32>().unwrap() >= 140_000;
    let (scheme, rest) = url.split_once("://").unwrap();
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let as_role = PostgresUrl::parse(&format!("{scheme}://{role}:open@{rest}")).unwrap();
    let mut wrong = Vec::new();
    for (grants, readable, closed) in GRANTS.iter().filter(|row| knows_read_all || !row.0.contains("read_all")) {
        let grants = grants.replace("GROUP_ROLE", &group).replace("ROLE", &role);
        execute(&url, &format!("CREATE ROLE {role} LOGIN PASSWORD 'open'; CREATE ROLE {group}; {grants}"));
        let mut source = match PostgresSource::connect(&as_role, &Cancel::new()) {
            Ok(source) => Some(source),
            Err(error) => {
                wrong.push(format!("{grants}: {error}"));
                None
            }
        };
        for (schema, name) in *readable {
            let Some(source) = &mut source else { continue };
            match sum(source, schema, name) {
                Ok(7 | 17 | 24) => {}
                other => wrong.push(format!("{grants}: {schema}.{name}: {other:?}")),
            }
        }
        for (schema, name) in *closed {
            let Some(source) = &mut source else { continue };
            match sum(source, schema, name) {
                Err(error) if error.to_string().contains("permission denied") => {}
                other => wrong.push(format!("{grants}: {schema}.{name} is closed: {other:?}")),
            }
        }
        drop(source);
        execute(
            &url,
            &format!(
                "DROP OWNED BY {role}, {group}; REVOKE SELECT ON far1, part1 FROM PUBLIC; DROP ROLE {role}; DROP ROLE {group}"
            ),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_partition_that_nothing_could_hold_is_not_read_empty() {
    let schema = "CREATE SCHEMA closed; CREATE TABLE wide (v integer, w integer) PARTITION BY RANGE (v);
                  CREATE TABLE closed.wide1 PARTITION OF wide FOR VALUES FROM (0) TO (10); INSERT INTO wide VALUES (7)";
    let database = database(schema);
    let url = database.url();
    let role = format!("narrow_{}", std::process::id());
    execute(&url, &format!("CREATE ROLE {role} LOGIN PASSWORD 'open'; GRANT SELECT (v) ON wide TO {role}"));
    let (scheme, rest) = url.split_once("://").unwrap();
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let as_role = PostgresUrl::parse(&format!("{scheme}://{role}:open@{rest}")).unwrap();
    let mut source = PostgresSource::connect(&as_role, &Cancel::new()).unwrap();
    execute(&url, "TRUNCATE closed.wide1");
    let error = sum(&mut source, "public", "wide");
    drop(source);
    execute(&url, &format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    let told = error.unwrap_err().to_string();
    assert!(told.contains("a partition of it was emptied or rewritten after the snapshot was taken"), "{told}");
}
