//! One snapshot, whatever another session does to tables meanwhile: each run gives what was there at one moment, or ends
//! with an error that says why.

use crate::support::{database, execute, try_ask};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use whimbrel::cancel::Cancel;
use whimbrel::catalog::QualifiedName;
use whimbrel::endpoint::postgres::PostgresSource;
use whimbrel::endpoint::{PostgresUrl, ReadColumn, ReadRequest, Source};
use whimbrel::error::Error;
use whimbrel::types::{Codec, Rule};
use whimbrel::value::Cell;

const RUNS: usize = 25;

/// The first column, an integer, of every table that the snapshot has, summed, and its rows counted.
fn read(url: &str) -> whimbrel::Result<BTreeMap<String, (i64, u64)>> {
    let mut source = PostgresSource::connect(&PostgresUrl::parse(url)?, &Cancel::new())?;
    let mut found = BTreeMap::new();
    for table in source.catalog()?.tables {
        let column = &table.columns[0];
        let request = ReadRequest {
            table: &table.name,
            only: matches!(table.kind, whimbrel::catalog::TableKind::Ordinary),
            columns: vec![ReadColumn { name: &column.name, codec: Codec::new(&column.data_type.shape, Rule::Integer) }],
        };
        let (mut sum, mut rows) = (0, 0);
        source.read(&request, &mut |cells| {
            if let Cell::Int(value) = &cells[0] {
                sum += value;
            }
            rows += 1;
            Ok(())
        })?;
        let QualifiedName { name, .. } = table.name;
        found.insert(name, (sum, rows));
    }
    Ok(found)
}

/// Reads again and again while other sessions run their statements in a loop, each message of them one transaction;
/// gives what was read, and the errors.
fn beside(schema: &str, loops: &[&[&str]]) -> (Vec<BTreeMap<String, (i64, u64)>>, Vec<Error>) {
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
    let columns = vec![ReadColumn { name: &column.name, codec: Codec::new(&column.data_type.shape, Rule::Integer) }];
    let request = ReadRequest { table: &table.name, only: true, columns };
    let error = source.read(&request, &mut |_| Ok(())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read table `s.a`: its name leads to another relation than when the snapshot was taken"
    );
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
    let columns = vec![ReadColumn { name: &column.name, codec: Codec::new(&column.data_type.shape, Rule::Integer) }];
    let mut rows = 0;
    let request = ReadRequest { table: &table.name, only: false, columns };
    source
        .read(&request, &mut |_| {
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
