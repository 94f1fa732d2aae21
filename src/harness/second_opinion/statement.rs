//! The SQL that lets the server turn stored texts back into its types and compare them with a table of its own.
//!
//! Invariant: where a rule stores the server's own text, that text is compared as it stands; every other form is
//! turned back by an expression first. Equal output text is at least as strict as `IS NOT DISTINCT FROM`: it tells
//! 1.0 from 1.00, -0 from 0, and the case of citext, and types without an equality have it too. Where a type's text
//! would hide a difference of what is stored (a `real` in a double, a decimal of fixed scale), a second pair of texts
//! is compared beside it.

use super::opinion::SHOWN_MAX;
use crate::catalog::{DataType, Shape, TableKind};
use crate::plan::{ColumnPlan, TablePlan};
use crate::quote::quote;
use crate::types::{Representation, TextForm, TimeUnit};

/// The temporary table that holds the stored values of all tables of a file.
pub const STORED_TABLE: &str = "pg_temp.whimbrel_opinion";

/// More columns than this, and the temporary table could not be made.
pub const COLUMNS_MAX: usize = 1500;

/// Creates the temporary table, for tables of at most `width` columns: the table's number, the row's, the places of
/// the values for which the ledger's text stands (`,1,7,`), and the values.
pub fn create_stored(width: usize) -> String {
    let columns: String = (0..width).map(|place| format!(", c{place} text")).collect();
    format!("CREATE TEMP TABLE whimbrel_opinion (t integer, r bigint, k text{columns}) ON COMMIT DROP;")
}

/// The statement that takes the stored values.
pub fn copy_stored(width: usize) -> String {
    let columns: String = (0..width).map(|place| format!(", c{place}")).collect();
    format!("COPY {STORED_TABLE} (t, r, k{columns}) FROM STDIN (FORMAT binary)")
}

/// One comparison: the server's text of its own value and of the stored one, and whose they are.
struct Pair {
    column: usize,
    source: String,
    stored: String,
}

/// How values that cannot be read are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// The statement fails with the first of them; this is the fast way.
    None,
    /// Each is a difference of its own.
    EachValue,
}

/// The comparison of one table.
pub struct Comparison {
    /// A row `counts` with the rows that both sides have, those that differ and those of the source; then the first
    /// rows that differ, with what is the matter, the row's number, and both sides' texts as JSON arrays.
    pub sql: String,
    /// Which column each text of those arrays belongs to.
    pub columns: Vec<usize>,
}

/// Whether comparing the table calls the functions of `back.sql` even without care.
pub fn needs_functions(table: &TablePlan) -> bool {
    table
        .columns
        .iter()
        .any(|column| matches!(column.representation, Representation::Text(TextForm::JsonArray | TextForm::JsonObject)))
}

/// The comparison of the table of that number; `kept` tells the columns that have entries in the ledger.
pub fn compare(number: usize, table: &TablePlan, kept: &[bool], care: Care) -> Comparison {
    let pairs = pairs(table, kept, care);
    let columns = pairs.iter().map(|pair| pair.column).collect();
    let list = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| format!(", {text}")).collect::<String>();
    // One collation on both sides: the columns' own could be of two minds, or take different texts for equal.
    let sources =
        list(&mut pairs.iter().enumerate().map(|(i, pair)| format!("({}) COLLATE \"C\" AS s{i}", pair.source)));
    let stored =
        list(&mut pairs.iter().enumerate().map(|(i, pair)| format!("({}) COLLATE \"C\" AS t{i}", pair.stored)));
    let only = if table.kind == TableKind::Ordinary { "ONLY " } else { "" };
    let name = format!("{}.{}", quote(&table.source.schema), quote(&table.source.name));
    let array = |side: char| {
        let texts: Vec<_> = (0..pairs.len()).map(|i| format!("{side}{i}")).collect();
        format!("to_json(ARRAY[{}]::text[])::text", texts.join(", "))
    };
    let (source_array, stored_array) = (array('s'), array('t'));
    let sides = format!(
        "WITH s AS MATERIALIZED (SELECT true AS here{sources} FROM {only}{name} AS x),
         t AS MATERIALIZED (SELECT o.r{stored} FROM {STORED_TABLE} AS o WHERE o.t = {number})"
    );
    let sql = if table.key.is_empty() {
        let all = |side: char| list(&mut (0..pairs.len()).map(|i| format!("{side}{i}")));
        let (s, t) = (all('s'), all('t'));
        format!(
            "{sides},
             missing AS MATERIALIZED (SELECT 1{s} FROM s EXCEPT ALL SELECT 1{t} FROM t),
             surplus AS MATERIALIZED (SELECT 1{t} FROM t EXCEPT ALL SELECT 1{s} FROM s)
             SELECT '{number}', 'counts', ((SELECT count(*) FROM t) - (SELECT count(*) FROM surplus))::text,
               ((SELECT count(*) FROM missing) + (SELECT count(*) FROM surplus))::text,
               (SELECT count(*) FROM s)::text
             UNION ALL (SELECT '{number}', 'missing', NULL, {source_array}, NULL FROM missing LIMIT {SHOWN_MAX})
             UNION ALL (SELECT '{number}', 'surplus', NULL, NULL, {stored_array} FROM surplus LIMIT {SHOWN_MAX});\n"
        )
    } else {
        let key = |place: usize| pairs.iter().position(|pair| pair.column == place).unwrap_or(0);
        let matched: Vec<_> = table.key.iter().map(|place| format!("s{0} = t{0}", key(*place))).collect();
        let differs: String = (0..pairs.len()).map(|i| format!(" OR s{i} IS DISTINCT FROM t{i}")).collect();
        format!(
            "{sides},
             j AS MATERIALIZED (SELECT *, (here IS NULL OR r IS NULL{differs}) AS differs
               FROM s FULL JOIN t ON {})
             SELECT '{number}', 'counts', (count(*) FILTER (WHERE here AND r IS NOT NULL))::text,
               (count(*) FILTER (WHERE differs))::text, (count(*) FILTER (WHERE here))::text FROM j
             UNION ALL (SELECT '{number}', CASE WHEN r IS NULL THEN 'missing' WHEN here IS NULL THEN 'surplus'
               ELSE 'changed' END, r::text, {source_array}, {stored_array}
               FROM j WHERE differs ORDER BY r LIMIT {SHOWN_MAX});\n",
            matched.join(" AND ")
        )
    };
    Comparison { sql, columns }
}

