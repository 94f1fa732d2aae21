//! The rows of the catalog queries, one struct for each `.sql` file, field by field as the query names them.

use crate::catalog::OtherObject;
use serde::Deserialize;
use std::collections::HashMap;

/// An object's number in the server's catalog; 0 where there is none.
pub(in crate::endpoint) type Oid = i64;

/// What the queries answer, or what the statements of a dump say in the same words.
#[derive(Debug, Default)]
pub(in crate::endpoint) struct Rows {
    pub(in crate::endpoint) database: DatabaseRow,
    pub(in crate::endpoint) collations: Vec<CollationRow>,
    pub(in crate::endpoint) types: Vec<TypeRow>,
    /// In the order of schemas and names.
    pub(in crate::endpoint) relations: Vec<RelationRow>,
    /// Those of one relation in their order.
    pub(in crate::endpoint) columns: Vec<ColumnRow>,
    /// Those of one relation in the order of kinds and names.
    pub(in crate::endpoint) constraints: Vec<ConstraintRow>,
    /// Those of one relation in the order of names.
    pub(in crate::endpoint) indexes: Vec<IndexRow>,
    /// In the order of schemas and names.
    pub(in crate::endpoint) sequences: Vec<SequenceRow>,
    /// By the place of a sequence.
    pub(in crate::endpoint) positions: HashMap<usize, Position>,
    /// In the order of kinds and names.
    pub(in crate::endpoint) others: Vec<OtherObject>,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::endpoint) struct DatabaseRow {
    pub(in crate::endpoint) server_version: String,
    pub(in crate::endpoint) name: String,
    pub(in crate::endpoint) encoding: String,
    pub(in crate::endpoint) large_objects: i64,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::endpoint) struct CollationRow {
    pub(in crate::endpoint) schema: Option<String>,
    pub(in crate::endpoint) name: String,
    pub(in crate::endpoint) provider: char,
    pub(in crate::endpoint) collate: Option<String>,
    pub(in crate::endpoint) ctype: Option<String>,
    pub(in crate::endpoint) locale: Option<String>,
    pub(in crate::endpoint) deterministic: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::endpoint) struct TypeRow {
    pub(in crate::endpoint) oid: Oid,
    pub(in crate::endpoint) schema: String,
    pub(in crate::endpoint) name: String,
    pub(in crate::endpoint) kind: char,
    pub(in crate::endpoint) spelling: String,
    pub(in crate::endpoint) element: Option<Oid>,
    pub(in crate::endpoint) delimiter: Option<char>,
    pub(in crate::endpoint) labels: Option<Vec<String>>,
    pub(in crate::endpoint) base: Option<Oid>,
    pub(in crate::endpoint) base_modifier: Option<i32>,
    pub(in crate::endpoint) base_spelling: Option<String>,
    pub(in crate::endpoint) not_null: bool,
    pub(in crate::endpoint) collation: Option<String>,
    pub(in crate::endpoint) default: Option<String>,
    pub(in crate::endpoint) checks: Option<Vec<DomainCheckRow>>,
    pub(in crate::endpoint) fields: Option<Vec<FieldRow>>,
    pub(in crate::endpoint) extension: Option<String>,
    pub(in crate::endpoint) of_user: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::endpoint) struct DomainCheckRow {
    pub(in crate::endpoint) name: String,
    pub(in crate::endpoint) expression: String,
    pub(in crate::endpoint) validated: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::endpoint) struct FieldRow {
    pub(in crate::endpoint) name: String,
    #[serde(rename = "type")]
    pub(in crate::endpoint) type_oid: Oid,
    pub(in crate::endpoint) modifier: i32,
    pub(in crate::endpoint) spelling: String,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::endpoint) struct RelationRow {
    pub(in crate::endpoint) oid: Oid,
    pub(in crate::endpoint) schema: String,
    pub(in crate::endpoint) name: String,
    pub(in crate::endpoint) kind: char,
    pub(in crate::endpoint) is_partition: bool,
    pub(in crate::endpoint) populated: bool,
    pub(in crate::endpoint) comment: Option<String>,
    pub(in crate::endpoint) row_estimate: i64,
    pub(in crate::endpoint) size_bytes: i64,
    pub(in crate::endpoint) partition_key: Option<String>,
    pub(in crate::endpoint) partition_columns: Option<Vec<String>>,
    pub(in crate::endpoint) partition_bound: Option<String>,
    pub(in crate::endpoint) partition_condition: Option<String>,
    pub(in crate::endpoint) definition: Option<String>,
    pub(in crate::endpoint) parents: Option<Vec<Oid>>,
    pub(in crate::endpoint) reads: Option<Vec<Oid>>,
    pub(in crate::endpoint) takes_writes: bool,
    pub(in crate::endpoint) checks_writes: bool,
    pub(in crate::endpoint) secured: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::endpoint) struct ColumnRow {
    pub(in crate::endpoint) relation: Oid,
    pub(in crate::endpoint) name: String,
    #[serde(rename = "type")]
    pub(in crate::endpoint) type_oid: Oid,
    pub(in crate::endpoint) modifier: i32,
    pub(in crate::endpoint) spelling: String,
    pub(in crate::endpoint) not_null: bool,
    pub(in crate::endpoint) expression: Option<String>,
    pub(in crate::endpoint) identity: String,
    pub(in crate::endpoint) generated: String,
    pub(in crate::endpoint) collation: Option<String>,
    pub(in crate::endpoint) comment: Option<String>,
    pub(in crate::endpoint) sequence_schema: Option<String>,
    pub(in crate::endpoint) sequence_name: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::endpoint) struct ConstraintRow {
    pub(in crate::endpoint) oid: Oid,
    pub(in crate::endpoint) relation: Oid,
    pub(in crate::endpoint) name: String,
    pub(in crate::endpoint) kind: char,
    pub(in crate::endpoint) parent: Oid,
    pub(in crate::endpoint) deferrable: bool,
    pub(in crate::endpoint) deferred: bool,
    pub(in crate::endpoint) validated: bool,
    pub(in crate::endpoint) columns: Option<Vec<String>>,
    pub(in crate::endpoint) referenced: Oid,
    pub(in crate::endpoint) referenced_schema: Option<String>,
    pub(in crate::endpoint) referenced_name: Option<String>,
    pub(in crate::endpoint) referenced_columns: Option<Vec<String>>,
    pub(in crate::endpoint) on_delete: String,
    pub(in crate::endpoint) on_update: String,
    #[serde(rename = "match")]
    pub(in crate::endpoint) match_type: String,
    pub(in crate::endpoint) on_delete_columns: Option<Vec<String>>,
    pub(in crate::endpoint) expression: Option<String>,
    pub(in crate::endpoint) definition: String,
    pub(in crate::endpoint) nulls_not_distinct: bool,
    pub(in crate::endpoint) include: Option<Vec<String>>,
    pub(in crate::endpoint) period: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::endpoint) struct IndexRow {
    pub(in crate::endpoint) oid: Oid,
    pub(in crate::endpoint) relation: Oid,
    pub(in crate::endpoint) name: String,
    pub(in crate::endpoint) method: String,
    pub(in crate::endpoint) is_unique: bool,
    pub(in crate::endpoint) nulls_not_distinct: bool,
    pub(in crate::endpoint) valid: bool,
    pub(in crate::endpoint) parent: Option<Oid>,
    pub(in crate::endpoint) predicate: Option<String>,
    pub(in crate::endpoint) definition: String,
    pub(in crate::endpoint) parts: Vec<IndexPartRow>,
    pub(in crate::endpoint) include: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
pub(in crate::endpoint) struct IndexPartRow {
    pub(in crate::endpoint) column: Option<String>,
    pub(in crate::endpoint) expression: Option<String>,
    pub(in crate::endpoint) descending: bool,
    pub(in crate::endpoint) nulls_first: bool,
    pub(in crate::endpoint) collation: Option<String>,
    pub(in crate::endpoint) operator_class: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::endpoint) struct SequenceRow {
    pub(in crate::endpoint) schema: String,
    pub(in crate::endpoint) name: String,
    pub(in crate::endpoint) data_type: String,
    pub(in crate::endpoint) start: i64,
    pub(in crate::endpoint) increment: i64,
    pub(in crate::endpoint) min_value: i64,
    pub(in crate::endpoint) max_value: i64,
    pub(in crate::endpoint) cache: i64,
    pub(in crate::endpoint) cycle: bool,
    pub(in crate::endpoint) selectable: bool,
    pub(in crate::endpoint) last_value: Option<i64>,
    pub(in crate::endpoint) owner_schema: Option<String>,
    pub(in crate::endpoint) owner_name: Option<String>,
    pub(in crate::endpoint) owner_column: Option<String>,
}

/// Where a sequence stands that has handed out nothing so far, as the catalog says.
#[derive(Debug, Deserialize)]
pub(in crate::endpoint) struct Position {
    pub(in crate::endpoint) place: usize,
    pub(in crate::endpoint) last_value: i64,
    pub(in crate::endpoint) is_called: bool,
}
