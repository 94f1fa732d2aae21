//! From the rows of a dump to the cells of a request.
//!
//! The dump says in which order tables and columns come; the request says which are wanted. Rows of partitions belong to the table
//! that is divided into them. A table ends with the last of its blocks, which the first look at the dump has counted.

use super::copy_text::Fields;
use super::head::{self, CopyHead};
use super::insert::{self, Value};
use super::overview::{Overview, parts_of};
use super::script::no_text;
use super::statement::Settings;
use crate::catalog::{Column, DataType, QualifiedName, Shape};
use crate::endpoint::{ReadTable, RowSink};
use crate::error::{Error, Result};
use crate::types::input::{self, Input};
use crate::types::text;
use crate::value::{Cell, recycle};
use std::cmp::Ordering;
use std::collections::HashMap;

/// Longer values are cut when they are shown.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// Hands the rows of a dump over to whoever has asked for tables.
pub(super) struct Router<'r, 'p> {
    overview: &'r Overview,
    sink: &'r mut dyn RowSink,
    tables: Vec<Wanted<'r, 'p>>,
    /// The place among the wanted of each table of the dump.
    places: HashMap<QualifiedName, usize>,
    fields: Fields,
    /// The cells of a row borrow its line; the vector's memory goes from row to row.
    spare: Vec<Cell<'static>>,
}

/// One table that is wanted.
struct Wanted<'r, 'p> {
    request: &'r ReadTable<'p>,
    /// Its columns in the catalog, in the order of the request.
    columns: Vec<&'r Column>,
    inputs: Vec<Input<'p>>,
    /// How many blocks are to come.
    left: u64,
    begun: bool,
    ended: bool,
}

/// Where a value of a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// From that field.
    Field(usize),
    /// The dump has no such column; the server would have stored the default.
    Default,
}

/// The rows of one table that come one behind the other.
pub(super) struct Block {
    table: usize,
    told: Vec<Told>,
    width: usize,
    /// The fields of generated columns, which take no value.
    generated: Vec<usize>,
    /// Whether the columns are named, so that each has to have its value.
    is_named: bool,
}

