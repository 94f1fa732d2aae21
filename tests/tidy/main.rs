//! The code tests itself: the direction of imports, no circles between files, their length, dead files, documented verbs,
//! no path of a developer's machine.

mod circles;

use circles::{Files, Module};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Top-level modules from the top down: a module imports only from those behind it in this list.
const LAYERS: [&str; 31] = [
    "cli",
    "pictures",
    "migration",
    "report",
    "harness",
    "project",
    "apps",
    "store",
    "schema",
    "to_files",
    "to_postgres",
    "to_sqlite",
    "sync",
    "transfer",
    "verify",
    "backup",
    "provision",
    "endpoint",
    "plan",
    "types",
    "metadata",
    "value",
    "event",
    "catalog",
    "quote",
    "toml_text",
    "cancel",
    "fault",
    "error",
    "redact",
    "printable",
];

const LINES_MAX: usize = 800;
const MAIN_LINES_MAX: usize = 80;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|other| other == extension) {
            found.push(path);
        }
    }
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root().join(folder), "rs", &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("UTF-8"))).collect()
}

/// The top-level module that a file under `src` belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).expect("a file under src");
    let first = inside.iter().next().expect("a name").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The code without its comments and without its tests.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The top-level modules that code names as `crate::module`, lists in braces included.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        if let Some(list) = part.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for character in list.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(word(name.trim()));
                        name.clear();
                    }
                    _ if depth == 0 => name.push(character),
                    _ => {}
                }
            }
            found.insert(word(name.trim()));
        } else {
            found.insert(word(part));
        }
    }
    found.retain(|name| name.chars().next().is_some_and(char::is_lowercase));
    found
}

