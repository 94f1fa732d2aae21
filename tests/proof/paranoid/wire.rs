//! One byte of what the server says is flipped on an unprotected connection.

use crate::support::whole_run::{Server, findings};
use rusqlite::Connection;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use whimbrel::cancel::Cancel;
use whimbrel::event::nobody;
use whimbrel::migration::connect;
use whimbrel::provision::{Database, shared};
use whimbrel::to_sqlite::{Job, Outcome, migrate};
use whimbrel::verify::Level;

/// How many bytes are flipped in the sweep; `WHIMBREL_FLIPS` says otherwise.
const FLIPS: u64 = 36;

/// Passes on what client and server say, counts the bytes of values in the server's rows, and flips one of them. The
/// protocol's own bytes are left alone: a length that is wrong is another test's.
struct Proxy {
    port: u16,
    watched: Arc<Watched>,
}

#[derive(Default)]
struct Watched {
    /// Bytes of values in COPY, and in the answers of queries.
    copied: AtomicU64,
    answered: AtomicU64,
    flipped: AtomicBool,
}

/// Which byte.
#[derive(Clone, Copy, Debug)]
enum Flip {
    None,
    /// The byte of that number among those of COPY.
    Copied(u64),
    /// The byte of that number among those of answers.
    Answered(u64),
    /// The first byte of this text, where it is first said.
    Text(&'static [u8]),
}

impl Proxy {
    fn new(upstream: &str, flip: Flip) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let watched = Arc::new(Watched::default());
        let (upstream, watched_there) = (upstream.to_owned(), Arc::clone(&watched));
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            pass_on(client, TcpStream::connect(upstream).unwrap(), flip, &watched_there);
        });
        Proxy { port, watched }
    }
}

fn pass_on(client: TcpStream, server: TcpStream, flip: Flip, watched: &Watched) {
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let asking = thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut server, mut client) = (std::io::BufReader::new(server), std::io::BufWriter::new(client));
    while let Some(mut message) = next_message(&mut server) {
        // D is a row of a query, d a piece of COPY.
        let counter = match message[0] {
            // The types that every database has are most of what is said, and hardly one is used.
            b'D' if !says(&message, b"\"schema\":\"pg_catalog\"") && !says(&message, b"information_schema") => {
                Some(&watched.answered)
            }
            b'd' => Some(&watched.copied),
            _ => None,
        };
        for place in counter.map_or_else(Vec::new, |_| values(&message)) {
            let number = counter.map_or(0, |counter| counter.fetch_add(1, Ordering::SeqCst));
            let is_it = match flip {
                Flip::None => false,
                Flip::Copied(wanted) => message[0] == b'd' && number == wanted,
                Flip::Answered(wanted) => message[0] == b'D' && number == wanted,
                Flip::Text(text) => message[place..].starts_with(text) && !watched.flipped.load(Ordering::SeqCst),
            };
            if is_it {
                message[place] ^= 1;
                watched.flipped.store(true, Ordering::SeqCst);
            }
        }
        let is_pause = matches!(message[0], b'Z' | b'R' | b'E' | b'G' | b'c');
        if client.write_all(&message).is_err() || ((is_pause || server.buffer().is_empty()) && client.flush().is_err())
        {
            break;
        }
    }
    let _ = client.flush();
    let _ = client.get_ref().shutdown(Shutdown::Both);
    let _ = server.get_ref().shutdown(Shutdown::Both);
    let _ = asking.join();
}

fn says(message: &[u8], text: &[u8]) -> bool {
    message.windows(text.len()).any(|window| window == text)
}

/// One message of the server: its letter, its length, what it says.
fn next_message(server: &mut impl Read) -> Option<Vec<u8>> {
    let mut message = vec![0; 5];
    server.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
    message.resize(length + 1, 0);
    server.read_exact(&mut message[5..]).ok()?;
    Some(message)
}

/// The places of the bytes of values in a row: behind each one's length.
fn values(message: &[u8]) -> Vec<usize> {
    // The first piece of COPY has its header in front of a row; the last has no row at all.
    const COPY_HEADER: usize = 19;
    let mut place = if message[5..].starts_with(b"PGCOPY\n") { 5 + COPY_HEADER } else { 5 };
    let mut places = Vec::new();
    let Some(count) = message.get(place..place + 2) else { return places };
    let count = i16::from_be_bytes([count[0], count[1]]);
    place += 2;
    for _ in 0..count {
        let Some(length) = message.get(place..place + 4) else { break };
        let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]).max(0) as usize;
        places.extend(place + 4..place + 4 + length);
        place += 4 + length;
    }
    places
}

/// The server's place, and the same URL by way of a port of this machine, without TLS.
fn by_way_of(url: &str, port: u16) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (user, place) = authority.rsplit_once('@').map_or((String::new(), authority), |(u, p)| (format!("{u}@"), p));
    let upstream = if place.contains(':') { place.to_owned() } else { format!("{place}:5432") };
    let said = match (path.contains("sslmode="), path.contains('?')) {
        (true, _) => "",
        (false, true) => "&sslmode=disable",
        (false, false) => "?sslmode=disable",
    };
    (upstream, format!("{scheme}://{user}127.0.0.1:{port}/{path}{said}"))
}

