//! One snapshot of everything that is read: held first, seen afterwards, compared, and begun anew where the two differ.
//!
//! A snapshot keeps rows, not relations: TRUNCATE, REFRESH and the rewrites of ALTER TABLE give a relation another file,
//! which holds nothing for an older snapshot, and a name may lead to another relation a moment later. So every relation
//! that may be read is locked against that before the snapshot is taken. What came into being between the list and the
//! locks is in the snapshot and not locked; a materialized view, which LOCK TABLE refuses, and a table of which the role
//! may read some columns only are opened by PREPARE as the snapshot's first act, which takes the same lock and plans
//! nothing: a planner runs functions. Then each relation that the snapshot sees is looked for among the locks that are
//! held, and its file in the snapshot is compared with the one of now. What others change without end is left out after
//! some time: nobody may have asked for it, and who reads it is told.
//!
//! What can still run while tables are read: no view and no foreign table, where the server knows
//! `restrict_nonsystem_relation_kind` (18 and 17, and since August 2024 each minor release of 13 to 16), elsewhere none
//! unless somebody renames a schema within the microseconds between the look at a name and the COPY; no policy, since
//! `row_security` is off and a policy is an error; no default, no trigger, no check. An ordinary table is read by COPY of
//! the table itself, which plans nothing, wherever a planner would find something to compute (`copy`). A query is planned (a
//! partitioned table, a materialized view, a generated column, the server's own digest), and a planner computes the parts of
//! index expressions and of extended statistics that depend on no column. Their functions are the table owner's.
//!
//! Not of the snapshot are, as for pg_dump: the positions of sequences, which no transaction has, and what the server
//! prints of definitions by looking up the names of now.

use super::failure::explain;
use super::session::Session;
use crate::catalog::QualifiedName;
use crate::error::{Error, Result};
use crate::event::Waiting;
use crate::quote::quote;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How often the snapshot is taken when a relation changes meanwhile, for how long if that is twice at least, and the
/// pause before the second time, which grows with each. What has changed the last time as well is left out.
const ATTEMPTS_MAX: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);
/// How many relations one message holds; the server says nothing while it waits for their locks.
const NAMES_MAX: usize = 100;
/// How long a statement that holds relations may take besides its waiting.
const WORK: Duration = Duration::from_secs(1);
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

/// How relations are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Lock,
    Open,
}

/// A relation that is read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// An ordinary table without generated columns: COPY takes it without a query.
    pub(super) is_plain: bool,
    /// A planner would compute something: expressions or conditions of its indexes, extended statistics.
    pub(super) has_expressions: bool,
}

impl Session {
    /// Lists the relations, holds them, takes the snapshot, and compares.
    pub(super) fn begin(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut attempt = 1;
        loop {
            let listed = self.list()?;
            self.hold(&listed)?;
            let is_last = attempt >= ATTEMPTS_MAX || (attempt > 1 && begun.elapsed() >= PATIENCE);
            if self.compare(&listed, is_last)? {
                return Ok(());
            }
            self.query_rows(OPERATION, self.label().to_owned(), "ROLLBACK")?;
            std::thread::sleep(PAUSE * attempt);
            attempt += 1;
        }
    }