/// Whether a file under `src` has nothing but tests.
fn is_of_tests(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

#[test]
fn modules_import_only_from_those_below_them() {
    let place: BTreeMap<&str, usize> = LAYERS.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let module = module_of(&path);
        if module == "main" || module == "lib" || is_of_tests(&path) {
            continue;
        }
        let Some(own) = place.get(module.as_str()) else {
            panic!("`{module}` has no place in LAYERS");
        };
        for import in imports(&code_of(&text)) {
            let Some(other) = place.get(import.as_str()) else { continue };
            if other < own {
                wrong.push(format!("{}: `{module}` imports from `{import}` above it", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a target remembers is written and read in one room: elsewhere nobody knows how those tables are called, and nobody
/// but the harness, which damages them on purpose, has SQL over them.
#[test]
fn only_the_metadata_room_knows_the_tables_of_a_target() {
    let mut wrong = Vec::new();
    let mut statements = Vec::new();
    files(&root().join("src"), "sql", &mut statements);
    let statements = statements.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("UTF-8");
        (path, text)
    });
    for (path, text) in sources("src").into_iter().chain(statements) {
        let room = module_of(&path);
        if room == "metadata" {
            continue;
        }
        for line in code_of(&text).lines() {
            let names = line.contains("_whimbrel_") || line.contains("\\\\_whimbrel");
            let tables = ["MANIFEST_TABLE", "TABLES_TABLE", "LEDGER_TABLE"];
            let asks = tables.iter().any(|table| {
                ["FROM", "INTO", "UPDATE", "TABLE", "ON"]
                    .iter()
                    .any(|word| line.contains(&format!("{word} {{{table}}}")))
            });
            if names || (asks && room != "harness") {
                wrong.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_run_knows_no_engine() {
    for (path, text) in sources("src/transfer") {
        let code = code_of(&text);
        for engine in ["rusqlite", "endpoint::sqlite", "sqlx", "endpoint::postgres"] {
            assert!(!code.contains(engine), "{} knows `{engine}`", path.display());
        }
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let found = imports("use crate::a::b; use crate::{c, d::{e, f}, g}; fn x() { crate::h::i(); } use crate::Result;");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a", "c", "d", "g", "h"]);
}

/// The module of a file under `src`, from the crate's root.
fn path_of(path: &Path) -> Module {
    let inside = path.strip_prefix(root().join("src")).expect("a file under src").with_extension("");
    let mut names: Module = inside.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

#[test]
fn no_files_hang_on_one_another_in_a_circle() {
    let all = sources("src").into_iter().map(|(path, text)| (path_of(&path), path, text));
    let code = all.filter(|(module, path, _)| {
        !matches!(module.last().map(String::as_str), Some("main" | "lib")) && !is_of_tests(path)
    });
    let files = Files::of(code.map(|(module, _, text)| (module, code_of(&text))));
    let circles = files.circles();
    assert!(circles.is_empty(), "move what they share below them:\n{}", circles.join("\n"));
}

/// What documents, scripts and comments say of tests is there.
#[test]
fn every_test_that_is_named_is_there() {
    let mut pages = Vec::new();
    for (folder, extension) in
        [("docs", "md"), ("migrations", "md"), ("fixtures", "md"), ("src", "rs"), ("tests", "rs")]
    {
        files(&root().join(folder), extension, &mut pages);
    }
    pages.extend(["README.md", "DESIGN.md", "SECURITY.md", "CHANGELOG.md", ".ci/run"].map(|name| root().join(name)));
    pages.extend(fs::read_dir(root().join("scripts")).expect("scripts").map(|entry| entry.expect("a script").path()));
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.');
    for page in pages.iter().filter(|page| page.is_file()) {
        let text = String::from_utf8_lossy(&fs::read(page).expect("a page")).into_owned();
        // The crate of the example has tests of its own.
        let text = text.replace("tests/snapshots", "").replace("--test migration", "");
        for (at, _) in text.match_indices("tests/").filter(|(at, _)| !text[..*at].ends_with(is_part)) {
            let path: String = text[at..].chars().take_while(|c| is_part(*c)).collect();
            // Of a name in capitals, somebody says what it stands for.
            let path = path.split_once(|c: char| c.is_ascii_uppercase()).map_or(path.as_str(), |(before, _)| before);
            let path = path.trim_end_matches(['.', '/']);
            let there = root().join(path).exists() || text[at + path.len()..].starts_with(['$', '{', '"']);
            assert!(there, "{}: there is no `{path}`", page.display());
        }
        for rest in text.split("--test ").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let there =
                ["tests/NAME.rs", "tests/NAME/main.rs"].map(|path| root().join(path.replace("NAME", &name)).exists());
            assert!(name.is_empty() || there.contains(&true), "{}: there is no test `{name}`", page.display());
        }
    }
}

#[test]
fn files_are_short() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        let lines = text.lines().count();
        let is_main = path.ends_with("src/main.rs");
        let max = if is_main { MAIN_LINES_MAX } else { LINES_MAX };
        assert!(lines <= max, "{} has {lines} lines, at most {max} are allowed", path.display());
    }
}

#[test]
fn no_source_file_is_dead() {
    let all = sources("src");
    for (path, _) in &all {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if name == "lib" || name == "main" {
            continue;
        }
        let folder = path.parent().expect("a folder");
        // The file that declares `folder/name.rs` is `folder/mod.rs` or `folder.rs`; of `folder/mod.rs`, one above.
        let (name, folder) = match name.as_str() {
            "mod" => {
                (folder.file_name().expect("a name").to_string_lossy().into_owned(), folder.parent().expect("a folder"))
            }
            _ => (name, folder),
        };
        let parents = [folder.join("mod.rs"), folder.join("lib.rs"), folder.with_extension("rs")];
        let declared = all.iter().filter(|(path, _)| parents.contains(path)).any(|(_, text)| {
            text.lines().any(|line| {
                let line = line.trim().trim_end_matches(';');
                line.rsplit_once("mod ").is_some_and(|(_, declared)| declared == name)
            })
        });
        assert!(declared, "{} is part of no module", path.display());
    }
}

#[test]
fn every_verb_is_documented() {
    let page = fs::read_to_string(root().join("docs/command-line.md")).expect("a page about the command line");
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel")).arg("--help").output().expect("the program starts");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() >= 8, "{help}");
    for verb in verbs {
        assert!(
            page.contains(&format!("| `{verb}")),
            "docs/command-line.md has no line for `{verb}` in its table of verbs"
        );
        assert!(readme.contains(&format!("`{verb}`")), "README.md does not name `{verb}`");
    }
}

/// A new user reads it to the end, and finds whatever it names.
#[test]
fn the_readme_is_short_and_every_link_of_the_pages_leads_somewhere() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    assert!(
        readme.len() <= 12_000,
        "README.md has {} bytes: what more there is to say has a page in docs/",
        readme.len()
    );
    let mut pages = Vec::new();
    files(&root().join("docs"), "md", &mut pages);
    assert!(pages.len() > 10, "{pages:?}");
    for page in &pages {
        let name = format!("docs/{}", page.file_name().expect("a name").to_string_lossy());
        let is_named = readme.contains(&format!("({name})"));
        assert!(is_named, "README.md does not lead to {name}");
    }
    pages.extend(["README.md", "DESIGN.md", "SECURITY.md"].map(|name| root().join(name)));
    for page in &pages {
        let text = fs::read_to_string(page).expect("a page");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            assert!(target.exists(), "{}: there is no `{link}`", page.display());
            if !anchor.is_empty() {
                let there = fs::read_to_string(&target).expect("a page");
                let found = there.lines().any(|line| line.starts_with('#') && anchor_of(line) == anchor);
                assert!(found, "{}: there is no heading for `{link}`", page.display());
            }
        }
    }
}

/// The anchor of a heading, as code hosts make it.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-')
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_rule_is_documented() {
    let page = fs::read_to_string(root().join("docs/types.md")).expect("a page about types");
    for rule in whimbrel::types::Representation::all() {
        assert!(page.contains(&format!("`{}`", rule.name())), "docs/types.md does not name the rule `{}`", rule.name());
    }
}

#[test]
fn no_path_of_a_developers_machine() {
    // In pieces, so that this file does not find itself.
    let forbidden: Vec<String> = ["work/", "tmp/wt", "home/", "Users/"].iter().map(|end| format!("/{end}")).collect();
    let mut found = Vec::new();
    for extension in ["rs", "sql", "md", "toml", "sh", "snap"] {
        for folder in ["src", "tests", "fixtures", "snapshots", "docs"] {
            files(&root().join(folder), extension, &mut found);
        }
    }
    found.extend(["README.md", "DESIGN.md", "SECURITY.md", "CHANGELOG.md", "Cargo.toml"].map(|name| root().join(name)));
    for path in found {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for word in &forbidden {
                // A part of a URL or of a longer path is none.
                let at_start = line.match_indices(word.as_str()).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| {
                        c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | ']' | '>' | ':')
                    })
                });
                assert!(!at_start, "{}:{}: {line}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn no_snapshot_waits_for_a_review() {
    let mut waiting = Vec::new();
    for folder in ["snapshots", "examples"] {
        files(&root().join(folder), "new", &mut waiting);
    }
    assert!(waiting.is_empty(), "accept or remove them, docs/testing.md says how: {waiting:?}");
}

/// The texts in the quotes of a source file, its tests and comments left out.
fn literals(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let characters: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        match (characters[at], characters.get(at + 1)) {
            ('/', Some('/')) => at += characters[at..].iter().take_while(|character| **character != '\n').count(),
            ('\'', Some('\\')) => {
                at += 3 + characters[at + 3..].iter().take_while(|character| **character != '\'').count()
            }
            ('\'', Some(_)) if characters.get(at + 2) == Some(&'\'') => at += 2,
            ('"', _) => {
                let mut text = String::new();
                at += 1;
                while at < characters.len() && characters[at] != '"' {
                    match (characters[at], characters.get(at + 1)) {
                        ('\\', Some('\n')) => {
                            at += 1;
                            while characters.get(at + 1).is_some_and(|character| character.is_whitespace()) {
                                at += 1;
                            }
                        }
                        ('\\', Some(escaped)) => {
                            text.push(*escaped);
                            at += 1;
                        }
                        (character, _) => text.push(character),
                    }
                    at += 1;
                }
                found.push(text);
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether people are to read it: four words of plain English, and no SQL.
fn is_sentence(text: &str) -> bool {
    let plain = |word: &&str| {
        let word = word.trim_end_matches([',', ';', ':', ')', '…']).trim_start_matches('(');
        !word.is_empty() && word.chars().all(|character| character.is_ascii_lowercase() || "'-".contains(character))
    };
    text.split_whitespace().filter(plain).count() >= 3
        && !text.starts_with(['\'', ' '])
        && !text.contains("')")
        && !text.contains("hex(")
}

/// Every reason, note and way out that a plan can tell stands in `snapshots/sentences.txt`, to be read aloud by whoever
/// changes one. `WHIMBREL_RECORD=1` writes the list anew.
#[test]
fn every_sentence_of_a_plan_is_in_the_list_that_was_read() {
    let mut lines = String::new();
    for (path, source) in sources("src/plan") {
        let name = path.strip_prefix(root().join("src/plan")).expect("below it").with_extension("");
        if name.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let sentences: BTreeSet<String> = literals(&source).into_iter().filter(|text| is_sentence(text)).collect();
        for sentence in sentences {
            lines.push_str(&format!("{}: {sentence}\n", name.display()));
        }
    }
    let list = root().join("snapshots/sentences.txt");
    if std::env::var_os("WHIMBREL_RECORD").is_some() {
        fs::write(&list, &lines).expect("the list can be written");
    }
    let read: BTreeSet<String> = fs::read_to_string(list).expect("the list").lines().map(str::to_owned).collect();
    let new: Vec<&str> = lines.lines().filter(|line| !read.contains(*line)).collect();
    assert!(
        new.is_empty(),
        "sentences that nobody has read yet; read them, then WHIMBREL_RECORD=1:\n{}",
        new.join("\n")
    );
    // What a reader of the reports has stumbled over.
    for words in ["plain literal", "to a column that holds", "hangs on", "holds it for invalid"] {
        assert!(!lines.contains(words), "`{words}` is said again");
    }
}
