use super::strategy::DatasetTree;
use super::*;
use crate::catalog::{Action, Column, DataType, Deferrable, ForeignKey, Key, QualifiedName, Shape, Table, TableKind};
use crate::harness::Seed;
use crate::harness::generate::Row;
use proptest::strategy::ValueTree;
use std::collections::HashSet;

const TABLES: usize = 10;

fn column(name: &str, shape: Shape, not_null: bool) -> Column {
    Column {
        name: name.into(),
        data_type: DataType::new("a type", shape),
        not_null,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        collation: None,
        comment: None,
    }
}

fn name(table: usize) -> QualifiedName {
    QualifiedName::new("public", format!("t{table}"))
}

/// Ten tables; each but the first refers to the one at half its place, which it needs, and to the one before it,
/// which it does not need.
fn catalog() -> Arc<Catalog> {
    let table = |place: usize| {
        let edge = |column: &str, parent: usize| ForeignKey {
            name: column.into(),
            columns: vec![column.into()],
            references: name(parent),
            referenced_columns: vec!["id".into()],
            on_delete: Action::NoAction,
            on_update: Action::NoAction,
            on_delete_columns: Vec::new(),
            match_full: false,
            deferrable: Deferrable::No,
            validated: true,
        };
        let mut foreign_keys = Vec::new();
        if place > 0 {
            foreign_keys.push(edge("needed", place / 2));
            foreign_keys.push(edge("other", place - 1));
        }
        Table {
            name: name(place),
            kind: TableKind::Ordinary,
            inherits: Vec::new(),
            has_heirs: false,
            columns: vec![
                column("id", Shape::BigInt, true),
                column("needed", Shape::BigInt, place > 1),
                column("other", Shape::BigInt, false),
                column("note", Shape::Text, false),
                column("amount", Shape::Numeric { precision_and_scale: None }, true),
            ],
            primary_key: Some(Key {
                name: "key".into(),
                columns: vec!["id".into()],
                nulls_not_distinct: false,
                deferrable: Deferrable::No,
                include: Vec::new(),
            }),
            unique_keys: Vec::new(),
            foreign_keys,
            checks: Vec::new(),
            indexes: Vec::new(),
            comment: None,
            row_estimate: -1,
            size_bytes: 0,
        }
    };
    Arc::new(Catalog {
        dialect: Default::default(),
        engine: "PostgreSQL 15".into(),
        database: "test".into(),
        collations: Default::default(),
        encoding: "UTF8".into(),
        tables: (0..TABLES).map(table).collect(),
        views: Vec::new(),
        sequences: Vec::new(),
        others: Vec::new(),
        layout: None,
    })
}

fn dataset(rows: usize) -> Dataset {
    let mut random = Seed(11).random();
    let tables = (0..TABLES).map(|place| {
        let row = |number: usize| -> Row {
            let parent = |random: &mut crate::harness::Random| random.below(rows as u64).to_string();
            vec![
                Some(number.to_string()),
                (place > 0).then(|| parent(&mut random)),
                (place > 0 && random.chance(0.5)).then(|| parent(&mut random)),
                Some(format!("note {number} of {place}")),
                Some(format!("{}.50", random.below(1000))),
            ]
        };
        let rows = (0..rows).map(row).collect();
        let columns = ["id", "needed", "other", "note", "amount"].map(String::from).to_vec();
        TableRows { table: name(place), columns, rows, later: Vec::new() }
    });
    Dataset { tables: tables.collect() }
}

/// Every foreign key of every row finds its row; what may not be NULL is not.
fn assert_sound(dataset: &Dataset) {
    for (place, table) in dataset.tables.iter().enumerate() {
        let ids =
            |place: usize| -> HashSet<_> { dataset.tables[place].rows.iter().map(|row| row[0].clone()).collect() };
        assert_eq!(ids(place).len(), table.rows.len(), "the key is unique");
        for row in &table.rows {
            assert!(row[0].is_some() && row[4].is_some() && (place < 2 || row[1].is_some()), "{row:?}");
            if place > 0 {
                assert!(row[1].is_none() || ids(place / 2).contains(&row[1]), "{row:?} of t{place}");
                assert!(row[2].is_none() || ids(place - 1).contains(&row[2]), "{row:?} of t{place}");
            }
        }
    }
}

