//! The typed store of agents: every function, what it refuses, snapshots whose files are lost or another one's, ten agents at once.

use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use whimbrel::apps::agents::{
    Agent, AgentStatus, AgentStore, Category, ContextEventType, MemoryType, MessageType, MetricType, NewMessage,
    NewTask, Priority, Severity, StoreOptions, TaskStatus,
};
use whimbrel::error::Kind;

const MINUTE_MS: i64 = 60_000;

/// A store in a folder that goes away.
struct Home {
    folder: tempfile::TempDir,
    clock: Arc<AtomicI64>,
    store: AgentStore,
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let of_store = Arc::clone(&clock);
        let options =
            StoreOptions { clock: Arc::new(move || of_store.load(Ordering::SeqCst)), ..StoreOptions::default() };
        let store = AgentStore::open_with(folder.path().join("hive.db"), folder.path(), options).unwrap();
        for id in ["pm-1", "web-1"] {
            store.register(&agent(id)).unwrap();
        }
        Home { folder, clock, store }
    }

    fn snapshots(&self) -> PathBuf {
        self.folder.path().join("memory_snapshots")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.snapshots()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A connection that knows nothing of the store.
    fn stranger(&self) -> Connection {
        Connection::open(self.folder.path().join("hive.db")).unwrap()
    }
}

fn agent(id: &str) -> Agent {
    Agent {
        agent_id: id.to_owned(),
        agent_type: "a type of its own".to_owned(),
        status: AgentStatus::Idle,
        worktree_path: None,
        branch_name: Some("main".to_owned()),
        configuration: Some(json!({"model": "x"})),
    }
}

fn task(agent: &str, title: &str, priority: Priority) -> NewTask {
    NewTask {
        agent_id: agent.to_owned(),
        title: title.to_owned(),
        description: None,
        priority,
        estimated_duration: Some(30),
        parent_task_id: None,
        metadata: None,
    }
}

#[test]
fn agents_have_tasks_that_take_time() {
    let home = Home::new();
    let store = &home.store;
    store.register(&Agent { status: AgentStatus::Active, ..agent("pm-1") }).unwrap();
    let ids = |status| store.agents(status).unwrap().into_iter().map(|one| one.agent_id).collect::<Vec<_>>();
    assert_eq!(
        (ids(Some(AgentStatus::Active)), ids(None)),
        (vec!["pm-1".to_owned()], vec!["pm-1".to_owned(), "web-1".to_owned()])
    );
    store.set_agent_status("pm-1", AgentStatus::Sleeping).unwrap();
    assert!(store.set_agent_status("nobody", AgentStatus::Idle).is_err());
    for id in ["", "a/b", ".."] {
        let refused = store.register(&agent(id));
        assert!(id == ".." || refused.is_err_and(|error| error.kind() == Kind::Usage), "{id}");
    }

    let low = store.add_task(&task("web-1", "last", Priority::Low)).unwrap();
    let high = store
        .add_task(&NewTask { parent_task_id: Some(low.clone()), ..task("web-1", "first", Priority::High) })
        .unwrap();
    assert!(low.starts_with("task_web-1_2027") && low != high, "{low} {high}");
    let titles: Vec<_> =
        store.tasks("web-1", TaskStatus::Pending).unwrap().into_iter().map(|task| task.title).collect();
    assert_eq!(titles, ["first", "last"]);
    assert!(store.add_task(&task("nobody", "x", Priority::Low)).is_err());
    assert_eq!(store.add_task(&task("web-1", "", Priority::Low)).unwrap_err().kind(), Kind::Usage);

    store.set_task_status(&high, TaskStatus::InProgress, Some(0.5)).unwrap();
    home.clock.fetch_add(7 * MINUTE_MS, Ordering::SeqCst);
    store.set_task_status(&high, TaskStatus::Completed, None).unwrap();
    let done = store.tasks("web-1", TaskStatus::Completed).unwrap().remove(0);
    assert_eq!((done.actual_duration, done.confidence_score, done.parent_task_id), (Some(7), Some(0.5), Some(low)));
    assert_eq!(store.set_task_status(&high, TaskStatus::Failed, Some(1.5)).unwrap_err().kind(), Kind::Usage);
    assert!(store.set_task_status("nothing", TaskStatus::Failed, None).is_err());
}

