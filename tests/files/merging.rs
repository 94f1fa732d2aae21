//! The law of a sync: what becomes of each record follows from base, files and rows alone, and from a model that fits on a page.
//!
//! Trees of three applications, and edits of both sides, drawn at random: tree by tree, several rounds of edits and a sync
//! each. What is drawn is seeds, so that a case is made smaller by leaving rounds and edits away. `ROUNDS` times `TREES` are the
//! cases of one run; `WHIMBREL_CASES` says how many trees, `WHIMBREL_SEED` (a number, or `random`) which; without it each run has the same.

use crate::trees::{run, text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rusqlite::Connection;
use std::cell::Cell as Counter;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::files::source::{LayoutFile, TreeSource};
use whimbrel::endpoint::sqlite::SqliteSource;
use whimbrel::endpoint::{ReadTable, Source};
use whimbrel::sync::{Options, Outcome, Synced, sync};

const TREES: u32 = 12;
const ROUNDS: usize = 22;

/// A record: its table, a part of a row behind a slash, and its key.
type Key = (String, String);
type Records = BTreeMap<Key, BTreeMap<String, String>>;

/// An application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum App {
    Sessions,
    Deespec,
    Agents,
}

impl App {
    fn project(self) -> &'static str {
        match self {
            App::Sessions => "migrations/sessions",
            App::Deespec => "migrations/deespec",
            App::Agents => "migrations/agents",
        }
    }

    fn make(self, tree: &Path) {
        match self {
            App::Sessions => sessions::make(tree),
            App::Deespec => deespec::make(tree),
            App::Agents => agents::make(tree),
        }
    }

    fn edit_files(self, tree: &Path, seed: u32) {
        match self {
            App::Sessions => sessions::edit_files(tree, seed),
            App::Deespec => deespec::edit_files(tree, seed),
            App::Agents => agents::edit_files(tree, seed),
        }
    }

    fn edit_rows(self, file: &Connection, seed: u32) {
        match self {
            App::Sessions => sessions::edit_rows(file, seed),
            App::Deespec => deespec::edit_rows(file, seed),
            App::Agents => agents::edit_rows(file, seed),
        }
    }
}

/// Both sides, and what they had in common last.
struct World {
    app: App,
    _folder: tempfile::TempDir,
    tree: PathBuf,
    file: PathBuf,
    base: Records,
    /// Of records that are a file each, its bytes when both sides were equal last.
    clean: BTreeMap<Key, Vec<u8>>,
}

impl World {
    fn new(app: App) -> World {
        let folder = crate::support::memory::tempdir().expect("a folder");
        let (tree, file) = (folder.path().join("tree"), folder.path().join("app.db"));
        fs::create_dir(&tree).expect("a folder");
        app.make(&tree);
        run(&["migrate", app.project(), text(&tree), text(&file)], 0);
        let mut world = World { app, _folder: folder, tree, file, base: Records::new(), clean: BTreeMap::new() };
        world.base = world.files();
        assert_eq!(world.base, world.rows());
        world.keep_clean(&BTreeMap::new());
        world
    }

    /// The bytes of the file that a record is, where it is one.
    fn bytes(&self, key: &Key) -> Option<Vec<u8>> {
        let parts: Vec<&str> = key.1.split(',').collect();
        let word =
            |part: &str| part.split(['"', '(', ')']).rfind(|word| !word.is_empty()).unwrap_or_default().to_owned();
        let path = match (key.0.as_str(), parts.as_slice()) {
            ("context_sessions", [name]) => format!("context/{}.json", word(name)),
            ("execution", [task, turn, step, _]) => {
                format!("specs/sbi/{}/{}_{}.md", word(task), word(step), word(turn))
            }
            _ => return None,
        };
        fs::read(self.tree.join(path)).ok()
    }

    fn keep_clean(&mut self, left: &BTreeMap<Key, Outcome>) {
        let keys = self.base.keys().filter(|key| !left.contains_key(*key));
        self.clean = keys.filter_map(|key| Some((key.clone(), self.bytes(key)?))).collect();
    }

    fn layout(&self) -> LayoutFile {
        LayoutFile::load(Some(&Path::new(self.app.project()).join("layout.toml")), &self.tree).expect("a layout")
    }

