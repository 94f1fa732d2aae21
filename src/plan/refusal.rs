//! What stops a run until somebody decides: what is wrong is in the enum, and its words are here and nowhere else.

use super::choices::Choice;
use crate::catalog::{ObjectKind, QualifiedName};
use crate::types::Representation;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Something that stops the run until somebody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A name that was chosen in the target, for this object or another one, cannot be had.
    NameTaken {
        /// The object, with its kind.
        object: String,
        /// The name.
        wanted: String,
    },
    /// The source has no table that can be seen.
    NothingSeen {
        /// The source's database.
        database: String,
    },
    /// Every table of the source is left out.
    NothingChosen {
        /// The source's database.
        database: String,
    },
    /// A choice matches nothing in the source: most likely a typing error.
    UnusedChoice {
        /// What was chosen.
        choice: Choice,
        /// Whether an option of the command line says so, and no project.
        typed: bool,
        /// The table, column, type or pattern that was named.
        key: String,
        /// What could have been named, the first of it.
        known: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// A rule was chosen that does not fit its column's type.
    RuleDoesNotFit {
        /// `schema.table.column`.
        column: String,
        /// The rule.
        rule: Representation,
        /// The type.
        type_name: String,
        /// The rules that fit.
        fitting: Vec<Representation>,
    },
    /// The given schema has no table for one of the source.
    NoTable {
        /// The table in the source.
        source: QualifiedName,
        /// What it would be called in the target.
        target: String,
    },
    /// A table of a SQLite source, whose definitions go as they stand, does not go.
    NotAsItStands {
        /// The table in the source.
        source: QualifiedName,
        /// Why not.
        why: String,
    },
    /// The given schema itself puts rows into a table.
    RowsInSchema {
        /// The table in the source.
        source: QualifiedName,
        /// The table in the target.
        target: String,
        /// How many rows.
        rows: u64,
    },
    /// The given schema has no column for one of the source.
    NoColumn {
        /// The table in the source.
        source: QualifiedName,
        /// The column in the source.
        column: String,
        /// The table in the target.
        target: String,
        /// What the column would be called in the target.
        wanted: String,
    },
    /// The given schema's column would change or refuse values.
    Unfit {
        /// `schema.table.column` in the source.
        column: String,
        /// The type in the source.
        type_name: String,
        /// `table.column` in the target.
        target: String,
        /// What the target declares it as; `None` where it is the number of its row.
        declared: Option<String>,
        /// The rule by which it is kept.
        rule: Representation,
        /// The rules that fit the target's column.
        fitting: Vec<Representation>,
    },
    /// The given schema demands a value that the source has not.
    NoSource {
        /// The table in the source.
        source: QualifiedName,
        /// `table.column` in the target.
        target: String,
    },
    /// A table that another one refers to is left out of a schema that goes as it stands.
    ReferenceStays {
        /// The table that refers.
        source: QualifiedName,
        /// The table that is left out.
        parent: QualifiedName,
    },
    /// The source has no table for one of the target.
    NoSourceTable {
        /// The table in the target.
        target: String,
    },
    /// The source has no column for one of the target.
    NoSourceColumn {
        /// The table in the source.
        source: QualifiedName,
        /// `table.column` in the target.
        target: String,
    },
    /// The values of a column are of another type than those of the target's.
    OtherType {
        /// `table.column` in the target.
        target: String,
        /// The type there.
        wanted: String,
        /// The type in the source.
        found: String,
    },
    /// The database has an object of that name.
    IsThere {
        /// The kind of what was to be made.
        kind: ObjectKind,
        /// Its name.
        object: String,
    },
    /// What the file remembers of a table is not one piece of SQL.
    NotOnePiece {
        /// The table.
        object: String,
    },
    /// The server does not take the definition of a table, or of what one is made of.
    NotTakenByServer {
        /// Its kind.
        kind: ObjectKind,
        /// Its name.
        object: String,
        /// What the server says.
        error: String,
    },
    /// SQLite does not take the definition of a table.
    DefinitionNotTaken {
        /// The table in the source.
        source: QualifiedName,
        /// What SQLite says.
        error: String,
    },
}

