//! What SQLite asks leave for while it prepares a statement, and what it does not get.
//!
//! SQLite's authorizer is asked about every table that a statement can write to, its triggers, views and cascades
//! included, and about pragmas, attached files and transactions, before the statement runs. So a script that would
//! touch the history, the connection or the transaction is refused as a whole, however its text is spelled, and the
//! row counts know which tables to look at. The runner's own statements are held to the opposite: they may touch the
//! history and nothing through it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::super::script::forbidden_pragma;

/// Whose statement is being prepared or run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// The runner looks around; nothing is noted or refused.
    #[default]
    Free,
    /// A script's statement inside a transaction of the runner.
    Script,
    /// A script's statement outside a transaction. VACUUM attaches a file and begins a transaction by itself.
    Alone,
    /// The runner writes the history.
    Record,
}

/// Why a statement is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A script would change the history; the words say how.
    History(&'static str),
    /// A script would make this trigger, which writes the history later.
    Planted(String),
    /// Writing the history would run this trigger.
    Trigger(String),
    /// A script would change this setting of the connection.
    Pragma(String),
    /// A script would attach or detach a file.
    Attach,
    /// A script would begin or end a transaction.
    Transaction,
}

impl Refusal {
    /// What the statement would do to the history called `history`, as the cause of an error.
    pub(super) fn cause(&self, history: &str) -> String {
        match self {
            Refusal::History(how) => format!("it would {how} the history `{history}`"),
            Refusal::Planted(name) => format!("the trigger `{name}` would write the history `{history}` when it fires"),
            Refusal::Trigger(name) => format!("the trigger `{name}` would run on the history `{history}`"),
            Refusal::Pragma(name) => format!("`PRAGMA {name}` would change the connection"),
            Refusal::Attach => "it would change the files of the connection".to_owned(),
            Refusal::Transaction => "it would end the transaction that the runner owns".to_owned(),
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Refusal::History(_) | Refusal::Planted(_) => {
                "only the runner writes it: take the statement out, or give the runner another table with \
                 `--history-table` where this one is the application's"
            }
            Refusal::Trigger(_) => "drop that trigger",
            Refusal::Pragma(_) => "set it where the application opens its connection",
            Refusal::Attach => "a migration sees one database",
            Refusal::Transaction => "the runner opens and commits the transaction, together with the history row",
        }
    }
}

/// What a statement can write to, as far as it was prepared. All names in lower case, as SQLite compares them.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// The tables whose rows or definition it can change.
    pub tables: Vec<String>,
    /// The tables that it creates, unless they are there.
    pub created: Vec<String>,
    /// The same, virtual ones.
    pub created_virtual: HashSet<String>,
    /// The tables that it puts an index on.
    pub indexed: Vec<String>,
}

impl Touched {
    fn note(&mut self, name: &str) {
        // As SQLite compares names: only ASCII letters have two cases.
        let name = name.to_ascii_lowercase();
        if !name.starts_with("sqlite_") && self.tables.last() != Some(&name) {
            self.tables.push(name);
        }
    }
}

#[derive(Debug, Default)]
struct Notes {
    history: String,
    phase: Phase,
    touched: Touched,
    refusal: Option<Refusal>,
}

/// The authorizer of one connection, and what it noted.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<Mutex<Notes>>);

