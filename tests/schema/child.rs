//! What other processes do in these tests: entry points that a test starts by name, with its orders in the
//! environment. They are ignored so that they run only then.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use whimbrel::schema::{Event, Migrations, Runner, RunnerOptions, To};

fn order(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("started by hand: {name} is not set"))
}

fn runner() -> Runner {
    let migrations = Migrations::from_dir(order("CHILD_MIGRATIONS")).unwrap();
    let options = RunnerOptions { lock_timeout: Duration::from_secs(10), ..RunnerOptions::default() };
    Runner::open_with(&order("CHILD_ENDPOINT"), migrations, options).unwrap()
}

/// Waits for the starting gun, goes up, and tells how many migrations it applied and when it was done.
#[test]
#[ignore = "a process of the tests in crowd.rs"]
fn up_at_once() {
    let mut runner = runner();
    let gun = order("CHILD_GUN");
    let start = Instant::now();
    while !Path::new(&gun).exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "the starting gun was never fired");
        std::thread::sleep(Duration::from_millis(1));
    }
    let report = runner.up(To::Newest).unwrap();
    let done = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    println!("\nCHILD applied={} done={done}", report.steps.len());
}

/// Goes up and kills itself at the given boundary, counted from 0.
#[test]
#[ignore = "a process of the tests in killed.rs"]
fn up_until_killed() {
    let boundary: usize = order("CHILD_BOUNDARY").parse().unwrap();
    let mut seen = 0;
    let mut runner = runner().on_event(move |event| {
        let is_boundary = !matches!(event, Event::Waiting { .. } | Event::Retrying { .. });
        if is_boundary && seen == boundary {
            // SAFETY: kill takes no pointers; the process ends here, which is the purpose.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        seen += usize::from(is_boundary);
    });
    runner.up(To::Newest).unwrap();
}

/// Goes up and tells the most memory that the process has had, in KiB.
#[test]
#[ignore = "a process of the tests in cost.rs"]
fn up_and_tell_its_memory() {
    runner().up(To::Newest).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("\nCHILD peak={}", peak.trim().trim_end_matches(" kB"));
}
