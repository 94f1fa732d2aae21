//! Random layouts: every format, place, form and origin, as a text of `layout.toml`.

use super::choices::Choices;
use std::fmt::Write;

/// A layout with one to four kinds of file.
pub fn random_layout(choices: &mut Choices<'_>) -> String {
    let mut writing = Writing { choices, text: String::new(), tables: 0, continued: false };
    let times = writing.choices.once_in(4);
    let _ = writeln!(writing.text, "ignore = [\"*.lock\"]\nkeep = [\"kept/**\", \"k*/notes.bin\"]\ntimes = {times}");
    for kind in 0..=writing.choices.below(4) {
        writing.kind(kind);
    }
    writing.text
}

struct Writing<'w, 'c> {
    choices: &'w mut Choices<'c>,
    text: String,
    tables: usize,
    /// Whether lines may belong to the record before them.
    continued: bool,
}

/// What the records of a set are inside of.
#[derive(Clone)]
struct Around {
    /// Captures of the path; each is a column of the rows in the root.
    captures: Vec<&'static str>,
    /// The columns of the key of the row around.
    parent: Option<Vec<String>>,
    depth: usize,
}

/// Whether a column of a key has integers.
fn is_integer(name: &str) -> bool {
    matches!(name.trim_start_matches("up_"), "place" | "number" | "entry" | "c_n")
}

const FORMATS: [&str; 8] = ["json", "json-lines", "yaml", "markdown", "front matter", "lines", "bytes", "sqlite"];

