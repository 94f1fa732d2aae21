//! Whose rights and possessions a statement of PostgreSQL speaks about, so that those of roles which a server does not
//! have can be told from what a schema consists of.

use super::tokens::{Class, Statement, Token};

/// The roles of a statement that gives or takes rights or an owner.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Roles {
    /// Without any of these it says nothing: an owner, the roles whose membership is given.
    pub needed: Vec<String>,
    /// Those that get or lose something; without all of them it says nothing.
    pub concerned: Vec<String>,
}

impl Roles {
    /// The roles of a GRANT, a REVOKE, an ALTER … OWNER TO, an ALTER DEFAULT PRIVILEGES or a CREATE POLICY; nothing of any
    /// other statement.
    pub(super) fn of(statement: &Statement) -> Option<Roles> {
        let first = statement.token(0)?;
        let tokens: Vec<Token<'_>> = statement.tokens().collect();
        let roles = if first.is("ALTER") {
            match tokens.as_slice() {
                [.., owner, to, name] if owner.is("OWNER") && to.is("TO") => {
                    Roles { needed: name_of(name), ..Roles::default() }
                }
                [_, default, privileges, rest @ ..] if default.is("DEFAULT") && privileges.is("PRIVILEGES") => {
                    let owners = match rest {
                        [word, role, names @ ..] if word.is("FOR") && (role.is("ROLE") || role.is("USER")) => {
                            list(names)
                        }
                        _ => Vec::new(),
                    };
                    Roles { needed: owners, concerned: after_last(&tokens, &["TO", "FROM"]) }
                }
                _ => return None,
            }
        } else if first.is("GRANT") || first.is("REVOKE") {
            let given = match tokens.iter().any(|token| token.is("ON")) {
                true => Vec::new(),
                false => list(tokens[1..].rsplit(|token| token.is("FOR")).next().unwrap_or_default()),
            };
            Roles { needed: given, concerned: after_last(&tokens, if first.is("GRANT") { &["TO"] } else { &["FROM"] }) }
        } else if first.is("CREATE") && tokens.get(1).is_some_and(|token| token.is("POLICY")) {
            let end = tokens.iter().position(|token| token.is("USING") || token.is("WITH")).unwrap_or(tokens.len());
            Roles { concerned: after_last(&tokens[..end], &["TO"]), ..Roles::default() }
        } else {
            return None;
        };
        (!roles.needed.is_empty() || !roles.concerned.is_empty()).then_some(roles)
    }

    /// Every name.
    pub(super) fn all(&self) -> Vec<String> {
        self.needed.iter().chain(&self.concerned).cloned().collect()
    }

    /// The role without which the statement says nothing, where only `there` exist.
    pub(super) fn missing(&self, there: &[String]) -> Option<&str> {
        let is_missing = |name: &&String| !there.contains(name);
        let needed = self.needed.iter().find(is_missing);
        let all = !self.concerned.is_empty() && self.concerned.iter().all(|name| is_missing(&name));
        needed.or_else(|| self.concerned.first().filter(|_| all)).map(String::as_str)
    }
}

