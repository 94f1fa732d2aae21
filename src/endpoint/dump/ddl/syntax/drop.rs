//! DROP: what `--clean` writes before the definitions, and of a view that stood for another one for a while.

use super::Reader;
use crate::catalog::ObjectKind;
use crate::endpoint::dump::ddl::definition::Definition;
use squawk_syntax::ast::{AstChildren, AstNode, Stmt};

impl Reader<'_> {
    pub(super) fn drop(self, statement: &Stmt) -> Option<Definition> {
        match statement {
            Stmt::DropTable(drop) => self.dropped(ObjectKind::Table, drop.table_name_refs()),
            Stmt::DropView(drop) => self.dropped(ObjectKind::View, drop.view_refs()),
            Stmt::DropIndex(drop) => self.dropped(ObjectKind::Index, drop.index_refs()),
            Stmt::DropType(drop) => self.dropped(ObjectKind::BaseType, drop.type_name_refs()),
            // Only before everything else (`--clean`), where there is nothing yet.
            Stmt::DropAccessMethod(_)
            | Stmt::DropAggregate(_)
            | Stmt::DropCast(_)
            | Stmt::DropCollation(_)
            | Stmt::DropConversion(_)
            | Stmt::DropDatabase(_)
            | Stmt::DropDomain(_)
            | Stmt::DropEventTrigger(_)
            | Stmt::DropExtension(_)
            | Stmt::DropForeignDataWrapper(_)
            | Stmt::DropForeignTable(_)
            | Stmt::DropFunction(_)
            | Stmt::DropLanguage(_)
            | Stmt::DropMaterializedView(_)
            | Stmt::DropOperator(_)
            | Stmt::DropOperatorClass(_)
            | Stmt::DropOperatorFamily(_)
            | Stmt::DropPolicy(_)
            | Stmt::DropProcedure(_)
            | Stmt::DropPublication(_)
            | Stmt::DropRoutine(_)
            | Stmt::DropRule(_)
            | Stmt::DropSchema(_)
            | Stmt::DropSequence(_)
            | Stmt::DropServer(_)
            | Stmt::DropStatistics(_)
            | Stmt::DropSubscription(_)
            | Stmt::DropTextSearchConfig(_)
            | Stmt::DropTextSearchDict(_)
            | Stmt::DropTextSearchParser(_)
            | Stmt::DropTextSearchTemplate(_)
            | Stmt::DropTransform(_)
            | Stmt::DropTrigger(_)
            | Stmt::DropUserMapping(_) => Some(Definition::Drop { kind: ObjectKind::Unknown, names: Vec::new() }),
            _ => None,
        }
    }

    fn dropped<N: AstNode>(self, kind: ObjectKind, names: AstChildren<N>) -> Option<Definition> {
        let names = names.map(|name| self.name(Some(name))).collect::<Option<_>>()?;
        Some(Definition::Drop { kind, names })
    }
}
