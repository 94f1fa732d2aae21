//! A condition as a tree of what can be solved or decided here; everything else is a leaf that only a database knows.

use crate::catalog::{Column, Shape};
use crate::harness::generate::values::Pattern;
use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, TrimWhereField, UnaryOperator, Value,
};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

/// A longer chain of AND and OR is nested deeper by the parser than a thread's stack is sure to have room for.
const CHAINED_MAX: usize = 1_000;

/// A part of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::harness::generate) enum Node {
    /// The column at that place.
    Column(usize),
    /// A literal, as the text of its value.
    Literal(String),
    Null,
    Truth(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    /// IS NULL
    IsNull(Box<Node>),
    /// IS DISTINCT FROM
    Distinct(Box<Node>, Box<Node>),
    /// Of a list of values.
    In(Box<Node>, Vec<Node>),
    Matches(Box<Node>, Pattern),
    /// A column cast to `text`, where that changes what is asked of it: the blanks of a `char(n)`, the case of `citext`,
    /// the spelling of a number.
    Text(Box<Node>),
    Call(String, Vec<Node>),
    /// Only a database can tell; what was found in it is kept for the columns.
    Other(Vec<Node>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::harness::generate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The same with its sides exchanged.
    pub(super) fn turned(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
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

/// Reads conditions over the columns of a table.
pub(super) struct Reader<'c> {
    pub(super) columns: &'c [&'c Column],
    pub(super) sqlite: bool,
}

impl Reader<'_> {
    /// The condition as a tree.
    pub(super) fn read(&self, condition: &str) -> Node {
        if condition.matches(" AND ").count() + condition.matches(" OR ").count() > CHAINED_MAX {
            return Node::Other(Vec::new());
        }
        let dialect: &dyn Dialect = if self.sqlite { &SQLiteDialect {} } else { &PostgreSqlDialect {} };
        let parsed = Parser::new(dialect).try_with_sql(condition).and_then(|mut parser| parser.parse_expr());
        match parsed {
            Ok(expression) => simplified(self.node(&expression)),
            Err(_) => Node::Other(Vec::new()),
        }
    }

    fn is_composite(&self, expression: &Expr) -> bool {
        let Node::Column(place) = self.node(expression) else { return false };
        matches!(self.columns[place].data_type.base().shape, Shape::Composite(_))
    }

    fn column(&self, name: &str, quoted: bool) -> Option<usize> {
        let same = |column: &&Column| match self.sqlite {
            true => column.name.eq_ignore_ascii_case(name),
            false if quoted => column.name == name,
            false => column.name == name.to_lowercase(),
        };
        self.columns.iter().position(same)
    }

    fn nodes<'e>(&self, expressions: impl IntoIterator<Item = &'e Expr>) -> Vec<Node> {
        expressions.into_iter().map(|expression| self.node(expression)).collect()
    }

    fn node(&self, expression: &Expr) -> Node {
        match expression {
            Expr::Nested(inner) => self.node(inner),
            Expr::Identifier(name) => match self.column(&name.value, name.quote_style.is_some()) {
                Some(place) => Node::Column(place),
                None => Node::Other(Vec::new()),
            },
            Expr::CompoundIdentifier(parts) => {
                let last = parts.last().and_then(|name| self.column(&name.value, name.quote_style.is_some()));
                last.map_or(Node::Other(Vec::new()), Node::Column)
            }
            Expr::Value(value) => match &value.value {
                Value::Number(text, _) => Node::Literal(text.clone()),
                Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Node::Literal(text.clone()),
                Value::Boolean(truth) => Node::Truth(*truth),
                Value::Null => Node::Null,
                _ => Node::Other(Vec::new()),
            },
            Expr::TypedString(typed) => match &typed.value.value {
                Value::SingleQuotedString(text) => Node::Literal(text.clone()),
                _ => Node::Other(Vec::new()),
            },
            Expr::Cast { expr, data_type, .. } => self.cast(self.node(expr), &data_type.to_string()),
            Expr::Collate { expr, .. } => self.node(expr),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match self.node(expr) {
                Node::Literal(text) => Node::Literal(match text.strip_prefix('-') {
                    Some(positive) => positive.to_owned(),
                    None => format!("-{text}"),
                }),
                other => Node::Other(vec![other]),
            },
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.node(expr),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Node::Not(Box::new(self.node(expr))),
            Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } => self.chain(expression, op),
            Expr::BinaryOp { left, op, right } => self.binary(self.node(left), op, self.node(right)),
            // Of a row value, PostgreSQL asks every field: neither question is the other's opposite.
            Expr::IsNull(inner) | Expr::IsNotNull(inner) if self.is_composite(inner) => {
                Node::Other(vec![self.node(inner)])
            }
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => Node::IsNull(Box::new(self.node(inner))),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => not(Node::IsNull(Box::new(self.node(inner)))),
            Expr::IsTrue(inner) => not(Node::Distinct(Box::new(self.node(inner)), Box::new(Node::Truth(true)))),
            Expr::IsNotTrue(inner) => Node::Distinct(Box::new(self.node(inner)), Box::new(Node::Truth(true))),
            Expr::IsFalse(inner) => not(Node::Distinct(Box::new(self.node(inner)), Box::new(Node::Truth(false)))),
            Expr::IsNotFalse(inner) => Node::Distinct(Box::new(self.node(inner)), Box::new(Node::Truth(false))),
            Expr::IsDistinctFrom(left, right) => Node::Distinct(Box::new(self.node(left)), Box::new(self.node(right))),
            Expr::IsNotDistinctFrom(left, right) => {
                not(Node::Distinct(Box::new(self.node(left)), Box::new(self.node(right))))
            }
            Expr::InList { expr, list, negated } => {
                negated_if(*negated, Node::In(Box::new(self.trimmed(self.node(expr))), self.nodes(list)))
            }
            Expr::Between { expr, negated, low, high } => {
                let value = self.trimmed(self.node(expr));
                let low = compare(Comparison::GreaterOrEqual, value.clone(), self.node(low));
                let high = compare(Comparison::LessOrEqual, value, self.node(high));
                negated_if(*negated, Node::And(vec![low, high]))
            }
            Expr::AnyOp { left, compare_op, right, .. } => {
                let left = self.trimmed(self.node(left));
                match self.items(right).filter(|_| self.operator(&left, compare_op) == BinaryOperator::Eq) {
                    Some(items) => Node::In(Box::new(left), items),
                    None => Node::Other(vec![left]),
                }
            }
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => match self.items(right) {
                Some(items) => not(Node::In(Box::new(self.trimmed(self.node(left))), items)),
                None => Node::Other(vec![self.node(left)]),
            },
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char, *negated, self.sqlite)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char, *negated, true)
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char: None } => match self.node(pattern) {
                Node::Literal(text) => self.regex(self.node(expr), similar(&text), false, *negated),
                other => Node::Other(vec![self.node(expr), other]),
            },
            Expr::RLike { negated, expr, pattern, regexp: false } => match self.node(pattern) {
                Node::Literal(text) => self.regex(self.node(expr), text, false, *negated),
                other => Node::Other(vec![self.node(expr), other]),
            },
            Expr::Trim { expr, trim_where, trim_what: None, trim_characters: None } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "btrim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                Node::Call(name.to_owned(), vec![self.trimmed(self.node(expr))])
            }
            Expr::Function(function) if function.over.is_none() && function.filter.is_none() => {
                let name = function.name.to_string().to_lowercase();
                match arguments(&function.args) {
                    Some(arguments) => {
                        let counts = name.ends_with("length") || name.ends_with("trim");
                        let bare = |node| match node {
                            Node::Text(inner) if counts && self.is_citext(&inner) => *inner,
                            other => self.trimmed(other),
                        };
                        let arguments = self.nodes(arguments).into_iter().map(bare).collect();
                        Node::Call(name, arguments)
                    }
                    None => Node::Other(Vec::new()),
                }
            }
            Expr::Case { .. } => Node::Other(vec![self.mentioned(expression)]),
            _ => self.mentioned(expression),
        }
    }

    /// Everything but a pattern leaves the blanks of a `char(n)` out, cast or not.
    fn trimmed(&self, node: Node) -> Node {
        match node {
            Node::Text(inner) => match *inner {
                Node::Column(place) if matches!(self.columns[place].data_type.base().shape, Shape::Char { .. }) => {
                    Node::Column(place)
                }
                other => Node::Text(Box::new(other)),
            },
            other => other,
        }
    }

    /// The links of `a AND b AND c`, which the parser nests to the left.
    fn chain(&self, expression: &Expr, chained: &BinaryOperator) -> Node {
        let mut links = Vec::new();
        let mut rest = expression;
        while let Expr::BinaryOp { left, op, right } = rest
            && op == chained
        {
            links.push(self.node(right));
            rest = left;
        }
        links.push(self.node(rest));
        links.reverse();
        if *chained == BinaryOperator::And { Node::And(links) } else { Node::Or(links) }
    }

    /// What is not understood, with the columns that it names.
    fn mentioned(&self, expression: &Expr) -> Node {
        let mut found = Vec::new();
        let _ = sqlparser::ast::visit_expressions(expression, |inner| {
            if let Expr::Identifier(name) = inner
                && let Some(place) = self.column(&name.value, name.quote_style.is_some())
            {
                found.push(Node::Column(place));
            }
            std::ops::ControlFlow::<()>::Continue(())
        });
        Node::Other(found)
    }

    fn binary(&self, left: Node, operator: &BinaryOperator, right: Node) -> Node {
        let operator = &self.operator(&left, operator);
        let comparison = match operator {
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::NotEqual,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::LtEq => Comparison::LessOrEqual,
            BinaryOperator::Gt => Comparison::Greater,
            BinaryOperator::GtEq => Comparison::GreaterOrEqual,
            BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexIMatch => {
                return self.regex_operator(left, right, *operator == BinaryOperator::PGRegexIMatch, false);
            }
            BinaryOperator::PGRegexNotMatch | BinaryOperator::PGRegexNotIMatch => {
                return self.regex_operator(left, right, *operator == BinaryOperator::PGRegexNotIMatch, true);
            }
            BinaryOperator::PGLikeMatch | BinaryOperator::PGNotLikeMatch | BinaryOperator::PGILikeMatch => {
                let Node::Literal(text) = right else { return Node::Other(vec![left, right]) };
                let ignore_case = *operator == BinaryOperator::PGILikeMatch;
                let pattern = Pattern::Like { text, escape: Some('\\'), ignore_case, negated: false };
                return negated_if(*operator == BinaryOperator::PGNotLikeMatch, Node::Matches(Box::new(left), pattern));
            }
            BinaryOperator::Custom(word) if word.eq_ignore_ascii_case("glob") => return glob(left, right),
            other if self.sqlite && other.to_string().eq_ignore_ascii_case("glob") => return glob(left, right),
            _ => return Node::Other(vec![left, right]),
        };
        compare(comparison, self.trimmed(left), self.trimmed(right))
    }

    fn is_citext(&self, node: &Node) -> bool {
        matches!(node, Node::Column(place) if self.columns[*place].data_type.base().shape == Shape::Citext)
    }

    /// The operators of `citext` are those of its extension's schema, and written so; they mean what those of `text` do.
    fn operator(&self, left: &Node, operator: &BinaryOperator) -> BinaryOperator {
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

    fn regex_operator(&self, left: Node, right: Node, ignore_case: bool, negated: bool) -> Node {
        match right {
            Node::Literal(text) => self.regex(left, text, ignore_case, negated),
            // What the server makes of SIMILAR TO.
            Node::Call(name, mut arguments) if name.ends_with("similar_to_escape") && arguments.len() == 1 => {
                match arguments.pop() {
                    Some(Node::Literal(text)) => self.regex(left, similar(&text), false, negated),
                    _ => Node::Other(vec![left]),
                }
            }
            other => Node::Other(vec![left, other]),
        }
    }

    fn regex(&self, value: Node, text: String, ignore_case: bool, negated: bool) -> Node {
        Node::Matches(Box::new(value), Pattern::Regex { text, ignore_case, negated })
    }

    fn like(&self, value: &Expr, pattern: &Expr, escape: &Option<Box<Expr>>, negated: bool, ignore_case: bool) -> Node {
        let value = self.node(value);
        let Node::Literal(text) = self.node(pattern) else { return Node::Other(vec![value]) };
        let escape = match escape.as_ref().map(|escape| self.node(escape)) {
            None if self.sqlite => None,
            None => Some('\\'),
            Some(Node::Literal(text)) => text.chars().next(),
            Some(_) => return Node::Other(vec![value]),
        };
        Node::Matches(Box::new(value), Pattern::Like { text, escape, ignore_case, negated })
    }

    /// A cast that changes nothing of what is compared is left out.
    fn cast(&self, inner: Node, to: &str) -> Node {
        let to = to.to_lowercase();
        let to_text = ["text", "character varying", "varchar", "bpchar", "character", "char"]
            .iter()
            .any(|word| to.starts_with(word));
        let to_number = ["numeric", "bigint", "integer", "int", "smallint", "double", "real", "float", "decimal"]
            .iter()
            .any(|word| to.starts_with(word));
        match &inner {
            Node::Literal(_) | Node::Truth(_) | Node::Null => inner,
            Node::Column(place) => {
                let shape = &self.columns[*place].data_type.base().shape;
                let same = match shape {
                    Shape::Text | Shape::VarChar { .. } | Shape::Enum(_) | Shape::Name => to_text,
                    Shape::SmallInt | Shape::Integer | Shape::BigInt => to_number && !to.starts_with("smallint"),
                    Shape::Numeric { .. } => to.starts_with("numeric") && !to.contains('('),
                    Shape::Real | Shape::Double => to.starts_with("double") || to.starts_with("numeric"),
                    Shape::Char { .. } => to.starts_with("bpchar") || to.starts_with("character("),
                    _ => false,
                };
                match same {
                    true => inner,
                    false if to == "text" || to.starts_with("character varying") => Node::Text(Box::new(inner)),
                    false => Node::Other(vec![inner]),
                }
            }
            Node::Call(name, _) if to_number && name.ends_with("length") => inner,
            Node::Call(name, _) if to_text && ["btrim", "lower", "upper"].contains(&name.as_str()) => inner,
            _ => Node::Other(vec![inner]),
        }
    }

    /// The items of an array that is written out.
    fn items(&self, expression: &Expr) -> Option<Vec<Node>> {
        match expression {
            Expr::Nested(inner) => self.items(inner),
            Expr::Cast { expr, .. } => self.items(expr),
            Expr::Array(array) => Some(self.nodes(&array.elem)),
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) => {
                    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
                    // Quoted items may hold commas.
                    (!inner.contains('"') && !inner.contains('\\')).then(|| {
                        let items = inner.split(',').filter(|item| !item.is_empty());
                        items.map(|item| Node::Literal(item.trim().to_owned())).collect()
                    })
                }
                _ => None,
            },
            _ => None,
        }
    }
}