    /// Begins the transaction and holds what is listed, as far as it is there. All waiting for locks together is limited
    /// to one `lock_timeout`: LOCK TABLE would wait so long for each table.
    fn hold(&mut self, listed: &Listed) -> Result<()> {
        let label = self.label().to_owned();
        let begun = Instant::now();
        let _ = self.lookout.take_told();
        self.query_rows(OPERATION, &label, &begin_statements(self.version, listed))?;
        // No lock was waited for: so long takes the way there and back.
        let way = begun.elapsed();
        let mut left = (self.lock_timeout > Duration::ZERO).then_some(self.lock_timeout);
        for (means, names) in [(Means::Lock, &listed.lock), (Means::Open, &listed.open)] {
            let mut groups: Vec<&[String]> = names.chunks(NAMES_MAX).rev().collect();
            while let Some(names) = groups.pop() {
                let begun = Instant::now();
                let sql = hold_statements(means, names, left);
                let outcome = self.attempt(OPERATION, &sql, left.map(|left| left.saturating_add(WORK)))?;
                let waited = begun.elapsed().saturating_sub(way);
                match outcome {
                    Ok(()) => {}
                    Err(error) if is_lock_timeout(&error, left.is_some_and(|left| waited >= left)) => {
                        return Err(self.explain_lock());
                    }
                    Err(error) if is_change(&error) => {
                        let undo = "ROLLBACK TO SAVEPOINT whimbrel_hold; RELEASE SAVEPOINT whimbrel_hold";
                        self.query_rows(OPERATION, &label, undo)?;
                        // One alone is skipped: where the snapshot sees it all the same, the comparison says so.
                        if names.len() > 1 {
                            let (first, second) = names.split_at(names.len() / 2);
                            groups.extend([second, first]);
                        }
                    }
                    Err(error) => {
                        self.give_up();
                        return Err(explain(OPERATION, label, &error).because(error));
                    }
                }
                left = left.map(|left| left.saturating_sub(waited));
            }
        }
        let patient = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0";
        self.query_rows(OPERATION, label, patient).map(|_| ())
    }

