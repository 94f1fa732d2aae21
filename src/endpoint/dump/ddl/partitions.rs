//! Which rows a partition takes, as `pg_get_partition_constraintdef` says it: that is not in a dump, the bounds are.

use super::collated::is_text_call;
use super::database::{Database, Relation};
use super::name::spelled;
use super::times;
use super::types::Spelled;
use crate::catalog::QualifiedName;
use std::cmp::Ordering;

/// A column of a partition key, or its expression.
struct KeyPart {
    /// As it stands in NULL tests.
    text: String,
    /// As it stands left of an operator.
    operand: String,
    of: Spelled,
    spelling: String,
}

/// What a bound says of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Datum {
    Least,
    Greatest,
    Null,
    /// As it was written.
    Value(String),
}

enum Bound {
    Default,
    Range(Vec<Datum>, Vec<Datum>),
    List(Vec<Datum>),
    Hash(String, String),
}

impl Database {
    /// The condition of a partition; empty where it takes more than this to tell, `None` where it takes every row.
    pub(super) fn partition_condition(&self, name: &QualifiedName) -> Option<String> {
        match self.conditions(name) {
            Some(conditions) => joined(conditions, "AND"),
            None => Some(String::new()),
        }
    }

    fn conditions(&self, name: &QualifiedName) -> Option<Vec<String>> {
        let (mut at, mut levels) = (name.clone(), Vec::new());
        // A tree is never deeper than it has members.
        for _ in 0..=self.relations.len() {
            let relation = self.relations.get(&at)?;
            let Some(bound) = &relation.bound else { break };
            let parent = relation.parents.first()?.clone();
            levels.push(self.level(&parent, bound)?);
            at = parent;
        }
        levels.reverse();
        Some(levels.concat())
    }

    /// What one level of the tree asks.
    fn level(&self, parent: &QualifiedName, bound: &str) -> Option<Vec<String>> {
        let whole = self.relations.get(parent)?;
        let key: Vec<KeyPart> = self.key_parts(whole)?;
        match Bound::read(bound)? {
            Bound::Hash(modulus, remainder) => {
                let columns = key.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(", ");
                Some(vec![format!("satisfies_hash_partition(''::oid, {modulus}, {remainder}, {columns})")])
            }
            Bound::List(values) => list(key.first()?, &values),
            Bound::Range(from, to) => {
                let tests = range(&key, &from, &to)?;
                let all: Vec<String> = not_null(&key).chain(tests).collect();
                Some(all)
            }
            Bound::Default => self.default(parent, &whole.key.as_ref()?.strategy, &key),
        }
    }

    /// What none of the others takes.
    fn default(&self, parent: &QualifiedName, strategy: &str, key: &[KeyPart]) -> Option<Vec<String>> {
        let parts = self.relations.values().filter(|part| part.parents.contains(parent));
        let bounds = parts.filter_map(|part| part.bound.as_deref()).map(Bound::read).collect::<Option<Vec<_>>>()?;
        let taken = match strategy {
            "list" => {
                let mut values: Vec<Datum> = Vec::new();
                for bound in bounds {
                    match bound {
                        Bound::List(own) => values.extend(own),
                        Bound::Default => {}
                        _ => return None,
                    }
                }
                if values.is_empty() {
                    return Some(Vec::new());
                }
                let part = key.first()?;
                sort(&mut values, std::slice::from_ref(part), |value| std::slice::from_ref(value))?;
                joined(list(part, &values)?, "AND")?
            }
            "range" => {
                let mut ranges = Vec::new();
                for bound in bounds {
                    match bound {
                        Bound::Range(from, to) => ranges.push((from, to)),
                        Bound::Default => {}
                        _ => return None,
                    }
                }
                if ranges.is_empty() {
                    return Some(Vec::new());
                }
                sort(&mut ranges, key, |(from, _)| from.as_slice())?;
                let tests = ranges.iter().map(|(from, to)| {
                    let mut tests = range(key, from, to)?;
                    if tests == ["true"] {
                        tests = not_null(key).collect();
                    }
                    joined(tests, "AND")
                });
                let tests = joined(tests.collect::<Option<Vec<_>>>()?, "OR")?;
                joined(not_null(key).chain([tests]).collect(), "AND")?
            }
            _ => return None,
        };
        Some(vec![format!("(NOT {taken})")])
    }

