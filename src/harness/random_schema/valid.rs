//! Drops what dangles or no longer fits after a part was left out or changed, so that what is left is a schema.

use super::families::{BOOLEAN, Class};
use super::model::{
    Column, Condition, Expression, FilledBy, Id, IndexKey, IndexPart, Predicate, Query, RandomSchema, Table, Type,
    UserTypeKind,
};

/// Makes a schema of whatever is left. What is valid stays as it is.
pub(super) fn settle(schema: &mut RandomSchema) {
    settle_types(schema);
    for place in 0..schema.tables.len() {
        let mut table = schema.tables[place].clone();
        settle_columns(&mut table);
        settle_keys(schema, &mut table);
        settle_indexes(schema, &mut table);
        settle_checks(schema, &mut table);
        settle_partitioning(&mut table);
        schema.tables[place] = table;
    }
    // Keys of all tables are settled now; what refers to them follows.
    for place in 0..schema.tables.len() {
        let mut table = schema.tables[place].clone();
        let columns = table.clone();
        table.foreign_keys.retain(|key| {
            let Some(parent) = schema.table(key.references) else { return false };
            let matches = key.columns.iter().zip(&key.referenced_columns).all(|(from, to)| {
                columns.column(*from).zip(parent.column(*to)).is_some_and(|(from, to)| from.data_type == to.data_type)
            });
            matches && parent.referable_keys().any(|known| known.columns == key.referenced_columns)
        });
        for key in &mut table.foreign_keys.clone() {
            let nullable =
                key.columns.iter().filter_map(|id| table.column(*id)).all(|own| schema.is_nullable(&table, own));
            for known in table.foreign_keys.iter_mut().filter(|known| known.name == key.name && !nullable) {
                for action in [&mut known.on_delete, &mut known.on_update] {
                    if action.starts_with("SET") {
                        *action = "NO ACTION";
                    }
                }
            }
        }
        schema.tables[place] = table;
    }
    break_cycles(schema);
    let tables = schema.tables.clone();
    schema.views.retain_mut(|view| {
        let Some(table) = tables.iter().find(|table| table.id == view.query.table()) else { return false };
        match &mut view.query {
            Query::Join { .. } => !table.foreign_keys.is_empty(),
            Query::Count { column, .. } => table
                .column(*column)
                .is_some_and(|own| matches!(&own.data_type, Type::BuiltIn(family, _) if family.comparable)),
            Query::Columns { columns, predicate, .. } => {
                columns.retain(|id| table.column(*id).is_some());
                if predicate.as_ref().is_some_and(|own| !predicate_fits(table, own)) {
                    *predicate = None;
                }
                !columns.is_empty()
            }
        }
    });
}

/// Types that nobody uses are dropped; their users are kept as long as they are there.
fn settle_types(schema: &mut RandomSchema) {
    loop {
        let mut used = Vec::new();
        for data_type in schema.tables.iter().flat_map(|table| &table.columns).map(|column| &column.data_type) {
            uses(data_type, &mut used);
        }
        for user_type in &schema.types {
            match &user_type.kind {
                UserTypeKind::Enum(_) => {}
                UserTypeKind::Domain { base, .. } => uses(base, &mut used),
                UserTypeKind::Composite(fields) => fields.iter().for_each(|(_, own)| uses(own, &mut used)),
            }
        }
        let before = schema.types.len();
        schema.types.retain(|user_type| used.contains(&user_type.id));
        if schema.types.len() == before {
            return;
        }
    }
}

pub(super) fn uses(data_type: &Type, used: &mut Vec<Id>) {
    match data_type {
        Type::BuiltIn(..) => {}
        Type::User(id) => used.push(*id),
        Type::Array(element) => uses(element, used),
    }
}

fn settle_columns(table: &mut Table) {
    let before = table.clone();
    table.columns.retain(|column| match &column.filled_by {
        FilledBy::Generated(expression) => expression_fits(&before, expression),
        _ => true,
    });
    for column in &mut table.columns {
        if column.default.as_ref().is_some_and(|(_, made_for)| *made_for != column.data_type)
            || !matches!(column.filled_by, FilledBy::User)
        {
            column.default = None;
        }
        let counts = matches!(&column.data_type, Type::BuiltIn(family, _) if ["smallint", "integer", "bigint"].contains(&family.name));
        match column.filled_by {
            FilledBy::User | FilledBy::Generated(_) => {}
            _ if counts => column.not_null = true,
            _ => column.filled_by = FilledBy::User,
        }
        if column.class() != Some(Class::Text) {
            column.collation = None;
        }
    }
    if table.columns.iter().all(Column::is_generated) {
        // A table without a column of its own is one, but no INSERT fills it with more than defaults.
        table.columns.push(Column {
            id: table.id,
            name: "c".to_owned(),
            data_type: Type::plain(&super::families::INTEGER),
            not_null: false,
            default: None,
            filled_by: FilledBy::User,
            collation: None,
            comment: None,
        });
    }
}

fn settle_keys(schema: &RandomSchema, table: &mut Table) {
    let fits = |table: &Table, id: &Id| {
        table.column(*id).is_some_and(|own| !own.is_generated() && schema.can_be_key(&own.data_type))
    };
    let before = table.clone();
    let settle_key = |key: &mut super::Key| {
        key.columns.retain(|id| fits(&before, id));
        key.include.retain(|id| before.column(*id).is_some() && !key.columns.contains(id));
        !key.columns.is_empty()
    };
    table.primary_key = table.primary_key.take().and_then(|mut key| settle_key(&mut key).then_some(key));
    // A unique key that has lost a column might leave room for two rows only.
    table.unique_keys.retain_mut(|key| {
        settle_key(key)
            && !key.columns.iter().all(|id| {
                before
                    .column(*id)
                    .is_some_and(|own| matches!(schema.family(&own.data_type), Some(family) if *family == BOOLEAN))
            })
    });
    // A second constraint over the same columns would share an index or be refused.
    let mut seen: Vec<Vec<Id>> = table.primary_key.iter().map(|key| key.columns.clone()).collect();
    table.unique_keys.retain(|key| {
        let new = !seen.contains(&key.columns);
        seen.push(key.columns.clone());
        new
    });
}

