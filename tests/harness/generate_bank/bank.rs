//! The bank: types, and what people check of them. `{c}` is the column.

/// What the bank's columns need.
pub const TYPES: &str = "
    CREATE EXTENSION IF NOT EXISTS citext;
    CREATE DOMAIN code AS text;
    CREATE DOMAIN zip AS char(5);
    CREATE DOMAIN amount AS numeric(10,2);
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
    CREATE TYPE place AS (x integer, name text);
";

/// Types that cannot be in a unique key.
pub const WITHOUT_EQUALITY: &[&str] = &["json", "xml", "point", "box"];

/// Types, and the checks of a column of each of them.
pub const SINGLE: &[(&[&str], &[&str])] = &[
    (&["char(5)", "varchar(12)", "text", "citext", "code", "zip", "char(12)", "name", "text COLLATE \"C\""], TEXT),
    (&["char(5)", "varchar(12)", "text", "citext", "code", "zip", "name", "text COLLATE \"C\""], WHOLE),
    (&["text", "varchar(300)", "char(300)", "citext"], LONGER),
    (&["char(1)", "char(2)", "char(3)", "varchar(3)"], SHORT),
    (
        &[
            "smallint",
            "integer",
            "bigint",
            "numeric",
            "numeric(8)",
            "numeric(10,2)",
            "amount",
            "real",
            "double precision",
        ],
        NUMBER,
    ),
    (&["smallint", "integer", "bigint", "numeric(8)", "real"], &["{c}::text ~ '^[0-9]{4}$'", "length({c}::text) = 4"]),
    (&["integer", "bigint"], INTEGER),
    (&["numeric(10,4)", "double precision", "numeric"], FRACTION),
    (&["money"], &["{c} > 0::money", "{c}::numeric BETWEEN 0 AND 100", "{c} >= '$1.00'"]),
    (&["date", "timestamp", "timestamptz", "timestamp(0)"], MOMENT),
    (&["timestamp", "timestamptz(3)"], CLOCK),
    (&["time", "time(0)"], TIME),
    (&["timetz"], &["{c} >= '08:00+00'", "extract(hour FROM {c}) < 12"]),
    (&["interval"], INTERVAL),
    (&["boolean"], &["{c}", "{c} IS TRUE", "{c} = true", "NOT {c}", "{c} IS NOT NULL", "{c} IN (true, false)"]),
    (
        &["mood"],
        &["{c} <> 'sad'", "{c} IN ('ok', 'glad')", "{c} > 'sad'", "{c}::text LIKE 'g%'", "length({c}::text) = 2"],
    ),
    (&["uuid"], UUID),
    (&["inet", "cidr"], ADDRESS),
    (&["macaddr"], &["{c} > '00:00:00:00:00:10'", "{c}::text LIKE '08:%'"]),
    (&["bytea"], BYTES),
    (&["bit(8)", "varbit(8)"], BITS),
    (&["integer[]", "bigint[]", "numeric[]"], NUMBERS),
    (&["text[]"], TEXTS),
    (&["jsonb"], JSONB),
    (
        &["json"],
        &[
            "json_typeof({c}) = 'object'",
            "json_array_length({c}) > 0",
            "{c} ->> 'id' IS NOT NULL",
            "length({c}::text) < 200",
        ],
    ),
    (&["int4range", "numrange"], RANGE),
    (
        &["daterange", "tstzrange"],
        &["NOT isempty({c})", "lower({c}) IS NOT NULL AND upper({c}) IS NOT NULL", "lower_inc({c})"],
    ),
    (&["place"], &["({c}).x > 0", "({c}).name <> ''", "({c}).x IS NOT NULL"]),
];

