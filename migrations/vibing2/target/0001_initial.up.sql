-- The application's SQLite schema. Times are whole seconds since 1970-01-01 00:00:00 UTC.
-- Pragmas are not here: those that last are set when the file is published, the others belong to each connection
-- (`[connection]` in project.toml). README.md tells what differs from the application's own document, and why.

CREATE TABLE users (
    id             TEXT NOT NULL PRIMARY KEY,
    name           TEXT,
    email          TEXT NOT NULL UNIQUE,
    email_verified INTEGER,
    password       TEXT NOT NULL,
    image          TEXT,
    plan           TEXT NOT NULL DEFAULT 'FREE',
    token_balance  INTEGER NOT NULL DEFAULT 10000,
    context_used   REAL NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at     INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX idx_users_email ON users (email);
CREATE INDEX idx_users_plan ON users (plan);
CREATE INDEX idx_users_created ON users (created_at DESC);

-- `search_id` is the row id that full-text search refers to. As INTEGER PRIMARY KEY it survives VACUUM; the implicit
-- row id of a table with a text key may change there.
CREATE TABLE projects (
    search_id     INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    description   TEXT,
    project_type  TEXT NOT NULL,
    active_agents TEXT NOT NULL DEFAULT '[]', -- a JSON array
    visibility    TEXT NOT NULL DEFAULT 'PRIVATE',
    likes         INTEGER NOT NULL DEFAULT 0,
    forks         INTEGER NOT NULL DEFAULT 0,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE,
    created_at    INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at    INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX idx_projects_user_id ON projects (user_id);
CREATE INDEX idx_projects_visibility ON projects (visibility, updated_at DESC);
CREATE INDEX idx_projects_type ON projects (project_type);
CREATE INDEX idx_projects_updated ON projects (updated_at DESC);
CREATE INDEX idx_projects_user_updated ON projects (user_id, updated_at DESC);

CREATE TABLE project_files (
    id         TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE ON UPDATE CASCADE,
    path       TEXT NOT NULL,
    content    TEXT NOT NULL,
    language   TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at INTEGER NOT NULL DEFAULT (unixepoch()),
    UNIQUE (project_id, path)
) STRICT;

CREATE INDEX idx_project_files_project ON project_files (project_id);
CREATE INDEX idx_project_files_path ON project_files (project_id, path);

-- The three nullable columns have no source: an earlier generation of the application had them.
CREATE TABLE messages (
    id              TEXT NOT NULL PRIMARY KEY,
    role            TEXT NOT NULL,
    content         TEXT NOT NULL,
    project_id      TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE ON UPDATE CASCADE,
    tokens_used     INTEGER,
    context_at_time REAL,
    pfc_saved       INTEGER,
    created_at      INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX idx_messages_project ON messages (project_id, created_at);
CREATE INDEX idx_messages_created ON messages (created_at DESC);

CREATE TABLE token_usage (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE,
    tokens_used  INTEGER NOT NULL,
    context_used REAL NOT NULL,
    saved_tokens INTEGER NOT NULL DEFAULT 0,
    endpoint     TEXT NOT NULL,
    timestamp    INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX idx_token_usage_user ON token_usage (user_id, timestamp);
CREATE INDEX idx_token_usage_endpoint ON token_usage (endpoint);

CREATE TABLE sessions (
    session_token TEXT NOT NULL PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE,
    expires       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at    INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX idx_sessions_user ON sessions (user_id);
CREATE INDEX idx_sessions_expires ON sessions (expires);

CREATE TABLE accounts (
    user_id             TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE,
    type                TEXT NOT NULL,
    provider            TEXT NOT NULL,
    provider_account_id TEXT NOT NULL,
    refresh_token       TEXT,
    access_token        TEXT,
    expires_at          INTEGER,
    token_type          TEXT,
    scope               TEXT,
    id_token            TEXT,
    session_state       TEXT,
    created_at          INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at          INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (provider, provider_account_id)
) STRICT;

CREATE INDEX idx_accounts_user ON accounts (user_id);

CREATE TABLE project_collaborators (
    id         TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE ON UPDATE CASCADE,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE,
    role       TEXT NOT NULL DEFAULT 'VIEWER',
    created_at INTEGER NOT NULL DEFAULT (unixepoch()),
    UNIQUE (project_id, user_id)
) STRICT;

CREATE INDEX idx_collaborators_project ON project_collaborators (project_id);
CREATE INDEX idx_collaborators_user ON project_collaborators (user_id);

CREATE TABLE collaboration_invites (
    id           TEXT NOT NULL PRIMARY KEY,
    project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE ON UPDATE CASCADE,
    from_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE,
    to_user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE,
    status       TEXT NOT NULL DEFAULT 'PENDING',
    created_at   INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at   INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX idx_invites_to_user ON collaboration_invites (to_user_id, status);
CREATE INDEX idx_invites_project ON collaboration_invites (project_id);

-- Full text of the projects' names and descriptions. The text itself stays in `projects`; here are only its words.
CREATE VIRTUAL TABLE projects_fts USING fts5 (
    id UNINDEXED,
    name,
    description,
    content = 'projects',
    content_rowid = 'search_id'
);

-- An index over another table's text cannot be updated or deleted from like a table: it no longer finds the old words
-- there. The command 'delete' takes them with it.
CREATE TRIGGER projects_fts_insert AFTER INSERT ON projects BEGIN
    INSERT INTO projects_fts (rowid, id, name, description)
    VALUES (new.search_id, new.id, new.name, new.description);
END;

CREATE TRIGGER projects_fts_update AFTER UPDATE OF search_id, id, name, description ON projects BEGIN
    INSERT INTO projects_fts (projects_fts, rowid, id, name, description)
    VALUES ('delete', old.search_id, old.id, old.name, old.description);
    INSERT INTO projects_fts (rowid, id, name, description)
    VALUES (new.search_id, new.id, new.name, new.description);
END;

CREATE TRIGGER projects_fts_delete AFTER DELETE ON projects BEGIN
    INSERT INTO projects_fts (projects_fts, rowid, id, name, description)
    VALUES ('delete', old.search_id, old.id, old.name, old.description);
END;
