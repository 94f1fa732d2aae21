//! Tables: columns, constraints, partitions, and what is changed about them later.

use super::{Reader, begins_with};
use crate::endpoint::dump::ddl::definition::{
    Definition, Name, NewColumn, NewConstraint, NewTable, PartitionKey, SequenceOptions, TableChange,
};
use crate::endpoint::postgres::rows::ConstraintRow;
use squawk_syntax::ast::{self, AstChildren, AstNode};

impl<'t> Reader<'t> {
    pub(super) fn create_table(self, create: &ast::CreateTable) -> Option<Definition> {
        let temporary = matches!(create.persistence(), Some(ast::Persistence::Temp(_)));
        let key = create.partition_by();
        let partition_of = match create.partition_of() {
            Some(of) => Some((self.name(of.table_name_ref())?, self.bound(create.partition_type())?)),
            None => None,
        };
        let mut table = self.table(create.table_name(), create.table_arg_list(), create.inherits())?;
        table.temporary = temporary;
        table.partition_of = partition_of;
        table.of_type = match create.of_type() {
            Some(of) => Some(Name::parse(self.piece(of.ty()?.syntax()))?),
            None => None,
        };
        if let Some(key) = key {
            table.kind = 'p';
            table.key = Some(self.partition_key(&key)?);
        }
        Some(Definition::Table(Box::new(table)))
    }

    pub(super) fn create_foreign_table(self, create: &ast::CreateForeignTable) -> Option<Definition> {
        let mut table = self.table(create.table_name(), create.table_arg_list(), create.inherits())?;
        table.kind = 'f';
        table.partition_of = match create.partition_of() {
            Some(of) => Some((self.name(of.table_name_ref())?, self.bound(create.partition_type())?)),
            None => None,
        };
        Some(Definition::Table(Box::new(table)))
    }

    fn table(
        self,
        name: Option<ast::TableName>,
        arguments: Option<ast::TableArgList>,
        inherits: Option<ast::Inherits>,
    ) -> Option<NewTable> {
        let mut table = NewTable {
            name: self.name(name)?,
            kind: 'r',
            temporary: false,
            columns: Vec::new(),
            constraints: Vec::new(),
            inherits: Vec::new(),
            of_type: None,
            partition_of: None,
            key: None,
        };
        for argument in arguments.iter().flat_map(ast::TableArgList::args) {
            match argument {
                ast::TableArg::Column(column) => table.columns.push(self.column(&column)?),
                ast::TableArg::TableConstraint(constraint) => {
                    table.constraints.push(self.constraint(ast::Constraint::cast(constraint.syntax().clone())?)?);
                }
                // pg_dump writes the columns out.
                ast::TableArg::LikeClause(_) => return None,
            }
        }
        for parent in inherits.iter().flat_map(ast::Inherits::table_name_refs) {
            table.inherits.push(self.name(Some(parent))?);
        }
        Some(table)
    }

