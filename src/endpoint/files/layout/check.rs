//! What could not be taken back, and is refused.

use super::find::template_of_captures;
use super::form::RecordsEntry;
use super::model::{Format, LinePart, Origin, RecordSet, Step, TemplatePart};
use super::origin::MORE;
use super::read::{Around, Reader, Span};
use crate::error::Result;
use crate::toml_text::{by_likeness, listed};
use toml::Spanned;

impl Reader<'_> {
    pub(super) fn check_origin(&self, origin: &Origin, at: &[Step], around: Around<'_>, span: Span) -> Result<()> {
        let format = around.format;
        let cause_and_hint = match origin {
            Origin::Member(names) => match format {
                Format::Lines(pattern) => {
                    let parts = pattern.parts.iter();
                    let mut known: Vec<&str> = parts
                        .filter_map(
                            |part| if let LinePart::Capture { name, .. } = part { Some(name.as_str()) } else { None },
                        )
                        .collect();
                    known.extend(pattern.continued.then_some(MORE));
                    let is_known = matches!(names.as_slice(), [name] if known.contains(&name.as_str()));
                    let told = names.join(".");
                    (!is_known).then(|| {
                        (format!("a line has no `{told}`"), format!("there are {}", listed(&by_likeness(&told, known))))
                    })
                }
                _ if names.iter().any(|name| name == MORE) => {
                    Some(("`@more` is of the format `lines`".to_owned(), "say `continued = true` there".to_owned()))
                }
                _ if format.has_members() => None,
                _ => Some(("such a file has no members".to_owned(), instead_of_members(format).to_owned())),
            },
            Origin::Value if !format.has_members() => {
                Some(("such a file has no values of its own".to_owned(), instead_of_members(format).to_owned()))
            }
            Origin::EntryName if at.last() != Some(&Step::Entries) => {
                Some(("only entries of an object have a name".to_owned(), "their place ends in `{}`".to_owned()))
            }
            Origin::Position if at.last() != Some(&Step::Elements) => {
                Some(("only elements of a list have a position".to_owned(), "their place ends in `[]`".to_owned()))
            }
            Origin::Body if !matches!(format, Format::Markdown { .. }) => Some((
                "only the format `markdown` has a body".to_owned(),
                "use `@content` of the format `bytes`".to_owned(),
            )),
            Origin::Content if !matches!(format, Format::Bytes) => Some((
                "what such a file holds is told by its members".to_owned(),
                "use the format `bytes` for files as they are".to_owned(),
            )),
            Origin::Parent(_) if around.parent.is_none() => {
                Some(("there is no record around these".to_owned(), "`@parent` is for `children`".to_owned()))
            }
            Origin::Capture(name) if !around.path.captures().contains(name) => {
                let known = around.path.captures().iter().map(String::as_str);
                let hint = match around.path.captures() {
                    [] => "it has none; write one as in `{hash}`".to_owned(),
                    _ => format!("there are {}", listed(&by_likeness(name, known))),
                };
                Some((format!("the path has no capture `{name}`"), hint))
            }
            Origin::Template(parts) => {
                for part in parts {
                    let TemplatePart::Value(value) = part else { continue };
                    match value {
                        Origin::Capture(_) | Origin::Parent(_) | Origin::Position | Origin::EntryName => {
                            self.check_origin(value, at, around, span.clone())?;
                        }
                        _ => {
                            let cause =
                                "a template has captures, columns of the record around, positions and names of entries";
                            let hint =
                                "what a document says is a column of its own: nobody could take it out of a text again";
                            return Err(self.refused(span, cause, hint));
                        }
                    }
                }
                None
            }
            Origin::Value
            | Origin::EntryName
            | Origin::Position
            | Origin::Body
            | Origin::Content
            | Origin::Parent(_)
            | Origin::Capture(_)
            | Origin::Constant(_)
            | Origin::Sha256
            | Origin::Path
            | Origin::Modified => None,
        };
        match cause_and_hint {
            None => Ok(()),
            Some((cause, hint)) => Err(self.refused(span, cause, hint)),
        }
    }

    /// Every row has its key, and tells the file or the record that it is in.
    pub(super) fn check_keys(&self, set: &RecordSet, span: Span, around: Around<'_>) -> Result<()> {
        let draft = &self.tables[set.table];
        let filled = |column: usize| set.columns.iter().find(|filled| filled.column == column);
        for column in &draft.places {
            let name = &draft.columns[*column].name;
            match filled(*column) {
                None => {
                    let cause = format!("`{name}` is in the key of `{}`, and is not filled here", draft.name);
                    return Err(self.refused(span, cause, format!("say where it stands: `columns.{name} = …`")));
                }
                Some(filled) if filled.from.is_empty() => {
                    let cause = format!("`{name}` is in the key of `{}`, and the files do not tell it", draft.name);
                    return Err(self.refused(span, cause, "a key stands in the file, in its path or in its place"));
                }
                Some(_) => {}
            }
        }
        let origins = || set.columns.iter().flat_map(|filled| &filled.from);
        if set.at.last() == Some(&Step::Entries) && !origins().any(|origin| *origin == Origin::EntryName) {
            let hint = "fill a column from `@name`";
            return Err(self.refused(
                span,
                "the name of an entry stands in no column, so that no entry could be written",
                hint,
            ));
        }
        if let Some(parent) = around.parent {
            let parent = &self.tables[parent];
            for column in &parent.places {
                if !origins().any(|origin| *origin == Origin::Parent(*column)) {
                    let name = &parent.columns[*column].name;
                    let cause =
                        format!("a row of `{}` does not tell to which row of `{}` it belongs", draft.name, parent.name);
                    return Err(self.refused(span, cause, format!("fill a column from `@parent.{name}`")));
                }
            }
            return Ok(());
        }
        for capture in around.path.captures() {
            let is_told = origins().any(|origin| match origin {
                Origin::Capture(name) => name == capture,
                Origin::Template(parts) => {
                    template_of_captures(parts, around.path).is_some_and(|pattern| pattern.names().contains(capture))
                }
                _ => false,
            });
            if !is_told {
                let cause = format!(
                    "a row of `{}` does not tell in which file it is: `{{{capture}}}` stands in no column",
                    draft.name
                );
                return Err(self.refused(span, cause, format!("fill a column from `@path.{capture}`")));
            }
        }
        Ok(())
    }

    /// Every key that is put into an order is one of the records.
    pub(super) fn check_order_of_keys(&self, set: &RecordSet, said: &RecordsEntry) -> Result<()> {
        let of_columns = set.columns.iter().flat_map(|filled| &filled.from).filter_map(|origin| match origin {
            Origin::Member(names) => names.first(),
            _ => None,
        });
        let of_children = set.children.iter().filter_map(|child| match child.at.first() {
            Some(Step::Member(name)) => Some(name),
            _ => None,
        });
        let known: Vec<&str> = of_columns.chain(of_children).map(String::as_str).collect();
        for key in &said.keys {
            if !known.contains(&key.get_ref().as_str()) {
                let hint = format!("there are {}", listed(&by_likeness(key.get_ref(), known)));
                return Err(self.refused(key.span(), format!("these records have no key `{}`", key.get_ref()), hint));
            }
        }
        Ok(())
    }

    /// No value of a document is in two columns of which one could say something else.
    pub(super) fn check_members(&self, set: &RecordSet, entry: &Spanned<RecordsEntry>) -> Result<()> {
        let mut taken: Vec<(Vec<String>, bool)> = Vec::new();
        for origin in set.columns.iter().flat_map(|filled| &filled.from) {
            match origin {
                Origin::Member(names) => taken.push((names.clone(), false)),
                Origin::Value => taken.push((Vec::new(), false)),
                _ => {}
            }
        }
        if set.rest.is_some() {
            // The record is an object whose members are taken one by one.
            if taken.iter().any(|(names, _)| names.is_empty()) {
                return Err(self.refused(
                    entry.span(),
                    "the whole record is in a column, so that there is no rest",
                    "leave `rest` out",
                ));
            }
        }
        for child in &set.children {
            let members = child
                .at
                .iter()
                .filter_map(|step| if let Step::Member(name) = step { Some(name.clone()) } else { None });
            let names: Vec<String> = members.collect();
            if !child.at.is_empty() {
                taken.push((names, true));
            }
        }
        for (place, (one, of_records)) in taken.iter().enumerate() {
            for (other, others_records) in &taken[place + 1..] {
                let inside = one.starts_with(other) || other.starts_with(one);
                if one == other && !of_records && !others_records {
                    let cause = format!("`{}` is in two columns", one.join("."));
                    return Err(self.refused(
                        entry.span(),
                        cause,
                        "a value is in one column: else two could say two things",
                    ));
                }
                if inside {
                    let (outer, inner) = if one.len() <= other.len() { (one, other) } else { (other, one) };
                    let name = |names: &[String]| {
                        if names.is_empty() { "the whole record".to_owned() } else { format!("`{}`", names.join(".")) }
                    };
                    let cause = format!("{} is taken as a whole, and {} is a part of it", name(outer), name(inner));
                    return Err(self.refused(
                        entry.span(),
                        cause,
                        "take it as a whole, or its parts: else two rows could say two things",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Where else a value of such a file is found.
fn instead_of_members(format: &Format) -> &'static str {
    match format {
        Format::Markdown { .. } => "say `front_matter = true`, or use `@body`",
        Format::Bytes => "use `@content`, `@path` or `@sha256`",
        Format::Json | Format::JsonLines | Format::Yaml | Format::Sqlite | Format::Lines(_) => {
            "use the names of its captures"
        }
    }
}
