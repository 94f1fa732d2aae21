//! Scratch databases: each caller gets its own, and it is gone when the caller is done with it.
//!
//! On a server that belongs to somebody else, only databases whose name this module made up
//! (`whimbrel_<prefix>_<random>`) are ever created or dropped. The comment of each names the process that drops it, so
//! that another one can when that one is gone.

use std::sync::Arc;

use super::footing::Footing;
use super::process::Owner;
use super::random::random_hex;
use super::server::Running;
use super::sweep;
use crate::error::Result;

/// Names in PostgreSQL end after this many bytes.
const NAME_LENGTH_MAX: usize = 63;

/// A database of one's own on a provisioned server. Dropping the value drops the database, connections to it
/// included, and a server of one's own runs at least as long as its last database is held.
#[derive(Debug)]
pub struct Database {
    server: Arc<Running>,
    name: String,
    /// Whether the drop may happen while its caller goes on.
    is_dropped_later: bool,
}

impl Database {
    pub(super) fn create(server: &Arc<Running>, name_prefix: &str, original: Option<&str>) -> Result<Self> {
        let name = scratch_name(name_prefix)?;
        server.guard(&name, false)?;
        let statement = match original {
            Some(original) => format!("CREATE DATABASE \"{name}\" TEMPLATE \"{original}\"{}", server.copy_strategy()),
            // template0 and not template1: the latter may hold what the server's owner put there.
            None => format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'{}", server.copy_strategy()),
        };
        let statements = [Some(statement), owned_by(&name, Owner::this())].into_iter().flatten().collect();
        match server.create_database(statements, &format!("`{name}`")) {
            Ok(()) => Ok(Database { server: Arc::clone(server), name, is_dropped_later: false }),
            Err(error) => {
                server.release(&name);
                Err(match (original, server.place.footing) {
                    (Some(_), _) => error.hint("close every connection to the template first"),
                    (None, Footing::Url) => {
                        error.hint("the user in WHIMBREL_POSTGRES needs CREATEDB: `ALTER ROLE name CREATEDB`")
                    }
                    (None, _) => error,
                })
            }
        }
    }

    /// The same database, whose drop does not wait for the server.
    pub(super) fn dropped_later(mut self) -> Self {
        self.is_dropped_later = true;
        self
    }

    /// The database's name, `whimbrel_<prefix>_<random>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The connection URL of this database, password included: not for printing.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// A copy of this database under a new name. It takes tens of milliseconds, so one template that is migrated
    /// once serves many tests.
    ///
    /// # Errors
    ///
    /// When somebody stays connected to this database for more than the five seconds that PostgreSQL itself waits,
    /// or the server refuses.
    pub fn create_copy(&self, name_prefix: &str) -> Result<Database> {
        Database::create(&self.server, name_prefix, Some(&self.name))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_dropped_later {
            self.server.drop_later(std::mem::take(&mut self.name));
        } else {
            self.server.drop_database(&self.name);
        }
    }
}

/// The statement that says who drops a database.
pub(super) fn owned_by(name: &str, owner: Option<Owner>) -> Option<String> {
    let owner = owner?.to_string().replace('\'', "''");
    Some(format!("COMMENT ON DATABASE \"{name}\" IS '{}{owner}'", sweep::DATABASE_COMMENT))
}

/// A name nobody else has, made of characters that need no quoting anywhere.
fn scratch_name(prefix: &str) -> Result<String> {
    let random = random_hex(6)?;
    let mut name = String::from("whimbrel_");
    name.extend(prefix.chars().map(|letter| match letter.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9') => letter,
        _ => '_',
    }));
    name.truncate(NAME_LENGTH_MAX - random.len() - 1);
    Ok(format!("{name}_{random}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_name_is_safe_short_and_new_each_time() {
        let name = scratch_name("Type \"matrix\"; DROP").expect("a name");
        assert!(name.starts_with("whimbrel_type__matrix___drop_"), "{name}");
        assert!(name.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | '_')), "{name}");
        assert_ne!(name, scratch_name("Type \"matrix\"; DROP").expect("a name"));
        let long = scratch_name(&"ä".repeat(200)).expect("a name");
        assert_eq!(long.len(), NAME_LENGTH_MAX);
    }
}
