//! Types and domains.

use super::Reader;
use crate::endpoint::dump::ddl::definition::{Definition, DomainChange, NewDomain, NewField, NewType};
use squawk_syntax::ast::{self, AstNode};

impl Reader<'_> {
    pub(super) fn create_type(self, create: &ast::CreateType) -> Option<Definition> {
        let kind = match create.kind() {
            None => NewType::Shell,
            Some(ast::CreateTypeKind::BaseType(_)) => NewType::Base,
            Some(ast::CreateTypeKind::RangeType(_)) => NewType::Range,
            Some(ast::CreateTypeKind::EnumType(labels)) => {
                // An enum without labels has no list that the grammar knows of.
                let labels = labels.variant_list().map(|list| list.variants().collect::<Vec<_>>()).unwrap_or_default();
                NewType::Enum(labels.into_iter().map(|label| self.string(label.literal())).collect::<Option<_>>()?)
            }
            Some(ast::CreateTypeKind::CompositeType(fields)) => {
                let fields = fields.composite_field_list()?.composite_field_defs().map(|field| {
                    Some(NewField {
                        name: self.word(field.name())?,
                        spelling: self.piece(field.ty()?.syntax()).to_owned(),
                        collation: self.collation(field.collate())?,
                    })
                });
                NewType::Composite(fields.collect::<Option<_>>()?)
            }
        };
        Some(Definition::Type { name: self.name(create.type_name())?, kind })
    }

    pub(super) fn alter_type(self, alter: &ast::AlterType) -> Option<Definition> {
        match alter.action()? {
            ast::AlterTypeAction::OwnerTo(_) | ast::AlterTypeAction::SetOptions(_) => Some(Definition::Nothing),
            ast::AlterTypeAction::AddValue(add) => {
                let mut labels = add.syntax().descendants().filter_map(ast::Literal::cast);
                let label = self.string(labels.next())?;
                let place = match labels.next() {
                    Some(place) => Some(self.string(Some(place))?),
                    None => None,
                };
                let is_before = matches!(add.value_position(), Some(ast::ValuePosition::BeforeValue(_)));
                let (before, after) = if is_before { (place, None) } else { (None, place) };
                Some(Definition::AddLabel { name: self.name(alter.type_name_ref())?, label, before, after })
            }
            // No dump renames.
            _ => None,
        }
    }

    pub(super) fn create_domain(self, create: &ast::CreateDomain) -> Option<Definition> {
        let mut domain = NewDomain {
            base: self.piece(create.ty()?.syntax()).to_owned(),
            collation: None,
            not_null: false,
            default: None,
            checks: Vec::new(),
        };
        for qualifier in create.domain_qualifiers() {
            let constraint = match qualifier {
                ast::DomainQualifier::Constraint(constraint) => constraint,
                ast::DomainQualifier::Collate(collate) => {
                    domain.collation = Some(self.name(collate.collation_ref())?);
                    continue;
                }
            };
            match constraint {
                ast::Constraint::NotNullConstraint(_) => domain.not_null = true,
                ast::Constraint::NullConstraint(_) => {}
                ast::Constraint::DefaultConstraint(default) => {
                    domain.default = Some(self.piece(default.expr()?.syntax()).to_owned());
                }
                check @ ast::Constraint::CheckConstraint(_) => domain.checks.push(self.constraint(check)?),
                _ => return None,
            }
        }
        Some(Definition::Type { name: self.name(create.domain())?, kind: NewType::Domain(Box::new(domain)) })
    }

    pub(super) fn alter_domain(self, alter: &ast::AlterDomain) -> Option<Definition> {
        use ast::AlterDomainAction as Action;
        let change = match alter.action()? {
            Action::OwnerTo(_) => DomainChange::Nothing,
            Action::AddConstraint(add) => match add.constraint()? {
                check @ ast::Constraint::CheckConstraint(_) => DomainChange::Check(Box::new(self.constraint(check)?)),
                ast::Constraint::NotNullConstraint(_) => DomainChange::NotNull(true),
                _ => return None,
            },
            Action::SetDefault(set) => DomainChange::Default(Some(self.piece(set.expr()?.syntax()).to_owned())),
            Action::DropDefault(_) => DomainChange::Default(None),
            Action::SetNotNull(_) => DomainChange::NotNull(true),
            Action::DropNotNull(_) => DomainChange::NotNull(false),
            _ => return None,
        };
        Some(Definition::ChangeDomain { name: self.name(alter.domain_ref())?, change })
    }
}
