//! What is not carried, and why: what is decided is in the enums, and their words are here and nowhere else.

use super::equality::Unlike;
use crate::catalog::{Action, ObjectKind, QualifiedName};
use crate::types::Representation;
use serde::{Serialize, Serializer};
use std::fmt;

/// An object of the source that is not carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its name.
    pub object: String,
    /// Why.
    pub reason: Reason,
}

/// Why an object is not carried. Printed, it is a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A pattern of the user leaves it out, or none takes it in.
    Excluded,
    /// The option `--table` names others.
    NotChosen,
    /// The user drops it, for this reason.
    Dropped(String),
    /// SQLite has no comments; the metadata keep them.
    OnlyRemembered,
    /// SQLite has no place for its kind.
    NoPlace(ObjectKind),
    /// The layout of a tree has no place for it.
    NoPlaceInLayout,
    /// It came into the file since that was made, and says this in the SQL of SQLite.
    InSqlOfSqlite(String),
    /// The file does not have it.
    NotInFile,
    /// What the file remembers of it is no single piece of SQL.
    NotOnePiece,
    /// The table that it is of is not carried.
    TableNotCarried,
    /// A partitioned table comes back as one.
    OneTable,
    /// The file remembers the statement that defines it.
    OnlyItsText,
    /// The file remembers nothing of it but its name.
    OnlyItsName,
    /// The server of the target does not take its definition, and says why.
    NotTakenByServer(String),
    /// It would run a function that is no part of PostgreSQL or of an extension, or does more than tell a value.
    Runs(String),
    /// Of a SQLite source's own definitions: why it does not go as it stands.
    NotAsItStands(String),
    /// A generated column whose values the source does not tell.
    Untold,
    /// A materialized view that was never filled.
    NeverFilled,
    /// It is of a materialized view that is not carried.
    OfViewNotCarried,
    /// A column of it is not carried.
    ColumnNotCarried,
    /// NOT VALID: not every row was checked.
    NotValidated,
    /// An expression means something else in SQLite than in the source, or nothing.
    Untranslated {
        /// The expression in the source; `None` for a whole view.
        sql: Option<String>,
        /// Why, as a clause.
        why: String,
    },
    /// SQLite itself does not take what it was translated to, and says why.
    NotTaken(String),
    /// A column's default, expression or counting.
    Column(ColumnReason),
    /// A foreign key.
    ForeignKey(ForeignKeyReason),
    /// An index.
    Index(IndexReason),
    /// A sequence, and where it stands.
    Sequence(SequenceReason, Standing),
    /// The given schema does not say the same.
    Given(GivenReason),
}

/// Why something about a column is not carried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnReason {
    /// This default is of an integer primary key, which gets the next number.
    RowidGetsNumber(String),
    /// It counts up by a sequence and is no integer primary key; the default, where that says so.
    NotCounted(Option<String>),
    /// A generated column is kept as a plain one.
    KeptPlain {
        /// It is NOT NULL.
        not_null: bool,
        /// Why it is not computed.
        why: Box<Reason>,
    },
    /// A generated column is in the primary key.
    ComputedKey,
    /// What this rule cannot hold has to go to the ledger.
    NeedsLedger(Representation),
}

/// Why a foreign key is not carried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignKeyReason {
    /// The table that it refers to is not carried.
    ParentNotCarried(QualifiedName),
    /// The table that it refers to is not in the catalog.
    ParentUnknown(QualifiedName),
    /// A column that it refers to is not carried.
    ReferencedColumnNotCarried,
    /// No unique key over what it refers to is carried.
    NoParentKey(QualifiedName),
    /// ON DELETE acts on some of its columns.
    ActionOnSomeColumns(Action),
    /// Values that are equal in the source can have different forms in the target.
    Unlike {
        /// In which way.
        unlike: Unlike,
        /// The type of the column.
        type_name: String,
        /// The collation of the column.
        collation: Option<String>,
        /// The column.
        column: String,
    },
    /// Two columns are kept by rules whose values do not compare.
    RulesDoNotCompare {
        /// The column that refers, and its rule.
        from: (String, Representation),
        /// The column that is referred to, and its rule.
        to: (String, Representation),
    },
    /// PostgreSQL converts one of two columns to compare them.
    Converted {
        /// The column that refers, and its type.
        from: (String, String),
        /// The column that is referred to, and its type.
        to: (String, String),
    },
}

