//! Secrets in every place in which somebody may have put one: no output, no file and no backup repeats them.

use super::world::{World, describe as told, program};
use std::path::Path;
use std::process::Output;

const SECRET: &str = "hunter2hunter2";

fn assert_silent(what: &str, output: &Output) {
    assert!(!told(output).contains(SECRET), "{what}: {}", told(output));
}

/// No file below the folder holds it.
fn assert_nowhere(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}

#[test]
fn no_verb_repeats_a_secret() {
    let world = World::new("");
    let url = world.database.url();
    let (base, _) = url.split_once('?').unwrap_or((&url, ""));
    let (authority, name) = base.rsplit_once('/').unwrap();
    let place = authority.rsplit_once('@').unwrap().1;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    let path = target.to_str().unwrap();
    let sources = [
        // These are refused for a parameter that nothing obeys, or work: it is obeyed, and then kept nowhere.
        format!("{base}?sslmode=disable&key={SECRET}"),
        format!("{base}?sslmode=disable&{SECRET}=1&{SECRET}"),
        format!("{base}?sslmode=disable&options=-c%20application_name%3D{SECRET}"),
        format!("{base}?sslmode=disable#{SECRET}"),
        format!("{base}?sslmode=disable&sslpassword={SECRET}"),
        // These do not, and the server or the library repeats what it was sent.
        format!("{base}?sslmode=disable&options=-c%20{SECRET}%3D1"),
        format!("{base}?sslmode=disable&options=-c%20work_mem%3D{SECRET}"),
        format!("{base}?sslmode=disable&options={SECRET}"),
        format!("{base}?sslmode={SECRET}"),
        format!("{base}?port={SECRET}"),
        format!("{base}?hostaddr={SECRET}"),
        format!("{base}?connect_timeout={SECRET}"),
        format!("{base}?sslmode=verify-ca&sslrootcert=/none/{SECRET}"),
        format!("{base}?sslmode=require&sslkey=-----BEGIN%20{SECRET}&sslcert={SECRET}"),
        format!("postgres://ann%3A{SECRET}@{place}/{name}?sslmode=disable"),
        format!("postgres://ann;password={SECRET}@{place}/{name}?sslmode=disable"),
        format!("postgres://ann:{SECRET}@{place}/{name}?sslmode=disable"),
        format!("{authority}/{name};password={SECRET}?sslmode=disable"),
        format!("postgres://ann:a/{SECRET}@{place}/{name}"),
        format!("postgres://ann:a?{SECRET}@{place}/{name}"),
        format!("postgres://ann:a#{SECRET}@{place}/{name}"),
        format!("postgres://{place};password={SECRET}/{name}"),
        format!("postgres:/ann:{SECRET}@{place}/{name}"),
        format!("host=127.0.0.1 dbname={name} password={SECRET}"),
        format!("dbname = {name} password = {SECRET}"),
        format!("Server=127.0.0.1;PWD={SECRET}"),
        format!("user;password={SECRET}"),
        format!("ann:{SECRET}@{place}"),
        format!("{SECRET}://host/app"),
        format!("jdbc:postgresql://host/app?user=ann&password={SECRET}"),
        format!("sqlite:///{SECRET}?key={SECRET}").replacen(SECRET, "x", 1),
        format!("file:app.db?key={SECRET}"),
        format!("mysql://ann:{SECRET}@host/app"),
        format!("{{\"password\":\"{SECRET}\",\"host\":\"h\"}}"),
        format!("{{ 'host': 'h', 'password' : '{SECRET}' }}"),
        format!("password: {SECRET}"),
        format!("--password {SECRET}"),
        format!("scott/{SECRET}@h"),
        format!("scott/{SECRET}@//h:1521/app"),
    ];
    let sqlite = world.text(&world.file("CREATE TABLE a (b)"));
    let migrations = world.text(&world.migrations());
    for source in &sources {
        let project = world.fresh("project");
        let file = format!("[source]\nurl = {}\n", serde_json::to_string(source).unwrap());
        world.write(&project.join("project.toml"), &file);
        let project = world.text(&project);
        let invocations: Vec<Vec<&str>> = vec![
            vec!["plan", source, path],
            vec!["migrate", source, path],
            vec!["migrate", &project, path],
            vec!["migrate", "--sorce", source, path],
            vec!["plan", &sqlite, source],
            vec!["verify", source, path],
            vec!["check", source],
            vec!["backups", source],
            vec!["schema", "status", source, &migrations],
            vec!["schema", "validate", &sqlite, &migrations, "--scratch", source],
            vec!["generate", source, "--rows", "1"],
            vec!["test", "--random-schemas", "--cases", source],
        ];
        for words in invocations {
            for json in [&[][..], &["--json"]] {
                let output = program().args(&words).args(json).current_dir(folder.path()).output().unwrap();
                assert_silent(&format!("{words:?}"), &output);
            }
        }
        let sorce = format!("--sorce={source}");
        assert_silent(&sorce, &program().args(["migrate", &sorce, path]).output().unwrap());
    }
    assert!(target.exists(), "some of them migrate");
    let backups = program().args(["backups", path, "--json"]).output().unwrap();
    assert!(backups.status.success() && String::from_utf8_lossy(&backups.stdout).contains("\"before-migrate\""));
    assert_silent("backups", &backups);
    assert_nowhere(folder.path());
}

