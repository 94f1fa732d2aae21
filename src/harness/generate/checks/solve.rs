//! From the checks of a table to limits of its columns.

use super::condition::Condition;
use super::evaluate::{Family, order};
use super::node::{Comparison, Node, Reader, columns};
use crate::catalog::{Column, DataType, Shape, Table, TableKind};
use crate::harness::generate::judge::{domain_checks, row_conditions, with_value};
use crate::harness::generate::values::{Bound, Limits, Pattern};
use crate::project::Form;
use std::collections::BTreeSet;

/// What the checks of a table say.
#[derive(Debug)]
pub(in crate::harness::generate) struct Findings {
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
    pub(in crate::harness::generate) conditions: Vec<Condition>,
    pub(in crate::harness::generate) orderings: Vec<(usize, usize)>,
    /// Names of checks that were not solved.
    pub(in crate::harness::generate) judged: Vec<String>,
    /// What became limits and nothing else, by the name of its check.
    solved: Vec<(String, Node)>,
    pub(super) families: Vec<Family>,
    shapes: Vec<Shape>,
    sqlite: bool,
}

/// Solves what can be solved. `is_foreign`: whether a column's values come from another table, so that limits do not
/// reach them.
pub(in crate::harness::generate) fn find(
    table: &Table,
    columns: &[&Column],
    sqlite: bool,
    is_foreign: &dyn Fn(usize) -> bool,
) -> Findings {
    let reader = Reader { columns, sqlite };
    let families: Vec<Family> = columns.iter().map(|column| Family::of(column, sqlite)).collect();
    let mut findings = Findings {
        limits: vec![Limits::default(); columns.len()],
        forms: vec![None; columns.len()],
        suggested: vec![Vec::new(); columns.len()],
        patterns: vec![Vec::new(); columns.len()],
        often_null: BTreeSet::new(),
        never_null: BTreeSet::new(),
        conditions: Vec::new(),
        orderings: Vec::new(),
        judged: Vec::new(),
        solved: Vec::new(),
        families,
        shapes: columns.iter().map(|column| column.data_type.base().shape.clone()).collect(),
        sqlite,
    };
    for condition in row_conditions(table) {
        findings.check(&condition.name, reader.read(&condition.expression), is_foreign);
    }
    if let TableKind::Partitioned { conditions, .. } = &table.kind {
        let leaves = conditions.iter().map(|condition| reader.read(condition)).collect();
        findings.partitions(&format!("partitions of {}", table.name), leaves);
    }
    findings.bound_both_sides_of_orderings();
    findings
}

