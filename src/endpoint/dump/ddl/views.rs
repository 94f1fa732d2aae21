//! Views: which relations they read, and whether writes go through them.

use super::database::{Column, Database, Path, Relation};
use super::definition::{Name, NewField, NewView};
use crate::catalog::QualifiedName;
use crate::endpoint::postgres::rows::Oid;
use std::collections::HashSet;

/// The server's own functions that make one row of many, or many rows: a view that calls one takes no writes.
const FOLDING: &[&str] = &[
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "every",
    "generate_series",
    "generate_subscripts",
    "json_agg",
    "json_agg_strict",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_agg",
    "json_object_agg_strict",
    "json_object_agg_unique",
    "json_object_agg_unique_strict",
    "json_object_keys",
    "json_populate_recordset",
    "json_to_recordset",
    "jsonb_agg",
    "jsonb_agg_strict",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_agg",
    "jsonb_object_agg_strict",
    "jsonb_object_agg_unique",
    "jsonb_object_agg_unique_strict",
    "jsonb_object_keys",
    "jsonb_path_query",
    "jsonb_path_query_tz",
    "jsonb_populate_recordset",
    "jsonb_to_recordset",
    "max",
    "min",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "range_intersect_agg",
    "regexp_matches",
    "regexp_split_to_table",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "string_to_table",
    "sum",
    "ts_debug",
    "ts_parse",
    "ts_stat",
    "ts_token_type",
    "unnest",
    "var_pop",
    "var_samp",
    "variance",
    "xmlagg",
];

impl Database {
    pub(super) fn create_view(&mut self, view: NewView, path: &Path) -> Option<()> {
        if view.temporary {
            return Some(());
        }
        let name = self.place(view.name, path)?;
        let known = self.relations.get(&name);
        // A view in a circle comes first with another query, and once more with its own.
        if self.types.contains_key(&name) || known.is_some_and(|known| known.kind != 'v' || view.materialized) {
            return None;
        }
        let oid = match known {
            Some(known) => known.oid,
            None => self.next(),
        };
        let mut relation = Relation::new(oid, if view.materialized { 'm' } else { 'v' }, path);
        let mut names = view.columns.unwrap_or_default();
        names.extend(view.query.columns.iter().skip(names.len()).cloned());
        let column = |name| Column::of_field(NewField { name, spelling: String::new(), collation: None }, path);
        relation.columns = names.into_iter().map(column).collect();
        relation.query = Some(view.query);
        relation.checks_writes = view.checks_writes;
        if let Some(known) = self.relations.get(&name) {
            relation.comment.clone_from(&known.comment);
            relation.has_write_rule = known.has_write_rule;
        }
        self.relations.insert(name, relation);
        Some(())
    }

    /// The relations that a query reads, in the order of their names.
    pub(super) fn reads(&self, of: &QualifiedName) -> Vec<QualifiedName> {
        let Some(relation) = self.relations.get(of) else { return Vec::new() };
        let reads = relation.query.iter().flat_map(|query| &query.reads);
        let mut names: Vec<_> = reads.filter_map(|name| self.relation_name(name, &relation.path)).collect();
        names.retain(|name| name != of);
        names.sort();
        names.dedup();
        names
    }

    /// The names of the tables with row-level security behind a view.
    pub(super) fn secured_behind(&self, view: &QualifiedName) -> Option<Vec<String>> {
        let mut seen = HashSet::from([view.clone()]);
        let mut open = vec![view.clone()];
        let mut secured = Vec::new();
        while let Some(name) = open.pop() {
            if self.relations.get(&name).is_some_and(|relation| relation.secured) {
                secured.push(name.name.clone());
            }
            open.extend(self.reads(&name).into_iter().filter(|name| seen.insert(name.clone())));
        }
        secured.sort();
        (!secured.is_empty()).then_some(secured)
    }

    /// Whether the server passes INSERT, UPDATE or DELETE on to a table.
    pub(super) fn takes_writes(&self, name: &QualifiedName) -> bool {
        let mut at = name.clone();
        // A chain is never longer than there are relations.
        for _ in 0..=self.relations.len() {
            let Some(relation) = self.relations.get(&at) else { return false };
            match relation.kind {
                'r' | 'p' | 'f' => return true,
                'v' if relation.has_write_rule => return true,
                'v' => {}
                _ => return false,
            }
            let Some(query) = &relation.query else { return false };
            if query.calls.iter().any(|call| self.folds(call, &relation.path)) {
                return false;
            }
            let below = query.writes_to.as_ref().and_then(|name| self.relation_name(name, &relation.path));
            match below {
                Some(below) => at = below,
                None => return false,
            }
        }
        false
    }

    fn folds(&self, call: &Name, path: &Path) -> bool {
        let is_own = self.find(call, path, |name, own| own.folding.contains(name)).is_some();
        let is_built_in = call.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
        is_own || is_built_in && FOLDING.contains(&call.name.as_str())
    }

    /// The number of a relation.
    pub(super) fn oid(&self, name: &QualifiedName) -> Option<Oid> {
        self.relations.get(name).map(|relation| relation.oid)
    }
}