fn settle_indexes(schema: &RandomSchema, table: &mut Table) {
    let before = table.clone();
    let part_fits = |part: &IndexPart, method: &str| match &part.key {
        IndexKey::Column(id) => before.column(*id).is_some_and(|own| method_fits(schema, own, method)),
        IndexKey::Expression(expression) => expression_fits(&before, expression),
    };
    table.indexes.retain_mut(|index| {
        let parts = index.parts.len();
        index.parts.retain(|part| part_fits(part, index.method));
        index.include.retain(|id| {
            let is_key = index.parts.iter().any(|part| matches!(&part.key, IndexKey::Column(own) if own == id));
            before.column(*id).is_some() && !is_key && index.method == "btree"
        });
        if index.predicate.as_ref().is_some_and(|own| !predicate_fits(&before, own)) {
            index.predicate = None;
        }
        // Fewer parts or more rows make an index stricter; a partitioned table wants its column in every unique one.
        if parts != index.parts.len() || before.partitioning.is_some() {
            index.unique = false;
            index.nulls_not_distinct = false;
        }
        !index.parts.is_empty()
    });
}

fn method_fits(schema: &RandomSchema, column: &Column, method: &str) -> bool {
    match (method, &column.data_type) {
        ("btree", data_type) => schema.can_be_key(data_type),
        ("hash" | "brin", _) => matches!(column.class(), Some(Class::SmallWhole | Class::Whole)),
        ("gin", Type::Array(element)) => matches!(&**element, Type::BuiltIn(own, _) if own.class == Class::SmallWhole),
        (_, Type::BuiltIn(family, _)) => family.method == Some(method),
        _ => false,
    }
}

fn settle_checks(schema: &RandomSchema, table: &mut Table) {
    let before = table.clone();
    table.checks.retain(|check| {
        let columns: Vec<&Column> = check.condition.columns().iter().filter_map(|id| before.column(*id)).collect();
        let complete = columns.len() == check.condition.columns().len();
        let about_nulls = check.condition.is_about_nulls();
        let typed = about_nulls || columns.iter().all(|own| own.data_type == check.data_type);
        let free = |own: &&Column| {
            !before.is_in_primary_key(own.id)
                && (!matches!(check.condition, Condition::ExactlyOne(..)) || schema.is_nullable(&before, own))
        };
        complete && typed && (!about_nulls || columns.iter().all(free))
    });
}

fn settle_partitioning(table: &mut Table) {
    let Some(partitioning) = &table.partitioning else { return };
    let column = table.column(partitioning.column);
    let class = column.and_then(Column::class);
    let class_fits = match partitioning.method {
        "LIST" => matches!(class, Some(Class::SmallWhole | Class::Whole | Class::Text | Class::Boolean)),
        _ => matches!(class, Some(Class::SmallWhole | Class::Whole | Class::Text)),
    };
    let keyed = table.primary_key.as_ref().is_none_or(|key| key.columns.contains(&partitioning.column));
    let free = column.is_some_and(|own| !own.is_generated());
    if !(class_fits && keyed && free && table.unique_keys.is_empty()) {
        table.partitioning = None;
    }
}

fn expression_fits(table: &Table, expression: &Expression) -> bool {
    let wanted: &[Class] = match expression {
        Expression::Lower(_) | Expression::Upper(_) | Expression::Length(_) | Expression::Concat(..) => &[Class::Text],
        Expression::Sum(..) | Expression::Coalesce(_) => &[Class::SmallWhole],
        Expression::IsNull(_) => &[],
    };
    let columns: Vec<&Column> = expression.columns().iter().filter_map(|id| table.column(*id)).collect();
    columns.len() == expression.columns().len()
        && columns.iter().all(|own| !own.is_generated())
        && (wanted.is_empty() || columns.iter().all(|own| own.class().is_some_and(|class| wanted.contains(&class))))
        // Of two collations none would be chosen.
        && columns.windows(2).all(|pair| pair[0].collation == pair[1].collation)
}

fn predicate_fits(table: &Table, predicate: &Predicate) -> bool {
    let Some(column) = table.column(predicate.column()) else { return false };
    match predicate {
        Predicate::IsNotNull(_) => true,
        Predicate::Positive(_) => {
            matches!(column.class(), Some(Class::SmallWhole | Class::Whole | Class::Number))
        }
        Predicate::IsTrue(_) => column.class() == Some(Class::Boolean),
        Predicate::NotEmpty(_) => column.class() == Some(Class::Text),
    }
}

/// Leaves out foreign keys that close a cycle and can be broken at no row: an edge to the table itself or to a later
/// one has to be nullable or deferred.
fn break_cycles(schema: &mut RandomSchema) {
    let order: Vec<Id> = schema.tables.iter().map(|table| table.id).collect();
    for place in 0..schema.tables.len() {
        let mut table = schema.tables[place].clone();
        let before = table.clone();
        table.foreign_keys.retain(|key| {
            let later = order.iter().position(|id| *id == key.references).is_none_or(|target| target >= place);
            let nullable =
                key.columns.iter().filter_map(|id| before.column(*id)).all(|own| schema.is_nullable(&before, own));
            !later || nullable || key.deferrable == Some(true)
        });
        schema.tables[place] = table;
    }
}
