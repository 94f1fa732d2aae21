//! A PostgreSQL server as the judge: candidates go into a temporary table without constraints, and a query asks of each
//! which condition it misses first.

use super::conditions::{computed_key_texts, row_conditions};
use super::{Judge, Ruling};
use crate::cancel::Cancel;
use crate::catalog::{Table, TableKind};
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::{Connection, Patience, copy_text};
use crate::error::Result;
use crate::harness::generate::FILLING;
use crate::harness::generate::dataset::{Row, table_name};
use crate::quote::quote;
use std::collections::BTreeMap;
use std::ops::Range;

/// A connection of its own that decides checks; it writes nothing but a temporary table.
#[derive(Debug)]
pub struct PostgresJudge {
    url: PostgresUrl,
    connection: Option<Connection>,
    /// What there is for each table.
    known: BTreeMap<String, Asking>,
}

/// How a table's candidates are asked about.
#[derive(Debug)]
struct Asking {
    temporary: String,
    query: String,
    one_by_one: OneByOne,
}

/// How candidates are asked about where asking about all of them at once is an error.
#[derive(Debug, Clone)]
enum OneByOne {
    /// It was not needed yet.
    Unknown,
    /// By a function of this name.
    Function(String),
    /// By halves: the server has no PL/pgSQL.
    Halves,
}

impl PostgresJudge {
    /// A judge that connects when it is first asked.
    pub fn new(url: &PostgresUrl) -> PostgresJudge {
        PostgresJudge { url: url.clone(), connection: None, known: BTreeMap::new() }
    }
}

/// The connection, opened when it is first needed.
fn connected<'c>(connection: &'c mut Option<Connection>, url: &PostgresUrl) -> Result<&'c mut Connection> {
    let open = match connection.take() {
        Some(open) => open,
        None => {
            let mut open = Connection::open_until(url, FILLING, &Patience::default(), &Cancel::new())?;
            let label = open.label().to_owned();
            open.enter_behind_the_servers_own()?;
            open.query(
                "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; \
                 SET TimeZone = 'UTC'; SET standard_conforming_strings = on; SET xmloption = content; \
                 SET array_nulls = on; SET lc_monetary = 'C'; SET client_min_messages = warning",
                label,
            )?;
            open
        }
    };
    Ok(connection.insert(open))
}

impl Judge for PostgresJudge {
    fn rule(&mut self, table: &Table, columns: &[String], rows: &[Row]) -> Result<Vec<Ruling>> {
        let connection = connected(&mut self.connection, &self.url)?;
        let object = format!("the checks of `{}`", table.name);
        let name = table_name(&table.name, false);
        if !self.known.contains_key(&name) {
            let temporary = quote(&format!("whimbrel_judge_{}", self.known.len()));
            connection.leave()?;
            let partitions = partition_conditions(connection, &name, &object)?;
            let listed: Vec<String> = columns.iter().filter_map(|name| table.column(name)).map(definition).collect();
            let query = query(table, &temporary, &partitions);
            let listed: String = listed.iter().map(|column| format!(", {column}")).collect();
            connection.query(format!("CREATE TEMP TABLE {temporary} (whimbrel_row integer{listed})"), &object)?;
            connection.enter_behind_the_servers_own()?;
            self.known.insert(name.clone(), Asking { temporary, query, one_by_one: OneByOne::Unknown });
        }
        let Some(asking) = self.known.get_mut(&name) else { return Ok(Vec::new()) };
        let temporary = &asking.temporary;
        let mut text = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let number = number.to_string();
            copy_text(std::iter::once(Some(number.as_str())).chain(row.iter().map(Option::as_deref)), &mut text);
        }
        connection.query(format!("TRUNCATE {temporary}"), &object)?;
        connection.copy(format!("COPY {temporary} FROM STDIN"), &object)?;
        connection.chunk(text)?;
        connection.copy_end()?;
        let mut rulings = vec![Ruling::Unfit; rows.len()];
        asking.decide(connection, &object, &mut rulings)?;
        let conditions = row_conditions(table).len();
        for ruling in &mut rulings {
            // Behind the conditions of the table comes what no column alone can mend.
            if matches!(ruling, Ruling::Misses(place) if *place >= conditions) {
                *ruling = Ruling::Unfit;
            }
        }
        Ok(rulings)
    }

    fn computed(&mut self, table: &Table) -> Result<Vec<Vec<String>>> {
        let object = format!("the keys of `{}`", table.name);
        let only = if matches!(table.kind, TableKind::Ordinary) { "ONLY " } else { "" };
        let name = table_name(&table.name, false);
        let connection = connected(&mut self.connection, &self.url)?;
        computed_key_texts(table, false)
            .into_iter()
            .map(|(_, key)| {
                let sql =
                    format!("SELECT key FROM (SELECT {key} AS key FROM {only}{name}) AS own WHERE key IS NOT NULL");
                Ok(connection.query(sql, &object)?.into_iter().flatten().flatten().collect())
            })
            .collect()
    }
}