impl Refusal {
    /// The object.
    pub fn object(&self) -> String {
        match self {
            Refusal::NameTaken { object, .. } => object.clone(),
            Refusal::NothingSeen { database } | Refusal::NothingChosen { database } => format!("database `{database}`"),
            Refusal::UnusedChoice { choice, typed, key, .. } => {
                let place = choice.option().filter(|_| *typed).unwrap_or(choice.key());
                format!("`{place}` `{key}`")
            }
            Refusal::RuleDoesNotFit { column, .. } => column.clone(),
            Refusal::NoTable { source, .. }
            | Refusal::NotAsItStands { source, .. }
            | Refusal::RowsInSchema { source, .. }
            | Refusal::ReferenceStays { source, .. }
            | Refusal::DefinitionNotTaken { source, .. } => format!("table {source}"),
            Refusal::IsThere { kind, object } | Refusal::NotTakenByServer { kind, object, .. } => {
                format!("{kind} {object}")
            }
            Refusal::NotOnePiece { object } => format!("table {object}"),
            Refusal::NoColumn { source, column, .. } => format!("column {source}.{column}"),
            Refusal::Unfit { column, .. } => format!("column {column}"),
            Refusal::NoSource { target, .. } => format!("column `{target}` of the target schema"),
            Refusal::NoSourceTable { target } => format!("table `{target}` of the target"),
            Refusal::NoSourceColumn { target, .. } | Refusal::OtherType { target, .. } => {
                format!("column `{target}` of the target")
            }
        }
    }

    /// What is wrong.
    pub fn reason(&self) -> String {
        match self {
            Refusal::NameTaken { wanted, .. } => {
                format!("the name `{wanted}` is taken by another object of the target, or reserved by SQLite")
            }
            Refusal::NothingSeen { .. } => "there is nothing to carry: it has no table that can be seen".to_owned(),
            Refusal::NothingChosen { .. } => "there is nothing to carry: every table of it is left out".to_owned(),
            Refusal::UnusedChoice { .. } => "it matches nothing in the source".to_owned(),
            Refusal::RuleDoesNotFit { rule, type_name, .. } => {
                format!("the rule `{}` does not fit the type `{type_name}`", rule.name())
            }
            Refusal::NoTable { target, .. } => format!("the target schema has no table `{target}` for it"),
            Refusal::NotAsItStands { why, .. } => format!("its definition cannot go as it stands: {why}"),
            Refusal::RowsInSchema { target, rows, .. } => {
                format!("the target schema itself puts {rows} rows into `{target}`")
            }
            Refusal::NoColumn { target, wanted, .. } => {
                format!("`{target}` of the target schema has no column `{wanted}` for it")
            }
            Refusal::Unfit { target, declared, rule, .. } => {
                let declared = declared.as_ref().map(|declared| format!("`{declared}`"));
                format!(
                    "the target's `{target}` is {} and would change or refuse values that the rule `{}` stores as {}",
                    declared.as_deref().unwrap_or("the number of its row"),
                    rule.name(),
                    rule.declared_type(),
                )
            }
            Refusal::NoSource { source, .. } => {
                format!("it is NOT NULL without a default, and `{source}` has nothing for it")
            }
            Refusal::ReferenceStays { parent, .. } => format!("it refers to `{parent}`, which is left out"),
            Refusal::NoSourceTable { .. } => "the source has no table for it".to_owned(),
            Refusal::NoSourceColumn { source, .. } => format!("`{source}` has no column for it"),
            Refusal::OtherType { wanted, found, .. } => {
                format!("its values are {wanted}, and those of the source {found}")
            }
            Refusal::NotOnePiece { .. } => {
                "what the file remembers of it is not one piece of SQL, as the server writes it".to_owned()
            }
            Refusal::IsThere { .. } => "the database has something of that name".to_owned(),
            Refusal::NotTakenByServer { error, .. } => format!("the server does not take its definition: {error}"),
            Refusal::DefinitionNotTaken { error, .. } => format!("SQLite does not take its definition: {error}"),
        }
    }