const TEXT: &[&str] = &[
    "{c} ~ '^[A-Z]{2}[0-9]{3}'",
    "{c} ~ '^[A-Z]'",
    "{c} ~ '[0-9]'",
    "{c} ~* '^[a-f]{5}'",
    "{c} !~* '[a-f]'",
    "{c} LIKE 'AB%'",
    "{c} LIKE '%b%'",
    "{c} NOT LIKE '%x%'",
    "{c} LIKE 'a_c%' OR {c} LIKE 'b%'",
    "{c} SIMILAR TO '(a|b){5}%'",
    "{c} IN ('aaaaa', 'bbbbb', 'ccccc')",
    "{c} IN ('a', 'bb', 'ccc')",
    "{c} = 'aaaaa' OR {c} = 'bbbbb'",
    "{c} NOT IN ('aaaaa', 'bbbbb')",
    "{c} <> ''",
    "length({c}) = 5",
    "char_length({c}) BETWEEN 3 AND 5",
    "octet_length({c}::text) <= 5",
    "length(trim({c})) > 0",
    "trim({c}) <> ''",
    "btrim({c}) = {c}",
    "lower({c}) = {c}",
    "{c} = upper({c})",
    "{c} = upper({c}) AND length({c}) = 3",
    "{c} BETWEEN 'a' AND 'f'",
    "{c} >= 'm'",
    "{c} > 'b' AND {c} < 'p' AND length({c}) >= 2",
    "{c} ~ '^[a-z]' AND {c} ~ '[0-9]'",
    "{c} ~ '^[a-z0-9]+' AND {c} !~ '^[0-9]'",
    "{c} ~ '^[a-z]+' AND {c} NOT LIKE 'a%' AND length({c}) > 2",
    "{c} ~ '^(?=.*[0-9])(?=.*[a-z]).{5}'",
    "{c} ~ '^(?!admin)[a-z]{5}'",
    "{c} ~ '^([a-z])\\1[0-9]{3}'",
    "{c} ~ '\\mab'",
    "{c} ~ '^\\d{5}'",
    "{c} ~ '^\\S+' AND {c} ~ '\\w'",
    "{c} ~ '[[:upper:]]' AND {c} ~ '[[:digit:]]'",
    "{c} ~ '^[[:alpha:]][[:alnum:]_]*'",
    "({c})::text ~ '^[0-9]{1,5}$'",
    "{c} ~ '^(foo|bar|baz)'",
    "{c} ~ '^[^@]+@[^@]+'",
    "{c} LIKE '%@%'",
    "position('@' in {c}::text) > 1",
    "strpos({c}::text, '-') > 0",
    "left({c}::text, 2) IN ('DE', 'FR')",
    "substr({c}::text, 1, 2) = 'AB'",
    "substring({c}::text from 1 for 1) = upper(substring({c}::text from 1 for 1))",
    "split_part({c}::text, '-', 1) <> ''",
    "starts_with({c}::text, 'a')",
    "{c}::text ^@ 'ab'",
    "{c} ~ '^.{5}'",
    "{c} IS NOT NULL AND {c} ~ '^[a-c]'",
    "{c} IS NULL OR {c} ~ '^[a-c]{2}'",
    "length({c}) % 2 = 1",
    "ascii({c}::text) BETWEEN 97 AND 122",
    "NOT ({c} ~ '^[0-9]')",
    "reverse({c}::text) LIKE '1%'",
    "regexp_replace({c}::text, '[0-9]', '', 'g') = ''",
    "translate({c}::text, '0123456789', '') = ''",
    "{c}::text = lower({c}::text) AND {c} ~ '^[a-z]{3}'",
];

/// Only of a `char(n)` of five characters: patterns see the blanks that fill a longer one.
const WHOLE: &[&str] = &[
    "{c} ~ '^[0-9]{5}$'",
    "{c} !~ '[^0-9]' AND length({c}) = 5",
    "{c} LIKE '_____'",
    "{c} ILIKE 'ab___'",
    "{c} ~ '^[0-9]{5}$' AND {c} <> '00000'",
    "{c} ~ '^[0-9]{5}$' AND ({c})::text::integer BETWEEN 1000 AND 99950",
    "{c} ~ '^[A-Z]{5}$' COLLATE \"C\"",
    "{c} ~ '^[0-9]{5}$' OR {c} = 'never'",
];

