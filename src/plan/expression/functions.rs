//! Scalar functions, by a whitelist: what is not here is refused.

use super::kind::Kind;
use super::operators::common_kind;
use super::syntax::{array_syntax, object_name, plain_arguments, strip, unknown_function};
use super::term::{Constant, Term};
use super::translate::{Translator, ensure_has_form};
use super::{Refusal, decimal, render};
use sqlparser::ast::{Function, FunctionArguments};

/// How long something is: SQLite holds no text of 1,000,000,000 characters.
const COUNT: Kind = Kind::Integer { digits: 9 };

impl Translator<'_> {
    pub fn function(&mut self, function: &Function) -> Result<Term, Refusal> {
        let (schema, name) = object_name(&function.name)?;
        // Of extensions, which live in any schema, only the makers of random UUIDs and the extremes of `citext` are known.
        let extension = matches!(name.as_str(), "uuid_generate_v4" | "gen_random_uuid")
            || matches!(name.as_str(), "min" | "max") && self.takes_citext(function);
        if schema.as_deref().is_some_and(|schema| schema != "pg_catalog") && !extension {
            return Err(unknown_function(&function.name.to_string()));
        }
        if function.parameters != FunctionArguments::None || function.uses_odbc_syntax {
            return Err(unknown_function(&name));
        }
        if let Some(term) = self.aggregate_or_window(&name, function)? {
            return Ok(term);
        }
        if function.over.is_some() || function.filter.is_some() || !function.within_group.is_empty() {
            return Err(unknown_function(&name));
        }
        let arguments = plain_arguments(&name, &function.args)?;
        if matches!(name.as_str(), "similar_to_escape" | "similar_escape") {
            return Err(Refusal::new("it uses SIMILAR TO (regular expression), which SQLite does not have"));
        }
        if name == "date_part" || name == "date_trunc" {
            let [field, value] = arguments.as_slice() else { return Err(unknown_function(&name)) };
            let field = self.expression(field)?;
            let value = self.expression(value)?;
            let Some(field) = field.text().map(str::to_ascii_lowercase) else {
                return Err(Refusal::new(format!("it uses {name}() with a field that is not a literal")));
            };
            return if name == "date_part" { self.date_part(&field, value) } else { self.truncated(&field, value) };
        }
        if arguments.iter().any(|argument| array_syntax(strip(argument)).is_some()) {
            return Err(Refusal::new("it builds an array, which SQLite does not have"));
        }
        let terms = arguments.iter().map(|argument| self.expression(argument)).collect::<Result<Vec<_>, _>>()?;
        self.call(&name, terms)
    }

    fn takes_citext(&mut self, function: &Function) -> bool {
        let arguments = plain_arguments("", &function.args).unwrap_or_default();
        let [argument] = arguments.as_slice() else { return false };
        self.expression(argument).is_ok_and(|term| term.kind == Kind::NocaseText)
    }

    /// A call by name with translated arguments.
    pub fn call(&mut self, name: &str, arguments: Vec<Term>) -> Result<Term, Refusal> {
        if arguments.is_empty()
            && let Some(term) = self.niladic(name)?
        {
            return Ok(term);
        }
        match name {
            // SQLite's clock counts milliseconds: a precision of three digits or more says nothing new.
            "current_timestamp" | "localtimestamp" if matches!(arguments.as_slice(), [digits] if at_least(digits, 3)) =>
            {
                return self.niladic(name)?.ok_or_else(|| unknown_function(name));
            }
            "timezone" => {
                let [zone, timestamp] = <[Term; 2]>::try_from(arguments).map_err(|_| unknown_function(name))?;
                return self.at_time_zone(&zone, timestamp);
            }
            "coalesce" => return self.coalesce(arguments),
            "nullif" => return self.nullif(arguments),
            "greatest" | "least" => return self.extreme(name, arguments),
            "num_nonnulls" | "num_nulls" => {
                arguments.iter().try_for_each(ensure_has_form)?;
                return Ok(self.null_count(name, &arguments));
            }
            "concat" => return self.concat(arguments),
            _ => {}
        }
        self.call_of_kinds(name, arguments)
    }

    /// A call that depends on what its arguments are.
    fn call_of_kinds(&mut self, name: &str, arguments: Vec<Term>) -> Result<Term, Refusal> {
        let arguments: Vec<Term> = arguments
            .into_iter()
            .map(|term| {
                if term.kind == Kind::Unknown && !term.is_null_literal() {
                    Term { kind: Kind::Text, ..term }
                } else {
                    term
                }
            })
            .collect();
        let all: Vec<&Term> = arguments.iter().collect();
        let sql_of = |sql_name: &str| sql_call(sql_name, &arguments);
        let kinds: Vec<&Kind> = arguments.iter().map(|argument| &argument.kind).collect();
        if matches!(name, "replace" | "strpos" | "position" | "starts_with")
            && arguments.iter().any(|argument| self.unlike_when_equal(argument).is_some())
        {
            return Err(Refusal::new(format!(
                "it calls {name}() under a collation that takes different texts for equal"
            )));
        }
        match (name, kinds.as_slice()) {
            ("lower" | "upper", [Kind::Text]) => {
                if !self.only_ascii_has_case(&arguments[0]) {
                    self.caveat(format!("{name}() changes only ASCII letters in SQLite"));
                }
                Ok(Term::from_parts(sql_of(name), Kind::Text, &all))
            }
            ("overlay", [Kind::Text, Kind::Text, Kind::Integer { .. }, ..]) if at_least(&arguments[2], 1) => {
                overlay(&arguments).ok_or_else(|| unknown_function(name))
            }
            ("like_escape", [Kind::Text, Kind::Text]) => like_escape(&arguments).ok_or_else(|| unknown_function(name)),
            ("abs", [Kind::Integer { .. } | Kind::Scaled { .. } | Kind::DecimalReal { .. } | Kind::Real]) => {
                if arguments[0].constant.is_some() && matches!(kinds[0], Kind::Scaled { .. }) {
                    return Err(unknown_function(name));
                }
                if matches!(kinds[0], Kind::Integer { .. }) {
                    self.past_the_range();
                }
                Ok(Term::from_parts(sql_of("abs"), kinds[0].clone(), &all))
            }
            ("mod", [Kind::Integer { .. }, Kind::Integer { .. }]) => {
                let [a, b] = <[Term; 2]>::try_from(arguments).map_err(|_| unknown_function(name))?;
                self.arithmetic(a, '%', b)
            }
            ("round" | "trunc" | "floor" | "ceil" | "ceiling", [Kind::Integer { .. }]) => Err(unknown_function(name)),
            ("round", [a]) if a.is_numeric() => self.round(arguments, 0),
            ("round", [a, Kind::Integer { .. }]) if a.is_numeric() && at_least(&arguments[1], 0) => {
                let scale = arguments[1].number().and_then(|number| u32::try_from(number.unscaled).ok());
                let scale = scale.ok_or_else(|| unknown_function(name))?;
                self.round(arguments, scale)
            }
            ("floor" | "ceil" | "ceiling" | "trunc", [Kind::Scaled { .. } | Kind::DecimalReal { .. }]) => {
                self.whole(name, arguments)
            }
            ("array_length", [Kind::JsonArray, Kind::Integer { .. }])
                if arguments[1].number().is_some_and(|number| number.unscaled == 1) =>
            {
                let sql = format!("nullif(json_array_length({}), 0)", arguments[0].sql);
                Ok(Term { not_null: false, ..Term::from_parts(sql, COUNT, &all) })
            }
            ("json_array_length" | "jsonb_array_length", [Kind::Json { .. }]) => {
                self.error_there("the length of a JSON value that is no array", "is 0");
                Ok(Term::from_parts(sql_of("json_array_length"), COUNT, &all))
            }
            ("jsonb_typeof" | "json_typeof", [Kind::Json { .. }]) => {
                let sql = format!(
                    "(CASE json_type({}) WHEN 'text' THEN 'string' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' \
                     WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' ELSE json_type({}) END)",
                    arguments[0].sql, arguments[0].sql
                );
                Ok(Term::from_parts(sql, Kind::Text, &all))
            }
            _ => match length(name, &arguments).or_else(|| text(name, &arguments)) {
                Some((sql, kind)) => Ok(Term::from_parts(sql, kind, &all)),
                None => Err(unknown_call(name, &kinds)),
            },
        }
    }

    fn coalesce(&mut self, arguments: Vec<Term>) -> Result<Term, Refusal> {
        for argument in &arguments {
            self.nan_counts(argument);
        }
        let terms = self.unified(arguments)?;
        let kind = common_kind(&terms);
        if let [one] = terms.as_slice() {
            return Ok(one.clone());
        }
        let list: Vec<&str> = terms.iter().map(|term| term.sql.as_str()).collect();
        let all: Vec<&Term> = terms.iter().collect();
        let mut term = Term::from_parts(format!("coalesce({})", list.join(", ")), kind, &all);
        term.not_null = terms.iter().any(|term| term.not_null);
        Ok(term)
    }

    fn nullif(&mut self, arguments: Vec<Term>) -> Result<Term, Refusal> {
        let [left, right] = <[Term; 2]>::try_from(arguments).map_err(|_| unknown_function("nullif"))?;
        let left = if left.kind == Kind::Unknown { Term { kind: Kind::Text, ..left } } else { left };
        ensure_has_form(&left)?;
        let equal = self.compare(left.clone(), "=", right)?;
        let sql = format!("(CASE WHEN {} THEN NULL ELSE {} END)", equal.sql, left.sql);
        Ok(Term { not_null: false, ..Term::from_parts(sql, left.kind.clone(), &[&left]) })
    }

    /// GREATEST and LEAST pass NULLs over; SQLite's `max()` and `min()` of several values do not.
    fn extreme(&mut self, name: &str, arguments: Vec<Term>) -> Result<Term, Refusal> {
        let terms = self.unified(arguments)?;
        let kind = common_kind(&terms);
        if !matches!(
            kind,
            Kind::Integer { .. }
                | Kind::Real
                | Kind::Scaled { .. }
                | Kind::DecimalReal { .. }
                | Kind::Epoch { .. }
                | Kind::Boolean
        ) {
            return Err(Refusal::new(format!("it uses {name}() on {}", kind.words())));
        }
        for term in &terms {
            self.nan_counts(term);
        }
        if terms.len() > 4 && terms.iter().any(|term| !term.not_null) {
            return Err(Refusal::new(format!("it uses {name}() on more than four values that may be NULL")));
        }
        let sql_name = if name == "greatest" { "max" } else { "min" };
        let mut rest = terms.iter();
        let Some(first) = rest.next() else { return Err(unknown_function(name)) };
        let mut result = first.clone();
        for term in rest {
            let both = format!("{sql_name}({}, {})", result.sql, term.sql);
            let sql = if result.not_null && term.not_null {
                both
            } else {
                format!("coalesce({both}, {}, {})", result.sql, term.sql)
            };
            let not_null = result.not_null || term.not_null;
            result = Term { not_null, ..Term::from_parts(sql, kind.clone(), &[&result, term]) };
        }
        Ok(result)
    }

    fn null_count(&mut self, name: &str, arguments: &[Term]) -> Term {
        let test = if name == "num_nulls" { "IS NULL" } else { "IS NOT NULL" };
        for argument in arguments {
            self.nan_counts(argument);
        }
        let parts: Vec<String> = arguments.iter().map(|argument| format!("({} {test})", argument.sql)).collect();
        let sql = if parts.is_empty() { "0".to_owned() } else { format!("({})", parts.join(" + ")) };
        Term { not_null: true, ..Term::new(sql, Kind::Integer { digits: 6 }) }
    }

    fn concat(&mut self, arguments: Vec<Term>) -> Result<Term, Refusal> {
        let mut parts = Vec::with_capacity(arguments.len());
        for argument in &arguments {
            match argument.kind {
                _ if argument.is_null_literal() => {}
                Kind::Unknown
                | Kind::Text
                | Kind::NocaseText
                | Kind::Uuid
                | Kind::Enum { .. }
                | Kind::Integer { .. } => {
                    parts.push(if argument.not_null {
                        argument.sql.clone()
                    } else {
                        format!("coalesce({}, '')", argument.sql)
                    });
                }
                _ => return Err(Refusal::new(format!("it uses concat() on {}", argument.kind.words()))),
            }
        }
        parts.insert(0, "''".to_owned());
        let all: Vec<&Term> = arguments.iter().collect();
        Ok(Term { not_null: true, ..Term::from_parts(format!("({})", parts.join(" || ")), Kind::Text, &all) })
    }

    fn round(&mut self, arguments: Vec<Term>, scale: u32) -> Result<Term, Refusal> {
        let Some(term) = arguments.into_iter().next() else { return Err(unknown_function("round")) };
        if matches!(term.kind, Kind::Approximate | Kind::DecimalText { .. }) {
            self.caveat_in_view("it rounds a number that SQLite holds in floating point")?;
            let term = self.approximate(term);
            // `round(x, n)` takes halves otherwise before SQLite 3.43.
            let factor = decimal::power_of_ten(scale);
            let sql = match scale {
                0 => format!("round({})", term.sql),
                _ => format!("(round({} * {factor}.0) / {factor}.0)", term.sql),
            };
            return Ok(Term::from_parts(sql, Kind::Approximate, &[&term]));
        }
        self.rescale(term, scale)
    }

    fn whole(&mut self, name: &str, arguments: Vec<Term>) -> Result<Term, Refusal> {
        let Some(term) = arguments.into_iter().next() else { return Err(unknown_function(name)) };
        let (term, digits, scale) = self.scaled(term)?;
        let sql = if scale == 0 {
            term.sql.clone()
        } else {
            let factor = decimal::power_of_ten(scale);
            let truncated = format!("({} / {factor})", term.sql);
            match name {
                "trunc" => truncated,
                "floor" => format!("({truncated} - ({} % {factor} < 0))", term.sql),
                _ => format!("({truncated} + ({} % {factor} > 0))", term.sql),
            }
        };
        let digits = digits.saturating_sub(scale) + 1;
        Ok(Term::from_parts(sql, Kind::Scaled { digits, scale: 0 }, &[&term]))
    }
}

