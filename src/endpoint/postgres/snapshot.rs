//! One snapshot of everything that is read: held first, seen afterwards, compared, and begun anew where the two differ.
//!
//! A snapshot keeps rows, not relations: TRUNCATE, REFRESH and the rewrites of ALTER TABLE give a relation another file,
//! which holds nothing for an older snapshot, and a name may lead to another relation a moment later. So every relation
//! that may be read is locked against that before the snapshot is taken. What came into being between the list and the
//! locks is in the snapshot and not locked; a materialized view, which LOCK TABLE refuses, and a table of which the role
//! may read some columns only are opened by PREPARE as the snapshot's first act, which takes the same lock and plans
//! nothing: a planner runs functions. Then each relation that the snapshot sees is looked for among the locks that are
//! held, and its file in the snapshot is compared with the one of now.
//!
//! What can still run while tables are read: no view and no foreign table, where the server knows
//! `restrict_nonsystem_relation_kind` (18 and 17, and since August 2024 each minor release of 13 to 16), elsewhere none
//! unless somebody renames a schema within the microseconds between the look at a name and the COPY; no policy, since
//! `row_security` is off and a policy is an error; no default, no trigger, no check. An ordinary table is read by COPY of
//! the table itself, which plans nothing. A query is planned (a partitioned table, a materialized view, a column that
//! travels as the server's text, a generated column, the server's own digest), and a planner computes the parts of index
//! expressions and of extended statistics that depend on no column. Their functions are the table owner's.
//!
//! Not of the snapshot are, as for pg_dump: the positions of sequences, which no transaction has, and what the server
//! prints of definitions by looking up the names of now.

use super::failure::explain;
use super::session::Session;
use crate::catalog::QualifiedName;
use crate::error::{Error, Result};
use crate::quote::quote;
use std::time::Duration;

/// How often the snapshot is taken anew when a relation changes meanwhile, and the pause before the second time, which
/// grows with each.
const ATTEMPTS_MAX: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);
const OLDEST_VERSION: u32 = 130_000;
const OPERATION: &str = "begin a snapshot of";

/// What has to be held, and by which means.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    /// Names for LOCK TABLE.
    lock: Vec<String>,
    /// Names for a FROM.
    open: Vec<String>,
    /// Whether the server can be told to read no view and no foreign table.
    can_restrict: bool,
}

/// A relation that is read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// An ordinary table without generated columns: COPY takes it without a query.
    pub(super) is_plain: bool,
}

impl Session {
    /// Lists the relations, holds them, takes the snapshot, and compares.
    pub(super) fn begin(&mut self) -> Result<()> {
        let mut changed = String::new();
        for attempt in 1..=ATTEMPTS_MAX {
            if attempt > 1 {
                std::thread::sleep(PAUSE * (attempt - 1));
            }
            let listed = self.list()?;
            let waits = u32::try_from(listed.lock.len() + listed.open.len()).unwrap_or(u32::MAX);
            let sql = begin_statements(self.version, &listed, self.lock_timeout);
            match self.attempt(OPERATION, &sql, self.lock_timeout.saturating_mul(waits.max(1)))? {
                Ok(()) => match self.compare(&listed)? {
                    None => return Ok(()),
                    Some(name) => changed = format!("`{name}` was created, replaced, emptied or rewritten"),
                },
                Err(error) if is_lock_timeout(&error) => return Err(self.explain_lock()),
                Err(error) if is_change(&error) => {
                    let told = error.as_database_error().map(|error| error.message().to_owned());
                    changed = told.unwrap_or_default();
                }
                Err(error) => {
                    self.give_up();
                    return Err(explain(OPERATION, self.label(), &error));
                }
            }
            self.query_rows(OPERATION, self.label().to_owned(), "ROLLBACK")?;
        }
        self.give_up();
        let cause = format!("while it was taken {changed}, and so each of {ATTEMPTS_MAX} times");
        Err(Error::could_not(OPERATION, self.label(), cause)
            .hint("another session (`pg_stat_activity` shows it) goes on changing tables: run again when it is done"))
    }

