//! What a judge is asked: the conditions of a table's rows, and the keys that only the server can compute.

use crate::catalog::{Column, DataType, IndexKey, IndexPart, Shape, Table};
use crate::quote::quote;

/// A condition that the rows of a table have to meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowCondition {
    /// The check's name; of a domain's check its condition and the type.
    pub name: String,
    /// The condition over the table's columns, in the SQL of the source.
    pub expression: String,
    /// The column whose domain asks for it; `None` for a check of the table.
    pub column: Option<String>,
}

/// What a judge is asked about the rows of a table: its checks, then those of its columns' domains.
pub fn row_conditions(table: &Table) -> Vec<RowCondition> {
    let own = table.checks.iter().map(|check| RowCondition {
        name: check.name.clone(),
        expression: check.expression.clone(),
        column: None,
    });
    let of_domains = table.columns.iter().filter(|column| column.generated.is_none()).flat_map(|column| {
        domain_checks(&column.data_type).into_iter().map(|check| RowCondition {
            name: format!("{check} of `{}`", column.data_type),
            expression: with_value(&check, &quote(&column.name)),
            column: Some(column.name.clone()),
        })
    });
    own.chain(of_domains).collect()
}

/// The names of the unique keys that a PostgreSQL server computes: over generated columns, expressions, and types that
/// spell one value in several ways, and those that count some rows only.
pub fn computed_keys(table: &Table) -> Vec<String> {
    computed_key_texts(table, false).into_iter().map(|(name, _)| name).collect()
}

/// The unique keys that the engine computes: the name of each, and an expression that is the same text for rows that it
/// does not let stand beside each other, and NULL for a row that it is not about.
pub(super) fn computed_key_texts(table: &Table, sqlite: bool) -> Vec<(String, String)> {
    let is_computed = |name: &String| {
        !sqlite && table.column(name).is_some_and(|column| column.generated.is_some() || !is_its_text(column))
    };
    let key = |parts: Vec<String>, nulls_equal: bool, predicate: Option<&String>| {
        let mut conditions: Vec<String> = predicate.into_iter().map(|predicate| format!("({predicate})")).collect();
        if !nulls_equal {
            conditions.extend(parts.iter().map(|part| match sqlite {
                true => format!("{part} IS NOT NULL"),
                false => format!("pg_catalog.num_nulls({part}) = 0"),
            }));
        }
        let text = match sqlite {
            true => parts.iter().map(|part| format!("quote({part})")).collect::<Vec<_>>().join(" || ',' || "),
            false => format!("pg_catalog.md5(ROW({})::text)", parts.join(", ")),
        };
        match conditions.is_empty() {
            true => text,
            false => format!("CASE WHEN {} THEN {text} END", conditions.join(" AND ")),
        }
    };
    let constraints = (table.primary_key.iter().chain(&table.unique_keys))
        .filter(|own| own.columns.iter().any(is_computed))
        .map(|own| {
            let parts = own.columns.iter().map(|column| quote(column)).collect();
            (own.name.clone(), key(parts, own.nulls_not_distinct, None))
        });
    let indexes = table.indexes.iter().filter(|index| index.unique).filter_map(|index| {
        let is_of_expression = |part: &IndexPart| match &part.key {
            IndexKey::Column(name) => is_computed(name),
            IndexKey::Expression(_) => true,
        };
        let computed = index.predicate.is_some() || index.parts.iter().any(is_of_expression);
        let parts = index.parts.iter().map(|part| match &part.key {
            IndexKey::Column(name) => quote(name),
            IndexKey::Expression(expression) => format!("({expression})"),
        });
        computed.then(|| (index.name.clone(), key(parts.collect(), index.nulls_not_distinct, index.predicate.as_ref())))
    });
    constraints.chain(indexes).collect()
}

/// Whether values are equal exactly if the texts are that they were generated as.
fn is_its_text(column: &Column) -> bool {
    let shape = &column.data_type.base().shape;
    let text = matches!(shape, Shape::Text | Shape::VarChar { .. }) && column.collation.is_none();
    text || matches!(
        shape,
        Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid | Shape::Boolean | Shape::Uuid | Shape::Enum(_)
    )
}

/// The checks of a type's domains, over `VALUE`.
pub(in crate::harness::generate) fn domain_checks(data_type: &DataType) -> Vec<String> {
    match &data_type.shape {
        Shape::Domain(domain) => {
            let own = domain.checks.iter().map(|check| check.expression.clone());
            own.chain(domain_checks(&domain.base)).collect()
        }
        _ => Vec::new(),
    }
}

/// A domain's condition with another word for VALUE.
pub(in crate::harness::generate) fn with_value(condition: &str, column: &str) -> String {
    let mut replaced = String::with_capacity(condition.len());
    let mut rest = condition;
    while let Some(first) = rest.chars().next() {
        if first == '\'' || first == '"' {
            let end = rest[1..].find(first).map_or(rest.len(), |at| at + 2);
            replaced.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            replaced.push_str(if rest[..end].eq_ignore_ascii_case("value") { column } else { &rest[..end] });
            rest = &rest[end..];
        } else {
            replaced.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_value_is_replaced() {
        assert_eq!(
            with_value("((VALUE > 0) AND (VALUE <> 'VALUE, it''s VALUE') AND values(\"VALUE\"))", "\"a b\""),
            "((\"a b\" > 0) AND (\"a b\" <> 'VALUE, it''s VALUE') AND values(\"VALUE\"))"
        );
    }
}
