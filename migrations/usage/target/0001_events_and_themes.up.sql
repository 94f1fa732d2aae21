-- What the application had before usage was measured. Times are milliseconds since 1970-01-01 00:00:00 UTC.

CREATE TABLE events (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    source_app      TEXT NOT NULL,
    session_id      TEXT NOT NULL,
    hook_event_type TEXT NOT NULL,
    payload         TEXT NOT NULL CHECK (json_valid(payload)),
    chat            TEXT CHECK (chat IS NULL OR json_valid(chat)),
    summary         TEXT,
    timestamp       INTEGER NOT NULL
) STRICT;

CREATE INDEX idx_source_app ON events (source_app);
CREATE INDEX idx_session_id ON events (session_id);
CREATE INDEX idx_hook_event_type ON events (hook_event_type);
CREATE INDEX idx_timestamp ON events (timestamp);

CREATE TABLE themes (
    id            TEXT NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    displayName   TEXT NOT NULL,
    description   TEXT,
    colors        TEXT NOT NULL CHECK (json_valid(colors)),
    isPublic      INTEGER NOT NULL DEFAULT 0 CHECK (isPublic IN (0, 1)),
    authorId      TEXT,
    authorName    TEXT,
    createdAt     INTEGER NOT NULL,
    updatedAt     INTEGER NOT NULL,
    tags          TEXT CHECK (tags IS NULL OR json_valid(tags)),
    downloadCount INTEGER DEFAULT 0,
    rating        REAL DEFAULT 0,
    ratingCount   INTEGER DEFAULT 0
) STRICT;

CREATE INDEX idx_themes_name ON themes (name);
CREATE INDEX idx_themes_isPublic ON themes (isPublic);
CREATE INDEX idx_themes_createdAt ON themes (createdAt);

CREATE TABLE theme_shares (
    id           TEXT NOT NULL PRIMARY KEY,
    themeId      TEXT NOT NULL REFERENCES themes (id) ON DELETE CASCADE,
    shareToken   TEXT NOT NULL UNIQUE,
    expiresAt    INTEGER,
    isPublic     INTEGER NOT NULL DEFAULT 0 CHECK (isPublic IN (0, 1)),
    allowedUsers TEXT CHECK (allowedUsers IS NULL OR json_valid(allowedUsers)),
    createdAt    INTEGER NOT NULL,
    accessCount  INTEGER DEFAULT 0
) STRICT;

CREATE INDEX idx_theme_shares_theme ON theme_shares (themeId);
CREATE INDEX idx_theme_shares_token ON theme_shares (shareToken);

CREATE TABLE theme_ratings (
    id        TEXT NOT NULL PRIMARY KEY,
    themeId   TEXT NOT NULL REFERENCES themes (id) ON DELETE CASCADE,
    userId    TEXT NOT NULL,
    rating    INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
    comment   TEXT,
    createdAt INTEGER NOT NULL,
    UNIQUE (themeId, userId)
) STRICT;

CREATE INDEX idx_theme_ratings_theme ON theme_ratings (themeId);
