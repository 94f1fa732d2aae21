//! The trees of `fixtures/trees`, and what `docs/moving-files.md` shows of one: migrated, verified, edited on both sides, exported, rolled
//! back, merged. `WHIMBREL_RECORD=1` writes the transcript.

use crate::trees::{content, run, text};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("a copy")),
        }
    }
}

/// A copy of a tree, which the test may change.
fn tree(folder: &Path, name: &str) -> PathBuf {
    let tree = folder.join(name);
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/trees").join(name), &tree);
    tree
}

#[test]
fn each_tree_goes_there_and_back() {
    let projects = [
        ("sessions", "sessions"),
        ("deespec", "deespec"),
        ("deespec-document", "deespec/document"),
        ("agents", "agents"),
    ];
    for (name, project) in projects {
        let folder = crate::support::memory::tempdir().expect("a folder");
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(project);
        let tree = tree(folder.path(), name);
        let (file, out) = (folder.path().join("app.db"), folder.path().join("out"));
        let before = content(&tree);
        run(&["check", text(&project), text(&tree)], 0);
        run(&["plan", text(&project), text(&tree), text(&file)], 0);
        run(&["migrate", text(&project), text(&tree), text(&file)], 0);
        run(&["verify", text(&tree), text(&file)], 0);
        run(&["migrate", text(&file), &format!("{}/", text(&out))], 0);
        assert!(content(&out) == before, "{name} comes back");
        assert!(content(&tree) == before, "{name} is only read");
    }
}

/// Runs what the guide shows, and takes down what it says.
struct Transcript {
    folder: PathBuf,
    text: String,
}

impl Transcript {
    fn run(&mut self, line: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let words = line.replace("migrations/", &format!("{}/migrations/", root.display()));
        let output = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
            .current_dir(&self.folder)
            .args(words.split_whitespace())
            .output()
            .expect("the program");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let said =
            said.replace(&format!("{}/", self.folder.display()), "").replace(&format!("{}/", root.display()), "");
        self.text.push_str(&format!("$ whimbrel {line}\n{}", settled(&said)));
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push_str(&format!("(exit code {})\n\n", output.status.code().expect("no signal")));
    }

    fn tell(&mut self, line: &str) {
        self.text.push_str(&format!("-- {line}\n\n"));
    }
}

/// Without what differs from run to run: times, and the names that are made of them; digests over those.
fn settled(said: &str) -> String {
    let mut text = String::new();
    for line in said.lines().filter(|line| !line.starts_with("time:") && !line.contains("it took")) {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| {
                let is_time = word.parse::<f64>().is_ok() && word.contains('.') && line.contains(" s in all");
                let is_id = word.len() > 20 && word.starts_with("20") && word.contains("T") && word.contains("Z-");
                let bare = word.trim_end_matches([',', ';']);
                let is_digest = bare.len() == 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
                if is_id || is_digest || is_time { "…".to_owned() } else { word.to_owned() }
            })
            .collect();
        text.push_str(words.join(" ").trim_end());
        text.push('\n');
    }
    text
}

#[test]
fn the_guide_shows_what_happens() {
    let folder = crate::support::memory::tempdir().expect("a folder");
    let home = folder.path().canonicalize().expect("a folder");
    let sessions = tree(&home, "sessions");
    let mut transcript = Transcript { folder: home.clone(), text: String::new() };
    transcript.run("check migrations/sessions sessions");
    transcript.run("migrate migrations/sessions sessions sessions.db");
    transcript.run("verify sessions sessions.db");

    transcript
        .tell("the application marks a session in its file as paused; somebody renames another one in the database");
    let mut files: Vec<PathBuf> = fs::read_dir(sessions.join("sessions"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let edited = files
        .iter()
        .find(|path| fs::read_to_string(path).expect("a file").contains("\"status\": \"failed\",\n    \"createdAt\""))
        .expect("a session that failed");
    let said = fs::read_to_string(edited).expect("a file");
    let place = said.find("\"status\": \"failed\",\n    \"createdAt\"").expect("the session");
    let (head, tail) = said.split_at(place);
    fs::write(edited, format!("{head}{}", tail.replacen("failed", "paused", 1))).expect("an edit");
    let database = home.join("sessions.db");
    let renamed: String = Connection::open(&database)
        .and_then(|file| {
            let sql = "SELECT min(id) FROM sessions WHERE status = 'completed'";
            let id: String = file.query_row(sql, [], |row| row.get(0))?;
            file.execute("UPDATE sessions SET task = 'Another task' WHERE id = ?1", [&id])?;
            Ok(id)
        })
        .expect("an edit");
    transcript.run("verify sessions sessions.db");
    assert!(transcript.text.contains(&renamed) && transcript.text.contains("`Another task`"), "{}", transcript.text);

    transcript.tell("the file wins: the tree becomes what it says, and the old tree is kept");
    let before = content(&sessions);
    transcript.run("migrate sessions.db sessions");
    transcript.run("verify sessions sessions.db");
    let after = content(&sessions);
    assert_eq!(before.iter().filter(|(path, what)| after.get(*path) != Some(what)).count(), 2, "one file each");
    transcript.run("rollback sessions");
    assert!(content(&sessions) == before);

    transcript.tell("both have changed since the file was made: what would a sync do?");
    transcript.run("sync migrations/sessions sessions sessions.db --dry-run");
    assert!(content(&sessions) == before);
    transcript.tell("meanwhile somebody changes the paused session in the database as well, and not alike");
    Connection::open(&database)
        .and_then(|file| {
            let paused: serde_json::Value = serde_json::from_slice(&fs::read(edited).expect("a file")).expect("JSON");
            let paused = paused.as_array().expect("sessions").iter().find(|one| one["status"] == "paused");
            let id = paused.and_then(|one| one["id"].as_str());
            file.execute("UPDATE sessions SET status = 'running' WHERE id = ?1", [id])
        })
        .expect("an edit");
    transcript.run("sync migrations/sessions sessions sessions.db");
    transcript.tell("the file is right about its session");
    transcript.run("sync migrations/sessions sessions sessions.db --prefer files:sessions");
    transcript.run("verify sessions sessions.db");
    transcript.run("migrate sessions.db exported/");
    assert!(content(&home.join("exported")) == content(&sessions), "both sides are one");

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/moving-files.md");
    let told = fs::read_to_string(&page).expect("the page");
    let (head, rest) = told.split_once("```text\n").expect("a transcript");
    let (shown, tail) = rest.split_once("```\n").expect("the end of the transcript");
    if std::env::var_os("WHIMBREL_RECORD").is_some() {
        fs::write(&page, format!("{head}```text\n{}\n```\n{tail}", transcript.text.trim_end())).expect("the page");
        return;
    }
    assert_eq!(shown.trim_end(), transcript.text.trim_end(), "`WHIMBREL_RECORD=1` writes it anew");
}
