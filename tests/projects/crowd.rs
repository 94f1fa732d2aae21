//! Ten processes on one store of sessions, in each mode: saturated, no error and no lost update; paced, how long each of the seven operations
//! takes, beside the same in mode `files`.
//!
//! `cargo test` does a few operations. `WHIMBREL_STORE_OPERATIONS` says how many each process does, `WHIMBREL_STORE_PACE` how many all of
//! them do in a second, `WHIMBREL_STORE_AT` in which folder; `WHIMBREL_STORE_TARGETS=hold` makes a missed target of the document an error:
//!
//! ```sh
//! WHIMBREL_STORE_OPERATIONS=10000 WHIMBREL_STORE_TARGETS=hold cargo test --release --test projects crowd:: -- --nocapture
//! ```

use crate::sessions::{message, session};
use crate::support::child;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};
use whimbrel::apps::sessions::{InstanceStatus, SessionStore, SessionType};
use whimbrel::schema::{Runner, RunnerOptions};
use whimbrel::store::{Mode, Place, Selection, modes, repair};

const PROCESSES: u32 = 10;
/// How many operations each process does where nobody says.
const OPERATIONS: u32 = 7;
/// How many operations all of them do in a second where they are paced.
const PACE: u32 = 100;
/// Sessions that a workspace has before.
const BEFORE: u32 = 10;
const SHARED: &str = "/srv/shared";
/// The document's own targets.
const TARGETS: [(&str, usize, Duration); 3] = [
    ("P50", 50, Duration::from_millis(10)),
    ("P95", 95, Duration::from_millis(50)),
    ("P99", 99, Duration::from_millis(100)),
];
/// All of them together, in bytes.
const MEMORY_MAX: u64 = 500 << 20;

const CREATE: &str = "create";
const GET: &str = "get";
const LIST: &str = "list";
const UPDATE: &str = "update";
const ADD_MESSAGE: &str = "add message";
const SET_STATUS: &str = "set instance's status";
const DELETE: &str = "delete";
const ALL: [&str; 7] = [CREATE, GET, LIST, UPDATE, ADD_MESSAGE, SET_STATUS, DELETE];

fn knob(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

fn place(folder: &Path) -> Place {
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sessions/layout.toml");
    Place { layout, tree: folder.join("tree"), file: folder.join("sessions.db") }
}

fn workspace(number: u32) -> String {
    format!("/srv/app-{number}")
}

/// One of the processes. It tells how long each operation took, and how much memory it had.
#[test]
#[ignore = "another process"]
fn child_works_with_sessions() {
    let folder = PathBuf::from(std::env::var_os("CROWD_FOLDER").expect("set by the parent"));
    let own: u32 = std::env::var("CROWD_NUMBER").expect("set by the parent").parse().expect("a number");
    let pace = Duration::from_micros(u64::from(knob("CROWD_PACE_US", 0)));
    let store = SessionStore::open(place(&folder)).expect("a store");
    let home = workspace(own);
    let start = Instant::now();
    for number in 0..knob("CROWD_OPERATIONS", 0) {
        // What comes too late for its turn has taken as long as it was late besides.
        let due = start + pace * number;
        sleep(due.saturating_duration_since(Instant::now()));
        let since = if pace.is_zero() { Instant::now() } else { due };
        let id = format!("comp-{own}-{}", number / 7);
        let operation = [CREATE, ADD_MESSAGE, SET_STATUS, UPDATE, GET, LIST, DELETE][number as usize % 7];
        match operation {
            CREATE => drop(store.create(&home, session(&id, SessionType::Competition, own)).expect("a session")),
            ADD_MESSAGE => {
                let said = message(&format!("{id}-said"), number % 60, Some(0));
                drop(store.add_message(&home, &id, said).expect("a message"));
            }
            SET_STATUS => {
                let changed = store.set_instance_status(&home, &id, 1, InstanceStatus::Running).expect("a status");
                assert_eq!(changed.instances[1].status, InstanceStatus::Running);
            }
            // All of them count in one session.
            UPDATE => {
                let counted = store.change(SHARED, "shared", |session| {
                    session.total_duration = session.total_duration.map(|counted| counted + 1);
                    Ok(())
                });
                drop(counted.expect("one more"));
            }
            GET => assert!(store.get(&home, &id).expect("a session").is_some(), "an own write is read"),
            LIST => assert!(store.list(&home).expect("a list").len() > BEFORE as usize),
            _ => assert!(store.delete(&home, &id).expect("it goes")),
        }
        println!("took {} {operation}", since.elapsed().as_micros());
    }
    // The program itself is in memory once for all of them.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.trim().parse().ok())
    };
    println!("peak {}", kib("VmHWM:").unwrap_or(0).saturating_sub(kib("RssFile:").unwrap_or(0)));
}

