//! The rows over which everything is asked: one table with a column of every type, and two fillings of it, one of
//! ordinary values and one with every awkward value of each type.

/// A column: its name, its type, ordinary values, awkward ones. NULL is among both.
pub struct Column {
    pub name: &'static str,
    pub data_type: &'static str,
    ordinary: &'static [&'static str],
    awkward: &'static [&'static str],
}

const fn column(
    name: &'static str,
    data_type: &'static str,
    ordinary: &'static [&'static str],
    awkward: &'static [&'static str],
) -> Column {
    Column { name, data_type, ordinary, awkward }
}

/// Types and functions that the columns and the bank need.
pub const TYPES: &str = "
    CREATE EXTENSION IF NOT EXISTS citext;
    CREATE TYPE status AS ENUM ('new', 'open', 'closed');
    CREATE TYPE place AS (x integer, name text);
    CREATE DOMAIN code5 AS varchar(5);
    CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
";

/// Columns whose rule is not the default one.
pub const RULES: &[(&str, &str)] =
    &[("sample.coarse", "epoch-seconds"), ("sample.iso", "iso8601"), ("sample.fine", "decimal-text")];

const TEXTS: &[&str] = &["''", "'abc'", "'ab'", "'a_c'", "'x%y'", "' pad '", "'it''s'", "'12345'", "'b'", "'b  '"];
const ODD_TEXTS: &[&str] = &[
    "'ABC'",
    "'Abc'",
    "'a*c?['",
    "'a]b\\c'",
    "'äöü'",
    "'ÄÖÜ'",
    "'straße'",
    "'日本'",
    "'e' || chr(769)",
    "chr(233)",
    "'😀x'",
    "'  '",
    "chr(9) || 'tab'",
    "'line' || chr(10) || 'two'",
    "chr(160) || 'x'",
    "repeat('long', 500)",
    "'NULL'",
    "'-5'",
    "'{\"a\":1}'",
];

