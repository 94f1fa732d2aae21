//! Trees that are read, made, exchanged and archived; runs that are killed before each call that changes anything.

use super::archive;
use super::draft::{self, Draft, Ignored, Published};
use super::entry::{self, EntryKind, PathFault, Stat};
use super::journal::{self, Changes};
use super::walk::{Content, Growth, Seen, Tree};
use crate::error::{Error, Result};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Ends the process before one of its calls.
pub mod killed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    pub const VARIABLE: &str = "WHIMBREL_TREE_KILLED_AT";

    pub fn step() {
        static AT: OnceLock<u64> = OnceLock::new();
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let at = *AT.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|at| at.parse().ok()).unwrap_or(0));
        if at > 0 && CALLS.fetch_add(1, Ordering::SeqCst) + 1 == at {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}

fn nothing() -> Ignored {
    Arc::new(|_| false)
}

fn locks() -> Ignored {
    Arc::new(|path: &str| path.ends_with(".lock") || path == "var")
}

/// A folder with a tree in it.
fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("tree");
    fs::create_dir(&root).unwrap();
    (folder, root)
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Everything in a tree, one line each.
fn picture(root: &Path) -> Vec<String> {
    let tree = Tree::open(root).unwrap();
    let mut lines = Vec::new();
    for entry in tree.entries().unwrap() {
        let line = match &entry.kind {
            EntryKind::Directory => format!("{}/ {:o}", entry.path, entry.mode),
            EntryKind::Link { leads_to } => format!("{} -> {leads_to}", entry.path),
            EntryKind::File => {
                let Content::Whole(bytes, _) = tree.read(&entry.path, Growth::Refused).unwrap() else { panic!() };
                format!("{} {:o} {}", entry.path, entry.mode, String::from_utf8(bytes).unwrap())
            }
        };
        lines.push(line);
    }
    lines
}

/// The names in a folder that are ours.
fn left_overs(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".whimbrel-")).collect()
}

fn told(error: &Error) -> String {
    format!("{error}; {}", error.way_out().unwrap_or("no hint"))
}

fn walk_error(root: &Path) -> String {
    told(&Tree::open(root).unwrap().entries().unwrap_err())
}

/// Runs a closure as a user whom permissions bind.
fn as_nobody<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                // SAFETY: plain numbers; the call itself changes the calling thread alone, which ends with the closure.
                let done = unsafe { libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) };
                assert_eq!(done, 0);
            }
            run()
        });
        thread.join().unwrap()
    })
}

fn give_to_nobody(path: &Path) {
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
    }
}