/// What was measured of a mode: how long each operation took in microseconds, and the memory of all processes in bytes.
struct Worked {
    took: BTreeMap<&'static str, Vec<u64>>,
    all: Duration,
    memory: u64,
}

impl Worked {
    fn quantile(&self, operation: &str, percent: usize) -> Duration {
        let all = &self.took[operation];
        Duration::from_micros(all[(all.len() * percent).div_ceil(100).max(1) - 1])
    }
}

fn work(folder: &Path, operations: u32, pace: u32, meanwhile: impl FnOnce()) -> Worked {
    let pace_us = (1_000_000 * PROCESSES).checked_div(pace).unwrap_or(0);
    let start = Instant::now();
    let children: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let mut command = child("crowd::child_works_with_sessions");
            command.env("CROWD_FOLDER", folder).env("CROWD_NUMBER", number.to_string());
            command.env("CROWD_OPERATIONS", operations.to_string()).env("CROWD_PACE_US", pace_us.to_string());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process")
        })
        .collect();
    meanwhile();
    let mut worked = Worked { took: BTreeMap::new(), all: Duration::ZERO, memory: 0 };
    for child in children {
        let output = child.wait_with_output().expect("a process");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        for line in told.lines() {
            // The runner of tests begins a line of its own.
            if let Some((_, took)) = line.split_once("took ")
                && let Some((us, operation)) = took.split_once(' ')
                && let Some(operation) = ALL.into_iter().find(|known| *known == operation)
            {
                worked.took.entry(operation).or_default().push(us.parse().expect("a number"));
            } else if let Some((_, kib)) = line.split_once("peak ") {
                worked.memory += kib.parse::<u64>().expect("a number") << 10;
            }
        }
    }
    worked.all = start.elapsed();
    worked.took.values_mut().for_each(|all| all.sort_unstable());
    assert_eq!(worked.took.values().map(Vec::len).sum::<usize>(), (PROCESSES * operations) as usize);
    worked
}

fn span(value: Duration) -> String {
    format!("{:.2} ms", value.as_secs_f64() * 1e3)
}

/// As `whimbrel latency` tells queries.
fn table(title: &str, worked: &Worked, files: &Worked) -> (String, bool) {
    let mut text = format!("{title}\n{:<22}{:>8}", "operation", "runs");
    for name in ["P50", "P95", "P99", "max", "to files"] {
        text += &format!("{name:>12}");
    }
    text += "  target\n";
    let mut is_held = true;
    for operation in ALL {
        text += &format!("{operation:<22}{:>8}", worked.took[operation].len());
        let missed: Vec<&str> = TARGETS
            .into_iter()
            .filter(|(_, percent, limit)| worked.quantile(operation, *percent) >= *limit)
            .map(|(name, ..)| name)
            .collect();
        for percent in [50, 95, 99, 100] {
            text += &format!("{:>12}", span(worked.quantile(operation, percent)));
        }
        let ratio = worked.quantile(operation, 50).as_secs_f64() / files.quantile(operation, 50).as_secs_f64();
        let told = if missed.is_empty() { "held".to_owned() } else { format!("MISSED: {}", missed.join(", ")) };
        text += &format!("{ratio:>11.2}x  {told}\n");
        is_held &= missed.is_empty();
    }
    (text, is_held)
}