    fn column(self, column: &ast::Column) -> Option<NewColumn> {
        let mut new = NewColumn {
            name: self.word(column.name())?,
            spelling: column.ty().map(|ty| self.piece(ty.syntax()).to_owned()).unwrap_or_default(),
            collation: None,
            not_null: false,
            default: None,
            generated: None,
            identity: None,
            constraints: Vec::new(),
        };
        for clause in column.clauses() {
            let constraint = match clause {
                ast::ColumnClause::ColumnConstraint(constraint) => constraint,
                ast::ColumnClause::Collate(collate) => {
                    new.collation = Some(self.name(collate.collation_ref())?);
                    continue;
                }
                ast::ColumnClause::AlterOptionList(_)
                | ast::ColumnClause::CompressionMethod(_)
                | ast::ColumnClause::Storage(_)
                | ast::ColumnClause::WithOptions(_) => continue,
            };
            match ast::Constraint::cast(constraint.syntax().clone())? {
                ast::Constraint::NotNullConstraint(_) => new.not_null = true,
                ast::Constraint::NullConstraint(_) => {}
                ast::Constraint::DefaultConstraint(default) => {
                    let mut expression = default.expr()?;
                    // Behind a default stands the column's collation; one of the default itself has parentheses around it.
                    if let ast::Expr::Collate(collate) = &expression {
                        new.collation = Some(self.name(collate.collation_ref())?);
                        expression = collate.expr()?;
                    }
                    new.default = Some(self.piece(expression.syntax()).to_owned());
                }
                ast::Constraint::GeneratedConstraint(generated) => match generated.generated_as()? {
                    ast::GeneratedAs::GeneratedStored(stored) => {
                        let expression = self.piece(stored.expr()?.syntax()).to_owned();
                        let is_stored = matches!(stored.generated_kind(), Some(ast::GeneratedKind::Stored(_)));
                        new.generated = Some((expression, is_stored));
                    }
                    ast::GeneratedAs::GeneratedIdentity(identity) => {
                        let options = self.sequence_option_list(identity.sequence_option_list())?;
                        new.identity = Some((identity_kind(&identity.generated_when()?), options));
                        new.not_null = true;
                    }
                },
                other => {
                    let mut constraint = self.constraint(other)?;
                    if constraint.row.columns.is_none() && constraint.row.kind != 'c' {
                        constraint.row.columns = Some(vec![new.name.clone()]);
                    }
                    new.constraints.push(constraint);
                }
            }
        }
        Some(new)
    }

    pub(super) fn constraint(self, constraint: ast::Constraint) -> Option<NewConstraint> {
        let name = match constraint.constraint_name() {
            Some(name) => self.word(Some(name))?,
            None => String::new(),
        };
        // As the server prints a constraint: without its name.
        let whole = constraint.syntax();
        let from = match whole.children().find_map(ast::ConstraintNameClause::cast) {
            Some(clause) => clause.syntax().text_range().end(),
            None => whole.text_range().start(),
        };
        let mut row = ConstraintRow {
            name,
            definition: self.between(from, whole.text_range().end()).to_owned(),
            validated: true,
            on_delete: "a".to_owned(),
            on_update: "a".to_owned(),
            match_type: "s".to_owned(),
            ..ConstraintRow::default()
        };
        let mut no_inherit = false;
        for option in constraint.constraint_options() {
            use ast::ConstraintOption as Its;
            match option {
                Its::DeferrableConstraintOption(_) => row.deferrable = true,
                Its::InitiallyDeferredConstraintOption(_) => (row.deferrable, row.deferred) = (true, true),
                Its::NotValid(_) | Its::NotEnforced(_) => row.validated = false,
                Its::NoInherit(_) => no_inherit = true,
                Its::NotDeferrableConstraintOption(_)
                | Its::InitiallyImmediateConstraintOption(_)
                | Its::Enforced(_)
                | Its::Inherit(_) => {}
            }
        }
        let mut references = None;
        match constraint {
            ast::Constraint::CheckConstraint(check) => {
                row.kind = 'c';
                row.expression = Some(self.piece(check.expr()?.syntax()).to_owned());
            }
            ast::Constraint::PrimaryKeyConstraint(key) => {
                row.kind = 'p';
                self.key(&mut row, key.index_parameters())?;
            }
            ast::Constraint::UniqueConstraint(key) => {
                row.kind = 'u';
                self.key(&mut row, key.index_parameters())?;
            }
            ast::Constraint::ForeignKeyConstraint(key) => {
                row.kind = 'f';
                let from = key.from_columns()?;
                row.columns = Some(self.words(from.column_name_refs())?);
                row.period = from.period_column().is_some();
                if let Some(to) = key.to_columns() {
                    row.referenced_columns = Some(self.words(to.column_name_refs())?);
                }
                references = Some(self.name(key.table_name_ref())?);
                self.actions(&mut row, key.match_type(), key.referential_actions())?;
            }
            ast::Constraint::ReferencesConstraint(key) => {
                row.kind = 'f';
                if let Some(column) = key.column() {
                    row.referenced_columns = Some(vec![self.word(Some(column))?]);
                }
                references = Some(self.name(key.table())?);
                self.actions(&mut row, key.match_type(), key.referential_actions())?;
            }
            ast::Constraint::ExcludeConstraint(_) => row.kind = 'x',
            ast::Constraint::NotNullConstraint(not_null) => {
                row.kind = 'n';
                row.columns = not_null
                    .column_name_ref()
                    .map(|column| self.word(Some(column)))
                    .map(|name| name.into_iter().collect());
            }
            ast::Constraint::DefaultConstraint(_)
            | ast::Constraint::GeneratedConstraint(_)
            | ast::Constraint::NullConstraint(_) => return None,
        }
        Some(NewConstraint { row, references, no_inherit })
    }

