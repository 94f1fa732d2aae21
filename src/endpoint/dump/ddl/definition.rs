//! What one statement of a dump defines, in words of our own: the syntax above, the database that comes of it below.

use crate::catalog::ObjectKind;
use crate::endpoint::postgres::rows::{ConstraintRow, IndexRow};

/// A name as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    /// `None` where the search path decides.
    pub(super) schema: Option<String>,
    pub(super) name: String,
}

/// What a statement does to the database that the dump describes.
#[derive(Debug)]
pub(super) enum Definition {
    /// Nothing that a catalog has: settings, owners, rights, storage.
    Nothing,
    Table(Box<NewTable>),
    ChangeTable {
        table: Name,
        only: bool,
        changes: Vec<TableChange>,
    },
    View(Box<NewView>),
    Index(Box<NewIndex>),
    AttachIndex {
        whole: Name,
        part: Name,
    },
    Sequence {
        name: Name,
        options: SequenceOptions,
    },
    ChangeSequence {
        name: Name,
        options: SequenceOptions,
    },
    Position {
        sequence: Name,
        value: i64,
        is_called: bool,
    },
    Type {
        name: Name,
        kind: NewType,
    },
    AddLabel {
        name: Name,
        label: String,
        before: Option<String>,
        after: Option<String>,
    },
    ChangeDomain {
        name: Name,
        change: DomainChange,
    },
    Comment {
        on: Commented,
        text: Option<String>,
    },
    Extension {
        name: String,
        schema: Option<String>,
    },
    Collation {
        name: Name,
        options: CollationOptions,
    },
    Database {
        encoding: Option<String>,
        collation: CollationOptions,
    },
    Routine(Box<NewRoutine>),
    Policy(Box<NewPolicy>),
    /// A trigger or a rule.
    OnTable {
        kind: ObjectKind,
        name: String,
        table: Name,
        definition: String,
        event: Option<Replaced>,
    },
    Operator {
        name: Name,
        left: Option<String>,
        right: Option<String>,
    },
    /// An operator class or family.
    Operators {
        kind: ObjectKind,
        name: Name,
        method: String,
    },
    Cast {
        from: String,
        to: String,
    },
    Transform {
        of: String,
        language: String,
    },
    /// An object with a schema and nothing else that is told.
    Named {
        kind: ObjectKind,
        name: Name,
        definition: Option<String>,
    },
    /// An object without a schema.
    Global {
        kind: ObjectKind,
        name: String,
    },
    Drop {
        kind: ObjectKind,
        names: Vec<Name>,
    },
}

/// A rule without a condition that replaces a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) is_write: bool,
}

#[derive(Debug, Clone)]
pub(super) struct NewColumn {
    pub(super) name: String,
    /// The type as it was written.
    pub(super) spelling: String,
    pub(super) collation: Option<Name>,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    pub(super) generated: Option<(String, bool)>,
    pub(super) identity: Option<(char, SequenceOptions)>,
    pub(super) constraints: Vec<NewConstraint>,
}

#[derive(Debug)]
pub(super) struct NewTable {
    pub(super) name: Name,
    /// As `pg_class.relkind`: `r`, `p` or `f`.
    pub(super) kind: char,
    pub(super) temporary: bool,
    pub(super) columns: Vec<NewColumn>,
    pub(super) constraints: Vec<NewConstraint>,
    pub(super) inherits: Vec<Name>,
    pub(super) of_type: Option<Name>,
    pub(super) partition_of: Option<(Name, String)>,
    pub(super) key: Option<PartitionKey>,
}

/// PARTITION BY.
#[derive(Debug, Clone)]
pub(super) struct PartitionKey {
    /// Strategy and columns, as they were written.
    pub(super) text: String,
    /// `range`, `list` or `hash`.
    pub(super) strategy: String,
    /// Each column, or the expression as it was written.
    pub(super) parts: Vec<Result<String, String>>,
}

#[derive(Debug, Clone)]
pub(super) struct NewConstraint {
    /// All that the catalog has; relations by name below. Without a name where none was given.
    pub(super) row: ConstraintRow,
    pub(super) references: Option<Name>,
    pub(super) no_inherit: bool,
}

