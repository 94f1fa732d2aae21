//! Names, values, files and messages full of what terminals obey: none of it comes out as it is, and none of it makes a
//! line of its own.

use super::world::{HOSTILE, World, describe as told, speaks_json, verbs};
use rusqlite::Connection;
use std::process::Output;
use whimbrel::printable::is_hidden;

/// Whatever was printed: nothing hidden but the ends of lines, and no line that a name has forged.
fn assert_pure(what: &str, output: &Output) {
    for (stream, bytes) in [("standard output", &output.stdout), ("standard error", &output.stderr)] {
        let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{what}: {stream}: {error}"));
        let found = text.char_indices().find(|(_, character)| is_hidden(*character) && *character != '\n');
        if let Some((at, character)) = found {
            let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
            panic!("{what}: {stream} has {character:?} in {:?}\n{}", text[start..].lines().next(), told(output));
        }
        let forged = text.lines().find(|line| line.trim_start().starts_with("forged"));
        assert!(forged.is_none(), "{what}: {stream} has a forged line\n{}", told(output));
    }
}

/// Runs it in text and, where the verb can, in JSON, whose every line has to be JSON.
fn sweep(world: &World, words: &dyn Fn() -> Vec<String>, json: bool, expected: &[i32]) -> String {
    let mut all = String::new();
    for option in [None, Some("--json")].into_iter().take(if json { 2 } else { 1 }) {
        let words = [words(), option.map(str::to_owned).into_iter().collect()].concat();
        let output = world.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let what = format!("{words:?}");
        assert_pure(&what, &output);
        let code = output.status.code().expect("it ends by itself");
        assert!(expected.contains(&code), "{what}: {}", told(&output));
        let text = String::from_utf8_lossy(&output.stdout);
        if option.is_some() {
            for line in text.lines() {
                serde_json::from_str::<serde_json::Value>(line)
                    .unwrap_or_else(|error| panic!("{what}: {error}: {line}"));
            }
        }
        all.push_str(&text);
    }
    all
}

#[test]
fn every_verb_prints_nothing_that_a_terminal_obeys() {
    let world = World::new(HOSTILE);
    for verb in verbs() {
        // The demo has names of its own only.
        let said = sweep(&world, &|| world.words(&verb), speaks_json(&verb), &[0]);
        match verb.as_str() {
            "plan" => {
                assert!(said.contains("\\u{1b}[2J\\u{7}\\u{9d}\\u{202e}\\r\\u{8}\\u{200b}\\u{7f}\\nforged"), "{said}");
                assert!(said.contains("-- not to be copied from here"), "{said}");
                // JSON has the name itself.
                let line = said.lines().last().expect("a line");
                let plan: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let mut targets =
                    plan["data"]["tables"].as_array().expect("tables").iter().map(|table| &table["target"]);
                assert!(targets.any(|target| target == &format!("o{HOSTILE}")), "{plan}");
            }
            "latency" => assert!(said.contains("\\u{202e}"), "{verb}: {said}"),
            _ => {}
        }
    }
}

