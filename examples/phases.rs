//! One application through all four phases of its move and back: its sessions are in JSON files, then in files and SQLite, then
//! in SQLite with files as the copy, then in SQLite alone; and then home again, without a loss at any step.
//!
//! `cargo run --example phases` prints it; `tests/projects/phases.rs` holds what it prints.

#![allow(missing_docs, reason = "a test runs it, too")]

use serde_json::{Map, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use whimbrel::apps::sessions::{
    Instance, InstanceStatus, Message, Role, Runtime, Session, SessionStatus, SessionStore, SessionType,
};
use whimbrel::endpoint::Endpoint;
use whimbrel::error::Context;
use whimbrel::project::Project;
use whimbrel::store::{Mode, Place, Selection, modes, repair};
use whimbrel::{Migration, Result};

/// A workspace that is nowhere, so that its hash is the same on every machine.
const WORKSPACE: &str = "/srv/app";

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<()> {
    run(&mut std::io::stdout())
}

/// Goes through all phases and back, and tells `out` what is where.
///
/// # Errors
/// When a step fails.
pub fn run(out: &mut dyn Write) -> Result<()> {
    let folder = tempfile::tempdir().could_not("make", "a folder")?;
    let (tree, file) = (folder.path().join("ait42"), folder.path().join("sessions.db"));
    fs::create_dir_all(tree.join("sessions")).could_not("make", "the tree")?;
    fs::write(tree.join("workspace_mapping.json"), "{}").could_not("make", "the tree")?;
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sessions/layout.toml");
    let place = Place { layout, tree: tree.clone(), file: file.clone() };
    let clock = Arc::new(AtomicI64::new(1_767_225_600_000));
    let of_store = Arc::clone(&clock);
    // The application opens its store once, and works through all of it.
    let store = SessionStore::open_with(place.clone(), Arc::new(move || of_store.fetch_add(1_000, Ordering::SeqCst)))?;
    let mut told = Told { out, tree: &tree, file: &file, store: &store };

    told.phase("1, files")?;
    store.create(WORKSPACE, session("comp-1", SessionType::Competition, "Parse the dump"))?;
    store.create(WORKSPACE, session("deb-1", SessionType::Debate, "Which parser?"))?;
    store.add_message(WORKSPACE, "comp-1", message("msg-1", "begin", Some(0)))?;
    told.state()?;
    let files_only = snapshot(&tree)?;

    for (title, mode) in
        [("2, files and SQLite", Mode::Dual), ("3, SQLite and files", Mode::SqlitePrimary), ("4, SQLite", Mode::Sqlite)]
    {
        told.phase(title)?;
        if !file.exists() {
            migrate(&place)?;
        }
        modes::set(store.store(), &Selection::All, mode, false)?.ensure_changed(&file)?;
        let number = mode.word();
        store.create(
            WORKSPACE,
            session(&format!("ens-{number}"), SessionType::Ensemble, &format!("Work in {number}")),
        )?;
        store.set_instance_status(WORKSPACE, "comp-1", 1, InstanceStatus::Completed)?;
        store.add_message(WORKSPACE, "comp-1", message(&format!("msg-{number}"), number, None))?;
        told.state()?;
    }
    for (title, mode) in [("back to 3", Mode::SqlitePrimary), ("back to 2", Mode::Dual), ("back to 1", Mode::Files)] {
        told.phase(title)?;
        // What the last phase has changed goes to the side that gets a part again.
        repair::repair(store.store(), None, false)?.ensure_whole(&file)?;
        modes::set(store.store(), &Selection::All, mode, false)?.ensure_changed(&file)?;
        let number = format!("back-{}", mode.word());
        store.add_message(WORKSPACE, "comp-1", message(&format!("msg-{number}"), &number, Some(1)))?;
        assert!(store.delete(WORKSPACE, &format!("ens-{}", mode.word())).is_ok());
        told.state()?;
    }
    // What was made on the way goes, and the files are what they were, but for the times of the last change.
    store.delete(WORKSPACE, "ens-sqlite")?;
    store.change(WORKSPACE, "comp-1", |session| {
        session.chat_history.retain(|message| message.id == "msg-1");
        session.instances[1].status = InstanceStatus::Running;
        session.updated_at = "2026-01-01T00:00:00.000Z".to_owned();
        Ok(())
    })?;
    let alike = snapshot(&tree)? == files_only;
    writeln!(told.out, "the files are what they were in phase 1: {alike}").could_not("write", "the report")
}

/// Makes the SQLite file of the tree, as `whimbrel migrate migrations/sessions TREE FILE` does.
fn migrate(place: &Place) -> Result<()> {
    let folder = place.layout.parent().unwrap_or(Path::new("."));
    let project = Project::load(folder)?;
    let tree = Endpoint::Files(place.tree.clone());
    Migration::from_endpoint(tree).with_project(&project).to(&place.file).run_blocking().map(drop)
}

struct Told<'t> {
    out: &'t mut dyn Write,
    tree: &'t Path,
    file: &'t Path,
    store: &'t SessionStore,
}

