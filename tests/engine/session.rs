//! The connection: one snapshot, pinned settings, errors that people understand, and no end that is taken for the end.

use crate::support::scratch::{self, Scratch};
use std::time::{Duration, Instant};
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::PostgresUrl;
use whimbrel::endpoint::postgres::{Session, introspect};
use whimbrel::error::Kind;

/// Reads a table by binary COPY and returns the messages' lengths.
fn copy(session: &mut Session, table: &str) -> whimbrel::Result<Vec<usize>> {
    let mut lengths = Vec::new();
    session.copy_out(format!("`{table}`"), &format!("COPY {table} TO STDOUT (FORMAT binary)"), &mut |message| {
        lengths.push(message.len());
        Ok(())
    })?;
    Ok(lengths)
}

fn first(session: &mut Session, sql: &str) -> String {
    session.query_rows("query", "the test", sql).unwrap()[0][0].clone().unwrap_or_default()
}

#[test]
fn every_setting_is_pinned_whatever_the_role_prefers() {
    let scratch = Scratch::new("SELECT 1");
    let name = scratch.postgres_url().to_string();
    let name = name.rsplit('/').next().and_then(|name| name.split('?').next()).unwrap().to_owned();
    scratch.execute(&format!(
        "ALTER DATABASE {name} SET search_path = public; ALTER DATABASE {name} SET \"DateStyle\" = 'German';
         ALTER DATABASE {name} SET \"TimeZone\" = 'Asia/Tokyo'; ALTER DATABASE {name} SET \"IntervalStyle\" = 'sql_standard';
         ALTER DATABASE {name} SET bytea_output = 'escape'; ALTER DATABASE {name} SET extra_float_digits = -15;
         ALTER DATABASE {name} SET statement_timeout = '20s'; ALTER DATABASE {name} SET lock_timeout = '20s';
         ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '20s'; ALTER DATABASE {name} SET xmloption = 'document';
         ALTER DATABASE {name} SET quote_all_identifiers = on; ALTER DATABASE {name} SET standard_conforming_strings = off"
    ));
    let mut session = scratch.session();
    for (setting, expected) in [
        ("search_path", "pg_catalog, pg_temp"),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, YMD"),
        ("IntervalStyle", "postgres"),
        ("bytea_output", "hex"),
        ("extra_float_digits", "1"),
        ("lc_monetary", "C"),
        ("xmloption", "content"),
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("row_security", "off"),
        ("client_encoding", "UTF8"),
        ("quote_all_identifiers", "off"),
        ("standard_conforming_strings", "on"),
        ("transaction_isolation", "repeatable read"),
        ("transaction_read_only", "on"),
        ("default_transaction_read_only", "on"),
        ("application_name", "whimbrel"),
    ] {
        let shown = first(&mut session, &format!("SHOW \"{setting}\""));
        assert_eq!(shown.replace('"', ""), expected, "{setting}");
    }
    assert!(session.version() >= 130_000);
}

#[test]
fn a_copy_is_header_with_first_row_then_rows_then_trailer() {
    let scratch = Scratch::new(
        "CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (2), (NULL); CREATE TABLE empty (a integer)",
    );
    let mut session = scratch.session();
    // A row of one integer is 2 bytes for the number of fields, 4 for the length, 4 for the value; NULL is 6.
    assert_eq!(copy(&mut session, "public.t").unwrap(), [19 + 10, 10, 6, 2]);
    let empty = copy(&mut session, "public.empty").unwrap();
    assert_eq!(empty.iter().sum::<usize>(), 21, "{empty:?}");
    assert_eq!(first(&mut session, "SELECT count(*)::text FROM public.t"), "3", "the session goes on");
}

#[test]
fn one_value_may_be_large() {
    let scratch = Scratch::new("CREATE TABLE t (a text); INSERT INTO t SELECT repeat('x', 30000000)");
    assert_eq!(copy(&mut scratch.session(), "public.t").unwrap(), [19 + 6 + 30_000_000, 2]);
}

