//! SQLite files, as applications declare their tables and leave them.

use super::super::choices::Choices;
use super::super::node::Node;
use super::json;
use crate::endpoint::files::layout::ValueForm;
use crate::error::{Context, Result};
use crate::quote::quote;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// A table: the columns that a layout takes, and its rows as objects.
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Node>,
    /// Whether the layout takes all columns.
    pub takes_rest: bool,
}

/// A column that a layout takes.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub form: ValueForm,
    /// Whether it is in the key of the rows.
    pub is_key: bool,
}

/// The greatest whole number up to which a double has all of them.
const WHOLE_MAX: u64 = 1 << 53;

/// The bytes of a SQLite file with these tables, and what nobody takes beside them.
///
/// # Errors
/// When SQLite does not make it.
pub fn database(tables: &[Table], choices: &mut Choices<'_>) -> Result<Vec<u8>> {
    const OBJECT: &str = "a SQLite file of a random tree";
    let connection = Connection::open_in_memory().could_not("make", OBJECT)?;
    let page_size_bytes = *choices.of(&[4096, 512, 1024]);
    let mut sql = format!("PRAGMA page_size = {page_size_bytes};");
    if choices.once_in(3) {
        sql.push_str("CREATE TABLE beside (x); INSERT INTO beside VALUES (zeroblob(700)), ('it stays');");
    }
    connection.execute_batch(&sql).could_not("make", OBJECT)?;
    for table in tables {
        fill(&connection, table, choices).could_not("make", OBJECT)?;
    }
    if choices.once_in(3) {
        // Pages that were used and are free.
        connection.execute_batch("CREATE TABLE gone (x); DROP TABLE gone").could_not("make", OBJECT)?;
    }
    Ok(connection.serialize("main").could_not("make", OBJECT)?.to_vec())
}

fn fill(connection: &Connection, table: &Table, choices: &mut Choices<'_>) -> rusqlite::Result<()> {
    let mut columns = table.columns.clone();
    for (name, _) in table.rows.iter().flat_map(members) {
        let is_known = columns.iter().any(|one| one.name.eq_ignore_ascii_case(name));
        let is_own =
            name.is_empty() || ["rowid", "_rowid_", "oid", "beside"].iter().any(|own| own.eq_ignore_ascii_case(name));
        if !is_known && !is_own {
            columns.push(Column { name: name.to_owned(), form: ValueForm::Text, is_key: false });
        }
    }
    // What nobody takes stays in the file.
    let has_more = choices.once_in(3) && !table.takes_rest;
    let keys: Vec<&Column> = columns.iter().filter(|one| one.is_key).collect();
    let (is_number, is_keyed) = match keys.as_slice() {
        [one] => (one.form == ValueForm::Integer && choices.once_in(2), choices.once_in(2)),
        keys => (false, !keys.is_empty() && choices.once_in(2)),
    };
    let mut definitions: Vec<String> = Vec::new();
    for one in &columns {
        let declared = if choices.once_in(2) { declared(&one.form) } else { "" };
        definitions.push(match one.is_key && is_number {
            true => format!("{} INTEGER PRIMARY KEY", quote(&one.name)),
            false => format!("{} {declared}", quote(&one.name)),
        });
    }
    if has_more {
        definitions.push("beside DEFAULT 'it stays'".to_owned());
    }
    let name = quote(&table.name);
    let mut sql = format!("CREATE TABLE {name} ({}", definitions.join(", "));
    if is_keyed && !is_number {
        let keys: Vec<String> = keys.iter().map(|one| quote(&one.name)).collect();
        sql.push_str(&format!(", PRIMARY KEY ({})", keys.join(", ")));
    }
    sql.push(')');
    connection.execute_batch(&sql)?;
    let names: Vec<String> = columns.iter().map(|one| quote(&one.name)).collect();
    let places: Vec<String> = (1..=names.len()).map(|place| format!("?{place}")).collect();
    let mut insert =
        connection.prepare(&format!("INSERT INTO {name} ({}) VALUES ({})", names.join(", "), places.join(", ")))?;
    for row in &table.rows {
        let node = |name: &str| members(row).find(|(member, _)| *member == name).map(|(_, node)| node);
        let value = |one: &Column| node(&one.name).map_or(Value::Null, |node| stored(node, &one.form, choices));
        let values: Vec<Value> = columns.iter().map(value).collect();
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}

fn members(row: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let members: &[(String, Node)] = if let Node::Object(members) = row { members } else { &[] };
    members.iter().map(|(name, node)| (name.as_str(), node))
}

/// A declaration whose affinity leaves the values of the form as they are.
fn declared(form: &ValueForm) -> &'static str {
    match form {
        ValueForm::Integer | ValueForm::Boolean(_) => "INTEGER",
        ValueForm::Real => "REAL",
        ValueForm::Text | ValueForm::Words(_) => "TEXT",
        ValueForm::Json | ValueForm::Moment(_) | ValueForm::Bytes => "",
    }
}

fn stored(node: &Node, form: &ValueForm, choices: &mut Choices<'_>) -> Value {
    match (node, form) {
        (Node::Null, _) => Value::Null,
        (node, ValueForm::Json) => Value::Text(json(node, false, choices)),
        (Node::Bool(value), _) => Value::Integer(i64::from(*value)),
        (Node::Number(text), ValueForm::Integer | ValueForm::Boolean(_)) => {
            let whole = text.split(['.', 'e', 'E']).next().and_then(|whole| whole.parse::<i64>().ok());
            match whole {
                Some(number) if number.unsigned_abs() < WHOLE_MAX && text.contains(['.', 'e', 'E']) => {
                    Value::Real(number as f64)
                }
                Some(number) => Value::Integer(number),
                None => Value::Null,
            }
        }
        (Node::Number(text), _) => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => Value::Integer(number),
            (Err(_), Ok(number)) if number.is_finite() => Value::Real(number),
            (Err(_), _) => Value::Text(text.clone()),
        },
        (Node::Text(text), _) => Value::Text(text.clone()),
        (Node::Quoted(text), _) => Value::Text((*text).to_owned()),
        (Node::Array(_) | Node::Object(_), _) => Value::Text(json(node, true, choices)),
    }
}