impl Told<'_> {
    fn phase(&mut self, title: &str) -> Result<()> {
        writeln!(self.out, "phase {title}").could_not("write", "the report")
    }

    /// What the application sees, and what is where.
    fn state(&mut self) -> Result<()> {
        let mode = self.store.store().modes()?.only().map_or("mixed", Mode::word);
        let mut lines = vec![format!("  mode {mode}")];
        for session in self.store.list(WORKSPACE)? {
            let instances = session.instances.iter().map(|one| format!("{}:{}", one.instance_id, one.status));
            let messages = session.chat_history.iter().map(|one| one.content.as_str());
            lines.push(format!(
                "  {} {} [{}] \"{}\": {}",
                session.id,
                session.status,
                instances.collect::<Vec<_>>().join(" "),
                session.task,
                messages.collect::<Vec<_>>().join(", ")
            ));
        }
        let found: Vec<_> = self.store.search("parser", 10)?.into_iter().map(|one| one.id).collect();
        lines.push(format!("  search `parser`: {}", found.join(", ")));
        let files = snapshot(self.tree)?;
        let in_files: usize = files.iter().map(|(_, text)| text.matches("\"chatHistory\"").count()).sum();
        let in_rows = match self.file.exists() {
            true => {
                let opened = rusqlite::Connection::open(self.file).could_not("open", "the file")?;
                let counted = opened.query_row("SELECT count(*) FROM sessions", [], |row| row.get::<_, i64>(0));
                counted.could_not("read", "the file")?.to_string()
            }
            false => "none".to_owned(),
        };
        lines.push(format!("  sessions in files: {in_files}, in SQLite: {in_rows}"));
        writeln!(self.out, "{}", lines.join("\n")).could_not("write", "the report")
    }
}

/// Every file of the tree with its text.
fn snapshot(tree: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for folder in [tree.to_path_buf(), tree.join("sessions")] {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten().filter(|entry| entry.path().extension().is_some_and(|ending| ending == "json")) {
            let text = fs::read_to_string(entry.path()).could_not("read", entry.path().display())?;
            found.push((entry.file_name().to_string_lossy().into_owned(), text));
        }
    }
    found.sort();
    Ok(found)
}

fn session(id: &str, session_type: SessionType, task: &str) -> Session {
    let instance = |number: u32| Instance {
        instance_id: number,
        worktree_path: format!("{WORKSPACE}/{number}"),
        branch: format!("{id}-{number}"),
        agent_name: "agent".to_owned(),
        status: InstanceStatus::Running,
        tmux_session_id: format!("{id}-{number}"),
        output: None,
        start_time: Some("2026-01-01T00:00:00.000Z".to_owned()),
        end_time: None,
        files_changed: None,
        lines_added: None,
        lines_deleted: None,
        runtime: Some(Runtime::Claude),
        model: None,
        runtime_label: None,
        extra: Map::new(),
    };
    Session {
        id: id.to_owned(),
        session_type,
        task: task.to_owned(),
        status: SessionStatus::Running,
        created_at: "2026-01-01T00:00:00.000Z".to_owned(),
        updated_at: "2026-01-01T00:00:00.000Z".to_owned(),
        completed_at: None,
        instances: vec![instance(0), instance(1)],
        chat_history: Vec::new(),
        model: Some("sonnet".to_owned()),
        timeout_seconds: Some(0),
        preserve_worktrees: Some(true),
        winner_id: None,
        runtime_mix: Some(vec!["claude".to_owned()]),
        total_duration: None,
        total_files_changed: None,
        total_lines_added: None,
        total_lines_deleted: None,
        extra: Map::from_iter([("integrationPhase".to_owned(), json!("pending"))]),
    }
}

fn message(id: &str, content: &str, instance_id: Option<u32>) -> Message {
    Message {
        id: id.to_owned(),
        role: Role::User,
        content: content.to_owned(),
        timestamp: "2026-01-01T00:00:01.000Z".to_owned(),
        instance_id,
        extra: Map::new(),
    }
}
