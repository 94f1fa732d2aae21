//! Queries: FROM lists and the names that they bring in, SELECT, set operations, common table expressions.
//!
//! SQLite compares names without case, and a common table expression hides every table of its name, with a schema or
//! without. So what a query names itself gets a name of its own where SQLite would mistake it.

use super::kind::{Collated, Kind, Term};
use super::order::Sorting;
use super::scope::{ColumnForm, TableForm};
use super::translate::{Purpose, Translator, folded, object_name};
use super::{Refusal, render};
use crate::catalog::TextOrder;
use crate::plan::names::Room;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, JoinConstraint, JoinOperator, LimitClause, OrderByKind, Query, Select, SelectFlavor,
    SelectItem, SetExpr, SetOperator, SetQuantifier, TableAlias, TableFactor, TableWithJoins, Value,
};

/// Queries in one another that a translation follows.
const QUERIES_DEEP_MAX: usize = 60;

/// One FROM list: what is in it, by alias.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    relations: Vec<Relation>,
    /// Columns that USING merged, by name.
    merged: Vec<String>,
}

#[derive(Debug, Clone)]
struct Relation {
    alias: String,
    /// What it is called in SQLite.
    target: String,
    columns: Vec<(String, ColumnForm)>,
    /// Whether an outer join may leave it without a row.
    optional: bool,
}

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
        let mut form = ColumnForm::new(name, self.kind.stored()).collated(self.collation);
        form.exact = !self.inexact;
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
    /// The column in the FROM lists around, innermost first.
    pub fn frame_column(&self, table: Option<&str>, name: &str) -> Result<Option<Term>, Refusal> {
        for (depth, frame) in self.frames.iter().enumerate().rev() {
            for relation in &frame.relations {
                if table.is_some_and(|table| table != relation.alias) {
                    continue;
                }
                if let Some((_, form)) = relation.columns.iter().find(|(source, _)| source == name) {
                    let bare = table.is_none() && frame.merged.iter().any(|merged| merged == name);
                    let sql = if bare {
                        self.ensure_unmistakable(depth, name, &form.name)?;
                        render::name(&form.name)
                    } else {
                        format!("{}.{}", render::name(&relation.target), render::name(&form.name))
                    };
                    let mut term = Term::column(sql, form);
                    term.not_null &= !relation.optional;
                    return Ok(Some(term));
                }
            }
        }
        Ok(None)
    }

    /// A column that USING has merged has no table before it: no other column around may be taken for it.
    fn ensure_unmistakable(&self, depth: usize, name: &str, target: &str) -> Result<(), Refusal> {
        let others = self.frames[depth..].iter().enumerate().flat_map(|(inner, frame)| {
            let columns = frame.relations.iter().flat_map(|relation| &relation.columns);
            columns
                .filter(move |(source, form)| (inner > 0 || source != name) && form.name.eq_ignore_ascii_case(target))
        });
        if others.count() > 0 {
            return Err(Refusal::new(format!("it has two columns `{name}`, which SQLite cannot tell apart")));
        }
        Ok(())
    }

    /// A name for a relation of a FROM list that none around it has, without case.
    fn free_alias(&self, alias: &str) -> String {
        let used = |name: &str| {
            self.frames
                .iter()
                .flat_map(|frame| &frame.relations)
                .any(|relation| relation.target.eq_ignore_ascii_case(name))
        };
        free_name(alias, used)
    }

    /// A name for a common table expression that no table has, nor any other one in sight.
    fn free_common_name(&self, name: &str) -> String {
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
            from.push(self.table_with_joins(item)?);
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
            columns.push(format!("{} AS {}", term.sql, render::name(&name)));
            outputs.push(Output::new(name, term));
        }
        if !distinct.is_empty() {
            self.ensure_one_text(&outputs, "its DISTINCT compares")?;
        }
        if columns.is_empty() {
            return Err(Refusal::new("it selects nothing"));
        }
        let mut sql = format!("SELECT {distinct}{}", columns.join(", "));
        if !from.is_empty() {
            sql.push_str(&format!(" FROM {}", from.join(", ")));
        }
        if let Some(selection) = &select.selection {
            sql.push_str(&format!(" WHERE {}", self.condition(selection)?.sql));
        }
        match &select.group_by {
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
                        self.ensure_one_text(std::slice::from_ref(output), "it groups by")?;
                        parts.push(text.clone());
                        continue;
                    }
                    let term = self.expression(key)?;
                    parts.push(self.grouped(term, "it groups by")?.sql);
                }
                if !parts.is_empty() {
                    sql.push_str(&format!(" GROUP BY {}", parts.join(", ")));
                }
            }
            _ => return Err(Refusal::new("it uses GROUP BY in a form that SQLite does not have")),
        }
        if let Some(having) = &select.having {
            sql.push_str(&format!(" HAVING {}", self.condition(having)?.sql));
        }
        let order = self.order_of(query, &outputs)?;
        Ok((sql, outputs, order))
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

    fn table_with_joins(&mut self, item: &TableWithJoins) -> Result<String, Refusal> {
        let start = self.relations().len();
        let mut sql = self.table_factor(&item.relation, true)?;
        for join in &item.joins {
            if join.global {
                return Err(Refusal::new("it uses GLOBAL JOIN"));
            }
            let (words, constraint, left_optional, right_optional) = match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) => ("JOIN", on, false, false),
                JoinOperator::CrossJoin(on) => ("CROSS JOIN", on, false, false),
                JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => ("LEFT JOIN", on, false, true),
                JoinOperator::Right(on) | JoinOperator::RightOuter(on) => ("LEFT JOIN", on, true, false),
                JoinOperator::FullOuter(on) => ("FULL JOIN", on, true, true),
                _ => return Err(Refusal::new("it uses a JOIN that has no known equal in SQLite")),
            };
            let middle = self.relations().len();
            let right = self.table_factor(&join.relation, false)?;
            let end = self.relations().len();
            let constraint = self.join_constraint(constraint, start, middle, end)?;
            for (at, relation) in self.relations().iter_mut().enumerate().skip(start) {
                relation.optional |= if at < middle { left_optional } else { right_optional };
            }
            sql = if left_optional && !right_optional {
                // A RIGHT JOIN, the other way round.
                let left = if middle - start > 1 { format!("({sql})") } else { sql };
                format!("{right} {words} {left}{constraint}")
            } else {
                format!("{sql} {words} {right}{constraint}")
            };
        }
        Ok(sql)
    }

    fn relations(&mut self) -> &mut Vec<Relation> {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last].relations
    }

    fn join_constraint(
        &mut self,
        constraint: &JoinConstraint,
        start: usize,
        middle: usize,
        end: usize,
    ) -> Result<String, Refusal> {
        match constraint {
            JoinConstraint::None => Ok(String::new()),
            JoinConstraint::On(condition) => Ok(format!(" ON {}", self.condition(condition)?.sql)),
            JoinConstraint::Natural => Err(Refusal::new("it uses NATURAL JOIN")),
            JoinConstraint::Using(names) => {
                let mut columns = Vec::with_capacity(names.len());
                for name in names {
                    let (_, name) = object_name(name)?;
                    let find = |relations: &[Relation]| {
                        relations.iter().find_map(|relation| {
                            relation.columns.iter().find(|(source, _)| *source == name).map(|(_, form)| form.clone())
                        })
                    };
                    let relations = self.relations();
                    let (Some(left), Some(right)) = (find(&relations[start..middle]), find(&relations[middle..end]))
                    else {
                        return Err(Refusal::new(format!("it joins by `{name}`, which the target does not have")));
                    };
                    let (left_term, right_term) = (Term::column("l".into(), &left), Term::column("r".into(), &right));
                    if left.name != right.name || left_term.kind.words() != right_term.kind.words() {
                        return Err(Refusal::new(format!("it joins by `{name}`, which its tables keep in two ways")));
                    }
                    // USING compares the columns as they stand.
                    let (left_term, right_term) = self.comparable(left_term, right_term, false)?;
                    if left_term.kind != Kind::NocaseText && (left_term.sql != "l" || right_term.sql != "r") {
                        let words = left_term.kind.words();
                        return Err(Refusal::new(format!(
                            "it joins by `{name}`, {words}, of which equal ones can have different texts"
                        )));
                    }
                    columns.push(render::name(&left.name));
                    if let Some(frame) = self.frames.last_mut() {
                        frame.merged.push(name);
                    }
                }
                Ok(format!(" USING ({})", columns.join(", ")))
            }
        }
    }

    fn table_factor(&mut self, factor: &TableFactor, leftmost: bool) -> Result<String, Refusal> {
        match factor {
            TableFactor::Table { name, alias, args: None, with_ordinality: false, sample: None, .. } => {
                let (schema, name) = object_name(name)?;
                let common = match schema {
                    None => self.common.iter().rev().find(|(common, _)| *common == name).map(|(_, form)| form.clone()),
                    Some(_) => None,
                };
                let form = common.or_else(|| self.scope.table(schema.as_deref(), &name)).ok_or_else(|| {
                    Refusal::new(format!(
                        "it reads `{name}`, which is not in the target with all the rows that the view reads"
                    ))
                })?;
                self.views_deep = self.views_deep.max(form.views_deep);
                let table = form.name.clone();
                let alias_name = alias.as_ref().map_or(name, |alias| folded(&alias.name));
                if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
                    return Err(Refusal::new("it renames the columns of a table in FROM"));
                }
                let target = self.free_alias(&alias_name);
                let sql = if table == target {
                    render::name(&table)
                } else {
                    format!("{} AS {}", render::name(&table), render::name(&target))
                };
                self.relations().push(Relation { alias: alias_name, target, columns: form.columns, optional: false });
                Ok(sql)
            }
            TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None } => {
                // It does not see its neighbours, only what is around the whole query.
                let own = self.frames.pop();
                let result = self.query(subquery);
                self.frames.extend(own);
                let (sql, outputs) = result?;
                let alias_name = folded(&alias.name);
                let names: Vec<String> = alias.columns.iter().map(|column| folded(&column.name)).collect();
                let form = table_of(&alias_name, &outputs, &names)?;
                let keeps_names =
                    form.columns.iter().zip(&outputs).all(|((_, column), output)| column.name == output.name);
                let sql = if keeps_names {
                    format!("({sql})")
                } else {
                    let columns: Vec<String> =
                        form.columns.iter().map(|(_, column)| render::name(&column.name)).collect();
                    let inner = render::name(&self.free_common_name(&alias_name));
                    format!("(WITH {inner} ({}) AS ({sql}) SELECT * FROM {inner})", columns.join(", "))
                };
                let target = self.free_alias(&alias_name);
                let sql = format!("{sql} AS {}", render::name(&target));
                self.relations().push(Relation { alias: alias_name, target, columns: form.columns, optional: false });
                Ok(sql)
            }
            TableFactor::Derived { lateral: true, .. } => {
                Err(Refusal::new("it uses LATERAL, which SQLite does not have"))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let sql = self.table_with_joins(table_with_joins)?;
                // Joins associate to the left: the first parentheses say nothing.
                Ok(if leftmost || table_with_joins.joins.is_empty() { sql } else { format!("({sql})") })
            }
            TableFactor::Table { args: Some(_), name, .. } | TableFactor::Function { name, .. } => {
                Err(Refusal::new(format!("it reads from the function {name}()")))
            }
            TableFactor::UNNEST { .. } => Err(Refusal::new("it uses unnest(), which SQLite does not have")),
            _ => Err(Refusal::new("its FROM has a form that has no known equal in SQLite")),
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

/// The wanted name, with a number behind it where it is used.
fn free_name(wanted: &str, used: impl Fn(&str) -> bool) -> String {
    let mut name = wanted.to_owned();
    let mut number = 2;
    while used(&name) {
        name = format!("{wanted}_{number}");
        number += 1;
    }
    name
}

/// A relation out of a query's outputs.
fn table_of(name: &str, outputs: &[Output], names: &[String]) -> Result<TableForm, Refusal> {
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
