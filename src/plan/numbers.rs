//! Numbers that keys count by: which sequence stands behind a column, and with which number SQLite goes on.
//!
//! An AUTOINCREMENT key gets one more than the greatest number that it has or had; `sqlite_sequence` keeps the latter. So the
//! next number in the target is the source's next one wherever that is above every key. Where it is not, and where the
//! numbers after it are others, it is told.

use super::build::Builder;
use super::expression;
use super::{Reason, SequenceReason, Standing};
use crate::catalog::{Column, ObjectKind, QualifiedName, Sequence, Table};

/// What a sequence hands out next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This number.
    Number(i64),
    /// Nothing more: it has reached its end.
    Ended,
    /// The role may not know.
    Unknown,
}

pub(super) fn next(sequence: &Sequence) -> Next {
    let Some(last) = sequence.last_value else { return sequence.first_value.map_or(Next::Unknown, Next::Number) };
    let (beyond, again) = match sequence.increment {
        1.. => (last.checked_add(sequence.increment).filter(|next| *next <= sequence.max_value), sequence.min_value),
        _ => (last.checked_add(sequence.increment).filter(|next| *next >= sequence.min_value), sequence.max_value),
    };
    match beyond {
        Some(number) => Next::Number(number),
        None if sequence.cycle => Next::Number(again),
        None => Next::Ended,
    }
}

/// The last number that a key is to have handed out so that the source's next one is its next one, too; `None` where no
/// such number says anything.
pub(super) fn last_number(sequence: &Sequence) -> Option<i64> {
    match next(sequence) {
        Next::Number(next) => next.checked_sub(1).filter(|last| *last > 0),
        Next::Ended => sequence.last_value.filter(|last| *last > 0),
        Next::Unknown => None,
    }
}

/// Where the numbers of a sequence that a key counts by are others in the target.
fn differences(sequence: &Sequence, type_max: i64) -> Vec<String> {
    let (max, min) = (sequence.max_value, sequence.min_value);
    let end = if sequence.increment > 0 { max } else { min };
    let mut told = Vec::new();
    match next(sequence) {
        Next::Ended if sequence.last_value == Some(i64::MAX) => told.push(format!(
            "has come to its end, {end}, and gives no more numbers, nor does the target: a new row needs a number that is given"
        )),
        Next::Ended => {
            told.push(format!("has come to its end, {end}, and gives no more numbers; in the target the key goes on"))
        }
        Next::Number(number) if number < 1 => {
            told.push(format!("gives {number} next; in the target the key begins at 1, or after its greatest number"));
        }
        Next::Number(_) => {}
        Next::Unknown => told.push(
            "gives a next number that this role may not read; in the target the key goes on after its greatest number"
                .to_owned(),
        ),
    }
    if sequence.cycle {
        told.push(format!("begins anew after {end} (CYCLE); in the target the key goes on"));
    } else if sequence.increment > 0 && max < type_max && !matches!(next(sequence), Next::Ended) {
        told.push(format!("ends at {max}; in the target the key goes on"));
    }
    told
}

