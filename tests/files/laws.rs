//! The laws of trees, under random layouts, random trees and random edits, from end to end.

use crate::support::memory;
use crate::trees::content;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use rusqlite::Connection;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use whimbrel::Migration;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::files::layout::{self, Absent, Filled, Format, Layout, Origin, RecordSet, ValueForm};
use whimbrel::endpoint::files::source::LayoutFile;
use whimbrel::endpoint::sqlite::SqliteSource;
use whimbrel::event::nobody;
use whimbrel::harness::trees::{Choices, RandomTree, TreeChoices, random_layout, random_tree, tree_choices};
use whimbrel::to_files::{self, Job};
use whimbrel::verify::Level;

/// How many cases there are, in two tests; `WHIMBREL_CASES` says another number.
const CASES: u32 = 256;
const SHARES: u32 = 2;
/// How often a failing case is tried again with less.
pub const SHRINK_TRIES_MAX: u32 = 200;

/// What a case is.
#[derive(Clone)]
pub struct Sample {
    pub layout: Vec<u32>,
    pub tree: TreeChoices,
    pub edits: Vec<u32>,
}

impl fmt::Debug for Sample {
    /// What they make is in the failure itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} choices of a layout, {} files", self.layout.len(), self.tree.files.len())
    }
}

pub fn samples() -> impl Strategy<Value = Sample> {
    let layout = proptest::collection::vec(any::<u32>(), 0..80);
    let edits = proptest::collection::vec(any::<u32>(), 40);
    (layout, tree_choices(7), edits).prop_map(|(layout, tree, edits)| Sample { layout, tree, edits })
}

/// A tree with its layout, in a folder of its own.
pub struct World {
    folder: TempDir,
    pub text: String,
    pub layout: Arc<Layout>,
}

impl World {
    pub fn new(text: String) -> Result<World, String> {
        // Each run syncs its file systems several times.
        let folder = memory::tempdir().expect("a folder");
        let layout = layout::read("a random layout", &text).map_err(|error| format!("{error}\n{text}"))?;
        fs::write(folder.path().join("layout.toml"), &text).expect("a layout");
        Ok(World { folder, text, layout: Arc::new(layout) })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a file of a tree.
    pub fn import(&self, tree: &str, file: &str) -> Result<(), String> {
        let source = format!("files:{}", self.path(tree).display());
        let migration = Migration::from(source).to(self.path(file)).layout(self.path("layout.toml"));
        migration.run_blocking().map(drop).map_err(|error| told(&error))
    }

    /// Makes a tree of a file.
    pub fn export(&self, file: &str, tree: &str) -> Result<(), String> {
        let mut source = SqliteSource::open(&self.path(file), &Cancel::new()).map_err(|error| told(&error))?;
        let job = Job {
            target: self.path(tree),
            layout: LayoutFile { layout: Arc::clone(&self.layout), text: self.text.clone() },
            level: Level::Full,
            dry_run: false,
            backup_directory: None,
        };
        let done = to_files::migrate(&mut source, &job, &Cancel::new(), &nobody).map_err(|error| told(&error))?;
        done.ensure_published().map_err(|error| told(&error))
    }

    pub fn file(&self, name: &str) -> Connection {
        Connection::open(self.path(name)).expect("the file")
    }
}

pub fn told(error: &whimbrel::Error) -> String {
    format!("{error} (hint: {:?})", error.way_out())
}

/// Every row of every table of a layout, as SQLite itself writes it.
fn rows(layout: &Layout, file: &Connection) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in &layout.tables {
        let cells = table.columns.iter().map(|column| format!("typeof(\"{0}\") || quote(\"{0}\")", column.name));
        let sql = format!("SELECT {} FROM \"{}\"", cells.collect::<Vec<_>>().join(" || ',' || "), table.name);
        let mut statement = file.prepare(&sql).expect("a table");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        let mut rows: Vec<String> = rows.map(|row| row.expect("a row")).collect();
        rows.sort();
        all.insert(table.name.clone(), rows);
    }
    all
}

fn same_tree(world: &World, one: &str, other: &str) -> Result<(), String> {
    let (one, other) = (content(&world.path(one)), content(&world.path(other)));
    match one == other {
        true => Ok(()),
        false => Err(differences(&one, &other)),
    }
}

type Content = BTreeMap<PathBuf, (String, u32, Vec<u8>)>;

fn differences(one: &Content, other: &Content) -> String {
    let shown = |what: Option<&(String, u32, Vec<u8>)>| {
        what.map_or("nothing".to_owned(), |(kind, mode, bytes)| format!("{kind} {mode:o} {}", bytes.escape_ascii()))
    };
    let paths = one.keys().chain(other.keys()).filter(|path| one.get(*path) != other.get(*path));
    paths.map(|path| format!("{path:?}:\n  {}\n  {}\n", shown(one.get(path)), shown(other.get(path)))).collect()
}

