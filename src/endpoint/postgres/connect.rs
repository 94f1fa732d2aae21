//! A connection to the server whose small messages leave at once.
//!
//! sqlx 0.9.0 does not set TCP_NODELAY (its issue 4335, a regression) and offers no way to: a small message after
//! another one, as the end of a COPY is, then waits until the server's system acknowledges the first, 40 ms on Linux.
//! Nor does it tell a connection's descriptor, so the option is set on every TCP connection of this process to the
//! server's port that was not there before; where another thread has made one meanwhile, it does no harm. This file goes
//! when sqlx sets the option.

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};

/// Connects, as `options` say.
///
/// # Errors
/// As sqlx has them.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    #[cfg(unix)]
    let before = open::connections(options.get_port());
    let connection = options.connect().await?;
    #[cfg(unix)]
    open::send_at_once(options.get_port(), &before);
    Ok(connection)
}

#[cfg(unix)]
mod open {
    use std::net::SocketAddr;
    use std::os::fd::{BorrowedFd, RawFd};

    /// This process' connections to that port: the descriptor and the address on this side, which together are one
    /// connection's only. Empty where the system does not list descriptors.
    pub(super) fn connections(port: u16) -> Vec<(RawFd, SocketAddr)> {
        let Ok(descriptors) = std::fs::read_dir("/dev/fd") else { return Vec::new() };
        let numbers = descriptors.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let connection = |number: RawFd| {
            // SAFETY: as below.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            let socket = socket2::SockRef::from(&descriptor);
            let peer = socket.peer_addr().ok()?.as_socket()?;
            (peer.port() == port).then(|| Some((number, socket.local_addr().ok()?.as_socket()?)))?
        };
        numbers.filter_map(connection).collect()
    }

    /// Sets TCP_NODELAY on those that were not there `before`. What cannot be set stays as slow as it is.
    pub(super) fn send_at_once(port: u16, before: &[(RawFd, SocketAddr)]) {
        for (number, _) in connections(port).iter().filter(|connection| !before.contains(connection)) {
            // SAFETY: sockets are asked for their addresses, and one option is set, of which the type's promise (that
            // the descriptor stays open) is not needed: another thread may close it, and the calls then fail or meet
            // what was opened since.
            let descriptor = unsafe { BorrowedFd::borrow_raw(*number) };
            let _ = socket2::SockRef::from(&descriptor).set_tcp_nodelay(true);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::open::{connections, send_at_once};
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn new_connections_to_the_port_send_at_once_and_others_are_left() {
        let (here, there) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (address, port) = (here.local_addr().unwrap(), here.local_addr().unwrap().port());
        let earlier = TcpStream::connect(address).unwrap();
        let before = connections(port);
        let later = TcpStream::connect(address).unwrap();
        let elsewhere = TcpStream::connect(there.local_addr().unwrap()).unwrap();
        send_at_once(port, &before);
        assert!(later.nodelay().unwrap());
        assert!(!earlier.nodelay().unwrap() && !elsewhere.nodelay().unwrap());
    }
}