    /// What to do.
    pub fn way_out(&self) -> String {
        match self {
            Refusal::NameTaken { .. } => "choose another name under `names`".to_owned(),
            Refusal::NothingSeen { .. } => {
                "name the database at the end of the URL, and a user that may read its tables".to_owned()
            }
            Refusal::NothingChosen { .. } => {
                "choose tables under `tables` and `drop`, or with `--table` and `--exclude-table`".to_owned()
            }
            Refusal::UnusedChoice { choice: Choice::ExcludeObjects, .. } => {
                "correct or remove it: it names constraints, indexes and views, as `name` or `table.name`".to_owned()
            }
            Refusal::UnusedChoice { known, more, .. } => {
                let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
                format!("correct or remove it; known are {}{more}", known.join(", "))
            }
            Refusal::RuleDoesNotFit { fitting, .. } => format!("choose one of {} for it", names_of(fitting)),
            Refusal::NoTable { source, .. } => {
                format!("give it another name under `names`, or drop it by name: `drop.\"{}\" = \"why\"`", source.name)
            }
            Refusal::NotAsItStands { source, .. } => format!(
                "leave it out with `--exclude-table {0}` (`tables.exclude` of a project), or give the project a target schema with \
                 another definition of it",
                source.name
            ),
            Refusal::RowsInSchema { .. } => {
                "take these rows out of the target schema, or drop the table by name".to_owned()
            }
            Refusal::NoColumn { source, column, .. } => format!(
                "give it another name under `names`, or drop it by name: `drop.\"{}.{column}\" = \"why\"`",
                source.name
            ),
            Refusal::Unfit { type_name, rule, fitting, .. } if fitting.is_empty() => {
                let stored = rule.declared_type();
                format!("no rule for `{type_name}` fits it: declare the target's column {stored}")
            }
            Refusal::Unfit { rule, fitting, .. } => {
                let (names, stored) = (names_of(fitting), rule.declared_type());
                format!(
                    "choose a rule that fits it under `rules.columns` ({names}), or declare the target's column {stored}"
                )
            }
            Refusal::NoSource { .. } => "map a column to it under `names`, or give it a default".to_owned(),
            Refusal::ReferenceStays { .. } => {
                "carry both or neither, or give the project a target schema without the reference".to_owned()
            }
            Refusal::NoSourceTable { .. } => {
                "use a source that was made of such a tree, or take the table out of the layout".to_owned()
            }
            Refusal::NoSourceColumn { .. } => {
                "use a source that was made of such a tree, or take the column out of the layout".to_owned()
            }
            Refusal::OtherType { .. } => {
                "use a source that was made of such a tree, or change the column's type in the layout".to_owned()
            }
            Refusal::NotOnePiece { .. } => {
                "the file was damaged, or made to do harm: go back to a copy of it, or leave the table out with `--exclude-table`"
                    .to_owned()
            }
            Refusal::IsThere { .. } => "use an empty database, or another schema with `--into SCHEMA`".to_owned(),
            Refusal::NotTakenByServer { .. } => {
                "make in the database what it lacks (an extension, a collation, a right), or leave the table out with \
                 `--exclude-table`".to_owned()
            }
            Refusal::DefinitionNotTaken { .. } => {
                "leave the table out under `tables.exclude`, and report this".to_owned()
            }
        }
    }
}

fn names_of(rules: &[Representation]) -> String {
    rules.iter().map(|rule| format!("`{}`", rule.name())).collect::<Vec<_>>().join(", ")
}

/// As its words.
impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut told = serializer.serialize_struct("Refusal", 3)?;
        told.serialize_field("object", &self.object())?;
        told.serialize_field("reason", &self.reason())?;
        told.serialize_field("way_out", &self.way_out())?;
        told.end()
    }
}
