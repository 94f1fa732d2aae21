//! Attachments that are never in memory as a whole, on the way there and back.

use crate::large::Place;
use crate::trees::{content, run, text};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const LAYOUT: &str = r#"
[[file]]
path = "attached/{name}"
format = "bytes"

[[file.records]]
table = "attachments"
key = ["name"]
columns.name = "@path.name"
columns.content = "@content"
columns.hash = "@sha256"

[[file]]
path = "notes.json"
format = "json"

[[file.records]]
at = "[]"
table = "notes"
key = ["id"]
columns.id = "id"
"#;

const MB: u64 = 1_000_000;

/// A file that no two pieces of are alike.
fn write_large(path: &Path, megabytes: u64) {
    let (mut file, mut state) = (BufWriter::new(File::create(path).expect("a file")), 0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..megabytes * MB / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).expect("the disk takes it");
    }
    file.flush().expect("the disk takes it");
}

/// Runs the program, and returns the most memory that it had at one time, in bytes.
fn peak_memory_bytes(words: &[&str]) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (path, mut peak_kib) = (format!("/proc/{}/status", child.id()), 0);
    let status = loop {
        let status = fs::read_to_string(&path).expect("Linux tells what a process has");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse::<u64>().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let said = std::io::read_to_string(child.stderr.take().expect("it is piped")).expect("text");
    assert!(status.success() && peak_kib > 0, "{words:?}: {said}");
    peak_kib * 1024
}

#[test]
fn memory_does_not_grow_with_an_attachment() {
    let mut peaks = Vec::new();
    for megabytes in [20, 160] {
        let place = Place::of(LAYOUT);
        place.write("attached/small.bin", "small");
        place.write("notes.json", "[]");
        write_large(&place.tree.join("attached/large.bin"), megabytes);
        let out = place.folder.path().join("out");
        let (project, tree, file) = (text(&place.project), text(&place.tree), text(&place.file));
        let back = format!("{}/", text(&out));
        let steps = [
            peak_memory_bytes(&["migrate", project, tree, file, "--no-progress"]),
            peak_memory_bytes(&["verify", tree, file, "--no-progress"]),
            peak_memory_bytes(&["migrate", file, &back, "--no-progress"]),
        ];
        assert!(content(&out) == content(&place.tree), "the same bytes");
        peaks.push(steps);
    }
    let [small, large] = [peaks[0], peaks[1]].map(|steps| steps.map(|bytes| bytes / MB));
    for (step, (small, large)) in ["there", "verify", "back"].into_iter().zip(small.into_iter().zip(large)) {
        println!("{step}: {small} MB with 20 MB, {large} MB with 160 MB");
        assert!(large < small + 40, "{step}: {small} MB with 20 MB, {large} MB with 160 MB");
    }
}

#[test]
fn a_large_attachment_is_held_against_its_row() {
    let place = Place::of(LAYOUT);
    place.write("notes.json", "[]");
    write_large(&place.tree.join("../large.bin"), 9);
    let large = fs::read(place.tree.join("../large.bin")).expect("it is there");
    place.write("attached/a.bin", &large);
    place.migrate(&[], 0);
    let (tree, file) = (text(&place.tree), text(&place.file));
    assert_eq!(place.one("SELECT typeof(content) || length(content) FROM attachments"), "blob9000000");
    run(&["verify", tree, file], 0);
    run(&["check", file], 0);

    // One byte of the file is another one.
    let mut other = large.clone();
    other[8_500_000] ^= 1;
    place.write("attached/a.bin", &other);
    let said = run(&["verify", tree, file], 1);
    assert!(said.contains("attachments") && said.contains("content"), "{said}");
    // And it comes to the row by a sync, whose hash says so.
    run(&["sync", text(&place.project), tree, file], 0);
    run(&["verify", tree, file], 0);

    // A row that is renamed is another file; one whose hash is not that of its bytes is none.
    place.change("UPDATE attachments SET name = 'b.bin'");
    let out = place.export();
    assert!(
        fs::read(out.join("attached/b.bin")).expect("it is there") == other && !out.join("attached/a.bin").exists()
    );
    place.change("UPDATE attachments SET hash = replace(hash, substr(hash, 1, 8), '00000000')");
    let said = run(&["migrate", file, &format!("{}/", text(&place.folder.path().join("no")))], 3);
    assert!(said.contains("the SHA-256 that the row says is not that of the content"), "{said}");
    // So is a name that leads out.
    place.change("UPDATE attachments SET name = '../b.bin'");
    let said = run(&["migrate", file, &format!("{}/", text(&place.folder.path().join("no")))], 3);
    assert!(said.contains("attachments") && !place.folder.path().join("no").exists(), "{said}");
}