#[test]
fn no_failure_prints_what_a_terminal_obeys() {
    let world = World::new(HOSTILE);
    let word = |text: &str| format!("{text}{HOSTILE}");
    let (url, target, project) = (world.database.url(), world.text(&world.target()), world.text(&world.named("app")));
    let damaged = world.fresh("damaged.db");
    std::fs::copy(world.target(), &damaged).unwrap();
    let connection = Connection::open(&damaged).unwrap();
    let sql = |text: &str| text.replace('§', &HOSTILE.replace('"', "\"\""));
    connection
        .execute_batch(&sql("PRAGMA foreign_keys = OFF; UPDATE \"o§\" SET \"c§\" = \"c§\" || '§' WHERE id = 1;
             DELETE FROM \"o§\" WHERE id = 2; CREATE TABLE \"extra§\" (\"a§\" TEXT CHECK (json_valid(\"a§\")))"))
        .unwrap();
    drop(connection);
    let damaged = world.text(&damaged);
    let checks = world.fresh("checks");
    world.write(&checks.join(word("finds").as_str()).with_extension("sql"), &world.check("1 = 1"));
    let broken_checks = world.fresh("checks");
    world.write(&broken_checks.join(word("x") + ".sql"), &format!("SELECT \"no{HOSTILE}\" FROM \"none{HOSTILE}\""));
    let broken = world.migrations();
    world.write(&broken.join("0003_x.up.sql"), &format!("CREATE TABLE \"a{HOSTILE}\" (b); SELEC \"x{HOSTILE}\";"));
    let misnamed = world.migrations();
    world.write(&misnamed.join(word("0003_x") + ".up.sql"), "SELECT 1;");
    world.write(&misnamed.join(word("3_y") + ".down.sql"), "SELECT 1;");
    let drifted_folder = world.migrations();
    let drifted = world.migrated(&drifted_folder);
    Connection::open(&drifted).unwrap().execute_batch(&sql("CREATE TABLE \"drift§\" (\"c§\")")).unwrap();
    let unknown_key = world.fresh("project");
    world.write(&unknown_key.join("project.toml"), "\"key\\u001b\\u202e\\nforged\" = 1\n");
    let unknown_table = world.fresh("project");
    world
        .write(&unknown_table.join("project.toml"), "[drop]\n\"t\\u001b\\u202e\\nforged\" = \"why\\u001b\\nforged\"\n");
    let nobody = format!("postgres://nobody{HOSTILE}@{}", url.rsplit_once('@').unwrap().1);
    let no_database = format!("{}/none%1b%0aforged", url.rsplit_once('/').unwrap().0);
    let text_file = world.fresh("notes.txt");
    world.write(&text_file, &word("not a database\n").repeat(100));
    let schema_file = world.fresh("schema.sql");
    world.write(&schema_file, &format!("CREATE TABLE \"x{HOSTILE}\" (id integer); SELEC \"y{HOSTILE}\""));
    let text = |path: &std::path::Path| world.text(path);
    let cases: Vec<(&[i32], Vec<String>)> = vec![
        (&[1], vec!["verify".into(), url.clone(), damaged.clone()]),
        (&[1], vec!["verify".into(), url.clone(), damaged.clone(), "--quiet".into()]),
        (&[1], vec!["check".into(), target.clone(), "--checks".into(), text(&checks)]),
        (&[1, 2, 3], vec!["check".into(), target.clone(), "--checks".into(), text(&broken_checks)]),
        (&[0, 1], vec!["check".into(), damaged.clone()]),
        (&[2], vec!["plan".into(), url.clone(), "--table".into(), word("none")]),
        (&[2], vec!["plan".into(), url.clone(), "--rule".into(), word("none") + "=text"]),
        (&[2], vec!["plan".into(), url.clone(), "--rule".into(), word("uuid=none")]),
        (&[2], vec!["migrate".into(), text(&unknown_key), url.clone(), target.clone()]),
        (&[2], vec!["migrate".into(), text(&unknown_table), url.clone(), target.clone()]),
        (&[2, 3], vec!["migrate".into(), project.clone(), "--backups".into(), text(&text_file)]),
        (&[2, 3], vec!["plan".into(), nobody, target.clone()]),
        (&[3], vec!["plan".into(), no_database, target.clone()]),
        (&[2], vec![word("frobnicate")]),
        (&[2], vec!["plan".into(), word("--frobnicate")]),
        (&[2], vec!["plan".into(), word("--json=a")]),
        (&[2], vec!["migrate".into(), word("postgers://ann:x@host/")]),
        (&[2], vec!["migrate".into(), word("nowhere"), word("b")]),
        (&[2], vec!["test".into(), project.clone(), "--cases".into(), word("many")]),
        (&[2, 3], vec!["test".into(), text(&schema_file)]),
        (&[2, 3], vec!["test".into(), text(&text_file)]),
        (&[2, 3], vec!["rollback".into(), target.clone(), "--to".into(), word("none")]),
        (&[3], vec!["rollback".into(), text(&world.fresh("none.db"))]),
        (&[3], vec!["backups".into(), text(&world.fresh("none.db"))]),
        (&[2, 3], vec!["optimize".into(), text(&text_file)]),
        (&[2, 3], vec!["latency".into(), text(&world.fresh("none"))]),
        (&[2, 3], vec!["generate".into(), target.clone(), "--tables".into(), word("none")]),
        (&[2, 3], vec!["generate".into(), target.clone()]),
        (&[2], vec!["schema".into(), "new".into(), word("name"), text(&broken)]),
        (&[2, 3], vec!["schema".into(), "up".into(), text(&world.fresh("a.db")), text(&broken)]),
        (&[2, 3], vec!["schema".into(), "up".into(), text(&world.fresh("b.db")), text(&misnamed)]),
        (&[1], vec!["schema".into(), "validate".into(), text(&drifted), text(&drifted_folder)]),
        (&[2, 3], vec!["schema".into(), "up".into(), text(&text_file), text(&drifted_folder)]),
    ];
    for (expected, words) in cases {
        let can_say_json = !words.iter().any(|word| word.starts_with("--json"));
        sweep(&world, &|| words.clone(), can_say_json, expected);
    }
}

#[test]
fn what_a_terminal_is_shown_is_pure_too() {
    // The bar itself is made of control sequences of ours; its message is a line like any other.
    let world = World::new(HOSTILE);
    let words = ["migrate", &world.text(&world.named("app"))].map(|word| format!("'{}'", word.replace('\'', "'\\''")));
    let line = format!("{} {}", env!("CARGO_BIN_EXE_whimbrel"), words.join(" "));
    let output = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .stdin(std::process::Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("NOT RUN: there is no `script` here, which makes a terminal");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text:?}");
    assert!(!text.contains("\u{1b}[2J\u{7}") && !text.contains('\u{202e}') && !text.contains('\u{9d}'), "{text:?}");
    assert!(!text.contains('\u{7}') && !text.contains('\u{200b}'), "{text:?}");
}
