//! Sessions as they lie in SQLite: read by a few prepared statements, however many sessions there are.
//!
//! A list with children takes three statements and sees one state: the second and the third run while the first is under
//! way, and a transaction that only reads lasts as long as one of its statements.

use std::collections::HashMap;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::model::{Instance, Message, Session, SessionSummary, SessionType};

const SESSION: &str = "id, session_type, task, status, created_at, updated_at, completed_at, model, timeout_seconds, \
                       preserve_worktrees, winner_id, runtime_mix, total_duration, total_files_changed, \
                       total_lines_added, total_lines_deleted, extra";
const INSTANCE: &str = "session_id, instance_id, worktree_path, branch, agent_name, status, tmux_session_id, output, \
                        start_time, end_time, files_changed, lines_added, lines_deleted, runtime, model, runtime_label, extra";
const MESSAGE: &str = "session_id, id, role, content, timestamp, instance_id, extra";
const SUMMARY: &str = "sessions.id, workspace_hash, session_type, sessions.task, status, created_at, updated_at, \
                       instance_count, message_count";
const OF_WORKSPACE: &str = "SELECT id FROM sessions WHERE workspace_hash IN (?1, ?2)";

/// The sessions of a workspace with everything inside them, the last changed first.
pub(super) fn of_workspace(connection: &Connection, hashes: &[&str]) -> rusqlite::Result<Vec<Session>> {
    let (Some(first), Some(last)) = (hashes.first(), hashes.last()) else { return Ok(Vec::new()) };
    let hashes = params![first, last];
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {SESSION} FROM sessions WHERE workspace_hash IN (?1, ?2) ORDER BY updated_at DESC, id"
    ))?;
    let mut rows = statement.query(hashes)?;
    let mut sessions = match rows.next()? {
        Some(row) => vec![session(row)?],
        None => return Ok(Vec::new()),
    };
    let mut instances: HashMap<String, Vec<Instance>> = HashMap::new();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {INSTANCE} FROM instances WHERE session_id IN ({OF_WORKSPACE}) ORDER BY session_id, instance_id"
    ))?;
    let mut inner = statement.query(hashes)?;
    while let Some(row) = inner.next()? {
        instances.entry(row.get(0)?).or_default().push(instance(row)?);
    }
    let mut messages: HashMap<String, Vec<Message>> = HashMap::new();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM chat_messages WHERE session_id IN ({OF_WORKSPACE}) ORDER BY session_id, timestamp, rowid"
    ))?;
    let mut inner = statement.query(hashes)?;
    while let Some(row) = inner.next()? {
        messages.entry(row.get(0)?).or_default().push(message(row)?);
    }
    while let Some(row) = rows.next()? {
        sessions.push(session(row)?);
    }
    for session in &mut sessions {
        session.instances = instances.remove(&session.id).unwrap_or_default();
        session.chat_history = messages.remove(&session.id).unwrap_or_default();
    }
    Ok(sessions)
}

/// One page of the sessions under one hash, the newest first, behind that time and id.
pub(super) fn page(
    connection: &Connection,
    hash: &str,
    after: Option<(&str, &str)>,
    limit: u32,
) -> rusqlite::Result<Vec<SessionSummary>> {
    const ORDER: &str = "ORDER BY created_at DESC, id DESC LIMIT";
    match after {
        None => {
            let sql = format!("SELECT {SUMMARY} FROM sessions WHERE workspace_hash = ?1 {ORDER} ?2");
            connection.prepare_cached(&sql)?.query_map(params![hash, limit], summary)?.collect()
        }
        Some((created_at, id)) => {
            let sql = format!(
                "SELECT {SUMMARY} FROM sessions WHERE workspace_hash = ?1 AND created_at <= ?2 \
                 AND (created_at, id) < (?2, ?3) {ORDER} ?4"
            );
            connection.prepare_cached(&sql)?.query_map(params![hash, created_at, id, limit], summary)?.collect()
        }
    }
}

/// The newest sessions of a type, of every workspace.
pub(super) fn by_type(
    connection: &Connection,
    session_type: SessionType,
    limit: u32,
) -> rusqlite::Result<Vec<SessionSummary>> {
    let sql =
        format!("SELECT {SUMMARY} FROM sessions WHERE session_type = ?1 ORDER BY created_at DESC, id DESC LIMIT ?2");
    connection.prepare_cached(&sql)?.query_map(params![session_type, limit], summary)?.collect()
}

/// The sessions whose task has all these words, the best first.
pub(super) fn search(connection: &Connection, words: &str, limit: u32) -> rusqlite::Result<Vec<SessionSummary>> {
    let quoted: Vec<String> =
        words.split_whitespace().map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', ""))).collect();
    if quoted.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {SUMMARY} FROM sessions_fts JOIN sessions ON sessions.search_id = sessions_fts.rowid \
         WHERE sessions_fts MATCH ?1 ORDER BY sessions_fts.rank, sessions.id LIMIT ?2"
    );
    connection.prepare_cached(&sql)?.query_map(params![quoted.join(" "), limit], summary)?.collect()
}

