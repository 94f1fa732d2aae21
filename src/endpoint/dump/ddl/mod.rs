//! From the statements of a dump to the catalog that a live source gives for the same database.
//!
//! `syntax` reads a statement by PostgreSQL's grammar into a [`definition::Definition`]; `database` is what the definitions
//! have made so far; `rows` tells it in the rows that the queries of a live source answer, from which one code assembles
//! the catalog of both. Texts are the server's own for types, expressions and queries; only times in them are in another zone.
//!
//! A statement that is not understood, or that speaks of something unknown, changes nothing. It is listed among the
//! catalog's other objects, with its place, and those before and after it stand.

mod changes;
mod collated;
mod constraints;
mod database;
mod definition;
mod name;
mod partitions;
mod routines;
mod rows;
mod sequences;
mod syntax;
mod times;
mod types;
mod views;

use super::statement::{About, Statement};
use crate::catalog::{Catalog, ObjectKind, OtherObject, QualifiedName};
use database::Database;
use std::borrow::Cow;
use std::collections::HashMap;

/// How much of a statement its name in a list has, in characters.
const SHOWN_MAX: usize = 60;

/// What the statements so far have defined.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    database: Database,
    not_understood: Vec<OtherObject>,
}

/// What the statements of a dump describe.
#[derive(Debug)]
pub(crate) struct Described {
    /// The catalog.
    pub(crate) catalog: Catalog,
    /// Of everything that may have rows, leaf partitions and foreign tables too: its columns in their order, and whether each
    /// is generated.
    pub(crate) columns: HashMap<QualifiedName, Vec<(String, bool)>>,
}

impl Definitions {
    /// Takes the next statement; whether it was understood.
    pub(crate) fn take(&mut self, statement: &Statement) -> bool {
        let is_understood = self.understand(statement).is_some();
        if !is_understood {
            self.not_understood.push(listed(statement));
        }
        is_understood
    }

    /// Whether a table, or something else with rows, of that name is defined.
    pub(crate) fn has_relation(&self, name: &QualifiedName) -> bool {
        self.database.relations.contains_key(name)
    }

    fn understand(&mut self, statement: &Statement) -> Option<()> {
        let mut text = Cow::Borrowed(statement.text.as_str());
        if statement.settings.backslash_escapes && text.contains('\\') {
            text = Cow::Owned(name::without_backslash_escapes(&text)?);
        }
        if text.contains('"') {
            text = Cow::Owned(name::without_needless_quotes(&text)?);
        }
        if times::may_be_in(&text) {
            text = Cow::Owned(times::in_utc(&text)?);
        }
        let text = text.as_ref();
        self.database.apply(syntax::read(text)?, &statement.settings.search_path)
    }

    /// What all of them describe.
    pub(crate) fn finish(self, about: &About) -> Described {
        let mut described = self.database.describe(about);
        described.catalog.others.extend(self.not_understood);
        described
    }
}

/// A statement that is not understood, in the list of what is not carried.
fn listed(statement: &Statement) -> OtherObject {
    // Constants may be anybody's secrets.
    let open = statement.text.split(['\'', '$']).next().unwrap_or_default();
    let words = open.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = words.chars().take(SHOWN_MAX).collect();
    if shown.len() < words.len() || open.len() < statement.text.len() {
        shown.push('…');
    }
    let is_secret = statement.text.to_ascii_lowercase().contains("password");
    let definition = (!is_secret).then(|| statement.text.clone());
    OtherObject::new(ObjectKind::Statement, format!("{}: {shown}", statement.place), definition)
}

#[cfg(test)]
mod tests;
