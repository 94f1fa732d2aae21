//! Queries: SELECT, set operations, common table expressions, subqueries.
//!
//! SQLite compares names without case, and a common table expression hides every table of its name, with a schema or
//! without. So what a query names itself gets a name of its own where SQLite would mistake it.

use super::frame::Frame;
use super::kind::Kind;
use super::order::Sorting;
use super::scope::{ColumnForm, TableForm};
use super::syntax::{folded, holds_full_join, object_name};
use super::term::{Collated, Term};
use super::translate::{Purpose, Translator};
use super::{Refusal, render};
use crate::catalog::TextOrder;
use crate::plan::names::Room;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, LimitClause, OrderByKind, Query, Select, SelectFlavor, SelectItem, SetExpr,
    SetOperator, SetQuantifier, TableAlias, Value,
};

/// Queries in one another that a translation follows.
const QUERIES_DEEP_MAX: usize = 60;

/// One output column of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Output {
    pub name: String,
    pub kind: Kind,
    pub inexact: bool,
    pub may_be_nan: bool,
    /// What the source makes of its texts; `None` where the database's own collation says.
    pub collation: Option<TextOrder>,
}

impl Output {
    fn new(name: String, term: Term) -> Output {
        let Term { inexact, may_be_nan, collated, kind, .. } = term;
        Output { name, kind, inexact, may_be_nan, collation: collated.order }
    }

    /// As a column of that name in the target.
    pub fn form(&self, name: String) -> ColumnForm {
        let mut form = ColumnForm::new(name, self.kind.as_column()).collated(self.collation);
        form.exact = !self.inexact;
        form.may_be_nan = self.may_be_nan;
        form
    }

    /// As a term of that SQL.
    fn term(&self, sql: impl Into<String>) -> Term {
        Term {
            inexact: self.inexact,
            may_be_nan: self.may_be_nan,
            collated: Collated { order: self.collation, explicit: false },
            ..Term::new(sql, self.kind.clone())
        }
    }
}

