//! The library as a program uses it: one sentence, awaited, reported, rolled back, or dropped.

use sqlx::{Connection, PgConnection};
use std::time::Duration;
use whimbrel::error::Kind;
use whimbrel::plan::choices::Choices;
use whimbrel::provision::{Database, shared};
use whimbrel::types::{Representation, TimeUnit};
use whimbrel::{Migration, Verify};

async fn database() -> Database {
    let database = tokio::task::spawn_blocking(|| shared().expect("a server").create_database("library"))
        .await
        .expect("the thread ends")
        .expect("a database");
    let mut connection = PgConnection::connect(&database.url()).await.expect("a connection");
    sqlx::raw_sql("CREATE TABLE t (id integer PRIMARY KEY, body text); INSERT INTO t SELECT n, 'x' || n FROM generate_series(1, 100) n")
        .execute(&mut connection)
        .await
        .expect("rows");
    connection.close().await.expect("the connection closes");
    database
}

#[tokio::test]
async fn a_migration_is_one_sentence_and_can_be_taken_back() {
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    let outcome = Migration::from(database.url()).to(&target).verify(Verify::Full).run().await.unwrap();
    assert!(outcome.report().contains("100 rows in 1 table"), "{}", outcome.report());
    assert!(target.exists());
    outcome.rollback().await.unwrap();
    assert!(!target.exists(), "there was no file before");
}

#[tokio::test]
async fn without_metadata_nothing_is_lost_unless_that_is_allowed() {
    let database = database().await;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    let rows = "CREATE TABLE times (id bigint, at timestamp); INSERT INTO times VALUES (1, '2026-01-31 12:00:00.5')";
    sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    let mut choices = Choices::default();
    choices.rules.columns.insert("times.at".into(), Representation::Epoch(TimeUnit::Seconds));
    let migration = Migration::from(database.url()).to(&target).choices(choices).without_metadata();
    let error = migration.clone().run().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Differs, "{error}");
    assert!(error.cause().contains("1 value is more than its column holds"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let report = migration.allow_inexact().run().await.unwrap().report();
    let named = "column `public.times.at`: 1 value, the first in row rowid 1: `2026-01-31 12:00:00.5`";
    assert!(report.contains(named) && target.exists(), "{report}");
}

#[tokio::test]
async fn a_dropped_future_leaves_nothing_behind() {
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let mut blocker = PgConnection::connect(&database.url()).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE t").execute(&mut blocker).await.unwrap();
    let running = Migration::from(database.url()).to(folder.path().join("app.db")).run();
    assert!(tokio::time::timeout(Duration::from_millis(500), running).await.is_err(), "the lock holds it");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..200 {
        let left: i64 = sqlx::query_scalar(others).fetch_one(&mut blocker).await.unwrap();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_wrong_is_told_before_anything_is_opened() {
    let error = Migration::from("postgres://127.0.0.1:1/app").run_blocking().unwrap_err();
    assert_eq!(error.kind(), Kind::Usage, "{error}");
    let error = Migration::from("mysql://ann@host/app").to("other.db").run_blocking().unwrap_err();
    assert_eq!(error.kind(), Kind::Usage, "{error}");
    let error =
        Migration::from("postgres://127.0.0.1:1/app").to("a.db").page_size_bytes(1000).run_blocking().unwrap_err();
    assert_eq!(error.kind(), Kind::Usage, "{error}");
}