#[test]
fn the_snapshot_is_safe_from_rows_and_from_truncate() {
    let scratch = Scratch::new("CREATE TABLE t (a integer); INSERT INTO t VALUES (1)");
    let mut session = scratch.session();
    assert_eq!(first(&mut session, "SELECT count(*)::text FROM public.t"), "1");
    scratch.execute("INSERT INTO t VALUES (2)");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let scratch = &scratch;
        scope.spawn(move || {
            scratch.execute("TRUNCATE t");
            sender.send(()).unwrap();
        });
        let waited = receiver.recv_timeout(Duration::from_millis(300)).is_err();
        let rows = copy(&mut session, "public.t").map(|messages| messages.len() - 1);
        // Nothing is asserted while the session lives: the thread with TRUNCATE could not be joined.
        session.close();
        assert!(waited, "TRUNCATE must wait for the session");
        assert_eq!(rows.unwrap(), 1);
        receiver.recv_timeout(Duration::from_secs(10)).expect("TRUNCATE goes on after the session");
    });
}

#[test]
fn nothing_can_be_written() {
    let scratch = Scratch::new("CREATE TABLE t (a integer)");
    let error = scratch.session().query_rows("insert into", "`t`", "INSERT INTO public.t VALUES (1)").unwrap_err();
    assert!(error.cause().contains("read-only transaction"), "{error}");
}

#[test]
fn who_may_not_read_sees_the_catalog_and_is_told_which_table() {
    let role = format!("reader_{}", std::process::id());
    let scratch = Scratch::new(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'open'; CREATE SCHEMA closed; CREATE TABLE closed.a (x serial PRIMARY KEY);
         CREATE TABLE secret (a integer, b text DEFAULT 'x'); CREATE TABLE open (a integer); GRANT SELECT ON open TO {role};
         CREATE TABLE hidden (a integer); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
         CREATE POLICY some_rows ON hidden USING (a > 1); GRANT SELECT ON hidden TO {role}; INSERT INTO hidden VALUES (1), (2);
         CREATE VIEW shown AS SELECT * FROM secret; SELECT lo_create(0)"
    ));
    let url = scratch.postgres_url().secret().to_owned();
    let (_, rest) = url.split_once("://").unwrap();
    let (_, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let outcome = std::panic::catch_unwind(|| {
        let url = PostgresUrl::parse(&format!("postgres://{role}:open@{host}")).unwrap();
        let connect = || Session::connect(&url, &Cancel::new()).unwrap();
        let catalog = introspect(&mut connect()).unwrap();
        let names: Vec<_> = catalog.tables.iter().map(|table| table.name.to_string()).collect();
        assert_eq!(names, ["closed.a", "public.hidden", "public.open", "public.secret"]);
        assert_eq!(catalog.tables[3].columns.len(), 2);
        assert_eq!(catalog.views.len(), 1);
        let [sequence] = &catalog.sequences[..] else { panic!("{:?}", catalog.sequences) };
        let position = (sequence.name.to_string(), sequence.last_value, sequence.first_value);
        assert_eq!(position, ("closed.a_x_seq".to_owned(), None, None), "the role may not read it");

        assert_eq!(copy(&mut connect(), "public.open").unwrap().iter().sum::<usize>(), 21);
        let error = copy(&mut connect(), "public.secret").unwrap_err();
        assert!(error.to_string().starts_with("read `public.secret`: permission denied for table secret"), "{error}");
        assert!(error.way_out().unwrap().contains("grant SELECT"));
        let mut session = connect();
        let error = copy(&mut session, "public.hidden").unwrap_err();
        assert!(error.way_out().unwrap().contains("BYPASSRLS"), "{error}");
        let error = session.query_rows("query", "`x`", "SELECT 1").unwrap_err();
        assert!(error.cause().contains("has failed before"), "{error}");
    });
    let server = Scratch::new("SELECT 1");
    drop(scratch);
    server.execute(&format!("DROP ROLE {role}"));
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn a_connection_that_is_cut_is_an_error_not_an_end() {
    let scratch =
        Scratch::new("CREATE TABLE t AS SELECT g AS a, repeat('x', 1000) AS b FROM generate_series(1, 200000) g");
    let mut session = scratch.session();
    let process = first(&mut session, "SELECT pg_backend_pid()::text");
    let mut rows = 0_u64;
    let outcome = session.copy_out("`public.t`", "COPY public.t TO STDOUT (FORMAT binary)", &mut |_| {
        rows += 1;
        if rows == 10 {
            // Connecting needs a runtime of its own, and this callback runs in the session's.
            std::thread::scope(|scope| {
                scope.spawn(|| scratch.execute(&format!("SELECT pg_terminate_backend({process})"))).join().unwrap();
            });
        }
        Ok(())
    });
    let error = outcome.unwrap_err();
    assert!(rows < 200_000, "{rows}");
    assert!(error.to_string().starts_with("read `public.t`: "), "{error}");
    assert!(error.cause().contains("was cut") || error.cause().contains("terminating connection"), "{error}");
    assert!(error.way_out().is_some());
}

#[test]
fn a_stop_ends_a_copy_and_a_waiting_query_at_once() {
    let scratch = Scratch::new("CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 100000) g");
    let cancel = Cancel::new();
    let mut session = scratch.session_with(&cancel);
    let mut rows = 0_u64;
    let outcome = session.copy_out("`public.t`", "COPY public.t TO STDOUT (FORMAT binary)", &mut |_| {
        rows += 1;
        if rows == 100 {
            cancel.cancel();
        }
        Ok(())
    });
    assert_eq!((outcome.unwrap_err().kind(), rows), (Kind::Interrupted, 100));

    for sql in ["SELECT pg_sleep(60)::text", "COPY (SELECT pg_sleep(60)::text) TO STDOUT"] {
        let cancel = Cancel::new();
        let mut session = scratch.session_with(&cancel);
        let begun = Instant::now();
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                cancel.cancel();
            });
            match sql.starts_with("COPY") {
                true => session.copy_out("`x`", sql, &mut |_| Ok(())).unwrap_err(),
                false => session.query_rows("query", "`x`", sql).unwrap_err(),
            }
        });
        assert_eq!(error.kind(), Kind::Interrupted);
        drop(session);
        assert!(begun.elapsed() < Duration::from_secs(10), "{sql} took {:?}", begun.elapsed());
    }
    let error = Session::connect(&scratch.postgres_url(), &cancel).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
}

