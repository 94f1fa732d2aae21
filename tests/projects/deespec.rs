//! The typed store of specifications: the same scenario in every mode of both forms of the tree, the version of the state, its lease.

use crate::moved::migrated;
use crate::support::child;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::sleep;
use std::time::Duration;
use whimbrel::apps::deespec::{
    Decision, DeespecStore, Entry, Form, LEASE_MS, Run, Status, Step, Task, cut_over, step_back,
};
use whimbrel::store::{Mode, Place, Selection, modes};

/// A store in a folder that goes away.
struct Home {
    folder: tempfile::TempDir,
    place: Place,
    clock: Arc<AtomicI64>,
    store: DeespecStore,
}

const SETTING: &str = "{\n  \"home\": \".deespec\",\n  \"timeout_sec\": 900,\n  \"workflow\": \"\"\n}\n";
const STATE: &str = "{\n  \"version\": 1,\n  \"current\": \"plan\",\n  \"turn\": 0,\n  \"inputs\": {\"todo\": \"\"},\n  \"artifacts_dir\": \"a\"\n}\n";

fn place(folder: &Path, form: Form) -> Place {
    let layout = match form {
        Form::Application => "migrations/deespec/layout.toml",
        Form::Document => "migrations/deespec/document/layout.toml",
    };
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join(layout);
    Place { layout, tree: folder.join("tree"), file: folder.join("deespec.db") }
}

impl Home {
    fn new(form: Form, mode: Mode) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path(), form);
        let tree = &place.tree;
        fs::create_dir_all(tree.join("specs/sbi")).unwrap();
        fs::write(tree.join("setting.json"), SETTING).unwrap();
        match form {
            Form::Application => {
                fs::create_dir_all(tree.join("var")).unwrap();
                fs::write(tree.join("var/state.json"), STATE).unwrap();
            }
            Form::Document => fs::write(tree.join("workflow.json"), "{\"steps\": []}").unwrap(),
        }
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let of_store = Arc::clone(&clock);
        let store = DeespecStore::open_with(place.clone(), Arc::new(move || of_store.load(Ordering::SeqCst))).unwrap();
        if mode != Mode::Files {
            migrated(&place);
        }
        for step in Mode::ALL.into_iter().filter(|step| *step != Mode::Files && *step <= mode) {
            modes::set(store.store(), &Selection::All, step, false).unwrap().ensure_changed(&place.file).unwrap();
        }
        assert_eq!(store.store().modes().unwrap().only(), Some(mode));
        Home { folder, place, clock, store }
    }
}

fn task(id: &str, priority: i64) -> Task {
    Task {
        id: id.to_owned(),
        spec: Some(format!("# {id}\n\nWhat is to be done.\n")),
        title: Some(format!("Title of {id}")),
        task_id: None,
        priority,
        status: Status::Ready,
        created_at: "2025-10-03T00:00:00Z".to_owned(),
        updated_at: "2025-10-03T00:00:00Z".to_owned(),
        completed_at: None,
        extra: Map::from_iter([("labels".to_owned(), json!(["a", "b"])), ("por".to_owned(), json!(7))]),
    }
}

fn run(task: &str, turn: u32, step: Step) -> Run {
    Run {
        sbi_id: task.to_owned(),
        turn,
        step,
        attempt: 1,
        content: Some(format!("## {step} in turn {turn}\n")),
        status: None,
        started_at: None,
    }
}

fn line(turn: u32, decision: &str) -> Entry {
    let said = json!({"turn": turn, "step": "review", "decision": decision, "elapsed_ms": 12, "error": "", "artifacts": ["a.md"]});
    let Value::Object(said) = said else { unreachable!() };
    Entry { ts: format!("2025-10-03T00:00:{turn:02}Z"), said }
}

