//! The connection cut after every tenth of what the server says in a whole run: by an end (FIN) and by a reset (RST).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::support::{assert_tidy, content, copied, migrate, old_target, said, snapshot, source, succeed};
use crate::support::turn::alone;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// As if the server had said all.
    End,
    /// As if it had never been.
    Reset,
}

/// Stands between the program and the server, counts what the server says, and cuts after so many bytes.
struct Proxy {
    port: u16,
    said_bytes: Arc<AtomicU64>,
}

impl Proxy {
    fn new(upstream: &str, bytes_max: u64, cut: Cut) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let said_bytes = Arc::new(AtomicU64::new(0));
        let (upstream, counter) = (upstream.to_owned(), Arc::clone(&said_bytes));
        // One connection is all that a run has; what comes after it is refused.
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            forward(client, TcpStream::connect(upstream).unwrap(), bytes_max, cut, &counter);
        });
        Proxy { port, said_bytes }
    }
}

fn forward(mut client: TcpStream, mut server: TcpStream, bytes_max: u64, cut: Cut, counter: &AtomicU64) {
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let asking = thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let left = bytes_max - counter.load(Ordering::SeqCst);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match server.read(&mut buffer[..wanted]) {
            Ok(read @ 1..) if client.write_all(&buffer[..read]).is_ok() => {
                counter.fetch_add(read as u64, Ordering::SeqCst);
            }
            _ => break,
        }
    }
    if counter.load(Ordering::SeqCst) < bytes_max {
        let _ = client.shutdown(Shutdown::Both);
        return;
    }
    match cut {
        Cut::End => {
            let _ = client.shutdown(Shutdown::Both);
        }
        Cut::Reset => {
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            let length = libc::socklen_t::try_from(size_of::<libc::linger>()).unwrap();
            // SAFETY: the descriptor is open, and the structure outlives the call.
            let set = unsafe {
                libc::setsockopt(
                    client.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_LINGER,
                    (&raw const linger).cast(),
                    length,
                )
            };
            assert_eq!(set, 0);
            // The other thread reads no more and lets go; the last one to close the socket then resets it.
            let _ = client.shutdown(Shutdown::Read);
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = asking.join();
}

/// Where the server is, and the same URL by way of a port of this machine.
fn by_way_of(url: &str, port: u16) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (user, place) = authority.rsplit_once('@').map_or((String::new(), authority), |(u, p)| (format!("{u}@"), p));
    let upstream = if place.contains(':') { place.to_owned() } else { format!("{place}:5432") };
    // Where nothing is said, the first byte would be an answer about TLS.
    let said = match (path.contains("sslmode="), path.contains('?')) {
        (true, _) => "",
        (false, true) => "&sslmode=disable",
        (false, false) => "?sslmode=disable",
    };
    (upstream, format!("{scheme}://{user}127.0.0.1:{port}/{path}{said}"))
}

#[test]
fn cut_after_any_tenth_of_the_bytes_the_target_is_the_old_file() {
    let _alone = alone();
    let database = source(1_500);
    let directory = tempfile::tempdir().unwrap();
    let looked_at = tempfile::tempdir().unwrap();
    let target = directory.path().join("app.db");
    let (upstream, _) = by_way_of(&database.url(), 0);

    let whole = Proxy::new(&upstream, u64::MAX, Cut::End);
    let model = looked_at.path().join("model.db");
    succeed(&by_way_of(&database.url(), whole.port).1, &model);
    let bytes = whole.said_bytes.load(Ordering::SeqCst);
    assert!(bytes > 500_000, "{bytes}");
    let new = content(&model);

    let mut named = Vec::new();
    for (step, cut) in (0..10).flat_map(|step| [(step, Cut::End), (step, Cut::Reset)]) {
        for name in ["app.db", "app.db-wal", "app.db-shm"] {
            let _ = std::fs::remove_file(directory.path().join(name));
        }
        let _ = std::fs::remove_dir_all(directory.path().join("app.db.whimbrel-backups"));
        old_target(&target, step % 2 == 1);
        let before = snapshot(directory.path());
        let proxy = Proxy::new(&upstream, bytes * step / 10, cut);
        let output = migrate(&by_way_of(&database.url(), proxy.port).1, &target).arg("--quiet").output().unwrap();
        let told = said(&output);
        let when = format!("{cut:?} after {step} tenths of {bytes} bytes: {told}");
        assert_eq!(output.status.code(), Some(3), "{when}");
        assert!(told.contains("the connection to the server was cut"), "{when}");
        assert!(told.contains("see the server's log"), "{when}");
        assert!(snapshot(directory.path()) == before, "{when}");
        let table = ["first", "second"].iter().position(|name| told.contains(&format!("table `public.{name}`")));
        named.push((cut, table));
        succeed(&database.url(), &target);
        assert_eq!(content(&copied(&target, looked_at.path())), new, "{when}");
        assert_tidy(directory.path());
    }
    for cut in [Cut::End, Cut::Reset] {
        let tables: Vec<_> = named.iter().filter(|(other, _)| *other == cut).map(|(_, table)| *table).collect();
        // Before the rows there is the connection and the schema; then the first table, then the second.
        assert!(tables.is_sorted(), "{cut:?}: {tables:?}");
        assert!(tables.contains(&Some(0)) && tables.contains(&Some(1)) && tables[0].is_none(), "{cut:?}: {tables:?}");
        let count = |wanted| tables.iter().filter(|table| **table == wanted).count();
        println!(
            "{cut:?} after each tenth of {bytes} bytes: {} before the rows, {} in the first table, {} in the second; \
             each time the old file, then the new one",
            count(None),
            count(Some(0)),
            count(Some(1))
        );
    }
}
