use super::*;
use crate::harness::Seed;
use proptest::strategy::ValueTree;
use std::collections::BTreeMap;

fn size() -> SchemaSize {
    SchemaSize { server_version: 15, ..SchemaSize::default() }
}

/// Words of the DDL, each of which has to occur.
const WORDS: [&str; 72] = [
    "CREATE SCHEMA",
    "AS ENUM",
    "CREATE DOMAIN",
    "CREATE TYPE",
    " AS (",
    "[]",
    "NOT NULL",
    "DEFAULT",
    "PRIMARY KEY",
    "AS IDENTITY",
    "serial",
    "UNIQUE (",
    "UNIQUE INDEX",
    "NULLS NOT DISTINCT",
    "INCLUDE",
    " DESC",
    "NULLS FIRST",
    "USING gin",
    "USING gist",
    "USING hash",
    "USING brin",
    "FOREIGN KEY",
    "MATCH FULL",
    "ON DELETE CASCADE",
    "ON DELETE SET NULL",
    "ON UPDATE CASCADE",
    "DEFERRABLE INITIALLY DEFERRED",
    "DEFERRABLE INITIALLY IMMEDIATE",
    "CHECK (VALUE",
    "CHECK (",
    "BETWEEN",
    " IN (",
    "LIKE",
    " ~ ",
    "num_nonnulls",
    ">= 0",
    " <= \"",
    "STORED",
    "lower(",
    "CREATE VIEW",
    "GROUP BY",
    "LEFT JOIN",
    "COMMENT ON TABLE",
    "COMMENT ON COLUMN",
    "COMMENT ON VIEW",
    "PARTITION BY HASH",
    "PARTITION BY RANGE",
    "PARTITION BY LIST",
    "COLLATE",
    " uuid",
    " bytea",
    "numeric(",
    "varchar(",
    "timestamp(",
    "timestamptz(",
    " jsonb",
    " json",
    " interval",
    "multirange",
    " inet",
    " bit(",
    " xml",
    " date",
    " money",
    " boolean",
    " real",
    " double precision",
    "\"select\"",
    "\"\"b",
    "rowid",
    "sqlite_",
    "🐦",
];

/// What the words do not tell.
const NOTED: [&str; 8] = [
    "no primary key",
    "self-reference",
    "composite foreign key",
    "foreign keys that overlap",
    "foreign key in primary key",
    "foreign key to a later table",
    "partial index",
    "tables that collide without case",
];

/// What a schema has, by the words of its DDL and by its model.
fn features(schema: &RandomSchema) -> Vec<&'static str> {
    let sql = schema.to_sql();
    let mut found: Vec<&'static str> = WORDS.into_iter().filter(|words| sql.contains(words)).collect();
    let mut note = |name, found_it: bool| found.extend(found_it.then_some(name));
    let tables = || schema.tables.iter();
    note("no primary key", tables().any(|table| table.primary_key.is_none()));
    note(
        "composite primary key",
        tables().any(|table| table.primary_key.as_ref().is_some_and(|key| key.columns.len() > 1)),
    );
    note("self-reference", tables().any(|table| table.foreign_keys.iter().any(|key| key.references == table.id)));
    note("composite foreign key", tables().any(|table| table.foreign_keys.iter().any(|key| key.columns.len() > 1)));
    let overlap = |table: &Table| {
        let keys = || table.foreign_keys.iter();
        keys().any(|key| keys().any(|other| other != key && other.columns.iter().any(|id| key.columns.contains(id))))
    };
    note("foreign keys that overlap", tables().any(overlap));
    let in_key = |table: &Table| table.foreign_keys.iter().any(|key| table.is_in_primary_key(key.columns[0]));
    note("foreign key in primary key", tables().any(in_key));
    let place = |id| tables().position(|table| table.id == id);
    let back = |table: &Table| table.foreign_keys.iter().any(|key| place(key.references) > place(table.id));
    note("foreign key to a later table", tables().any(back));
    note("partial index", tables().flat_map(|table| &table.indexes).any(|index| index.predicate.is_some()));
    let mut names: Vec<(&str, String)> = tables().map(|own| (own.schema.as_str(), own.name.to_lowercase())).collect();
    names.sort();
    note("tables that collide without case", names.windows(2).any(|pair| pair[0] == pair[1]));
    found
}

#[test]
fn three_hundred_seeds_have_every_feature_several_times() {
    let mut counts: BTreeMap<&str, usize> = WORDS.into_iter().chain(NOTED).map(|name| (name, 0)).collect();
    for number in 0..300 {
        for name in features(&RandomSchema::from_seed(Seed(number), &size())) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let rare: Vec<_> = counts.iter().filter(|(_, count)| **count < 2).collect();
    assert!(rare.is_empty(), "{rare:?}\n{counts:?}");
}

#[test]
fn the_same_seed_gives_the_same_schema_and_another_one_another() {
    let schema = |number| RandomSchema::from_seed(Seed(number), &size()).to_sql();
    assert_eq!(schema(5), schema(5));
    assert_ne!(schema(5), schema(6));
}

#[test]
fn an_old_server_is_given_nothing_that_it_does_not_know() {
    for number in 0..100 {
        let sql = RandomSchema::from_seed(Seed(number), &SchemaSize::default()).to_sql();
        assert!(!sql.contains("NULLS NOT DISTINCT") && !sql.contains("multirange"), "{sql}");
    }
}

#[test]
fn what_needs_a_foreign_key_shrinks_to_two_tables_and_what_needs_nothing_to_one_column() {
    let mut shrunk = 0;
    for number in 0..40 {
        let schema = RandomSchema::from_seed(Seed(number), &size());
        let fails = |schema: &RandomSchema| schema.tables.iter().any(|table| !table.foreign_keys.is_empty());
        if fails(&schema) {
            let small = smallest(schema.clone(), &fails);
            let keys: usize = small.tables.iter().map(|table| table.foreign_keys.len()).sum();
            assert!(small.tables.len() <= 2 && keys == 1 && small.types.is_empty(), "seed {number}:\n{small}");
            shrunk += 1;
        }
        let small = smallest(schema, &|_| true);
        let size = (small.tables.len(), small.tables[0].columns.len(), small.views.len(), small.types.len());
        assert_eq!(size, (1, 1, 0, 0), "seed {number}:\n{small}");
    }
    assert!(shrunk > 10, "{shrunk}");
}

fn smallest(schema: RandomSchema, fails: &dyn Fn(&RandomSchema) -> bool) -> RandomSchema {
    let mut tree = SchemaTree::new(schema, 2000);
    let mut more = tree.simplify();
    while more {
        more = if fails(&tree.current()) { tree.simplify() } else { tree.complicate() };
    }
    tree.current()
}