    /// The relations that this role may read.
    fn list(&mut self) -> Result<Listed> {
        let sql = pinned(include_str!("sql/lockable_tables.sql"));
        let mut listed = Listed::default();
        for row in self.query_rows(OPERATION, self.label().to_owned(), &sql)? {
            let [Some(version), Some(process), Some(lock_timeout_ms), Some(restrictions), hold, name] = row.as_slice()
            else {
                return Err(Error::could_not(OPERATION, self.label(), "the server does not tell its version"));
            };
            self.version = version.parse().unwrap_or(0);
            self.lookout.look_at(process.parse().unwrap_or(0));
            // A role's or a database's limit is meant for an application. Zero waits for ever, which nobody should who
            // has not said so.
            if let (None, Ok(chosen)) = (self.patience.lock_wait, lock_timeout_ms.parse()) {
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

    /// Notes what the snapshot reads; tells whether each relation that it sees is held as it sees it. The last time
    /// those that are not, and the partitioned tables above them, are noted as changed.
    fn compare(&mut self, listed: &Listed, is_last: bool) -> Result<bool> {
        let label = self.label().to_owned();
        let (mut seen, mut changed) = (Vec::new(), HashSet::new());
        let mut has_foreign_partitions = false;
        for row in self.query_rows(OPERATION, label.clone(), include_str!("sql/held_relations.sql"))? {
            let [Some(schema), Some(name), Some(oid), Some(kind), Some(state), Some(ancestors)] = row.as_slice() else {
                return Err(Error::could_not(OPERATION, label, "the server does not tell its relations"));
            };
            if state != "held" {
                if !is_last {
                    return Ok(false);
                }
                changed.extend(ancestors.split(',').chain([oid.as_str()]).map(str::to_owned));
            }
            has_foreign_partitions |= kind == "f";
            seen.push((QualifiedName::new(schema, name), oid.clone()));
        }
        self.held.clear();
        self.changed.clear();
        for (name, oid) in seen {
            if changed.contains(&oid) {
                self.changed.insert(name);
            } else {
                self.held.insert(name, oid.parse().unwrap_or(0));
            }
        }
        // The rows of a foreign partition are read with its root.
        if listed.can_restrict && has_foreign_partitions {
            self.query_rows(OPERATION, label, "SET LOCAL restrict_nonsystem_relation_kind = 'view'")?;
        }
        Ok(true)
    }

    /// Looks whether a name still leads to the relation that the snapshot holds, with the partitions that it sees: a
    /// schema can be renamed and a partition attached in spite of the locks. A partition in a schema that this role may
    /// not use may have been held by nothing before it was read: its file is looked at as well.
    ///
    /// # Errors
    /// Where it does not, or the relation is not held, because this role may not read it, or because others changed it
    /// each time that the snapshot was taken; it is named.
    pub(super) fn ensure_held(&mut self, name: &QualifiedName) -> Result<Held> {
        const OPERATION: &str = "read";
        let object = format!("table `{name}`");
        let oid = self.held_oid(name)?;
        let quoted = format!("{}.{}", quote(&name.schema), quote(&name.name)).replace('\'', "''");
        let sql = include_str!("sql/still_held.sql").replace("{oid}", &oid.to_string()).replace("{name}", &quoted);
        let rows = self.query_rows(OPERATION, &object, &sql)?;
        let told = rows.first().map(Vec::as_slice);
        match told {
            Some(
                [Some(is_it), Some(has_its_partitions), Some(has_its_files), Some(is_plain), Some(has_expressions)],
            ) => {
                let changed = match (is_it.as_str(), has_its_partitions.as_str(), has_its_files.as_str()) {
                    ("t", "t", "t") => {
                        return Ok(Held { is_plain: is_plain == "t", has_expressions: has_expressions == "t" });
                    }
                    ("t", "t", _) => "a partition of it was emptied or rewritten after the snapshot was taken",
                    ("t", ..) => "a partition was attached to it after the snapshot was taken",
                    _ => "its name leads to another relation than when the snapshot was taken",
                };
                Err(Error::could_not(OPERATION, object, changed)
                    .hint("another session changes tables or schemas meanwhile: run again when it is done"))
            }
            _ => Err(Error::could_not(OPERATION, object, "the server does not tell whether it is still there")),
        }
    }

    /// The number of a relation that the snapshot holds.
    ///
    /// # Errors
    /// As [`Session::ensure_held`], without a look at what its name leads to.
    pub(super) fn held_oid(&self, name: &QualifiedName) -> Result<i64> {
        const OPERATION: &str = "read";
        let object = format!("table `{name}`");
        if self.changed.contains(name) {
            let cause = "it or a partition of it was created, replaced, emptied or rewritten while the snapshot was taken, \
                         and again each time that it was taken anew";
            return Err(Error::could_not(OPERATION, object, cause).hint(
                "another session (`pg_stat_activity` shows it) goes on changing it: run again when it is done, or exclude it",
            ));
        }
        self.held.get(name).copied().ok_or_else(|| {
            Error::could_not(OPERATION, object, "permission denied: this role may not read it")
                .hint("grant SELECT on it and USAGE on its schema to this role, connect as another role, or exclude it")
        })
    }

    /// Names whoever holds the lock that was waited for in vain, as far as the role may know.
    fn explain_lock(&mut self) -> Error {
        let label = self.label().to_owned();
        let waiting = self.lookout.take_told().or_else(|| {
            let holders = self
                .query_rows(OPERATION, &label, "ROLLBACK")
                .and_then(|_| self.query_rows(OPERATION, &label, &pinned(include_str!("sql/lock_holders.sql"))));
            holders.ok().as_deref().and_then(Waiting::from_rows)
        });
        self.give_up();
        let seconds = self.lock_timeout.as_secs_f64();
        let told = waiting.map_or_else(String::new, |waiting| format!(": {waiting}"));
        let cause = format!("a table, or one after another, stayed locked by another session for {seconds} s{told}");
        Error::could_not(OPERATION, label, cause).hint(
            "every table that this role may read counts, an excluded one as well: wait until that transaction ends, or end \
             it with `SELECT pg_terminate_backend(PROCESS)`; then run again, with `--lock-wait` for more seconds",
        )
    }
}

/// A query outside the snapshot, in a transaction of its own: what a pooler lends may be another session each time, on
/// which nothing is pinned.
fn pinned(query: &str) -> String {
    format!("BEGIN READ ONLY;\nSET LOCAL search_path = pg_catalog, pg_temp;\n{query};\nCOMMIT")
}

/// The statements that begin the transaction, for a server of that version. None takes a snapshot.
fn begin_statements(version: u32, listed: &Listed) -> String {
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
    sql
}

/// The statements that hold some relations and wait for their locks for as long as is `left`, for ever if nothing is said.
/// None but PREPARE takes a snapshot; a failure can be undone alone.
fn hold_statements(means: Means, names: &[String], left: Option<Duration>) -> String {
    // Only an ALTER, a TRUNCATE or the like keeps a reader out; nobody should wait for one without a word.
    let lock_timeout = left.map_or(0, |left| left.as_millis().max(1));
    let statement_timeout = left.map_or(0, |left| left.saturating_add(WORK).as_millis().min(i32::MAX as u128));
    let names = names.join(", ");
    let hold = match means {
        Means::Lock => format!("LOCK TABLE {names} IN ACCESS SHARE MODE"),
        Means::Open => format!("PREPARE whimbrel_hold AS SELECT FROM {names};\nDEALLOCATE whimbrel_hold"),
    };
    format!(
        "SAVEPOINT whimbrel_hold;\nSET LOCAL lock_timeout = {lock_timeout};\n\
         SET LOCAL statement_timeout = {statement_timeout};\n{hold};\nRELEASE SAVEPOINT whimbrel_hold"
    )
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

/// Whether a lock was waited for in vain, or several locks together: the statement's own limit then ends it.
fn is_lock_timeout(error: &sqlx::Error, is_over: bool) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "55P03" || (is_over && code == "57014"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_gets_the_settings_that_it_knows_and_no_other() {
        let settings = |version| {
            let sql = begin_statements(version, &Listed::default());
            (sql.contains("idle_session_timeout"), sql.contains("transaction_timeout"))
        };
        assert_eq!(settings(130_000), (false, false));
        assert_eq!(settings(140_000), (true, false));
        assert_eq!(settings(160_009), (true, false));
        assert_eq!(settings(170_000), (true, true));
        assert_eq!(settings(180_001), (true, true));
        let plain = begin_statements(150_000, &Listed::default());
        assert!(!["LOCK TABLE", "PREPARE", "restrict"].iter().any(|word| plain.contains(word)), "{plain}");
    }

    #[test]
    fn the_transaction_begins_before_anything_else() {
        let sql = begin_statements(150_000, &Listed { can_restrict: true, ..Listed::default() });
        assert_eq!(
            sql.lines().find(|line| !line.starts_with("--")),
            Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
        );
        assert_eq!(
            sql.lines().next_back(),
            Some("SET LOCAL restrict_nonsystem_relation_kind = 'view, foreign-table';")
        );
    }

    #[test]
    fn locks_are_waited_for_as_long_as_is_left_and_for_ever_only_where_that_was_asked_for() {
        let names = ["ONLY public.film".to_owned(), "\"a b\".\"c\"\"d\"".to_owned()];
        let sql = hold_statements(Means::Lock, &names, Some(Duration::from_secs(30)));
        assert_eq!(
            sql.lines().collect::<Vec<_>>(),
            [
                "SAVEPOINT whimbrel_hold;",
                "SET LOCAL lock_timeout = 30000;",
                "SET LOCAL statement_timeout = 31000;",
                "LOCK TABLE ONLY public.film, \"a b\".\"c\"\"d\" IN ACCESS SHARE MODE;",
                "RELEASE SAVEPOINT whimbrel_hold",
            ]
        );
        let sql = hold_statements(Means::Open, &names[..1], None);
        assert!(sql.contains("lock_timeout = 0;\nSET LOCAL statement_timeout = 0;\nPREPARE"), "{sql}");
        let sql = hold_statements(Means::Open, &names[..1], Some(Duration::ZERO));
        assert!(sql.contains("lock_timeout = 1;\nSET LOCAL statement_timeout = 1000;\nPREPARE"), "{sql}");
    }

    #[test]
    fn versions_read_as_the_project_writes_them() {
        assert_eq!(version_text(120_022), "12.22");
        assert_eq!(version_text(90_624), "9.6.24");
    }
}