/// Why an index is not carried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexReason {
    /// CREATE INDEX CONCURRENTLY has failed.
    Invalid,
    /// SQLite has no such access method.
    Method(String),
    /// An operator class that is not the server's own says what is equal.
    ForeignOperatorClass,
    /// This column of it is not carried.
    ColumnNotCarried(String),
    /// NULLS NOT DISTINCT over an expression.
    NullsNotDistinctExpression,
}

/// What of a sequence is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SequenceReason {
    /// No column counts by it.
    FeedsNothing,
    /// The table of its column is not carried.
    TableNotCarried,
    /// Its column is no integer primary key.
    NotCounted,
    /// The given schema's key goes on from what is there.
    GivenKeyGoesOn,
    /// It counts in other steps than 1; the next number is the same.
    Steps(i64),
    /// It counts in other steps than 1, and what it gives next may not be known.
    StepsFromUnknown(i64),
    /// It counts downwards.
    Downwards(i64),
}

/// Where a sequence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It gives this number next.
    Next(i64),
    /// It has given this number, and gives no more.
    Last(i64),
    /// The role may not know.
    Unreadable,
}

/// What the given schema does not have, or has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GivenReason {
    /// There is nothing for it.
    Missing,
    /// An index of its name is not UNIQUE.
    NotUnique,
    /// An index of its name is UNIQUE.
    Unique,
    /// The unique index has no condition.
    NoCondition,
    /// An index over the same columns has another condition.
    OtherCondition,
    /// An index over the same columns has a condition.
    SomeRows,
    /// The foreign key does something else.
    OtherAction {
        /// `DELETE` or `UPDATE`.
        event: &'static str,
        /// What the source does.
        wanted: Action,
        /// What the given schema does.
        found: String,
    },
    /// A generated column is a plain one.
    PlainColumn,
    /// NULL is allowed.
    AllowsNull,
    /// It has none for this default.
    NoDefault(String),
    /// Its column does not count.
    NoIdentity,
}

impl Reason {
    pub(crate) fn untranslated(sql: &str, why: impl fmt::Display) -> Reason {
        Reason::Untranslated { sql: Some(sql.to_owned()), why: why.to_string() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Excluded => "excluded by name",
            Reason::NotChosen => "not chosen by `--table`",
            Reason::Dropped(reason) => return write!(f, "dropped by name: {reason}"),
            Reason::OnlyRemembered => {
                "SQLite has no comments; the source catalog in the metadata, where that is written, keeps them"
            }
            Reason::NoPlace(kind) => why_there_is_no_place(*kind),
            Reason::NoPlaceInLayout => "the layout has no place for it",
            Reason::InSqlOfSqlite(sql) => {
                return write!(
                    f,
                    "`{sql}`: it came into the file since that was made, and is written in the SQL of SQLite"
                );
            }
            Reason::NotInFile => "the file does not have it: it was left out when that was made, or has gone since",
            Reason::NotOnePiece => "what the file remembers of it is not one piece of SQL, as the server writes it",
            Reason::TableNotCarried => "its table is not carried",
            Reason::OneTable => "the rows of all partitions come back in one table",
            Reason::OnlyItsText => {
                "it is a statement that the file remembers; only its owner can say whether that may run"
            }
            Reason::OnlyItsName => "the file remembers nothing of it but its name",
            Reason::NotTakenByServer(error) => return write!(f, "the server does not take it: {error}"),
            Reason::Runs(function) => {
                return write!(
                    f,
                    "it would run `{function}`, which may do anything, and a file can have been made by anybody; \
                     `--restore-definitions` takes it as it stands"
                );
            }
            Reason::NotAsItStands(why) => why,
            Reason::Untold => "it is generated, and a dump does not have what was stored in it",
            Reason::NeverFilled => "it has not been filled (REFRESH MATERIALIZED VIEW), so it has no rows",
            Reason::OfViewNotCarried => "its materialized view is not carried",
            Reason::ColumnNotCarried => "one of its columns is not carried",
            Reason::NotValidated => "the source has not checked every row against it (NOT VALID)",
            Reason::Untranslated { sql: Some(sql), why } => return write!(f, "`{sql}`: {why}"),
            Reason::Untranslated { sql: None, why } => why,
            Reason::NotTaken(error) => return write!(f, "SQLite does not take its translation: {error}"),
            Reason::Column(reason) => return reason.fmt(f),
            Reason::ForeignKey(reason) => return reason.fmt(f),
            Reason::Index(reason) => return reason.fmt(f),
            Reason::Sequence(reason, standing) => return reason.tell(*standing, f),
            Reason::Given(reason) => return reason.fmt(f),
        })
    }
}

