//! Which relation is what: tables of their own, partition trees, heirs, views.

use super::rows::{Oid, RelationRow};
use crate::catalog::QualifiedName;
use std::collections::HashMap;

/// Every relation of the user schemas, by its number and by its place in a tree.
pub(super) struct Relations {
    rows: Vec<RelationRow>,
    by_oid: HashMap<Oid, usize>,
    children: HashMap<Oid, Vec<usize>>,
}

impl Relations {
    pub(super) fn new(rows: Vec<RelationRow>) -> Self {
        let by_oid = rows.iter().enumerate().map(|(index, row)| (row.oid, index)).collect();
        let mut children: HashMap<Oid, Vec<usize>> = HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            for parent in row.parents.iter().flatten() {
                children.entry(*parent).or_default().push(index);
            }
        }
        Relations { rows, by_oid, children }
    }

    pub(super) fn get(&self, oid: Oid) -> Option<&RelationRow> {
        self.by_oid.get(&oid).map(|index| &self.rows[*index])
    }

    /// Everything that becomes a table: ordinary tables, partition roots, materialized views.
    pub(super) fn tables(&self) -> impl Iterator<Item = &RelationRow> {
        self.rows.iter().filter(|row| matches!(row.kind, 'r' | 'p' | 'm') && !row.is_partition)
    }

    pub(super) fn views(&self) -> impl Iterator<Item = &RelationRow> {
        self.rows.iter().filter(|row| row.kind == 'v')
    }

    /// Whether tables that are no partitions inherit from it.
    pub(super) fn has_heirs(&self, oid: Oid) -> bool {
        self.children(oid).any(|child| !child.is_partition)
    }

    /// The whole tree below a partition root, without the root, in the order of names on each level: inner nodes
    /// (partitions that are partitioned) and leaves.
    pub(super) fn partitions(&self, root: Oid) -> Vec<&RelationRow> {
        let mut found = Vec::new();
        let mut open = vec![root];
        while let Some(parent) = open.pop() {
            for child in self.children(parent).filter(|child| child.is_partition) {
                found.push(child);
                open.push(child.oid);
            }
        }
        found.sort_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
        found
    }

    fn children(&self, oid: Oid) -> impl Iterator<Item = &RelationRow> {
        self.children.get(&oid).into_iter().flatten().map(|index| &self.rows[*index])
    }
}

impl RelationRow {
    pub(super) fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, &self.name)
    }

    /// A partition that holds rows itself.
    pub(super) fn is_leaf(&self) -> bool {
        self.kind != 'p'
    }

    /// Which rows it takes as a partition. The object number in a hash partition's condition differs from database to
    /// database, and is left out.
    pub(super) fn partition_condition(&self) -> String {
        const HASH: &str = "satisfies_hash_partition('";
        let mut rest = self.partition_condition.as_deref().unwrap_or("true");
        let mut condition = String::with_capacity(rest.len());
        while let Some(at) = rest.find(HASH) {
            let (before, behind) = rest.split_at(at + HASH.len());
            condition.push_str(before);
            rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        condition + rest
    }
}
