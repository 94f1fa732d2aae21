//! Columns: target names, rules, and what each rule adds to the DDL by itself.

use super::build::Builder;
use super::ddl::{self, ColumnDdl, Piece};
use super::expression::{self, ColumnForm, DomainScope, Scope};
use super::forms::{self, TableScope};
use super::guards;
use super::names::{Room, quote};
use super::{Caveat, ColumnPlan, ColumnReason, Reason, Refusal};
use crate::catalog::{Collations, Column, Domain, ObjectKind, Shape, Table, TableKind, TextOrder};
use crate::fault::{self, Fault};
use crate::plan::choices::{self, Choice};
use crate::types::{Representation, TextForm, text};
use crate::value::Cell;
use std::borrow::Cow;

impl Builder<'_> {
    /// The columns of a table under their target names and rules; dropped ones are left out and listed.
    pub(super) fn columns(&mut self, table: &Table) -> Vec<ColumnPlan> {
        let mut room = Room::default();
        let mut columns = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let object = format!("{}.{}", table.name, column.name);
            if let Some(reason) = self.dropped_column(&table.name, &column.name) {
                self.lose(ObjectKind::Column, &object, Reason::Dropped(reason));
                continue;
            }
            if column.generated.as_ref().is_some_and(|generated| generated.untold) {
                self.lose(ObjectKind::Column, &object, Reason::Untold);
                continue;
            }
            let chosen = self.chosen_column_name(&table.name, &column.name);
            let is_chosen = chosen.is_some();
            let wanted = chosen.unwrap_or_else(|| column.name.clone());
            let taken = room.take_for(&wanted, is_chosen);
            self.tell_other_name(&object, &wanted, &taken);
            let target = taken.name;
            let representation = self.representation_for(table, column);
            columns.push(ColumnPlan {
                source: column.name.clone(),
                target,
                type_name: column.data_type.name.clone(),
                shape: column.data_type.shape.clone(),
                representation,
                remainder: representation.remainder(&column.data_type.shape),
                not_null: column.not_null,
                computed: false,
                whole_as_integer: false,
            });
            self.tell_behaviour(&object, column, representation);
        }
        columns
    }

    fn representation_for(&mut self, table: &Table, column: &Column) -> Representation {
        let shape = &column.data_type.shape;
        let by_column = self.chosen_rule_by_column(&table.name, &column.name);
        let chosen = by_column.or_else(|| self.chosen_rule_by_type(&column.data_type));
        let Some(rule) = chosen else { return Representation::default_for(shape) };
        let choices = Representation::choices_for(shape);
        if !choices.contains(&rule) {
            self.refusals.push(Refusal::RuleDoesNotFit {
                column: format!("{}.{}", table.name, column.name),
                rule,
                type_name: column.data_type.to_string(),
                fitting: choices,
            });
            return Representation::default_for(shape);
        }
        rule
    }

    /// What a representation changes about order and comparison.
    fn tell_behaviour(&mut self, object: &str, column: &Column, representation: Representation) {
        let base = &column.data_type.base().shape;
        let text = match (representation, base) {
            (Representation::Text(TextForm::Decimal), _) => {
                "sorts and compares as text; the rule `decimal-real` keeps a number instead".to_owned()
            }
            // In `C`, the source knows the case of no others either.
            (Representation::Text(TextForm::Nocase), Shape::Citext)
                if self.catalog.collations.default == TextOrder::C =>
            {
                return;
            }
            (Representation::Text(TextForm::Nocase), _) => "compares without case for ASCII letters only".to_owned(),
            (Representation::Text(TextForm::Plain), Shape::Enum(_)) => {
                "sorts by label, not in the enum's order".to_owned()
            }
            _ => {
                let Some(collation) = &column.collation else { return };
                match self.catalog.collations.order(collation).unwrap_or_default() {
                    TextOrder::C | TextOrder::CodePoint => return,
                    TextOrder::Linguistic => format!("sorts by code point, not under the collation `{collation}`"),
                    TextOrder::Nondeterministic => format!(
                        "compares and sorts by code point: texts that the collation `{collation}` takes for equal are different"
                    ),
                }
            }
        };
        self.caveats.push(Caveat { object: object.to_owned(), text });
    }

    /// The definition of a planned column.
    pub(super) fn column_ddl(&mut self, table: &Table, column: &Column, plan: &mut ColumnPlan) -> ColumnDdl {
        let scope = TableScope { forms: self.forms(), table: &table.name };
        let form = forms::form(plan, column, &self.catalog.collations);
        let object = format!("{}.{}", table.name, column.name);
        let mut checks: Vec<Piece> = own_check(plan).into_iter().collect();
        let mut lost = Vec::new();
        let mut caveats = Vec::new();
        let is_excluded = |name: &str| self.is_excluded_object(&table.name, name);
        let domains = DomainChecks {
            form: &form,
            scope: &scope,
            object: &object,
            collations: &self.catalog.collations,
            is_excluded: &is_excluded,
        };
        domains.add(&column.data_type.shape, &mut checks, &mut lost, &mut caveats);

        let mut default = None;
        if let Some(source) = &column.default {
            match literal_default(plan, source) {
                Some(Ok(sql)) => default = Some(sql),
                Some(Err(reason)) => {
                    lost.push((ObjectKind::Default, object.clone(), Reason::untranslated(source, reason)))
                }
                None => match expression::default(source, &scope, &form) {
                    Ok(translated) => {
                        caveats.extend(translated.caveats.iter().map(|caveat| format!("default: {caveat}")));
                        match translated.default {
                            expression::Default::Literal(sql) => default = Some(sql),
                            expression::Default::Expression(sql) => default = Some(format!("({sql})")),
                            expression::Default::Null => {}
                            expression::Default::Sequence => {
                                if !self.is_rowid_key(table, &column.name) {
                                    let reason = ColumnReason::NotCounted(Some(source.clone()));
                                    lost.push((ObjectKind::Default, object.clone(), Reason::Column(reason)));
                                }
                            }
                        }
                    }
                    Err(refusal) => {
                        lost.push((ObjectKind::Default, object.clone(), Reason::untranslated(source, refusal)))
                    }
                },
            }
        } else if column.identity.is_some() && !self.is_rowid_key(table, &column.name) {
            let reason = Reason::Column(ColumnReason::NotCounted(None));
            lost.push((ObjectKind::Identity, object.clone(), reason));
        }

        let mut generated = None;
        if let Some(source) = &column.generated {
            let is_in_key = table.primary_key.as_ref().is_some_and(|key| key.columns.contains(&column.name));
            let why = match is_in_key {
                true => Err(Reason::Column(ColumnReason::ComputedKey)),
                false => computed(&source.expression, plan, &scope, &form, &mut caveats),
            };
            match why {
                Ok(sql) => {
                    generated = Some(sql);
                    plan.computed = true;
                }
                Err(why) => {
                    let reason = ColumnReason::KeptPlain { not_null: plan.not_null, why: Box::new(why) };
                    lost.push((ObjectKind::GeneratedColumn, object.clone(), Reason::Column(reason)));
                }
            }
        }

        // What nobody writes needs none; what the target computes can be past its type, where PostgreSQL refuses the row.
        if !matches!(table.kind, TableKind::MaterializedView { .. }) {
            let guard = |condition| Piece {
                sql: format!("CHECK ({condition})"),
                kind: ObjectKind::Guard,
                origin: String::new(),
            };
            checks.extend(guards::condition(plan).map(guard));
        }

        let piece = |kind, sql: Option<String>| sql.map(|sql| Piece { sql, kind, origin: object.clone() });
        let definition = ColumnDdl {
            name: plan.target.clone(),
            declared_type: plan.representation.declared_type().to_owned(),
            rowid_key: None,
            not_null: plan.not_null,
            collation: match plan.representation {
                Representation::Text(TextForm::Plain) if fault::active(Fault::CollationChanged) => Some("NOCASE"),
                Representation::Text(TextForm::Nocase) if !fault::active(Fault::CollationChanged) => Some("NOCASE"),
                _ => None,
            },
            default: piece(ObjectKind::Default, default),
            generated: piece(ObjectKind::GeneratedColumn, generated),
            checks,
        };
        for (kind, object, reason) in lost {
            self.lose(kind, &object, reason);
        }
        self.caveats.extend(caveats.into_iter().map(|text| Caveat { object: object.clone(), text }));
        definition
    }

    fn chosen_rule_by_type(&mut self, data_type: &crate::catalog::DataType) -> Option<Representation> {
        let spellings = [data_type.name.as_str(), data_type.base().name.as_str()];
        let named = |key: &str| spellings.iter().any(|spelling| choices::names_type(key, spelling));
        // A spelling with its modifier says more than one without.
        let key = self.choices.rules.types.keys().filter(|key| named(key)).max_by_key(|key| key.len())?.clone();
        self.used.insert((Choice::TypeRules, key.clone()));
        self.choices.rules.types.get(&key).copied()
    }
}

