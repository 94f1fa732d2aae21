//! What the program prints with `--json`: one [`Message`] per line, `{"type": …, "data": …}`.
//!
//! This is the specification. Types are written in snake_case; a field that is `null` is there all the same; sizes
//! end in `_bytes`, times in `_ms`. Within one minor version of the program, messages and fields are only added.

use crate::store::{Health, modes::ModeChange, repair::Repair};
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod backups;
mod convert;
mod home;
mod progress;
mod setting;
mod sync;
mod test;
mod tree;

pub use backups::{Backup, Backups, NotCompressed, OtherBackups, Pruned, Restored, Taken};
pub use convert::phase_name;
pub use home::{HomeDefinition, HomeOutcome, HomePlan, HomeTable, KeptObject, LoadedTable, Undone};
pub use progress::{Holder, IndexStarted, PhaseStarted, Progress, TableFinished, TableStarted, Waiting};
pub use setting::SettingFrom;
pub use sync::{BothValues, Synced, SyncedEntry, SyncedRecord, SyncedTable, UnsaidValue};
pub use test::{KillRate, Property, QueryLatency, Spread, Step, TestFailed, TestPassed};
pub use tree::{FilesOfKind, RejectedFile, TreeCheck, TreeOutcome};

/// One line of output for programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Message {
    /// A part of the run begins.
    Phase(PhaseStarted),
    /// The rows of a table begin to be copied.
    TableStarted(TableStarted),
    /// All rows of a table are in the target.
    TableFinished(TableFinished),
    /// An index begins to be built.
    IndexStarted(IndexStarted),
    /// How far the run is; about once a second.
    Progress(Progress),
    /// The server says nothing because another session holds a lock; at the earliest after two seconds.
    Waiting(Waiting),
    /// A plan.
    Plan(Plan),
    /// What a migrate did; a message `verification` comes before it.
    Outcome(Box<Outcome>),
    /// What a migrate into a tree of files did; a message `verification` comes before it.
    TreeOutcome(Box<TreeOutcome>),
    /// What a PostgreSQL database is to get of a SQLite file.
    HomePlan(HomePlan),
    /// What a migrate into a PostgreSQL database did; a message `verification` comes before it.
    HomeOutcome(Box<HomeOutcome>),
    /// What was taken back of a PostgreSQL database.
    Undone(Undone),
    /// What a verification found.
    Verification(Verification),
    /// The backups of a target.
    Backups(Backups),
    /// A backup that was asked for.
    Taken(Box<Taken>),
    /// What a clean-up of backups did.
    Pruned(Pruned),
    /// What a rollback did.
    Restored(Box<Restored>),
    /// What a finished file looks like on its own.
    Check(Check),
    /// What a tree of files looks like by its layout.
    TreeCheck(TreeCheck),
    /// What a sync has found and done.
    Synced(Box<Synced>),
    /// How a store is.
    StoreHealth(Box<Health>),
    /// What a repair of a store has found and done.
    StoreRepair(Box<Repair>),
    /// What a change of a store's mode has found and done.
    StoreMode(Box<ModeChange>),
    /// What an optimization did.
    Optimized(Optimized),
    /// How fast a project's queries are.
    Latency(Latency),
    /// What a database was filled with.
    Generated(Generated),
    /// Every property held in every case of a test.
    TestPassed(TestPassed),
    /// A property that does not hold, or a case that could not be run; an `error` comes after it.
    TestFailed(Box<TestFailed>),
    /// Why the program ends without success; always the last message.
    Error(Failure),
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The source without a password.
    pub source: String,
    /// Its engine and version.
    pub engine: String,
    /// The target's path; `null` where none was given.
    pub target: Option<String>,
    /// The target's schema is given by the project, not derived.
    pub given_schema: bool,
    /// The version of SQLite that the file needs at least, as in `3.37`.
    pub needs_sqlite: String,
    /// The tables in the order in which they are copied.
    pub tables: Vec<PlannedTable>,
    /// The views, each after those that it reads.
    pub views: Vec<PlannedObject>,
    /// What is not carried.
    pub not_carried: Vec<NotCarried>,
    /// What is carried and behaves differently in a corner.
    pub caveats: Vec<Caveat>,
    /// What stops the run until somebody decides.
    pub refusals: Vec<Refusal>,
    /// Settings of the project that name a variable of the environment; absent where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<SettingFrom>,
}

