//! One direction of a migration, ready to run: its statements and what its header says about it.
//!
//! The header is the comments and blank lines before the first SQL. A line `-- whimbrel: WORD` in it is a directive:
//!
//! | directive | file | meaning |
//! |---|---|---|
//! | `lossless` | down | reverting keeps every row that the older schema can hold |
//! | `lossy` | down | reverting throws data away |
//! | `irreversible` | down, or up without a down | there is no way back |
//! | `no-transaction` | both | run statement by statement, each committed |
//! | `loses TABLE[, TABLE]` | both | this table may have fewer rows afterwards (counted on SQLite) |
//! | `loses index NAME`, … | both | this goes and does not come back, see [`Lost`] |
//!
//! Without a transaction each statement is held to `loses` by itself, so that a table that is rebuilt there has to be
//! named although its rows come back.
//!
//! sqlx's own `-- no-transaction` is understood too. Invariant: a [`Script`] exists only if every statement of it may
//! be run in the way that its header asks for, so that nothing has to be refused half-way.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::shell;
use super::tokens::{self, Class, Comment, Dialect, Statement, Token};
use crate::{Error, Result};

/// What a `down` script says about the data it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reversal {
    /// Every row that the older schema can hold is kept.
    Lossless,
    /// Data is thrown away, and the author says so.
    Lossy,
    /// There is no way back: the script says so, or there is no script.
    Irreversible,
    /// The script does not say. It is not run until it does.
    Unlabelled,
}

impl Reversal {
    /// The word as it is written in a header and in the history.
    pub fn word(self) -> &'static str {
        match self {
            Reversal::Lossless => "lossless",
            Reversal::Lossy => "lossy",
            Reversal::Irreversible => "irreversible",
            Reversal::Unlabelled => "unlabelled",
        }
    }
}

/// What a header can say goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// Rows of the table.
    Rows,
    /// The index.
    Index,
    /// The trigger; also one that stays and can no longer run.
    Trigger,
    /// The view; also one that stays and can no longer be read.
    View,
    /// That the table never gives an id twice.
    Autoincrement,
    /// That the table holds values to their types.
    Strict,
    /// That the table is stored by its primary key.
    WithoutRowid,
    /// The primary key of the table.
    PrimaryKey,
    /// What a foreign key of the table refers to.
    ForeignKey,
}

impl Lost {
    /// Each with the words that stand before the name.
    const ALL: [(Lost, &str); 9] = [
        (Lost::Index, "index"),
        (Lost::Trigger, "trigger"),
        (Lost::View, "view"),
        (Lost::Autoincrement, "autoincrement"),
        (Lost::Strict, "strict"),
        (Lost::WithoutRowid, "without rowid"),
        (Lost::PrimaryKey, "primary key"),
        (Lost::ForeignKey, "foreign key"),
        (Lost::Rows, ""),
    ];

    /// The words before the name, in a header.
    pub fn words(self) -> &'static str {
        Lost::ALL.iter().find(|(lost, _)| *lost == self).map_or("", |(_, words)| words)
    }
}

/// One thing that a header says goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What of it.
    pub lost: Lost,
    /// The name, as written, without quotes.
    pub name: String,
}

impl Loss {
    /// Reads `orders`, `index orders_by_day`, `without rowid "orders"`.
    fn read(text: &str) -> Loss {
        let text = text.trim();
        let (lost, name) = Lost::ALL
            .iter()
            .find_map(|(lost, words)| {
                let (head, rest) = text.split_at_checked(words.len())?;
                let is_it =
                    head.eq_ignore_ascii_case(words) && (words.is_empty() || rest.starts_with(char::is_whitespace));
                is_it.then_some((*lost, rest))
            })
            .unwrap_or((Lost::Rows, text));
        Loss { lost, name: name.trim().trim_matches(['"', '`']).to_owned() }
    }
}

