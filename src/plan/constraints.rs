//! Keys, foreign keys and checks of a table.

use super::build::Builder;
use super::ddl::{self, Piece, TableDdl};
use super::equality::{Unlike, unlike};
use super::expression;
use super::forms::TableScope;
use super::indexes::nulls_not_distinct;
use super::names::{quote, quote_all};
use super::numbers;
use super::{Caveat, ColumnPlan, ColumnReason, ForeignKeyReason, IndexPlan, Loss, Reason, TablePlan};
use crate::catalog::{
    Action, Check, DataType, Deferrable, ForeignKey, Identity, Key, ObjectKind, QualifiedName, Shape, Table,
};
use crate::fault::{self, Fault};
use crate::types::{Remainder, Representation, TextForm};

impl Builder<'_> {
    /// Whether a column is the single integer column of its table's primary key: the rowid itself.
    pub(super) fn is_rowid_key(&self, table: &Table, column: &str) -> bool {
        let Some(key) = &table.primary_key else { return false };
        let single = key.columns.len() == 1 && key.columns[0] == column;
        single
            && !self.is_excluded_object(&table.name, &key.name)
            && self
                .planned_column(&table.name, column)
                .is_some_and(|plan| plan.representation == Representation::Integer)
    }

    /// The target names of columns; `None` where one of them is not carried.
    fn target_columns(&self, table: &QualifiedName, columns: &[String]) -> Option<Vec<String>> {
        columns.iter().map(|column| self.planned_column(table, column).map(|plan| plan.target.clone())).collect()
    }

    /// Adds the table's keys and checks to its definition. Foreign keys follow when every key is known.
    pub(super) fn keys_and_checks(&mut self, table: &Table, plan: &mut TablePlan, ddl: &mut TableDdl) {
        if let Some(key) = &table.primary_key {
            self.primary_key(table, key, plan, ddl);
        }
        for key in &table.unique_keys {
            self.unique_key(table, key, plan, ddl);
        }
        for check in &table.checks {
            self.check(table, check, ddl);
        }
    }

    fn primary_key(&mut self, table: &Table, key: &Key, plan: &mut TablePlan, ddl: &mut TableDdl) {
        let origin = format!("{}.{}", table.name, key.name);
        let Some(columns) = self.carried_key(table, key, ObjectKind::PrimaryKey) else { return };
        plan.key =
            columns.iter().filter_map(|name| plan.columns.iter().position(|column| column.target == *name)).collect();
        if self.is_rowid_key(table, &key.columns[0]) {
            let source = table.column(&key.columns[0]);
            let sequence = source.and_then(|column| self.sequence_behind(column));
            let counts = sequence.is_some() || source.is_some_and(|column| column.identity.is_some());
            self.tell_of_key(table, &key.columns[0], sequence.is_some());
            if let Some(column) = ddl.columns.iter_mut().find(|column| column.name == columns[0]) {
                column.rowid_key = Some((key.name.clone(), counts));
                if let Some(default) = column.default.take() {
                    let reason = Reason::Column(ColumnReason::RowidGetsNumber(default.sql));
                    self.lose(ObjectKind::Default, &default.origin, reason);
                }
            }
            plan.last_number = sequence.and_then(numbers::last_number);
            plan.next_number = sequence.and_then(|sequence| match numbers::next(sequence) {
                numbers::Next::Number(next) if sequence.increment > 0 => Some(next),
                _ => None,
            });
        } else {
            // SQLite makes a sole key column of the type INTEGER the rowid, whatever else it holds and whatever its
            // default is; of the type INT, which holds the same values, it does not.
            for column in ddl.columns.iter_mut().filter(|column| columns == [column.name.as_str()]) {
                if column.declared_type == "INTEGER" {
                    column.declared_type = "INT".to_owned();
                }
            }
            ddl.constraints.push(Piece {
                sql: ddl::key(&key.name, "PRIMARY KEY", &columns),
                kind: ObjectKind::PrimaryKey,
                origin,
            });
        }
    }

    /// What a key that is the rowid does otherwise than the source's.
    fn tell_of_key(&mut self, table: &Table, column: &str, by_sequence: bool) {
        let Some(column) = table.column(column) else { return };
        let object = format!("{}.{}", table.name, column.name);
        if column.identity == Some(Identity::Always) {
            self.know(&object, "GENERATED ALWAYS is not enforced: SQLite takes a number that is given");
        }
        if let Some(default) = column.default.as_ref().filter(|default| !by_sequence && default.contains("nextval")) {
            self.know(
                &object,
                format!("`{default}` names no one sequence; in the target the key goes on after its greatest number"),
            );
        }
    }

    fn unique_key(&mut self, table: &Table, key: &Key, plan: &mut TablePlan, ddl: &mut TableDdl) {
        let origin = format!("{}.{}", table.name, key.name);
        let Some(columns) = self.carried_key(table, key, ObjectKind::UniqueKey) else { return };
        ddl.constraints.push(Piece {
            sql: ddl::key(&key.name, "UNIQUE", &columns),
            kind: ObjectKind::UniqueKey,
            origin: origin.clone(),
        });
        if key.nulls_not_distinct {
            let name = self.room.take(&format!("{}_nulls", key.name));
            let sql = nulls_not_distinct(&name, plan, &columns, None);
            plan.indexes.push(IndexPlan { name, sql, origin });
        }
    }

    /// The target columns of a key that is carried; what it loses is told.
    fn carried_key(&mut self, table: &Table, key: &Key, kind: ObjectKind) -> Option<Vec<String>> {
        let origin = format!("{}.{}", table.name, key.name);
        if self.is_excluded_object(&table.name, &key.name) {
            self.lose(kind, &origin, Reason::Excluded);
            return None;
        }
        let Some(columns) = self.target_columns(&table.name, &key.columns) else {
            self.lose(kind, &origin, Reason::ColumnNotCarried);
            return None;
        };
        if key.deferrable != Deferrable::No {
            self.caveats.push(Caveat {
                object: origin.clone(),
                text: "checked at once: SQLite cannot defer a unique key".into(),
            });
        }
        self.tell_of_equal_values(table, &key.columns, &origin);
        if !key.include.is_empty() {
            self.caveats.push(Caveat {
                object: origin,
                text: "without its INCLUDE columns, which a unique key of SQLite cannot have".into(),
            });
        }
        Some(columns)
    }

    /// Tells of columns in which a key takes values for different that the source takes for equal.
    pub(super) fn tell_of_equal_values(&mut self, table: &Table, columns: &[String], origin: &str) {
        for name in columns {
            let (Some(column), Some(plan)) = (table.column(name), self.planned_column(&table.name, name)) else {
                continue;
            };
            let nan_is_null = !plan.not_null && plan.remainder.is_some_and(Remainder::has_nan);
            let text = if nan_is_null {
                format!("takes a NaN of `{name}`, which the target keeps as NULL, for a NULL")
            } else if let Some(unlike) = unlike(column, plan, &self.catalog.collations) {
                let words = unlike.words(&column.data_type.name, column.collation.as_deref());
                format!("takes values of `{name}` for different that the source takes for equal: {words}")
            } else {
                continue;
            };
            self.caveats.push(Caveat { object: origin.to_owned(), text });
        }
    }

    fn check(&mut self, table: &Table, check: &Check, ddl: &mut TableDdl) {
        let origin = format!("{}.{}", table.name, check.name);
        if self.is_excluded_object(&table.name, &check.name) {
            return self.lose(ObjectKind::Check, &origin, Reason::Excluded);
        }
        if !check.validated {
            return self.lose(ObjectKind::Check, &origin, Reason::NotValidated);
        }
        let translated = expression::check(&check.expression, &TableScope { forms: self.forms(), table: &table.name });
        match translated {
            Ok(translated) => {
                self.caveats.extend(translated.caveats.into_iter().map(|text| Caveat { object: origin.clone(), text }));
                let sql = ddl::check(&check.name, &translated.sql);
                ddl.constraints.push(Piece { sql, kind: ObjectKind::Check, origin });
            }
            Err(refusal) => self.lose(ObjectKind::Check, &origin, Reason::untranslated(&check.expression, refusal)),
        }
    }

    /// Adds the table's foreign keys to its definition.
    pub(super) fn foreign_keys(&mut self, table: &Table, ddl: &mut TableDdl) {
        for key in &table.foreign_keys {
            if fault::active(Fault::ForeignKeyDropped) && table.foreign_keys.last() == Some(key) {
                continue;
            }
            let origin = format!("{}.{}", table.name, key.name);
            match self.foreign_key(table, key) {
                Ok((sql, mut caveats)) => {
                    caveats.extend(self.lacking_defaults(table, key));
                    self.caveats.extend(caveats.into_iter().map(|text| Caveat { object: origin.clone(), text }));
                    ddl.constraints.push(Piece { sql, kind: ObjectKind::ForeignKey, origin });
                }
                Err(reason) => self.lose(ObjectKind::ForeignKey, &origin, reason),
            }
        }
    }

    /// What SET DEFAULT does otherwise, because the default of a column is not carried.
    fn lacking_defaults(&self, table: &Table, key: &ForeignKey) -> Option<String> {
        let action = [(key.on_delete, "DELETE"), (key.on_update, "UPDATE")]
            .into_iter()
            .find(|(action, _)| *action == Action::SetDefault)?
            .1;
        let is_lacking = |column: &&String| {
            let object = format!("{}.{column}", table.name);
            let is_default = |loss: &Loss| matches!(loss.kind, ObjectKind::Default | ObjectKind::Identity);
            self.losses.iter().any(|loss| is_default(loss) && loss.object == object)
        };
        let lacking: Vec<_> = key.columns.iter().filter(is_lacking).map(|column| format!("`{column}`")).collect();
        (!lacking.is_empty()).then(|| {
            format!("ON {action} SET DEFAULT sets NULL: the default of {} is not carried", lacking.join(" and "))
        })
    }

    fn foreign_key(&self, table: &Table, key: &ForeignKey) -> Result<(String, Vec<String>), Reason> {
        if self.is_excluded_object(&table.name, &key.name) {
            return Err(Reason::Excluded);
        }
        if !key.validated {
            return Err(Reason::NotValidated);
        }
        let Some(columns) = self.target_columns(&table.name, &key.columns) else {
            return Err(Reason::ColumnNotCarried);
        };
        let Some(parent) = self.planned_table(&key.references) else {
            return Err(Reason::ForeignKey(ForeignKeyReason::ParentNotCarried(key.references.clone())));
        };
        let Some(referenced) = self.target_columns(&key.references, &key.referenced_columns) else {
            return Err(Reason::ForeignKey(ForeignKeyReason::ReferencedColumnNotCarried));
        };
        self.ensure_parent_key(key)?;
        for (from, to) in key.columns.iter().zip(&key.referenced_columns) {
            let pair = (self.planned_column(&table.name, from), self.planned_column(&key.references, to));
            if let (Some(from), Some(to)) = pair {
                self.ensure_equal_alike(table, from)?;
                if let Some(parent) = self.source_table(&key.references) {
                    self.ensure_equal_alike(parent, to)?;
                }
                ensure_comparable(from, to)?;
            }
        }
        let mut caveats = Vec::new();
        if key.match_full && key.columns.len() > 1 {
            caveats.push("MATCH FULL is not enforced: SQLite lets a key with some NULLs pass".to_owned());
        }
        if !key.on_delete_columns.is_empty() {
            return Err(Reason::ForeignKey(ForeignKeyReason::ActionOnSomeColumns(key.on_delete)));
        }
        let deferrable = match key.deferrable {
            Deferrable::No => "",
            Deferrable::Immediate => " DEFERRABLE INITIALLY IMMEDIATE",
            Deferrable::Deferred => " DEFERRABLE INITIALLY DEFERRED",
        };
        let sql = format!(
            "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}{deferrable}",
            quote(&key.name),
            quote_all(columns.iter().map(String::as_str)),
            quote(&parent.target),
            quote_all(referenced.iter().map(String::as_str)),
            key.on_delete.sql(),
            key.on_update.sql(),
        );
        Ok((sql, caveats))
    }

    /// Refuses a column whose values can be equal in the source and not in the target; of decimals [`ensure_comparable`]
    /// knows more.
    fn ensure_equal_alike(&self, table: &Table, plan: &ColumnPlan) -> Result<(), Reason> {
        let unlike = table
            .column(&plan.source)
            .and_then(|column| Some((column, unlike(column, plan, &self.catalog.collations)?)));
        match unlike {
            Some((column, unlike))
                if plan.representation != Representation::Text(TextForm::Decimal) || unlike != Unlike::Texts =>
            {
                Err(Reason::ForeignKey(ForeignKeyReason::Unlike {
                    unlike,
                    type_name: column.data_type.name.clone(),
                    collation: column.collation.clone(),
                    column: plan.source.clone(),
                }))
            }
            _ => Ok(()),
        }
    }

    /// SQLite wants a primary key, unique key or plain unique index over exactly the columns referred to.
    fn ensure_parent_key(&self, key: &ForeignKey) -> Result<(), Reason> {
        let Some(parent) = self.source_table(&key.references) else {
            return Err(Reason::ForeignKey(ForeignKeyReason::ParentUnknown(key.references.clone())));
        };
        let mut wanted = key.referenced_columns.clone();
        wanted.sort();
        let covers = |columns: &[String]| {
            let mut columns = columns.to_vec();
            columns.sort();
            columns == wanted
        };
        let carried = parent
            .primary_key
            .iter()
            .chain(&parent.unique_keys)
            .any(|candidate| covers(&candidate.columns) && !self.is_excluded_object(&parent.name, &candidate.name));
        if carried || parent.indexes.iter().any(|index| super::indexes::is_plain_unique(index, &wanted)) {
            return Ok(());
        }
        Err(Reason::ForeignKey(ForeignKeyReason::NoParentKey(key.references.clone())))
    }
}

