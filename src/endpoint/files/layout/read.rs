//! `layout.toml` read, and refused where what it says could not be taken back.
//!
//! A layout is a relation that goes both ways, so it has to say of each row in which file it is, and of each file how its rows are
//! told apart: every capture of a path stands in a column, every key is filled, the columns of a table mean the same wherever they
//! are filled, and nothing of a document is in two columns of which one could say something else. Each refusal names the line and
//! what to do.

use super::form::{
    AbsentEntry, ColumnEntry, ColumnTable, File, FormatWord, KindEntry, OneOrMore, RecordsEntry, TypeWord,
};
use super::model::{
    Absent, Ask, BooleanSpelling, ColumnLayout, Filled, Format, Kind, Layout, LinePart, MomentSpelling, Order, Origin,
    RecordSet, Step, Style, TableLayout, ValueForm,
};
use super::origin;
use super::path::PathPattern;
use crate::endpoint::sqlite::file::quoted;
use crate::error::{Error, Result};
use crate::toml_text::{self, by_likeness, listed};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

/// The version of this form, for what remembers a layout.
pub const FORM: u32 = 1;

/// The name of the file that makes a folder a project of files.
pub const FILE_NAME: &str = "layout.toml";

const OPERATION: &str = "read the layout";

pub(super) type Span = Range<usize>;

/// Reads a layout from its file; also returns its text, for what remembers it.
///
/// # Errors
/// When there is no such file, or it is refused: the error names the file and the line.
pub fn load(path: &Path) -> Result<(Layout, String)> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let cause = match error.kind() {
            ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        };
        Error::usage(OPERATION, quoted(path), cause).hint("a project of files has a `layout.toml`")
    })?;
    Ok((read(&quoted(path), &text)?, text))
}

/// Reads a layout from its text; `shown` is the file for messages.
///
/// # Errors
/// When it is no TOML, has an unknown key, or says what could not be taken back.
pub fn read(shown: &str, text: &str) -> Result<Layout> {
    let file: File = toml_text::parse(OPERATION, shown, text)?;
    let mut reader = Reader { shown, text, tables: Vec::new() };
    for kind in &file.file {
        for records in &kind.get_ref().records {
            reader.collect(records)?;
        }
    }
    reader.finish_tables()?;
    let (mut kinds, mut asks): (Vec<Kind>, Vec<Ask>) = Default::default();
    for entry in &file.file {
        let kind = reader.kind(entry)?;
        asks.extend(reader.asks(kinds.len(), entry.get_ref(), &kind.path)?);
        if let Some(other) = kinds.iter().find(|other| other.name == kind.name || other.path == kind.path) {
            let cause =
                format!("`{}` has the same name or path; a file is of the first kind that has its path", other.name);
            return Err(reader.refused(entry.span(), cause, "give each kind a name and a path of its own"));
        }
        kinds.push(kind);
    }
    if kinds.is_empty() {
        return Err(Error::usage(OPERATION, shown, "it names no kind of file").hint("begin one with `[[file]]`"));
    }
    reader.tell_apart()?;
    let globs = |texts: &[Spanned<String>]| -> Result<Vec<PathPattern>> {
        let glob = |text: &Spanned<String>| {
            PathPattern::glob(text.get_ref()).map_err(|fault| {
                reader.refused(
                    text.span(),
                    fault.to_string(),
                    "paths are told from the root of the tree, as in `var/*.lock` or `templates/**`",
                )
            })
        };
        texts.iter().map(glob).collect()
    };
    let own = OWN.iter().filter_map(|text| PathPattern::glob(text).ok());
    Ok(Layout {
        ignore: globs(&file.ignore)?.into_iter().chain(own).collect(),
        keep: globs(&file.keep)?,
        times: file.times,
        tables: reader.layouts(),
        kinds,
        asks,
    })
}

/// What this program itself puts beside a database, which may stand in the tree: none of it is the tree's.
const OWN: [&str; 6] = [
    "**/.*.whimbrel-*.tmp*",
    "**/.*.whimbrel-lock",
    "**/.*.whimbrel-seen*",
    "**/.*.whimbrel-store*",
    "**/*.whimbrel-backups/**",
    "**/*-schema-lock",
];

