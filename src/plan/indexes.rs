//! Indexes.

use super::build::Builder;
use super::expression;
use super::forms::TableScope;
use super::names::quote;
use super::{Caveat, IndexPlan, IndexReason, Reason, TablePlan};
use crate::catalog::{Index, IndexKey, IndexPart, ObjectKind, Table, TextOrder};
use crate::fault::{self, Fault};
use crate::types::{Representation, TextForm};

/// Whether an index can stand in for a unique key over those columns (sorted) as a foreign key's parent.
pub(super) fn is_plain_unique(index: &Index, sorted_columns: &[String]) -> bool {
    let mut columns: Vec<String> = Vec::new();
    for part in &index.parts {
        match &part.key {
            IndexKey::Column(name) => columns.push(name.clone()),
            IndexKey::Expression(_) => return false,
        }
    }
    columns.sort();
    index.unique && index.predicate.is_none() && !index.nulls_not_distinct && columns == sorted_columns
}

/// A unique index for which two NULLs are the same: every column as a pair of "is NULL" and the value, which as an
/// expression has the column's collation no more.
pub(super) fn nulls_not_distinct(name: &str, table: &TablePlan, columns: &[String], predicate: Option<&str>) -> String {
    let part = |name: &String| {
        let ignores_case = table
            .columns
            .iter()
            .any(|column| column.target == *name && column.representation == Representation::Text(TextForm::Nocase));
        let collation = if ignores_case { " COLLATE NOCASE" } else { "" };
        let column = quote(name);
        format!("{column} IS NULL, ifnull({column}, 0){collation}")
    };
    let parts: Vec<_> = columns.iter().map(part).collect();
    let filter = predicate.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
    format!("CREATE UNIQUE INDEX {} ON {} ({}){filter}", quote(name), quote(&table.target), parts.join(", "))
}

impl Builder<'_> {
    /// Plans the table's indexes; those that SQLite has no counterpart for are listed.
    pub(super) fn indexes(&mut self, table: &Table, plan: &mut TablePlan) {
        for index in &table.indexes {
            if fault::active(Fault::IndexMissing) && table.indexes.last() == Some(index) {
                continue;
            }
            let origin = format!("{} on {}", index.name, table.name);
            if self.is_excluded_object(&table.name, &index.name) {
                self.lose(ObjectKind::Index, &origin, Reason::Excluded);
                continue;
            }
            match self.index(table, index, plan) {
                Ok((name, sql, caveats)) => {
                    self.caveats.extend(caveats.into_iter().map(|text| Caveat { object: origin.clone(), text }));
                    plan.indexes.push(IndexPlan { name, sql, origin });
                }
                Err(reason) => self.lose(ObjectKind::Index, &origin, reason),
            }
        }
    }

    fn index(
        &mut self,
        table: &Table,
        index: &Index,
        plan: &TablePlan,
    ) -> Result<(String, String, Vec<String>), Reason> {
        if !index.valid {
            return Err(Reason::Index(IndexReason::Invalid));
        }
        if !matches!(index.method.as_str(), "btree" | "hash") {
            return Err(Reason::Index(IndexReason::Method(index.method.clone())));
        }
        let mut caveats = Vec::new();
        if index.method == "hash" {
            caveats.push("carried as a b-tree".to_owned());
        }
        let mut parts = Vec::new();
        let mut plain_columns = Vec::new();
        for part in &index.parts {
            if let IndexKey::Column(name) = &part.key {
                plain_columns.push(self.index_column(table, name)?);
            }
            if index.unique && part.operator_class.as_ref().is_some_and(|class| class.contains('.')) {
                return Err(Reason::Index(IndexReason::ForeignOperatorClass));
            }
            parts.push(self.index_part(table, part, index.unique, &mut caveats)?);
        }
        let predicate = match &index.predicate {
            Some(source) => {
                let scope = TableScope { forms: self.forms(), table: &table.name };
                let translated = expression::index_predicate(source, &scope, index.unique)
                    .map_err(|refusal| Reason::untranslated(source, refusal))?;
                caveats.extend(translated.caveats);
                Some(translated.sql)
            }
            None => None,
        };
        if index.unique {
            let origin = format!("{} on {}", index.name, table.name);
            // A collation of its own has told its own.
            let columns: Vec<String> = index
                .parts
                .iter()
                .filter_map(|part| match &part.key {
                    IndexKey::Column(name) if part.collation.is_none() => Some(name.clone()),
                    _ => None,
                })
                .collect();
            self.tell_of_equal_values(table, &columns, &origin);
        }
        let name = self.room.take(&index.name);
        if name != index.name {
            caveats
                .push(format!("named `{name}` in the target: in SQLite no index is named like another one or a table"));
        }
        if index.nulls_not_distinct {
            if plain_columns.len() != index.parts.len() {
                return Err(Reason::Index(IndexReason::NullsNotDistinctExpression));
            }
            let sql = nulls_not_distinct(&name, plan, &plain_columns, predicate.as_deref());
            return Ok((name, sql, caveats));
        }
        for column in &index.include {
            if index.unique {
                caveats.push(format!("without its INCLUDE column `{column}`: a unique index of SQLite has only keys"));
            } else {
                parts.push(quote(&self.index_column(table, column)?));
            }
        }
        let unique = if index.unique { "UNIQUE " } else { "" };
        let filter = predicate.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
        let sql =
            format!("CREATE {unique}INDEX {} ON {} ({}){filter}", quote(&name), quote(&plan.target), parts.join(", "));
        Ok((name, sql, caveats))
    }

    fn index_column(&self, table: &Table, name: &str) -> Result<String, Reason> {
        self.planned_column(&table.name, name)
            .map(|plan| plan.target.clone())
            .ok_or_else(|| Reason::Index(IndexReason::ColumnNotCarried(name.to_owned())))
    }

    fn index_part(
        &self,
        table: &Table,
        part: &IndexPart,
        unique: bool,
        caveats: &mut Vec<String>,
    ) -> Result<String, Reason> {
        let mut sql = match &part.key {
            IndexKey::Column(name) => quote(&self.index_column(table, name)?),
            IndexKey::Expression(source) => {
                let scope = TableScope { forms: self.forms(), table: &table.name };
                let translated = expression::index_expression(source, &scope)
                    .map_err(|refusal| Reason::untranslated(source, refusal))?;
                caveats.extend(translated.caveats);
                translated.sql
            }
        };
        if let Some(collation) = &part.collation {
            let order = self.catalog.collations.order(collation).unwrap_or_default();
            if order == TextOrder::Nondeterministic && unique {
                caveats.push(format!("takes texts for different that the collation `{collation}` takes for equal"));
            } else if !order.is_by_code_point() {
                caveats.push(format!("sorts by code point, not under the collation `{collation}`"));
            }
        }
        if part.descending {
            sql.push_str(" DESC");
        }
        Ok(sql)
    }
}