impl Translator<'_> {
    /// A name for a common table expression that no table has, nor any other one in sight.
    pub fn free_common_name(&self, name: &str) -> String {
        free_name(name, |name| {
            self.scope.is_table_name(name) || self.common.iter().any(|(_, form)| form.name.eq_ignore_ascii_case(name))
        })
    }

    /// A whole query and its output columns.
    pub fn query(&mut self, query: &Query) -> Result<(String, Vec<Output>), Refusal> {
        if self.depth > QUERIES_DEEP_MAX {
            return Err(Refusal::new("it is nested too deeply"));
        }
        self.depth += 1;
        let common = self.common.len();
        let result = self.query_inside(query);
        self.common.truncate(common);
        self.depth -= 1;
        result
    }

    fn query_inside(&mut self, query: &Query) -> Result<(String, Vec<Output>), Refusal> {
        if query.fetch.is_some()
            || !query.locks.is_empty()
            || query.for_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return Err(Refusal::new("it uses FETCH or FOR UPDATE"));
        }
        let mut sql = String::new();
        if let Some(with) = &query.with {
            let mut parts = Vec::with_capacity(with.cte_tables.len());
            for table in &with.cte_tables {
                parts.push(self.common_table(&table.alias, &table.query, with.recursive)?);
            }
            sql = format!("WITH {}{} ", if with.recursive { "RECURSIVE " } else { "" }, parts.join(", "));
        }
        let (body, outputs, order) = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, query)?,
            body => {
                let (body, outputs) = self.set_expression(body)?;
                let order = self.order_of(query, &outputs)?;
                (body, outputs, order)
            }
        };
        sql.push_str(&body);
        sql.push_str(&order);
        sql.push_str(&self.limit(query)?);
        Ok((sql, outputs))
    }

    fn order_of(&mut self, query: &Query, outputs: &[Output]) -> Result<String, Refusal> {
        match query.order_by.as_ref().map(|order| (&order.kind, &order.interpolate)) {
            None => Ok(String::new()),
            Some((OrderByKind::Expressions(terms), None)) => {
                // A LIMIT makes rows of the order.
                let sorting = if query.limit_clause.is_some() { Sorting::Answer } else { Sorting::Rows };
                Ok(format!(" ORDER BY {}", self.order_terms(terms, outputs, sorting)?))
            }
            Some(_) => Err(Refusal::new("it uses ORDER BY ALL")),
        }
    }

    fn limit(&mut self, query: &Query) -> Result<String, Refusal> {
        let Some(clause) = &query.limit_clause else { return Ok(String::new()) };
        let LimitClause::LimitOffset { limit, offset, limit_by } = clause else {
            return Err(Refusal::new("it uses a LIMIT whose form is not known"));
        };
        if !limit_by.is_empty() {
            return Err(Refusal::new("it uses LIMIT BY"));
        }
        let mut number = |expression: &Expr| {
            let term = self.expression(expression)?;
            match term.number() {
                Some(number) if number.scale == 0 && number.unscaled >= 0 => Ok(number.to_string()),
                _ => Err(Refusal::new("it uses a LIMIT that is not a literal")),
            }
        };
        let limit = limit.as_ref().map(&mut number).transpose()?;
        let offset = offset.as_ref().map(|offset| number(&offset.value)).transpose()?;
        Ok(match (limit, offset) {
            (None, None) => String::new(),
            (limit, None) => format!(" LIMIT {}", limit.unwrap_or_default()),
            (limit, Some(offset)) => format!(" LIMIT {} OFFSET {offset}", limit.unwrap_or_else(|| "-1".to_owned())),
        })
    }

    fn common_table(&mut self, alias: &TableAlias, query: &Query, recursive: bool) -> Result<String, Refusal> {
        let name = folded(&alias.name);
        let target = self.free_common_name(&name);
        let names: Vec<String> = alias.columns.iter().map(|column| folded(&column.name)).collect();
        if recursive && let SetExpr::SetOperation { left, .. } = query.body.as_ref() {
            // The columns of a recursive table are those of its first part.
            let (_, outputs) = self.set_expression(left)?;
            self.common.push((name.clone(), table_of(&target, &outputs, &names)?));
        }
        let (sql, outputs) = self.query(query)?;
        let form = table_of(&target, &outputs, &names)?;
        let columns: Vec<String> = form.columns.iter().map(|(_, column)| render::name(&column.name)).collect();
        self.common.push((name, form));
        Ok(format!("{} ({}) AS ({sql})", render::name(&target), columns.join(", ")))
    }

    fn set_expression(&mut self, body: &SetExpr) -> Result<(String, Vec<Output>), Refusal> {
        // Thousands of parts nest to the left, so they are followed by a loop.
        let (mut first, mut parts) = (body, Vec::new());
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = first {
            parts.push((op, set_quantifier, right));
            first = left;
        }
        let (mut sql, mut outputs) = self.set_operand(first)?;
        for (op, quantifier, right) in parts.into_iter().rev() {
            let word = match (op, quantifier) {
                (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
                (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => "UNION",
                (SetOperator::Except, SetQuantifier::None | SetQuantifier::Distinct) => "EXCEPT",
                (SetOperator::Intersect, SetQuantifier::None | SetQuantifier::Distinct) => "INTERSECT",
                _ => {
                    return Err(Refusal::new(format!("it uses {op} {quantifier}, which SQLite does not have")));
                }
            };
            let (right, others) = match right.as_ref() {
                set @ SetExpr::SetOperation { .. } => {
                    let (right, others) = self.nested_set(set)?;
                    (format!("SELECT * FROM ({right})"), others)
                }
                operand => self.set_operand(operand)?,
            };
            outputs = unified_outputs(outputs, &others)?;
            if word != "UNION ALL" {
                self.ensure_one_text(&outputs, &format!("its {word} compares"))?;
            }
            if word != "UNION ALL" && outputs.iter().any(|output| output.may_be_nan) {
                self.caveat(format!("a NaN, which the target keeps as NULL, is NULL to its {word}"));
            }
            sql.push_str(&format!(" {word} {right}"));
        }
        Ok((sql, outputs))
    }

    fn nested_set(&mut self, body: &SetExpr) -> Result<(String, Vec<Output>), Refusal> {
        if self.depth > QUERIES_DEEP_MAX {
            return Err(Refusal::new("it is nested too deeply"));
        }
        self.depth += 1;
        let result = self.set_expression(body);
        self.depth -= 1;
        result
    }

    /// What a set operation combines.
    fn set_operand(&mut self, body: &SetExpr) -> Result<(String, Vec<Output>), Refusal> {
        match body {
            SetExpr::SetOperation { .. } => self.nested_set(body),
            SetExpr::Select(select) => {
                let (sql, outputs, _) = self.select(select, &bare_query())?;
                Ok((sql, outputs))
            }
            SetExpr::Query(query) => {
                let (sql, outputs) = self.query(query)?;
                if query.with.is_none()
                    && query.order_by.is_none()
                    && query.limit_clause.is_none()
                    && matches!(query.body.as_ref(), SetExpr::Select(_))
                {
                    return Ok((sql, outputs));
                }
                // SQLite takes no parentheses around a part of a set operation.
                Ok((format!("SELECT * FROM ({sql})"), outputs))
            }
            SetExpr::Values(values) => {
                let mut rows = Vec::with_capacity(values.rows.len());
                let mut outputs: Option<Vec<Output>> = None;
                for row in &values.rows {
                    let mut terms = Vec::new();
                    for expression in row.iter() {
                        let term = self.expression(expression)?;
                        terms.push(self.output_value(term)?);
                    }
                    let list: Vec<&str> = terms.iter().map(|term| term.sql.as_str()).collect();
                    rows.push(format!("({})", list.join(", ")));
                    let these = terms
                        .iter()
                        .enumerate()
                        .map(|(at, term)| Output::new(format!("column{}", at + 1), term.clone()))
                        .collect();
                    outputs = Some(match outputs {
                        None => these,
                        Some(outputs) => unified_outputs(outputs, &these)?,
                    });
                }
                Ok((format!("VALUES {}", rows.join(", ")), outputs.unwrap_or_default()))
            }
            _ => Err(Refusal::new("it is more than a query")),
        }
    }

    /// One SELECT, its outputs, and the ORDER BY of the query that it is the whole of.
    fn select(&mut self, select: &Select, query: &Query) -> Result<(String, Vec<Output>, String), Refusal> {
        if select.top.is_some()
            || select.into.is_some()
            || !select.lateral_views.is_empty()
            || select.prewhere.is_some()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
            || select.qualify.is_some()
            || select.exclude.is_some()
            || select.value_table_mode.is_some()
            || !select.named_window.is_empty()
            || select.flavor != SelectFlavor::Standard
        {
            return Err(Refusal::new("it uses a clause of SELECT that has no known equal in SQLite"));
        }
        self.frames.push(Frame::default());
        let result = self.select_inside(select, query);
        self.frames.pop();
        result
    }

    fn select_inside(&mut self, select: &Select, query: &Query) -> Result<(String, Vec<Output>, String), Refusal> {
        let mut from = Vec::with_capacity(select.from.len());
        for item in &select.from {
            let sql = self.table_with_joins(item)?;
            from.push(if !from.is_empty() && holds_full_join(item) { format!("({sql})") } else { sql });
        }
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => "",
            Some(Distinct::Distinct) => "DISTINCT ",
            Some(Distinct::On(_)) => return Err(Refusal::new("it uses DISTINCT ON, which SQLite does not have")),
        };
        let mut columns = Vec::with_capacity(select.projection.len());
        let mut outputs = Vec::with_capacity(select.projection.len());
        for item in &select.projection {
            let (expression, name) = match item {
                SelectItem::ExprWithAlias { expr, alias } => (expr, folded(alias)),
                SelectItem::UnnamedExpr(expr) => (expr, implied_name(expr)),
                _ => return Err(Refusal::new("it selects `*`")),
            };
            let term = self.expression(expression)?;
            let term = self.output_value(term)?;
            if !distinct.is_empty() {
                self.nan_counts(&term);
            }
            columns.push(term.sql.clone());
            outputs.push(Output::new(name, term));
        }
        if !distinct.is_empty() {
            self.ensure_one_text(&outputs, "its DISTINCT compares")?;
        }
        if columns.is_empty() {
            return Err(Refusal::new("it selects nothing"));
        }
        let mut rows = String::new();
        if !from.is_empty() {
            rows.push_str(&format!(" FROM {}", from.join(", ")));
        }
        if let Some(selection) = &select.selection {
            rows.push_str(&format!(" WHERE {}", self.condition(selection)?.sql));
        }
        let having = select.having.as_ref().map(|having| self.condition(having)).transpose()?;
        match (&select.group_by, having) {
            (GroupByExpr::Expressions(keys, modifiers), Some(having)) if keys.is_empty() && modifiers.is_empty() => {
                return Ok((one_row(&columns, &outputs, &having, &rows), outputs, String::new()));
            }
            (group_by, having) => rows.push_str(&self.grouping(group_by, &outputs, having)?),
        }
        let columns: Vec<String> = columns
            .iter()
            .zip(&outputs)
            .map(|(column, output)| format!("{column} AS {}", render::name(&output.name)))
            .collect();
        let order = self.order_of(query, &outputs)?;
        Ok((format!("SELECT {distinct}{}{rows}", columns.join(", ")), outputs, order))
    }

    /// GROUP BY and HAVING.
    fn grouping(
        &mut self,
        group_by: &GroupByExpr,
        outputs: &[Output],
        having: Option<Term>,
    ) -> Result<String, Refusal> {
        let mut sql = String::new();
        match group_by {
            GroupByExpr::Expressions(keys, modifiers) if modifiers.is_empty() => {
                let mut parts = Vec::with_capacity(keys.len());
                for key in keys {
                    if let Expr::Value(value) = key
                        && let Value::Number(text, _) = &value.value
                    {
                        // An output column by its place.
                        let place = text.parse::<usize>().ok().and_then(|place| outputs.get(place.checked_sub(1)?));
                        let output =
                            place.ok_or_else(|| Refusal::new("it groups by a column that it does not have"))?;
                        self.nan_counts(&output.term(render::name(&output.name)));
                        self.ensure_one_text(std::slice::from_ref(output), "it groups by")?;
                        parts.push(text.clone());
                        continue;
                    }
                    let term = self.expression(key)?;
                    parts.push(render::key(self.grouped(term, "it groups by")?.sql));
                }
                if !parts.is_empty() {
                    sql.push_str(&format!(" GROUP BY {}", parts.join(", ")));
                }
            }
            _ => return Err(Refusal::new("it uses GROUP BY in a form that SQLite does not have")),
        }
        if let Some(having) = having {
            sql.push_str(&format!(" HAVING {}", having.sql));
        }
        Ok(sql)
    }

    /// Refuses output columns that are compared as they stand, where equal values can have different texts.
    fn ensure_one_text(&mut self, outputs: &[Output], what: &str) -> Result<(), Refusal> {
        for output in outputs {
            // Of a NaN, who asks has told.
            let term = Term { may_be_nan: false, ..output.term("?") };
            let term = self.grouped(term, what)?;
            if term.kind != Kind::NocaseText && term.sql != "?" {
                let words = output.kind.words();
                return Err(Refusal::new(format!("{what} {words}, of which equal ones can have different texts")));
            }
        }
        Ok(())
    }

    /// A term as an output column: in a representation that stands by itself.
    fn output_value(&mut self, term: Term) -> Result<Term, Refusal> {
        if term.may_be_nan && !term.is_column {
            self.caveat("where a NaN comes out in PostgreSQL, it is NULL or what is computed without it");
        }
        if term.inexact && !term.is_column {
            self.caveat("it is computed from a column whose representation drops a part of the value");
        }
        match &term.kind {
            Kind::Scaled { scale, .. } if term.constant.is_some() => {
                let number = term.number().map(|number| number.normal());
                match number {
                    Some(number) if *scale > 0 && number.digits() <= 15 => {
                        let kind = Kind::DecimalReal { precision: 15, scale: *scale };
                        Ok(Term { sql: number.to_string(), kind, ..term })
                    }
                    Some(number) if number.scale == 0 => Ok(Term { sql: number.to_string(), ..term }),
                    _ => Err(Refusal::new("it selects a number with more digits than a double keeps")),
                }
            }
            Kind::Scaled { scale: 0, .. } => Ok(term),
            Kind::Scaled { digits, scale } => {
                let (digits, scale) = (*digits, *scale);
                if digits > 15 {
                    self.caveat("decimals of more than 15 digits come out as the nearest double");
                }
                let sql = format!("({} / {}.0)", term.sql, super::decimal::power_of_ten(scale));
                let kind = if digits > 15 { Kind::Approximate } else { Kind::DecimalReal { precision: digits, scale } };
                Ok(Term { sql, kind, is_column: false, ..term })
            }
            Kind::Clock { .. } | Kind::Moved { .. } | Kind::TimestampLiteral { .. } | Kind::Duration { .. } => {
                Err(Refusal::new(format!("it selects {}, which has no representation of its own", term.kind.words())))
            }
            Kind::JsonText => {
                self.caveat("objects and arrays out of a JSON value come without blanks");
                Ok(Term { kind: Kind::Text, ..term })
            }
            Kind::Unknown if !term.is_null_literal() => Ok(Term { kind: Kind::Text, ..term }),
            // Who reads the column has its collation with it.
            Kind::NocaseText => Ok(self.nocase(term)),
            Kind::PaddedText if !term.is_column => {
                self.caveat("a `char(n)` comes without the blanks at its end");
                Ok(term)
            }
            _ => Ok(term),
        }
    }

    pub fn exists(&mut self, query: &Query, negated: bool) -> Result<Term, Refusal> {
        self.only_in_views()?;
        let (sql, _) = self.query(query)?;
        let not = if negated { "NOT " } else { "" };
        Ok(Term { not_null: true, ..Term::new(format!("({not}EXISTS ({sql}))"), Kind::Boolean) })
    }

    pub fn scalar_subquery(&mut self, query: &Query) -> Result<Term, Refusal> {
        self.only_in_views()?;
        let (sql, outputs) = self.query(query)?;
        let [output] = outputs.as_slice() else { return Err(Refusal::new("it uses a subquery of several columns")) };
        self.caveat("a subquery that gives several rows gives its first, where PostgreSQL stops with an error");
        Ok(output.term(format!("({sql})")))
    }

    pub fn in_subquery(&mut self, value: &Expr, query: &Query, negated: bool) -> Result<Term, Refusal> {
        self.only_in_views()?;
        let value = self.expression(value)?;
        let (sql, outputs) = self.query(query)?;
        let [output] = outputs.as_slice() else { return Err(Refusal::new("it uses a subquery of several columns")) };
        if value.kind == Kind::PaddedText && output.kind == Kind::Text {
            // As two `char(n)`, which the text of the query does not say.
            return Err(Refusal::new("it looks up a `char(n)` among texts, without regard to blanks at their ends"));
        }
        let other = output.term("?");
        let (value, other) = self.comparable(value, other, false)?;
        if other.sql != "?" {
            return Err(Refusal::new("it compares with a subquery whose values are kept in another form"));
        }
        let not = if negated { "NOT " } else { "" };
        Ok(Term::from_parts(format!("({} {not}IN ({sql}))", value.sql), Kind::Boolean, &[&value, &other]))
    }

    fn only_in_views(&self) -> Result<(), Refusal> {
        if self.purpose == Purpose::View { Ok(()) } else { Err(Refusal::new("it holds a subquery")) }
    }
}