fn set(store: &SessionStore, mode: Mode) {
    let file = &store.store().place().file;
    repair::repair(store.store(), None, false).expect("a repair").ensure_whole(file).expect("in step");
    modes::set(store.store(), &Selection::All, mode, false).expect("a change").ensure_changed(file).expect("equal");
}

#[test]
fn ten_processes_lose_nothing_in_any_mode_and_each_operation_is_measured() {
    let at = std::env::var_os("WHIMBREL_STORE_AT").map(PathBuf::from);
    let memory = PathBuf::from("/dev/shm");
    let folder = match at.or_else(|| memory.is_dir().then_some(memory)) {
        Some(at) => tempfile::tempdir_in(at),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder");
    let operations = knob("WHIMBREL_STORE_OPERATIONS", OPERATIONS).next_multiple_of(7);
    let pace = knob("WHIMBREL_STORE_PACE", PACE);
    let must_hold = std::env::var("WHIMBREL_STORE_TARGETS").is_ok_and(|word| word == "hold");
    let place = place(folder.path());
    std::fs::create_dir_all(place.tree.join("sessions")).expect("the tree");
    std::fs::write(place.tree.join("workspace_mapping.json"), "{}").expect("the tree");
    let store = SessionStore::open(place.clone()).expect("a store");
    let mut shared = session("shared", SessionType::Ensemble, 1);
    shared.total_duration = Some(0);
    store.create(SHARED, shared).expect("a session");
    for number in 0..PROCESSES {
        for before in 0..BEFORE {
            let id = format!("before-{number}-{before}");
            store.create(&workspace(number), session(&id, SessionType::Debate, before)).expect("a session");
        }
    }
    crate::moved::migrated(&place);
    let (mut files, mut counted): (Option<(Worked, Worked)>, u64) = (None, 0);
    let mut missed = Vec::new();
    for mode in Mode::ALL {
        if mode != Mode::Files {
            set(&store, mode);
        }
        // While they work, the newest migration of the schema goes down and up again.
        let mut pause = Duration::ZERO;
        let saturated = work(folder.path(), operations, 0, || {
            for _ in 0..if mode.has_copy() { 3 } else { 0 } {
                sleep(Duration::from_millis(200));
                let start = Instant::now();
                let migrations = SessionStore::migrations().expect("migrations");
                let runner = Runner::open_file(&place.file, migrations, RunnerOptions::default());
                runner.expect("the file").redo().expect("down and up again");
                pause = pause.max(start.elapsed());
            }
        });
        if mode.has_copy() {
            println!("{mode}: a migration down and up again beside them took {} at most", span(pause));
        }
        let rate = f64::from(PROCESSES * operations) / saturated.all.as_secs_f64();
        println!("{mode}: {rate:.0} operations a second of {PROCESSES} processes, {} MiB", saturated.memory >> 20);
        let paced = work(folder.path(), operations, pace, || {});
        counted += u64::from(2 * PROCESSES * operations / 7);
        let found = store.get(SHARED, "shared").expect("a session").expect("it is there");
        assert_eq!(found.total_duration, Some(counted), "updates are lost in mode {mode}");
        assert!(saturated.memory < MEMORY_MAX && paced.memory < MEMORY_MAX, "{} bytes", saturated.memory);
        let (of_files, of_files_paced) = files.as_ref().map_or((&saturated, &paced), |(one, other)| (one, other));
        println!("{}", table(&format!("{mode}, saturated"), &saturated, of_files).0);
        let (told, is_held) = table(&format!("{mode}, {pace} operations a second"), &paced, of_files_paced);
        println!("{told}");
        if !is_held {
            missed.push(told);
        }
        files.get_or_insert((saturated, paced));
    }
    assert!(!must_hold || missed.is_empty(), "{}", missed.join("\n"));
}
