//! Changes of what is defined: tables, indexes, views, triggers.

use super::bench::{Bench, changed};
use super::{Applied, Change, Mutation};
use crate::metadata::MANIFEST_TABLE;
use crate::quote::quote;
use rusqlite::types::Value;

const fn file(
    name: &'static str,
    applies_to: &'static str,
    change: fn(&mut Bench<'_>) -> rusqlite::Result<Option<Applied>>,
) -> Mutation {
    Mutation { name, applies_to, change: Change::File(change) }
}

pub const MUTATIONS: [Mutation; 28] = [
    file("an index dropped", "an index", |bench| dropped(bench, "index")),
    file("a unique index that is not unique", "a unique index", |bench| {
        redefined(bench, "index", |sql| replaced(sql, "CREATE UNIQUE INDEX", "CREATE INDEX"))
    }),
    file("an index in another order", "an index", index_in_another_order),
    file("an index over a part of the rows", "an index over all rows", |bench| {
        redefined(bench, "index", |sql| {
            let whole = !sql.to_uppercase().contains(" WHERE ");
            whole.then(|| format!("{} WHERE 0", sql.trim_end_matches([';', ' ', '\n'])))
        })
    }),
    file("an index added", "a derived schema, or a given one with metadata", |bench| {
        added(bench, |table, column| format!("CREATE INDEX whimbrel_mutation ON {table} ({column})"))
    }),
    file("a view dropped", "a view", |bench| dropped(bench, "view")),
    file("a view with fewer rows", "a view", |bench| {
        redefined(bench, "view", |sql| Some(format!("{} LIMIT 1", sql.trim_end_matches([';', ' ', '\n']))))
    }),
    file("a view added", "a derived schema, or a given one with metadata", |bench| {
        added(bench, |table, column| format!("CREATE VIEW whimbrel_mutation AS SELECT {column} FROM {table}"))
    }),
    file("a trigger dropped", "a trigger", |bench| dropped(bench, "trigger")),
    file("a trigger that does something else", "a trigger", |bench| {
        redefined(bench, "trigger", |sql| {
            let end = sql.to_uppercase().rfind("END")?;
            Some(format!("{} SELECT 1; {}", &sql[..end], &sql[end..]))
        })
    }),
    file("a trigger added", "a derived schema, or a given one with metadata", |bench| {
        added(bench, |table, _| {
            format!("CREATE TRIGGER whimbrel_mutation AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END")
        })
    }),
    file("a table dropped", "a table", |bench| dropped(bench, "table")),
    file("a table renamed", "a table", |bench| {
        let Some((name, _)) = bench.definitions()?.into_iter().next() else { return Ok(None) };
        bench.connection.execute_batch(&format!("ALTER TABLE {} RENAME TO whimbrel_mutation", quote(&name)))?;
        Ok(changed(format!("table `{name}`"), "renamed"))
    }),
    file("a table added", "a derived schema, or a given one with metadata", |bench| {
        added(bench, |_, _| "CREATE TABLE whimbrel_mutation (a INTEGER)".to_owned())
    }),
    file("a column added", "a table", |bench| {
        let Some((name, _)) = bench.definitions()?.into_iter().next() else { return Ok(None) };
        bench
            .connection
            .execute_batch(&format!("ALTER TABLE {} ADD COLUMN whimbrel_mutation INTEGER", quote(&name)))?;
        Ok(changed(format!("table `{name}`"), "one column more"))
    }),
    file("a column renamed", "a table", column_renamed),
    file("NOT NULL dropped", "a table with NOT NULL", |bench| {
        redefined(bench, "table", |sql| replaced(sql, " NOT NULL", ""))
    }),
    file("NOT NULL added", "a table without NOT NULL somewhere", |bench| {
        redefined(bench, "table", |sql| {
            ["TEXT", "INTEGER", "REAL", "BLOB"]
                .iter()
                .find_map(|declared| replaced(sql, &format!(" {declared},\n"), &format!(" {declared} NOT NULL,\n")))
        })
    }),
    file("a CHECK dropped", "a table with a CHECK", |bench| {
        redefined(bench, "table", |sql| group_replaced(sql, "CHECK"))
    }),
    file("a DEFAULT changed", "a table with a DEFAULT", |bench| redefined(bench, "table", default_changed)),
    file("a foreign key dropped", "a table with a foreign key", |bench| redefined(bench, "table", foreign_key_dropped)),
    file("a foreign key that does something else", "a table with an action of a foreign key", |bench| {
        redefined(bench, "table", |sql| {
            replaced(sql, "ON DELETE CASCADE", "ON DELETE SET NULL")
                .or_else(|| replaced(sql, "ON DELETE SET NULL", "ON DELETE CASCADE"))
                .or_else(|| replaced(sql, "ON DELETE RESTRICT", "ON DELETE CASCADE"))
        })
    }),
    file("a foreign key pointed elsewhere", "a table with a foreign key", foreign_key_elsewhere),
    file("a collation changed", "a table with a text column", |bench| {
        redefined(bench, "table", |sql| {
            replaced(sql, " COLLATE NOCASE", "").or_else(|| replaced(sql, " TEXT", " TEXT COLLATE NOCASE"))
        })
    }),
    file("a declared type changed", "a table", |bench| {
        redefined(bench, "table", |sql| {
            [(" INTEGER", " ANY"), (" TEXT", " ANY"), (" REAL", " ANY"), (" BLOB", " ANY")]
                .iter()
                .find_map(|(from, to)| replaced(sql, from, to))
        })
    }),
    file("STRICT dropped", "a STRICT table", |bench| {
        redefined(bench, "table", |sql| {
            let end = sql.trim_end_matches([';', ' ', '\n']);
            end.strip_suffix("STRICT").map(|rest| rest.trim_end().trim_end_matches(',').to_owned())
        })
    }),
    file("a child without its parent", "a table with a foreign key and rows", orphaned),
    file("a parent deleted", "a table with rows that others refer to", parent_deleted),
];

/// The definition with one of the places of a text replaced.
fn replaced(sql: &str, from: &str, to: &str) -> Option<String> {
    // The last place: the first may be the row id's own column, which is special.
    let place = sql.rfind(from)?;
    Some(format!("{}{to}{}", &sql[..place], &sql[place + from.len()..]))
}

fn objects(bench: &mut Bench<'_>, kind: &str) -> rusqlite::Result<Vec<(String, String)>> {
    if kind == "table" { bench.definitions() } else { bench.objects(kind) }
}

fn dropped(bench: &mut Bench<'_>, kind: &str) -> rusqlite::Result<Option<Applied>> {
    let Some((name, _)) = objects(bench, kind)?.into_iter().next() else { return Ok(None) };
    bench.connection.execute_batch(&format!("DROP {kind} {}", quote(&name)))?;
    Ok(changed(format!("{kind} `{name}`"), "gone"))
}

fn redefined(
    bench: &mut Bench<'_>,
    kind: &str,
    other: impl Fn(&str) -> Option<String>,
) -> rusqlite::Result<Option<Applied>> {
    for (name, sql) in objects(bench, kind)? {
        if let Some(other) = other(&sql)
            && bench.define(&name, &other)?
        {
            return Ok(changed(format!("{kind} `{name}`"), "defined otherwise"));
        }
    }
    Ok(None)
}

/// An object that the plan does not have. Without metadata nobody knows what a given schema was.
fn added(bench: &mut Bench<'_>, sql: impl Fn(&str, &str) -> String) -> rusqlite::Result<Option<Applied>> {
    if bench.plan.given_schema && !bench.has(MANIFEST_TABLE)? {
        return Ok(None);
    }
    let Some((table, column)) = bench.columns(|_| true).into_iter().next() else { return Ok(None) };
    let sql = sql(&quote(&table.target), &quote(&column.target));
    bench.connection.execute_batch(&sql)?;
    Ok(changed(format!("table `{}`", table.target), sql))
}

fn index_in_another_order(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    redefined(bench, "index", |sql| {
        let open = sql.find('(')?;
        let close = matching(sql, open)?;
        let inside = &sql[open + 1..close];
        let other = match inside.strip_suffix(" DESC") {
            Some(ascending) => ascending.to_owned(),
            None => format!("{inside} DESC"),
        };
        Some(format!("{}{other}{}", &sql[..=open], &sql[close..]))
    })
}

fn column_renamed(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for (table, column) in bench.columns(|_| true) {
        let sql = format!(
            "ALTER TABLE {} RENAME COLUMN {} TO whimbrel_mutation",
            quote(&table.target),
            quote(&column.target)
        );
        if bench.connection.execute_batch(&sql).is_ok() {
            return Ok(changed(format!("table `{}`, column `{}`", table.target, column.target), "renamed"));
        }
    }
    Ok(None)
}

/// The place of the parenthesis that closes the one at `open`; quoted text is passed over.
fn matching(sql: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (place, byte) in sql.bytes().enumerate().skip(open) {
        match (quote, byte) {
            (Some(mark), byte) if byte == mark => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place);
                }
            }
            _ => {}
        }
    }
    None
}

