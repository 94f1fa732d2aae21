//! Ranges and multiranges over the types that the server has them for.

use super::kind::Values;
use super::ordinal::Ordinal;
use super::{Bound, Limits, moments, near, ordinal};
use crate::catalog::{DataType, Shape};
use crate::error::Result;
use crate::harness::Random;
use std::sync::Arc;

#[derive(Debug)]
struct Ranges {
    /// `None` for a range that somebody defined, whose bounds' type the catalog does not tell.
    ends: Option<Ordinal>,
    multiple: bool,
}

/// The values of a range type; by its name, where somebody defined it: only ranges that every such type has.
pub(super) fn build(data_type: &DataType, name: &str) -> Result<Option<Arc<dyn Values>>> {
    let Some(known) = name.strip_suffix("range") else { return Ok(None) };
    let (known, multiple) = known.strip_suffix("multi").map_or((known, false), |known| (known, true));
    let named = |name: &str, shape: Shape| DataType::new(name, shape);
    // A range of one discrete value is stored up to the next one, which has to exist.
    let below = |value: &str| Limits { maximum: Some(Bound::exclusive(value)), ..Limits::default() };
    let ends = match known {
        "int4" => Some(ordinal::whole_numbers(
            data_type,
            i32::MIN.into(),
            i128::from(i32::MAX) - 1,
            true,
            &Limits::default(),
        )?),
        "int8" => Some(ordinal::whole_numbers(
            data_type,
            i64::MIN.into(),
            i128::from(i64::MAX) - 1,
            true,
            &Limits::default(),
        )?),
        "num" => Some(ordinal::whole_numbers(data_type, -(1 << 100), 1 << 100, true, &Limits::default())?),
        "ts" => Some(moments::moments(&named("timestamp", Shape::Timestamp { precision: 6 }), &Limits::default())?),
        "tstz" => {
            Some(moments::moments(&named("timestamptz", Shape::TimestampTz { precision: 6 }), &Limits::default())?)
        }
        "date" => Some(moments::moments(&named("date", Shape::Date), &below("5874897-12-31"))?),
        _ => None,
    };
    Ok(Some(Arc::new(Ranges { ends: ends.map(Ordinal::without_specials), multiple })))
}

impl Ranges {
    fn push_end(ends: &Ordinal, place: i128, text: &mut String) {
        text.push('"');
        ends.form().write(place, text);
        text.push('"');
    }

    fn push_range(&self, random: &mut Random, awkward: bool, text: &mut String) {
        let Some(ends) = &self.ends else { return text.push_str("(,)") };
        let mut draw = || if awkward { ends.awkward_place(random) } else { ends.ordinary_place(random) };
        let (one, other) = (draw(), draw());
        let shape = if awkward { random.below(6) } else { 0 };
        match shape {
            4 => return text.push_str("(,)"),
            5 => {
                text.push('[');
                Self::push_end(ends, one, text);
                return text.push_str(",)");
            }
            _ => {}
        }
        text.push_str(match shape {
            3 => "(",
            _ => "[",
        });
        if shape == 3 {
            text.push(',');
        } else {
            Self::push_end(ends, one.min(other), text);
            text.push(',');
        }
        Self::push_end(ends, one.max(other), text);
        text.push(if shape == 1 { ']' } else { ')' });
    }
}

impl Values for Ranges {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        if self.multiple {
            text.push('{');
        }
        self.push_range(random, false, text);
        if self.multiple {
            if random.chance(0.5) {
                text.push(',');
                self.push_range(random, false, text);
            }
            text.push('}');
        }
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        match (self.multiple, random.chance(0.2)) {
            (false, true) => text.push_str("empty"),
            (false, false) => self.push_range(random, true, text),
            (true, true) => text.push_str("{}"),
            (true, false) => {
                text.push('{');
                self.push_range(random, true, text);
                text.push(',');
                self.push_range(random, true, text);
                text.push('}');
            }
        }
    }

    fn near(&self, words: &[&str], random: &mut Random, text: &mut String) {
        let Some(ends) = self.ends.as_ref().filter(|_| !self.multiple) else { return self.ordinary(random, text) };
        let mut draw = || near::place(ends.form(), words, ends.ordinary_place(random), random);
        let (one, other) = (draw(), draw());
        text.push('[');
        Self::push_end(ends, one.min(other), text);
        text.push(',');
        Self::push_end(ends, one.max(other), text);
        text.push(if one == other { ']' } else { ')' });
    }

    fn capacity(&self) -> u64 {
        self.ends.as_ref().map_or(2, Values::capacity)
    }

    fn nth(&self, index: u64, text: &mut String) {
        let Some(ends) = &self.ends else {
            return text.push_str(match (self.multiple, index) {
                (false, 0) => "empty",
                (false, _) => "(,)",
                (true, 0) => "{}",
                (true, _) => "{(,)}",
            });
        };
        // Ranges of one value each do not even overlap.
        let mut end = String::new();
        ends.nth(index, &mut end);
        text.push_str(&match self.multiple {
            false => format!("[\"{end}\",\"{end}\"]"),
            true => format!("{{[\"{end}\",\"{end}\"]}}"),
        });
    }

    fn accepts(&self, value: &str) -> bool {
        if self.multiple { value.starts_with('{') } else { value == "empty" || value.starts_with(['[', '(']) }
    }

    fn simplest(&self) -> Vec<String> {
        match self.multiple {
            false => vec!["empty".to_owned(), "(,)".to_owned()],
            true => vec!["{}".to_owned(), "{(,)}".to_owned()],
        }
    }

    fn reductions(&self, _value: &str) -> Vec<String> {
        Vec::new()
    }
}
