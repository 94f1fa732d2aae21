//! What can go wrong goes wrong here: each failure is told as operation, object, cause and way out, without a
//! password, and leaves the target byte for byte what it was and nothing else beside it.

use crate::support::child as child_process;
use crate::support::whole_run::{self, Server, findings, migrate};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use whimbrel::Error;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::PostgresUrl;
use whimbrel::endpoint::postgres::PostgresSource;
use whimbrel::error::Kind;
use whimbrel::event::{Event, nobody};
use whimbrel::provision::{Database, shared};
use whimbrel::to_sqlite::{self, Job, Outcome};
use whimbrel::types::{Representation, TextForm};

fn database(name: &str, sql: &str) -> Database {
    let database = shared().expect("a PostgreSQL server").create_database(name).expect("a database");
    Server::connect(&database.url()).run(sql);
    database
}

/// Every file of a directory with its bytes.
fn snapshot(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).expect("the directory");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let bytes = std::fs::read(entry.path()).unwrap_or_else(|_| b"a directory".to_vec());
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect()
}

fn old_target(path: &Path) {
    let connection = Connection::open(path).expect("an old target");
    connection
        .execute_batch("CREATE TABLE old (a); INSERT INTO old VALUES ('kept'), (randomblob(5000))")
        .expect("an old target");
}

/// The password of a URL, if it has one.
fn password(url: &str) -> Option<&str> {
    url.split_once("://")?.1.rsplit_once('@')?.0.split_once(':').map(|(_, password)| password)
}

/// Asserts that an error is told well and tells no secret.
fn told_well(error: &Error, url: &str) {
    let all = format!("{error} {error:?} {}", error.way_out().unwrap_or_default());
    assert!(!error.operation().is_empty() && !error.cause().is_empty(), "{all}");
    if let Some(password) = password(url).filter(|password| !password.is_empty()) {
        assert!(!all.contains(password), "the password is told: {}", all.replace(password, "<password>"));
    }
}

/// Runs a migration that has to fail in that way twice, once where there is no target and once where there is one, and
/// returns the second error; the directory is each time what it was.
fn fails(url: &str, kind: Kind, run: impl Fn(&Path) -> whimbrel::Result<Outcome>) -> Error {
    let mut errors = Vec::new();
    for existing in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("app.db");
        if existing {
            old_target(&target);
        }
        let before = snapshot(directory.path());
        let error = run(&target).expect_err("this cannot succeed");
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(snapshot(directory.path()), before, "{error}");
        told_well(&error, url);
        errors.push(error);
    }
    errors.swap_remove(1)
}

/// A migration that could not run: exit code 3.
fn migrate_fails(url: &str) -> Error {
    fails(url, Kind::CouldNotRun, |target| migrate(url, &Job::new(target)))
}

fn tells(error: &Error, parts: &[&str]) {
    let all = format!("{error} ({})", error.way_out().unwrap_or("no way out"));
    for part in parts {
        assert!(all.contains(part), "`{part}` is not in: {all}");
    }
    assert!(error.way_out().is_some(), "no way out: {all}");
}

fn succeeds(database: &Database, job: &Job<'_>) -> (Outcome, Connection) {
    let outcome = migrate(&database.url(), job).unwrap_or_else(|error| panic!("{error} ({:?})", error.way_out()));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
    (outcome, Connection::open(&job.target).expect("the target opens"))
}