fn scenario(home: &Home) -> Vec<Value> {
    let store = &home.store;
    let mut seen = Vec::new();
    let mut see = |what: &str, value: Value| seen.push(json!({ what: value }));
    for (id, priority) in [("SBI-TX-001", 1), ("SBI-TX-002", 5), ("SBI-TX-003", 5)] {
        store.create_task(task(id, priority)).unwrap();
    }
    see("twice", json!(store.create_task(task("SBI-TX-001", 1)).unwrap_err().to_string()));
    see("no id", json!(store.create_task(task("TX-001", 1)).unwrap_err().to_string()));
    see("tasks", serde_json::to_value(store.tasks(Some(Status::Ready)).unwrap()).unwrap());
    store
        .change_task("SBI-TX-001", |task| {
            task.priority = 9;
            task.title = Some("yes: no".to_owned());
            Ok(())
        })
        .unwrap();
    see("changed", serde_json::to_value(store.task("SBI-TX-001").unwrap()).unwrap());
    see("nobody", json!(store.task("SBI-TX-009").unwrap()));

    for (turn, step) in [(3, Step::Implement), (3, Step::Review), (7, Step::Implement), (8, Step::Done)] {
        store.record_run(&run("SBI-TX-002", turn, step)).unwrap();
    }
    let again = Run { content: Some("better\n".to_owned()), ..run("SBI-TX-002", 3, Step::Review) };
    store.record_run(&again).unwrap();
    store.record_run(&Run { attempt: 2, ..run("SBI-TX-002", 3, Step::Review) }).unwrap();
    let runs = store.runs("SBI-TX-002").unwrap();
    let told = runs.iter().map(|run| json!([run.turn, run.step, run.attempt, run.content]));
    see("runs", told.collect());

    for (turn, decision) in [(1, "NEEDS_CHANGES"), (2, "OK")] {
        see("line", json!(store.append(&line(turn, decision)).unwrap()));
    }
    see("journal", serde_json::to_value(store.journal().unwrap()).unwrap());

    store.set_setting("storage_mode", json!("dual")).unwrap();
    store.set_setting("timeout_sec", json!(60)).unwrap();
    see(
        "settings",
        json!([store.setting("storage_mode").unwrap(), store.setting("home").unwrap(), store.setting("x").unwrap()]),
    );

    let first = store.state().unwrap().unwrap();
    let mut leased = store.lease("SBI-TX-002").unwrap();
    see("leased", serde_json::to_value(&leased).unwrap());
    see("stale", json!(store.save_state(first).unwrap_err().cause()));
    see("held", json!(store.lease("SBI-TX-003").unwrap_err().cause()));
    leased.advance(Decision::Pending, 3);
    let mut saved = store.save_state(leased).unwrap();
    home.clock.fetch_add(LEASE_MS + 1, Ordering::SeqCst);
    saved = store.lease(if saved.wip.is_empty() { "SBI-TX-001" } else { "SBI-TX-003" }).unwrap();
    see("over", serde_json::to_value(&saved).unwrap());
    see("read", serde_json::to_value(store.state().unwrap()).unwrap());
    seen
}