/// The SELECT of a HAVING without GROUP BY: one row or none, of which SQLite knows from 3.39 on only, and then only where
/// an output column has an aggregate in it.
fn one_row(columns: &[String], outputs: &[Output], having: &Term, rows: &str) -> String {
    let inner: Vec<String> = columns.iter().enumerate().map(|(at, column)| format!("{column} AS \"{at}\"")).collect();
    let outer: Vec<String> =
        outputs.iter().enumerate().map(|(at, output)| format!("\"{at}\" AS {}", render::name(&output.name))).collect();
    format!(
        "SELECT {} FROM (SELECT {}, {} AS \"having\", count(*) AS \"rows\"{rows}) WHERE \"having\"",
        outer.join(", "),
        inner.join(", "),
        having.sql
    )
}

/// The wanted name, with a number behind it where it is used.
pub(super) fn free_name(wanted: &str, used: impl Fn(&str) -> bool) -> String {
    let mut name = wanted.to_owned();
    let mut number = 2;
    while used(&name) {
        name = format!("{wanted}_{number}");
        number += 1;
    }
    name
}

/// A relation out of a query's outputs.
pub(super) fn table_of(name: &str, outputs: &[Output], names: &[String]) -> Result<TableForm, Refusal> {
    if names.len() > outputs.len() {
        return Err(Refusal::new(format!("it names more columns of `{name}` than there are")));
    }
    let mut room = Room::default();
    let columns = outputs
        .iter()
        .enumerate()
        .map(|(at, output)| {
            let column = names.get(at).unwrap_or(&output.name).clone();
            let form = output.form(room.take(&column));
            (column, form)
        })
        .collect();
    Ok(TableForm { name: name.to_owned(), columns, views_deep: 0 })
}

