//! What becomes of each record: both sides held against the base, and nothing else.
//!
//! A record inside another one cannot stay in a file without it, nor one that leads to another one by a foreign key in rows. So where
//! a record was deleted on one side, and one inside it, or one that leads to it, is to stay because of the other side, all of it is in
//! conflict: the deleted record, and what has changed of those. So is every change inside a record that is in conflict and that one
//! side does not have, of what leads to it, and of every other part of such a row: a cascade of one side is no change by itself.

use super::base::Base;
use super::links::{Link, Linking, RowId};
use super::record::{Id, Outcome, Side, WHOLE, Which};
use crate::error::Result;
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
/// When the temporary database or the SQLite file cannot be read.
pub fn decide(
    candidates: &BTreeSet<Id>,
    side: &dyn Fn(Which, Id) -> Side,
    (base, linking): (&Base, &Linking<'_, '_>),
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
    let in_conflict: HashSet<Id> =
        decisions.iter().filter(|(_, one)| one.outcome == Outcome::Conflict).map(|(id, _)| *id).collect();
    let missing_once = |one: &Decision| one.files == Side::Gone || one.rows == Side::Gone;
    let groups = match decisions.values().any(missing_once) {
        true => {
            let links =
                linking.links(&rows_in_question(&decisions), &|id| decisions.get(&id).map(|one| one.outcome))?;
            Entangling { decisions: &mut decisions, base, linking, groups: Groups::default() }.all(&links)
        }
        false => Groups::default(),
    };
    prefer(&mut decisions, &groups, &in_conflict, preferences);
    Ok(decisions)
}

/// The rows that a side does not have, and whether a side is to lose them.
fn rows_in_question(decisions: &Decisions) -> HashMap<RowId, bool> {
    let mut rows = HashMap::new();
    for (id, one) in decisions.iter().filter(|(_, one)| one.files == Side::Gone || one.rows == Side::Gone) {
        *rows.entry((id.table, id.key)).or_default() |= goes(one);
    }
    rows
}

/// Whether a record is to go from the side that has it.
fn goes(decision: &Decision) -> bool {
    !decision.stays() && decision.outcome != Outcome::Alike
}

/// Whether a record is in conflict, and one side does not have it.
fn is_torn(decision: &Decision) -> bool {
    decision.outcome == Outcome::Conflict && (decision.files == Side::Gone || decision.rows == Side::Gone)
}

/// Records that are in conflict together.
#[derive(Debug, Default)]
struct Groups {
    /// To another one of the same group; none has what stands for the group.
    above: HashMap<Id, Id>,
    /// Those that are in conflict because of what would be left without them.
    heads: HashSet<Id>,
}

impl Groups {
    fn root(&self, mut id: Id) -> Id {
        while let Some(above) = self.above.get(&id) {
            id = *above;
        }
        id
    }

    fn join(&mut self, one: Id, other: Id) -> bool {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return false;
        }
        self.above.insert(one, other);
        true
    }
}

/// Makes conflicts of what cannot be done on one side without breaking the other, until there is no more of it.
struct Entangling<'e, 'l> {
    decisions: &'e mut Decisions,
    base: &'e Base,
    linking: &'e Linking<'e, 'l>,
    groups: Groups,
}

impl Entangling<'_, '_> {
    fn all(mut self, links: &[Link]) -> Groups {
        let mut parts: BTreeMap<RowId, Vec<Id>> = BTreeMap::new();
        for id in self.decisions.keys().filter(|id| id.kind != WHOLE) {
            parts.entry((id.table, id.key)).or_default().push(*id);
        }
        parts.retain(|_, parts| parts.len() > 1);
        loop {
            let mut has_changed = false;
            for link in links {
                if let Link::Inside { child, parent } = link {
                    has_changed |= self.inside(*child, *parent);
                }
            }
            // What a record is inside of is told before what it leads to.
            if has_changed {
                continue;
            }
            for link in links {
                if let Link::Leads { child, parent, is_kept } = link {
                    has_changed |= self.leads(*child, *parent, *is_kept);
                }
            }
            for parts in parts.values() {
                has_changed |= self.parts(parts);
            }
            if !has_changed {
                return self.groups;
            }
        }
    }