/// The places of the columns that an expression names.
pub(in crate::harness::generate) fn columns_of(expression: &str, inserted: &[&Column], sqlite: bool) -> Vec<usize> {
    let mut found = Vec::new();
    columns(&Reader { columns: inserted, sqlite }.read(expression), &mut found);
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

/// The condition of a partial index over the inserted columns.
pub(in crate::harness::generate) fn predicate(name: &str, text: &str, columns: &[&Column], sqlite: bool) -> Condition {
    let families: Vec<Family> = columns.iter().map(|column| Family::of(column, sqlite)).collect();
    Condition::new(name, Reader { columns, sqlite }.read(text), &families)
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
    let reader = Reader { columns: &[&column], sqlite: false };
    let mut findings = Findings {
        limits: vec![limits.clone()],
        forms: vec![None],
        suggested: vec![Vec::new()],
        patterns: vec![Vec::new()],
        often_null: BTreeSet::new(),
        never_null: BTreeSet::new(),
        conditions: Vec::new(),
        orderings: Vec::new(),
        judged: Vec::new(),
        solved: Vec::new(),
        families: vec![Family::of(&column, false)],
        shapes: vec![data_type.base().shape.clone()],
        sqlite: false,
    };
    for check in domain_checks(data_type) {
        findings.check("domain", reader.read(&with_value(&check, "value")), &|_| false);
    }
    findings.limits.swap_remove(0)
}

impl Findings {
    fn check(&mut self, name: &str, node: Node, is_foreign: &dyn Fn(usize) -> bool) {
        let parts = match node {
            Node::And(parts) => parts,
            other => vec![other],
        };
        for part in parts {
            let mut touched = Vec::new();
            columns(&part, &mut touched);
            let solved = self.solve(&part);
            let reaches = !touched.iter().any(|column| is_foreign(*column));
            if solved && reaches {
                self.solved.push((name.to_owned(), part));
                continue;
            }
            if !solved {
                self.suggest(&part);
            }
            self.keep(name, part);
        }
    }

    /// Leaves a condition to the finished row, or to a judge.
    pub(super) fn keep(&mut self, name: &str, node: Node) {
        let condition = Condition::new(name, node, &self.families);
        if !condition.is_decidable() && !self.judged.iter().any(|known| known == name) {
            self.judged.push(name.to_owned());
        }
        self.conditions.push(condition);
    }

    /// Takes back that the limits of a column are enough to keep its checks.
    pub(in crate::harness::generate) fn unsolve(&mut self, column: usize) {
        for (name, node) in std::mem::take(&mut self.solved) {
            let mut touched = Vec::new();
            columns(&node, &mut touched);
            if touched.contains(&column) {
                self.suggest(&node);
                self.keep(&name, node);
            } else {
                self.solved.push((name, node));
            }
        }
    }

    /// The same table as if nothing were said about it.
    pub(super) fn without_checks(&self) -> Findings {
        let width = self.families.len();
        Findings {
            limits: vec![Limits::default(); width],
            forms: vec![None; width],
            suggested: vec![Vec::new(); width],
            patterns: vec![Vec::new(); width],
            often_null: BTreeSet::new(),
            never_null: BTreeSet::new(),
            conditions: Vec::new(),
            orderings: Vec::new(),
            judged: Vec::new(),
            solved: Vec::new(),
            families: self.families.clone(),
            shapes: self.shapes.clone(),
            sqlite: self.sqlite,
        }
    }

    /// Makes limits of one condition; false where it is not enough to keep them.
    pub(super) fn solve(&mut self, node: &Node) -> bool {
        match node {
            Node::Truth(true) => true,
            Node::Compare(comparison, left, right) => match (left.as_ref(), right.as_ref()) {
                (Node::Column(place), Node::Literal(text)) => self.bound(*place, *comparison, text),
                (Node::Literal(text), Node::Column(place)) => self.bound(*place, comparison.turned(), text),
                (Node::Column(a), Node::Column(b)) => {
                    match comparison {
                        Comparison::Less | Comparison::LessOrEqual => self.orderings.push((*a, *b)),
                        Comparison::Greater | Comparison::GreaterOrEqual => self.orderings.push((*b, *a)),
                        _ => {}
                    }
                    false
                }
                (Node::Call(name, arguments), Node::Literal(text)) => self.call(name, arguments, *comparison, text),
                (Node::Literal(text), Node::Call(name, arguments)) => {
                    self.call(name, arguments, comparison.turned(), text)
                }
                (Node::Column(a), Node::Call(name, arguments)) | (Node::Call(name, arguments), Node::Column(a))
                    if *comparison == Comparison::Equal && arguments == &[Node::Column(*a)] =>
                {
                    self.folded(*a, name)
                }
                _ => false,
            },
            Node::In(value, items) => match value.as_ref() {
                Node::Column(place) => {
                    let items: Option<Vec<String>> = items.iter().map(literal).collect();
                    items.is_some_and(|items| self.allow(*place, items))
                }
                _ => false,
            },
            Node::Not(inner) => match inner.as_ref() {
                Node::In(value, items) => match (value.as_ref(), items.iter().map(literal).collect::<Option<Vec<_>>>())
                {
                    (Node::Column(place), Some(items)) => {
                        self.limits[*place].excluded.extend(items);
                        true
                    }
                    _ => false,
                },
                Node::IsNull(inner) => match inner.as_ref() {
                    Node::Column(place) => {
                        self.never_null.insert(*place);
                        true
                    }
                    Node::Call(name, arguments) => self.is_moment(name, arguments),
                    _ => false,
                },
                Node::Column(place) if self.families[*place] == Family::Boolean => self.allow(*place, vec!["f".into()]),
                _ => false,
            },
            Node::Column(place) if self.families[*place] == Family::Boolean => self.allow(*place, vec!["t".into()]),
            Node::Matches(value, pattern) => self.pattern(value, pattern),
            Node::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
                ("json_valid", [Node::Column(place)]) => {
                    self.forms[*place].get_or_insert(Form::Json);
                    true
                }
                _ => false,
            },
            Node::Or(parts) => self.alternatives(parts),
            // A check that holds for NULL only.
            _ => false,
        }
    }

    /// Whether a column's patterns, this one among them, are all that has to be asked of its values.
    fn pattern(&mut self, value: &Node, pattern: &Pattern) -> bool {
        let (place, is_cast) = match value {
            Node::Column(place) => (*place, false),
            Node::Text(inner) => match inner.as_ref() {
                Node::Column(place) => (*place, true),
                _ => return false,
            },
            _ => return false,
        };
        let family = self.families[place];
        let padded = family == Family::Padded && !is_cast;
        let limits = &mut self.limits[place];
        let mixed = !limits.patterns.is_empty() && limits.padded != padded;
        if !family.is_text() || limits.allowed.is_some() || mixed || !pattern.is_translated() {
            return false;
        }
        limits.padded = padded;
        limits.patterns.push(match family == Family::Caseless && !is_cast {
            true => pattern.clone().ignoring_case(),
            false => pattern.clone(),
        });
        pattern.is_solved()
    }

    /// OR of conditions on one column. NULL satisfies most of them anyway; of the others one is kept.
    fn alternatives(&mut self, parts: &[Node]) -> bool {
        let mut touched = Vec::new();
        parts.iter().for_each(|part| columns(part, &mut touched));
        let [place] = touched.as_slice() else { return false };
        let is_null = |part: &&Node| matches!(part, Node::IsNull(inner) if **inner == Node::Column(*place));
        let rest: Vec<&Node> = parts.iter().filter(|part| !is_null(part)).collect();
        let or_null = rest.len() < parts.len();
        // Lists and single values together are one list.
        let values: Option<Vec<Vec<String>>> = (rest.iter())
            .map(|part| match part {
                Node::Compare(Comparison::Equal, left, right) => match (left.as_ref(), right.as_ref()) {
                    (Node::Column(_), Node::Literal(text)) | (Node::Literal(text), Node::Column(_)) => {
                        Some(vec![text.clone()])
                    }
                    _ => None,
                },
                Node::In(value, items) if matches!(value.as_ref(), Node::Column(_)) => {
                    items.iter().map(literal).collect()
                }
                _ => None,
            })
            .collect();
        if let Some(values) = values {
            return self.allow(*place, values.concat());
        }
        for part in rest {
            let before = (self.limits[*place].clone(), self.forms[*place], self.never_null.clone());
            let solved = match part {
                Node::And(parts) => parts.iter().all(|part| self.solve(part)),
                other => self.solve(other),
            };
            if solved {
                if or_null {
                    self.never_null = before.2;
                }
                return true;
            }
            (self.limits[*place], self.forms[*place], self.never_null) = before;
        }
        false
    }

    fn allow(&mut self, place: usize, values: Vec<String>) -> bool {
        let allowed = &mut self.limits[place].allowed;
        *allowed = Some(match allowed.take() {
            None => values,
            Some(before) => before.into_iter().filter(|value| values.contains(value)).collect(),
        });
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

    fn bound(&mut self, place: usize, comparison: Comparison, text: &str) -> bool {
        let family = self.families[place];
        // An order of texts is that of a collation; only SQLite's is that of bytes.
        if (family.is_text() || family == Family::Opaque)
            && !matches!(comparison, Comparison::Equal | Comparison::NotEqual)
            && !matches!(self.shapes[place], Shape::TimestampTz { .. })
        {
            return false;
        }
        let limits = &mut self.limits[place];
        match comparison {
            Comparison::Equal => return self.allow(place, vec![text.to_owned()]),
            Comparison::NotEqual if text.trim_end_matches(' ').is_empty() && family.is_text() => {
                limits.length_min = Some(limits.length_min.unwrap_or(0).max(1));
            }
            Comparison::NotEqual => limits.excluded.push(text.to_owned()),
            Comparison::Greater | Comparison::GreaterOrEqual => {
                let inclusive = comparison == Comparison::GreaterOrEqual;
                tighten(&mut limits.minimum, Bound { value: text.to_owned(), inclusive }, family, true);
            }
            Comparison::Less | Comparison::LessOrEqual => {
                let inclusive = comparison == Comparison::LessOrEqual;
                tighten(&mut limits.maximum, Bound { value: text.to_owned(), inclusive }, family, false);
            }
        }
        true
    }

    fn call(&mut self, name: &str, arguments: &[Node], comparison: Comparison, text: &str) -> bool {
        let [Node::Column(place)] = arguments else { return false };
        let limits = &mut self.limits[*place];
        match name {
            "length" | "char_length" | "character_length" | "octet_length" => {
                let Ok(number) = text.parse::<i64>() else { return false };
                let bytes = name == "octet_length" && !matches!(self.shapes[*place], Shape::Bytea);
                let shape = &self.shapes[*place];
                let texts =
                    self.families[*place].is_text() && !matches!(shape, Shape::Enum(_)) || *shape == Shape::Bytea;
                if bytes || !texts {
                    return false;
                }
                let (low, high) = match comparison {
                    Comparison::Equal => (Some(number), Some(number)),
                    Comparison::Greater => (Some(number + 1), None),
                    Comparison::GreaterOrEqual => (Some(number), None),
                    Comparison::Less => (None, Some(number - 1)),
                    Comparison::LessOrEqual => (None, Some(number)),
                    Comparison::NotEqual if number == 0 => (Some(1), None),
                    Comparison::NotEqual => return false,
                };
                let clamp = |number: i64| u32::try_from(number.max(0)).unwrap_or(u32::MAX);
                if let Some(low) = low.map(clamp) {
                    limits.length_min = Some(limits.length_min.unwrap_or(0).max(low));
                }
                if let Some(high) = high.map(clamp) {
                    limits.length_max = Some(limits.length_max.unwrap_or(u32::MAX).min(high));
                }
                high.is_none_or(|high| high >= 0)
            }
            // A text of more than blanks: at least one character, which most are.
            "btrim" | "trim" if comparison == Comparison::NotEqual && text.is_empty() => {
                limits.length_min = Some(limits.length_min.unwrap_or(0).max(1));
                false
            }
            "json_type" if comparison == Comparison::Equal => {
                let form = match text {
                    "array" => Form::JsonArray,
                    "object" => Form::JsonObject,
                    _ => return false,
                };
                self.forms[*place] = Some(form);
                true
            }
            _ => false,
        }
    }

    /// `julianday(column) IS NOT NULL`: the text is a time.
    fn is_moment(&mut self, name: &str, arguments: &[Node]) -> bool {
        match (name, arguments) {
            ("julianday" | "datetime" | "unixepoch", [Node::Column(place)]) if self.sqlite => {
                self.forms[*place].get_or_insert(Form::Rfc3339);
                self.never_null.insert(*place);
                true
            }
            ("date", [Node::Column(place)]) if self.sqlite => {
                self.forms[*place].get_or_insert(Form::Date);
                self.never_null.insert(*place);
                true
            }
            _ => false,
        }
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
        name == "lower" && self.limits[place].patterns.is_empty() && self.limits[place].allowed.is_none()
    }

    /// Keeps the values that an unsolved condition names: it may be satisfied by few others.
    pub(super) fn suggest(&mut self, node: &Node) {
        let mut add = |place: usize, text: String| {
            if !self.suggested[place].contains(&text) {
                self.suggested[place].push(text);
            }
        };
        match node {
            Node::Compare(_, left, right) | Node::Distinct(left, right) => {
                match (left.as_ref(), right.as_ref()) {
                    (Node::Column(place), Node::Literal(text)) | (Node::Literal(text), Node::Column(place)) => {
                        add(*place, text.clone());
                    }
                    _ => {}
                }
                self.suggest(left);
                self.suggest(right);
            }
            Node::In(value, items) => {
                if let Node::Column(place) = value.as_ref() {
                    items.iter().filter_map(literal).for_each(|text| add(*place, text));
                }
            }
            Node::IsNull(inner) => {
                if let Node::Column(place) = inner.as_ref() {
                    self.often_null.insert(*place);
                }
            }
            Node::Matches(inner, pattern) => {
                match inner.as_ref() {
                    Node::Column(place) => self.patterns[*place].push((pattern.clone(), false)),
                    Node::Text(cast) => {
                        if let Node::Column(place) = cast.as_ref() {
                            self.patterns[*place].push((pattern.clone(), true));
                        }
                    }
                    _ => {}
                }
                self.suggest(inner);
            }
            Node::Not(inner) | Node::Text(inner) => self.suggest(inner),
            Node::And(nodes) | Node::Or(nodes) | Node::Other(nodes) => {
                nodes.iter().for_each(|node| self.suggest(node));
            }
            Node::Call(name, nodes) => {
                if name.starts_with("num_n") || name == "coalesce" {
                    self.often_null.extend(nodes.iter().filter_map(|node| match node {
                        Node::Column(place) => Some(*place),
                        _ => None,
                    }));
                }
                nodes.iter().for_each(|node| self.suggest(node));
            }
            Node::Column(_) | Node::Literal(_) | Node::Null | Node::Truth(_) => {}
        }
    }
}

fn literal(node: &Node) -> Option<String> {
    match node {
        Node::Literal(text) => Some(text.clone()),
        Node::Truth(truth) => Some(if *truth { "t" } else { "f" }.to_owned()),
        _ => None,
    }
}

/// Keeps the narrower of two bounds.
pub(in crate::harness::generate) fn tighten(bound: &mut Option<Bound>, other: Bound, family: Family, is_minimum: bool) {
    let narrower = match bound {
        None => true,
        Some(bound) => match order(&other.value, &bound.value, family) {
            Ok(order) if order.is_eq() => !other.inclusive,
            Ok(order) => order.is_gt() == is_minimum,
            Err(()) => (other.value > bound.value) == is_minimum,
        },
    };
    if narrower {
        *bound = Some(other);
    }
}
