//! What the partitions of a table have in common and the table itself has not.
//!
//! A partitioned table is read as one. A constraint or index that every leaf has in the same form, but not by
//! inheritance from the root, holds for the whole and is lifted to the root. A unique one holds for the whole only
//! if it covers the columns that tell the partitions apart. What is not lifted is named, leaf by leaf.

use super::relations::Relations;
use super::rows::{ConstraintRow, IndexPartRow, IndexRow, Oid, RelationRow};
use crate::catalog::{ObjectKind, OtherObject};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// A partition root with everything below it.
pub(super) struct Tree<'r> {
    pub(super) root: &'r RelationRow,
    pub(super) leaves: Vec<&'r RelationRow>,
    inner: Vec<&'r RelationRow>,
}

impl<'r> Tree<'r> {
    pub(super) fn new(relations: &'r Relations, root: &'r RelationRow) -> Self {
        let (leaves, inner) = relations.partitions(root.oid).into_iter().partition(|row| row.is_leaf());
        Tree { root, leaves, inner }
    }

    /// The partitioning itself, which is not carried.
    pub(super) fn description(&self) -> OtherObject {
        let key = self.root.partition_key.as_deref().unwrap_or_default();
        let mut definition = format!("PARTITION BY {key}");
        for row in self.inner.iter().chain(&self.leaves) {
            let bound = row.partition_bound.as_deref().unwrap_or_default();
            definition.push_str(&format!("\n{} {bound}", row.qualified_name()));
        }
        let count = self.leaves.len();
        let name = format!("{} by {key}, {count} partitions read as one", self.root.qualified_name());
        OtherObject::new(ObjectKind::Partitioning, name, Some(definition))
    }

    /// Whether rows that are equal in these columns are in the same leaf.
    fn tells_leaves_apart(&self, columns: &[String]) -> bool {
        let covered = |row: &&RelationRow| {
            row.partition_columns.as_ref().is_some_and(|keys| keys.iter().all(|key| columns.contains(key)))
        };
        self.leaves.len() == 1 || std::iter::once(&self.root).chain(&self.inner).all(covered)
    }

    /// The constraints that hold for the whole, from those of all relations, and one of each kind that only some leaves
    /// have; these go to `others`, too.
    pub(super) fn lift_constraints(
        &self,
        by_relation: &HashMap<Oid, Vec<ConstraintRow>>,
        by_oid: &HashMap<Oid, (Oid, Oid)>,
        others: &mut Vec<OtherObject>,
    ) -> (Vec<ConstraintRow>, Vec<ConstraintRow>) {
        let of = |oid: Oid| by_relation.get(&oid).map(Vec::as_slice).unwrap_or_default();
        let of_root: HashSet<&str> =
            of(self.root.oid).iter().filter(|row| row.kind == 'c').map(|row| row.name.as_str()).collect();
        let own = |row: &&ConstraintRow| match row.kind {
            // Checks are inherited by name.
            'c' => !of_root.contains(row.name.as_str()),
            'n' => false,
            _ => top_relation(row.oid, by_oid) != Some(self.root.oid),
        };
        let form = |row: &ConstraintRow| {
            let definition = row.definition.trim_end_matches(" NOT ENFORCED").trim_end_matches(" NOT VALID");
            (row.kind, definition.to_owned())
        };
        let holds = |row: &ConstraintRow| match row.kind {
            'p' | 'u' => self.tells_leaves_apart(row.columns.as_deref().unwrap_or_default()),
            'x' => false,
            _ => true,
        };
        let (common, rest) = self.common(|leaf| of(leaf).iter().filter(own).collect(), form, holds);
        others.extend(rest.iter().map(|group| {
            self.not_common(ObjectKind::ConstraintOfPartitions, group, |row| (&row.name, &row.definition))
        }));
        let lifted = common.into_iter().map(|rows| {
            let validated = rows.iter().all(|row| row.validated);
            ConstraintRow { validated, ..rows[0].clone() }
        });
        let of_some = rest.iter().filter_map(|group| group.first().map(|(_, row)| (*row).clone()));
        (lifted.collect(), of_some.collect())
    }

