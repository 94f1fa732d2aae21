//! Everything that a catalog lists and does not carry, and everything that it has no place for.

use super::{Reader, tokens};
use crate::catalog::ObjectKind;
use crate::endpoint::dump::ddl::definition::{CollationOptions, Commented, Definition, Name, NewPolicy, Replaced};
use crate::endpoint::dump::ddl::name;
use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode, Stmt};

impl Reader<'_> {
    pub(super) fn other(self, statement: Stmt) -> Option<Definition> {
        let global = |kind, name: Option<String>| Some(Definition::Global { kind, name: name? });
        let named = |kind, name: Option<Name>| Some(Definition::Named { kind, name: name?, definition: None });
        match statement {
            Stmt::CreateExtension(create) => Some(Definition::Extension {
                name: self.word(create.extension())?,
                schema: create.extension_schema().and_then(|schema| self.word(schema.schema_ref())),
            }),
            Stmt::CreateTrigger(create) => Some(Definition::OnTable {
                kind: ObjectKind::Trigger,
                name: self.word(create.trigger())?,
                table: self.name(create.on_relation()?.relation_name_ref())?,
                definition: self.whole().to_owned(),
                event: None,
            }),
            Stmt::CreateRule(create) => self.rule(&create),
            Stmt::CreatePolicy(create) => self.policy(&create),
            Stmt::CreateCollation(create) => self.create_collation(&create),
            Stmt::CreateDatabase(create) => Some(self.database(&create)),
            Stmt::CreateStatistics(create) => Some(Definition::Named {
                kind: ObjectKind::Statistics,
                name: self.name(create.statistics())?,
                definition: Some(self.whole().to_owned()),
            }),
            Stmt::CreateOperator(create) => self.operator(&create),
            Stmt::CreateOperatorClass(create) => Some(Definition::Operators {
                kind: ObjectKind::OperatorClass,
                name: self.name(create.op_class_name())?,
                method: self.word(create.using_method()?.access_method_ref())?,
            }),
            Stmt::CreateOperatorFamily(create) => Some(Definition::Operators {
                kind: ObjectKind::OperatorFamily,
                name: self.name(create.op_family_name())?,
                method: self.word(create.using_method()?.access_method_ref())?,
            }),
            Stmt::CreateCast(create) => {
                let types = create.cast_sig()?;
                Some(Definition::Cast {
                    from: self.piece(types.lhs()?.syntax()).to_owned(),
                    to: self.piece(types.rhs()?.syntax()).to_owned(),
                })
            }
            Stmt::CreateTransform(create) => Some(Definition::Transform {
                of: self.piece(create.ty()?.syntax()).to_owned(),
                language: self.word(create.language_ref())?,
            }),
            Stmt::CreateServer(create) => global(ObjectKind::ForeignServer, self.word(create.server())),
            Stmt::CreateForeignDataWrapper(create) => {
                global(ObjectKind::ForeignDataWrapper, self.word(create.foreign_data_wrapper()))
            }
            Stmt::CreateEventTrigger(create) => global(ObjectKind::EventTrigger, self.word(create.event_trigger())),
            Stmt::CreatePublication(create) => global(ObjectKind::Publication, self.word(create.publication())),
            Stmt::CreateSubscription(create) => global(ObjectKind::Subscription, self.word(create.subscription())),
            Stmt::CreateLanguage(create) => global(ObjectKind::Language, self.word(create.language())),
            Stmt::CreateAccessMethod(create) => global(ObjectKind::AccessMethod, self.word(create.access_method())),
            Stmt::CreateConversion(create) => named(ObjectKind::Conversion, self.name(create.conversion())),
            Stmt::CreateTextSearchConfiguration(create) => {
                named(ObjectKind::TextSearchConfiguration, self.name(create.text_search_configuration()))
            }
            Stmt::CreateTextSearchDictionary(create) => {
                named(ObjectKind::TextSearchDictionary, self.name(create.text_search_dictionary()))
            }
            Stmt::CreateTextSearchParser(create) => {
                named(ObjectKind::TextSearchParser, self.name(create.text_search_parser()))
            }
            Stmt::CreateTextSearchTemplate(create) => {
                named(ObjectKind::TextSearchTemplate, self.name(create.text_search_template()))
            }
            // SCHEMA … with objects inside is more than a schema.
            Stmt::CreateSchema(create) => create.schema_elements().next().is_none().then_some(Definition::Nothing),
            other => is_without_effect(&other).then_some(Definition::Nothing),
        }
    }

    /// The statement without its semicolon.
    fn whole(&self) -> &str {
        self.text.trim().trim_end_matches(';').trim_end()
    }

    fn rule(self, create: &ast::CreateRule) -> Option<Definition> {
        let on = create.rule_on()?;
        let event = self.piece(on.rule_event()?.syntax()).to_ascii_lowercase();
        let replaces = create.rule_do()?.instead_token().is_some() && on.where_clause().is_none();
        Some(Definition::OnTable {
            kind: ObjectKind::Rule,
            name: self.word(create.rule())?,
            table: self.name(on.relation_name_ref())?,
            // The server's own text has the semicolon.
            definition: format!("{};", self.whole()),
            event: replaces.then_some(Replaced { is_write: event != "select" }),
        })
    }

    fn policy(self, create: &ast::CreatePolicy) -> Option<Definition> {
        let condition = |expression: Option<ast::Expr>| Some(self.piece(expression?.syntax()).to_owned());
        let command = create.policy_command().and_then(|of| of.command());
        let roles = create.policy_roles().and_then(|of| of.role_ref_list());
        Some(Definition::Policy(Box::new(NewPolicy {
            name: self.word(create.policy())?,
            table: self.name(create.on_table()?.table_name_ref())?,
            restrictive: create
                .as_policy_type()
                .is_some_and(|of| tokens(of.syntax()).any(|token| token.text().eq_ignore_ascii_case("restrictive"))),
            command: command.map(|command| self.piece(command.syntax()).to_ascii_uppercase()),
            roles: roles.map(|roles| self.piece(roles.syntax()).to_owned()),
            using: create.using_expr_clause().and_then(|clause| condition(clause.expr())),
            check: create.with_check_expr_clause().and_then(|clause| condition(clause.expr())),
        })))
    }

    fn create_collation(self, create: &ast::CreateCollation) -> Option<Definition> {
        let mut options = CollationOptions::default();
        match create.definition()? {
            ast::CreateCollationDefinition::AttributeList(list) => {
                for option in list.attribute_options() {
                    let key = self.piece(option.name()?.syntax()).to_ascii_lowercase();
                    self.collation_option(&mut options, &key, self.piece(option.attribute_value()?.syntax()));
                }
            }
            ast::CreateCollationDefinition::CollationFrom(from) => {
                options.from = Some(self.name(from.collation_ref())?)
            }
        }
        Some(Definition::Collation { name: self.name(create.collation())?, options })
    }

    fn collation_option(self, options: &mut CollationOptions, key: &str, value: &str) {
        let text = name::string(value).unwrap_or_else(|| value.to_ascii_lowercase());
        match key {
            "provider" | "locale_provider" => options.provider = Some(text),
            "locale" | "builtin_locale" => options.locale = Some(text),
            "icu_locale" => options.icu_locale = Some(text),
            "lc_collate" => options.collate = Some(text),
            "lc_ctype" => options.ctype = Some(text),
            "deterministic" => options.deterministic = Some(!matches!(text.as_str(), "false" | "off" | "no" | "0")),
            _ => {}
        }
    }

    fn database(self, create: &ast::CreateDatabase) -> Definition {
        let mut encoding = None;
        let mut collation = CollationOptions::default();
        for option in create.database_option_list().iter().flat_map(ast::DatabaseOptionList::database_options) {
            let words: Vec<String> = tokens(option.syntax()).map(|token| token.text().to_owned()).collect();
            let (Some(key), Some(value)) = (words.first(), words.last()) else { continue };
            match key.to_ascii_lowercase().as_str() {
                "encoding" => encoding = name::string(value),
                key => self.collation_option(&mut collation, key, value),
            }
        }
        Definition::Database { encoding, collation }
    }

    fn operator(self, create: &ast::CreateOperator) -> Option<Definition> {
        let list = create.attribute_list()?;
        let end = list.syntax().text_range().start();
        let operator = self.between(create.op()?.syntax().text_range().start(), end);
        let name = match operator.rsplit_once('.') {
            Some((schema, sign)) => {
                Name { schema: Some(name::identifier(schema.trim())?.0), name: sign.trim().to_owned() }
            }
            None => Name { schema: None, name: operator.to_owned() },
        };
        let (mut left, mut right) = (None, None);
        for option in list.attribute_options() {
            let side = match self.piece(option.name()?.syntax()).to_ascii_lowercase().as_str() {
                "leftarg" => &mut left,
                "rightarg" => &mut right,
                _ => continue,
            };
            *side = Some(self.piece(option.attribute_value()?.syntax()).to_owned());
        }
        Some(Definition::Operator { name, left, right })
    }

    pub(super) fn comment(self, comment: &ast::CommentOn) -> Option<Definition> {
        use ast::CommentObject as Its;
        let text = match comment.literal() {
            Some(literal) => Some(self.string(Some(literal))?),
            None => None,
        };
        let relation = |name: Option<Name>| Some(Commented::Relation(name?));
        let on = match comment.comment_object()? {
            Its::ObjectTable(table) => relation(self.name(table.table_name_ref()))?,
            Its::ObjectForeignTable(table) => relation(self.name(table.table_name_ref()))?,
            Its::ObjectView(view) => relation(self.name(view.view_ref()))?,
            Its::ObjectMaterializedView(view) => relation(self.name(view.view_ref()))?,
            Its::ObjectColumn(column) => {
                let (relation, column) = self.column_of(self.piece(column.name()?.syntax()))?;
                Commented::Column { relation, column }
            }
            Its::ObjectSchema(schema) => match self.piece(schema.schema_ref()?.syntax()) {
                // The server's own object.
                "public" => Commented::Uncounted,
                _ => Commented::Other,
            },
            Its::ObjectLanguage(language) => match self.piece(language.language_ref()?.syntax()) {
                "plpgsql" => Commented::Uncounted,
                _ => Commented::Other,
            },
            Its::ObjectExtension(_) | Its::ObjectDatabase(_) | Its::ObjectRole(_) | Its::ObjectTablespace(_) => {
                Commented::Uncounted
            }
            _ => Commented::Other,
        };
        Some(Definition::Comment { on, text })
    }
}

