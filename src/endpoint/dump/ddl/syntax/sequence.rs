//! Sequences, and the calls by which a dump says where they stand.

use super::Reader;
use crate::endpoint::dump::ddl::definition::{Definition, Name, SequenceOptions};
use crate::endpoint::dump::ddl::name;
use squawk_syntax::ast::{self, AstNode};

/// Functions that a dump calls, and whose effect no catalog shows.
const WITHOUT_EFFECT: &[&str] = &[
    "set_config",
    "lo_create",
    "lo_open",
    "lo_close",
    "lo_unlink",
    "lowrite",
    "pg_extension_config_dump",
    "pg_restore_relation_stats",
    "pg_restore_attribute_stats",
    "pg_restore_extended_stats",
    "pg_clear_relation_stats",
    "pg_clear_attribute_stats",
];

impl Reader<'_> {
    pub(super) fn create_sequence(self, create: &ast::CreateSequence) -> Option<Definition> {
        if matches!(create.persistence(), Some(ast::Persistence::Temp(_))) {
            return Some(Definition::Nothing);
        }
        let options = self.sequence_options(create.sequence_options())?;
        Some(Definition::Sequence { name: self.name(create.sequence())?, options })
    }

    pub(super) fn alter_sequence(self, alter: &ast::AlterSequence) -> Option<Definition> {
        let mut wanted = Vec::new();
        for action in alter.actions() {
            match action {
                ast::AlterSequenceAction::SequenceOption(option) => wanted.push(option),
                ast::AlterSequenceAction::OwnerTo(_)
                | ast::AlterSequenceAction::SetLogged(_)
                | ast::AlterSequenceAction::SetUnlogged(_) => {}
                ast::AlterSequenceAction::SequenceRenameTo(_) | ast::AlterSequenceAction::SetSchema(_) => return None,
            }
        }
        let options = self.sequence_options(wanted.into_iter())?;
        Some(Definition::ChangeSequence { name: self.name(alter.sequence_ref())?, options })
    }

    pub(super) fn sequence_options(self, given: impl Iterator<Item = ast::SequenceOption>) -> Option<SequenceOptions> {
        use ast::SequenceOption as Its;
        let mut options = SequenceOptions::default();
        for option in given {
            match option {
                Its::OptionAsType(of) => options.data_type = Some(self.piece(of.ty()?.syntax()).to_owned()),
                Its::OptionCache(cache) => options.cache = Some(self.number_in(cache.syntax())?),
                Its::OptionCycle(_) => options.cycle = Some(true),
                Its::OptionNoCycle(_) => options.cycle = Some(false),
                Its::OptionIncrement(step) => options.increment = Some(self.number_in(step.syntax())?),
                Its::OptionMaxValue(value) => options.max_value = Some(Some(self.number_in(value.syntax())?)),
                Its::OptionMinValue(value) => options.min_value = Some(Some(self.number_in(value.syntax())?)),
                Its::OptionNoMaxValue(_) => options.max_value = Some(None),
                Its::OptionNoMinValue(_) => options.min_value = Some(None),
                Its::OptionStart(value) => options.start = Some(self.number_in(value.syntax())?),
                Its::OptionSequenceName(of) => options.name = Some(self.name(of.sequence())?),
                Its::OptionOwnedBy(owner) => {
                    options.owned_by = Some(match owner.owned_by_target()? {
                        ast::OwnedByTarget::OwnedByNone(_) => None,
                        ast::OwnedByTarget::QualifiedColumnNameRef(column) => {
                            Some(self.column_of(self.piece(column.syntax()))?)
                        }
                    });
                }
                Its::OptionLogged(_) | Its::OptionUnlogged(_) => {}
                Its::OptionRestart(_) => return None,
            }
        }
        Some(options)
    }

    /// The number at the end of an option; its sign may be no part of the literal.
    fn number_in(self, option: &squawk_syntax::SyntaxNode) -> Option<i64> {
        let text = self.piece(option);
        let digits = text.trim_end_matches(|sign: char| sign.is_ascii_digit()).len();
        let number = text.get(digits..)?;
        let signed = if text[..digits].trim_end().ends_with('-') { format!("-{number}") } else { number.to_owned() };
        signed.parse().ok()
    }

    /// Table and column of a name that has both.
    pub(super) fn column_of(self, text: &str) -> Option<(Name, String)> {
        let mut parts = name::parts(text)?;
        let column = parts.pop()?;
        let table = parts.pop()?;
        let schema = parts.pop();
        Some((Name { schema, name: table }, column))
    }

    /// `SELECT function(…)`: where a sequence stands, or what has no effect on a catalog.
    pub(super) fn call(self, select: &ast::Select) -> Option<Definition> {
        if let Some(from) = select.from_clause() {
            // `SELECT * FROM function(…)`.
            let mut calls = from.syntax().descendants().filter_map(ast::CallExpr::cast);
            let function = Name::parse(self.piece(calls.next()?.expr()?.syntax()))?;
            return WITHOUT_EFFECT.contains(&function.name.as_str()).then_some(Definition::Nothing);
        }
        let mut targets = select.select_clause()?.target_list()?.targets();
        let (Some(target), None) = (targets.next(), targets.next()) else { return None };
        let ast::Expr::CallExpr(call) = target.expr()? else { return None };
        let function = Name::parse(self.piece(call.expr()?.syntax()))?;
        if function.schema.as_deref().is_some_and(|schema| schema != "pg_catalog") {
            return None;
        }
        if WITHOUT_EFFECT.contains(&function.name.as_str()) {
            return Some(Definition::Nothing);
        }
        if function.name != "setval" {
            return None;
        }
        let arguments: Vec<String> =
            call.arg_list()?.args().map(|argument| self.piece(argument.syntax()).to_owned()).collect();
        let (sequence, value) = (arguments.first()?, arguments.get(1)?);
        let is_called = match arguments.get(2) {
            None => true,
            Some(word) if word.eq_ignore_ascii_case("true") => true,
            Some(word) if word.eq_ignore_ascii_case("false") => false,
            Some(_) => return None,
        };
        let sequence = sequence.split("::").next()?;
        Some(Definition::Position {
            sequence: Name::parse(&name::string(sequence)?)?,
            value: value.trim_matches('\'').parse().ok()?,
            is_called,
        })
    }
}
