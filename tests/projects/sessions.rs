//! The typed store of sessions: the same scenario in every mode, what each operation refuses, and the files that it leaves.

use crate::moved::migrated;
use serde_json::{Map, Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use whimbrel::apps::sessions::{
    ArchivedJson, Instance, InstanceStatus, KEPT_DAYS, Message, PageKey, Role, Runtime, Session, SessionStatus,
    SessionStore, SessionType, Workspace,
};
use whimbrel::backup::restore::{RestoreOptions, Which, restore};
use whimbrel::cancel::Cancel;
use whimbrel::error::Kind;
use whimbrel::schema::{Runner, RunnerOptions, To};
use whimbrel::store::{Mode, Place, Selection, modes, repair};

const NOWHERE: &str = "/srv/app";
const OTHER: &str = "/srv/other/";

/// A store in a folder that goes away.
struct Home {
    folder: tempfile::TempDir,
    place: Place,
    store: SessionStore,
}

impl Home {
    fn new(mode: Mode) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("sessions")).unwrap();
        fs::write(tree.join("workspace_mapping.json"), "{}").unwrap();
        let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sessions/layout.toml");
        let place = Place { layout, tree, file: folder.path().join("sessions.db") };
        // Each question is a second later.
        let clock = AtomicI64::new(1_800_000_000_000);
        let store =
            SessionStore::open_with(place.clone(), Arc::new(move || clock.fetch_add(1_000, Ordering::SeqCst))).unwrap();
        if mode != Mode::Files {
            migrated(&place);
        }
        for step in Mode::ALL.into_iter().filter(|step| *step != Mode::Files && *step <= mode) {
            modes::set(store.store(), &Selection::All, step, false).unwrap().ensure_changed(&place.file).unwrap();
        }
        assert_eq!(store.store().modes().unwrap().only(), Some(mode));
        Home { folder, place, store }
    }

    fn file_of(&self, hash: &str) -> PathBuf {
        self.place.tree.join(format!("sessions/{hash}.json"))
    }
}

fn time(number: u32) -> String {
    format!("2025-03-01T10:{:02}:{:02}.000Z", number / 60, number % 60)
}

pub fn session(id: &str, session_type: SessionType, number: u32) -> Session {
    let instance = |instance_id: u32| Instance {
        instance_id,
        worktree_path: format!("/w/{id}/{instance_id}"),
        branch: format!("{id}-{instance_id}"),
        agent_name: "agent".to_owned(),
        status: InstanceStatus::Idle,
        tmux_session_id: format!("t-{id}-{instance_id}"),
        output: Some("ünïcode\n\u{1f426}".to_owned()),
        start_time: Some(time(number)),
        end_time: None,
        files_changed: Some(i64::from(number)),
        lines_added: None,
        lines_deleted: None,
        runtime: Some(Runtime::Codex),
        model: None,
        runtime_label: None,
        extra: Map::from_iter([("testsPassed".to_owned(), json!(number))]),
    };
    Session {
        id: id.to_owned(),
        session_type,
        task: format!("Task of {id} number {number}"),
        status: SessionStatus::Running,
        created_at: time(number),
        updated_at: time(number),
        completed_at: None,
        instances: vec![instance(0), instance(1)],
        chat_history: vec![message(&format!("{id}-m0"), number, Some(1))],
        model: Some("sonnet".to_owned()),
        timeout_seconds: Some(0),
        preserve_worktrees: Some(false),
        winner_id: None,
        runtime_mix: Some(vec!["claude".to_owned(), "codex".to_owned()]),
        total_duration: Some(u64::from(number)),
        total_files_changed: None,
        total_lines_added: None,
        total_lines_deleted: None,
        extra: Map::from_iter([("evaluation".to_owned(), json!({"score": 0.5}))]),
    }
}

pub fn message(id: &str, number: u32, instance_id: Option<u32>) -> Message {
    Message {
        id: id.to_owned(),
        role: Role::Assistant,
        content: "x".repeat(10_001),
        timestamp: time(number),
        instance_id,
        extra: Map::new(),
    }
}

