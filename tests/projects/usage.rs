//! The typed store of usage: every function, what it refuses, and many writers at once.

use crate::support::child;
use std::process::Child;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use whimbrel::apps::usage::{
    EARLIEST_MS, NewSnapshot, Plan, SnapshotFilter, SnapshotType, StoreOptions, Theme, TimeFormat, UsageConfig,
    UsageConfigUpdate, UsageStore, View,
};
use whimbrel::error::Kind;
use whimbrel::schema::{Migrations, Runner, State, To};

const HOUR_MS: i64 = 3_600_000;

/// A store in a folder that goes away.
struct Place {
    folder: tempfile::TempDir,
    store: UsageStore,
}

impl Place {
    fn new() -> Place {
        Place::with(StoreOptions::default())
    }

    fn with(options: StoreOptions) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let store = UsageStore::open_with(folder.path().join("events.db"), options).unwrap();
        Place { folder, store }
    }

    /// A store for which it is the time that the number says.
    fn at(now_ms: &Arc<AtomicI64>) -> Place {
        let clock = Arc::clone(now_ms);
        Place::with(StoreOptions { clock: Arc::new(move || clock.load(Ordering::SeqCst)), ..Default::default() })
    }

    /// A connection that knows nothing of the store.
    fn stranger(&self) -> Connection {
        Connection::open(self.folder.path().join("events.db")).unwrap()
    }

    fn config(&self) -> UsageConfig {
        self.store.config().unwrap().unwrap()
    }
}

/// Everything but the row and the times.
fn fields(config: &UsageConfig) -> UsageConfigUpdate {
    UsageConfigUpdate {
        plan: Some(config.plan),
        custom_limit_tokens: Some(config.custom_limit_tokens),
        view: Some(config.view),
        timezone: Some(config.timezone.clone()),
        time_format: Some(config.time_format),
        theme: Some(config.theme),
        refresh_rate: Some(config.refresh_rate),
        refresh_per_second: Some(config.refresh_per_second),
        reset_hour: Some(config.reset_hour),
    }
}

fn snapshot(session_id: &str, timestamp_ms: i64) -> NewSnapshot {
    NewSnapshot { timestamp_ms: Some(timestamp_ms), ..NewSnapshot::stats(session_id, json!({"at": timestamp_ms})) }
}

#[test]
fn a_new_database_has_the_default_configuration() {
    let place = Place::new();
    assert_eq!(fields(&place.config()), UsageConfigUpdate::defaults());
}

#[test]
fn an_update_changes_the_given_fields_and_no_other() {
    let place = Place::new();
    let change = UsageConfigUpdate {
        plan: Some(Plan::Max20),
        custom_limit_tokens: Some(Some(7)),
        refresh_per_second: Some(20.0),
        ..Default::default()
    };
    assert!(place.store.update_config(&change).unwrap());
    let rest = UsageConfigUpdate {
        view: Some(View::Monthly),
        timezone: Some("America/Argentina/Buenos_Aires".to_owned()),
        time_format: Some(TimeFormat::TwelveHours),
        theme: Some(Theme::Classic),
        refresh_rate: Some(60),
        reset_hour: Some(Some(23)),
        ..Default::default()
    };
    assert!(place.store.update_config(&rest).unwrap());
    let expected = UsageConfigUpdate {
        plan: change.plan,
        custom_limit_tokens: change.custom_limit_tokens,
        refresh_per_second: change.refresh_per_second,
        ..rest
    };
    assert_eq!(fields(&place.config()), expected);
    let cleared = UsageConfigUpdate { custom_limit_tokens: Some(None), reset_hour: Some(None), ..Default::default() };
    assert!(place.store.update_config(&cleared).unwrap());
    assert_eq!((place.config().custom_limit_tokens, place.config().reset_hour), (None, None));
}

#[test]
fn an_update_of_nothing_is_false_and_touches_nothing() {
    let place = Place::new();
    let before = place.config();
    sleep(Duration::from_millis(5));
    assert!(!place.store.update_config(&UsageConfigUpdate::default()).unwrap());
    assert!(!place.store.update_config_with(|_| Ok(UsageConfigUpdate::default())).unwrap());
    assert_eq!(place.config(), before);
}

