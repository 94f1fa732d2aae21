//! What records have to do with one another: which are inside of which in files, and which lead to which by the foreign keys of the
//! SQLite file.

use super::base::id_of;
use super::keys::{Key, Keys};
use super::record::{Id, Outcome, WHOLE, Which};
use super::rows::Forms;
use super::store::{Store, Stored as Record};
use super::values::Bound;
use crate::endpoint::files::marks;
use crate::endpoint::files::pack::unpack;
use crate::endpoint::files::rows::Home;
use crate::endpoint::sqlite::read::describe;
use crate::error::Result;
use crate::plan::TablePlan;
use crate::quote::quote;
use crate::value::{Cell, RowHasher, Stored, row_key};
use rusqlite::{Connection, params_from_iter};
use std::collections::{HashMap, HashSet};

/// A row: the place of its table, and the hash of its key. It is one record, or one for each of its parts.
pub type RowId = (u16, u128);

/// What a record has to do with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// It is inside of the other one, and in its file only with it.
    Inside {
        /// What is inside.
        child: Id,
        /// What is around.
        parent: Id,
    },
    /// Its row leads to the other one by a foreign key.
    Leads {
        /// What leads there; `None` for a row that is not changed on either side, or that no file has.
        child: Option<Id>,
        /// Where it leads.
        parent: RowId,
        /// Whether it does so in the form that is to be kept of it.
        is_kept: bool,
    },
}

/// What is asked for links.
pub struct Linking<'s, 'l> {
    /// The SQLite file.
    pub connection: &'s Connection,
    /// How rows and files say one another.
    pub forms: &'s Forms<'l>,
    /// The plan of each of the layout's tables.
    pub plans: &'s [TablePlan],
    /// The records that were looked at.
    pub store: &'s Store,
}

/// A foreign key between tables of the layout: their places, and those of the columns.
struct Between {
    child: Option<(usize, Vec<usize>)>,
    parent: usize,
    of_parent: Vec<usize>,
}

impl Linking<'_, '_> {
    /// The records that a row is.
    pub fn ids(&self, (table, key): RowId) -> Vec<Id> {
        let (layout, place) = (self.forms.layout, usize::from(table));
        match layout.tables[place].in_parts {
            false => vec![Id { table, kind: WHOLE, key }],
            true => {
                let kinds = self.forms.kinds_of_parts(place).into_iter();
                kinds.map(|kind| id_of(layout, table, key, Some(kind))).collect()
            }
        }
    }

