//! Schema migrations for people and programs: status table, run report, findings, events.
//!
//! JSON is one envelope per value, `{"type": …, "data": …}`. The types and their data: `schema_status`
//! ([`Status`]), `schema_report` ([`Report`]), `schema_findings` ([`Findings`] and `problems`, its sentences),
//! `schema_event` ([`Event`]), `schema_repaired` and `schema_adopted` (`versions`), `schema_new` (`up`, `down`: paths).

use serde::Serialize;
use serde_json::json;

use super::text::{Align, columns, count};
use crate::endpoint::sqlite::file::shown;
use crate::printable::{self, Lines};
use crate::schema::Scaffold;
use crate::schema::{Adoption, Direction, Event, Findings, Line, Report, State, Status, StepReport};

/// The status as a table: one line per migration, then one that counts them.
pub fn status_table(status: &Status) -> Lines {
    let header = ["version", "name", "state", "way back", "applied at", "ms", "note"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(status.migrations.iter().map(row)).collect();
    let mut text = columns("", &[Align::Left; 7], &rows);
    text.line(summary(status));
    text
}

fn row(line: &Line) -> Vec<String> {
    let remark = line.remarks.lines().last().unwrap_or_default();
    let note = if line.detail.is_empty() { remark } else { &line.detail };
    vec![
        line.version.to_string(),
        line.name.clone(),
        line.state.word().to_owned(),
        line.reversal.clone(),
        line.applied_at.clone().unwrap_or_default(),
        line.duration_ms.map_or_else(String::new, |duration| duration.to_string()),
        note.to_owned(),
    ]
}

fn summary(status: &Status) -> String {
    let states =
        [State::Applied, State::Pending, State::Changed, State::Missing, State::OutOfOrder, State::Interrupted];
    let counts: Vec<String> = states
        .into_iter()
        .map(|state| (state, status.count(state)))
        .filter(|(state, count)| *count > 0 || *state == State::Applied)
        .map(|(state, count)| format!("{count} {}", state.word()))
        .collect();
    format!("{}: version {}, {}", status.endpoint, status.version, counts.join(", "))
}

/// What a run did, one line per migration, then one that sums up.
pub fn run(report: &Report) -> Lines {
    let mut text = Lines::new();
    report.steps.iter().for_each(|step| text.line(step_line(step)));
    for name in &report.not_executed {
        text.line(format_args!("not executed: {name} (it runs without a transaction, or comes after one that does)"));
    }
    let (endpoint, all) = (&report.endpoint, report.steps.len() as u64);
    let migrations = count(all, "migration", "migrations");
    match (all, report.dry_run) {
        (0, _) => text.line(format_args!("{endpoint}: nothing to do")),
        (_, true) => text.line(format_args!("{endpoint}: dry run of {migrations}, rolled back")),
        (_, false) => text.line(format_args!("{endpoint}: {migrations} run")),
    }
    text
}

fn step_line(step: &StepReport) -> String {
    let (arrow, way) = match step.direction {
        Direction::Up => ("up  ", format!("way back: {}", step.reversal)),
        Direction::Down => ("down", step.reversal.clone()),
    };
    let statements = count(step.statements as u64, "statement", "statements");
    format!("{arrow} {}_{} ({statements}, {} ms, {way})", step.version, step.name, step.duration_ms)
}

/// What `validate` found, one line per problem.
pub fn findings(findings: &Findings) -> Lines {
    let mut text = Lines::of(summary(&findings.status));
    let problems = findings.problems();
    if problems.is_empty() {
        text.line("history, integrity, foreign keys and schema are as they should be");
    }
    problems.iter().for_each(|problem| text.line(format_args!("  {problem}")));
    text
}

/// What became of taking over a database, one line per difference.
pub fn adoption(adoption: &Adoption) -> Lines {
    let (endpoint, version) = (&adoption.endpoint, adoption.version);
    let mut text = match adoption.is_done() {
        true => {
            let migrations = count(adoption.versions.len() as u64, "migration", "migrations");
            Lines::of(format_args!("{endpoint}: adopted {migrations}, version {version}; nothing was run"))
        }
        false => Lines::of(format_args!("{endpoint}: not what version {version} makes; nothing was written")),
    };
    for difference in &adoption.differences {
        let accepted = if adoption.is_done() { "accepted: " } else { "" };
        text.line(format_args!("  {accepted}{difference}"));
    }
    if let Some(other) = &adoption.other_history {
        let rows = count(u64::try_from(other.rows).unwrap_or(0), "row", "rows");
        let newest = other.newest.as_ref().map_or_else(String::new, |version| format!(", newest version {version}"));
        let kept = match adoption.is_done() {
            true => format!("stays as `{}`", other.kept_as),
            false => "stays as it is".to_owned(),
        };
        text.line(format_args!("another tool's table `{}` ({rows}{newest}) {kept}", other.table));
    }
    text
}

/// What became of taking over a database, as JSON.
pub fn adoption_json(adoption: &Adoption) -> String {
    if adoption.is_done() {
        return envelope("schema_adopted", adoption);
    }
    let mut data = json!(adoption);
    data["problems"] = adoption.differences.iter().map(ToString::to_string).collect();
    envelope("schema_mismatch", &data)
}

/// One event as a line for people, who see it among messages of other programs; nothing for those that only matter to progress and tests.
pub fn event(event: &Event) -> Option<Lines> {
    let text = match event {
        Event::Waiting { waited_ms } => format!("another runner is at work; waited {waited_ms} ms so far"),
        Event::Retrying { version: 0, attempt, cause } => format!("attempt {attempt} failed, trying again: {cause}"),
        Event::Retrying { version, attempt, cause } => {
            format!("attempt {attempt} of version {version} failed, trying again: {cause}")
        }
        Event::LeftOut { version, line, sql, why } => {
            format!("left out of version {version}, line {line}: `{sql}`: {why}")
        }
        Event::Started { .. }
        | Event::StatementStarting { .. }
        | Event::StatementFinished { .. }
        | Event::Committing { .. }
        | Event::Finished(_) => return None,
    };
    Some(Lines::of(format_args!("whimbrel: {text}")))
}

/// The files of a new migration.
pub fn files(files: &Scaffold) -> Lines {
    let mut text = Lines::of(shown(&files.up));
    text.line(shown(&files.down));
    text
}

/// The status as JSON.
pub fn status_json(status: &Status) -> String {
    envelope("schema_status", status)
}

/// What a run did as JSON.
pub fn run_json(report: &Report) -> String {
    envelope("schema_report", report)
}

/// One event as JSON.
pub fn event_json(event: &Event) -> String {
    envelope("schema_event", event)
}

/// What `validate` found as JSON.
pub fn findings_json(findings: &Findings) -> String {
    let mut data = json!(findings);
    data["problems"] = json!(findings.problems());
    envelope("schema_findings", &data)
}

fn envelope(kind: &str, data: &impl Serialize) -> String {
    printable::json(&json!({ "type": kind, "data": data }).to_string()).into_owned()
}

/// Versions that something was done to, under that type.
pub fn note_json(kind: &str, versions: &[i64]) -> String {
    envelope(kind, &json!({ "versions": versions }))
}

/// The files of a new migration.
pub fn files_json(files: &Scaffold) -> String {
    envelope("schema_new", &json!({ "up": shown(&files.up), "down": shown(&files.down) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Migrations, Runner, RunnerOptions, To};

    fn runner() -> Runner {
        let files = [
            ("0001_notes.up.sql", "CREATE TABLE notes(id INTEGER PRIMARY KEY);"),
            ("0001_notes.down.sql", "-- whimbrel: lossy\nDROP TABLE notes;"),
            ("0002_search.sql", "CREATE INDEX i ON notes(id);"),
        ];
        Runner::open(":memory:", Migrations::from_files("test", files).unwrap()).unwrap()
    }

    #[test]
    fn a_status_is_a_table_and_a_sum() {
        let mut runner = runner();
        assert_eq!(
            &*status_table(&runner.status().unwrap()),
            "version  name    state    way back      applied at  ms  note\n\
             1        notes   pending  lossy\n\
             2        search  pending  irreversible                  it has no down script\n\
             :memory:: version 0, 0 applied, 2 pending\n"
        );
        runner.up(To::Steps(1)).unwrap();
        let table = status_table(&runner.status().unwrap());
        assert!(table.ends_with(":memory:: version 1, 1 applied, 1 pending\n"), "{table}");
    }

    #[test]
    fn json_is_an_envelope_with_words_for_states() {
        let mut runner = runner();
        let report = runner.up(To::Newest).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&status_json(&runner.status().unwrap())).unwrap();
        assert_eq!(parsed["type"], "schema_status");
        assert_eq!(parsed["data"]["migrations"][0]["state"], "applied");
        assert_eq!(parsed["data"]["migrations"][1]["reversal"], "irreversible");
        let parsed: serde_json::Value = serde_json::from_str(&run_json(&report)).unwrap();
        assert_eq!(parsed["data"]["steps"][0]["direction"], "up");
        let parsed: serde_json::Value = serde_json::from_str(&findings_json(&runner.validate().unwrap())).unwrap();
        assert_eq!(parsed["data"]["problems"], serde_json::json!([]));
    }

    #[test]
    fn a_run_says_what_it_did_and_what_it_only_tried() {
        let mut runner = runner();
        let text = run(&runner.up(To::Newest).unwrap());
        assert!(
            text.contains("up   1_notes (1 statement,") && text.ends_with(":memory:: 2 migrations run\n"),
            "{text}"
        );
        assert_eq!(&*run(&runner.up(To::Newest).unwrap()), ":memory:: nothing to do\n");
        let files = [("1_a.sql", "CREATE TABLE a(b);"), ("2_b.sql", "-- whimbrel: no-transaction\nVACUUM;")];
        let options = RunnerOptions { dry_run: true, ..RunnerOptions::default() };
        let migrations = Migrations::from_files("test", files).unwrap();
        let text = run(&Runner::open_with(":memory:", migrations, options).unwrap().up(To::Newest).unwrap());
        assert!(text.contains("not executed: 2_b") && text.contains("dry run of 1 migration, rolled back"), "{text}");
    }
}