/// Statements that change nothing of what a catalog has.
fn is_without_effect(statement: &Stmt) -> bool {
    match statement {
        Stmt::Set(_)
        | Stmt::SetRole(_)
        | Stmt::SetSessionAuth(_)
        | Stmt::SetTransaction(_)
        | Stmt::SetConstraints(_)
        | Stmt::Reset(_)
        | Stmt::ResetRole(_)
        | Stmt::ResetSessionAuth(_)
        | Stmt::Begin(_)
        | Stmt::Commit(_)
        | Stmt::Grant(_)
        | Stmt::Revoke(_)
        | Stmt::Reassign(_)
        | Stmt::AlterDefaultPrivileges(_)
        | Stmt::SecurityLabel(_)
        | Stmt::CreateRole(_)
        | Stmt::CreateUser(_)
        | Stmt::CreateGroup(_)
        | Stmt::AlterRole(_)
        | Stmt::AlterUser(_)
        | Stmt::AlterGroup(_)
        | Stmt::DropRole(_)
        | Stmt::DropUser(_)
        | Stmt::CreateTablespace(_)
        | Stmt::AlterTablespace(_)
        | Stmt::CreateUserMapping(_)
        | Stmt::AlterUserMapping(_)
        | Stmt::AlterDatabase(_)
        | Stmt::AlterLargeObject(_)
        | Stmt::AlterEventTrigger(_)
        | Stmt::AlterPublication(_)
        | Stmt::AlterSubscription(_)
        | Stmt::AlterTextSearchConfiguration(_)
        | Stmt::AlterOperatorFamily(_)
        | Stmt::AlterExtension(_)
        | Stmt::AlterServer(_)
        | Stmt::AlterForeignDataWrapper(_)
        | Stmt::Refresh(_)
        | Stmt::Analyze(_)
        | Stmt::Vacuum(_)
        | Stmt::Lock(_)
        | Stmt::EmptyStmt(_) => true,
        // Of these only what belongs to somebody, or is kept or planned with.
        Stmt::AlterAggregate(_)
        | Stmt::AlterCollation(_)
        | Stmt::AlterConversion(_)
        | Stmt::AlterFunction(_)
        | Stmt::AlterLanguage(_)
        | Stmt::AlterMaterializedView(_)
        | Stmt::AlterOperator(_)
        | Stmt::AlterOperatorClass(_)
        | Stmt::AlterProcedure(_)
        | Stmt::AlterRoutine(_)
        | Stmt::AlterSchema(_)
        | Stmt::AlterStatistics(_)
        | Stmt::AlterTextSearchDictionary(_)
        | Stmt::AlterTextSearchParser(_)
        | Stmt::AlterTextSearchTemplate(_)
        | Stmt::AlterTrigger(_)
        | Stmt::AlterView(_) => {
            let renames = |kind: SyntaxKind| {
                let kind = format!("{kind:?}");
                kind.ends_with("RENAME_TO") || kind == "SET_SCHEMA" || kind == "RENAME_COLUMN"
            };
            !statement.syntax().descendants().any(|node| renames(node.kind()))
        }
        _ => false,
    }
}