fn pairs(table: &TablePlan, kept: &[bool], care: Care) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::with_capacity(table.columns.len());
    let mut beside = Vec::new();
    for (place, column) in table.columns.iter().enumerate() {
        let (own, stored) = (format!("x.{}", quote(&column.source)), format!("o.c{place}"));
        let back = match back(column) {
            Some(expression) => guarded(&expression, &stored, care),
            None => stored.clone(),
        };
        let told = match kept.get(place) {
            // What the ledger keeps is the source's exact text and needs no way back.
            Some(true) => format!("CASE WHEN o.k LIKE '%,{place},%' THEN {stored} ELSE {back} END"),
            _ => back,
        };
        pairs.push(Pair { column: place, source: own_text(column, &own), stored: told });
        if matches!(column.representation, Representation::Real | Representation::DecimalReal) {
            let wide = output("{}::float8");
            // The ledger's text is a number, too, and as a double it is the source's. A `real` is read as itself: its
            // text would be another double. A decimal may be beyond all doubles.
            let source = match column.representation {
                Representation::Real => wide.replace("{}", &own),
                _ if care == Care::None => wide.replace("{}", &own),
                _ => guarded(&wide, &output_of(&own), care),
            };
            beside.push(Pair { column: place, source, stored: guarded(&wide, &stored, care) });
        }
    }
    pairs.extend(beside);
    pairs
}

/// The source's text of its own value: what the type's output function writes. A cast to text is a function of its own
/// for some types (boolean, inet, `char`), so it is not asked for.
fn own_text(column: &ColumnPlan, own: &str) -> String {
    match (base(&column.shape), column.representation) {
        // A type with a length pads with blanks; the target does not hold them.
        (Shape::Char { length: Some(_) }, Representation::Text(TextForm::Plain | TextForm::Nocase)) => {
            format!("rtrim({}, ' ')", output_of(own))
        }
        _ => output_of(own),
    }
}

/// The output function's text. A composite value whose fields are all NULL is not NULL, but `IS NULL` says so.
fn output_of(value: &str) -> String {
    format!("CASE WHEN num_nulls({value}) = 0 THEN format('%s', {value}) END")
}

fn output(value: &str) -> String {
    format!("CASE WHEN {{}} IS NOT NULL THEN format('%s', {value}) END")
}

/// An expression over `{}`, at work on a stored text.
fn guarded(expression: &str, stored: &str, care: Care) -> String {
    match care {
        Care::None => expression.replace("{}", stored),
        Care::EachValue => {
            let over_argument = expression.replace("{}", "$1").replace('\'', "''");
            format!("pg_temp.attempt('{over_argument}', {stored})")
        }
    }
}

