//! Scratch databases: each caller gets its own, and it is gone when the caller is done with it.
//!
//! On a server that belongs to somebody else, only databases whose name this module made up
//! (`whimbrel_<prefix>_<random>`) are ever created or dropped.

use std::io::Read;
use std::sync::Arc;

use super::server::Running;
use super::{Footing, client};
use crate::error::{Error, Result};

/// Names in PostgreSQL end after this many bytes.
const NAME_LENGTH_MAX: usize = 63;

/// A database of one's own on a provisioned server. Dropping the value drops the database, connections to it
/// included, and the server runs at least as long as its last database is held.
#[derive(Debug)]
pub struct Database {
    server: Arc<Running>,
    name: String,
}

impl Database {
    pub(super) fn create(server: &Arc<Running>, name_prefix: &str, template: Option<&Database>) -> Result<Self> {
        let name = scratch_name(name_prefix)?;
        server.guard(&name)?;
        let statement = match template {
            Some(template) => format!("CREATE DATABASE \"{name}\" TEMPLATE \"{}\"", template.name),
            // template0 and not template1: the latter may hold what the server's owner put there.
            None => format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'"),
        };
        let object = format!("`{name}`");
        let created = client::execute(server.admin_url(), statement, "create the database", &object);
        match created {
            Ok(()) => Ok(Database { server: Arc::clone(server), name }),
            Err(error) => {
                server.release(&name);
                Err(match (template, server.footing()) {
                    (Some(_), _) => error.hint("close every connection to the template first"),
                    (None, Footing::Url) => {
                        error.hint("the user in WHIMBREL_POSTGRES needs CREATEDB: `ALTER ROLE name CREATEDB`")
                    }
                    (None, _) => error,
                })
            }
        }
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
        Database::create(&self.server, name_prefix, Some(self))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name);
        let object = format!("`{}`", self.name);
        // On failure the name stays with the guard, which tries again when this process ends; a private server is
        // removed as a whole anyway.
        if client::execute(self.server.admin_url(), statement, "drop the database", &object).is_ok() {
            self.server.release(&self.name);
        }
    }
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

/// Random bytes of the system, as twice as many hexadecimal digits.
pub(super) fn random_hex(byte_count: usize) -> Result<String> {
    let mut bytes = vec![0; byte_count];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Error::could_not("read", "`/dev/urandom`", error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
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
