//! What a schema costs as it grows, and what a large value takes of memory; prints one table.
//!
//! `cargo bench --bench scale`, or with `-- --quick` on small numbers and without the large values; `-- indexes texts` takes
//! only what has these words in its name.
//!
//! Each measurement is a process of its own, so that its peak memory and its processor's time are its own. A limit that
//! is missed ends the run with exit code 1: growth is judged by the time of our processor, which other programs on the
//! machine do not change much.

mod support;

use serde_json::{Value, json};
use std::fmt::Write;
use std::process::{Command, ExitCode};
use std::time::Instant;
use whimbrel::cancel::Cancel;
use whimbrel::event;
use whimbrel::provision::Server;
use whimbrel::to_sqlite::{self, Job};

const PART: &str = "WHIMBREL_SCALE_PART";
/// A plan and a migration of 1,000 tables without rows, in seconds.
const THOUSAND_TABLES_SECONDS_MAX: f64 = 3.0;
/// What four times the input may cost more than four times as much: caches grow colder, SQLite's tables of names fuller.
const GROWTH_MAX: f64 = 1.6;
/// The same for the indexes of one table: for each of them, SQLite walks the list of those before it, in every connection.
const INDEXES_GROWTH_MAX: f64 = 2.6;
/// Below this many seconds nothing is judged.
const JUDGED_FROM_SECONDS: f64 = 0.05;
/// Peak memory for a text of 900 MB to its bytes: the client's buffer, which grows by doubling, the batch, the record.
const COPIES_MAX: f64 = 4.0;
/// The same for a text that is refused.
const COPIES_REFUSED_MAX: f64 = 2.3;

fn main() -> ExitCode {
    if let Ok(url) = std::env::var(PART) {
        println!("{}", part(&url));
        return ExitCode::SUCCESS;
    }
    let (flags, words): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let quick = flags.iter().any(|flag| flag == "--quick");
    let wanted = |kind: &str| words.is_empty() || words.iter().any(|word| kind.contains(word.as_str()));
    let server = Server::start().expect("a PostgreSQL");
    println!("{}\ntimes in seconds, memory in megabytes", server.describe());
    println!("{:<26} {:>8} {:>8} {:>10} {:>8}", "", "plan", "migrate", "processor", "memory");
    let mut missed = Vec::new();
    for (kind, schema, counts) in kinds().into_iter().filter(|(kind, ..)| wanted(kind)) {
        let mut before: Option<(usize, f64)> = None;
        for count in counts {
            let count = if quick { count / 10 } else { *count };
            let figures = measure(&server, &format!("{count} {kind}"), &schema(count));
            let figure = |name: &str| figures[name].as_f64().expect("a number");
            let together = figure("plan") + figure("migrate");
            if kind == "tables" && count == 1_000 && together > THOUSAND_TABLES_SECONDS_MAX {
                missed.push(format!("1000 tables take {together:.2} s, limit {THOUSAND_TABLES_SECONDS_MAX}"));
            }
            let processor = figure("processor");
            if let Some((less, cost)) = before.filter(|_| processor > JUDGED_FROM_SECONDS) {
                let (input, growth) = (count as f64 / less as f64, processor / cost);
                let allowed = if kind == "indexes of a table" { INDEXES_GROWTH_MAX } else { GROWTH_MAX };
                if growth > input * allowed {
                    missed.push(format!("{input:.1} times the {kind} ({count}) take {growth:.1} times the processor"));
                }
            }
            before = Some((count, processor));
        }
    }
    if !quick && wanted("texts") {
        for (bytes, copies_max) in [(900_000_000_u64, COPIES_MAX), (1_020_000_000, COPIES_REFUSED_MAX)] {
            let figures = measure(&server, &format!("a text of {} MB", bytes / 1_000_000), &large(bytes));
            let copies = figures["memory"].as_f64().expect("a number") * 1e6 / bytes as f64;
            println!(
                "  {}; {copies:.2} times the text at the peak",
                figures["told"].as_str().unwrap_or("it is verified")
            );
            if copies > copies_max {
                missed.push(format!("a text of {bytes} bytes takes {copies:.2} times as much, limit {copies_max}"));
            }
        }
    }
    println!(
        "{}",
        if missed.is_empty() { "every limit held".to_owned() } else { format!("MISSED: {}", missed.join("; ")) }
    );
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Schema = fn(usize) -> Vec<String>;

fn kinds() -> Vec<(&'static str, Schema, &'static [usize])> {
    vec![
        ("tables", tables, &[1_000, 2_000, 4_000]),
        ("tables with a key only", plain_tables, &[1_000, 2_000, 5_000, 10_000]),
        ("columns", columns, &[400, 800, 1_590]),
        ("columns of a view", view_columns, &[400, 800, 1_600]),
        ("indexes of a table", indexes, &[1_000, 2_000, 4_000]),
        ("checks of a table", checks, &[1_000, 10_000]),
        ("foreign keys of a table", foreign_keys, &[1_000, 4_000]),
        ("views", views, &[1_000, 10_000]),
        ("views behind one another", view_chain, &[100, 200, 1_000]),
        ("labels of an enum", labels, &[1_000, 10_000]),
        ("partitions", partitions, &[1_000, 4_000]),
        ("sequences", sequences, &[1_000, 10_000]),
    ]
}

/// One statement for each number.
fn each(count: usize, statement: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(statement).collect()
}

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(", ")
}

fn tables(count: usize) -> Vec<String> {
    each(count, |n| {
        let parent = n.saturating_sub(1);
        format!(
            "CREATE TABLE t{n} (id bigserial PRIMARY KEY, name text NOT NULL, email varchar(80) UNIQUE, made timestamptz
               DEFAULT now(), price numeric(10,2) CHECK (price >= 0), parent bigint REFERENCES t{parent});
             CREATE INDEX t{n}_made ON t{n} (made)"
        )
    })
}

