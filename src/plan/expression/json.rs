//! JSON members and arrays as JSON text.

use super::kind::Kind;
use super::term::Term;
use super::translate::Translator;
use super::{Refusal, render};

impl Translator<'_> {
    /// `->` and `->>` with a literal key.
    pub fn json_member(&mut self, value: Term, key: Term, as_text: bool) -> Result<Term, Refusal> {
        let Kind::Json { binary } = value.kind else {
            return Err(Refusal::new(format!("it uses `->` on {}", value.kind.words())));
        };
        let path = match (key.text(), key.number()) {
            (Some(text), _) if !text.contains(['"', '\\']) && !text.chars().any(char::is_control) => {
                render::text(&format!("$.\"{text}\""))
            }
            // A `jsonb` that is no array is its own first element.
            (_, Some(number)) if binary && number.scale == 0 && number.unscaled == 0 => {
                format!("(CASE WHEN json_type({}) IN ('array', 'object') THEN '$[0]' ELSE '$' END)", value.sql)
            }
            (_, Some(number)) if number.scale == 0 && number.unscaled >= 0 => {
                render::text(&format!("$[{}]", number.unscaled))
            }
            _ => {
                return Err(Refusal::new(
                    "it takes a member out of a JSON value by a key that is computed, counts from the end, or has quotes, backslashes or \
                     controls in it",
                ));
            }
        };
        if !binary {
            self.caveat_in_view(
                "it reads a `json` value, of which SQLite takes the first of two equal keys and PostgreSQL the last",
            )?;
        }
        let column = &value.sql;
        if as_text {
            // A number keeps its text, a boolean its word, which begin and end in none of the characters that go; SQLite's
            // own functions would make numbers of both. Of a JSON null and of nothing, nothing is left.
            let sql = format!(
                "(CASE WHEN json_type({column}, {path}) IN ('text', 'array', 'object') THEN json_extract({column}, {path}) \
                 ELSE nullif(trim({}, '[],nul'), '') END)",
                beside_null(column, &path)
            );
            return Ok(Term { not_null: false, ..Term::from_parts(sql, Kind::JsonText, &[&value]) });
        }
        self.caveat_in_view("it takes a JSON value out of another, which SQLite writes without blanks")?;
        let both = beside_null(column, &path);
        let sql = format!(
            "(CASE WHEN json_type({column}, {path}) IS NOT NULL THEN substr({both}, 2, length({both}) - 7) END)"
        );
        Ok(Term { not_null: false, ..Term::from_parts(sql, Kind::Json { binary }, &[&value]) })
    }

    /// Equality of a JSON member with a text that no object or array can be, and of an array with the empty one;
    /// `None` where the two sides are something else.
    pub fn compare_json(&mut self, left: &Term, operator: &str, right: &Term) -> Result<Option<Term>, Refusal> {
        if !matches!(operator, "=" | "<>") {
            return Ok(None);
        }
        let (value, literal) = match (left.text(), right.text()) {
            (None, Some(text)) => (left, text),
            (Some(text), None) => (right, text),
            _ => return Ok(None),
        };
        match value.kind {
            Kind::JsonText if !literal.starts_with(['{', '[']) => {
                let sql = format!("({} {operator} {})", value.sql, render::text(literal));
                Ok(Some(Term::from_parts(sql, Kind::Boolean, &[value])))
            }
            Kind::JsonArray if literal == "[]" || literal == "{}" => {
                let sql = format!("(json_array_length({}) {operator} 0)", value.sql);
                Ok(Some(Term::from_parts(sql, Kind::Boolean, &[value])))
            }
            _ => Ok(None),
        }
    }
}

/// `[member,null]`, the member as it is written in the value: what `->` gives from SQLite 3.38 on. No array has an element
/// after its last.
fn beside_null(column: &str, path: &str) -> String {
    format!("json_extract({column}, {path}, '$[#]')")
}
