//! The test vectors of DESIGN.md: the document says what the encoding is, and this holds the program to it.

use super::{Cell, RowHasher, Sign, Stored, TableDigest};
use std::borrow::Cow;

const DOCUMENT: &str = include_str!("../../DESIGN.md");

fn text(value: &'static str) -> Cow<'static, str> {
    Cow::Borrowed(value)
}

fn decimal(value: &str) -> Cell<'static> {
    Cell::Decimal(value.parse().unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cells() -> Vec<(&'static str, Cell<'static>)> {
    vec![
        ("NULL", Cell::Null),
        ("false", Cell::Bool(false)),
        ("true", Cell::Bool(true)),
        ("integer 1", Cell::Int(1)),
        ("integer -2", Cell::Int(-2)),
        ("double 1.5", Cell::Float(1.5)),
        ("double -0.0", Cell::Float(-0.0)),
        ("double NaN", Cell::Float(f64::NAN)),
        ("numeric 0", decimal("0")),
        ("numeric 12.50", decimal("12.50")),
        ("numeric -0.001", decimal("-0.001")),
        ("numeric NaN", Cell::Decimal(super::Decimal::special(Sign::NaN))),
        ("text ''", Cell::Text(text(""))),
        ("text 'aé'", Cell::Text(text("aé"))),
        ("bytea \\x00ff", Cell::Bytes(Cow::Borrowed(&[0x00, 0xff]))),
        (
            "uuid 00112233-4455-6677-8899-aabbccddeeff",
            Cell::Uuid(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes()),
        ),
        ("date 2000-01-02", Cell::Date(1)),
        ("timestamp 1999-12-31 23:59:59.999999", Cell::Timestamp(-1)),
        ("timestamptz 2000-01-01 00:00:01+00", Cell::TimestampTz(1_000_000)),
        ("json [1, 2]", Cell::Json(text("[1, 2]"))),
        ("interval 1 day", Cell::Native(text("1 day"))),
        ("a target's INTEGER 1 that the rule cannot have written", Cell::Foreign(Stored::Integer(1))),
    ]
}

#[test]
fn every_cell_is_encoded_as_the_document_says() {
    for (name, cell) in cells() {
        let mut bytes = Vec::new();
        cell.encode(&mut bytes);
        let line = format!("| {name} | `{}` |", hex(&bytes));
        assert!(DOCUMENT.contains(&line), "DESIGN.md has no line\n{line}");
    }
}

#[test]
fn rows_and_tables_have_the_documented_digests() {
    let rows = [[Cell::Int(1), Cell::Text(text("a"))], [Cell::Int(2), Cell::Null]];
    let mut table = TableDigest::default();
    let mut hasher = RowHasher::default();
    for row in &rows {
        row.iter().for_each(|cell| hasher.cell(cell));
        let hash = hasher.finish();
        let line = format!("`{hash:032x}`");
        assert!(DOCUMENT.contains(&line), "DESIGN.md has no {line}");
        table.add(hash);
    }
    let line = format!("2 rows, `{table}`");
    assert!(DOCUMENT.contains(&line), "DESIGN.md has no {line}");
}