#[test]
fn everything_is_seen_in_order_and_what_is_ignored_may_be_anything() {
    let (_folder, root) = scratch();
    for path in ["b/two.json", "b/one.json", "a.txt", "b.txt", "var/deep/x", "one.lock"] {
        put(&root, path, path);
    }
    fs::create_dir(root.join("empty")).unwrap();
    symlink("b/one.json", root.join("link")).unwrap();
    symlink("../a.txt", root.join("b/up")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe.lock"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    fs::set_permissions(root.join("a.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    let (mut seen, mut ignored) = (Vec::new(), Vec::new());
    let tree = Tree::open(&root).unwrap();
    tree.walk(&*locks(), &mut |what| {
        match what {
            Seen::Entry(entry) => seen.push(entry.path.clone()),
            Seen::Ignored(path) => ignored.push(path.to_owned()),
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, ["a.txt", "b", "b/one.json", "b/two.json", "b/up", "b.txt", "dangling", "empty", "link"],);
    assert_eq!(ignored, ["one.lock", "pipe.lock", "var"]);
    let Content::Whole(bytes, stat) = tree.read("b/two.json", Growth::Refused).unwrap() else { panic!() };
    assert_eq!((bytes.as_slice(), stat.size_bytes), (&b"b/two.json"[..], 10));
    assert_eq!(Stat::from_bytes(&stat.to_bytes()), Some(stat));
    assert_eq!((tree.stat("b/two.json").unwrap(), tree.stat("b/no").unwrap()), (Some(stat), None));
    assert_eq!(Stat::from_bytes(b"short"), None);
}

#[test]
fn a_link_that_leads_out_or_in_a_circle_is_an_error_that_names_it() {
    for (link, leads_to, what) in [
        ("a", "/etc/passwd", "leads out of the tree, to `/etc/passwd`"),
        ("a", "../other", "leads out of the tree"),
        ("d/a", "../../other", "leads out of the tree"),
        ("d/a", "x/../../../other", "leads out of the tree"),
        ("a", "a", "leads in a circle"),
        ("d/a", "../d/a/b", "leads in a circle"),
    ] {
        let (_folder, root) = scratch();
        fs::create_dir(root.join("d")).unwrap();
        symlink(leads_to, root.join(link)).unwrap();
        let error = walk_error(&root);
        assert!(error.contains(&format!("tree/{link}`")) && error.contains(what), "{error}");
        assert!(error.contains("name it under `ignore`"), "{error}");
    }
    // Its text stays inside, and the links on its way lead out.
    let (_folder, root) = scratch();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::create_dir(root.join("top")).unwrap();
    symlink("../../top", root.join("a/b/z")).unwrap();
    symlink("b/z/../../x", root.join("a/link")).unwrap();
    let error = walk_error(&root);
    assert!(error.contains("a/link`") && error.contains("by way of"), "{error}");
}

#[test]
fn what_no_reader_could_carry_is_named() {
    let (_folder, root) = scratch();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let error = walk_error(&root);
    assert!(error.contains("tree/pipe`: it is a FIFO") && error.contains("`ignore`"), "{error}");
    assert!(told(&Tree::open(&root).unwrap().read("pipe", Growth::Refused).unwrap_err()).contains("FIFO"));

    let (_folder, root) = scratch();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("s")).unwrap();
    assert!(walk_error(&root).contains("tree/s`: it is a socket"));

    let (_folder, root) = scratch();
    fs::write(root.join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    let error = walk_error(&root);
    assert!(error.contains("caf\\xe9`: its name is not UTF-8") && error.contains("rename it"), "{error}");

    for (one, other) in [("Log.txt", "log.TXT"), ("caf\u{e9}", "cafe\u{301}"), ("STRASSE", "stra\u{df}e")] {
        let (_folder, root) = scratch();
        put(&root, &format!("d/{one}"), "");
        put(&root, &format!("d/{other}"), "");
        let error = walk_error(&root);
        assert!(error.contains("is the same name where case is folded"), "{error}");
        assert!(error.contains(&format!("d/{}`", one.max(other))), "{error}");
        // In different directories they are two.
        let (_folder, root) = scratch();
        put(&root, &format!("d/{one}"), "");
        put(&root, &format!("e/{other}"), "");
        assert_eq!(Tree::open(&root).unwrap().entries().unwrap().len(), 4);
    }

    let (_folder, root) = scratch();
    let deep = (0..300).map(|_| "d").collect::<Vec<_>>().join("/");
    fs::create_dir_all(root.join(&deep)).unwrap();
    assert!(walk_error(&root).contains("nested more than 256 deep"));
    assert!(told(&Tree::open(&root.join("none")).unwrap_err()).contains("open the tree"));
}

#[test]
fn what_may_not_be_read_is_named() {
    let (folder, root) = scratch();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    put(&root, "secret.json", "");
    fs::set_permissions(root.join("secret.json"), fs::Permissions::from_mode(0o000)).unwrap();
    let error = as_nobody(|| told(&Tree::open(&root).unwrap().read("secret.json", Growth::Refused).unwrap_err()));
    assert!(error.contains("tree/secret.json`: Permission denied") && error.contains("`ignore`"), "{error}");
    fs::create_dir(root.join("closed")).unwrap();
    fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let error = as_nobody(|| walk_error(&root));
    assert!(error.contains("tree/closed`: Permission denied"), "{error}");
}

#[test]
fn a_link_that_takes_the_place_of_a_directory_is_not_followed() {
    let (_folder, root) = scratch();
    put(&root, "d/x", "inside");
    put(root.parent().unwrap(), "outside/x", "outside");
    let tree = Tree::open(&root).unwrap();
    fs::rename(root.join("d"), root.join("was")).unwrap();
    symlink("../outside", root.join("d")).unwrap();
    let error = told(&tree.read("d/x", Growth::Refused).unwrap_err());
    assert!(error.contains("tree/d/x`"), "{error}");
}

#[test]
fn a_file_that_changes_is_read_again_and_then_an_error_and_a_log_is_read_to_its_first_length() {
    let (_folder, root) = scratch();
    put(&root, "busy", "x");
    let (tree, path) = (Tree::open(&root).unwrap(), root.join("busy"));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write;
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                file.write_all(b"x").unwrap();
            }
        });
        let mut refused = None;
        for _ in 0..100_000 {
            if let Err(error) = tree.read("busy", Growth::Refused) {
                refused = Some(told(&error));
                break;
            }
        }
        let grown = tree.read("busy", Growth::Allowed);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let refused = refused.unwrap();
        assert!(refused.contains("tree/busy`: it was changed while it was read, 3 times"), "{refused}");
        let Content::Whole(bytes, stat) = grown.unwrap() else { panic!() };
        assert_eq!(bytes.len() as u64, stat.size_bytes);
    });
}

