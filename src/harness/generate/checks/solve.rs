//! From the checks of a table to limits of its columns.

use super::family::{Family, tighten};
use super::read::{Comparison, List, Match, Operand, Part, Reader, arguments, visit};
use crate::catalog::{Column, DataType, Shape, Table, TableKind};
use crate::harness::generate::judge::{domain_checks, row_conditions, with_value};
use crate::harness::generate::values::{Bound, Limits, Pattern};
use crate::project::Form;
use sqlparser::ast::{Expr, Value};
use std::collections::BTreeSet;

/// What the checks of a table say.
#[derive(Debug)]
pub(in crate::harness::generate) struct Findings<'c> {
    /// By column.
    pub(in crate::harness::generate) limits: Vec<Limits>,
    pub(in crate::harness::generate) forms: Vec<Option<Form>>,
    /// By column: values that a condition names.
    pub(in crate::harness::generate) suggested: Vec<Vec<String>>,
    /// By column: patterns that a condition names and that are not its limits, and whether they are about its text.
    pub(in crate::harness::generate) patterns: Vec<Vec<(Pattern, bool)>>,
    /// Columns that have to be NULL in some rows and not in others.
    pub(in crate::harness::generate) often_null: BTreeSet<usize>,
    pub(in crate::harness::generate) never_null: BTreeSet<usize>,
    pub(in crate::harness::generate) orderings: Vec<(usize, usize)>,
    /// Names of checks that were not solved.
    pub(in crate::harness::generate) judged: Vec<String>,
    /// What became limits and nothing else, by the name of its check.
    solved: Vec<(String, Part)>,
    pub(super) families: Vec<Family>,
    pub(super) reader: Reader<'c>,
}

/// Solves what can be solved. `is_foreign`: whether a column's values come from another table, so that limits do not
/// reach them.
pub(in crate::harness::generate) fn find<'c>(
    table: &Table,
    columns: &'c [&'c Column],
    sqlite: bool,
    is_foreign: &dyn Fn(usize) -> bool,
) -> Findings<'c> {
    let mut findings = Findings::new(Reader { columns, sqlite });
    for condition in row_conditions(table) {
        findings.check(&condition.name, &condition.expression, is_foreign);
    }
    if let TableKind::Partitioned { conditions, .. } = &table.kind {
        findings.partitions(conditions);
    }
    findings.bound_both_sides_of_orderings();
    findings
}

/// The places of the columns that an expression names.
pub(in crate::harness::generate) fn columns_of(expression: &str, inserted: &[&Column], sqlite: bool) -> Vec<usize> {
    let reader = Reader { columns: inserted, sqlite };
    let mut found = reader.parse(expression).map(|parsed| reader.columns_of(&parsed)).unwrap_or_default();
    if found.is_empty() {
        // What the parser does not read.
        let words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
        for place in words.filter_map(|word| inserted.iter().position(|column| column.name == word)) {
            if !found.contains(&place) {
                found.push(place);
            }
        }
    }
    found
}

/// Limits together with what a domain's own checks say, as far as they are solved.
pub(in crate::harness::generate) fn domain_limits(data_type: &DataType, limits: &Limits) -> Limits {
    let column = Column {
        name: "value".to_owned(),
        data_type: data_type.clone(),
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        collation: None,
        comment: None,
    };
    let columns = [&column];
    let mut findings = Findings::new(Reader { columns: &columns, sqlite: false });
    findings.limits = vec![limits.clone()];
    for check in domain_checks(data_type) {
        findings.check("domain", &with_value(&check, "value"), &|_| false);
    }
    findings.limits.swap_remove(0)
}