/// What the header of one file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The label, where there is one.
    pub reversal: Option<Reversal>,
    /// Whether the script runs outside a transaction.
    pub no_transaction: bool,
    /// What goes, says the script.
    pub loses: Vec<Loss>,
    /// How many lines it has.
    lines: usize,
}

impl Header {
    /// Reads the header of a script's text. `file` names it in errors.
    ///
    /// # Errors
    /// When a directive is not known, or contradicts another one.
    pub fn read(file: &str, text: &str) -> Result<Header> {
        let mut header = Header::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim().trim_start_matches('\u{feff}');
            let Some(comment) = line.strip_prefix("--") else {
                if line.is_empty() {
                    continue;
                }
                break;
            };
            header.lines = number + 1;
            header.take(file, number + 1, comment.trim())?;
        }
        Ok(header)
    }

    fn take(&mut self, file: &str, line: usize, comment: &str) -> Result<()> {
        if comment == "no-transaction" {
            self.no_transaction = true;
        }
        let Some(directive) = directive(comment) else { return Ok(()) };
        let (word, argument) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
        let label = match word {
            "lossless" => Some(Reversal::Lossless),
            "lossy" => Some(Reversal::Lossy),
            "irreversible" => Some(Reversal::Irreversible),
            _ => None,
        };
        let object = format!("`{file}` line {line}");
        match (word, label) {
            (_, Some(label)) if argument.is_empty() => {
                if self.reversal.is_some_and(|earlier| earlier != label) {
                    return Err(Error::usage("read header of", object, "two labels contradict each other"));
                }
                self.reversal = Some(label);
            }
            ("no-transaction", _) if argument.is_empty() => self.no_transaction = true,
            ("loses", _) if !argument.trim().is_empty() => {
                self.loses.extend(argument.split(',').map(Loss::read));
            }
            _ => {
                return Err(Error::usage("read header of", object, format!("unknown directive `{directive}`")).hint(
                    "known are `lossless`, `lossy`, `irreversible`, `no-transaction`, `loses TABLE` and `loses index NAME` \
                     (or trigger, view, …), each on its own line",
                ));
            }
        }
        Ok(())
    }

    /// Whether the header declares that this goes.
    pub fn declares(&self, lost: Lost, name: &str) -> bool {
        self.loses.iter().any(|loss| loss.lost == lost && loss.name.eq_ignore_ascii_case(name))
    }
}

fn directive(comment: &str) -> Option<&str> {
    let (name, rest) = comment.split_once(':')?;
    name.trim_end().eq_ignore_ascii_case("whimbrel").then(|| rest.trim())
}

/// A script that may be run as its header asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file it came from, for messages.
    pub file: String,
    /// What its header says.
    pub header: Header,
    /// Its statements in order.
    pub statements: Vec<Statement>,
    /// Whether `pg_dump` wrote it.
    pub(crate) is_dump: bool,
}

impl Script {
    /// Reads a script and refuses what cannot be run: transaction control, settings of a connection, statements
    /// that need `no-transaction` without it, a directive below the header.
    ///
    /// # Errors
    /// As said, naming file and line.
    pub fn parse(file: &str, text: impl Into<Arc<str>>, dialect: Dialect) -> Result<Script> {
        let script = Script::read(file, text, dialect)?;
        script.statements.iter().try_for_each(|statement| script.refuse(statement, dialect))?;
        Ok(script)
    }

    /// Reads a script that is not the runner's: one that nobody takes back, and that has no row in a history. Refuses
    /// what is no SQL, and a directive below the header.
    pub(crate) fn read(file: &str, text: impl Into<Arc<str>>, dialect: Dialect) -> Result<Script> {
        let text = text.into();
        let header = Header::read(file, &text)?;
        let scan = tokens::scan(text, dialect).map_err(|error| {
            let told = Error::usage("read script", format!("`{file}` {}", error.object()), error.cause().to_owned());
            match error.way_out() {
                Some(hint) => told.hint(hint),
                None => told,
            }
        })?;
        scan.comments.iter().try_for_each(|comment| refuse_late_directive(file, comment, header.lines))?;
        let is_dump = shell::is_dump(&scan);
        Ok(Script { file: file.to_owned(), header, statements: scan.statements, is_dump })
    }