#[test]
fn a_large_file_is_a_stream_that_notices_a_change() {
    use std::io::{Read, Seek, Write};
    let (_folder, root) = scratch();
    let mut file = fs::File::create(root.join("large")).unwrap();
    file.set_len(super::walk::WHOLE_BYTES_MAX + 1).unwrap();
    let tree = Tree::open(&root).unwrap();
    for (change, growth, is_whole) in
        [(0, Growth::Refused, true), (1, Growth::Refused, false), (1, Growth::Allowed, true)]
    {
        let Content::Large(mut large) = tree.read("large", growth).unwrap() else { panic!() };
        let length = large.stat().size_bytes;
        for _ in 0..change {
            file.seek(std::io::SeekFrom::End(0)).unwrap();
            file.write_all(b"more").unwrap();
        }
        assert_eq!(std::io::copy(&mut large, &mut std::io::sink()).unwrap(), length);
        assert_eq!(large.read(&mut [0; 8]).unwrap(), 0);
        let finished = large.finish();
        assert_eq!(finished.is_ok(), is_whole, "{finished:?}");
    }
    let Content::Large(large) = tree.read("large", Growth::Refused).unwrap() else { panic!() };
    assert!(told(&large.finish().unwrap_err()).contains("too large to be read again"));
}

#[test]
fn no_path_leads_out_of_a_tree() {
    for (path, fault) in [
        ("", PathFault::Empty),
        ("/etc/passwd", PathFault::Absolute),
        ("../x", PathFault::Dots),
        ("a/../../x", PathFault::Dots),
        ("a/./x", PathFault::Dots),
        ("a//x", PathFault::EmptyName),
        ("a/", PathFault::EmptyName),
        ("a\0b", PathFault::Nul),
        (".whimbrel-journal", PathFault::Own),
        (&"x".repeat(256), PathFault::LongName),
        (&["x"; 257].join("/"), PathFault::Long),
    ] {
        assert_eq!(entry::check(path), Err(fault), "{path}");
        let (_folder, root) = scratch();
        let mut draft = Draft::begin(&root, nothing()).unwrap();
        let error = told(&draft.file(path, 0o644, None).unwrap_err());
        assert!(error.contains(&fault.to_string()), "{error}");
        let mut changes = Changes::begin(&root).unwrap();
        assert!(told(&changes.file(path, 0o644, None, None).unwrap_err()).contains(&fault.to_string()));
    }
    assert_eq!(entry::check("a/.whimbrel-x/..."), Ok(()));
    let (_folder, root) = scratch();
    let mut draft = Draft::begin(&root, locks()).unwrap();
    for leads_to in ["/etc", "../x", "a/../../x", ""] {
        assert!(told(&draft.link("link", leads_to).unwrap_err()).contains("lead out of the tree"));
    }
    assert!(told(&draft.file("x.lock", 0o644, None).unwrap_err()).contains("the layout ignores it"));
}