/// The outputs of a set operation: of the first part, where the second has the same kinds.
fn unified_outputs(left: Vec<Output>, right: &[Output]) -> Result<Vec<Output>, Refusal> {
    if left.len() != right.len() {
        return Err(Refusal::new("its parts have different numbers of columns"));
    }
    left.into_iter()
        .zip(right)
        .map(|(left, right)| {
            let kind = match (&left.kind, &right.kind) {
                (Kind::Unknown, other) | (other, Kind::Unknown) => other.clone(),
                (Kind::Integer { digits: a }, Kind::Integer { digits: b }) => Kind::Integer { digits: *a.max(b) },
                (Kind::DecimalReal { precision: a, scale: s }, Kind::DecimalReal { precision: b, scale: t }) => {
                    Kind::DecimalReal { precision: *a.max(b), scale: *s.max(t) }
                }
                (a, b) if a == b => a.clone(),
                (Kind::Text, Kind::PaddedText) => Kind::Text,
                // PostgreSQL takes the first one's type: a `char(n)`, of which blanks at the end say nothing.
                (Kind::PaddedText, Kind::Text) => {
                    return Err(Refusal::new(
                        "its parts hold a `char(n)` and then a text in one column, without regard to blanks at their ends",
                    ));
                }
                (a, b) => {
                    return Err(Refusal::new(format!("its parts hold {} and {} in one column", a.words(), b.words())));
                }
            };
            let (inexact, may_be_nan) = (left.inexact || right.inexact, left.may_be_nan || right.may_be_nan);
            let collation = left.collation.max(right.collation);
            Ok(Output { kind, collation, inexact, may_be_nan, ..left })
        })
        .collect()
}

/// The name that PostgreSQL gives a column without one.
fn implied_name(expression: &Expr) -> String {
    match expression {
        Expr::Identifier(name) => folded(name),
        Expr::CompoundIdentifier(parts) => parts.last().map_or_else(|| "?column?".to_owned(), folded),
        Expr::Nested(inner) => implied_name(inner),
        Expr::Cast { expr, .. } => implied_name(expr),
        Expr::Function(function) => {
            object_name(&function.name).map_or_else(|_| "?column?".to_owned(), |(_, name)| name)
        }
        _ => "?column?".to_owned(),
    }
}

/// A query with nothing around its body.
fn bare_query() -> Query {
    Query {
        with: None,
        body: Box::new(SetExpr::Values(sqlparser::ast::Values {
            explicit_row: false,
            value_keyword: false,
            rows: Vec::new(),
        })),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
