//! Many runs, each with one fault: which, how they ended, and what was wrong with an end.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cases::{Case, Found};
use super::preload::{self, Calls, Ended, Exit, Fault};

/// How many of the calls are attacked.
#[derive(Debug, Clone, Copy)]
pub enum Share {
    /// So many of each fault of each case.
    Some(usize),
    /// Each so-manieth.
    Each(usize),
}

/// What came of it.
pub struct Outcome {
    /// Per verb, old file and fault: how the runs ended.
    pub table: String,
    /// What was wrong, each with the command that repeats it.
    pub findings: Vec<String>,
}

/// How the runs with one fault in one case ended.
#[derive(Debug, Default)]
struct Row {
    calls: usize,
    runs: usize,
    old: usize,
    between: usize,
    new: usize,
    /// The run ended before the call.
    unreached: usize,
    findings: usize,
}

/// One fault, and how it is told apart.
struct Attempt {
    case: usize,
    fault: usize,
    at: usize,
}

/// Attacks a share of all calls of all cases with all faults.
pub fn run(cases: &[Case], share: Share) -> Outcome {
    let mut rows: BTreeMap<(usize, usize), Row> = BTreeMap::new();
    let mut attempts = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let counts = Calls::ALL.map(|calls| (calls, count(case, calls)));
        for (place, fault) in Fault::ALL.into_iter().enumerate() {
            let calls = counts.iter().find(|(calls, _)| *calls == fault.calls()).expect("each is counted").1;
            if calls == 0 {
                continue;
            }
            rows.insert((number, place), Row { calls, ..Row::default() });
            let chosen = chosen(calls, share, number + place);
            attempts.extend(chosen.into_iter().map(|at| Attempt { case: number, fault: place, at }));
        }
    }
    let (rows, findings, next) = (Mutex::new(rows), Mutex::new(Vec::new()), AtomicUsize::new(0));
    let worker = || {
        while let Some(attempt) = attempts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (case, fault) = (&cases[attempt.case], Fault::ALL[attempt.fault]);
            let (ended, judged) = try_one(case, fault, attempt.at);
            let mut rows = rows.lock().unwrap();
            let row = rows.get_mut(&(attempt.case, attempt.fault)).expect("a row for each");
            row.runs += 1;
            row.unreached += usize::from(ended.hit().is_none());
            match judged {
                Ok(Found::Old) => row.old += 1,
                Ok(Found::Between) => row.between += 1,
                Ok(Found::New) => row.new += 1,
                Err(why) => {
                    row.findings += 1;
                    let mut findings = findings.lock().unwrap();
                    findings.push((
                        attempt.case,
                        attempt.fault,
                        attempt.at,
                        describe(case, fault, attempt.at, &ended, &why),
                    ));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |count| count.get()) {
            scope.spawn(worker);
        }
    });
    let mut findings = findings.into_inner().unwrap();
    findings.sort();
    let findings = findings.into_iter().map(|(.., told)| told).collect();
    Outcome { table: table(cases, &rows.into_inner().unwrap()), findings }
}

/// One attempt again, and what the program says.
pub fn repeat(case: &Case, fault: Fault, at: usize) -> Outcome {
    let (ended, judged) = try_one(case, fault, at);
    let said = format!("{:?}\n{}\n{}{}", ended.exit, ended.notes.join("\n"), ended.stdout, ended.stderr);
    match judged {
        Ok(found) => Outcome { table: format!("{said}\n{found:?}"), findings: Vec::new() },
        Err(why) => Outcome { table: said, findings: vec![describe(case, fault, at, &ended, &why)] },
    }
}

/// How many such calls a run has that nothing happens to.
fn count(case: &Case, calls: Calls) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    case.prepare(&path);
    let ended = preload::count(&mut case.command(&path), &path, calls);
    assert_eq!(ended.exit, Exit::Code(0), "{}", ended.stderr);
    let count = ended.notes.iter().filter(|line| line.starts_with("call ")).count();
    // Removing backups writes nothing.
    assert!(count > 0 || calls == Calls::Writes, "{} calls no {calls:?}", case.verb.name());
    count
}

/// The numbers of the calls, from 1, spread evenly; `turn` moves a small share, so that not all take the same places.
fn chosen(calls: usize, share: Share, turn: usize) -> Vec<usize> {
    match share {
        Share::Each(step) => (1..=calls).step_by(step.max(1)).collect(),
        Share::Some(wanted) => {
            let wanted = wanted.min(calls);
            let within = |part: usize| (part * calls + turn * 7 % calls.max(1)) / wanted;
            let mut chosen: Vec<usize> = (0..wanted).map(|part| 1 + within(part).min(calls - 1)).collect();
            chosen.dedup();
            chosen
        }
    }
}

/// Runs with a fault, judges the end, runs again and judges that.
fn try_one(case: &Case, fault: Fault, at: usize) -> (Ended, Result<Found, String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    case.prepare(&path);
    let ended = preload::run_with(&mut case.command(&path), &path, fault, at);
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let found = case.judge(&path, &ended, fault);
        case.next_run(&path, found);
        found
    }));
    let why = |panic: Box<dyn std::any::Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    };
    (ended, judged.map_err(why))
}

fn describe(case: &Case, fault: Fault, at: usize, ended: &Ended, why: &str) -> String {
    let name = format!("{} {} {} {at}", case.verb.name(), case.old.name(), fault.name());
    format!(
        "{name}: {why}\n  {:?} at {}: {}\n  again: WHIMBREL_TORTURE='{name}' cargo test --test hostile torture -- --nocapture",
        ended.exit,
        ended.hit().unwrap_or("no call"),
        ended.stderr.trim(),
    )
}

fn table(cases: &[Case], rows: &BTreeMap<(usize, usize), Row>) -> String {
    let mut text = format!(
        "{:<10} {:<8} {:<12} {:>5} {:>5} {:>5} {:>8} {:>5} {:>9} {:>8}\n",
        "verb", "old file", "fault", "calls", "runs", "old", "between", "new", "unreached", "findings"
    );
    let mut sum = Row::default();
    let mut line = |verb: &str, old: &str, fault: &str, row: &Row| {
        text.push_str(&format!(
            "{verb:<10} {old:<8} {fault:<12} {:>5} {:>5} {:>5} {:>8} {:>5} {:>9} {:>8}\n",
            row.calls, row.runs, row.old, row.between, row.new, row.unreached, row.findings
        ));
    };
    for ((case, fault), row) in rows {
        let case = &cases[*case];
        line(case.verb.name(), case.old.name(), Fault::ALL[*fault].name(), row);
        sum.calls += row.calls;
        sum.runs += row.runs;
        sum.old += row.old;
        sum.between += row.between;
        sum.new += row.new;
        sum.unreached += row.unreached;
        sum.findings += row.findings;
    }
    line("all", "", "", &sum);
    text
}