/// A tree as a run makes it.
fn make(root: &Path, beside: bool) -> Result<Published> {
    let mut draft = Draft::begin_in(root, locks(), beside)?;
    let state = draft.state_of_old()?;
    draft.directory("empty", 0o700, None)?;
    draft.file("a.json", 0o640, Some(1_700_000_000_123_456_789))?.fill(b"new a")?;
    draft.file("d/e/b.json", 0o644, None)?.fill(b"new b")?;
    draft.directory("d/closed", 0o555, Some(0))?;
    draft.file("d/closed/x", 0o444, None)?.fill(b"x")?;
    draft.link("d/link", "../a.json")?;
    draft.finish()?;
    draft.publish(state).map_err(|failure| failure.error)
}

fn old_tree(root: &Path) {
    put(root, "a.json", "old a");
    put(root, "d/gone.json", "gone");
    put(root, "same.json", "same");
    put(root, "x.lock", "locked");
    put(root, "var/state", "state");
    symlink("same.json", root.join("link")).unwrap();
    fs::set_permissions(root.join("d"), fs::Permissions::from_mode(0o750)).unwrap();
}

const NEW: [&str; 8] = [
    "a.json 640 new a",
    "d/ 750",
    "d/closed/ 555",
    "d/closed/x 444 x",
    "d/e/ 755",
    "d/e/b.json 644 new b",
    "d/link -> ../a.json",
    "empty/ 700",
];

fn new_picture() -> Vec<String> {
    let mut lines: Vec<String> = NEW.iter().map(|line| (*line).to_owned()).collect();
    lines.extend(["var/ 755", "var/state 644 state", "x.lock 644 locked"].map(String::from));
    lines
}

#[test]
fn a_draft_takes_the_old_trees_place_and_what_is_ignored_stays() {
    for beside in [true, false] {
        let (folder, root) = scratch();
        old_tree(&root);
        let locked = fs::File::open(root.join("x.lock")).unwrap();
        let published = make(&root, beside).unwrap();
        assert_eq!(published, Published { durable: true, notes: Vec::new() });
        assert_eq!(picture(&root), new_picture());
        assert_eq!((left_overs(folder.path()), left_overs(&root)), (vec![], vec![]));
        let time = fs::metadata(root.join("a.json")).unwrap().modified().unwrap();
        assert_eq!(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos(), 1_700_000_000_123_456_789);
        use std::os::unix::fs::MetadataExt;
        let same = fs::metadata(root.join("x.lock")).unwrap().ino();
        assert_eq!(locked.metadata().unwrap().ino(), same, "whoever has it open goes on with it");
    }
    let (folder, root) = scratch();
    fs::remove_dir(&root).unwrap();
    make(&root, true).unwrap();
    assert_eq!(picture(&root), NEW.map(|line| line.replace("d/ 750", "d/ 755")));
    assert_eq!(left_overs(folder.path()), Vec::<String>::new());
}

#[test]
fn a_draft_that_is_dropped_never_was() {
    let (folder, root) = scratch();
    old_tree(&root);
    let before = picture(&root);
    for beside in [true, false] {
        let mut draft = Draft::begin_in(&root, locks(), beside).unwrap();
        draft.file("d/closed/x", 0o444, None).unwrap().fill(b"x").unwrap();
        draft.directory("d/closed", 0o000, None).unwrap();
        draft.finish().unwrap_or_else(|error| panic!("{error}"));
        drop(draft);
        assert_eq!(picture(&root), before);
        assert_eq!((left_overs(folder.path()), left_overs(&root)), (vec![], vec![]));
    }
}

