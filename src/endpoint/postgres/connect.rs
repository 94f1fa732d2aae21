//! A connection to the server whose small messages leave at once.
//!
//! sqlx 0.9.0 does not set TCP_NODELAY (its issue 4335, a regression) and offers no way to: a small message after
//! another one, as the end of a COPY is, then waits until the server's system acknowledges the first, 40 ms on Linux.
//! Nor does it tell a connection's descriptor, so the option is set on every TCP connection of this process that leads
//! to the server's port; on others of them it does no harm. This file goes when sqlx sets the option.

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};

/// Connects, as `options` say.
///
/// # Errors
/// As sqlx has them.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connection = options.connect().await?;
    #[cfg(unix)]
    send_at_once(options.get_port());
    Ok(connection)
}

/// Sets TCP_NODELAY on this process' connections to that port. What cannot be set stays as slow as it is.
#[cfg(unix)]
fn send_at_once(port: u16) {
    use std::os::fd::BorrowedFd;
    let Ok(descriptors) = std::fs::read_dir("/dev/fd") else { return };
    for number in descriptors.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        // SAFETY: it is asked who is at the other end, and one option is set, of which the type's promise (that it stays
        // open) is not needed: another thread may close it, and both calls then fail or meet what was opened since.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let socket = socket2::SockRef::from(&descriptor);
        let peer = socket.peer_addr().ok().and_then(|address| address.as_socket());
        if peer.is_some_and(|peer| peer.port() == port) {
            let _ = socket.set_tcp_nodelay(true);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn connections_to_the_port_send_at_once_and_others_are_left() {
        let (here, there) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let to_here = TcpStream::connect(here.local_addr().unwrap()).unwrap();
        let to_there = TcpStream::connect(there.local_addr().unwrap()).unwrap();
        send_at_once(here.local_addr().unwrap().port());
        assert!(to_here.nodelay().unwrap());
        assert!(!to_there.nodelay().unwrap());
    }
}
