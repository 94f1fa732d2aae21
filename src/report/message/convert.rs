//! From what engines return to messages.

use super::*;
use crate::backup::list::{self, Entry, State};
use crate::backup::{prune, restore};
use crate::endpoint::files::source;
use crate::endpoint::sqlite::file::shown;
use crate::endpoint::sqlite::optimize;
use crate::endpoint::{Rejected, findings, inexact};
use crate::error::{Error, Kind};
use crate::event::{self, Event, Phase};
use crate::plan;
use crate::printable;
use crate::project::{self, Origin};
use crate::report::{RunContext, remainder};
use crate::to_files;
use crate::to_sqlite;
use crate::verify;
use crate::verify::diff::RowDifferenceKind;
use crate::verify::file::FileCheck;
use std::time::Duration;

impl Message {
    /// The message as one line of JSON, its end included, without a character that a terminal would obey.
    pub fn line(&self) -> String {
        // Every map here has text keys and every number is finite, which is all that can fail.
        let line = serde_json::to_string(self).unwrap_or_default();
        format!("{}\n", printable::json(&line))
    }

    /// The message for an event; `None` for one that is told through [`Progress`].
    pub fn of_event(event: &Event) -> Option<Message> {
        Some(match event {
            Event::PhaseStarted { phase } => Message::Phase(PhaseStarted { phase: phase_name(*phase).to_owned() }),
            Event::TableStarted { table, row_estimate } => Message::TableStarted(TableStarted {
                table: table.to_string(),
                rows_expected: u64::try_from(*row_estimate).ok(),
            }),
            Event::TableFinished { table, rows } => {
                Message::TableFinished(TableFinished { table: table.to_string(), rows: *rows })
            }
            Event::IndexStarted { index } => Message::IndexStarted(IndexStarted { index: index.clone() }),
            Event::Waiting(waiting) => Message::Waiting(waiting.into()),
            Event::PlanReady { .. }
            | Event::RowsCopied { .. }
            | Event::RowsVerified { .. }
            | Event::SourceRead { .. } => return None,
        })
    }
}

impl From<&event::Waiting> for Waiting {
    fn from(waiting: &event::Waiting) -> Self {
        let event::Waiting { relation, holders, waited_ms, left_ms } = waiting;
        let holders = holders.iter().map(|holder| Holder {
            process: (holder.process > 0).then_some(holder.process),
            user: holder.user.clone(),
            application: holder.application.clone(),
            since: holder.since.clone(),
            waits_for: holder.waits_for.clone(),
        });
        Waiting { table: relation.clone(), holders: holders.collect(), waited_ms: *waited_ms, left_ms: *left_ms }
    }
}

/// The word for a phase.
pub fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Introspect => "introspect",
        Phase::Copy => "copy",
        Phase::Generate => "generate",
        Phase::Finish => "finish",
        Phase::Verify => "verify",
        Phase::Compare => "compare",
        Phase::Publish => "publish",
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Plan {
    /// The message for a plan.
    pub fn new(source: &str, engine: &str, target: Option<String>, plan: &plan::Plan) -> Self {
        Plan {
            source: source.to_owned(),
            engine: engine.to_owned(),
            target,
            given_schema: plan.given_schema,
            needs_sqlite: plan.needs_sqlite().to_string(),
            tables: plan.tables.iter().map(PlannedTable::from).collect(),
            views: plan
                .views
                .iter()
                .map(|view| PlannedObject {
                    source: view.source.to_string(),
                    target: view.target.clone(),
                    sql: view.sql.clone(),
                })
                .collect(),
            not_carried: plan.losses.iter().map(NotCarried::from).collect(),
            caveats: plan.caveats.iter().map(Caveat::from).collect(),
            refusals: plan
                .refusals
                .iter()
                .map(|refusal| Refusal {
                    object: refusal.object(),
                    reason: refusal.reason(),
                    way_out: refusal.way_out(),
                })
                .collect(),
            settings: Vec::new(),
        }
    }

    /// With where the settings are from that name a variable of the environment.
    #[must_use]
    pub fn settings_from(mut self, origins: &[Origin]) -> Self {
        let settings = origins.iter().map(|origin| SettingFrom {
            key: origin.key.to_owned(),
            variable: origin.variable.clone(),
            from: match origin.from {
                project::From::Environment => "environment",
                project::From::Default => "default",
                project::From::Nothing => "nothing",
            }
            .to_owned(),
        });
        self.settings = settings.collect();
        self
    }
}