    /// The indexes that hold for the whole, from those of all relations; the others go to `others`.
    pub(super) fn lift_indexes(
        &self,
        by_relation: &HashMap<Oid, Vec<IndexRow>>,
        by_oid: &HashMap<Oid, (Oid, Oid)>,
        others: &mut Vec<OtherObject>,
    ) -> Vec<IndexRow> {
        let of = |oid: Oid| by_relation.get(&oid).map(Vec::as_slice).unwrap_or_default();
        let own = |row: &&IndexRow| top_relation(row.oid, by_oid).is_some_and(|top| top != self.root.oid);
        let holds = |row: &IndexRow| {
            let columns: Vec<String> = row.parts.iter().filter_map(|part| part.column.clone()).collect();
            !row.is_unique || row.predicate.is_none() && self.tells_leaves_apart(&columns)
        };
        let (common, rest) = self.common(|leaf| of(leaf).iter().filter(own).collect(), index_form, holds);
        others
            .extend(rest.iter().map(|group| {
                self.not_common(ObjectKind::IndexOfPartitions, group, |row| (&row.name, &row.definition))
            }));
        let lifted = common.into_iter().map(|rows| {
            let valid = rows.iter().all(|row| row.valid);
            IndexRow { valid, ..rows[0].clone() }
        });
        lifted.collect()
    }

    /// Sorts what the leaves have into what all of them have in the same form (one row of each leaf), where it
    /// `holds` for the whole, and the rest.
    fn common<'a, T, F: Hash + Eq>(
        &self,
        of_leaf: impl Fn(Oid) -> Vec<&'a T>,
        form: impl Fn(&T) -> F,
        holds: impl Fn(&T) -> bool,
    ) -> (Vec<Vec<&'a T>>, Vec<Group<'r, 'a, T>>) {
        let mut groups: Vec<Group<'r, 'a, T>> = Vec::new();
        let mut group_of: HashMap<(F, usize), usize> = HashMap::new();
        for leaf in &self.leaves {
            let mut seen: HashMap<F, usize> = HashMap::new();
            for row in of_leaf(leaf.oid) {
                // Equal twins on one leaf are counted, so that none of them is lost.
                let twin = seen.entry(form(row)).or_insert(0);
                let group = *group_of.entry((form(row), *twin)).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                *twin += 1;
                groups[group].push((leaf, row));
            }
        }
        let (common, rest): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.len() == self.leaves.len() && holds(group[0].1));
        let common = common.into_iter().map(|group| group.into_iter().map(|(_, row)| row).collect()).collect();
        (common, rest)
    }

    /// Names what some leaves have in one form and the whole has not.
    fn not_common<T>(
        &self,
        kind: ObjectKind,
        group: &[(&RelationRow, &T)],
        told: impl Fn(&T) -> (&String, &String),
    ) -> OtherObject {
        let first = group.first().map(|(_, row)| told(row).0.as_str()).unwrap_or_default();
        let root = self.root.qualified_name();
        let name = format!("{first} on {} of {} partitions of {root}", group.len(), self.leaves.len());
        let lines = group.iter().map(|(leaf, row)| {
            let (name, definition) = told(row);
            format!("{name} on {}: {definition}", leaf.qualified_name())
        });
        OtherObject::new(kind, name, Some(lines.collect::<Vec<_>>().join("\n")))
    }
}

/// What has one form, with the leaf that each is on.
type Group<'r, 'a, T> = Vec<(&'r RelationRow, &'a T)>;

type IndexForm = (String, bool, bool, Vec<IndexPartRow>, Option<Vec<String>>, Option<String>);

fn index_form(row: &IndexRow) -> IndexForm {
    (
        row.method.clone(),
        row.is_unique,
        row.nulls_not_distinct,
        row.parts.clone(),
        row.include.clone(),
        row.predicate.clone(),
    )
}

/// The relation of the topmost ancestor, following `(relation, parent)`; `None` where an ancestor is not listed.
pub(super) fn top_relation(oid: Oid, by_oid: &HashMap<Oid, (Oid, Oid)>) -> Option<Oid> {
    let mut at = oid;
    // A tree is never deeper than it has members.
    for _ in 0..=by_oid.len() {
        let (relation, parent) = *by_oid.get(&at)?;
        if parent == 0 {
            return Some(relation);
        }
        at = parent;
    }
    None
}