    fn refuse(&self, statement: &Statement, dialect: Dialect) -> Result<()> {
        let refusal = |cause: String, hint: &str| {
            let object = format!("`{}` line {}", self.file, statement.line());
            Err(Error::usage("run script", object, cause).hint(hint.to_owned()))
        };
        if let Some(words) = transaction_control(statement, dialect) {
            let hint = if self.header.no_transaction {
                "a script without a transaction commits each statement; move what belongs together into a migration \
                 of its own"
            } else {
                "the runner opens and commits the transaction, together with the history row; remove the statement"
            };
            return refusal(format!("`{words}` controls the transaction that the runner owns"), hint);
        }
        if let Some((cause, hint)) = connection_setting(statement, dialect) {
            return refusal(cause, hint);
        }
        if !self.header.no_transaction && needs_no_transaction(statement, dialect) {
            let words: Vec<&str> = statement.tokens().take(3).map(|token| token.text).collect();
            return refusal(
                format!("`{}` cannot run inside a transaction", words.join(" ")),
                "put it into a migration of its own with `-- whimbrel: no-transaction` in the header",
            );
        }
        Ok(())
    }
}

/// Also one that a block comment separates from the header: it would have no effect and nobody would know.
fn refuse_late_directive(file: &str, comment: &Comment, header_lines: usize) -> Result<()> {
    if comment.line > header_lines && directive(&comment.text).is_some() {
        let object = format!("`{file}` line {}", comment.line);
        return Err(Error::usage(
            "read header of",
            object,
            format!("`-- {}` stands below the first SQL or block comment", comment.text),
        )
        .hint("directives have an effect only above it; move the line to the top"));
    }
    Ok(())
}

/// The words of a statement that begins, ends or marks a transaction.
fn transaction_control(statement: &Statement, dialect: Dialect) -> Option<String> {
    let first = statement.token(0).filter(|token| token.class == Class::Word)?;
    let controls = match first.text.to_ascii_uppercase().as_str() {
        "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => true,
        "ABORT" => dialect == Dialect::Postgres,
        "START" | "PREPARE" => {
            dialect == Dialect::Postgres && statement.token(1).is_some_and(|token| token.is("TRANSACTION"))
        }
        _ => false,
    };
    controls.then(|| first.text.to_ascii_uppercase())
}

/// Pragmas of a connection: they are gone with it, so a migration is the wrong place for them.
const CONNECTION_PRAGMAS: [&str; 33] = [
    "analysis_limit",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "case_sensitive_like",
    "cell_size_check",
    "checkpoint_fullfsync",
    "count_changes",
    "defer_foreign_keys",
    "empty_result_callbacks",
    "foreign_keys",
    "full_column_names",
    "fullfsync",
    "hard_heap_limit",
    "ignore_check_constraints",
    "journal_size_limit",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "mmap_size",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "soft_heap_limit",
    "synchronous",
    "temp_store",
    "threads",
    "trusted_schema",
    "wal_autocheckpoint",
];

