//! How the planned columns look to an expression.

use super::ColumnPlan;
use super::expression::{ColumnForm, Kind, Scope, TableForm};
use crate::catalog::{Catalog, Collations, Column, QualifiedName, Shape, TextOrder};
use crate::plan::version::SqliteVersion;
use crate::types::Representation;
use std::collections::{HashMap, HashSet};

/// A planned column as an expression sees it.
pub fn form(column: &ColumnPlan, source: &Column, collations: &Collations) -> ColumnForm {
    let mut form = ColumnForm::new(column.target.clone(), Kind::of(&column.shape, column.representation));
    if column.not_null {
        form = form.not_null();
    }
    form.exact = column.remainder.is_none_or(|remainder| !remainder.drops_digits());
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
    domains: HashMap<QualifiedName, Kind>,
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
                self.domains.insert(domain.name.clone(), Kind::of(shape, Representation::default_for(shape)));
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

    fn domain(&self, schema: Option<&str>, name: &str) -> Option<Kind> {
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

    fn domain(&self, schema: Option<&str>, name: &str) -> Option<Kind> {
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
