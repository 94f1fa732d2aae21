//! What an expression may refer to: the columns and tables of the target, and how each keeps its values.
//!
//! The meaning of an expression depends on the representation: `created_at > '2020-01-01'` is a comparison of
//! integers where the column is an epoch, and of texts where it is ISO 8601. So every name resolves to a form, and
//! a name that does not resolve is a refusal.

use crate::catalog::TextOrder;
use crate::plan::version::SqliteVersion;

/// The unit of an epoch integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// Whole seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
}

impl EpochUnit {
    /// How many of this unit make a second.
    pub fn per_second(self) -> i64 {
        match self {
            EpochUnit::Seconds => 1,
            EpochUnit::Milliseconds => 1_000,
            EpochUnit::Microseconds => 1_000_000,
        }
    }
}

/// How a column's values are kept in the target; decides what an expression over them means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// `smallint`, `integer`, `bigint`, `oid` as INTEGER; the size of the source's type in bytes bounds its digits.
    Integer {
        /// 2, 4 or 8.
        bytes: u8,
    },
    /// `boolean` as 0 and 1.
    Boolean,
    /// `double precision` as REAL; NaN is NULL and in the ledger.
    Real,
    /// `real` as REAL: each value widened to a double without change.
    SingleReal,
    /// `numeric(p, 0)`, p ≤ 18, as INTEGER; NaN is NULL and in the ledger.
    DecimalInteger {
        /// Digits.
        precision: u32,
    },
    /// `numeric(p, s)`, p ≤ 15, as the nearest double; NaN is NULL and in the ledger.
    DecimalReal {
        /// Digits in all.
        precision: u32,
        /// Digits after the point.
        scale: u32,
    },
    /// A `numeric` that a view computes in floating point.
    Approximate,
    /// Any other `numeric` as PostgreSQL's own text, `NaN`, `Infinity` and `-Infinity` among it.
    DecimalText {
        /// Digits after the point, where the type fixes them.
        scale: Option<u32>,
    },
    /// `text`, `varchar`, `name` as TEXT.
    Text,
    /// `char(n)` as TEXT without its trailing blanks.
    PaddedText,
    /// `citext` as TEXT COLLATE NOCASE.
    NocaseText,
    /// An enum as its label; its labels in their order.
    Enum {
        /// The labels, lowest first.
        labels: Vec<String>,
    },
    /// `uuid` as 36 lower-case characters.
    Uuid,
    /// `bytea` as BLOB.
    Blob,
    /// `timestamp` or `timestamptz` as an integer since 1970-01-01 (UTC); ±infinity as the extreme integers.
    Epoch {
        /// The unit.
        unit: EpochUnit,
        /// Whether the source's type is `timestamptz`.
        with_zone: bool,
    },
    /// `timestamp` or `timestamptz` as PostgreSQL's ISO text under TimeZone UTC.
    IsoTimestamp {
        /// Whether the source's type is `timestamptz`; the text then ends in `+00`.
        with_zone: bool,
    },
    /// `date` as PostgreSQL's ISO text.
    Date,
    /// `json` or `jsonb` as PostgreSQL's text.
    Json {
        /// Whether the source's type is `jsonb`.
        binary: bool,
    },
    /// An array as JSON text.
    JsonArray,
    /// A composite value as text, whatever its form.
    Composite,
    /// Anything else as the server's own text.
    ServerText,
}

/// A column of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnForm {
    /// Its name in the target, unquoted.
    pub name: String,
    /// How its values are kept.
    pub stored: Stored,
    /// Whether it can hold no NULL.
    pub not_null: bool,
    /// Whether its representation holds every value of the source; where it does not (seconds for a timestamp of
    /// microseconds), comparisons over it are refused outside views.
    pub exact: bool,
    /// Whether a NaN of the source may be in it as NULL, or something that was computed without that NaN.
    pub may_be_nan: bool,
    /// What the source makes of its texts; `None` where the database's own collation says.
    pub collation: Option<TextOrder>,
}