/// Whether values of the two columns that are equal in the source are equal in the target.
fn ensure_comparable(from: &ColumnPlan, to: &ColumnPlan) -> Result<(), Reason> {
    let numeric = |rule: Representation| {
        matches!(
            rule,
            Representation::Integer
                | Representation::DecimalInteger
                | Representation::Real
                | Representation::DecimalReal
        )
    };
    let same = from.representation == to.representation || (numeric(from.representation) && numeric(to.representation));
    if !same {
        return Err(Reason::ForeignKey(ForeignKeyReason::RulesDoNotCompare {
            from: (from.source.clone(), from.representation),
            to: (to.source.clone(), to.representation),
        }));
    }
    // PostgreSQL takes 1.0 and 1.00 for the same key; as text they are not.
    let same_text = from.representation != Representation::Text(TextForm::Decimal)
        || from.type_name == to.type_name && from.type_name.contains('(');
    if !same_text {
        return Err(Reason::ForeignKey(ForeignKeyReason::Unlike {
            unlike: Unlike::Texts,
            type_name: from.type_name.clone(),
            collation: None,
            column: from.source.clone(),
        }));
    }
    if is_converted(from, to) {
        return Err(Reason::ForeignKey(ForeignKeyReason::Converted {
            from: (from.source.clone(), from.type_name.clone()),
            to: (to.source.clone(), to.type_name.clone()),
        }));
    }
    Ok(())
}

