//! Templates: once for each content, whoever asks; nothing of a build that failed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use whimbrel::Error;
use whimbrel::provision::{TemplateKey, shared};

use super::{ask, run};

/// A key that no other run of this test has used.
fn key(word: &str) -> TemplateKey {
    TemplateKey::new().and(word).and(&format!("{:?}", Instant::now())).and(&std::process::id().to_string())
}

#[test]
fn many_threads_get_one_template_and_each_content_its_own() {
    let server = shared().expect("a server");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("1.sql"), "CREATE TABLE a()").expect("a file");
    let keyed = |word| {
        let files = TemplateKey::of_files([folder.path()]).expect("a key");
        files.and(word).and(&std::process::id().to_string())
    };
    let builds = AtomicUsize::new(0);
    let build = |url: &str| {
        builds.fetch_add(1, Ordering::SeqCst);
        run(url, "CREATE TABLE t AS SELECT 1 AS one; SELECT pg_sleep(0.2)");
        Ok(())
    };
    let (first, second) = (keyed("first"), keyed("second"));
    let names: Vec<String> = std::thread::scope(|scope| {
        let one = |key| scope.spawn(move || server.template(key, build).expect("a template").name().to_owned());
        let threads: Vec<_> = [&first, &first, &second, &first].map(one).into_iter().collect();
        threads.into_iter().map(|thread| thread.join().expect("a name")).collect()
    });
    assert_eq!(builds.load(Ordering::SeqCst), 2);
    assert_eq!((&names[0], &names[0]), (&names[1], &names[3]));
    assert_ne!(names[0], names[2]);

    std::fs::write(folder.path().join("1.sql"), "CREATE TABLE b()").expect("a file");
    let changed = server.template(&keyed("first"), build).expect("a template");
    assert_eq!(builds.load(Ordering::SeqCst), 3, "another content is another template");
    assert_ne!(changed.name(), names[0]);
    let (left, right) = (changed.create("left").expect("a copy"), changed.create("right").expect("a copy"));
    run(&left.url(), "DROP TABLE t");
    assert_eq!(ask(&right.url(), "SELECT one::text FROM t").expect("its own rows"), "1");
}

#[test]
fn a_build_that_fails_or_panics_leaves_nothing_and_the_next_one_builds() {
    let server = shared().expect("a server");
    let key = key("failing");
    let built = |url: &str| run(url, "CREATE TABLE half()");
    let error = server
        .template(&key, |url| {
            built(url);
            Err(Error::could_not("fill", "`half`", "on purpose"))
        })
        .expect_err("the build fails");
    assert_eq!(error.to_string(), "fill `half`: on purpose");
    let panicked = std::panic::catch_unwind(|| {
        server.template(&key, |url| {
            built(url);
            panic!("on purpose")
        })
    });
    assert!(panicked.is_err());
    let template = server.template(&key, |url| {
        // With a connection that the builder forgets to close.
        std::mem::forget(open(url));
        run(url, "CREATE TABLE whole AS SELECT 'all of it'::text AS word");
        Ok(())
    });
    let template = template.expect("it is built now");
    let copy = template.create("copy").expect("a copy");
    assert_eq!(ask(&copy.url(), "SELECT word FROM whole").expect("a row"), "all of it");
    ask(&server.url(template.name()), "SELECT 'in'").expect_err("nobody connects to a template");
}

fn open(url: &str) -> (tokio::runtime::Runtime, sqlx::PgConnection) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let connection = runtime.block_on(<sqlx::PgConnection as sqlx::Connection>::connect(url)).expect("a connection");
    (runtime, connection)
}

/// Prints what one case pays; `cargo test --test provision -- --ignored --nocapture how_long`.
#[test]
#[ignore = "a measurement, which asserts nothing on a loaded machine"]
fn how_long_a_copy_takes() {
    let server = shared().expect("a server");
    let template = server
        .template(&key("measured"), |url| {
            run(
                url,
                "DO $$ BEGIN FOR i IN 1..60 LOOP
                   EXECUTE format('CREATE TABLE t%s(id int PRIMARY KEY, a text, b text)', i); END LOOP; END $$;
                 INSERT INTO t1 SELECT n, n, n FROM generate_series(1, 2000) AS n",
            );
            Ok(())
        })
        .expect("a template");
    let mut create = Vec::new();
    let mut drops = Vec::new();
    for _ in 0..40 {
        let start = Instant::now();
        let database = template.create("measured").expect("a copy");
        create.push(start.elapsed());
        // What a case does meanwhile.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let start = Instant::now();
        drop(database);
        drops.push(start.elapsed());
    }
    let empty = {
        let start = Instant::now();
        let database = server.create_database("empty").expect("a database");
        let created = start.elapsed();
        let start = Instant::now();
        drop(database);
        (created, start.elapsed())
    };
    create.sort();
    drops.sort();
    println!("{}", server.describe());
    println!("copy: median {:.1?}, P95 {:.1?}, longest {:.1?}", create[20], create[38], create[39]);
    println!("its drop, in the background: median {:.1?}, longest {:.1?}", drops[20], drops[39]);
    println!("an empty database: {:.1?}, its drop {:.1?}", empty.0, empty.1);
}