const LONGER: &[&str] = &[
    "{c} ~ '^[^@]+@[^@]+\\.[^@ ]+'",
    "{c} ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*'",
    "{c} ~* '^[A-Z0-9._%+-]+@[A-Z0-9.-]+\\.[A-Z]{2,4}'",
    "{c} LIKE '%_@__%.__%'",
    "{c} ~ '^#[0-9a-fA-F]{6}'",
    "{c} ~ '^\\+[1-9]\\d{1,14}'",
    "{c} ~ '^[a-z0-9]+(?:-[a-z0-9]+)*'",
    "{c} ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'",
    "{c} ~ '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])'",
    "{c} ~ '^(\\d+)\\.(\\d+)\\.(\\d+)(-[0-9A-Za-z.-]+)?'",
    "{c} ~ '^((25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1?\\d?\\d)'",
    "{c} ~ '^https?://[^ ]+'",
    "{c} ~ '^[0-9a-f]{64}'",
    "{c} ~ '^[A-Z]{2}\\d{2}[A-Z0-9]{11,30}'",
    "length({c}) BETWEEN 100 AND 200",
    "char_length({c}) >= 50 AND {c} ~ '^[a-z]'",
    "{c} ~ '^(?=.*[A-Z])(?=.*[a-z])(?=.*\\d).{8,}'",
    "{c} !~ '\\s' AND length({c}) >= 8",
    "array_length(string_to_array({c}::text, ','), 1) = 3",
];

const SHORT: &[&str] = &[
    "{c} ~ '^[A-Z]+'",
    "{c} IN ('M', 'F', 'X')",
    "{c} = upper({c})",
    "{c} ~ '^[A-Z]{1,3}$'",
    "{c} <> ''",
    "length({c}) = 1",
    "{c} >= 'A' AND {c} <= 'Z'",
    "{c} = ANY (ARRAY['a', 'b'])",
    "{c} LIKE 'a%'",
];

const NUMBER: &[&str] = &[
    "{c} > 0",
    "{c} >= 0",
    "{c} BETWEEN 1 AND 100",
    "{c} < 10",
    "{c} <> 0",
    "{c} IN (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)",
    "{c} = ANY (ARRAY[1, 2, 3])",
    "{c} > 0 AND {c} < 50",
    "{c} BETWEEN -90 AND 90",
    "{c} BETWEEN 1 AND 10 OR {c} BETWEEN 20 AND 30",
    "NOT ({c} BETWEEN 5 AND 10)",
    "{c} NOT IN (13, 17)",
    "{c} = round({c})",
    "{c} = floor({c}::numeric)",
    "abs({c}) < 100",
    "abs({c}) > 100",
    "{c} * 2 < 100",
    "{c} + 1 > 5",
    "{c} - 10 >= 0",
    "10 < {c}",
    "sqrt({c}) > 2",
    "100 / {c} > 3",
    "sign({c}) = 1",
    "{c}::text LIKE '1%'",
    "{c} > 20000",
    "{c} < -1000",
    "least({c}, 10) = 10",
    "{c} IS NULL OR {c} > 5",
    "coalesce({c}, 0) >= 0",
    "({c} > 5) IS TRUE",
    "width_bucket({c}::numeric, 0, 100, 10) = 4",
    "log({c}::numeric) < 3",
];

const INTEGER: &[&str] = &[
    "{c} % 2 = 0",
    "{c} % 10 = 0",
    "mod({c}, 5) = 0 AND {c} > 0",
    "{c} & 7 = 1",
    "{c} & ({c} - 1) = 0 AND {c} > 0",
    "{c} > 1000000000",
    "{c} % 97 = 3",
    "{c} BETWEEN 19000101 AND 20991231 AND {c} % 100 BETWEEN 1 AND 31",
    "to_date({c}::text, 'YYYYMMDD') > '1900-01-01' AND {c} BETWEEN 19000101 AND 20991231",
    "{c} >> 4 = 3",
    "{c} <> 0 AND 1000 % {c} = 0",
];