    fn key_parts(&self, whole: &Relation) -> Option<Vec<KeyPart>> {
        let part = |part: &Result<String, String>| {
            let column = match part {
                Ok(column) => whole.column(column)?,
                Err(expression) if is_text_call(expression) => {
                    let of = Spelled::read("text")?;
                    let (text, spelling) = (expression.clone(), "text".to_owned());
                    return Some(KeyPart { operand: text.clone(), text, spelling, of });
                }
                // Its type is not known.
                Err(_) => return None,
            };
            let of = Spelled::read(&column.new.spelling)?;
            if !of.is_built_in() || of.is_array {
                return None;
            }
            let text = spelled(&column.new.name);
            // Its operators are those of text.
            let operand = if of.name == "varchar" { format!("({text})::text") } else { text.clone() };
            Some(KeyPart { text, operand, spelling: of.built_in_spelling(), of })
        };
        whole.key.as_ref()?.parts.iter().map(part).collect()
    }
}

impl Bound {
    fn read(text: &str) -> Option<Bound> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("default") {
            return Some(Bound::Default);
        }
        let rest = after(after(text, "for")?, "values")?;
        if let Some(rest) = after(rest, "in") {
            return Some(Bound::List(data(rest)?.0));
        }
        if let Some(rest) = after(rest, "with") {
            let inside = rest.strip_prefix('(')?.strip_suffix(')')?;
            let mut words = inside.split([' ', ',']).filter(|word| !word.is_empty());
            let (Some(_), Some(modulus), Some(_), Some(remainder)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return None;
            };
            return Some(Bound::Hash(modulus.to_owned(), remainder.to_owned()));
        }
        let (from, rest) = data(after(rest, "from")?)?;
        let (to, _) = data(after(rest, "to")?)?;
        Some(Bound::Range(from, to))
    }
}

/// What is behind a word.
fn after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let text = text.trim_start();
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| text[word.len()..].trim_start())
}

/// A list of values in parentheses, and what is behind it.
fn data(text: &str) -> Option<(Vec<Datum>, &str)> {
    let mut rest = text.trim_start().strip_prefix('(')?;
    let mut data = Vec::new();
    loop {
        rest = rest.trim_start();
        let length = if rest.starts_with('\'') || rest.starts_with("E'") {
            end_of_string(rest)?
        } else {
            rest.find([',', ')'])?
        };
        let value = rest[..length].trim();
        data.push(match value.to_ascii_uppercase().as_str() {
            "MINVALUE" => Datum::Least,
            "MAXVALUE" => Datum::Greatest,
            "NULL" => Datum::Null,
            _ => Datum::Value(value.to_owned()),
        });
        rest = rest[length..].trim_start();
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None => return Some((data, rest.strip_prefix(')')?)),
        }
    }
}

