//! What an expression may refer to: the columns and tables of the target, and how each keeps its values.
//!
//! The meaning of an expression depends on the representation: `created_at > '2020-01-01'` is a comparison of
//! integers where the column is an epoch, and of texts where it is ISO 8601. So every name resolves to a form, and
//! a name that does not resolve is a refusal.

use super::kind::Kind;
use crate::catalog::TextOrder;
use crate::plan::version::SqliteVersion;

/// A column of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnForm {
    /// Its name in the target, unquoted.
    pub name: String,
    /// What its values mean and how they are kept.
    pub kind: Kind,
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
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        let may_be_nan = matches!(kind, Kind::Real | Kind::SingleReal | Kind::Scaled { .. } | Kind::DecimalReal { .. });
        ColumnForm { name: name.into(), kind, not_null: false, exact: true, may_be_nan, collation: None }
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
    fn domain(&self, schema: Option<&str>, name: &str) -> Option<Kind> {
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

    fn domain(&self, schema: Option<&str>, name: &str) -> Option<Kind> {
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