fn connection_setting(statement: &Statement, dialect: Dialect) -> Option<(String, &'static str)> {
    if dialect != Dialect::Sqlite {
        return None;
    }
    let first = statement.token(0)?;
    if first.is("ATTACH") || first.is("DETACH") {
        return Some((
            format!("`{}` changes the connection, not the database", first.text.to_ascii_uppercase()),
            "a migration sees one database; attach others where the application opens its connection",
        ));
    }
    let name = pragma(statement)?;
    // Asking for the schema version harms nothing; setting it makes other connections read a schema that is not there.
    let sets_version = name == "schema_version" && statement.tokens().any(|token| matches!(token.text, "=" | "("));
    if name == "writable_schema" || sets_version {
        return Some((
            format!("`PRAGMA {name}` can corrupt the file"),
            "rebuild the table instead: create the new one, copy, drop the old one, rename",
        ));
    }
    if !CONNECTION_PRAGMAS.contains(&name.as_str()) {
        return None;
    }
    let hint = match name.as_str() {
        "foreign_keys" | "defer_foreign_keys" => {
            "foreign keys are off while a migration runs and are checked before it commits; set the pragma where the \
             application opens its connection"
        }
        _ => "set it where the application opens its connection; there it has effect each time",
    };
    Some((format!("`PRAGMA {name}` belongs to a connection and would be gone with it"), hint))
}

/// Whether a pragma, as SQLite itself reads it, sets what a script must leave alone.
pub(crate) fn forbidden_pragma(name: &str, sets: bool) -> bool {
    let name = name.to_ascii_lowercase();
    sets && (["writable_schema", "schema_version"].contains(&name.as_str())
        || CONNECTION_PRAGMAS.contains(&name.as_str()))
}

/// The name of the pragma that a statement sets or asks for, in lower case.
pub(crate) fn pragma(statement: &Statement) -> Option<String> {
    if !statement.starts_with(&["PRAGMA"]) {
        return None;
    }
    let names: Vec<Token<'_>> = statement.tokens().skip(1).take(3).collect();
    let name = match names.as_slice() {
        [_, dot, name] if dot.text == "." => name,
        [name, ..] => name,
        [] => return None,
    };
    Some(name.unquoted().to_ascii_lowercase())
}

/// Whether the database refuses the statement inside a transaction, or ignores it there.
pub(crate) fn needs_no_transaction(statement: &Statement, dialect: Dialect) -> bool {
    let second = |words: &[&str]| words.iter().any(|word| statement.token(1).is_some_and(|token| token.is(word)));
    let Some(first) = statement.token(0).filter(|token| token.class == Class::Word) else { return false };
    match (dialect, first.text.to_ascii_uppercase().as_str()) {
        (Dialect::Sqlite, "VACUUM") | (Dialect::Postgres, "VACUUM") => true,
        (Dialect::Sqlite, "PRAGMA") => pragma(statement).is_some_and(|name| {
            ["journal_mode", "wal_checkpoint", "page_size", "auto_vacuum", "incremental_vacuum"]
                .contains(&name.as_str())
        }),
        (Dialect::Postgres, "CREATE" | "DROP") => {
            second(&["DATABASE", "TABLESPACE", "SUBSCRIPTION"]) || is_concurrent_index(statement)
        }
        (Dialect::Postgres, "REINDEX") => {
            statement.has_word("CONCURRENTLY") || second(&["DATABASE", "SYSTEM", "SCHEMA"])
        }
        (Dialect::Postgres, "ALTER") => {
            second(&["SYSTEM"])
                || (statement.starts_with(&["ALTER", "TABLE"])
                    && statement.has_word("DETACH")
                    && statement.has_word("CONCURRENTLY"))
        }
        _ => false,
    }
}

fn is_concurrent_index(statement: &Statement) -> bool {
    statement.tokens().take(4).any(|token| token.is("INDEX"))
        && statement.tokens().take(4).any(|token| token.is("CONCURRENTLY"))
}

/// The tables and views, in lower case, that a script drops or renames away and makes again: it rebuilds them.
pub(crate) fn rebuilt(statements: &[Statement]) -> BTreeSet<String> {
    let (mut away, mut again) = (BTreeSet::new(), BTreeSet::new());
    for statement in statements {
        away.extend(gone(statement));
        again.extend(made(statement).filter(|name| away.contains(name)));
    }
    again
}

/// The table or view that is not there any more under its name after the statement.
pub(crate) fn gone(statement: &Statement) -> Option<String> {
    let name = match statement.starts_with(&["DROP", "TABLE"]) || statement.starts_with(&["DROP", "VIEW"]) {
        true => name_after(statement, 2, &["IF", "EXISTS"])?,
        false => table_rename(statement)?.0,
    };
    Some(name.to_ascii_lowercase())
}

