//! A connection to the server: by which names it finds things from its first statement on, and how its socket is set.
//!
//! **Names.** A database's owner chooses the search path of whoever connects (`ALTER DATABASE … SET`), and an operator
//! or a function of another schema that fits better than the server's own is taken for it: `SELECT oid = …` then runs
//! what the owner has written, with the rights of who asks. So the path is pinned by the start-up message, before any
//! statement; a pooler that refuses that message's `options` gets none, and one may drop them without a word: the first
//! statement says it again, by SET, which looks nothing up. The path that somebody else has chosen is only used for what
//! they have written.
//!
//! **The socket.** sqlx 0.9.0 does not set TCP_NODELAY (its issue 4335, a regression) and offers no way to: a small
//! message after another one, as the end of a COPY is, then waits until the server's system acknowledges the first, 40 ms
//! on Linux. Nor does it ask for keepalive, without which a peer that is gone is waited for for ever. It does not tell a
//! connection's descriptor, so both are set on every TCP connection of this process to the server's port that was not
//! there before; where another thread has made one meanwhile, it does no harm. That part goes when sqlx has the options.

use super::fence::{fenced_read, fenced_wait};
use crate::error::Result;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Row as _};

/// The path by which everything is found that this program asks for itself. Without its mention at the end the schema
/// of temporary tables would be looked through first.
const PINNED_PATH: &str = "pg_catalog,pg_temp";
/// The statement that pins it.
pub(crate) const PIN: &str = "SET search_path = pg_catalog,pg_temp";

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It only reads: whatever it runs begins read-only.
    Reads,
    /// It writes as well.
    Writes,
}

impl Access {
    /// What is pinned, by the start-up message and by the first statement.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        const PINNED: [(&str, &str); 3] = [
            ("search_path", PINNED_PATH),
            ("standard_conforming_strings", "on"),
            ("default_transaction_read_only", "on"),
        ];
        match self {
            Access::Reads => &PINNED,
            Access::Writes => PINNED.split_at(2).0,
        }
    }

    fn statements(self) -> String {
        let statements = self.settings().iter().map(|(name, value)| format!("SET {name} = {value}"));
        statements.collect::<Vec<_>>().join("; ")
    }
}

/// Connects, as `options` say, with the search path pinned.
///
/// # Errors
/// As sqlx has them.
pub(crate) async fn connect(options: &PgConnectOptions, access: Access) -> Result<PgConnection, sqlx::Error> {
    let pinned = options.clone().options(access.settings().iter().copied());
    let mut connection = match reach(&pinned).await {
        Err(error) if refuses_options(&error) => reach(options).await?,
        outcome => outcome?,
    };
    let statements = sqlx::raw_sql(AssertSqlSafe(access.statements()));
    fenced_wait(statements.execute(&mut connection)).await?;
    Ok(connection)
}

/// The search path that a role, a database or a URL has chosen: for statements that somebody else has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChosenPath(pub(crate) String);

impl ChosenPath {
    /// The statement that makes it the session's path. It finds its function whatever the path is.
    pub(crate) fn enter(&self) -> String {
        format!("SELECT pg_catalog.set_config('search_path', {}, false)", literal(&self.0))
    }
}

/// Connects as [`connect`] does, to write, and tells which path had been chosen.
///
/// # Errors
/// As sqlx has them.
pub(crate) async fn connect_beside(options: &PgConnectOptions) -> Result<(PgConnection, ChosenPath), sqlx::Error> {
    let mut connection = reach(options).await?;
    let path = leave(&mut connection).await?;
    Ok((connection, path))
}

/// Pins the path again, and tells which one it was.
///
/// # Errors
/// As sqlx has them.
pub(crate) async fn leave(connection: &mut PgConnection) -> Result<ChosenPath, sqlx::Error> {
    // Neither of the two looks anything up.
    let statements = sqlx::raw_sql(AssertSqlSafe(format!("SHOW search_path; {PIN}")));
    let rows = fenced_wait(statements.fetch_all(connection)).await?;
    let path = rows.first().map(|row| fenced_read(|| row.try_get_unchecked::<String, _>(0))).transpose()?;
    Ok(ChosenPath(path.unwrap_or_default()))
}

