//! Columns of every declared type, keys of every form, values of every class: a file becomes the same file, whatever its columns
//! make of the values, and a row more is found. `WHIMBREL_CASES` says how many files, `WHIMBREL_SEED` (a number) which.

use crate::sqlite_source::{column, text, values};
use crate::support::program::{describe as told, whimbrel};
use rusqlite::Connection;
use std::path::Path;
use whimbrel::harness::{Random, Seed};

const CASES: u64 = 12;
const TABLES: usize = 5;
const ROWS: usize = 25;

const TYPES: [&str; 15] = [
    "",
    "ANY",
    "INTEGER",
    "INT",
    "BIGINT",
    "REAL",
    "DOUBLE",
    "TEXT",
    "BLOB",
    "NUMERIC",
    "DECIMAL(10, 2)",
    "DATE",
    "STRING",
    "FLOATING POINT",
    "VARCHAR(3)",
];
const STRICT_TYPES: [&str; 6] = ["ANY", "INT", "INTEGER", "REAL", "TEXT", "BLOB"];
const VALUES: [&str; 26] = [
    "NULL",
    "0",
    "-1",
    "7",
    "9223372036854775807",
    "-9223372036854775808",
    "1.0",
    "1.5",
    "-0.0",
    "1e300",
    "9e18",
    "9.3e18",
    "9e999",
    "'7'",
    "'1.0'",
    "'1e3'",
    "'0x10'",
    "'a'",
    "'A'",
    "''",
    "' 5 '",
    "x''",
    "x'00ff'",
    "'z' || char(0)",
    "CAST(x'ff' AS TEXT)",
    "'NaN'",
];

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len() as u64) as usize]
}

/// A table of three columns with a key of some form, or none.
fn definition(name: usize, random: &mut Random) -> String {
    let is_strict = random.chance(0.3);
    let types: &[&str] = if is_strict { &STRICT_TYPES } else { &TYPES };
    let mut columns: Vec<String> = ["a", "b", "c"].map(|name| format!("{name} {}", pick(random, types))).into();
    let mut words: Vec<&str> = if is_strict { vec!["STRICT"] } else { Vec::new() };
    match random.below(9) {
        0 => columns[0].push_str(" PRIMARY KEY"),
        1 => columns[0].push_str(" PRIMARY KEY DESC"),
        2 => columns[0] = "a INTEGER PRIMARY KEY".to_owned(),
        3 => columns[0] = "a INTEGER PRIMARY KEY DESC".to_owned(),
        4 => columns[0] = "a REAL PRIMARY KEY".to_owned(),
        5 => columns.push("PRIMARY KEY (b, a)".to_owned()),
        6 => {
            columns.push("PRIMARY KEY (b DESC, a)".to_owned());
            words.push("WITHOUT ROWID");
        }
        7 => columns[1].push_str(" UNIQUE COLLATE NOCASE"),
        _ => {}
    }
    format!("CREATE TABLE t{name} ({}) {}", columns.join(", "), words.join(", "))
}

fn file(path: &Path, random: &mut Random) {
    let connection = Connection::open(path).expect("a file");
    connection.execute_batch("CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT)").expect("a table");
    for name in 0..TABLES {
        let sql = definition(name, random);
        connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        for _ in 0..ROWS {
            let [a, b, c] = [(); 3].map(|()| pick(random, &VALUES));
            // What a key or a STRICT column does not take is no value of this table.
            let _ = connection.execute_batch(&format!("INSERT INTO t{name} VALUES ({a}, {b}, {c})"));
        }
        if random.chance(0.3) {
            connection.execute_batch(&format!("DELETE FROM t{name} WHERE c IS NULL")).expect("rows less");
        }
    }
}

#[test]
fn every_column_keeps_every_value_and_a_row_more_is_found() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let (seed, cases) = (Seed(number("WHIMBREL_SEED", 1)), number("WHIMBREL_CASES", CASES));
    let mut found = 0;
    for case in 0..cases {
        let mut random = seed.nth(case).random();
        let folder = crate::support::memory::tempdir().expect("a folder");
        let [first, second, third] = ["a.db", "b.db", "c.db"].map(|name| folder.path().join(name));
        file(&first, &mut random);
        let definitions =
            column(&Connection::open(&first).expect("a file"), "SELECT sql FROM sqlite_schema WHERE sql <> ''");
        let about = format!("seed {seed}, case {case}:\n{}", definitions.join("\n"));
        let (a, b, c) = (text(&first), text(&second), text(&third));
        let run = |words: &[&str], code: i32| -> String {
            let output = whimbrel(words);
            let said = told(&output);
            assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}\n{about}");
            said
        };
        run(&["migrate", a, b], 0);
        assert_eq!(values(&first), values(&second), "{about}");
        run(&["migrate", b, c, "--no-metadata"], 0);
        assert_eq!(values(&first), values(&third), "{about}");
        run(&["verify", a, b], 0);
        run(&["verify", c, a], 0);
        let table = random.below(TABLES as u64);
        let connection = Connection::open(&third).expect("a file");
        // None of the values that are drawn; not every table takes one of them in each of its columns.
        let mut others = ["12345", "'more'", "x'12'"].into_iter();
        let is_taken = others.any(|value| {
            connection.execute_batch(&format!("INSERT INTO t{table} VALUES ({value}, {value}, {value})")).is_ok()
        });
        drop(connection);
        if is_taken {
            let said = run(&["verify", a, c], 1);
            assert!(said.contains(&format!("table `main.t{table}` differs")), "{said}\n{about}");
            found += 1;
        }
    }
    assert!(found > 0 || cases < CASES, "no row was added in {cases} cases");
}