/// As its words.
impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const NOT_COUNTED: &str = "only an integer primary key counts up by itself in SQLite";

impl fmt::Display for ColumnReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnReason::RowidGetsNumber(default) => {
                write!(f, "`{default}`: an integer primary key of SQLite gets the next number instead")
            }
            ColumnReason::NotCounted(None) => f.write_str(NOT_COUNTED),
            ColumnReason::NotCounted(Some(default)) => write!(f, "`{default}`: {NOT_COUNTED}"),
            ColumnReason::KeptPlain { not_null, why } => {
                let later = if *not_null { "have to bring one" } else { "get NULL unless they bring one" };
                write!(f, "kept as a plain column with its values, and rows written later {later}: {why}")
            }
            ColumnReason::ComputedKey => f.write_str("SQLite computes no column of a primary key"),
            ColumnReason::NeedsLedger(rule) => write!(f, "what `{}` cannot hold goes to the ledger", rule.name()),
        }
    }
}

impl fmt::Display for ForeignKeyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForeignKeyReason::ParentNotCarried(parent) => write!(f, "`{parent}`, which it refers to, is not carried"),
            ForeignKeyReason::ParentUnknown(parent) => write!(f, "`{parent}`, which it refers to, is not known"),
            ForeignKeyReason::ReferencedColumnNotCarried => {
                f.write_str("one of the columns it refers to is not carried")
            }
            ForeignKeyReason::NoParentKey(parent) => {
                write!(f, "no unique key over the columns of `{parent}` that it refers to is carried")
            }
            ForeignKeyReason::ActionOnSomeColumns(action) => {
                write!(f, "ON DELETE {} for some of its columns only, which SQLite does not have", action.sql())
            }
            ForeignKeyReason::Unlike { unlike, type_name, collation, column } => {
                let words = unlike.words(type_name, collation.as_deref());
                write!(f, "{words}, and `{column}` is compared as text")
            }
            ForeignKeyReason::RulesDoNotCompare { from: (from, from_rule), to: (to, to_rule) } => write!(
                f,
                "`{from}` is kept as `{}` and `{to}` as `{}`, which do not compare; choose one rule for both",
                from_rule.name(),
                to_rule.name()
            ),
            ForeignKeyReason::Converted { from: (from, from_type), to: (to, to_type) } => write!(
                f,
                "`{from}` is of the type `{from_type}` and `{to}` of the type `{to_type}`, between which PostgreSQL \
                 converts to compare them"
            ),
        }
    }
}

impl fmt::Display for IndexReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IndexReason::Invalid => {
                f.write_str("the source has marked it as invalid: CREATE INDEX CONCURRENTLY has failed")
            }
            IndexReason::Method(method) => write!(f, "SQLite has no index of the method `{method}`"),
            IndexReason::ForeignOperatorClass => {
                f.write_str("its operator class is not the server's own and says what is equal")
            }
            IndexReason::ColumnNotCarried(column) => write!(f, "its column `{column}` is not carried"),
            IndexReason::NullsNotDistinctExpression => f.write_str("NULLS NOT DISTINCT over an expression"),
        }
    }
}

impl SequenceReason {
    fn tell(self, stands: Standing, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const GOES_ON: &str = "in the target the key goes on after its greatest number";
        match self {
            SequenceReason::FeedsNothing => {
                write!(f, "SQLite has no sequences, and no column counts by it ({stands})")
            }
            SequenceReason::TableNotCarried => write!(f, "its table is not carried ({stands})"),
            SequenceReason::NotCounted => write!(f, "{NOT_COUNTED} ({stands})"),
            SequenceReason::GivenKeyGoesOn => {
                write!(f, "the target schema counts on from the greatest number that is there ({stands})")
            }
            SequenceReason::Steps(step) => {
                write!(f, "SQLite counts by 1, the source by {step} ({stands}, in the target too)")
            }
            SequenceReason::StepsFromUnknown(step) => {
                write!(f, "SQLite counts by 1, the source by {step} ({stands}); {GOES_ON}")
            }
            SequenceReason::Downwards(step) => {
                write!(f, "SQLite counts upwards, the source by {step} ({stands}); {GOES_ON}")
            }
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::Next(next) => write!(f, "next number: {next}"),
            Standing::Last(last) => write!(f, "last number: {last}"),
            Standing::Unreadable => f.write_str("its next number may not be read by this role"),
        }
    }
}