const FRACTION: &[&str] = &[
    "{c} > 0 AND {c} < 1",
    "{c} BETWEEN 0 AND 1",
    "{c} = round({c}::numeric, 2)",
    "{c}::numeric % 0.05 = 0",
    "{c} <> 'NaN'",
    "{c} BETWEEN 0.1 AND 0.2",
    "{c} * 4 = floor({c} * 4)",
    "trunc({c}::numeric) = {c}::numeric AND {c} > 0",
];

const MOMENT: &[&str] = &[
    "{c} > '2020-01-01'",
    "{c} BETWEEN '2024-01-01' AND '2024-12-31'",
    "{c} >= '1900-01-01' AND {c} < '2100-01-01'",
    "{c} <= CURRENT_DATE",
    "{c} > now()",
    "extract(year FROM {c}) = 2024",
    "extract(dow FROM {c}) BETWEEN 1 AND 5",
    "extract(day FROM {c}) = 1",
    "date_part('month', {c}) = 12",
    "date_trunc('month', {c}) = {c}",
    "{c} <> 'infinity'",
    "isfinite({c})",
    "{c}::date = {c}",
    "to_char({c}, 'YYYY') = '2024'",
    "{c}::date IN ('2024-01-01', '2025-01-01')",
    "age({c}) > '1 year'",
    "{c} > '2020-01-01'::date + 30",
];

const CLOCK: &[&str] = &[
    "date_trunc('day', {c}) = {c}",
    "date_trunc('second', {c}) = {c}",
    "extract(second FROM {c}) = 0",
    "{c}::time BETWEEN '08:00' AND '18:00'",
    "extract(hour FROM {c}) BETWEEN 9 AND 17",
];

const TIME: &[&str] = &[
    "{c} BETWEEN '08:00' AND '18:00'",
    "{c} > '12:00'",
    "extract(minute FROM {c}) = 0",
    "extract(minute FROM {c}) IN (0, 15, 30, 45) AND extract(second FROM {c}) = 0",
    "date_trunc('minute', {c}::interval) = {c}::interval",
    "{c} <> '24:00'",
];

const INTERVAL: &[&str] = &[
    "{c} > '0'",
    "{c} >= interval '0 seconds'",
    "{c} BETWEEN '1 hour' AND '1 day'",
    "extract(epoch FROM {c}) > 0",
    "extract(epoch FROM {c})::bigint % 60 = 0",
    "{c} < '30 days'",
    "{c} IN ('1 day', '7 days', '1 mon')",
    "justify_hours({c}) = {c}",
];

const UUID: &[&str] = &[
    "{c} <> '00000000-0000-0000-0000-000000000000'",
    "{c}::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4'",
    "{c}::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7'",
    "{c} > '10000000-0000-0000-0000-000000000000'",
    "substr({c}::text, 1, 1) = 'a'",
    "{c}::text LIKE 'ab%'",
];

const ADDRESS: &[&str] = &[
    "family({c}) = 4",
    "family({c}) = 6",
    "masklen({c}) = 32",
    "masklen({c}) = 24",
    "{c} << '10.0.0.0/8'",
    "{c} <<= '192.168.0.0/16'",
    "host({c}) LIKE '10.%'",
    "{c} <> '0.0.0.0'",
    "NOT {c} <<= '127.0.0.0/8'",
    "{c} BETWEEN '10.0.0.0' AND '10.0.255.255'",
    "{c}::text ~ '^192\\.168\\.'",
];

const BYTES: &[&str] = &[
    "octet_length({c}) = 16",
    "length({c}) <= 32",
    "octet_length({c}) BETWEEN 20 AND 64",
    "octet_length({c}) IN (16, 24, 32)",
    "get_byte({c}, 0) = 1",
    "encode({c}, 'hex') ~ '^[0-9a-f]{32}$'",
    "substring({c} from 1 for 1) = '\\x1f'",
    "{c} <> ''",
    "octet_length({c}) % 16 = 0",
];

