//! SIGKILL at instants drawn over the whole duration of a run, a share of them in its last phase.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use whimbrel::backup::list::{Check, State, list};
use whimbrel::harness::{Random, Seed};

use super::support::{assert_tidy, content, copied, listing, migrate, old_target, source, succeed};
use crate::support::turn::alone;

const KILLS: u32 = 200;
/// Of ten runs, so many are killed after they have said that they publish.
const IN_PUBLISHING_OF_TEN: u32 = 4;

/// How one run was ended.
enum End {
    Killed,
    /// It was faster than the hand that was raised against it.
    Finished,
}

/// Starts a run and kills it: so long after its start, or after it has begun to publish.
fn kill(url: &str, target: &Path, publishing: bool, after: Duration) -> End {
    let mut child = migrate(url, target).arg("--json").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    if publishing {
        wait_for_publishing(child.stdout.as_mut().unwrap());
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    match status.signal() {
        Some(libc::SIGKILL) => End::Killed,
        _ => {
            assert!(status.success(), "{status}");
            End::Finished
        }
    }
}

fn wait_for_publishing(output: &mut impl Read) {
    let mut lines = BufReader::with_capacity(256, output).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"publish\"")), "the run never published");
}

/// The durations of a whole run and of its last phase, the medians of some.
fn measure(url: &str, target: &Path) -> (Duration, Duration) {
    let mut times: Vec<(Duration, Duration)> = (0..7)
        .map(|_| {
            let begun = Instant::now();
            let mut child = migrate(url, target).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
            wait_for_publishing(child.stdout.as_mut().unwrap());
            let publishing = Instant::now();
            assert!(child.wait().unwrap().success());
            (begun.elapsed(), publishing.elapsed())
        })
        .collect();
    times.sort();
    let whole = times[times.len() / 2].0;
    times.sort_by_key(|(_, publishing)| *publishing);
    (whole, times[times.len() / 2].1)
}

#[test]
fn killed_200_times_the_target_is_the_old_file_or_the_complete_new_one() {
    let _alone = alone();
    let database = source(150);
    let url = database.url();
    let models = tempfile::tempdir().unwrap();
    let new_target = models.path().join("new.db");
    let (whole, publishing) = measure(&url, &new_target);
    let new = content(&new_target);
    let olds = [false, true].map(|log| {
        let path = models.path().join(format!("old-{log}.db"));
        old_target(&path, log);
        path
    });
    let old = content(&copied(&olds[1], models.path()));
    assert_eq!(content(&copied(&olds[0], models.path())), old);
    assert_ne!(old, new);

    let begun = Instant::now();
    // Killed at any time and still old, at any time and new already; the same for those killed while publishing.
    let counts: [AtomicU32; 4] = Default::default();
    let (kills, too_late) = (AtomicU32::new(0), AtomicU32::new(0));
    let worker = |mut random: Random| {
        let directory = tempfile::tempdir().unwrap();
        let looked_at = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        let backups = directory.path().join("app.db.whimbrel-backups");
        for round in 0.. {
            if kills.load(Ordering::Relaxed) >= KILLS {
                break;
            }
            for name in listing(directory.path()) {
                let path = directory.path().join(name);
                let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
            let log = round % 2 == 1;
            let model = &olds[usize::from(log)];
            fs::copy(model, &target).unwrap();
            if log {
                fs::copy(model.with_extension("db-wal"), target.with_extension("db-wal")).unwrap();
            }
            let in_publishing = round / 2 % 10 < IN_PUBLISHING_OF_TEN;
            // The rename is near the end of publishing: half of those instants are drawn there, some beyond it.
            let (span, from, to) = match (in_publishing, round % 4) {
                (false, _) => (whole, 0, 1000),
                (true, 0 | 1) => (publishing, 0, 1000),
                (true, _) => (publishing, 600, 1200),
            };
            let after = span * u32::try_from(from + random.below(to - from)).unwrap() / 1000;
            match kill(&url, &target, in_publishing, after) {
                End::Killed if kills.fetch_add(1, Ordering::Relaxed) >= KILLS => break,
                End::Killed => {}
                End::Finished => {
                    too_late.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
            }
            let found = content(&copied(&target, looked_at.path()));
            assert!(found == old || found == new, "killed after {after:?}: neither the old file nor the new one");
            counts[2 * usize::from(in_publishing) + usize::from(found == new)].fetch_add(1, Ordering::Relaxed);
            if found == new {
                let backup = list(&target, None, Check::Digest).unwrap().remove(0);
                assert_eq!(backup.state, State::Intact);
                assert_eq!(content(&copied(&backup.file, looked_at.path())), old, "the backup is the old file");
            }
            succeed(&url, &target);
            assert_eq!(content(&copied(&target, looked_at.path())), new, "the next run, after {after:?}");
            assert_tidy(directory.path());
            assert!(backups.is_dir());
        }
    };
    let seed = Seed(4);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|number| scope.spawn(move || worker(seed.nth(number).random()))).collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    let [old_any, new_any, old_publishing, new_publishing] = counts.map(AtomicU32::into_inner);
    println!(
        "killed {} times within {:.1} s (a run takes {} ms, publishing {} ms of it): {} old, {} new; of {} that were \
         publishing {old_publishing} old, {new_publishing} new; {} runs were over before they were killed",
        old_any + new_any + old_publishing + new_publishing,
        begun.elapsed().as_secs_f64(),
        whole.as_millis(),
        publishing.as_millis(),
        old_any + old_publishing,
        new_any + new_publishing,
        old_publishing + new_publishing,
        too_late.into_inner(),
    );
    assert_eq!(old_any + new_any + old_publishing + new_publishing, KILLS);
    assert!(old_publishing > 0 && new_publishing > 0 && old_any > 0, "the instants are not spread");
}