impl From<&plan::TablePlan> for PlannedTable {
    fn from(table: &plan::TablePlan) -> Self {
        PlannedTable {
            source: table.source.to_string(),
            target: table.target.clone(),
            rows_expected: u64::try_from(table.row_estimate).ok(),
            columns: table
                .columns
                .iter()
                .map(|column| PlannedColumn {
                    source: column.source.clone(),
                    target: column.target.clone(),
                    r#type: column.type_name.clone(),
                    rule: column.representation.name().to_owned(),
                    exact: column.remainder.is_none(),
                    ledger: column.remainder.map(|remainder| remainder::words(remainder).to_owned()),
                    not_null: column.not_null,
                    computed: column.computed,
                })
                .collect(),
            ddl: table.ddl.as_ref().map(crate::plan::ddl::TableDdl::sql),
            indexes: table
                .indexes
                .iter()
                .map(|index| PlannedObject {
                    source: index.origin.clone(),
                    target: index.name.clone(),
                    sql: index.sql.clone(),
                })
                .collect(),
        }
    }
}

impl From<&plan::Loss> for NotCarried {
    fn from(loss: &plan::Loss) -> Self {
        NotCarried { kind: loss.kind.to_string(), object: loss.object.clone(), reason: loss.reason.to_string() }
    }
}

impl From<&plan::Caveat> for Caveat {
    fn from(caveat: &plan::Caveat) -> Self {
        Caveat { object: caveat.object.clone(), text: caveat.text.clone() }
    }
}

impl Outcome {
    /// The message for an outcome.
    pub fn new(outcome: &to_sqlite::Outcome, context: &RunContext) -> Self {
        let times = &outcome.durations;
        let tables = outcome.plan.tables.iter().zip(&outcome.copied);
        Outcome {
            source: outcome.source.clone(),
            engine: outcome.engine.clone(),
            target: shown(&context.target),
            metadata: context.metadata,
            needs_sqlite: outcome.plan.needs_sqlite().to_string(),
            tables: tables
                .map(|(table, copied)| CopiedTable {
                    source: table.source.to_string(),
                    target: table.target.clone(),
                    rows: copied.digest.rows,
                    bytes: copied.bytes,
                    exact: copied.inexact_values == 0,
                    inexact_values: copied.inexact_values,
                    digest: copied.digest.to_string(),
                })
                .collect(),
            ledger_entries: outcome.ledger_entries(),
            not_carried: outcome.plan.losses.iter().map(NotCarried::from).collect(),
            caveats: outcome.plan.caveats.iter().map(Caveat::from).collect(),
            dry_run: outcome.dry_run,
            published: outcome.published.as_ref().map(|published| Published {
                target: shown(&published.target),
                size_bytes: published.size_bytes,
                journal_mode: word(&published.journal_mode),
                backup: published.backup.id.clone(),
                way_back: context.way_back(),
                durable: published.durable,
                notes: published.notes.clone(),
            }),
            durations: Durations {
                plan_ms: ms(times.plan),
                copy_ms: ms(times.copy),
                finish_ms: ms(times.finish),
                verify_ms: ms(times.verify),
                publish_ms: ms(times.publish),
            },
        }
    }
}

impl TreeCheck {
    /// The message for what was found of a tree.
    pub fn new(tree: String, found: &source::TreeCheck) -> Self {
        let kind = |tally: &source::Tally| FilesOfKind {
            kind: tally.kind.clone(),
            files: tally.files,
            file_bytes: tally.bytes,
            records: tally.records,
            of_records: tally.of_records,
            residue_bytes: tally.residue_bytes,
        };
        TreeCheck {
            tree,
            kinds: found.kinds.iter().map(kind).collect(),
            kept_files: found.kept.files,
            kept_bytes: found.kept.bytes,
            rejected: found.rejected.iter().map(RejectedFile::from).collect(),
        }
    }
}

impl From<&Rejected> for RejectedFile {
    fn from(rejected: &Rejected) -> Self {
        let Rejected { path, line, column, reason, .. } = rejected;
        RejectedFile { path: path.clone(), line: *line, column: *column, reason: reason.clone() }
    }
}

impl TreeOutcome {
    /// The message for an outcome.
    pub fn new(outcome: &to_files::Outcome) -> Self {
        TreeOutcome {
            source: outcome.source.clone(),
            engine: outcome.engine.clone(),
            target: outcome.target.trim_matches('`').to_owned(),
            rows: outcome.copied.iter().map(|one| one.digest.rows).sum(),
            not_carried: outcome.plan.losses.iter().map(NotCarried::from).collect(),
            backup: outcome.published.as_ref().map(|published| published.backup.id.clone()),
            dry_run: outcome.dry_run,
        }
    }
}