impl<'r, 'p> Router<'r, 'p> {
    /// For these tables of the dump.
    ///
    /// # Errors
    /// When a table is not in the dump.
    pub(super) fn new(
        overview: &'r Overview,
        requests: &'r [ReadTable<'p>],
        sink: &'r mut dyn RowSink,
    ) -> Result<Self> {
        let (mut tables, mut places) = (Vec::with_capacity(requests.len()), HashMap::new());
        for (place, request) in requests.iter().enumerate() {
            let missing = |what: &str| {
                Error::could_not("read", format!("table `{}`", request.table), format!("the dump has no such {what}"))
            };
            let table = overview.catalog.table(request.table).ok_or_else(|| missing("table"))?;
            let find = |name: &str| table.column(name).ok_or_else(|| missing("column"));
            let columns = request.columns.iter().map(|column| find(column.name)).collect::<Result<Vec<_>>>()?;
            let inputs = request.columns.iter().zip(&columns);
            let inputs =
                inputs.map(|(wanted, column)| Input::of(wanted.shape, &column.data_type.base().name)).collect();
            let parts: Vec<_> = parts_of(table).collect();
            let left = parts.iter().map(|part| overview.blocks.get(*part).copied().unwrap_or(0)).sum();
            places.extend(parts.into_iter().map(|part| (part.clone(), place)));
            tables.push(Wanted { request, columns, inputs, left, begun: false, ended: false });
        }
        Ok(Router { overview, sink, tables, places, fields: Fields::default(), spare: Vec::new() })
    }

    /// Whether rows of that table are wanted.
    pub(super) fn wants(&self, table: &QualifiedName) -> bool {
        self.places.contains_key(table)
    }

    /// Rows of a table begin; `None` where nobody wants them.
    ///
    /// # Errors
    /// When the dump does not say what its fields are, or lacks a column.
    pub(super) fn begin(&mut self, head: &CopyHead, at: &str) -> Result<Option<Block>> {
        let Some(table) = self.places.get(&head.table).copied() else { return Ok(None) };
        self.block(table, &head.table, head.columns.as_deref(), false, at).map(Some)
    }

    /// Rows of a part of a table, with these columns or all of them; generated ones have a place where `with_generated` says so.
    fn block(
        &mut self,
        table: usize,
        part: &QualifiedName,
        named: Option<&[String]>,
        with_generated: bool,
        at: &str,
    ) -> Result<Block> {
        let known: Vec<(&str, bool)> = self.overview.columns_of(part).collect();
        let all = || known.iter().filter(|(_, generated)| with_generated || !generated).map(|(name, _)| *name);
        let columns: Vec<&str> =
            named.map_or_else(|| all().collect(), |names| names.iter().map(String::as_str).collect());
        let mut generated = Vec::new();
        for (place, name) in columns.iter().enumerate() {
            let cause = match known.iter().find(|(known, _)| known == name) {
                None => "the dump's definition of the table has no such column",
                Some(_) if columns[..place].contains(name) => "it is named twice",
                Some((_, true)) if !with_generated => "it is generated, and takes no values",
                Some((_, is_generated)) => {
                    generated.extend(is_generated.then_some(place));
                    continue;
                }
            };
            return Err(Error::could_not("read", format!("table `{part}`, {at}, column `{name}`"), cause)
                .hint("definitions and rows have to be of one state of the database: make the dump again as a whole"));
        }
        let wanted = &mut self.tables[table];
        if !wanted.begun {
            wanted.begun = true;
            self.sink.begin(table)?;
        }
        let find = |column: &&Column| match columns.iter().position(|name| *name == column.name) {
            Some(place) => Ok(Told::Field(place)),
            None if column.generated.is_none() => Ok(Told::Default),
            None => {
                let object = format!("table `{}`, {at}, column `{}`", wanted.request.table, column.name);
                Err(Error::could_not("read", object, "it is generated, and a dump does not have what was stored in it"))
            }
        };
        let told = wanted.columns.iter().map(find).collect::<Result<_>>()?;
        Ok(Block { table, told, width: columns.len(), generated, is_named: named.is_some() })
    }

    /// A line of COPY.
    ///
    /// # Errors
    /// When it is not a row of the table, or nobody wants more rows.
    #[inline]
    pub(super) fn line(&mut self, block: &Block, line: &[u8], at: &dyn Fn() -> String) -> Result<()> {
        let wanted = &self.tables[block.table];
        let object = |column: Option<usize>| {
            let column = column.map(|place| format!(", column `{}`", wanted.columns[place].name)).unwrap_or_default();
            format!("table `{}`, {}{column}", wanted.request.table, at())
        };
        self.fields
            .read(line, block.width)
            .map_err(|cause| Error::could_not("read", object(None), format!("it is no row of the table: {cause}")))?;
        // Looked at once, not field by field; only where it is no text the field is looked for that is none.
        let whole = std::str::from_utf8(line);
        let text = |field: usize| match whole {
            Ok(whole) => self.fields.text(whole, field),
            Err(_) => {
                let bytes = self.fields.get(line, field);
                bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|error| (bytes, error)))
            }
        };
        let mut cells: Vec<Cell<'_>> = recycle(std::mem::take(&mut self.spare));
        for (place, (told, input)) in block.told.iter().zip(&wanted.inputs).enumerate() {
            let cell = match told {
                Told::Default => match default_of(wanted.columns[place], input) {
                    Some(cell) => cell,
                    None => return Err(Error::could_not("read", object(Some(place)), NO_DEFAULT)),
                },
                Told::Field(field) => match text(*field) {
                    None => Cell::Null,
                    Some(Err((bytes, error))) => return Err(no_text(bytes, error, &object(Some(place)))),
                    Some(Ok(text)) => match input.read(text) {
                        Some(cell) => cell,
                        None => return Err(no_value(&object(Some(place)), wanted.columns[place], text)),
                    },
                },
            };
            cells.push(cell);
        }
        self.sink.row(block.table, &cells)?;
        self.spare = recycle(cells);
        Ok(())
    }

    /// The rows of a block have ended.
    ///
    /// # Errors
    /// When nobody wants more rows.
    pub(super) fn end(&mut self, block: &Block) -> Result<()> {
        self.close(block.table)
    }

    fn close(&mut self, table: usize) -> Result<()> {
        let wanted = &mut self.tables[table];
        wanted.left = wanted.left.saturating_sub(1);
        if wanted.left == 0 && !wanted.ended {
            wanted.ended = true;
            self.sink.end(table)?;
        }
        Ok(())
    }

    /// Every row has come: ends the tables that had none.
    ///
    /// # Errors
    /// When nobody wants more rows.
    pub(super) fn finish(self) -> Result<()> {
        for table in 0..self.tables.len() {
            if !self.tables[table].begun {
                self.sink.begin(table)?;
            }
            if !self.tables[table].ended {
                self.sink.end(table)?;
            }
        }
        Ok(())
    }

    /// A statement that inserts rows.
    ///
    /// # Errors
    /// When a value is no constant or none of its column, or nobody wants more rows.
    pub(super) fn insert(&mut self, sql: &str, settings: &Settings, at: &dyn Fn() -> String) -> Result<()> {
        let (head, tokens) = head::insert(sql, settings).ok_or_else(|| not_plain(&at()))?;
        let Some(table) = self.places.get(&head.table).copied() else { return Ok(()) };
        let block = self.block(table, &head.table, head.columns.as_deref(), true, &at())?;
        if head.is_default {
            let values = vec![Value::Default; block.width];
            self.values(&block, &values, at)?;
        } else {
            let (mut rows, mut values, mut width) = (insert::Rows::new(tokens), Vec::new(), None);
            while rows.next(&mut values).map_err(|_| not_plain(&at()))? {
                if *width.get_or_insert(values.len()) != values.len() {
                    let object = format!("table `{}`, {}", head.table, at());
                    return Err(Error::could_not("read", object, "its rows have different numbers of values"));
                }
                self.values(&block, &values, at)?;
            }
        }
        self.close(table)
    }

    fn values(&mut self, block: &Block, values: &[Value], at: &dyn Fn() -> String) -> Result<()> {
        let wanted = &self.tables[block.table];
        let object = |place: usize| {
            format!("table `{}`, {}, column `{}`", wanted.request.table, at(), wanted.columns[place].name)
        };
        // Fewer values than columns leave the last ones to their defaults, where no columns are named.
        let cause = match values.len().cmp(&block.width) {
            Ordering::Greater => Some("it has more values than there are columns"),
            Ordering::Less if block.is_named => Some("it has fewer values than it names columns"),
            _ if block.generated.iter().any(|place| !matches!(values.get(*place), None | Some(Value::Default))) => {
                Some("it gives a value to a generated column, which takes none")
            }
            _ => None,
        };
        if let Some(cause) = cause {
            return Err(Error::could_not("read", format!("table `{}`, {}", wanted.request.table, at()), cause));
        }
        let mut cells: Vec<Cell<'static>> = std::mem::take(&mut self.spare);
        for (place, (told, input)) in block.told.iter().zip(&wanted.inputs).enumerate() {
            let value = match told {
                Told::Field(field) => values.get(*field).unwrap_or(&Value::Default),
                Told::Default => &Value::Default,
            };
            let cell = match value {
                Value::Default => default_of(wanted.columns[place], input)
                    .ok_or_else(|| Error::could_not("read", object(place), NO_DEFAULT))?,
                value => cell_of(value, wanted.columns[place], input)
                    .ok_or_else(|| no_value(&object(place), wanted.columns[place], &shown(value)))?,
            };
            cells.push(cell);
        }
        self.sink.row(block.table, &cells)?;
        cells.clear();
        self.spare = cells;
        Ok(())
    }
}

