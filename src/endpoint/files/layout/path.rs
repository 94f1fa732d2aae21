//! Which paths are of a kind, and which path a row has: texts with captures, read and written.
//!
//! `specs/sbi/{id}/{step}_{turn}.md` is literal text and captures in turn. A capture takes what its regular expression takes, by
//! default one or more characters; never a `/`. A path that is written is read again at once: where it would be read as something
//! else, the value in it is refused. So no pattern has to be free of ambiguity, and none ever decides in silence.
//!
//! What is ignored or kept is told by globs over the whole path: `*` and `?` stay within one name, `**` is any number of
//! directories. `a/**` is the directory `a` as well.

use crate::endpoint::files::tree::entry::{self, PathFault};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use std::collections::BTreeMap;
use std::fmt;

/// What a capture takes where nobody says it: the least that leads to a match.
const ANYTHING: &str = "[^/]+?";

/// Larger patterns are refused: they are compiled, and matched to every path.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// A text with captures, read and written.
#[derive(Debug, Clone)]
pub struct CapturePattern {
    text: String,
    parts: Vec<Part>,
    /// Each name once, in the order of their first places.
    names: Vec<String>,
    /// What each of them takes, as it was written.
    takes: Vec<String>,
    regex: Regex,
    /// For each name the whole of what it takes.
    each: Vec<Regex>,
    slashes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// The place of its name.
    Capture(usize),
}

impl PartialEq for CapturePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.takes == other.takes
    }
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternFault {
    /// A `{` without its `}`, or the other way round.
    Unbalanced,
    /// A capture has no name, or one with other characters than letters, digits and `_`.
    Name(String),
    /// What a capture takes is no regular expression.
    Regex {
        /// The capture.
        name: String,
        /// Why not.
        cause: String,
    },
    /// What a capture takes has groups of its own that would be counted as captures.
    Groups(String),
    /// An expression is given for a capture that is not there.
    Unknown(String),
    /// Its literal parts make no path.
    Path(PathFault),
    /// A `*` or a `?` in the path of a kind.
    Glob,
}

impl fmt::Display for PatternFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatternFault::Unbalanced => {
                f.write_str("a `{` has no `}`, or a `}` no `{`; a brace of the text itself is written twice")
            }
            PatternFault::Name(name) => {
                write!(f, "`{name}` is no name of a capture: it has letters, digits and `_`, and begins with a letter")
            }
            PatternFault::Regex { name, cause } => {
                write!(f, "what `{name}` takes is no regular expression: {cause}")
            }
            PatternFault::Groups(name) => write!(f, "what `{name}` takes has a group `(…)`; write `(?:…)`"),
            PatternFault::Unknown(name) => write!(f, "there is no capture `{name}` in it"),
            PatternFault::Path(fault) => write!(f, "no path is like this: {fault}"),
            PatternFault::Glob => {
                f.write_str("the path of a kind has captures, not `*` or `?`: it has to be known which path a row has")
            }
        }
    }
}

/// Why a value cannot stand in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureFault {
    /// A name is not what its capture takes.
    NotTaken {
        /// The capture.
        name: String,
        /// What it takes.
        takes: String,
    },
    /// It has a `/`, a NUL, or is `.` or `..`, or the path is too long.
    Path(PathFault),
    /// It has a `/`.
    Slash(String),
    /// The path that it makes would be read as other values.
    ReadOtherwise {
        /// The path.
        path: String,
    },
    /// The path that it makes is of an earlier kind.
    OtherKind {
        /// The path.
        path: String,
        /// The name of that kind.
        kind: String,
    },
    /// The path that it makes is ignored.
    Ignored {
        /// The path.
        path: String,
    },
}

