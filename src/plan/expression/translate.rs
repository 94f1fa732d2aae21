//! The walk over an expression: every form of syntax to the module that knows it, every other form a refusal.

use super::frame::Frame;
use super::kind::Kind;
use super::scope::Scope;
use super::spelling::{ALL_OF, ANY_OF};
use super::syntax::{folded, object_name, plain_arguments, row_fields};
use super::term::{Collated, Constant, Term};
use super::{Refusal, decimal, render};
use sqlparser::ast::{
    AccessExpr, BinaryOperator, CeilFloorKind, Expr, Ident, ObjectName, TrimWhereField, UnaryOperator, Value,
};

/// What the expression is for: it decides what is allowed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A CHECK: no subquery, nothing that varies, nothing approximate.
    Check,
    /// A generated column: as a check.
    Generated,
    /// An index's predicate or key part: as a check, but that it may have other rows and another order.
    Index,
    /// The predicate of a unique index: as a check.
    UniqueIndex,
    /// A DEFAULT: the clock and random values, but no column.
    Default,
    /// A view: also subqueries, aggregates, windows, the clock, and floating point with a caveat.
    View,
}

/// One translation under way.
pub(super) struct Translator<'a> {
    pub scope: &'a dyn Scope,
    pub purpose: Purpose,
    pub caveats: Vec<String>,
    /// Where PostgreSQL stops with an error and SQLite goes on: no row that the source holds is judged differently.
    pub errors: Vec<String>,
    /// The FROM lists around the expression, innermost last; views only.
    pub frames: Vec<Frame>,
    /// The common table expressions in sight by their names in the source, innermost last.
    pub common: Vec<(String, super::TableForm)>,
    /// How deeply the walk is nested at the moment.
    pub depth: usize,
    /// How many views stand behind one another in what was read so far.
    pub views_deep: usize,
}

/// Nesting that a translation follows before it refuses, so that no input exhausts the stack.
const DEPTH_MAX: usize = 200;

impl<'a> Translator<'a> {
    pub fn new(scope: &'a dyn Scope, purpose: Purpose) -> Self {
        let (caveats, errors, frames, common) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Translator { scope, purpose, caveats, errors, frames, common, depth: 0, views_deep: 0 }
    }

    /// Whether nothing approximate may be carried.
    pub fn strict(&self) -> bool {
        self.purpose != Purpose::View
    }

    /// Whether the clock and random values may be used.
    pub fn may_vary(&self) -> bool {
        matches!(self.purpose, Purpose::View | Purpose::Default)
    }

    pub fn caveat(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.caveats.contains(&text) {
            self.caveats.push(text);
        }
    }

    /// Declares that PostgreSQL stops with an error at what is named, and what there is instead.
    pub fn error_there(&mut self, what: &str, instead: &str) {
        let text = format!("{what} stops with an error in PostgreSQL and {instead} here");
        if !self.errors.contains(&text) {
            self.errors.push(text);
        }
    }

    /// As [`Translator::error_there`], of a number that its type does not hold.
    pub fn past_the_range(&mut self) {
        self.error_there("arithmetic past the range of its type", "gives the number beyond it");
    }

    /// As [`Translator::error_there`], of a division by something that may be zero.
    pub fn divides_by(&mut self, divisor: &Term) {
        if divisor.number().is_none_or(|number| number.unscaled == 0)
            && !matches!(divisor.constant, Some(Constant::Double(value)) if value != 0.0)
        {
            self.error_there("a division by zero", "gives NULL");
        }
    }

    /// Carries with a caveat in a view, refuses elsewhere.
    pub fn caveat_in_view(&mut self, text: &str) -> Result<(), Refusal> {
        if self.strict() {
            return Err(Refusal::new(text));
        }
        self.caveat(text);
        Ok(())
    }

    pub fn expression(&mut self, expression: &Expr) -> Result<Term, Refusal> {
        if self.depth >= DEPTH_MAX {
            return Err(Refusal::new("it is nested too deeply"));
        }
        self.depth += 1;
        let term = self.dispatch(expression);
        self.depth -= 1;
        term
    }

