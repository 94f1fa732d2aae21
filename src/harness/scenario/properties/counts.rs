//! Every table of the source is in the target, with as many rows.
//!
//! Steps: ask the server for its tables, and for the number of rows of each; ask the file, by its own SQL, for the
//! number of rows of each target table; compare.
//! Constraints: a table that the user has dropped or excluded by name, or that the plan lists as not carried, is not in
//! the target. Which target table belongs to which source table is the one thing taken from the plan.

use super::super::case::Case;
use super::{Property, Verdict};
use crate::catalog::QualifiedName;
use crate::error::{Context, Result};
use crate::plan::choices::names_table;
use crate::quote::quote;

pub(super) const PROPERTY: Property = Property { name: "counts", says: "every table has as many rows as before", ask };

const TABLES: &str = "\
    SELECT n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2";

fn ask(case: &mut Case<'_>) -> Result<Verdict> {
    const OPERATION: &str = "count rows of";
    let rows = case.client.rows(TABLES, "list the tables of", "the source")?;
    let mut tables: Vec<(QualifiedName, bool)> = Vec::with_capacity(rows.len());
    for row in rows {
        if let [Some(schema), Some(name), Some(kind)] = row.as_slice() {
            tables.push((QualifiedName::new(schema, name), kind == "r"));
        }
    }
    let plan = &case.outcome()?.plan;
    let choices = &case.fixture.settings.options.run.choices;
    let mut findings = Vec::new();
    let mut pairs: Vec<(QualifiedName, String)> = Vec::new();
    let mut source_sql: Vec<String> = Vec::new();
    for (name, ordinary) in tables {
        match plan.tables.iter().find(|table| table.source == name) {
            Some(table) => {
                // The rows of heirs are theirs.
                let only = if ordinary { "ONLY " } else { "" };
                source_sql.push(format!("(SELECT count(*) FROM {only}{}.{})", quote(&name.schema), quote(&name.name)));
                pairs.push((name, table.target.clone()));
            }
            None => {
                let chosen = choices.drop.keys().chain(&choices.tables.exclude).any(|key| names_table(key, &name))
                    || !choices.tables.include.is_empty();
                let listed = plan.losses.iter().any(|loss| loss.object.contains(&name.name));
                if !chosen && !listed {
                    findings.push(format!("table `{name}` is not in the plan, and nothing says why"));
                }
            }
        }
    }
    for (at, chunk) in source_sql.chunks(COUNTED_AT_ONCE).enumerate() {
        let sql = format!("SELECT {}", chunk.join(", "));
        let rows = case.client.rows(sql, OPERATION, "the source")?;
        let connection = case.open_target()?;
        for (count, (source, target)) in rows.into_iter().flatten().zip(&pairs[at * COUNTED_AT_ONCE..]) {
            let there = connection
                .query_row(&format!("SELECT count(*) FROM {}", quote(target)), [], |row| row.get::<_, i64>(0))
                .could_not(OPERATION, format!("`{target}`"))?;
            let count = count.unwrap_or_default();
            if count != there.to_string() {
                findings.push(format!("table `{source}` has {count} rows, `{target}` has {there}"));
            }
        }
    }
    Ok(Verdict::of(findings))
}

/// PostgreSQL takes 1664 columns in one list.
const COUNTED_AT_ONCE: usize = 500;
