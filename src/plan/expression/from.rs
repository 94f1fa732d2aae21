//! FROM lists: what is in them, how it is joined, and the names that it brings in.
//!
//! A comma is one more join to SQLite, so that a USING after it takes its columns from everything before, and a FULL JOIN its
//! rows: no USING is written, and such a FULL JOIN stands in parentheses.

use super::frame::{Frame, Merged, Relation};
use super::kind::Kind;
use super::operators::common_kind;
use super::query::{free_name, table_of};
use super::scope::ColumnForm;
use super::syntax::{folded, object_name};
use super::term::Term;
use super::translate::Translator;
use super::{Refusal, render};
use sqlparser::ast::{JoinConstraint, JoinOperator, TableFactor, TableWithJoins};
use std::ops::Range;

impl Frame {
    /// A column by its parts.
    fn term(&self, parts: &[(usize, ColumnForm)]) -> Option<Term> {
        let terms: Vec<Term> =
            parts.iter().filter_map(|(place, form)| Some(self.relations.get(*place)?.term(form))).collect();
        if let [one] = terms.as_slice() {
            return Some(one.clone());
        }
        let list: Vec<&str> = terms.iter().map(|term| term.sql.as_str()).collect();
        let all: Vec<&Term> = terms.iter().collect();
        let mut term = Term::from_parts(format!("coalesce({})", list.join(", ")), common_kind(&terms), &all);
        term.not_null = terms.iter().any(|term| term.not_null);
        Some(term)
    }
}

impl Translator<'_> {
    /// The column in the FROM lists around, innermost first.
    pub fn frame_column(&self, table: Option<&str>, name: &str) -> Option<Term> {
        self.frames.iter().rev().find_map(|frame| {
            let Some(table) = table else {
                return frame.term(&frame.column_of(name, &(0..frame.relations.len()))?);
            };
            frame.relations.iter().filter(|relation| relation.alias == table).find_map(|relation| {
                let (_, form) = relation.columns.iter().find(|(source, _)| source == name)?;
                Some(relation.term(form))
            })
        })
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

    /// One item of a FROM list.
    pub fn table_with_joins(&mut self, item: &TableWithJoins) -> Result<String, Refusal> {
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
            let sides = Sides { left: start..middle, right: middle..end, left_optional, right_optional };
            let constraint = self.join_constraint(constraint, &sides)?;
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

    fn join_constraint(&mut self, constraint: &JoinConstraint, sides: &Sides) -> Result<String, Refusal> {
        match constraint {
            JoinConstraint::None => Ok(String::new()),
            JoinConstraint::On(condition) => Ok(format!(" ON {}", self.condition(condition)?.sql)),
            JoinConstraint::Natural => Err(Refusal::new("it uses NATURAL JOIN")),
            JoinConstraint::Using(names) => {
                let mut conditions = Vec::with_capacity(names.len());
                for name in names {
                    let (_, name) = object_name(name)?;
                    conditions.push(self.joined_by(name, sides)?.sql);
                }
                Ok(format!(" ON {}", conditions.join(" AND ")))
            }
        }
    }

    /// One name of a USING: the condition, and the column that it makes of two.
    fn joined_by(&mut self, name: String, sides: &Sides) -> Result<Term, Refusal> {
        let frame = self.frames.last().ok_or_else(|| Refusal::new("it joins nothing"))?;
        let found = |side: &Range<usize>| {
            let parts = frame.column_of(&name, side)?;
            Some((frame.term(&parts)?, parts))
        };
        let (Some((left, mut parts)), Some((right, right_parts))) = (found(&sides.left), found(&sides.right)) else {
            return Err(Refusal::new(format!("it joins by `{name}`, which the target does not have")));
        };
        let is_either = sides.left_optional && sides.right_optional;
        let is_integer = |term: &Term| matches!(term.kind, Kind::Integer { .. });
        let alike = left.kind == right.kind || is_integer(&left) && is_integer(&right);
        if left.kind.words() != right.kind.words() || is_either && !alike {
            return Err(Refusal::new(format!("it joins by `{name}`, which its tables keep in two ways")));
        }
        let condition = self.compare(left, "=", right)?;
        match (sides.left_optional, sides.right_optional) {
            (true, true) => parts.extend(right_parts),
            (true, false) => parts = right_parts,
            (false, _) => {}
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.merged.push(Merged { name, joined: sides.left.start..sides.right.end, parts });
        }
        Ok(condition)
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
}

/// The relations on both sides of a join, and whether it may leave them without a row.
struct Sides {
    left: Range<usize>,
    right: Range<usize>,
    left_optional: bool,
    right_optional: bool,
}