fn glob(left: Node, right: Node) -> Node {
    match right {
        Node::Literal(text) => Node::Matches(Box::new(left), Pattern::Glob { text, negated: false }),
        other => Node::Other(vec![left, other]),
    }
}

fn arguments(arguments: &FunctionArguments) -> Option<Vec<&Expr>> {
    match arguments {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => (list.args.iter())
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
                _ => None,
            })
            .collect(),
    }
}

fn compare(comparison: Comparison, left: Node, right: Node) -> Node {
    Node::Compare(comparison, Box::new(left), Box::new(right))
}

fn not(node: Node) -> Node {
    Node::Not(Box::new(node))
}

fn negated_if(negated: bool, node: Node) -> Node {
    if negated { not(node) } else { node }
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

/// NOT moved inwards, AND and OR flattened.
fn simplified(node: Node) -> Node {
    match node {
        Node::And(nodes) => flat(nodes, true),
        Node::Or(nodes) => flat(nodes, false),
        Node::Not(inner) => match *inner {
            Node::Not(inner) => simplified(*inner),
            Node::And(nodes) => flat(nodes.into_iter().map(not).collect(), false),
            Node::Or(nodes) => flat(nodes.into_iter().map(not).collect(), true),
            Node::Compare(comparison, left, right) => Node::Compare(comparison.negated(), left, right),
            Node::Matches(value, pattern) => Node::Matches(
                value,
                match pattern {
                    Pattern::Regex { text, ignore_case, negated } => {
                        Pattern::Regex { text, ignore_case, negated: !negated }
                    }
                    Pattern::Like { text, escape, ignore_case, negated } => {
                        Pattern::Like { text, escape, ignore_case, negated: !negated }
                    }
                    Pattern::Glob { text, negated } => Pattern::Glob { text, negated: !negated },
                },
            ),
            Node::Truth(truth) => Node::Truth(!truth),
            other => not(simplified(other)),
        },
        other => other,
    }
}

fn flat(nodes: Vec<Node>, and: bool) -> Node {
    let mut all = Vec::new();
    for node in nodes {
        match (simplified(node), and) {
            (Node::And(inner), true) | (Node::Or(inner), false) => all.extend(inner),
            (other, _) => all.push(other),
        }
    }
    if and { Node::And(all) } else { Node::Or(all) }
}

/// The columns that a condition is about.
pub(super) fn columns(node: &Node, found: &mut Vec<usize>) {
    match node {
        Node::Column(place) => {
            if !found.contains(place) {
                found.push(*place);
            }
        }
        Node::Literal(_) | Node::Null | Node::Truth(_) => {}
        Node::And(nodes) | Node::Or(nodes) | Node::Call(_, nodes) | Node::Other(nodes) => {
            nodes.iter().for_each(|node| columns(node, found));
        }
        Node::Not(inner) | Node::IsNull(inner) | Node::Matches(inner, _) | Node::Text(inner) => columns(inner, found),
        Node::Compare(_, left, right) | Node::Distinct(left, right) => {
            columns(left, found);
            columns(right, found);
        }
        Node::In(value, items) => {
            columns(value, found);
            items.iter().for_each(|item| columns(item, found));
        }
    }
}
