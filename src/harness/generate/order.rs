//! The order in which tables are filled: parents first, cycles broken where that is allowed.
//!
//! Invariant: the order depends on the catalog alone. A foreign key of a table to itself needs no order: a row refers
//! to rows before it.

use crate::catalog::{Catalog, Deferrable, ForeignKey, QualifiedName, Table};
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// The order, and what was broken for it.
#[derive(Debug)]
pub(super) struct Order {
    /// Places of tables in the given list. Tables of one cycle stand together.
    pub(super) units: Vec<Vec<usize>>,
    /// The foreign keys that refer to a table further on: place of the table, place of the key in it.
    pub(super) broken: BTreeSet<(usize, usize)>,
}

/// One foreign key between two different tables.
#[derive(Debug, Clone, Copy)]
struct Edge {
    child: usize,
    key: usize,
    parent: usize,
}

/// Orders the tables. Foreign keys to tables that are not in the list do not count.
///
/// A table that is asked for no rows counts for the order, but a cycle through it is none.
pub(super) fn order(catalog: &Catalog, tables: &[&Table], asked: &[Option<u64>]) -> Result<Order> {
    let place = |name: &QualifiedName| tables.iter().position(|table| table.name == *name);
    let mut edges = Vec::new();
    for (child, table) in tables.iter().enumerate() {
        if asked[child] == Some(0) {
            continue;
        }
        for (key, foreign) in table.foreign_keys_of_any_part().enumerate() {
            if let Some(parent) = place(&foreign.references).filter(|parent| *parent != child) {
                edges.push(Edge { child, key, parent });
            }
        }
    }
    let mut broken = BTreeSet::new();
    let components = components(tables.len(), &edges);
    let mut units = Vec::new();
    for component in components {
        let mut inner: Vec<Edge> = (edges.iter().copied())
            .filter(|edge| component.contains(&edge.child) && component.contains(&edge.parent))
            .collect();
        while let Some(cycle) = find_cycle(&component, &inner) {
            let best = (cycle.iter())
                .filter_map(|edge| Some((ease(catalog, tables[edge.child], edge.key)?, edge)))
                .min_by_key(|(ease, edge)| (*ease, edge.child, edge.key));
            let Some((_, edge)) = best else { return Err(unbreakable(tables, &cycle)) };
            broken.insert((edge.child, edge.key));
            inner.retain(|other| (other.child, other.key) != (edge.child, edge.key));
        }
        units.push(parents_first(&component, &inner));
    }
    Ok(Order { units, broken })
}

/// How easily a foreign key can be satisfied later: 0 for one that is checked at commit, 1 for one that can be NULL
/// until then; `None` where it cannot.
fn ease(catalog: &Catalog, table: &Table, key: usize) -> Option<u8> {
    let foreign = table.foreign_keys_of_any_part().nth(key)?;
    let needed_by_others = |column: &String| {
        let in_key = table.primary_key.iter().any(|key| key.columns.contains(column));
        // What others refer to has to be known before them.
        in_key
            || (catalog.tables.iter().flat_map(|other| other.foreign_keys_of_any_part().map(move |key| (other, key))))
                .any(|(_, other)| other.references == table.name && other.referenced_columns.contains(column))
    };
    let free = foreign.columns.iter().filter(|column| !needed_by_others(column)).count();
    let nullable = |column: &&String| table.column(column).is_some_and(|column| !column.not_null);
    let nullable_count = foreign.columns.iter().filter(nullable).filter(|column| !needed_by_others(column)).count();
    let can_be_null = if foreign.match_full { nullable_count == foreign.columns.len() } else { nullable_count > 0 };
    let deferrable = foreign.deferrable != Deferrable::No;
    match (deferrable && free > 0, can_be_null) {
        (true, _) => Some(0),
        (false, true) => Some(1),
        // SQLite checks every foreign key at commit when it is told so.
        (false, false) if super::dataset::is_sqlite(catalog) && free > 0 => Some(2),
        (false, false) => None,
    }
}

/// Whether a broken foreign key is inserted as NULL and set later, because it is not checked at commit.
pub(super) fn is_set_later(table: &Table, foreign: &ForeignKey) -> bool {
    foreign.deferrable == Deferrable::No
        && foreign.columns.iter().any(|name| table.column(name).is_some_and(|column| !column.not_null))
}

