//! What the server says of the values.

use crate::catalog::QualifiedName;
use crate::error::{Error, Result};
use serde::Serialize;
use std::fmt;

/// So many differing rows of each table are told; their number is told for all.
pub const SHOWN_MAX: usize = 20;

/// Longer values are cut when they are printed, in characters.
const VALUE_CHARS_MAX: usize = 120;

/// What the server says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Opinion {
    /// Tables that were compared.
    pub tables: u64,
    /// Rows of the source in those tables.
    pub source_rows: u64,
    /// Rows that both sides have and that were compared.
    pub rows: u64,
    /// Values that were compared, NULLs among them.
    pub values: u64,
    /// Values among them for which the ledger's text stood.
    pub ledger_values: u64,
    /// Rows that differ, are missing, or are in the target only.
    pub differing_rows: u64,
    /// What differs: the first [`SHOWN_MAX`] rows of each table.
    pub disagreements: Vec<Disagreement>,
    /// What could not be asked, and why.
    pub not_asked: Vec<String>,
}

impl Opinion {
    /// The server agrees with everything, and it was asked: no row compared although there are rows is no agreement.
    pub fn agrees(&self) -> bool {
        self.disagreements.is_empty() && self.differing_rows == 0 && (self.rows > 0 || self.source_rows == 0)
    }

    /// An error that tells the first disagreements, where there is one.
    ///
    /// # Errors
    /// When the server does not agree, or something could not be asked.
    pub fn ensure_agreement(&self) -> Result<()> {
        const TOLD_MAX: usize = 5;
        let cause = if let Some(first) = self.disagreements.first() {
            let told: Vec<_> = self.disagreements.iter().take(TOLD_MAX).map(ToString::to_string).collect();
            let object = format!("table `{}`", first.table);
            let rows = self.differing_rows.max(1);
            return Err(Error::differs(
                "ask the server about",
                object,
                format!("it disagrees about {rows} row{}: {}", if rows == 1 { "" } else { "s" }, told.join("; ")),
            ));
        } else if !self.agrees() {
            format!("no row was compared, and the source has {}", self.source_rows)
        } else if let Some(first) = self.not_asked.first() {
            format!("{} could not be asked: {first}", self.not_asked.len())
        } else {
            return Ok(());
        };
        Err(Error::differs("ask the server about", "the target", cause))
    }
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the server compared {} values ({} from the ledger) in {} rows of {} tables: {} disagreements",
            self.values,
            self.ledger_values,
            self.rows,
            self.tables,
            self.disagreements.len()
        )
    }
}

/// What is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisagreementKind {
    /// A value is another one.
    Value,
    /// The target lacks a row.
    Missing,
    /// The source does not have a row.
    Surplus,
    /// A value is not of its column's storage class, or is no text at all.
    Foreign,
    /// An entry of the ledger belongs to no value.
    Ledger,
    /// The table cannot be read in the file.
    Unreadable,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The table in the source.
    pub table: QualifiedName,
    /// The row: its key as the target stores it, or for a row that only the source has, as the source prints it; all
    /// values of a row in a table without a key. Empty where it is about the whole table.
    pub key: String,
    /// The column in the source; `None` where it is about the whole row.
    pub column: Option<String>,
    /// What is the matter.
    pub kind: DisagreementKind,
    /// The source's text; `None` is NULL, or a row that is not there.
    pub source: Option<String>,
    /// What the target's value stands for, as the server prints it; for a ledger entry its text.
    pub target: Option<String>,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table `{}`", self.table)?;
        if !self.key.is_empty() {
            write!(f, ", row {}", shortened(&self.key))?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        let told =
            |value: &Option<String>| value.as_ref().map_or("NULL".into(), |text| format!("`{}`", shortened(text)));
        match self.kind {
            DisagreementKind::Value => {
                write!(f, ": the source has {}, the target {}", told(&self.source), told(&self.target))
            }
            DisagreementKind::Missing => f.write_str(": the target lacks it"),
            DisagreementKind::Surplus => f.write_str(": the source does not have it"),
            DisagreementKind::Foreign => write!(f, ": the target holds {}", self.target.as_deref().unwrap_or("NULL")),
            DisagreementKind::Ledger => write!(f, ": the ledger's text {} belongs to no value", told(&self.target)),
            DisagreementKind::Unreadable => {
                write!(f, ": it cannot be read in the target: {}", self.target.as_deref().unwrap_or_default())
            }
        }
    }
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", &value[..end], value.len()),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference() -> Disagreement {
        Disagreement {
            table: QualifiedName::new("public", "items"),
            key: "[7]".into(),
            column: Some("ratio".into()),
            kind: DisagreementKind::Value,
            source: Some("1.5".into()),
            target: None,
        }
    }

    #[test]
    fn a_disagreement_names_table_row_and_column() {
        assert_eq!(
            difference().to_string(),
            "table `public.items`, row [7], column `ratio`: the source has `1.5`, the target NULL"
        );
        let opinion = Opinion { rows: 1, differing_rows: 1, disagreements: vec![difference()], ..Opinion::default() };
        let error = opinion.ensure_agreement().unwrap_err();
        assert!(error.to_string().contains("it disagrees about 1 row: table `public.items`, row [7]"), "{error}");
    }

    #[test]
    fn nothing_compared_although_there_are_rows_is_no_agreement() {
        let unasked = Opinion { source_rows: 3, ..Opinion::default() };
        assert!(!unasked.agrees());
        assert!(unasked.ensure_agreement().unwrap_err().to_string().contains("no row was compared"));
        assert!(Opinion::default().ensure_agreement().is_ok());
        let partly = Opinion { rows: 1, source_rows: 1, not_asked: vec!["x: too wide".into()], ..Opinion::default() };
        assert!(partly.agrees() && partly.ensure_agreement().is_err());
    }
}