    fn files(&self) -> Records {
        let layout = self.layout();
        let mut source = TreeSource::open(&self.tree, &layout, &[], &Cancel::new()).expect("the tree");
        self.records(&mut source)
    }

    fn rows(&self) -> Records {
        let mut source = SqliteSource::open(&self.file, &Cancel::new()).expect("the file");
        self.records(&mut source)
    }

    fn records(&self, source: &mut dyn Source) -> Records {
        let layout = self.layout();
        let catalog = source.catalog().expect("a catalog");
        let tables: Vec<_> = catalog
            .tables
            .iter()
            .filter(|table| layout.layout.tables.iter().any(|one| one.name == table.name.name))
            .collect();
        let requests: Vec<ReadTable<'_>> = tables.iter().map(|table| ReadTable::whole(table)).collect();
        let mut records = Records::new();
        let read = source.read(&requests, &mut |number: usize, cells: &[whimbrel::value::Cell<'_>]| {
            let table = &tables[number];
            let of = layout.layout.tables.iter().find(|one| one.name == table.name.name).expect("a table");
            let key: Vec<String> = of.key.iter().map(|place| format!("{:?}", cells[*place])).collect();
            // Files have JSON without blanks between its parts, and so have rows once they are merged.
            let value = |cell: &whimbrel::value::Cell<'_>| match cell {
                whimbrel::value::Cell::Json(text) => text.replace(' ', ""),
                other => format!("{other:?}"),
            };
            // A project's schema has columns besides.
            let columns = table.columns.iter().zip(cells);
            let columns = columns.filter(|(column, _)| of.columns.iter().any(|known| known.name == column.name));
            let values = columns.map(|(column, cell)| (column.name.clone(), value(cell)));
            for (part, values) in parts(&table.name.name, values.collect()) {
                records.insert((part, key.join(",")), values);
            }
            Ok(())
        });
        read.expect("records");
        records
    }
}

/// The parts of a row that are records of their own: those that are in files of their own.
fn parts(table: &str, row: BTreeMap<String, String>) -> Vec<(String, BTreeMap<String, String>)> {
    if table != "sbi" {
        return vec![(table.to_owned(), row)];
    }
    let spec = ["id", "spec"];
    let is_spec = |name: &String| spec.contains(&name.as_str());
    let (of_spec, mut of_meta): (BTreeMap<_, _>, BTreeMap<_, _>) = row.into_iter().partition(|(name, _)| is_spec(name));
    of_meta.insert("id".to_owned(), of_spec["id"].clone());
    vec![("sbi/spec".to_owned(), of_spec), ("sbi/meta".to_owned(), of_meta)]
}

/// The row that a record is in only with: what is around it in its file, or where its foreign key leads.
fn needed(key: &Key, values: &BTreeMap<String, String>) -> Option<Key> {
    match key.0.as_str() {
        "instances" | "chat_messages" => Some(("sessions".to_owned(), values["session_id"].clone())),
        "sessions" => Some(("workspaces".to_owned(), values["workspace_hash"].clone())),
        "execution" => Some(("sbi".to_owned(), values["sbi_id"].clone())),
        _ => None,
    }
}

/// Whether a record is a row, or a part of it.
fn is_of(key: &Key, row: &Key) -> bool {
    key.1 == row.1 && key.0.split('/').next() == Some(row.0.as_str())
}

/// What becomes of the records that are not the same everywhere: the model.
fn outcomes(base: &Records, files: &Records, rows: &Records) -> BTreeMap<Key, Outcome> {
    let keys: BTreeSet<&Key> = base.keys().chain(files.keys()).chain(rows.keys()).collect();
    let mut found = BTreeMap::new();
    for key in &keys {
        let (b, f, r) = (base.get(*key), files.get(*key), rows.get(*key));
        let outcome = match (f == b, r == b, f == r) {
            (true, true, _) => continue,
            (false, true, _) => Outcome::Files,
            (true, false, _) => Outcome::Rows,
            (false, false, true) => Outcome::Alike,
            (false, false, false) => Outcome::Conflict,
        };
        found.insert((*key).clone(), outcome);
    }
    // What cannot be done alone is in conflict with what it needs, and so is whatever that brings about.
    loop {
        let before = found.clone();
        for key in &keys {
            for side in [files, rows] {
                let Some(row) = side.get(*key).and_then(|values| needed(key, values)) else { continue };
                entangle(key, side, &row, &mut found, (files, rows));
            }
        }
        let is_torn = |found: &BTreeMap<Key, Outcome>, key: &Key| {
            found.get(key) == Some(&Outcome::Conflict) && !(files.contains_key(key) && rows.contains_key(key))
        };
        let torn: Vec<&Key> = keys.iter().copied().filter(|key| key.0.contains('/') && is_torn(&found, key)).collect();
        for key in torn {
            let row = (key.0.split('/').next().unwrap_or_default().to_owned(), key.1.clone());
            to_conflict(&mut found, |key| is_of(key, &row));
        }
        if found == before {
            return found;
        }
    }
}

