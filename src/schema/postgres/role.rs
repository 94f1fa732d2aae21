//! The role under which migrations run.

use crate::endpoint::postgres::Client;
use crate::quote::quote;

/// The role that a login, a database or a URL has chosen for the session: the one that owns what migrations make, and
/// the history with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChosenRole(pub(super) String);

impl ChosenRole {
    /// Asks a session that nobody has changed yet.
    pub(super) async fn of(connection: &mut Client) -> sqlx::Result<ChosenRole> {
        let role = sqlx::query_scalar("SELECT pg_catalog.current_setting('role')");
        Ok(ChosenRole(role.fetch_one(connection.sqlx()).await?))
    }

    /// The statements that make it the role until the transaction ends.
    pub(super) fn enter(&self) -> String {
        // As the server says that there is none; no role can have that name.
        let role = if self.0 == "none" { "NONE".to_owned() } else { quote(&self.0) };
        format!("SET LOCAL SESSION AUTHORIZATION DEFAULT; SET LOCAL ROLE {role}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_entered_by_its_name_whatever_is_in_it() {
        let entered = |role: &str| ChosenRole(role.to_owned()).enter();
        assert!(entered("none").ends_with("SET LOCAL ROLE NONE"));
        assert!(entered("a\"b; c").ends_with("SET LOCAL ROLE \"a\"\"b; c\""));
    }
}
