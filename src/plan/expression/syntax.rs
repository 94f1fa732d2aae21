//! What a tree of syntax says by itself: names, arguments, what is inside parentheses.

use super::Refusal;
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, JoinOperator, ObjectName, ObjectNamePart,
    TableFactor, TableWithJoins,
};

/// The expression inside parentheses.
pub(super) fn strip(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => strip(inner),
        other => other,
    }
}

/// The elements of `ARRAY[…]`.
pub(super) fn array_syntax(expression: &Expr) -> Option<&[Expr]> {
    match strip(expression) {
        Expr::Array(array) => Some(&array.elem),
        _ => None,
    }
}

/// The fields of `ROW(…)` or `(a, b)`.
pub(super) fn row_fields(expression: &Expr) -> Option<Vec<&Expr>> {
    match strip(expression) {
        Expr::Tuple(fields) => Some(fields.iter().collect()),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
            plain_arguments("row", &function.args).ok()
        }
        _ => None,
    }
}

/// The arguments of a call without anything but expressions in it.
pub(super) fn plain_arguments<'e>(name: &str, arguments: &'e FunctionArguments) -> Result<Vec<&'e Expr>, Refusal> {
    match arguments {
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(unknown_function(name)),
        FunctionArguments::List(list) => {
            if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return Err(unknown_function(name));
            }
            list.args
                .iter()
                .map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Ok(expression),
                    FunctionArg::Named { name: argument, .. } => {
                        Err(Refusal::new(format!("it passes the argument `{}` of {name}() by name", folded(argument))))
                    }
                    _ => Err(unknown_function(name)),
                })
                .collect()
        }
    }
}

pub(super) fn unknown_function(name: &str) -> Refusal {
    Refusal::new(format!("it calls {name}(), which has no known equal in SQLite"))
}

/// A name as PostgreSQL reads it: lower case where it is not quoted.
pub(super) fn folded(name: &Ident) -> String {
    match name.quote_style {
        None => name.value.to_lowercase(),
        Some(_) => name.value.clone(),
    }
}

/// A name of one or two parts: schema and name.
pub(super) fn object_name(name: &ObjectName) -> Result<(Option<String>, String), Refusal> {
    let mut parts = Vec::new();
    for part in &name.0 {
        let ObjectNamePart::Identifier(part) = part else {
            return Err(Refusal::new(format!("it uses the name `{name}`, whose form is not known")));
        };
        parts.push(folded(part));
    }
    match parts.as_mut_slice() {
        [name] => Ok((None, std::mem::take(name))),
        [schema, name] => Ok((Some(std::mem::take(schema)), std::mem::take(name))),
        _ => Err(Refusal::new(format!("it uses the name `{name}`, whose form is not known"))),
    }
}

/// Whether a FULL JOIN stands in it outside of parentheses.
pub(super) fn holds_full_join(item: &TableWithJoins) -> bool {
    let is_full = item.joins.iter().any(|join| matches!(join.join_operator, JoinOperator::FullOuter(_)));
    is_full
        || matches!(&item.relation, TableFactor::NestedJoin { table_with_joins, .. } if holds_full_join(table_with_joins))
}
