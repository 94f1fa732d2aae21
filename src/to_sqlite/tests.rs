//! The copy into a SQLite draft: rows at the limits of what SQLite takes.

use super::*;
use crate::catalog::{Catalog, Column, DataType, Deferrable, Dialect, Key, QualifiedName, Shape, Table, TableKind};
use crate::endpoint::sqlite::target::SqliteDraft;
use crate::endpoint::{Draft, Origin, ReadTable, RowSink, Target};
use crate::error::Error;
use crate::event::nobody;
use crate::plan;
use crate::plan::choices::Choices;
use crate::transfer::copy::{Copied, copy};
use crate::value::Cell;
use rusqlite::Connection;
use std::borrow::Cow;

const LIMIT: usize = 100_000;

/// Rows of one table.
struct Rows(Vec<Vec<Cell<'static>>>);

impl Source for Rows {
    fn label(&self) -> &str {
        "rows in memory"
    }

    fn catalog(&mut self) -> Result<Arc<Catalog>> {
        unreachable!("the plan is made")
    }

    fn read(&mut self, _: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        sink.begin(0)?;
        self.0.iter().try_for_each(|cells| sink.row(0, cells))?;
        sink.end(0)
    }
}

/// A table with a key `id`, a text `content` and a bytea `picture`.
fn catalog() -> Catalog {
    let column = |name: &str, spelling: &str, shape| Column {
        name: name.to_owned(),
        data_type: DataType::new(spelling, shape),
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        collation: None,
        comment: None,
    };
    let table = Table {
        name: QualifiedName::new("public", "files"),
        kind: TableKind::Ordinary,
        inherits: Vec::new(),
        has_heirs: false,
        columns: vec![
            column("id", "text", Shape::Text),
            column("content", "text", Shape::Text),
            column("picture", "bytea", Shape::Bytea),
        ],
        primary_key: Some(Key {
            name: "files_pkey".to_owned(),
            columns: vec!["id".to_owned()],
            nulls_not_distinct: false,
            deferrable: Deferrable::No,
            include: Vec::new(),
        }),
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        indexes: Vec::new(),
        comment: None,
        row_estimate: 0,
        size_bytes: 0,
    };
    Catalog {
        dialect: Dialect::default(),
        engine: "none".to_owned(),
        database: "copy".to_owned(),
        collations: Default::default(),
        encoding: "UTF8".to_owned(),
        tables: vec![table],
        views: Vec::new(),
        sequences: Vec::new(),
        others: Vec::new(),
        layout: None,
    }
}

fn plan() -> Plan {
    plan::plan(&catalog(), &Choices::default())
}

fn row(id: String, content: usize, picture: usize) -> Vec<Cell<'static>> {
    let content = Cell::Text(Cow::Owned("c".repeat(content)));
    vec![Cell::Text(Cow::Owned(id)), content, Cell::Bytes(Cow::Owned(vec![7; picture]))]
}

/// A draft in a folder.
fn draft(folder: &tempfile::TempDir, plan: &Arc<Plan>) -> SqliteDraft<'static, ()> {
    let target = SqliteTarget::new(folder.path().join("copy.db"), None, None);
    target.begin(plan, true, &Cancel::new()).unwrap()
}

/// Copies rows into a file whose rows have at most `LIMIT` bytes.
fn copied(rows: Vec<Vec<Cell<'static>>>) -> Result<Copied> {
    let (folder, plan) = (tempfile::tempdir().unwrap(), Arc::new(plan()));
    let mut draft = draft(&folder, &plan);
    draft.limit_row_bytes(LIMIT);
    let (mut copied, _) = copy(&mut Rows(rows), &plan, &mut draft, false, &Cancel::new(), &nobody)?;
    Ok(copied.remove(0))
}

fn refused(rows: Vec<Vec<Cell<'static>>>) -> Error {
    copied(rows).expect_err("a row beyond the limit")
}

#[test]
fn a_value_beyond_the_limit_is_named_before_sqlite_is_asked() {
    let error = refused(vec![row("a".into(), 5, 5), row("b".into(), LIMIT + 1, 5)]);
    assert_eq!(
        error.to_string(),
        "copy table `public.files`, row [\"b\"], column `content`: the value has 100001 bytes; SQLite takes 100000 at most"
    );
    let hint = error.way_out().unwrap();
    assert!(hint.contains("`drop.\"files.content\" = \"why\"`") && hint.contains("`--exclude-table files`"), "{hint}");
}

#[test]
fn a_row_beyond_the_limit_is_named_by_the_value_that_is_too_much() {
    let error = refused(vec![row("b".into(), LIMIT / 2, LIMIT / 2 + 1)]);
    assert!(error.object().ends_with("row [\"b\"], column `picture`"), "{error}");
    assert!(error.cause().contains("the row has more than 100000"), "{error}");
}

#[test]
fn a_row_at_the_limit_is_sqlites_to_refuse_and_reads_the_same() {
    // The record's own bytes are what is too much: texts and blobs alone would fit.
    let error = refused(vec![row("b".into(), 10, LIMIT - 11)]);
    assert!(error.object().ends_with("row [\"b\"], column `picture`"), "{error}");
    assert!(error.way_out().unwrap().contains("drop.\"files.picture\""), "{error}");
    let largest = copied(vec![row("b".into(), 10, LIMIT - 30)]).unwrap();
    assert_eq!((largest.digest.rows, largest.bytes), (1, LIMIT as u64 - 19));
}

#[test]
fn a_key_that_is_the_large_value_is_not_shown() {
    let error = refused(vec![row("a".into(), 5, 5), row("k".repeat(LIMIT + 1), 5, 5)]);
    assert!(error.object().ends_with("row 2 of the scan, column `id`"), "{error}");
    let error = refused(vec![row("k".repeat(LIMIT - 5), 2, 2)]);
    assert!(error.to_string().len() < 400, "{error}");
}

#[test]
fn oversized_rows_are_on_their_way_one_at_a_time_and_all_arrive() {
    // Larger than a batch keeps, smaller than the real limit.
    let (folder, plan) = (tempfile::tempdir().unwrap(), Arc::new(plan()));
    let mut draft = draft(&folder, &plan);
    let rows = (0..12).map(|n| row(n.to_string(), if n % 3 == 0 { 5 } else { 3 << 20 }, 5)).collect();
    let (copied, _) = copy(&mut Rows(rows), &plan, &mut draft, false, &Cancel::new(), &nobody).unwrap();
    assert_eq!(copied[0].digest.rows, 12);
    let (catalog, choices) = (catalog(), Choices::default());
    let origin = Origin { source: "", catalog: &catalog, choices: &choices, digests: &[copied[0].digest] };
    draft.finish(&origin, &nobody).unwrap();
    let sum = "SELECT sum(length(content)) FROM files";
    let file = Connection::open(draft.path()).unwrap();
    assert_eq!(file.query_row(sum, [], |row| row.get::<_, i64>(0)).unwrap(), 8 * (3 << 20) + 4 * 5);
}