/// The last condition in parentheses behind a word becomes one that always holds.
fn group_replaced(sql: &str, word: &str) -> Option<String> {
    let start = sql.rfind(&format!("{word} ("))? + word.len() + 1;
    let end = matching(sql, start)?;
    (&sql[start..=end] != "(1)").then(|| format!("{}(1){}", &sql[..start], &sql[end + 1..]))
}

fn default_changed(sql: &str) -> Option<String> {
    let start = sql.rfind(" DEFAULT ")? + " DEFAULT ".len();
    let rest = &sql[start..];
    let length = match rest.as_bytes().first()? {
        b'(' => matching(sql, start)? + 1 - start,
        b'\'' => rest[1..].find('\'')? + 2,
        _ => rest.find([' ', ',', '\n', ')'])?,
    };
    let other = if &rest[..length] == "(7)" { "(8)" } else { "(7)" };
    Some(format!("{}{other}{}", &sql[..start], &rest[length..]))
}

/// Takes the last REFERENCES out, with what it refers to and its actions.
fn foreign_key_dropped(sql: &str) -> Option<String> {
    let start = sql.rfind("REFERENCES ")?;
    let mut end = start + "REFERENCES ".len();
    end += name_length(&sql[end..])?;
    let blanks = |end: usize| sql[end..].len() - sql[end..].trim_start().len();
    if sql[end + blanks(end)..].starts_with('(') {
        end = matching(sql, end + blanks(end))? + 1;
    }
    const BEHIND: [&str; 11] = [
        "ON DELETE CASCADE",
        "ON DELETE SET NULL",
        "ON DELETE SET DEFAULT",
        "ON DELETE RESTRICT",
        "ON DELETE NO ACTION",
        "ON UPDATE CASCADE",
        "ON UPDATE SET NULL",
        "ON UPDATE SET DEFAULT",
        "ON UPDATE RESTRICT",
        "ON UPDATE NO ACTION",
        "DEFERRABLE INITIALLY DEFERRED",
    ];
    while let Some(word) = BEHIND.iter().find(|word| sql[end + blanks(end)..].starts_with(**word)) {
        end += blanks(end) + word.len();
    }
    let before = &sql[..start];
    // As a constraint of the table it has its columns in front, and something has to stand there.
    match before.rfind("FOREIGN KEY") {
        Some(place) if matching(sql, place + before[place..].find('(')?)? + 1 == before.trim_end().len() => {
            Some(format!("{}CHECK (1){}", &sql[..place], &sql[end..]))
        }
        _ => Some(format!("{}{}", before.trim_end(), &sql[end..])),
    }
}

