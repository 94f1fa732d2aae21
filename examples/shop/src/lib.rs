//! A shop whose database moves from PostgreSQL to SQLite. What matters here is in `tests/migration.rs`.