    /// The relations that this role may read.
    fn list(&mut self) -> Result<Listed> {
        let sql = pinned(include_str!("sql/lockable_tables.sql"));
        let mut listed = Listed::default();
        for row in self.query_rows(OPERATION, self.label().to_owned(), &sql)? {
            let [Some(version), Some(lock_timeout_ms), Some(restrictions), hold, name] = row.as_slice() else {
                return Err(Error::could_not(OPERATION, self.label(), "the server does not tell its version"));
            };
            self.version = version.parse().unwrap_or(0);
            // A role's or a database's limit is meant for an application. Zero waits for ever, which nobody should who
            // has not said so.
            if let Ok(chosen) = lock_timeout_ms.parse() {
                self.lock_timeout = Duration::from_millis(chosen);
            }
            listed.can_restrict = restrictions == "1";
            match hold.as_deref() {
                Some("open") => listed.open.extend(name.clone()),
                _ => listed.lock.extend(name.clone()),
            }
        }
        if self.version < OLDEST_VERSION {
            let cause = format!("PostgreSQL {} is too old", version_text(self.version));
            return Err(Error::could_not("read", self.label(), cause)
                .hint("PostgreSQL 13 to 18 can be read; dump it and restore it there"));
        }
        Ok(listed)
    }

    /// Notes what the snapshot reads, or tells a relation that it sees and that is not held as it sees it.
    fn compare(&mut self, listed: &Listed) -> Result<Option<QualifiedName>> {
        self.held.clear();
        let mut has_foreign_partitions = false;
        let label = self.label().to_owned();
        for row in self.query_rows(OPERATION, label.clone(), include_str!("sql/held_relations.sql"))? {
            let [Some(schema), Some(name), Some(oid), Some(kind), Some(state)] = row.as_slice() else {
                return Err(Error::could_not(OPERATION, label, "the server does not tell its relations"));
            };
            let name = QualifiedName::new(schema, name);
            if state != "held" {
                return Ok(Some(name));
            }
            has_foreign_partitions |= kind == "f";
            self.held.insert(name, oid.parse().unwrap_or(0));
        }
        // The rows of a foreign partition are read with its root.
        if listed.can_restrict && has_foreign_partitions {
            self.query_rows(OPERATION, label, "SET LOCAL restrict_nonsystem_relation_kind = 'view'")?;
        }
        Ok(None)
    }

    /// Looks whether a name still leads to the relation that the snapshot holds, with the partitions that it sees: a
    /// schema can be renamed and a partition attached in spite of the locks.
    ///
    /// # Errors
    /// Where it does not, or the relation is not held, because this role may not read it; it is named.
    pub(super) fn ensure_held(&mut self, name: &QualifiedName) -> Result<Held> {
        const OPERATION: &str = "read";
        let object = format!("table `{name}`");
        let Some(oid) = self.held.get(name) else {
            return Err(Error::could_not(OPERATION, object, "permission denied: this role may not read it").hint(
                "grant SELECT on it and USAGE on its schema to this role, connect as another role, or exclude it",
            ));
        };
        let quoted = format!("{}.{}", quote(&name.schema), quote(&name.name)).replace('\'', "''");
        let sql = include_str!("sql/still_held.sql").replace("{oid}", &oid.to_string()).replace("{name}", &quoted);
        let rows = self.query_rows(OPERATION, &object, &sql)?;
        let told = rows.first().map(Vec::as_slice);
        match told {
            Some([Some(is_it), Some(has_its_partitions), Some(is_plain)]) => {
                let changed = match (is_it.as_str(), has_its_partitions.as_str()) {
                    ("t", "t") => return Ok(Held { is_plain: is_plain == "t" }),
                    ("t", _) => "a partition was attached to it after the snapshot was taken",
                    _ => "its name leads to another relation than when the snapshot was taken",
                };
                Err(Error::could_not(OPERATION, object, changed)
                    .hint("another session changes tables or schemas meanwhile: run again when it is done"))
            }
            _ => Err(Error::could_not(OPERATION, object, "the server does not tell whether it is still there")),
        }
    }

    /// Names whoever holds the lock that was waited for in vain, as far as the role may know.
    fn explain_lock(&mut self) -> Error {
        let label = self.label().to_owned();
        let holders = self
            .query_rows(OPERATION, &label, "ROLLBACK")
            .and_then(|_| self.query_rows(OPERATION, &label, &pinned(include_str!("sql/lock_holders.sql"))));
        let holders = holders.ok().and_then(|rows| rows.into_iter().flatten().flatten().next());
        self.give_up();
        let seconds = self.lock_timeout.as_secs_f64();
        let told = holders.map_or_else(String::new, |holders| format!(": {holders}"));
        Error::could_not(OPERATION, label, format!("a table stayed locked by another session for {seconds} s{told}"))
            .hint("wait until its transaction ends, or end it with `SELECT pg_terminate_backend(PROCESS)`; then run again")
    }
}

