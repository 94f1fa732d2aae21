//! The parts of a condition that can be solved: ranges, lists, lengths, patterns of one column, and its NULL. The parser
//! is sqlparser; what is none of these is `None` here, and left to the engine.

use crate::catalog::{Column, Shape};
use crate::harness::generate::values::Pattern;
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, TrimWhereField,
    UnaryOperator, Value, visit_expressions,
};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// A longer chain of AND and OR is nested deeper by the parser than a thread's stack is sure to have room for.
const CHAINED_MAX: usize = 1_000;

/// A condition, or its opposite.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) expression: Expr,
    pub(super) negated: bool,
}

impl Part {
    pub(super) fn new(expression: Expr) -> Part {
        Part { expression, negated: false }
    }

    /// The parts that all have to hold.
    pub(super) fn conjuncts(self) -> Vec<Part> {
        self.split(true)
    }

    /// The parts of which one has to hold.
    pub(super) fn alternatives(self) -> Vec<Part> {
        self.split(false)
    }

    fn split(self, by_and: bool) -> Vec<Part> {
        let mut rest = vec![self];
        let mut parts = Vec::new();
        while let Some(Part { expression, negated }) = rest.pop() {
            let joined = if by_and == negated { BinaryOperator::Or } else { BinaryOperator::And };
            match expression {
                Expr::Nested(inner) => rest.push(Part { expression: *inner, negated }),
                Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                    rest.push(Part { expression: *expr, negated: !negated });
                }
                Expr::BinaryOp { left, op, right } if op == joined => {
                    rest.push(Part { expression: *right, negated });
                    rest.push(Part { expression: *left, negated });
                }
                Expr::Between { expr, negated: own, low, high } if by_and != (negated != own) => {
                    let bound = |op, bound| Expr::BinaryOp { left: expr.clone(), op, right: bound };
                    let negated = negated != own;
                    rest.push(Part { expression: bound(BinaryOperator::LtEq, high), negated });
                    rest.push(Part { expression: bound(BinaryOperator::GtEq, low), negated });
                }
                expression => parts.push(Part { expression, negated }),
            }
        }
        parts
    }
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// The column at that place; `as_text` where it is cast so that something else is asked of it: the blanks of a
    /// `char(n)`, the case of `citext`, the spelling of a number.
    Column { place: usize, as_text: bool },
    /// The text of its value.
    Literal(String),
    /// A function of one column, its name in lower case.
    Function { name: String, place: usize },
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn of(operator: &BinaryOperator) -> Option<Comparison> {
        Some(match operator {
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::NotEqual,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::LtEq => Comparison::LessOrEqual,
            BinaryOperator::Gt => Comparison::Greater,
            BinaryOperator::GtEq => Comparison::GreaterOrEqual,
            _ => return None,
        })
    }

    /// The same with its sides exchanged.
    fn turned(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same @ (Comparison::Equal | Comparison::NotEqual) => same,
        }
    }

    fn negated(self) -> Comparison {
        match self {
            Comparison::Equal => Comparison::NotEqual,
            Comparison::NotEqual => Comparison::Equal,
            Comparison::Less => Comparison::GreaterOrEqual,
            Comparison::LessOrEqual => Comparison::Greater,
            Comparison::Greater => Comparison::LessOrEqual,
            Comparison::GreaterOrEqual => Comparison::Less,
        }
    }
}

/// The values that a column has one of, or none of.
#[derive(Debug)]
pub(super) struct List {
    pub(super) place: usize,
    pub(super) values: Vec<String>,
    pub(super) negated: bool,
}

/// A pattern that a column matches.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) place: usize,
    pub(super) as_text: bool,
    pub(super) pattern: Pattern,
}

/// Reads conditions over the columns of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'c> {
    pub(super) columns: &'c [&'c Column],
    pub(super) sqlite: bool,
}