/// A column that an edit can change without moving its row.
pub struct Editable<'l> {
    filled: &'l Filled,
    table: &'l str,
    column: &'l str,
    in_line: bool,
    /// Its file is a database, whose pages are written anew.
    in_pages: bool,
}

fn editable(layout: &Layout) -> Vec<Editable<'_>> {
    fn walk<'l>(layout: &'l Layout, set: &'l RecordSet, format: &Format, found: &mut Vec<Editable<'l>>) {
        let table = &layout.tables[set.table];
        let is_hashed = set.columns.iter().any(|filled| filled.from.contains(&Origin::Sha256));
        for filled in set.columns.iter().filter(|filled| !is_hashed && !table.key.contains(&filled.column)) {
            let [Origin::Member(_) | Origin::Value | Origin::Body | Origin::Content] = filled.from.as_slice() else {
                continue;
            };
            let column = &table.columns[filled.column].name;
            found.push(Editable {
                filled,
                table: &table.name,
                column,
                in_line: matches!(format, Format::Lines(_)),
                in_pages: *format == Format::Sqlite,
            });
        }
        set.children.iter().for_each(|child| walk(layout, child, format, found));
    }
    let mut found = Vec::new();
    for kind in &layout.kinds {
        kind.records.iter().for_each(|set| walk(layout, set, &kind.format, &mut found));
    }
    found
}

/// Another value for a column, as SQL.
fn other_value(one: &Editable<'_>, old: &str, choices: &mut Choices<'_>) -> Option<String> {
    let is_nullable = matches!(one.filled.from[0], Origin::Member(_))
        && matches!(one.filled.absent, Absent::Null | Absent::WrittenNull)
        && !one.in_line;
    if is_nullable && choices.once_in(4) {
        return Some("NULL".to_owned());
    }
    Some(match &one.filled.form {
        ValueForm::Text if one.in_line && one.column == "more" => "'  of another line'".to_owned(),
        ValueForm::Text if one.in_line && one.column == "level" => "'DEBUG'".to_owned(),
        ValueForm::Text if one.in_line && one.column == "who" => "'edited'".to_owned(),
        ValueForm::Text if one.in_line => "'edited: text'".to_owned(),
        ValueForm::Text => {
            (*choices.of(&["'edited'", "''", "'é \"q\" \\ #: - ' || char(10) || ' x'", "'null'", "'1.10'"])).to_owned()
        }
        ValueForm::Words(words) => format!("'{}'", choices.of(words).1),
        ValueForm::Integer => (*choices.of(&["41", "-3", "9223372036854775807"])).to_owned(),
        ValueForm::Real => (*choices.of(&["2.5", "-1e-7", "4.0"])).to_owned(),
        ValueForm::Boolean(_) => (*choices.of(&["0", "1"])).to_owned(),
        ValueForm::Json => (*choices.of(&["'{\"edited\":[1,2.50]}'", "'\"text\"'", "'[]'"])).to_owned(),
        ValueForm::Bytes => "x'00ff10'".to_owned(),
        ValueForm::Moment(_) => {
            let micros: i64 = old.parse().ok()?;
            (micros - micros.signum() * 60_000_000).to_string()
        }
    })
}

/// What an edit has changed.
pub struct Edit<'l> {
    one: Editable<'l>,
    rowid: i64,
    /// Both as SQL.
    old: String,
    new: String,
}

impl fmt::Display for Edit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} from {} to {}", self.one.table, self.one.column, self.old, self.new)
    }
}

/// Gives a column of a row another value; none where there is no such row, or it has that value.
pub fn update<'l>(layout: &'l Layout, file: &Connection, choices: &mut Choices<'_>) -> Option<Edit<'l>> {
    let mut all = editable(layout);
    if all.is_empty() {
        return None;
    }
    let one = all.swap_remove(choices.below(all.len()));
    let (table, column) = (one.table, one.column);
    let count: i64 =
        file.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |row| row.get(0)).expect("a table");
    if count == 0 {
        return None;
    }
    let at = choices.below(usize::try_from(count).expect("a number of rows"));
    let sql = format!(
        "SELECT rowid, quote(\"{column}\"), CASE typeof(\"{column}\") WHEN 'integer' THEN \"{column}\" ELSE '' END || ''
         FROM \"{table}\" ORDER BY rowid LIMIT 1 OFFSET {at}"
    );
    let (rowid, old, number) = file
        .query_row(&sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
        .expect("a row");
    let new = other_value(&one, &number, choices)?;
    let new: String = file.query_row(&format!("SELECT quote({new})"), [], |row| row.get(0)).expect("a value");
    if new == old {
        return None;
    }
    file.execute(&format!("UPDATE \"{table}\" SET \"{column}\" = {new} WHERE rowid = {rowid}"), []).expect("an update");
    Some(Edit { one, rowid, old, new })
}

