//! What is said of the way home, from a SQLite file to PostgreSQL.

use super::{Caveat, NotCarried, Refusal};
use crate::endpoint::postgres;
use crate::report::home::since_words;
use crate::to_postgres::{self, Since};
use crate::transfer::run::Planned;
use serde::{Deserialize, Serialize};

/// What a PostgreSQL database is to get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomePlan {
    /// The file.
    pub source: String,
    /// The engine and version that the file was made from.
    pub engine: String,
    /// The database without a password.
    pub target: String,
    /// Its tables: in the file's words and in the database's.
    pub tables: Vec<HomeTable>,
    /// The statements before the rows.
    pub before: Vec<HomeDefinition>,
    /// The statements over the rows.
    pub after: Vec<HomeDefinition>,
    /// What is not carried.
    pub not_carried: Vec<NotCarried>,
    /// What is carried and behaves differently in a corner.
    pub caveats: Vec<Caveat>,
    /// What stops the run until somebody decides.
    pub refusals: Vec<Refusal>,
}

/// A table of such a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeTable {
    /// `schema.table` in the file's catalog.
    pub source: String,
    /// `schema.table` in the database.
    pub target: String,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeDefinition {
    /// The kind of its object.
    pub kind: String,
    /// The object.
    pub object: String,
    /// The statement.
    pub sql: String,
}

/// What a migrate into a PostgreSQL database did; a message `verification` comes before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeOutcome {
    /// The file.
    pub source: String,
    /// The engine and version that the file was made from.
    pub engine: String,
    /// The database without a password.
    pub target: String,
    /// Each table.
    pub tables: Vec<LoadedTable>,
    /// What is not carried.
    pub not_carried: Vec<NotCarried>,
    /// What is carried and behaves differently in a corner.
    pub caveats: Vec<Caveat>,
    /// It was committed; else the database is what it was before.
    pub committed: bool,
    /// The number of the run in `_whimbrel.runs`; `null` where the database does not remember it.
    pub run: Option<i64>,
    /// Nothing was to be committed.
    pub dry_run: bool,
}

/// A table that was loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadedTable {
    /// `schema.table` in the file's catalog.
    pub source: String,
    /// `schema.table` in the database.
    pub target: String,
    /// Its rows.
    pub rows: u64,
    /// The digest of the rows as they were handed over, 32 hexadecimal digits.
    pub digest: String,
    /// `as it was made`, `changed since` or `new since`.
    pub since: String,
}

/// What was taken back of a PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undone {
    /// The database without a password.
    pub target: String,
    /// The number of the run.
    pub run: i64,
    /// What was removed: its kind and its name.
    pub removed: Vec<String>,
    /// What was kept.
    pub kept: Vec<KeptObject>,
}

/// Something of a run that stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptObject {
    /// Its kind and its name.
    pub object: String,
    /// Why it was kept.
    pub why: String,
}

impl From<&postgres::Undone> for Undone {
    fn from(undone: &postgres::Undone) -> Self {
        let kept = |kept: &postgres::Kept| KeptObject { object: kept.object.clone(), why: kept.why.clone() };
        Undone {
            target: undone.target.clone(),
            run: undone.run,
            removed: undone.removed.clone(),
            kept: undone.kept.iter().map(kept).collect(),
        }
    }
}

impl HomePlan {
    /// The message for a plan.
    pub fn new(planned: &Planned, target: &str) -> Self {
        let Planned { source, catalog, plan } = planned;
        let list = |definitions: &[crate::plan::home::Definition]| {
            let one = |definition: &crate::plan::home::Definition| HomeDefinition {
                kind: definition.kind.to_string(),
                object: definition.object.clone(),
                sql: definition.sql.clone(),
            };
            definitions.iter().map(one).collect::<Vec<_>>()
        };
        let (before, after) =
            plan.home.as_ref().map(|home| (list(&home.before), list(&home.after))).unwrap_or_default();
        HomePlan {
            source: source.clone(),
            engine: catalog.engine.clone(),
            target: target.to_owned(),
            tables: (plan.tables.iter())
                .map(|table| HomeTable { source: table.source.to_string(), target: table.target.clone() })
                .collect(),
            before,
            after,
            not_carried: plan.losses.iter().map(NotCarried::from).collect(),
            caveats: plan.caveats.iter().map(Caveat::from).collect(),
            refusals: (plan.refusals.iter())
                .map(|refusal| Refusal {
                    object: refusal.object(),
                    reason: refusal.reason(),
                    way_out: refusal.way_out(),
                })
                .collect(),
        }
    }
}

impl HomeOutcome {
    /// The message for an outcome.
    pub fn new(outcome: &to_postgres::Outcome, since: &[Since]) -> Self {
        let tables = outcome.plan.tables.iter().zip(&outcome.copied).zip(since);
        HomeOutcome {
            source: outcome.source.clone(),
            engine: outcome.engine.clone(),
            target: outcome.target.trim_matches('`').to_owned(),
            tables: tables
                .map(|((table, copied), since)| LoadedTable {
                    source: table.source.to_string(),
                    target: table.target.clone(),
                    rows: copied.digest.rows,
                    digest: copied.digest.to_string(),
                    since: since_words(*since).to_owned(),
                })
                .collect(),
            not_carried: outcome.plan.losses.iter().map(NotCarried::from).collect(),
            caveats: outcome.plan.caveats.iter().map(Caveat::from).collect(),
            committed: outcome.published.is_some(),
            run: outcome.published.as_ref().and_then(|published| published.run),
            dry_run: outcome.dry_run,
        }
    }
}
