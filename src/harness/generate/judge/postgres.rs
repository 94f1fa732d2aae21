//! A PostgreSQL server as the judge: candidates go into a temporary table without constraints, and a query asks which
//! of them satisfy the checks.

use super::Judge;
use crate::catalog::{DataType, Shape, Table};
use crate::endpoint::PostgresUrl;
use crate::error::Result;
use crate::harness::generate::connection::{Connection, copy_text};
use crate::harness::generate::dataset::{Row, table_name};
use crate::quote::quote;
use std::collections::BTreeMap;

/// A connection of its own that decides checks; it writes nothing but a temporary table.
#[derive(Debug)]
pub struct PostgresJudge {
    url: PostgresUrl,
    connection: Option<Connection>,
    /// The temporary tables that are there, and the query for each.
    known: BTreeMap<String, (String, String)>,
}

impl PostgresJudge {
    /// A judge that connects when it is first asked.
    pub fn new(url: &PostgresUrl) -> PostgresJudge {
        PostgresJudge { url: url.clone(), connection: None, known: BTreeMap::new() }
    }
}

impl Judge for PostgresJudge {
    fn accepts(&mut self, table: &Table, columns: &[String], rows: &[Row]) -> Result<Vec<bool>> {
        if self.connection.is_none() {
            let mut connection = Connection::open(&self.url)?;
            let label = connection.label().to_owned();
            connection.query(
                "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; \
                 SET TimeZone = 'UTC'; SET standard_conforming_strings = on; SET client_min_messages = warning",
                label,
            )?;
            self.connection = Some(connection);
        }
        let Some(connection) = &mut self.connection else { return Ok(vec![true; rows.len()]) };
        let object = format!("the checks of `{}`", table.name);
        let name = table_name(&table.name, false);
        if !self.known.contains_key(&name) {
            let temporary = quote(&format!("whimbrel_judge_{}", self.known.len()));
            let partitions = partition_conditions(connection, &name, &object)?;
            let listed: Vec<String> = columns.iter().filter_map(|name| table.column(name)).map(definition).collect();
            let query = query(table, &temporary, &partitions);
            let listed: String = listed.iter().map(|column| format!(", {column}")).collect();
            connection.query(format!("CREATE TEMP TABLE {temporary} (whimbrel_row integer{listed})"), &object)?;
            self.known.insert(name.clone(), (temporary, query));
        }
        let (temporary, query) = &self.known[&name];
        let mut text = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let number = number.to_string();
            copy_text(std::iter::once(Some(number.as_str())).chain(row.iter().map(Option::as_deref)), &mut text);
        }
        connection.query(format!("TRUNCATE {temporary}"), &object)?;
        connection.copy(format!("COPY {temporary} FROM STDIN"), &object)?;
        connection.chunk(text)?;
        connection.copy_end()?;
        let mut accepted = vec![false; rows.len()];
        decide(connection, query, &object, 0, rows.len(), &mut accepted)?;
        Ok(accepted)
    }
}

/// Asks about the candidates from `first` on, `end` not included. A condition that raises an error for some candidate (a
/// division by zero, a number out of range) is asked again for each half, until that candidate is alone: it is refused.
fn decide(
    connection: &mut Connection,
    query: &str,
    object: &str,
    first: usize,
    end: usize,
    accepted: &mut [bool],
) -> Result<()> {
    let last = end.saturating_sub(1);
    let sql = query.replace(FIRST, &first.to_string()).replace(LAST, &last.to_string());
    match connection.query(sql, object) {
        Ok(answer) => {
            for number in answer.iter().filter_map(|row| row.first()?.as_ref()?.parse::<usize>().ok()) {
                if let Some(accepted) = accepted.get_mut(number) {
                    *accepted = true;
                }
            }
            Ok(())
        }
        // Anything else than a condition's own error comes again at the next request.
        Err(error) if end - first <= 1 => match connection.query("SELECT 1", object) {
            Ok(_) => Ok(()),
            Err(_) => Err(error),
        },
        Err(_) => {
            let middle = first + (end - first) / 2;
            decide(connection, query, object, first, middle, accepted)?;
            decide(connection, query, object, middle, end, accepted)
        }
    }
}

/// What stands in a query for the numbers of the first and the last candidate.
const FIRST: &str = "whimbrel_first_candidate";
const LAST: &str = "whimbrel_last_candidate";

fn definition(column: &crate::catalog::Column) -> String {
    // A domain's own checks would be errors here; they are asked for like those of the table.
    let collation = column.collation.as_ref().and_then(|name| name.split_once('.'));
    let collate = collation.map(|(schema, name)| format!(" COLLATE {}.{}", quote(schema), quote(name)));
    format!("{} {}{}", quote(&column.name), column.data_type.base().name, collate.unwrap_or_default())
}

fn query(table: &Table, temporary: &str, partitions: &[String]) -> String {
    let mut conditions: Vec<String> = table.checks.iter().map(|check| check.expression.clone()).collect();
    for column in table.columns.iter().filter(|column| column.generated.is_none()) {
        for check in domain_checks(&column.data_type) {
            conditions.push(with_value(&check, &quote(&column.name)));
        }
    }
    let mut conditions: Vec<String> =
        conditions.into_iter().map(|condition| format!("({condition}) IS NOT FALSE")).collect();
    if !partitions.is_empty() {
        conditions.push(format!("({})", partitions.join(" OR ")));
    }
    // Computed even where no condition asks for it: a value that does not fit is found here and not by the insert.
    conditions.extend(table.columns.iter().filter(|column| column.generated.is_some()).map(|column| {
        let (name, type_name) = (quote(&column.name), &column.data_type.base().name);
        format!("pg_catalog.num_nonnulls(({name})::{type_name}) >= 0")
    }));
    let generated = table.columns.iter().filter_map(|column| {
        let generated = column.generated.as_ref()?;
        Some(format!(", ({}) AS {}", generated.expression, quote(&column.name)))
    });
    let generated: String = generated.collect();
    let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    format!(
        "SELECT whimbrel_row FROM (SELECT *{generated} FROM \
         (SELECT * FROM {temporary} WHERE whimbrel_row BETWEEN {FIRST} AND {LAST} OFFSET 0) AS asked) AS candidate \
         WHERE {condition}"
    )
}

/// The conditions under which some partition takes a row; none for a table without partitions, or with a default one.
fn partition_conditions(connection: &mut Connection, name: &str, object: &str) -> Result<Vec<String>> {
    let name = name.replace('\'', "''");
    let sql = format!(
        "SELECT pg_catalog.pg_get_partition_constraintdef(relid) FROM pg_catalog.pg_partition_tree('{name}'::regclass) \
         WHERE isleaf AND relid <> '{name}'::regclass"
    );
    let rows = connection.query(sql, object)?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).map(|text| format!("({text})")).collect())
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