impl fmt::Display for CaptureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaptureFault::NotTaken { name, takes } => write!(f, "it is not what `{{{name}}}` takes, `{takes}`"),
            CaptureFault::Path(fault) => write!(f, "{fault}"),
            CaptureFault::Slash(name) => write!(f, "it has a `/`, and `{{{name}}}` is a part of one name"),
            CaptureFault::ReadOtherwise { path } => write!(f, "`{path}` would be read as other values"),
            CaptureFault::OtherKind { path, kind } => write!(f, "`{path}` would be read as a file of `{kind}`"),
            CaptureFault::Ignored { path } => write!(f, "`{path}` is ignored, so nobody would read it back"),
        }
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let config = Regex::config().nfa_size_limit(Some(COMPILED_BYTES_MAX)).onepass_size_limit(Some(COMPILED_BYTES_MAX));
    Regex::builder()
        .configure(config)
        // A name may have a line end in it.
        .syntax(syntax::Config::new().dot_matches_new_line(true).nest_limit(100))
        .build(pattern)
        .map_err(|error| {
            error.syntax_error().map_or_else(|| error.to_string(), |error| error.to_string().replace('\n', " "))
        })
}

/// Whether what a capture takes can be taken.
///
/// # Errors
/// Why not.
pub(super) fn check_regex(name: &str, takes: &str) -> Result<(), PatternFault> {
    whole(name, takes).map(drop)
}