impl Watch {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has SQLite ask from here on, about everything that is prepared on the connection.
    pub(super) fn install(&self, connection: &Connection, history: &str) -> rusqlite::Result<()> {
        *self.notes() = Notes { history: history.to_ascii_lowercase(), ..Notes::default() };
        let own = self.clone();
        connection.authorizer(Some(move |context: AuthContext<'_>| own.notes().answer(&context)))
    }

    /// Has SQLite ask no more.
    pub(super) fn remove(connection: &Connection) -> rusqlite::Result<()> {
        let none: Option<fn(AuthContext<'_>) -> Authorization> = None;
        connection.authorizer(none)
    }

    /// Whose statements come next. What was noted before is forgotten, a refusal is not.
    pub(super) fn enter(&self, phase: Phase) {
        let mut notes = self.notes();
        notes.phase = phase;
        notes.touched = Touched::default();
    }

    /// What the statements since [`Watch::enter`] can write to; the runner's own come next.
    pub(super) fn pause(&self) -> Touched {
        let mut notes = self.notes();
        notes.phase = Phase::Free;
        std::mem::take(&mut notes.touched)
    }

    /// Ends what [`Watch::enter`] began; the first thing that was refused meanwhile.
    pub(super) fn leave(&self) -> Option<Refusal> {
        let mut notes = self.notes();
        notes.phase = Phase::Free;
        notes.touched = Touched::default();
        notes.refusal.take()
    }
}

impl Notes {
    fn answer(&mut self, context: &AuthContext<'_>) -> Authorization {
        let refusal = match self.phase {
            Phase::Free => None,
            Phase::Script | Phase::Alone => self.of_script(context),
            Phase::Record => context.accessor.map(|trigger| Refusal::Trigger(trigger.to_owned())),
        };
        match refusal {
            None => Authorization::Allow,
            Some(refusal) => {
                self.refusal.get_or_insert(refusal);
                Authorization::Deny
            }
        }
    }

    /// Notes what a script's statement can write to; gives what it must not do.
    fn of_script(&mut self, context: &AuthContext<'_>) -> Option<Refusal> {
        let alone = self.phase == Phase::Alone;
        match context.action {
            AuthAction::Pragma { pragma_name, pragma_value } => {
                return forbidden_pragma(pragma_name, pragma_value.is_some())
                    .then(|| Refusal::Pragma(pragma_name.to_ascii_lowercase()));
            }
            AuthAction::Attach { .. } | AuthAction::Detach { .. } if !alone => return Some(Refusal::Attach),
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } if !alone => {
                return Some(Refusal::Transaction);
            }
            // Here the place of the database's name is the column's.
            AuthAction::AlterTable { database_name, table_name } => {
                return database_name.eq_ignore_ascii_case("main").then(|| self.written(table_name, "alter")).flatten();
            }
            // A temporary trigger may be one on a table of the file.
            AuthAction::CreateTempTrigger { table_name, .. } => return self.guarded(table_name, "put a trigger on"),
            _ => {}
        }
        if context.database_name.is_some_and(|name| !name.eq_ignore_ascii_case("main")) {
            return None;
        }
        match context.action {
            AuthAction::Insert { table_name } => self.written(table_name, "insert into"),
            AuthAction::Delete { table_name } => self.written(table_name, "delete from"),
            AuthAction::Update { table_name, .. } => self.written(table_name, "update"),
            AuthAction::DropTable { table_name } | AuthAction::DropVtable { table_name, .. } => {
                self.written(table_name, "drop")
            }
            AuthAction::CreateTable { table_name } => {
                self.touched.created.push(table_name.to_ascii_lowercase());
                self.guarded(table_name, "create")
            }
            AuthAction::CreateVtable { table_name, .. } => {
                let name = table_name.to_ascii_lowercase();
                self.touched.created.push(name.clone());
                self.touched.created_virtual.insert(name);
                self.guarded(table_name, "create")
            }
            AuthAction::CreateView { view_name } => self.guarded(view_name, "put a view in the place of"),
            AuthAction::CreateTrigger { table_name, .. } => self.guarded(table_name, "put a trigger on"),
            AuthAction::CreateIndex { table_name, .. } => {
                self.touched.indexed.push(table_name.to_ascii_lowercase());
                self.guarded(table_name, "put an index on")
            }
            AuthAction::DropIndex { table_name, .. } => self.guarded(table_name, "drop an index of"),
            _ => None,
        }
    }

    fn written(&mut self, table: &str, how: &'static str) -> Option<Refusal> {
        let refusal = self.guarded(table, how);
        if refusal.is_none() {
            self.touched.note(table);
        }
        refusal
    }

    fn guarded(&self, table: &str, how: &'static str) -> Option<Refusal> {
        table.eq_ignore_ascii_case(&self.history).then_some(Refusal::History(how))
    }
}