/// One table of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedTable {
    /// `schema.table` in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// The source's estimate of its rows; `null` where it has none.
    pub rows_expected: Option<u64>,
    /// Its columns.
    pub columns: Vec<PlannedColumn>,
    /// The CREATE TABLE statement; `null` where the target's schema is given.
    pub ddl: Option<String>,
    /// The indexes that are built after the rows.
    pub indexes: Vec<PlannedObject>,
}

/// One column of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedColumn {
    /// Its name in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Its type as the source spells it.
    pub r#type: String,
    /// How its values are represented.
    pub rule: String,
    /// The column holds every value of its type.
    pub exact: bool,
    /// What it cannot hold and the ledger keeps; `null` where it holds everything.
    pub ledger: Option<String>,
    /// NOT NULL in the target.
    pub not_null: bool,
    /// The target computes it.
    pub computed: bool,
}

/// An index or a view of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedObject {
    /// The object in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// The CREATE statement.
    pub sql: String,
}

/// An object of the source that is not carried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotCarried {
    /// Its kind in lower case.
    pub kind: String,
    /// Its name.
    pub object: String,
    /// Why it is not carried.
    pub reason: String,
}

/// Something that is carried and behaves differently in a corner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caveat {
    /// The object.
    pub object: String,
    /// What differs.
    pub text: String,
}

/// Something that stops the run until somebody decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The object.
    pub object: String,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub way_out: String,
}

/// What a migrate did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The source without a password.
    pub source: String,
    /// Its engine and version.
    pub engine: String,
    /// The target's path.
    pub target: String,
    /// The target has the metadata tables.
    pub metadata: bool,
    /// The version of SQLite that the file needs at least, as in `3.37`.
    pub needs_sqlite: String,
    /// Each table.
    pub tables: Vec<CopiedTable>,
    /// How many values the ledger keeps.
    pub ledger_entries: u64,
    /// What is not carried.
    pub not_carried: Vec<NotCarried>,
    /// What is carried and behaves differently in a corner.
    pub caveats: Vec<Caveat>,
    /// What was published; `null` where verification found differences or nothing was to be published, and the target is
    /// what it was.
    pub published: Option<Published>,
    /// Nothing was to be published; absent where that is not so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// How long each part took.
    pub durations: Durations,
}

/// One table of a migrate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopiedTable {
    /// `schema.table` in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Rows read from the source.
    pub rows: u64,
    /// Bytes of text and blobs.
    pub bytes: u64,
    /// Its columns hold every value that was copied.
    pub exact: bool,
    /// How many values they do not hold whole; the ledger keeps them, where there is one.
    pub inexact_values: u64,
    /// The digest of the source's rows, 32 hexadecimal digits.
    pub digest: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The target's path, links followed.
    pub target: String,
    /// Its size, read back.
    pub size_bytes: u64,
    /// `wal` or `delete`.
    pub journal_mode: Value,
    /// The id of the backup of what was there before.
    pub backup: String,
    /// The command that undoes the run.
    pub way_back: String,
    /// The rename is known to survive a power failure.
    pub durable: bool,
    /// What people should know.
    pub notes: Vec<String>,
}

/// How long each part of a run took, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is named after its part")]
pub struct Durations {
    pub plan_ms: u64,
    pub copy_ms: u64,
    pub finish_ms: u64,
    pub verify_ms: u64,
    pub publish_ms: u64,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// `counts`, `digest`, `full` or `paranoid`.
    pub level: Value,
    /// Nothing was found.
    pub sound: bool,
    /// Each table.
    pub tables: Vec<VerifiedTable>,
    /// How the schema differs.
    pub objects: Vec<String>,
    /// How the file differs from what it records of itself.
    pub record: Vec<Difference>,
    /// The digest of everything that the file remembers, 32 hexadecimal digits; `null` where it has none.
    pub manifest_digest: Option<String>,
    /// Rows without their parent; `null` where they were not looked for.
    pub foreign_keys: Option<ForeignKeys>,
    /// What SQLite says about the structure; `null` where it was not asked.
    pub integrity: Option<Findings>,
    /// The same of a source that is a SQLite file; not there where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_integrity: Option<Findings>,
    /// The project's checks.
    pub checks: Vec<UserCheck>,
    /// What was not checked.
    pub not_checked: Vec<String>,
    /// Columns that hold less than the source's values, where no ledger keeps the rest; not there where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inexact: Vec<InexactColumn>,
}

/// A column that holds less than the source's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InexactColumn {
    /// `schema.table` in the source.
    pub table: String,
    /// The column in the source.
    pub column: String,
    /// How many values are more than it holds.
    pub values: u64,
    /// The first row with one, by its key.
    pub row: String,
    /// That value as the source spells it.
    pub value: String,
}

