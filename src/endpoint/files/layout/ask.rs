//! What a layout asks for: rows of which a file tells the key, and none the rest.

use super::form::{AskEntry, KindEntry, ProofWord};
use super::model::{Ask, Proof, ValueForm};
use super::path::PathPattern;
use super::read::Reader;
use crate::error::Result;
use crate::toml_text::{by_likeness, listed};
use toml::Spanned;

impl Reader<'_> {
    /// What is asked for where a file of a kind has a path of which no row tells.
    pub(super) fn asks(&self, kind: usize, said: &KindEntry, path: &PathPattern) -> Result<Vec<Ask>> {
        said.asks.iter().map(|(capture, ask)| self.ask(kind, capture, ask, path)).collect()
    }

    fn ask(&self, kind: usize, capture: &str, said: &Spanned<AskEntry>, path: &PathPattern) -> Result<Ask> {
        let refused = |cause: String, hint: String| Err(self.refused(said.span(), cause, hint));
        let names = path.captures();
        let Some(capture) = names.iter().position(|name| name == capture) else {
            let known: Vec<&str> = by_likeness(capture, names.iter().map(String::as_str));
            return refused(format!("the path has no capture `{capture}`"), format!("it has {}", listed(&known)));
        };
        let AskEntry { table: name, column: asked, proof } = said.get_ref();
        let Some(table) = self.tables.iter().position(|table| table.name == *name) else {
            let known = by_likeness(name, self.tables.iter().map(|table| table.name.as_str()));
            return refused(format!("no file fills a table `{name}`"), format!("there are {}", listed(&known)));
        };
        let draft = &self.tables[table];
        // What is asked is one value, and the key is a text that stands in a path.
        let is_text = |place: usize| matches!(draft.columns[place].form, None | Some(ValueForm::Text));
        let fits = match (draft.places.as_slice(), draft.columns.len()) {
            (&[key], 2) => is_text(key).then_some((key, 1 - key)).filter(|(_, other)| is_text(*other)),
            _ => None,
        };
        let Some((key, column)) = fits else {
            let cause = format!("`{name}` is not a table of two texts, one of them its key");
            return refused(cause, "what is asked for is one value, by its key".to_owned());
        };
        if draft.columns[column].name != *asked {
            let cause = format!("`{name}` has no column `{asked}` besides its key");
            return refused(cause, format!("there is `{}`", draft.columns[column].name));
        }
        let proof = proof.map(|ProofWord::Sha256OfPath| Proof::Sha256OfPath);
        Ok(Ask { kind, capture, table, key, column, proof })
    }
}
