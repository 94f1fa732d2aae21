//! Which table and column of one source is which of the other.
//!
//! Names are compared as they are between two catalogs of one dialect; where one side is SQLite's, a table of PostgreSQL
//! has the name that it would have in a file, and case is ignored where nothing has the very name.

use crate::catalog::{
    Catalog, Column, DataType, Dialect, ObjectKind, OtherObject, QualifiedName, Shape, Table, TableKind,
};
use crate::endpoint::{ReadColumn, ReadTable};
use crate::plan::names::natural;
use std::fmt;

/// One table on both sides.
pub(super) struct Pair<'c> {
    /// The table of each side.
    pub tables: [&'c Table; 2],
    /// The columns that are compared, of each side.
    pub columns: Vec<[&'c Column; 2]>,
    /// The places of the key among them; empty where the sides have none in common.
    pub key: Vec<usize>,
}

impl Pair<'_> {
    /// What is read of one side.
    pub fn request(&self, side: usize) -> ReadTable<'_> {
        let table = self.tables[side];
        ReadTable {
            table: &table.name,
            only: matches!(table.kind, TableKind::Ordinary),
            columns: self
                .columns
                .iter()
                .map(|columns| ReadColumn { name: &columns[side].name, shape: &columns[side].data_type.shape })
                .collect(),
            key: &self.key,
        }
    }
}

/// Something in which the tables of two sources differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SchemaDifference {
    /// The target lacks a table.
    TableMissing(QualifiedName),
    /// The source lacks a table.
    TableSurplus(QualifiedName),
    /// The target lacks a virtual table.
    VirtualTableMissing(String),
    /// The source lacks a virtual table.
    VirtualTableSurplus(String),
    /// A virtual table is defined otherwise.
    VirtualTable(String),
    /// The target lacks a column.
    ColumnMissing(QualifiedName, String),
    /// The source lacks a column.
    ColumnSurplus(QualifiedName, String),
    /// A column has another type.
    Type {
        /// The table in the source.
        table: QualifiedName,
        /// The column in the source.
        column: String,
        /// Its type on each side.
        types: [String; 2],
        /// Whether its values are compared all the same.
        compared: bool,
    },
}

impl fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaDifference::TableMissing(table) => write!(f, "table `{table}` is missing in the target"),
            SchemaDifference::TableSurplus(table) => write!(f, "table `{table}` of the target is not in the source"),
            SchemaDifference::VirtualTableMissing(table) => {
                write!(f, "virtual table `{table}` is missing in the target")
            }
            SchemaDifference::VirtualTableSurplus(table) => {
                write!(f, "virtual table `{table}` of the target is not in the source")
            }
            SchemaDifference::VirtualTable(table) => {
                write!(f, "virtual table `{table}` is not defined in the target as it is in the source")
            }
            SchemaDifference::ColumnMissing(table, column) => {
                write!(f, "column `{column}` of table `{table}` is missing in the target")
            }
            SchemaDifference::ColumnSurplus(table, column) => {
                write!(f, "column `{column}` of table `{table}` in the target is not in the source")
            }
            SchemaDifference::Type { table, column, types: [source, target], compared } => {
                let named = |name: &str| if name.is_empty() { "no type".to_owned() } else { format!("type {name}") };
                write!(f, "column `{column}` of table `{table}` has {} in the source", named(source))?;
                write!(f, " and {} in the target", named(target))?;
                if !compared {
                    f.write_str("; values of these cannot be compared")?;
                }
                Ok(())
            }
        }
    }
}

/// The tables of two sources side by side.
pub(super) struct Matched<'c> {
    /// The tables that both have.
    pub pairs: Vec<Pair<'c>>,
    /// What only one has, or has otherwise.
    pub differences: Vec<SchemaDifference>,
    /// Columns of the target beside those that a tree of files fills.
    pub beside: Vec<String>,
    /// Materialized views that one side has never filled: they have no rows to compare.
    pub unfilled: Vec<QualifiedName>,
    /// Generated columns whose values one side does not tell.
    pub untold: Vec<String>,
    /// Virtual tables of a side, whose rows are not compared.
    pub modules: Vec<String>,
}