fn end_of_string(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = text.find('\'')? + 1;
    loop {
        match bytes.get(at)? {
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

impl KeyPart {
    fn constant(&self, datum: &Datum) -> Option<String> {
        let Datum::Value(value) = datum else { return None };
        let is_labelled = value.contains('\'') || self.of.name == "numeric" && !self.of.arguments.is_empty();
        let labelled = || times::in_utc(&format!("{value}::{}", self.spelling));
        if is_labelled { labelled() } else { Some(value.clone()) }
    }

    fn test(&self, operator: &str, datum: &Datum) -> Option<String> {
        Some(format!("({} {operator} {})", self.operand, self.constant(datum)?))
    }
}

fn not_null(key: &[KeyPart]) -> impl Iterator<Item = String> {
    key.iter().map(|part| format!("({} IS NOT NULL)", part.text))
}

/// The conditions in one; `None` where there are none.
fn joined(mut conditions: Vec<String>, word: &str) -> Option<String> {
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => Some(format!("({})", conditions.join(&format!(" {word} ")))),
    }
}

fn list(part: &KeyPart, values: &[Datum]) -> Option<Vec<String>> {
    let given: Vec<&Datum> = values.iter().filter(|value| **value != Datum::Null).collect();
    let test = match given.as_slice() {
        [] => None,
        [value] => Some(part.test("=", value)?),
        several => {
            let constants = several.iter().map(|value| part.constant(value)).collect::<Option<Vec<_>>>()?;
            Some(format!("({} = ANY (ARRAY[{}]))", part.operand, constants.join(", ")))
        }
    };
    let is_null = format!("({} IS NULL)", part.text);
    Some(match (given.len() < values.len(), test) {
        (true, Some(test)) => vec![format!("({is_null} OR {test})")],
        (true, None) => vec![is_null],
        (false, test) => not_null(std::slice::from_ref(part)).chain(test).collect(),
    })
}

/// What a range asks, NULL tests left out: equal columns first, then the lower bound, then the upper one, each column of a
/// bound counting where those before it are equal to it.
fn range(key: &[KeyPart], from: &[Datum], to: &[Datum]) -> Option<Vec<String>> {
    if key.len() != from.len() || key.len() != to.len() {
        return None;
    }
    let mut tests = Vec::new();
    let mut first = 0;
    while let (Some(part), Some(one), Some(other)) = (key.get(first), from.get(first), to.get(first)) {
        if one != other || !matches!(one, Datum::Value(_)) {
            break;
        }
        tests.push(part.test("=", one)?);
        first += 1;
    }
    tests.extend(side(key, from, first, &Datum::Least, ">", ">=")?);
    tests.extend(side(key, to, first, &Datum::Greatest, "<", "<=")?);
    if tests.is_empty() {
        tests.push("true".to_owned());
    }
    Some(tests)
}

/// One bound of a range from a column on.
fn side(
    key: &[KeyPart],
    bound: &[Datum],
    first: usize,
    open: &Datum,
    strict: &str,
    loose: &str,
) -> Option<Option<String>> {
    let mut arms = Vec::new();
    for last in first..key.len() {
        // Behind a column without a bound nothing counts.
        if !matches!(bound.get(last)?, Datum::Value(_)) {
            break;
        }
        let mut arm = Vec::new();
        for place in first..last {
            arm.push(key[place].test("=", &bound[place])?);
        }
        // The lower bound itself belongs to the range.
        let is_loose = if strict == ">" {
            last == key.len() - 1 || bound.get(last + 1) == Some(open)
        } else {
            bound.get(last + 1) == Some(open)
        };
        arm.push(key[last].test(if is_loose { loose } else { strict }, &bound[last])?);
        arms.extend(joined(arm, "AND"));
    }
    Some(joined(arms, "OR"))
}

/// Sorts by the values of bounds, which the server has in the order of their types; `None` where that order is not known.
fn sort<T>(items: &mut [T], key: &[KeyPart], bound: impl Fn(&T) -> &[Datum]) -> Option<()> {
    let is_known = |part: &KeyPart| {
        matches!(
            part.of.name.as_str(),
            "int2" | "int4" | "int8" | "numeric" | "date" | "timestamp" | "timestamptz" | "uuid" | "bool"
        )
    };
    if items.len() > 1 && !key.iter().all(is_known) {
        return None;
    }
    items.sort_by(|one, other| {
        let pairs = bound(one).iter().zip(bound(other)).zip(key);
        let mut orders = pairs.map(|((one, other), part)| order(one, other, &part.of.name));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    Some(())
}

fn order(one: &Datum, other: &Datum, type_name: &str) -> Ordering {
    let rank = |datum: &Datum| match datum {
        Datum::Least => 0,
        Datum::Value(_) => 1,
        Datum::Greatest => 2,
        Datum::Null => 3,
    };
    let (Datum::Value(one), Datum::Value(other)) = (one, other) else { return rank(one).cmp(&rank(other)) };
    let (one, other) = (one.trim_matches('\''), other.trim_matches('\''));
    match type_name {
        "int2" | "int4" | "int8" => one.parse::<i64>().ok().cmp(&other.parse::<i64>().ok()),
        "numeric" => {
            let number = |text: &str| text.parse::<f64>().unwrap_or(f64::INFINITY);
            number(one).total_cmp(&number(other))
        }
        _ => one.cmp(other),
    }
}
