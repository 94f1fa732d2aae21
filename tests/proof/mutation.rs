//! The whole catalogue of mutations on finished files: verification notices every one.

use crate::support::whole_run::{Server, findings, migrate, source};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use whimbrel::harness::Seed;
use whimbrel::harness::mutation::{self, KillRate, Subject};
use whimbrel::project::{self, Project};
use whimbrel::provision::shared;
use whimbrel::to_sqlite::{Job, Outcome};
use whimbrel::value::TableDigest;

const DERIVED: &str = include_str!("../../fixtures/mutation/source.sql");

/// How often each mutation is made, at other places each time.
const ROUNDS: u64 = 2;

struct Killed {
    rate: KillRate,
    each: Duration,
}

/// Every mutation so many times.
fn kill_all(url: &str, job: &Job<'_>, outcome: &Outcome, seed: Seed) -> Killed {
    let mut source = source(url).expect("a source");
    let digests: Vec<TableDigest> = outcome.copied.iter().map(|copied| copied.digest).collect();
    let subject = Subject {
        target: &job.target,
        plan: &outcome.plan,
        source_digests: Some(&digests),
        metadata: job.options.run.metadata,
        checks: None,
    };
    let before = fs::read(&job.target).expect("the target");
    let mut rate = KillRate::default();
    let start = Instant::now();
    for round in 0..ROUNDS {
        for mutation in mutation::catalogue() {
            let mut random = seed.nth(round).of(mutation.name).random();
            match mutation::kill(mutation, subject, &mut source, &mut random) {
                Ok(kill) => kill.iter().for_each(|kill| rate.add(kill)),
                Err(error) => panic!("{}: {error}", mutation.name),
            }
        }
    }
    let each = start.elapsed() / u32::try_from(rate.total().tried.max(1)).expect("few");
    assert_eq!(fs::read(&job.target).expect("the target"), before, "the finished file was changed");
    Killed { rate, each }
}

fn report(name: &str, killed: &Killed) {
    let _ = writeln!(std::io::stderr(), "mutations of {name}, {:?} each:\n{}", killed.each, killed.rate);
}

fn derived() -> Killed {
    let database = shared().expect("a PostgreSQL server").create_database("mutation").expect("a database");
    Server::connect(&database.url()).run(DERIVED);
    let directory = tempfile::tempdir().expect("a directory");
    let job = Job::new(directory.path().join("finished.db"));
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error}"));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
    kill_all(&database.url(), &job, &outcome, Seed(4))
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn vibing2() -> Killed {
    let project = Project::load(&root("migrations/vibing2")).expect("the project");
    let database = shared().expect("a PostgreSQL server").create_database("mutation").expect("a database");
    let schema = fs::read_to_string(root("migrations/vibing2/source/0001_initial.up.sql")).expect("the schema");
    let rows = fs::read_to_string(root("fixtures/vibing2/rows.sql")).expect("the rows");
    Server::connect(&database.url()).run(schema + &rows);
    let directory = tempfile::tempdir().expect("a directory");
    let folder = project.target_schema.clone().expect("a target schema");
    let page_size_bytes = project.options.page_size_bytes;
    // A file with a pointer map and free pages, more of them than the rows take.
    let spare = "PRAGMA auto_vacuum = INCREMENTAL; VACUUM; CREATE TABLE spare (x); INSERT INTO spare VALUES (zeroblob(6000000));
                 DROP TABLE spare";
    let apply = move |path: &Path| {
        project::apply_schema(&folder, path, page_size_bytes)?;
        Connection::open(path).and_then(|file| file.execute_batch(spare)).expect("free pages");
        Ok(())
    };
    let mut job = Job::new(directory.path().join("finished.db"));
    job.options.run.choices = project.options.run.choices.clone();
    job.schema = Some(&apply);
    job.options.journal_mode = project.options.journal_mode;
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error}"));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
    kill_all(&database.url(), &job, &outcome, Seed(5))
}

#[test]
fn every_mutation_of_the_catalogue_is_noticed() {
    let (derived, given) = (derived(), vibing2());
    report("a derived schema", &derived);
    report("vibing2", &given);
    let mut all = derived.rate.clone();
    all.merge(&given.rate);
    assert_eq!(all.survivors, Vec::<String>::new());
    assert_eq!(all.rate(), Some(1.0));
    let untried: BTreeSet<_> =
        mutation::catalogue().map(|mutation| mutation.name).filter(|name| !all.mutations.contains_key(name)).collect();
    assert!(untried.is_empty(), "made on neither file: {untried:?}");
    // A given schema has its own words for tables, its full-text index and its triggers.
    for name in [
        "a row deleted",
        "a trigger dropped",
        "a foreign key dropped",
        "one bit of a row in its page",
        "one bit of the pointer map",
        "one bit of a page that lists free pages",
    ] {
        assert!(given.rate.mutations.contains_key(name), "{name} was not made on vibing2");
    }
}

/// The place is random and all the same: one seed, one change.
#[test]
fn the_same_seed_makes_the_same_change() {
    let database = shared().expect("a PostgreSQL server").create_database("mutation").expect("a database");
    Server::connect(&database.url()).run(DERIVED);
    let directory = tempfile::tempdir().expect("a directory");
    let job = Job::new(directory.path().join("finished.db"));
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error}"));
    let apply = |mutation: &mutation::Mutation, seed: Seed| {
        let copy = directory.path().join("copy.db");
        fs::copy(&job.target, &copy).expect("a copy");
        mutation.apply(&copy, &outcome.plan, &mut seed.random()).expect("a change")
    };
    for mutation in mutation::catalogue() {
        assert_eq!(apply(mutation, Seed(9)), apply(mutation, Seed(9)), "{}", mutation.name);
    }
    let mutation = mutation::named("any bit of an integer").expect("a mutation");
    assert_ne!(apply(mutation, Seed(1)), apply(mutation, Seed(2)));
}
