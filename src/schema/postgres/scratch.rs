//! The schema that migrations make from nothing, built in a database of its own or in one that was given, and read.
//!
//! Invariant: a database that was made for this is dropped, and one that was given has what it had before and nothing else,
//! whatever happened; where that cannot be had, it is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::database::RunnerOptions;
use super::super::drift::{self, Object};
use super::super::plan::Step;
use super::{APPLICATION, Session, read_url};
use crate::endpoint::postgres::Explained;
use crate::quote::quote;
use crate::{Error, Result};

/// What a database needs that is given for this.
const WANTED: &str = "give `--scratch` an empty database: `createdb` makes one, and it is left empty again";

impl Session {
    /// Builds the schema and reads it. The inner error is that of a migration that fails there, the outer one that there was
    /// no such place.
    pub(super) async fn objects_from_nothing(&mut self, steps: &[Step]) -> Result<Result<Vec<Object>>> {
        let quiet = RunnerOptions { dry_run: false, ..self.options.clone() };
        if let Some(url) = self.options.scratch_url.clone() {
            let (connector, url) = read_url("URL of the scratch database", &url)?;
            let guard = Arc::clone(&self.guard);
            return Session::new(connector, url.to_string(), quiet, guard).build_and_clear(steps).await;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("whimbrel_drift_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let object = format!("`{name}`");
        self.drop_left_over().await?;
        // The name of this connection says whose database it is, from before it is there until it is gone.
        self.call_connection(&name).await?;
        let (connection, _) = self.open().await?;
        let create = format!("CREATE DATABASE {} TEMPLATE template0", quote(&name));
        connection.execute(create).await.could_not("create scratch database", &object).map_err(|error| {
            error
                .hint("name an empty database with `--scratch URL`, or let this role make one: `ALTER ROLE … CREATEDB`")
        })?;
        let connector = self.connector.database(&name);
        let mut session = Session::new(connector, name.clone(), quiet, Arc::clone(&self.guard));
        let built = session.build(steps).await;
        session.close().await;
        let (connection, _) = self.open().await?;
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(&name));
        let dropped = connection.execute(drop).await;
        let objects = built?;
        dropped.could_not("drop scratch database", object)?;
        self.call_connection(APPLICATION).await?;
        Ok(objects)
    }

    /// Names the connection that works, for the server's list of connections.
    async fn call_connection(&mut self, name: &str) -> Result<()> {
        let object = self.object();
        let (connection, _) = self.open().await?;
        sqlx::query("SELECT pg_catalog.set_config('application_name', $1, false)")
            .bind(name)
            .execute(connection.sqlx())
            .await
            .could_not("prepare", object)?;
        Ok(())
    }

    /// Drops the databases of runs that died while they looked for drift: nobody is connected to them, and no
    /// connection has their name.
    async fn drop_left_over(&mut self) -> Result<()> {
        let object = self.object();
        let (connection, _) = self.open().await?;
        let names: Vec<String> = sqlx::query_scalar(include_str!("left_over.sql"))
            .fetch_all(connection.sqlx())
            .await
            .could_not("look for scratch databases on", object)?;
        for name in names {
            let drop = format!("DROP DATABASE IF EXISTS {}", quote(&name));
            // Another run may be dropping it as well, and nothing here depends on it.
            let _ = connection.execute(drop).await;
        }
        Ok(())
    }

    /// Builds the schema in a database that somebody has given, which has to be empty and is again afterwards.
    async fn build_and_clear(mut self, steps: &[Step]) -> Result<Result<Vec<Object>>> {
        let (connection, place) = self.open().await?;
        let there = drift::postgres::objects(connection, &place).await?;
        // A new database has the schema `public` and the extension `plpgsql`.
        let mut others = there.iter().filter(|object| object.kind != "schema" && object.kind != "extension");
        let first = others.clone().find(|object| object.kind == "table").or_else(|| others.next());
        if let Some(object) = first {
            let cause = format!("it is not empty: it has {} `{}`", object.kind, object.name);
            return Err(Error::could_not("build schema in", self.object(), cause).hint(WANTED));
        }
        let before = self.everything().await?;
        let built = self.build(steps).await;
        let cleared = self.clear(&before).await;
        self.close().await;
        let objects = built?;
        cleared?;
        Ok(objects)
    }

    async fn build(&mut self, steps: &[Step]) -> Result<Result<Vec<Object>>> {
        self.open().await?;
        for step in steps {
            if let Err(error) = self.run(step, &mut |_| {}).await {
                return Ok(Err(error));
            }
        }
        let (connection, place) = self.open().await?;
        Ok(Ok(drift::postgres::objects(connection, &place).await?))
    }

    /// Every object that a statement can drop by itself: what DROP calls its kind, and its name as DROP takes it.
    async fn everything(&mut self) -> Result<BTreeSet<(String, String)>> {
        let object = self.object();
        let (connection, _) = self.open().await?;
        let rows: Vec<(String, String)> = sqlx::query_as(include_str!("everything.sql"))
            .fetch_all(connection.sqlx())
            .await
            .could_not("read schema of", object)?;
        Ok(rows.into_iter().collect())
    }

    /// Drops what was not there before.
    async fn clear(&mut self, before: &BTreeSet<(String, String)>) -> Result<()> {
        let mut failed = None;
        for (kind, name) in self.everything().await?.difference(before) {
            let drop = format!("DROP {kind} IF EXISTS {name} CASCADE");
            let (connection, _) = self.open().await?;
            failed = connection.execute(drop).await.err().or(failed);
        }
        let after = self.everything().await?;
        let Some((kind, name)) = after.symmetric_difference(before).next() else { return Ok(()) };
        let what = if before.contains(&(kind.clone(), name.clone())) { "it has lost" } else { "it still has" };
        let why = failed.map_or_else(String::new, |error| format!(" ({error})"));
        let cause = format!("{what} {} `{name}`{why}", kind.to_lowercase());
        Err(Error::could_not("empty scratch database", self.object(), cause)
            .hint("drop it, and give `--scratch` another one"))
    }
}