#[test]
fn a_value_out_of_its_range_is_an_error_that_names_the_field() {
    let place = Place::new();
    let before = place.config();
    for (field, json) in [
        ("plan", json!({"theme": "dark", "plan": "max50"})),
        ("plan", json!({"plan": null})),
        ("custom_limit_tokens", json!({"custom_limit_tokens": 0})),
        ("custom_limit_tokens", json!({"custom_limit_tokens": "many"})),
        ("view", json!({"view": "Daily"})),
        ("timezone", json!({"timezone": ""})),
        ("timezone", json!({"timezone": "Europe/"})),
        ("timezone", json!({"timezone": "Europe/Berlin\u{0}"})),
        ("time_format", json!({"time_format": "13h"})),
        ("theme", json!({"theme": "black"})),
        ("refresh_rate", json!({"refresh_rate": 0})),
        ("refresh_rate", json!({"refresh_rate": 61})),
        ("refresh_rate", json!({"refresh_rate": 1.5})),
        ("refresh_per_second", json!({"refresh_per_second": 0.05})),
        ("refresh_per_second", json!({"refresh_per_second": 20.5})),
        ("reset_hour", json!({"reset_hour": 24})),
        ("reset_hour", json!({"reset_hour": -1})),
        ("is_active", json!({"is_active": 0})),
    ] {
        let update = UsageConfigUpdate::from_json(&json);
        let error = update.and_then(|update| place.store.update_config(&update)).unwrap_err();
        assert_eq!((error.kind(), error.object()), (Kind::Usage, format!("field `{field}`").as_str()), "{error}");
    }
    let not_a_number = UsageConfigUpdate { refresh_per_second: Some(f64::NAN), ..Default::default() };
    assert!(place.store.update_config(&not_a_number).unwrap_err().object().contains("refresh_per_second"));
    assert_eq!(place.config(), before);
    let known = UsageConfigUpdate::from_json(&json!({"plan": "max50"})).unwrap_err();
    assert!(known.cause().contains("`pro` `max5` `max20` `custom`"), "{known}");
}

#[test]
fn every_field_is_read_from_json_and_a_configuration_is_written_as_one() {
    let place = Place::new();
    let json = json!({
        "plan": "pro", "custom_limit_tokens": 1, "view": "session", "timezone": "Etc/GMT+5", "time_format": "24h",
        "theme": "light", "refresh_rate": 1, "refresh_per_second": 0.1, "reset_hour": 0
    });
    assert!(place.store.update_config(&UsageConfigUpdate::from_json(&json).unwrap()).unwrap());
    let written = serde_json::to_value(place.config()).unwrap();
    for (field, value) in json.as_object().unwrap() {
        assert_eq!(&written[field], value, "{field}");
    }
    let update = UsageConfigUpdate::from_json(&json!({"reset_hour": null})).unwrap();
    assert_eq!(update, UsageConfigUpdate { reset_hour: Some(None), ..Default::default() });
    assert!(UsageConfigUpdate::from_json(&json!([])).is_err());
}

#[test]
fn the_words_of_each_type_are_those_that_the_schema_takes() {
    let place = Place::new();
    let connection = place.stranger();
    fn words<T: Copy + std::fmt::Display>(all: &[T]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }
    for (table, column, words) in [
        ("usage_config", "plan", words(Plan::ALL)),
        ("usage_config", "view", words(View::ALL)),
        ("usage_config", "time_format", words(TimeFormat::ALL)),
        ("usage_config", "theme", words(Theme::ALL)),
        ("usage_snapshots", "snapshot_type", words(SnapshotType::ALL)),
    ] {
        let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1";
        let definition: String = connection.query_row(sql, [table], |row| row.get(0)).unwrap();
        let list = format!("CHECK ({column} IN ('{}'))", words.join("', '"));
        assert!(definition.contains(&list), "{list}");
    }
}

