//! Files to rows: each row that files have changed is written, and read back, within the transaction of the caller.
//!
//! Foreign keys are not enforced meanwhile, so that no cascade removes what files have left, and rows may come in any order; they are
//! looked at afterwards ([`super::keys`]). Triggers run as for any application. Whatever they change of a row that files
//! tell is an error: both sides would not be equal.

use super::base::id_of;
use super::keys::{Keys, Touched};
use super::record::{Id, WHOLE};
use super::rows::Forms;
use super::values::{self, Bound};
use crate::endpoint::files::marks;
use crate::endpoint::sqlite::read::describe;
use crate::endpoint::sqlite::scan::Scan;
use crate::error::{Error, Result};
use crate::metadata::ledger;
use crate::plan::{ColumnPlan, TablePlan};
use crate::quote::quote;
use crate::types::Codec;
use crate::value::{Cell, RowHasher, Stored, TableDigest, row_key};
use rusqlite::hooks::Action;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

const WRITE: &str = "write";

/// What becomes of one row: of a whole one, or of the parts of it that files have changed.
#[derive(Debug, Clone, PartialEq)]
pub struct RowChange {
    /// The place of its table in the layout.
    pub table: usize,
    /// The cells of its key; the others say nothing.
    pub key: Vec<Cell<'static>>,
    /// The kind of file of each part, [`WHOLE`] for a whole row, and its cells; `None` where the part is gone.
    pub parts: Vec<(u16, Option<Vec<Cell<'static>>>)>,
    /// Whether a part that is not named here is there.
    pub has_other_parts: bool,
}

/// Writes rows.
pub struct Applying<'a, 'l> {
    connection: &'a Connection,
    forms: &'a Forms<'l>,
    plans: &'a [TablePlan],
    codecs: Vec<Vec<Codec>>,
    keys: Keys,
    /// The digest of each table's rows.
    pub digests: Vec<TableDigest>,
    /// How many rows were written or removed.
    pub written: u64,
    /// The tables, by their places, that were written to.
    pub tables: Vec<bool>,
    /// Whether a row that is there gets the values that no file tells as well: there are no files that it has to agree with.
    pub writes_untold: bool,
    /// The rows that were to be, of each table.
    expected: Vec<TableDigest>,
}

/// What SQLite has told of changed rows: by table and number.
type Told = Arc<Mutex<HashMap<(String, i64), bool>>>;

impl<'a, 'l> Applying<'a, 'l> {
    /// Prepares to write.
    ///
    /// # Errors
    /// When the file's schema cannot be read.
    pub fn new(
        connection: &'a Connection,
        forms: &'a Forms<'l>,
        plans: &'a [TablePlan],
        digests: Vec<TableDigest>,
    ) -> Result<Self> {
        let codecs = plans.iter().map(|plan| plan.columns.iter().map(ColumnPlan::codec).collect()).collect();
        let keys = Keys::read(connection)?;
        let (tables, expected) = (vec![false; plans.len()], vec![TableDigest::default(); plans.len()]);
        let (written, writes_untold) = (0, false);
        Ok(Applying { connection, forms, plans, codecs, keys, digests, written, tables, writes_untold, expected })
    }

    /// Makes the changes, and proves that the rows are what they were to be.
    ///
    /// # Errors
    /// When SQLite refuses a row, a foreign key leads nowhere, or a trigger makes something else of them.
    pub fn apply(&mut self, changes: &[RowChange], before: &dyn Fn(Id) -> Option<u128>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let told: Told = Arc::default();
        let hear = Arc::clone(&told);
        let hook = move |action: Action, _: &str, table: &str, rowid: i64| {
            let mut told = hear.lock().unwrap_or_else(PoisonError::into_inner);
            told.insert((table.to_owned(), rowid), action == Action::SQLITE_DELETE);
        };
        let failed = |error: rusqlite::Error| Error::could_not(WRITE, "rows", error);
        self.connection.update_hook(Some(hook)).map_err(failed)?;
        let done = self.write(changes);
        self.connection.update_hook(None::<fn(Action, &str, &str, i64)>).map_err(failed)?;
        let touched = done?;
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let has_others = self.prove(changes, &touched, &told, before)?;
        if has_others || self.may_change_unheard()? {
            self.ensure_as_counted()?;
        }
        self.keys.verify(self.connection, &touched)
    }