    fn dispatch(&mut self, expression: &Expr) -> Result<Term, Refusal> {
        match expression {
            Expr::Nested(inner) => self.expression(inner),
            Expr::Identifier(name) => self.column(None, name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => self.column(Some(table), name),
                _ => Err(refused_form(expression)),
            },
            Expr::Value(value) => literal(&value.value),
            Expr::TypedString(typed) => {
                let term = literal(&typed.value.value)?;
                self.cast(term, &typed.data_type)
            }
            Expr::Interval(interval) => {
                let term = self.expression(&interval.value)?;
                if interval.leading_field.is_some() || interval.last_field.is_some() {
                    return Err(refused_form(expression));
                }
                self.interval(&term)
            }
            Expr::Cast { expr, data_type, .. } => self.cast_expression(expr, data_type),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsTrue(inner) => self.truth(inner, "IS TRUE"),
            Expr::IsNotTrue(inner) => self.truth(inner, "IS NOT TRUE"),
            Expr::IsFalse(inner) => self.truth(inner, "IS FALSE"),
            Expr::IsNotFalse(inner) => self.truth(inner, "IS NOT FALSE"),
            Expr::IsUnknown(inner) | Expr::IsNull(inner) => self.null_test(inner, "IS NULL"),
            Expr::IsNotUnknown(inner) | Expr::IsNotNull(inner) => self.null_test(inner, "IS NOT NULL"),
            Expr::IsDistinctFrom(left, right) => self.distinct(left, right, "IS NOT"),
            Expr::IsNotDistinctFrom(left, right) => self.distinct(left, right, "IS"),
            Expr::InList { expr, list, negated } => {
                let left = self.expression(expr)?;
                let items = list.iter().map(|item| self.expression(item)).collect::<Result<Vec<_>, _>>()?;
                self.in_list(left, items, *negated)
            }
            Expr::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, true),
            Expr::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, false),
            Expr::Between { expr, negated, low, high } => self.between(expr, low, high, *negated),
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, *negated, false)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, *negated, true)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Substring { .. } | Expr::Position { .. } | Expr::Overlay { .. } | Expr::Trim { .. } => {
                self.call_in_words(expression)
            }
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) } => {
                let argument = self.expression(expr)?;
                self.call("floor", vec![argument])
            }
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime) } => {
                let argument = self.expression(expr)?;
                self.call("ceil", vec![argument])
            }
            Expr::Extract { field, expr, .. } => {
                let term = self.expression(expr)?;
                self.extract(&field.to_string().to_ascii_lowercase(), term)
            }
            Expr::Function(function) => self.function(function),
            Expr::Collate { expr, collation } => self.collate(expr, collation),
            Expr::Exists { subquery, negated } => self.exists(subquery, *negated),
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::InSubquery { expr, subquery, negated } => self.in_subquery(expr, subquery, *negated),
            Expr::Array(_) => Err(Refusal::new("it builds an array, which SQLite does not have")),
            Expr::IsNormalized { .. } => {
                Err(Refusal::new("it asks whether a text is normalized Unicode, which SQLite cannot tell"))
            }
            Expr::CompoundFieldAccess { access_chain, .. }
                if access_chain.iter().any(|access| matches!(access, AccessExpr::Subscript(_))) =>
            {
                Err(Refusal::new("it takes an element out of an array, which SQLite does not have"))
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                let zone = self.expression(time_zone)?;
                let timestamp = self.expression(timestamp)?;
                self.at_time_zone(&zone, timestamp)
            }
            Expr::SimilarTo { .. } => Err(Refusal::new("it uses SIMILAR TO, which SQLite does not have")),
            other => Err(refused_form(other)),
        }
    }

    /// A call of a function of texts in SQL's own syntax: `SUBSTRING(x FROM 2)`.
    fn call_in_words(&mut self, expression: &Expr) -> Result<Term, Refusal> {
        match expression {
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let mut arguments = vec![self.text_argument(expr)?];
                let Some(from) = substring_from else { return Err(refused_form(expression)) };
                arguments.push(self.expression(from)?);
                if let Some(count) = substring_for {
                    arguments.push(self.expression(count)?);
                }
                self.call("substr", arguments)
            }
            Expr::Position { expr, r#in } => {
                let arguments = vec![self.text_argument(r#in)?, self.text_argument(expr)?];
                self.call("strpos", arguments)
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut arguments = vec![self.text_argument(expr)?, self.text_argument(overlay_what)?];
                arguments.push(self.expression(overlay_from)?);
                if let Some(count) = overlay_for {
                    arguments.push(self.expression(count)?);
                }
                self.call("overlay", arguments)
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                let mut arguments = vec![self.text_argument(expr)?];
                if let Some(what) = trim_what {
                    arguments.push(self.text_argument(what)?);
                }
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "btrim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                self.call(name, arguments)
            }
            other => Err(refused_form(other)),
        }
    }

    /// An argument of a function in SQL's own syntax (`TRIM(… FROM x)`), where the server does not print the cast to `text`
    /// that it has made of a `char(n)` or a `citext`.
    fn text_argument(&mut self, expression: &Expr) -> Result<Term, Refusal> {
        let term = self.expression(expression)?;
        match term.kind {
            Kind::PaddedText | Kind::NocaseText => self.cast(term, &sqlparser::ast::DataType::Text),
            _ => Ok(term),
        }
    }

    fn column(&mut self, table: Option<&Ident>, name: &Ident) -> Result<Term, Refusal> {
        let (table, column) = (table.map(folded), folded(name));
        if table.is_none()
            && name.quote_style.is_none()
            && let Some(term) = self.niladic(&column)?
        {
            return Ok(term);
        }
        let term = if self.purpose == Purpose::Default {
            None
        } else if self.purpose == Purpose::View {
            self.frame_column(table.as_deref(), &column)
        } else {
            self.scope.column(table.as_deref(), &column).map(|form| Term::column(render::name(&form.name), &form))
        };
        match term {
            Some(term) => Ok(term),
            None if self.purpose == Purpose::Default => {
                Err(Refusal::new(format!("it names `{column}`, and a default has no columns")))
            }
            None => Err(Refusal::new(format!("it refers to `{column}`, which the target does not have"))),
        }
    }

    /// `x IS TRUE` and its like: they make a difference between NULL and false, so NaN kept as NULL is a caveat.
    fn truth(&mut self, inner: &Expr, test: &str) -> Result<Term, Refusal> {
        let term = self.expression(inner)?;
        let term = self.boolean(term)?;
        self.nan_counts(&term);
        Ok(Term { not_null: true, ..Term::new(format!("({} {test})", term.sql), Kind::Boolean) })
    }

    fn null_test(&mut self, inner: &Expr, test: &str) -> Result<Term, Refusal> {
        if let Some(fields) = row_fields(inner) {
            // Of a row, both ask about every field.
            let fields = fields.into_iter().map(|field| self.null_test(field, test)).collect::<Result<Vec<_>, _>>()?;
            let tests: Vec<&str> = fields.iter().map(|field| field.sql.as_str()).collect();
            let sql = if tests.is_empty() { "1".to_owned() } else { format!("({})", tests.join(" AND ")) };
            return Ok(Term { not_null: true, ..Term::new(sql, Kind::Boolean) });
        }
        let term = self.expression(inner)?;
        if term.kind == Kind::Composite {
            return Err(Refusal::new(format!("it asks whether a composite value {test}, which depends on its fields")));
        }
        ensure_has_form(&term)?;
        self.nan_counts(&term);
        Ok(Term { not_null: true, ..Term::new(format!("({} {test})", term.sql), Kind::Boolean) })
    }

    /// Declares that a NaN kept as NULL is taken for NULL.
    pub fn nan_counts(&mut self, term: &Term) {
        if term.may_be_nan {
            self.caveat(format!("a NaN, which the target keeps as NULL, counts as NULL in `{}`", term.sql));
        }
    }

    fn unary(&mut self, operator: UnaryOperator, inner: &Expr) -> Result<Term, Refusal> {
        let term = self.expression(inner)?;
        match operator {
            UnaryOperator::Not => {
                let term = self.boolean(term)?;
                Ok(Term::negated(&term))
            }
            UnaryOperator::Plus if term.kind.is_numeric() => Ok(term),
            UnaryOperator::PGAbs => self.call("abs", vec![term]),
            UnaryOperator::Minus => self.negative(term),
            UnaryOperator::BitwiseNot if matches!(term.kind, Kind::Integer { .. }) => {
                Ok(Term::from_parts(format!("(~{})", term.sql), term.kind.clone(), &[&term]))
            }
            _ => Err(unknown_operator(&operator.to_string())),
        }
    }

    fn negative(&mut self, term: Term) -> Result<Term, Refusal> {
        if let Some(number) = term.number() {
            let number = decimal::Decimal { unscaled: -number.unscaled, ..number };
            return number_term(number, matches!(term.kind, Kind::Integer { .. }))
                .ok_or_else(|| Refusal::new("it holds a number beyond 64 bits"));
        }
        match &term.kind {
            Kind::Integer { .. } | Kind::Scaled { .. } | Kind::DecimalReal { .. } | Kind::Real | Kind::Approximate => {
                let kind = term.kind.clone();
                if matches!(kind, Kind::Integer { .. }) {
                    self.past_the_range();
                }
                Ok(Term::from_parts(format!("({})", render::minus(&term.sql)), kind, &[&term]))
            }
            other => Err(Refusal::new(format!("it negates {}", other.words()))),
        }
    }

    fn binary(&mut self, left: &Expr, operator: &BinaryOperator, right: &Expr) -> Result<Term, Refusal> {
        use BinaryOperator as Op;
        match operator {
            Op::And | Op::Or => {
                let word = if *operator == Op::And { "AND" } else { "OR" };
                let left = self.condition(left)?;
                let right = self.condition(right)?;
                let sql = format!("({} {word} {})", left.sql, right.sql);
                Ok(Term::of_conditions(sql, &[&left, &right]))
            }
            Op::Overlaps => Err(Refusal::new("it uses OVERLAPS, which SQLite does not have")),
            Op::PGStartsWith => {
                let arguments = vec![self.expression(left)?, self.expression(right)?];
                self.call("starts_with", arguments)
            }
            Op::PGLikeMatch => self.like(left, right, false, false),
            Op::PGNotLikeMatch => self.like(left, right, true, false),
            Op::PGILikeMatch => self.like(left, right, false, true),
            Op::PGNotILikeMatch => self.like(left, right, true, true),
            Op::PGRegexMatch => self.regular_expression(left, right, false),
            Op::PGRegexNotMatch => self.regular_expression(left, right, true),
            Op::PGRegexIMatch | Op::PGRegexNotIMatch => {
                Err(Refusal::new(format!("it uses `{operator}` (regular expression), which SQLite does not have")))
            }
            Op::PGCustomBinaryOperator(parts) => {
                // An extension's operator is written with its schema: `OPERATOR(public.=)`. Only citext's are known.
                let known = parts.last().and_then(|last| plain_comparison(last));
                if let Some((items, any)) = elements_asked_for(right) {
                    let is_citext = self.expression(left)?.kind == Kind::NocaseText;
                    return match known.filter(|_| is_citext) {
                        Some(plain) => self.quantified(left, &plain, items, any),
                        None => Err(unknown_operator(&operator.to_string())),
                    };
                }
                let left = self.expression(left)?;
                let right = self.expression(right)?;
                match known {
                    Some(plain) if left.kind == Kind::NocaseText || right.kind == Kind::NocaseText => {
                        self.compare(left, &plain.to_string(), right)
                    }
                    _ => Err(unknown_operator(&operator.to_string())),
                }
            }
            _ => {
                if let (Some(left), Some(right)) = (row_fields(left), row_fields(right)) {
                    return self.compare_rows(left, operator, right);
                }
                let left = self.expression(left)?;
                let right = self.expression(right)?;
                match operator {
                    Op::Eq => self.compare(left, "=", right),
                    Op::NotEq => self.compare(left, "<>", right),
                    Op::Lt => self.compare(left, "<", right),
                    Op::LtEq => self.compare(left, "<=", right),
                    Op::Gt => self.compare(left, ">", right),
                    Op::GtEq => self.compare(left, ">=", right),
                    Op::Plus => self.arithmetic(left, '+', right),
                    Op::Minus => self.arithmetic(left, '-', right),
                    Op::Multiply => self.arithmetic(left, '*', right),
                    Op::Divide => self.arithmetic(left, '/', right),
                    Op::Modulo => self.arithmetic(left, '%', right),
                    Op::BitwiseAnd => self.bitwise(left, '&', right),
                    Op::BitwiseOr => self.bitwise(left, '|', right),
                    Op::PGBitwiseXor => self.exclusive_or(left, right),
                    Op::StringConcat => self.concatenate(left, right),
                    Op::Arrow | Op::LongArrow => self.json_member(left, right, *operator == Op::LongArrow),
                    other => Err(unknown_operator(&other.to_string())),
                }
            }
        }
    }

    fn collate(&mut self, inner: &Expr, collation: &ObjectName) -> Result<Term, Refusal> {
        let term = self.expression(inner)?;
        let (schema, name) = object_name(collation)?;
        let order = self.scope.collation(schema.as_deref(), &name);
        match term.kind {
            Kind::Unknown | Kind::Text | Kind::PaddedText if order.is_some() => {
                Ok(Term { collated: Collated { order, explicit: true }, ..term })
            }
            _ => Err(Refusal::new(format!("it uses the collation `{name}`, which SQLite does not have"))),
        }
    }
}

