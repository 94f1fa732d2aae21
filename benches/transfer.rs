//! Criterion: a migration of 50,000 mixed rows beside the bare loop, and the digest of the finished file alone.
//!
//! `cargo bench --bench transfer`; for large numbers of rows and for memory see `speed.rs`.

mod support;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use whimbrel::cancel::Cancel;
use whimbrel::event;
use whimbrel::provision::Server;
use whimbrel::transfer::run::{self, Job};
use whimbrel::verify::{Level, digest};

const EVENTS: u64 = 50_000;

fn transfer(criterion: &mut Criterion) {
    let server = Server::start().expect("a PostgreSQL");
    let database = support::filled(&server, EVENTS);
    let tables = support::decoded(&mut support::source(&database.url()));
    let directory = tempfile::tempdir().expect("a directory");

    let mut group = criterion.benchmark_group("transfer");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS));
    group.bench_function("bare loop", |bencher| {
        let path = directory.path().join("bare.db");
        bencher.iter_batched(
            || drop(std::fs::remove_file(&path)),
            |()| support::bare_loop(&path, &tables, false),
            BatchSize::PerIteration,
        );
    });
    let mut job = Job::new(directory.path().join("ours.db"));
    job.backup_directory = Some(directory.path().join("backups"));
    for (name, level) in
        [("migrate, counts", Level::Counts), ("migrate, digests", Level::Digest), ("migrate, full", Level::Full)]
    {
        job.level = level;
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    let _ = std::fs::remove_file(&job.target);
                    support::source(&database.url())
                },
                |mut source| {
                    let outcome = run::migrate(&mut source, &job, &Cancel::new(), &event::nobody);
                    outcome.expect("a migration").ensure_published().expect("a verified target");
                },
                BatchSize::PerIteration,
            );
        });
    }
    let (_, plan) = run::plan(&mut support::source(&database.url()), &job).expect("a plan");
    group.bench_function("digest of the target", |bencher| {
        bencher.iter(|| {
            black_box(digest::of_tables(&job.target, &plan.tables, &Cancel::new(), &event::nobody)).expect("digests")
        });
    });
    group.finish();
}

criterion_group!(benches, transfer);
criterion_main!(benches);
