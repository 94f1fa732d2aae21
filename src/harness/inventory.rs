//! "Nothing disappears silently", asked again: each table, view, row, column, key, foreign key with its actions, index,
//! check (a domain's too), default, identity, NOT NULL (a domain's too) and generated column that the server itself lists
//! is in the finished file, or named by the plan among what is not carried; so is each trigger, policy, rule and exclusion
//! constraint. What a check, a default or a view says is not compared, only that there is one, nor whether a constraint is
//! deferred or MATCH FULL.
//!
//! The verification of a run compares the file with the plan; what the plan forgot, it cannot miss. So this takes
//! nothing from the plan but names (source to target) and its list of losses, and neither the source's catalog nor the
//! definitions that the plan wrote: one side is asked of `pg_catalog`, the other of SQLite's pragmas.

use crate::cancel::Cancel;
use crate::catalog::QualifiedName;
use crate::endpoint::PostgresUrl;
use crate::endpoint::postgres::Session;
use crate::endpoint::sqlite::read::{open, told};
use crate::error::{Context, Error, Result};
use crate::plan::{Plan, TablePlan};
use crate::quote::quote;
use crate::types::Rule;
use rusqlite::{Connection, params};
use std::path::Path;

pub(super) const OPERATION: &str = "take the inventory of";

/// Tables of user schemas, members of extensions and partitions left out.
const TABLES: &str = "
    WITH t AS (
      SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence <> 't'
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                        AND d.deptype = 'e'))";

/// Views of user schemas; those of extensions left out.
const VIEWS: &str = "
    SELECT n.nspname, c.relname, 'v' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'v' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')";

/// What belongs to each table: `[schema, table, kind, name, columns, other table's schema, other table, its columns,
/// actions]`, columns as JSON. An expression in an index is a NULL among its columns. A default that is NULL is none. An
/// action of some columns only has the letter `?`, which no action of SQLite has.
const PARTS: &str = "
    , domain (column_of, number, type, base, not_null) AS (
      SELECT a.attrelid, a.attnum, y.oid, y.typbasetype, y.typnotnull
      FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type y ON y.oid = a.atttypid AND y.typtype = 'd'
      UNION ALL
      SELECT d.column_of, d.number, y.oid, y.typbasetype, y.typnotnull
      FROM domain d JOIN pg_type y ON y.oid = d.base AND y.typtype = 'd')
    SELECT t.schema, t.name, k.kind, a.attname, '[]', '', '', '[]', ''
    FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL (
      SELECT 'column' AS kind
      UNION ALL SELECT 'not null' WHERE a.attnotnull AND NOT EXISTS (
        SELECT FROM pg_constraint c
        WHERE c.conrelid = t.oid AND c.contype = 'n' AND NOT c.convalidated AND c.conkey[1] = a.attnum)
        OR EXISTS (SELECT FROM domain d WHERE (d.column_of, d.number) = (t.oid, a.attnum) AND d.not_null)
      UNION ALL SELECT 'identity' WHERE a.attidentity <> ''
      UNION ALL SELECT 'generated column' WHERE a.attgenerated <> ''
      UNION ALL SELECT CASE WHEN v.value ~ '^nextval\\(' THEN 'counting default' ELSE 'default' END
        FROM (SELECT coalesce((SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
                               WHERE d.adrelid = t.oid AND d.adnum = a.attnum),
                              (SELECT pg_get_expr(y.typdefaultbin, 0) FROM pg_type y
                               WHERE y.oid = a.atttypid AND y.typtype = 'd')) AS value) v
        WHERE a.attgenerated = '' AND a.attidentity = '' AND v.value !~ '^NULL(::|$)') k
    UNION ALL
    SELECT t.schema, t.name, 'domain check', a.attname, to_json(ARRAY[c.conname])::text, n.nspname, y.typname, '[]', ''
    FROM t JOIN domain d ON d.column_of = t.oid JOIN pg_attribute a ON (a.attrelid, a.attnum) = (t.oid, d.number)
    JOIN pg_type y ON y.oid = d.type JOIN pg_namespace n ON n.oid = y.typnamespace
    JOIN pg_constraint c ON c.contypid = d.type AND c.contype = 'c'
    UNION ALL
    SELECT t.schema, t.name, x.kind, x.name, '[]', '', '', '[]', ''
    FROM t CROSS JOIN LATERAL (
      SELECT 'trigger' AS kind, g.tgname AS name FROM pg_trigger g
        WHERE g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgparentid = 0
      UNION ALL SELECT 'policy', p.polname FROM pg_policy p WHERE p.polrelid = t.oid
      UNION ALL SELECT 'rule', w.rulename FROM pg_rewrite w WHERE w.ev_class = t.oid AND w.rulename <> '_RETURN'
      UNION ALL SELECT 'exclusion constraint', c.conname FROM pg_constraint c
        WHERE c.conrelid = t.oid AND c.contype = 'x' AND c.conparentid = 0) x
    UNION ALL
    SELECT t.schema, t.name, 'check', c.conname, '[]', '', '', '[]', ''
    FROM t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype = 'c'
    UNION ALL
    SELECT t.schema, t.name, CASE c.contype WHEN 'f' THEN 'foreign key' ELSE 'key' END, c.conname,
           (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k(number, place)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number)::text,
           coalesce(n.nspname, ''), coalesce(r.relname, ''),
           coalesce((SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k(number, place)
            JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number)::text, '[]'),
           CASE WHEN to_jsonb(c) ->> 'confdelsetcols' IS NULL THEN c.confdeltype::text ELSE '?' END || c.confupdtype::text
    FROM t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('p', 'u', 'f') AND c.conparentid = 0
    LEFT JOIN pg_class r ON r.oid = c.confrelid LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
    UNION ALL
    SELECT t.schema, t.name, CASE WHEN i.indisunique THEN 'unique index' ELSE 'index' END, x.relname,
           (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k(number, place)
            LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
            WHERE k.place <= i.indnkeyatts)::text, '', '', '[]', ''
    FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
    ORDER BY 1, 2, 3, 4";