/// A database in memory that answers `search` as the file would that has these sessions.
pub(super) fn searchable(sessions: &[SessionSummary]) -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(
        "CREATE TABLE sessions (search_id INTEGER PRIMARY KEY, id, workspace_hash, session_type, task, status, created_at,
             updated_at, instance_count, message_count);
         CREATE VIRTUAL TABLE sessions_fts USING fts5 (task, content = 'sessions', content_rowid = 'search_id')",
    )?;
    let mut insert = connection.prepare(
        "INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at, instance_count,
             message_count) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for one in sessions {
        insert.execute(params![
            one.id,
            one.workspace_hash,
            one.session_type,
            one.task,
            one.status,
            one.created_at,
            one.updated_at,
            one.instance_count,
            one.message_count
        ])?;
    }
    drop(insert);
    connection.execute_batch("INSERT INTO sessions_fts (sessions_fts) VALUES ('rebuild')")?;
    Ok(connection)
}

/// Sessions, instances, messages.
pub(super) fn counts(connection: &Connection) -> rusqlite::Result<[u64; 3]> {
    let sql = "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM instances), (SELECT count(*) FROM chat_messages)";
    connection.prepare_cached(sql)?.query_row([], |row| Ok([number(row, 0)?, number(row, 1)?, number(row, 2)?]))
}

/// Pages of the file times their size.
pub(super) fn size_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    connection.query_row(sql, [], |row| number(row, 0))
}

/// How many rows a check of the project finds.
pub(super) fn violations(connection: &Connection, check: &str) -> rusqlite::Result<u64> {
    let sql = format!("SELECT count(*) FROM (\n{}\n)", check.trim_end().trim_end_matches(';'));
    connection.query_row(&sql, [], |row| number(row, 0))
}

/// What SQLite finds of the structure, and rows without their parent.
pub(super) fn findings(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found: Vec<String> =
        connection.prepare("PRAGMA integrity_check")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    found.retain(|finding| finding != "ok");
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut orphans = statement.query([])?;
    while let Some(row) = orphans.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        found.push(format!("a row of `{table}` has no `{parent}`"));
    }
    Ok(found)
}

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        session_type: row.get(1)?,
        task: row.get(2)?,
        status: row.get(3)?,
        created_at: row.get(4)?,
        updated_at: row.get(5)?,
        completed_at: row.get(6)?,
        instances: Vec::new(),
        chat_history: Vec::new(),
        model: row.get(7)?,
        timeout_seconds: row.get(8)?,
        preserve_worktrees: row.get(9)?,
        winner_id: row.get(10)?,
        runtime_mix: json(row, 11)?,
        total_duration: row.get::<_, Option<i64>>(12)?.map(i64::unsigned_abs),
        total_files_changed: row.get(13)?,
        total_lines_added: row.get(14)?,
        total_lines_deleted: row.get(15)?,
        extra: extra(row, 16)?,
    })
}

fn instance(row: &Row<'_>) -> rusqlite::Result<Instance> {
    Ok(Instance {
        instance_id: row.get(1)?,
        worktree_path: row.get(2)?,
        branch: row.get(3)?,
        agent_name: row.get(4)?,
        status: row.get(5)?,
        tmux_session_id: row.get(6)?,
        output: row.get(7)?,
        start_time: row.get(8)?,
        end_time: row.get(9)?,
        files_changed: row.get(10)?,
        lines_added: row.get(11)?,
        lines_deleted: row.get(12)?,
        runtime: row.get(13)?,
        model: row.get(14)?,
        runtime_label: row.get(15)?,
        extra: extra(row, 16)?,
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(1)?,
        role: row.get(2)?,
        content: row.get(3)?,
        timestamp: row.get(4)?,
        instance_id: row.get(5)?,
        extra: extra(row, 6)?,
    })
}

fn summary(row: &Row<'_>) -> rusqlite::Result<SessionSummary> {
    Ok(SessionSummary {
        id: row.get(0)?,
        workspace_hash: row.get(1)?,
        session_type: row.get(2)?,
        task: row.get(3)?,
        status: row.get(4)?,
        created_at: row.get(5)?,
        updated_at: row.get(6)?,
        instance_count: row.get(7)?,
        message_count: row.get(8)?,
    })
}

/// A number that is none below 0.
fn number(row: &Row<'_>, place: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(place).map(i64::unsigned_abs)
}

/// The keys that have no column.
fn extra(row: &Row<'_>, place: usize) -> rusqlite::Result<Map<String, Value>> {
    Ok(json(row, place)?.unwrap_or_default())
}