fn to_conflict(found: &mut BTreeMap<Key, Outcome>, which: impl Fn(&Key) -> bool) {
    for (key, outcome) in found {
        if which(key) && matches!(outcome, Outcome::Files | Outcome::Rows) {
            *outcome = Outcome::Conflict;
        }
    }
}

/// A record that one side says needs a row: that one may be in conflict, or would go.
fn entangle(
    key: &Key,
    side: &Records,
    row: &Key,
    found: &mut BTreeMap<Key, Outcome>,
    (files, rows): (&Records, &Records),
) {
    let stays = |key: &Key| match found.get(key) {
        None | Some(Outcome::Conflict | Outcome::Unwritable) => true,
        Some(Outcome::Files | Outcome::Alike) => files.contains_key(key),
        Some(Outcome::Rows) => rows.contains_key(key),
    };
    let is_kept = match found.get(key) {
        None | Some(Outcome::Conflict | Outcome::Unwritable) => true,
        Some(Outcome::Files | Outcome::Alike) => std::ptr::eq(side, files),
        Some(Outcome::Rows) => std::ptr::eq(side, rows),
    };
    let parts: Vec<&Key> = files.keys().chain(rows.keys()).filter(|key| is_of(key, row)).collect();
    let lacks = |side: &Records| !parts.iter().any(|part| side.contains_key(*part));
    let in_conflict = parts.iter().any(|part| found.get(*part) == Some(&Outcome::Conflict));
    let goes = parts.iter().any(|part| matches!(found.get(*part), Some(Outcome::Files | Outcome::Rows)))
        && !parts.iter().any(|part| stays(part));
    if in_conflict && (lacks(files) || lacks(rows)) {
        to_conflict(found, |other| other == key);
    } else if goes && is_kept && stays(key) {
        to_conflict(found, |other| is_of(other, row));
    }
}

/// Both sides afterwards, and the new base.
fn merged(base: &Records, files: &Records, rows: &Records, found: &BTreeMap<Key, Outcome>) -> [Records; 3] {
    let [mut new_base, mut new_files, mut new_rows] = [base.clone(), files.clone(), rows.clone()];
    let put = |records: &mut Records, key: &Key, value: Option<&BTreeMap<String, String>>| match value {
        Some(value) => drop(records.insert(key.clone(), value.clone())),
        None => drop(records.remove(key)),
    };
    for (key, outcome) in found {
        let winner = match outcome {
            Outcome::Conflict | Outcome::Unwritable => continue,
            Outcome::Files | Outcome::Alike => files.get(key),
            Outcome::Rows => rows.get(key),
        };
        for side in [&mut new_base, &mut new_files, &mut new_rows] {
            put(side, key, winner);
        }
    }
    [new_base, new_files, new_rows]
}

fn counted(found: &BTreeMap<Key, Outcome>) -> BTreeMap<String, [u64; 4]> {
    let mut counts: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for ((table, _), outcome) in found {
        let table = table.split('/').next().unwrap_or(table).to_owned();
        let place = match outcome {
            Outcome::Files => 0,
            Outcome::Rows => 1,
            Outcome::Alike => 2,
            Outcome::Conflict | Outcome::Unwritable => 3,
        };
        counts.entry(table).or_default()[place] += 1;
    }
    counts
}

/// What is not as it is to be.
fn differing(is: &Records, wanted: &Records) -> Vec<String> {
    let keys: BTreeSet<&Key> = is.keys().chain(wanted.keys()).collect();
    let keys = keys.into_iter().filter(|key| is.get(*key) != wanted.get(*key));
    keys.map(|key| format!("{key:?}: {:?}, and not {:?}", is.get(key), wanted.get(key))).collect()
}