fn ids<'s>(sessions: impl IntoIterator<Item = &'s Session>) -> Vec<String> {
    sessions.into_iter().map(|session| session.id.clone()).collect()
}

/// What an application does in a day; everything that it sees.
fn scenario(store: &SessionStore) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut see = |what: &str, value: Value| seen.push(json!({ what: value }));
    for number in 0..5 {
        let made = store.create(NOWHERE, session(&format!("comp-{number}"), SessionType::Competition, number)).unwrap();
        see("created", serde_json::to_value(made).unwrap());
    }
    store.create(OTHER, session("deb-0", SessionType::Debate, 30)).unwrap();
    store.create(OTHER, session("ens-0", SessionType::Ensemble, 20)).unwrap();
    see("both hashes", json!(ids(&store.list(OTHER).unwrap())));
    let again = store.create(NOWHERE, session("comp-1", SessionType::Ensemble, 9)).unwrap_err();
    see("an id twice", json!(again.to_string()));

    let changed = store.add_message(NOWHERE, "comp-1", message("new", 59, Some(0))).unwrap();
    see("message", serde_json::to_value(&changed).unwrap());
    let changed = store.set_instance_status(NOWHERE, "comp-0", 1, InstanceStatus::Archived).unwrap();
    see("status", serde_json::to_value(&changed).unwrap());
    see("list", serde_json::to_value(store.list(NOWHERE).unwrap()).unwrap());
    for error in [
        store.add_message(NOWHERE, "comp-1", message("new", 1, None)).unwrap_err(),
        store.add_message(NOWHERE, "comp-1", message("newer", 1, Some(7))).unwrap_err(),
        store.add_message(NOWHERE, "nobody", message("newer", 1, None)).unwrap_err(),
        store.set_instance_status(NOWHERE, "comp-1", 9, InstanceStatus::Paused).unwrap_err(),
        store.set_instance_status(OTHER, "comp-1", 0, InstanceStatus::Paused).unwrap_err(),
        store.update(NOWHERE, session("nobody", SessionType::Debate, 1)).unwrap_err(),
        store.create(" ", session("blank", SessionType::Debate, 1)).unwrap_err(),
    ] {
        see("refused", json!(error.to_string()));
    }

    // As a whole: an instance goes, and what was said of it goes with it or speaks of nobody.
    let mut whole = session("comp-2", SessionType::Integration, 2);
    whole.instances.remove(0);
    whole.instances[0].status = InstanceStatus::Failed;
    whole.chat_history = vec![message("m-b", 8, None), message("m-a", 7, Some(1))];
    whole.status = SessionStatus::Completed;
    whole.completed_at = Some(time(40));
    whole.winner_id = Some(1);
    whole.updated_at = time(45);
    see("updated", serde_json::to_value(store.update(NOWHERE, whole).unwrap()).unwrap());
    see("got", serde_json::to_value(store.get(NOWHERE, "comp-2").unwrap()).unwrap());
    see("of another workspace", json!(store.get(OTHER, "comp-2").unwrap()));

    see("deleted", json!([store.delete(NOWHERE, "comp-3").unwrap(), store.delete(NOWHERE, "comp-3").unwrap()]));
    see("newest first", json!(ids(&store.list(NOWHERE).unwrap())));
    see("blank", json!(store.list("").unwrap()));
    let mut after: Option<PageKey> = None;
    loop {
        let page = store.page(NOWHERE, after.as_ref(), 2).unwrap();
        see("page", serde_json::to_value(&page).unwrap());
        match page.last() {
            Some(last) if page.len() == 2 => after = Some(last.into()),
            _ => break,
        }
    }
    for words in ["task comp", "NUMBER 4", "nothing", ""] {
        see(words, serde_json::to_value(store.search(words, 10).unwrap()).unwrap());
    }
    see("by type", serde_json::to_value(store.by_type(SessionType::Competition, 2).unwrap()).unwrap());
    let statistics = store.statistics().unwrap();
    see("counts", json!([statistics.session_count, statistics.instance_count, statistics.message_count]));
    store.optimize().unwrap();
    see("sound", json!(store.is_sound().unwrap()));
    if let Some(found) = store.validate().unwrap() {
        assert!(found.is_valid(), "{found:?}");
    }
    seen
}