impl Reader<'_> {
    /// A condition; `None` where the parser does not know how to read it.
    pub(super) fn parse(&self, condition: &str) -> Option<Expr> {
        if condition.matches(" AND ").count() + condition.matches(" OR ").count() > CHAINED_MAX {
            return None;
        }
        let dialect: &dyn Dialect = if self.sqlite { &SQLiteDialect {} } else { &PostgreSqlDialect {} };
        Parser::new(dialect).try_with_sql(condition).and_then(|mut parser| parser.parse_expr()).ok()
    }

    /// The columns that a condition names.
    pub(super) fn columns_of(&self, expression: &Expr) -> Vec<usize> {
        let mut found = Vec::new();
        visit(expression, &mut |inner| {
            let place = match inner {
                Expr::Identifier(name) => self.named(name),
                Expr::CompoundIdentifier(parts) => parts.last().and_then(|name| self.named(name)),
                _ => None,
            };
            found.extend(place.filter(|place| !found.contains(place)));
        });
        found
    }

    fn named(&self, name: &Ident) -> Option<usize> {
        self.columns.iter().position(|column| match (self.sqlite, name.quote_style) {
            (true, _) => column.name.eq_ignore_ascii_case(&name.value),
            (false, Some(_)) => column.name == name.value,
            (false, None) => column.name == name.value.to_lowercase(),
        })
    }

    fn shape(&self, place: usize) -> &Shape {
        &self.columns[place].data_type.base().shape
    }

    fn is_citext(&self, operand: &Operand) -> bool {
        matches!(operand, Operand::Column { place, .. } if *self.shape(*place) == Shape::Citext)
    }

    fn operand(&self, expression: &Expr) -> Option<Operand> {
        let column = |place| Operand::Column { place, as_text: false };
        match expression {
            Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => self.operand(inner),
            Expr::Identifier(name) => self.named(name).map(column),
            Expr::CompoundIdentifier(parts) => self.named(parts.last()?).map(column),
            Expr::Value(value) => literal(&value.value),
            Expr::TypedString(typed) => literal(&typed.value.value),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.operand(expr),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match self.operand(expr)? {
                Operand::Literal(text) => Some(Operand::Literal(match text.strip_prefix('-') {
                    Some(positive) => positive.to_owned(),
                    None => format!("-{text}"),
                })),
                Operand::Column { .. } | Operand::Function { .. } => None,
            },
            Expr::Cast { expr, data_type, .. } => self.cast(self.operand(expr)?, &data_type.to_string().to_lowercase()),
            Expr::Trim {
                expr,
                trim_where: None | Some(TrimWhereField::Both),
                trim_what: None,
                trim_characters: None,
            } => self.function("btrim", expr),
            Expr::Function(function) => self.function(&function.name.to_string().to_lowercase(), argument(function)?),
            _ => None,
        }
    }

    /// As [`Reader::operand`], where the blanks of a `char(n)` are left out, cast or not: by everything but a pattern.
    fn value(&self, expression: &Expr) -> Option<Operand> {
        Some(match self.operand(expression)? {
            Operand::Column { place, as_text: true } if matches!(self.shape(place), Shape::Char { .. }) => {
                Operand::Column { place, as_text: false }
            }
            other => other,
        })
    }

    fn function(&self, name: &str, argument: &Expr) -> Option<Operand> {
        let argument = self.value(argument)?;
        let counts = name.ends_with("length") || name.ends_with("trim");
        let is_bare = counts && self.is_citext(&argument);
        match argument {
            Operand::Column { place, as_text } if !as_text || is_bare => {
                Some(Operand::Function { name: name.to_owned(), place })
            }
            Operand::Column { .. } | Operand::Literal(_) | Operand::Function { .. } => None,
        }
    }

    /// A cast that changes nothing of what is compared is left out.
    fn cast(&self, inner: Operand, to: &str) -> Option<Operand> {
        let is_one_of = |words: &[&str]| words.iter().any(|word| to.starts_with(word));
        let to_text = is_one_of(&["text", "character varying", "varchar", "bpchar", "character", "char"]);
        let to_number = is_one_of(&["numeric", "bigint", "int", "smallint", "double", "real", "float", "decimal"]);
        match &inner {
            Operand::Literal(_) => Some(inner),
            Operand::Column { as_text: true, .. } => to_text.then_some(inner),
            Operand::Column { place, as_text: false } => {
                let is_same = match self.shape(*place) {
                    Shape::Text | Shape::VarChar { .. } | Shape::Enum(_) | Shape::Name => to_text,
                    Shape::SmallInt | Shape::Integer | Shape::BigInt => to_number && !to.starts_with("smallint"),
                    Shape::Numeric { .. } => to.starts_with("numeric") && !to.contains('('),
                    Shape::Real | Shape::Double => is_one_of(&["double", "numeric"]),
                    Shape::Char { .. } => is_one_of(&["bpchar", "character("]),
                    _ => false,
                };
                let is_text = to == "text" || to.starts_with("character varying");
                (is_same || is_text).then_some(Operand::Column { place: *place, as_text: !is_same })
            }
            Operand::Function { name, .. } => {
                let counts = to_number && name.ends_with("length");
                (counts || to_text && ["btrim", "lower", "upper"].contains(&name.as_str())).then_some(inner)
            }
        }
    }

    /// The operators of `citext` are those of its extension's schema, and written so; they mean what those of `text` do.
    fn operator(&self, left: &Operand, operator: &BinaryOperator) -> BinaryOperator {
        let BinaryOperator::PGCustomBinaryOperator(parts) = operator else { return operator.clone() };
        match parts.last().map(String::as_str).filter(|_| self.is_citext(left)) {
            Some("=") => BinaryOperator::Eq,
            Some("<>") => BinaryOperator::NotEq,
            Some("~" | "~*") => BinaryOperator::PGRegexMatch,
            Some("!~" | "!~*") => BinaryOperator::PGRegexNotMatch,
            Some("~~" | "~~*") => BinaryOperator::PGLikeMatch,
            Some("!~~" | "!~~*") => BinaryOperator::PGNotLikeMatch,
            _ => operator.clone(),
        }
    }

    /// A comparison; a literal stands on its right.
    pub(super) fn comparison(&self, expression: &Expr, negated: bool) -> Option<(Operand, Comparison, Operand)> {
        let Expr::BinaryOp { left, op, right } = expression else { return None };
        let left = self.value(left)?;
        let comparison = Comparison::of(&self.operator(&left, op))?;
        let comparison = if negated { comparison.negated() } else { comparison };
        let right = self.value(right)?;
        Some(match left {
            Operand::Literal(_) => (right, comparison.turned(), left),
            Operand::Column { .. } | Operand::Function { .. } => (left, comparison, right),
        })
    }

    /// A list of values, which may be one.
    pub(super) fn list(&self, expression: &Expr, negated: bool) -> Option<List> {
        let (subject, values, is_none) = match expression {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                let Operand::Column { place, .. } = self.operand(expression)? else { return None };
                let value = if negated { "f" } else { "t" };
                let is_boolean = *self.shape(place) == Shape::Boolean;
                return is_boolean.then(|| List { place, values: vec![value.to_owned()], negated: false });
            }
            Expr::InList { expr, list, negated } => (self.value(expr)?, self.literals(list)?, *negated),
            Expr::AnyOp { left, compare_op, right, .. } => {
                let left = self.value(left)?;
                if self.operator(&left, compare_op) != BinaryOperator::Eq {
                    return None;
                }
                (left, self.items(right)?, false)
            }
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
                (self.value(left)?, self.items(right)?, true)
            }
            Expr::BinaryOp { .. } => match self.comparison(expression, false)? {
                (subject, Comparison::Equal, Operand::Literal(text)) => (subject, vec![text], false),
                (subject, Comparison::NotEqual, Operand::Literal(text)) => (subject, vec![text], true),
                _ => return None,
            },
            _ => return None,
        };
        match subject {
            Operand::Column { place, as_text: false } => Some(List { place, values, negated: negated != is_none }),
            Operand::Column { .. } | Operand::Literal(_) | Operand::Function { .. } => None,
        }
    }

    fn literals(&self, expressions: &[Expr]) -> Option<Vec<String>> {
        let literal = |expression| match self.operand(expression)? {
            Operand::Literal(text) => Some(text),
            Operand::Column { .. } | Operand::Function { .. } => None,
        };
        expressions.iter().map(literal).collect()
    }

    /// The items of an array that is written out.
    fn items(&self, expression: &Expr) -> Option<Vec<String>> {
        match expression {
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.items(inner),
            Expr::Array(array) => self.literals(&array.elem),
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) => {
                    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
                    let items = inner.split(',').filter(|item| !item.is_empty());
                    // Quoted items may hold commas.
                    (!inner.contains(['"', '\\'])).then(|| items.map(|item| item.trim().to_owned()).collect())
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether an operand is NULL, or is not.
    pub(super) fn null_test(&self, expression: &Expr, negated: bool) -> Option<(Operand, bool)> {
        let (inner, is_null) = match expression {
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => (inner, true),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => (inner, false),
            _ => return None,
        };
        let operand = self.operand(inner)?;
        // Of a row value, PostgreSQL asks every field: neither question is the other's opposite.
        let is_composite =
            matches!(&operand, Operand::Column { place, .. } if matches!(self.shape(*place), Shape::Composite(_)));
        (!is_composite).then_some((operand, is_null != negated))
    }

    /// The only column that a function is called with.
    pub(super) fn call(&self, expression: &Expr) -> Option<(String, usize)> {
        match self.operand(expression)? {
            Operand::Function { name, place } => Some((name, place)),
            Operand::Column { .. } | Operand::Literal(_) => None,
        }
    }

    /// A pattern.
    pub(super) fn pattern(&self, expression: &Expr, negated: bool) -> Option<Match> {
        let (subject, pattern, own) = match expression {
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                (self.operand(expr)?, self.like(pattern, escape_char.as_deref(), self.sqlite)?, *negated)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                (self.operand(expr)?, self.like(pattern, escape_char.as_deref(), true)?, *negated)
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char: None } => {
                (self.operand(expr)?, regex(similar(&self.text(pattern)?), false), *negated)
            }
            Expr::RLike { negated, expr, pattern, regexp: false } => {
                (self.operand(expr)?, regex(self.text(pattern)?, false), *negated)
            }
            Expr::BinaryOp { left, op, right } => {
                let left = self.operand(left)?;
                let (pattern, negated) = self.pattern_operator(&self.operator(&left, op), right)?;
                (left, pattern, negated)
            }
            _ => return None,
        };
        let Operand::Column { place, as_text } = subject else { return None };
        let pattern = if negated != own { pattern.opposite() } else { pattern };
        Some(Match { place, as_text, pattern })
    }

    fn pattern_operator(&self, operator: &BinaryOperator, right: &Expr) -> Option<(Pattern, bool)> {
        Some(match operator {
            BinaryOperator::PGRegexMatch => (regex(self.regex(right)?, false), false),
            BinaryOperator::PGRegexIMatch => (regex(self.regex(right)?, true), false),
            BinaryOperator::PGRegexNotMatch => (regex(self.regex(right)?, false), true),
            BinaryOperator::PGRegexNotIMatch => (regex(self.regex(right)?, true), true),
            BinaryOperator::PGLikeMatch => (self.like(right, None, false)?, false),
            BinaryOperator::PGNotLikeMatch => (self.like(right, None, false)?, true),
            BinaryOperator::PGILikeMatch => (self.like(right, None, true)?, false),
            BinaryOperator::PGNotILikeMatch => (self.like(right, None, true)?, true),
            other if self.sqlite && other.to_string().eq_ignore_ascii_case("glob") => {
                (Pattern::Glob { text: self.text(right)?, negated: false }, false)
            }
            _ => return None,
        })
    }

    fn text(&self, expression: &Expr) -> Option<String> {
        match self.operand(expression)? {
            Operand::Literal(text) => Some(text),
            Operand::Column { .. } | Operand::Function { .. } => None,
        }
    }

    /// The text of a regular expression, or what the server makes of SIMILAR TO.
    fn regex(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Function(function) if function.name.to_string().to_lowercase().ends_with("similar_to_escape") => {
                Some(similar(&self.text(argument(function)?)?))
            }
            other => self.text(other),
        }
    }

    fn like(&self, pattern: &Expr, escape: Option<&Expr>, ignore_case: bool) -> Option<Pattern> {
        let text = self.text(pattern)?;
        let escape = match escape {
            Some(escape) => self.text(escape)?.chars().next(),
            None if self.sqlite => None,
            None => Some('\\'),
        };
        Some(Pattern::Like { text, escape, ignore_case, negated: false })
    }
}