/// One thing that is not what it was when the file was finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// `metadata`, `header`, `definition`, `addition`, `number` or `rows`.
    pub kind: Value,
    /// No use of the file explains it.
    pub damage: bool,
    /// What differs, for people.
    pub text: String,
}

/// One table of a verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifiedTable {
    /// `schema.table` in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Nothing was found.
    pub sound: bool,
    /// Rows in the source.
    pub source_rows: u64,
    /// Rows read back from the target; `null` where it cannot be read.
    pub target_rows: Option<u64>,
    /// The digest of the source's rows; `null` where values were not compared.
    pub source_digest: Option<String>,
    /// The digest of the target's rows; `null` where values were not compared.
    pub target_digest: Option<String>,
    /// The digest that the source computed by itself; not there where it was not asked (`paranoid` asks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_digest: Option<String>,
    /// The same of the target's rows; not there where the source was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_digest_of_target: Option<String>,
    /// Rows with the same key and other values; `null` where they were not looked for.
    pub changed: Option<u64>,
    /// Rows that the target lacks.
    pub missing: Option<u64>,
    /// Rows that only the target has.
    pub surplus: Option<u64>,
    /// Entries of the ledger for the table that say nothing about any of its values.
    pub ledger_surplus: u64,
    /// The first rows that differ.
    pub rows: Vec<DifferentRow>,
    /// Why the table cannot be read back.
    pub failure: Option<String>,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferentRow {
    /// Its key.
    pub key: String,
    /// `changed`, `missing` or `surplus`.
    pub kind: String,
    /// The columns that differ.
    pub columns: Vec<DifferentColumn>,
}

/// A value that differs; `null` is NULL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferentColumn {
    /// The column in the source.
    pub column: String,
    /// The source's value.
    pub source: Option<String>,
    /// The target's value.
    pub target: Option<String>,
}

/// Rows without their parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKeys {
    /// How many there are.
    pub total: u64,
    /// The first of them.
    pub orphans: Vec<Orphan>,
    /// Keys that cannot be checked, with the reason.
    pub unusable: Vec<String>,
    /// The source has the same rows; not there where it has not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_source: bool,
    /// The tables of the target that do not have the parents, because of what somebody has chosen; not there where none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A row without its parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orphan {
    /// The table that refers.
    pub table: String,
    /// Its rowid; `null` in a table without one.
    pub rowid: Option<i64>,
    /// The table that is referred to.
    pub parent: String,
    /// The columns of the key.
    pub columns: Vec<String>,
    /// The row's own key; `null` where it cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Its values in these columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    /// The foreign key in the source, `schema.table.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// Messages of SQLite: the first, and how many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// How many there are.
    pub total: u64,
    /// Counting was stopped: there may be more.
    pub stopped: bool,
    /// The first of them.
    pub messages: Vec<String>,
}

/// One of the project's checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserCheck {
    /// The file's name.
    pub file: String,
    /// Its first comment line, else the file's name.
    pub title: String,
    /// How many rows it returned; 0 means passed.
    pub violations: u64,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// The first rows, each value as SQL would write it.
    pub rows: Vec<Vec<String>>,
}

/// What a finished file looks like on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The file's path.
    pub target: String,
    /// Nothing was found; what its users may have changed is nothing.
    pub sound: bool,
    /// Nothing has changed since it was made; `null` where it cannot tell.
    pub unchanged: Option<bool>,
    /// How it was made; `null` where it has no metadata.
    pub made: Option<Made>,
    /// The indexes that it has, keys left out.
    pub indexes: Vec<Index>,
    /// What SQLite says about the structure.
    pub integrity: Findings,
    /// Rows without their parent.
    pub foreign_keys: ForeignKeys,
    /// Each column that has to hold JSON.
    pub json: Vec<JsonColumn>,
    /// The project's checks.
    pub checks: Vec<UserCheck>,
    /// Each table that was copied, then and now.
    pub tables: Vec<TableSince>,
    /// What else is not as it was when the file was finished.
    pub record: Vec<Difference>,
    /// What was not checked.
    pub not_checked: Vec<String>,
}

/// How a file was made, by its own manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The program and its version.
    pub tool: String,
    /// The source without a password.
    pub source: String,
    /// When it was finished: UTC, ISO 8601.
    pub finished_at: String,
    /// The digest of everything that the file remembers, 32 hexadecimal digits; `null` in a file of form 1.
    pub digest: Option<String>,
}

/// An index of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: String,
    /// It keeps rows apart.
    pub unique: bool,
}