/// The columns in their order. The first is the key.
pub const COLUMNS: &[Column] = &[
    column("small", "smallint", &["0", "1", "-1", "7"], &["32767", "-32768"]),
    column("n", "integer", &["0", "-7", "5", "100", "3"], &["2147483647", "-2147483648"]),
    column("m", "integer", &["3", "-2", "5", "0"], &["2147483647", "-1"]),
    column(
        "big",
        "bigint",
        &["-1", "0", "7", "12345678901"],
        &["9223372036854775807", "-9223372036854775808", "9007199254740993"],
    ),
    column("active", "boolean", &["true", "false"], &[]),
    column("flag", "boolean", &["false", "true"], &[]),
    column(
        "ratio",
        "double precision",
        &["0.1", "-2.5", "1", "3", "0"],
        &["1e300", "-1e300", "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "5e-324", "9007199254740993", "0.5"],
    ),
    column("other", "double precision", &["2", "0.5", "-1", "0"], &["'NaN'", "'Infinity'", "1e-300"]),
    column("fee", "real", &["0.1", "1.5", "-2"], &["'NaN'", "'Infinity'", "3.4e38", "16777217"]),
    column(
        "price",
        "numeric(10,2)",
        &["0.30", "0.10", "-12.34", "0.00", "2.50", "7"],
        &["99999999.99", "-99999999.99", "'NaN'", "0.05", "-0.05", "2.5"],
    ),
    column("tax", "numeric(10,2)", &["0.20", "0.05", "1.00", "0.30"], &["'NaN'", "0.00", "-1.00"]),
    column("units", "numeric(6,0)", &["7", "-7", "2"], &["999999", "'NaN'", "0"]),
    column("rounded", "numeric(5,-2)", &["100", "-200", "0"], &["'NaN'", "9999900"]),
    column(
        "amount",
        "numeric",
        &["0", "12.3", "100", "9", "-5", "12.31"],
        &[
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "0.000",
            "-0.001",
            "12.30",
            "12.3000",
            "-12.4",
            "12.2999999999999999999",
            "123456789012345678901234567890.5",
            "0.1",
            "1e-20",
        ],
    ),
    column("worth", "numeric", &["1", "12.3", "2", "0"], &["'NaN'", "'Infinity'", "'-Infinity'", "12.30", "1.000"]),
    column("total", "numeric(20,4)", &["1.5", "0", "-3.25"], &["9999999999999999.9999", "'NaN'", "0.0001"]),
    column("whole", "numeric(18,0)", &["1", "0", "-12"], &["999999999999999999", "'NaN'"]),
    column("fine", "numeric(8,3)", &["1.5", "0", "-3.25", "1.250"], &["99999.999", "'NaN'"]),
    column("name", "text", TEXTS, ODD_TEXTS),
    column("Title", "text", &["'T'", "'abc'", "'a'", "''"], &["'t'", "'Ä'", "'ABC'"]),
    column("short", "varchar(5)", &["'ab'", "'abcde'", "''", "'b'"], &["'ab  '", "'äöüßé'", "'AB'"]),
    column("code", "char(4)", &["'ab'", "'abcd'", "''", "'b'"], &["'AB'", "'é'", "' x'"]),
    column("bare", "bpchar", &["'ab'", "'b'", "''"], &["'b  '", "'B'"]),
    column("email", "citext", &["'a@b'", "'abc'", "'x'"], &["'A@B'", "'ABC'", "'Äx'", "'äX'", "'b  '"]),
    column("label", "name", &["'ab'", "'abc'"], &["'ABC'", "'é'"]),
    column("zip", "code5", &["'12345'", "'ab'"], &["'AB'", "'ä'"]),
    column("login", "text COLLATE nocase", &["'ann'", "'bob'"], &["'ANN'", "'Bob'", "'Änn'"]),
    column("icu", "text COLLATE \"en-x-icu\"", &["'ann'", "'bob'", "'zoe'"], &["'Zoe'", "'ANN'", "'änn'", "'-a'"]),
    column("status", "status", &["'new'", "'closed'", "'open'"], &[]),
    column(
        "token",
        "uuid",
        &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000001'"],
        &["'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    ),
    column("body", "bytea", &["'\\x00ff'", "'\\x6162'", "''"], &["'\\xc3a4'", "decode(repeat('00', 300), 'hex')"]),
    column(
        "starts",
        "timestamp(3)",
        &["'2020-01-01 00:00:00'", "'2024-02-29 12:34:56.789'", "'2020-01-08 23:59:59.999'"],
        &[
            "'1969-12-31 23:59:59.5'",
            "'infinity'",
            "'-infinity'",
            "'0044-03-15 12:00:00 BC'",
            "'12345-06-07 08:09:10'",
            "'0001-01-01'",
        ],
    ),
    column("ends", "timestamp(3)", &["'2020-01-08'", "'2021-03-31 01:02:03'"], &["'infinity'", "'-infinity'"]),
    column(
        "created",
        "timestamptz",
        &["'2024-02-29 12:00:00.000001+00'", "'1970-01-01 00:00:00+00'", "'2021-07-04 15:16:17+00'"],
        &[
            "'2024-03-10 07:30:00+00'",
            "'2024-11-03 05:59:59.999999+00'",
            "'infinity'",
            "'-infinity'",
            "'0001-06-01 00:00:00+00 BC'",
            "'1969-12-31 23:59:59.999999+00'",
        ],
    ),
    column("changed", "timestamptz", &["'2024-03-01 00:00:00+00'", "'2020-01-01 00:00:00+00'"], &["'infinity'"]),
    column("coarse", "timestamptz", &["'1970-01-01 00:00:01+00'", "'2024-01-01 00:00:00.5+00'"], &["'infinity'"]),
    column(
        "iso",
        "timestamptz",
        &["'2024-02-29 12:00:00.5+00'", "'2020-01-01 00:00:00+00'"],
        &["'infinity'", "'0044-03-15 12:00:00+00 BC'", "'12345-06-07 08:09:10+00'"],
    ),
    column(
        "born",
        "date",
        &["'2000-02-29'", "'1999-12-31'", "'2024-01-31'"],
        &["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'12345-06-07'", "'0001-01-01'", "'1899-12-31'"],
    ),
    column("due", "date", &["'2024-02-01'", "'2000-03-01'"], &["'infinity'", "'9999-12-31'"]),
    column("at", "time", &["'12:34:56'", "'00:00'"], &["'24:00'", "'23:59:59.999999'"]),
    column("span", "interval", &["'1 day'", "'02:03:04'", "'0'"], &["'24:00:00'", "'1 mon'", "'-1 days +02:00'"]),
    column(
        "data",
        "jsonb",
        &["'{\"k\": \"x\", \"b\": true, \"n\": 1.50}'", "'[1, 2]'", "'{\"k\": \"y\"}'", "'{}'"],
        &[
            "'{\"k\": {\"a\": 1}, \"b\": null}'",
            "'{\"k\": [1, 2], \"n\": 1e3}'",
            "'\"s\"'",
            "'null'",
            "'{\"k\": \"\", \"n\": -0.0}'",
            "'{\"k\": \"null\", \"é\": \"ä\\\"q\"}'",
            "'{\"k\": \"[,]\", \"n\": 12345678901234567890123}'",
        ],
    ),
    column(
        "doc",
        "json",
        &["'{\"k\":\"x\",\"n\":2}'", "'[1,2]'", "'{}'"],
        &["'{\"k\":\"x\",\"k\":\"z\"}'", "'{\"k\" : {\"a\" : 1}}'", "'null'", "'{\"k\":\"\\u00e9\"}'"],
    ),
    column("tags", "text[]", &["'{}'", "'{a,b}'", "'{a}'"], &["'{NULL}'", "'{\"\",\"x,y\"}'", "'{{a,b},{c,d}}'"]),
    column("nums", "integer[]", &["'{}'", "'{1,2}'"], &["'{NULL,3}'", "'{{1},{2}}'", "'[0:1]={5,6}'"]),
    column("network", "inet", &["'10.0.0.1'", "'192.168.0.0/16'"], &["'::1'"]),
    column("span4", "int4range", &["'[1,5)'", "'[3,7)'"], &["'empty'", "'(,)'"]),
    column("cash", "money", &["'1.50'", "'0'"], &["'-1.50'"]),
    column("spot", "place", &["ROW(1, 'a')", "ROW(2, 'b')"], &["ROW(NULL, NULL)"]),
];

/// The table of that name, empty.
pub fn table(name: &str) -> String {
    let columns: Vec<_> = COLUMNS.iter().map(|column| format!("\"{}\" {}", column.name, column.data_type)).collect();
    format!("CREATE TABLE {name} (id integer PRIMARY KEY, {});", columns.join(", "))
}

const ROWS: usize = 90;

/// The rows of a table: each value of each column beside varied others.
pub fn fill(name: &str, awkward: bool) -> String {
    let row = |row: usize| {
        let values: Vec<&str> = COLUMNS.iter().enumerate().map(|(at, column)| column.value(row, at, awkward)).collect();
        format!("INSERT INTO {name} VALUES ({row}, {});", values.join(", "))
    };
    (0..ROWS).map(row).collect::<Vec<_>>().concat()
}

impl Column {
    fn value(&self, row: usize, at: usize, awkward: bool) -> &'static str {
        let awkward = if awkward { self.awkward } else { &[] };
        let count = self.ordinary.len() + awkward.len() + 1;
        // Every value of the column comes in order, then at random beside the others.
        let drawn = (row * 31 + at * 17 + row / 7 * (at + 3) + row * row * (2 * at + 1) / 5) % count;
        let place = if row < count { (row + at) % count } else { drawn };
        match place.checked_sub(1) {
            None => "NULL",
            Some(place) => self.ordinary.iter().chain(awkward).nth(place).expect("a value"),
        }
    }
}
