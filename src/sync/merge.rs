//! What becomes of each record: both sides held against the base, and nothing else.
//!
//! A record inside another one cannot stay in a file without it. So where a record was deleted on one side, and one inside it is to
//! stay because of the other side, all of it is in conflict: the deleted record, and whatever is inside it. So is whatever is
//! inside a record that is in conflict and that one side does not have, and every other part of such a row.

use super::base::{Base, id_of};
use super::record::{Id, Outcome, Side, WHOLE, Which};
use super::rows::Forms;
use super::store::Store;
use crate::endpoint::files::pack::unpack;
use crate::endpoint::files::rows::Home;
use crate::error::Result;
use crate::value::RowHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Which side conflicts are decided for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// In every table that is not named.
    pub all: Option<Which>,
    /// In tables, by their places in the layout.
    pub tables: BTreeMap<usize, Which>,
}

impl Preferences {
    fn of(&self, table: u16) -> Option<Which> {
        self.tables.get(&usize::from(table)).copied().or(self.all)
    }
}

/// What becomes of a record that is not the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What the files have.
    pub files: Side,
    /// What the rows have.
    pub rows: Side,
    /// What becomes of it.
    pub outcome: Outcome,
    /// Of a conflict that was decided, for which side.
    pub preferred: Option<Which>,
    /// Why it is left as it is, where that is more than two values.
    pub reason: Option<String>,
}

impl Decision {
    /// Whether the record is there afterwards, on the side that gets it and on the one that has it.
    pub fn stays(&self) -> bool {
        match self.outcome {
            Outcome::Files | Outcome::Alike => self.files != Side::Gone,
            Outcome::Rows => self.rows != Side::Gone,
            Outcome::Conflict | Outcome::Unwritable => true,
        }
    }
}

/// All decisions.
pub type Decisions = BTreeMap<Id, Decision>;

/// What becomes of a record by itself; nothing where all three are the same.
fn alone(files: Side, rows: Side, has_base: bool) -> Option<Outcome> {
    let absent = |side: Side| if has_base || side != Side::Same { side } else { Side::Gone };
    let unchanged = if has_base { Side::Same } else { Side::Gone };
    let (files, rows) = (absent(files), absent(rows));
    match (files == unchanged, rows == unchanged) {
        (true, true) => None,
        (false, true) => Some(Outcome::Files),
        (true, false) => Some(Outcome::Rows),
        (false, false) if files == rows => Some(Outcome::Alike),
        (false, false) => Some(Outcome::Conflict),
    }
}