const NO_DEFAULT: &str = "the dump leaves it to its default, which only a server could compute";

fn not_plain(at: &str) -> Error {
    Error::could_not("read", at, "this INSERT has what is no plain constant: only a server could compute it")
        .hint("make the dump with pg_dump, which writes plain values; without `--inserts` it is read fastest")
}

fn no_value(object: &str, column: &Column, text: &str) -> Error {
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Error::could_not("read", object, format!("`{shown}` is no value of the type `{}`", column.data_type.name))
}

/// What a column holds where nobody says it; `None` where that has to be computed.
fn default_of(column: &Column, input: &Input<'_>) -> Option<Cell<'static>> {
    match (&column.default, &column.identity) {
        (None, None) => Some(Cell::Null),
        (Some(sql), None) => cell_of(&insert::constant_of(sql)?, column, input),
        (_, Some(_)) => None,
    }
}

/// The cell of a constant in a column.
fn cell_of(value: &Value, column: &Column, input: &Input<'_>) -> Option<Cell<'static>> {
    let text_of = |text: &str| input.read(text).map(Cell::into_owned);
    match value {
        Value::Null => Some(Cell::Null),
        Value::Default => None,
        Value::Bool(value) => match input.shape() {
            Shape::Boolean => Some(Cell::Bool(*value)),
            shape if is_text(shape) => text_of(if *value { "true" } else { "false" }),
            _ => None,
        },
        Value::Number(number) => match input.shape() {
            Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => text_of(&input::round(number, 0)?),
            Shape::Real | Shape::Double | Shape::Numeric { .. } => text_of(number),
            shape if is_text(shape) => text_of(number),
            _ => None,
        },
        Value::Text(text) => text_of(text),
        Value::Cast(text, name) => may_be_cast(name, text, &column.data_type).then(|| text_of(text)).flatten(),
        Value::Array(_) | Value::Row(_) => {
            let data_type = column.data_type.base();
            text_of(&composed(value, &data_type.shape)?)
        }
    }
}

/// The text of an array or a row of constants.
fn composed(value: &Value, shape: &Shape) -> Option<String> {
    let part = |value: &Value, of: &DataType| -> Option<Option<String>> {
        let shape = &of.shape;
        let input = Input::of(shape, &of.name);
        match value {
            Value::Null => Some(None),
            Value::Cast(text, name) if !may_be_cast(name, text, of) => None,
            Value::Array(_) | Value::Row(_) => composed(value, shape.base()).map(Some),
            Value::Number(number) | Value::Text(number) | Value::Cast(number, _) => {
                let cell = input.read(number)?;
                text::write(shape, &cell).map(|text| Some(text.into_owned()))
            }
            Value::Bool(value) => Some(Some(if *value { "t" } else { "f" }.to_owned())),
            Value::Default => None,
        }
    };
    match (value, shape) {
        (Value::Array(values), Shape::Array { element, delimiter }) => {
            let nested = values.iter().any(|value| matches!(value, Value::Array(_)));
            let inner = |value: &Value| match value {
                Value::Array(_) => composed(value, shape).map(Some),
                value => part(value, element),
            };
            let texts = values.iter().map(inner).collect::<Option<Vec<_>>>()?;
            Some(input::array_text(&texts, nested, *delimiter))
        }
        (Value::Row(values), Shape::Composite(row)) if values.len() == row.fields.len() => {
            let fields = values.iter().zip(&row.fields);
            let texts = fields.map(|(value, field)| part(value, &field.data_type));
            Some(input::row_text(&texts.collect::<Option<Vec<_>>>()?))
        }
        _ => None,
    }
}

fn is_text(shape: &Shape) -> bool {
    matches!(shape, Shape::Text | Shape::VarChar { .. } | Shape::Char { .. } | Shape::Citext)
}

/// Whether a text that was cast to that type is the same as one that a column of the other reads itself: the types are the same,
/// and what the cast's modifier asks the value has already.
fn may_be_cast(name: &str, text: &str, own: &DataType) -> bool {
    let (cast, modifier) = plain(name);
    let own_names = [&own.name, &own.base().name];
    let is_same = || own_names.iter().any(|own| *own == name || plain(&own.replace('"', "")).0 == cast);
    let is_text = || is_text(own.base().shape.base()) && matches!(cast.as_str(), "text" | "character varying");
    if !(is_same() || is_text()) {
        return false;
    }
    let Some(modifier) = modifier else { return true };
    let limit = modifier.parse::<usize>().ok();
    let is_own = || own_names.iter().any(|own| plain(own).1.as_deref() == Some(modifier.as_str()));
    let digits = || text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    match (cast.as_str(), limit) {
        ("character varying" | "character", Some(limit)) => text.chars().count() <= limit,
        ("bit", Some(limit)) => text.len() == limit,
        ("timestamp" | "timestamptz" | "time" | "time with time zone", Some(limit)) => digits() <= limit,
        // The column does the same to it, unless it is an array, whose elements the cast would cut.
        _ => is_own() && !cast.ends_with("[]"),
    }
}

/// A type's name in one spelling, and its modifier.
fn plain(name: &str) -> (String, Option<String>) {
    let (name, modifier) =
        match name.split_once('(').and_then(|(before, behind)| Some((before, behind.split_once(')')?))) {
            Some((before, (modifier, behind))) => (format!("{before}{behind}"), Some(modifier.replace(' ', ""))),
            None => (name.to_owned(), None),
        };
    let name = name.trim().trim_start_matches("public.").to_owned();
    let name = match name.as_str() {
        "int" | "int4" => "integer".to_owned(),
        "int2" => "smallint".to_owned(),
        "int8" => "bigint".to_owned(),
        "float8" => "double precision".to_owned(),
        "float4" => "real".to_owned(),
        "bool" => "boolean".to_owned(),
        "decimal" => "numeric".to_owned(),
        "varchar" => "character varying".to_owned(),
        "char" | "bpchar" => "character".to_owned(),
        "timestamp" | "timestamp without time zone" => "timestamp".to_owned(),
        "timestamptz" | "timestamp with time zone" => "timestamptz".to_owned(),
        "timetz" => "time with time zone".to_owned(),
        "bit varying" | "varbit" => "bit".to_owned(),
        _ => name.replace(" without time zone", ""),
    };
    (name, modifier)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Default => "DEFAULT".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) | Value::Text(text) => text.clone(),
        Value::Cast(text, name) => format!("{text}::{name}"),
        Value::Array(_) => "ARRAY[…]".to_owned(),
        Value::Row(_) => "ROW(…)".to_owned(),
    }
}