/// How long the identifier at the start of a text is.
fn name_length(sql: &str) -> Option<usize> {
    match sql.strip_prefix('"') {
        Some(rest) => rest.find('"').map(|end| end + 2),
        None => sql.find(|c: char| !c.is_alphanumeric() && c != '_'),
    }
}

fn foreign_key_elsewhere(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    let others: Vec<String> = bench.tables().iter().map(|table| quote(&table.target)).collect();
    redefined(bench, "table", |sql| {
        let start = sql.rfind("REFERENCES ")? + "REFERENCES ".len();
        let length = name_length(&sql[start..])?;
        let own = sql[start..start + length].trim_matches('"');
        let other = others.iter().find(|other| other.trim_matches('"') != own)?;
        Some(format!("{}{other}{}", &sql[..start], &sql[start + length..]))
    })
}

/// The first column of each foreign key of a table, with the parent and its column where that is told.
fn foreign_keys(bench: &Bench<'_>, table: &str) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let sql = "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?1) WHERE seq = 0";
    let mut statement = bench.connection.prepare(sql)?;
    statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}

fn orphaned(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        for (column, parent, _) in foreign_keys(bench, &table.target)? {
            // A column that the plan does not carry holds nothing that refers to anything.
            if !table.columns.iter().any(|planned| planned.target == column && !planned.computed) {
                continue;
            }
            let name = quote(&column);
            let Some((place, values)) = bench.row(&table.target, &format!("{name} IS NOT NULL"), &name)? else {
                continue;
            };
            let value = match &values[0] {
                Value::Integer(_) => Value::Integer(i64::from(i32::MAX) - 7),
                Value::Text(_) => Value::Text("there is no such parent".into()),
                _ => continue,
            };
            if bench.set(&table.target, &column, &place, &value)? {
                let at = format!("table `{}`, row {}, column `{column}`", table.target, place.describe());
                return Ok(changed(at, format!("no such row in `{parent}`")));
            }
        }
    }
    Ok(None)
}

