//! The database in the making: tables, rows as they come, then keys, indexes, views, positions and metadata, all in one transaction.

use super::encode::{Encoder, in_text};
use super::rows::Rows;
use crate::catalog::{ObjectKind, QualifiedName};
use crate::endpoint::postgres::copy::quote_name;
use crate::endpoint::postgres::failure::refusal;
use crate::endpoint::postgres::writer::Connection;
use crate::endpoint::{Draft, Origin};
use crate::error::{Error, Result};
use crate::event::{Event, Listener};
use crate::metadata::home;
use crate::metadata::tables::KeptTable;
use crate::plan::home::{Definition, Definitions, Position};
use crate::plan::{Caveat, Plan};
use crate::quote::{quote, quote_all};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// A PostgreSQL database that is being filled. Dropped, its transaction is gone.
pub struct PostgresDraft {
    pub(super) connection: Connection,
    pub(super) label: String,
    pub(super) plan: Arc<Plan>,
    /// The name of each of the plan's tables.
    pub(super) names: Vec<QualifiedName>,
    metadata: bool,
    made: BTreeMap<String, KeptTable>,
    /// The schemas and extensions that were there before.
    there: HashSet<String>,
    /// The table that takes rows.
    open: Option<usize>,
    /// The number of the run, where the database remembers it.
    run: Option<i64>,
}

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The database without a password.
    pub target: String,
    /// The number of the run in `_whimbrel.runs`; `None` where the database does not remember it.
    pub run: Option<i64>,
}

impl PostgresDraft {
    pub(super) fn begin(
        mut connection: Connection,
        label: String,
        plan: &Arc<Plan>,
        metadata: bool,
        made: BTreeMap<String, KeptTable>,
    ) -> Result<Self> {
        let sql =
            "SELECT 'schema ' || nspname FROM pg_namespace UNION SELECT 'extension ' || extname FROM pg_extension";
        let there = connection.query(sql, format!("`{label}`"))?.into_iter().flatten().flatten().collect();
        let home = home_of(plan)?;
        for definition in &home.before {
            define(&mut connection, definition)?;
        }
        let names = home.tables.clone();
        Ok(PostgresDraft {
            connection,
            label,
            plan: Arc::clone(plan),
            names,
            metadata,
            made,
            there,
            open: None,
            run: None,
        })
    }

    pub(super) fn home(&self) -> Result<&Definitions> {
        home_of(&self.plan)
    }

    /// Ends the rows of the table that takes some.
    fn close(&mut self) -> Result<()> {
        self.open.take().map_or(Ok(()), |_| self.connection.copy_end())
    }

    /// Begins to send the rows of a table.
    fn copy(&mut self, table: usize) -> Result<()> {
        self.close()?;
        let planned = &self.plan.tables[table];
        let columns = quote_all(planned.columns.iter().map(|column| column.target.as_str()));
        let columns = if columns.is_empty() { String::new() } else { format!(" ({columns})") };
        let form = if in_text(&planned.columns) { "text" } else { "binary" };
        // Nobody else sees the table: its rows need not be looked at again to tell that they are old.
        let sql = format!("COPY {}{columns} FROM STDIN (FORMAT {form}, FREEZE)", quote_name(&self.names[table]));
        self.connection.copy(sql, format!("table `{}`", self.names[table]))?;
        self.open = Some(table);
        if form == "binary" {
            self.send(HEADER.to_vec())?;
        }
        Ok(())
    }

    fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        match self.connection.chunk(bytes)? {
            true => Ok(()),
            // The end of the COPY tells why.
            false => {
                self.open = None;
                self.connection.copy_end()
            }
        }
    }

    /// Tables without rows need no COPY. Sequences whose tables have changed since the file was made go on behind the greatest
    /// key that is there.
    fn set_positions(&mut self, origin: &Origin<'_>) -> Result<()> {
        let positions = self.home()?.positions.clone();
        for position in &positions {
            let has_changed = position.feeds.as_ref().is_some_and(|(source, ..)| self.has_changed(source, origin));
            if let Some(sql) = statement(position, has_changed) {
                self.connection.query(sql, format!("sequence `{}`", position.sequence))?;
            }
        }
        Ok(())
    }

    /// Whether a table of the file is not what it was when that was made; one that came into it since is new.
    fn has_changed(&self, source: &QualifiedName, origin: &Origin<'_>) -> bool {
        let place = self.plan.tables.iter().position(|table| table.source == *source);
        let digest = place.and_then(|place| origin.digests.get(place));
        let kept = self.made.get(&source.to_string()).and_then(|kept| kept.digest.as_ref());
        kept != digest
    }

    /// What the database remembers of the run.
    fn remember(&mut self, origin: &Origin<'_>) -> Result<()> {
        let label = format!("`{}`", self.label);
        self.connection.query(home::CREATE, &label)?;
        let made = |definition: &&Definition| match definition.kind {
            ObjectKind::Schema | ObjectKind::Extension => {
                !self.there.contains(&format!("{} {}", definition.kind, definition.object))
            }
            _ => true,
        };
        let created: Vec<_> = (self.home()?.all().filter(made))
            .map(|definition| json!({"kind": definition.kind.name(), "name": definition.object}))
            .collect();
        let rows = self.connection.query(home::insert_run(origin.source, &json!(created).to_string()), &label)?;
        let run = rows.into_iter().flatten().flatten().next().and_then(|run| run.parse().ok());
        let run: i64 =
            run.ok_or_else(|| Error::could_not("write to", &label, "the server tells no number of the run"))?;
        for (name, digest) in self.names.clone().iter().zip(origin.digests) {
            self.connection.query(home::insert_table(run, &name.schema, &name.name, digest), &label)?;
        }
        self.run = Some(run);
        Ok(())
    }
}