    fn key(self, row: &mut ConstraintRow, parameters: Option<ast::IndexParameters>) -> Option<()> {
        // USING INDEX names no columns.
        let parameters = parameters?;
        if let Some(columns) = parameters.column_list() {
            row.columns = Some(self.words(columns.column_name_refs())?);
            row.period = columns.without_overlaps().is_some();
        }
        row.nulls_not_distinct =
            matches!(parameters.nulls_distinct_option(), Some(ast::NullsDistinctOption::NullsNotDistinct(_)));
        if let Some(include) = parameters.constraint_include_clause() {
            row.include = Some(self.words(include.column_ref_list()?.column_name_refs())?);
        }
        Some(())
    }

    fn actions(
        self,
        row: &mut ConstraintRow,
        match_type: Option<ast::MatchType>,
        actions: AstChildren<ast::ReferentialAction>,
    ) -> Option<()> {
        if matches!(match_type, Some(ast::MatchType::MatchFull(_))) {
            row.match_type = "f".to_owned();
        }
        for action in actions {
            let action = match action {
                ast::ReferentialAction::OnDeleteAction(action) => action.ref_action()?,
                ast::ReferentialAction::OnUpdateAction(action) => {
                    row.on_update = letter(&action.ref_action()?).to_owned();
                    continue;
                }
            };
            row.on_delete = letter(&action).to_owned();
            let columns = match &action {
                ast::RefAction::SetNullColumns(set) => set.column_ref_list(),
                ast::RefAction::SetDefaultColumns(set) => set.column_ref_list(),
                ast::RefAction::Cascade(_) | ast::RefAction::NoAction(_) | ast::RefAction::Restrict(_) => None,
            };
            if let Some(columns) = columns {
                row.on_delete_columns = Some(self.words(columns.column_name_refs())?);
            }
        }
        Some(())
    }

    pub(super) fn words<N: AstNode>(self, names: AstChildren<N>) -> Option<Vec<String>> {
        names.map(|name| self.word(Some(name))).collect()
    }

    fn partition_key(self, key: &ast::PartitionBy) -> Option<PartitionKey> {
        let strategy = key.partition_strategy()?;
        let list = key.partition_item_list()?;
        let text = self.between(strategy.syntax().text_range().start(), list.syntax().text_range().end());
        let part = |item: ast::PartitionItem| {
            let expression = item.expr()?;
            Some(match &expression {
                ast::Expr::NameRef(name) => Ok(self.word(Some(name.clone()))?),
                _ => Err(self.piece(expression.syntax()).to_owned()),
            })
        };
        Some(PartitionKey {
            text: text.to_owned(),
            strategy: self.piece(strategy.syntax()).to_ascii_lowercase(),
            parts: list.partition_items().map(part).collect::<Option<_>>()?,
        })
    }

    fn bound(self, bound: Option<ast::PartitionType>) -> Option<String> {
        Some(self.piece(bound?.syntax()).to_owned())
    }

    pub(super) fn changes(
        self,
        table: &ast::TableRelationName,
        actions: AstChildren<ast::AlterTableAction>,
    ) -> Option<Definition> {
        let only = begins_with(table.syntax(), &["only"]);
        let table = self.name(table.table_name_ref())?;
        let changes = actions.map(|action| self.change(action)).collect::<Option<Vec<_>>>()?;
        Some(Definition::ChangeTable { table, only, changes })
    }