#[test]
fn the_same_scenario_passes_in_every_mode() {
    let mut first: Option<Vec<Value>> = None;
    for mode in Mode::ALL {
        let home = Home::new(Form::Application, mode);
        let seen = scenario(&home);
        let expected = first.get_or_insert_with(|| seen.clone());
        for (here, there) in seen.iter().zip(expected.iter()) {
            assert_eq!(here, there, "{}", mode.word());
        }
        assert_eq!(seen.len(), expected.len());
        if mode < Mode::Sqlite {
            // Other keys of the files stay as they are.
            let setting = fs::read_to_string(home.place.tree.join("setting.json")).unwrap();
            let expected = SETTING.replace("900", "60").replace("\"\"\n", "\"\",\n  \"storage_mode\": \"dual\"\n");
            assert_eq!(setting, expected, "{}", mode.word());
            let spec = fs::read_to_string(home.place.tree.join("specs/sbi/SBI-TX-001/spec.md")).unwrap();
            assert_eq!(Some(spec), task("SBI-TX-001", 1).spec);
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/projects");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("deespec_scenario", serde_json::to_string_pretty(&first).unwrap()));
}

const ID: &str = "SBI-01K6FRP24VXAE1C24TYMZ95G6S";

fn document_scenario(store: &DeespecStore) -> Vec<Value> {
    let mut seen = Vec::new();
    let given = Task {
        task_id: Some("T-1".to_owned()),
        status: Status::Wip,
        completed_at: Some("2025-10-04T00:00:00Z".to_owned()),
        ..task(ID, 3)
    };
    store.create_task(given.clone()).unwrap();
    assert_eq!(store.task(ID).unwrap(), Some(given));
    let changed = store
        .change_task(ID, |task| {
            task.status = Status::Done;
            Ok(())
        })
        .unwrap();
    // What nobody has changed is there still.
    assert_eq!((changed.task_id.as_deref(), changed.completed_at.is_some()), (Some("T-1"), true));
    seen.push(serde_json::to_value(store.tasks(Some(Status::Done)).unwrap()).unwrap());
    assert_eq!(store.tasks(Some(Status::Ready)).unwrap(), []);
    // Such a tree has no path for an older id.
    let keeps_files = store.store().modes().unwrap().only() != Some(Mode::Sqlite);
    assert_eq!(store.create_task(task("SBI-TX-001", 1)).is_err(), keeps_files);
    store.record_run(&run(ID, 1, Step::Implement)).unwrap();
    store.record_run(&run(ID, 1, Step::Done)).unwrap();
    seen.push(json!(store.runs(ID).unwrap().iter().map(|run| (run.turn, run.step)).collect::<Vec<_>>()));
    let said = |transaction: Option<&str>| {
        let mut said = json!({"entity_type": "sbi", "entity_id": ID, "action": "update", "new_value": {"priority": 3}});
        if let Some(transaction) = transaction {
            said["transaction"] = transaction.into();
        }
        let Value::Object(said) = said else { unreachable!() };
        Entry { ts: "2025-10-04T00:00:00Z".to_owned(), said }
    };
    let named = said(Some("2025-10-04/txn_1/task"));
    assert_eq!(store.append(&named).unwrap(), "2025-10-04/txn_1/task");
    assert!(store.append(&named).is_err(), "it is there");
    assert_eq!(store.journal().unwrap(), [named]);
    assert!(store.append(&said(None)).unwrap().starts_with("2025-10-04/txn_"));
    let mut other = said(None);
    other.said.insert("elapsed_ms".to_owned(), 1.into());
    let refused = store.append(&other).unwrap_err().to_string();
    assert!(refused.contains("`elapsed_ms`"), "{refused}");
    seen.push(json!(store.journal().unwrap().len()));
    assert_eq!(store.state().unwrap(), None);
    seen.push(json!(store.lease(ID).unwrap_err().cause()));
    store.set_setting("storage_mode", json!("dual")).unwrap();
    seen.push(json!([store.setting("storage_mode").unwrap(), store.setting("workflow.json").unwrap()]));
    seen
}

#[test]
fn the_form_of_the_document_passes_in_every_mode() {
    let mut first: Option<Vec<Value>> = None;
    for mode in Mode::ALL {
        let home = Home::new(Form::Document, mode);
        assert_eq!(home.store.form(), Form::Document);
        let seen = document_scenario(&home.store);
        assert_eq!(&seen, first.get_or_insert_with(|| seen.clone()), "{}", mode.word());
        home.store.check().unwrap().ensure_well(&home.place.file).unwrap();
    }
}

/// A task that has a specification and nothing else is there, and can be changed.
#[test]
fn a_specification_alone_is_a_task() {
    let home = Home::new(Form::Application, Mode::Files);
    fs::create_dir(home.place.tree.join("specs/sbi/SBI-TX-007")).unwrap();
    fs::write(home.place.tree.join("specs/sbi/SBI-TX-007/spec.md"), "# alone\n").unwrap();
    let found = home.store.tasks(None).unwrap();
    assert_eq!((found.len(), found[0].status, found[0].spec.as_deref()), (1, Status::Ready, Some("# alone\n")));
    home.store
        .change_task("SBI-TX-007", |task| {
            task.title = Some("Alone".to_owned());
            Ok(())
        })
        .unwrap();
    assert_eq!(home.store.task("SBI-TX-007").unwrap().unwrap().title.as_deref(), Some("Alone"));
}

#[test]
fn a_schema_of_another_version_is_told() {
    let home = Home::new(Form::Application, Mode::Dual);
    home.store.check().unwrap().ensure_well(&home.place.file).unwrap();
    let other = rusqlite::Connection::open(&home.place.file).unwrap();
    other.execute("UPDATE schema_info SET value = '2' WHERE key = 'version'", []).unwrap();
    let error = home.store.check().unwrap().ensure_well(&home.place.file).unwrap_err();
    assert!(error.cause().contains("version `2`"), "{error}");
}

fn filled(store: &DeespecStore) {
    for number in 0..12 {
        let id = format!("SBI-TX-{number:03}");
        store.create_task(task(&id, number)).unwrap();
        store.record_run(&run(&id, 1, Step::Implement)).unwrap();
        store.append(&line(u32::try_from(number).unwrap(), "OK")).unwrap();
    }
}

fn all_of(store: &DeespecStore) -> Value {
    let mut state = serde_json::to_value(store.state().unwrap()).unwrap();
    state.as_object_mut().unwrap().remove("meta");
    let runs: Vec<_> = store.tasks(None).unwrap().iter().map(|task| store.runs(&task.id).unwrap()).collect();
    json!([store.tasks(None).unwrap(), runs, store.journal().unwrap(), state, store.setting("home").unwrap()])
}

#[test]
#[ignore = "another process"]
fn child_moves() {
    let place = place(&PathBuf::from(std::env::var_os("MOVED_FOLDER").expect("set by the parent")), Form::Application);
    match std::env::var("MOVED_TO").as_deref() {
        Ok("sqlite") => cut_over(&place),
        _ => step_back(&place),
    }
    .unwrap();
}

/// Whoever is killed on the way to SQLite or back leaves it to the next call, and nothing is lost.
#[test]
fn a_cutover_and_the_way_back_go_on_after_a_kill() {
    let home = Home::new(Form::Application, Mode::Files);
    filled(&home.store);
    let before = all_of(&home.store);
    let setting = || fs::read_to_string(home.place.tree.join("setting.json")).unwrap();
    for (delay_ms, to) in [(40, "sqlite"), (90, "file"), (250, "sqlite"), (180, "file"), (700, "sqlite"), (500, "file")]
    {
        let mut command = child("deespec::child_moves");
        command.env("MOVED_FOLDER", home.folder.path()).env("MOVED_TO", to);
        let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(delay_ms));
        // It may be done already.
        let _ = killed.kill();
        killed.wait().unwrap();
        let (moved, mode) = match to {
            "sqlite" => (cut_over(&home.place).unwrap(), Mode::Sqlite),
            _ => (step_back(&home.place).unwrap(), Mode::Files),
        };
        assert!(moved.steps.is_empty() || moved.archive_id.is_some(), "{moved:?}");
        assert_eq!(home.store.store().modes().unwrap().only(), Some(mode));
        assert_eq!(all_of(&home.store), before, "after {delay_ms} ms to {to}");
        // All other keys stay, as they were spelled.
        let expected = SETTING.replace("\"\"\n", &format!("\"\",\n  \"storage_mode\": \"{to}\"\n"));
        assert_eq!(setting(), expected);
        assert!(!home.place.tree.join("var/runlock").exists() && !home.place.tree.join("var/state.lock").exists());
        // There is nothing more to do.
        let again = if to == "sqlite" { cut_over(&home.place) } else { step_back(&home.place) };
        assert_eq!(again.unwrap().steps, []);
    }
}

#[test]
fn a_live_process_is_named_and_a_dead_one_is_not_waited_for() {
    let home = Home::new(Form::Application, Mode::Files);
    filled(&home.store);
    let lock = home.place.tree.join("var/runlock");
    let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let holder = json!({"pid": other.id(), "acquired_at": "2025-10-03T00:00:00Z", "expires_at": "", "hostname": ""});
    fs::write(&lock, holder.to_string()).unwrap();
    let error = cut_over(&home.place).unwrap_err();
    assert!(error.cause().contains(&format!("the process {} of this machine", other.id())), "{error}");
    assert!(lock.exists() && !home.place.file.exists(), "nothing was done");
    other.kill().unwrap();
    other.wait().unwrap();
    let moved = cut_over(&home.place).unwrap();
    assert_eq!(moved.steps, [Mode::Dual, Mode::SqlitePrimary, Mode::Sqlite]);
    assert!(moved.is_file_made && moved.archive_id.is_some() && !lock.exists());
    // The export is the tree, but for what says which store it is.
    let exported = home.folder.path().join("exported");
    home.store.export(&exported).unwrap();
    for name in ["specs/sbi/SBI-TX-003/spec.md", "specs/sbi/SBI-TX-003/meta.yaml", "var/journal.ndjson", "setting.json"]
    {
        let [of_export, of_tree] = [&exported, &home.place.tree].map(|tree| fs::read(tree.join(name)).unwrap());
        assert!(of_export == of_tree, "{name}");
    }
    // Somebody has removed the files since.
    fs::remove_dir_all(&home.place.tree).unwrap();
    let back = step_back(&home.place).unwrap();
    assert_eq!(back.steps, [Mode::SqlitePrimary, Mode::Dual, Mode::Files]);
    assert_eq!(home.store.tasks(None).unwrap().len(), 12);
}

/// Of many who change the state at once, each has seen what the one before has left.
#[test]
fn nobody_overtakes_the_state() {
    for mode in Mode::ALL {
        let home = Home::new(Form::Application, mode);
        let before = home.store.state().unwrap().unwrap().version;
        std::thread::scope(|scope| {
            for _ in 0..6 {
                let store = DeespecStore::open(home.place.clone()).unwrap();
                scope.spawn(move || {
                    for _ in 0..5 {
                        loop {
                            let mut state = store.state().unwrap().unwrap();
                            state.turn += 1;
                            if store.save_state(state).is_ok() {
                                break;
                            }
                        }
                    }
                });
            }
        });
        let state = home.store.state().unwrap().unwrap();
        assert_eq!((state.turn, state.version), (30, before + 30), "{}", mode.word());
    }
}