#[test]
fn a_context_that_is_nearly_full_is_consolidated_with_its_event_and_snapshot() {
    let home = Home::new();
    let store = &home.store;
    let context = store.open_context("web-1", &json!({"goal": "a"})).unwrap();
    assert_eq!((context.max_tokens, context.is_active), (200_000, true));
    assert!(context.session_id.starts_with("ctx_web-1_2027"), "{}", context.session_id);
    // Within one second, the next one gets another id.
    let second = store.open_context("web-1", &json!({})).unwrap();
    assert_ne!(second.session_id, context.session_id);
    assert!(store.open_context("nobody", &json!({})).is_err());

    let id = &context.session_id;
    assert_eq!(store.use_context(id, &json!({"goal": "b"}), 100_000).unwrap(), None);
    let used = store.context(id).unwrap().unwrap();
    assert_eq!((used.usage_percent, used.token_count), (50.0, 100_000));
    let full = json!({"z": 1, "a": {"y": [1, {"c": 1, "b": 2}], "x": "ü"}});
    let done = store.use_context(id, &full, 500_000).unwrap().unwrap();
    assert_eq!(done.usage_percent, 100.0);
    assert_eq!(store.snapshot_content(&done.snapshot_id).unwrap(), full);
    let after = store.context(id).unwrap().unwrap();
    assert_eq!((after.usage_percent, after.token_count), (0.0, 0));
    assert_eq!(after.context_data.unwrap()["consolidated_into"], done.snapshot_id);
    assert_eq!(store.context_events(id, ContextEventType::Consolidation).unwrap(), 1);
    let snapshot = store.snapshots(id).unwrap().remove(0);
    assert_eq!((snapshot.memory_type, &snapshot.snapshot_id), (MemoryType::Consolidated, &done.snapshot_id));
    // Its keys are sorted, as the application writes them.
    let text = fs::read_to_string(home.snapshots().join(format!("{}.json", done.snapshot_id))).unwrap();
    assert!(text.find("\"a\"") < text.find("\"z\"") && text.find("\"b\"") < text.find("\"c\""), "{text}");

    store.close_context(id).unwrap();
    assert!(store.use_context(id, &json!({}), 1).is_err() && store.use_context("none", &json!({}), 199_999).is_err());
    assert_eq!(store.use_context(&second.session_id, &json!({}), -1).unwrap_err().kind(), Kind::Usage);
    assert_eq!(store.contexts("web-1").unwrap().len(), 1);
    assert_eq!(home.names().len(), 1, "nothing is left of what was refused");
}

#[test]
fn a_snapshot_whose_file_is_lost_or_another_one_is_told_and_orphans_go() {
    let home = Home::new();
    let store = &home.store;
    let context = store.open_context("pm-1", &json!({})).unwrap().session_id;
    let kept = store.save_snapshot(&context, MemoryType::Critical, &json!({"n": 1}), 1.0).unwrap();
    let lost = store.save_snapshot(&context, MemoryType::Working, &json!({"n": 2}), 0.1).unwrap();
    let changed = store.save_snapshot(&context, MemoryType::Working, &json!({"n": 3}), 0.2).unwrap();
    let file = |id: &str| home.snapshots().join(format!("{id}.json"));
    fs::remove_file(file(&lost.snapshot_id)).unwrap();
    fs::write(file(&changed.snapshot_id), "{}").unwrap();
    assert_eq!(store.snapshot_content(&kept.snapshot_id).unwrap(), json!({"n": 1}));
    for (snapshot, cause) in [(&lost, "cannot be read"), (&changed, "not the one that was written")] {
        let error = store.snapshot_content(&snapshot.snapshot_id).unwrap_err();
        assert!(error.kind() == Kind::Differs && error.cause().contains(cause), "{error}");
    }
    let ids: Vec<_> = store.snapshots(&context).unwrap().into_iter().map(|one| one.snapshot_id).collect();
    assert_eq!(ids, [kept.snapshot_id.clone(), changed.snapshot_id, lost.snapshot_id]);
    assert_eq!(store.save_snapshot(&context, MemoryType::Working, &json!(1), 1.1).unwrap_err().kind(), Kind::Usage);
    assert!(store.save_snapshot("nothing", MemoryType::Working, &json!(1), 1.0).is_err());
    assert_eq!(home.names().len(), 2, "{:?}", home.names());

    // What a killed run has left, and what is none of it.
    fs::write(file("snap_of_nobody"), "12345").unwrap();
    fs::write(home.snapshots().join(".whimbrel-young"), "").unwrap();
    fs::write(home.snapshots().join("README"), "").unwrap();
    let old = fs::File::create(home.snapshots().join(".whimbrel-old")).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let collected = store.collect_orphans().unwrap();
    assert_eq!(
        (collected.files, collected.bytes),
        (vec![".whimbrel-old".to_owned(), "snap_of_nobody.json".to_owned()], 5)
    );
    store.delete_snapshot(&kept.snapshot_id).unwrap();
    assert!(store.delete_snapshot(&kept.snapshot_id).is_err() && !file(&kept.snapshot_id).exists());

    // A path that leads out is not followed.
    let sql = "UPDATE memory_snapshots SET content_path = '../../etc/passwd'";
    home.stranger().execute(sql, []).unwrap();
    let error = store.snapshot_content(&ids[1]).unwrap_err();
    assert!(error.cause().contains("leads out"), "{error}");
}

