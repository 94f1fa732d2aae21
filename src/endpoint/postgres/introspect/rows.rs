//! The rows of the catalog queries, one struct for each `.sql` file, field by field as the query names them.

use serde::Deserialize;

/// An object's number in the server's catalog; 0 where there is none.
pub(super) type Oid = i64;

#[derive(Debug, Deserialize)]
pub(super) struct DatabaseRow {
    pub(super) server_version: String,
    pub(super) name: String,
    pub(super) encoding: String,
    pub(super) large_objects: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct CollationRow {
    pub(super) schema: Option<String>,
    pub(super) name: String,
    pub(super) provider: char,
    pub(super) collate: Option<String>,
    pub(super) ctype: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) deterministic: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct TypeRow {
    pub(super) oid: Oid,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: char,
    pub(super) spelling: String,
    pub(super) element: Option<Oid>,
    pub(super) delimiter: Option<char>,
    pub(super) labels: Option<Vec<String>>,
    pub(super) base: Option<Oid>,
    pub(super) base_modifier: Option<i32>,
    pub(super) base_spelling: Option<String>,
    pub(super) not_null: bool,
    pub(super) collation: Option<String>,
    pub(super) checks: Option<Vec<DomainCheckRow>>,
    pub(super) fields: Option<Vec<FieldRow>>,
    pub(super) extension: Option<String>,
    pub(super) of_user: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct DomainCheckRow {
    pub(super) name: String,
    pub(super) expression: String,
    pub(super) validated: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct FieldRow {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) type_oid: Oid,
    pub(super) modifier: i32,
    pub(super) spelling: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RelationRow {
    pub(super) oid: Oid,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: char,
    pub(super) is_partition: bool,
    pub(super) populated: bool,
    pub(super) comment: Option<String>,
    pub(super) row_estimate: i64,
    pub(super) size_bytes: i64,
    pub(super) partition_key: Option<String>,
    pub(super) partition_columns: Option<Vec<String>>,
    pub(super) partition_bound: Option<String>,
    pub(super) partition_condition: Option<String>,
    pub(super) definition: Option<String>,
    pub(super) parents: Option<Vec<Oid>>,
    pub(super) reads: Option<Vec<Oid>>,
    pub(super) takes_writes: bool,
    pub(super) checks_writes: bool,
    pub(super) secured: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ColumnRow {
    pub(super) relation: Oid,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) type_oid: Oid,
    pub(super) modifier: i32,
    pub(super) spelling: String,
    pub(super) not_null: bool,
    pub(super) expression: Option<String>,
    pub(super) identity: String,
    pub(super) generated: String,
    pub(super) collation: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) sequence_schema: Option<String>,
    pub(super) sequence_name: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ConstraintRow {
    pub(super) oid: Oid,
    pub(super) relation: Oid,
    pub(super) name: String,
    pub(super) kind: char,
    pub(super) parent: Oid,
    pub(super) deferrable: bool,
    pub(super) deferred: bool,
    pub(super) validated: bool,
    pub(super) columns: Option<Vec<String>>,
    pub(super) referenced: Oid,
    pub(super) referenced_schema: Option<String>,
    pub(super) referenced_name: Option<String>,
    pub(super) referenced_columns: Option<Vec<String>>,
    pub(super) on_delete: String,
    pub(super) on_update: String,
    #[serde(rename = "match")]
    pub(super) match_type: String,
    pub(super) on_delete_columns: Option<Vec<String>>,
    pub(super) expression: Option<String>,
    pub(super) definition: String,
    pub(super) nulls_not_distinct: bool,
    pub(super) include: Option<Vec<String>>,
    pub(super) period: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct IndexRow {
    pub(super) oid: Oid,
    pub(super) relation: Oid,
    pub(super) name: String,
    pub(super) method: String,
    pub(super) is_unique: bool,
    pub(super) nulls_not_distinct: bool,
    pub(super) valid: bool,
    pub(super) parent: Option<Oid>,
    pub(super) predicate: Option<String>,
    pub(super) definition: String,
    pub(super) parts: Vec<IndexPartRow>,
    pub(super) include: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub(super) struct IndexPartRow {
    pub(super) column: Option<String>,
    pub(super) expression: Option<String>,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
    pub(super) collation: Option<String>,
    pub(super) operator_class: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SequenceRow {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) data_type: String,
    pub(super) start: i64,
    pub(super) increment: i64,
    pub(super) min_value: i64,
    pub(super) max_value: i64,
    pub(super) cache: i64,
    pub(super) cycle: bool,
    pub(super) selectable: bool,
    pub(super) last_value: Option<i64>,
    pub(super) owner_schema: Option<String>,
    pub(super) owner_name: Option<String>,
    pub(super) owner_column: Option<String>,
}