impl ColumnForm {
    /// A nullable column whose representation is exact.
    pub fn new(name: impl Into<String>, stored: Stored) -> Self {
        let may_be_nan = matches!(
            stored,
            Stored::Real | Stored::SingleReal | Stored::DecimalInteger { .. } | Stored::DecimalReal { .. }
        );
        ColumnForm { name: name.into(), stored, not_null: false, exact: true, may_be_nan, collation: None }
    }

    /// The same column, NOT NULL. A NaN where no NULL may be stops the run.
    #[must_use]
    pub fn not_null(mut self) -> Self {
        self.not_null = true;
        self.may_be_nan = false;
        self
    }

    /// The same column under a collation of its own.
    #[must_use]
    pub fn collated(mut self, collation: Option<TextOrder>) -> Self {
        self.collation = collation;
        self
    }

    /// The same column, with a representation that drops something.
    #[must_use]
    pub fn inexact(mut self) -> Self {
        self.exact = false;
        self
    }
}

/// A table or view of the target, as a query refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableForm {
    /// Its name in the target, unquoted.
    pub name: String,
    /// Its columns: the source's name, and the form in the target.
    pub columns: Vec<(String, ColumnForm)>,
    /// How many views stand behind one another in it; 0 for a table.
    pub views_deep: usize,
}

/// Where the names in an expression are looked up. Names are the source's, unquoted, case kept.
pub trait Scope {
    /// The column of that name, for expressions that belong to one table.
    fn column(&self, table: Option<&str>, name: &str) -> Option<ColumnForm>;

    /// The table or view of that name, for queries. Without a schema the search path decides.
    fn table(&self, schema: Option<&str>, name: &str) -> Option<TableForm>;

    /// The labels of the enum type of that name, lowest first; `None` where it is no enum.
    fn enumeration(&self, schema: Option<&str>, name: &str) -> Option<Vec<String>>;

    /// How a column of the domain type of that name is kept; `None` where it is no domain.
    fn domain(&self, schema: Option<&str>, name: &str) -> Option<Stored> {
        let _ = (schema, name);
        None
    }

    /// What the collation of that name makes of texts, without a schema one of `pg_catalog`; `None` where it is not known.
    fn collation(&self, schema: Option<&str>, name: &str) -> Option<TextOrder> {
        match (schema, name) {
            (None | Some("pg_catalog"), "C" | "POSIX" | "ucs_basic") => Some(TextOrder::C),
            (None | Some("pg_catalog"), "default") => Some(self.text_order()),
            _ => None,
        }
    }

    /// What the database's own collation makes of texts.
    fn text_order(&self) -> TextOrder {
        TextOrder::default()
    }

    /// Whether a table or view of the target has that name; SQLite compares names without case.
    fn is_table_name(&self, target: &str) -> bool;

    /// What the file may need at most.
    fn sqlite_version(&self) -> SqliteVersion {
        SqliteVersion::default()
    }
}

/// The scope of a domain's check: `VALUE` is one column, every other name is unknown.
pub struct DomainScope<'a> {
    /// The column that has the domain's type.
    pub column: ColumnForm,
    /// Where types are looked up.
    pub types: &'a dyn Scope,
}

impl Scope for DomainScope<'_> {
    fn column(&self, table: Option<&str>, name: &str) -> Option<ColumnForm> {
        (table.is_none() && name.eq_ignore_ascii_case("value")).then(|| self.column.clone())
    }

    fn table(&self, _: Option<&str>, _: &str) -> Option<TableForm> {
        None
    }

    fn enumeration(&self, schema: Option<&str>, name: &str) -> Option<Vec<String>> {
        self.types.enumeration(schema, name)
    }

    fn domain(&self, schema: Option<&str>, name: &str) -> Option<Stored> {
        self.types.domain(schema, name)
    }

    fn collation(&self, schema: Option<&str>, name: &str) -> Option<TextOrder> {
        self.types.collation(schema, name)
    }

    fn text_order(&self) -> TextOrder {
        self.types.text_order()
    }

    fn is_table_name(&self, target: &str) -> bool {
        self.types.is_table_name(target)
    }

    fn sqlite_version(&self) -> SqliteVersion {
        self.types.sqlite_version()
    }
}
