-- Fourteen tables. Times are UTC text, "YYYY-MM-DD HH:MM:SS" as CURRENT_TIMESTAMP writes it. Columns with JSON hold
-- nothing that is not JSON.

CREATE TABLE agents (
    agent_id      TEXT NOT NULL PRIMARY KEY,
    agent_type    TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'idle', 'crashed', 'sleeping')),
    worktree_path TEXT,
    branch_name   TEXT,
    created_at    TEXT DEFAULT CURRENT_TIMESTAMP,
    last_activity TEXT DEFAULT CURRENT_TIMESTAMP,
    configuration TEXT CHECK (configuration IS NULL OR json_valid(configuration))
) STRICT;

CREATE TABLE agent_messages (
    message_id      TEXT NOT NULL PRIMARY KEY,
    from_agent      TEXT REFERENCES agents (agent_id),
    to_agent        TEXT REFERENCES agents (agent_id),
    message_type    TEXT CHECK (message_type IN ('command', 'status', 'urgent', 'coordination')),
    content         TEXT,
    priority        INTEGER DEFAULT 5,
    sent_at         TEXT DEFAULT CURRENT_TIMESTAMP,
    delivered_at    TEXT,
    acknowledged_at TEXT
) STRICT;

CREATE TABLE tasks (
    task_id            TEXT NOT NULL PRIMARY KEY,
    agent_id           TEXT REFERENCES agents (agent_id),
    title              TEXT NOT NULL,
    description        TEXT,
    status             TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'failed')),
    priority           TEXT NOT NULL CHECK (priority IN ('high', 'medium', 'low')),
    created_at         TEXT DEFAULT CURRENT_TIMESTAMP,
    started_at         TEXT,
    completed_at       TEXT,
    estimated_duration INTEGER, -- minutes
    actual_duration    INTEGER, -- minutes
    confidence_score   REAL,
    parent_task_id     TEXT REFERENCES tasks (task_id),
    tags               TEXT CHECK (tags IS NULL OR json_valid(tags)),
    metadata           TEXT CHECK (metadata IS NULL OR json_valid(metadata))
) STRICT;

CREATE TABLE projects (
    project_id        TEXT NOT NULL PRIMARY KEY,
    name              TEXT NOT NULL,
    description       TEXT,
    status            TEXT NOT NULL CHECK (status IN ('planning', 'active', 'completed', 'paused')),
    created_at        TEXT DEFAULT CURRENT_TIMESTAMP,
    target_completion TEXT,
    metadata          TEXT CHECK (metadata IS NULL OR json_valid(metadata))
) STRICT;

CREATE TABLE project_tasks (
    project_id TEXT NOT NULL REFERENCES projects (project_id),
    task_id    TEXT NOT NULL REFERENCES tasks (task_id),
    PRIMARY KEY (project_id, task_id)
) STRICT;

CREATE TABLE context_sessions (
    session_id    TEXT NOT NULL PRIMARY KEY,
    agent_id      TEXT NOT NULL REFERENCES agents (agent_id),
    context_data  TEXT CHECK (context_data IS NULL OR json_valid(context_data)),
    usage_percent REAL DEFAULT 0,
    token_count   INTEGER DEFAULT 0,
    max_tokens    INTEGER DEFAULT 200000,
    created_at    TEXT DEFAULT CURRENT_TIMESTAMP,
    last_accessed TEXT DEFAULT CURRENT_TIMESTAMP,
    is_active     INTEGER DEFAULT 1 CHECK (is_active IN (0, 1))
) STRICT;

-- The content is in the row or in a file below the storage folder, never in both and never nowhere.
CREATE TABLE memory_snapshots (
    snapshot_id       TEXT NOT NULL PRIMARY KEY,
    session_id        TEXT NOT NULL REFERENCES context_sessions (session_id),
    memory_type       TEXT NOT NULL CHECK (memory_type IN ('working', 'consolidated', 'archived', 'critical')),
    content           TEXT CHECK (content IS NULL OR json_valid(content)),
    content_path      TEXT CHECK (content_path <> ''),
    content_hash      TEXT, -- SHA-256 in hexadecimal of the JSON text
    compression_ratio REAL,
    importance_score  REAL DEFAULT 0.5,
    created_at        TEXT DEFAULT CURRENT_TIMESTAMP,
    expires_at        TEXT,
    tags              TEXT CHECK (tags IS NULL OR json_valid(tags)),
    CHECK ((content IS NULL) <> (content_path IS NULL))
) STRICT;