#[test]
fn updated_at_is_kept_by_the_database_and_created_at_stays() {
    let place = Place::new();
    let before = place.config();
    assert!(before.created_at_ms > EARLIEST_MS && before.updated_at_ms == before.created_at_ms);
    sleep(Duration::from_millis(5));
    place.store.update_config(&UsageConfigUpdate { theme: Some(Theme::Dark), ..Default::default() }).unwrap();
    let after = place.config();
    assert!(after.updated_at_ms >= before.updated_at_ms + 5, "{} {}", before.updated_at_ms, after.updated_at_ms);
    assert_eq!((after.created_at_ms, after.id), (before.created_at_ms, before.id));
    sleep(Duration::from_millis(5));
    place.stranger().execute("UPDATE usage_config SET theme = 'light', updated_at = created_at", []).unwrap();
    assert!(place.config().updated_at_ms >= after.updated_at_ms + 5);
}

#[test]
fn a_reset_restores_the_defaults_and_makes_a_configuration_where_none_is_active() {
    let place = Place::new();
    let update = UsageConfigUpdate {
        plan: Some(Plan::Pro),
        custom_limit_tokens: Some(Some(1)),
        timezone: Some("Asia/Tokyo".to_owned()),
        reset_hour: Some(Some(3)),
        ..Default::default()
    };
    place.store.update_config(&update).unwrap();
    let before = place.config();
    let after = place.store.reset_config().unwrap();
    assert_eq!(fields(&after), UsageConfigUpdate::defaults());
    assert_eq!((after.id, after.created_at_ms), (before.id, before.created_at_ms));

    place.stranger().execute("UPDATE usage_config SET is_active = 0", []).unwrap();
    assert_eq!(place.store.config().unwrap(), None);
    let error = place.store.update_config(&update).unwrap_err();
    assert!(error.cause().contains("no configuration is active") && error.way_out().is_some(), "{error}");
    let made = place.store.reset_config().unwrap();
    assert_ne!(made.id, before.id);
    assert_eq!(place.store.config().unwrap(), Some(made));
}

#[test]
fn a_snapshot_comes_back_as_it_was_inserted() {
    let place = Place::new();
    let data =
        json!({"tokens": u64::MAX, "cost": 0.1, "text": "ü\u{0}🐦'", "none": null, "list": [[], {}], "z": 1, "a": 2});
    for kind in SnapshotType::ALL {
        let new = NewSnapshot {
            session_id: "s 'quoted'".to_owned(),
            data: data.clone(),
            snapshot_type: *kind,
            timestamp_ms: Some(EARLIEST_MS),
        };
        let inserted = place.store.insert_snapshot(new).unwrap();
        let read = place.store.snapshots_by_session("s 'quoted'").unwrap();
        assert_eq!(read[0], inserted);
        assert_eq!(read[0].data.to_string(), data.to_string(), "the order of the keys, too");
        let json = serde_json::to_value(&inserted).unwrap();
        assert_eq!((&json["snapshot_data"], &json["timestamp"]), (&data, &json!(EARLIEST_MS)));
    }
}

#[test]
fn a_snapshot_without_a_time_has_the_time_of_the_clock() {
    let now_ms = Arc::new(AtomicI64::new(1_763_667_546_789));
    let place = Place::at(&now_ms);
    let inserted = place.store.insert_snapshot(NewSnapshot::stats("s", json!(null))).unwrap();
    assert_eq!(inserted.timestamp_ms, 1_763_667_546_789);
}

#[test]
fn a_snapshot_that_cannot_be_is_an_error_that_names_the_field() {
    let place = Place::new();
    for (field, new) in [
        ("session_id", snapshot("", EARLIEST_MS)),
        ("session_id", snapshot("a\0b", EARLIEST_MS)),
        ("timestamp_ms", snapshot("s", 1_763_667_546)),
        ("timestamp_ms", snapshot("s", EARLIEST_MS - 1)),
    ] {
        let error = place.store.insert_snapshot(new).unwrap_err();
        assert_eq!((error.kind(), error.object()), (Kind::Usage, format!("field `{field}`").as_str()), "{error}");
    }
    assert!(place.store.snapshots(&SnapshotFilter { hours_back: u32::MAX, ..Default::default() }).unwrap().is_empty());
}