/// The expression over `{}`, the stored text, that gives the text of the value for which it stands; `None` where the
/// rule stores that text itself.
fn back(column: &ColumnPlan) -> Option<String> {
    let shape = base(&column.shape);
    let value = match column.representation {
        Representation::Integer
        | Representation::DecimalInteger
        | Representation::Text(TextForm::Decimal | TextForm::Plain | TextForm::Nocase)
        | Representation::Blob
        | Representation::Text(TextForm::Uuid | TextForm::Iso8601 | TextForm::Json | TextForm::Server) => return None,
        // No other number stands for a truth value.
        Representation::Boolean => return Some("CASE {} WHEN '1' THEN 't' WHEN '0' THEN 'f' ELSE {} END".into()),
        Representation::Real => format!("{{}}::float8::{}", column.type_name),
        Representation::DecimalReal => format!("{{}}::numeric::{}", column.type_name),
        Representation::UuidBlob => "substr({}, 3)::uuid".into(),
        Representation::Epoch(TimeUnit::Seconds) => return Some(epoch(shape, 1_000_000)),
        Representation::Epoch(TimeUnit::Millis) => return Some(epoch(shape, 1_000)),
        Representation::Epoch(TimeUnit::Micros) => return Some(epoch(shape, 1)),
        Representation::Text(TextForm::Iso8601T) => match shape {
            Shape::TimestampTz { .. } => "{}::timestamptz".into(),
            Shape::Timestamp { .. } => "{}::timestamp".into(),
            _ => "{}::date".into(),
        },
        Representation::Text(TextForm::JsonArray | TextForm::JsonObject) => {
            let name = without_modifiers(&column.type_name, &column.shape);
            let literal = name.replace('\'', "''");
            // JSON's null is no value, and nothing that a rule stores.
            return Some(format!(
                "CASE WHEN {{}} = 'null' THEN 'JSON null' WHEN {{}} IS NOT NULL
                  THEN format('%s', pg_temp.whole({{}}, '{literal}'::regtype)::{name}) END"
            ));
        }
    };
    Some(output(&value))
}

/// The text of a time that is stored as an integer of so many microseconds since 1970-01-01.
fn epoch(shape: &Shape, unit_micros: i64) -> String {
    let units_per_day = 86_400_000_000 / unit_micros;
    let value = match shape {
        // A date that is not the start of its day is not what was stored.
        Shape::Date => format!(
            "CASE WHEN {{}}::bigint % {units_per_day} = 0
              THEN (date '1970-01-01' + ({{}}::bigint / {units_per_day})::integer)::text
              ELSE {{}} || ' is within a day' END"
        ),
        _ => {
            let zone = if matches!(shape, Shape::TimestampTz { .. }) { "timestamptz" } else { "timestamp" };
            format!(
                "format('%s', {zone} '1970-01-01 00:00:00'
                  + make_interval(days => ({{}}::bigint / {units_per_day})::integer)
                  + ({{}}::bigint % {units_per_day}) * {unit_micros} * interval '1 microsecond')"
            )
        }
    };
    format!(
        "CASE WHEN {{}} = '{}' THEN 'infinity' WHEN {{}} = '{}' THEN '-infinity' WHEN {{}} IS NOT NULL THEN {value} END",
        i64::MAX,
        i64::MIN
    )
}

fn base(shape: &Shape) -> &Shape {
    match shape {
        Shape::Domain(domain) => base(&domain.base.shape),
        _ => shape,
    }
}

/// A type's name without lengths and precisions, so that a cast does not round away what differs.
fn without_modifiers(name: &str, shape: &Shape) -> String {
    let of = |data_type: &DataType| without_modifiers(&data_type.name, &data_type.shape);
    match shape {
        Shape::Array { element, .. } if name.ends_with("[]") => format!("{}[]", of(element)),
        Shape::Numeric { .. } => "numeric".into(),
        Shape::VarChar { .. } => "varchar".into(),
        Shape::Char { .. } => "bpchar".into(),
        Shape::Timestamp { .. } => "timestamp".into(),
        Shape::TimestampTz { .. } => "timestamptz".into(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(type_name: &str, shape: Shape, rule: Representation) -> ColumnPlan {
        ColumnPlan {
            source: "c".into(),
            target: "c".into(),
            type_name: type_name.into(),
            shape,
            representation: rule,
            remainder: None,
            not_null: false,
            computed: false,
            whole_as_integer: false,
        }
    }

    #[test]
    fn a_number_of_days_is_a_date_and_part_of_a_day_is_none() {
        let expression = back(&column("date", Shape::Date, Representation::Epoch(TimeUnit::Seconds))).unwrap();
        assert!(expression.contains("% 86400 = 0"), "{expression}");
        assert!(expression.contains("'9223372036854775807' THEN 'infinity'"), "{expression}");
    }

    #[test]
    fn a_cast_does_not_round_what_differs_inside_an_array() {
        let numeric = DataType::new("numeric(10,2)", Shape::Numeric { precision_and_scale: Some((10, 2)) });
        let array = Shape::Array { element: Box::new(numeric), delimiter: ',' };
        assert_eq!(without_modifiers("numeric(10,2)[]", &array), "numeric[]");
        let expression = back(&column("numeric(10,2)[]", array, Representation::Text(TextForm::JsonArray))).unwrap();
        assert!(expression.contains("'numeric[]'::regtype"), "{expression}");
    }

    #[test]
    fn with_care_every_value_is_tried_alone() {
        let expression = guarded("format('%s', {}::float8)", "o.c1", Care::EachValue);
        assert_eq!(expression, "pg_temp.attempt('format(''%s'', $1::float8)', o.c1)");
    }
}