CREATE TABLE context_events (
    event_id   TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES context_sessions (session_id),
    event_type TEXT NOT NULL
               CHECK (event_type IN ('consolidation', 'compression', 'overflow_warning', 'sleep', 'wake')),
    details    TEXT CHECK (details IS NULL OR json_valid(details)),
    timestamp  TEXT DEFAULT CURRENT_TIMESTAMP
) STRICT;

CREATE TABLE performance_metrics (
    metric_id   TEXT NOT NULL PRIMARY KEY,
    agent_id    TEXT REFERENCES agents (agent_id),
    task_id     TEXT REFERENCES tasks (task_id),
    metric_type TEXT NOT NULL CHECK (metric_type IN ('duration', 'confidence', 'quality', 'efficiency')),
    value       REAL NOT NULL,
    unit        TEXT,
    context     TEXT CHECK (context IS NULL OR json_valid(context)),
    recorded_at TEXT DEFAULT CURRENT_TIMESTAMP
) STRICT;

CREATE TABLE checkpoints (
    checkpoint_id TEXT NOT NULL PRIMARY KEY,
    project_id    TEXT REFERENCES projects (project_id),
    name          TEXT NOT NULL,
    git_tag       TEXT,
    metrics       TEXT CHECK (metrics IS NULL OR json_valid(metrics)),
    quality_score REAL,
    passed        INTEGER DEFAULT 0 CHECK (passed IN (0, 1)),
    created_at    TEXT DEFAULT CURRENT_TIMESTAMP,
    validated_at  TEXT
) STRICT;

CREATE TABLE git_state (
    state_id      TEXT NOT NULL PRIMARY KEY,
    agent_id      TEXT REFERENCES agents (agent_id),
    branch_name   TEXT NOT NULL,
    commit_hash   TEXT,
    pr_number     INTEGER,
    pr_status     TEXT CHECK (pr_status IN ('draft', 'open', 'merged', 'closed')),
    lines_added   INTEGER DEFAULT 0,
    lines_removed INTEGER DEFAULT 0,
    files_changed INTEGER DEFAULT 0,
    updated_at    TEXT DEFAULT CURRENT_TIMESTAMP
) STRICT;

CREATE TABLE pull_requests (
    pr_id                 TEXT NOT NULL PRIMARY KEY,
    pr_number             INTEGER UNIQUE,
    title                 TEXT NOT NULL,
    description           TEXT,
    author_agent          TEXT REFERENCES agents (agent_id),
    status                TEXT NOT NULL CHECK (status IN ('draft', 'open', 'merged', 'closed')),
    size_lines            INTEGER,
    test_coverage         REAL,
    quality_score         REAL,
    created_at            TEXT DEFAULT CURRENT_TIMESTAMP,
    merged_at             TEXT,
    conflicts_resolved_at TEXT
) STRICT;

CREATE TABLE configurations (
    config_id  TEXT NOT NULL PRIMARY KEY,
    agent_id   TEXT REFERENCES agents (agent_id), -- NULL: for all agents
    category   TEXT NOT NULL CHECK (category IN ('system', 'agent', 'project', 'quality_gates')),
    key        TEXT NOT NULL,
    value      TEXT CHECK (value IS NULL OR json_valid(value)), -- NULL: the setting is there, and empty
    updated_at TEXT DEFAULT CURRENT_TIMESTAMP,
    updated_by TEXT,
    UNIQUE (agent_id, category, key)
) STRICT;

-- The constraint above takes two NULLs for different agents.
CREATE UNIQUE INDEX idx_configurations_global ON configurations (category, key) WHERE agent_id IS NULL;

CREATE TABLE events (
    event_id       TEXT NOT NULL PRIMARY KEY,
    agent_id       TEXT REFERENCES agents (agent_id),
    event_type     TEXT NOT NULL,
    severity       TEXT NOT NULL CHECK (severity IN ('debug', 'info', 'warning', 'error', 'critical')),
    message        TEXT NOT NULL,
    details        TEXT CHECK (details IS NULL OR json_valid(details)),
    timestamp      TEXT DEFAULT CURRENT_TIMESTAMP,
    correlation_id TEXT
) STRICT;
