//! A dump beside the database that it was made of: what of the two schemas can be compared, and where they differ.

use crate::catalog::{Catalog, ObjectKind, TableKind};
use crate::error::{Context, Result};
use serde_json::Value;

/// Where the catalog of a dump differs from that of its database; `None` where it does nowhere. What a dump cannot know is
/// left out: names that depend on where it is, what was counted, how the database sorts unless it says so, which version of an
/// extension a server installs, whether a materialized view is filled, and of which types its columns are; also which rows partitions
/// take, where the dump does not say it because texts would have to be sorted for that.
///
/// # Errors
/// When a catalog cannot be written as JSON.
pub fn difference(database: &Catalog, dump: &Catalog) -> Result<Option<String>> {
    let json = |catalog| {
        let mut json = serde_json::to_value(comparable(catalog)).could_not("compare", "two catalogs")?;
        let tables = json.get_mut("tables").and_then(Value::as_array_mut);
        for view in tables.into_iter().flatten().filter(|table| table["kind"].get("materialized_view").is_some()) {
            let columns = view["columns"].as_array().into_iter().flatten();
            view["columns"] = columns.map(|column| column["name"].clone()).collect();
        }
        Ok::<_, crate::Error>(json)
    };
    let (mut database, dump) = (json(database)?, json(dump)?);
    for (place, table) in dump["tables"].as_array().into_iter().flatten().enumerate() {
        let partitioned = database.pointer_mut(&format!("/tables/{place}/kind/partitioned"));
        if let (Some(Value::Object(partitioned)), None) = (partitioned, table["kind"]["partitioned"].get("conditions"))
        {
            partitioned.shift_remove("conditions");
        }
    }
    Ok(differs("", &database, &dump))
}

fn comparable(catalog: &Catalog) -> Catalog {
    let mut catalog = catalog.clone();
    (catalog.database, catalog.collations.default_name) = (String::new(), String::new());
    // A live source lists those of the server that something refers to.
    catalog.collations.named.retain(|collation| !collation.name.starts_with("pg_catalog."));
    catalog.collations.default = Default::default();
    for extension in catalog.others.iter_mut().filter(|other| other.kind == ObjectKind::Extension) {
        extension.name.truncate(extension.name.find(' ').unwrap_or(extension.name.len()));
    }
    for table in &mut catalog.tables {
        (table.row_estimate, table.size_bytes) = (0, 0);
        for generated in table.columns.iter_mut().filter_map(|column| column.generated.as_mut()) {
            generated.untold = false;
        }
        if let TableKind::MaterializedView { populated, .. } = &mut table.kind {
            *populated = false;
        }
    }
    catalog
}

fn differs(at: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            left.iter().find_map(|(key, value)| match right.get(key) {
                Some(other) => differs(&format!("{at}.{key}"), value, other),
                None => Some(format!("{at}.{key} is missing")),
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            pairs.find_map(|(place, (one, other))| differs(&format!("{at}[{place}]"), one, other))
        }
        _ if one == other => None,
        _ => Some(format!("{at}: the server has {one}, the dump {other}")),
    }
}