/// What the server has and the file has not, and the plan does not name; one sentence each. Also columns whose
/// collation is not the one that their rule says.
///
/// # Errors
/// When the server or the file cannot be read.
pub fn missing(url: &PostgresUrl, target: &Path, plan: &Plan) -> Result<Vec<String>> {
    let mut session = Session::connect(url, &Cancel::new())?;
    missing_by(&mut |sql| session.query_rows(OPERATION, "the server", sql), target, plan)
}

/// Asks the server a query, and gives its rows as the server's text.
pub(super) type Ask<'a> = dyn FnMut(&str) -> Result<Vec<Vec<Option<String>>>> + 'a;

/// As [`missing`], over a connection that is open already.
///
/// # Errors
/// As [`missing`].
pub(super) fn missing_by(ask: &mut Ask<'_>, target: &Path, plan: &Plan) -> Result<Vec<String>> {
    let file = open(target, &Cancel::new().flag())?;
    let mut missing = Vec::new();
    let mut counts = Vec::new();
    let tables = format!("{TABLES} SELECT schema, name, kind::text FROM t UNION ALL {VIEWS} ORDER BY 1, 2");
    for row in ask(&tables)? {
        let [Some(schema), Some(name), Some(kind)] = row.as_slice() else { continue };
        let table = QualifiedName::new(schema, name);
        if kind == "v" {
            let is_there = is_carried_view(plan, &table, &file).could_not(OPERATION, format!("view `{table}`"))?;
            if !is_there && !is_listed(plan, &[table.to_string()]) {
                missing.push(format!("view `{table}` is neither carried nor listed"));
            }
            continue;
        }
        match plan.tables.iter().find(|planned| planned.source == table) {
            Some(planned) => {
                let only = if kind == "r" { "ONLY " } else { "" };
                counts.push((planned, format!("SELECT count(*)::text FROM {only}{}.{}", quote(schema), quote(name))));
                if !plan.given_schema {
                    missing.extend(collations(planned, &file).map_err(|error| unread(planned, &error))?);
                }
            }
            None if is_listed(plan, &[table.to_string()]) => {}
            None => missing.push(format!("table `{table}` is neither carried nor listed")),
        }
    }
    for (planned, there) in counts_of(ask, &counts)? {
        let found: i64 = file
            .query_row(&format!("SELECT count(*) FROM {}", quote(&planned.target)), [], |row| row.get(0))
            .map_err(|error| unread(planned, &error))?;
        if there != found.to_string() {
            missing.push(format!("table `{}` has {there} rows on the server and {found} in the file", planned.source));
        }
    }
    for row in ask(&format!("{} {PARTS}", TABLES.replacen("WITH t", "WITH RECURSIVE t", 1)))? {
        let (table, part) = Part::read(row)?;
        let Some(planned) = plan.tables.iter().find(|planned| planned.source == table) else { continue };
        if !part.is_carried(plan, planned, &file).map_err(|error| unread(planned, &error))?
            && !part.is_listed(plan, &table)
        {
            missing.push(format!("{} `{}` of table `{table}` is neither carried nor listed", part.kind, part.name));
        }
    }
    Ok(missing)
}