#[test]
fn a_snapshot_that_could_not_be_read_back_is_refused_and_spoils_no_list() {
    let place = Place::new();
    let mut data = json!(1);
    for _ in 0..200 {
        data = json!([data]);
    }
    let error = place.store.insert_snapshot(NewSnapshot::stats("deep", data)).unwrap_err();
    assert!(error.to_string().contains("field `snapshot_data`"), "{error}");
    place.store.insert_snapshot(NewSnapshot::stats("flat", json!([1]))).unwrap();
    assert_eq!(place.store.snapshots(&SnapshotFilter::default()).unwrap().len(), 1);
}

#[test]
fn hours_back_include_their_boundary_and_lists_are_newest_first() {
    let now = 1_763_667_546_789;
    let place = Place::at(&Arc::new(AtomicI64::new(now)));
    for (session, ago) in [("a", 24 * HOUR_MS), ("b", 24 * HOUR_MS + 1), ("a", 0), ("b", HOUR_MS), ("a", HOUR_MS)] {
        place.store.insert_snapshot(snapshot(session, now - ago)).unwrap();
    }
    place.store.insert_snapshot(snapshot("a", now + HOUR_MS)).unwrap();
    let list = |session: Option<&str>, limit, hours_back| -> Vec<i64> {
        let filter = SnapshotFilter { session_id: session.map(str::to_owned), limit, hours_back };
        place.store.snapshots(&filter).unwrap().iter().map(|snapshot| snapshot.id).collect()
    };
    assert_eq!(list(None, 100, 24), [6, 3, 5, 4, 1], "of one millisecond the later row first");
    assert_eq!(list(None, 100, 25), [6, 3, 5, 4, 1, 2]);
    assert_eq!(list(None, 100, 1), [6, 3, 5, 4]);
    assert_eq!(list(None, 100, 0), [6, 3]);
    assert_eq!(list(None, 2, 24), [6, 3]);
    assert_eq!(list(None, 0, 24), [0; 0]);
    assert_eq!(list(Some("a"), 100, 24), [6, 3, 5, 1]);
    assert_eq!(list(Some("b"), 1, 24), [4]);
    assert_eq!(list(Some("c"), 100, 24), [0; 0]);
    assert_eq!(list(None, u32::MAX, u32::MAX).len(), 6);
    let of_session: Vec<i64> = place.store.snapshots_by_session("b").unwrap().iter().map(|s| s.id).collect();
    assert_eq!(of_session, [4, 2], "whatever their age");
}

#[test]
fn old_snapshots_are_those_older_than_so_many_days() {
    let now = 1_763_667_546_789;
    let place = Place::at(&Arc::new(AtomicI64::new(now)));
    for ago in [0, 30 * 24 * HOUR_MS, 30 * 24 * HOUR_MS + 1, 40 * 24 * HOUR_MS] {
        place.store.insert_snapshot(snapshot("s", now - ago)).unwrap();
    }
    assert_eq!(place.store.delete_old_snapshots(u32::MAX).unwrap(), 0);
    assert_eq!(place.store.delete_old_snapshots(30).unwrap(), 2);
    assert_eq!(place.store.delete_old_snapshots(30).unwrap(), 0);
    assert_eq!(place.store.snapshots_by_session("s").unwrap().len(), 2);
}

#[test]
fn lists_are_read_with_an_index() {
    let place = Place::new();
    let connection = place.stranger();
    for (sql, index) in [
        ("SELECT * FROM usage_snapshots WHERE timestamp >= 1 ORDER BY timestamp DESC, id DESC LIMIT 9", "timestamp"),
        (
            "SELECT * FROM usage_snapshots WHERE session_id = 's' AND timestamp >= 1 ORDER BY timestamp DESC, id DESC",
            "session_id",
        ),
    ] {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = connection.prepare(&explain).unwrap();
        let plan: Vec<String> = statement.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert_eq!(plan.len(), 1, "it is sorted: {plan:?}");
        assert!(plan[0].contains(&format!("USING INDEX idx_usage_snapshots_{index} ")), "{plan:?}");
    }
}