impl<'c> Findings<'c> {
    /// Of columns of which nothing is said.
    pub(super) fn new(reader: Reader<'c>) -> Findings<'c> {
        let width = reader.columns.len();
        Findings {
            limits: vec![Limits::default(); width],
            forms: vec![None; width],
            suggested: vec![Vec::new(); width],
            patterns: vec![Vec::new(); width],
            often_null: BTreeSet::new(),
            never_null: BTreeSet::new(),
            orderings: Vec::new(),
            judged: Vec::new(),
            solved: Vec::new(),
            families: reader.columns.iter().map(|column| Family::of(column)).collect(),
            reader,
        }
    }

    fn check(&mut self, name: &str, condition: &str, is_foreign: &dyn Fn(usize) -> bool) {
        let Some(parsed) = self.reader.parse(condition) else { return self.judge(name) };
        for part in Part::new(parsed).conjuncts() {
            if !self.solve(&part) {
                self.suggest(&part.expression);
                self.judge(name);
            } else if self.reader.columns_of(&part.expression).into_iter().any(is_foreign) {
                self.judge(name);
            } else {
                self.solved.push((name.to_owned(), part));
            }
        }
    }

    fn judge(&mut self, name: &str) {
        if !self.judged.iter().any(|known| known == name) {
            self.judged.push(name.to_owned());
        }
    }

    /// Takes back that the limits of a column are enough to keep its checks.
    pub(in crate::harness::generate) fn unsolve(&mut self, column: usize) {
        for (name, part) in std::mem::take(&mut self.solved) {
            if self.reader.columns_of(&part.expression).contains(&column) {
                self.suggest(&part.expression);
                self.judge(&name);
            } else {
                self.solved.push((name, part));
            }
        }
    }

    /// Makes limits of one condition; false where they are not enough to keep it.
    pub(super) fn solve(&mut self, part: &Part) -> bool {
        let (expression, negated) = (&part.expression, part.negated);
        if let Some(list) = self.reader.list(expression, negated) {
            return self.list(list);
        }
        if let Some((left, comparison, right)) = self.reader.comparison(expression, negated) {
            return self.comparison(&left, comparison, &right);
        }
        if let Some(found) = self.reader.pattern(expression, negated) {
            return self.pattern(found);
        }
        if let Some((operand, is_null)) = self.reader.null_test(expression, negated) {
            // A check that holds for NULL only is not solved.
            return !is_null && self.not_null(&operand);
        }
        match (expression, self.reader.call(expression)) {
            (Expr::Value(value), _) => value.value == Value::Boolean(!negated),
            (_, Some((name, place))) if name == "json_valid" && !negated => {
                self.forms[place].get_or_insert(Form::Json);
                true
            }
            _ => self.alternatives(part.clone().alternatives()),
        }
    }

    fn list(&mut self, list: List) -> bool {
        let List { place, values, negated } = list;
        if !negated {
            return self.allow(place, values);
        }
        let (limits, family) = (&mut self.limits[place], self.families[place]);
        for value in values {
            let text = if family == Family::Padded { value.trim_end_matches(' ') } else { &value };
            if family.is_text() && text.is_empty() {
                limits.length_min = Some(limits.length_min.unwrap_or(0).max(1));
            } else {
                limits.excluded.push(value);
            }
        }
        true
    }

    fn allow(&mut self, place: usize, values: Vec<String>) -> bool {
        let allowed = &mut self.limits[place].allowed;
        *allowed = Some(match allowed.take() {
            None => values,
            Some(before) => before.into_iter().filter(|value| values.contains(value)).collect(),
        });
        true
    }

    fn comparison(&mut self, left: &Operand, comparison: Comparison, right: &Operand) -> bool {
        match (left, right) {
            (Operand::Column { place, as_text: false }, Operand::Literal(text)) => self.bound(*place, comparison, text),
            (Operand::Column { place: a, as_text: false }, Operand::Column { place: b, as_text: false }) => {
                match comparison {
                    Comparison::Less | Comparison::LessOrEqual => self.orderings.push((*a, *b)),
                    Comparison::Greater | Comparison::GreaterOrEqual => self.orderings.push((*b, *a)),
                    Comparison::Equal | Comparison::NotEqual => {}
                }
                false
            }
            (Operand::Function { name, place }, Operand::Literal(text)) => {
                self.function(name, *place, comparison, text)
            }
            (Operand::Column { place: a, .. }, Operand::Function { name, place: b })
            | (Operand::Function { name, place: b }, Operand::Column { place: a, .. }) => {
                a == b && comparison == Comparison::Equal && self.folded(*a, name)
            }
            _ => false,
        }
    }

    fn bound(&mut self, place: usize, comparison: Comparison, text: &str) -> bool {
        let family = self.families[place];
        // The order of texts is that of a collation.
        let is_ordered = match family {
            Family::Number | Family::Moment => true,
            Family::Text | Family::Padded | Family::Caseless => false,
            Family::Opaque => {
                matches!(self.reader.columns[place].data_type.base().shape, Shape::TimestampTz { .. } | Shape::Boolean)
            }
        };
        if !is_ordered {
            return false;
        }
        let limits = &mut self.limits[place];
        let bound = |inclusive| Bound { value: text.to_owned(), inclusive };
        match comparison {
            Comparison::Greater => tighten(&mut limits.minimum, bound(false), family, true),
            Comparison::GreaterOrEqual => tighten(&mut limits.minimum, bound(true), family, true),
            Comparison::Less => tighten(&mut limits.maximum, bound(false), family, false),
            Comparison::LessOrEqual => tighten(&mut limits.maximum, bound(true), family, false),
            // Lists of one value.
            Comparison::Equal | Comparison::NotEqual => return false,
        }
        true
    }

    /// Where one column is never above another, the lower bound of the first is one of the second, and the upper bound
    /// of the second one of the first: the two values of a row may then be exchanged.
    fn bound_both_sides_of_orderings(&mut self) {
        for _ in 0..self.orderings.len() {
            for (lower, upper) in self.orderings.clone() {
                let family = self.families[lower];
                if family != self.families[upper] {
                    continue;
                }
                if let Some(minimum) = self.limits[lower].minimum.clone() {
                    tighten(&mut self.limits[upper].minimum, minimum, family, true);
                }
                if let Some(maximum) = self.limits[upper].maximum.clone() {
                    tighten(&mut self.limits[lower].maximum, maximum, family, false);
                }
            }
        }
    }

    fn function(&mut self, name: &str, place: usize, comparison: Comparison, text: &str) -> bool {
        match name {
            "length" | "char_length" | "character_length" | "octet_length" => {
                let shape = &self.reader.columns[place].data_type.base().shape;
                let is_counted = match shape {
                    Shape::Bytea => true,
                    Shape::Enum(_) => false,
                    _ => self.families[place].is_text() && name != "octet_length",
                };
                text.parse().is_ok_and(|length| is_counted && self.length(place, comparison, length))
            }
            // A text of more than blanks: at least one character, which most are.
            "btrim" | "trim" if comparison == Comparison::NotEqual && text.is_empty() => {
                self.length(place, Comparison::GreaterOrEqual, 1);
                false
            }
            "json_type" if comparison == Comparison::Equal => {
                self.forms[place] = match text {
                    "array" => Some(Form::JsonArray),
                    "object" => Some(Form::JsonObject),
                    _ => return false,
                };
                true
            }
            _ => false,
        }
    }

    fn length(&mut self, place: usize, comparison: Comparison, length: i64) -> bool {
        let (low, high) = match comparison {
            Comparison::Equal => (Some(length), Some(length)),
            Comparison::Greater => (Some(length.saturating_add(1)), None),
            Comparison::GreaterOrEqual => (Some(length), None),
            Comparison::Less => (None, Some(length.saturating_sub(1))),
            Comparison::LessOrEqual => (None, Some(length)),
            Comparison::NotEqual if length == 0 => (Some(1), None),
            Comparison::NotEqual => return false,
        };
        let clamp = |length: i64| u32::try_from(length.max(0)).unwrap_or(u32::MAX);
        let limits = &mut self.limits[place];
        if let Some(low) = low.map(clamp) {
            limits.length_min = Some(limits.length_min.unwrap_or(0).max(low));
        }
        if let Some(high) = high.map(clamp) {
            limits.length_max = Some(limits.length_max.unwrap_or(u32::MAX).min(high));
        }
        high.is_none_or(|high| high >= 0)
    }

    /// `column IS NOT NULL`, or `julianday(column) IS NOT NULL`: the text is a time.
    fn not_null(&mut self, operand: &Operand) -> bool {
        let place = match operand {
            Operand::Column { place, .. } => *place,
            Operand::Function { name, place } if self.reader.sqlite => {
                let form = match name.as_str() {
                    "julianday" | "datetime" | "unixepoch" => Form::Rfc3339,
                    "date" => Form::Date,
                    _ => return false,
                };
                self.forms[*place].get_or_insert(form);
                *place
            }
            Operand::Function { .. } | Operand::Literal(_) => return false,
        };
        self.never_null.insert(place);
        true
    }

    /// `lower(column) = column` and its like.
    fn folded(&mut self, place: usize, name: &str) -> bool {
        let limits = &mut self.limits[place];
        match name {
            "lower" | "btrim" | "trim" => limits.plain = true,
            "upper" if !limits.padded && self.families[place] != Family::Caseless => {
                let text = if limits.patterns.is_empty() { "^[A-Z][A-Z0-9]{0,9}$" } else { "^[^a-z]*$" }.to_owned();
                limits.patterns.push(Pattern::Regex { text, ignore_case: false, negated: false });
            }
            _ => {}
        }
        // Of letters that have no case anything is both; a judge has the last word.
        name == "lower" && limits.patterns.is_empty() && limits.allowed.is_none()
    }

    /// Whether a column's patterns, this one among them, are all that has to be asked of its values.
    fn pattern(&mut self, found: Match) -> bool {
        let Match { place, as_text, pattern } = found;
        let family = self.families[place];
        let padded = family == Family::Padded && !as_text;
        let limits = &mut self.limits[place];
        let mixed = !limits.patterns.is_empty() && limits.padded != padded;
        if !family.is_text() || limits.allowed.is_some() || mixed || !pattern.is_translated() {
            return false;
        }
        let is_solved = pattern.is_solved();
        limits.padded = padded;
        limits.patterns.push(match family == Family::Caseless && !as_text {
            true => pattern.ignoring_case(),
            false => pattern,
        });
        is_solved
    }

    /// OR of conditions on one column. NULL satisfies most of them anyway; of the others one is kept.
    fn alternatives(&mut self, parts: Vec<Part>) -> bool {
        let touched: BTreeSet<usize> = parts.iter().flat_map(|part| self.reader.columns_of(&part.expression)).collect();
        let (1, Some(&place), true) = (touched.len(), touched.first(), parts.len() > 1) else { return false };
        let is_null = |part: &Part| {
            let tested = self.reader.null_test(&part.expression, part.negated);
            matches!(tested, Some((Operand::Column { .. }, true)))
        };
        let (nulls, rest): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(is_null);
        // Lists and single values together are one list.
        let list = |part: &Part| self.reader.list(&part.expression, part.negated).filter(|list| !list.negated);
        let lists: Option<Vec<Vec<String>>> = rest.iter().map(|part| list(part).map(|list| list.values)).collect();
        if let Some(lists) = lists.filter(|lists| !lists.is_empty()) {
            return self.allow(place, lists.concat());
        }
        for part in rest {
            let before = (self.limits[place].clone(), self.forms[place], self.never_null.clone());
            if part.conjuncts().iter().all(|part| self.solve(part)) {
                if !nulls.is_empty() {
                    self.never_null = before.2;
                }
                return true;
            }
            (self.limits[place], self.forms[place], self.never_null) = before;
        }
        false
    }

    /// Keeps the values that an unsolved condition names: it may be satisfied by few others.
    pub(super) fn suggest(&mut self, expression: &Expr) {
        let reader = self.reader;
        visit(expression, &mut |inner| {
            if matches!(inner, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
                // A boolean column that is named may have to be either.
                return;
            }
            if let Some(found) = reader.pattern(inner, false) {
                self.patterns[found.place].push((found.pattern, found.as_text));
            } else if let Some(list) = reader.list(inner, false) {
                self.add_suggested(list.place, list.values);
            } else if let Some((Operand::Column { place, as_text: false }, _, Operand::Literal(text))) =
                reader.comparison(inner, false)
            {
                self.add_suggested(place, vec![text]);
            } else if let Some((Operand::Column { place, .. }, _)) = reader.null_test(inner, false) {
                self.often_null.insert(place);
            } else if let Expr::Function(function) = inner {
                let name = function.name.to_string().to_lowercase();
                if name.starts_with("num_n") || name == "coalesce" {
                    self.often_null.extend(arguments(function).flat_map(|argument| reader.columns_of(argument)));
                }
            }
        });
    }

    fn add_suggested(&mut self, place: usize, values: Vec<String>) {
        let suggested = &mut self.suggested[place];
        for value in values {
            if !suggested.contains(&value) {
                suggested.push(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The column `c` of a type and the text `d`, and whether their limits keep all of a check.
    fn is_solved(data_type: &DataType, check: &str) -> bool {
        let column = |name: &str, data_type: &DataType| Column {
            name: name.to_owned(),
            data_type: data_type.clone(),
            not_null: false,
            default: None,
            identity: None,
            generated: None,
            sequence: None,
            collation: None,
            comment: None,
        };
        let (c, d) = (column("c", data_type), column("d", &DataType::new("text", Shape::Text)));
        let columns = [&c, &d];
        let mut findings = Findings::new(Reader { columns: &columns, sqlite: false });
        findings.check("check", check, &|_| false);
        findings.judged.is_empty()
    }

    #[test]
    fn ranges_lists_lengths_and_patterns_are_solved_and_nothing_else_is() {
        let integer = DataType::new("integer", Shape::Integer);
        for check in [
            "c > 0",
            "0 <= c AND c < 10",
            "c BETWEEN -90 AND 90",
            "NOT (c BETWEEN 5 AND 10)",
            "NOT (c <= 5 OR c IN (7, 8))",
            "c = 1 OR c IN (2, 3) OR c = ANY (ARRAY[4])",
            "c <> ALL ('{1,2}'::integer[])",
            "c IS NOT NULL AND (c IS NULL OR c > 5)",
        ] {
            assert!(is_solved(&integer, check), "{check}");
        }
        for check in ["c % 2 = 0", "c + 1 > 5", "c > length(d)", "c IS NULL", "c > 5 OR d = 'x'", "c IN (1, NULL)"] {
            assert!(!is_solved(&integer, check), "{check}");
        }
        let text = DataType::new("text", Shape::Text);
        for check in [
            "length((c)::text) <= 150",
            "c ~ '^[a-z]{3}$'",
            "NOT (c !~ '^[0-9]')",
            "c LIKE 'a%' AND c <> ''",
            "c ~ similar_to_escape('(a|b)%')",
            "c = lower(c)",
        ] {
            assert!(is_solved(&text, check), "{check}");
        }
        // The order of texts is the server's.
        for check in ["c > 'a'", "c < d", "c = d", "left(c, 2) = 'DE'", "btrim(c) <> ''", "c = upper(c)"] {
            assert!(!is_solved(&text, check), "{check}");
        }
    }
}
