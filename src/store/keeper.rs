//! What a side can do: find records, and exchange one for another where nobody else was faster.

use super::contract::{Expected, Outcome, Record, Store, Version, Written};
use super::unit::{Known, Unit};
use super::value;
use crate::error::Result;
use crate::value::Cell;
use serde_json::{Map, Value};

/// An exchange of one record.
#[derive(Debug, Clone)]
pub struct Change {
    /// The place of its table.
    pub table: usize,
    /// A row with the cells of its key.
    pub key: Vec<Cell<'static>>,
    /// What is to be there; `None` for nothing.
    pub new: Option<Unit>,
    /// What has to be there.
    pub expected: Expected,
    /// Whether the new one is taken as it is spelled; else JSON that is the same value keeps the spelling of the old one.
    pub as_spelled: bool,
}

/// What has become of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchanged {
    /// The new one is there, in this version.
    Done(Option<Version>),
    /// It is there for whoever asks, and the copy gets it later, for this reason.
    Pending(Option<Version>, String),
    /// Something else was there.
    Other(Option<Version>),
}

/// Keeps records.
pub trait Keeper: Send + Sync {
    /// The layout of its records.
    fn known(&self) -> &'static Known;

    /// A record by a row with the cells of its key.
    ///
    /// # Errors
    /// When it cannot be read.
    fn find(&self, table: usize, key: &[Cell<'static>]) -> Result<Option<Unit>>;

    /// All records whose columns have these values, in no order.
    ///
    /// # Errors
    /// When they cannot be read.
    fn all(&self, table: usize, matching: &[(usize, Cell<'static>)]) -> Result<Vec<Unit>>;

    /// Exchanges a record.
    ///
    /// # Errors
    /// When the new one cannot be kept; then the old one is there.
    fn exchange(&self, change: &Change) -> Result<Exchanged>;

    /// Everything of an exchange but the change.
    ///
    /// # Errors
    /// When the new one could not be kept.
    fn rehearse(&self, change: &Change) -> Result<()>;
}

impl Change {
    /// The new record, spelled as the old one where it says the same.
    pub fn spelled(&self, old: Option<&Unit>, known: &Known) -> Option<Unit> {
        let mut new = self.new.clone()?;
        if let (false, Some(old)) = (self.as_spelled, old) {
            new.keep_spelling(old, known);
        }
        Some(new)
    }
}

/// Records in the order of their keys.
pub fn sorted(known: &Known, mut records: Vec<Record>, table: usize) -> Vec<Record> {
    let of = &known.layout.tables[table];
    let names: Vec<&str> = of.key.iter().map(|place| of.columns[*place].name.as_str()).collect();
    let compare = |left: &Value, right: &Value| match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.as_f64().unwrap_or(0.0).total_cmp(&right.as_f64().unwrap_or(0.0)),
        },
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (left, right) => left.to_string().cmp(&right.to_string()),
    };
    records.sort_by(|left, right| {
        let orders = names.iter().map(|name| compare(&left.value[*name], &right.value[*name]));
        orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    records
}

impl<K: Keeper> Store for K {
    fn get(&self, table: &str, key: &[Value]) -> Result<Option<Record>> {
        let known = self.known();
        let table = known.table(table)?;
        let key = value::key(known, table, key)?;
        Ok(self.find(table, &key)?.map(|unit| value::record(known, &unit)))
    }

    fn list(&self, table: &str, matching: &[(&str, Value)]) -> Result<Vec<Record>> {
        let known = self.known();
        let table = known.table(table)?;
        let matching = value::matching(known, table, matching)?;
        let records = self.all(table, &matching)?.iter().map(|unit| value::record(known, unit)).collect();
        Ok(sorted(known, records, table))
    }

    fn put(&self, table: &str, value: &Map<String, Value>, expected: Expected) -> Result<Outcome> {
        let known = self.known();
        let table = known.table(table)?;
        let new = value::unit(known, table, value)?;
        let key = new.key_row(known);
        outcome(self.exchange(&Change { table, key, new: Some(new), expected, as_spelled: false })?)
    }

    fn delete(&self, table: &str, key: &[Value], expected: Expected) -> Result<Outcome> {
        let known = self.known();
        let table = known.table(table)?;
        let key = value::key(known, table, key)?;
        outcome(self.exchange(&Change { table, key, new: None, expected, as_spelled: false })?)
    }
}

fn outcome(exchanged: Exchanged) -> Result<Outcome> {
    Ok(match exchanged {
        Exchanged::Done(version) => Outcome::Written(Written { version, pending: None }),
        Exchanged::Pending(version, why) => Outcome::Written(Written { version, pending: Some(why) }),
        Exchanged::Other(found) => Outcome::Changed { found },
    })
}
