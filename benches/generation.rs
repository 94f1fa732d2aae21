//! Criterion: rows from a catalog, thrown away and into a SQLite file, for a schema with a foreign key, a check and a
//! list of values.
//!
//! `cargo bench --bench generation`

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rusqlite::Connection;
use std::hint::black_box;
use whimbrel::catalog::{Catalog, Table};
use whimbrel::harness::Seed;
use whimbrel::harness::generate::{Cell, Generator, Nobody, Options, Sink, SqliteSink, sqlite_catalog};

const ROWS: u64 = 20_000;
const SCHEMA: &str = "
    CREATE TABLE users (
        id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, plan TEXT NOT NULL CHECK (plan IN ('FREE', 'PRO')),
        balance INTEGER NOT NULL CHECK (balance BETWEEN 0 AND 1000000), score REAL
    ) STRICT;
    CREATE TABLE notes (
        id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), title TEXT NOT NULL, body TEXT, data BLOB
    ) STRICT;
    CREATE INDEX notes_user ON notes (user_id);";

/// Counts the bytes of the rows, so that nobody can leave making them out.
#[derive(Default)]
struct Counter(u64);

impl Sink for Counter {
    fn table(&mut self, _: &Table, _: &[String], _: &[usize]) -> whimbrel::Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &[Cell]) -> whimbrel::Result<()> {
        self.0 += row.iter().flatten().map(|cell| cell.len() as u64).sum::<u64>();
        Ok(())
    }

    fn end(&mut self) -> whimbrel::Result<()> {
        Ok(())
    }
}

fn file() -> Connection {
    let connection = Connection::open_in_memory().expect("a database");
    connection.execute_batch(SCHEMA).expect("the schema");
    connection
}

fn generator(catalog: &Catalog, awkward: f64) -> Generator<'_> {
    let options = Options { rows: ROWS, seed: Seed(1), awkward, ..Options::default() };
    Generator::new(catalog, options).expect("a generator")
}

fn generation(criterion: &mut Criterion) {
    let catalog = sqlite_catalog(&file()).expect("a catalog");
    let mut group = criterion.benchmark_group("generation");
    group.sample_size(10).throughput(Throughput::Elements(ROWS));
    for (name, awkward) in [("ordinary rows", 0.0), ("awkward rows", 0.2)] {
        let generator = generator(&catalog, awkward);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut counter = Counter::default();
                generator.stream(&mut Nobody, &mut counter).expect("rows");
                black_box(counter.0)
            });
        });
    }
    let generator = generator(&catalog, 0.0);
    group.bench_function("into SQLite", |bencher| {
        bencher.iter_batched(
            file,
            |connection| {
                let mut sink = SqliteSink::open(&connection).expect("a transaction");
                generator.stream(&mut Nobody, &mut sink).expect("rows");
                sink.commit().expect("a commit");
                connection
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, generation);
criterion_main!(benches);