#[test]
fn the_store_tells_its_migrations_and_what_is_wrong_with_its_file() {
    let place = Place::new();
    let status = place.store.migration_status().unwrap();
    assert_eq!((status.version, status.count(State::Applied), status.is_current()), (2, 2, true));
    assert!(place.store.validate().unwrap().is_clean());
    place.stranger().execute_batch("DROP INDEX idx_usage_snapshots_type").unwrap();
    let problems = place.store.validate().unwrap().problems();
    assert_eq!(problems, ["index `idx_usage_snapshots_type` is missing"]);
}

#[test]
fn a_store_of_an_older_version_is_brought_up_with_its_events() {
    let place = Place::new();
    let event = "INSERT INTO events (source_app, session_id, hook_event_type, payload, timestamp)
                 VALUES ('a', 's', 'Stop', '{}', 1754500000000)";
    place.stranger().execute(event, []).unwrap();
    place.store.insert_snapshot(snapshot("s", EARLIEST_MS)).unwrap();
    place.store.runner().unwrap().down(To::Version(1)).unwrap();
    let again = UsageStore::open(place.folder.path().join("events.db")).unwrap();
    assert!(again.migration_status().unwrap().is_current());
    assert_eq!(fields(&again.config().unwrap().unwrap()), UsageConfigUpdate::defaults());
    assert_eq!(again.snapshots_by_session("s").unwrap(), []);
    let events: i64 = place.stranger().query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(events, 1);
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let mut files = Vec::new();
    for migration in &UsageStore::migrations().unwrap() {
        files.push((migration.file.clone(), migration.up.to_string()));
        files.push((migration.down_file(), migration.down.as_deref().unwrap().to_owned()));
    }
    files.push(("0003_later.up.sql".to_owned(), "CREATE TABLE later (id INTEGER PRIMARY KEY)".to_owned()));
    files.push(("0003_later.down.sql".to_owned(), "-- whimbrel: lossy\nDROP TABLE later".to_owned()));
    let newer = Migrations::from_files("a newer program", files).unwrap();
    let path = place.folder.path().join("events.db");
    Runner::open(path.to_str().unwrap(), newer).unwrap().up(To::Newest).unwrap();
    let error = UsageStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("3_later") || error.contains("version 3"), "{error}");
    let later: i64 = place.stranger().query_row("SELECT count(*) FROM later", [], |row| row.get(0)).unwrap();
    assert_eq!(later, 0);
}

#[test]
fn a_file_that_is_no_database_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    std::fs::write(&path, "This is no database, but a text of some length.".repeat(100)).unwrap();
    let error = UsageStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("events.db") && error.contains("not a database"), "{error}");
    assert!(UsageStore::open(folder.path().join("missing/events.db")).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn async_code_uses_the_store_without_blocking() {
    let place = Place::new();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = place.store.clone();
            tokio::spawn(async move {
                store.run(|store| store.insert_snapshot(NewSnapshot::stats("s", json!(1)))).await.unwrap().id
            })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=8).collect::<Vec<i64>>());
    let error = place.store.run(|store| store.insert_snapshot(snapshot("", EARLIEST_MS))).await.unwrap_err();
    assert!(error.object().contains("session_id"));
}

const PROCESSES: usize = 4;
const THREADS: usize = 8;
const ROUNDS: usize = 50;

/// What each thread of each process does: adds to a number, inserts, reads.
fn work(store: &UsageStore, session_id: &str) {
    for round in 0..ROUNDS {
        let added = store.update_config_with(|config| {
            let tokens = config.custom_limit_tokens.unwrap_or(0) + 1;
            Ok(UsageConfigUpdate { custom_limit_tokens: Some(Some(tokens)), ..Default::default() })
        });
        assert!(added.unwrap());
        store.insert_snapshot(NewSnapshot::stats(session_id, json!({"round": round}))).unwrap();
        if round % 5 == 4 {
            store.update_config(&UsageConfigUpdate { refresh_rate: Some(30), ..Default::default() }).unwrap();
        }
        store.config().unwrap().expect("a configuration is active at every moment");
        let seen = store.snapshots_by_session(session_id).unwrap().len();
        assert_eq!(seen, round + 1, "what a thread inserted, it sees");
    }
}