/// One edited row changes one place of one file.
fn edit(world: &World, choices: &mut Choices<'_>) -> Result<bool, String> {
    let file = world.file("a.db");
    let before = rows(&world.layout, &file);
    let Some(edit) = update(&world.layout, &file, choices) else { return Ok(false) };
    let edited = rows(&world.layout, &file);
    let in_edit = |error: String| format!("{edit}: {error}");
    world.export("a.db", "edited").map_err(in_edit)?;
    let (one_tree, other) = (content(&world.path("tree")), content(&world.path("edited")));
    let differing: Vec<&PathBuf> = one_tree.keys().filter(|path| one_tree.get(*path) != other.get(*path)).collect();
    let [path] = differing.as_slice() else {
        let told = format!("it changes {} files: {}", differing.len(), differences(&one_tree, &other));
        return Err(in_edit(told));
    };
    if one_tree.len() != other.len() || one_tree[*path].1 != other[*path].1 {
        return Err(in_edit(format!("it changes more than bytes: {}", differences(&one_tree, &other))));
    }
    if !edit.one.in_pages {
        one_place(&edit, &one_tree[*path].2, &other[*path].2).map_err(in_edit)?;
    }
    world.import("edited", "b.db").map_err(in_edit)?;
    let found = rows(&world.layout, &world.file("b.db"));
    if found != edited {
        return Err(in_edit(format!("the edited tree has other rows than the file: {found:?}")));
    }
    // Taken back, the row is what it was.
    let Edit { one: Editable { table, column, .. }, rowid, old, .. } = &edit;
    file.execute(&format!("UPDATE \"{table}\" SET \"{column}\" = {old} WHERE rowid = {rowid}"), []).expect("an update");
    assert_eq!(rows(&world.layout, &file), before);
    Ok(true)
}

/// The bytes that differ are those of one value, and what goes with it: its key, its comma, its line.
fn one_place(edit: &Edit<'_>, before: &[u8], after: &[u8]) -> Result<(), String> {
    let Edit { one, old, new, .. } = edit;
    let head = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let rest = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let (was, is) = (&before[head..before.len() - tail], &after[head..after.len() - tail]);
    let key = match &one.filled.from[0] {
        Origin::Member(names) => names.iter().map(String::len).sum(),
        _ => 0,
    };
    // A value is spelled with six bytes for one, at most; blocks are indented.
    let bound = |value: &str| 12 * value.len() + 6 * key + 60;
    match was.len() <= bound(old) && is.len() <= bound(new) {
        true => Ok(()),
        false => {
            Err(format!("`{}` became `{}`, in `{}`", was.escape_ascii(), is.escape_ascii(), before.escape_ascii()))
        }
    }
}

/// Deletes a row with what is inside it; whether there was one.
fn delete(layout: &Layout, file: &Connection, choices: &mut Choices<'_>) -> Option<String> {
    let sets: Vec<&RecordSet> =
        layout.kinds.iter().flat_map(|kind| &kind.records).filter(|set| !is_placed(set)).collect();
    if sets.is_empty() {
        return None;
    }
    let set = *choices.of(&sets);
    let table = &layout.tables[set.table].name;
    let rowid: i64 = file
        .query_row(&format!("SELECT rowid FROM \"{table}\" ORDER BY rowid DESC LIMIT 1"), [], |row| row.get(0))
        .ok()?;
    delete_inside(layout, file, set, rowid);
    Some(format!("a row of {table} is deleted"))
}

fn delete_inside(layout: &Layout, file: &Connection, set: &RecordSet, rowid: i64) {
    let table = &layout.tables[set.table];
    for child in &set.children {
        let of = &layout.tables[child.table];
        let pairs = child.columns.iter().filter_map(|filled| match filled.from.as_slice() {
            [Origin::Parent(column)] => Some(format!(
                "\"{}\" IS (SELECT \"{}\" FROM \"{}\" WHERE rowid = {rowid})",
                of.columns[filled.column].name, table.columns[*column].name, table.name
            )),
            _ => None,
        });
        let condition = pairs.collect::<Vec<_>>().join(" AND ");
        let mut statement =
            file.prepare(&format!("SELECT rowid FROM \"{}\" WHERE {condition}", of.name)).expect("a table");
        let inside: Vec<i64> = statement.query_map([], |row| row.get(0)).expect("rows").flatten().collect();
        inside.into_iter().for_each(|inner| delete_inside(layout, file, child, inner));
    }
    file.execute(&format!("DELETE FROM \"{}\" WHERE rowid = {rowid}", table.name), []).expect("a row less");
}