/// A default that is a literal of a column whose values are kept as JSON, in the form of such a value; a text that is too
/// long for its column; a number that its column rounds. `None` where it is something else.
fn literal_default(plan: &ColumnPlan, source: &str) -> Option<Result<String, &'static str>> {
    match plan.shape.base() {
        Shape::VarChar { length: Some(length) } if plan.representation == Representation::Text(TextForm::Plain) => {
            let text = expression::typed_literal(source)?;
            let end = text.char_indices().nth(usize::try_from(*length).ok()?)?.0;
            // Only blanks are cut off.
            return Some(match text[end..].trim_matches(' ') {
                "" => Ok(format!("'{}'", text[..end].replace('\'', "''"))),
                _ => Err("it is longer than its column, so that no row gets it"),
            });
        }
        Shape::Numeric { precision_and_scale: Some((_, scale)) } if *scale < 0 => {
            return Some(Err("its column rounds it to tens or more, which SQLite does not do"));
        }
        _ => {}
    }
    if !matches!(plan.representation, Representation::Text(TextForm::JsonArray | TextForm::JsonObject)) {
        return None;
    }
    let cell = Cell::Native(Cow::Owned(expression::typed_literal(source)?));
    let codec = plan.codec();
    let placed = codec.place(&cell);
    Some(match placed.exact {
        true => Ok(text::stored(&placed.stored)),
        false => Err("its form as JSON would not hold all of it"),
    })
}