#[test]
fn a_second_writer_in_the_middle_is_noticed_and_nothing_is_lost() {
    for beside in [true, false] {
        let (_folder, root) = scratch();
        old_tree(&root);
        let mut draft = Draft::begin_in(&root, locks(), beside).unwrap();
        let state = draft.state_of_old().unwrap();
        draft.file("a.json", 0o644, None).unwrap().fill(b"new").unwrap();
        draft.finish().unwrap();
        put(&root, "var/state", "ignored, so it is nobody's business");
        put(&root, "a.json", "somebody else's");
        let error = told(&draft.publish(state).unwrap_err().error);
        assert!(error.contains("another program has changed the old tree since it was read"), "{error}");
        assert_eq!(fs::read_to_string(root.join("a.json")).unwrap(), "somebody else's");

        // Another run was faster.
        let mut draft = Draft::begin_in(&root, locks(), beside).unwrap();
        draft.finish().unwrap();
        make(&root, true).unwrap();
        let error = told(&draft.publish(None).unwrap_err().error);
        assert!(error.contains("another program has changed the old tree"), "{error}");
        assert_eq!(
            picture(&root),
            new_picture()
                .iter()
                .map(|line| line.replace("state 644 state", "state 644 ignored, so it is nobody's business"))
                .collect::<Vec<_>>()
        );
    }
    let (folder, _) = scratch();
    let target = folder.path().join("new");
    let mut draft = Draft::begin(&target, nothing()).unwrap();
    draft.finish().unwrap();
    fs::create_dir(&target).unwrap();
    assert!(
        told(&draft.publish(None).unwrap_err().error).contains("another program has made something there meanwhile")
    );
    assert_eq!(left_overs(folder.path()), Vec::<String>::new());
}

#[test]
fn what_cannot_be_written_says_what_to_do() {
    let (folder, root) = scratch();
    put(folder.path(), "file", "");
    let error = told(&Draft::begin(&folder.path().join("file"), nothing()).unwrap_err());
    assert!(error.contains("no directory"), "{error}");
    let error = told(&Draft::begin(&folder.path().join("no/such/tree"), nothing()).unwrap_err());
    assert!(error.contains("make that directory first"), "{error}");
    for (number, hint) in [
        (rustix::io::Errno::NOSPC, "free space"),
        (rustix::io::Errno::ROFS, "mounted read-only"),
        (rustix::io::Errno::ACCESS, "needs permission"),
        (rustix::io::Errno::EXIST, "two names are one on this file system"),
    ] {
        let error = told(&journal::cannot_write("`x`", number.into()));
        assert!(error.contains(hint), "{error}");
    }
    // Neither the directory above nor the tree itself may be written.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o555)).unwrap();
    let error = as_nobody(|| told(&Draft::begin(&root, nothing()).unwrap_err()));
    assert!(error.contains("Permission denied") && error.contains("needs permission to write"), "{error}");
    assert_eq!(left_overs(folder.path()), Vec::<String>::new());
    let mut draft = Draft::begin(&root, nothing()).unwrap();
    draft.file("a", 0o644, None).unwrap().fill(b"").unwrap();
    let error = told(&draft.file("a", 0o644, None).unwrap_err());
    assert!(error.contains("two names are one"), "{error}");
    draft.file("A", 0o644, None).unwrap().fill(b"").unwrap();
    let error = told(&draft.finish().unwrap_err());
    assert!(error.contains("is the same name where case is folded"), "{error}");
    assert!(told(&draft.publish(None).unwrap_err().error).contains("not finished"));
}

#[test]
fn where_the_directory_above_may_not_be_written_a_journal_does_it() {
    let (folder, root) = scratch();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    old_tree(&root);
    for path in ["", "a.json", "d", "d/gone.json", "same.json", "x.lock", "var", "var/state"] {
        give_to_nobody(&root.join(path));
    }
    let published = as_nobody(|| make(&root, true).map_err(|error| told(&error)));
    assert!(published.is_ok(), "{published:?}");
    assert_eq!(picture(&root), new_picture());
    assert_eq!((left_overs(folder.path()), left_overs(&root)), (vec![], vec![]));
}