/// A query outside the snapshot, in a transaction of its own: what a pooler lends may be another session each time, on
/// which nothing is pinned.
fn pinned(query: &str) -> String {
    format!("BEGIN READ ONLY;\nSET LOCAL search_path = pg_catalog, pg_temp;\n{query};\nCOMMIT")
}

/// The statements that hold what is listed and begin the snapshot, for a server of that version. None but PREPARE takes a
/// snapshot by itself.
fn begin_statements(version: u32, listed: &Listed, lock_timeout: Duration) -> String {
    let mut sql = String::from(include_str!("sql/begin_snapshot.sql"));
    if version >= 140_000 {
        sql.push_str("SET LOCAL idle_session_timeout = 0;\n");
    }
    if version >= 170_000 {
        sql.push_str("SET LOCAL transaction_timeout = 0;\n");
    }
    if listed.can_restrict {
        sql.push_str("SET LOCAL restrict_nonsystem_relation_kind = 'view, foreign-table';\n");
    }
    // Only an ALTER, a TRUNCATE or the like keeps a reader out; nobody should wait for one without a word.
    sql.push_str(&format!("SET LOCAL lock_timeout = {};\n", lock_timeout.as_millis()));
    if !listed.lock.is_empty() {
        sql.push_str(&format!("LOCK TABLE {} IN ACCESS SHARE MODE;\n", listed.lock.join(", ")));
    }
    if !listed.open.is_empty() {
        let open = listed.open.join(", ");
        sql.push_str(&format!("PREPARE whimbrel_hold AS SELECT FROM {open};\nDEALLOCATE whimbrel_hold;\n"));
    }
    sql.push_str("SET LOCAL lock_timeout = 0;\n");
    sql
}

fn version_text(version: u32) -> String {
    if version >= 100_000 {
        format!("{}.{}", version / 10_000, version % 10_000)
    } else {
        format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
    }
}

/// Whether the list is out of date: a relation or a schema is gone (42P01, 3F000), is of another kind (42809, 55000), or
/// may be read no more (42501); or whoever changes it and this session waited for each other (40P01).
fn is_change(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["42P01", "3F000", "42809", "55000", "42501", "40P01"].contains(&code.as_ref()))
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("55P03")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    #[test]
    fn each_version_gets_the_settings_that_it_knows_and_no_other() {
        let settings = |version| {
            let sql = begin_statements(version, &Listed::default(), WAIT);
            (sql.contains("idle_session_timeout"), sql.contains("transaction_timeout"))
        };
        assert_eq!(settings(130_000), (false, false));
        assert_eq!(settings(140_000), (true, false));
        assert_eq!(settings(160_009), (true, false));
        assert_eq!(settings(170_000), (true, true));
        assert_eq!(settings(180_001), (true, true));
        let plain = begin_statements(150_000, &Listed::default(), WAIT);
        assert!(!["LOCK TABLE", "PREPARE", "restrict"].iter().any(|word| plain.contains(word)), "{plain}");
    }

    #[test]
    fn the_locks_come_last_and_are_not_waited_for_for_ever() {
        let listed = Listed {
            lock: vec!["ONLY public.film".to_owned(), "\"a b\".\"c\"\"d\"".to_owned()],
            open: vec!["public.totals".to_owned()],
            can_restrict: true,
        };
        let sql = begin_statements(150_000, &listed, WAIT);
        assert_eq!(
            sql.lines().find(|line| !line.starts_with("--")),
            Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        );
        let last: Vec<_> = sql.lines().rev().take(6).collect();
        assert_eq!(
            last,
            [
                "SET LOCAL lock_timeout = 0;",
                "DEALLOCATE whimbrel_hold;",
                "PREPARE whimbrel_hold AS SELECT FROM public.totals;",
                "LOCK TABLE ONLY public.film, \"a b\".\"c\"\"d\" IN ACCESS SHARE MODE;",
                "SET LOCAL lock_timeout = 30000;",
                "SET LOCAL restrict_nonsystem_relation_kind = 'view, foreign-table';",
            ]
        );
    }

    #[test]
    fn versions_read_as_the_project_writes_them() {
        assert_eq!(version_text(120_022), "12.22");
        assert_eq!(version_text(90_624), "9.6.24");
    }
}