fn whole(name: &str, takes: &str) -> Result<Regex, PatternFault> {
    let regex =
        compile(&format!("^(?:{takes})$")).map_err(|cause| PatternFault::Regex { name: name.to_owned(), cause })?;
    match regex.captures_len() > 1 {
        true => Err(PatternFault::Groups(name.to_owned())),
        false => Ok(regex),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl CapturePattern {
    /// A pattern from its text, and what its captures take where that is not anything.
    ///
    /// # Errors
    /// Why it is none.
    pub fn new(text: &str, takes: &BTreeMap<String, String>) -> Result<CapturePattern, PatternFault> {
        let (parts, names) = parts(text)?;
        if let Some(unknown) = takes.keys().find(|name| !names.contains(name)) {
            return Err(PatternFault::Unknown(unknown.clone()));
        }
        let takes: Vec<String> =
            names.iter().map(|name| takes.get(name).map_or(ANYTHING, String::as_str).to_owned()).collect();
        let mut each = Vec::new();
        for (name, takes) in names.iter().zip(&takes) {
            each.push(whole(name, takes)?);
        }
        let mut pattern = String::from("^");
        for part in &parts {
            match part {
                Part::Literal(text) => pattern.push_str(&escaped(text)),
                Part::Capture(place) => pattern.push_str(&format!("({})", takes[*place])),
            }
        }
        pattern.push('$');
        let regex = compile(&pattern).map_err(|cause| PatternFault::Regex { name: text.to_owned(), cause })?;
        let slashes =
            parts.iter().map(|part| if let Part::Literal(text) = part { text.matches('/').count() } else { 0 }).sum();
        Ok(CapturePattern { text: text.to_owned(), parts, names, takes, regex, each, slashes })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its captures, each once.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether what a capture takes says more than that something is there.
    pub fn is_particular(&self, name: &str) -> bool {
        self.names.iter().position(|other| other == name).is_some_and(|place| self.takes[place] != ANYTHING)
    }

    /// What each capture takes of a text; `None` for a text that is not like this.
    pub fn read(&self, text: &str) -> Option<Vec<String>> {
        // Then no capture has one.
        if text.bytes().filter(|byte| *byte == b'/').count() != self.slashes {
            return None;
        }
        let mut found = self.regex.create_captures();
        self.regex.captures(text, &mut found);
        if !found.is_match() {
            return None;
        }
        let mut values: Vec<Option<&str>> = vec![None; self.names.len()];
        let places =
            self.parts.iter().filter_map(|part| if let Part::Capture(place) = part { Some(*place) } else { None });
        for (group, place) in places.enumerate() {
            let value = &text[found.get_group(group + 1)?.range()];
            match values[place] {
                Some(other) if other != value => return None,
                _ => values[place] = Some(value),
            }
        }
        values.into_iter().map(|value| value.map(str::to_owned)).collect()
    }

    /// The text in which each capture takes that value, in the order of the names.
    ///
    /// # Errors
    /// When there is none.
    pub fn write(&self, values: &[&str]) -> Result<String, CaptureFault> {
        for ((name, value), (each, takes)) in self.names.iter().zip(values).zip(self.each.iter().zip(&self.takes)) {
            if value.contains('/') {
                return Err(CaptureFault::Slash(name.clone()));
            }
            if !each.is_match(*value) {
                return Err(CaptureFault::NotTaken { name: name.clone(), takes: takes.clone() });
            }
        }
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Capture(place) => text.push_str(values.get(*place).copied().unwrap_or_default()),
            }
        }
        match self.read(&text) {
            Some(read) if read.iter().map(String::as_str).eq(values.iter().copied()) => Ok(text),
            _ => Err(CaptureFault::ReadOtherwise { path: text }),
        }
    }
}

/// Literal parts and captures in turn; `{{` and `}}` are braces.
fn parts(text: &str) -> Result<(Vec<Part>, Vec<String>), PatternFault> {
    let (mut parts, mut names, mut literal) = (Vec::new(), Vec::<String>::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            literal.push_str(&brace[..1]);
            rest = &brace[2..];
            continue;
        }
        let end = brace.find('}').filter(|_| brace.starts_with('{')).ok_or(PatternFault::Unbalanced)?;
        let name = &brace[1..end];
        if !is_name(name) {
            return Err(PatternFault::Name(name.to_owned()));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        let place = names.iter().position(|other| other == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        parts.push(Part::Capture(place));
        rest = &brace[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok((parts, names))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if character.is_ascii_punctuation() {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The paths of a kind, or of what is ignored or kept.
#[derive(Debug, Clone)]
pub struct PathPattern(Form);

#[derive(Debug, Clone)]
enum Form {
    Captures(CapturePattern),
    Glob { text: String, regex: Regex },
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Captures(one), Form::Captures(other)) => one == other,
            (Form::Glob { text: one, .. }, Form::Glob { text: other, .. }) => one == other,
            (Form::Captures(_), Form::Glob { .. }) | (Form::Glob { .. }, Form::Captures(_)) => false,
        }
    }
}

impl PathPattern {
    /// The paths of a kind of file.
    ///
    /// # Errors
    /// Why the text is no pattern of paths.
    pub fn of_kind(text: &str, takes: &BTreeMap<String, String>) -> Result<PathPattern, PatternFault> {
        if text.contains(['*', '?']) {
            return Err(PatternFault::Glob);
        }
        let pattern = CapturePattern::new(text, takes)?;
        // With something harmless in each capture it has to be a path.
        let example: String = pattern
            .parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.as_str(),
                Part::Capture(_) => "x",
            })
            .collect();
        entry::check(&example).map_err(PatternFault::Path)?;
        Ok(PathPattern(Form::Captures(pattern)))
    }

    /// The paths that a glob takes.
    ///
    /// # Errors
    /// When it is none of paths in a tree.
    pub fn glob(text: &str) -> Result<PathPattern, PatternFault> {
        entry::check(text).map_err(PatternFault::Path)?;
        let mut pattern = String::from("^");
        let mut names = text.split('/').peekable();
        let mut is_first = true;
        while let Some(name) = names.next() {
            match (name, is_first, names.peek().is_some()) {
                ("**", true, true) => pattern.push_str("(?:[^/]+/)*"),
                ("**", true, false) => pattern.push_str(".+"),
                // What is in front of it stands for itself as well.
                ("**", false, false) => pattern.push_str("(?:/.+)?"),
                ("**", false, true) => pattern.push_str("(?:/[^/]+)*"),
                (name, _, _) => {
                    // A leading `**` brings its own.
                    if !is_first && !pattern.ends_with("+/)*") {
                        pattern.push('/');
                    }
                    for character in name.chars() {
                        match character {
                            '*' => pattern.push_str("[^/]*"),
                            '?' => pattern.push_str("[^/]"),
                            other => pattern.push_str(&escaped(other.encode_utf8(&mut [0; 4]))),
                        }
                    }
                }
            }
            is_first = false;
        }
        pattern.push('$');
        let regex = compile(&pattern).map_err(|cause| PatternFault::Regex { name: text.to_owned(), cause })?;
        Ok(PathPattern(Form::Glob { text: text.to_owned(), regex }))
    }

    /// As `layout.toml` spells it.
    pub fn text(&self) -> &str {
        match &self.0 {
            Form::Captures(pattern) => pattern.text(),
            Form::Glob { text, .. } => text,
        }
    }

    /// Its captures, each once; a glob has none.
    pub fn captures(&self) -> &[String] {
        match &self.0 {
            Form::Captures(pattern) => pattern.names(),
            Form::Glob { .. } => &[],
        }
    }

    /// Whether what a capture takes says more than that something is there.
    pub fn is_particular(&self, name: &str) -> bool {
        match &self.0 {
            Form::Captures(pattern) => pattern.is_particular(name),
            Form::Glob { .. } => false,
        }
    }

    /// What a capture takes, as a regular expression.
    pub fn takes(&self, name: &str) -> Option<&str> {
        match &self.0 {
            Form::Captures(pattern) => {
                let place = pattern.names.iter().position(|other| other == name)?;
                Some(&pattern.takes[place])
            }
            Form::Glob { .. } => None,
        }
    }

    /// Whether a path is like this.
    pub fn matches(&self, path: &str) -> bool {
        match &self.0 {
            Form::Captures(pattern) => pattern.read(path).is_some(),
            Form::Glob { regex, .. } => regex.is_match(path),
        }
    }

    /// What each capture takes of a path, in the order of [`PathPattern::captures`]; `None` for a path that is not like this.
    pub fn read(&self, path: &str) -> Option<Vec<String>> {
        match &self.0 {
            Form::Captures(pattern) => pattern.read(path),
            Form::Glob { regex, .. } => regex.is_match(path).then(Vec::new),
        }
    }

    /// The path in which each capture takes that value.
    ///
    /// # Errors
    /// When there is none: a value leads elsewhere, is not what its capture takes, or would be read as something else.
    pub fn write(&self, values: &[&str]) -> Result<String, CaptureFault> {
        let path = match &self.0 {
            Form::Captures(pattern) => pattern.write(values)?,
            Form::Glob { text, .. } => text.clone(),
        };
        entry::check(&path).map_err(CaptureFault::Path)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str, takes: &[(&str, &str)]) -> Result<PathPattern, PatternFault> {
        PathPattern::of_kind(text, &takes.iter().map(|(name, takes)| ((*name).into(), (*takes).into())).collect())
    }

    #[test]
    fn a_path_is_read_and_written() {
        for (text, takes, path, values) in [
            ("a.json", &[][..], "a.json", &[][..]),
            (
                "sessions/{hash}.json",
                &[("hash", "[0-9a-f]{16}")],
                "sessions/00ff00ff00ff00ff.json",
                &["00ff00ff00ff00ff"],
            ),
            (
                "specs/sbi/{id}/{step}_{turn}.md",
                &[("turn", r"\d+"), ("step", "implement|review|done")],
                "specs/sbi/SBI-TX_1/review_12.md",
                &["SBI-TX_1", "review", "12"],
            ),
            ("{id}/x-{id}.json", &[], "7/x-7.json", &["7"]),
            ("a{{b}}/{x}.(z)", &[], "a{b}/é *.(z)", &["é *"]),
            ("{x}", &[], "line\nend", &["line\nend"]),
        ] {
            let pattern = pattern(text, takes).unwrap();
            assert_eq!(pattern.read(path).unwrap(), values, "{text}");
            assert_eq!(pattern.write(values).unwrap(), path, "{text}");
        }
        let sessions = pattern("sessions/{hash}.json", &[("hash", "[0-9a-f]{4}")]).unwrap();
        for path in [
            "sessions/00ff.jsonx",
            "sessions/00fg.json",
            "xsessions/00ff.json",
            "sessions/00ff/json",
            "sessions/a/00ff.json",
        ] {
            assert_eq!(sessions.read(path), None, "{path}");
        }
        assert_eq!(pattern("{id}/x-{id}.json", &[]).unwrap().read("7/x-8.json"), None);
        assert_eq!(pattern("{x}/b", &[("x", ".*")]).unwrap().read("a/a/b"), None, "no capture takes a `/`");
    }

    #[test]
    fn what_would_lead_elsewhere_or_be_read_as_something_else_is_refused() {
        let free = pattern("d/{x}", &[("x", "(?s:.*)")]).unwrap();
        for (value, fault) in [
            ("..", CaptureFault::Path(PathFault::Dots)),
            (".", CaptureFault::Path(PathFault::Dots)),
            ("", CaptureFault::Path(PathFault::EmptyName)),
            ("a\0b", CaptureFault::Path(PathFault::Nul)),
            ("../x", CaptureFault::Slash("x".into())),
            ("/etc/passwd", CaptureFault::Slash("x".into())),
            (&"x".repeat(256), CaptureFault::Path(PathFault::LongName)),
        ] {
            assert_eq!(free.write(&[value]), Err(fault), "{value}");
        }
        assert_eq!(pattern("{x}", &[]).unwrap().write(&[".whimbrel-journal"]), Err(CaptureFault::Path(PathFault::Own)));
        let hash = pattern("{x}.json", &[("x", "[0-9a-f]+")]).unwrap();
        assert_eq!(hash.write(&["XYZ"]), Err(CaptureFault::NotTaken { name: "x".into(), takes: "[0-9a-f]+".into() }));
        let two = pattern("{a}_{b}.md", &[]).unwrap();
        assert_eq!(two.read("x_y_z.md").unwrap(), ["x", "y_z"]);
        assert_eq!(two.write(&["x", "y_z"]).unwrap(), "x_y_z.md");
        assert_eq!(two.write(&["x_y", "z"]), Err(CaptureFault::ReadOtherwise { path: "x_y_z.md".into() }));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, takes, told) in [
            ("a{b", &[][..], "`{` has no `}`"),
            ("a}b", &[], "`{` has no `}`"),
            ("{}", &[], "`` is no name"),
            ("{a-b}", &[], "`a-b` is no name"),
            ("{a}", &[("a", "(")], "what `a` takes is no regular expression"),
            ("{a}", &[("a", "(x)")], "write `(?:…)`"),
            ("{a}", &[("a", r"\d{1000}{1000}{1000}")], "what `a` takes is no regular expression"),
            ("{a}", &[("b", "x")], "there is no capture `b`"),
            ("../{a}", &[], "`.` and `..` are no names"),
            ("/{a}", &[], "begins at its root"),
            ("a//b", &[], "empty"),
            ("", &[], "at least one name"),
            ("*.json", &[], "captures, not `*`"),
        ] {
            let fault = pattern(text, takes).unwrap_err().to_string();
            assert!(fault.contains(told), "{text}: {fault}");
        }
        assert!(PathPattern::glob("../x").is_err());
    }

    #[test]
    fn a_glob_takes_whole_paths() {
        for (glob, yes, no) in [
            ("*.tmp", &["a.tmp", ".tmp"][..], &["d/a.tmp", "a.tmp.x"][..]),
            ("**/*.tmp", &["a.tmp", "d/a.tmp", "d/e/a.tmp"], &["a.tmpx"]),
            ("var/*.lock", &["var/a.lock"], &["var/d/a.lock", "xvar/a.lock"]),
            ("var/**", &["var", "var/a", "var/d/e"], &["vary", "x/var"]),
            ("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["az", "a/bz"]),
            ("**", &["a", "a/b"], &[]),
            ("?.json", &["a.json", "é.json"], &["ab.json", "/.json"]),
            ("a+b(c)/[d]", &["a+b(c)/[d]"], &["aab(c)/d"]),
        ] {
            let pattern = PathPattern::glob(glob).unwrap();
            for path in yes {
                assert!(pattern.matches(path), "{glob} {path}");
            }
            for path in no {
                assert!(!pattern.matches(path), "{glob} {path}");
            }
        }
    }
}
