//! How the planned columns look to an expression.

use super::ColumnPlan;
use super::expression::{ColumnForm, EpochUnit, Scope, Stored, TableForm};
use crate::catalog::{Catalog, Collations, Column, DataType, QualifiedName, Shape, TextOrder};
use crate::plan::version::SqliteVersion;
use crate::types::{Rule, TimeUnit};
use std::collections::{HashMap, HashSet};

/// How a column of that type keeps its values under that rule.
pub fn stored(shape: &Shape, rule: Rule) -> Stored {
    let mut shape = shape;
    while let Shape::Domain(domain) = shape {
        shape = &domain.base.shape;
    }
    let digits = |number: i32| u32::try_from(number).unwrap_or(0);
    match (rule, shape) {
        (_, Shape::Composite(_)) => Stored::Composite,
        (Rule::Integer, Shape::SmallInt) => Stored::Integer { bytes: 2 },
        (Rule::Integer, Shape::Integer) => Stored::Integer { bytes: 4 },
        (Rule::Integer, _) => Stored::Integer { bytes: 8 },
        (Rule::Boolean, _) => Stored::Boolean,
        (Rule::Real, Shape::Real) => Stored::SingleReal,
        (Rule::Real, _) => Stored::Real,
        (Rule::DecimalInteger, Shape::Numeric { precision_and_scale: Some((precision, 0)) }) => {
            Stored::DecimalInteger { precision: digits(*precision) }
        }
        (Rule::DecimalReal, Shape::Numeric { precision_and_scale: Some((precision, scale)) })
            if *scale >= 0 && *precision <= 15 =>
        {
            Stored::DecimalReal { precision: digits(*precision), scale: digits(*scale) }
        }
        (Rule::DecimalText, Shape::Numeric { precision_and_scale }) => {
            Stored::DecimalText { scale: precision_and_scale.map(|(_, scale)| digits(scale)) }
        }
        // Blanks at its end are kept, and the source compares without them: nothing of SQLite does that.
        (Rule::Text, Shape::Char { length: None }) => Stored::ServerText,
        (Rule::Text, Shape::Char { .. }) => Stored::PaddedText,
        (Rule::Text, Shape::Enum(enumeration)) => Stored::Enum { labels: enumeration.labels.clone() },
        (Rule::Text, Shape::Text | Shape::VarChar { .. } | Shape::Name) => Stored::Text,
        (Rule::NocaseText, Shape::Citext) => Stored::NocaseText,
        (Rule::Blob, _) => Stored::Blob,
        (Rule::UuidText, _) => Stored::Uuid,
        (
            Rule::EpochSeconds | Rule::EpochMillis | Rule::EpochMicros,
            Shape::Timestamp { .. } | Shape::TimestampTz { .. },
        ) => {
            let unit = match rule.time_unit() {
                Some(TimeUnit::Seconds) => EpochUnit::Seconds,
                Some(TimeUnit::Millis) => EpochUnit::Milliseconds,
                _ => EpochUnit::Microseconds,
            };
            Stored::Epoch { unit, with_zone: matches!(shape, Shape::TimestampTz { .. }) }
        }
        (Rule::Iso8601, Shape::Date) => Stored::Date,
        (Rule::Iso8601, Shape::Timestamp { .. }) => Stored::IsoTimestamp { with_zone: false },
        (Rule::Iso8601, Shape::TimestampTz { .. }) => Stored::IsoTimestamp { with_zone: true },
        (Rule::Json, _) => Stored::Json { binary: matches!(shape, Shape::Jsonb) },
        (Rule::JsonArray, _) => Stored::JsonArray,
        _ => Stored::ServerText,
    }
}

/// Whether the rule drops something of the type that a comparison could depend on; NaN and the far end of time are
/// accounted for by the form itself.
fn drops_digits(shape: &Shape, rule: Rule) -> bool {
    match (rule, &DataType::new("", shape.clone()).base().shape) {
        (_, Shape::Timestamp { precision } | Shape::TimestampTz { precision }) => {
            rule.time_unit().is_some_and(|unit| unit.micros() > TimeUnit::for_precision(*precision).micros())
        }
        (Rule::DecimalInteger, Shape::Numeric { precision_and_scale }) => {
            !matches!(precision_and_scale, Some((precision, 0)) if *precision <= 18)
        }
        (Rule::DecimalReal, Shape::Numeric { precision_and_scale }) => {
            !matches!(precision_and_scale, Some((precision, scale)) if *scale >= 0 && precision.max(scale) <= &15)
        }
        _ => false,
    }
}

/// A planned column as an expression sees it.
pub fn form(column: &ColumnPlan, source: &Column, collations: &Collations) -> ColumnForm {
    let mut form = ColumnForm::new(column.target.clone(), stored(&column.shape, column.rule));
    if column.not_null {
        form = form.not_null();
    }
    form.exact = !drops_digits(&column.shape, column.rule);
    form.collated(collation_of(source, collations))
}

/// What the source makes of a column's texts; `None` where the database's own collation says.
pub fn collation_of(column: &Column, collations: &Collations) -> Option<TextOrder> {
    match &column.collation {
        Some(name) => Some(collations.order(name).unwrap_or_default()),
        None => matches!(column.data_type.base().shape, Shape::Name).then_some(TextOrder::C),
    }
}

