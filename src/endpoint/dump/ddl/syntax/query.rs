//! Views, and what their queries tell: column names, what is read, whether writes go through.

use super::{Reader, tokens};
use crate::endpoint::dump::ddl::definition::{Definition, Name, NewView, Query};
use squawk_syntax::ast::{self, AstNode, SelectVariant};
use squawk_syntax::{SyntaxKind, SyntaxNode};
use std::collections::HashSet;

impl Reader<'_> {
    pub(super) fn create_view(self, create: &ast::CreateView) -> Option<Definition> {
        let by_option = create
            .with_params()
            .is_some_and(|with| tokens(with.syntax()).any(|token| token.text().eq_ignore_ascii_case("check_option")));
        Some(Definition::View(Box::new(NewView {
            name: self.name(create.view())?,
            materialized: false,
            temporary: matches!(create.persistence(), Some(ast::Persistence::Temp(_))),
            columns: self.column_names(create.column_list())?,
            query: self.query(&create.query()?)?,
            checks_writes: by_option || create.with_check_option().is_some(),
        })))
    }

    pub(super) fn create_materialized_view(self, create: &ast::CreateMaterializedView) -> Option<Definition> {
        Some(Definition::View(Box::new(NewView {
            name: self.name(create.view())?,
            materialized: true,
            temporary: false,
            columns: self.column_names(create.column_list())?,
            query: self.query(&create.query()?)?,
            checks_writes: false,
        })))
    }

    fn column_names(self, list: Option<ast::ColumnList>) -> Option<Option<Vec<String>>> {
        match list {
            Some(list) => Some(Some(self.words(list.column_names())?)),
            None => Some(None),
        }
    }

    fn query(self, query: &SelectVariant) -> Option<Query> {
        let whole = query.syntax();
        let tables: HashSet<String> =
            whole.descendants().filter_map(ast::CteName::cast).filter_map(|name| self.word(Some(name))).collect();
        let mut reads = Vec::new();
        for item in whole.descendants().filter_map(ast::RelationFromItem::cast) {
            let name = self.name(item.relation_name_ref())?;
            let is_of_query = name.schema.is_none() && tables.contains(&name.name);
            if !is_of_query && !reads.contains(&name) {
                reads.push(name);
            }
        }
        let select = match query {
            SelectVariant::Select(select) => Some(select),
            _ => None,
        };
        let targets = select.and_then(|select| select.select_clause()?.target_list());
        Some(Query {
            text: self.piece(whole).trim_end_matches(';').trim_end().to_owned(),
            columns: self.columns(query)?,
            writes_to: select.and_then(|select| self.writes_to(select)),
            calls: targets.map(|targets| self.calls(targets.syntax())).unwrap_or_default(),
            reads,
        })
    }

    /// The names of a query's columns: of a combined one those of its first part.
    fn columns(self, query: &SelectVariant) -> Option<Vec<String>> {
        match query {
            SelectVariant::Select(select) => match select.select_clause()?.target_list() {
                Some(list) => list.targets().map(|target| self.target(&target)).collect(),
                None => Some(Vec::new()),
            },
            SelectVariant::CompoundSelect(compound) => {
                let first = compound.syntax().descendants().find_map(ast::Select::cast)?;
                self.columns(&SelectVariant::Select(first))
            }
            SelectVariant::ParenSelect(inner) => self.columns(&inner.select()?),
            SelectVariant::Values(values) => {
                let first = values.row_list()?.rows().next()?;
                Some((1..=first.exprs().count()).map(|number| format!("column{number}")).collect())
            }
            SelectVariant::SelectInto(_) | SelectVariant::Table(_) => None,
        }
    }

    fn target(self, target: &ast::Target) -> Option<String> {
        if let Some(name) = target.as_name() {
            return self.word(name.name());
        }
        match target.expr()? {
            ast::Expr::NameRef(name) => self.word(Some(name)),
            ast::Expr::FieldExpr(field) => self.word(field.field()),
            // The server writes a name behind everything else.
            _ => None,
        }
    }

    /// The only relation that is read, where nothing but the relation itself stands against writes.
    fn writes_to(self, select: &ast::Select) -> Option<Name> {
        let is_plain = select.with_clause().is_none()
            && select.group_by_clause().is_none()
            && select.having_clause().is_none()
            && !select.tail_clauses().any(|clause| {
                use ast::SelectTailClause as Its;
                matches!(clause, Its::LimitClause(_) | Its::OffsetClause(_) | Its::FetchClause(_))
            })
            && !matches!(select.select_clause()?.select_quantifier(), Some(ast::SelectQuantifier::DistinctClause(_)));
        let mut items = select.from_clause()?.items();
        let (Some(ast::FromListItem::FromItem(ast::FromItem::RelationFromItem(item))), None) =
            (items.next(), items.next())
        else {
            return None;
        };
        let folds = select.select_clause()?.target_list().is_some_and(|list| {
            let mut calls = Vec::new();
            outside_of_queries(list.syntax(), &mut |node| calls.extend(ast::CallExpr::cast(node.clone())));
            calls.iter().any(|call| {
                call.over_clause().is_some()
                    || call.within_clause().is_some()
                    || call.json_object_agg_fn().is_some()
                    || call.json_array_agg_fn().is_some()
            })
        });
        (is_plain && !folds && item.tablesample_clause().is_none()).then(|| self.name(item.relation_name_ref()))?
    }

    /// The functions that are called, but for those in queries inside.
    fn calls(self, list: &SyntaxNode) -> Vec<Name> {
        let mut names = Vec::new();
        outside_of_queries(list, &mut |node| {
            let Some(call) = ast::CallExpr::cast(node.clone()) else { return };
            names.extend(call.expr().and_then(|function| Name::parse(self.piece(function.syntax()))));
        });
        names
    }
}

/// Visits what is below a node, but for the queries there.
fn outside_of_queries(node: &SyntaxNode, visit: &mut impl FnMut(&SyntaxNode)) {
    for child in node.children() {
        if matches!(child.kind(), SyntaxKind::SELECT | SyntaxKind::COMPOUND_SELECT | SyntaxKind::VALUES) {
            continue;
        }
        visit(&child);
        outside_of_queries(&child, visit);
    }
}