/// Decides.
///
/// # Errors
/// When the temporary database cannot be read.
pub fn decide(
    candidates: &BTreeSet<Id>,
    side: &dyn Fn(Which, Id) -> Side,
    (base, forms, store): (&Base, &Forms<'_>, &Store),
    preferences: &Preferences,
) -> Result<Decisions> {
    let mut decisions = Decisions::new();
    for id in candidates {
        let has_base = base.hash(*id).is_some();
        let (files, rows) = (side(Which::Files, *id), side(Which::Rows, *id));
        if let Some(outcome) = alone(files, rows, has_base) {
            decisions.insert(*id, Decision { files, rows, outcome, preferred: None, reason: None });
        }
    }
    let around = around(&decisions, forms, store)?;
    let groups = groups(&decisions, &around);
    let in_conflict: HashSet<Id> =
        decisions.iter().filter(|(_, one)| one.outcome == Outcome::Conflict).map(|(id, _)| *id).collect();
    for (id, root) in &groups {
        let Some(decision) = decisions.get_mut(id) else { continue };
        decision.outcome = Outcome::Conflict;
        if !in_conflict.contains(id) {
            decision.reason = Some(match id == root {
                true => "it was deleted on one side, and something inside it stays because of the other one".to_owned(),
                false => "what it is inside of is in conflict".to_owned(),
            });
        }
    }
    prefer(&mut decisions, &groups, &in_conflict, preferences);
    Ok(decisions)
}

/// The record around each record that is inside another one, as far as records were looked at.
fn around(decisions: &Decisions, forms: &Forms<'_>, store: &Store) -> Result<HashMap<Id, Id>> {
    let is_deleted_once = |one: &Decision| !one.stays() && one.outcome != Outcome::Alike;
    let mut around = HashMap::new();
    if !decisions.values().any(|one| is_deleted_once(one) || is_torn(one)) {
        return Ok(around);
    }
    let mut hasher = RowHasher::default();
    for table in 0..forms.homes.len() {
        if !forms.homes[table].iter().any(|home| matches!(home, Home::Inside { .. })) {
            continue;
        }
        for which in [Which::Files, Which::Rows] {
            store.of_table(which, u16::try_from(table).unwrap_or(u16::MAX), &mut |stored| {
                let cells = unpack(&stored.packed).unwrap_or_default();
                let kind = Some(usize::from(stored.id.kind));
                if let Some(Home::Inside { kind, around: table, key, .. }) = forms.home(table, &cells, kind) {
                    key.iter().for_each(|column| hasher.cell(&cells[*column]));
                    let key = hasher.finish();
                    let table = u16::try_from(*table).unwrap_or(u16::MAX);
                    let parent = id_of(forms.layout, table, key, Some(*kind));
                    // Where the rows win it, it is inside of what they say.
                    match decisions.get(&stored.id).map(|decision| decision.outcome) {
                        Some(Outcome::Rows) if which == Which::Rows => drop(around.insert(stored.id, parent)),
                        _ => drop(around.entry(stored.id).or_insert(parent)),
                    }
                }
                Ok(())
            })?;
        }
    }
    Ok(around)
}

/// Whether a record is in conflict, and one side does not have it.
fn is_torn(decision: &Decision) -> bool {
    decision.outcome == Outcome::Conflict && (decision.files == Side::Gone || decision.rows == Side::Gone)
}

/// Each record that is in conflict because of what is inside of what, with the outermost record of those that are.
fn groups(decisions: &Decisions, around: &HashMap<Id, Id>) -> HashMap<Id, Id> {
    let is_deleted = |id: &Id| decisions.get(id).is_some_and(|one| !one.stays() && one.outcome != Outcome::Alike);
    let stays = |id: &Id| decisions.get(id).is_none_or(Decision::stays);
    let mut roots = HashSet::new();
    for (id, parent) in around {
        if decisions.get(parent).is_some_and(is_torn) {
            roots.insert(*parent);
        }
        if stays(id) && is_deleted(parent) {
            let mut root = *parent;
            while let Some(next) = around.get(&root).filter(|next| is_deleted(next)) {
                root = *next;
            }
            roots.insert(root);
        }
    }
    // The parts of a row are there or not there together.
    let torn_parts: HashMap<(u16, u128), Id> = decisions
        .iter()
        .filter(|(id, decision)| id.kind != WHOLE && is_torn(decision))
        .map(|(id, _)| ((id.table, id.key), *id))
        .collect();
    let other_parts = decisions.keys().filter_map(|id| Some((*id, *torn_parts.get(&(id.table, id.key))?)));
    let mut groups: HashMap<Id, Id> = roots.iter().map(|root| (*root, *root)).chain(other_parts).collect();
    if roots.is_empty() {
        return groups;
    }
    for id in around.keys() {
        let mut above = around.get(id);
        while let Some(parent) = above {
            if roots.contains(parent) {
                groups.insert(*id, *parent);
                break;
            }
            above = around.get(parent);
        }
    }
    groups
}

/// Decides conflicts for a side that somebody has named. What is in conflict together is decided together, or not at all.
fn prefer(decisions: &mut Decisions, groups: &HashMap<Id, Id>, in_conflict: &HashSet<Id>, preferences: &Preferences) {
    let mut of_groups: HashMap<Id, Option<Which>> = HashMap::new();
    let root = |id: &Id| groups.get(id).copied().unwrap_or(*id);
    for id in in_conflict.iter().chain(groups.values()) {
        let preferred = preferences.of(id.table);
        of_groups
            .entry(root(id))
            .and_modify(|known| *known = known.filter(|one| Some(*one) == preferred))
            .or_insert(preferred);
    }
    for (id, decision) in decisions {
        if decision.outcome != Outcome::Conflict {
            continue;
        }
        let Some(Some(which)) = of_groups.get(&root(id)) else { continue };
        decision.preferred = Some(*which);
        decision.reason = None;
        decision.outcome = match which {
            Which::Files => Outcome::Files,
            Which::Rows => Outcome::Rows,
        };
    }
}
