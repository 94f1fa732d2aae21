//! PostgreSQL's expressions and view queries as SQLite's.
//!
//! **Faithful or refused.** A translation gives, on every row, the truth value, the order and the value that
//! PostgreSQL gave; where it could not, it is refused with a reason for people. What differs only in a documented
//! corner (ASCII-only `lower()`, a NaN kept as NULL, an error of PostgreSQL) is carried with a caveat. Functions and
//! operators pass by a whitelist, never by default.
//!
//! Invariants: nothing here opens a database. Every name in the output is quoted and was resolved in the scope (SQLite
//! reads an unknown `"name"` as a text). Every comparison is between two values of one representation. Errors of
//! PostgreSQL (division by zero, an integer overflow) become NULL or a wider number in SQLite: they could reject a
//! row in the source, so no row that the source holds is judged differently; of rows to come, a caveat tells.

mod aggregates;
mod casts;
mod compare;
mod dates;
mod decimal;
mod defaults;
mod frame;
mod from;
mod functions;
mod json;
mod kind;
mod literals;
mod operators;
mod order;
mod pattern;
mod query;
mod refusal;
mod render;
mod scope;
mod spelling;
mod syntax;
mod temporal;
mod term;
mod translate;

#[cfg(test)]
mod tests;

pub use defaults::{Default, Defaulted};
pub use kind::Kind;
pub use refusal::Refusal;
pub use scope::{ColumnForm, DomainScope, Scope, TableForm};

use crate::plan::version::{self, Construct};
use order::Sorting;
use refusal::unreadable;
use sqlparser::ast::{Expr, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use term::Term;
use translate::{Purpose, Translator};

/// An expression in SQLite's SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The expression; it may stand anywhere without further parentheses, except in a DEFAULT.
    pub sql: String,
    /// Where it differs, one clause each; empty where it does not.
    pub caveats: Vec<String>,
    /// Whether each row that the source holds has the same answer, whatever the caveats say of others.
    pub same_for_every_row: bool,
}

/// A view's query in SQLite's SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslatedView {
    /// The SELECT, without a closing semicolon.
    pub sql: String,
    /// Where it differs, one clause each.
    pub caveats: Vec<String>,
    /// The columns: the source's name and the form, so that other views can be built on it.
    pub columns: Vec<(String, ColumnForm)>,
    /// How many views stand behind one another in it, itself included.
    pub views_deep: usize,
}

/// The longest text that is translated, in bytes: one of a megabyte can nest its terms as deep as a stack reaches.
pub const SQL_BYTES_MAX: usize = 1 << 20;

/// Views that may stand behind one another. To prepare a query, SQLite puts each into the next: 1,000 take 40 ms each
/// time, and its stack.
const VIEWS_DEEP_MAX: usize = 200;

/// Translates the condition of a CHECK, of a table or (in a [`DomainScope`]) of a domain. A leading `CHECK` and a
/// closing `NOT VALID` or `NO INHERIT`, as `pg_get_constraintdef` prints them, are accepted.
///
/// # Errors
/// A refusal: why it is not carried.
pub fn check(expression: &str, scope: &dyn Scope) -> Result<Translated, Refusal> {
    with_room(expression, || {
        let condition = condition_of_check(expression);
        let mut translator = Translator::new(scope, Purpose::Check);
        let term = translator.condition(&parse(condition)?)?;
        if term.nan_fails {
            translator.caveat("a NaN that it refuses in PostgreSQL is kept as NULL here, which it lets pass");
        }
        translator.finish(term)
    })
}

/// Translates the condition of a partial index. One that is `unique` refuses rows, so that no other row may be in it.
///
/// # Errors
/// As [`check`].
pub fn index_predicate(expression: &str, scope: &dyn Scope, unique: bool) -> Result<Translated, Refusal> {
    with_room(expression, || {
        let purpose = if unique { Purpose::UniqueIndex } else { Purpose::Index };
        let mut translator = Translator::new(scope, purpose);
        let term = translator.condition(&parse(expression)?)?;
        translator.finish(term)
    })
}

/// Translates one key part of an index that is an expression.
///
/// # Errors
/// As [`check`].
pub fn index_expression(expression: &str, scope: &dyn Scope) -> Result<Translated, Refusal> {
    with_room(expression, || {
        let mut translator = Translator::new(scope, Purpose::Index);
        let term = translator.expression(&parse(expression)?)?;
        let term = translator.ordered(term, Sorting::Rows)?;
        translator.finish(term)
    })
}

/// Translates the expression of a generated column into the column's own representation.
///
/// # Errors
/// As [`check`].
pub fn generated(expression: &str, scope: &dyn Scope, target: &ColumnForm) -> Result<Translated, Refusal> {
    with_room(expression, || {
        let mut translator = Translator::new(scope, Purpose::Generated);
        let term = translator.expression(&parse(expression)?)?;
        // Of a NaN, PostgreSQL computes something; of the NULL in its place, SQLite computes NULL.
        translator.nan_counts(&term);
        let term = translator.assign(term, &target.kind)?;
        translator.finish(term)
    })
}

/// Translates a column's DEFAULT into the column's own representation.
///
/// # Errors
/// As [`check`].
pub fn default(expression: &str, scope: &dyn Scope, target: &ColumnForm) -> Result<Defaulted, Refusal> {
    with_room(expression, || defaults::default(&parse(expression)?, scope, target))
}

