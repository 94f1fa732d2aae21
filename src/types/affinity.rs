//! What SQLite makes of values that come into a column of an ordinary table.

use crate::catalog::Shape;

/// The affinity of a column ("Datatypes In SQLite", 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// INTEGER.
    Integer,
    /// NUMERIC: a text that is a number becomes it, and a whole REAL an INTEGER.
    Numeric,
    /// REAL.
    Real,
    /// TEXT.
    Text,
    /// BLOB, or no type: values stay as they are.
    Blob,
}

impl Affinity {
    /// That of a declared type, by the five rules of SQLite's documentation ("Datatypes In SQLite", 3.1).
    pub fn of(declared: &str) -> Affinity {
        let upper = declared.to_ascii_uppercase();
        let has = |word: &str| upper.contains(word);
        if has("INT") {
            Affinity::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Affinity::Text
        } else if has("BLOB") || upper.is_empty() {
            Affinity::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Affinity::Real
        } else {
            Affinity::Numeric
        }
    }

    /// The type of the values that such a column is for; its default representation gives exactly those back, and every other one is
    /// told as it is stored.
    pub fn shape(self) -> Shape {
        match self {
            Affinity::Integer | Affinity::Numeric => Shape::BigInt,
            Affinity::Real => Shape::Double,
            Affinity::Text => Shape::Text,
            Affinity::Blob => Shape::Bytea,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Affinity;
    use rusqlite::Connection;

    #[test]
    fn affinities_are_those_that_sqlite_gives() {
        for (declared, expected) in [
            ("INTEGER", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("VARCHAR(10)", Affinity::Text),
            ("UUID", Affinity::Numeric),
            ("JSON", Affinity::Numeric),
            ("BOOLEAN", Affinity::Numeric),
            ("TIMESTAMP", Affinity::Numeric),
            ("ANY", Affinity::Numeric),
            ("STRING", Affinity::Numeric),
            ("DOUBLE PRECISION", Affinity::Real),
            ("", Affinity::Blob),
            ("FLOATING POINT", Affinity::Integer),
        ] {
            assert_eq!(Affinity::of(declared), expected, "{declared}");
            let connection = Connection::open_in_memory().unwrap();
            let sql = format!("CREATE TABLE t (v {declared}); INSERT INTO t VALUES ('7'), (7)");
            connection.execute_batch(&sql).unwrap();
            let kinds: String =
                connection.query_row("SELECT group_concat(typeof(v)) FROM t", [], |row| row.get(0)).unwrap();
            let told = match expected {
                Affinity::Integer | Affinity::Numeric => "integer,integer",
                Affinity::Real => "real,real",
                Affinity::Text => "text,text",
                Affinity::Blob => "text,integer",
            };
            assert_eq!(kinds, told, "{declared}");
        }
    }
}