#[test]
fn a_tree_is_taken_away_in_one_step() {
    let (folder, root) = scratch();
    old_tree(&root);
    let state = Tree::open(&root).unwrap().state(&*nothing()).unwrap();
    put(&root, "a.json", "somebody else's");
    let error = draft::remove(&root, &nothing(), Some(state)).unwrap_err().error;
    assert!(told(&error).contains("another program has changed the old tree"), "{error}");
    assert_eq!(fs::read_to_string(root.join("a.json")).unwrap(), "somebody else's");
    let state = Tree::open(&root).unwrap().state(&*nothing()).unwrap();
    draft::remove(&root, &nothing(), Some(state)).unwrap();
    assert!(!root.exists());
    assert_eq!(left_overs(folder.path()), Vec::<String>::new());
}

/// Some files of a tree are changed.
fn change(root: &Path) -> Result<()> {
    let tree = Tree::open(root)?;
    let now = |path: &str| tree.stat(path).unwrap();
    let mut changes = Changes::begin(root)?;
    changes.file("a.json", 0o600, None, now("a.json"))?.fill(b"new a")?;
    changes.directory("n", 0o755)?;
    changes.directory("n/m", 0o750)?;
    changes.file("n/m/b.json", 0o644, None, None)?.fill(b"new b")?;
    changes.link("link", "a.json", now("link"))?;
    if let Some(gone) = now("d/gone.json") {
        changes.remove("d/gone.json", gone)?;
    }
    changes.remove_if_empty("d")?;
    changes.append("var/state", b", and more", now("var/state").unwrap())?;
    changes.commit().map_err(|failure| failure.error)
}

const CHANGED: [&str; 9] = [
    "a.json 600 new a",
    "link -> a.json",
    "n/ 755",
    "n/m/ 750",
    "n/m/b.json 644 new b",
    "same.json 644 same",
    "var/ 755",
    "var/state 644 state, and more",
    "x.lock 644 locked",
];

#[test]
fn some_files_are_changed_and_the_rest_is_left_alone() {
    let (_folder, root) = scratch();
    old_tree(&root);
    let same = Tree::open(&root).unwrap().stat("same.json").unwrap();
    let state = Tree::open(&root).unwrap().stat("var/state").unwrap();
    change(&root).unwrap();
    let inode = |stat: Option<Stat>| stat.map(|stat| stat.inode);
    assert_eq!(inode(Tree::open(&root).unwrap().stat("var/state").unwrap()), inode(state), "the same file");
    assert_eq!(picture(&root), CHANGED);
    assert_eq!(Tree::open(&root).unwrap().stat("same.json").unwrap(), same);
    assert_eq!(left_overs(&root), Vec::<String>::new());

    let stat = Tree::open(&root).unwrap().stat("a.json").unwrap();
    let mut changes = Changes::begin(&root).unwrap();
    changes.file("same.json", 0o644, None, same).unwrap().fill(b"ours").unwrap();
    changes.file("a.json", 0o644, None, stat).unwrap().fill(b"ours").unwrap();
    put(&root, "a.json", "somebody else's");
    let error = told(&changes.commit().unwrap_err().error);
    assert!(error.contains("tree/a.json`: another program has changed it since it was read"), "{error}");
    assert_eq!(fs::read_to_string(root.join("a.json")).unwrap(), "somebody else's");
    assert_eq!(fs::read_to_string(root.join("same.json")).unwrap(), "same");
    assert_eq!(left_overs(&root), Vec::<String>::new());
}