impl Asking {
    /// Asks about all candidates at once. A condition that raises an error for some candidate (a division by zero, a
    /// number out of range) is asked about each of them: those that it is raised for are refused.
    fn decide(&mut self, connection: &mut Connection, object: &str, rulings: &mut [Ruling]) -> Result<()> {
        if self.ask(connection, object, 0..rulings.len(), rulings).is_ok() {
            return Ok(());
        }
        // Anything else than a condition's own error comes again at the next request.
        connection.query("SELECT 1", object)?;
        if matches!(self.one_by_one, OneByOne::Unknown) {
            let name = format!("pg_temp.{}", self.temporary);
            let is_there = connection.query(self.function(&name), object).is_ok();
            self.one_by_one = if is_there { OneByOne::Function(name) } else { OneByOne::Halves };
        }
        match &self.one_by_one {
            OneByOne::Function(name) => self.ask_function(connection, object, name, rulings),
            OneByOne::Unknown | OneByOne::Halves => self.ask_halves(connection, object, 0..rulings.len(), rulings),
        }
    }

    /// Asks about some candidates in one query.
    fn ask(
        &self,
        connection: &mut Connection,
        object: &str,
        candidates: Range<usize>,
        rulings: &mut [Ruling],
    ) -> Result<()> {
        let last = candidates.end.saturating_sub(1);
        let sql = in_range(&self.query, &candidates.start.to_string(), &last.to_string());
        for row in connection.query(sql, object)? {
            let mut cells = row.into_iter();
            let number = cells.next().flatten().and_then(|text| text.parse::<usize>().ok());
            let missed = cells.next().flatten();
            if let Some(ruling) = number.and_then(|number| rulings.get_mut(number)) {
                *ruling = ruled(missed.as_deref(), cells.collect());
            }
        }
        Ok(())
    }

    /// Each half alone, until one candidate is alone.
    fn ask_halves(
        &self,
        connection: &mut Connection,
        object: &str,
        candidates: Range<usize>,
        rulings: &mut [Ruling],
    ) -> Result<()> {
        if candidates.len() <= 1 {
            return connection.query("SELECT 1", object).map(|_| ());
        }
        let middle = candidates.start + candidates.len() / 2;
        for half in [candidates.start..middle, middle..candidates.end] {
            if self.ask(connection, object, half.clone(), rulings).is_err() {
                self.ask_halves(connection, object, half, rulings)?;
            }
        }
        Ok(())
    }

    /// Makes a function that gives the query's answer about one candidate as JSON, or a word that is none for an error.
    fn function(&self, name: &str) -> String {
        let query = in_range(&self.query, "$1", "$1");
        let body = format!(
            "#variable_conflict use_column\nBEGIN RETURN (SELECT to_jsonb(ruled)::text FROM ({query}) AS ruled); \
             EXCEPTION WHEN OTHERS THEN RETURN 'error'; END"
        );
        format!("CREATE FUNCTION {name}(integer) RETURNS text LANGUAGE plpgsql AS '{}'", body.replace('\'', "''"))
    }