fn parent_deleted(bench: &mut Bench<'_>) -> rusqlite::Result<Option<Applied>> {
    for table in bench.tables() {
        for (column, parent, to) in foreign_keys(bench, &table.target)? {
            let Some(planned) = bench.plan.tables.iter().find(|planned| planned.target.eq_ignore_ascii_case(&parent))
            else {
                continue;
            };
            let key = planned.key.first().map(|place| planned.columns[*place].target.clone());
            let Some(to) = to.or(key) else { continue };
            let sql = format!(
                "DELETE FROM {parent} WHERE {to} = (SELECT {column} FROM {child} WHERE {column} IS NOT NULL LIMIT 1)",
                parent = quote(&planned.target),
                to = quote(&to),
                column = quote(&column),
                child = quote(&table.target),
            );
            if bench.connection.execute(&sql, [])? > 0 {
                return Ok(changed(
                    format!("table `{parent}`"),
                    format!("a row that `{}` refers to is gone", table.target),
                ));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_become_others_that_are_still_sql() {
        let sql =
            "CREATE TABLE a (b TEXT NOT NULL DEFAULT 'x' CHECK (b <> ')'), c REFERENCES \"p\" (id) ON DELETE CASCADE)";
        assert_eq!(
            foreign_key_dropped(sql).as_deref(),
            Some("CREATE TABLE a (b TEXT NOT NULL DEFAULT 'x' CHECK (b <> ')'), c)")
        );
        assert_eq!(
            group_replaced(sql, "CHECK").as_deref(),
            Some("CREATE TABLE a (b TEXT NOT NULL DEFAULT 'x' CHECK (1), c REFERENCES \"p\" (id) ON DELETE CASCADE)")
        );
        assert!(default_changed(sql).is_some_and(|other| other.contains("DEFAULT (7) CHECK")));
        let sql =
            "CREATE TABLE a (\n  b INTEGER,\n  CONSTRAINT \"k\" FOREIGN KEY (\"b\") REFERENCES p (\"id\")\n) STRICT";
        assert_eq!(
            foreign_key_dropped(sql).as_deref(),
            Some("CREATE TABLE a (\n  b INTEGER,\n  CONSTRAINT \"k\" CHECK (1)\n) STRICT")
        );
    }
}