#[test]
fn what_the_callback_refuses_comes_back() {
    let scratch = Scratch::new("CREATE TABLE t AS SELECT 1 AS a");
    let refuse = &mut |_: &[u8]| Err(whimbrel::Error::could_not("store", "`x`", "full"));
    let error = scratch.session().copy_out("`public.t`", "COPY public.t TO STDOUT", refuse).unwrap_err();
    assert_eq!(error.to_string(), "store `x`: full");
}

#[test]
fn a_connection_that_cannot_be_had_is_explained_without_the_password() {
    let scratch = Scratch::new("SELECT 1");
    let refused = |url: &str| {
        let error = Session::connect(&PostgresUrl::parse(url).unwrap(), &Cancel::new()).unwrap_err();
        let told = format!("{error} ({})", error.way_out().unwrap_or_default());
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(error.kind(), Kind::CouldNotRun);
        told
    };
    let told = refused("postgres://ann:hunter2@127.0.0.1:1/app");
    assert!(told.starts_with("connect to `postgres://ann:***@127.0.0.1:1/app`: nothing listens there"), "{told}");

    let server = scratch::server_url();
    let server = server.split('?').next().unwrap();
    let (start, _) = server.rsplit_once('/').unwrap();
    let told = refused(&format!("{start}/no_such_database"));
    assert!(told.contains("\"no_such_database\" does not exist") && told.contains("psql -l"), "{told}");
    // A private server asks for its password; somebody else's may not.
    if let Some((user, rest)) = start.split_once('@').filter(|(user, _)| user.matches(':').count() == 2) {
        let (user, password) = user.rsplit_once(':').unwrap();
        assert!(!told.contains(password), "{told}");
        let told = refused(&format!("{user}:hunter2@{rest}/postgres"));
        assert!(told.contains("password authentication failed"), "{told}");
    }

    // A listener that never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = refused(&format!("postgres://ann:hunter2@127.0.0.1:{port}/app?connect_timeout=1"));
    assert!(told.contains("no answer within 1 s"), "{told}");
    drop(scratch);
}