#[test]
fn a_message_is_given_once_and_a_setting_has_one_value_for_all() {
    let home = Home::new();
    let store = &home.store;
    let send = |content: &str, priority: i64| {
        let message = NewMessage {
            from_agent: "pm-1".to_owned(),
            to_agent: "web-1".to_owned(),
            message_type: MessageType::Command,
            content: content.to_owned(),
            priority,
        };
        store.send(&message).unwrap()
    };
    let (first, second) = (send("usual", 5), send("urgent", 9));
    assert!(store.acknowledge(&first).is_err(), "nobody has got it yet");
    let received = store.receive("web-1").unwrap();
    let told: Vec<_> = received.iter().map(|one| (one.message_id.as_str(), one.content.as_deref())).collect();
    assert_eq!(told, [(second.as_str(), Some("urgent")), (first.as_str(), Some("usual"))]);
    assert_eq!(store.receive("web-1").unwrap(), []);
    store.acknowledge(&first).unwrap();

    let key = (Category::System, "log_level");
    let get = |agent: Option<&str>| store.setting(agent, key.0, key.1).unwrap();
    assert_eq!(get(None), None);
    store.set_setting(None, key, &json!("info"), Some("pm-1")).unwrap();
    store.set_setting(None, key, &json!("debug"), None).unwrap();
    assert_eq!((get(None), get(Some("web-1"))), (Some(json!("debug")), Some(json!("debug"))));
    store.set_setting(Some("web-1"), key, &Value::Null, None).unwrap();
    assert_eq!((get(Some("web-1")), get(Some("pm-1"))), (Some(Value::Null), Some(json!("debug"))));
    let rows: i64 = home.stranger().query_row("SELECT count(*) FROM configurations", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2);
    assert!(store.set_setting(Some("nobody"), key, &json!(1), None).is_err());

    store.log(Some("web-1"), ("build", Severity::Error), "it broke", (Some(&json!({"line": 3})), Some("c-1"))).unwrap();
    store.log(None, ("build", Severity::Info), "it went on", (None, None)).unwrap();
    let events = store.events(Severity::Error, 10).unwrap();
    assert_eq!(
        (events.len(), events[0].details.clone(), events[0].correlation_id.as_deref()),
        (1, Some(json!({"line": 3})), Some("c-1"))
    );
    store.measure(("web-1", None), MetricType::Quality, (0.5, None), None).unwrap();
    store.measure(("web-1", None), MetricType::Quality, (1.0, Some("share")), Some(&json!([]))).unwrap();
    assert_eq!(store.mean("web-1", MetricType::Quality).unwrap(), (2, Some(0.75)));
    assert_eq!(store.mean("pm-1", MetricType::Quality).unwrap(), (0, None));
    assert!(store.measure(("web-1", None), MetricType::Quality, (f64::NAN, None), None).is_err());
}

#[test]
fn ten_agents_work_at_once_and_nothing_is_lost() {
    const EACH: u32 = 12;
    let home = Home::new();
    std::thread::scope(|scope| {
        for number in 0..10 {
            let store = AgentStore::open(home.folder.path().join("hive.db"), home.folder.path()).unwrap();
            scope.spawn(move || {
                let id = format!("agent-{number}");
                store.register(&agent(&id)).unwrap();
                let context = store.open_context(&id, &json!({})).unwrap().session_id;
                for turn in 0..EACH {
                    store.add_task(&task(&id, "work", Priority::Medium)).unwrap();
                    store.measure((&id, None), MetricType::Duration, (f64::from(turn), Some("s")), None).unwrap();
                    let full = if turn % 4 == 3 { 190_000 } else { 10 };
                    store.use_context(&context, &json!({ "turn": turn }), full).unwrap();
                    store.collect_orphans().unwrap();
                }
                assert_eq!(store.tasks(&id, TaskStatus::Pending).unwrap().len() as u32, EACH);
                let snapshots = store.snapshots(&context).unwrap();
                assert_eq!(snapshots.len() as u32, EACH / 4);
                for snapshot in snapshots {
                    store.snapshot_content(&snapshot.snapshot_id).unwrap();
                }
            });
        }
    });
    assert_eq!(home.names().len() as u32, 10 * EACH / 4);
}

/// Each type has the words of its column, and no other.
#[test]
fn the_words_are_those_of_the_schema() {
    let home = Home::new();
    let stranger = home.stranger();
    let words = |table: &str, column: &str| -> Vec<String> {
        let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1";
        let definition: String = stranger.query_row(sql, [table], |row| row.get(0)).unwrap();
        let list = definition.split(&format!("CHECK ({column} IN (")).nth(1).unwrap().split(')').next().unwrap();
        list.split(", ").map(|word| word.trim_matches('\'').to_owned()).collect()
    };
    macro_rules! held {
        ($($type:ident: $table:literal, $column:literal;)+) => {$(
            let own: Vec<_> = $type::ALL.iter().map(|one| one.word().to_owned()).collect();
            assert_eq!(own, words($table, $column), "{}", stringify!($type));
        )+};
    }
    held! {
        AgentStatus: "agents", "status";
        TaskStatus: "tasks", "status";
        Priority: "tasks", "priority";
        MessageType: "agent_messages", "message_type";
        MemoryType: "memory_snapshots", "memory_type";
        ContextEventType: "context_events", "event_type";
        MetricType: "performance_metrics", "metric_type";
        Category: "configurations", "category";
        Severity: "events", "severity";
    }
}