    /// What the records that have changed are inside of, and what leads to `rows`: those that a side does not have, each with
    /// whether a side is to lose it.
    ///
    /// # Errors
    /// When the temporary database or the SQLite file cannot be read.
    pub fn links(&self, rows: &HashMap<RowId, bool>, outcome: &dyn Fn(Id) -> Option<Outcome>) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        for table in 0..self.forms.homes.len() {
            if self.forms.homes[table].iter().any(|home| matches!(home, Home::Inside { .. })) {
                self.inside(table, outcome, &mut links)?;
            }
        }
        for key in Keys::read(self.connection)?.all() {
            if let Some(between) = self.between(key) {
                self.leads(key, &between, (rows, outcome), &mut links)?;
            }
        }
        // What is told of a record does not hang on chance.
        links.sort_unstable();
        Ok(links)
    }

    fn inside(&self, table: usize, outcome: &dyn Fn(Id) -> Option<Outcome>, links: &mut Vec<Link>) -> Result<()> {
        let mut hasher = RowHasher::default();
        let mut around: HashMap<Id, Id> = HashMap::new();
        for which in [Which::Files, Which::Rows] {
            self.store.of_table(which, number(table), &mut |stored| {
                let cells = unpack(&stored.packed).unwrap_or_default();
                let kind = Some(usize::from(stored.id.kind));
                if let Some(Home::Inside { kind, around: table, key, .. }) = self.forms.home(table, &cells, kind) {
                    key.iter().for_each(|column| hasher.cell(&cells[*column]));
                    let parent = id_of(self.forms.layout, number(*table), hasher.finish(), Some(*kind));
                    // Where the rows win it, it is inside of what they say.
                    match outcome(stored.id) {
                        Some(Outcome::Rows) if which == Which::Rows => drop(around.insert(stored.id, parent)),
                        _ => drop(around.entry(stored.id).or_insert(parent)),
                    }
                }
                Ok(())
            })?;
        }
        links.extend(around.into_iter().map(|(child, parent)| Link::Inside { child, parent }));
        Ok(())
    }

    fn between(&self, key: &Key) -> Option<Between> {
        let place = |name: &str| self.plans.iter().position(|plan| plan.target.eq_ignore_ascii_case(name));
        let columns = |table: usize, names: &mut dyn Iterator<Item = &String>| -> Option<Vec<usize>> {
            let of = |name: &String| {
                self.plans[table].columns.iter().position(|column| column.target.eq_ignore_ascii_case(name))
            };
            names.map(of).collect()
        };
        let parent = place(&key.parent)?;
        let of_parent = columns(parent, &mut key.columns.iter().map(|(_, to)| to))?;
        let child = place(&key.child)
            .and_then(|child| Some((child, columns(child, &mut key.columns.iter().map(|(from, _)| from))?)));
        Some(Between { child, parent, of_parent })
    }

    /// The values of some columns of a row as the SQLite file has them; `None` where one is NULL, and leads nowhere.
    fn values(&self, table: usize, columns: &[usize], cells: &[Cell<'_>]) -> Option<Vec<Stored<'static>>> {
        let plan = &self.plans[table];
        let value = |place: &usize| match plan.columns[*place].codec().place(cells.get(*place)?).stored.into_owned() {
            Stored::Null => None,
            value => Some(value),
        };
        columns.iter().map(value).collect()
    }

    fn leads(
        &self,
        key: &Key,
        between: &Between,
        (rows, outcome): (&HashMap<RowId, bool>, &dyn Fn(Id) -> Option<Outcome>),
        links: &mut Vec<Link>,
    ) -> Result<()> {
        let mut parents: HashMap<String, RowId> = HashMap::new();
        for (row, goes) in rows.iter().filter(|(row, _)| usize::from(row.0) == between.parent) {
            for (id, which) in self.ids(*row).into_iter().flat_map(|id| [(id, Which::Files), (id, Which::Rows)]) {
                let Some(stored) = self.store.get(which, id)? else { continue };
                let cells = unpack(&stored.packed).unwrap_or_default();
                let Some(values) = self.values(between.parent, &between.of_parent, &cells) else { continue };
                let is_new = parents.insert(row_key(values.iter().cloned()), *row).is_none();
                if *goes && is_new {
                    self.unchanged(key, between, &values, (*row, outcome), links)?;
                }
            }
        }
        let Some((child, columns)) = between.child.as_ref().filter(|_| !parents.is_empty()) else { return Ok(()) };
        let mut known = HashSet::new();
        for which in [Which::Files, Which::Rows] {
            self.store.of_table(which, number(*child), &mut |Record { id, packed, .. }| {
                let cells = unpack(&packed).unwrap_or_default();
                let values = self.values(*child, columns, &cells);
                let parent = values.and_then(|values| parents.get(&row_key(values)));
                if let (Some(parent), Some(outcome)) = (parent, outcome(id)) {
                    let is_kept = match outcome {
                        Outcome::Files | Outcome::Alike => which == Which::Files,
                        Outcome::Rows => which == Which::Rows,
                        Outcome::Conflict | Outcome::Unwritable => true,
                    };
                    if known.insert((id, *parent, is_kept)) {
                        links.push(Link::Leads { child: Some(id), parent: *parent, is_kept });
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Rows that nobody has changed, and that lead to a row with these values.
    fn unchanged(
        &self,
        key: &Key,
        between: &Between,
        values: &[Stored<'static>],
        (parent, outcome): (RowId, &dyn Fn(Id) -> Option<Outcome>),
        links: &mut Vec<Link>,
    ) -> Result<()> {
        let failed = |error: rusqlite::Error| describe("read", format!("table `{}`", key.child), error);
        let names = match &between.child {
            None => "1".to_owned(),
            Some((child, _)) => {
                let columns = &self.plans[*child].columns;
                let key = self.forms.layout.tables[*child].key.iter();
                key.map(|place| quote(&columns[*place].target)).collect::<Vec<_>>().join(", ")
            }
        };
        let filter =
            key.columns.iter().enumerate().map(|(place, (from, _))| format!("{} = ?{}", quote(from), place + 1));
        let filter = filter.collect::<Vec<_>>().join(" AND ");
        let sql = format!("SELECT {names} FROM {} WHERE {filter}", quote(&key.child));
        let mut all = self.connection.prepare_cached(&sql).map_err(failed)?;
        let mut found = all.query(params_from_iter(values.iter().map(Bound))).map_err(failed)?;
        let mut hasher = RowHasher::default();
        while let Some(row) = found.next().map_err(failed)? {
            let is_changed = match &between.child {
                None => false,
                Some((child, columns)) => {
                    let (of, plan) = (&self.forms.layout.tables[*child], &self.plans[*child]);
                    let mut cells = vec![Cell::Null; of.columns.len()];
                    for (number, place) in of.key.iter().enumerate() {
                        let stored = Stored::from(row.get_ref(number).map_err(failed)?);
                        cells[*place] = plan.columns[*place].codec().load(stored).into_owned();
                    }
                    let ids = self.ids((number(*child), marks::key(of, &cells, &mut hasher))).into_iter();
                    // Of a row in parts, the one that says where it leads.
                    let says = |id: &Id| {
                        let kind = usize::from(id.kind);
                        id.kind == WHOLE || columns.iter().all(|column| self.forms.fills(*child, kind, *column))
                    };
                    ids.filter(says).any(|id| outcome(id).is_some())
                }
            };
            if !is_changed {
                links.push(Link::Leads { child: None, parent, is_kept: true });
                return Ok(());
            }
        }
        Ok(())
    }
}

fn number(table: usize) -> u16 {
    u16::try_from(table).unwrap_or(u16::MAX)
}