#[test]
fn the_same_scenario_passes_in_every_mode() {
    let mut first: Option<Vec<Value>> = None;
    for mode in Mode::ALL {
        let home = Home::new(mode);
        let seen = scenario(&home.store);
        match &first {
            None => first = Some(seen),
            Some(first) => {
                for (here, there) in seen.iter().zip(first) {
                    assert_eq!(here, there, "{}", mode.word());
                }
                assert_eq!(seen.len(), first.len());
            }
        }
        // Another process sees the same.
        let other = SessionStore::open(home.place.clone()).unwrap();
        assert_eq!(other.list(NOWHERE).unwrap(), home.store.list(NOWHERE).unwrap());
        drop(home.folder);
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/projects");
    settings.set_prepend_module_to_snapshot(false);
    // Ten thousand times the same letter say as much.
    let text = serde_json::to_string_pretty(&first).unwrap().replace(&"x".repeat(10_001), "[10,001 x]");
    settings.bind(|| insta::assert_snapshot!("sessions_scenario", text));
}

#[test]
fn a_session_keeps_its_place_through_all_phases_and_back() {
    let home = Home::new(Mode::Files);
    for number in 0..4 {
        home.store.create(NOWHERE, session(&format!("comp-{number}"), SessionType::Competition, number)).unwrap();
    }
    home.store.create(OTHER, session("deb-0", SessionType::Debate, 30)).unwrap();
    let [listed, others] = [NOWHERE, OTHER].map(|workspace| home.store.list(workspace).unwrap());
    let hash = Workspace::at(NOWHERE).unwrap().hashes()[0].to_owned();
    let bytes = fs::read(home.file_of(&hash)).unwrap();
    migrated(&home.place);
    for mode in [Mode::Dual, Mode::SqlitePrimary, Mode::Sqlite, Mode::SqlitePrimary, Mode::Dual, Mode::Files] {
        modes::set(home.store.store(), &Selection::All, mode, false).unwrap().ensure_changed(&home.place.file).unwrap();
        assert_eq!(home.store.store().modes().unwrap().only(), Some(mode));
        assert_eq!(home.store.list(NOWHERE).unwrap(), listed, "{}", mode.word());
        assert_eq!(home.store.list(OTHER).unwrap(), others, "{}", mode.word());
    }
    assert!(fs::read(home.file_of(&hash)).unwrap() == bytes);
}

#[test]
fn files_are_those_of_the_application() {
    let home = Home::new(Mode::Files);
    let real = home.folder.path().canonicalize().unwrap().join("project");
    fs::create_dir(&real).unwrap();
    let link = home.folder.path().join("link");
    symlink(&real, &link).unwrap();
    let (real, link) = (real.to_string_lossy().into_owned(), link.to_string_lossy().into_owned());
    home.store.create(&link, session("comp-0", SessionType::Competition, 1)).unwrap();
    home.store.create(&link, session("deb-0", SessionType::Debate, 2)).unwrap();
    let [resolved, as_given] = [real.as_str(), link.as_str()].map(|path| {
        let workspace = Workspace::at(path).unwrap();
        workspace.of_type(SessionType::Debate).hash.clone()
    });
    let of = |hash: &str| -> Vec<Value> { serde_json::from_slice(&fs::read(home.file_of(hash)).unwrap()).unwrap() };
    assert_eq!((of(&resolved).len(), of(&resolved)[0]["id"].clone()), (1, json!("comp-0")));
    assert_eq!((of(&as_given).len(), of(&as_given)[0]["id"].clone()), (1, json!("deb-0")));
    let mapping = fs::read_to_string(home.place.tree.join("workspace_mapping.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&mapping).unwrap(), json!({ resolved.clone(): real, as_given: link }));
    // What the application would have written, key by key.
    let written = fs::read_to_string(home.file_of(&resolved)).unwrap();
    let expected = serde_json::to_string_pretty(&[session("comp-0", SessionType::Competition, 1)]).unwrap();
    assert_eq!(written, expected);
    // Through the link, both are there; through the path itself, the debate of the link is not.
    assert_eq!(ids(&home.store.list(&link).unwrap()), ["deb-0", "comp-0"]);
    assert_eq!(ids(&home.store.list(&real).unwrap()), ["comp-0"]);
}

#[test]
fn what_is_wrong_is_refused_before_anything_is_written() {
    let home = Home::new(Mode::Files);
    let refused = |change: &dyn Fn(&mut Session), field: &str| {
        let mut wrong = session("comp-0", SessionType::Competition, 1);
        change(&mut wrong);
        let error = home.store.create(NOWHERE, wrong).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        assert!(error.object().contains(&format!("field `{field}`")), "{error}");
    };
    refused(&|session| session.id.clear(), "id");
    refused(&|session| session.created_at.clear(), "createdAt");
    refused(&|session| session.total_duration = Some(u64::MAX), "totalDuration");
    refused(&|session| session.instances[1].instance_id = 0, "instances");
    refused(&|session| session.winner_id = Some(5), "winnerId");
    refused(&|session| session.chat_history[0].instance_id = Some(5), "chatHistory.instanceId");
    refused(&|session| session.chat_history.push(session.chat_history[0].clone()), "chatHistory");
    assert_eq!(fs::read_dir(home.place.tree.join("sessions")).unwrap().count(), 0);
}

#[test]
fn the_json_is_archived_after_the_last_phase_and_comes_back_from_there() {
    let home = Home::new(Mode::SqlitePrimary);
    let set = |mode: Mode| {
        let store = home.store.store();
        repair::repair(store, None, false).unwrap().ensure_whole(&home.place.file).unwrap();
        modes::set(store, &Selection::All, mode, false).unwrap().ensure_changed(&home.place.file).unwrap();
    };
    home.store.create(NOWHERE, session("comp-0", SessionType::Competition, 1)).unwrap();
    home.store.create(OTHER, session("deb-0", SessionType::Debate, 1)).unwrap();
    let refused = home.store.archive_json(KEPT_DAYS).unwrap_err();
    assert!(refused.cause().contains("files are still kept"), "{refused}");
    set(Mode::Sqlite);
    home.store.create(NOWHERE, session("comp-1", SessionType::Competition, 2)).unwrap();
    let files = || fs::read_dir(home.place.tree.join("sessions")).unwrap().count();
    assert_eq!(files(), 2);
    let archived = home.store.archive_json(KEPT_DAYS).unwrap();
    assert_eq!((archived.files.len(), archived.removed_ids.len(), files()), (2, 0, 0));
    assert!(archived.archive_id.is_some());
    assert_eq!(ids(&home.store.list(NOWHERE).unwrap()), ["comp-1", "comp-0"]);
    // There is nothing more to do, and the archive is young.
    assert_eq!(home.store.archive_json(KEPT_DAYS).unwrap(), ArchivedJson::default());

    let (archives, flag) = (home.store.archives(), Cancel::new().flag());
    let options = RestoreOptions { directory: Some(&archives), wait_ms: 1_000, cancel: &flag };
    restore(&home.place.tree, &Which::Newest, options).unwrap();
    assert_eq!(files(), 2);
    // What rows have got since comes with the step back.
    set(Mode::SqlitePrimary);
    set(Mode::Dual);
    assert_eq!(ids(&home.store.list(NOWHERE).unwrap()), ["comp-1", "comp-0"]);
    assert_eq!(ids(&home.store.list(OTHER).unwrap()), ["deb-0"]);
    set(Mode::SqlitePrimary);
    set(Mode::Sqlite);
    // Nobody keeps what is older than no day; the one that is taken now stays.
    let again = home.store.archive_json(0).unwrap();
    assert!(again.removed_ids.contains(&archived.archive_id.unwrap()), "{again:?}");
    assert!(!again.removed_ids.contains(&again.archive_id.clone().unwrap()), "{again:?}");
}

/// As the application has it: a file that is not there, and one without anything in it, are empty lists.
#[test]
fn a_blank_file_has_no_sessions() {
    for mode in [Mode::Files, Mode::Dual] {
        let home = Home::new(mode);
        let hash = Workspace::at(NOWHERE).unwrap().hashes()[0].to_owned();
        assert_eq!(home.store.list(NOWHERE).unwrap(), []);
        fs::write(home.file_of(&hash), "\n").unwrap();
        assert_eq!(home.store.list(NOWHERE).unwrap(), []);
        home.store.create(NOWHERE, session("comp-0", SessionType::Competition, 1)).unwrap();
        assert_eq!(ids(&home.store.list(NOWHERE).unwrap()), ["comp-0"]);
    }
}

/// Ten at once, each adding to the same session: nothing is lost.
#[test]
fn messages_of_many_writers_are_all_there() {
    const WRITERS: u32 = 10;
    const EACH: u32 = 8;
    for mode in Mode::ALL {
        let home = Home::new(mode);
        home.store.create(NOWHERE, session("comp-0", SessionType::Competition, 1)).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let store = SessionStore::open(home.place.clone()).unwrap();
                scope.spawn(move || {
                    for number in 0..EACH {
                        let said = message(&format!("w{writer}-{number}"), number, None);
                        store.add_message(NOWHERE, "comp-0", Message { content: "said".to_owned(), ..said }).unwrap();
                    }
                });
            }
        });
        let found = home.store.get(NOWHERE, "comp-0").unwrap().unwrap();
        assert_eq!(found.chat_history.len() as u32, WRITERS * EACH + 1, "{}", mode.word());
    }
}

