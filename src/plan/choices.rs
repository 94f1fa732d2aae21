//! What the user decided: which tables, which names, which rules, what is dropped on purpose.
//!
//! Tables are named as `schema.table`, or `table` alone where that is clear; `*` stands for any characters. Columns
//! are named as `table.column`. A choice that matches nothing in the source is refused by the plan: a typing error
//! must not decide over data in silence.

use crate::catalog::QualifiedName;
use crate::plan::version::SqliteVersion;
use crate::types::Representation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The user's choices for one plan; everything empty means the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// Which tables are carried, and which parts of them are not.
    pub tables: Tables,
    /// Target names: `"User" = "users"` for a table, `"User.emailVerified" = "email_verified"` for a column.
    pub names: BTreeMap<String, String>,
    /// Rules other than the default ones.
    pub rules: Rules,
    /// What is dropped on purpose: a table or a `table.column`, and the reason, which the report repeats.
    pub drop: BTreeMap<String, String>,
    /// The version of SQLite that the file may need at most; what needs a later one is not carried.
    pub sqlite_version: SqliteVersion,
    /// Of a tree of files, only those whose path or kind matches one of these; empty means all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Of a tree of files, what somebody has told where no file does, by its key: the path of a workspace by its hash.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, String>,
    /// Of a tree of files, the paths of those that a run has set aside: their rows are not carried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<String>,
}

impl Choices {
    /// Whether the rows of a table are carried: it is chosen, and nobody has dropped it.
    pub fn carries(&self, table: &QualifiedName) -> bool {
        let Tables { include, exclude, .. } = &self.tables;
        let is_named = |patterns: &[String]| patterns.iter().any(|pattern| names_table(pattern, table));
        (include.is_empty() || is_named(include)) && !is_named(exclude) && self.drop_reason(table).is_none()
    }

    /// Why a table is dropped on purpose, and the key that says so.
    pub fn drop_reason(&self, table: &QualifiedName) -> Option<(&String, &String)> {
        self.drop.iter().find(|(key, _)| **key == table.name || **key == table.to_string())
    }

    /// Whether a constraint, an index or a view of a table is left out.
    pub fn excludes_object(&self, table: &QualifiedName, name: &str) -> bool {
        self.tables.exclude_objects.iter().any(|pattern| names_object(pattern, table, name))
    }
}

/// Whether a pattern of `exclude_objects` names an object of a table.
pub(super) fn names_object(pattern: &str, table: &QualifiedName, name: &str) -> bool {
    pattern == name || names_column(pattern, table, name)
}

/// Which tables are carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tables {
    /// Only tables that match one of these; empty means every table.
    pub include: Vec<String>,
    /// Tables that match one of these are left out, and listed as not carried.
    pub exclude: Vec<String>,
    /// Constraints, indexes and views, by name or `table.name`, that are left out, and listed as not carried.
    pub exclude_objects: Vec<String>,
}

/// Rules other than the default ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// By type: the source's spelling with or without modifiers, for example `numeric` or `timestamp(3)`.
    pub types: BTreeMap<String, Representation>,
    /// By column, `table.column`; wins over the type.
    pub columns: BTreeMap<String, Representation>,
}

/// One of the places in which choices are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// [`Tables::include`].
    Include,
    /// [`Tables::exclude`].
    Exclude,
    /// [`Tables::exclude_objects`].
    ExcludeObjects,
    /// [`Choices::names`].
    Names,
    /// [`Choices::drop`].
    Drop,
    /// [`Rules::types`].
    TypeRules,
    /// [`Rules::columns`].
    ColumnRules,
}

impl Choice {
    /// What it is called in a project file.
    pub fn key(self) -> &'static str {
        match self {
            Choice::Include => "tables.include",
            Choice::Exclude => "tables.exclude",
            Choice::ExcludeObjects => "tables.exclude_objects",
            Choice::Names => "names",
            Choice::Drop => "drop",
            Choice::TypeRules => "rules.types",
            Choice::ColumnRules => "rules.columns",
        }
    }

    /// The option of the command line that says the same, where there is one.
    pub fn option(self) -> Option<&'static str> {
        match self {
            Choice::Include => Some("--table"),
            Choice::Exclude => Some("--exclude-table"),
            Choice::TypeRules | Choice::ColumnRules => Some("--rule"),
            Choice::ExcludeObjects | Choice::Names | Choice::Drop => None,
        }
    }
}

