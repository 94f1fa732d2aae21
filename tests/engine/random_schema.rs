//! Random schemas on a real server: PostgreSQL takes them, the engine plans and carries them, and what shrinking
//! makes of them is a schema again.
#![cfg(feature = "harness")]

use crate::support::whole_run;
use whimbrel::harness::{RandomSchema, SchemaSize, Seed};
use whimbrel::to_sqlite::Job;

const SCHEMAS: u64 = 200;
const SCHEMAS_WITH_ROWS: u64 = 100;

fn size(server_version: u32) -> SchemaSize {
    SchemaSize { server_version, ..SchemaSize::default() }
}

#[test]
fn two_hundred_random_schemas_are_taken_planned_and_carried() {
    let server = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let version = whole_run::Server::connect(server.admin_url()).value("SHOW server_version_num");
    let version: u32 = version.parse::<u32>().expect("a number") / 10_000;

    let database = server.create_database("random_schema").expect("a database");
    let mut connection = whole_run::Server::connect(&database.url());
    let directory = tempfile::tempdir().expect("a directory");
    let mut wrong = Vec::new();
    for number in 0..SCHEMAS {
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

#[test]
fn a_hundred_random_schemas_take_awkward_rows_and_carry_them() {
    use whimbrel::endpoint::PostgresUrl;
    use whimbrel::endpoint::postgres::{Session, introspect};
    use whimbrel::harness::generate::{GenerateOptions, Generator, PostgresJudge, load_postgres};
    let server = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let database = server.create_database("random_rows").expect("a database");
    let url = PostgresUrl::parse(&database.url()).expect("a URL");
    let mut connection = whole_run::Server::connect(&database.url());
    let directory = tempfile::tempdir().expect("a directory");
    let (mut wrong, mut carried, mut refused, mut unsolved) = (Vec::new(), 0, 0, 0);
    for number in 0..SCHEMAS_WITH_ROWS {
        let schema = RandomSchema::from_seed(Seed(number), &SchemaSize::default());
        let sql = schema.to_sql();
        connection.run(sql.clone());
        let mut session = Session::connect(&url, &whimbrel::cancel::Cancel::new()).expect("a session");
        let catalog = introspect(&mut session).expect("a catalog");
        drop(session);
        let options = GenerateOptions { rows: 100, seed: Seed(number), awkward: 0.3, ..GenerateOptions::default() };
        let loaded = Generator::new(&catalog, options)
            .and_then(|generator| generator.dataset(&mut PostgresJudge::new(&url)))
            .and_then(|dataset| load_postgres(&url, &catalog, &dataset).map(|()| dataset.row_count()));
        match loaded {
            // A unique index over a sum with a foreign key's column is left to chance.
            Err(error) if error.to_string().contains("duplicate key") && sql.contains("UNIQUE INDEX") => unsolved += 1,
            Err(error) => wrong.push(format!("seed {number}: rows: {error}\n{sql}")),
            Ok(rows) => {
                carried += rows;
                let job = Job::new(directory.path().join(format!("{number}.db")));
                match whole_run::migrate(&database.url(), &job) {
                    // What SQLite cannot hold is refused by name: NaN where there has to be a value.
                    Err(error) if is_about_nan(&error.to_string()) => refused += 1,
                    Err(error) => wrong.push(format!("seed {number}: {error}\n{sql}")),
                    Ok(outcome) => {
                        let found = whole_run::findings(&outcome.verification);
                        if !found.is_empty() || outcome.published.is_none() {
                            wrong.push(format!("seed {number}: {found}\n{sql}"));
                        }
                        // By nothing but what the file remembers it has the server's values.
                        let mut as_sources = whole_run::compared(&database.url(), &job.target);
                        as_sources.findings.objects.retain(|object| !is_about_a_loss(object, &outcome.plan));
                        if !as_sources.is_sound() {
                            let found = whole_run::findings(&as_sources);
                            wrong.push(format!("seed {number}: as sources: {found}\n{sql}"));
                        }
                    }
                }
            }
        }
        empty(&mut connection);
    }
    assert!(wrong.is_empty(), "{} of {SCHEMAS_WITH_ROWS} fail:\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(unsolved * 50 <= SCHEMAS_WITH_ROWS, "{unsolved} not solved");
    assert!(refused * 10 <= SCHEMAS_WITH_ROWS, "{refused} refused");
    assert!(carried as u64 > 50 * SCHEMAS_WITH_ROWS, "{carried} rows");
}

/// Whether a table is missing because the plan lists it as not carried.
fn is_about_a_loss(object: &str, plan: &whimbrel::plan::Plan) -> bool {
    plan.losses.iter().any(|loss| object == format!("table `{}` is missing in the target", loss.object))
}

fn is_about_nan(error: &str) -> bool {
    error.contains("SQLite has no NaN") || error.contains("CHECK constraint failed")
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

#[test]
fn what_shrinking_tries_is_taken_too() {
    use proptest::strategy::ValueTree;
    let server = whimbrel::provision::shared().expect("a PostgreSQL for the tests");
    let database = server.create_database("shrunk_schema").expect("a database");
    let mut connection = whole_run::Server::connect(&database.url());
    let mut tried = 0;
    for number in 1000..1012 {
        let mut random = Seed(number).random();
        let schema = RandomSchema::from_seed(Seed(number), &SchemaSize::default());
        let mut tree = whimbrel::harness::random_schema::SchemaTree::new(schema, 60);
        let mut more = tree.simplify();
        while more {
            let sql = tree.current().to_sql();
            if let Err(error) = connection.try_run(format!("BEGIN;\n{sql}ROLLBACK")) {
                panic!("seed {number}: {error}\n{sql}");
            }
            tried += 1;
            // Large steps are refused more often, so that there is something left for the small ones.
            more = if random.chance(0.3) { tree.simplify() } else { tree.complicate() };
        }
    }
    assert!(tried > 200, "{tried}");
}