impl Writing<'_, '_> {
    fn kind(&mut self, number: usize) {
        let format = *self.choices.of(&FORMATS);
        // Each of the two has captures or none; what is alone in its file needs one for its key.
        let is_single = matches!(format, "markdown" | "front matter" | "bytes");
        let captures: Vec<&'static str> = match self.choices.below(if is_single { 3 } else { 4 }) {
            0 => vec!["a"],
            1 => vec!["a", "b"],
            2 => vec!["a", "n"],
            _ => Vec::new(),
        };
        let path = match captures.as_slice() {
            ["a"] if self.choices.once_in(2) => format!("k{number}/{{a}}/file.x"),
            ["a"] => format!("k{number}/{{a}}.x"),
            ["a", "b"] => format!("k{number}/{{a}}/{{b}}.x"),
            ["a", "n"] => format!("k{number}/{{a}}_{{n}}.x"),
            _ => format!("k{number}/all.x"),
        };
        let _ = writeln!(self.text, "\n[[file]]\nname = \"kind {number}\"\npath = \"{path}\"");
        if captures.contains(&"n") {
            self.text.push_str("captures.n = '\\d+'\n");
        }
        if captures.contains(&"b") && self.choices.once_in(2) {
            self.text.push_str("captures.b = '[a-f]{3}(?:-x)?'\n");
        }
        let word = if format == "front matter" { "markdown" } else { format };
        let _ = writeln!(self.text, "format = \"{word}\"");
        if format == "front matter" {
            self.text.push_str("front_matter = true\n");
        }
        if format == "lines" {
            self.text.push_str(
                "line = '{at:\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d,\\d{3}} {level:[A-Z]+} {who:\\S+}: {said:.*}'\n",
            );
            self.continued = self.choices.once_in(2);
            let _ = writeln!(self.text, "continued = {}", self.continued);
        }
        self.style();
        let around = Around { captures, parent: None, depth: 0 };
        match format {
            "json" | "yaml" => self.sets_of_document(&around),
            "json-lines" => self.set("file.records", None, "[]", &around),
            "lines" => self.of_lines(&around),
            "bytes" => self.of_bytes(&around),
            "sqlite" => self.of_tables(&around),
            _ => self.of_text(&around, format == "front matter"),
        }
    }

    fn style(&mut self) {
        let [ascii, sorted, spaced, newline] = [(); 4].map(|()| self.choices.once_in(3));
        let indent = self.choices.of(&[2, 0, 4]);
        let _ = writeln!(
            self.text,
            "style = {{ indent = {indent}, ascii = {ascii}, sorted_keys = {sorted}, spaced = {spaced}, final_newline = {} }}",
            !newline
        );
    }

    /// The sets in the root of a document.
    fn sets_of_document(&mut self, around: &Around) {
        match self.choices.below(if around.captures.is_empty() { 5 } else { 6 }) {
            0 => self.set("file.records", Some("[]"), "[]", around),
            1 => self.set("file.records", Some("{}"), "{}", around),
            2 => self.set("file.records", Some("items[]"), "[]", around),
            3 => self.set("file.records", Some("deep.er{}"), "{}", around),
            4 => {
                self.set("file.records", Some("list[]"), "[]", around);
                self.set("file.records", Some("map{}"), "{}", around);
            }
            _ => self.set("file.records", None, "", around),
        }
    }

    /// A table of its own, with a name that no other one has.
    fn table(&mut self) -> String {
        self.tables += 1;
        format!("table_{}", self.tables)
    }

    /// Records of one place; `step` is the one to each of many.
    fn set(&mut self, header: &str, at: Option<&str>, step: &str, around: &Around) {
        let table = self.table();
        let _ = writeln!(self.text, "\n[[{header}]]");
        if let Some(at) = at {
            let _ = writeln!(self.text, "at = \"{at}\"");
        }
        let (mut key, mut columns) = self.around_columns(around);
        match step {
            "[]" if self.choices.once_in(3) => {
                columns.push("place = { from = \"@position\", type = \"integer\" }".to_owned());
                key.push("place".to_owned());
            }
            "[]" => {
                let (name, column) = *self
                    .choices
                    .of(&[("id", "id = \"id\""), ("number", "number = { from = \"id\", type = \"integer\" }")]);
                columns.push(column.to_owned());
                key.push(name.to_owned());
            }
            "{}" => {
                let (name, column) = *self
                    .choices
                    .of(&[("name", "name = \"@name\""), ("entry", "entry = { from = \"@name\", type = \"integer\" }")]);
                columns.push(column.to_owned());
                key.push(name.to_owned());
            }
            _ => {}
        }
        let is_value = step == "{}" && self.choices.once_in(3);
        if is_value {
            let types =
                ["\"@value\"", "{ from = \"@value\", type = \"json\" }", "{ from = \"@value\", type = \"integer\" }"];
            columns.push(format!("value = {}", self.choices.of(&types)));
        } else {
            for place in 0..=self.choices.below(4) {
                columns.push(self.column(place));
            }
        }
        let _ = writeln!(self.text, "table = \"{table}\"\nkey = {key:?}");
        if !is_value && self.choices.once_in(2) {
            self.text.push_str("rest = \"rest\"\n");
        }
        let _ = writeln!(self.text, "\n[{header}.columns]");
        columns.iter().for_each(|column| self.text.push_str(&format!("{column}\n")));
        if is_value || around.depth == 2 {
            return;
        }
        for place in 0..self.choices.below(3 - around.depth) {
            let (at, step) = *self.choices.of(&[("kids", "[]"), ("by name", "{}"), ("inner.kids", "[]"), ("only", "")]);
            let inner = Around { parent: Some(key.clone()), depth: around.depth + 1, ..around.clone() };
            let at = format!("{at}{place}{step}");
            self.set(&format!("{header}.children"), Some(&at), step, &inner);
        }
    }

    /// The columns that say where a record is, and which of them are in its key.
    fn around_columns(&mut self, around: &Around) -> (Vec<String>, Vec<String>) {
        match &around.parent {
            Some(parent) => {
                let columns = parent.iter().map(|name| match is_integer(name) {
                    true => format!("up_{name} = {{ from = \"@parent.{name}\", type = \"integer\" }}"),
                    false => format!("up_{name} = \"@parent.{name}\""),
                });
                (parent.iter().map(|name| format!("up_{name}")).collect(), columns.collect())
            }
            None => {
                let columns = around.captures.iter().map(|name| match *name {
                    "n" => "c_n = { from = \"@path.n\", type = \"integer\" }".to_owned(),
                    name => format!("c_{name} = \"@path.{name}\""),
                });
                (around.captures.iter().map(|name| format!("c_{name}")).collect(), columns.collect())
            }
        }
    }

    /// A column that stands in a member.
    fn column(&mut self, place: usize) -> String {
        let member = match self.choices.below(5) {
            3 => format!("in.m{place}"),
            4 => format!("m {place} é"),
            _ => format!("m{place}"),
        };
        let kind = *self.choices.of(&[
            "",
            "type = \"integer\"",
            "type = \"real\"",
            "type = \"boolean\"",
            "type = \"boolean\", spelled = \"digits\"",
            "type = \"boolean\", spelled = [\"on it\", \"off\"]",
            "type = \"json\"",
            "type = \"moment\"",
            "type = \"moment\", spelled = \"epoch-seconds\"",
            "type = \"moment\", spelled = \"epoch-millis\"",
            "type = \"moment\", spelled = \"%Y-%m-%d %H:%M:%S\"",
            "words = { one = \"1st\", two = \"2nd\", three = \"three\" }",
        ]);
        let absent = match self.choices.below(4) {
            0 | 1 => "",
            2 => "absent = \"write-null\"",
            _ if kind.is_empty() => "absent = { default = \"usual\" }",
            _ if kind == "type = \"integer\"" => "absent = { default = 7 }",
            _ => "absent = \"refused\"",
        };
        let said =
            [kind, absent].into_iter().filter(|said| !said.is_empty()).fold(String::new(), |all, one| all + ", " + one);
        format!("col{place} = {{ from = \"{member}\"{said} }}")
    }

    fn of_lines(&mut self, around: &Around) {
        let table = self.table();
        let (mut key, mut columns) = self.around_columns(around);
        key.push("id".to_owned());
        let origin = match around.captures.as_slice() {
            ["a", ..] => "line-{@position}",
            _ => "log-{@position}",
        };
        columns.push(format!("id = \"{origin}\""));
        columns.push("at = { from = \"at\", type = \"moment\", spelled = \"%Y-%m-%d %H:%M:%S,%3f\" }".to_owned());
        let words = "level = { from = \"level\", words = { INFO = \"info\", ERROR = \"error\", W = \"warning\" } }";
        columns.push((*self.choices.of(&["level = \"level\"", words])).to_owned());
        columns.push("who = \"who\"".to_owned());
        columns.push("said = \"said\"".to_owned());
        if self.continued {
            columns.push("more = \"@more\"".to_owned());
        }
        self.finish(&table, &key, &columns);
    }

    /// Tables of a SQLite file; one that has a column that nobody takes keeps it.
    fn of_tables(&mut self, around: &Around) {
        const TYPES: [&str; 6] = [
            "",
            ", type = \"integer\"",
            ", type = \"real\"",
            ", type = \"json\"",
            ", type = \"boolean\", spelled = \"digits\"",
            ", type = \"moment\", spelled = \"%Y-%m-%d %H:%M:%S\"",
        ];
        for number in 0..=self.choices.below(2) {
            let table = self.table();
            let (mut key, mut columns) = self.around_columns(around);
            key.push("id".to_owned());
            columns.push("id = { from = \"id\", type = \"integer\" }".to_owned());
            for place in 0..=self.choices.below(3) {
                columns.push(format!("col{place} = {{ from = \"m{place}\"{} }}", self.choices.of(&TYPES)));
            }
            let _ = writeln!(self.text, "\n[[file.records]]\nat = \"t{number}[]\"\ntable = \"{table}\"\nkey = {key:?}");
            let _ = writeln!(self.text, "\n[file.records.columns]");
            columns.iter().for_each(|column| self.text.push_str(&format!("{column}\n")));
        }
    }

    fn of_bytes(&mut self, around: &Around) {
        let table = self.table();
        let (key, mut columns) = self.around_columns(around);
        let kind = *self.choices.of(&["text", "bytes"]);
        columns.push(format!("content = {{ from = \"@content\", type = \"{kind}\" }}"));
        if self.choices.once_in(2) {
            columns.push("hash = \"@sha256\"".to_owned());
        }
        self.finish(&table, &key, &columns);
    }

    fn of_text(&mut self, around: &Around, has_keys: bool) {
        let table = self.table();
        let (key, mut columns) = self.around_columns(around);
        columns.push("body = \"@body\"".to_owned());
        if has_keys {
            for place in 0..self.choices.below(4) {
                columns.push(self.column(place));
            }
        }
        self.finish(&table, &key, &columns);
    }

    fn finish(&mut self, table: &str, key: &[String], columns: &[String]) {
        let _ = writeln!(self.text, "\n[[file.records]]\ntable = \"{table}\"\nkey = {key:?}\n\n[file.records.columns]");
        columns.iter().for_each(|column| self.text.push_str(&format!("{column}\n")));
    }
}
