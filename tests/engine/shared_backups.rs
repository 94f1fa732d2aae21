//! Whose a backup is: several targets in one folder, moved and renamed ones, manifests of earlier versions, and ones that
//! tell nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::files::{Mode, RUNNING, database, dump, publish_options, staged};
use whimbrel::Result;
use whimbrel::backup::list::{Check, State, list, others};
use whimbrel::backup::prune::prune;
use whimbrel::backup::publish::{PublishOptions, publish};
use whimbrel::backup::restore::{RestoreOptions, Restored, Which, restore};
use whimbrel::error::Kind;

/// Publishes over `target` and returns the id of the backup of what was there.
fn replace(target: &Path, folder: Option<&Path>, row: &str) -> String {
    let options = PublishOptions { backup_directory: folder, ..publish_options() };
    publish(staged(target, row), target, options).unwrap().backup.id
}

fn roll_back(target: &Path, folder: Option<&Path>, to: Option<&str>) -> Result<Restored> {
    let which = to.map_or(Which::Newest, |id| Which::Id(id.to_owned()));
    restore(target, &which, RestoreOptions { directory: folder, wait_ms: 0, cancel: &RUNNING })
}

fn ids(target: &Path, folder: Option<&Path>) -> Vec<String> {
    let entries = list(target, folder, Check::Digest).unwrap();
    assert!(entries.iter().all(|entry| entry.target_known && entry.state == State::Intact), "{entries:?}");
    entries.into_iter().map(|entry| entry.id).collect()
}

/// Takes away what manifests of earlier versions do not have, and says that they were written for another path.
fn make_old(folder: &Path, target: Option<&str>) {
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some(OsStr::new("json")) {
            continue;
        }
        let mut json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let fields = json.as_object_mut().unwrap();
        for name in ["target_bytes", "target_from_folder", "target_from_folder_bytes", "own_folder"] {
            found += usize::from(fields.remove(name).is_some());
        }
        if let Some(target) = target {
            fields["target"] = target.into();
        }
        fs::write(&path, json.to_string()).unwrap();
    }
    assert!(found >= 4, "the fields have other names");
}

/// `one/app.db`, `two/app.db` and `one/other.db`, all with their backups in `backups`, taken in turns.
struct Shared {
    root: tempfile::TempDir,
}

impl Shared {
    fn new() -> Shared {
        let shared = Shared { root: tempfile::tempdir().unwrap() };
        fs::create_dir(shared.root.path().join("one")).unwrap();
        fs::create_dir(shared.root.path().join("two")).unwrap();
        for target in shared.targets() {
            database(&target, Mode::Delete, &shared.row(&target, 0));
        }
        for round in 1..3 {
            for target in shared.targets() {
                replace(&target, Some(&shared.folder()), &shared.row(&target, round));
            }
        }
        shared
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("backups")
    }

    fn targets(&self) -> [PathBuf; 3] {
        ["one/app.db", "two/app.db", "one/other.db"].map(|name| self.root.path().join(name))
    }

    fn row(&self, target: &Path, round: u32) -> String {
        format!("{} {round}", target.strip_prefix(self.root.path()).unwrap().display())
    }
}