/// A numeric literal; an integer, or a `numeric`.
pub(super) fn number_term(number: decimal::Decimal, integer: bool) -> Option<Term> {
    if integer && number.scale == 0 {
        let value = i64::try_from(number.unscaled).ok()?;
        let digits = number.digits();
        return Some(Term::constant(value.to_string(), Kind::Integer { digits }, Constant::Number(number)));
    }
    let normal = number.normal();
    // The SQL is used only where SQLite may read it as a double or an integer; exact arithmetic uses the number, and
    // a column that keeps PostgreSQL's text its trailing zeros.
    let kind = Kind::Scaled { digits: normal.digits(), scale: normal.scale };
    Some(Term::constant(normal.to_string(), kind, Constant::Number(number)))
}

fn literal(value: &Value) -> Result<Term, Refusal> {
    match value {
        Value::Null => Ok(Term::null()),
        Value::Boolean(value) => {
            Ok(Term::constant(if *value { "1" } else { "0" }, Kind::Boolean, Constant::Boolean(*value)))
        }
        Value::Number(text, _) => decimal::Decimal::parse(text)
            .and_then(|number| {
                let integer = text.bytes().all(|byte| byte.is_ascii_digit());
                number_term(number, integer && i64::try_from(number.unscaled).is_ok())
            })
            .ok_or_else(|| Refusal::new(format!("it holds the number `{text}`, beyond what can be kept exactly"))),
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::UnicodeStringLiteral(text) => {
            if text.contains('\0') {
                return Err(Refusal::new("it holds a text with a null character"));
            }
            Ok(Term::constant(render::text(text), Kind::Unknown, Constant::Text(text.clone())))
        }
        Value::DollarQuotedString(text) => {
            Ok(Term::constant(render::text(&text.value), Kind::Unknown, Constant::Text(text.value.clone())))
        }
        other => Err(Refusal::new(format!("it holds the literal `{other}`, whose form is not known"))),
    }
}

