//! Types whose values can be told one by one: enums, booleans, lists of a check or a hint, names of server objects.

use super::kind::{self, Limit, Values, nothing_left};
use super::{Bound, Limits};
use crate::catalog::DataType;
use crate::error::Result;
use crate::harness::Random;
use std::borrow::Cow;
use std::sync::Arc;

/// A list of values, each of them distinct from the others under the type's equality.
#[derive(Debug)]
pub(super) struct List {
    values: Vec<String>,
    /// Whether the type can be in a unique key.
    unique: bool,
}

impl List {
    pub(super) fn new(values: Vec<String>, unique: bool) -> Self {
        List { values, unique }
    }
}

impl Values for List {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        if let Some(value) = random.pick(&self.values) {
            text.push_str(value);
        }
    }

    fn capacity(&self) -> u64 {
        if self.unique { self.values.len() as u64 } else { 0 }
    }

    fn nth(&self, index: u64, text: &mut String) {
        if let Some(value) = self.values.get(index as usize) {
            text.push_str(value);
        }
    }

    fn accepts(&self, value: &str) -> bool {
        self.values.iter().any(|known| known == value)
    }

    /// The whole list in its order: each value is simpler than those behind it.
    fn simplest(&self) -> Vec<String> {
        self.values.clone()
    }

    fn reductions(&self, _value: &str) -> Vec<String> {
        Vec::new()
    }
}

/// An enum's labels; their order is the type's own, so a range of labels can be solved.
pub(super) fn labels(data_type: &DataType, labels: &[String], limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[Limit::Range])?;
    let place = |bound: &Bound| {
        labels.iter().position(|label| *label == bound.value).ok_or_else(|| {
            nothing_left(data_type, format!("`{}` in a range is none of the enum's labels", bound.value))
        })
    };
    let minimum = limits.minimum.as_ref().map(|bound| Ok((place(bound)?, bound.inclusive))).transpose()?;
    let maximum = limits.maximum.as_ref().map(|bound| Ok((place(bound)?, bound.inclusive))).transpose()?;
    let within = |at: usize| {
        minimum.is_none_or(|(low, inclusive)| at > low || (inclusive && at == low))
            && maximum.is_none_or(|(high, inclusive)| at < high || (inclusive && at == high))
    };
    let left: Vec<String> =
        labels.iter().enumerate().filter(|(at, _)| within(*at)).map(|(_, label)| label.clone()).collect();
    if left.is_empty() {
        return Err(nothing_left(data_type, "none of the enum's labels is within the limits"));
    }
    Ok(Arc::new(List::new(left, true)))
}

/// `false` and `true`.
pub(super) fn booleans(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    let truth = |value: &str| match value.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" | "yes" | "on" | "y" => "t".to_owned(),
        _ => "f".to_owned(),
    };
    let normal = |bound: &Option<Bound>| {
        bound.as_ref().map(|bound| Bound { value: truth(&bound.value), inclusive: bound.inclusive })
    };
    let limits = Limits { minimum: normal(&limits.minimum), maximum: normal(&limits.maximum), ..limits.clone() };
    labels(data_type, &["f".to_owned(), "t".to_owned()], &limits)
}

/// A list out of a family that knows the type's equality.
#[derive(Debug)]
pub(super) struct Listed {
    list: List,
    family: Arc<dyn Values>,
}

impl Listed {
    pub(super) fn new(list: List, family: Arc<dyn Values>) -> Self {
        Listed { list, family }
    }
}

impl Values for Listed {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        self.list.ordinary(random, text);
    }

    fn capacity(&self) -> u64 {
        self.list.capacity()
    }

    fn nth(&self, index: u64, text: &mut String) {
        self.list.nth(index, text);
    }

    fn accepts(&self, value: &str) -> bool {
        self.list.accepts(value)
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        self.family.key(value)
    }

    fn simplest(&self) -> Vec<String> {
        self.list.simplest()
    }

    fn reductions(&self, _value: &str) -> Vec<String> {
        Vec::new()
    }
}

/// A family whose few distinct values are written out, those that are excluded left out.
#[derive(Debug)]
pub(super) struct Numbered {
    family: Arc<dyn Values>,
    all: Vec<String>,
}

impl Numbered {
    pub(super) fn new(family: Arc<dyn Values>, all: Vec<String>) -> Self {
        Numbered { family, all }
    }
}

impl Values for Numbered {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        self.family.ordinary(random, text);
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        self.family.awkward(random, text);
    }

    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        self.family.near(words, random, text);
    }

    fn capacity(&self) -> u64 {
        self.all.len() as u64
    }

    fn nth(&self, index: u64, text: &mut String) {
        if let Some(value) = self.all.get(index as usize) {
            text.push_str(value);
        }
    }

    fn accepts(&self, value: &str) -> bool {
        self.family.accepts(value)
    }

    fn key<'v>(&self, value: &'v str) -> Cow<'v, str> {
        self.family.key(value)
    }

    fn simplest(&self) -> Vec<String> {
        self.family.simplest()
    }

    fn reductions(&self, value: &str) -> Vec<String> {
        self.family.reductions(value)
    }
}