impl<'c> Matched<'c> {
    pub fn of(source: &'c Catalog, target: &'c Catalog) -> Self {
        let names = Names { dialects: [source.dialect, target.dialect], of_tree: source.layout.is_some() };
        let mut found = Matched {
            pairs: Vec::new(),
            differences: Vec::new(),
            beside: Vec::new(),
            unfilled: Vec::new(),
            untold: Vec::new(),
            modules: Vec::new(),
        };
        let mut rest: Vec<&Table> = target.tables.iter().collect();
        for table in &source.tables {
            let own = names.of_table(0, &table.name);
            let place = names.place(&own, rest.iter().map(|table| names.of_table(1, &table.name)));
            let other = place.map(|place| rest.remove(place));
            match other {
                _ if is_unfilled(table) || other.is_some_and(is_unfilled) => found.unfilled.push(table.name.clone()),
                Some(other) => found.add_pair(&names, table, other),
                None => found.differences.push(SchemaDifference::TableMissing(table.name.clone())),
            }
        }
        let (unfilled, surplus): (Vec<_>, Vec<_>) = rest.into_iter().partition(|table| is_unfilled(table));
        found.unfilled.extend(unfilled.iter().map(|table| table.name.clone()));
        found.differences.extend(surplus.iter().map(|table| SchemaDifference::TableSurplus(table.name.clone())));
        found.add_virtual_tables(source, target);
        found
    }

    /// What a virtual table holds only its module knows; that one side lacks it, or has it otherwise, can be told.
    fn add_virtual_tables(&mut self, source: &Catalog, target: &Catalog) {
        let mut rest: Vec<&OtherObject> = virtual_tables(target).collect();
        for table in virtual_tables(source) {
            self.modules.push(format!("`{}`", table.name));
            let Some(place) = rest.iter().position(|other| other.name.eq_ignore_ascii_case(&table.name)) else {
                self.differences.push(SchemaDifference::VirtualTableMissing(table.name.clone()));
                continue;
            };
            let other = rest.remove(place);
            if other.definition != table.definition {
                self.differences.push(SchemaDifference::VirtualTable(table.name.clone()));
            }
        }
        self.modules.extend(rest.iter().map(|table| format!("`{}`", table.name)));
        self.differences.extend(rest.iter().map(|table| SchemaDifference::VirtualTableSurplus(table.name.clone())));
    }

    fn add_pair(&mut self, names: &Names, source: &'c Table, target: &'c Table) {
        let mut columns = Vec::new();
        let mut rest: Vec<&Column> = target.columns.iter().collect();
        for column in &source.columns {
            let found = names.place(&column.name, rest.iter().map(|other| other.name.clone()));
            if is_untold(column) || found.is_some_and(|place| is_untold(rest[place])) {
                self.untold.push(format!("{}.{}", source.name, column.name));
                if let Some(place) = found {
                    rest.remove(place);
                }
                continue;
            }
            let Some(place) = found else {
                let missing = SchemaDifference::ColumnMissing(source.name.clone(), column.name.clone());
                self.differences.push(missing);
                continue;
            };
            let other = rest.remove(place);
            let types = [&column.data_type, &other.data_type];
            let compared = kind(types[0]) == kind(types[1]);
            if !compared || !names.are_same_types(types) {
                self.differences.push(SchemaDifference::Type {
                    table: source.name.clone(),
                    column: column.name.clone(),
                    types: types.map(|data_type| data_type.name.clone()),
                    compared,
                });
            }
            if compared {
                columns.push([column, other]);
            }
        }
        let (untold, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|column| is_untold(column));
        self.untold.extend(untold.iter().map(|column| format!("{}.{}", target.name, column.name)));
        let surplus =
            rest.iter().map(|column| SchemaDifference::ColumnSurplus(target.name.clone(), column.name.clone()));
        match names.of_tree {
            // A layout fills the columns that it names; what the target adds to them is not of the tree.
            true => self.beside.extend(rest.iter().map(|column| format!("{}.{}", target.name, column.name))),
            false => self.differences.extend(surplus),
        }
        let key = common_key(source, target, &columns);
        self.pairs.push(Pair { tables: [source, target], columns, key });
    }
}

fn virtual_tables(catalog: &Catalog) -> impl Iterator<Item = &OtherObject> {
    catalog.others.iter().filter(|other| other.kind == ObjectKind::VirtualTable)
}

/// Whether a side does not tell the values of a column.
fn is_untold(column: &Column) -> bool {
    column.generated.as_ref().is_some_and(|generated| generated.untold)
}

/// Whether nobody may read a table, because it has never had rows.
fn is_unfilled(table: &Table) -> bool {
    matches!(table.kind, TableKind::MaterializedView { populated: false, .. })
}

/// The places of the primary key, where both sides have it over the same columns.
fn common_key(source: &Table, target: &Table, columns: &[[&Column; 2]]) -> Vec<usize> {
    let places = |side: usize, table: &Table| {
        let key = table.primary_key.as_ref()?;
        let place = |name: &String| columns.iter().position(|both| both[side].name == *name);
        key.columns.iter().map(place).collect::<Option<Vec<usize>>>()
    };
    match (places(0, source), places(1, target)) {
        (Some(source), Some(target))
            if source.len() == target.len() && source.iter().all(|place| target.contains(place)) =>
        {
            source
        }
        _ => Vec::new(),
    }
}