#[derive(Debug)]
pub(super) enum TableChange {
    /// What a catalog does not tell.
    Nothing,
    Constraint(Box<NewConstraint>),
    Default {
        column: String,
        expression: Option<String>,
    },
    NotNull {
        column: String,
        not_null: bool,
    },
    Identity {
        column: String,
        kind: char,
        options: SequenceOptions,
    },
    Attach {
        part: Name,
        bound: String,
    },
    Inherit {
        parent: Name,
        is: bool,
    },
    RowSecurity {
        enabled: Option<bool>,
        forced: Option<bool>,
    },
    DropConstraint {
        name: String,
    },
}

#[derive(Debug)]
pub(super) struct NewView {
    pub(super) name: Name,
    pub(super) materialized: bool,
    pub(super) temporary: bool,
    pub(super) columns: Option<Vec<String>>,
    pub(super) query: Query,
    pub(super) checks_writes: bool,
}

/// The query of a view.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) text: String,
    pub(super) columns: Vec<String>,
    /// The relations in its FROM clauses, at any depth.
    pub(super) reads: Vec<Name>,
    /// The only relation that it reads, where its form lets writes through.
    pub(super) writes_to: Option<Name>,
    /// The functions that its columns call.
    pub(super) calls: Vec<Name>,
}

#[derive(Debug)]
pub(super) struct NewIndex {
    pub(super) table: Name,
    pub(super) row: IndexRow,
    /// Collations of its parts as they were written.
    pub(super) collations: Vec<Option<Name>>,
    /// Operator classes of its parts as they were written.
    pub(super) classes: Vec<Option<Name>>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct SequenceOptions {
    /// Of an identity.
    pub(super) name: Option<Name>,
    pub(super) data_type: Option<String>,
    pub(super) start: Option<i64>,
    pub(super) increment: Option<i64>,
    /// `Some(None)`: NO MINVALUE.
    pub(super) min_value: Option<Option<i64>>,
    pub(super) max_value: Option<Option<i64>>,
    pub(super) cache: Option<i64>,
    pub(super) cycle: Option<bool>,
    /// `Some(None)`: OWNED BY NONE; else table and column.
    pub(super) owned_by: Option<Option<(Name, String)>>,
}

#[derive(Debug, Clone)]
pub(super) struct NewField {
    pub(super) name: String,
    pub(super) spelling: String,
    pub(super) collation: Option<Name>,
}

#[derive(Debug, Clone)]
pub(super) enum NewType {
    Enum(Vec<String>),
    Domain(Box<NewDomain>),
    Composite(Vec<NewField>),
    Range,
    Base,
    /// Named, to be defined later.
    Shell,
}

#[derive(Debug, Clone)]
pub(super) struct NewDomain {
    pub(super) base: String,
    pub(super) collation: Option<Name>,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    pub(super) checks: Vec<NewConstraint>,
}

#[derive(Debug)]
pub(super) enum DomainChange {
    Nothing,
    Check(Box<NewConstraint>),
    Default(Option<String>),
    NotNull(bool),
}

#[derive(Debug)]
pub(super) enum Commented {
    Relation(Name),
    Column {
        relation: Name,
        column: String,
    },
    /// What a catalog only counts.
    Other,
    /// An extension, a database, a role: not even counted.
    Uncounted,
}

#[derive(Debug, Clone, Default)]
pub(super) struct CollationOptions {
    pub(super) provider: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) collate: Option<String>,
    pub(super) ctype: Option<String>,
    pub(super) icu_locale: Option<String>,
    pub(super) deterministic: Option<bool>,
    /// FROM another one.
    pub(super) from: Option<Name>,
}

#[derive(Debug)]
pub(super) struct NewRoutine {
    pub(super) kind: ObjectKind,
    pub(super) name: Name,
    /// As they were written, defaults included.
    pub(super) arguments: String,
    /// Without defaults.
    pub(super) identity: String,
    pub(super) returns: Option<String>,
    pub(super) returns_set: bool,
    pub(super) language: Option<String>,
    pub(super) transform: Option<String>,
    /// The words of volatility and the like, as `pg_get_functiondef` puts them behind the language.
    pub(super) properties: Vec<String>,
    pub(super) settings: Vec<String>,
    pub(super) body: Option<Body>,
}

#[derive(Debug)]
pub(super) enum Body {
    /// The source between quotes.
    Text(String),
    /// File and symbol.
    Object(String, String),
    /// SQL as it was written.
    Sql(String),
}

#[derive(Debug)]
pub(super) struct NewPolicy {
    pub(super) name: String,
    pub(super) table: Name,
    pub(super) restrictive: bool,
    pub(super) command: Option<String>,
    pub(super) roles: Option<String>,
    pub(super) using: Option<String>,
    pub(super) check: Option<String>,
}
