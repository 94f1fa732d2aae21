//! Indexes and their parts.

use super::Reader;
use crate::endpoint::dump::ddl::definition::{Definition, Name, NewIndex};
use crate::endpoint::postgres::rows::{IndexPartRow, IndexRow};
use squawk_syntax::ast::{self, AstNode};

/// Operator classes with parameters that are their types' own.
const DEFAULT_CLASSES: &[&str] =
    &["gist__int_ops", "gist__ltree_ops", "gist_hstore_ops", "gist_ltree_ops", "tsvector_ops"];

impl Reader<'_> {
    pub(super) fn create_index(self, create: &ast::CreateIndex) -> Option<Definition> {
        let table = create.table_relation_name()?;
        let mut row = IndexRow {
            name: self.name(create.index())?.name,
            method: match create.using_method() {
                Some(method) => self.word(method.access_method_ref())?,
                None => "btree".to_owned(),
            },
            is_unique: create.unique_token().is_some(),
            valid: true,
            nulls_not_distinct: matches!(
                create.nulls_distinct_option(),
                Some(ast::NullsDistinctOption::NullsNotDistinct(_))
            ),
            definition: self.text.trim().trim_end_matches(';').trim_end().to_owned(),
            ..IndexRow::default()
        };
        if let Some(condition) = create.where_clause() {
            row.predicate = Some(self.piece(condition.expr()?.syntax()).to_owned());
        }
        if let Some(include) = create.index_include_clause() {
            let column = |item: ast::PartitionItem| Some(Name::parse(self.piece(item.expr()?.syntax()))?.name);
            row.include = Some(include.partition_item_list()?.partition_items().map(column).collect::<Option<_>>()?);
        }
        let (mut collations, mut classes) = (Vec::new(), Vec::new());
        for item in create.partition_item_list()?.partition_items() {
            let (part, collation, class) = self.index_part(&item)?;
            row.parts.push(part);
            collations.push(collation);
            classes.push(class);
        }
        Some(Definition::Index(Box::new(NewIndex {
            table: self.name(table.table_name_ref())?,
            row,
            collations,
            classes,
        })))
    }

    fn index_part(self, item: &ast::PartitionItem) -> Option<(IndexPartRow, Option<Name>, Option<Name>)> {
        let (mut expression, mut collation) = (item.expr()?, self.collation(item.collate())?);
        // The parser may take the collation for a part of the expression.
        if let ast::Expr::Collate(collate) = &expression {
            collation = Some(self.name(collate.collation_ref())?);
            expression = collate.expr()?;
        }
        let mut part = IndexPartRow {
            descending: matches!(item.sort_order(), Some(ast::SortOrder::SortDesc(_))),
            ..IndexPartRow::default()
        };
        part.nulls_first = match item.nulls_order() {
            Some(ast::NullsOrder::NullsFirst(_)) => true,
            Some(ast::NullsOrder::NullsLast(_)) => false,
            None => part.descending,
        };
        match &expression {
            ast::Expr::NameRef(name) => part.column = Some(self.word(Some(name.clone()))?),
            other => part.expression = Some(self.piece(other.syntax()).to_owned()),
        }
        let mut class = match item.op_class_ref() {
            Some(class) => Some(self.name(Some(class))?),
            None => None,
        };
        // With parameters the type's own class is written as well.
        if item.attribute_list().is_some() {
            class = class.filter(|class| !DEFAULT_CLASSES.contains(&class.name.as_str()));
        }
        Some((part, collation, class))
    }

    pub(super) fn alter_index(self, alter: &ast::AlterIndex) -> Option<Definition> {
        if alter.all_in_tablespace().is_some() {
            return Some(Definition::Nothing);
        }
        match alter.action()? {
            ast::AlterIndexAction::AttachIndexPartition(attach) => Some(Definition::AttachIndex {
                whole: self.name(alter.index_ref())?,
                part: self.name(attach.index_ref())?,
            }),
            ast::AlterIndexAction::AlterSetStatistics(_)
            | ast::AlterIndexAction::DependsOnExtension(_)
            | ast::AlterIndexAction::NoDependsOnExtension(_)
            | ast::AlterIndexAction::ResetOptions(_)
            | ast::AlterIndexAction::SetOptions(_)
            | ast::AlterIndexAction::SetTablespace(_) => Some(Definition::Nothing),
            ast::AlterIndexAction::IndexRenameTo(_) => None,
        }
    }
}