/// The table or view that is there under its name after the statement.
pub(crate) fn made(statement: &Statement) -> Option<String> {
    let is_create = ["TABLE", "VIEW"].iter().any(|kind| statement.starts_with(&["CREATE", kind]));
    let name = match is_create {
        true => name_after(statement, 2, &["IF", "NOT", "EXISTS"])?,
        false => table_rename(statement)?.1,
    };
    Some(name.to_ascii_lowercase())
}

/// The name in `… [words] [schema.]name`, behind the first `skipped` tokens.
fn name_after(statement: &Statement, skipped: usize, words: &[&str]) -> Option<String> {
    let tokens: Vec<Token<'_>> = statement.tokens().skip(skipped).take(words.len() + 3).collect();
    let tokens = match words.iter().zip(&tokens).all(|(word, token)| token.is(word)) {
        true => tokens.get(words.len()..)?,
        false => &tokens,
    };
    match tokens {
        [_, dot, name, ..] if dot.text == "." => Some(name.unquoted()),
        [name, ..] => Some(name.unquoted()),
        [] => None,
    }
}

/// The old and the new name in `ALTER TABLE old RENAME TO new`.
pub(crate) fn table_rename(statement: &Statement) -> Option<(String, String)> {
    if !statement.starts_with(&["ALTER", "TABLE"]) {
        return None;
    }
    // `ALTER TABLE schema.old RENAME TO new` has the most.
    match statement.tokens().skip(2).take(7).collect::<Vec<_>>().as_slice() {
        [old, rename, to, new] | [_, _, old, rename, to, new] if rename.is("RENAME") && to.is("TO") => {
            Some((old.unquoted(), new.unquoted()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(sql: &str, dialect: Dialect) -> String {
        Script::parse("0001_a.up.sql", sql, dialect).unwrap_err().to_string()
    }

    #[test]
    fn a_header_is_read_up_to_the_first_sql() {
        let header =
            Header::read("f", "\n-- A note\n-- whimbrel: lossy\n-- whimbrel: loses a, \"b\"\nSELECT 1;\n").unwrap();
        assert_eq!(header.reversal, Some(Reversal::Lossy));
        let rows = |table| header.declares(Lost::Rows, table);
        assert!(rows("A") && rows("b") && !rows("c"));
        assert!(Header::read("f", "-- no-transaction\nVACUUM").unwrap().no_transaction);
    }

    #[test]
    fn what_goes_is_named_by_its_kind() {
        let header =
            Header::read("f", "-- whimbrel: loses index a, Trigger \"B c\", WITHOUT ROWID e, indexes").unwrap();
        for (lost, name) in
            [(Lost::Index, "A"), (Lost::Trigger, "b C"), (Lost::WithoutRowid, "e"), (Lost::Rows, "indexes")]
        {
            assert!(header.declares(lost, name), "{lost:?} {name}: {:?}", header.loses);
        }
    }

    #[test]
    fn what_a_script_rebuilds_is_read_from_its_statements() {
        for (sql, names) in [
            ("CREATE TABLE n(a); DROP TABLE T; ALTER TABLE n RENAME TO \"t\";", vec!["t"]),
            ("ALTER TABLE main.t RENAME TO old; CREATE TABLE IF NOT EXISTS main.[T](a); DROP TABLE old", vec!["t"]),
            ("DROP VIEW IF EXISTS main.v; CREATE VIEW v AS SELECT 1; DROP TABLE t", vec!["v"]),
            ("DROP TABLE t; CREATE TEMP TABLE t(a); CREATE INDEX i ON t(a)", vec![]),
            ("ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t RENAME TO u", vec![]),
        ] {
            let scan = tokens::scan(sql, Dialect::Sqlite).unwrap();
            assert_eq!(rebuilt(&scan.statements).into_iter().collect::<Vec<_>>(), names, "{sql}");
        }
    }

    #[test]
    fn an_unknown_or_late_directive_is_an_error() {
        let error = Header::read("f", "-- whimbrel: losless").unwrap_err();
        assert_eq!(error.to_string(), "read header of `f` line 1: unknown directive `losless`");
        assert!(error.way_out().unwrap().contains("`lossless`"));
        assert!(refusal("SELECT 1;\n-- whimbrel: no-transaction\n", Dialect::Sqlite).contains("line 2"));
        assert!(Header::read("f", "-- whimbrel: lossy\n-- whimbrel: lossless").is_err());
        assert!(Header::read("f", "-- Whimbrel : no-transaction").unwrap().no_transaction);
        let separated = "/* licence */\n-- whimbrel: no-transaction\nCREATE TABLE a(b);";
        assert!(refusal(separated, Dialect::Sqlite).contains("line 2: `-- whimbrel: no-transaction` stands below"));
    }

    #[test]
    fn transaction_control_is_refused_and_triggers_are_not() {
        for sql in ["BEGIN;", "COMMIT", "end;", "SAVEPOINT a", "SELECT 1; /* x */ rollback;"] {
            assert!(refusal(sql, Dialect::Sqlite).contains("controls the transaction"), "{sql}");
        }
        assert!(refusal("START TRANSACTION", Dialect::Postgres).contains("START"));
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN 2 END; END;";
        assert!(Script::parse("f", trigger, Dialect::Sqlite).is_ok());
        let body = "DO $$ BEGIN PERFORM 1; END $$;";
        assert!(Script::parse("f", body, Dialect::Postgres).is_ok());
    }

    #[test]
    fn settings_of_a_connection_are_refused_with_a_pointer() {
        let error = Script::parse("f", "PRAGMA main.foreign_keys = ON;", Dialect::Sqlite).unwrap_err();
        assert!(error.cause().contains("`PRAGMA foreign_keys`"), "{error}");
        assert!(error.way_out().unwrap().contains("opens its connection"));
        for sql in ["PRAGMA 'writable_schema' = ON", "pragma[writable_schema](1)", "PRAGMA main.'writable_schema'=1"] {
            assert!(refusal(sql, Dialect::Sqlite).contains("can corrupt the file"), "{sql}");
        }
        assert!(refusal("PRAGMA schema_version = 7", Dialect::Sqlite).contains("can corrupt"));
        assert!(refusal("PRAGMA 'trusted_schema' = 0", Dialect::Sqlite).contains("belongs to a connection"));
        assert!(Script::parse("f", "PRAGMA user_version = 3;", Dialect::Sqlite).is_ok());
        assert!(refusal("PRAGMA journal_mode = WAL", Dialect::Sqlite).contains("inside a transaction"));
        assert!(Script::parse("f", "-- whimbrel: no-transaction\nPRAGMA journal_mode = WAL", Dialect::Sqlite).is_ok());
    }

    #[test]
    fn concurrent_indexes_need_no_transaction() {
        assert!(refusal("CREATE UNIQUE INDEX CONCURRENTLY i ON a(b)", Dialect::Postgres).contains("transaction"));
        assert!(Script::parse("f", "CREATE TABLE concurrently_not(a int)", Dialect::Postgres).is_ok());
    }

    #[test]
    fn a_rename_is_seen_through_quotes_and_a_schema() {
        let scan = tokens::scan("ALTER TABLE main.\"a b\" RENAME TO [c]", Dialect::Sqlite).unwrap();
        assert_eq!(table_rename(&scan.statements[0]), Some(("a b".to_owned(), "c".to_owned())));
        let scan = tokens::scan("ALTER TABLE a RENAME b TO c", Dialect::Sqlite).unwrap();
        assert_eq!(table_rename(&scan.statements[0]), None);
    }
}
