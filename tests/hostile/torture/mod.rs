//! A fault at every call with which `migrate`, `rollback`, `backups take`, `backups prune` (by number and by age, where it
//! compresses) and `schema up` change files, or read them: an
//! I/O error, a full disk, a short write, a disk that stays full or is gone, SIGKILL before the call and after it; over a
//! database in rollback-journal mode, one in WAL mode, and one whose last commit is only in its `-wal`.
//!
//! Each time the target is what it was or what it was to be (of two migrations, the first one may be there), the exit code
//! says which, what was replaced has a backup, and the next run does the job and leaves nothing behind.
//!
//! `WHIMBREL_TORTURE` says how much: unset, a few calls of each kind; `every`, all; `every 5`, each fifth; `VERB OLD FAULT
//! CALL`, that one, and what the program says. `scripts/torture` runs them all.

#![cfg(target_os = "linux")]

mod cases;
mod preload;
mod sweep;

use self::cases::{Case, Old, Verb};
use self::preload::Fault;
use self::sweep::Share;
use crate::interruptions::support::source;
use crate::support::turn::alone;

/// Of each fault of each verb over each old file, without `WHIMBREL_TORTURE`.
const CALLS: usize = 2;

#[test]
fn whatever_call_fails_or_is_the_last_the_end_is_legal_and_the_next_run_tidies_up() {
    // It takes both processors, for long.
    let _alone = alone();
    let database = source(40);
    let cases = |verbs: &[Verb], olds: &[Old]| -> Vec<Case> {
        let pairs = verbs.iter().flat_map(|verb| olds.iter().map(move |old| (*verb, *old)));
        pairs.map(|(verb, old)| Case::new(verb, old, &database.url())).collect()
    };
    let wanted = std::env::var("WHIMBREL_TORTURE").unwrap_or_default();
    let words: Vec<&str> = wanted.split_whitespace().collect();
    let all = || cases(&Verb::ALL, &Old::ALL);
    let outcome = match words.as_slice() {
        [] => sweep::run(&all(), Share::Some(CALLS)),
        ["every"] => sweep::run(&all(), Share::Each(1)),
        ["every", step] => sweep::run(&all(), Share::Each(step.parse().expect("a number"))),
        [verb, old, fault, at] => {
            let verb = Verb::ALL.into_iter().find(|one| one.name() == *verb).expect("a verb");
            let old = Old::ALL.into_iter().find(|one| one.name() == *old).expect("an old file");
            let fault = Fault::ALL.into_iter().find(|one| one.name() == *fault).expect("a fault");
            let case = cases(&[verb], &[old]).remove(0);
            sweep::repeat(&case, fault, at.parse().expect("the number of a call"))
        }
        _ => panic!("WHIMBREL_TORTURE is `every`, `every N` or `VERB OLD FAULT CALL`, not `{wanted}`"),
    };
    preload::remove_library();
    println!("{}", outcome.table);
    assert!(outcome.findings.is_empty(), "{} findings\n{}", outcome.findings.len(), outcome.findings.join("\n\n"));
}