/// A word that is written as its type says.
fn word(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

impl From<&verify::Verification> for Verification {
    fn from(found: &verify::Verification) -> Self {
        Verification {
            level: word(&found.level),
            sound: found.is_sound(),
            tables: found.tables.iter().map(VerifiedTable::from).collect(),
            objects: found.findings.objects.clone(),
            record: found.findings.record.iter().map(Difference::from).collect(),
            manifest_digest: found.findings.manifest_digest.clone(),
            foreign_keys: found.findings.foreign_keys.as_ref().map(ForeignKeys::from),
            integrity: found.findings.integrity.as_ref().map(Findings::from),
            source_integrity: found.findings.source_integrity.as_ref().map(Findings::from),
            checks: found.findings.checks.iter().map(UserCheck::from).collect(),
            not_checked: found.findings.not_checked.clone(),
            inexact: found.inexact.iter().map(InexactColumn::from).collect(),
        }
    }
}

impl From<&inexact::InexactColumn> for InexactColumn {
    fn from(found: &inexact::InexactColumn) -> Self {
        InexactColumn {
            table: found.table.to_string(),
            column: found.column.clone(),
            values: found.values,
            row: found.row.clone(),
            value: found.value.clone(),
        }
    }
}

impl From<&findings::Difference> for Difference {
    fn from(found: &findings::Difference) -> Self {
        Difference { kind: word(&found.kind), damage: found.damage, text: found.text.clone() }
    }
}

impl From<&verify::TableSince> for TableSince {
    fn from(table: &verify::TableSince) -> Self {
        TableSince {
            source: table.source.to_string(),
            target: table.target.clone(),
            rows_then: table.rows_then,
            rows_now: table.rows_now,
            same_values: table.same_values,
            ledger_surplus: table.ledger_surplus,
            failure: table.failure.clone(),
            damaged: table.is_damaged(),
        }
    }
}

impl From<&verify::TableCheck> for VerifiedTable {
    fn from(table: &verify::TableCheck) -> Self {
        let differences = table.differences.as_ref();
        let rows = differences.map_or(&[][..], |differences| &differences.rows);
        VerifiedTable {
            source: table.source.to_string(),
            target: table.target.clone(),
            sound: table.is_sound(),
            source_rows: table.source_rows,
            target_rows: table.target_rows,
            source_digest: table.digests.map(|(source, _)| source.to_string()),
            target_digest: table.digests.map(|(_, target)| target.to_string()),
            own_digest: table.own_digests.map(|(own, _)| own.to_string()),
            own_digest_of_target: table.own_digests.map(|(_, target)| target.to_string()),
            changed: differences.map(|differences| differences.changed),
            missing: differences.map(|differences| differences.missing),
            surplus: differences.map(|differences| differences.surplus),
            ledger_surplus: table.ledger_surplus,
            rows: rows
                .iter()
                .map(|row| DifferentRow {
                    key: row.key.clone(),
                    kind: match row.kind {
                        RowDifferenceKind::Changed => "changed",
                        RowDifferenceKind::Missing => "missing",
                        RowDifferenceKind::Surplus => "surplus",
                    }
                    .to_owned(),
                    columns: row
                        .columns
                        .iter()
                        .map(|column| DifferentColumn {
                            column: column.column.clone(),
                            source: column.source.clone(),
                            target: column.target.clone(),
                        })
                        .collect(),
                })
                .collect(),
            failure: table.failure.clone(),
        }
    }
}

impl From<&findings::ForeignKeys> for ForeignKeys {
    fn from(keys: &findings::ForeignKeys) -> Self {
        let orphans = keys.orphans.iter().map(|orphan| Orphan {
            table: orphan.table.clone(),
            rowid: orphan.rowid,
            parent: orphan.parent.clone(),
            columns: orphan.columns.clone(),
            row: orphan.row.clone(),
            values: orphan.values.clone(),
            origin: orphan.origin.clone(),
        });
        ForeignKeys {
            total: keys.total,
            orphans: orphans.collect(),
            unusable: keys.unusable.clone(),
            in_source: keys.total > 0 && matches!(keys.cause, Some(findings::OrphanCause::InSource(_))),
            left_out: match &keys.cause {
                Some(findings::OrphanCause::LeftOut { parents, .. }) if keys.total > 0 => parents.clone(),
                Some(_) | None => Vec::new(),
            },
        }
    }
}

impl From<&findings::Integrity> for Findings {
    fn from(found: &findings::Integrity) -> Self {
        Findings { total: found.total, stopped: found.stopped, messages: found.messages.clone() }
    }
}

impl From<&findings::CheckOutcome> for UserCheck {
    fn from(check: &findings::CheckOutcome) -> Self {
        UserCheck {
            file: check.file.clone(),
            title: check.title.clone(),
            violations: check.violations,
            columns: check.columns.clone(),
            rows: check.rows.clone(),
        }
    }
}

impl From<&list::Others> for OtherBackups {
    fn from(others: &list::Others) -> Self {
        OtherBackups { target: shown(&others.target), backups: others.backups }
    }
}

impl From<&Entry> for Backup {
    fn from(entry: &Entry) -> Self {
        let (state, why) = match &entry.state {
            State::Intact => ("intact", None),
            State::NotRead => ("not-read", None),
            State::Damaged { why } => ("damaged", Some(why.clone())),
            State::FileMissing => ("file-missing", None),
            State::ManifestMissing => ("manifest-missing", None),
            State::ManifestUnreadable { why } => ("manifest-unreadable", Some(why.clone())),
        };
        Backup {
            id: entry.id.clone(),
            state: state.to_owned(),
            why,
            file: shown(&entry.file),
            manifest: entry.manifest.clone(),
            target_known: entry.target_known,
        }
    }
}

impl From<prune::Pruned> for Pruned {
    fn from(pruned: prune::Pruned) -> Self {
        let prune::Pruned { removed, removed_bytes, kept, broken, of_other_targets, .. } = pruned;
        let prune::Pruned { compressed, compressed_saved_bytes, not_compressed, .. } = pruned;
        let not_compressed = not_compressed.into_iter().map(|one| NotCompressed { id: one.id, why: one.why }).collect();
        Pruned {
            removed,
            removed_bytes,
            kept,
            compressed,
            compressed_saved_bytes,
            not_compressed,
            broken,
            of_other_targets,
        }
    }
}

impl From<restore::Restored> for Restored {
    fn from(done: restore::Restored) -> Self {
        let restore::Restored { target, restored, digest, replaced, durable, notes } = done;
        Restored { target: shown(&target), restored, digest, replaced, durable, notes }
    }
}

impl Check {
    /// The message for a check of the file at `target`.
    pub fn new(target: String, check: &FileCheck) -> Self {
        let json = check.json.iter().map(|column| JsonColumn {
            table: column.table.clone(),
            column: column.column.clone(),
            invalid: column.invalid,
            examples: column.examples.clone(),
        });
        let made = check.made.as_ref().map(|made| Made {
            tool: made.tool.clone(),
            source: made.source.clone(),
            finished_at: made.finished_at.clone(),
            digest: made.digest.clone(),
        });
        let indexes = check.indexes.iter().map(|index| Index {
            name: index.name.clone(),
            table: index.table.clone(),
            unique: index.unique,
        });
        Check {
            target,
            sound: check.is_sound(),
            unchanged: check.is_unchanged(),
            made,
            indexes: indexes.collect(),
            integrity: Findings::from(&check.integrity),
            foreign_keys: ForeignKeys::from(&check.foreign_keys),
            json: json.collect(),
            checks: check.checks.iter().map(UserCheck::from).collect(),
            tables: check.tables.iter().map(TableSince::from).collect(),
            record: check.record.iter().map(Difference::from).collect(),
            not_checked: check.not_checked.clone(),
        }
    }
}

impl Optimized {
    /// The message for an optimization that took so long.
    pub fn new(done: optimize::Optimized, took: Duration) -> Self {
        Optimized {
            path: shown(&done.path),
            size_bytes_before: done.size_bytes_before,
            size_bytes_after: done.size_bytes_after,
            statistics: done.statistics,
            vacuumed: done.vacuumed,
            rebuilt: done.rebuilt,
            duration_ms: ms(took),
        }
    }
}

impl Failure {
    /// The message for an error that ends the program with that code.
    pub fn new(error: &Error, exit_code: u8) -> Self {
        let kind = match error.kind() {
            Kind::Differs => "differs",
            Kind::CouldNotRun => "could_not_run",
            Kind::Usage => "usage",
            Kind::Interrupted => "interrupted",
        };
        Failure {
            kind: kind.to_owned(),
            operation: error.operation().to_owned(),
            object: error.object().to_owned(),
            cause: error.cause().to_owned(),
            hint: error.way_out().map(str::to_owned),
            exit_code,
        }
    }
}
