//! A wire that damages what it carries, or stops carrying: every run ends, with the right content or with an error.
//!
//! Without TLS a changed byte of a value may be a value, too; what is asked here is that none ends the program.

use crate::support::program::{database, describe as told, whimbrel};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What happens to the server's messages.
#[derive(Debug, Clone, Copy)]
pub enum Harm {
    None,
    /// In the message of that number this byte is changed by that mask.
    Flip {
        message: usize,
        byte: usize,
        mask: u8,
    },
    /// After so many bytes nothing is carried on, and nothing is closed.
    Stop {
        bytes: usize,
    },
    /// From the first message on that has these bytes nothing is carried on, and nothing is closed.
    StopAt {
        tag: &'static [u8],
    },
}

/// Kind and length of each message of the server, its first byte and its length field counted.
type Heard = Arc<Mutex<Vec<(u8, usize)>>>;

pub struct Proxy {
    pub port: u16,
    heard: Heard,
}

impl Proxy {
    pub fn new(upstream: &str, harm: Harm) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Heard::default();
        let (upstream, messages) = (upstream.to_owned(), Arc::clone(&heard));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&upstream)) else { return };
                let messages = Arc::clone(&messages);
                thread::spawn(move || carry(client, server, harm, &messages));
            }
        });
        Proxy { port, heard }
    }
}