/// A table, as far as it was read.
pub(super) struct TableDraft {
    pub(super) name: String,
    pub(super) columns: Vec<ColumnDraft>,
    key: Option<(Vec<String>, Span)>,
    /// The places of the columns of its key.
    pub(super) places: Vec<usize>,
    part: bool,
    sets: Vec<SetDraft>,
}

pub(super) struct ColumnDraft {
    pub(super) name: String,
    pub(super) form: Option<ValueForm>,
    span: Span,
}

/// Records of one place that fill a table.
pub(super) struct SetDraft {
    span: Span,
    part: bool,
    /// Whether its rows have something that no row of another place need have.
    is_particular: bool,
}

pub(super) struct Reader<'t> {
    shown: &'t str,
    text: &'t str,
    pub(super) tables: Vec<TableDraft>,
}

/// What is around records while they are read.
#[derive(Clone, Copy)]
pub(super) struct Around<'k> {
    pub(super) path: &'k PathPattern,
    pub(super) format: &'k Format,
    /// The table of the records around them.
    pub(super) parent: Option<usize>,
}

impl Reader<'_> {
    fn line(&self, span: &Span) -> usize {
        toml_text::line(self.text, span.start)
    }

    pub(super) fn refused(&self, span: Span, cause: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::usage(OPERATION, format!("{}, line {}", self.shown, self.line(&span)), cause.into()).hint(hint.into())
    }

    // --- tables, as all kinds together fill them

    fn collect(&mut self, entry: &Spanned<RecordsEntry>) -> Result<()> {
        let records = entry.get_ref();
        let name = records.table.get_ref();
        if name.is_empty() || name.starts_with("_whimbrel") || name.starts_with("sqlite_") {
            return Err(self.refused(
                records.table.span(),
                format!("`{name}` is no name for a table"),
                "names that begin with `_whimbrel` or `sqlite_` are taken",
            ));
        }
        // SQLite compares names without case.
        let place = self.tables.iter().position(|table| table.name.eq_ignore_ascii_case(name)).unwrap_or_else(|| {
            self.tables.push(TableDraft {
                name: name.clone(),
                columns: Vec::new(),
                key: None,
                places: Vec::new(),
                part: records.part,
                sets: Vec::new(),
            });
            self.tables.len() - 1
        });
        if self.tables[place].name != *name {
            let cause =
                format!("`{name}` is called `{}` elsewhere, and SQLite takes both for one", self.tables[place].name);
            return Err(self.refused(records.table.span(), cause, "spell it the same everywhere"));
        }
        if self.tables[place].part != records.part {
            let hint = "say `part = true` wherever a file has a part of the row, or nowhere";
            return Err(self.refused(
                entry.span(),
                format!("rows of `{name}` are whole here and parts elsewhere"),
                hint,
            ));
        }
        for (column, said) in &records.columns.0 {
            self.column(place, column.get_ref(), column.span(), self.form(&said.0, column.span())?)?;
        }
        if let Some(rest) = &records.rest {
            self.column(place, rest.get_ref(), rest.span(), Some(ValueForm::Json))?;
        }
        if let Some(key) = &records.key {
            match &self.tables[place].key {
                Some((other, span)) if other != key.get_ref() => {
                    let cause = format!("the key of `{name}` is another one in line {}", self.line(span));
                    return Err(self.refused(key.span(), cause, "a table has one key; say it once"));
                }
                _ => self.tables[place].key = Some((key.get_ref().clone(), key.span())),
            }
        }
        let is_particular = records.columns.0.iter().any(|(_, said)| {
            said.0.constant.is_some()
                || said
                    .0
                    .from
                    .as_ref()
                    .is_some_and(|from| from.0.iter().any(|from| from.contains('{') && !from.starts_with('{')))
        });
        self.tables[place].sets.push(SetDraft { span: entry.span(), part: records.part, is_particular });
        records.children.iter().try_for_each(|child| self.collect(child))
    }

    fn column(&mut self, table: usize, name: &str, span: Span, form: Option<ValueForm>) -> Result<()> {
        if name.is_empty() {
            return Err(self.refused(span, "a column has a name", "name it as the target does"));
        }
        let draft = &mut self.tables[table];
        let Some(known) = draft.columns.iter_mut().find(|column| column.name.eq_ignore_ascii_case(name)) else {
            draft.columns.push(ColumnDraft { name: name.to_owned(), form, span });
            return Ok(());
        };
        let (other_line, other_name) = (toml_text::line(self.text, known.span.start), known.name.clone());
        let (table_name, one, other) = (draft.name.clone(), form.as_ref().map(word), known.form.as_ref().map(word));
        if known.form.is_none() {
            known.form = form;
        }
        if other_name != name {
            let cause =
                format!("`{name}` is called `{other_name}` in line {other_line}, and SQLite takes both for one");
            return Err(self.refused(span, cause, "spell it the same everywhere"));
        }
        match (one, other) {
            (Some(one), Some(other)) if one != other => {
                let cause = format!("`{table_name}.{name}` is {one} here and {other} in line {other_line}");
                Err(self.refused(span, cause, "a column has one type; say the same `type` at both places"))
            }
            _ => Ok(()),
        }
    }

    fn finish_tables(&mut self) -> Result<()> {
        for place in 0..self.tables.len() {
            // SQLite need not have a large value in memory while it makes its row, where nothing stands behind it.
            self.tables[place].columns.sort_by_key(|column| column.form == Some(ValueForm::Bytes));
            let table = &self.tables[place];
            let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let span = table.sets.first().map_or(0..0, |set| set.span.clone());
            let Some((key, key_span)) = table.key.as_ref().filter(|(key, _)| !key.is_empty()) else {
                let cause = format!("nothing tells the rows of `{}` apart", table.name);
                return Err(self.refused(
                    span,
                    cause,
                    "say `key = [\"…\"]` with the columns that no two rows have the same of",
                ));
            };
            let mut places = Vec::new();
            for column in key {
                let Some(found) = names.iter().position(|name| name == column) else {
                    let cause = format!("the key of `{}` has no column `{column}`", table.name);
                    let hint = match names.is_empty() {
                        true => format!("it has no column yet: say `columns.{column} = …`"),
                        false => format!("its columns are {}", listed(&by_likeness(column, names.iter().copied()))),
                    };
                    return Err(self.refused(key_span.clone(), cause, hint));
                };
                if places.contains(&found) {
                    return Err(self.refused(
                        key_span.clone(),
                        format!("`{column}` is in the key twice"),
                        "name it once",
                    ));
                }
                places.push(found);
            }
            self.tables[place].places = places;
        }
        Ok(())
    }

    /// Of several places that fill one table, a new row has to go to one.
    fn tell_apart(&self) -> Result<()> {
        for table in self.tables.iter().filter(|table| !table.part) {
            let (last, others) = table.sets.split_last().unzip();
            if let Some(set) = others.into_iter().flatten().find(|set| !set.is_particular && !set.part) {
                let cause = format!(
                    "rows of `{}` stand at {} places, and nothing tells which of them a new row goes to",
                    table.name,
                    table.sets.len()
                );
                let end = last.map_or(0, |last| self.line(&last.span));
                let hint = format!(
                    "give the rows of this place a column that says so, as in `{{ constant = \"…\" }}` or `\"log-{{@position}}\"`; the last place (line {end}) takes all others. Where each file has a part of the row, say `part = true`"
                );
                return Err(self.refused(set.span.clone(), cause, hint));
            }
        }
        Ok(())
    }

    fn layouts(&self) -> Vec<TableLayout> {
        let column = |column: &ColumnDraft| ColumnLayout {
            name: column.name.clone(),
            form: column.form.clone().unwrap_or(ValueForm::Text),
        };
        self.tables
            .iter()
            .map(|table| TableLayout {
                name: table.name.clone(),
                columns: table.columns.iter().map(column).collect(),
                key: table.places.clone(),
                in_parts: table.part,
            })
            .collect()
    }

    // --- what a column's values are

    /// What is said of a column's values, or follows from where they stand; `None` where nothing is.
    fn form(&self, said: &ColumnTable, span: Span) -> Result<Option<ValueForm>> {
        let from = said.from.as_ref().and_then(|from| from.0.first()).map_or("", String::as_str);
        let implied = match from {
            "@position" => Some(TypeWord::Integer),
            "@content" => Some(TypeWord::Bytes),
            "@modified" => Some(TypeWord::Moment),
            _ => None,
        };
        let fits = match (from, said.type_word) {
            (_, None) | ("@content", Some(TypeWord::Text)) => true,
            ("@body" | "@sha256" | "@path", Some(given)) => given == TypeWord::Text,
            ("@more", Some(given)) => matches!(given, TypeWord::Text | TypeWord::Json),
            (_, Some(given)) => implied.is_none_or(|implied| implied == given),
        };
        if !fits {
            let cause = format!("`{from}` has no values of that type");
            return Err(self.refused(span, cause, "leave `type` out, and it is what it can be"));
        }
        if let Some(words) = &said.words {
            return self.words(words, said, span).map(Some);
        }
        let spelled: &[String] = said.spelled.as_ref().map_or(&[], |spelled| &spelled.0);
        let Some(type_word) = said.type_word.or(implied) else {
            return match said.spelled {
                None => Ok(None),
                Some(_) => Err(self.refused(
                    span,
                    "`spelled` says nothing without a `type`",
                    "add `type = \"moment\"` or `type = \"boolean\"`",
                )),
            };
        };
        let spelled: Vec<&str> = spelled.iter().map(String::as_str).collect();
        let wrong = |known: &str| {
            let cause = format!("no such values are spelled {}", listed(&spelled));
            Err(self.refused(span.clone(), cause, format!("there are {known}")))
        };
        let form = match (type_word, spelled.as_slice()) {
            (TypeWord::Moment, []) => ValueForm::Moment(MomentSpelling::Rfc3339),
            (TypeWord::Moment, [one]) => match MOMENTS.iter().find(|(name, _)| name == one) {
                Some((_, spelling)) => ValueForm::Moment(*spelling),
                None => return wrong(&listed(&MOMENTS.map(|(name, _)| name))),
            },
            (TypeWord::Boolean, [] | ["own"]) => ValueForm::Boolean(BooleanSpelling::Own),
            (TypeWord::Boolean, ["digits"]) => ValueForm::Boolean(BooleanSpelling::Digits),
            (TypeWord::Boolean, [yes, no]) if yes != no => {
                ValueForm::Boolean(BooleanSpelling::Words { yes: (*yes).to_owned(), no: (*no).to_owned() })
            }
            (TypeWord::Boolean, _) => return wrong("`own`, `digits`, and two words as in `[\"yes\", \"no\"]`"),
            (TypeWord::Moment, _) => return wrong(&listed(&MOMENTS.map(|(name, _)| name))),
            (TypeWord::Text, []) => ValueForm::Text,
            (TypeWord::Integer, []) => ValueForm::Integer,
            (TypeWord::Real, []) => ValueForm::Real,
            (TypeWord::Json, []) => ValueForm::Json,
            (TypeWord::Bytes, []) => ValueForm::Bytes,
            (TypeWord::Text | TypeWord::Integer | TypeWord::Real | TypeWord::Json | TypeWord::Bytes, _) => {
                return wrong("spellings of moments and of truth values only");
            }
        };
        Ok(Some(form))
    }

    fn words(&self, words: &BTreeMap<String, String>, said: &ColumnTable, span: Span) -> Result<ValueForm> {
        let is_text = said.type_word.is_none_or(|word| word == TypeWord::Text) && said.spelled.is_none();
        let rows: BTreeSet<&String> = words.values().collect();
        if !is_text || words.is_empty() || rows.len() != words.len() {
            let hint = "`words` say of each word of the file which one the column has, as in `{ INFO = \"info\" }`; no two have the same";
            return Err(self.refused(span, "these words could not be taken back", hint));
        }
        Ok(ValueForm::Words(words.iter().map(|(file, row)| (file.clone(), row.clone())).collect()))
    }

    // --- kinds

    fn kind(&self, entry: &Spanned<KindEntry>) -> Result<Kind> {
        let said = entry.get_ref();
        let takes: BTreeMap<String, String> =
            said.captures.iter().map(|(name, takes)| (name.clone(), takes.get_ref().clone())).collect();
        let path = PathPattern::of_kind(said.path.get_ref(), &takes).map_err(|fault| {
            self.refused(
                said.path.span(),
                fault.to_string(),
                "a path is told from the root of the tree, as in `sessions/{hash}.json`",
            )
        })?;
        let name = said.name.as_ref().map_or(said.path.get_ref(), Spanned::get_ref).clone();
        let format = self.format(said)?;
        if said.records.is_empty() {
            let hint =
                "say what is in it with `[[file.records]]`; files that are carried as bytes are named under `keep`";
            return Err(self.refused(entry.span(), format!("`{name}` has no records"), hint));
        }
        let around = Around { path: &path, format: &format, parent: None };
        let records = said.records.iter().map(|records| self.records(records, around)).collect::<Result<Vec<_>>>()?;
        let mut places: Vec<&[Step]> = Vec::new();
        for (set, said) in records.iter().zip(&said.records) {
            if places.contains(&set.at.as_slice()) {
                let hint = "one table has them; say it once";
                return Err(self.refused(said.span(), "records of that place fill a table already", hint));
            }
            places.push(&set.at);
        }
        let is_list = format == Format::Json && matches!(places.as_slice(), [[Step::Elements]]);
        if let Some(blank) = said.blank.as_ref().filter(|_| !is_list) {
            let hint = "leave it out, or take the records of a list: `at = \"[]\"` in the format `json`";
            return Err(self.refused(blank.span(), "only a file that is a list can be an empty one", hint));
        }
        let blank = said.blank.as_ref().is_some_and(|blank| *blank.get_ref());
        let style = &said.style;
        if *style.mode.get_ref() > 0o7777 {
            return Err(self.refused(style.mode.span(), "these are no permissions", "write them as in `0o644`"));
        }
        let style = Style {
            indent: style.indent,
            ascii: style.ascii,
            sorted_keys: style.sorted_keys,
            spaced: style.spaced,
            final_newline: style.final_newline,
            mode: *style.mode.get_ref(),
        };
        Ok(Kind { name, path, format, blank, records, style })
    }

    fn format(&self, said: &KindEntry) -> Result<Format> {
        let word = *said.format.get_ref();
        let misplaced = [
            (said.front_matter.as_ref().map(Spanned::span), "front_matter", FormatWord::Markdown),
            (said.line.as_ref().map(Spanned::span), "line", FormatWord::Lines),
            (said.continued.as_ref().map(Spanned::span), "continued", FormatWord::Lines),
        ];
        for (span, key, only) in misplaced {
            if let Some(span) = span.filter(|_| word != only) {
                let format = if only == FormatWord::Lines { "lines" } else { "markdown" };
                return Err(self.refused(span, format!("`{key}` is for the format `{format}`"), "leave it out"));
            }
        }
        Ok(match word {
            FormatWord::Json => Format::Json,
            FormatWord::JsonLines => Format::JsonLines,
            FormatWord::Yaml => Format::Yaml,
            FormatWord::Bytes => Format::Bytes,
            FormatWord::Sqlite => Format::Sqlite,
            FormatWord::Markdown => {
                Format::Markdown { front_matter: said.front_matter.as_ref().is_some_and(|said| *said.get_ref()) }
            }
            FormatWord::Lines => {
                let Some(line) = &said.line else {
                    let hint = "say it with `line`, as in `'{time:\\S+} {message:.*}'`";
                    return Err(self.refused(said.format.span(), "nothing says what a line looks like", hint));
                };
                let continued = said.continued.as_ref().is_some_and(|said| *said.get_ref());
                let pattern = origin::line(line.get_ref(), continued).map_err(|cause| {
                    self.refused(line.span(), cause, "text and `{name:regular expression}` in turn")
                })?;
                Format::Lines(pattern)
            }
        })
    }

    // --- records

    fn records(&self, entry: &Spanned<RecordsEntry>, around: Around<'_>) -> Result<RecordSet> {
        let said = entry.get_ref();
        let table = self.table(said.table.get_ref());
        let draft = &self.tables[table];
        let at = self.at(said, entry.span(), around)?;
        let mut columns = Vec::new();
        for (name, column) in &said.columns.0 {
            columns.push(self.filled(table, name, column, &at, around)?);
        }
        let place = |name: &Spanned<String>| draft.columns.iter().position(|column| column.name == *name.get_ref());
        let rest = said.rest.as_ref().and_then(place);
        if let (Some(rest), Some(said)) = (rest, &said.rest)
            && (columns.iter().any(|filled| filled.column == rest) || !around.format.has_members())
        {
            let hint = "`rest` is a column of its own, in a format whose records have keys";
            return Err(self.refused(said.span(), format!("`{}` cannot take the rest", said.get_ref()), hint));
        }
        let around_children = Around { parent: Some(table), ..around };
        let children =
            said.children.iter().map(|child| self.records(child, around_children)).collect::<Result<Vec<_>>>()?;
        let order = said.order.as_ref().map(|order| {
            let column = draft.columns.iter().position(|column| column.name == order.get_ref().column);
            column.map(|column| Order { column, descending: order.get_ref().descending }).ok_or_else(|| {
                let names = draft.columns.iter().map(|column| column.name.as_str());
                let hint = match draft.columns.is_empty() {
                    true => format!("it has no column yet: say `columns.{} = …`", order.get_ref().column),
                    false => format!("its columns are {}", listed(&by_likeness(&order.get_ref().column, names))),
                };
                self.refused(order.span(), format!("`{}` has no column `{}`", draft.name, order.get_ref().column), hint)
            })
        });
        let keys = said.keys.iter().map(|key| key.get_ref().clone()).collect();
        let set = RecordSet { at, table, columns, rest, children, order: order.transpose()?, keys };
        self.check_keys(&set, entry.span(), around)?;
        self.check_members(&set, entry)?;
        self.check_order_of_keys(&set, said)?;
        if let Format::Lines(pattern) = around.format {
            for part in &pattern.parts {
                let LinePart::Capture { name, .. } = part else { continue };
                let is_taken = set.columns.iter().flat_map(|filled| &filled.from).any(
                    |from| matches!(from, Origin::Member(names) if names.as_slice() == std::slice::from_ref(name)),
                );
                if !is_taken {
                    let cause = format!("`{name}` of a line stands in no column, so that no new line could be written");
                    return Err(self.refused(
                        entry.span(),
                        cause,
                        format!("fill a column from `{name}`, or make it text"),
                    ));
                }
            }
        }
        Ok(set)
    }

    fn table(&self, name: &str) -> usize {
        // Every table was collected before.
        self.tables.iter().position(|table| table.name == name).unwrap_or(0)
    }

    fn at(&self, said: &RecordsEntry, span: Span, around: Around<'_>) -> Result<Vec<Step>> {
        let (text, span) = match &said.at {
            Some(at) => (at.get_ref().as_str(), at.span()),
            None => (if around.parent.is_none() && is_lined(around.format) { "[]" } else { "" }, span),
        };
        let at = origin::place(text).map_err(|cause| {
            self.refused(
                span.clone(),
                cause,
                "`\"\"` is the document itself, `\"[]\"` each element, `\"{}\"` each entry, `\"a.b[]\"` deeper",
            )
        })?;
        let fits = match around.format {
            _ if around.parent.is_some() => around.format.has_members() && !at.is_empty(),
            Format::Json | Format::Yaml => true,
            Format::JsonLines | Format::Lines(_) => at == [Step::Elements],
            Format::Markdown { front_matter } => *front_matter || at.is_empty(),
            Format::Bytes => at.is_empty(),
            Format::Sqlite => matches!(at.as_slice(), [Step::Member(_), Step::Elements]),
        };
        if !fits && around.parent.is_some() {
            let cause = format!("there are no records inside a record at `{text}`");
            let hint = "they have a place of their own, in a format with keys, as in `instances[]`";
            return Err(self.refused(span, cause, hint));
        }
        match fits {
            true => Ok(at),
            false => Err(self.refused(
                span,
                format!("there are no records at `{text}` of such a file"),
                match around.format {
                    Format::Sqlite => "a table of it is told as in `tasks[]`",
                    Format::JsonLines | Format::Lines(_) => "each line is a record: leave `at` out",
                    Format::Json | Format::Yaml | Format::Markdown { .. } | Format::Bytes => {
                        "the whole file is the record: leave `at` out"
                    }
                },
            )),
        }
    }

    fn filled(
        &self,
        table: usize,
        name: &Spanned<String>,
        entry: &ColumnEntry,
        at: &[Step],
        around: Around<'_>,
    ) -> Result<Filled> {
        let (said, span, draft) = (&entry.0, name.span(), &self.tables[table]);
        let column = draft.columns.iter().position(|column| column.name == *name.get_ref()).unwrap_or(0);
        let parent_column = |name: &str| {
            let parent = &self.tables[around.parent?];
            parent.columns.iter().position(|column| column.name == name)
        };
        let from = match (&said.from, &said.member, &said.constant, &said.unsaid) {
            (Some(OneOrMore(texts)), None, None, None) if !texts.is_empty() => {
                let read = texts.iter().map(|text| origin::origin(text, &parent_column));
                read.collect::<std::result::Result<Vec<_>, _>>().map_err(|cause| {
                    self.refused(
                        span.clone(),
                        cause,
                        "a name or `a.b` is a member, `@path.CAPTURE` a capture, a text with `{…}` a template",
                    )
                })?
            }
            (None, Some(names), None, None) if !names.is_empty() => vec![Origin::Member(names.clone())],
            (None, None, Some(constant), None) => vec![Origin::Constant(constant.0.clone())],
            (None, None, None, Some(_)) => Vec::new(),
            _ => {
                let cause = format!("where the values of `{}` stand has to be said once", name.get_ref());
                return Err(self.refused(span, cause, "one of `from`, `member`, `constant` and `unsaid`"));
            }
        };
        for origin in &from {
            self.check_origin(origin, at, around, span.clone())?;
        }
        let form =
            self.form(said, span.clone())?.or_else(|| draft.columns[column].form.clone()).unwrap_or(ValueForm::Text);
        for fixed in [&said.constant, &said.unsaid].into_iter().flatten() {
            self.check_fixed(&fixed.0, &form, span.clone())?;
        }
        let is_key = draft.places.contains(&column);
        let is_in_document = from.iter().any(|origin| matches!(origin, Origin::Member(_) | Origin::Value));
        let absent = match (&said.absent, &said.unsaid) {
            (None, Some(value)) => Absent::Default(value.0.clone()),
            (Some(_), _) if !is_in_document => {
                let hint = "`absent` is for members of a document";
                return Err(self.refused(span, format!("`{}` is always there", name.get_ref()), hint));
            }
            (None | Some(AbsentEntry::Refused), None) if is_key => Absent::Refused,
            (Some(_), _) if is_key => {
                let cause = format!("`{}` is in the key, and a row without its key cannot be told", name.get_ref());
                return Err(self.refused(span, cause, "leave `absent` out"));
            }
            (None | Some(AbsentEntry::Null), _) => Absent::Null,
            (Some(AbsentEntry::WriteNull), _) => Absent::WrittenNull,
            (Some(AbsentEntry::Refused), _) => Absent::Refused,
            (Some(AbsentEntry::Default(value)), _) => {
                self.check_fixed(&value.0, &form, span)?;
                Absent::Default(value.0.clone())
            }
        };
        Ok(Filled { column, from, form, absent })
    }

    fn check_fixed(&self, value: &str, form: &ValueForm, span: Span) -> Result<()> {
        let fits = match form {
            ValueForm::Integer => value.parse::<i64>().is_ok_and(|number| number.to_string() == value),
            ValueForm::Real => value.parse::<f64>().is_ok_and(f64::is_finite),
            ValueForm::Boolean(BooleanSpelling::Own) => matches!(value, "true" | "false"),
            ValueForm::Boolean(BooleanSpelling::Digits) => matches!(value, "1" | "0"),
            ValueForm::Boolean(BooleanSpelling::Words { yes, no }) => value == yes || value == no,
            ValueForm::Words(words) => words.iter().any(|(file, _)| file == value),
            ValueForm::Json => serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok(),
            ValueForm::Text | ValueForm::Moment(_) | ValueForm::Bytes => true,
        };
        match fits {
            true => Ok(()),
            false => Err(self.refused(
                span,
                format!("`{value}` is no {} as these files spell it", word(form)),
                "write it as the files do",
            )),
        }
    }
}

const MOMENTS: [(&str, MomentSpelling); 5] = [
    ("rfc3339", MomentSpelling::Rfc3339),
    ("epoch-seconds", MomentSpelling::EpochSeconds),
    ("epoch-millis", MomentSpelling::EpochMillis),
    ("%Y-%m-%d %H:%M:%S", MomentSpelling::Spaced),
    ("%Y-%m-%d %H:%M:%S,%3f", MomentSpelling::SpacedComma),
];

fn word(form: &ValueForm) -> &'static str {
    match form {
        ValueForm::Text | ValueForm::Words(_) => "text",
        ValueForm::Integer => "integer",
        ValueForm::Real => "real",
        ValueForm::Boolean(_) => "boolean",
        ValueForm::Json => "json",
        ValueForm::Moment(_) => "moment",
        ValueForm::Bytes => "bytes",
    }
}

fn is_lined(format: &Format) -> bool {
    matches!(format, Format::JsonLines | Format::Lines(_))
}