fn counts_of(synced: &Synced) -> BTreeMap<String, [u64; 4]> {
    let counts = synced.tables.iter();
    counts.map(|one| (one.table.clone(), [one.files, one.rows, one.alike, one.conflicts + one.unwritable])).collect()
}

/// One round: edits on both sides, and a sync.
fn round(world: &mut World, edits: &[(bool, u32)]) -> Result<usize, TestCaseError> {
    let connection = Connection::open(&world.file).expect("the file");
    connection.execute_batch("PRAGMA foreign_keys = ON").expect("a setting");
    for (in_files, seed) in edits {
        match in_files {
            true => world.app.edit_files(&world.tree, *seed),
            false => world.app.edit_rows(&connection, *seed),
        }
    }
    drop(connection);
    settle(world)
}

/// A dry run, a sync, and another one that finds nothing but the conflicts: all of it as the model says.
fn settle(world: &mut World) -> Result<usize, TestCaseError> {
    let (files, rows) = (world.files(), world.rows());
    let mut found = outcomes(&world.base, &files, &rows);
    // What is in a file besides its record is not removed with its row.
    for (key, outcome) in found.iter_mut().filter(|(key, _)| files.contains_key(*key) && !rows.contains_key(*key)) {
        let bytes = world.bytes(key);
        if *outcome == Outcome::Rows && bytes.is_some() && bytes.as_ref() != world.clean.get(key) {
            *outcome = Outcome::Unwritable;
        }
    }
    let [base, files, rows] = merged(&world.base, &files, &rows, &found);
    let options = Options {
        tree: world.tree.clone(),
        file: world.file.clone(),
        layout: Some(Path::new(world.app.project()).join("layout.toml")),
        ..Options::default()
    };
    let cancel = Cancel::new();
    let dry = sync(&Options { dry_run: true, ..options.clone() }, &cancel).expect("a dry run");
    let synced = sync(&options, &cancel).unwrap_or_else(|error| panic!("{error} {:?}", error.way_out()));
    prop_assert_eq!(counts_of(&synced), counted(&found), "{:#?}", found);
    prop_assert_eq!(dry.records, synced.records);
    prop_assert_eq!(differing(&world.files(), &files), Vec::<String>::new(), "the files, by {:#?}", found);
    prop_assert_eq!(differing(&world.rows(), &rows), Vec::<String>::new(), "the rows, by {:#?}", found);
    let again = sync(&options, &cancel).expect("another sync");
    let left: BTreeMap<Key, Outcome> = found
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Conflict | Outcome::Unwritable))
        .map(|(key, one)| (key.clone(), *one))
        .collect();
    prop_assert_eq!(counts_of(&again), counted(&left), "{:#?}", left);
    prop_assert_eq!((again.files_written, again.rows_written), (0, 0));
    world.base = base;
    world.keep_clean(&left);
    Ok(found.len())
}

/// Found by chance: a record that was in conflict, and that neither side had any more, was told with every sync.
#[test]
fn what_was_in_conflict_and_is_gone_on_both_sides_is_forgotten() {
    let name = "ctx_x0_20250715_101010";
    for end in ["DELETE FROM context_sessions", "UPDATE context_sessions SET token_count = 7"] {
        let mut world = World::new(App::Agents);
        let file = world.file.clone();
        let rows = |sql: &str| {
            let file = Connection::open(&file).expect("the file");
            execute(&file, &format!("{sql} WHERE session_id = ?1"), [name]);
        };
        fs::remove_file(world.tree.join(format!("context/{name}.json"))).expect("a file");
        rows("UPDATE context_sessions SET token_count = 9");
        assert_eq!(settle(&mut world).expect("the model"), 1, "a conflict");
        rows(end);
        assert_eq!(settle(&mut world).expect("the model"), 1, "{end}");
        assert_eq!(settle(&mut world).expect("the model"), 0, "{end}: nothing is left of it");
        run(&["verify", text(&world.tree), text(&world.file)], 0);
    }
}