    /// Makes the changes of a few rows, and proves of these rows alone that they are what they were to be. What triggers make of
    /// others is not looked at: it would take all rows.
    ///
    /// # Errors
    /// When SQLite refuses a row, a foreign key leads nowhere, or a trigger makes something else of one of them.
    pub fn apply_few(&mut self, changes: &[RowChange]) -> Result<()> {
        let touched = self.write(changes)?;
        changes.iter().try_for_each(|change| self.ensure_as_wanted(change).map(drop))?;
        self.keys.verify(self.connection, &touched)
    }

    /// Reads back a row that was written: its hash, where it stays.
    fn ensure_as_wanted(&self, change: &RowChange) -> Result<Option<u128>> {
        let key = self.key(change);
        let now = self.current(change.table, &key)?;
        let is_as_wanted = match &now {
            None => is_removal(change),
            Some(now) => !is_removal(change) && self.wanted(change, Some(now)) == *now,
        };
        if is_as_wanted {
            return Ok(now.as_deref().map(hash));
        }
        let cause = "a trigger of the file, or its type, has made something else of what files say";
        Err(Error::could_not(WRITE, self.object(change.table, &key), cause)
            .hint("nothing was changed; change the file that says it, or the trigger"))
    }

    /// Whether something in the file may change rows of its tables of which SQLite tells nothing.
    fn may_change_unheard(&self) -> Result<bool> {
        let read = || -> rusqlite::Result<bool> {
            let sql =
                "SELECT type, name, sql FROM sqlite_schema WHERE type IN ('table', 'trigger') AND sql IS NOT NULL";
            let mut all = self.connection.prepare(sql)?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let is_ours = self.plans.iter().any(|plan| plan.target.eq_ignore_ascii_case(&name));
                if match kind.as_str() {
                    "trigger" => is_unheard_trigger(&sql),
                    _ => is_ours && is_unheard_table(&sql),
                } {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        read().map_err(|error| Error::could_not(WRITE, "rows", error))
    }

    /// Reads every row again, where others than were told may have changed, or what no file says of them.
    fn ensure_as_counted(&self) -> Result<()> {
        let mut hasher = RowHasher::default();
        for (plan, counted) in self.plans.iter().zip(&self.digests) {
            let mut found = TableDigest::default();
            Scan::new(self.connection, plan)?.rows(self.connection, None, &mut |row| {
                row.cells.iter().for_each(|cell| hasher.cell(cell));
                found.add(hasher.finish());
                Ok(())
            })?;
            if found != *counted {
                let cause = "a trigger of the file, or REPLACE, has changed other rows of it than the files say";
                return Err(Error::could_not(WRITE, format!("table `{}`", plan.target), cause).hint(
                    "nothing was changed; make the change of the files in the rows as well, or take the trigger away for the sync",
                ));
            }
        }
        Ok(())
    }

    fn write(&mut self, changes: &[RowChange]) -> Result<Vec<Touched>> {
        let mut touched = Vec::new();
        // What is inside of something goes before it, and comes behind it.
        let mut order: Vec<&RowChange> = changes.iter().collect();
        order.sort_by_key(|change| change.table);
        for change in order.iter().rev().filter(|change| is_removal(change)) {
            self.tables[change.table] = true;
            let key = self.key(change);
            if let Some(cells) = self.current(change.table, &key)? {
                touched.push(self.touched(change.table, &key, false)?);
                self.remove(change.table, &key, &cells)?;
            }
        }
        for change in order.into_iter().filter(|change| !is_removal(change)) {
            let key = self.key(change);
            let current = self.current(change.table, &key)?;
            let wanted = self.wanted(change, current.as_deref());
            self.expected[change.table].add(hash(&wanted));
            if current.as_ref() == Some(&wanted) {
                continue;
            }
            self.tables[change.table] = true;
            let before = match current {
                Some(_) => Some(self.touched(change.table, &key, true)?),
                None => None,
            };
            self.put(change.table, &key, current.as_deref(), &wanted)?;
            touched.push(match before {
                Some(before) => before,
                None => Touched {
                    table: self.plans[change.table].target.clone(),
                    key: self.names(change.table, &key),
                    old: Vec::new(),
                    stays: true,
                },
            });
        }
        Ok(touched)
    }

    /// The stored values of a change's key.
    fn key(&self, change: &RowChange) -> Vec<Stored<'static>> {
        let key = &self.forms.layout.tables[change.table].key;
        let codecs = &self.codecs[change.table];
        key.iter()
            .map(|place| codecs[*place].place(change.key.get(*place).unwrap_or(&Cell::Null)).stored.into_owned())
            .collect()
    }

    /// The columns of a key, each with its value.
    fn names(&self, table: usize, key: &[Stored<'static>]) -> Vec<(String, Stored<'static>)> {
        let columns = &self.plans[table].columns;
        let places = self.forms.layout.tables[table].key.iter();
        places.zip(key).map(|(place, value)| (columns[*place].target.clone(), value.clone())).collect()
    }

    fn touched(&self, table: usize, key: &[Stored<'static>], stays: bool) -> Result<Touched> {
        self.keys.touched(self.connection, &self.plans[table].target, self.names(table, key), stays)
    }

    fn filter(&self, table: usize, from: usize) -> String {
        let columns = &self.plans[table].columns;
        let places = self.forms.layout.tables[table].key.iter().enumerate();
        let parts = places.map(|(number, place)| format!("{} IS ?{}", quote(&columns[*place].target), from + number));
        parts.collect::<Vec<_>>().join(" AND ")
    }

    fn object(&self, table: usize, key: &[Stored<'static>]) -> String {
        format!("table `{}`, row {}", self.plans[table].target, row_key(key.iter().cloned()))
    }

    fn failed<'k>(&'k self, table: usize, key: &'k [Stored<'static>]) -> impl Fn(rusqlite::Error) -> Error + 'k {
        move |error| {
            describe(WRITE, self.object(table, key), error)
                .hint("nothing was changed; correct the file that says it, or the row that is in its way")
        }
    }

    /// A row as it stands there.
    fn current(&self, table: usize, key: &[Stored<'static>]) -> Result<Option<Vec<Cell<'static>>>> {
        let failed = self.failed(table, key);
        let plan = &self.plans[table];
        let columns: Vec<String> = plan.columns.iter().map(|column| quote(&column.target)).collect();
        let sql = format!("SELECT {} FROM {} WHERE {}", columns.join(", "), quote(&plan.target), self.filter(table, 1));
        let mut one = self.connection.prepare_cached(&sql).map_err(&failed)?;
        let row = one.query_row(params_from_iter(key.iter().map(Bound)), |row| self.cells(table, row, key));
        row.optional().map_err(&failed)
    }

    fn cells(&self, table: usize, row: &Row<'_>, key: &[Stored<'static>]) -> rusqlite::Result<Vec<Cell<'static>>> {
        let plan = &self.plans[table];
        let entries = match ledger::has_entries(self.connection, &plan.target)? {
            true => ledger::Reader::new(self.connection)?.entries(&plan.target, &row_key(key.iter().cloned()))?,
            false => Vec::new(),
        };
        let codecs = self.codecs[table].iter().zip(&plan.columns).enumerate();
        codecs
            .map(|(place, (codec, column))| {
                let stored = Stored::from(row.get_ref(place)?);
                let exact = entries.iter().find(|(name, _)| *name == column.target).map(|(_, exact)| exact.as_str());
                Ok(codec.load_with_ledger(stored, exact).into_owned())
            })
            .collect()
    }

    /// A row as it is to be.
    fn wanted(&self, change: &RowChange, current: Option<&[Cell<'static>]>) -> Vec<Cell<'static>> {
        let columns = self.plans[change.table].columns.len();
        let mut wanted = current.map_or_else(|| vec![Cell::Null; columns], <[Cell<'static>]>::to_vec);
        for (kind, cells) in &change.parts {
            let id = Id { table: u16::try_from(change.table).unwrap_or(u16::MAX), kind: *kind, key: 0 };
            let kind = (*kind != WHOLE).then_some(usize::from(*kind));
            let key = &self.forms.layout.tables[change.table].key;
            let fills = |column: usize| kind.is_none_or(|kind| self.forms.fills(change.table, kind, column));
            match cells {
                Some(cells) => {
                    // What files do not tell stays what it is, once there is a row.
                    let keeps = current.is_some() && !self.writes_untold;
                    let untold = if keeps { self.forms.untold(id, cells, kind) } else { Vec::new() };
                    for column in (0..columns).filter(|column| fills(*column) && !untold.contains(column)) {
                        wanted[column] = cells[column].clone();
                    }
                }
                None => {
                    for column in (0..columns).filter(|column| fills(*column) && !key.contains(column)) {
                        wanted[column] = Cell::Null;
                    }
                }
            }
        }
        for place in &self.forms.layout.tables[change.table].key {
            wanted[*place] = change.key[*place].clone();
        }
        wanted
    }

    fn remove(&mut self, table: usize, key: &[Stored<'static>], cells: &[Cell<'_>]) -> Result<()> {
        let failed = self.failed(table, key);
        let target = &self.plans[table].target;
        let sql = format!("DELETE FROM {} WHERE {}", quote(target), self.filter(table, 1));
        let mut delete = self.connection.prepare_cached(&sql).map_err(&failed)?;
        delete.execute(params_from_iter(key.iter().map(Bound))).map_err(&failed)?;
        ledger::forget(self.connection, target, &row_key(key.iter().cloned())).map_err(&failed)?;
        drop(failed);
        self.digests[table].remove(hash(cells));
        self.written += 1;
        Ok(())
    }

    fn put(
        &mut self,
        table: usize,
        key: &[Stored<'static>],
        current: Option<&[Cell<'static>]>,
        wanted: &[Cell<'static>],
    ) -> Result<()> {
        let failed = self.failed(table, key);
        let plan = &self.plans[table];
        let placed: Vec<_> = self.codecs[table].iter().zip(wanted).map(|(codec, cell)| codec.place(cell)).collect();
        let differs = |column: &usize| {
            !plan.columns[*column].computed && current.is_none_or(|current| current[*column] != wanted[*column])
        };
        let columns: Vec<usize> = (0..wanted.len()).filter(differs).collect();
        let name = |column: &usize| quote(&plan.columns[*column].target);
        let sql = match current {
            Some(_) => {
                let sets: Vec<String> = columns
                    .iter()
                    .enumerate()
                    .map(|(number, column)| format!("{} = ?{}", name(column), number + 1))
                    .collect();
                let filter = self.filter(table, columns.len() + 1);
                format!("UPDATE {} SET {} WHERE {filter}", quote(&plan.target), sets.join(", "))
            }
            None => {
                let names: Vec<String> = columns.iter().map(name).collect();
                let places: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
                format!("INSERT INTO {} ({}) VALUES ({})", quote(&plan.target), names.join(", "), places.join(", "))
            }
        };
        let values = columns.iter().map(|column| &placed[*column].stored);
        let values = values.chain(key.iter().filter(|_| current.is_some())).map(Bound);
        let mut statement = self.connection.prepare_cached(&sql).map_err(&failed)?;
        statement.execute(params_from_iter(values)).map_err(&failed)?;
        let row_key = row_key(key.iter().cloned());
        ledger::forget(self.connection, &plan.target, &row_key).map_err(&failed)?;
        for (column, _) in placed.iter().enumerate().filter(|(_, placed)| !placed.exact) {
            if let Some(exact) = self.codecs[table][column].text(&wanted[column]) {
                let mut ledger = ledger::Writer::new(self.connection).map_err(&failed)?;
                ledger.add(&plan.target, &row_key, &plan.columns[column].target, &exact).map_err(&failed)?;
            }
        }
        drop(failed);
        if let Some(current) = current {
            self.digests[table].remove(hash(current));
        }
        self.digests[table].add(hash(wanted));
        self.written += 1;
        Ok(())
    }

    /// Reads back what was written, and what triggers have changed besides; whether they have changed anything.
    fn prove(
        &self,
        changes: &[RowChange],
        touched: &[Touched],
        told: &HashMap<(String, i64), bool>,
        before: &dyn Fn(Id) -> Option<u128>,
    ) -> Result<bool> {
        let mut found = vec![TableDigest::default(); self.plans.len()];
        for change in changes {
            if let Some(hash) = self.ensure_as_wanted(change)? {
                found[change.table].add(hash);
            }
        }
        // What no file says of them may be another one.
        let mut has_others = found != self.expected;
        let removed = |target: &str| touched.iter().filter(|one| !one.stays && one.table == target).count();
        for (table, plan) in self.plans.iter().enumerate() {
            let of_table = told.iter().filter(|((name, _), _)| name.eq_ignore_ascii_case(&plan.target));
            let (gone, changed): (Vec<_>, Vec<_>) = of_table.partition(|(_, is_deleted)| **is_deleted);
            if gone.len() > removed(&plan.target) {
                let cause = "a trigger of the file has removed a row that files have";
                return Err(Error::could_not(WRITE, format!("table `{}`", plan.target), cause)
                    .hint("nothing was changed; remove the record from its file as well, or change the trigger"));
            }
            let numbers: Vec<i64> = changed.into_iter().map(|((_, rowid), _)| *rowid).collect();
            has_others |= self.refuse_other_changes(table, &numbers, changes, before)?;
        }
        Ok(has_others)
    }

    /// Rows that triggers have changed have to say what they said before; whether there are any.
    fn refuse_other_changes(
        &self,
        table: usize,
        numbers: &[i64],
        changes: &[RowChange],
        before: &dyn Fn(Id) -> Option<u128>,
    ) -> Result<bool> {
        let mut has_others = false;
        let plan = &self.plans[table];
        let layout = &self.forms.layout.tables[table];
        let key_of = |cells: &[Cell<'_>]| marks::key(layout, cells, &mut RowHasher::default());
        let ours = changes.iter().filter(|change| change.table == table);
        let ours: HashSet<u128> = ours.map(|change| key_of(&change.key)).collect();
        let columns: Vec<String> = plan.columns.iter().map(|column| quote(&column.target)).collect();
        let sql = format!("SELECT {} FROM {} WHERE rowid = ?1", columns.join(", "), quote(&plan.target));
        for number in numbers {
            let failed = |error: rusqlite::Error| describe("read back", format!("table `{}`", plan.target), error);
            let mut one = self.connection.prepare_cached(&sql).map_err(failed)?;
            let cells = one.query_row([number], |row| self.cells(table, row, &[])).optional().map_err(failed)?;
            let Some(cells) = cells else { continue };
            let key = key_of(&cells);
            if ours.contains(&key) {
                continue;
            }
            has_others = true;
            let kinds = if layout.in_parts { self.forms.kinds_of_parts(table) } else { vec![usize::from(WHOLE)] };
            for kind in kinds {
                let kind = (kind != usize::from(WHOLE)).then_some(kind);
                let id = id_of(self.forms.layout, u16::try_from(table).unwrap_or(u16::MAX), key, kind);
                let Some(known) = before(id) else { continue };
                let fills = |column: usize| kind.is_none_or(|kind| self.forms.fills(table, kind, column));
                let part = cells.iter().enumerate();
                let part: Vec<Cell<'_>> =
                    part.map(|(column, cell)| if fills(column) { cell.clone() } else { Cell::Null }).collect();
                let said = self.forms.said(table, &part, kind).map(|said| hash(&said.cells));
                if said != Some(known) && hash(&part) != known {
                    let object =
                        format!("table `{}`, row {}", plan.target, values::key_of(self.forms.layout, table, &cells));
                    let cause = "a trigger of the file has changed it, and its file says something else";
                    return Err(Error::could_not(WRITE, object, cause)
                        .hint("nothing was changed; change the file in the same way, or change the trigger"));
                }
            }
        }
        Ok(has_others)
    }
}

/// Whether rows of a table may go, or be changed, without a word to whoever listens: by REPLACE, or because they have no numbers.
fn is_unheard_table(sql: &str) -> bool {
    let sql = sql.to_ascii_uppercase();
    sql.contains("REPLACE") || sql.contains("WITHOUT") && sql.contains("ROWID")
}

/// Whether a trigger may remove rows without a word: by REPLACE, or all rows of a table at once. What hides behind comments is not
/// looked for.
fn is_unheard_trigger(sql: &str) -> bool {
    let sql = sql.to_ascii_uppercase();
    let is_of_all = |behind: &str| {
        behind.trim_start().starts_with("FROM") && !behind.split(';').next().unwrap_or_default().contains("WHERE")
    };
    ["REPLACE", "--", "/*"].iter().any(|word| sql.contains(word)) || sql.split("DELETE").skip(1).any(is_of_all)
}

fn is_removal(change: &RowChange) -> bool {
    !change.has_other_parts && change.parts.iter().all(|(_, cells)| cells.is_none())
}

fn hash(cells: &[Cell<'_>]) -> u128 {
    let mut hasher = RowHasher::default();
    cells.iter().for_each(|cell| hasher.cell(cell));
    hasher.finish()
}

/// The changes of rows, from what becomes of records: parts of one row are one change.
pub fn grouped(
    changes: Vec<(Id, Vec<Cell<'static>>, bool)>,
    has_part: &dyn Fn(Id) -> bool,
    forms: &Forms<'_>,
) -> Vec<RowChange> {
    let mut rows: BTreeMap<(u16, u128), RowChange> = BTreeMap::new();
    for (id, cells, stays) in changes {
        let row = rows.entry((id.table, id.key)).or_insert_with(|| RowChange {
            table: usize::from(id.table),
            key: cells.clone(),
            parts: Vec::new(),
            has_other_parts: false,
        });
        row.parts.push((id.kind, stays.then_some(cells)));
    }
    for ((table, key), row) in &mut rows {
        if forms.layout.tables[row.table].in_parts {
            let named: Vec<u16> = row.parts.iter().map(|(kind, _)| *kind).collect();
            let others = forms.kinds_of_parts(row.table).into_iter();
            row.has_other_parts = others
                .map(|kind| id_of(forms.layout, *table, *key, Some(kind)))
                .any(|id| !named.contains(&id.kind) && has_part(id));
        }
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_rows_without_a_word_is_known() {
        for (sql, expected) in [
            ("CREATE TRIGGER a AFTER DELETE ON t BEGIN UPDATE u SET n = n - 1 WHERE id = OLD.id; END", false),
            ("CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO f (f, rowid) VALUES ('delete', OLD.id); END", false),
            ("CREATE TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM u WHERE id = NEW.id; END", false),
            ("CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; delete\n from u; SELECT 1 WHERE 1; END", true),
            ("CREATE TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM u /* WHERE */; END", true),
            ("CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT OR REPLACE INTO u VALUES (1); END", true),
        ] {
            assert_eq!(is_unheard_trigger(sql), expected, "{sql}");
        }
        assert!(is_unheard_table("CREATE TABLE t (a PRIMARY KEY ON CONFLICT REPLACE)"));
        assert!(is_unheard_table("CREATE TABLE t (a PRIMARY KEY) without rowid"));
        assert!(!is_unheard_table("CREATE TABLE t (a PRIMARY KEY)"));
    }
}