fn unread(table: &TablePlan, error: &rusqlite::Error) -> Error {
    told(OPERATION, format!("table `{}`", table.target), error)
}

/// Asks all counts at once.
fn counts_of<'p>(ask: &mut Ask<'_>, counts: &[(&'p TablePlan, String)]) -> Result<Vec<(&'p TablePlan, String)>> {
    if counts.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<_> = counts.iter().map(|(_, sql)| format!("({sql})")).collect();
    // One array and not one column each: a row of the server has a limit to its columns.
    let sql = format!("SELECT to_json(ARRAY[{}])::text", asked.join(", "));
    let rows = ask(&sql)?;
    let said = rows.into_iter().flatten().flatten().next().unwrap_or_default();
    let said: Vec<String> = serde_json::from_str(&said).could_not(OPERATION, "the server")?;
    Ok(counts.iter().map(|(table, _)| *table).zip(said).collect())
}

fn is_listed(plan: &Plan, names: &[String]) -> bool {
    plan.losses.iter().any(|loss| names.contains(&loss.object))
}

fn is_carried_view(plan: &Plan, view: &QualifiedName, file: &Connection) -> rusqlite::Result<bool> {
    let Some(planned) = plan.views.iter().find(|planned| planned.source == *view) else { return Ok(false) };
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'view' AND lower(name) = lower(?1))";
    file.query_row(sql, [&planned.target], |row| row.get(0))
}

/// Something that belongs to a table of the server.
struct Part {
    kind: String,
    name: String,
    columns: Vec<Option<String>>,
    other: QualifiedName,
    other_columns: Vec<Option<String>>,
    /// Of a foreign key: what its table does when a row that is referred to is deleted, and when its key changes.
    actions: [&'static str; 2],
}

impl Part {
    /// The table, and the part of it.
    fn read(row: Vec<Option<String>>) -> Result<(QualifiedName, Part)> {
        let mut texts = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || texts.next().unwrap_or_default();
        let list = |text: String| serde_json::from_str(&text).could_not(OPERATION, "the server");
        let table = QualifiedName::new(next(), next());
        let (kind, name, columns) = (next(), next(), list(next())?);
        let other = QualifiedName::new(next(), next());
        let other_columns = list(next())?;
        let mut codes = next().chars().map(action).collect::<Vec<_>>().into_iter();
        let actions = [(); 2].map(|()| codes.next().unwrap_or_default());
        Ok((table, Part { kind, name, columns, other, other_columns, actions }))
    }

    fn is_listed(&self, plan: &Plan, table: &QualifiedName) -> bool {
        let of_table = format!("{table}.{}", self.name);
        let kind = match self.kind.as_str() {
            // What a column has besides its values is listed under its name, by kind.
            "counting default" => "default",
            "not null" | "default" | "identity" | "generated column" => self.kind.as_str(),
            "domain check" => {
                let check = self.columns.iter().flatten().next().map_or("", String::as_str);
                return is_listed(plan, &[format!("{}.{check} on {of_table}", self.other)])
                    || plan.losses.iter().any(|loss| loss.object == of_table && loss.kind == "column");
            }
            // SQLite has nothing of their kinds, so no other object of that name may vouch for one.
            "trigger" | "policy" | "rule" | "exclusion constraint" => {
                let name = format!("{} on {table}", self.name);
                return plan.losses.iter().any(|loss| loss.object == name && loss.kind == self.kind);
            }
            _ => return is_listed(plan, &[of_table, format!("{} on {table}", self.name)]),
        };
        plan.losses.iter().any(|loss| loss.object == of_table && [kind, "column"].contains(&loss.kind.as_str()))
    }