/// A text as a literal that is the same text whether backslashes escape in plain ones or not.
pub(crate) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Ends a connection in good order.
pub(crate) async fn close(connection: PgConnection) {
    // Whether the server heard the goodbye changes nothing for who says it.
    let _ = fenced_wait(connection.close()).await;
}

/// Whether it is the start-up message's `options` that is refused: a pooler says a violation of the protocol or a
/// feature that it does not have, a relative of PostgreSQL that it does not know a setting.
fn refuses_options(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["08P01", "0A000", "42704", "22023"].contains(&code.as_ref()))
}

async fn reach(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    #[cfg(unix)]
    let before = open::connections(options.get_port());
    let connection = fenced_wait(options.connect()).await?;
    #[cfg(unix)]
    open::set(options.get_port(), &before);
    Ok(connection)
}

#[cfg(unix)]
mod open {
    use std::net::SocketAddr;
    use std::os::fd::{BorrowedFd, RawFd};
    use std::time::Duration;

    /// A peer that has said nothing for so long is asked whether it is still there,
    const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
    /// and again after so long; the system decides how often, nine times on Linux: it is given up after three minutes.
    const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);

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

    /// Sets TCP_NODELAY and keepalive on those that were not there `before`. What cannot be set stays as it is.
    pub(super) fn set(port: u16, before: &[(RawFd, SocketAddr)]) {
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
        for (number, _) in connections(port).iter().filter(|connection| !before.contains(connection)) {
            // SAFETY: sockets are asked for their addresses, and options are set, of which the type's promise (that
            // the descriptor stays open) is not needed: another thread may close it, and the calls then fail or meet
            // what was opened since.
            let descriptor = unsafe { BorrowedFd::borrow_raw(*number) };
            let socket = socket2::SockRef::from(&descriptor);
            let _ = socket.set_tcp_nodelay(true);
            let _ = socket.set_tcp_keepalive(&keepalive);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn the_pin_comes_behind_what_the_url_says() {
        let url = "postgres://h/d?options=-c%20search_path%3Dpublic%20-c%20lock_timeout%3D5s";
        let options = PgConnectOptions::from_str(url).unwrap().options(Access::Reads.settings().iter().copied());
        assert_eq!(
            options.get_options(),
            Some(
                "-c search_path=public -c lock_timeout=5s -c search_path=pg_catalog,pg_temp \
                 -c standard_conforming_strings=on -c default_transaction_read_only=on"
            )
        );
    }

    #[test]
    fn a_path_is_put_back_as_it_was_whatever_is_in_it() {
        let path = ChosenPath(r#""$user", "it's \ here""#.to_owned());
        assert_eq!(path.enter(), r#"SELECT pg_catalog.set_config('search_path', E'"$user", "it''s \\ here"', false)"#);
    }

    #[cfg(unix)]
    #[test]
    fn new_connections_to_the_port_are_set_and_others_are_left() {
        use super::open::{connections, set};
        use std::net::{TcpListener, TcpStream};

        let (here, there) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (address, port) = (here.local_addr().unwrap(), here.local_addr().unwrap().port());
        let earlier = TcpStream::connect(address).unwrap();
        let before = connections(port);
        let later = TcpStream::connect(address).unwrap();
        let elsewhere = TcpStream::connect(there.local_addr().unwrap()).unwrap();
        set(port, &before);
        let keepalive = |stream: &TcpStream| socket2::SockRef::from(stream).keepalive().unwrap();
        assert!(later.nodelay().unwrap() && keepalive(&later));
        for other in [&earlier, &elsewhere] {
            assert!(!other.nodelay().unwrap() && !keepalive(other));
        }
    }
}
