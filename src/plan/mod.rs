//! From a source catalog, the rules and the user's choices to what a run will do: target DDL, ordered steps, and
//! every loss named.
//!
//! Pure: nothing here opens a database or a file. A plan with refusals cannot run; each one says what to decide.

pub mod as_is;
pub mod choices;
pub mod ddl;
pub mod deep_stack;
pub mod expression;
pub mod given;
pub mod home;
pub mod names;
pub mod version;
pub mod written;

mod bare_json;
mod build;
mod columns;
mod constraints;
mod equality;
mod fit;
mod forms;
mod found;
mod guards;
mod indexes;
mod loss;
mod numbers;
mod onto;
mod refusal;
mod views;

pub use build::plan;
pub use equality::Unlike;
pub use loss::{ColumnReason, ForeignKeyReason, GivenReason, IndexReason, Loss, Reason, SequenceReason, Standing};
pub(crate) use onto::HISTORY_TABLE;
pub use onto::onto;
pub use refusal::Refusal;

use crate::catalog::{QualifiedName, Shape, TableKind};
use crate::types::{Codec, Remainder, Representation};
use ddl::TableDdl;
use serde::Serialize;
use version::SqliteVersion;

/// What a run will do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The tables in the order in which they are copied.
    pub tables: Vec<TablePlan>,
    /// The views, each after those that it reads.
    pub views: Vec<ViewPlan>,
    /// The statements of an explicit target schema, run before the copy; empty where the schema is derived.
    pub given_schema: bool,
    /// The version of SQLite that an explicit target schema needs, as far as its statements tell.
    pub given_needs: SqliteVersion,
    /// Its definitions are those of a SQLite source that nobody has read otherwise: values go as they are stored.
    pub as_it_stands: bool,
    /// What a PostgreSQL database is to get; `None` for every other target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<Box<home::Definitions>>,
    /// What is not carried, and why.
    pub losses: Vec<Loss>,
    /// What is carried and behaves differently in a corner.
    pub caveats: Vec<Caveat>,
    /// What stops the run until somebody decides.
    pub refusals: Vec<Refusal>,
}

/// One table's part of the plan.
#[derive(Debug, Clone, Serialize)]
pub struct TablePlan {
    /// The table in the source.
    pub source: QualifiedName,
    /// What it is in the source.
    pub kind: TableKind,
    /// Its name in the target.
    pub target: String,
    /// Its columns in the source's order.
    pub columns: Vec<ColumnPlan>,
    /// The columns of its key, as places in `columns`; empty where it has none and rows are told apart by rowid, as are rows
    /// with NULL in it: a key of SQLite's may have that in any number of rows.
    pub key: Vec<usize>,
    /// The target's definition; `None` where an explicit target schema has it.
    pub ddl: Option<TableDdl>,
    /// The indexes that are built after the rows.
    pub indexes: Vec<IndexPlan>,
    /// The last number that an AUTOINCREMENT key is to have handed out, where the source's sequence says.
    pub last_number: Option<i64>,
    /// The number that the source's sequence gives next, where an AUTOINCREMENT key counts by it.
    #[serde(skip)]
    pub next_number: Option<i64>,
    /// The source's own estimate of its rows; negative where it has none.
    pub row_estimate: i64,
    /// Its size in the source in bytes.
    pub size_bytes: i64,
}

/// One column's part of the plan.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnPlan {
    /// Its name in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Its type as the source spells it.
    pub type_name: String,
    /// Its type.
    #[serde(skip)]
    pub shape: Shape,
    /// How its values are represented.
    pub representation: Representation,
    /// What that cannot hold and the ledger keeps; `None` where it holds everything.
    pub remainder: Option<Remainder>,
    /// NOT NULL in the target.
    pub not_null: bool,
    /// Whether the target computes it, so that it is read back and compared but not inserted.
    pub computed: bool,
    /// Whether the target keeps a whole REAL as an INTEGER: a given schema declares it DECIMAL, for example.
    pub whole_as_integer: bool,
}