/// How names of two catalogs are compared.
struct Names {
    dialects: [Dialect; 2],
    /// The source is a tree of files.
    of_tree: bool,
}

impl Names {
    fn are_alike(&self) -> bool {
        self.dialects[0] == self.dialects[1]
    }

    /// The name of a table among those of both sides.
    fn of_table(&self, side: usize, table: &QualifiedName) -> String {
        match (self.are_alike(), self.dialects[side]) {
            (true, _) => table.to_string(),
            (false, Dialect::Sqlite) => table.name.clone(),
            (false, Dialect::Postgres) => natural(table),
        }
    }

    /// Where a name stands among others.
    fn place(&self, name: &str, others: impl Iterator<Item = String> + Clone) -> Option<usize> {
        let ignores_case = self.dialects.contains(&Dialect::Sqlite);
        let same = others.clone().position(|other| other == name);
        same.or_else(|| others.clone().position(|other| ignores_case && other.eq_ignore_ascii_case(name)))
    }

    /// Whether a column has the same type on both sides. Types of two dialects are not the same or another: what counts
    /// there is whether their values can be compared.
    fn are_same_types(&self, types: [&DataType; 2]) -> bool {
        let [source, target] = types.map(|data_type| data_type.name.as_str());
        match self.dialects {
            [Dialect::Postgres, Dialect::Postgres] => source == target,
            [Dialect::Sqlite, Dialect::Sqlite] => source.eq_ignore_ascii_case(target),
            [Dialect::Postgres, Dialect::Sqlite] | [Dialect::Sqlite, Dialect::Postgres] => true,
        }
    }
}

/// What the cells of a column are, whatever its exact type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellKind {
    Bool,
    Int,
    Float,
    Decimal,
    Text,
    Bytes,
    Uuid,
    Date,
    Timestamp,
    TimestampTz,
    Json,
    Native,
}

fn kind(data_type: &DataType) -> CellKind {
    match &data_type.shape {
        Shape::Boolean => CellKind::Bool,
        Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => CellKind::Int,
        Shape::Real | Shape::Double => CellKind::Float,
        Shape::Numeric { .. } => CellKind::Decimal,
        Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Citext | Shape::Name | Shape::Enum(_) => {
            CellKind::Text
        }
        Shape::Bytea => CellKind::Bytes,
        Shape::Uuid => CellKind::Uuid,
        Shape::Date => CellKind::Date,
        Shape::Timestamp { .. } => CellKind::Timestamp,
        Shape::TimestampTz { .. } => CellKind::TimestampTz,
        Shape::Json | Shape::Jsonb => CellKind::Json,
        Shape::Domain(domain) => kind(&domain.base),
        Shape::Array { .. } | Shape::Composite(_) | Shape::Hstore | Shape::Xml | Shape::Other => CellKind::Native,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::sqlite::catalog::declared;
    use rusqlite::Connection;

    fn catalog(sql: &str, dialect: Dialect) -> Catalog {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        Catalog { dialect, ..declared(&connection).unwrap() }
    }

    fn differences(source: &Catalog, target: &Catalog) -> Vec<String> {
        Matched::of(source, target).differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_one_side_lacks_or_has_otherwise_is_told() {
        let source = catalog("CREATE TABLE a (x INTEGER, y TEXT, z TEXT); CREATE TABLE b (x)", Dialect::Sqlite);
        let target = catalog("CREATE TABLE A (X BIGINT, Y BLOB, w TEXT); CREATE TABLE c (x)", Dialect::Sqlite);
        assert_eq!(differences(&source, &source), Vec::<String>::new());
        assert_eq!(
            differences(&source, &target),
            [
                "column `x` of table `main.a` has type INTEGER in the source and type BIGINT in the target",
                "column `y` of table `main.a` has type TEXT in the source and type BLOB in the target; values of these cannot \
                 be compared",
                "column `z` of table `main.a` is missing in the target",
                "column `w` of table `main.A` in the target is not in the source",
                "table `main.b` is missing in the target",
                "table `main.c` of the target is not in the source",
            ]
        );
    }

    #[test]
    fn the_key_is_that_of_both_sides() {
        let one = catalog(
            "CREATE TABLE a (x INT, y INT, PRIMARY KEY (x, y)); CREATE TABLE b (x INT PRIMARY KEY)",
            Dialect::Sqlite,
        );
        let other =
            catalog("CREATE TABLE a (y INT, x INT, PRIMARY KEY (y, x)); CREATE TABLE b (x INT)", Dialect::Sqlite);
        let matched = Matched::of(&one, &other);
        assert_eq!(matched.pairs.iter().map(|pair| pair.key.clone()).collect::<Vec<_>>(), [vec![0, 1], vec![]]);
    }
}
