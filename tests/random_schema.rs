//! Random schemas on a real server: PostgreSQL takes them, the engine plans and carries them, and what shrinking
//! makes of them is a schema again.
#![cfg(feature = "harness")]

mod whole_run;

use whimbrel::harness::{RandomSchema, SchemaSize, Seed};
use whimbrel::transfer::run::Job;

const SCHEMAS: u64 = 200;

fn size(server_version: u32) -> SchemaSize {
    SchemaSize { server_version, ..SchemaSize::default() }
}

#[test]
fn two_hundred_random_schemas_are_taken_planned_and_carried() {
    let server = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let version = whole_run::Server::connect(server.admin_url()).value("SHOW server_version_num");
    let version: u32 = version.parse::<u32>().expect("a number") / 10_000;
    let first: u64 = std::env::var("FIRST").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let database = server.create_database("random_schema").expect("a database");
    let mut connection = whole_run::Server::connect(&database.url());
    let directory = tempfile::tempdir().expect("a directory");
    let mut wrong = Vec::new();
    for number in first..first + SCHEMAS {
        let schema = RandomSchema::from_seed(Seed(number), &size(version));
        let sql = schema.to_sql();
        if let Err(error) = connection.try_run(sql.clone()) {
            wrong.push(format!("seed {number}: the server: {error}\n{sql}"));
            continue;
        }
        let job = Job::new(directory.path().join(format!("{number}.db")));
        match whole_run::migrate(&database.url(), &job) {
            Err(error) => wrong.push(format!("seed {number}: {error}\n{sql}")),
            Ok(outcome) => {
                let found = whole_run::findings(&outcome.verification);
                if !found.is_empty() || outcome.published.is_none() {
                    wrong.push(format!("seed {number}: {found}\n{sql}"));
                }
            }
        }
        empty(&mut connection);
    }
    assert!(wrong.is_empty(), "{} of {SCHEMAS} fail:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Leaves nothing in the database but what it began with; faster than a new one.
fn empty(connection: &mut whole_run::Server) {
    let names =
        "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'";
    for name in connection.column(names) {
        connection.run(format!("DROP SCHEMA {name} CASCADE"));
    }
    connection.run("CREATE SCHEMA public");
}
