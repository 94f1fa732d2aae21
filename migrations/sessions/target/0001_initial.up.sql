-- Workspaces, their sessions, and what belongs to a session. Times are RFC 3339 text in UTC.

CREATE TABLE workspaces (
    hash          TEXT NOT NULL PRIMARY KEY CHECK (hash <> ''),
    path          TEXT NOT NULL CHECK (path <> ''),
    last_accessed TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE INDEX idx_workspaces_path ON workspaces (path);
CREATE INDEX idx_workspaces_last_accessed ON workspaces (last_accessed DESC);

-- `search_id` is the row id that full-text search refers to. As INTEGER PRIMARY KEY it survives VACUUM; the implicit
-- row id of a table with a text key may change there.
CREATE TABLE sessions (
    search_id           INTEGER PRIMARY KEY,
    id                  TEXT NOT NULL UNIQUE CHECK (id <> ''),
    workspace_hash      TEXT NOT NULL REFERENCES workspaces (hash) ON DELETE CASCADE ON UPDATE CASCADE,
    session_type        TEXT NOT NULL CHECK (session_type IN ('competition', 'ensemble', 'debate', 'integration')),
    task                TEXT NOT NULL,
    status              TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'paused')),
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL,
    completed_at        TEXT,
    model               TEXT,
    timeout_seconds     INTEGER CHECK (timeout_seconds BETWEEN 0 AND 4294967295), -- 0: no limit
    preserve_worktrees  INTEGER DEFAULT 0 CHECK (preserve_worktrees IN (0, 1)),
    winner_id           INTEGER CHECK (winner_id >= 0), -- the number of an instance within the session
    runtime_mix         TEXT CHECK (runtime_mix IS NULL OR json_valid(runtime_mix) AND json_type(runtime_mix) = 'array'),
    total_duration      INTEGER CHECK (total_duration >= 0), -- in the unit of the JSON file
    total_files_changed INTEGER,
    total_lines_added   INTEGER,
    total_lines_deleted INTEGER,
    extra               TEXT CHECK (extra IS NULL OR json_valid(extra) AND json_type(extra) = 'object') -- keys without a column
) STRICT;

CREATE INDEX idx_sessions_workspace_hash ON sessions (workspace_hash);
CREATE INDEX idx_sessions_type ON sessions (session_type);
CREATE INDEX idx_sessions_status ON sessions (status);
CREATE INDEX idx_sessions_created_at ON sessions (created_at DESC);
CREATE INDEX idx_sessions_workspace_status ON sessions (workspace_hash, status);
CREATE INDEX idx_sessions_workspace_created ON sessions (workspace_hash, created_at DESC);

CREATE TABLE instances (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id      TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE ON UPDATE CASCADE,
    instance_id     INTEGER NOT NULL CHECK (instance_id >= 0), -- counts within the session
    worktree_path   TEXT NOT NULL,
    branch          TEXT NOT NULL,
    agent_name      TEXT NOT NULL,
    status          TEXT NOT NULL
                    CHECK (status IN ('idle', 'running', 'completed', 'failed', 'paused', 'archived')),
    tmux_session_id TEXT NOT NULL,
    output          TEXT,
    start_time      TEXT,
    end_time        TEXT,
    files_changed   INTEGER,
    lines_added     INTEGER,
    lines_deleted   INTEGER,
    runtime         TEXT CHECK (runtime IN ('claude', 'gemini', 'codex')),
    model           TEXT,
    runtime_label   TEXT,
    extra           TEXT CHECK (extra IS NULL OR json_valid(extra) AND json_type(extra) = 'object')
) STRICT;

-- The parent key of chat_messages, too.
CREATE UNIQUE INDEX idx_instances_session_instance ON instances (session_id, instance_id);
CREATE INDEX idx_instances_session_id ON instances (session_id);
CREATE INDEX idx_instances_status ON instances (status);
CREATE INDEX idx_instances_tmux ON instances (tmux_session_id);

-- A message names its instance by the number within the session. The reference is checked at COMMIT, so that the
-- instances of a session may be written again, and messages before them.
CREATE TABLE chat_messages (
    id          TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
    session_id  TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE ON UPDATE CASCADE,
    instance_id INTEGER,
    role        TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content     TEXT NOT NULL, -- of any length
    timestamp   TEXT NOT NULL,
    extra       TEXT CHECK (extra IS NULL OR json_valid(extra) AND json_type(extra) = 'object'),
    FOREIGN KEY (session_id, instance_id) REFERENCES instances (session_id, instance_id)
        ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE INDEX idx_chat_messages_session_id ON chat_messages (session_id, instance_id);
CREATE INDEX idx_chat_messages_timestamp ON chat_messages (timestamp);
CREATE INDEX idx_chat_messages_session_time ON chat_messages (session_id, timestamp);

-- ON DELETE SET NULL of the reference above would clear session_id as well, which may not be NULL.
CREATE TRIGGER chat_messages_forget_instance AFTER DELETE ON instances BEGIN
    UPDATE chat_messages SET instance_id = NULL
    WHERE session_id = OLD.session_id AND instance_id = OLD.instance_id;
END;