#[test]
fn what_could_not_be_done_to_its_end_is_not_begun() {
    let (folder, root) = scratch();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    put(&root, "d/a.json", "a");
    for path in ["", "d", "d/a.json"] {
        give_to_nobody(&root.join(path));
    }
    let refused = |make: &(dyn Fn(&mut Changes) + Sync)| {
        as_nobody(|| {
            let mut changes = Changes::begin(&root).unwrap();
            changes.file("new.json", 0o644, None, None).unwrap().fill(b"new").unwrap();
            make(&mut changes);
            let failure = changes.commit().unwrap_err();
            assert!(!failure.is_begun);
            told(&failure.error)
        })
    };
    let error = refused(&|changes| changes.file("no/b.json", 0o644, None, None).unwrap().fill(b"b").unwrap());
    assert!(error.contains("tree/no`: No such file"), "{error}");
    let error = refused(&|changes| changes.directory("d/a.json", 0o755).unwrap());
    assert!(error.contains("tree/d/a.json`: it is no directory"), "{error}");
    fs::set_permissions(root.join("d"), fs::Permissions::from_mode(0o555)).unwrap();
    let stat = Tree::open(&root).unwrap().stat("d/a.json").unwrap().unwrap();
    let error = refused(&|changes| changes.remove("d/a.json", stat).unwrap());
    assert!(error.contains("tree/d`: Permission denied") && error.contains("needs permission"), "{error}");
    assert_eq!((picture(&root), left_overs(&root)), (vec!["d/ 555".into(), "d/a.json 644 a".into()], vec![]));
}

#[test]
fn a_journal_of_somebody_else_is_not_obeyed() {
    let text = |secret: &str, path: &str, made: &str| {
        format!(r#"{{"format":1,"secret":"{secret}","steps":[{{"do":"put","path":"{path}","made":"{made}"}}]}}"#)
    };
    let secret = ".whimbrel-1-0123456789abcdef.tmp";
    for journal in [
        text("../x", "a", "0"),
        text(secret, "../a", "0"),
        text(secret, "a", "../0"),
        text(secret, "/a", "0"),
        text(secret, "a", "").replace("format\":1", "format\":2"),
        "{".to_owned(),
    ] {
        let (_folder, root) = scratch();
        put(&root, "a", "a");
        put(&root, ".whimbrel-journal", &journal);
        let error = told(&journal::recover(&root).unwrap_err());
        assert!(error.contains("obey the journal") && error.contains("remove the file"), "{error}");
        assert!(journal::is_pending(&Tree::open(&root).unwrap()).unwrap());
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "a");
    }
    let (folder, root) = scratch();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    put(&root, ".whimbrel-journal", &text(secret, "a", "0"));
    if rustix::process::geteuid().is_root() {
        let error = as_nobody(|| told(&journal::recover(&root).unwrap_err()));
        assert!(error.contains("belongs to another user"), "{error}");
    }
}

/// The job of a child that is killed.
#[test]
fn child() {
    let Ok(job) = std::env::var("WHIMBREL_TREE_JOB") else { return };
    let (name, root) = job.split_once(' ').unwrap();
    let root = Path::new(root);
    match name {
        "beside" | "new" => drop(make(root, true).unwrap()),
        "inside" => drop(make(root, false).unwrap()),
        _ => change(root).unwrap(),
    }
}

/// Whether the child was killed.
fn run_child(job: &str, root: &Path, at: u64) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "endpoint::files::tree::tests::child", "--nocapture", "--test-threads=1"])
        .env("WHIMBREL_TREE_JOB", format!("{job} {}", root.display()))
        .env(killed::VARIABLE, at.to_string())
        .output()
        .unwrap();
    use std::os::unix::process::ExitStatusExt;
    let is_killed = output.status.signal() == Some(9);
    assert!(is_killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    is_killed
}

