//! Tables with their columns, keys, checks and indexes, from the rows of the catalog queries.

use super::partitions::Tree;
use super::relations::Relations;
use super::rows::{ColumnRow, ConstraintRow, IndexPartRow, IndexRow, Oid, RelationRow};
use super::types::Types;
use super::views::statement;
use crate::catalog::{
    Action, Check, Column, DataType, Deferrable, ForeignKey, Generated, Identity, Index, IndexKey, IndexPart, Key,
    ObjectKind, OtherObject, QualifiedName, Shape, Table, TableKind,
};
use std::collections::HashMap;

/// The columns of every relation, in their order.
pub(super) fn columns(rows: Vec<ColumnRow>, types: &mut Types) -> HashMap<Oid, Vec<Column>> {
    let mut columns: HashMap<Oid, Vec<Column>> = HashMap::new();
    for row in rows {
        columns.entry(row.relation).or_default().push(column(row, types));
    }
    columns
}

fn column(row: ColumnRow, types: &mut Types) -> Column {
    let data_type = types.resolve(row.type_oid, row.modifier, &row.spelling);
    let identity = match row.identity.as_str() {
        "a" => Some(Identity::Always),
        "d" => Some(Identity::ByDefault),
        _ => None,
    };
    let (default, generated) = match row.generated.as_str() {
        "" => (row.expression, None),
        kind => (None, row.expression.map(|expression| Generated { expression, stored: kind == "s", untold: false })),
    };
    let sequence = match (row.sequence_schema, row.sequence_name) {
        (Some(schema), Some(name)) => Some(QualifiedName::new(schema, name)),
        _ => None,
    };
    Column {
        name: row.name,
        not_null: row.not_null || domain_is_not_null(&data_type),
        data_type,
        default,
        identity,
        generated,
        sequence,
        collation: row.collation,
        comment: row.comment,
    }
}

fn domain_is_not_null(data_type: &DataType) -> bool {
    match &data_type.shape {
        Shape::Domain(domain) => domain.not_null || domain_is_not_null(&domain.base),
        _ => false,
    }
}

/// Every table; what belongs to one and is not carried goes to `others`.
pub(super) fn assemble(
    relations: &Relations,
    mut columns: HashMap<Oid, Vec<Column>>,
    constraints: Vec<ConstraintRow>,
    indexes: Vec<IndexRow>,
    others: &mut Vec<OtherObject>,
) -> Vec<Table> {
    let ancestry: HashMap<Oid, (Oid, Oid)> =
        constraints.iter().map(|row| (row.oid, (row.relation, row.parent))).collect();
    let index_ancestry: HashMap<Oid, (Oid, Oid)> =
        indexes.iter().map(|row| (row.oid, (row.relation, row.parent.unwrap_or(0)))).collect();
    let constraints = group(constraints_proper(constraints), |row| row.relation);
    let indexes = group(indexes, |row| row.relation);
    let mut tables = Vec::new();
    for row in relations.tables() {
        let mut own_constraints = constraints.get(&row.oid).cloned().unwrap_or_default();
        let mut own_indexes = indexes.get(&row.oid).cloned().unwrap_or_default();
        let mut table = Table {
            name: row.qualified_name(),
            kind: TableKind::Ordinary,
            inherits: parents(relations, row),
            has_heirs: relations.has_heirs(row.oid),
            columns: columns.remove(&row.oid).unwrap_or_default(),
            primary_key: None,
            unique_keys: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            indexes: Vec::new(),
            comment: row.comment.clone(),
            row_estimate: row.row_estimate,
            size_bytes: row.size_bytes,
        };
        match row.kind {
            'p' => {
                let tree = Tree::new(relations, row);
                let (lifted, of_some) = tree.lift_constraints(&constraints, &ancestry, others);
                own_constraints.extend(lifted);
                own_indexes.extend(tree.lift_indexes(&indexes, &index_ancestry, others));
                others.push(tree.description());
                table.row_estimate = sum_of_estimates(tree.leaves.iter().map(|leaf| leaf.row_estimate));
                table.size_bytes = tree.leaves.iter().map(|leaf| leaf.size_bytes).sum();
                let partitions = tree.leaves.iter().map(|leaf| leaf.qualified_name()).collect();
                let foreign_keys =
                    of_some.into_iter().filter(|row| row.kind == 'f' && !row.period).map(foreign_key).collect();
                let mut conditions: Vec<_> = tree.leaves.iter().map(|leaf| leaf.partition_condition()).collect();
                // What is not known of one is told of none.
                if conditions.iter().any(String::is_empty) {
                    conditions.clear();
                }
                table.kind = TableKind::Partitioned { partitions, conditions, foreign_keys };
            }
            'm' => {
                let definition = statement(row.definition.as_deref().unwrap_or_default()).to_owned();
                table.kind = TableKind::MaterializedView { definition, populated: row.populated };
            }
            _ => {}
        }
        for constraint in own_constraints {
            add_constraint(&mut table, constraint, others);
        }
        table.indexes = own_indexes.into_iter().map(index).collect();
        tables.push(table);
    }
    tables
}

/// Without the rows that a foreign key to a partitioned table has besides its own, one for each partition there.
fn constraints_proper(rows: Vec<ConstraintRow>) -> Vec<ConstraintRow> {
    let by_oid: HashMap<Oid, (Oid, Oid, Oid)> =
        rows.iter().map(|row| (row.oid, (row.relation, row.referenced, row.parent))).collect();
    let is_proper = |row: &ConstraintRow| {
        let mut parent = row.parent;
        // A chain is never longer than there are constraints.
        for _ in 0..by_oid.len() {
            let Some((relation, referenced, next)) = by_oid.get(&parent) else { return true };
            if row.kind == 'f' && (*relation == row.relation || *referenced != row.referenced) {
                return false;
            }
            parent = *next;
        }
        true
    };
    rows.iter().filter(|row| is_proper(row)).cloned().collect()
}