/// Everything an expression of the plan may refer to.
pub struct Forms {
    /// Tables and views by their name in the source.
    tables: HashMap<QualifiedName, TableForm>,
    enumerations: HashMap<QualifiedName, Vec<String>>,
    domains: HashMap<QualifiedName, Stored>,
    /// Tables that others inherit from: to read one in the source is to read those as well.
    with_heirs: HashSet<QualifiedName>,
    /// The names of tables and views in the target, in lower case.
    targets: HashSet<String>,
    collations: Collations,
    sqlite_version: SqliteVersion,
}

impl Forms {
    /// The types of a catalog, and no table yet; what the file may need at most.
    pub fn new(catalog: &Catalog, sqlite_version: SqliteVersion) -> Self {
        let with_heirs =
            catalog.tables.iter().filter(|table| table.has_heirs).map(|table| table.name.clone()).collect();
        let mut forms = Forms {
            tables: HashMap::new(),
            enumerations: HashMap::new(),
            domains: HashMap::new(),
            with_heirs,
            targets: HashSet::new(),
            collations: catalog.collations.clone(),
            sqlite_version,
        };
        for column in catalog.tables.iter().flat_map(|table| &table.columns) {
            forms.learn(&column.data_type.shape);
        }
        forms
    }

    fn learn(&mut self, shape: &Shape) {
        match shape {
            Shape::Enum(enumeration) => {
                self.enumerations.insert(enumeration.name.clone(), enumeration.labels.clone());
            }
            Shape::Domain(domain) => {
                self.domains.insert(domain.name.clone(), stored(shape, Rule::default_for(shape)));
                self.learn(&domain.base.shape);
            }
            Shape::Array { element, .. } => self.learn(&element.shape),
            Shape::Composite(composite) => {
                for field in &composite.fields {
                    self.learn(&field.data_type.shape);
                }
            }
            _ => {}
        }
    }

    /// Adds a table, or a view in which so many views stand behind one another.
    pub fn add(&mut self, source: &QualifiedName, target: &str, columns: Vec<(String, ColumnForm)>, views_deep: usize) {
        self.targets.insert(target.to_ascii_lowercase());
        self.tables.insert(source.clone(), TableForm { name: target.to_owned(), columns, views_deep });
    }
}

/// The scope of an expression that belongs to one table.
pub struct TableScope<'a> {
    /// Everything else.
    pub forms: &'a Forms,
    /// The table.
    pub table: &'a QualifiedName,
}

impl Scope for TableScope<'_> {
    fn column(&self, table: Option<&str>, name: &str) -> Option<ColumnForm> {
        if table.is_some_and(|table| table != self.table.name) {
            return None;
        }
        let columns = &self.forms.tables.get(self.table)?.columns;
        columns.iter().find(|(source, _)| source == name).map(|(_, form)| form.clone())
    }

    fn table(&self, schema: Option<&str>, name: &str) -> Option<TableForm> {
        self.forms.table(schema, name)
    }

    fn enumeration(&self, schema: Option<&str>, name: &str) -> Option<Vec<String>> {
        self.forms.enumeration(schema, name)
    }

    fn domain(&self, schema: Option<&str>, name: &str) -> Option<Stored> {
        self.forms.domain(schema, name)
    }

    fn collation(&self, schema: Option<&str>, name: &str) -> Option<TextOrder> {
        self.forms.collation(schema, name)
    }

    fn text_order(&self) -> TextOrder {
        self.forms.text_order()
    }

    fn is_table_name(&self, target: &str) -> bool {
        self.forms.is_table_name(target)
    }

    fn sqlite_version(&self) -> SqliteVersion {
        self.forms.sqlite_version
    }
}

impl Scope for Forms {
    fn column(&self, _: Option<&str>, _: &str) -> Option<ColumnForm> {
        None
    }

    fn table(&self, schema: Option<&str>, name: &str) -> Option<TableForm> {
        // The session's search path is that of the system: a table of a user has its schema before it, and without one
        // there is only what the query itself has defined.
        let name = QualifiedName::new(schema?, name);
        self.tables.get(&name).filter(|_| !self.with_heirs.contains(&name)).cloned()
    }

    fn enumeration(&self, schema: Option<&str>, name: &str) -> Option<Vec<String>> {
        self.enumerations.get(&QualifiedName::new(schema?, name)).cloned()
    }

    fn domain(&self, schema: Option<&str>, name: &str) -> Option<Stored> {
        self.domains.get(&QualifiedName::new(schema?, name)).cloned()
    }

    fn collation(&self, schema: Option<&str>, name: &str) -> Option<TextOrder> {
        self.collations.order(&format!("{}.{name}", schema.unwrap_or("pg_catalog")))
    }

    fn text_order(&self) -> TextOrder {
        self.collations.default
    }

    fn is_table_name(&self, target: &str) -> bool {
        self.targets.contains(&target.to_ascii_lowercase())
    }

    fn sqlite_version(&self) -> SqliteVersion {
        self.sqlite_version
    }
}