    fn inside(&mut self, child: Id, parent: Id) -> bool {
        let Some(around) = self.decisions.get(&parent) else { return false };
        if is_torn(around) || self.groups.above.contains_key(&parent) {
            return self.join(child, parent, "what it is inside of is in conflict");
        }
        match goes(around) && self.stays(child) {
            true => {
                self.head(parent, "it was deleted on one side, and something inside it stays because of the other one")
            }
            false => false,
        }
    }

    fn leads(&mut self, child: Option<Id>, parent: RowId, is_kept: bool) -> bool {
        let kinds = self.linking.ids(parent);
        let known: Vec<Id> = kinds.iter().copied().filter(|id| self.decisions.contains_key(id)).collect();
        let in_conflict = known.iter().find(|id| self.decisions[*id].outcome == Outcome::Conflict).copied();
        if let Some(torn) = in_conflict {
            let lacks = |which: Which| !kinds.iter().any(|id| self.has(which, *id));
            return match child {
                Some(child) if lacks(Which::Files) || lacks(Which::Rows) => {
                    self.join(child, torn, "what it leads to is in conflict")
                }
                Some(_) | None => false,
            };
        }
        let is_left = kinds.iter().any(|id| self.decisions.get(id).map_or(self.has_base(*id), Decision::stays));
        let goes = !is_left && known.iter().any(|id| goes(&self.decisions[id]));
        if !(goes && is_kept && child.is_none_or(|child| self.stays(child))) {
            return false;
        }
        let mut has_changed = false;
        for id in known {
            has_changed |=
                self.head(id, "it was deleted on one side, and something that leads to it stays on the other one");
        }
        has_changed
    }

    /// The parts of a row are there or not there together.
    fn parts(&mut self, parts: &[Id]) -> bool {
        let Some(torn) = parts.iter().find(|id| is_torn(&self.decisions[*id])).copied() else { return false };
        let mut has_changed = false;
        for id in parts.iter().filter(|id| **id != torn) {
            has_changed |= self.join(*id, torn, "another part of its row is in conflict");
        }
        has_changed
    }

    fn stays(&self, id: Id) -> bool {
        self.decisions.get(&id).is_none_or(Decision::stays)
    }

    fn has_base(&self, id: Id) -> bool {
        self.base.hash(id).is_some()
    }

    fn has(&self, which: Which, id: Id) -> bool {
        let side = self.decisions.get(&id).map(|one| if which == Which::Files { one.files } else { one.rows });
        match side {
            Some(Side::Gone) => false,
            Some(Side::Is(_)) => true,
            Some(Side::Same) | None => self.has_base(id),
        }
    }

    /// Makes a conflict of a record that would go.
    fn head(&mut self, id: Id, reason: &str) -> bool {
        let Some(decision) = self.decisions.get_mut(&id).filter(|one| goes(one)) else { return false };
        decision.outcome = Outcome::Conflict;
        decision.reason = Some(reason.to_owned());
        self.groups.heads.insert(id)
    }

    /// Makes a conflict of what has to do with one.
    fn join(&mut self, id: Id, with: Id, reason: &str) -> bool {
        let Some(decision) = self.decisions.get_mut(&id) else { return false };
        match decision.outcome {
            // There is nothing to do to it.
            Outcome::Alike => return false,
            Outcome::Files | Outcome::Rows => {
                decision.outcome = Outcome::Conflict;
                decision.reason = Some(reason.to_owned());
            }
            Outcome::Conflict | Outcome::Unwritable => {}
        }
        self.groups.join(id, with)
    }
}

/// Decides conflicts for a side that somebody has named. What is in conflict together is decided together, or not at all.
fn prefer(decisions: &mut Decisions, groups: &Groups, in_conflict: &HashSet<Id>, preferences: &Preferences) {
    let mut of_groups: HashMap<Id, Option<Which>> = HashMap::new();
    for id in in_conflict.iter().chain(&groups.heads) {
        let preferred = preferences.of(id.table);
        of_groups
            .entry(groups.root(*id))
            .and_modify(|known| *known = known.filter(|one| Some(*one) == preferred))
            .or_insert(preferred);
    }
    for (id, decision) in decisions {
        if decision.outcome != Outcome::Conflict {
            continue;
        }
        let Some(Some(which)) = of_groups.get(&groups.root(*id)) else { continue };
        decision.preferred = Some(*which);
        decision.reason = None;
        decision.outcome = match which {
            Which::Files => Outcome::Files,
            Which::Rows => Outcome::Rows,
        };
    }
}