fn unbreakable(tables: &[&Table], cycle: &[Edge]) -> Error {
    let mut path = String::new();
    for edge in cycle {
        let table = tables[edge.child];
        let foreign = table.foreign_keys_of_any_part().nth(edge.key);
        let columns = foreign.map(|foreign| foreign.columns.join(", ")).unwrap_or_default();
        path.push_str(&format!("`{}` ({columns}) → ", table.name));
    }
    let first = cycle.first().map(|edge| tables[edge.child].name.to_string()).unwrap_or_default();
    Error::could_not("order", "the tables", format!("their foreign keys form a cycle: {path}`{first}`")).hint(
        "make one of these foreign keys DEFERRABLE, or one of its columns nullable (a column that other foreign keys \
         refer to does not count); or leave out one of the tables",
    )
}

/// Groups of tables that refer to each other in a circle, parents first; most have one table.
fn components(count: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut parents = vec![Vec::new(); count];
    for edge in edges {
        parents[edge.child].push(edge.parent);
    }
    let mut search = Search {
        parents: &parents,
        number: vec![None; count],
        low: vec![0; count],
        on_stack: vec![false; count],
        stack: Vec::new(),
        next: 0,
        found: Vec::new(),
    };
    for table in 0..count {
        if search.number[table].is_none() {
            search.visit(table);
        }
    }
    search.found
}

/// Tarjan's search for strongly connected components ("Depth-first search and linear graph algorithms", 1972), with a
/// stack of its own: a schema may have a chain of thousands of tables.
struct Search<'e> {
    parents: &'e [Vec<usize>],
    number: Vec<Option<usize>>,
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    next: usize,
    found: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn enter(&mut self, table: usize) {
        self.number[table] = Some(self.next);
        self.low[table] = self.next;
        self.next += 1;
        self.stack.push(table);
        self.on_stack[table] = true;
    }

    fn visit(&mut self, start: usize) {
        self.enter(start);
        let mut path = vec![(start, 0)];
        while let Some((table, at)) = path.pop() {
            if let Some(parent) = self.parents[table].get(at).copied() {
                path.push((table, at + 1));
                match self.number[parent] {
                    None => {
                        self.enter(parent);
                        path.push((parent, 0));
                    }
                    Some(number) if self.on_stack[parent] => self.low[table] = self.low[table].min(number),
                    Some(_) => {}
                }
                continue;
            }
            if let Some((child, _)) = path.last() {
                self.low[*child] = self.low[*child].min(self.low[table]);
            }
            if Some(self.low[table]) == self.number[table] {
                let mut component = Vec::new();
                while let Some(member) = self.stack.pop() {
                    self.on_stack[member] = false;
                    component.push(member);
                    if member == table {
                        break;
                    }
                }
                component.sort_unstable();
                self.found.push(component);
            }
        }
    }
}

/// Some cycle among the edges, edge by edge.
fn find_cycle(component: &[usize], edges: &[Edge]) -> Option<Vec<Edge>> {
    // What has no parents left is in no cycle; what stays has one parent at least, so following parents comes back.
    let mut left: BTreeSet<usize> = component.iter().copied().collect();
    loop {
        let roots: Vec<usize> = (left.iter().copied())
            .filter(|table| !edges.iter().any(|edge| edge.child == *table && left.contains(&edge.parent)))
            .collect();
        if roots.is_empty() {
            break;
        }
        left.retain(|table| !roots.contains(table));
    }
    let mut path: Vec<Edge> = Vec::new();
    let mut at = *left.first()?;
    loop {
        let edge = *edges.iter().find(|edge| edge.child == at && left.contains(&edge.parent))?;
        path.push(edge);
        at = edge.parent;
        if let Some(start) = path.iter().position(|edge| edge.child == at) {
            return Some(path.split_off(start));
        }
    }
}

/// The members of a component, parents first; there is no cycle left among the edges.
fn parents_first(component: &[usize], edges: &[Edge]) -> Vec<usize> {
    let mut ordered: Vec<usize> = Vec::with_capacity(component.len());
    while ordered.len() < component.len() {
        let ready: Vec<usize> = (component.iter().copied())
            .filter(|table| !ordered.contains(table))
            .filter(|table| edges.iter().all(|edge| edge.child != *table || ordered.contains(&edge.parent)))
            .collect();
        if ready.is_empty() {
            // Cannot be: a cycle would have been found.
            ordered.extend(component.iter().filter(|table| !ordered.contains(table)).copied().collect::<Vec<_>>());
        }
        ordered.extend(ready);
    }
    ordered
}