#[test]
fn a_dropped_session_leaves_no_connection_behind() {
    let scratch = Scratch::new("SELECT 1");
    drop(scratch.session());
    let mut session = scratch.session();
    let count = "SELECT count(*)::text FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'whimbrel'";
    let deadline = Instant::now() + Duration::from_secs(10);
    while first(&mut session, count) != "1" {
        assert!(Instant::now() < deadline, "a connection was left behind");
        // The activity is fixed at its first look in a transaction.
        session.query_rows("clear", "statistics", "SELECT pg_stat_clear_snapshot()::text").unwrap();
    }
}

#[test]
fn a_table_that_stays_locked_is_told_with_whoever_holds_it() {
    let scratch = Scratch::new("CREATE TABLE held (a integer)");
    let url = scratch.url.clone();
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        use sqlx::{Connection, Executor};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
            connection.execute("SET application_name = 'holder'; BEGIN; LOCK TABLE held").await.unwrap();
            locked.send(()).unwrap();
            released.recv().unwrap();
        });
    });
    is_locked.recv().unwrap();
    let separator = if scratch.url.contains('?') { '&' } else { '?' };
    let hasty = format!("{}{separator}options=-c%20lock_timeout%3D1500", scratch.url);
    let error = Session::connect(&PostgresUrl::parse(&hasty).unwrap(), &Cancel::new()).unwrap_err();
    release.send(()).unwrap();
    holder.join().unwrap();
    let told = error.to_string();
    assert!(told.contains("stayed locked by another session for 1.5 s: table `public.held`: process "), "{told}");
    assert!(told.contains("application holder, in a transaction since 2") && told.contains("holds it"), "{told}");
    assert!(error.way_out().is_some_and(|hint| hint.contains("pg_terminate_backend")));
}

#[test]
fn locks_that_are_let_go_one_after_another_are_waited_for_together() {
    use sqlx::{Connection, Executor};
    let scratch = Scratch::new("CREATE TABLE a1 (v integer); CREATE TABLE a2 (v integer); CREATE TABLE a3 (v integer)");
    let (locked, is_locked) = std::sync::mpsc::channel();
    let holders: Vec<_> = (1..=3)
        .map(|number: u32| {
            let (url, locked) = (scratch.url.clone(), locked.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
                    let lock = format!("BEGIN; LOCK TABLE a{number}");
                    connection.execute(sqlx::AssertSqlSafe(lock)).await.unwrap();
                    locked.send(()).unwrap();
                    tokio::time::sleep(Duration::from_secs(3 * u64::from(number))).await;
                });
            })
        })
        .collect();
    (1..=3).for_each(|_| is_locked.recv().unwrap());
    let separator = if scratch.url.contains('?') { '&' } else { '?' };
    let hasty = format!("{}{separator}options=-c%20lock_timeout%3D4s", scratch.url);
    let begun = Instant::now();
    // No table is waited for for four seconds, all of them for nine.
    let error = Session::connect(&PostgresUrl::parse(&hasty).unwrap(), &Cancel::new()).unwrap_err();
    let took = begun.elapsed();
    holders.into_iter().for_each(|holder| holder.join().unwrap());
    assert!(error.to_string().contains("stayed locked by another session for 4 s"), "{error}");
    assert!(error.way_out().is_some_and(|hint| hint.contains("an excluded one as well")), "{error}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    let patient = format!("{}{separator}options=-c%20lock_timeout%3D0", scratch.url);
    Session::connect(&PostgresUrl::parse(&patient).unwrap(), &Cancel::new()).unwrap();
}