#[test]
fn each_target_of_a_shared_folder_sees_its_own() {
    let shared = Shared::new();
    let folder = shared.folder();
    let mut seen: Vec<String> = Vec::new();
    for target in shared.targets() {
        let own = ids(&target, Some(&folder));
        assert_eq!(own.len(), 2);
        seen.extend(own);
        let others = others(&target, Some(&folder)).unwrap();
        assert_eq!(others.iter().map(|other| other.backups).sum::<usize>(), 4);
        assert!(others.len() == 2 && others.iter().all(|other| other.target != target), "{others:?}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
    // The newest of each is its own, whoever was backed up last.
    for target in shared.targets() {
        roll_back(&target, Some(&folder), None).unwrap();
        assert_eq!(dump(&target), shared.row(&target, 1));
    }
    // Pruning counts and removes only those of the target.
    let [one, two, other] = shared.targets();
    let pruned = prune(&two, Some(&folder), 1).unwrap();
    assert_eq!((pruned.kept.len(), pruned.removed.len(), pruned.of_other_targets), (1, 2, 6));
    assert_eq!((ids(&one, Some(&folder)).len(), ids(&other, Some(&folder)).len()), (3, 3));
    // The last copy of a target that is gone stays, though others have copies.
    fs::remove_file(&two).unwrap();
    assert!(prune(&two, Some(&folder), 0).is_err());
    assert_eq!(ids(&two, Some(&folder)).len(), 1);
}

#[test]
fn another_targets_backup_is_refused_by_name() {
    let shared = Shared::new();
    let folder = shared.folder();
    let [one, two, _] = shared.targets();
    let theirs = ids(&two, Some(&folder)).remove(0);
    for to in [theirs.as_str(), &theirs[..24]] {
        let error = roll_back(&one, Some(&folder), Some(to)).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        assert!(error.cause().contains("another target") && error.cause().contains(two.to_str().unwrap()), "{error}");
        let hint = error.way_out().unwrap();
        assert!(hint.contains(&format!("whimbrel rollback {} --to {theirs} --backups", two.display())), "{hint}");
    }
    assert_eq!(dump(&one), shared.row(&one, 2));
    // What the hint says works.
    roll_back(&two, Some(&folder), Some(&theirs)).unwrap();
    assert_eq!(dump(&two), shared.row(&two, 1));
    // A target without a backup is told whose those in the folder are.
    let stranger = shared.root.path().join("stranger.db");
    database(&stranger, Mode::Delete, "stranger");
    let error = roll_back(&stranger, Some(&folder), None).unwrap_err();
    assert!(error.cause().contains("only of other targets"), "{error}");
    assert_eq!(dump(&stranger), "stranger");
    assert!(prune(&stranger, Some(&folder), 0).unwrap().removed.is_empty());
}

#[test]
fn the_reports_say_whose_the_others_are() {
    let shared = Shared::new();
    let [one, two, _] = shared.targets();
    let run = |words: &[&str], code: i32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        let output = command.args(words).arg("--backups").arg(shared.folder()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    };
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let theirs = ids(Path::new(two), Some(&shared.folder())).remove(0);
    let listed = run(&["backups", one, "--check"], 0);
    assert!(
        listed.contains(&format!("of another target in the same folder: 2 backups; to see: whimbrel backups {two}"))
    );
    assert!(!listed.contains(&theirs), "{listed}");
    let refused = run(&["rollback", one, "--to", &theirs], 2);
    assert!(refused.contains(&format!("is of another target, `{two}`")), "{refused}");
    let pruned = run(&["backups", "prune", one, "--keep", "1"], 0);
    assert!(
        pruned.contains("removed 1 backup") && pruned.contains("left alone: 4 backups of other targets"),
        "{pruned}"
    );
}

#[test]
fn what_was_moved_together_still_belongs_together() {
    let shared = Shared::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("moved/deeper");
    fs::create_dir_all(&moved).unwrap();
    for name in ["one", "two", "backups"] {
        fs::rename(shared.root.path().join(name), moved.join(name)).unwrap();
    }
    let folder = moved.join("backups");
    for name in ["one/app.db", "two/app.db", "one/other.db"] {
        let target = moved.join(name);
        assert_eq!(ids(&target, Some(&folder)).len(), 2, "{name}");
        roll_back(&target, Some(&folder), None).unwrap();
        assert_eq!(dump(&target), format!("{name} 1"));
    }
    // The folder alone was moved: the path of the target is the same.
    let shared = Shared::new();
    let folder = elsewhere.path().join("only-backups");
    fs::rename(shared.folder(), &folder).unwrap();
    for target in shared.targets() {
        assert_eq!(ids(&target, Some(&folder)).len(), 2);
    }
    // The path of the folder may be a link, relative, or have dots in it.
    symlink(&folder, elsewhere.path().join("link")).unwrap();
    for same in ["link", "only-backups/../link", "./only-backups/."] {
        assert_eq!(ids(&shared.targets()[0], Some(&elsewhere.path().join(same))).len(), 2, "{same}");
    }
}

#[test]
fn a_target_and_its_own_folder_can_be_renamed_together() {
    for old in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let (before, after) = (root.path().join("app.db"), root.path().join("new.db"));
        database(&before, Mode::Delete, "old");
        replace(&before, None, "new");
        let own = |target: &Path| PathBuf::from(format!("{}.whimbrel-backups", target.display()));
        if old {
            make_old(&own(&before), None);
        }
        fs::rename(&before, &after).unwrap();
        fs::rename(own(&before), own(&after)).unwrap();
        if old {
            // The manifest does not say that it was the target's own folder: somebody else's may have been put there.
            let error = roll_back(&after, None, None).unwrap_err();
            assert!(error.cause().contains("only of other targets"), "{error}");
            fs::rename(&after, &before).unwrap();
            roll_back(&before, Some(&own(&after)), None).unwrap();
            assert_eq!(dump(&before), "old");
        } else {
            roll_back(&after, None, None).unwrap();
            assert_eq!(dump(&after), "old");
        }
    }
}

/// Somebody else may have planted it, to have the old content where they can read it.
#[test]
fn a_targets_own_folder_that_is_a_link_is_refused_and_a_chosen_one_is_not() {
    let root = tempfile::tempdir().unwrap();
    let (target, other) = (root.path().join("app.db"), root.path().join("other"));
    let own = root.path().join("app.db.whimbrel-backups");
    database(&target, Mode::Delete, "old");
    for there in [false, true] {
        if there {
            fs::create_dir(&other).unwrap();
        }
        symlink(&other, &own).unwrap();
        let error = publish(staged(&target, "new"), &target, publish_options()).unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        assert!(list(&target, None, Check::Digest).is_err() && roll_back(&target, None, None).is_err());
        assert!(prune(&target, None, 0).is_err());
        assert_eq!(dump(&target), "old");
        assert!(!there || fs::read_dir(&other).unwrap().next().is_none(), "nothing was written there");
        fs::remove_file(&own).unwrap();
    }
    symlink(&other, root.path().join("chosen")).unwrap();
    let id = replace(&target, Some(&root.path().join("chosen")), "new");
    assert_eq!(ids(&target, Some(&other)), [id]);
    assert_eq!(dump(&target), "new");
}

#[test]
fn a_link_to_a_target_is_that_target() {
    let root = tempfile::tempdir().unwrap();
    let (first, second, link) = (root.path().join("v1.db"), root.path().join("v2.db"), root.path().join("current.db"));
    let folder = root.path().join("backups");
    database(&first, Mode::Delete, "first");
    database(&second, Mode::Delete, "second");
    symlink("v1.db", &link).unwrap();
    replace(&link, Some(&folder), "first, new");
    assert_eq!(ids(&link, Some(&folder)), ids(&first, Some(&folder)));
    fs::remove_file(&link).unwrap();
    symlink("v2.db", &link).unwrap();
    assert!(ids(&link, Some(&folder)).is_empty());
    assert!(roll_back(&link, Some(&folder), None).is_err());
    assert_eq!(dump(&second), "second");
}

#[test]
fn manifests_of_earlier_versions_are_known_by_their_path() {
    let shared = Shared::new();
    let folder = shared.folder();
    make_old(&folder, None);
    for target in shared.targets() {
        assert_eq!(ids(&target, Some(&folder)).len(), 2);
        roll_back(&target, Some(&folder), None).unwrap();
        assert_eq!(dump(&target), shared.row(&target, 1));
    }
    // In the target's own folder the same file name is enough, because the two can have been moved.
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("app.db");
    database(&target, Mode::Delete, "old");
    replace(&target, None, "new");
    let own = root.path().join("app.db.whimbrel-backups");
    make_old(&own, Some("/nowhere/before/the/move/staging.db"));
    assert!(ids(&target, None).is_empty());
    replace(&target, None, "newer");
    make_old(&own, Some("/nowhere/before/the/move/app.db"));
    assert_eq!(ids(&target, None).len(), 2);
    roll_back(&target, None, None).unwrap();
    assert_eq!(dump(&target), "new");
}

#[test]
fn a_backup_whose_target_cannot_be_told_is_nobodys() {
    let shared = Shared::new();
    let folder = shared.folder();
    let [one, two, _] = shared.targets();
    let newest = ids(&two, Some(&folder)).remove(0);
    let intact = ids(&one, Some(&folder)).remove(0);
    assert!(newest > intact);
    let manifest = folder.join(format!("{newest}.json"));
    let text = fs::read_to_string(&manifest).unwrap();
    for unreadable in [Some("{}"), Some("{\"target\": 1}"), None] {
        match unreadable {
            Some(text) => fs::write(&manifest, text).unwrap(),
            None => fs::remove_file(&manifest).unwrap(),
        }
        for target in [&one, &two] {
            // It may be this target's newest, so an older one is not taken in silence.
            let entry = list(target, Some(&folder), Check::Digest).unwrap().into_iter().find(|one| one.id == newest);
            let entry = entry.expect("it is listed");
            assert!(entry.state.is_broken() && !entry.target_known, "{entry:?}");
            let pruned = prune(target, Some(&folder), 5).unwrap();
            assert!(pruned.broken == [newest.clone()] && pruned.removed.is_empty(), "{pruned:?}");
        }
        let error = roll_back(&one, Some(&folder), None).unwrap_err();
        assert!(error.cause().contains("whose backup it is cannot be told"), "{error}");
        assert!(error.way_out().unwrap().contains(&format!("--to {intact}")), "{:?}", error.way_out());
        assert_eq!(dump(&one), shared.row(&one, 2));
    }
    // What the hint says works; and so does the bare verb when the broken one is moved away.
    roll_back(&one, Some(&folder), Some(&intact)).unwrap();
    assert_eq!(dump(&one), shared.row(&one, 1));
    // A manifest of a later form that names its target is that target's, though no more of it is understood.
    fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 3")).unwrap();
    assert_eq!(ids(&one, Some(&folder)).len(), 3);
    roll_back(&one, Some(&folder), None).unwrap();
    let error = roll_back(&two, Some(&folder), None).unwrap_err();
    assert!(error.cause().contains("form 3") && !error.cause().contains("cannot be told"), "{error}");
}

#[test]
fn names_that_are_not_utf_8_are_kept_exactly() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(OsStr::from_bytes(b"back\xfeups"));
    // Shown with replacement characters these would be one and the same.
    let targets = [&b"na\xffme.db"[..], b"na\xfeme.db"].map(|name| root.path().join(OsStr::from_bytes(name)));
    for target in &targets {
        database(target, Mode::Wal, "old");
        replace(target, Some(&folder), "new");
        replace(target, Some(&folder), "newer");
    }
    let moved = tempfile::tempdir().unwrap();
    for (number, target) in targets.iter().enumerate() {
        assert_eq!(ids(target, Some(&folder)).len(), 2);
        let entry = list(target, Some(&folder), Check::Size).unwrap().remove(0);
        let told = serde_json::to_value(&entry).unwrap();
        assert!(told["file"].as_str().unwrap().contains("back\\xfeups"), "{told}");
        let text = fs::read_to_string(entry.file.with_extension("json")).unwrap();
        assert!(text.contains(["na\\\\xffme.db", "na\\\\xfeme.db"][number]), "{text}");
        roll_back(target, Some(&folder), None).unwrap();
        assert_eq!(dump(target), "new");
        fs::rename(target, moved.path().join(target.file_name().unwrap())).unwrap();
    }
    let folder_there = moved.path().join(folder.file_name().unwrap());
    fs::rename(&folder, &folder_there).unwrap();
    for target in targets.map(|target| moved.path().join(target.file_name().unwrap())) {
        assert_eq!(ids(&target, Some(&folder_there)).len(), 3);
    }
}