fn json<T: DeserializeOwned>(row: &Row<'_>, place: usize) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(place)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    let read = |text| serde_json::from_str(text);
    text.map(read)
        .transpose()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(place, Type::Text, Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::super::model::{InstanceStatus, Role, SessionStatus};
    use super::*;
    use crate::apps::sessions::SessionStore;
    use crate::schema::{Runner, RunnerOptions, To};
    use std::ffi::{c_int, c_uint, c_void};
    use std::sync::atomic::{AtomicUsize, Ordering};

    static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn count(_: c_uint, _: *mut c_void, _: *mut c_void, _: *mut c_void) -> c_int {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        0
    }

    fn filled(sessions: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let mut runner =
            Runner::on_connection(connection, SessionStore::migrations().unwrap(), RunnerOptions::default());
        runner.up(To::Newest).unwrap();
        let connection = runner.into_connection().unwrap();
        connection
            .execute_batch(&format!(
                "WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {sessions} - 1)
                 INSERT INTO sessions (id, workspace_hash, session_type, task, status, created_at, updated_at, runtime_mix, extra)
                   SELECT 's' || n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, 'debate', 'task number' || n, 'paused',
                          '2025-01-01T00:00:00.' || printf('%03d', n) || 'Z', '2025-01-02T00:00:00.' || printf('%03d', n) || 'Z',
                          '[\"claude\"]', '{{\"evaluation\": {{\"n\": ' || n || '}}}}' FROM s;
                 INSERT INTO instances (session_id, instance_id, worktree_path, branch, agent_name, status, tmux_session_id)
                   SELECT sessions.id, 1 - part.value, '/w', 'main', 'agent', 'idle', 'tmux' FROM sessions, json_each('[0, 1]') AS part;
                 INSERT INTO chat_messages (id, session_id, role, content, timestamp)
                   SELECT sessions.id || 'm' || part.value, sessions.id, 'user', 'hello', '2025-01-01T00:00:0' || part.value || 'Z'
                   FROM sessions, json_each('[2, 1]') AS part"
            ).replacen("WITH", "INSERT INTO workspaces (hash, path) VALUES ('a', '/a'), ('b', '/b'); WITH", 1))
            .unwrap();
        connection
    }

    #[test]
    fn a_list_with_children_takes_three_statements_however_long_it_is() {
        for sessions in [1, 2, 100] {
            let connection = filled(sessions);
            // SAFETY: the handle is open, and the function counts and nothing else.
            let code = unsafe {
                rusqlite::ffi::sqlite3_trace_v2(
                    connection.handle(),
                    rusqlite::ffi::SQLITE_TRACE_STMT as c_uint,
                    Some(count),
                    std::ptr::null_mut(),
                )
            };
            assert_eq!(code, 0);
            STATEMENTS.store(0, Ordering::Relaxed);
            let found = of_workspace(&connection, &["a", "b"]).unwrap();
            assert_eq!(STATEMENTS.load(Ordering::Relaxed), 3);
            assert_eq!(found.len(), sessions);
            let ids: Vec<_> = found.iter().map(|session| session.id.clone()).collect();
            let newest_first: Vec<_> = (0..sessions).rev().map(|number| format!("s{number}")).collect();
            assert_eq!(ids, newest_first);
            for session in &found {
                assert_eq!((session.status, session.extra.len()), (SessionStatus::Paused, 1));
                assert_eq!(session.runtime_mix.as_deref(), Some(&["claude".to_owned()][..]));
                let numbers: Vec<_> = session.instances.iter().map(|one| (one.instance_id, one.status)).collect();
                assert_eq!(numbers, [(0, InstanceStatus::Idle), (1, InstanceStatus::Idle)]);
                let times: Vec<_> = session.chat_history.iter().map(|one| (one.timestamp.as_str(), one.role)).collect();
                assert_eq!(times, [("2025-01-01T00:00:01Z", Role::User), ("2025-01-01T00:00:02Z", Role::User)]);
            }
        }
        assert_eq!(of_workspace(&filled(1), &["c"]).unwrap(), []);
    }

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let connection = filled(45);
        let mut seen = Vec::new();
        let mut after: Option<(String, String)> = None;
        loop {
            let key = after.as_ref().map(|(time, id)| (time.as_str(), id.as_str()));
            let found = page(&connection, "a", key, 10).unwrap();
            let Some(last) = found.last() else { break };
            after = Some((last.created_at.clone(), last.id.clone()));
            seen.extend(found.into_iter().map(|one| one.id));
        }
        let expected: Vec<_> =
            (0..45).rev().filter(|number| number % 2 == 0).map(|number| format!("s{number}")).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_search_answers_alike_in_the_file_and_beside_it() {
        let connection = filled(30);
        let all = by_type(&connection, SessionType::Debate, 1000).unwrap();
        assert_eq!((all.len(), all[0].instance_count, all[0].message_count), (30, 2, 2));
        let beside = searchable(&all).unwrap();
        for words in ["task", "number7", "TASK number7", "nothing", "", "\"", "a OR b", "task*", "tásk"] {
            let found = search(&connection, words, 20).unwrap();
            assert_eq!(search(&beside, words, 20).unwrap(), found, "{words}");
        }
        assert_eq!(search(&connection, "number7 task", 20).unwrap()[0].id, "s7");
        assert_eq!(counts(&connection).unwrap(), [30, 60, 60]);
        assert_eq!(findings(&connection).unwrap(), Vec::<String>::new());
        assert!(size_bytes(&connection).unwrap() > 4096);
    }
}