fn plain_tables(count: usize) -> Vec<String> {
    each(count, |n| format!("CREATE TABLE t{n} (id bigint PRIMARY KEY, name text NOT NULL, made timestamptz)"))
}

fn columns(count: usize) -> Vec<String> {
    vec![format!("CREATE TABLE wide ({})", list(count, |n| format!("c{n} integer NOT NULL DEFAULT {n}")))]
}

fn view_columns(count: usize) -> Vec<String> {
    let half = |name: &str| format!("CREATE TABLE {name} ({})", list(count / 2, |n| format!("{name}{n} integer")));
    vec![half("a"), half("b"), "CREATE VIEW v AS SELECT * FROM a, b".to_owned()]
}

fn indexes(count: usize) -> Vec<String> {
    let table = format!("CREATE TABLE t (id bigint PRIMARY KEY, {})", list(20, |n| format!("c{n} integer")));
    let index = |n: usize| format!("CREATE INDEX i{n} ON t (c{}, c{})", n % 20, n / 20 % 20);
    std::iter::once(table).chain(each(count, index)).collect()
}

fn checks(count: usize) -> Vec<String> {
    vec![format!(
        "CREATE TABLE t (id bigint PRIMARY KEY, c integer, {})",
        list(count, |n| format!("CHECK (c <> -{})", n + 1))
    )]
}

fn foreign_keys(count: usize) -> Vec<String> {
    let keys = list(count, |n| format!("CONSTRAINT f{n} FOREIGN KEY (c) REFERENCES p"));
    vec![
        "CREATE TABLE p (id bigint PRIMARY KEY)".to_owned(),
        format!("CREATE TABLE t (id bigint PRIMARY KEY, c bigint, {keys})"),
    ]
}

fn views(count: usize) -> Vec<String> {
    let view = |n: usize| format!("CREATE VIEW v{n} AS SELECT id, a || '{n}' AS a FROM t WHERE id > {n}");
    std::iter::once("CREATE TABLE t (id bigint PRIMARY KEY, a text)".to_owned()).chain(each(count, view)).collect()
}

fn view_chain(count: usize) -> Vec<String> {
    let view = |n: usize| format!("CREATE VIEW v{} AS SELECT id, a FROM v{n}", n + 1);
    let first = ["CREATE TABLE t (id bigint PRIMARY KEY, a text)", "CREATE VIEW v0 AS SELECT id, a FROM t"];
    first.map(str::to_owned).into_iter().chain(each(count - 1, view)).collect()
}

fn labels(count: usize) -> Vec<String> {
    let kind = format!("CREATE TYPE e AS ENUM ({})", list(count, |n| format!("'label {n}'")));
    vec![kind, "CREATE TABLE t (id bigint PRIMARY KEY, a e, b e)".to_owned()]
}

fn partitions(count: usize) -> Vec<String> {
    let root = "CREATE TABLE t (id bigint NOT NULL, k integer NOT NULL, a text) PARTITION BY LIST (k)".to_owned();
    let partition = |n: usize| format!("CREATE TABLE p{n} PARTITION OF t FOR VALUES IN ({n})");
    std::iter::once(root).chain(each(count, partition)).collect()
}

fn sequences(count: usize) -> Vec<String> {
    let table = "CREATE TABLE t (id bigserial PRIMARY KEY)".to_owned();
    std::iter::once(table).chain(each(count, |n| format!("CREATE SEQUENCE s{n}"))).collect()
}

fn large(bytes: u64) -> Vec<String> {
    vec![
        "CREATE TABLE files (id bigint PRIMARY KEY, content text)".to_owned(),
        format!("INSERT INTO files VALUES (1, 'small'), (2, repeat('0123456789', {}))", bytes / 10),
    ]
}

fn measure(server: &Server, what: &str, statements: &[String]) -> Value {
    let database = server.create_database("scale").expect("a database on the server");
    // Some hundred statements at a time: each transaction locks what it makes.
    for some in statements.chunks(200) {
        let mut sql = String::new();
        some.iter().for_each(|statement| writeln!(sql, "{statement};").expect("text"));
        support::execute(&database.url(), &sql);
    }
    let program = std::env::current_exe().expect("this program's path");
    let output = Command::new(program).env(PART, database.url()).output().expect("a child process");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout).expect("figures");
    let cell = |name: &str, digits: usize| format!("{:.digits$}", figures[name].as_f64().expect("a number"));
    println!(
        "{what:<26} {:>8} {:>8} {:>10} {:>8}",
        cell("plan", 2),
        cell("migrate", 2),
        cell("processor", 2),
        cell("memory", 0)
    );
    figures
}

/// One plan and one migration, each with a connection of its own.
fn part(url: &str) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let job = Job::new(directory.path().join("target.db"));
    let start = Instant::now();
    to_sqlite::plan(&mut support::source(url), &job).expect("a plan");
    let plan = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let outcome = to_sqlite::migrate(&mut support::source(url), &job, &Cancel::new(), &event::nobody);
    let migrate = start.elapsed().as_secs_f64();
    // A value beyond the limit is what one of the measurements is about.
    let told = outcome.map(|outcome| outcome.ensure_published().expect("a sound target")).err();
    let usage = support::usage();
    json!({
        "plan": plan,
        "migrate": migrate,
        "processor": usage.processor_seconds,
        "memory": usage.peak_memory_mb,
        "told": told.map(|error| format!("{error}; {}", error.way_out().unwrap_or_default())),
    })
}