/// Whether a value of the first column becomes another one in the target, by what PostgreSQL makes of it to compare it with
/// the second.
fn is_converted(from: &ColumnPlan, to: &ColumnPlan) -> bool {
    let base = |plan: &ColumnPlan| DataType::new(plan.type_name.clone(), plan.shape.clone()).base().clone();
    let (from_type, to_type) = (base(from), base(to));
    match (&from_type.shape, &to_type.shape) {
        (Shape::Char { .. }, Shape::Char { .. }) => false,
        // It loses the blanks at its end. Of a `char(n)`, the target has none, as beside a text the source.
        (_, Shape::Char { .. }) => true,
        (Shape::Date, Shape::Date)
        | (Shape::Timestamp { .. }, Shape::Timestamp { .. })
        | (Shape::TimestampTz { .. }, Shape::TimestampTz { .. })
        | (Shape::Oid, Shape::Oid) => false,
        (Shape::Date | Shape::Timestamp { .. } | Shape::TimestampTz { .. }, _) | (_, Shape::Oid) => true,
        // `inet` and `cidr` write one address differently.
        _ if from.representation == Representation::Text(TextForm::Server) => {
            // Without a length or precision, which may stand in the middle: `time(3) with time zone`.
            let name = |data_type: &DataType| match data_type.name.split_once('(') {
                Some((head, rest)) => format!("{head}{}", rest.split_once(')').unwrap_or_default().1),
                None => data_type.name.clone(),
            };
            name(&from_type) != name(&to_type)
        }
        _ => false,
    }
}
