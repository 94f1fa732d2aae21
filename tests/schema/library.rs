//! The library from the outside: embedded at compile time, from blocking code and from async code of any flavour.

use whimbrel::schema::{Migrations, Runner, RunnerOptions, To, new_migration};

use crate::support::runner::{Postgres, Project, block_on};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema/embedded");

fn embedded() -> Migrations {
    whimbrel::embed_migrations!("tests/schema/embedded";
        "0001_notes",
        "0002_search",
        "0003_forget" irreversible,
    )
    .unwrap()
}

#[test]
fn the_embedded_list_is_the_folder() {
    embedded().expect_same_as_dir(FOLDER).unwrap();
    let short = embedded().up_to(2).expect_same_as_dir(FOLDER).unwrap_err();
    assert!(short.cause().contains("`0003_forget.up.sql` is not embedded"), "{short}");
    let project = Project::new(&[("0001_notes.up.sql", "SELECT 1;")]);
    assert!(embedded().expect_same_as_dir(project.migrations_dir()).is_err());
}

#[test]
fn blocking_code_runs_embedded_migrations() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    let report = Runner::open(path.to_str().unwrap(), embedded()).unwrap().up(To::Newest).unwrap();
    assert_eq!(report.steps.len(), 3);
    assert_eq!(report.steps[2].reversal, "irreversible");
}

#[test]
fn async_code_runs_migrations_of_both_databases() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db").to_str().unwrap().to_owned();
    let postgres = Postgres::new();
    let plain = Project::new(&[("1_a.sql", "CREATE TABLE a(b int);")]).migrations();
    let run = async {
        assert_eq!(Runner::up_async(&path, embedded()).await.unwrap().steps.len(), 3);
        assert_eq!(Runner::up_async(&postgres.url, plain.clone()).await.unwrap().steps.len(), 1);
        // Blocking calls inside an async context are allowed too, and so is dropping the runner there.
        let mut runner = Runner::open(&postgres.url, plain.clone()).unwrap();
        assert!(runner.status().unwrap().is_current());
        let (runner, status) = runner.spawn(|runner| runner.status()).await;
        assert!(status.unwrap().is_current());
        drop(runner);
    };
    block_on(run);
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    many.block_on(async {
        let mut runner = Runner::open(&postgres.url, plain.clone()).unwrap();
        assert!(runner.validate().unwrap().is_clean());
    });
}

#[test]
fn a_new_migration_has_both_files_and_asks_for_its_label() {
    let folder = tempfile::tempdir().unwrap();
    let files = new_migration(folder.path(), "initial").unwrap();
    let run = || Runner::open(":memory:", Migrations::from_dir(folder.path())?)?.up(To::Newest);
    let error = run().unwrap_err();
    assert!(error.cause().contains("no label"), "{error}");
    std::fs::write(&files.down, "-- whimbrel: lossless\n").unwrap();
    assert_eq!(run().unwrap().steps.len(), 1);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let options = RunnerOptions { history_table: "sqlite_history".to_owned(), ..RunnerOptions::default() };
    assert!(Runner::open_with("a.db", embedded(), options).is_err());
    for endpoint in ["", "mysql://someone:hunter2@host/app", "sqlite://"] {
        let error = Runner::open(endpoint, embedded()).err().unwrap();
        assert!(error.cause().contains("neither") && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let project = Project::new(&[("1_a.sql", "SELECT 1;"), ("README.md", "notes")]);
    let url = format!("sqlite://{}?mode=rwc", project.database());
    Runner::open(&url, project.migrations()).unwrap().up(To::Newest).unwrap();
    assert!(project.runner().status().unwrap().is_current());
    assert_eq!(project.migrations().len(), 1);
    project.write("2-b.sql", "SELECT 1;");
    let error = Migrations::from_dir(project.migrations_dir()).unwrap_err();
    assert!(error.to_string().contains("`2-b.sql`: the name is almost that of a migration"), "{error}");
}

#[test]
fn the_applications_own_connection_comes_back_as_it_was() {
    let project = Project::new(&[
        (
            "1_a.up.sql",
            "CREATE TABLE a(id INTEGER PRIMARY KEY);\nCREATE TABLE c(a REFERENCES a);\nINSERT INTO a VALUES (1);",
        ),
        ("2_b.up.sql", "SELECT nonsense();"),
    ]);
    for on in [true, false] {
        for migrations in [project.migrations().up_to(1), project.migrations()] {
            let connection = rusqlite::Connection::open_in_memory().unwrap();
            connection.pragma_update(None, "foreign_keys", on).unwrap();
            let mut runner = Runner::on_connection(connection, migrations.clone(), RunnerOptions::default());
            assert_eq!(runner.up(To::Newest).is_ok(), migrations.len() == 1);
            let connection = runner.into_connection().unwrap();
            let now: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap();
            assert_eq!(now, on, "after {} migrations", migrations.len());
            assert!(connection.is_autocommit());
            assert_eq!(connection.execute("INSERT INTO c VALUES (99)", []).is_err(), on);
        }
    }
}