    fn is_carried(&self, plan: &Plan, table: &TablePlan, file: &Connection) -> rusqlite::Result<bool> {
        if matches!(self.kind.as_str(), "trigger" | "policy" | "rule" | "exclusion constraint") {
            return Ok(false);
        }
        if self.kind == "domain check" {
            let check = self.columns.iter().flatten().next().map_or("", String::as_str);
            let column = table.columns.iter().find(|column| column.source == self.name);
            return column.map_or(Ok(false), |column| has_check(table, check, Some(&column.target), file));
        }
        let Some(columns) = target_columns(table, &self.columns) else { return Ok(false) };
        Ok(match self.kind.as_str() {
            "column" => {
                let target = target_columns(table, &[Some(self.name.clone())]);
                let there = column(file, "SELECT name FROM pragma_table_xinfo(?1)", &table.target)?;
                target.into_iter().flatten().flatten().next().is_some_and(|name| there.contains(&name))
            }
            "key" => {
                let key = "SELECT name FROM pragma_table_xinfo(?1) WHERE pk > 0 ORDER BY pk";
                let key: Vec<_> = column(file, key, &table.target)?.into_iter().map(Some).collect();
                same_set(&key, &columns)
                    || indexes(file, &table.target, true)?.iter().any(|(_, i)| same_set(i, &columns))
            }
            "foreign key" => {
                let Some(parent) = plan.tables.iter().find(|planned| planned.source == self.other) else {
                    return Ok(false);
                };
                let pairs = columns.into_iter().zip(target_columns(parent, &self.other_columns).unwrap_or_default());
                let mut wanted: Vec<_> =
                    pairs.map(|(from, to)| [from, to].map(|name| name.unwrap_or_default().to_lowercase())).collect();
                wanted.sort();
                let wanted = KeyOfFile {
                    parent: parent.target.to_lowercase(),
                    pairs: wanted,
                    actions: self.actions.map(str::to_owned),
                };
                foreign_keys(file, &table.target)?.contains(&wanted)
            }
            "not null" | "default" | "counting default" | "identity" | "generated column" => {
                let Some(Some(target)) = target_columns(table, &[Some(self.name.clone())]).map(|mut one| one.remove(0))
                else {
                    return Ok(false);
                };
                // The key that is the rowid is never NULL and counts up, and what is computed has its own rules.
                const IS_ROWID: &str =
                    "pk = 1 AND lower(type) = 'integer' AND (SELECT max(pk) = 1 FROM pragma_table_xinfo(?1))";
                let sql = match self.kind.as_str() {
                    "not null" => format!("\"notnull\" OR hidden IN (2, 3) OR {IS_ROWID}"),
                    "default" => "dflt_value IS NOT NULL OR hidden IN (2, 3)".to_owned(),
                    "counting default" | "identity" => format!("{IS_ROWID} OR dflt_value IS NOT NULL"),
                    _ => "hidden IN (2, 3)".to_owned(),
                };
                let sql = format!(
                    "SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE lower(name) = lower(?2) AND ({sql}))"
                );
                file.query_row(&sql, params![table.target, target], |row| row.get(0))?
            }
            "check" => has_check(table, &self.name, None, file)?,
            _ => {
                let unique = self.kind == "unique index";
                let there = indexes(file, &table.target, unique)?;
                if plan.given_schema {
                    // A given schema has its own names; an index that goes on behind those columns serves as well.
                    let serves = |index: &Vec<Option<String>>| {
                        let length = if unique { index.len() } else { columns.len().min(index.len()) };
                        same_set(&index[..length], &columns)
                    };
                    return Ok(there.iter().any(|(_, index)| serves(index)));
                }
                let origin = format!("{} on {}", self.name, table.source);
                let planned = table.indexes.iter().find(|index| index.origin == origin).map(|index| &index.name);
                let name = planned.unwrap_or(&self.name);
                there.iter().any(|(there, _)| there.eq_ignore_ascii_case(name))
            }
        })
    }
}

/// Whether the table has a check of that name, about the column where one is given: two columns of a domain have checks
/// of the same name.
fn has_check(table: &TablePlan, name: &str, column: Option<&str>, file: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?1)";
    let definition: String = file.query_row(sql, [&table.target], |row| row.get(0))?;
    let constraint = format!("CONSTRAINT {} CHECK ", quote(name));
    let mut checks =
        definition.match_indices(&constraint).map(|(at, found)| condition(&definition[at + found.len()..]));
    Ok(checks.any(|condition| column.is_none_or(|column| condition.contains(&quote(column)))))
}