/// Whether the rows of a set, or those inside it, are told by where they stand.
fn is_placed(set: &RecordSet) -> bool {
    let placed = |origin: &Origin| matches!(origin, Origin::Position | Origin::Template(_));
    set.columns.iter().flat_map(|filled| &filled.from).any(placed) || set.children.iter().any(is_placed)
}

/// Copies a row under another key.
fn insert(layout: &Layout, file: &Connection, choices: &mut Choices<'_>) -> Option<String> {
    let sets: Vec<&RecordSet> =
        layout.kinds.iter().flat_map(|kind| &kind.records).filter(|set| !is_placed(set)).collect();
    if sets.is_empty() {
        return None;
    }
    let set = *choices.of(&sets);
    let table = &layout.tables[set.table];
    let last = &table.columns[*table.key.last()?];
    let new = match (last.name.as_str(), &last.form) {
        ("c_b", _) => return None,
        (_, ValueForm::Integer) => "4242",
        _ => "'quite new'",
    };
    let columns: Vec<String> = table.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|name| if *name == format!("\"{}\"", last.name) { new.to_owned() } else { name.clone() })
        .collect();
    let sql = format!(
        "INSERT INTO \"{0}\" ({1}) SELECT {2} FROM \"{0}\" ORDER BY rowid LIMIT 1",
        table.name,
        columns.join(", "),
        values.join(", ")
    );
    let made = file.execute(&sql, []).unwrap_or_else(|error| panic!("{error}: {sql}"));
    (made > 0).then(|| format!("a row of {} is copied", table.name))
}

/// Rows that came and went are in the tree, and it has no others.
fn come_and_go(world: &World, choices: &mut Choices<'_>) -> Result<bool, String> {
    fs::copy(world.path("a.db"), world.path("c.db")).expect("a copy");
    let file = world.file("c.db");
    let mut done: Vec<String> = Vec::new();
    done.extend(insert(&world.layout, &file, choices));
    done.extend(delete(&world.layout, &file, choices));
    if done.is_empty() {
        return Ok(false);
    }
    let expected = rows(&world.layout, &file);
    let what = done.join(", ");
    world.export("c.db", "grown").map_err(|error| format!("{what}: {error}"))?;
    world.import("grown", "d.db").map_err(|error| format!("{what}: {error}"))?;
    match rows(&world.layout, &world.file("d.db")) == expected {
        true => Ok(true),
        false => Err(format!(
            "{what}: the tree has other rows\n{expected:?}\n{:?}",
            rows(&world.layout, &world.file("d.db"))
        )),
    }
}

/// What the cases had, so that none of it passes unseen.
#[derive(Debug, Default)]
pub struct Tally {
    files: usize,
    edits: usize,
    came_and_went: usize,
}

fn hold(sample: &Sample, tally: &mut Tally) -> Result<(), String> {
    let world = World::new(random_layout(&mut Choices::given(&sample.layout)))?;
    let tree: RandomTree = random_tree(&world.layout, &sample.tree).map_err(|error| told(&error))?;
    tree.write(&world.path("tree")).map_err(|error| told(&error))?;
    let in_tree = |error: String| format!("{error}\nlayout:\n{}\ntree:\n{}", world.text, tree.lines());
    tally.files += tree.files();
    let run = || -> Result<(bool, bool), String> {
        world.import("tree", "a.db")?;
        world.export("a.db", "out")?;
        same_tree(&world, "tree", "out")?;
        let mut choices = Choices::given(&sample.edits);
        let edited = edit(&world, &mut choices)?;
        Ok((edited, come_and_go(&world, &mut choices)?))
    };
    let (edited, came_and_went) = run().map_err(in_tree)?;
    tally.edits += usize::from(edited);
    tally.came_and_went += usize::from(came_and_went);
    Ok(())
}

/// A share of the cases; the shares run side by side.
fn share() {
    let cases = std::env::var("WHIMBREL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES) / SHARES;
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: SHRINK_TRIES_MAX,
        ..ProptestConfig::default()
    };
    let tally = RefCell::new(Tally::default());
    let held = TestRunner::new(config)
        .run(&samples(), |sample| hold(&sample, &mut tally.borrow_mut()).map_err(TestCaseError::fail));
    if let Err(error) = held {
        panic!("{error}");
    }
    let (tally, cases) = (tally.into_inner(), cases as usize);
    assert!(tally.files > cases && tally.edits > cases / 5 && tally.came_and_went > cases / 5, "{tally:?}");
}

#[test]
fn trees_and_rows_are_the_same_and_an_edit_is_one_place_1() {
    share();
}

#[test]
fn trees_and_rows_are_the_same_and_an_edit_is_one_place_2() {
    share();
}