fn group<T>(rows: Vec<T>, key: impl Fn(&T) -> Oid) -> HashMap<Oid, Vec<T>> {
    let mut groups: HashMap<Oid, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

fn parents(relations: &Relations, row: &RelationRow) -> Vec<QualifiedName> {
    let parents = row.parents.iter().flatten().filter_map(|oid| relations.get(*oid));
    parents.map(RelationRow::qualified_name).collect()
}

/// The sum of the known estimates; negative where a part is unknown and the known ones are nothing.
fn sum_of_estimates(estimates: impl Iterator<Item = i64>) -> i64 {
    let (mut sum, mut unknown) = (0, false);
    for estimate in estimates {
        unknown |= estimate < 0;
        sum += estimate.max(0);
    }
    if unknown && sum == 0 { -1 } else { sum }
}

fn add_constraint(table: &mut Table, row: ConstraintRow, others: &mut Vec<OtherObject>) {
    let on_table = format!("{} on {}", row.name, table.name);
    match row.kind {
        'p' | 'u' | 'f' if row.period => {
            others.push(OtherObject::new(ObjectKind::KeyOverPeriods, on_table, Some(row.definition)));
        }
        'p' => table.primary_key = Some(key(row)),
        'u' => table.unique_keys.push(key(row)),
        'f' => table.foreign_keys.push(foreign_key(row)),
        'c' => table.checks.push(Check {
            name: row.name,
            expression: row.expression.unwrap_or_default(),
            validated: row.validated,
        }),
        'x' => others.push(OtherObject::new(ObjectKind::ExclusionConstraint, on_table, Some(row.definition))),
        // Only those that are not validated are asked for.
        _ => others.push(OtherObject::new(ObjectKind::NotNullUnvalidated, on_table, Some(row.definition))),
    }
}

fn key(row: ConstraintRow) -> Key {
    Key {
        deferrable: deferrable(&row),
        name: row.name,
        columns: row.columns.unwrap_or_default(),
        nulls_not_distinct: row.nulls_not_distinct,
        include: row.include.unwrap_or_default(),
    }
}

fn foreign_key(row: ConstraintRow) -> ForeignKey {
    ForeignKey {
        deferrable: deferrable(&row),
        name: row.name,
        columns: row.columns.unwrap_or_default(),
        references: QualifiedName::new(
            row.referenced_schema.unwrap_or_default(),
            row.referenced_name.unwrap_or_default(),
        ),
        referenced_columns: row.referenced_columns.unwrap_or_default(),
        on_delete: action(&row.on_delete),
        on_update: action(&row.on_update),
        on_delete_columns: row.on_delete_columns.unwrap_or_default(),
        match_full: row.match_type == "f",
        validated: row.validated,
    }
}

fn deferrable(row: &ConstraintRow) -> Deferrable {
    match (row.deferrable, row.deferred) {
        (false, _) => Deferrable::No,
        (true, false) => Deferrable::Immediate,
        (true, true) => Deferrable::Deferred,
    }
}

fn action(letter: &str) -> Action {
    match letter {
        "r" => Action::Restrict,
        "c" => Action::Cascade,
        "n" => Action::SetNull,
        "d" => Action::SetDefault,
        _ => Action::NoAction,
    }
}

fn index(row: IndexRow) -> Index {
    Index {
        name: row.name,
        unique: row.is_unique,
        nulls_not_distinct: row.nulls_not_distinct,
        method: row.method,
        parts: row.parts.into_iter().map(index_part).collect(),
        include: row.include.unwrap_or_default(),
        predicate: row.predicate,
        valid: row.valid,
        definition: row.definition,
    }
}

fn index_part(row: IndexPartRow) -> IndexPart {
    let key = match row.column {
        Some(column) => IndexKey::Column(column),
        None => IndexKey::Expression(without_outer_parentheses(&row.expression.unwrap_or_default()).to_owned()),
    };
    IndexPart {
        key,
        descending: row.descending,
        nulls_first: row.nulls_first,
        collation: row.collation,
        operator_class: row.operator_class,
    }
}

/// An expression without one pair of parentheses around the whole, which CREATE INDEX needs and others do not.
fn without_outer_parentheses(expression: &str) -> &str {
    let Some(inner) = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return expression };
    let (mut depth, mut quote) = (0_usize, None);
    for character in inner.chars() {
        match (quote, character) {
            // A doubled quote ends and begins the quotation: nothing changes.
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return expression,
            },
            (None, _) => {}
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parentheses_around_the_whole_are_taken_off() {
        for (expression, expected) in [
            ("((a + b))", "(a + b)"),
            ("lower(c)", "lower(c)"),
            ("(a)::text || (b)", "(a)::text || (b)"),
            ("(c || ')'::text)", "c || ')'::text"),
            ("(\"a)\" || 'it''s (')", "\"a)\" || 'it''s ('"),
            ("(a) + (b)", "(a) + (b)"),
        ] {
            assert_eq!(without_outer_parentheses(expression), expected);
        }
    }

    #[test]
    fn an_unknown_estimate_does_not_hide_the_known_ones() {
        assert_eq!(sum_of_estimates([5, -1, 7].into_iter()), 12);
        assert_eq!(sum_of_estimates([0, -1].into_iter()), -1);
        assert_eq!(sum_of_estimates(std::iter::empty()), 0);
    }
}