fn has_umlaut(dataset: &Dataset) -> bool {
    dataset.tables[7].rows.iter().any(|row| row[3].as_ref().is_some_and(|note| note.contains('ü')))
}

#[test]
fn one_value_of_two_thousand_rows_is_found_with_the_rows_it_needs_in_less_than_a_hundred_runs() {
    let catalog = catalog();
    let mut whole = dataset(200);
    whole.tables[7].rows[137][3] = Some("eine Brücke".into());
    let (mut runs, mut runs_to_rows) = (0, 0);
    let mut fails = |tried: &Dataset| {
        assert_sound(tried);
        runs += 1;
        let fails = has_umlaut(tried);
        // The row, and those at 3, 1 and 0 that it needs.
        if fails && tried.row_count() > 4 {
            runs_to_rows = runs;
        }
        Ok(fails)
    };
    let small = shrink(whole, &catalog, &mut fails, 1000).unwrap();
    assert!(runs_to_rows < 100 && runs < 130, "{runs} runs, {runs_to_rows} of them to the rows");
    let counts: Vec<usize> = small.tables.iter().map(|table| table.rows.len()).collect();
    // The row at 1 needs none at 0: its column takes NULL.
    assert_eq!(counts, [0, 1, 0, 1, 0, 0, 0, 1, 0, 0]);
    let row = &small.tables[7].rows[0];
    assert_eq!((row[0].as_deref(), row[2].as_deref(), row[3].as_deref()), (Some("137"), None, Some("ü")));
    assert_eq!(row[4].as_deref(), Some("0"));
    assert_eq!(small.tables[3].rows[0][3], None);
}

#[test]
fn two_rows_that_fail_together_are_both_kept() {
    let catalog = catalog();
    let whole = dataset(40);
    let mut runs = 0;
    let ids = |tried: &Dataset, table: usize, id: &str| {
        tried.tables[table].rows.iter().any(|row| row[0].as_deref() == Some(id))
    };
    let mut fails = |tried: &Dataset| {
        assert_sound(tried);
        runs += 1;
        Ok(ids(tried, 2, "5") && ids(tried, 9, "31"))
    };
    let small = shrink(whole, &catalog, &mut fails, 1000).unwrap();
    assert!(runs < 400, "{runs}");
    assert!(small.row_count() <= 6 && ids(&small, 2, "5") && ids(&small, 9, "31"), "{small:?}");
}

#[test]
fn it_ends_at_the_limit_and_with_what_still_fails() {
    let catalog = catalog();
    let whole = dataset(50);
    let mut runs = 0;
    let kept = shrink(
        whole.clone(),
        &catalog,
        &mut |_| {
            runs += 1;
            Ok(false)
        },
        17,
    );
    assert_eq!((kept.unwrap(), runs), (whole, 17));
}

#[test]
fn complicating_goes_back_exactly_and_simplifying_is_repeatable() {
    let catalog = catalog();
    let whole = dataset(5);
    let mut tree = DatasetTree::new(whole.clone(), &catalog, 300);
    assert!(tree.simplify());
    assert_ne!(tree.current(), whole);
    while tree.complicate() {
        assert_ne!(tree.current(), whole);
    }
    assert_eq!(tree.current(), whole);
    assert!(!tree.simplify() && !tree.complicate());
    let mut tree = DatasetTree::new(whole, &catalog, 300);
    while tree.simplify() {
        assert_sound(&tree.current());
    }
    assert_eq!(tree.current().row_count(), 0);
}