/// The names behind the last of these words.
fn after_last(tokens: &[Token<'_>], words: &[&str]) -> Vec<String> {
    let at = tokens.iter().rposition(|token| words.iter().any(|word| token.is(word)));
    at.map_or_else(Vec::new, |at| list(&tokens[at + 1..]))
}

/// `name [, name …]`, up to what follows.
fn list(tokens: &[Token<'_>]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = tokens;
    loop {
        if rest.first().is_some_and(|token| token.is("GROUP")) {
            rest = &rest[1..];
        }
        let Some(name) = rest.first() else { return names };
        names.extend(name_of(name));
        match rest.get(1) {
            Some(comma) if comma.text == "," => rest = &rest[2..],
            _ => return names,
        }
    }
}

/// The name of a role, as the catalog has it; nothing for everybody and for whoever runs the statement.
fn name_of(token: &Token<'_>) -> Vec<String> {
    const NO_ROLES: [&str; 5] = ["PUBLIC", "CURRENT_USER", "CURRENT_ROLE", "SESSION_USER", "NONE"];
    match token.class {
        Class::Name => vec![token.unquoted()],
        Class::Word if !NO_ROLES.iter().any(|word| token.is(word)) => vec![token.text.to_lowercase()],
        _ => Vec::new(),
    }
}

/// The setting in `SET name = value`; nothing of any other statement.
pub(super) fn setting_of(statement: &Statement) -> Option<String> {
    let mut tokens = statement.tokens();
    let (set, name, equals) = (tokens.next()?, tokens.next()?, tokens.next()?);
    let sets = set.is("SET") && name.class == Class::Word && (equals.text == "=" || equals.is("TO"));
    sets.then(|| name.text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{Dialect, scan};
    use super::*;

    fn of(sql: &str) -> Option<(Vec<String>, Vec<String>)> {
        let scan = scan(sql, Dialect::Postgres).unwrap();
        Roles::of(&scan.statements[0]).map(|roles| (roles.needed, roles.concerned))
    }

    #[test]
    fn the_roles_of_rights_and_owners_are_found() {
        for (sql, needed, concerned) in [
            ("ALTER TABLE ONLY public.a OWNER TO ann", "ann", ""),
            ("ALTER FUNCTION f(a integer, \"to\" text) OWNER TO \"Ann B\"", "Ann B", ""),
            ("ALTER TABLE a OWNER TO CURRENT_USER", "-", ""),
            ("GRANT SELECT(b),INSERT(b) ON TABLE a TO ann", "", "ann"),
            ("GRANT ALL ON FUNCTION f(\"from\" text) TO Ann, GROUP bob, \"C\" WITH GRANT OPTION", "", "ann bob C"),
            ("GRANT USAGE ON SCHEMA a TO PUBLIC", "-", ""),
            ("GRANT SELECT ON a TO ann GRANTED BY bob", "", "ann"),
            ("REVOKE GRANT OPTION FOR ALL ON TABLE a FROM ann CASCADE", "", "ann"),
            ("REVOKE ALL ON SCHEMA public FROM PUBLIC", "-", ""),
            ("GRANT readers TO ann", "readers", "ann"),
            ("REVOKE ADMIN OPTION FOR readers FROM ann", "readers", "ann"),
            ("ALTER DEFAULT PRIVILEGES FOR ROLE ann IN SCHEMA public GRANT SELECT ON TABLES TO bob", "ann", "bob"),
            ("ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM bob", "", "bob"),
            ("CREATE POLICY p ON a FOR SELECT TO ann, bob USING (b = 'x' AND c IN (SELECT 1))", "", "ann bob"),
            ("CREATE POLICY p ON a USING (true)", "-", ""),
            ("ALTER TABLE a RENAME TO b", "-", ""),
            ("ALTER TABLE a OWNER TO ann, ADD COLUMN c int", "-", ""),
            ("SELECT 1", "-", ""),
        ] {
            let names =
                |list: &str| list.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            let expected = match needed {
                "-" => None,
                "Ann B" => Some((vec!["Ann B".to_owned()], Vec::new())),
                needed => Some((names(needed), names(concerned))),
            };
            assert_eq!(of(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_statement_says_nothing_where_an_owner_or_everybody_concerned_is_missing() {
        let missing = |needed: &[&str], concerned: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let roles = Roles { needed: owned(needed), concerned: owned(concerned) };
            roles.missing(&owned(&["ann", "bob"])).map(str::to_owned)
        };
        assert_eq!(missing(&["carl"], &[]).as_deref(), Some("carl"));
        assert_eq!(missing(&["ann"], &["carl", "dora"]).as_deref(), Some("carl"));
        // The server says which of several it does not know.
        assert_eq!(missing(&[], &["carl", "bob"]), None);
        assert_eq!(missing(&["ann"], &["bob"]), None);
    }

    #[test]
    fn a_setting_is_told_from_other_statements() {
        let of = |sql: &str| setting_of(&scan(sql, Dialect::Postgres).unwrap().statements[0]);
        assert_eq!(of("SET transaction_timeout = 0").as_deref(), Some("transaction_timeout"));
        assert_eq!(of("set Role TO ann").as_deref(), Some("role"));
        for sql in ["SET LOCAL a = 1", "SET SESSION AUTHORIZATION DEFAULT", "SET app.user = 'x'", "SELECT 1", "SET"] {
            assert_eq!(of(sql), None, "{sql}");
        }
    }
}