impl TablePlan {
    /// Whether a row is named by its rowid that has NULL in those columns of its key.
    pub(crate) fn is_named_by_rowid(&self, is_null: impl Fn(usize) -> bool) -> bool {
        self.key.is_empty() || self.key.iter().any(|place| !self.columns[*place].not_null && is_null(*place))
    }

    /// Leaves out columns of the target; a key without one of its columns is none.
    pub(crate) fn retain_columns(&mut self, is_kept: impl Fn(&str) -> bool) {
        let key: Vec<String> = self.key.iter().map(|place| self.columns[*place].source.clone()).collect();
        self.columns.retain(|column| is_kept(&column.target));
        let place = |name: &String| self.columns.iter().position(|column| column.source == *name);
        self.key = key.iter().map(place).collect::<Option<_>>().unwrap_or_default();
        if let Some(ddl) = &mut self.ddl {
            ddl.columns.retain(|column| is_kept(&column.name));
        }
    }
}

impl ColumnPlan {
    /// The column's codec.
    pub fn codec(&self) -> Codec {
        Codec::new(&self.shape, self.representation).whole_as_integer(self.whole_as_integer)
    }
}

/// An index of the target.
#[derive(Debug, Clone, Serialize)]
pub struct IndexPlan {
    /// Its name in the target.
    pub name: String,
    /// The CREATE INDEX statement.
    pub sql: String,
    /// The index in the source.
    pub origin: String,
}

/// A view of the target.
#[derive(Debug, Clone, Serialize)]
pub struct ViewPlan {
    /// The view in the source.
    pub source: QualifiedName,
    /// Its name in the target.
    pub target: String,
    /// The CREATE VIEW statement.
    pub sql: String,
}

/// Something that is carried and behaves differently in a corner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caveat {
    /// The object.
    pub object: String,
    /// What differs.
    pub text: String,
}

impl Plan {
    /// The version of SQLite that the file needs by what is carried, [`SqliteVersion::OLDEST`] at least; of an explicit
    /// target schema as far as its statements tell.
    pub fn needs_sqlite(&self) -> SqliteVersion {
        let statements = self.statements();
        version::needed(statements.iter().map(String::as_str)).max(self.given_needs)
    }

    /// Every definition that a derived target will have.
    pub fn statements(&self) -> Vec<String> {
        let tables = self.tables.iter().filter_map(|table| table.ddl.as_ref()).map(TableDdl::sql);
        let indexes = self.tables.iter().flat_map(|table| &table.indexes).map(|index| index.sql.clone());
        tables.chain(indexes).chain(self.views.iter().map(|view| view.sql.clone())).collect()
    }

    /// What to do about an object that refuses a row of the source, where the plan knows that the object means something
    /// else in the target.
    pub(crate) fn known_difference(&self, object: &str) -> Option<String> {
        let told: Vec<&str> =
            self.caveats.iter().filter(|caveat| caveat.object == object).map(|caveat| caveat.text.as_str()).collect();
        (!told.is_empty()).then(|| {
            let told = told.join("; ");
            format!(
                "in the target it is not quite the same: {told}; leave it out by name under `tables.exclude_objects`"
            )
        })
    }
}

/// How many refusals an error tells.
const REFUSALS_TOLD_MAX: usize = 5;

impl Plan {
    /// An error that tells every refusal, where there is one.
    ///
    /// # Errors
    /// A usage error, when the plan has refusals.
    pub fn ensure_runnable(&self) -> crate::Result<()> {
        if self.refusals.is_empty() { Ok(()) } else { Err(self.refused()) }
    }

    /// The usage error that tells the refusals.
    pub(crate) fn refused(&self) -> crate::Error {
        let tell = |refusal: &Refusal| format!("{}: {}", refusal.object(), refusal.reason());
        let mut told: Vec<_> = self.refusals.iter().take(REFUSALS_TOLD_MAX).map(tell).collect();
        if self.refusals.len() > REFUSALS_TOLD_MAX {
            told.push(format!("and {} more, which `whimbrel plan` lists", self.refusals.len() - REFUSALS_TOLD_MAX));
        }
        let error = crate::Error::usage("plan the migration", "", told.join("; "));
        match self.refusals.first() {
            Some(first) => error.hint(first.way_out()),
            None => error,
        }
    }
}