impl<'a> Builder<'a> {
    /// The sequence that a column counts by: the one it owns, or the one that its default asks.
    pub(super) fn sequence_behind(&self, column: &Column) -> Option<&'a Sequence> {
        if let Some(name) = &column.sequence {
            return self.sequence(name);
        }
        let default = column.default.as_deref().filter(|default| default.contains("nextval"))?;
        let (schema, name) = expression::sequence_of(default)?;
        match schema {
            Some(schema) => self.sequence(&QualifiedName::new(schema, name)),
            // A name in a text is looked up by the session's path each time: without doubt only where there is one.
            None => {
                let mut named = self.catalog.sequences.iter().filter(|sequence| sequence.name.name == name);
                let only = named.next()?;
                named.next().is_none().then_some(only)
            }
        }
    }

    /// Says of each sequence that it is not carried, or where its numbers are others.
    pub(super) fn list_sequences(&mut self) {
        let mut fed_by: std::collections::HashMap<&QualifiedName, Vec<(&Table, &Column)>> = Default::default();
        for table in &self.catalog.tables {
            for column in &table.columns {
                if let Some(sequence) = self.sequence_behind(column) {
                    fed_by.entry(&sequence.name).or_default().push((table, column));
                }
            }
        }
        for sequence in &self.catalog.sequences {
            let fed = fed_by.get(&sequence.name).map(Vec::as_slice).unwrap_or_default();
            let object = sequence.name.to_string();
            if let Some(reason) = self.why_sequence_is_not_carried(sequence, fed) {
                self.lose(ObjectKind::Sequence, &object, reason);
                continue;
            }
            let type_max = fed.iter().map(|(_, column)| greatest(column)).min().unwrap_or(i64::MAX);
            let mut told = differences(sequence, type_max.min(type_limit(&sequence.data_type)));
            if fed.len() > 1 {
                let columns: Vec<_> =
                    fed.iter().map(|(table, column)| format!("`{}.{}`", table.name, column.name)).collect();
                told.push(format!(
                    "counts for {} together; in the target each goes on by itself, so that two can get the same number",
                    columns.join(" and ")
                ));
            }
            for text in told {
                self.know(&format!("sequence {object}"), text);
            }
        }
    }

    fn why_sequence_is_not_carried(&self, sequence: &Sequence, fed: &[(&Table, &Column)]) -> Option<Reason> {
        let stands = match (next(sequence), sequence.last_value) {
            (Next::Number(next), _) => Standing::Next(next),
            (Next::Ended | Next::Unknown, Some(last)) => Standing::Last(last),
            (Next::Ended | Next::Unknown, None) => Standing::Unreadable,
        };
        let carried = |(table, column): &&(&Table, &Column)| self.is_rowid_key(table, &column.name);
        let why = if fed.is_empty() {
            SequenceReason::FeedsNothing
        } else if let Some((table, _)) = fed.iter().find(|pair| !carried(pair)) {
            match self.planned_table(&table.name) {
                None => SequenceReason::TableNotCarried,
                Some(_) => SequenceReason::NotCounted,
            }
        } else if self.is_given && sequence.last_value.is_some() {
            SequenceReason::GivenKeyGoesOn
        } else {
            match sequence.increment {
                1 => return None,
                step @ 2.. if next(sequence) == Next::Unknown => SequenceReason::StepsFromUnknown(step),
                step @ 0.. => SequenceReason::Steps(step),
                step => SequenceReason::Downwards(step),
            }
        };
        Some(Reason::Sequence(why, stands))
    }
}

fn type_limit(name: &str) -> i64 {
    match name {
        "smallint" => i64::from(i16::MAX),
        "integer" => i64::from(i32::MAX),
        _ => i64::MAX,
    }
}

/// The greatest number of a column's type.
fn greatest(column: &Column) -> i64 {
    type_limit(&column.data_type.base().name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(last: Option<i64>, first: Option<i64>, increment: i64) -> Sequence {
        Sequence {
            name: QualifiedName::new("public", "s"),
            data_type: "bigint".into(),
            last_value: last,
            first_value: first,
            start: 1,
            increment,
            min_value: 1,
            max_value: 100,
            cache: 1,
            cycle: false,
            owned_by: None,
        }
    }

    #[test]
    fn the_next_number_is_known_from_the_last_or_the_first() {
        for (last, first, increment, expected, set) in [
            (Some(7), None, 1, Next::Number(8), Some(7)),
            (Some(510), None, 10, Next::Ended, Some(510)),
            (Some(50), None, 10, Next::Number(60), Some(59)),
            (None, Some(1), 1, Next::Number(1), None),
            (None, Some(42), 1, Next::Number(42), Some(41)),
            (Some(100), None, 1, Next::Ended, Some(100)),
            (Some(1), None, -1, Next::Ended, Some(1)),
            (Some(9), None, -1, Next::Number(8), Some(7)),
            (None, None, 1, Next::Unknown, None),
        ] {
            let sequence = sequence(last, first, increment);
            assert_eq!(next(&sequence), expected, "{sequence:?}");
            assert_eq!(last_number(&sequence), set, "{sequence:?}");
        }
        let round = Sequence { cycle: true, ..sequence(Some(100), None, 1) };
        assert_eq!(next(&round), Next::Number(1));
        assert_eq!(next(&Sequence { increment: i64::MAX, ..sequence(Some(2), None, 1) }), Next::Ended);
    }
}