const BITS: &[&str] = &[
    "{c} <> B'00000000'",
    "{c} & B'00000001' = B'00000001'",
    "length({c}) = 8",
    "get_bit({c}, 0) = 1",
    "position(B'11' in {c}) > 0",
];

const NUMBERS: &[&str] = &[
    "cardinality({c}) > 0",
    "array_length({c}, 1) = 3",
    "array_length({c}, 1) <= 3",
    "cardinality({c}) BETWEEN 1 AND 5",
    "array_position({c}, NULL) IS NULL",
    "{c} <> '{}'",
    "0 < ALL ({c})",
    "{c} <@ ARRAY[1, 2, 3]::{t}",
    "array_ndims({c}) = 1",
    "1 = ANY ({c})",
    "{c} && ARRAY[1, 2]::{t}",
    "{c}[1] > 0",
    "{c}[1] <= {c}[2]",
    "cardinality({c}) = 7",
];

const TEXTS: &[&str] = &[
    "cardinality({c}) > 0",
    "array_length({c}, 1) = 2",
    "{c} <@ ARRAY['red', 'green', 'blue']::{t}",
    "array_position({c}, NULL) IS NULL",
    "'' <> ALL ({c})",
    "'red' = ANY ({c})",
    "array_to_string({c}, ',') <> ''",
    "length({c}[1]) > 0",
];

const JSONB: &[&str] = &[
    "jsonb_typeof({c}) = 'object'",
    "jsonb_typeof({c}) = 'array'",
    "jsonb_typeof({c}) = 'string'",
    "jsonb_typeof({c}) IN ('object', 'array')",
    "{c} ? 'id'",
    "{c} ? 'kind'",
    "{c} ?& ARRAY['kind', 'size']",
    "{c} ->> 'kind' IN ('a', 'b')",
    "{c} ->> 'name' <> ''",
    "{c} <> '{}'",
    "jsonb_array_length({c}) > 0",
    "({c} ->> 'age')::integer > 0",
    "{c} @> '{\"a\": 1}'",
    "{c} @> '{\"kind\": \"x\"}' OR {c} @> '{\"kind\": \"y\"}'",
    "octet_length({c}::text) < 100",
    "jsonb_typeof({c} -> 'tags') = 'array'",
    "jsonb_typeof({c} -> 'lines') = 'array'",
    "jsonb_path_exists({c}, '$.id')",
    "{c} ? 'id' AND jsonb_typeof({c} -> 'id') = 'number'",
];

const RANGE: &[&str] = &[
    "NOT isempty({c})",
    "lower({c}) >= 0",
    "upper({c}) - lower({c}) < 100",
    "lower_inc({c})",
    "lower({c}) IS NOT NULL AND upper({c}) IS NOT NULL",
    "{c} <@ '[0,1000)'",
    "upper({c}) <= 100",
    "NOT lower_inf({c}) AND NOT upper_inf({c}) AND NOT isempty({c})",
];