fn at_least(term: &Term, least: i128) -> bool {
    term.number().is_some_and(|number| number.scale == 0 && number.unscaled >= least)
}

fn at_most(term: &Term, most: i128) -> bool {
    term.number().is_some_and(|number| number.scale == 0 && number.unscaled <= most)
}

fn sql_call(sql_name: &str, arguments: &[Term]) -> String {
    let list: Vec<&str> = arguments.iter().map(|argument| argument.sql.as_str()).collect();
    format!("{sql_name}({})", list.join(", "))
}

/// A function that measures a text or finds one in it: its SQL and kind.
fn length(name: &str, arguments: &[Term]) -> Option<(String, Kind)> {
    let kinds: Vec<&Kind> = arguments.iter().map(|argument| &argument.kind).collect();
    let sql = match (name, kinds.as_slice()) {
        ("length" | "char_length" | "character_length", [Kind::Text | Kind::PaddedText | Kind::NocaseText])
        | ("length" | "octet_length", [Kind::Blob]) => sql_call("length", arguments),
        // `octet_length` is younger than many a program that will read the file: SQLite 3.43.
        ("octet_length", [Kind::Text | Kind::NocaseText]) => format!("length(CAST({} AS BLOB))", arguments[0].sql),
        ("bit_length", [Kind::Text | Kind::NocaseText]) => format!("(8 * length(CAST({} AS BLOB)))", arguments[0].sql),
        ("strpos" | "position", [Kind::Text, Kind::Text]) => sql_call("instr", arguments),
        _ => return None,
    };
    Some((sql, COUNT))
}

