//! Criterion: one run of each query of each project, on generated rows, with parameters drawn from them.
//!
//! `cargo bench --bench latency`, or one project or query of it: `cargo bench --bench latency -- sessions/`. For P50,
//! P95 and P99 against the targets: `whimbrel latency PROJECT`.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{Criterion, criterion_group, criterion_main};
use rusqlite::Connection;
use std::path::Path;
use whimbrel::cancel::Cancel;
use whimbrel::harness::Seed;
use whimbrel::harness::latency::{PreparedQuery, prepare, queries};
use whimbrel::project::Project;

const ROWS: u64 = 10_000;
const PROJECTS: [&str; 5] = ["agents", "deespec", "sessions", "usage", "vibing2"];

fn latency(criterion: &mut Criterion) {
    for name in PROJECTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
        let project = Project::load(&folder).expect("a project");
        let prepared = prepare(&project, ROWS, Seed(1), &Cancel::new()).expect("generated rows");
        let connection = Connection::open(prepared.path()).expect("the file");
        project.connection.apply(&connection).expect("the project's options");
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20).warm_up_time(std::time::Duration::from_millis(300));
        group.measurement_time(std::time::Duration::from_secs(1));
        for query in queries(&project).expect("queries") {
            let mut prepared = PreparedQuery::new(&connection, &query, Seed(1), 200).expect("a query");
            group.bench_function(&query.name, |bencher| bencher.iter(|| prepared.run_next().expect("rows")));
        }
        group.finish();
    }
}

criterion_group!(benches, latency);
criterion_main!(benches);
