//! Views, in an order in which each can be created after those that it reads.

use super::relations::Relations;
use super::rows::{Oid, RelationRow};
use crate::catalog::View;
use std::collections::{HashMap, HashSet};

/// The views with their column names, readers after what they read, otherwise in the order of names.
pub(super) fn assemble(relations: &Relations, mut columns: HashMap<Oid, Vec<String>>) -> Vec<View> {
    let view = |row: &RelationRow| View {
        name: row.qualified_name(),
        columns: columns.remove(&row.oid).unwrap_or_default(),
        definition: statement(row.definition.as_deref().unwrap_or_default()).to_owned(),
        comment: row.comment.clone(),
        takes_writes: row.takes_writes,
        checks_writes: row.checks_writes,
        secured: row.secured.clone().unwrap_or_default(),
    };
    in_creation_order(relations).into_iter().map(view).collect()
}

/// A query without its closing semicolon and the blanks around it.
pub(super) fn statement(definition: &str) -> &str {
    let text = definition.trim();
    text.strip_suffix(';').unwrap_or(text).trim_end()
}

fn in_creation_order(relations: &Relations) -> Vec<&RelationRow> {
    let mut done = HashSet::new();
    let mut ordered = Vec::new();
    for first in relations.views() {
        // A stack of our own: views may be nested deeper than the thread's stack is long. The flag says that
        // everything the view reads has been visited.
        let mut open = vec![(first, false)];
        while let Some((row, visited)) = open.pop() {
            if visited {
                ordered.push(row);
            } else if done.insert(row.oid) {
                open.push((row, true));
                let reads = row.reads.iter().flatten().filter_map(|oid| relations.get(*oid));
                let mut reads: Vec<_> = reads.filter(|read| matches!(read.kind, 'v' | 'm')).collect();
                // Numbers tell which was made first, which differs between a database and its copy.
                reads.sort_by(|one, other| (&other.schema, &other.name).cmp(&(&one.schema, &one.name)));
                open.extend(reads.into_iter().map(|read| (read, false)));
            }
        }
    }
    ordered.retain(|row| row.kind == 'v');
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_semicolon_is_not_part_of_the_query() {
        assert_eq!(statement(" SELECT ';' AS \"a;\";\n"), "SELECT ';' AS \"a;\"");
        assert_eq!(statement("SELECT 1"), "SELECT 1");
    }
}
