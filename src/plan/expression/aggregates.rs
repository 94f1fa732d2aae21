//! Aggregates and window functions; in views only.

use super::kind::Kind;
use super::operators::common_kind;
use super::order::Sorting;
use super::syntax::{plain_arguments, unknown_function};
use super::term::Term;
use super::translate::{Purpose, Translator, ensure_has_form};
use super::{Refusal, decimal, render};
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, OrderByExpr, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

const AGGREGATES: [&str; 10] =
    ["count", "sum", "avg", "min", "max", "string_agg", "bool_and", "bool_or", "every", "array_agg"];
const SUM_PAST_64_BITS: &str = "a sum past 64 bits stops with an error in SQLite";
const WINDOWS: [&str; 11] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];

impl Translator<'_> {
    /// An aggregate or window call; `None` where the function is neither.
    pub fn aggregate_or_window(&mut self, name: &str, function: &Function) -> Result<Option<Term>, Refusal> {
        let aggregate = AGGREGATES.contains(&name);
        if !aggregate && !WINDOWS.contains(&name) {
            return Ok(None);
        }
        if self.purpose != Purpose::View {
            return Err(Refusal::new(format!("it calls {name}(), which belongs in a query")));
        }
        if function.null_treatment.is_some() || !function.within_group.is_empty() {
            return Err(unknown_function(name));
        }
        let (term, inside) = if aggregate { self.aggregate(name, function)? } else { self.window(name, function)? };
        let filter = match &function.filter {
            Some(filter) => {
                let filter = self.condition(filter)?;
                format!(" FILTER (WHERE {})", filter.sql)
            }
            None => String::new(),
        };
        let over = match &function.over {
            None if aggregate => String::new(),
            None => return Err(unknown_function(name)),
            Some(WindowType::NamedWindow(_)) => return Err(Refusal::new("it uses a named window")),
            Some(WindowType::WindowSpec(window)) => format!(" OVER ({})", self.window_definition(window)?),
        };
        let call = format!("{inside}{filter}{over}");
        Ok(Some(Term { sql: term.sql.replace(CALL, &call), ..term }))
    }

    /// The aggregate's term, with [`CALL`] in the place of the call itself, and the call.
    fn aggregate(&mut self, name: &str, function: &Function) -> Result<(Term, String), Refusal> {
        let FunctionArguments::List(list) = &function.args else { return Err(unknown_function(name)) };
        let distinct = match list.duplicate_treatment {
            Some(DuplicateTreatment::Distinct) => "DISTINCT ",
            _ => "",
        };
        if let ("count", [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)], "") = (name, list.args.as_slice(), distinct)
        {
            return Ok((count_term(), "count(*)".to_owned()));
        }
        let (term, second, order) = self.aggregated(name, list)?;
        self.nan_counts(&term);
        let term = if distinct.is_empty() || matches!(name, "min" | "max") {
            term
        } else {
            self.grouped(term, &format!("its {name}(DISTINCT …) compares"))?
        };
        let plain = |sql_name: &str, term: &Term| format!("{sql_name}({distinct}{})", term.sql);
        match (name, &term.kind) {
            ("count", Kind::Clock { .. } | Kind::Moved { .. } | Kind::TimestampLiteral { .. }) => {
                Err(unknown_function(name))
            }
            ("count", _) => Ok((count_term(), plain("count", &term))),
            ("min" | "max", Kind::Text | Kind::PaddedText | Kind::Date | Kind::NocaseText) => {
                let term = self.ordered(term, Sorting::Answer)?;
                Ok((term_of(term.kind.clone(), &[&term]), plain(name, &term)))
            }
            (
                "min" | "max",
                Kind::Integer { .. }
                | Kind::Real
                | Kind::SingleReal
                | Kind::Scaled { .. }
                | Kind::DecimalReal { .. }
                | Kind::Approximate
                | Kind::Epoch { .. }
                | Kind::Duration { .. },
            ) => Ok((term_of(term.kind.clone(), &[&term]), plain(name, &term))),
            ("sum" | "avg", _) => {
                let (kind, term) = self.sum(name, term, !distinct.is_empty())?;
                Ok((term_of(kind, &[&term]), plain(name, &term)))
            }
            ("bool_and" | "every", Kind::Boolean) => Ok((term_of(Kind::Boolean, &[&term]), plain("min", &term))),
            ("bool_or", Kind::Boolean) => Ok((term_of(Kind::Boolean, &[&term]), plain("max", &term))),
            ("string_agg", Kind::Text | Kind::Unknown) => {
                let Some(separator) = second.as_ref().and_then(Term::text) else {
                    return Err(Refusal::new("it calls string_agg() with a separator that is not a literal"));
                };
                if !distinct.is_empty() {
                    return Err(Refusal::new("it calls string_agg(DISTINCT …), where SQLite takes no separator"));
                }
                if order.is_empty() {
                    self.caveat("string_agg() without ORDER BY joins in whatever order the rows come");
                }
                let call = format!("group_concat({}, {}{order})", term.sql, render::text(separator));
                Ok((term_of(Kind::Text, &[&term]), call))
            }
            ("array_agg", Kind::Integer { .. } | Kind::Text) => {
                if order.is_empty() {
                    self.caveat("array_agg() without ORDER BY collects in whatever order the rows come");
                }
                let outer = term_of(Kind::JsonArray, &[&term]);
                let outer = Term { sql: format!("nullif({CALL}, '[]')"), ..outer };
                Ok((outer, format!("json_group_array({distinct}{}{order})", term.sql)))
            }
            (_, kind) => Err(Refusal::new(format!("it calls {name}() on {}", kind.words()))),
        }
    }

    /// The arguments of an aggregate, and its ORDER BY clause.
    fn aggregated(&mut self, name: &str, list: &FunctionArgumentList) -> Result<(Term, Option<Term>, String), Refusal> {
        let mut order = String::new();
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(terms) => {
                    // The order of what is counted, added up or compared changes nothing.
                    let is_joined = matches!(name, "string_agg" | "array_agg");
                    let sorting = if is_joined { Sorting::Answer } else { Sorting::Rows };
                    order = format!(" ORDER BY {}", self.order_terms(terms, &[], sorting)?)
                }
                _ => return Err(unknown_function(name)),
            }
        }
        let mut terms = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) = argument else {
                return Err(unknown_function(name));
            };
            terms.push(self.expression(expression)?);
        }
        let mut terms = terms.into_iter();
        let Some(term) = terms.next() else { return Err(unknown_function(name)) };
        let second = terms.next();
        if second.is_some() != (name == "string_agg") || terms.next().is_some() {
            return Err(unknown_function(name));
        }
        Ok((term, second, order))
    }

    /// What a sum or an average is, and what it is taken of.
    fn sum(&mut self, name: &str, term: Term, is_distinct: bool) -> Result<(Kind, Term), Refusal> {
        match (name, &term.kind) {
            ("sum", Kind::Integer { digits: ..=10 }) => Ok((Kind::Integer { digits: 19 }, term)),
            ("sum", Kind::Integer { .. }) => {
                self.caveat(SUM_PAST_64_BITS);
                Ok((Kind::Scaled { digits: 19, scale: 0 }, term))
            }
            ("sum", Kind::Scaled { .. } | Kind::DecimalReal { .. }) => {
                let (term, digits, scale) = self.scaled(term)?;
                // Fewer digits need a million rows of the greatest values.
                if digits > 12 {
                    self.caveat(SUM_PAST_64_BITS);
                }
                // The sum of integers is exact; beyond 64 bits SQLite stops with an error instead of rounding.
                Ok((Kind::Scaled { digits: decimal::DIGITS_MAX, scale }, term))
            }
            (_, Kind::Real) => {
                self.caveat("sums of doubles may differ in their last digits");
                Ok((Kind::Real, term))
            }
            (
                _,
                Kind::Integer { .. }
                | Kind::Scaled { .. }
                | Kind::DecimalReal { .. }
                | Kind::DecimalText { .. }
                | Kind::Approximate,
            ) => {
                self.caveat(format!("{name}() of decimals is computed in floating point, where PostgreSQL is exact"));
                if is_distinct && matches!(term.kind, Kind::DecimalText { .. }) {
                    return Err(Refusal::new(format!("its {name}(DISTINCT …) compares decimals in floating point")));
                }
                Ok((Kind::Approximate, self.approximate(term)))
            }
            (_, kind) => Err(Refusal::new(format!("it calls {name}() on {}", kind.words()))),
        }
    }

    fn window(&mut self, name: &str, function: &Function) -> Result<(Term, String), Refusal> {
        let arguments = plain_arguments(name, &function.args)?;
        let terms = arguments.iter().map(|argument| self.expression(argument)).collect::<Result<Vec<_>, _>>()?;
        terms.iter().try_for_each(ensure_has_form)?;
        let (values, terms) = match (name, <[Term; 3]>::try_from(terms)) {
            ("lag" | "lead", Ok([value, distance, other])) => {
                let [value, other] = self.beside_default(value, other)?;
                (vec![value.clone(), other.clone()], vec![value, distance, other])
            }
            (_, Ok(terms)) => (Vec::new(), terms.into()),
            (_, Err(terms)) => (terms.first().cloned().into_iter().collect(), terms),
        };
        let of_values = || term_of(common_kind(&values), &values.iter().collect::<Vec<_>>());
        let term = match (name, terms.as_slice()) {
            ("row_number" | "rank" | "dense_rank", []) => count_term(),
            ("percent_rank" | "cume_dist", []) => Term { not_null: true, ..Term::new(CALL, Kind::Real) },
            ("ntile", [Term { kind: Kind::Integer { .. }, .. }]) => Term::new(CALL, Kind::Integer { digits: 10 }),
            ("lag" | "lead" | "first_value" | "last_value", [_]) => of_values(),
            ("lag" | "lead" | "nth_value", [_, Term { kind: Kind::Integer { .. }, constant: Some(_), .. }])
            | ("lag" | "lead", [_, Term { kind: Kind::Integer { .. }, constant: Some(_), .. }, _]) => of_values(),
            _ => return Err(unknown_function(name)),
        };
        let list: Vec<&str> = terms.iter().map(|term| term.sql.as_str()).collect();
        Ok((term, format!("{name}({})", list.join(", "))))
    }

    /// A value and what stands for one where there is none, in one representation.
    fn beside_default(&mut self, value: Term, other: Term) -> Result<[Term; 2], Refusal> {
        if let (Kind::DecimalText { .. }, Some(number)) = (&value.kind, other.number()) {
            // A text that has as many digits as the literal, whatever its column has.
            let kind = Kind::DecimalText { scale: None };
            let other = Term { sql: render::text(&number.to_string()), kind: kind.clone(), constant: None, ..other };
            return Ok([Term { kind, ..value }, other]);
        }
        let terms = self.unified(vec![value, other])?;
        <[Term; 2]>::try_from(terms).map_err(|_| Refusal::new("it mixes values"))
    }

    fn window_definition(&mut self, window: &WindowSpec) -> Result<String, Refusal> {
        if window.window_name.is_some() {
            return Err(Refusal::new("it uses a named window"));
        }
        let mut parts = Vec::new();
        if !window.partition_by.is_empty() {
            let keys = window
                .partition_by
                .iter()
                .map(|key| {
                    let term = self.expression(key)?;
                    Ok(self.grouped(term, "it groups by")?.sql)
                })
                .collect::<Result<Vec<_>, _>>()?;
            parts.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        if !window.order_by.is_empty() {
            parts.push(format!("ORDER BY {}", self.order_terms(&window.order_by, &[], Sorting::Answer)?));
        }
        if let Some(frame) = &window.window_frame {
            let units = match frame.units {
                WindowFrameUnits::Rows => "ROWS",
                WindowFrameUnits::Range => "RANGE",
                WindowFrameUnits::Groups => "GROUPS",
            };
            let start = self.frame_bound(&frame.start_bound, &frame.units)?;
            parts.push(match &frame.end_bound {
                Some(end) => format!("{units} BETWEEN {start} AND {}", self.frame_bound(end, &frame.units)?),
                None => format!("{units} {start}"),
            });
        }
        Ok(parts.join(" "))
    }

    fn frame_bound(&mut self, bound: &WindowFrameBound, units: &WindowFrameUnits) -> Result<String, Refusal> {
        let mut distance = |distance: &Expr| {
            let term = self.expression(distance)?;
            match term.kind {
                Kind::Integer { .. } if term.constant.is_some() && *units != WindowFrameUnits::Range => Ok(term.sql),
                _ => Err(Refusal::new("it uses a window frame by value")),
            }
        };
        Ok(match bound {
            WindowFrameBound::CurrentRow => "CURRENT ROW".to_owned(),
            WindowFrameBound::Preceding(None) => "UNBOUNDED PRECEDING".to_owned(),
            WindowFrameBound::Following(None) => "UNBOUNDED FOLLOWING".to_owned(),
            WindowFrameBound::Preceding(Some(n)) => format!("{} PRECEDING", distance(n)?),
            WindowFrameBound::Following(Some(n)) => format!("{} FOLLOWING", distance(n)?),
        })
    }

    /// ORDER BY terms: NULLs where PostgreSQL puts them, values in the order that they have there. `outputs` are the
    /// output columns that a bare name may mean.
    pub fn order_terms(
        &mut self,
        terms: &[OrderByExpr],
        outputs: &[super::query::Output],
        sorting: Sorting,
    ) -> Result<String, Refusal> {
        let mut parts = Vec::with_capacity(terms.len());
        for OrderByExpr { expr, options, with_fill } in terms {
            if with_fill.is_some() {
                return Err(Refusal::new("it uses ORDER BY … WITH FILL"));
            }
            let term = self.order_key(expr, outputs, sorting)?;
            let descending = match &options.sort {
                None | Some(sqlparser::ast::OrderBySort::Asc) => false,
                Some(sqlparser::ast::OrderBySort::Desc) => true,
                Some(_) => return Err(Refusal::new("it uses ORDER BY … USING")),
            };
            let nulls_first = options.nulls_first.unwrap_or(descending);
            let direction = if descending { " DESC" } else { "" };
            let nulls = match (descending, nulls_first) {
                _ if term.not_null || term.sql == "NULL" => "",
                (false, false) => " NULLS LAST",
                (true, true) => " NULLS FIRST",
                _ => "",
            };
            parts.push(format!("{}{direction}{nulls}", term.sql));
        }
        Ok(parts.join(", "))
    }

    fn order_key(
        &mut self,
        expression: &Expr,
        outputs: &[super::query::Output],
        sorting: Sorting,
    ) -> Result<Term, Refusal> {
        // A bare number is an output column's place, and a bare name means one before it means a column. It is called by
        // its place: SQLite takes names that differ by case for the same.
        let place = match expression {
            Expr::Value(value) => match &value.value {
                sqlparser::ast::Value::Number(text, _) => {
                    text.parse::<usize>().ok().and_then(|place| place.checked_sub(1))
                }
                _ => None,
            },
            Expr::Identifier(name) => {
                let name = super::syntax::folded(name);
                outputs.iter().position(|output| output.name == name)
            }
            _ => None,
        };
        let Some((place, output)) = place.and_then(|place| Some((place, outputs.get(place)?))) else {
            let term = self.expression(expression)?;
            let term = self.ordered(term, sorting)?;
            return Ok(Term { sql: render::key(term.sql), ..term });
        };
        let term = Term::column((place + 1).to_string(), &output.form(String::new()));
        let before = term.sql.clone();
        let ordered = self.ordered(term, sorting)?;
        if ordered.sql == before || ordered.kind == Kind::NocaseText {
            Ok(ordered)
        } else {
            Err(Refusal::new("it sorts an output column that SQLite orders otherwise"))
        }
    }
}

/// The place of the call in an aggregate's SQL. No SQL holds a null character.
const CALL: &str = "\0";

/// What is counted: what was dropped from the values, or is NULL for NaN, is not in the number itself.
fn count_term() -> Term {
    Term { not_null: true, ..Term::new(CALL, Kind::Integer { digits: 19 }) }
}

/// One of the values, or computed from them: NULL where there are none.
fn term_of(kind: Kind, values: &[&Term]) -> Term {
    Term { not_null: false, ..Term::from_parts(CALL, kind, values) }
}
