//! A server that is silent: for a lock, who holds it is told after two seconds, by every verb; at work, it has all its
//! time; and where it is neither, the run ends.

use crate::support::program::{database, describe as told, whimbrel};
use crate::wire::{Harm, Proxy, by_way_of};
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SCHEMA: &str = "CREATE TABLE held (id integer PRIMARY KEY); CREATE TABLE free (id integer PRIMARY KEY);
                      INSERT INTO held VALUES (1)";

/// A session in whose transaction those statements have run.
struct Holder {
    _runtime: tokio::runtime::Runtime,
    _connection: PgConnection,
}

impl Holder {
    fn new(url: &str, statements: &'static str) -> Holder {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = PgConnection::connect(url).await.unwrap();
            connection.execute("SET application_name = 'holder'; BEGIN").await.unwrap();
            connection.execute(statements).await.unwrap();
            connection
        });
        Holder { _runtime: runtime, _connection: connection }
    }
}

fn start(words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Interrupts it and waits.
fn interrupt(child: Child) -> (Output, Duration) {
    let begun = Instant::now();
    let number = i32::try_from(child.id()).unwrap();
    // SAFETY: a child that was not waited for yet has its number to itself.
    assert_eq!(unsafe { libc::kill(number, libc::SIGINT) }, 0);
    (child.wait_with_output().unwrap(), begun.elapsed())
}

/// A folder of one migration.
fn migrations(up: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0001_a.up.sql"), up).unwrap();
    std::fs::write(folder.path().join("0001_a.down.sql"), "-- whimbrel: irreversible\n").unwrap();
    folder
}

#[test]
fn whoever_holds_a_lock_is_told_after_two_seconds_by_every_verb_and_ctrl_c_ends_the_wait() {
    let (database, folder) = (database(SCHEMA), tempfile::tempdir().unwrap());
    let (url, scripts) = (database.url(), migrations("CREATE TABLE made (id integer)"));
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (done, target, scripts) = (path("done.db"), path("app.db"), scripts.path().to_str().unwrap().to_owned());
    for words in [&["migrate", &url, &done][..], &["schema", "up", &url, &scripts]] {
        let output = whimbrel(words);
        assert!(output.status.success(), "{}", told(&output));
    }
    let _holder = Holder::new(&url, "LOCK TABLE held; LOCK TABLE schema_migrations; LOCK TABLE free IN SHARE MODE");
    let verbs: [(&str, &[&str]); 8] = [
        ("public.held", &["plan", &url]),
        ("public.held", &["migrate", &url, &target, "--no-progress"]),
        ("public.held", &["migrate", &url, &target, "--dry-run", "--lock-wait", "0"]),
        ("public.held", &["verify", &url, &done]),
        ("public.held", &["generate", &url, "--append"]),
        ("public.schema_migrations", &["schema", "status", &url, &scripts]),
        ("public.schema_migrations", &["schema", "validate", &url, &scripts]),
        ("public.schema_migrations", &["schema", "up", &url, &scripts]),
    ];
    let running: Vec<_> =
        verbs.iter().map(|(_, words)| (start(words), start(&[words, &["--json"][..]].concat()))).collect();
    std::thread::sleep(Duration::from_secs(6));
    for ((table, words), (plain, json)) in verbs.iter().zip(running) {
        let (output, took) = interrupt(plain);
        let text = told(&output);
        assert_eq!(output.status.code(), Some(130), "{words:?}: {text}");
        assert!(took < Duration::from_secs(2), "{words:?} took {took:?}");
        let (_, rest) = text.split_once(&format!("whimbrel: waiting for table `{table}`: process ")).expect(&text);
        let line = rest.lines().next().unwrap();
        assert!(
            line.contains("application holder, in a transaction since 2") && line.contains("UTC) holds it"),
            "{line}"
        );
        assert_eq!(text.matches("waiting for table").count(), 1, "{words:?}: {text}");
        assert_eq!(line.contains("waiting on for at most 2"), !words.contains(&"0") && words[0] != "schema", "{line}");
        let (output, _) = interrupt(json);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let waiting: Vec<Value> = messages.filter(|message| message["type"] == "waiting").collect();
        assert_eq!(waiting.len(), 1, "{words:?}: {text}");
        assert_eq!(waiting[0]["data"]["table"], *table);
        assert_eq!(waiting[0]["data"]["holders"][0]["application"], "holder");
        assert!((2_000..5_000).contains(&waiting[0]["data"]["waited_ms"].as_u64().unwrap()), "{text}");
    }
    // Rows that may be read and not written.
    let output = whimbrel(&["generate", &url, "--tables", "free", "--lock-wait", "3"]);
    assert!(told(&output).contains("exit Some(3)") && told(&output).contains("stayed locked"), "{}", told(&output));
    // In the end it is an error that names the same, and what to do.
    let output = whimbrel(&["plan", &url, "--lock-wait", "3", "--quiet"]);
    let text = told(&output);
    assert!(text.contains("exit Some(3)") && !text.contains("waiting for"), "{text}");
    assert!(text.contains("stayed locked by another session for 3 s: table `public."), "{text}");
    assert!(text.contains("application holder") && text.contains("pg_terminate_backend"), "{text}");
    assert!(text.contains("`--lock-wait` for more seconds"), "{text}");
}

#[test]
fn rows_that_cannot_be_written_for_a_lock_are_waited_for_with_a_word() {
    let database = database(SCHEMA);
    let url = database.url();
    let _holder = Holder::new(&url, "LOCK TABLE free IN SHARE MODE");
    let output = whimbrel(&["generate", &url, "--tables", "free", "--lock-wait", "4"]);
    let text = told(&output);
    assert!(text.contains("exit Some(3)"), "{text}");
    assert!(text.contains("waiting for table `public.free`: process "), "{text}");
    assert!(text.contains("lock timeout"), "{text}");
}

#[test]
fn a_statement_that_takes_its_time_is_no_stall_and_a_connection_that_carries_nothing_is() {
    let database = database(SCHEMA);
    let url = database.url();
    // Longer than the limit, the pause between two looks and the way of an answer.
    let slow = migrations("SELECT pg_sleep(6)");
    let output = whimbrel(&["schema", "up", &url, slow.path().to_str().unwrap(), "--stall-timeout", "1"]);
    assert!(output.status.success(), "{}", told(&output));

    let scripts = migrations("CREATE TABLE other (id integer);\nDO $$ BEGIN END $$;\nCREATE TABLE third (id integer);");
    let scripts = scripts.path().to_str().unwrap().to_owned();
    let through = |tag: &'static [u8], words: &[&str]| {
        let (upstream, _) = by_way_of(&url, 0);
        let proxy = Proxy::new(&upstream, Harm::StopAt { tag });
        let by_proxy = by_way_of(&url, proxy.port).1;
        let words: Vec<&str> = words.iter().map(|word| if *word == "URL" { &by_proxy } else { *word }).collect();
        let begun = Instant::now();
        let output = whimbrel(&[&words[..], &["--stall-timeout", "1"]].concat());
        let text = told(&output);
        assert!(text.contains("exit Some(3)"), "{words:?}: {text}");
        assert!(text.contains("nothing has come from the server for 1 s"), "{words:?}: {text}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{words:?} took {:?}", begun.elapsed());
        text
    };
    let up = ["schema", "up", "URL", scripts.as_str(), "--history-table", "second"];
    let text = through(b"DO\0", &up);
    assert!(text.contains("`whimbrel schema status` says what is committed"), "{text}");
    through(b"COPY ", &["generate", "URL", "--append"]);
    // Nothing is half done.
    let output = whimbrel(&["schema", "up", &url, &scripts, "--history-table", "second"]);
    assert!(output.status.success(), "{}", told(&output));
}