fn count(target: &Connection, sql: &str) -> i64 {
    target.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

#[test]
fn a_source_that_cannot_be_reached_is_told_with_the_way_out() {
    let error = migrate_fails("postgres://ann:s3cret-word@127.0.0.1:1/app");
    tells(&error, &["connect to `postgres://ann:***@127.0.0.1:1/app`", "nothing listens there", "check host and port"]);

    let server = shared().expect("a PostgreSQL server");
    let url = server.url("whimbrel_there_is_no_such_database");
    tells(&migrate_fails(&url), &["does not exist", "3D000", "check the database's name"]);

    let database = database("password", "CREATE TABLE t (a integer)");
    let url = database.url();
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (user, place) = rest.rsplit_once('@').unwrap_or(("postgres", rest));
    let wrong = format!("{scheme}://{}:wr0ng-word@{place}", user.split(':').next().unwrap_or(user));
    match whole_run::source(&wrong) {
        Ok(_) => {
            let _ = writeln!(std::io::stderr(), "bad_input: NOT TESTED: this server lets every password in");
        }
        Err(_) => tells(&migrate_fails(&wrong), &["password authentication failed", "check the user and the password"]),
    }
}

#[test]
fn a_table_that_may_not_be_read_is_named() {
    let database = database(
        "denied",
        "CREATE TABLE open_to_all (a integer); INSERT INTO open_to_all VALUES (1);
         CREATE TABLE salaries (a integer); INSERT INTO salaries VALUES (1);
         GRANT SELECT ON open_to_all TO pg_monitor",
    );
    let url = database.url();
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{joint}options=-c%20role%3Dpg_monitor");
    // A plan tells what a migration would.
    let plan_fails =
        || to_sqlite::plan(&mut whole_run::source(&url).expect("a source"), &Job::new("t.db")).unwrap_err();
    let error = migrate_fails(&url);
    tells(&error, &["public.salaries", "permission denied", "grant SELECT"]);
    assert_eq!(plan_fails().to_string(), error.to_string());

    // A policy would hide rows in silence.
    let mut server = Server::connect(&database.url());
    server.run(
        "GRANT SELECT ON salaries TO pg_monitor; ALTER TABLE salaries ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON salaries USING (a > 5)",
    );
    let error = migrate_fails(&url);
    tells(&error, &["public.salaries", "row-level security", "BYPASSRLS"]);
    assert_eq!(plan_fails().to_string(), error.to_string());
}

/// Forwards connections to a server and cuts them after so many bytes of answers.
fn cutting_proxy(upstream: String, bytes_max: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let mut server = TcpStream::connect(&upstream).expect("the server");
            let (mut from_client, mut to_server) =
                (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
            thread::spawn(move || {
                let _ = std::io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(Shutdown::Both);
            });
            let mut left = bytes_max;
            let mut buffer = vec![0; 64 * 1024];
            while left > 0 {
                let wanted = buffer.len().min(left);
                let Ok(read @ 1..) = server.read(&mut buffer[..wanted]) else { break };
                if client.write_all(&buffer[..read]).is_err() {
                    break;
                }
                left -= read;
            }
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    });
    port
}

#[test]
fn a_connection_that_is_cut_never_looks_like_the_end_of_a_table() {
    let database = database(
        "cut",
        "CREATE TABLE big (id integer PRIMARY KEY, body text);
         INSERT INTO big SELECT n, repeat(md5(n::text), 8000) FROM generate_series(1, 60) AS n",
    );
    let url = database.url();
    let (head, rest) = url.rsplit_once('@').expect("a URL with a user");
    let (place, name) = rest.split_once('/').expect("a URL with a database");
    let upstream = if place.contains(':') { place.to_owned() } else { format!("{place}:5432") };
    for bytes_max in [0, 1, 200, 2_000, 20_000, 60_000, 300_000, 1_000_000, 5_000_000, 15_000_000] {
        let port = cutting_proxy(upstream.clone(), bytes_max);
        // Where nothing is said, the first byte would be an answer about TLS.
        let said = if name.contains("sslmode=") {
            ""
        } else if name.contains('?') {
            "&sslmode=disable"
        } else {
            "?sslmode=disable"
        };
        let url = format!("{head}@127.0.0.1:{port}/{name}{said}");
        let error = migrate_fails(&url);
        tells(&error, &["the connection to the server was cut", "see the server's log"]);
        if bytes_max >= 1_000_000 {
            tells(&error, &["table `public.big`"]);
        }
    }
    // The same from the server's side, in the middle of the table.
    let administrator = Mutex::new(Server::connect(&url));
    let listener = |event: Event| {
        if matches!(event, Event::RowsCopied { .. }) {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE application_name = 'whimbrel' AND datname = current_database()";
            // The listener is called inside the program's own runtime; a second one needs a thread of its own.
            thread::scope(|scope| {
                scope.spawn(|| administrator.lock().expect("one at a time").run(end));
            });
        }
    };
    let error = fails(&url, Kind::CouldNotRun, |target| {
        to_sqlite::migrate(&mut whole_run::source(&url)?, &Job::new(target), &Cancel::new(), &listener)
    });
    // Whether the server's last word or the end of the connection is read first is a matter of luck.
    let cause = error.cause();
    assert!(cause.contains("terminating connection") || cause.contains("was cut"), "{error}");
    tells(&error, &["table `public.big`", "the server"]);
}

