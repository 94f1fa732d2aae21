//! The small languages of a layout: where a value stands, where records are, what a line looks like.

use super::model::{LinePart, LinePattern, Origin, Step, TemplatePart};
use super::path::check_regex;
use crate::toml_text::{by_likeness, listed};

/// What an origin that begins with `@` can be.
const SPECIAL: [&str; 11] = [
    "@value",
    "@name",
    "@path.CAPTURE",
    "@parent.COLUMN",
    "@position",
    "@body",
    "@content",
    "@sha256",
    "@path",
    "@modified",
    "@more",
];

/// The member under which the lines are that belong to the record before them.
pub const MORE: &str = "@more";

/// Reads where a value stands. `column` finds a column of the table around this one.
///
/// # Errors
/// A sentence.
pub fn origin(text: &str, column: &dyn Fn(&str) -> Option<usize>) -> Result<Origin, String> {
    if text.contains(['{', '}']) {
        return Ok(Origin::Template(template(text, column)?));
    }
    single(text, column)
}

fn single(text: &str, column: &dyn Fn(&str) -> Option<usize>) -> Result<Origin, String> {
    if !text.starts_with('@') {
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        return match names.iter().any(String::is_empty) {
            true => Err(format!("`{text}` names no member; a name with a point in it is told by `member = [\"a.b\"]`")),
            false => Ok(Origin::Member(names)),
        };
    }
    Ok(match text {
        "@value" => Origin::Value,
        "@name" => Origin::EntryName,
        "@position" => Origin::Position,
        "@body" => Origin::Body,
        "@content" => Origin::Content,
        "@sha256" => Origin::Sha256,
        "@path" => Origin::Path,
        "@modified" => Origin::Modified,
        MORE => Origin::Member(vec![MORE.to_owned()]),
        _ => {
            if let Some(capture) = text.strip_prefix("@path.") {
                return Ok(Origin::Capture(capture.to_owned()));
            }
            if let Some(name) = text.strip_prefix("@parent.") {
                let place = column(name);
                return place
                    .map(Origin::Parent)
                    .ok_or_else(|| format!("there is no column `{name}` in the table of the records around these"));
            }
            return Err(format!("`{text}` is no origin; there are {}", listed(&by_likeness(text, SPECIAL))));
        }
    })
}

/// `errors-{@position}`: text around values; `{{` and `}}` are braces.
fn template(text: &str, column: &dyn Fn(&str) -> Option<usize>) -> Result<Vec<TemplatePart>, String> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            literal.push_str(&brace[..1]);
            rest = &brace[2..];
            continue;
        }
        let Some(end) = brace.find('}').filter(|_| brace.starts_with('{')) else {
            return Err(format!(
                "`{text}` has a brace without the other one; a brace of the text itself is written twice"
            ));
        };
        if !literal.is_empty() {
            parts.push(TemplatePart::Literal(std::mem::take(&mut literal)));
        }
        parts.push(TemplatePart::Value(single(&brace[1..end], column)?));
        rest = &brace[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(TemplatePart::Literal(literal));
    }
    Ok(parts)
}

/// Reads where records are: `""` the document or record itself, `[]` each element, `{}` each entry, `a.b[]` deeper.
///
/// # Errors
/// A sentence.
pub fn place(text: &str) -> Result<Vec<Step>, String> {
    let (members, last) = match text {
        _ if text.ends_with("[]") => (&text[..text.len() - 2], Some(Step::Elements)),
        _ if text.ends_with("{}") => (&text[..text.len() - 2], Some(Step::Entries)),
        _ => (text, None),
    };
    if members.contains(['[', ']', '{', '}']) {
        return Err(format!(
            "`{text}` goes through several lists; the records of the outer one come first, the others are their `children`"
        ));
    }
    let mut steps = Vec::new();
    if !members.is_empty() {
        for name in members.split('.') {
            if name.is_empty() {
                return Err(format!("`{text}` has an empty name; `a.b[]` are the elements of `b` in `a`"));
            }
            steps.push(Step::Member(name.to_owned()));
        }
    }
    steps.extend(last);
    Ok(steps)
}