fn work_in_threads(path: &std::path::Path, name: &str) {
    let store = UsageStore::open(path).unwrap();
    let together = Barrier::new(THREADS);
    scope(|threads| {
        for thread in 0..THREADS {
            let (store, together) = (&store, &together);
            threads.spawn(move || {
                together.wait();
                work(store, &format!("{name}-{thread}"));
            });
        }
    });
}

/// One of the processes of the test below.
#[test]
#[ignore = "run by threads_and_processes_write_at_once_and_nothing_is_lost"]
fn process() {
    let path = std::env::var("WHIMBREL_USAGE_PATH").expect("another test runs this one");
    let name = std::env::var("WHIMBREL_USAGE_NAME").unwrap();
    work_in_threads(std::path::Path::new(&path), &name);
}

#[test]
fn threads_and_processes_write_at_once_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    // Not there yet: who comes first makes it, all come at once.
    let path = folder.path().join("events.db");
    let start = Instant::now();
    let children: Vec<Child> = (0..PROCESSES)
        .map(|number| {
            child("usage::process")
                .env("WHIMBREL_USAGE_PATH", &path)
                .env("WHIMBREL_USAGE_NAME", format!("process-{number}"))
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let writes = PROCESSES * THREADS * ROUNDS;
    println!("{writes} additions and as many snapshots in {} ms", start.elapsed().as_millis());
    let store = UsageStore::open(&path).unwrap();
    let config = store.config().unwrap().unwrap();
    assert_eq!(config.custom_limit_tokens, Some(i64::try_from(writes).unwrap()), "an update was lost");
    assert_eq!(config.refresh_rate, 30);
    let connection = Connection::open(&path).unwrap();
    let count = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM usage_snapshots"), i64::try_from(writes).unwrap());
    assert_eq!(count("SELECT count(*) FROM usage_config"), 1);
    assert!(store.validate().unwrap().is_clean());
}

#[test]
fn resets_at_once_leave_one_active_configuration() {
    let place = Place::new();
    place.stranger().execute("DELETE FROM usage_config", []).unwrap();
    let path = place.folder.path().join("events.db");
    let together = Barrier::new(THREADS);
    scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                let store = UsageStore::open(&path).unwrap();
                together.wait();
                store.reset_config().unwrap();
            });
        }
    });
    let sql = "SELECT count(*) FROM usage_config";
    let rows: i64 = place.stranger().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
}

#[test]
fn a_writer_that_holds_the_file_is_waited_for_and_then_named() {
    let place = Place::with(StoreOptions { busy_timeout: Duration::from_millis(50), ..Default::default() });
    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = Instant::now();
    let error = place.store.reset_config().unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(50) && error.to_string().contains("locked"), "{error}");
    assert!(place.store.config().unwrap().is_some(), "who reads is not held up");
    stranger.execute_batch("COMMIT").unwrap();
    place.store.reset_config().unwrap();
}

#[test]
fn a_file_of_the_application_itself_is_left_as_it_is_and_the_way_to_take_it_over_is_named() {
    // As the server has made it before there was this store.
    const BASE: &str =
        "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, source_app TEXT NOT NULL,
        session_id TEXT NOT NULL, hook_event_type TEXT NOT NULL, payload TEXT NOT NULL, chat TEXT, summary TEXT,
        timestamp INTEGER NOT NULL); CREATE INDEX idx_source_app ON events(source_app);";
    const OTHER: &str =
        "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL);
        INSERT INTO schema_migrations VALUES (1, 'add_usage_tracking_tables', 1754500000000);";
    for sql in [BASE.to_owned(), format!("{BASE} {OTHER}")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = UsageStore::open(&path).unwrap_err();
        assert!(error.cause().contains("another program has made it"), "{error}");
        let hint = error.way_out().unwrap();
        assert!(
            hint.contains("schema adopt") && hint.contains("--version 1") && hint.contains("Runner::adopt"),
            "{hint}"
        );
        assert!(std::fs::read(&path).unwrap() == before, "the file was changed");
        let migrations = UsageStore::migrations().unwrap();
        let mut runner = Runner::open_file(&path, migrations, whimbrel::schema::RunnerOptions::default()).unwrap();
        let told = runner.adopt(1, false).unwrap().into_result().unwrap_err().to_string();
        for words in [
            "`payload TEXT NOT NULL` should be `payload TEXT NOT NULL CHECK (json_valid(payload))`",
            "not `STRICT`",
            "table `themes` is missing",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}

#[test]
fn a_file_with_the_schema_of_the_store_and_no_history_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let first = UsageStore::migrations().unwrap().up_to(1);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(&first.get(1).unwrap().up).unwrap();
    connection
        .execute_batch("INSERT INTO events VALUES (5, 'app', 's', 'Stop', '{}', NULL, NULL, 1754500000000)")
        .unwrap();
    drop(connection);
    assert!(UsageStore::open(&path).is_err());
    let migrations = UsageStore::migrations().unwrap();
    let mut runner = Runner::open_file(&path, migrations, whimbrel::schema::RunnerOptions::default()).unwrap();
    assert!(runner.adopt(1, false).unwrap().is_done());
    let store = UsageStore::open(&path).unwrap();
    assert!(store.validate().unwrap().is_clean());
    assert!(store.config().unwrap().is_some());
    let events: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(events, 1);
}