/// Runs a migration in a thread that has no more rights to files than any other user.
fn migrate_without_rights(url: &str, target: &Path) -> whimbrel::Result<Outcome> {
    let (url, target) = (url.to_owned(), target.to_owned());
    let run = move || {
        // SAFETY: setfsuid changes the rights of this thread alone, which ends after the migration.
        #[cfg(target_os = "linux")]
        unsafe {
            libc::setfsuid(65_534);
        }
        migrate(&url, &Job::new(target))
    };
    thread::spawn(run).join().expect("the thread ends well")
}

#[test]
fn a_directory_that_cannot_be_written_is_told_and_nothing_is_read() {
    let database = database("readonly", "CREATE TABLE t (a integer); INSERT INTO t VALUES (1)");
    let url = database.url();
    let error = fails(&url, Kind::CouldNotRun, |target| {
        let directory = target.parent().expect("a directory");
        let set = |mode| std::fs::set_permissions(directory, std::fs::Permissions::from_mode(mode)).expect("the mode");
        set(0o555);
        let outcome = migrate_without_rights(&url, target);
        set(0o755);
        outcome
    });
    tells(&error, &["ermission", "write that directory"]);

    let error = fails(&url, Kind::CouldNotRun, |target| {
        migrate(&url, &Job::new(target.with_file_name("missing").join("app.db")))
    });
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(error.way_out().is_some(), "{error}");
}

const BIG_ROWS: &str = "CREATE TABLE big (id integer PRIMARY KEY, body text);
    INSERT INTO big SELECT n, repeat(md5(n::text), 3000) FROM generate_series(1, 100) AS n";

/// The other process of some tests: migrates under a limit of file sizes, or holds a lock until it is killed.
#[test]
#[ignore = "the other process of other tests"]
fn child() {
    let path = PathBuf::from(std::env::var_os("CHILD_TARGET").expect("set by the parent"));
    if std::env::var("CHILD_TASK").expect("set by the parent") == "lock" {
        let connection = Connection::open(&path).expect("the target");
        connection.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
        println!("ready");
        loop {
            thread::sleep(Duration::from_secs(60));
        }
    }
    // SAFETY: both calls take plain values, and this process does nothing else.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let limit = libc::rlimit { rlim_cur: 1_000_000, rlim_max: 1_000_000 };
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
    let url = std::env::var("CHILD_URL").expect("set by the parent");
    let error = migrate(&url, &Job::new(path)).expect_err("the file may not grow so far");
    assert_eq!(error.kind(), Kind::CouldNotRun, "{error}");
    told_well(&error, &url);
    println!("told: {error} ({})", error.way_out().unwrap_or("no way out"));
}

fn start_child(task: &str, target: &Path, url: &str) -> Command {
    let mut command = child_process("bad_input::child");
    command.env("CHILD_TASK", task).env("CHILD_TARGET", target).env("CHILD_URL", url).stdout(Stdio::piped());
    command
}

#[test]
fn a_full_disk_is_told_and_leaves_the_old_target() {
    let database = database("full", BIG_ROWS);
    let url = database.url();
    // A file that may not grow, for every user.
    for existing in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("app.db");
        if existing {
            old_target(&target);
        }
        let before = snapshot(directory.path());
        let output = start_child("limit", &target, &url).output().expect("the other process");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}");
        assert!(told.contains("told: ") && told.contains("disk I/O error") && told.contains("make room"), "{told}");
        assert_eq!(snapshot(directory.path()), before);
    }
    full_file_system(&url);
}

/// A file system of one megabyte, where this process may mount one, seen by one thread only.
#[cfg(target_os = "linux")]
fn full_file_system(url: &str) {
    let url = url.to_owned();
    let run = move || {
        let directory = tempfile::tempdir().expect("a directory");
        let path = std::ffi::CString::new(directory.path().to_str().expect("a path")).expect("a path");
        let null = std::ptr::null();
        // SAFETY: the strings outlive the calls; the mounts are this thread's own and end with it.
        let mounted = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(null, c"/".as_ptr(), null, libc::MS_REC | libc::MS_PRIVATE, null.cast()) == 0
                && libc::mount(c"none".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), 0, c"size=1m".as_ptr().cast()) == 0
        };
        if !mounted {
            let cause = std::io::Error::last_os_error();
            let _ =
                writeln!(std::io::stderr(), "bad_input: NOT TESTED: a full file system (cannot mount one: {cause})");
            return;
        }
        let target = directory.path().join("app.db");
        for existing in [false, true] {
            if existing {
                old_target(&target);
            }
            let before = snapshot(directory.path());
            let error = migrate(&url, &Job::new(&target)).expect_err("a megabyte is not enough");
            assert_eq!(error.kind(), Kind::CouldNotRun, "{error}");
            told_well(&error, &url);
            tells(&error, &["app.db", "full", "make room"]);
            assert_eq!(snapshot(directory.path()), before);
        }
        // SAFETY: the path is the one that was mounted above.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    };
    thread::spawn(run).join().expect("the thread ends well");
}