fn filled() -> Database {
    let database = shared().expect("a PostgreSQL server").create_database("wire").expect("a database");
    Server::connect(&database.url()).run(
        "CREATE TABLE readings (id integer PRIMARY KEY, label text NOT NULL, ratio double precision, price numeric(9,2),
           at timestamptz(3) DEFAULT '2000-01-01 00:00:00+00', data bytea, tags text[], doc jsonb);
         INSERT INTO readings SELECT n, 'label number ' || n, CASE WHEN n % 9 = 0 THEN float8 'NaN' ELSE sqrt(n) END, n / 4.0,
           '2026-01-01 00:00:00+00'::timestamptz + n * interval '1.001 s', decode(md5(n::text), 'hex'), ARRAY['a', n::text],
           jsonb_build_object('n', n) FROM generate_series(1, 60) n;
         CREATE TABLE notes (reading integer REFERENCES readings, body text CHECK (length(body) < 400));
         CREATE INDEX notes_reading ON notes (reading);
         INSERT INTO notes SELECT n, repeat('note ' || n, 3) FROM generate_series(1, 60) n",
    );
    database
}

fn run(database: &Database, flip: Flip, level: Level, target: &Path) -> (whimbrel::Result<Outcome>, Proxy) {
    let (upstream, _) = by_way_of(&database.url(), 0);
    let proxy = Proxy::new(&upstream, flip);
    let url = by_way_of(&database.url(), proxy.port).1;
    let job = Job::new(target).verified(level);
    let outcome =
        connect(&url, &Cancel::new()).and_then(|mut source| migrate(source.as_mut(), &job, &Cancel::new(), &nobody));
    (outcome, proxy)
}

/// Everything that a file holds; of its manifest, not where it came from and when.
fn content(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut text = String::new();
    let mut take = |sql: &str| {
        let mut statement = connection.prepare(sql).unwrap();
        let width = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            (0..width).for_each(|place| text.push_str(&format!("{:?};", row.get_ref(place).unwrap())));
            text.push('\n');
        }
    };
    take("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2");
    for table in ["readings", "notes", "_whimbrel_tables", "_whimbrel_ledger"] {
        take(&format!("SELECT * FROM {table}"));
    }
    text
}

#[test]
fn full_publishes_a_value_that_the_wire_damaged_and_paranoid_refuses_it_and_names_its_row() {
    let database = filled();
    let directory = tempfile::tempdir().unwrap();
    let value = Flip::Text(b"label number 33");
    let target = directory.path().join("full.db");
    let (outcome, proxy) = run(&database, value, Level::Full, &target);
    let outcome = outcome.unwrap();
    assert!(proxy.watched.flipped.load(Ordering::SeqCst) && outcome.verification.is_sound());
    let label: String = Connection::open(&target)
        .unwrap()
        .query_row("SELECT label FROM readings WHERE id = 33", [], |row| row.get(0))
        .unwrap();
    assert_eq!(label, "mabel number 33");

    let target = directory.path().join("paranoid.db");
    let (outcome, _) = run(&database, value, Level::Paranoid, &target);
    let outcome = outcome.unwrap();
    assert!(outcome.published.is_none() && !target.exists());
    let error = outcome.ensure_published().unwrap_err().to_string();
    assert!(error.contains("table `public.readings` differs") && !error.contains("notes"), "{error}");
    let text = whimbrel::report::verification::differences(&outcome.verification);
    assert!(text.contains("the digest that the source computed by itself is another one"), "{text}");
    assert!(text.contains("1 changed, 0 missing") && text.contains("row [33]:"), "{text}");
    assert!(text.contains("column `label`: source `label number 33`, target `mabel number 33`"), "{text}");
}

#[test]
fn no_flipped_byte_gives_a_wrong_file() {
    let database = filled();
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("model.db");
    let (outcome, proxy) = run(&database, Flip::None, Level::Paranoid, &model);
    let outcome = outcome.unwrap();
    assert!(outcome.published.is_some(), "{}", findings(&outcome.verification));
    let model = content(&model);
    let (copied, answered) =
        (proxy.watched.copied.load(Ordering::SeqCst), proxy.watched.answered.load(Ordering::SeqCst));
    assert!(copied > 5_000 && answered > 5_000, "{copied} {answered}");
    let flips = std::env::var("WHIMBREL_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(FLIPS);
    let (mut refused, mut differs, mut harmless, mut done) = (0, 0, 0, 0);
    let (mut full, mut full_wrong) = (0, 0);
    for step in 0..flips {
        let target = directory.path().join(format!("{step}.db"));
        // Steps of no whole number of rows, so that not every flip is the same byte of its row.
        let place = |bytes: u64| (bytes * step / flips + step * 7 % 13).min(bytes - 1);
        let flip = if step % 3 == 0 { Flip::Answered(place(answered)) } else { Flip::Copied(place(copied)) };
        let (outcome, proxy) = run(&database, flip, Level::Paranoid, &target);
        done += u64::from(proxy.watched.flipped.load(Ordering::SeqCst));
        if step % 12 == 1 {
            // What the level below makes of the same byte.
            let target = directory.path().join(format!("{step} in full.db"));
            let (outcome, _) = run(&database, flip, Level::Full, &target);
            full += 1;
            full_wrong += u64::from(outcome.is_ok() && target.exists() && content(&target) != model);
        }
        match outcome {
            Err(error) => {
                refused += 1;
                assert!(!target.exists(), "{flip:?}: {error}");
            }
            Ok(outcome) if outcome.published.is_none() => {
                differs += 1;
                assert!(outcome.ensure_published().is_err() && !target.exists(), "{flip:?}");
            }
            Ok(_) => {
                harmless += 1;
                assert_eq!(content(&target), model, "{flip:?} gave a wrong file");
            }
        }
    }
    assert_eq!(done, flips, "not every byte was flipped");
    let _ = writeln!(
        std::io::stderr(),
        "wire: {flips} bytes flipped, of {copied} copied and {answered} answered: {differs} found by verification, \
         {refused} by an error, {harmless} with the right file all the same; `full` published {full_wrong} wrong files of {full}"
    );
    assert!(differs > flips / 4, "{differs}");
}