/// What SQLite computes where the source computes `expression`, or why it is not to.
fn computed(
    expression: &str,
    plan: &ColumnPlan,
    scope: &dyn Scope,
    form: &ColumnForm,
    caveats: &mut Vec<String>,
) -> Result<String, Reason> {
    match expression::generated(expression, scope, form) {
        Ok(_) if plan.remainder.is_some() => Err(Reason::Column(ColumnReason::NeedsLedger(plan.representation))),
        // SQLite would compute another value of some rows.
        Ok(translated) if !translated.same_for_every_row => {
            Err(Reason::untranslated(expression, translated.caveats.join("; ")))
        }
        Ok(translated) => {
            caveats.extend(translated.caveats.iter().map(|caveat| format!("generated column: {caveat}")));
            Ok(translated.sql)
        }
        Err(refusal) => Err(Reason::untranslated(expression, refusal)),
    }
}

/// The check that a rule needs for its values to mean what they should.
fn own_check(plan: &ColumnPlan) -> Option<Piece> {
    let column = quote(&plan.target);
    let condition = match (plan.representation, plan.shape.base()) {
        (Representation::Boolean, _) => format!("{column} IN (0, 1)"),
        (Representation::Text(TextForm::Json | TextForm::JsonArray | TextForm::JsonObject), _) => {
            // `json_valid(NULL)` is NULL, which passes, from SQLite 3.42 on only; before, it is 0.
            let or_null = if plan.not_null { String::new() } else { format!("{column} IS NULL OR ") };
            format!("{or_null}json_valid({column})")
        }
        (
            Representation::Text(TextForm::Plain),
            Shape::VarChar { length: Some(length) } | Shape::Char { length: Some(length) },
        ) => {
            format!("length({column}) <= {length}")
        }
        (Representation::Text(TextForm::Plain), Shape::Enum(enumeration)) if !enumeration.labels.is_empty() => {
            let labels: Vec<_> =
                enumeration.labels.iter().map(|label| format!("'{}'", label.replace('\'', "''"))).collect();
            format!("{column} IN ({})", labels.join(", "))
        }
        _ => return None,
    };
    Some(Piece { sql: format!("CHECK ({condition})"), kind: ObjectKind::Check, origin: String::new() })
}

/// The checks of a column's domains.
struct DomainChecks<'a> {
    form: &'a expression::ColumnForm,
    scope: &'a dyn Scope,
    object: &'a str,
    collations: &'a Collations,
    is_excluded: &'a dyn Fn(&str) -> bool,
}

impl DomainChecks<'_> {
    fn add(
        &self,
        shape: &Shape,
        checks: &mut Vec<Piece>,
        lost: &mut Vec<(ObjectKind, String, Reason)>,
        caveats: &mut Vec<String>,
    ) {
        let Shape::Domain(domain) = shape else { return };
        let domain: &Domain = domain;
        // The domain compares under its own collation, whatever the column's is.
        let collation = domain.collation.as_ref().map(|name| self.collations.order(name).unwrap_or_default());
        for check in &domain.checks {
            let origin = format!("{}.{} on {}", domain.name, check.name, self.object);
            if (self.is_excluded)(&check.name) {
                lost.push((ObjectKind::Check, origin, Reason::Excluded));
                continue;
            }
            if !check.validated {
                lost.push((ObjectKind::Check, origin, Reason::NotValidated));
                continue;
            }
            let inner = DomainScope { column: self.form.clone().collated(collation), types: self.scope };
            match expression::check(&check.expression, &inner) {
                Ok(translated) => {
                    caveats.extend(translated.caveats.iter().map(|caveat| format!("check `{}`: {caveat}", check.name)));
                    let sql = ddl::check(&check.name, &translated.sql);
                    checks.push(Piece { sql, kind: ObjectKind::Check, origin });
                }
                Err(refusal) => {
                    lost.push((ObjectKind::Check, origin, Reason::untranslated(&check.expression, refusal)))
                }
            }
        }
        self.add(&domain.base.shape, checks, lost, caveats);
    }
}
