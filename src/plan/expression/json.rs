//! JSON members and arrays as JSON text.

use super::kind::{Kind, Term};
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
                return Err(Refusal::new("it takes a member out of a JSON value by a key that is not a plain literal"));
            }
        };
        if !binary {
            self.caveat_in_view(
                "it reads a `json` value, of which SQLite takes the first of two equal keys and PostgreSQL the last",
            )?;
        }
        let column = &value.sql;
        if as_text {
            // A number keeps its text, a boolean its word; SQLite's own `->>` would make numbers of both.
            let sql = format!(
                "(CASE json_type({column}, {path}) WHEN 'text' THEN {column} ->> {path} WHEN 'null' THEN NULL \
                 ELSE {column} -> {path} END)"
            );
            return Ok(Term { not_null: false, ..Term::from_parts(sql, Kind::JsonText, &[&value]) });
        }
        self.caveat_in_view("it takes a JSON value out of another, which SQLite writes without blanks")?;
        let sql = format!("({column} -> {path})");
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