fn home_of(plan: &Plan) -> Result<&Definitions> {
    plan.home.as_deref().ok_or_else(|| Error::could_not("write", "the database", "the plan is for another target"))
}

/// Signature, flags, length of the header's extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

fn define(connection: &mut Connection, definition: &Definition) -> Result<()> {
    let Definition { kind, object, sql, .. } = definition;
    let named = format!("{kind} `{object}`");
    connection.query(sql.as_str(), &named).map(drop).map_err(|error| match refusal(&error) {
        // It was taken over no rows: the rows are at fault.
        Some(told) => Error::could_not("create", named, told).hint(
            "rows that were written into the file since it was made do not keep it: correct them there, or leave it out by its \
             name under `tables.exclude_objects` of a project",
        ),
        None => error,
    })
}

/// The statement that puts a sequence where it has to stand; `None` where it does already.
fn statement(position: &Position, has_changed: bool) -> Option<String> {
    let name = quote_name(&position.sequence);
    let literal = name.replace('\'', "''");
    let known =
        position.value.map(|(value, is_called)| format!("SELECT setval('{literal}'::regclass, {value}, {is_called})"));
    match &position.feeds {
        Some((_, table, column)) if has_changed => {
            let (extreme, outer) = if position.upwards { ("max", "greatest") } else { ("min", "least") };
            let column = quote(column);
            let farther = match position.value {
                Some((value, true)) => format!("{outer}({value}, found.value)"),
                Some((_, false)) | None => "found.value".to_owned(),
            };
            let known = known.map_or_else(String::new, |known| format!("{known}; "));
            // Where no row has a key that it can hand out, it stays where it stands.
            Some(format!(
                "{known}SELECT setval('{literal}'::regclass, {farther}, true) FROM pg_sequence AS own, LATERAL \
                 (SELECT {extreme}({column})::bigint AS value FROM ONLY {} WHERE {column} BETWEEN own.seqmin AND own.seqmax) \
                 AS found WHERE own.seqrelid = '{literal}'::regclass AND found.value IS NOT NULL",
                quote_name(table)
            ))
        }
        Some(_) | None => known,
    }
}

impl Draft for PostgresDraft {
    type Batch = Rows;
    type Encoder = Encoder;
    type Published = Published;

    fn encoder(&self, table: usize) -> Encoder {
        Encoder::new(&self.plan, table)
    }

    fn write(&mut self, table: usize, batch: &mut Rows) -> Result<()> {
        if self.open != Some(table) {
            self.copy(table)?;
        }
        self.send(std::mem::take(&mut batch.bytes))?;
        batch.clear();
        Ok(())
    }

    fn finish(&mut self, origin: &Origin<'_>, listener: &Listener<'_>) -> Result<Vec<Caveat>> {
        self.close()?;
        let plan = Arc::clone(&self.plan);
        for definition in &home_of(&plan)?.after {
            if definition.kind == ObjectKind::Index {
                listener(Event::IndexStarted { index: definition.object.clone() });
            }
            define(&mut self.connection, definition)?;
        }
        self.set_positions(origin)?;
        let tables: Vec<_> = self.names.iter().map(quote_name).collect();
        if !tables.is_empty() {
            self.connection.query(format!("ANALYZE {}", tables.join(", ")), format!("`{}`", self.label))?;
        }
        if self.metadata {
            self.remember(origin)?;
        }
        Ok(Vec::new())
    }

    fn publish(mut self, _digest: Option<&str>) -> Result<Published> {
        let label = format!("`{}`", self.label);
        // Deferred constraints speak before what is done cannot be undone.
        self.connection.query("SET CONSTRAINTS ALL IMMEDIATE", &label)?;
        self.connection.query_to_its_end("COMMIT", &label).map_err(|error| match refusal(&error) {
            Some(_) => error,
            None => Error::could_not(
                "commit to",
                &label,
                format!("whether it was committed is not known: {}", error.cause()),
            )
            .hint("`whimbrel verify FILE URL` tells: either everything is there, or nothing"),
        })?;
        Ok(Published { target: self.label, run: self.run })
    }
}