#[test]
fn many_snapshots_are_one_transaction() {
    let now_ms = Arc::new(AtomicI64::new(1_800_000_000_000));
    let place = Place::at(&now_ms);
    let new: Vec<_> = (0..2_500).map(|n| NewSnapshot::stats(format!("s{}", n % 3), json!({ "n": n }))).collect();
    let inserted = place.store.insert_snapshots(new.clone()).unwrap();
    assert_eq!(inserted.len(), 2_500);
    assert!(inserted.iter().all(|one| one.timestamp_ms == 1_800_000_000_000));
    assert!(inserted.windows(2).all(|pair| pair[0].id < pair[1].id), "in their order");
    assert_eq!(inserted[7].data, json!({"n": 7}));
    assert_eq!(place.store.insert_snapshots(Vec::new()).unwrap(), []);
    // One that is wrong, and none of them is there.
    let mut wrong = new;
    wrong[1_234].session_id.clear();
    let error = place.store.insert_snapshots(wrong).unwrap_err();
    assert_eq!((error.kind(), error.object()), (Kind::Usage, "field `session_id`, snapshot 1235"));
    let mut refused = vec![NewSnapshot::stats("s", json!(1)); 3];
    refused[2].timestamp_ms = Some(7);
    assert!(place.store.insert_snapshots(refused).unwrap_err().way_out().unwrap().contains("1000"));
    let count: i64 = place.stranger().query_row("SELECT count(*) FROM usage_snapshots", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2_500);
}

#[test]
fn retention_runs_by_itself_and_ends_with_its_guard() {
    let now_ms = Arc::new(AtomicI64::new(1_800_000_000_000));
    let place = Place::at(&now_ms);
    let day_ms = 24 * HOUR_MS;
    let at = |days: i64| snapshot("s", now_ms.load(Ordering::SeqCst) - days * day_ms);
    place.store.insert_snapshots((0..2_300).map(|n| at(31 + n % 9)).chain([at(30), at(1)]).collect()).unwrap();
    let retention = place.store.retain(30, Duration::from_millis(5)).unwrap();
    let until = |done: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", retention.retained());
            sleep(Duration::from_millis(2));
        }
    };
    until(&|| retention.retained().deleted == 2_300 && retention.retained().runs > 1);
    assert_eq!(retention.retained().failure, None);
    // Time goes on, and so does it.
    now_ms.fetch_add(day_ms, Ordering::SeqCst);
    until(&|| retention.retained().deleted == 2_301);
    // What fails is told and tried again.
    let stranger = place.stranger();
    stranger.execute_batch("ALTER TABLE usage_snapshots RENAME TO away").unwrap();
    until(&|| retention.retained().failure.is_some());
    stranger.execute_batch("ALTER TABLE away RENAME TO usage_snapshots").unwrap();
    until(&|| retention.retained().failure.is_none());
    drop(retention);
    now_ms.fetch_add(100 * day_ms, Ordering::SeqCst);
    sleep(Duration::from_millis(30));
    assert_eq!(place.store.snapshots_by_session("s").unwrap().len(), 1);
}