fn carry(mut client: TcpStream, mut server: TcpStream, harm: Harm, heard: &Mutex<Vec<(u8, usize)>>) {
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let (mut number, mut carried) = (0, 0);
    loop {
        let mut message = vec![0; 5];
        if server.read_exact(&mut message).is_err() {
            break;
        }
        let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
        message.resize(length + 1, 0);
        if server.read_exact(&mut message[5..]).is_err() {
            break;
        }
        heard.lock().unwrap().push((message[0], message.len()));
        match harm {
            Harm::Flip { message: at, byte, mask } if at == number => message[byte] ^= mask,
            Harm::Stop { bytes } if carried + message.len() > bytes => {
                let _ = client.write_all(&message[..bytes - carried]);
                thread::sleep(Duration::from_secs(120));
                return;
            }
            Harm::StopAt { tag } if message.windows(tag.len()).any(|bytes| bytes == tag) => {
                thread::sleep(Duration::from_secs(120));
                return;
            }
            _ => {}
        }
        if client.write_all(&message).is_err() {
            break;
        }
        (number, carried) = (number + 1, carried + message.len());
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// Where the server is, and the same URL by way of a port of this machine, without TLS.
pub fn by_way_of(url: &str, port: u16) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (user, place) = authority.rsplit_once('@').map_or((String::new(), authority), |(u, p)| (format!("{u}@"), p));
    let upstream = if place.contains(':') { place.to_owned() } else { format!("{place}:5432") };
    let path = path.split('?').next().unwrap();
    let url = format!(
        "{scheme}://{user}127.0.0.1:{port}/{path}?sslmode=disable&connect_timeout=4&options=-c%20lock_timeout%3D3s"
    );
    (upstream, url)
}

const SCHEMA: &str = "
    CREATE TABLE t (id integer PRIMARY KEY, name text, at timestamptz, tags text[], total numeric);
    INSERT INTO t SELECT g, repeat('x', 50), now(), ARRAY['a', 'b'], g FROM generate_series(1, 3000) g;
    CREATE TABLE u (id integer REFERENCES t, body jsonb); INSERT INTO u SELECT g, '{}' FROM generate_series(1, 50) g;
    CREATE VIEW v AS SELECT name FROM t";

/// A migrate through a proxy that does harm; fails where it did not end as a run ends.
fn migrate(url: &str, harm: Harm) -> (String, Heard) {
    let (upstream, _) = by_way_of(url, 0);
    let proxy = Proxy::new(&upstream, harm);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("app.db");
    let begun = Instant::now();
    let output =
        whimbrel(&["migrate", &by_way_of(url, proxy.port).1, target.to_str().unwrap(), "--stall-timeout", "2"]);
    let text = told(&output);
    assert!(output.status.code().is_some_and(|code| code <= 3), "{harm:?}: {text}");
    assert!(!text.contains("panicked"), "{harm:?}: {text}");
    // Silence may last for 2 seconds, and for 3 more where locks are waited for; the rest is a busy machine's.
    assert!(begun.elapsed() < Duration::from_secs(60), "{harm:?} took {:?}", begun.elapsed());
    assert!(target.exists() == (output.status.code() == Some(0)), "{harm:?}: {text}");
    (text, proxy.heard)
}

#[test]
fn a_connection_that_carries_nothing_any_more_is_told_with_the_table_and_how_far_it_came() {
    let database = database(SCHEMA);
    let url = database.url();
    let (text, heard) = migrate(&url, Harm::None);
    assert!(text.contains("exit Some(0)"), "{text}");
    let heard = heard.lock().unwrap().clone();
    // In the middle of the rows of the larger table.
    let first_rows = heard.iter().position(|(kind, _)| *kind == b'H').unwrap() + 1_500;
    let bytes = |messages: usize| heard[..messages].iter().map(|(_, length)| length).sum::<usize>() + 3;
    let (text, _) = migrate(&url, Harm::Stop { bytes: bytes(first_rows) });
    assert!(text.contains("exit Some(3)"), "{text}");
    let (_, rest) = text.split_once("read table `public.t`: nothing has come from the server for 2 s; ").expect(&text);
    // Two runs differ by a few bytes before the rows.
    let rows: i64 = rest.split_once(" rows had come").and_then(|(rows, _)| rows.parse().ok()).expect(&text);
    assert!((rows - 1_500).abs() < 10, "{text}");
    assert!(text.contains("--stall-timeout"), "{text}");
    // While it connects, and while it reads the catalog.
    let rows = heard.iter().position(|(kind, _)| *kind == b'T').unwrap();
    let copy = heard.iter().position(|(kind, _)| *kind == b'H').unwrap();
    for messages in [0, 3, rows + 2, heard[..copy].iter().rposition(|(kind, _)| *kind == b'T').unwrap() + 1] {
        let (text, _) = migrate(&url, Harm::Stop { bytes: bytes(messages) });
        assert!(text.contains("exit Some(3)"), "{text}");
        assert!(
            text.contains("nothing has come from the server for 2 s") || text.contains("no answer within 4 s"),
            "{text}"
        );
    }
}

#[test]
fn silence_while_the_snapshot_begins_ends_the_run_however_many_tables_there_are() {
    // More relations than one message locks; some that are opened.
    let database = database(
        "DO $$ BEGIN FOR n IN 1..150 LOOP EXECUTE format('CREATE TABLE t%s (v integer)', n); END LOOP; END $$;
         CREATE MATERIALIZED VIEW m AS SELECT 1 AS v",
    );
    let url = database.url();
    let (text, heard) = migrate(&url, Harm::None);
    assert!(text.contains("exit Some(0)"), "{text}");
    let heard = heard.lock().unwrap().clone();
    let listed = heard.iter().position(|(kind, _)| *kind == b'T').unwrap();
    // The answers to: what is listed, the beginning, the first locks, the others, what is opened, the settings.
    let ends: Vec<usize> = (listed..heard.len()).filter(|place| heard[*place].0 == b'Z').take(6).collect();
    for end in ends {
        let bytes = heard[..end].iter().map(|(_, length)| length).sum::<usize>() + 3;
        let begun = Instant::now();
        let (text, _) = migrate(&url, Harm::Stop { bytes });
        assert!(text.contains("exit Some(3)") && text.contains("nothing has come from the server for "), "{text}");
        // Two seconds of silence, three for locks, one for work, and the start of the program.
        assert!(begun.elapsed() < Duration::from_secs(16), "{:?}: {text}", begun.elapsed());
    }
}

#[test]
fn a_changed_byte_never_ends_the_program() {
    // All of them, each with two masks: WHIMBREL_WIRE_FLIPS=all; some 750 runs.
    let all = std::env::var("WHIMBREL_WIRE_FLIPS").is_ok_and(|word| word == "all");
    let database = database(SCHEMA);
    let url = database.url();
    let (text, heard) = migrate(&url, Harm::None);
    assert!(text.contains("exit Some(0)"), "{text}");
    let heard = heard.lock().unwrap().clone();
    // The first message of each kind, one in the middle and the last: head, length, and what is behind it.
    let mut of_kind: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
    for (number, (kind, _)) in heard.iter().enumerate() {
        of_kind.entry(*kind).or_default().push(number);
    }
    let mut flips = Vec::new();
    for numbers in of_kind.values() {
        let mut chosen = vec![numbers[0], numbers[numbers.len() / 2], numbers[numbers.len() - 1]];
        chosen.dedup();
        for message in chosen {
            let length = heard[message].1;
            for byte in (0..length.min(16)).chain([length / 2, length - 1]) {
                flips.extend([0x80, 0x01].map(|mask| Harm::Flip { message, byte, mask }));
            }
        }
    }
    // A length that is shorter than itself, which the client library does not survive by itself.
    let shortened = of_kind.values().map(|numbers| numbers[0]).filter(|number| heard[*number].1 < 256);
    let shortened: Vec<Harm> =
        shortened.map(|message| Harm::Flip { message, byte: 4, mask: ((heard[message].1 - 1) ^ 1) as u8 }).collect();
    assert!(shortened.len() > 3);
    // Rows with a field less, or more, than their columns: each of the first, where the catalog is read.
    let rows = heard.iter().enumerate().filter(|(_, (kind, _))| *kind == b'D').map(|(number, _)| number);
    let other_width: Vec<Harm> = rows.take(12).map(|message| Harm::Flip { message, byte: 6, mask: 1 }).collect();
    let step = if all { 1 } else { flips.len() / 40 + 1 };
    let (mut ends, mut caught): (BTreeMap<String, u32>, u32) = Default::default();
    for harm in flips.iter().step_by(step).chain(&shortened).chain(&other_width) {
        let (text, _) = migrate(&url, *harm);
        caught += u32::from(text.contains("a message of another form than its kind has"));
        *ends.entry(text.lines().next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    eprintln!(
        "{} of {} changed bytes: {ends:?}; {caught} panics of the client library were caught",
        flips.len().div_ceil(step),
        flips.len()
    );
    assert!(ends.contains_key("exit Some(3)") && caught > 0, "{ends:?}, {caught} caught");
}
