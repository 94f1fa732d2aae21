//! From the spelling of a type to the row that a server's catalog has for it.

use super::name;
use crate::endpoint::postgres::rows::{Oid, TypeRow};
use std::collections::HashMap;

/// A spelling, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelled {
    pub(super) schema: Option<String>,
    /// Of a built-in type the name that the server has for it inside.
    pub(super) name: String,
    /// Whether the words are those that SQL has for a built-in type.
    pub(super) is_sql: bool,
    pub(super) arguments: Vec<String>,
    pub(super) is_array: bool,
    /// The spelling without the brackets.
    pub(super) element: String,
}

/// SQL's words for types, and the names that the server has for them.
const SQL_NAMES: &[(&str, &str)] = &[
    ("bigint", "int8"),
    ("bit", "bit"),
    ("bit varying", "varbit"),
    ("boolean", "bool"),
    ("char", "bpchar"),
    ("character", "bpchar"),
    ("character varying", "varchar"),
    ("dec", "numeric"),
    ("decimal", "numeric"),
    ("double precision", "float8"),
    ("float", "float8"),
    ("int", "int4"),
    ("integer", "int4"),
    ("interval", "interval"),
    ("numeric", "numeric"),
    ("real", "float4"),
    ("smallint", "int2"),
    ("time", "time"),
    ("time with time zone", "timetz"),
    ("time without time zone", "time"),
    ("timestamp", "timestamp"),
    ("timestamp with time zone", "timestamptz"),
    ("timestamp without time zone", "timestamp"),
    ("varchar", "varchar"),
];

/// Every other type of `pg_catalog` that a column can have, in all versions.
const BUILT_IN: &[&str] = &[
    "aclitem",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "char",
    "cid",
    "cidr",
    "circle",
    "cstring",
    "date",
    "datemultirange",
    "daterange",
    "float4",
    "float8",
    "gtsvector",
    "inet",
    "int2",
    "int2vector",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "nummultirange",
    "numrange",
    "oid",
    "oidvector",
    "path",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_dependencies",
    "pg_lsn",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
    "pg_snapshot",
    "point",
    "polygon",
    "refcursor",
    "regclass",
    "regcollation",
    "regconfig",
    "regdatabase",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    "text",
    "tid",
    "timestamptz",
    "timetz",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "txid_snapshot",
    "uuid",
    "varbit",
    "xid",
    "xid8",
    "xml",
];

impl Spelled {
    /// `None` where the text is no spelling of a type.
    pub(super) fn read(spelling: &str) -> Option<Spelled> {
        let (mut words, mut parts) = (Vec::<String>::new(), Vec::<(String, bool)>::new());
        let (mut arguments, mut is_array, mut element) = (Vec::new(), false, spelling.trim().len());
        let text = spelling.trim();
        let mut rest = text;
        let mut behind_dot = false;
        while let Some(sign) = rest.chars().next() {
            let at = text.len() - rest.len();
            match sign {
                sign if sign.is_whitespace() => rest = rest.trim_start(),
                '.' => {
                    behind_dot = true;
                    rest = &rest[1..];
                }
                '(' if arguments.is_empty() => {
                    let end = rest.find(')')?;
                    arguments = rest[1..end].split(',').map(|argument| argument.trim().to_owned()).collect();
                    rest = &rest[end + 1..];
                }
                '[' => {
                    rest = &rest[rest.find(']')? + 1..];
                    element = element.min(at);
                    is_array = true;
                }
                _ => {
                    let is_quoted = sign == '"';
                    let (word, behind) = name::identifier(rest)?;
                    rest = behind;
                    if word == "array" && !is_quoted && !behind_dot {
                        element = element.min(at);
                        is_array = true;
                    } else if behind_dot || parts.is_empty() {
                        parts.push((word.clone(), is_quoted));
                        words.push(word);
                        behind_dot = false;
                    } else {
                        words.push(word);
                    }
                }
            }
        }
        let element = text[..element].trim_end().to_owned();
        let (last, is_quoted) = parts.pop()?;
        let schema = parts.pop().map(|(schema, _)| schema);
        if !parts.is_empty() {
            return None;
        }
        let sql = || {
            let spelled = words.join(" ");
            let begins = if spelled.starts_with("interval ") { "interval" } else { spelled.as_str() };
            SQL_NAMES.iter().find(|(sql, _)| *sql == begins).map(|(_, inside)| (*inside).to_owned())
        };
        let (name, is_sql) = match &schema {
            None if !is_quoted => match sql() {
                Some(inside) => (inside, true),
                None if words.len() == 1 => (last, false),
                None => return None,
            },
            None | Some(_) if words.len() == parts.len() + 1 + usize::from(schema.is_some()) => (last, false),
            None | Some(_) => return None,
        };
        if is_sql && (words == ["character"] || words == ["char"]) {
            if arguments.is_empty() {
                arguments.push("1".to_owned());
            }
        } else if is_sql && words == ["bit"] && arguments.is_empty() {
            arguments.push("1".to_owned());
        }
        Some(Spelled { schema, name, is_sql, arguments, is_array, element })
    }

    /// Whether it is a type of `pg_catalog`, where no user type has the name.
    pub(super) fn is_built_in(&self) -> bool {
        match self.schema.as_deref() {
            None => self.is_sql || BUILT_IN.contains(&self.name.as_str()),
            Some(schema) => schema == "pg_catalog",
        }
    }

    /// The modifier as the server packs it; -1 for none.
    pub(super) fn modifier(&self) -> i32 {
        let number = |place: usize| self.arguments.get(place).and_then(|argument| argument.parse::<i32>().ok());
        match (self.name.as_str(), number(0)) {
            ("numeric", Some(precision)) => ((precision << 16) | (number(1).unwrap_or(0) & 0x7ff)) + 4,
            ("varchar" | "bpchar", Some(length)) => length + 4,
            ("timestamp" | "timestamptz", Some(precision)) => precision,
            _ => -1,
        }
    }

