//! Criterion: the seven operations of the typed store of sessions, and its lists and searches, in each mode of the application's move.
//!
//! `cargo bench --bench stores`, or some of it: `cargo bench --bench stores -- dual/`. `WHIMBREL_BENCH_SESSIONS` says how many sessions there
//! are, 100 of them in each workspace; `WHIMBREL_BENCH_AT` in which folder: what is written is on its disk. For ten processes at once, with
//! P50, P95 and P99 against the documents' targets: `tests/projects/crowd.rs`.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use whimbrel::Migration;
use whimbrel::apps::sessions::{InstanceStatus, Message, Role, Session, SessionStore, SessionType, Workspace};
use whimbrel::endpoint::Endpoint;
use whimbrel::project::Project;
use whimbrel::store::{Mode, Place, Selection, modes, repair};

const SESSIONS: usize = 1_000;
const IN_WORKSPACE: usize = 100;
const HOME: &str = "/srv/app-0";

fn session(id: &str, number: usize) -> Session {
    let time = format!("2025-03-01T10:{:02}:{:02}.000Z", number / 60 % 60, number % 60);
    let instances = (0..3).map(|instance| {
        json!({
            "instanceId": instance, "worktreePath": format!("/w/{id}/{instance}"), "branch": format!("{id}-{instance}"),
            "agentName": "agent", "status": "running", "tmuxSessionId": format!("{id}-{instance}"), "output": "x".repeat(500),
            "startTime": time, "runtime": "claude",
        })
    });
    let messages = (0..10).map(|message| {
        json!({"id": format!("{id}-{message}"), "role": "assistant", "content": "y".repeat(300), "timestamp": time, "instanceId": message % 3})
    });
    let session_type = ["competition", "ensemble", "debate"][number % 3];
    let value = json!({
        "id": id, "type": session_type, "task": format!("Task number{number} of many"),
        "status": "running", "createdAt": time, "updatedAt": time, "instances": instances.collect::<Vec<_>>(),
        "chatHistory": messages.collect::<Vec<_>>(), "runtimeMix": ["claude"],
    });
    serde_json::from_value(value).expect("a session")
}

/// A store with that many sessions, files first.
fn prepared(folder: &Path, sessions: usize) -> SessionStore {
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sessions/layout.toml");
    let place = Place { layout, tree: folder.join("tree"), file: folder.join("sessions.db") };
    fs::create_dir_all(place.tree.join("sessions")).expect("the tree");
    let mut mapping = serde_json::Map::new();
    for number in 0..sessions.div_ceil(IN_WORKSPACE) {
        let workspace = Workspace::at(&format!("/srv/app-{number}")).expect("a workspace");
        let home = workspace.of_type(SessionType::Debate);
        mapping.insert(home.hash.clone(), home.path.clone().into());
        let all: Vec<Session> = (number * IN_WORKSPACE..sessions.min((number + 1) * IN_WORKSPACE))
            .map(|number| session(&format!("s{number}"), number))
            .collect();
        let path = place.tree.join(format!("sessions/{}.json", home.hash));
        fs::write(path, serde_json::to_vec_pretty(&all).expect("JSON")).expect("a file");
    }
    fs::write(place.tree.join("workspace_mapping.json"), serde_json::to_vec_pretty(&mapping).expect("JSON"))
        .expect("a file");
    let project = Project::load(place.layout.parent().expect("a folder")).expect("a project");
    let tree = Endpoint::Files(place.tree.clone());
    Migration::from_endpoint(tree).with_project(&project).to(&place.file).run_blocking().expect("the file");
    let bytes = fs::metadata(&place.file).expect("the file").len();
    println!("{sessions} sessions: {bytes} bytes of SQLite, {} for 1,000", bytes * 1_000 / sessions as u64);
    SessionStore::open(place).expect("a store")
}

/// Times what `run` does and not what `before` and `after` do.
fn timed(runs: u64, mut before: impl FnMut(u64), mut run: impl FnMut(u64), mut after: impl FnMut(u64)) -> Duration {
    let mut all = Duration::ZERO;
    for number in 0..runs {
        before(number);
        let start = Instant::now();
        run(number);
        all += start.elapsed();
        after(number);
    }
    all
}

fn stores(criterion: &mut Criterion) {
    let sessions = std::env::var("WHIMBREL_BENCH_SESSIONS").map_or(SESSIONS, |text| text.parse().expect("a number"));
    let folder = match std::env::var_os("WHIMBREL_BENCH_AT").map(PathBuf::from) {
        Some(at) => tempfile::tempdir_in(at),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder");
    let store = prepared(folder.path(), sessions);
    let file = folder.path().join("sessions.db");
    for mode in Mode::ALL {
        if mode != Mode::Files {
            repair::repair(store.store(), None, false).expect("a repair").ensure_whole(&file).expect("in step");
            let change = modes::set(store.store(), &Selection::All, mode, false).expect("a change");
            change.ensure_changed(&file).expect("both sides are equal");
            println!("mode {mode}: writers waited for {:.1} ms", change.pause_ms);
        }
        let mut group = criterion.benchmark_group(mode.word());
        group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        let create = |number: u64| drop(store.create(HOME, session(&format!("new-{number}"), 1)).expect("a session"));
        let delete = |number: u64| assert!(store.delete(HOME, &format!("new-{number}")).expect("it goes"));
        let nothing = |_: u64| {};
        group.bench_function("create", |bencher| bencher.iter_custom(|runs| timed(runs, nothing, create, delete)));
        group.bench_function("delete", |bencher| bencher.iter_custom(|runs| timed(runs, create, delete, nothing)));
        group.bench_function("update", |bencher| {
            let mut number = 0;
            bencher.iter(|| {
                number += 1;
                let whole = Session { task: format!("Task changed {number} times"), ..session("s7", 7) };
                store.update(HOME, whole).expect("a session")
            });
        });
        let said = |number: u64| Message {
            id: format!("said-{number}"),
            role: Role::User,
            content: "z".repeat(200),
            timestamp: "2025-03-02T00:00:00.000Z".to_owned(),
            instance_id: None,
            extra: serde_json::Map::new(),
        };
        group.bench_function("add message", |bencher| {
            let add = |number: u64| drop(store.add_message(HOME, "new-0", said(number)).expect("a message"));
            bencher.iter_custom(|runs| {
                create(0);
                let took = timed(runs, nothing, add, nothing);
                delete(0);
                took
            });
        });
        group.bench_function("set instance's status", |bencher| {
            let words = [InstanceStatus::Paused, InstanceStatus::Running];
            let mut number = 0;
            bencher.iter(|| {
                number += 1;
                store.set_instance_status(HOME, "s8", 1, words[number % 2]).expect("a status")
            });
        });
        group.bench_function("get", |bencher| bencher.iter(|| store.get(HOME, "s42").expect("a session")));
        group.bench_function("list of 100", |bencher| {
            bencher.iter(|| assert!(store.list(HOME).expect("a list").len() >= sessions.min(IN_WORKSPACE)));
        });
        group.bench_function("page of 20", |bencher| bencher.iter(|| store.page(HOME, None, 20).expect("a page")));
        group.bench_function("by type", |bencher| {
            bencher.iter(|| store.by_type(SessionType::Debate, 20).expect("a list"));
        });
        group.bench_function("search", |bencher| bencher.iter(|| store.search("number42 task", 20).expect("a search")));
        group.finish();
    }
}

criterion_group!(benches, stores);
criterion_main!(benches);