/// A function that makes a text of texts, or compares their beginnings: its SQL and kind.
fn text(name: &str, arguments: &[Term]) -> Option<(String, Kind)> {
    let kinds: Vec<&Kind> = arguments.iter().map(|argument| &argument.kind).collect();
    let sql_name = if name == "btrim" { "trim" } else { name };
    let sql = match (name, kinds.as_slice()) {
        // `TRIM(BOTH FROM x)` hides the cast to text.
        ("btrim" | "ltrim" | "rtrim", [Kind::Text | Kind::PaddedText | Kind::NocaseText]) => {
            format!("{sql_name}({}, ' ')", arguments[0].sql)
        }
        ("btrim" | "ltrim" | "rtrim", [Kind::Text, Kind::Text]) => sql_call(sql_name, arguments),
        ("replace", [Kind::Text, Kind::Text, Kind::Text]) => sql_call("replace", arguments),
        ("starts_with", [Kind::Text, Kind::Text]) => {
            let (value, prefix) = (&arguments[0].sql, &arguments[1].sql);
            return Some((format!("(substr({value}, 1, length({prefix})) = {prefix})"), Kind::Boolean));
        }
        ("left", [Kind::Text, Kind::Integer { .. }]) if at_most(&arguments[1], -1) => {
            let (value, n) = (&arguments[0].sql, &arguments[1].sql);
            format!("substr({value}, 1, max(length({value}) + ({n}), 0))")
        }
        ("left", [Kind::Text, Kind::Integer { .. }]) if at_least(&arguments[1], 0) => {
            format!("substr({}, 1, {})", arguments[0].sql, arguments[1].sql)
        }
        ("right", [Kind::Text, Kind::Integer { .. }]) if at_most(&arguments[1], 0) => match &arguments[1].sql {
            none if none == "0" => format!("substr({}, 1, 0)", arguments[0].sql),
            n => format!("substr({}, 1 - ({n}))", arguments[0].sql),
        },
        ("right", [Kind::Text, Kind::Integer { .. }]) if at_least(&arguments[1], 1) => {
            let (value, n) = (&arguments[0].sql, &arguments[1].sql);
            format!("substr({value}, max(length({value}) - {n} + 1, 1))")
        }
        ("substr" | "substring", [Kind::Text, Kind::Integer { .. }]) if at_least(&arguments[1], 1) => {
            sql_call("substr", arguments)
        }
        ("substr" | "substring", [Kind::Text, Kind::Integer { .. }, Kind::Integer { .. }])
            if at_least(&arguments[1], 1) && at_least(&arguments[2], 0) =>
        {
            sql_call("substr", arguments)
        }
        _ => return None,
    };
    Some((sql, Kind::Text))
}