impl fmt::Display for GivenReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GivenReason::Missing => "the target schema does not have it",
            GivenReason::NotUnique => "the target schema has one of its name that is not UNIQUE",
            GivenReason::Unique => "the target schema has one of its name that is UNIQUE",
            GivenReason::NoCondition => "the target schema has it without its condition, and so refuses more rows",
            GivenReason::OtherCondition => "the target schema has one over the same columns with another condition",
            GivenReason::SomeRows => "the target schema has one over the same columns for some rows only",
            GivenReason::OtherAction { event, wanted, found } => {
                let wanted = wanted.sql();
                return write!(f, "the source says ON {event} {wanted}, the target schema ON {event} {found}");
            }
            GivenReason::PlainColumn => "the target schema keeps it as a plain column with its values",
            GivenReason::AllowsNull => "the target schema allows NULL there",
            GivenReason::NoDefault(default) => return write!(f, "`{default}`: the target schema has none for it"),
            GivenReason::NoIdentity => "the target schema does not count it up by itself",
        })
    }
}

fn why_there_is_no_place(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Trigger => "its function is written in a language of the server",
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => "SQLite has no stored functions",
        ObjectKind::Policy | ObjectKind::RowLevelSecurity => {
            "SQLite has no users and so no row security; every row is carried"
        }
        ObjectKind::Rule => "SQLite has no rules",
        ObjectKind::Comment => "SQLite has no comments",
        ObjectKind::ExclusionConstraint => "SQLite has no exclusion constraints",
        ObjectKind::Extension => "belongs to the server; the values of its types are carried as text",
        ObjectKind::ForeignTable => "its rows live in another server",
        ObjectKind::LargeObjects => "lives outside the tables; references to it are carried as numbers",
        ObjectKind::ConstraintOfPartitions | ObjectKind::IndexOfPartitions => {
            "not every partition has it, and the target has one table for all"
        }
        ObjectKind::Statement => "nothing is known of what it defines",
        ObjectKind::Partitioning => "the target has one table with the rows of all partitions",
        ObjectKind::EnumType
        | ObjectKind::Domain
        | ObjectKind::CompositeType
        | ObjectKind::RangeType
        | ObjectKind::BaseType => "no column uses it",
        ObjectKind::Table
        | ObjectKind::Column
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Index
        | ObjectKind::PrimaryKey
        | ObjectKind::UniqueKey
        | ObjectKind::ForeignKey
        | ObjectKind::ForeignKeyAction
        | ObjectKind::Check
        | ObjectKind::Guard
        | ObjectKind::Default
        | ObjectKind::GeneratedColumn
        | ObjectKind::Identity
        | ObjectKind::NotNull
        | ObjectKind::NotNullUnvalidated
        | ObjectKind::Sequence
        | ObjectKind::EventTrigger
        | ObjectKind::KeyOverPeriods
        | ObjectKind::ForeignServer
        | ObjectKind::ForeignDataWrapper
        | ObjectKind::Publication
        | ObjectKind::Subscription
        | ObjectKind::Statistics
        | ObjectKind::TextSearchConfiguration
        | ObjectKind::TextSearchDictionary
        | ObjectKind::TextSearchParser
        | ObjectKind::TextSearchTemplate
        | ObjectKind::Operator
        | ObjectKind::OperatorClass
        | ObjectKind::OperatorFamily
        | ObjectKind::Cast
        | ObjectKind::Collation
        | ObjectKind::Conversion
        | ObjectKind::Language
        | ObjectKind::AccessMethod
        | ObjectKind::Transform
        | ObjectKind::VirtualTable
        | ObjectKind::Schema
        | ObjectKind::SequenceOwner
        | ObjectKind::Unknown => "SQLite has nothing of this kind",
    }
}