/// Columns, and what is checked of them together.
pub const PAIRS: &[(&str, &str)] = &[
    ("a integer NOT NULL, b integer NOT NULL", "a < b"),
    ("a integer NOT NULL, b integer NOT NULL", "a + b = 100"),
    ("a integer NOT NULL, b integer NOT NULL", "a + b <= 100 AND a > 0 AND b > 0"),
    ("a integer NOT NULL, b integer NOT NULL", "b = a * 2"),
    ("a integer NOT NULL, b integer NOT NULL, c integer NOT NULL", "c = a + b"),
    ("a integer NOT NULL, b integer NOT NULL, c integer NOT NULL", "a < b AND b < c"),
    ("a numeric(10,2) NOT NULL, b numeric(10,2) NOT NULL, c numeric(12,2) NOT NULL", "c = a - b AND b >= 0 AND a > b"),
    ("a integer NOT NULL, b integer NOT NULL", "b BETWEEN a AND a + 10"),
    ("a date NOT NULL, b date NOT NULL", "a <= b AND b - a < 30"),
    ("a date NOT NULL, b date", "b IS NULL OR b >= a"),
    ("a timestamptz NOT NULL, b timestamptz NOT NULL", "b > a AND b - a < interval '1 day'"),
    ("a timestamptz NOT NULL, b timestamptz NOT NULL", "a::date = b::date"),
    ("a time NOT NULL, b time NOT NULL", "a < b"),
    ("a text NOT NULL, b text NOT NULL", "a <> b"),
    ("a text NOT NULL, b text NOT NULL", "a < b"),
    ("a text NOT NULL, b text NOT NULL", "b = lower(a)"),
    ("a text NOT NULL, b integer NOT NULL", "b = length(a)"),
    ("a text NOT NULL, b text NOT NULL", "b LIKE a || '%'"),
    ("a text NOT NULL, b text NOT NULL", "length(a) < length(b)"),
    ("a varchar(5) NOT NULL, b varchar(20) NOT NULL", "b = a || '-' || a"),
    ("a integer, b text", "num_nonnulls(a, b) = 1"),
    ("a integer, b text, c date", "num_nonnulls(a, b, c) = 1"),
    ("a integer, b text, c date", "num_nulls(a, b, c) IN (0, 3)"),
    ("kind text NOT NULL, v integer", "(kind = 'x') = (v IS NOT NULL)"),
    (
        "kind text NOT NULL, v integer, w text",
        "(kind = 'x' AND v IS NOT NULL AND w IS NULL) OR (kind = 'y' AND v IS NULL AND w IS NOT NULL)",
    ),
    ("kind text NOT NULL, v integer", "CASE kind WHEN 'low' THEN v < 10 WHEN 'high' THEN v > 100 ELSE false END"),
    (
        "kind char(1) NOT NULL, code varchar(8) NOT NULL",
        "(kind = 'A' AND code ~ '^[A-Z]{3}$') OR (kind = 'N' AND code ~ '^[0-9]{6}$')",
    ),
    ("state text NOT NULL, done timestamptz", "state <> 'done' OR done IS NOT NULL"),
    ("state text NOT NULL CHECK (state IN ('new', 'done')), done timestamptz", "(state = 'done') = (done IS NOT NULL)"),
    (
        "zip char(5) NOT NULL CHECK (zip ~ '^[0-9]{5}$'), state char(2) NOT NULL CHECK (state ~ '^[A-Z]{2}$')",
        "zip <> '00000'",
    ),
    ("zip char(10) NOT NULL, country char(2) NOT NULL", "country <> 'US' OR zip ~ '^[0-9]{5}'"),
    (
        "lat double precision NOT NULL, lon double precision NOT NULL",
        "lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180",
    ),
    ("low numeric NOT NULL, high numeric NOT NULL, at numeric NOT NULL", "at BETWEEN low AND high"),
    ("iban varchar(34) NOT NULL, country char(2) NOT NULL", "left(iban, 2) = country AND country ~ '^[A-Z]{2}$'"),
    (
        "width integer NOT NULL, height integer NOT NULL, area integer NOT NULL",
        "area = width * height AND width > 0 AND height > 0",
    ),
    ("a integer NOT NULL, b integer", "b IS NULL OR b % 7 = a % 7"),
    ("a jsonb NOT NULL, kind text NOT NULL", "a ->> 'kind' = kind"),
    ("id integer PRIMARY KEY, parent integer REFERENCES t_self", "parent <> id"),
    ("p integer[] NOT NULL, n integer NOT NULL", "cardinality(p) = n"),
    ("a char(5) NOT NULL, b char(5) NOT NULL", "a < b AND a ~ '^[0-9]{5}$' AND b ~ '^[0-9]{5}$'"),
    ("a char(3) PRIMARY KEY CHECK (a ~ '^[A-Z]{3}$'), b char(3) NOT NULL CHECK (b ~ '^[A-Z]{3}$')", "a <> b"),
];
