//! The examples of `docs/layouts.md`, of every format, in memory: the file gives the rows of the page, the rows give the file, and what is
//! written anew is read as the same rows.

#[path = "../../src/endpoint/files/layout/examples.rs"]
mod examples;

use self::examples::{Example, examples};
use whimbrel::endpoint::files::layout::{self, Format, MomentSpelling, ValueForm};
use whimbrel::endpoint::files::weave::{FileFacts, Part, Piece, Row, Rows, Weaver, spelled};
use whimbrel::value::Cell;

/// The rows as the page has them.
fn told(weaver: &Weaver<'_>, rows: &Rows<'_>) -> Vec<serde_json::Value> {
    let value = |cell: &Cell<'_>, form: &ValueForm| match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Text(text) => text.as_ref().into(),
        // A moment is one whatever a file spells.
        Cell::TimestampTz(_) => {
            spelled(cell, &ValueForm::Moment(MomentSpelling::Rfc3339)).expect("a moment").into_owned().into()
        }
        Cell::Json(text) => serde_json::from_str(text).expect("JSON"),
        other => serde_json::from_str(&spelled(other, form).expect("a value")).expect("JSON"),
    };
    let row = |row: Row<'_, '_>| {
        let table = weaver.sets()[row.set].table;
        let cells = table.columns.iter().zip(row.cells);
        let cells: serde_json::Map<_, _> =
            cells.map(|(column, cell)| (column.name.clone(), value(cell, &column.form))).collect();
        serde_json::json!({ table.name.as_str(): cells })
    };
    rows.iter().map(row).collect()
}

#[test]
fn the_examples_of_the_page_go_both_ways() {
    let mut tried = 0;
    for Example { heading, layout: said, path, file, rows } in examples() {
        let layout = layout::read("the page", &said).unwrap_or_else(|error| panic!("{heading}: {error}"));
        let kind = &layout.kinds[0];
        // A SQLite file is told by the statements that make it, and is no text; `page.rs` migrates it.
        if kind.format == Format::Sqlite {
            continue;
        }
        tried += 1;
        let weaver = Weaver::new(&layout, kind).expect("a kind");
        let values = kind.path.read(&path).expect("its path");
        let captures: Vec<(&str, &str)> =
            kind.path.captures().iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
        let facts = FileFacts { path: &path, captures: &captures, ..FileFacts::default() };
        // The page's last line end belongs to the block, not to the file.
        let bytes = if kind.style.final_newline { file.as_str() } else { file.trim_end_matches('\n') };
        let piece = Piece::whole(bytes.as_bytes());
        let found = weaver.unweave(&facts, &piece).unwrap_or_else(|flaw| panic!("{heading}: {flaw:?}"));
        let expected: Vec<serde_json::Value> =
            rows.lines().map(|row| serde_json::from_str(row).expect("a row is JSON")).collect();
        assert_eq!(told(&weaver, &found), expected, "{heading}");
        assert_eq!(weaver.weave(&facts, &piece, &found).expect("a text"), bytes.as_bytes(), "{heading}");
        let fresh = weaver.fresh(&facts, Part::WHOLE, &found).expect("a text");
        let again = weaver.unweave(&facts, &Piece::whole(&fresh)).expect("what is written is read");
        assert_eq!(told(&weaver, &again), expected, "{heading}");
    }
    assert_eq!(tried, 6);
}