#[cfg(not(target_os = "linux"))]
fn full_file_system(_: &str) {
    let _ = writeln!(std::io::stderr(), "bad_input: NOT TESTED: a full file system (Linux only)");
}

#[test]
fn a_target_that_cannot_be_replaced_is_left_alone() {
    let database = database("target", "CREATE TABLE t (a integer); INSERT INTO t VALUES (1)");
    let url = database.url();
    let directory = tempfile::tempdir().expect("a directory");
    let target = directory.path().join("app.db");
    let refused = |kind: Kind, parts: &[&str]| {
        let before = snapshot(directory.path());
        let mut job = Job::new(&target);
        job.options.wait_ms = 100;
        let error = migrate(&url, &job).expect_err("this target cannot be replaced");
        assert_eq!(error.kind(), kind, "{error}");
        told_well(&error, &url);
        tells(&error, parts);
        assert_eq!(snapshot(directory.path()), before, "{error}");
    };
    std::fs::write(&target, "These are my notes, not a database. ".repeat(100)).expect("a file");
    refused(Kind::CouldNotRun, &["app.db", "not a SQLite"]);
    std::fs::remove_file(&target).expect("gone");

    // Nothing but a log that nobody knows whose it is.
    let log = directory.path().join("app.db-wal");
    std::fs::write(&log, [0x37, 0x7f, 0x06, 0x82]).expect("a log");
    refused(Kind::CouldNotRun, &["app.db-wal"]);
    std::fs::remove_file(&log).expect("gone");

    std::fs::create_dir(&target).expect("a directory");
    refused(Kind::Usage, &["app.db", "director"]);
    std::fs::remove_dir(&target).expect("gone");

    old_target(&target);
    let mut child = start_child("lock", &target, &url).spawn().expect("another process");
    let mut output = std::io::BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut output, &mut line).expect("a line") > 0, "it ended");
    }
    let pid = child.id().to_string();
    refused(Kind::CouldNotRun, &["app.db", if cfg!(target_os = "linux") { pid.as_str() } else { "" }]);
    child.kill().expect("it ends");
    child.wait().expect("it ends");
    // Without the other process the same run succeeds, and the old file is in the backup.
    let (outcome, connection) = succeeds(&database, &Job::new(&target));
    assert_eq!(count(&connection, "SELECT a FROM t"), 1);
    assert!(outcome.published.is_some());
}