/// Whether a pattern names a table: `schema.table`, or `table` in any schema; `*` stands for any characters.
pub fn names_table(pattern: &str, table: &QualifiedName) -> bool {
    matches(pattern, &table.to_string()) || matches(pattern, &table.name)
}

/// Whether a pattern names a column: `schema.table.column` or `table.column`.
pub fn names_column(pattern: &str, table: &QualifiedName, column: &str) -> bool {
    matches(pattern, &format!("{table}.{column}")) || matches(pattern, &format!("{}.{column}", table.name))
}

/// Whether a pattern names a text; `*` stands for any characters.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => {
            let Some(tail) = text.strip_prefix(head) else { return false };
            (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| matches(rest, &tail[at..]))
        }
    }
}

/// Whether a key of `rules.types` names a type by its spelling: `timestamp(3)` and `timestamp` both name
/// `timestamp(3) without time zone`. The short names count as well: `int4`, `timestamptz`, `varchar`.
pub fn names_type(key: &str, spelling: &str) -> bool {
    let key = key.trim();
    let long = in_full(key);
    let key = long.as_deref().unwrap_or(key);
    let plain = spelling.strip_suffix(" without time zone").unwrap_or(spelling);
    key == spelling || key == plain || key == without_modifier(spelling) || key == without_modifier(plain)
}

/// A short name of a type as the catalog spells it, its modifier and brackets kept; `None` for any other.
fn in_full(key: &str) -> Option<String> {
    let end = key.find(['(', '[', ' ']).unwrap_or(key.len());
    let (name, rest) = key.split_at(end);
    let long = match name.to_ascii_lowercase().as_str() {
        "int2" => "smallint",
        "int" | "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "bool" => "boolean",
        "decimal" => "numeric",
        "varchar" => "character varying",
        "char" | "bpchar" if !key.starts_with('"') => "character",
        "varbit" => "bit varying",
        zoned @ ("timestamptz" | "timetz") => {
            let plain = zoned.trim_end_matches("tz");
            let (modifier, brackets) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
            return Some(format!("{plain}{modifier} with time zone{brackets}"));
        }
        _ => return None,
    };
    Some(format!("{long}{rest}"))
}

/// The spelling without what stands in parentheses.
fn without_modifier(spelling: &str) -> String {
    match (spelling.find('('), spelling.rfind(')')) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &spelling[..open], &spelling[close + 1..]),
        _ => spelling.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_tables_with_or_without_schema() {
        let table = QualifiedName::new("public", "audit_log");
        for pattern in ["audit_log", "public.audit_log", "audit_*", "public.*", "*", "*log", "*.audit*"] {
            assert!(names_table(pattern, &table), "{pattern}");
        }
        for pattern in ["audit", "other.*", "Audit_log", "*x", ""] {
            assert!(!names_table(pattern, &table), "{pattern}");
        }
    }

    #[test]
    fn types_are_named_with_or_without_modifier() {
        assert!(names_type("timestamp", "timestamp(3) without time zone"));
        assert!(names_type("timestamp(3)", "timestamp(3) without time zone"));
        assert!(!names_type("timestamp(2)", "timestamp(3) without time zone"));
        assert!(!names_type("timestamp", "timestamp(3) with time zone"));
        assert!(names_type("timestamp with time zone", "timestamp(3) with time zone"));
        assert!(names_type("numeric", "numeric(10,2)"));
        assert!(names_type("timestamptz", "timestamp(3) with time zone"));
        assert!(names_type("timestamptz(3)", "timestamp(3) with time zone"));
        assert!(!names_type("timestamptz(2)", "timestamp(3) with time zone"));
        assert!(names_type("varchar(20)", "character varying(20)") && names_type("varchar", "character varying(20)"));
        assert!(names_type("int4", "integer") && names_type("int4[]", "integer[]") && !names_type("int8", "integer"));
    }

    #[test]
    fn an_unknown_rule_lists_the_known_ones() {
        let error = toml::from_str::<Choices>("[rules.types]\nuuid = \"uid\"").unwrap_err().to_string();
        assert!(error.contains("unknown rule `uid`") && error.contains("`uuid-text`"), "{error}");
        let error = toml::from_str::<Choices>("[rule]").unwrap_err().to_string();
        assert!(error.contains("unknown field `rule`") && error.contains("`rules`"), "{error}");
    }
}
