//! What kinds of objects a database has, and what each is called.

use serde::de::Deserializer;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// The enum and its words, so that none is without.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal,)*) => {
        /// A kind of object of a source: what a catalog lists, a plan does not carry, or a piece of a definition stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ObjectKind {
            $($(#[$doc])* $kind,)*
        }

        impl ObjectKind {
            /// Every kind.
            pub const ALL: &'static [ObjectKind] = &[$(ObjectKind::$kind),*];

            /// What it is called, in lower case.
            pub fn name(self) -> &'static str {
                match self {
                    $(ObjectKind::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// A table.
    Table "table",
    /// A column.
    Column "column",
    /// A view.
    View "view",
    /// A materialized view.
    MaterializedView "materialized view",
    /// An index.
    Index "index",
    /// A primary key.
    PrimaryKey "primary key",
    /// A unique key.
    UniqueKey "unique key",
    /// A foreign key.
    ForeignKey "foreign key",
    /// ON DELETE or ON UPDATE of a foreign key.
    ForeignKeyAction "foreign key action",
    /// A CHECK of a table or of a domain.
    Check "check",
    /// A check that the target adds, which keeps later rows to what the column's type takes.
    Guard "guard",
    /// A column's default.
    Default "default",
    /// A column's expression.
    GeneratedColumn "generated column",
    /// A column that counts up by itself.
    Identity "identity",
    /// NOT NULL.
    NotNull "not null",
    /// A NOT NULL that not every row was checked against.
    NotNullUnvalidated "not null constraint that is not validated",
    /// A sequence.
    Sequence "sequence",
    /// Comments.
    Comment "comment",
    /// A trigger.
    Trigger "trigger",
    /// A trigger of the database.
    EventTrigger "event trigger",
    /// A function.
    Function "function",
    /// A procedure.
    Procedure "procedure",
    /// An aggregate.
    Aggregate "aggregate",
    /// A policy of row security.
    Policy "policy",
    /// Row security that is switched on.
    RowLevelSecurity "row level security",
    /// A rewrite rule.
    Rule "rule",
    /// An exclusion constraint.
    ExclusionConstraint "exclusion constraint",
    /// A key WITHOUT OVERLAPS, or one that refers to such a key.
    KeyOverPeriods "key over periods",
    /// How a table is divided.
    Partitioning "partitioning",
    /// A constraint that only some partitions have.
    ConstraintOfPartitions "constraint of partitions",
    /// An index that only some partitions have.
    IndexOfPartitions "index of partitions",
    /// An enum type.
    EnumType "enum type",
    /// A domain.
    Domain "domain",
    /// A composite type.
    CompositeType "composite type",
    /// A range type.
    RangeType "range type",
    /// A type with functions of its own.
    BaseType "base type",
    /// An extension.
    Extension "extension",
    /// A table whose rows are elsewhere.
    ForeignTable "foreign table",
    /// A server of foreign tables.
    ForeignServer "foreign server",
    /// A foreign data wrapper.
    ForeignDataWrapper "foreign data wrapper",
    /// A publication.
    Publication "publication",
    /// A subscription.
    Subscription "subscription",
    /// Extended statistics.
    Statistics "statistics",
    /// A text search configuration.
    TextSearchConfiguration "text search configuration",
    /// A text search dictionary.
    TextSearchDictionary "text search dictionary",
    /// A text search parser.
    TextSearchParser "text search parser",
    /// A text search template.
    TextSearchTemplate "text search template",
    /// An operator.
    Operator "operator",
    /// An operator class.
    OperatorClass "operator class",
    /// An operator family.
    OperatorFamily "operator family",
    /// A cast.
    Cast "cast",
    /// A collation.
    Collation "collation",
    /// A conversion of encodings.
    Conversion "conversion",
    /// A language of functions.
    Language "language",
    /// An access method.
    AccessMethod "access method",
    /// A transform.
    Transform "transform",
    /// Large objects.
    LargeObjects "large objects",
    /// A schema.
    Schema "schema",
    /// The column that a sequence belongs to.
    SequenceOwner "owner of a sequence",
    /// A virtual table of SQLite.
    VirtualTable "virtual table",
    /// A statement of a dump that was not understood.
    Statement "statement that was not understood",
    /// A kind that a later version knows.
    Unknown "object of an unknown kind",
}

impl ObjectKind {
    /// The kind of that name; [`ObjectKind::Unknown`] for one that only a later version has.
    pub fn named(name: &str) -> ObjectKind {
        ObjectKind::ALL.iter().copied().find(|kind| kind.name() == name).unwrap_or(ObjectKind::Unknown)
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for ObjectKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ObjectKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer).map(|name| ObjectKind::named(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_by_which_it_is_found_again() {
        for kind in ObjectKind::ALL {
            assert_eq!(ObjectKind::named(kind.name()), *kind);
        }
    }

    #[test]
    fn a_kind_of_a_later_version_can_be_read() {
        let read: Vec<ObjectKind> = serde_json::from_str(r#"["policy", "tablespace"]"#).unwrap();
        assert_eq!(read, [ObjectKind::Policy, ObjectKind::Unknown]);
        assert_eq!(serde_json::to_string(&read[0]).unwrap(), r#""policy""#);
    }
}