#[test]
fn killed_before_any_call_that_changes_something_a_tree_is_the_old_one_or_the_new_one() {
    for job in ["beside", "new", "inside", "change"] {
        let (mut calls, mut was_old, mut was_new) = (0, 0, 0);
        loop {
            let (folder, root) = scratch();
            let (mut old, mut new) = (Vec::new(), new_picture());
            match job {
                "new" => {
                    fs::remove_dir(&root).unwrap();
                    new = NEW.map(|line| line.replace("d/ 750", "d/ 755")).to_vec();
                }
                _ => {
                    old_tree(&root);
                    old = picture(&root);
                }
            }
            if job == "change" {
                new = CHANGED.map(String::from).to_vec();
            }
            calls += 1;
            if !run_child(job, &root, calls) {
                assert_eq!(picture(&root), new, "{job}");
                break;
            }
            if root.exists() {
                let pending = journal::is_pending(&Tree::open(&root).unwrap()).unwrap();
                assert!(!pending || matches!(job, "inside" | "change"));
                journal::recover(&root).unwrap();
            }
            let now = if root.exists() { picture(&root) } else { Vec::new() };
            assert!(now == old || now == new, "{job} killed at {calls}: {now:#?}");
            was_old += usize::from(now == old);
            was_new += usize::from(now == new);
            // The next run does the job, and leaves nothing behind.
            if now == old {
                match job {
                    "change" => change(&root).unwrap(),
                    "inside" => drop(make(&root, false).unwrap()),
                    _ => drop(make(&root, true).unwrap()),
                }
                assert_eq!(picture(&root), new, "{job} killed at {calls}");
            } else {
                drop(Draft::begin(&root, locks()).unwrap());
            }
            assert_eq!((left_overs(folder.path()), left_overs(&root)), (vec![], vec![]), "{job} killed at {calls}");
        }
        assert!(calls > 15 && was_old > 5 && was_new > 0, "{job}: {calls} calls, {was_old} old, {was_new} new");
    }
}

#[test]
fn an_archive_is_the_tree_and_any_tar_reads_it() {
    let (folder, root) = scratch();
    old_tree(&root);
    put(&root, &format!("{}/{}", "n".repeat(120), "ü".repeat(100)), "long");
    fs::create_dir(root.join("empty")).unwrap();
    let old = fs::File::open(root.join("a.json")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH - std::time::Duration::from_nanos(1)).unwrap();
    let tree = Tree::open(&root).unwrap();
    let path = folder.path().join("archive");
    let archived = archive::write(&tree, &*locks(), fs::File::create(&path).unwrap()).unwrap();
    assert_eq!((archived.entries, archived.bytes), (8, 17));
    assert_eq!(archived.state, Some(tree.state(&*locks()).unwrap()));
    let verified = archive::verify(fs::File::open(&path).unwrap(), "`archive`").unwrap();
    assert_eq!((verified.digest, verified.entries, verified.bytes), (archived.digest, 8, 17));

    let target = folder.path().join("back");
    let mut draft = Draft::begin(&target, nothing()).unwrap();
    archive::unpack(fs::File::open(&path).unwrap(), "`archive`", &mut draft).unwrap();
    draft.finish().unwrap();
    draft.publish(None).unwrap();
    let expected: Vec<String> =
        picture(&root).into_iter().filter(|line| !line.starts_with("var") && !line.contains(".lock")).collect();
    assert_eq!(picture(&target), expected);
    let times = |root: &Path| -> Vec<i64> {
        Tree::open(root).unwrap().entries().unwrap().iter().map(|entry| entry.stat.modified_ns).collect()
    };
    let again = folder.path().join("again");
    let state = archive::write(&Tree::open(&target).unwrap(), &|_| false, fs::File::create(again).unwrap()).unwrap();
    assert_eq!(state.digest, archived.digest, "{:?}", times(&target));

    let unpacked = folder.path().join("tar");
    fs::create_dir(&unpacked).unwrap();
    let status = Command::new("tar").arg("-xf").arg(&path).arg("-C").arg(&unpacked).status().unwrap();
    assert!(status.success());
    assert_eq!(picture(&unpacked.join("tree")), expected);

    // Each flipped byte that means something is noticed, and each cut.
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len() - 1024).step_by(509) {
        assert!(archive::verify(&whole[..length], "`archive`").is_err(), "cut at {length}");
    }
    let mut unnoticed = Vec::new();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 0x04;
        if archive::verify(&changed[..], "`archive`").is_ok() {
            unnoticed.push(place);
        }
    }
    // Padding, and what a header says beside path, kind, permissions, time and size; the digest of the backup has those.
    assert!(unnoticed.iter().all(|place| whole[*place] == 0 || place % 512 >= 100), "{unnoticed:?}");
}