fn plain_comparison(operator: &str) -> Option<BinaryOperator> {
    use BinaryOperator as Op;
    let all = [Op::Eq, Op::NotEq, Op::Lt, Op::LtEq, Op::Gt, Op::GtEq];
    all.into_iter().find(|known| known.to_string() == operator)
}

/// The array behind an extension's operator and `ANY` (true) or `ALL`, as `spelling` writes them.
fn elements_asked_for(expression: &Expr) -> Option<(&Expr, bool)> {
    let Expr::Function(function) = expression else { return None };
    let any = match object_name(&function.name).ok()? {
        (None, name) if name == ANY_OF => true,
        (None, name) if name == ALL_OF => false,
        _ => return None,
    };
    match plain_arguments(ANY_OF, &function.args).ok()?[..] {
        [items] => Some((items, any)),
        _ => None,
    }
}

pub(super) fn unknown_operator(operator: &str) -> Refusal {
    Refusal::new(format!("it uses the operator `{operator}`, which has no equal in SQLite"))
}

/// Refuses what has no representation until it meets one: its SQL stands for nothing.
pub(super) fn ensure_has_form(term: &Term) -> Result<(), Refusal> {
    match term.kind {
        Kind::Clock { .. } | Kind::Moved { .. } => {
            Err(Refusal::new("it uses the current time where it is not compared with a timestamp"))
        }
        _ => Ok(()),
    }
}

fn refused_form(expression: &Expr) -> Refusal {
    let text = expression.to_string();
    let short: String = text.chars().take(80).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    Refusal::new(format!("it uses `{short}{dots}`, a form that has no known equal in SQLite"))
}