#[test]
fn no_variable_is_repeated() {
    let world = World::new("");
    let url = world.database.url();
    for variable in ["PGOPTIONS", "PGPASSWORD", "PGSSLKEY", "PGSSLCERT", "PGSSLMODE", "PGAPPNAME"] {
        for value in [SECRET.to_owned(), format!("-c {SECRET}=1"), format!("-c work_mem={SECRET}")] {
            for words in [vec!["plan", &url], vec!["generate", &url]] {
                let output = program().args(&words).env(variable, &value).output().unwrap();
                assert_silent(&format!("{variable}={value} {words:?}"), &output);
            }
        }
    }
}

mod in_any_part {
    use super::SECRET;
    use proptest::prelude::*;
    use proptest::sample::select;
    use whimbrel::endpoint::{Endpoint, PostgresUrl};
    use whimbrel::error::Error;
    use whimbrel::printable::{is_hidden, json, lines, one_line};
    use whimbrel::redact::{about_connecting, argument, redact, url};

    /// One of these, with the secret in the place of `§`; or nothing of it.
    fn part(harmless: &'static [&'static str], odd: &'static [&'static str]) -> BoxedStrategy<String> {
        prop_oneof![select(harmless), select(odd)].prop_map(|text| text.replace('§', SECRET)).boxed()
    }

    prop_compose! {
        fn any_url()(
            scheme in select(&["postgres://", "postgresql://", "POSTGRES://", "mysql://", "postgers://", "postgres:/",
                "postgres//", "postgres:", "sqlite://", "jdbc:postgresql://", "http://"][..]),
            user in part(&["", "ann@", "ann_1:@"], &["ann:§@", "ann%3A§@", "ann;password=§@", "ann:%2F§@", "ann:/§@", "ann:?§@",
                "ann:#§@", "ann:@§@", "ann:a@b/§@", "ann:a b;§@", "ann:\"§@", "ann:'§@", "ann:`§@", "ann:&§=§@", ":§@",
                "ann:é;§@", "%§@", "ann:\u{1b}§@"]),
            host in part(&["", "host", "db.example.org:5432", "[::1]:1", "%2Fvar%2Frun"], &["host;§", "host:§", "host%20§",
                "host:§:1", "ho st;§"]),
            path in part(&["", "/", "/app"], &["/app;password=§", "/app/x/§", "/app%20§", "/a b;§", "/%§"]),
            query in prop::collection::vec(part(
                &["sslmode=disable", "connect_timeout=3", "application_name=a.b", "user=ann", "host=/var/run"],
                &["key=§", "§", "§=1", "password=§", "p%61ssword=§", "PASSWORD=§", "options=-c%20x%3D§", "options[§]=1",
                  "options[x]=§", "sslmode=§", "connect_timeout=§", "port=§", "hostaddr=§", "sslkey=§", "sslcert=§",
                  "sslpassword=§", "passfile=/§", "application_name=a%20§", "user=ann%3A§", "dbname=a;§", "x=me@§", "=§"]), 0..4),
            fragment in part(&[""], &["#§", "#a@§"]),
        ) -> String {
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            format!("{scheme}{user}{host}{path}{query}{fragment}")
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_of_the_library_shows_it(text in any_url()) {
            let mut shown = vec![url(&text), argument(&text), argument(&format!("--source={text}"))];
            match Endpoint::parse(&text) {
                // A path is what it is; only a URL has secrets.
                Ok(Endpoint::Sqlite(_) | Endpoint::Files(_)) => {}
                Ok(endpoint) => shown.extend([endpoint.to_string(), format!("{endpoint:?}")]),
                Err(error) => shown.extend([error.to_string(), format!("{error:?}")]),
            }
            if let Ok(postgres) = PostgresUrl::parse(&text) {
                shown.extend([postgres.to_string(), format!("{postgres:?}")]);
                let said = format!("invalid value for parameter \"x\": \"{SECRET}\"; {SECRET} \"{SECRET}");
                if text.contains(SECRET) {
                    shown.push(about_connecting(&text, &[], &said));
                }
            }
            // What ends a URL in a sentence cannot be a part of it there.
            if !text.contains([' ', '"', '\'', '`', '\u{1b}']) {
                let sentence = format!("it is {text} and \"{text}\", (`{text}`).");
                shown.extend([redact(&sentence).into_owned(), format!("{:?}", Error::usage(&sentence, &sentence, &sentence).hint(&sentence))]);
            }
            for shown in shown {
                prop_assert!(!shown.contains(SECRET), "{text:?} is shown as {shown:?}");
            }
            let once = url(&text);
            prop_assert_eq!(url(&once), &*once, "what is shown stays as it is");
        }

        #[test]
        fn any_text_can_be_told(text in any::<String>(), more in "[a-z:/@?=#&'\"` ;é\u{1b}\u{202e}\n.]{0,40}") {
            for text in [text.clone(), more.clone(), format!("{text}://{more}"), format!("password={more}")] {
                let _ = (argument(&text), about_connecting(&text, &[], &more));
                let once = redact(&text).into_owned();
                prop_assert!(!one_line(&once).contains(is_hidden));
                prop_assert!(lines(&once).chars().all(|c| !is_hidden(c) || matches!(c, '\n' | '\t')));
                let value = serde_json::json!({ &text: &text });
                let written = json(&value.to_string()).into_owned();
                prop_assert!(!written.contains(is_hidden));
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
                let error = Error::could_not(&*text, &text, &text).hint(&*text);
                let told = error.to_string() + error.way_out().unwrap_or_default();
                prop_assert!(!told.contains(is_hidden));
            }
        }
    }
}