/// Visits an expression and all within it; links of a chain, which are nested, one after another.
pub(super) fn visit(expression: &Expr, visitor: &mut dyn FnMut(&Expr)) {
    let mut rest = vec![expression];
    while let Some(next) = rest.pop() {
        match next {
            Expr::Nested(inner) => rest.push(inner),
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                rest.extend([&**right, left])
            }
            other => {
                let _ = visit_expressions(other, |inner| {
                    visitor(inner);
                    ControlFlow::<()>::Continue(())
                });
            }
        }
    }
}

/// The columns that a function is called with.
pub(super) fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let arguments = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
    };
    arguments.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
        _ => None,
    })
}

/// The only argument of a function.
fn argument(function: &Function) -> Option<&Expr> {
    let is_plain = function.over.is_none() && function.filter.is_none();
    let count = match &function.args {
        FunctionArguments::List(list) => list.args.len(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => 0,
    };
    arguments(function).next().filter(|_| is_plain && count == 1)
}

fn literal(value: &Value) -> Option<Operand> {
    match value {
        Value::Number(text, _) | Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
            Some(Operand::Literal(text.clone()))
        }
        Value::Boolean(truth) => Some(Operand::Literal(if *truth { "t" } else { "f" }.to_owned())),
        _ => None,
    }
}

fn regex(text: String, ignore_case: bool) -> Pattern {
    Pattern::Regex { text, ignore_case, negated: false }
}

/// SIMILAR TO as a regular expression, by the rules of PostgreSQL's documentation, 9.7.2.
fn similar(text: &str) -> String {
    let mut regex = String::from("^(?:");
    let mut characters = text.chars();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                regex.push('\\');
                regex.extend(characters.next());
            }
            '[' => {
                in_class = true;
                regex.push('[');
            }
            ']' => {
                in_class = false;
                regex.push(']');
            }
            '%' if !in_class => regex.push_str(".*"),
            '_' if !in_class => regex.push('.'),
            '.' | '^' | '$' if !in_class => {
                regex.push('\\');
                regex.push(character);
            }
            other => regex.push(other),
        }
    }
    regex.push_str(")$");
    regex
}