/// The sequence whose next value a DEFAULT is, by schema (where it is named) and name.
pub fn sequence_of(expression: &str) -> Option<(Option<String>, String)> {
    with_room(expression, || Ok(defaults::sequence_of(&parse(expression)?))).ok().flatten()
}

/// The text of a DEFAULT that is a literal of a type, `'…'::type`: the server prints it by the type's output function.
pub fn typed_literal(expression: &str) -> Option<String> {
    with_room(expression, || Ok(defaults::typed_literal(&parse(expression)?))).ok().flatten()
}

/// Translates a view's query, as `pg_get_viewdef` prints it: joins, common table expressions (recursive ones too),
/// subqueries, grouping, set operations, aggregates and window functions.
///
/// # Errors
/// As [`check`].
pub fn view(definition: &str, scope: &dyn Scope) -> Result<TranslatedView, Refusal> {
    with_room(definition, || {
        let dialect = PostgreSqlDialect {};
        let mut statements = spelling::parser(&dialect, definition)?.parse_statements().map_err(unreadable)?;
        let (Some(Statement::Query(query)), true) = (statements.pop(), statements.is_empty()) else {
            return Err(Refusal::new("it is not one SELECT"));
        };
        let mut translator = Translator::new(scope, Purpose::View);
        let (sql, outputs) = translator.query(&query)?;
        translator.within_version(&sql)?;
        let columns = outputs
            .into_iter()
            .map(|output| {
                let form = output.form(output.name.clone());
                (output.name, form)
            })
            .collect();
        let views_deep = translator.views_deep + 1;
        if views_deep > VIEWS_DEEP_MAX {
            return Err(Refusal::new(format!(
                "it stands on {} views, one behind the other; SQLite is not asked for more than {VIEWS_DEEP_MAX}, because the time \
                 that it takes for a query grows with their square; let it read the table, and it is carried",
                views_deep - 1
            )));
        }
        let caveats = translator.caveats.into_iter().chain(translator.errors).collect();
        Ok(TranslatedView { sql, caveats, columns, views_deep })
    })
}

/// Parses one expression; anything after it is a refusal.
fn parse(expression: &str) -> Result<Expr, Refusal> {
    let dialect = PostgreSqlDialect {};
    let mut parser = spelling::parser(&dialect, expression)?;
    let parsed = parser.parse_expr().map_err(unreadable)?;
    match parser.peek_token_ref().token {
        sqlparser::tokenizer::Token::EOF => Ok(parsed),
        ref token => Err(Refusal::new(format!("its SQL is not understood at `{token}`"))),
    }
}

/// Runs with a stack that is deep enough for the tree of that text. Chains (`a OR a OR a`) are a tree as deep as they are
/// long, which the parser makes in a loop and which only a stack takes apart again.
fn with_room<T>(sql: &str, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    const STACK_BYTES: usize = 8 << 20;
    const STACK_BYTES_FOR_A_BYTE: usize = 2 << 10;
    if sql.len() > SQL_BYTES_MAX {
        let cause = format!("its SQL has {} bytes, and at most {SQL_BYTES_MAX} are translated", sql.len());
        return Err(Refusal::new(cause));
    }
    let needed = STACK_BYTES_FOR_A_BYTE * sql.len();
    // What is set aside is taken from the machine only as far as it is used.
    stacker::maybe_grow((1 << 19) + needed, STACK_BYTES + needed, work)
}

fn condition_of_check(expression: &str) -> &str {
    let mut text = expression.trim();
    for suffix in ["NOT VALID", "NO INHERIT", "NOT ENFORCED"] {
        text = text.strip_suffix(suffix).unwrap_or(text).trim_end();
    }
    match text.get(..5) {
        Some(word) if word.eq_ignore_ascii_case("check") => text[5..].trim_start(),
        _ => text,
    }
}

impl Translator<'_> {
    fn finish(self, term: Term) -> Result<Translated, Refusal> {
        self.within_version(&term.sql)?;
        let same_for_every_row = self.caveats.is_empty();
        let caveats = self.caveats.into_iter().chain(self.errors).collect();
        Ok(Translated { sql: term.sql, caveats, same_for_every_row })
    }

    /// Refuses what the versions of SQLite that the file is for do not have.
    fn within_version(&self, sql: &str) -> Result<(), Refusal> {
        let found = version::constructs(sql)
            .ok_or_else(|| Refusal::new("nobody can tell which version of SQLite its translation needs"))?;
        match found.into_iter().max_by_key(|construct| construct.since) {
            Some(Construct { words, since, .. }) if *since > self.scope.sqlite_version() => Err(Refusal::new(format!(
                "it uses {words}, which needs SQLite {since}; `--sqlite-version {since}` allows it"
            ))),
            _ => Ok(()),
        }
    }

    /// A condition: a boolean, or a refusal.
    fn condition(&mut self, expression: &Expr) -> Result<Term, Refusal> {
        let term = self.expression(expression)?;
        self.boolean(term)
    }

    /// The term as a boolean.
    fn boolean(&mut self, term: Term) -> Result<Term, Refusal> {
        match term.kind {
            Kind::Boolean => Ok(term),
            Kind::Unknown if term.is_null_literal() => Ok(term),
            Kind::Unknown => self.constant_as(&term, &Kind::Boolean),
            _ => Err(Refusal::new(format!("it uses {} as a condition", term.kind.words()))),
        }
    }
}
