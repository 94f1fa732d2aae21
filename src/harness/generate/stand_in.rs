//! A stand-in for the values of a column: small numbers and short words.

use crate::catalog::{DataType, Shape};
use crate::error::{Error, Result};
use crate::harness::Random;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    pub minimum: Option<Bound>,
    pub maximum: Option<Bound>,
    pub allowed: Option<Vec<String>>,
    pub excluded: Vec<String>,
    pub length_min: Option<u32>,
    pub length_max: Option<u32>,
    pub pattern: Option<Pattern>,
    pub plain: bool,
    pub octets_max: Option<u32>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub value: String,
    pub inclusive: bool,
}
impl Bound {
    pub fn inclusive(value: impl Into<String>) -> Self {
        Bound { value: value.into(), inclusive: true }
    }
    pub fn exclusive(value: impl Into<String>) -> Self {
        Bound { value: value.into(), inclusive: false }
    }
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    Regex { text: String, ignore_case: bool, negated: bool },
    Like { text: String, escape: Option<char>, ignore_case: bool, negated: bool },
    Glob { text: String, negated: bool },
}
#[derive(Debug, Clone)]
pub struct ValueSource {
    shape: Shape,
    allowed: Option<Vec<String>>,
}
impl ValueSource {
    pub fn new(data_type: &DataType, limits: Limits) -> Result<Self> {
        let shape = data_type.base().shape.clone();
        let allowed = match (&limits.allowed, &shape) {
            (Some(allowed), _) => Some(allowed.clone()),
            (None, Shape::Enum(labels)) => Some(labels.labels.clone()),
            (None, Shape::Boolean) => Some(vec!["f".into(), "t".into()]),
            _ => None,
        };
        match allowed.as_ref().is_some_and(Vec::is_empty) {
            true => Err(Error::could_not("draw values of", format!("`{data_type}`"), "no value is left")),
            false => Ok(ValueSource { shape, allowed }),
        }
    }
    pub fn draw(&self, random: &mut Random, _awkward: bool) -> String {
        let index = random.below(self.capacity().min(10_000));
        self.nth(index).unwrap_or_default()
    }
    pub fn nth(&self, index: u64) -> Option<String> {
        if let Some(allowed) = &self.allowed {
            return allowed.get(index as usize).cloned();
        }
        Some(match &self.shape {
            Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => (index + 1).to_string(),
            Shape::Real | Shape::Double | Shape::Numeric { .. } => index.to_string(),
            Shape::Json | Shape::Jsonb => index.to_string(),
            Shape::Bytea => format!("\\x{index:08x}"),
            Shape::Uuid => format!("00000000-0000-4000-8000-{index:012x}"),
            Shape::Date => format!("20{:02}-{:02}-{:02}", index / 336 % 100, index / 28 % 12 + 1, index % 28 + 1),
            Shape::Timestamp { .. } | Shape::TimestampTz { .. } => format!(
                "20{:02}-{:02}-{:02} {:02}:{:02}:{:02}",
                index / 29_030_400 % 100,
                index / 2_419_200 % 12 + 1,
                index / 86_400 % 28 + 1,
                index / 3_600 % 24,
                index / 60 % 60,
                index % 60
            ),
            Shape::Array { .. } => "{}".to_owned(),
            _ => format!("w{index}"),
        })
    }
    pub fn capacity(&self) -> u64 {
        self.allowed.as_ref().map_or(u64::MAX, |allowed| allowed.len() as u64)
    }
}