    fn change(self, action: ast::AlterTableAction) -> Option<TableChange> {
        use ast::AlterTableAction as Action;
        let security = |enabled, forced| Some(TableChange::RowSecurity { enabled, forced });
        match action {
            Action::AddConstraint(add) => {
                self.constraint(add.constraint()?).map(|new| TableChange::Constraint(Box::new(new)))
            }
            Action::AlterColumn(alter) => self.column_change(&alter),
            Action::AttachPartition(attach) => Some(TableChange::Attach {
                part: self.name(attach.table_name_ref())?,
                bound: self.bound(attach.partition_type())?,
            }),
            Action::InheritTable(inherit) => {
                Some(TableChange::Inherit { parent: self.name(inherit.table_name_ref())?, is: true })
            }
            Action::NoInheritTable(inherit) => {
                Some(TableChange::Inherit { parent: self.name(inherit.table_name_ref())?, is: false })
            }
            Action::EnableRls(_) => security(Some(true), None),
            Action::DisableRls(_) => security(Some(false), None),
            Action::ForceRls(_) => security(None, Some(true)),
            Action::NoForceRls(_) => security(None, Some(false)),
            Action::DropConstraint(drop) => {
                Some(TableChange::DropConstraint { name: self.word(drop.constraint_name_ref())? })
            }
            Action::OwnerTo(_)
            | Action::ReplicaIdentity(_)
            | Action::EnableTrigger(_)
            | Action::EnableReplicaTrigger(_)
            | Action::EnableReplicaRule(_)
            | Action::EnableAlwaysTrigger(_)
            | Action::EnableAlwaysRule(_)
            | Action::EnableRule(_)
            | Action::DisableTrigger(_)
            | Action::DisableRule(_)
            | Action::ClusterOn(_)
            | Action::SetTablespace(_)
            | Action::SetWithoutCluster(_)
            | Action::SetWithoutOids(_)
            | Action::SetAccessMethod(_)
            | Action::SetLogged(_)
            | Action::SetUnlogged(_)
            | Action::SetOptions(_)
            | Action::ResetOptions(_)
            | Action::AlterOptionList(_) => Some(TableChange::Nothing),
            // No dump has any of the others.
            _ => None,
        }
    }

    fn column_change(self, alter: &ast::AlterColumn) -> Option<TableChange> {
        use ast::AlterColumnOption as Change;
        let column = self.word(alter.column_name_ref())?;
        match alter.option()? {
            Change::SetDefault(set) => {
                let expression = Some(self.piece(set.expr()?.syntax()).to_owned());
                Some(TableChange::Default { column, expression })
            }
            Change::DropDefault(_) => Some(TableChange::Default { column, expression: None }),
            Change::SetNotNull(_) => Some(TableChange::NotNull { column, not_null: true }),
            Change::DropNotNull(_) => Some(TableChange::NotNull { column, not_null: false }),
            Change::AddGenerated(add) => Some(TableChange::Identity {
                column,
                kind: identity_kind(&add.generated_when()?),
                options: self.sequence_option_list(add.sequence_option_list())?,
            }),
            Change::SetStatistics(_)
            | Change::SetStorage(_)
            | Change::SetCompression(_)
            | Change::SetOptions(_)
            | Change::ResetOptions(_)
            | Change::SetOptionsList(_) => Some(TableChange::Nothing),
            // No dump has any of the others.
            _ => None,
        }
    }

    fn sequence_option_list(self, list: Option<ast::SequenceOptionList>) -> Option<SequenceOptions> {
        self.sequence_options(list.iter().flat_map(ast::SequenceOptionList::sequence_options))
    }
}

/// As `pg_attribute.attidentity` says it.
fn identity_kind(when: &ast::GeneratedWhen) -> char {
    match when {
        ast::GeneratedWhen::GeneratedAlways(_) => 'a',
        ast::GeneratedWhen::GeneratedByDefault(_) => 'd',
    }
}

/// As `pg_constraint.confdeltype` says it.
fn letter(action: &ast::RefAction) -> &'static str {
    match action {
        ast::RefAction::NoAction(_) => "a",
        ast::RefAction::Restrict(_) => "r",
        ast::RefAction::Cascade(_) => "c",
        ast::RefAction::SetNullColumns(_) => "n",
        ast::RefAction::SetDefaultColumns(_) => "d",
    }
}
