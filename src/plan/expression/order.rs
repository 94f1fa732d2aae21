//! Which texts are equal and which comes first, where the source's collation says otherwise than SQLite; and the values
//! that group and sort as they do in PostgreSQL.

use super::kind::Kind;
use super::term::Term;
use super::translate::{Purpose, Translator};
use super::{Refusal, decimal, render};
use crate::catalog::TextOrder;

/// What depends on an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorting {
    /// Only in which order rows come, or how an index is kept.
    Rows,
    /// Which rows or values there are: a LIMIT, a window, `min()`.
    Answer,
}

const CITEXT: &str = "`citext` ignores case in SQLite only for ASCII letters";
const EQUAL_TEXTS: &str = "under a collation that takes different texts for equal, which SQLite does not have";
const TEXT_ORDER: &str = "texts, which the source sorts by the rules of a language and SQLite by code point";

impl Translator<'_> {
    /// What the source's collation makes of the text.
    pub fn text_order(&self, term: &Term) -> TextOrder {
        term.collated.order.unwrap_or_else(|| self.scope.text_order())
    }

    /// Whether the source, too, ignores the case of ASCII letters only.
    pub fn only_ascii_has_case(&self, term: &Term) -> bool {
        self.text_order(term) == TextOrder::C
    }

    /// Refuses, or tells, where SQLite compares the two texts otherwise.
    pub fn comparable_texts(&mut self, left: &Term, right: &Term, ordered: bool) -> Result<(), Refusal> {
        let both = Term { collated: left.collated.with(right.collated), ..left.clone() };
        let order = self.text_order(&both);
        if order == TextOrder::Nondeterministic {
            return Err(Refusal::new(format!("it compares texts {EQUAL_TEXTS}")));
        }
        // Every text but itself comes after the empty one.
        let beside_empty = [left, right].iter().any(|term| term.text() == Some(""));
        if !ordered || order.is_by_code_point() || beside_empty {
            return Ok(());
        }
        if self.purpose == Purpose::Index {
            self.caveat(format!("it can hold other rows: it compares the order of {TEXT_ORDER}"));
            return Ok(());
        }
        Err(Refusal::new(format!("it compares the order of {TEXT_ORDER}")))
    }

    /// The same for `citext`, which compares by the database's own collation.
    pub fn comparable_citext(&mut self, left: &Term, right: &Term, ordered: bool) -> Result<(), Refusal> {
        let own = self.scope.text_order();
        if own != TextOrder::C {
            let literal = |is_ascii: bool| {
                [left, right].iter().any(|term| term.text().is_some_and(|text| text.is_ascii() == is_ascii))
            };
            // Of two columns of a view only a corner differs; a literal asks for just what SQLite does not find.
            let differs = match self.purpose {
                Purpose::View => literal(false),
                Purpose::Index => false,
                Purpose::Check | Purpose::Generated | Purpose::UniqueIndex | Purpose::Default => !literal(true),
            };
            if differs {
                return Err(Refusal::new(format!("it compares values beyond ASCII, and {CITEXT}")));
            }
            self.caveat(CITEXT);
        }
        if ordered { self.comparable_texts(left, right, true) } else { Ok(()) }
    }

    /// The term as a key of DISTINCT, GROUP BY and their like: values are equal in SQLite exactly where they are in
    /// PostgreSQL. `what` says who asks, for a refusal: "it groups by".
    pub fn grouped(&mut self, term: Term, what: &str) -> Result<Term, Refusal> {
        if let Some(reason) = self.unlike_when_equal(&term) {
            return Err(Refusal::new(format!("{what} {reason}")));
        }
        if term.inexact {
            self.caveat(format!("{what} a column whose representation drops a part of the value"));
        }
        self.nan_counts(&term);
        Ok(match term.kind {
            Kind::DecimalText { scale: None } => normal_decimal(term),
            Kind::NocaseText => {
                if self.scope.text_order() != TextOrder::C {
                    self.caveat(CITEXT);
                }
                self.nocase(term)
            }
            _ => term,
        })
    }

    /// What the term is, where equal values of it can have different texts, by which SQLite would compare them.
    pub fn unlike_when_equal(&self, term: &Term) -> Option<String> {
        let words = term.kind.words();
        match &term.kind {
            Kind::Json { .. } | Kind::JsonArray | Kind::Composite | Kind::ServerText => {
                Some(format!("{words}, of which equal ones can have different texts"))
            }
            Kind::Approximate => Some(format!("{words} that SQLite computes in floating point")),
            Kind::Clock { .. } | Kind::Moved { .. } | Kind::TimestampLiteral { .. } => Some(words.to_owned()),
            kind if kind.is_text() && self.text_order(term) == TextOrder::Nondeterministic => {
                Some(format!("{words} {EQUAL_TEXTS}"))
            }
            _ => None,
        }
    }

    /// The term as something that sorts as it does in PostgreSQL.
    pub fn ordered(&mut self, term: Term, sorting: Sorting) -> Result<Term, Refusal> {
        // How an index is kept changes no answer.
        if term.inexact && self.purpose == Purpose::View {
            self.caveat("it sorts by a column whose representation drops a part of the value");
        }
        match &term.kind {
            Kind::Text | Kind::PaddedText | Kind::NocaseText | Kind::JsonText | Kind::Unknown => {
                if !self.text_order(&term).is_by_code_point() {
                    self.tell_order(sorting, TEXT_ORDER)?;
                }
                if term.kind == Kind::NocaseText && self.scope.text_order() != TextOrder::C {
                    self.caveat(CITEXT);
                }
                Ok(if term.kind == Kind::NocaseText { self.nocase(term) } else { term })
            }
            Kind::Date | Kind::IsoTimestamp { .. } => {
                self.date_order();
                Ok(term)
            }
            Kind::Enum { labels } => {
                let labels = labels.clone();
                Ok(enum_order(&term, &labels))
            }
            Kind::DecimalText { .. } => {
                self.caveat_in_view(
                    "it sorts decimals that are kept as text, which SQLite can only do in floating point",
                )?;
                Ok(self.approximate(term))
            }
            Kind::Json { .. } | Kind::JsonArray | Kind::Composite | Kind::ServerText => {
                let words = term.kind.words();
                if self.strict() {
                    return Err(Refusal::new(format!("it sorts by {words}, which SQLite can only do by its text")));
                }
                self.tell_order(sorting, &format!("{words}, which SQLite sorts by its text"))?;
                Ok(term)
            }
            _ => {
                self.nan_counts(&term);
                Ok(term)
            }
        }
    }

    /// A `citext` under the collation that ignores case. A table's column has it already; of a query's, nobody knows.
    pub fn nocase(&self, term: Term) -> Term {
        if term.is_column && self.purpose != Purpose::View {
            return term;
        }
        Term { sql: format!("({} COLLATE NOCASE)", term.sql), ..term }
    }

    /// Rows in another order are told; an answer that depends on it is refused.
    fn tell_order(&mut self, sorting: Sorting, what: &str) -> Result<(), Refusal> {
        match sorting {
            Sorting::Rows => self.caveat(format!("it sorts by {what}")),
            Sorting::Answer => return Err(Refusal::new(format!("what it gives depends on the order of {what}"))),
        }
        Ok(())
    }
}

/// A `numeric` that is kept as text, in the one text that all equal ones share.
pub(super) fn normal_decimal(term: Term) -> Term {
    Term { sql: decimal::normal_text(&term.sql), constant: None, is_column: false, ..term }
}

pub(super) fn enum_order(term: &Term, labels: &[String]) -> Term {
    if let Some(text) = term.text()
        && let Some(at) = labels.iter().position(|label| label == text)
    {
        return Term {
            sql: (at + 1).to_string(),
            kind: Kind::Integer { digits: 10 },
            is_column: false,
            ..term.clone()
        };
    }
    let mut sql = format!("CASE {}", term.sql);
    for (at, label) in labels.iter().enumerate() {
        sql.push_str(&format!(" WHEN {} THEN {}", render::text(label), at + 1));
    }
    sql.push_str(" END");
    Term { sql: format!("({sql})"), kind: Kind::Integer { digits: 10 }, is_column: false, ..term.clone() }
}
