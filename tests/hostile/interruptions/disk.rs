//! No room left: a disk that is full at every tenth of the file's size, and a file that may not grow beyond it.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use super::support::{assert_tidy, content, copied, migrate, old_target, said, snapshot, source, source_of, succeed};
use crate::support::turn::alone;

const BLOCK_BYTES: u64 = 4096;

/// What has to hold after a run that had no room.
fn assert_refused(output: &Output, target: &Path, before: &[(String, Vec<u8>)], when: &str) {
    let told = said(output);
    assert_eq!(output.status.code(), Some(3), "{when}: {told}");
    // It is the new file that does not fit, under its temporary name in the target's directory.
    let directory = target.parent().unwrap().to_str().unwrap();
    assert!(told.contains(&format!("`{directory}/.app.db.whimbrel-")), "{when}, the file is not named: {told}");
    let told_how = told.contains("make room for the target") || told.contains("free space on that disk");
    assert!(told_how, "{when}, the way out is not named: {told}");
    let after = snapshot(target.parent().unwrap());
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert!(after == before, "{when}: {:?} was {:?}", names(&after), names(before));
}

/// The size of the file that a run makes, and its content.
fn model(url: &str, directory: &Path) -> (u64, u128) {
    let target = directory.join("model.db");
    succeed(url, &target);
    (fs::metadata(&target).unwrap().len(), content(&target))
}

/// A file system of its own that only this thread and its children see.
#[cfg(target_os = "linux")]
struct Disk {
    directory: tempfile::TempDir,
}

#[cfg(target_os = "linux")]
impl Disk {
    /// Gives this thread mounts of its own.
    fn enter() -> std::io::Result<()> {
        let null = std::ptr::null();
        // SAFETY: the strings outlive the calls; the mounts are this thread's own and end with it.
        let done = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(null, c"/".as_ptr(), null, libc::MS_REC | libc::MS_PRIVATE, null.cast()) == 0
        };
        if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }

    fn mount(&self, flags: libc::c_ulong, size_bytes: u64) -> std::io::Result<()> {
        let path = std::ffi::CString::new(self.directory.path().to_str().unwrap()).unwrap();
        let size = std::ffi::CString::new(format!("size={size_bytes}")).unwrap();
        // SAFETY: the strings outlive the call.
        match unsafe { libc::mount(c"none".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), flags, size.as_ptr().cast()) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }

    fn new(size_bytes: u64) -> std::io::Result<Disk> {
        let disk = Disk { directory: tempfile::tempdir().unwrap() };
        disk.mount(0, size_bytes).map(|()| disk)
    }

    /// Fills the disk until so many blocks are left.
    fn fill_up_to(&self, blocks_left: u64) -> std::path::PathBuf {
        let path = self.directory.path().join("filler");
        let mut filler = fs::File::create(&path).unwrap();
        while filler.write_all(&[1; BLOCK_BYTES as usize]).is_ok() {}
        let length = filler.metadata().unwrap().len() / BLOCK_BYTES;
        filler.set_len((length - blocks_left) * BLOCK_BYTES).unwrap();
        path
    }
}

#[cfg(target_os = "linux")]
impl Drop for Disk {
    fn drop(&mut self) {
        let path = std::ffi::CString::new(self.directory.path().to_str().unwrap()).unwrap();
        // SAFETY: the path is the one that was mounted.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    }
}

/// Every tenth of the room that a whole run needs: the new file, and beside it the backup of the old one.
#[cfg(target_os = "linux")]
fn full_disks(url: &str) -> std::io::Result<String> {
    Disk::enter()?;
    let models = tempfile::tempdir().unwrap();
    let (size_bytes, new) = model(url, models.path());
    let blocks = size_bytes / BLOCK_BYTES;
    let mut refused = 0;
    // Beyond ten tenths there is room for the new file and none for the backup, which needs a few blocks.
    for step in 0..=10 {
        let log = step % 2 == 1;
        let disk = Disk::new(4 * size_bytes)?;
        let target = disk.directory.path().join("app.db");
        old_target(&target, log);
        let filler = disk.fill_up_to(blocks * step / 10);
        let before = snapshot(disk.directory.path());
        let output = migrate(url, &target).arg("--quiet").output().unwrap();
        assert_refused(&output, &target, &before, &format!("{step} tenths, log {log}"));
        refused += 1;
        fs::remove_file(filler).unwrap();
        succeed(url, &target);
        assert_eq!(content(&copied(&target, models.path())), new);
        assert_tidy(disk.directory.path());
    }
    larger_than_memory(models.path())?;
    Ok(format!("{refused} full disks, at every tenth of {size_bytes} bytes: each time the old file, then the new one"))
}

/// A small file stays in memory until its commit; of one larger than the cache, rows are written while they come in.
#[cfg(target_os = "linux")]
fn larger_than_memory(models: &Path) -> std::io::Result<()> {
    let database = source_of(40, 30_000);
    let (size_bytes, new) = model(&database.url(), models);
    let disk = Disk::new(2 * size_bytes)?;
    let target = disk.directory.path().join("app.db");
    old_target(&target, true);
    let filler = disk.fill_up_to(size_bytes / BLOCK_BYTES / 4);
    let before = snapshot(disk.directory.path());
    let output = migrate(&database.url(), &target).arg("--quiet").output().unwrap();
    assert_refused(&output, &target, &before, "while rows come in");
    assert!(said(&output).contains("copy table `public.first`, row ["), "{}", said(&output));
    fs::remove_file(filler).unwrap();
    succeed(&database.url(), &target);
    assert_eq!(content(&copied(&target, models)), new);
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn full_disks(_: &str) -> std::io::Result<String> {
    Err(std::io::Error::other("Linux only"))
}

#[test]
fn a_disk_that_is_full_at_any_tenth_of_the_file_leaves_the_old_target() {
    let _alone = alone();
    let database = source(600);
    let url = database.url();
    // The mounts go with the thread.
    let outcome = std::thread::spawn(move || full_disks(&url)).join();
    match outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
        Ok(told) => println!("{told}"),
        Err(cause) => {
            let told = format!("NOT TESTED: a full disk (no small file system can be mounted here: {cause})");
            assert!(std::env::var_os("CI").is_none(), "{told}");
            let _ = writeln!(std::io::stderr(), "interruptions: {told}");
        }
    }
}

/// The program with a limit on the size of every file that it writes, which any user can set.
fn limited(url: &str, target: &Path, bytes_max: u64) -> Command {
    let mut command = migrate(url, target);
    // SAFETY: between fork and exec only setrlimit and signal are called, which are safe there.
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit { rlim_cur: bytes_max, rlim_max: bytes_max };
            // The signal would end the program; without it the write fails with EFBIG.
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            match libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    command
}

#[test]
fn a_file_that_may_not_grow_beyond_any_tenth_leaves_the_old_target() {
    let _alone = alone();
    let database = source(600);
    let url = database.url();
    let models = tempfile::tempdir().unwrap();
    let (size_bytes, new) = model(&url, models.path());
    for step in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("app.db");
        old_target(&target, step % 2 == 1);
        let before = snapshot(directory.path());
        let output = limited(&url, &target, size_bytes * step / 10).arg("--quiet").output().unwrap();
        assert_refused(&output, &target, &before, &format!("{step} tenths"));
        succeed(&url, &target);
        assert_eq!(content(&copied(&target, models.path())), new);
        assert_tidy(directory.path());
    }
    println!("10 limits, at every tenth of {size_bytes} bytes: each time the old file, then the new one");
}
