-- How usage is shown, and what it was. Times are milliseconds since 1970-01-01 00:00:00 UTC; a time in seconds is
-- refused: 100000000000 ms is in 1973, as many seconds are in the year 5138.

CREATE TABLE usage_config (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    plan                TEXT NOT NULL DEFAULT 'custom' CHECK (plan IN ('pro', 'max5', 'max20', 'custom')),
    custom_limit_tokens INTEGER CHECK (custom_limit_tokens > 0),
    view                TEXT NOT NULL DEFAULT 'realtime' CHECK (view IN ('realtime', 'daily', 'monthly', 'session')),
    timezone            TEXT NOT NULL DEFAULT 'auto' CHECK (timezone <> ''),
    time_format         TEXT NOT NULL DEFAULT 'auto' CHECK (time_format IN ('12h', '24h', 'auto')),
    theme               TEXT NOT NULL DEFAULT 'auto' CHECK (theme IN ('light', 'dark', 'classic', 'auto')),
    refresh_rate        INTEGER NOT NULL DEFAULT 10 CHECK (refresh_rate BETWEEN 1 AND 60), -- seconds
    refresh_per_second  REAL NOT NULL DEFAULT 0.75 CHECK (refresh_per_second BETWEEN 0.1 AND 20.0),
    reset_hour          INTEGER CHECK (reset_hour BETWEEN 0 AND 23),
    created_at          INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
                        CHECK (created_at >= 100000000000),
    updated_at          INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
                        CHECK (updated_at >= 100000000000),
    is_active           INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1))
) STRICT;

-- At most one row is active.
CREATE UNIQUE INDEX idx_usage_config_active ON usage_config (is_active) WHERE is_active = 1;

-- Without updated_at itself in the list, so that the trigger does not call itself under recursive_triggers.
CREATE TRIGGER usage_config_updated_at AFTER UPDATE OF
    plan, custom_limit_tokens, view, timezone, time_format, theme, refresh_rate, refresh_per_second, reset_hour,
    created_at, is_active
ON usage_config BEGIN
    UPDATE usage_config SET updated_at = CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) WHERE id = NEW.id;
END;

CREATE TABLE usage_snapshots (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id    TEXT NOT NULL CHECK (session_id <> ''),
    snapshot_data TEXT NOT NULL CHECK (json_valid(snapshot_data)),
    snapshot_type TEXT NOT NULL DEFAULT 'stats' CHECK (snapshot_type IN ('stats', 'config', 'session')),
    timestamp     INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
                  CHECK (timestamp >= 100000000000)
) STRICT;

CREATE INDEX idx_usage_snapshots_session_id ON usage_snapshots (session_id, timestamp);
CREATE INDEX idx_usage_snapshots_timestamp ON usage_snapshots (timestamp);
CREATE INDEX idx_usage_snapshots_type ON usage_snapshots (snapshot_type);

-- A foreign key to events (session_id) cannot be: many events share a session. These two do what it was meant to do:
-- the snapshots of a session go with its last event.
CREATE TRIGGER usage_snapshots_forget_session AFTER DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM events WHERE session_id = OLD.session_id)
BEGIN
    DELETE FROM usage_snapshots WHERE session_id = OLD.session_id;
END;

CREATE TRIGGER usage_snapshots_follow_session AFTER UPDATE OF session_id ON events
WHEN NEW.session_id <> OLD.session_id AND NOT EXISTS (SELECT 1 FROM events WHERE session_id = OLD.session_id)
BEGIN
    UPDATE usage_snapshots SET session_id = NEW.session_id WHERE session_id = OLD.session_id;
END;

INSERT INTO usage_config DEFAULT VALUES;
