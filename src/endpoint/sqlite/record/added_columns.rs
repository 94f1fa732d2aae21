//! Which definitions of a table are an older one and new columns, as ALTER TABLE ADD COLUMN writes it.
//!
//! SQLite puts `, ` and the column's definition behind the last column: before the parenthesis that closes the list, or
//! before the comma of the first constraint of the table. Whatever else is added, inside a constraint or to a key,
//! is another definition.

/// The words that begin a constraint of a table. Without quotes none of them is the name of a column.
const CONSTRAINTS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

/// Whether `now` is the definition `then` with columns behind its last one, and nothing else.
pub(super) fn has_new_columns(then: &str, now: &str) -> bool {
    let Some(length) = now.len().checked_sub(then.len()).filter(|length| *length > 0) else { return false };
    let same_start = then.bytes().zip(now.bytes()).take_while(|(old, new)| old == new).count();
    let same_end = then.bytes().rev().zip(now.bytes().rev()).take_while(|(old, new)| old == new).count();
    // Where the new text begins like the old text behind it, the place can be said in several ways.
    let mut places = then.len().saturating_sub(same_end)..=same_start;
    then.starts_with("CREATE TABLE")
        && places.any(|place| match (now.get(..place), now.get(place..place + length), then.get(place..)) {
            (Some(before), Some(added), Some(after)) => {
                Depth::default().behind(before) == Some(Depth(1)) && are_columns(added) && ends_the_columns(after)
            }
            _ => false,
        })
}

/// `, ` and a definition, once or several times.
fn are_columns(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix(", ") else { return false };
    loop {
        let end = top_level_comma(rest);
        let column = &rest[..end.unwrap_or(rest.len())];
        if Depth::default().behind(column) != Some(Depth(0)) || column.trim().is_empty() || is_constraint(column) {
            return false;
        }
        match end {
            None => return true,
            Some(end) => rest = &rest[end + 1..],
        }
    }
}

/// The end of the list, or a constraint of the table.
fn ends_the_columns(text: &str) -> bool {
    text.starts_with(')') || text.strip_prefix(',').is_some_and(is_constraint)
}

fn is_constraint(text: &str) -> bool {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    CONSTRAINTS.iter().any(|word| word.eq_ignore_ascii_case(&text[..end]))
}

/// How many parentheses are open.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Depth(u32);

impl Depth {
    /// The depth behind a text; `None` where the text ends in quotes or in a comment, or closes more than was opened.
    fn behind(self, text: &str) -> Option<Depth> {
        let mut depth = self.0;
        let mut rest = text;
        while let Some(sign) = rest.chars().next() {
            match sign {
                '(' => depth += 1,
                ')' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            rest = &rest[length_of_token(rest)?..];
        }
        Some(Depth(depth))
    }
}

/// Where the first comma outside of parentheses, quotes and comments is.
fn top_level_comma(text: &str) -> Option<usize> {
    let (mut depth, mut place) = (0, 0);
    while let Some(sign) = text[place..].chars().next() {
        match sign {
            ',' if depth == 0 => return Some(place),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        place += length_of_token(&text[place..])?;
    }
    None
}

/// The length in bytes of what stands first: a quoted word, a comment, or one sign; `None` where its end is missing. A
/// doubled quote ends one word and begins another, which comes to the same.
fn length_of_token(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let closing = match first {
        '\'' | '"' | '`' => first.to_string(),
        '[' => "]".to_owned(),
        '-' if text.starts_with("--") => "\n".to_owned(),
        '/' if text.starts_with("/*") => "*/".to_owned(),
        _ => return Some(first.len_utf8()),
    };
    let start = if matches!(first, '-' | '/') { 2 } else { 1 };
    text[start..].find(&closing).map(|end| start + end + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// The definition that SQLite keeps after these statements.
    fn after(definition: &str, statements: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(definition).unwrap_or_else(|error| panic!("{definition}: {error}"));
        connection.execute_batch(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
        connection.query_row("SELECT sql FROM sqlite_schema WHERE name = 'a'", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn columns_that_sqlite_adds_are_told() {
        for then in [
            "CREATE TABLE a (b TEXT NOT NULL, c INTEGER CHECK (c > 0)) STRICT",
            "CREATE TABLE a (b TEXT, c INTEGER, PRIMARY KEY (b, c), CHECK (b <> '),('))",
            "CREATE TABLE a (b TEXT, c INTEGER,\n  CONSTRAINT \"x),(\" UNIQUE (b) )",
            "CREATE TABLE a (\"b, (\" TEXT /* ) */, [c)] INTEGER -- )\n)",
            "CREATE TABLE a (b INTEGER, d INTEGER DEFAULT (1))",
        ] {
            for columns in [
                &["e TEXT"][..],
                &["d2 INTEGER CHECK (d2 IN (0, 1, 7))", "\"check\" TEXT DEFAULT 'a, b) -- '", "e INTEGER"],
            ] {
                let statements: Vec<_> =
                    columns.iter().map(|column| format!("ALTER TABLE a ADD COLUMN {column};")).collect();
                let now = after(then, &statements.concat());
                assert!(has_new_columns(then, &now), "{now}");
                assert!(!has_new_columns(&now, then) && !has_new_columns(then, then), "{now}");
            }
        }
    }

    #[test]
    fn whatever_else_is_added_is_another_definition() {
        for (then, now) in [
            ("CREATE TABLE a (bo CHECK (bo IN (0, 1)))", "CREATE TABLE a (bo CHECK (bo IN (0, 1, 7)))"),
            ("CREATE TABLE a (bo CHECK (bo IN (0, 1)))", "CREATE TABLE a (bo CHECK (bo IN (0, 7, 1)))"),
            ("CREATE TABLE a (b, t, PRIMARY KEY (\"b\"))", "CREATE TABLE a (b, t, PRIMARY KEY (\"b\", \"t\"))"),
            ("CREATE TABLE a (b, t, UNIQUE (b))", "CREATE TABLE a (b, t, UNIQUE (b, t))"),
            ("CREATE TABLE a (b, CHECK (b <> 'x)'))", "CREATE TABLE a (b, CHECK (b <> 'x, y)'))"),
            ("CREATE TABLE a (b, CHECK (b <> 'x,y'))", "CREATE TABLE a (b, CHECK (b <> 'x, z,y'))"),
            ("CREATE TABLE a (b)", "CREATE TABLE a (b, CHECK (b > 0))"),
            ("CREATE TABLE a (b)", "CREATE TABLE a (b, c, unique (b))"),
            ("CREATE TABLE a (b, c)", "CREATE TABLE a (b, d, c)"),
            ("CREATE TABLE a (b NUMERIC(10))", "CREATE TABLE a (b NUMERIC(10, 2))"),
            ("CREATE TABLE a (b)", "CREATE TABLE a (b, c -- )"),
            ("CREATE TABLE a (b)", "CREATE TABLE a (b) STRICT"),
            ("CREATE TABLE a (b)", "CREATE TABLE a (b), (c)"),
            ("CREATE TABLE a (b TEXT NOT NULL)", "CREATE TABLE a (b TEXT, d TEXT NOT NULL)"),
            ("CREATE TABLE a (b TEXT NOT NULL)", "CREATE TABLE a (b TEXT)"),
            ("CREATE TABLE a (c CHECK (c > 0)) STRICT", "CREATE TABLE a (c CHECK (c > 0 OR 1)) STRICT"),
            ("CREATE TABLE a (c CHECK (c > 0)) STRICT", "CREATE TABLE a (c CHECK (c > -10)) STRICT"),
        ] {
            assert!(!has_new_columns(then, now), "{now}");
        }
    }
}