#[test]
fn names_that_collide_or_need_quotes_are_all_carried() {
    let database = database(
        "names",
        r#"CREATE TABLE "User" (id integer PRIMARY KEY, "Id" text, "ID" text); INSERT INTO "User" VALUES (1, 'a', 'b');
           CREATE TABLE "user" (id integer); INSERT INTO "user" VALUES (1), (2);
           CREATE TABLE "USER" (id integer); INSERT INTO "USER" VALUES (1), (2), (3);
           CREATE SCHEMA other; CREATE TABLE other."user" (id integer); INSERT INTO other."user" VALUES (1), (2), (3), (4);
           CREATE TABLE other__user (id integer); CREATE INDEX place ON "user" (id); CREATE INDEX "Place" ON "USER" (id);
           CREATE INDEX place ON other."user" (id);
           CREATE TABLE "quote "" back`tick [x] 'apostrophe'" ("a ""b""" integer CHECK ("a ""b""" > 0), "select" integer,
             "from" integer DEFAULT 7, "new
line" integer, "ünïcödé 😀" integer, " " integer, "?1 :x @y $z" integer, "back\slash" integer);
           INSERT INTO "quote "" back`tick [x] 'apostrophe'" VALUES (1, 2, 3, 4, 5, 6, 7, 8);
           CREATE INDEX "an ""index""
with all" ON "quote "" back`tick [x] 'apostrophe'" ("new
line", "select" DESC);
           CREATE TABLE "table" ("order" integer PRIMARY KEY, "group" integer REFERENCES "table" ("order"), "index" text);
           INSERT INTO "table" VALUES (1, 1, 'x'); CREATE VIEW "view" AS SELECT "order", "index" FROM "table";
           CREATE TABLE sqlite_stat1 (a integer); INSERT INTO sqlite_stat1 VALUES (1);
           CREATE TABLE _whimbrel_ledger (a integer); INSERT INTO _whimbrel_ledger VALUES (1);
           CREATE TABLE rowids (rowid double precision, oid text, "_rowid_" integer);
           INSERT INTO rowids VALUES ('NaN', 'a', 5), (1, 'b', 5), ('-0', 'c', 5);
           CREATE TABLE rowids_too ("ROWID" double precision);
           INSERT INTO rowids_too VALUES ('NaN'), ('-0')"#,
    );
    let directory = tempfile::tempdir().expect("a directory");
    let (outcome, target) = succeeds(&database, &Job::new(directory.path().join("names.db")));
    let rows = |name: &str, schema: &str| {
        let table = outcome.plan.tables.iter().find(|table| table.source.name == name && table.source.schema == schema);
        let name = table.expect("the table is planned").target.replace('"', "\"\"");
        count(&target, &format!("SELECT count(*) FROM \"{name}\""))
    };
    assert_eq!(
        (rows("User", "public"), rows("user", "public"), rows("USER", "public"), rows("user", "other")),
        (1, 2, 3, 4)
    );
    assert_eq!((rows("sqlite_stat1", "public"), rows("_whimbrel_ledger", "public")), (1, 1));
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND name NOT LIKE '\\_whim%' ESCAPE '\\'";
    assert_eq!(count(&target, indexes), 4);
    let sql = r#"SELECT "a ""b""" + "select" * 10 + "new
line" * 100 + "back\slash" * 1000 FROM "quote "" back`tick [x] 'apostrophe'""#;
    assert_eq!(count(&target, sql), 8421);
    assert_eq!(count(&target, r#"SELECT "order" FROM "view""#), 1);
    assert!(outcome.plan.caveats.iter().filter(|caveat| caveat.text.contains("named `")).count() >= 4);
}

#[test]
fn wide_empty_and_column_less_tables_are_carried() {
    let wide = |columns: usize| {
        let definitions: Vec<_> = (0..columns).map(|n| format!("c{n} smallint")).collect();
        let values: Vec<_> = (0..columns).map(|n| (n % 7).to_string()).collect();
        format!(
            "CREATE TABLE wide_{columns} ({}); INSERT INTO wide_{columns} VALUES ({});",
            definitions.join(", "),
            values.join(", ")
        )
    };
    let sql = format!(
        "{}{}CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
        CREATE TABLE no_rows (a integer, b text);",
        wide(1_000),
        wide(1_600)
    );
    let database = database("wide", &sql);
    let directory = tempfile::tempdir().expect("a directory");
    let (_, target) = succeeds(&database, &Job::new(directory.path().join("wide.db")));
    assert_eq!(count(&target, "SELECT count(*) FROM pragma_table_info('wide_1600')"), 1_600);
    assert_eq!(count(&target, "SELECT c1599 FROM wide_1600"), 1_599 % 7);
    assert_eq!(count(&target, "SELECT c999 FROM wide_1000"), 999 % 7);
    assert_eq!(count(&target, "SELECT count(*) FROM \"nothing\""), 2);
    assert_eq!(count(&target, "SELECT count(*) FROM no_rows"), 0);

    // An empty file in the place of a full one would be the work of a forgotten database name.
    let empty = self::database("empty", "CREATE VIEW v AS SELECT 1 AS a");
    let error = fails(&empty.url(), Kind::Usage, |target| migrate(&empty.url(), &Job::new(target)));
    assert!(error.to_string().contains("there is nothing to carry"), "{error}");
    assert!(error.way_out().is_some_and(|hint| hint.contains("end of the URL")), "{error}");
}

#[test]
fn a_value_of_200_megabytes_is_carried() {
    let started = Instant::now();
    let database = database(
        "large",
        "CREATE TABLE large (id integer PRIMARY KEY, body text, data bytea);
         ALTER TABLE large ALTER body SET STORAGE EXTERNAL, ALTER data SET STORAGE EXTERNAL;
         INSERT INTO large VALUES (1, repeat('0123456789', 20000000), NULL);
         INSERT INTO large SELECT 2, NULL, decode(repeat('00ff', 100000000), 'hex')",
    );
    let directory = tempfile::tempdir().expect("a directory");
    let (_, target) = succeeds(&database, &Job::new(directory.path().join("large.db")));
    assert_eq!(count(&target, "SELECT octet_length(body) FROM large WHERE id = 1"), 200_000_000);
    assert_eq!(count(&target, "SELECT octet_length(data) FROM large WHERE id = 2"), 200_000_000);
    let _ = writeln!(std::io::stderr(), "bad_input: two values of 200 MB in {:.1} s", started.elapsed().as_secs_f64());
}

#[test]
fn json_deeper_than_sqlite_reads_is_named_with_its_row() {
    let database = database(
        "deep",
        "CREATE TABLE documents (id integer PRIMARY KEY, body jsonb);
         INSERT INTO documents VALUES (1, '{}'), (7, (repeat('[', 1500) || repeat(']', 1500))::jsonb)",
    );
    let error = migrate_fails(&database.url());
    tells(&error, &["table `public.documents`, row [7]", "body", "server-text"]);
    let directory = tempfile::tempdir().expect("a directory");
    let mut job = Job::new(directory.path().join("deep.db"));
    let rule = Representation::Text(TextForm::Server);
    job.options.run.choices.rules.columns.insert("documents.body".into(), rule);
    let (_, target) = succeeds(&database, &job);
    assert_eq!(count(&target, "SELECT length(body) FROM documents WHERE id = 7"), 3_000);
}

#[test]
fn bytes_that_are_no_text_are_named_by_row_and_column_with_a_way_to_correct_them() {
    let server = shared().expect("a PostgreSQL server");
    for (encoding, table, named, correction) in [
        (
            "SQL_ASCII",
            r"CREATE TABLE notes (id integer PRIMARY KEY, body text);
              INSERT INTO notes VALUES (1, 'plain'), (2, E'\xc3\xa9'), (3, E'caf\xe9')",
            &["table `public.notes`, row [3], column `body`", r"`caf\xe9`"][..],
            "UPDATE \"public\".\"notes\" SET \"body\" = convert_from(convert(convert_to(\"body\", 'SQL_ASCII'), 'LATIN1', \
             'UTF8'), 'SQL_ASCII') WHERE",
        ),
        (
            "SQL_ASCII",
            r"CREATE TABLE words (word text PRIMARY KEY, parts text[]); INSERT INTO words VALUES ('a', ARRAY['b', E'\xff'])",
            &[r#"table `public.words`, row ["a"], column `parts`"#, r"`{b,\xff}`"],
            "convert_from(",
        ),
        (
            "SQL_ASCII",
            r"CREATE TABLE words (word text PRIMARY KEY); INSERT INTO words VALUES ('a'), (E'\xfe')",
            &[r#"table `public.words`, row ["\\xfe"], column `word`"#],
            "convert_from(",
        ),
        (
            "SQL_ASCII",
            r"CREATE TABLE loose (a text, b text); INSERT INTO loose VALUES ('1', '2'), ('3', E'\xe4')",
            &["table `public.loose`, row 2 of the scan, column `b`"],
            "convert_from(",
        ),
        (
            "WIN1252",
            "CREATE TABLE \"Größe\" (id integer PRIMARY KEY, \"é\" text, since interval, b text);
             INSERT INTO \"Größe\" VALUES (1, 'é', '1 day', 'x'), (7, 'é', '1 day', E'a\\x81b')",
            &["table `public.Größe`, row [7], column `b`", r"`a\x81b`"],
            "the character of WIN1252 has no counterpart in Unicode",
        ),
    ] {
        let name = format!("whimbrel_bytes_{}", std::process::id());
        let mut administrator = Server::connect(server.admin_url());
        administrator.run(format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        ));
        let url = server.url(&name);
        let outcome = std::panic::catch_unwind(|| {
            Server::connect(&url).run(table);
            let error = migrate_fails(&url);
            let hint = error.way_out().unwrap_or_default().to_owned();
            if let Some((_, rest)) = hint.split_once("`UPDATE ").filter(|_| table.contains("notes")) {
                Server::connect(&url).run(format!("UPDATE {} id = 3", rest.split_once('…').expect("a place").0));
                let directory = tempfile::tempdir().expect("a directory");
                let path = directory.path().join("app.db");
                migrate(&url, &Job::new(&path)).expect("a run").ensure_published().expect("a file");
                let target = Connection::open(path).expect("the target");
                assert_eq!(count(&target, "SELECT count(*) FROM notes WHERE body IN ('café', 'é')"), 2);
            }
            error
        });
        administrator.run(format!("DROP DATABASE {name} WITH (FORCE)"));
        let error = outcome.expect("the test itself");
        tells(&error, &[named, &[correction, "`drop."]].concat());
    }
}

#[test]
fn a_stop_at_any_moment_leaves_what_was_there() {
    let database = database(
        "stop",
        "CREATE TABLE parents (id integer PRIMARY KEY, name text); CREATE INDEX parents_name ON parents (name);
         INSERT INTO parents SELECT n, 'name ' || n FROM generate_series(1, 5000) AS n;
         CREATE TABLE children (id integer PRIMARY KEY, parent integer REFERENCES parents, ratio double precision);
         INSERT INTO children SELECT n, n % 5000 + 1, CASE WHEN n % 100 = 0 THEN 'NaN'::float8 ELSE n END
           FROM generate_series(1, 5000) AS n; CREATE INDEX children_parent ON children (parent);",
    );
    let url = PostgresUrl::parse(&database.url()).expect("a URL");
    let attempt = |directory: &Path, cancel: &Cancel, listener: &(dyn Fn(Event) + Sync)| {
        let mut source = PostgresSource::connect(&url, cancel)?;
        to_sqlite::migrate(&mut source, &Job::new(directory.join("app.db")), cancel, listener)
    };
    let events = AtomicUsize::new(0);
    let counting = |_: Event| {
        events.fetch_add(1, Ordering::SeqCst);
    };
    let whole = tempfile::tempdir().expect("a directory");
    let started = Instant::now();
    attempt(whole.path(), &Cancel::new(), &counting).expect("it runs through").ensure_published().expect("sound");
    let (events_whole, duration) = (events.load(Ordering::SeqCst), started.elapsed());
    assert!(events_whole >= 12, "{events_whole}");

    let (stopped, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let check = |existing: bool, run: &dyn Fn(&Path) -> whimbrel::Result<Outcome>| {
        let directory = tempfile::tempdir().expect("a directory");
        if existing {
            old_target(&directory.path().join("app.db"));
        }
        let before = snapshot(directory.path());
        match run(directory.path()) {
            Err(error) => {
                assert_eq!(error.kind(), Kind::Interrupted, "{error}");
                assert_eq!(snapshot(directory.path()), before, "{error}");
                stopped.fetch_add(1, Ordering::SeqCst);
            }
            Ok(outcome) => {
                outcome.ensure_published().expect("it was too late to stop it");
                let target = Connection::open(directory.path().join("app.db")).expect("the target");
                assert_eq!(count(&target, "SELECT count(*) FROM children"), 5_000);
                finished.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    // At every event there is.
    for place in 0..events_whole {
        check(place % 2 == 0, &|directory| {
            let (cancel, seen) = (Cancel::new(), AtomicUsize::new(0));
            attempt(directory, &cancel, &|_| {
                if seen.fetch_add(1, Ordering::SeqCst) == place {
                    cancel.cancel();
                }
            })
        });
    }
    assert_eq!(finished.load(Ordering::SeqCst), 0, "a stop before the last event was not heeded");
    // And at moments that nobody chose.
    const MOMENTS: u32 = 24;
    for moment in 0..MOMENTS {
        check(moment % 2 == 0, &|directory| {
            let cancel = Cancel::new();
            let other = cancel.clone();
            let waiter = thread::spawn(move || {
                thread::sleep(duration * moment / MOMENTS);
                other.cancel();
            });
            let outcome = attempt(directory, &cancel, &nobody);
            waiter.join().expect("the waiter");
            outcome
        });
    }
    let _ = writeln!(
        std::io::stderr(),
        "bad_input: {} runs stopped at {events_whole} events and {MOMENTS} moments, {} were done before",
        stopped.load(Ordering::SeqCst),
        finished.load(Ordering::SeqCst)
    );
}