    /// As the server spells a built-in type.
    pub(super) fn built_in_spelling(&self) -> String {
        let arguments = match self.arguments.as_slice() {
            [] => String::new(),
            [precision] if self.name == "numeric" => format!("({precision},0)"),
            arguments => format!("({})", arguments.join(",")),
        };
        match self.name.as_str() {
            "int8" => "bigint".to_owned(),
            "int4" => "integer".to_owned(),
            "int2" => "smallint".to_owned(),
            "bool" => "boolean".to_owned(),
            "float4" => "real".to_owned(),
            "float8" => "double precision".to_owned(),
            "char" => "\"char\"".to_owned(),
            "varchar" => format!("character varying{arguments}"),
            "varbit" => format!("bit varying{arguments}"),
            "bpchar" if arguments.is_empty() => "bpchar".to_owned(),
            "bpchar" => format!("character{arguments}"),
            "time" => format!("time{arguments} without time zone"),
            "timetz" => format!("time{arguments} with time zone"),
            "timestamp" => format!("timestamp{arguments} without time zone"),
            "timestamptz" => format!("timestamp{arguments} with time zone"),
            // Fields and precision stand behind the word in more than one order.
            "interval" => self.element.clone(),
            name => format!("{name}{arguments}"),
        }
    }
}

/// The rows of types that were asked for.
#[derive(Debug, Default)]
pub(super) struct TypeRows {
    pub(super) rows: Vec<TypeRow>,
    by_name: HashMap<(String, String), Oid>,
    arrays: HashMap<Oid, Oid>,
}

impl TypeRows {
    /// The number of a type, whose row `make` makes where it is new.
    pub(super) fn number(&mut self, schema: &str, name: &str, make: impl FnOnce(Oid) -> TypeRow) -> Oid {
        if let Some(oid) = self.known(schema, name) {
            return oid;
        }
        // Above the numbers of what the statements made.
        let oid = (1 << 40) + self.rows.len() as Oid;
        self.by_name.insert((schema.to_owned(), name.to_owned()), oid);
        self.rows.push(TypeRow { oid, schema: schema.to_owned(), name: name.to_owned(), ..make(oid) });
        oid
    }

    /// The number of a type that was asked for before.
    pub(super) fn known(&self, schema: &str, name: &str) -> Option<Oid> {
        self.by_name.get(&(schema.to_owned(), name.to_owned())).copied()
    }

    /// The number of the array of a type.
    pub(super) fn array_of(&mut self, element: Oid) -> Oid {
        if let Some(oid) = self.arrays.get(&element) {
            return *oid;
        }
        let of = self.rows.iter().find(|row| row.oid == element);
        let (schema, name) = of.map(|row| (row.schema.clone(), row.name.clone())).unwrap_or_default();
        let delimiter = match (schema.as_str(), name.as_str()) {
            ("pg_catalog", "box") => ';',
            ("pg_catalog", _) => ',',
            // Those of PostGIS.
            (_, "geometry" | "geography" | "box3d") => ':',
            _ => ',',
        };
        let oid = (1 << 40) + self.rows.len() as Oid;
        self.rows.push(TypeRow {
            oid,
            schema,
            name: format!("_{name}"),
            kind: 'b',
            element: Some(element),
            delimiter: Some(delimiter),
            ..TypeRow::default()
        });
        self.arrays.insert(element, oid);
        oid
    }

    /// Puts what only now is known into a row.
    pub(super) fn complete(&mut self, oid: Oid, complete: impl FnOnce(&mut TypeRow)) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.oid == oid) {
            complete(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_read_and_written_as_the_server_has_them() {
        for (spelling, name, modifier, written) in [
            ("integer", "int4", -1, "integer"),
            ("numeric(10,-2)", "numeric", ((10 << 16) | (-2 & 0x7ff)) + 4, "numeric(10,-2)"),
            ("numeric(5)", "numeric", (5 << 16) + 4, "numeric(5,0)"),
            ("character varying(10)", "varchar", 14, "character varying(10)"),
            ("character(3)", "bpchar", 7, "character(3)"),
            ("bpchar", "bpchar", -1, "bpchar"),
            ("timestamp(3) with time zone", "timestamptz", 3, "timestamp(3) with time zone"),
            ("timestamp without time zone", "timestamp", -1, "timestamp without time zone"),
            ("\"char\"", "char", -1, "\"char\""),
            ("bit varying(5)", "varbit", -1, "bit varying(5)"),
            ("interval day to second(3)", "interval", -1, "interval day to second(3)"),
            ("interval(2)", "interval", -1, "interval(2)"),
            ("tsvector", "tsvector", -1, "tsvector"),
        ] {
            let spelled = Spelled::read(spelling).unwrap();
            assert!(spelled.is_built_in(), "{spelling}");
            assert_eq!((spelled.name.as_str(), spelled.modifier()), (name, modifier), "{spelling}");
            assert_eq!(spelled.built_in_spelling(), written);
        }
        let array = Spelled::read("public.\"My Type\"(3, x)[][]").unwrap();
        assert_eq!(array.schema.as_deref(), Some("public"));
        assert_eq!((array.name.as_str(), array.is_array), ("My Type", true));
        assert_eq!(array.element, "public.\"My Type\"(3, x)");
        assert!(!array.is_built_in());
        for bad in ["", "a b", "a.b.c", "(3)", "a(3"] {
            assert_eq!(Spelled::read(bad), None, "{bad}");
        }
    }
}