/// `OVERLAY(value PLACING new FROM from FOR count)`; without a count, as many as the new ones are.
fn overlay(arguments: &[Term]) -> Option<Term> {
    let (value, new, from) = (arguments.first()?, arguments.get(1)?, arguments.get(2)?.number()?.unscaled);
    let after = match arguments.get(3) {
        Some(count) if at_least(count, 0) => (from + count.number()?.unscaled).to_string(),
        Some(_) => return None,
        None => format!("{from} + length({})", new.sql),
    };
    let (value_sql, before) = (&value.sql, from - 1);
    let sql = format!("(substr({value_sql}, 1, {before}) || {} || substr({value_sql}, {after}))", new.sql);
    Some(Term::from_parts(sql, Kind::Text, &[value, new]))
}

/// The pattern of `LIKE pattern ESCAPE character`, which the server prints as a call, with backslashes as LIKE reads them.
fn like_escape(arguments: &[Term]) -> Option<Term> {
    let (pattern, escape) = (arguments.first()?.text()?, arguments.get(1)?.text()?);
    let mut escapes = escape.chars();
    let escape = escapes.next();
    if escapes.next().is_some() {
        return None;
    }
    let mut escaped = false;
    let mut written = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if Some(character) == escape && !escaped {
            written.push('\\');
            escaped = true;
        } else {
            if character == '\\' && !escaped {
                written.push('\\');
            }
            written.push(character);
            escaped = false;
        }
    }
    Some(Term::constant(render::text(&written), Kind::Text, Constant::Text(written)))
}

fn unknown_call(name: &str, kinds: &[&Kind]) -> Refusal {
    let known = [
        "length",
        "char_length",
        "octet_length",
        "lower",
        "upper",
        "btrim",
        "ltrim",
        "rtrim",
        "replace",
        "substr",
        "substring",
        "abs",
        "round",
        "floor",
        "ceil",
        "trunc",
    ];
    if !known.contains(&name) {
        return unknown_function(name);
    }
    let words: Vec<&str> = kinds.iter().map(|kind| kind.words()).collect();
    Refusal::new(format!("it calls {name}() on {}, which has no known equal in SQLite", words.join(", ")))
}