/// A table that was copied, then and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSince {
    /// `schema.table` in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Its rows when the file was finished.
    pub rows_then: u64,
    /// Its rows now; `null` where it cannot be read.
    pub rows_now: Option<u64>,
    /// Every value is what it was; `null` where it cannot be read.
    pub same_values: Option<bool>,
    /// Entries of the ledger for values that have been changed since.
    pub ledger_surplus: u64,
    /// Why it cannot be read.
    pub failure: Option<String>,
    /// No use of the file explains that it cannot be read.
    pub damaged: bool,
}

/// A column that has to hold JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonColumn {
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// How many values are not JSON.
    pub invalid: u64,
    /// The first of them, as SQL would write them.
    pub examples: Vec<String>,
}

/// What an optimization did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimized {
    /// The file's path, links followed.
    pub path: String,
    /// Its size with its log before.
    pub size_bytes_before: u64,
    /// Its size with its log after.
    pub size_bytes_after: u64,
    /// Rows of statistics that the query planner now has.
    pub statistics: u64,
    /// The pages were packed again.
    pub vacuumed: bool,
    /// Full-text indexes that were rebuilt.
    pub rebuilt: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// How fast a project's queries are on one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The project's name.
    pub project: String,
    /// The file that was measured; `null` where its rows were generated.
    pub target: Option<String>,
    /// The rows of all tables.
    pub rows: u64,
    /// How many tables that is.
    pub tables: u64,
    /// How often each query was run and timed.
    pub runs: u32,
    /// How often it was run before that.
    pub warm_up: u32,
    /// What the rows were generated with and the parameters drawn with.
    pub seed: u64,
    /// No target was missed.
    pub held: bool,
    /// Each query.
    pub queries: Vec<MeasuredQuery>,
}

/// One query; its figures are `null` where it was not measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredQuery {
    /// The file's name without its ending.
    pub name: String,
    /// The file's path.
    pub file: String,
    /// What the query is for.
    pub title: String,
    /// Why it was not measured; `null` where it was.
    pub not_measured: Option<String>,
    /// From how many rows its parameters were drawn.
    pub parameter_sets: Option<u64>,
    /// The most rows that a run returned.
    pub rows_max: Option<u64>,
    /// How many runs returned none.
    pub empty_runs: Option<u64>,
    /// Half of the runs were at most this slow.
    pub p50_ms: Option<f64>,
    /// 95 of 100 runs were at most this slow.
    pub p95_ms: Option<f64>,
    /// 99 of 100 runs were at most this slow.
    pub p99_ms: Option<f64>,
    /// The slowest run.
    pub max_ms: Option<f64>,
    /// What it has to stay below, its own targets and the project's.
    pub target: LatencyTarget,
    /// The targets that were missed.
    pub missed: Vec<MissedTarget>,
    /// What to look at all the same.
    pub warnings: Vec<String>,
    /// SQLite's query plan, one step each, indented.
    pub plan: Vec<String>,
}

/// What the runs of a query have to stay below; `null` where nothing is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is named after its percentile")]
pub struct LatencyTarget {
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
}

/// A target that was missed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissedTarget {
    /// `P50`, `P95`, `P99` or `max`.
    pub figure: String,
    /// What it is.
    pub measured_ms: f64,
    /// What it should have been below.
    pub target_ms: f64,
}

/// What a database was filled with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    /// The database without a password.
    pub database: String,
    /// What all random choices came from.
    pub seed: u64,
    /// The rows of all tables.
    pub rows: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Rows by that time.
    pub rows_per_second: u64,
    /// Each table, in the order in which they were filled.
    pub tables: Vec<GeneratedTable>,
    /// Triggers of these tables, which fired as for any other row.
    pub triggers: Vec<String>,
    /// Hints that name nothing, and statistics that could not be gathered when the rows were there.
    pub notes: Vec<String>,
}

/// A table that was filled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratedTable {
    /// `schema.table`.
    pub table: String,
    /// How many rows it got.
    pub rows: u64,
    /// How many it was to get.
    pub rows_wanted: u64,
    /// Why it got fewer; `null` where it did not.
    pub why_fewer: Option<String>,
}

/// Why the program ends without success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// `differs`, `could_not_run`, `usage` or `interrupted`.
    pub kind: String,
    /// What was being done.
    pub operation: String,
    /// The object it was being done to; empty where there is none.
    pub object: String,
    /// Why it failed.
    pub cause: String,
    /// The way out, where one is known.
    pub hint: Option<String>,
    /// The exit code.
    pub exit_code: u8,
}