/// Reads what a line looks like: text and `{name:regular expression}` in turn.
///
/// # Errors
/// A sentence.
pub fn line(text: &str, continued: bool) -> Result<LinePattern, String> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    let mut names: Vec<String> = Vec::new();
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            literal.push_str(&brace[..1]);
            rest = &brace[2..];
            continue;
        }
        let Some(end) = closing(brace) else {
            return Err("a `{` has no `}`, or a `}` no `{`; a brace of the text itself is written twice".to_owned());
        };
        let (name, pattern) = brace[1..end].split_once(':').unwrap_or((&brace[1..end], ".*?"));
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(format!("`{name}` is no name: it has letters, digits and `_`, and begins with a letter"));
        }
        if names.iter().any(|other| other == name) {
            return Err(format!("`{name}` is there twice"));
        }
        check_regex(name, pattern).map_err(|fault| fault.to_string())?;
        names.push(name.to_owned());
        if !literal.is_empty() {
            parts.push(LinePart::Literal(std::mem::take(&mut literal)));
        }
        parts.push(LinePart::Capture { name: name.to_owned(), pattern: pattern.to_owned() });
        rest = &brace[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(LinePart::Literal(literal));
    }
    match parts.is_empty() || text.contains('\n') {
        true => Err("a line has at least one character, and no line end".to_owned()),
        false => Ok(LinePattern { parts, continued }),
    }
}

/// The brace that closes the first one: `{4}` of an expression is inside, `\}` is none.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut is_escaped) = (0_usize, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '{' => depth += 1,
            '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Option<usize> {
        (name == "id").then_some(3)
    }

    #[test]
    fn an_origin_is_read() {
        let member = |names: &[&str]| Origin::Member(names.iter().map(|name| (*name).to_owned()).collect());
        for (text, expected) in [
            ("id", member(&["id"])),
            ("meta.updated_at", member(&["meta", "updated_at"])),
            ("@more", member(&["@more"])),
            ("@path.hash", Origin::Capture("hash".into())),
            ("@path", Origin::Path),
            ("@parent.id", Origin::Parent(3)),
            (
                "log-{@position}{{}}",
                Origin::Template(vec![
                    TemplatePart::Literal("log-".into()),
                    TemplatePart::Value(Origin::Position),
                    TemplatePart::Literal("{}".into()),
                ]),
            ),
        ] {
            assert_eq!(origin(text, &column), Ok(expected), "{text}");
        }
        for (text, told) in [
            ("a..b", "names no member"),
            ("", "names no member"),
            ("@positon", "`@positon` is no origin; there are `@position`, "),
            ("@parent.x", "there is no column `x`"),
            ("{@position", "a brace without the other one"),
            ("a}", "a brace without the other one"),
        ] {
            let error = origin(text, &column).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn places_and_lines_are_read() {
        let member = |name: &str| Step::Member(name.into());
        assert_eq!(place(""), Ok(vec![]));
        assert_eq!(place("[]"), Ok(vec![Step::Elements]));
        assert_eq!(place("a.b{}"), Ok(vec![member("a"), member("b"), Step::Entries]));
        assert_eq!(place("a"), Ok(vec![member("a")]));
        assert!(place("a[].b[]").unwrap_err().contains("`children`"));
        assert!(place("a..b[]").unwrap_err().contains("empty name"));

        let capture = |name: &str, pattern: &str| LinePart::Capture { name: name.into(), pattern: pattern.into() };
        let pattern = line(r"{{x}} {time:\d{4}-\d\d} {rest}", true).unwrap();
        let expected = [
            LinePart::Literal("{x} ".into()),
            capture("time", r"\d{4}-\d\d"),
            LinePart::Literal(" ".into()),
            capture("rest", ".*?"),
        ];
        assert_eq!((pattern.parts, pattern.continued), (expected.to_vec(), true));
        for (text, told) in [
            ("{a", "`{` has no `}`"),
            ("a}", "`{` has no `}`"),
            ("{a:(}", "no regular expression"),
            ("{a} {a}", "twice"),
            ("{1}", "is no name"),
            ("", "at least one character"),
            ("a\nb", "no line end"),
        ] {
            let error = line(text, false).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