/// The document's own figure: a thousand sessions, each with three instances and ten messages of a few lines.
#[test]
fn a_thousand_sessions_are_smaller_than_ten_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions.db");
    let mut runner = Runner::open_file(&file, SessionStore::migrations().unwrap(), RunnerOptions::default()).unwrap();
    runner.up(To::Newest).unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .execute_batch(
            "PRAGMA synchronous = OFF; BEGIN;
             INSERT INTO workspaces (hash, path) VALUES ('0123456789abcdef', '/srv/app');
             INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at, model, runtime_mix)
               WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
               SELECT 'comp-' || (1736769600000 + n), '0123456789abcdef', 'competition',
                      'Implement feature number ' || n || ' with tests and documentation', 'completed',
                      '2025-01-13T12:00:00.000Z', '2025-01-13T12:00:00.000Z', 'sonnet', '[\"claude\",\"codex\"]' FROM n;
             INSERT INTO instances (session_id, instance_id, worktree_path, branch, agent_name, status, tmux_session_id, output)
               SELECT sessions.id, value, '/srv/app/.worktrees/' || sessions.id || '-' || value, 'competition/' || sessions.id || '-' || value, 'agent',
                      'completed', 'tmux-' || sessions.id || '-' || value, hex(zeroblob(100)) FROM sessions, json_each('[0,1,2]');
             INSERT INTO chat_messages (id, session_id, instance_id, role, content, timestamp)
               SELECT 'msg-' || sessions.rowid || '-' || value, sessions.id, value % 3, 'assistant', hex(randomblob(150)), '2025-01-13T12:00:00.000Z'
               FROM sessions, json_each('[0,1,2,3,4,5,6,7,8,9]');
             COMMIT",
        )
        .unwrap();
    let bytes: i64 = connection
        .query_row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", [], |row| row.get(0))
        .unwrap();
    println!("1,000 sessions, 3,000 instances, 10,000 messages: {bytes} bytes");
    assert!(bytes < 10_000_000, "{bytes}");
}