/// A record that was in conflict while its file was gone, and comes back in another file.
#[test]
fn what_was_in_conflict_and_comes_back_elsewhere_has_one_base() {
    let mut world = World::new(App::Sessions);
    let [from, to] =
        ["fedcba9876543210", "00112233445566aa"].map(|hash| world.tree.join(format!("sessions/{hash}.json")));
    let whole = fs::read(&from).expect("a file");
    fs::remove_file(&from).expect("a file");
    let file = world.file.clone();
    let rows = |sql: &str| execute(&Connection::open(&file).expect("the file"), sql, []);
    rows("UPDATE sessions SET task = 'another' WHERE id = 's10'");
    assert!(settle(&mut world).expect("the model") > 1);
    fs::write(&to, &whole).expect("a file");
    rows("UPDATE sessions SET task = 'a task' WHERE id = 's10'");
    assert!(settle(&mut world).expect("the model") > 1);
    assert_eq!(settle(&mut world).expect("the model"), 0);
    run(&["verify", text(&world.tree), text(&world.file)], 0);
}

#[test]
fn what_becomes_of_each_record_is_what_a_simple_model_says() {
    let edits = vec((any::<bool>(), any::<u32>()), 0..8);
    let cases = (prop_oneof![Just(App::Sessions), Just(App::Deespec), Just(App::Agents)], vec(edits, ROUNDS));
    let trees = std::env::var("WHIMBREL_CASES").map_or(TREES, |cases| cases.parse().expect("a number"));
    let seed = std::env::var("WHIMBREL_SEED").map_or(RngSeed::Fixed(1), |seed| match seed.as_str() {
        "random" => RngSeed::Random,
        seed => RngSeed::Fixed(seed.parse().expect("a number, or `random`")),
    });
    let config =
        Config { cases: trees, failure_persistence: None, max_shrink_iters: 40, rng_seed: seed, ..Config::default() };
    let changed = Counter::new(0);
    TestRunner::new(config)
        .run(&cases, |(app, rounds)| {
            let mut world = World::new(app);
            for edits in &rounds {
                changed.set(changed.get() + round(&mut world, edits)?);
            }
            let is_equal = world.files() == world.rows();
            if is_equal {
                run(&["verify", text(&world.tree), text(&world.file)], 0);
            }
            run(&["check", text(&world.file)], 0);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert!(changed.get() > 25 * trees as usize, "the edits were edits: {}", changed.get());
}

fn write(tree: &Path, path: &str, text: &str) {
    let path = tree.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// One of these, by a seed.
fn pick<T: Clone>(all: &[T], seed: u32) -> Option<T> {
    all.get(seed as usize % all.len().max(1)).cloned()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

fn execute(file: &Connection, sql: &str, parameters: impl rusqlite::Params) {
    file.execute(sql, parameters).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

mod sessions {
    use super::{execute, json, pick, write};
    use rusqlite::{Connection, params};
    use serde_json::{Value, json};
    use std::fs;
    use std::path::{Path, PathBuf};

    const HASHES: [&str; 3] = ["0123456789abcdef", "fedcba9876543210", "00112233445566aa"];
    const TIME: &str = "2025-11-01T10:00:00Z";

    fn message(id: &str, text: &str) -> Value {
        json!({"id": id, "role": "user", "content": text, "timestamp": TIME})
    }

    fn instance(number: u32) -> Value {
        json!({"instanceId": number, "worktreePath": "/w", "branch": "b", "agentName": "a", "status": "idle", "tmuxSessionId": "t"})
    }

    fn session(id: &str, task: &str) -> Value {
        json!({"id": id, "type": "debate", "task": task, "status": "running", "createdAt": TIME, "updatedAt": TIME,
            "instances": [instance(0), instance(1)],
            "chatHistory": [message(&format!("{id}-m0"), "hello"), message(&format!("{id}-m1"), "")], "more": {"a": 1.50}})
    }

    pub fn make(tree: &Path) {
        let mapping: serde_json::Map<String, Value> =
            HASHES.iter().map(|hash| ((*hash).to_owned(), json!(format!("/srv/{hash}")))).collect();
        write(tree, "workspace_mapping.json", &serde_json::to_string_pretty(&mapping).expect("JSON"));
        for (place, hash) in HASHES.iter().enumerate().take(2) {
            let all: Vec<Value> = (0..3).map(|number| session(&format!("s{place}{number}"), "a task")).collect();
            write(tree, &format!("sessions/{hash}.json"), &serde_json::to_string_pretty(&all).expect("JSON"));
        }
    }

    pub fn edit_files(tree: &Path, seed: u32) {
        let (what, which, value) = (seed % 9, seed / 9 % 97, seed / 900 % 3);
        let files: Vec<PathBuf> = HASHES.iter().map(|hash| tree.join(format!("sessions/{hash}.json"))).collect();
        let Some(path) = pick(&files, which) else { return };
        let mut all = if path.exists() { json(&path) } else { json!([]) };
        let list = all.as_array_mut().expect("a list");
        let count = list.len();
        if what == 0 || count == 0 {
            let id = format!("n{}", which % 7);
            // An identifier is in one file.
            let is_there = files
                .iter()
                .filter(|file| file.exists())
                .any(|file| fs::read_to_string(file).expect("text").contains(&format!("\"{id}\"")));
            if !is_there {
                list.push(session(&id, &format!("new {value}")));
            }
        } else {
            let at = which as usize % count;
            match what {
                1 => drop(list.remove(at)),
                2 | 3 => list[at]["task"] = json!(format!("task {value}")),
                4 => list[at]["timeoutSeconds"] = json!(value),
                5 => {
                    let id = format!("{}-x{}", list[at]["id"].as_str().expect("text"), value);
                    let messages = list[at]["chatHistory"].as_array_mut().expect("a list");
                    match messages.iter().position(|one| one["id"] == json!(id)) {
                        Some(place) => drop(messages.remove(place)),
                        None => messages.push(message(&id, "é\n")),
                    }
                }
                6 | 7 => {
                    let messages = list[at]["chatHistory"].as_array_mut().expect("a list");
                    if let Some(one) = messages.first_mut() {
                        one["content"] = json!(format!("said {value}"));
                    }
                }
                _ => {
                    let instances = list[at]["instances"].as_array_mut().expect("a list");
                    match value {
                        0 => drop(instances.pop()),
                        _ => instances.iter_mut().for_each(|one| one["branch"] = json!(format!("branch {value}"))),
                    }
                }
            }
        }
        // In the application's own spelling, or in another one.
        let text = match which % 3 {
            0 => serde_json::to_string(&all),
            _ => serde_json::to_string_pretty(&all),
        };
        write(tree, path.strip_prefix(tree).expect("inside").to_str().expect("UTF-8"), &text.expect("JSON"));
    }

    pub fn edit_rows(file: &Connection, seed: u32) {
        let (what, which, value) = (seed % 9, i64::from(seed / 9 % 97), i64::from(seed / 900 % 3));
        let id = "(SELECT id FROM sessions ORDER BY id LIMIT 1 OFFSET ?1 % max(1, (SELECT count(*) FROM sessions)))";
        match what {
            0 => {
                let id = format!("n{}", which % 7);
                let hash = HASHES[which as usize % 3];
                execute(
                    file,
                    "INSERT OR IGNORE INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at, extra)
                     SELECT ?1, hash, 'debate', ?2, 'running', ?3, ?3, '{\"more\": {\"a\": 1.50}}' FROM workspaces WHERE hash = ?4",
                    params![id, format!("new {value}"), TIME, hash],
                );
            }
            1 => execute(file, &format!("DELETE FROM sessions WHERE id = {id}"), [which]),
            2 | 3 => {
                execute(file, &format!("UPDATE sessions SET task = 'task ' || ?2 WHERE id = {id}"), [which, value])
            }
            4 => execute(file, &format!("UPDATE sessions SET timeout_seconds = ?2 WHERE id = {id}"), [which, value]),
            5 => {
                let sql = format!(
                    "INSERT OR IGNORE INTO chat_messages (id, session_id, role, content, timestamp)
                     SELECT id || '-x' || ?2, id, 'user', 'é' || char(10), '{TIME}' FROM sessions WHERE id = {id}"
                );
                execute(file, &sql, [which, value]);
            }
            6 => execute(
                file,
                &format!("UPDATE chat_messages SET content = 'said ' || ?2 WHERE session_id = {id}"),
                [which, value],
            ),
            7 => execute(
                file,
                &format!("DELETE FROM chat_messages WHERE session_id = {id} AND content = 'said ' || ?2"),
                [which, value],
            ),
            _ => match value {
                0 => execute(
                    file,
                    &format!("DELETE FROM instances WHERE session_id = {id} AND instance_id = 1"),
                    [which],
                ),
                _ => execute(
                    file,
                    &format!("UPDATE instances SET branch = 'branch ' || ?2 WHERE session_id = {id}"),
                    [which, value],
                ),
            },
        }
    }
}

mod deespec {
    use super::{execute, json, pick, write};
    use rusqlite::{Connection, params};
    use serde_json::json;
    use std::fs;
    use std::path::Path;

    const TASKS: [&str; 3] = ["SBI-1", "SBI-2", "SBI-3"];
    const STEPS: [&str; 3] = ["plan", "implement", "review"];

    pub fn make(tree: &Path) {
        for task in TASKS {
            write(tree, &format!("specs/sbi/{task}/spec.md"), "# A title\n\nbody\n");
            let meta = format!("# of {task}\nid: {task}\ntitle: \"A title\"   # why\npriority: 3\nlabels: [a, b]\n");
            write(tree, &format!("specs/sbi/{task}/meta.yaml"), &meta);
            write(tree, &format!("specs/sbi/{task}/plan_1.md"), "a plan");
        }
        write(tree, "setting.json", "{\"home\": \".deespec\", \"max_turns\": 8, \"list\": [1, 2.50]}\n");
        write(tree, "var/state.json", "{\"version\": 4}");
        write(tree, "var/journal.ndjson", "{\"ts\":\"2025-10-03T10:00:00Z\",\"turn\":3,\"step\":\"plan\"}\n");
    }

    pub fn edit_files(tree: &Path, seed: u32) {
        let (what, which, value) = (seed % 7, seed / 7 % 97, seed / 700 % 3);
        let Some(task) = pick(&TASKS, which) else { return };
        let folder = format!("specs/sbi/{task}");
        match what {
            0 => write(tree, &format!("{folder}/spec.md"), &format!("# Spec {value}\n")),
            1 => {
                write(tree, &format!("{folder}/meta.yaml"), &format!("id: {task}\ntitle: Title {value}\npriority: 3\n"))
            }
            2 => write(
                tree,
                &format!("{folder}/meta.yaml"),
                &format!("id: {task}\npriority: {value} # now\ntitle: 'A title'\n"),
            ),
            3 | 4 => {
                let path = format!("{folder}/{}_{}.md", STEPS[value as usize], which % 4);
                match tree.join(&path).exists() && what == 4 {
                    true => fs::remove_file(tree.join(&path)).expect("a file"),
                    false => write(tree, &path, &format!("content {value}")),
                }
            }
            5 => {
                let mut settings = json(&tree.join("setting.json"));
                let object = settings.as_object_mut().expect("an object");
                match object.remove(&format!("key {}", which % 4)) {
                    Some(_) => {}
                    None => drop(object.insert(format!("key {}", which % 4), json!(value))),
                }
                write(tree, "setting.json", &serde_json::to_string_pretty(&settings).expect("JSON"));
            }
            _ => {
                let path = tree.join("var/journal.ndjson");
                let line = format!("{{\"ts\":\"2025-10-04T10:00:00Z\",\"turn\":{value},\"step\":\"review\"}}\n");
                fs::write(&path, fs::read_to_string(&path).expect("a file") + &line).expect("a file");
            }
        }
    }

    pub fn edit_rows(file: &Connection, seed: u32) {
        let (what, which, value) = (seed % 6, seed / 7 % 97, seed / 700 % 3);
        let Some(task) = pick(&TASKS, which) else { return };
        match what {
            0 => execute(file, "UPDATE sbi SET spec = '# Spec ' || ?2 || char(10) WHERE id = ?1", params![task, value]),
            1 => execute(file, "UPDATE sbi SET label = 'Title ' || ?2 WHERE id = ?1", params![task, value]),
            2 => execute(file, "UPDATE sbi SET priority = ?2 WHERE id = ?1", params![task, value]),
            3 => execute(
                file,
                "INSERT INTO execution (sbi_id, turn, step, status, started_at, content)
                 SELECT id, ?2, ?3, 'COMPLETED', '1970-01-01T00:00:00Z', 'content ' || ?4 FROM sbi WHERE id = ?1
                 ON CONFLICT DO UPDATE SET content = excluded.content",
                params![task, which % 4, STEPS[value as usize], value],
            ),
            4 => execute(
                file,
                "DELETE FROM execution WHERE sbi_id = ?1 AND turn = ?2 AND step = ?3",
                params![task, which % 4, STEPS[value as usize]],
            ),
            _ => execute(
                file,
                "INSERT INTO config (key, value, updated_at) VALUES ('key ' || ?1, ?2, '1970-01-01T00:00:00Z')
                 ON CONFLICT DO UPDATE SET value = excluded.value",
                params![which % 4, value.to_string()],
            ),
        }
    }
}

mod agents {
    use super::{execute, pick, write};
    use rusqlite::{Connection, params};
    use std::fs;
    use std::path::Path;

    const NAMES: [&str; 3] = ["pm-agent", "writer", "reader"];

    fn configuration(level: u32, size: u32) -> String {
        let agents: String =
            NAMES.iter().map(|name| format!("  {name}:\n    capabilities: [plan]\n    max: 3\n")).collect();
        format!(
            "# the hive\nsystem:\n  log_level: {level}   # loud\n  debug: false\nagents:\n{agents}task_queue:\n  size: {size}\n"
        )
    }

    fn context(agent: &str, value: u32) -> String {
        format!(
            "{{\n  \"agent_id\": \"{agent}\",\n  \"context_data\": {{\"a\": [1, 2.50]}},\n  \"token_count\": {value}\n}}\n"
        )
    }

    fn name(number: u32) -> String {
        format!("ctx_x{}_20250715_101010", number % 5)
    }

    pub fn make(tree: &Path) {
        write(tree, "config/config.yaml", &configuration(1, 10));
        for number in 0..3 {
            write(tree, &format!("context/{}.json", name(number)), &context(NAMES[number as usize], 7));
        }
        write(
            tree,
            "logs/errors.log",
            "{\"timestamp\": \"2025-07-15T10:10:10Z\", \"level\": \"ERROR\", \"message\": \"b\\u00e4d\", \"logger\": \"x\"}\n",
        );
        write(
            tree,
            "logs/leanvibe.log",
            "2025-07-15 10:10:10 INFO hive started\n2025-07-15 10:10:11 ERROR hive failed\nTraceback:\n",
        );
        write(tree, "hooks/a.py", "any bytes");
    }

    pub fn edit_files(tree: &Path, seed: u32) {
        let (what, which, value) = (seed % 6, seed / 7 % 97, seed / 700 % 3);
        match what {
            0 => write(tree, "config/config.yaml", &configuration(value, 10)),
            1 => write(tree, "config/config.yaml", &configuration(1, value)),
            2 | 3 => {
                let path = format!("context/{}.json", name(which));
                match tree.join(&path).exists() && what == 3 {
                    true => fs::remove_file(tree.join(&path)).expect("a file"),
                    false => write(tree, &path, &context(pick(&NAMES, which).expect("a name"), value)),
                }
            }
            4 => {
                let path = tree.join("logs/leanvibe.log");
                let line = format!("2025-07-16 10:10:10 INFO hive line {value}\n");
                fs::write(&path, fs::read_to_string(&path).expect("a file") + &line).expect("a file");
            }
            _ => write(tree, "hooks/a.py", &format!("other bytes {value}")),
        }
    }

    pub fn edit_rows(file: &Connection, seed: u32) {
        let (what, which, value) = (seed % 5, seed / 7 % 97, seed / 700 % 3);
        match what {
            0 => execute(file, "UPDATE configurations SET value = ?1 WHERE config_id = 'system.log_level'", [value.to_string()]),
            1 => execute(file, "UPDATE configurations SET value = ?1 WHERE config_id = 'task_queue.size'", [value.to_string()]),
            2 => execute(
                file,
                "INSERT INTO context_sessions (session_id, agent_id, context_data, token_count, usage_percent, max_tokens,
                   created_at, last_accessed, is_active)
                 VALUES (?1, ?2, '{\"a\":[1,2.50]}', ?3, NULL, NULL, NULL, NULL, NULL)
                 ON CONFLICT DO UPDATE SET token_count = excluded.token_count",
                params![name(which), pick(&NAMES, which), value],
            ),
            3 => execute(file, "DELETE FROM context_sessions WHERE session_id = ?1", [name(which)]),
            _ => execute(file, "UPDATE events SET message = 'said ' || ?2 WHERE event_id = ?1", params![pick(&["log-0", "errors-0"], which), value]),
        }
    }
}
