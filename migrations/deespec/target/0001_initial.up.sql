-- Tasks, their runs, the configuration, and who changed what. Times are RFC 3339 text in UTC.

-- What the application asks for the version it was built for. The history of migrations is a table of its own.
CREATE TABLE schema_info (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

INSERT INTO schema_info (key, value) VALUES ('version', '1');

CREATE TABLE sbi (
    id           TEXT NOT NULL PRIMARY KEY CHECK (id GLOB 'SBI-?*'),
    task_id      TEXT NOT NULL,
    label        TEXT,
    priority     INTEGER NOT NULL DEFAULT 0,
    status       TEXT NOT NULL CHECK (status IN ('READY', 'WIP', 'REVIEW', 'REVIEW&WIP', 'DONE')),
    created_at   TEXT NOT NULL CHECK (julianday(created_at) IS NOT NULL),
    updated_at   TEXT NOT NULL CHECK (julianday(updated_at) IS NOT NULL),
    completed_at TEXT CHECK (completed_at IS NULL OR julianday(completed_at) IS NOT NULL),
    metadata     TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
    spec         TEXT -- the whole of spec.md
) STRICT;

CREATE INDEX idx_sbi_status ON sbi (status);
CREATE INDEX idx_sbi_created ON sbi (created_at);

-- A turn counts for the whole workspace: those of one task have gaps, and one turn can implement and review.
CREATE TABLE execution (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    sbi_id           TEXT NOT NULL REFERENCES sbi (id) ON DELETE CASCADE ON UPDATE CASCADE,
    turn             INTEGER NOT NULL CHECK (turn >= 0),
    step             TEXT NOT NULL CHECK (step IN ('plan', 'implement', 'test', 'review', 'done')),
    status           TEXT NOT NULL,
    decision         TEXT CHECK (decision IN ('SUCCEEDED', 'OK', 'NEEDS_CHANGES', 'PENDING', 'FAILED')),
    attempt          INTEGER NOT NULL DEFAULT 1 CHECK (attempt >= 0),
    started_at       TEXT NOT NULL CHECK (julianday(started_at) IS NOT NULL),
    completed_at     TEXT CHECK (completed_at IS NULL OR julianday(completed_at) IS NOT NULL),
    lease_expires_at TEXT CHECK (lease_expires_at IS NULL OR julianday(lease_expires_at) IS NOT NULL),
    content          TEXT,
    UNIQUE (sbi_id, turn, step, attempt)
) STRICT;

CREATE INDEX idx_execution_sbi ON execution (sbi_id);
CREATE INDEX idx_execution_turn ON execution (sbi_id, turn);

CREATE TABLE config (
    key        TEXT NOT NULL PRIMARY KEY,
    value      TEXT NOT NULL CHECK (json_valid(value)),
    updated_at TEXT NOT NULL CHECK (julianday(updated_at) IS NOT NULL)
) STRICT;

-- Refers to rows that may be gone by now, so it has no foreign key.
CREATE TABLE audit_log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp   TEXT NOT NULL CHECK (julianday(timestamp) IS NOT NULL),
    entity_type TEXT NOT NULL,
    entity_id   TEXT NOT NULL,
    action      TEXT NOT NULL,
    old_value   TEXT CHECK (old_value IS NULL OR json_valid(old_value)),
    new_value   TEXT CHECK (new_value IS NULL OR json_valid(new_value)),
    user        TEXT,
    session_id  TEXT
) STRICT;

CREATE INDEX idx_audit_entity ON audit_log (entity_type, entity_id);
CREATE INDEX idx_audit_timestamp ON audit_log (timestamp);
