//! Criterion: what each level of verification costs beside the copy, on 50,000 mixed rows that were migrated once.
//!
//! `cargo bench --bench verification`

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use whimbrel::cancel::Cancel;
use whimbrel::event::nobody;
use whimbrel::provision::Server;
use whimbrel::transfer::run::{self, Job};
use whimbrel::verify::{FileOptions, Level, file, verify_file};

const EVENTS: u64 = 50_000;

fn verification(criterion: &mut Criterion) {
    let server = Server::start().expect("a PostgreSQL");
    let database = support::filled(&server, EVENTS);
    let directory = tempfile::tempdir().expect("a directory");
    let job = Job::new(directory.path().join("app.db"));
    let outcome = run::migrate(&mut support::source(&database.url()), &job, &Cancel::new(), &nobody);
    outcome.expect("a migration").ensure_published().expect("a verified target");

    let mut group = criterion.benchmark_group("verification");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS));
    let levels =
        [("counts", Level::Counts), ("digests", Level::Digest), ("full", Level::Full), ("paranoid", Level::Paranoid)];
    for (name, level) in levels {
        group.bench_function(name, |bencher| {
            let mut source = support::source(&database.url());
            bencher.iter(|| {
                let options = FileOptions { level, ..FileOptions::default() };
                let rechecked = verify_file(&mut source, &job.target, options, &Cancel::new(), &nobody);
                rechecked.expect("a verification").verification.ensure_sound().expect("no difference");
            });
        });
    }
    group.bench_function("check of the file alone", |bencher| {
        bencher.iter(|| black_box(file::check(&job.target, None, &Cancel::new())).expect("a check"));
    });
    group.finish();
}

criterion_group!(benches, verification);
criterion_main!(benches);