/// The text from the parenthesis at its start to the one that closes it.
fn condition(text: &str) -> &str {
    let (mut depth, mut quoted) = (0_i32, None);
    for (at, character) in text.char_indices() {
        match (quoted, character) {
            (Some(mark), _) => quoted = (mark != character).then_some(mark),
            (None, '\'' | '"') => quoted = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth <= 0 {
                    return &text[..=at];
                }
            }
            _ => {}
        }
    }
    text
}

/// The columns' names in the target; `None` where one of them has none there.
fn target_columns(table: &TablePlan, columns: &[Option<String>]) -> Option<Vec<Option<String>>> {
    let find = |name: &String| table.columns.iter().find(|column| column.source == *name);
    columns.iter().map(|name| name.as_ref().map_or(Some(None), |name| Some(Some(find(name)?.target.clone())))).collect()
}

fn same_set(left: &[Option<String>], right: &[Option<String>]) -> bool {
    left.len() == right.len() && left.iter().all(|name| right.contains(name))
}

fn column(file: &Connection, sql: &str, table: &str) -> rusqlite::Result<Vec<String>> {
    file.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// The indexes of a table with the columns of their keys; an expression is `None`.
fn indexes(file: &Connection, table: &str, unique_only: bool) -> rusqlite::Result<Vec<(String, Vec<Option<String>>)>> {
    let sql = "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" >= ?2";
    let mut names = file.prepare(sql)?;
    let names = names.query_map(params![table, unique_only], |row| row.get(0))?;
    let mut parts = file.prepare("SELECT name FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno")?;
    names
        .map(|name| {
            let name: String = name?;
            let columns = parts.query_map([&name], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok((name, columns))
        })
        .collect()
}

/// A foreign key of the file, all its names in lower case, its pairs of columns in a fixed order.
#[derive(PartialEq)]
struct KeyOfFile {
    parent: String,
    pairs: Vec<[String; 2]>,
    /// On deletion, and on a change.
    actions: [String; 2],
}

/// An action as SQLite tells it, from the letter by which PostgreSQL's `pg_constraint` has it.
fn action(letter: char) -> &'static str {
    match letter {
        'r' => "RESTRICT",
        'c' => "CASCADE",
        'n' => "SET NULL",
        'd' => "SET DEFAULT",
        '?' => "an action of some columns only",
        _ => "NO ACTION",
    }
}

/// The foreign keys of a table.
fn foreign_keys(file: &Connection, table: &str) -> rusqlite::Result<Vec<KeyOfFile>> {
    let sql = "SELECT lower(f.\"table\"), f.id, lower(f.\"from\"), lower(
                 coalesce(f.\"to\", (SELECT p.name FROM pragma_table_xinfo(f.\"table\") p WHERE p.pk = f.seq + 1), '')), f.on_delete, f.on_update
               FROM pragma_foreign_key_list(?1) f ORDER BY f.id, f.\"from\"";
    let mut statement = file.prepare(sql)?;
    let mut rows = statement.query([table])?;
    let mut keys: Vec<(i64, KeyOfFile)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, pair) = (row.get(1)?, [row.get(2)?, row.get(3)?]);
        match keys.last_mut().filter(|(last, _)| *last == id) {
            Some((_, key)) => key.pairs.push(pair),
            None => {
                let actions = [row.get(4)?, row.get(5)?];
                keys.push((id, KeyOfFile { parent: row.get(0)?, pairs: vec![pair], actions }));
            }
        }
    }
    Ok(keys
        .into_iter()
        .map(|(_, mut key)| {
            key.pairs.sort();
            key
        })
        .collect())
}

/// Columns of text whose collation is not their rule's.
fn collations(table: &TablePlan, file: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    for column in table.columns.iter().filter(|column| column.rule.declared_type() == "TEXT") {
        let wanted = if column.rule == Rule::NocaseText { "NOCASE" } else { "BINARY" };
        let (_, there, ..) = file.column_metadata(None, table.target.as_str(), column.target.as_str())?;
        let there = there.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !there.eq_ignore_ascii_case(wanted) {
            found.push(format!("column `{}.{}` has the collation {there}, not {wanted}", table.target, column.target));
        }
    }
    Ok(found)
}