    fn ask_function(
        &self,
        connection: &mut Connection,
        object: &str,
        name: &str,
        rulings: &mut [Ruling],
    ) -> Result<()> {
        let sql = format!("SELECT whimbrel_row::text, {name}(whimbrel_row) FROM {}", self.temporary);
        for row in connection.query(sql, object)? {
            let [Some(number), Some(answer)] = row.as_slice() else { continue };
            let ruling = number.parse::<usize>().ok().and_then(|number| rulings.get_mut(number));
            let answer = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(answer);
            let (Some(ruling), Ok(answer)) = (ruling, answer) else { continue };
            let text = |name: String| match answer.get(&name) {
                None | Some(serde_json::Value::Null) => None,
                Some(serde_json::Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            };
            let keys = (0..).map(|place| format!("key_{place}")).take_while(|name| answer.contains_key(name));
            *ruling = ruled(text("missed".to_owned()).as_deref(), keys.map(text).collect());
        }
        Ok(())
    }
}

fn ruled(missed: Option<&str>, keys: Vec<Option<String>>) -> Ruling {
    match missed.map(str::parse) {
        None => Ruling::Holds(keys),
        Some(Ok(place)) => Ruling::Misses(place),
        Some(Err(_)) => Ruling::Unfit,
    }
}

fn in_range(query: &str, first: &str, last: &str) -> String {
    query.replace(FIRST, first).replace(LAST, last)
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

/// Asks for each candidate which condition it misses first, NULL for none. One after another, as an insert does it: a
/// condition may only be computed where those before it hold.
fn query(table: &Table, temporary: &str, partitions: &[String]) -> String {
    let mut misses: Vec<String> =
        row_conditions(table).into_iter().map(|condition| format!("({}) IS FALSE", condition.expression)).collect();
    if !partitions.is_empty() {
        misses.push(format!("({}) IS NOT TRUE", partitions.join(" OR ")));
    }
    // Computed even where no condition asks for it: a value that does not fit is found here and not by the insert.
    misses.extend(table.columns.iter().filter(|column| column.generated.is_some()).map(|column| {
        let (name, type_name) = (quote(&column.name), &column.data_type.base().name);
        format!("pg_catalog.num_nonnulls(({name})::{type_name}) < 0")
    }));
    let generated = table.columns.iter().filter_map(|column| {
        let generated = column.generated.as_ref()?;
        Some(format!(", ({}) AS {}", generated.expression, quote(&column.name)))
    });
    let generated: String = generated.collect();
    let cases: String = misses.iter().enumerate().map(|(place, miss)| format!(" WHEN {miss} THEN {place}")).collect();
    let missed = if cases.is_empty() { "NULL".to_owned() } else { format!("CASE{cases} END") };
    let keys = computed_key_texts(table, false).into_iter().enumerate();
    // Computed only for what the table would take.
    let keys: String =
        keys.map(|(place, (_, key))| format!(", CASE WHEN missed IS NULL THEN {key} END AS key_{place}")).collect();
    format!(
        "SELECT whimbrel_row, missed{keys} FROM (SELECT *, {missed} AS missed FROM (SELECT *{generated} FROM \
         (SELECT * FROM {temporary} WHERE whimbrel_row BETWEEN {FIRST} AND {LAST} OFFSET 0) AS asked) AS candidate \
         OFFSET 0) AS judged"
    )
}

/// The conditions under which some partition takes a row, with what it asks for itself; none for a table without
/// partitions.
fn partition_conditions(connection: &mut Connection, name: &str, object: &str) -> Result<Vec<String>> {
    let name = name.replace('\'', "''");
    let sql = format!(
        "SELECT coalesce(nullif(concat_ws(' AND ', pg_catalog.pg_get_partition_constraintdef(relid), (SELECT string_agg( \
         '((' || pg_catalog.pg_get_expr(conbin, conrelid) || ') IS NOT FALSE)', ' AND ') \
         FROM pg_catalog.pg_constraint WHERE conrelid = relid AND contype = 'c')), ''), 'true') \
         FROM pg_catalog.pg_partition_tree('{name}'::regclass) WHERE isleaf AND relid <> '{name}'::regclass"
    );
    let rows = connection.query(sql, object)?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).map(|text| format!("({text})")).collect())
}
