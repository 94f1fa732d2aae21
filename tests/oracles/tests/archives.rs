//! Two readers of archives that others have written agree with ours, table by table and row by row, or it is told where they do not.
//!
//! What they give are the bytes of each field. Ours gives cells; so a field of theirs is read as a value of its column's type, by the
//! code that reads the fields of our own. What is compared is everything before that: the table of contents, blocks, packing, lines,
//! fields, escapes.

use std::collections::BTreeMap;
use std::path::Path;
use whimbrel::cancel::Cancel;
use whimbrel::catalog::{Catalog, QualifiedName, Table, TableKind};
use whimbrel::endpoint::dump::{DumpPlace, DumpSource};
use whimbrel::endpoint::{PostgresUrl, ReadColumn, ReadTable, Source};
use whimbrel::harness::generate::{GenerateOptions, Generator, PostgresJudge, load_postgres};
use whimbrel::harness::{RandomSchema, SchemaSize, Seed};
use whimbrel::provision::shared;
use whimbrel::types::input::Input;
use whimbrel::value::Cell;

/// How many random schemas, besides the one below.
const SCHEMAS: u64 = 12;

/// How pg_dump makes each archive, and whether it writes it itself: what it writes to a pipe does not say where its blocks are.
const FORMS: [(&str, &[&str], bool); 5] = [
    ("custom", &["-Fc"], true),
    ("custom, not packed", &["-Fc", "-Z0"], true),
    ("custom, through a pipe", &["-Fc"], false),
    ("directory", &["-Fd"], true),
    ("tar", &["-Ft"], true),
];

/// Where a reader is known to be wrong, by the form of the archive: what happened at the last look. A new version that does better fails the test, and
/// its line goes.
const KNOWN: [(&str, &str, &str); 0] = [];

/// Lines and fields that are easy to get wrong.
const AWKWARD: &str = r#"
CREATE SCHEMA app;
CREATE TABLE app."Odd name" (id integer, "a ""b"" c" text, bytes bytea, list text[], moment timestamptz);
INSERT INTO app."Odd name" VALUES (1, E'tab\t nl\n cr\r bs\\ \x08\x0c\x0b é 😀', '\x00ff5c0a', ARRAY['a,b', NULL, '"'], '2020-01-01 00:00+05:30'),
  (2, E'\\N', '', '{}', NULL), (3, E'\\.', NULL, NULL, 'infinity'), (4, '', NULL, NULL, '-infinity'), (5, NULL, NULL, NULL, NULL);
CREATE TABLE app.nothing ();
INSERT INTO app.nothing DEFAULT VALUES; INSERT INTO app.nothing DEFAULT VALUES;
CREATE TABLE app.blank (line text);
INSERT INTO app.blank VALUES (''), ('x'), ('');
CREATE TABLE app.empty (a integer);
CREATE TABLE app.computed (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED, c text);
INSERT INTO app.computed VALUES (1, DEFAULT, 'x');
CREATE TABLE app.parts (key integer, value text) PARTITION BY RANGE (key);
CREATE TABLE app.parts_low PARTITION OF app.parts FOR VALUES FROM (0) TO (10);
CREATE TABLE app.parts_high (value text, key integer);
ALTER TABLE app.parts ATTACH PARTITION app.parts_high FOR VALUES FROM (10) TO (20);
INSERT INTO app.parts SELECT n, 'v' || n FROM generate_series(0, 19) AS n;
CREATE TABLE app.long (text text);
INSERT INTO app.long SELECT repeat(md5(n::text), 5000) FROM generate_series(1, 20) AS n;
"#;
/// A block of another kind between those of rows.
const LARGE_OBJECT: &str = "SELECT lo_from_bytea(0, '\\xdeadbeef')";

/// The rows of each table, each value encoded; sorted, because partitions come in any order.
type Rows = BTreeMap<String, Vec<Vec<u8>>>;

/// The columns of a table of which a dump has the values.
fn told(table: &Table) -> Vec<ReadColumn<'_>> {
    let columns = table.columns.iter().filter(|column| column.generated.is_none());
    columns.map(|column| ReadColumn { name: &column.name, shape: &column.data_type.shape }).collect()
}

/// The rows by our reader.
fn ours(path: &Path) -> (Rows, std::sync::Arc<Catalog>) {
    let mut dump = DumpSource::open(&DumpPlace::at(path), &Cancel::new()).expect("an archive");
    let catalog = dump.catalog().expect("a catalog");
    let with_rows: Vec<&Table> =
        catalog.tables.iter().filter(|table| !matches!(table.kind, TableKind::MaterializedView { .. })).collect();
    let requests: Vec<ReadTable<'_>> =
        with_rows.iter().map(|table| ReadTable { columns: told(table), ..ReadTable::whole(table) }).collect();
    let mut rows = Rows::new();
    for table in &with_rows {
        rows.insert(table.name.to_string(), Vec::new());
    }
    dump.read(&requests, &mut |table: usize, cells: &[Cell<'_>]| {
        let mut row = Vec::new();
        cells.iter().for_each(|cell| cell.encode(&mut row));
        rows.entry(with_rows[table].name.to_string()).or_default().push(row);
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    rows.values_mut().for_each(|rows| rows.sort());
    (rows, catalog)
}

/// Runs statements on the server.
fn run(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        use sqlx::{Connection, Executor};
        let mut connection = sqlx::PgConnection::connect(url).await.expect("a connection");
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await.expect("the statements");
        connection.close().await.expect("a clean end");
    });
}

/// The table of a catalog that has the rows of an entry: itself, or the one that it is a part of.
fn table_of<'c>(catalog: &'c Catalog, schema: &str, name: &str) -> &'c Table {
    let wanted = QualifiedName::new(schema, name);
    let has = |table: &&Table| match &table.kind {
        TableKind::Partitioned { partitions, .. } => table.name == wanted || partitions.contains(&wanted),
        _ => table.name == wanted,
    };
    catalog.tables.iter().find(has).unwrap_or_else(|| panic!("no table for the rows of {wanted}"))
}

/// The names of `COPY app.t (a, "b c") FROM stdin;`.
fn names(copy: &str) -> Vec<String> {
    let inside =
        copy.split_once(" (").and_then(|(_, rest)| rest.rsplit_once(") FROM")).map_or("", |(inside, _)| inside);
    let plain = |name: &str| match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None => name.to_owned(),
    };
    inside.split(", ").filter(|name| !name.is_empty()).map(plain).collect()
}

/// A row of theirs, whose fields have those names, encoded as ours is.
fn encoded(table: &Table, names: &[String], row: &pgdumpx::Row<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for column in told(table) {
        let place = names.iter().position(|name| name == column.name).expect("the column is among the fields");
        match row.field(place).expect("as many fields as names") {
            pgdumpx::FieldRef::Null => Cell::Null.encode(&mut bytes),
            pgdumpx::FieldRef::Bytes(field) => {
                let text = std::str::from_utf8(field).expect("UTF-8");
                let data_type = table.column(column.name).expect("the column").data_type.base();
                let input = Input::of(&data_type.shape, &data_type.name);
                input.read(text).unwrap_or_else(|| panic!("{}: {text:?}", column.name)).encode(&mut bytes);
            }
        }
    }
    bytes
}

/// The rows of `libpgdump`: its bytes of each entry, taken apart into rows and fields by the other one.
fn of_libpgdump(path: &Path, catalog: &Catalog) -> Result<Rows, String> {
    let dump = libpgdump::load(path).map_err(|error| error.to_string())?;
    let mut rows = Rows::new();
    for entry in dump.entries().iter().filter(|entry| entry.desc == libpgdump::ObjectType::TableData) {
        let (schema, name) = (entry.namespace.as_deref().unwrap_or_default(), entry.tag.as_deref().unwrap_or_default());
        let table = table_of(catalog, schema, name);
        let found = rows.entry(table.name.to_string()).or_default();
        let names = names(entry.copy_stmt.as_deref().unwrap_or_default());
        let Some(data) = dump.entry_data(entry.dump_id) else { continue };
        let mut reader = pgdumpx::CopyRowReader::new(data);
        while let Some(row) = reader.next_row().map_err(|error| error.to_string())? {
            found.push(encoded(table, &names, &row));
        }
    }
    rows.values_mut().for_each(|rows| rows.sort());
    Ok(rows)
}

/// The rows of `pgdumpx`.
fn of_pgdumpx(path: &Path, catalog: &Catalog) -> Result<Rows, String> {
    let mut archive = pgdumpx::Archive::open_path(path).map_err(|error| error.to_string())?;
    let mut rows = Rows::new();
    let entries: Vec<(String, String)> = archive
        .entries()
        .iter()
        .filter(|entry| entry.description_bytes() == b"TABLE DATA")
        .map(|entry| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
            (text(entry.namespace_bytes().unwrap_or_default()), text(entry.name_bytes()))
        })
        .collect();
    for (schema, name) in entries {
        let table = table_of(catalog, &schema, &name);
        let found = rows.entry(table.name.to_string()).or_default();
        let mut reader = archive.table_rows(schema.as_bytes(), name.as_bytes()).map_err(|error| error.to_string())?;
        let names = reader.columns().map_err(|error| error.to_string())?;
        let names: Vec<String> = names.iter().map(|column| column.name_str().expect("UTF-8").to_owned()).collect();
        while let Some(row) = reader.next_row().map_err(|error| error.to_string())? {
            found.push(encoded(table, &names, &row));
        }
    }
    rows.values_mut().for_each(|rows| rows.sort());
    Ok(rows)
}

/// An archive as another version of pg_dump would have made it, by the other program's own writer.
fn rewritten(dump: &libpgdump::Dump, appear_as: &str) -> libpgdump::Dump {
    use libpgdump::ObjectType::{Blob, BlobMetadata, Blobs, Encoding, SearchPath, StdStrings};
    let mut other = libpgdump::new(dump.dbname(), "UTF8", appear_as).expect("a version that it knows");
    let mut numbers = BTreeMap::new();
    for entry in dump.entries() {
        // The first three are there already; of large objects nothing is compared.
        if [Encoding, StdStrings, SearchPath, Blob, Blobs, BlobMetadata].contains(&entry.desc) {
            continue;
        }
        let needs: Vec<i32> = entry.dependencies.iter().filter_map(|number| numbers.get(number).copied()).collect();
        let texts = [&entry.namespace, &entry.tag, &entry.owner, &entry.defn, &entry.drop_stmt, &entry.copy_stmt];
        let [namespace, tag, owner, defn, drop, copy] = texts.map(Option::as_deref);
        let added = other.add_entry(entry.desc.clone(), namespace, tag, owner, defn, drop, copy, &needs);
        let number = added.expect("an entry");
        numbers.insert(entry.dump_id, number);
        if let Some(data) = dump.entry_data(entry.dump_id) {
            other.set_entry_data(number, data.to_vec()).expect("its rows");
        }
    }
    other
}

/// In a few words, how the rows of a reader differ from ours; `None` where they do nowhere.
fn judged(ours: &Rows, theirs: Result<Rows, String>) -> Option<String> {
    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(error) => return Some(format!("refuses it: {error}")),
    };
    let mut found = Vec::new();
    for (table, rows) in ours {
        match theirs.get(table) {
            None if rows.is_empty() => {}
            None => found.push(format!("{table} is missing")),
            Some(other) if other == rows => {}
            Some(other) if other.len() != rows.len() => {
                found.push(format!("{table} has {} rows of {}", other.len(), rows.len()));
            }
            Some(_) => found.push(format!("{table} has other values")),
        }
    }
    found.extend(theirs.keys().filter(|table| !ours.contains_key(*table)).map(|table| format!("{table} is new")));
    (!found.is_empty()).then(|| found.join(", "))
}

/// Compares the readers on every archive of a database; what is not as it is known goes to `wrong`.
fn compare(url: &str, what: &str, wrong: &mut Vec<String>) {
    let program = shared().expect("a server").dump_program().expect("pg_dump of the server's version or later");
    let folder = tempfile::tempdir().expect("a directory");
    for (place, (form, options, by_itself)) in FORMS.into_iter().enumerate() {
        let path = folder.path().join(place.to_string());
        let made =
            if by_itself { program.write_itself(url, options, &path) } else { program.write(url, options, &path) };
        made.unwrap_or_else(|error| panic!("{error}"));
        let (rows, catalog) = ours(&path);
        assert!(what != "awkward" || rows.values().map(Vec::len).sum::<usize>() == 53, "{rows:?}");
        let mut judge = |reader: &str, theirs: Result<Rows, String>| {
            let known = KNOWN.iter().find(|(other, of, _)| (*other, *of) == (reader, form)).map(|(_, _, known)| *known);
            let found = judged(&rows, theirs);
            let is_as_known = match (known, &found) {
                (None, None) => true,
                (Some(known), Some(found)) => found.contains(known),
                (Some(_), None) => rows.values().all(Vec::is_empty),
                (None, Some(_)) => false,
            };
            if !is_as_known {
                wrong.push(format!("{what}, {form}, {reader}: {}", found.as_deref().unwrap_or("agrees by now")));
            }
        };
        judge("libpgdump", of_libpgdump(&path, &catalog));
        // It reads no other form.
        if form.starts_with("custom") {
            judge("pgdumpx", of_pgdumpx(&path, &catalog));
        }
    }
}

#[test]
fn two_other_readers_agree_with_ours_or_are_known_to_be_wrong() {
    let server = shared().expect("a server");
    let mut wrong = Vec::new();
    let database = server.create_database("oracles").expect("a database");
    run(&database.url(), AWKWARD);
    run(&database.url(), LARGE_OBJECT);
    compare(&database.url(), "awkward", &mut wrong);
    for seed in 0..SCHEMAS {
        let database = server.create_database("oracles").expect("a database");
        let url = PostgresUrl::parse(&database.url()).expect("a URL");
        run(&database.url(), &RandomSchema::from_seed(Seed(seed), &SchemaSize::default()).to_sql());
        let mut session = whimbrel::endpoint::postgres::Session::connect(&url, &Cancel::new()).expect("a session");
        let catalog = whimbrel::endpoint::postgres::introspect(&mut session).expect("a catalog");
        drop(session);
        let options = GenerateOptions { rows: 60, seed: Seed(seed), awkward: 0.4, ..GenerateOptions::default() };
        let dataset =
            Generator::new(&catalog, options).and_then(|generator| generator.dataset(&mut PostgresJudge::new(&url)));
        // Rows that cannot be found leave the tables empty, which is a case, too.
        if let Ok(dataset) = dataset {
            let _ = load_postgres(&url, &catalog, &dataset);
        }
        compare(&database.url(), &format!("seed {seed}"), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The versions of archives, by a version of PostgreSQL that writes it, and what it packs with.
const VERSIONS: [(&str, &str, &[libpgdump::CompressionAlgorithm]); 5] = {
    use libpgdump::CompressionAlgorithm::{Gzip, Lz4, None, Zstd};
    [
        ("9.6", "1.12.0", &[None, Gzip]),
        ("11.0", "1.13.0", &[None, Gzip]),
        ("15.0", "1.14.0", &[None, Gzip]),
        ("16.0", "1.15.0", &[None, Gzip, Lz4, Zstd]),
        ("18.0", "1.16.0", &[None, Gzip, Lz4, Zstd]),
    ]
};

#[test]
fn archives_of_each_version_by_another_writer_are_read() {
    let server = shared().expect("a server");
    let database = server.create_database("oracles").expect("a database");
    run(&database.url(), AWKWARD);
    let program = server.dump_program().expect("pg_dump of the server's version or later");
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("of the server");
    program.write_itself(&database.url(), &["-Fc"], &path).unwrap_or_else(|error| panic!("{error}"));
    let (rows, catalog) = ours(&path);
    let dump = libpgdump::load(&path).expect("an archive");
    for (version, archive, packings) in VERSIONS {
        for packing in packings {
            for form in [libpgdump::Format::Custom, libpgdump::Format::Directory, libpgdump::Format::Tar] {
                let mut other = rewritten(&dump, version);
                other.set_compression(*packing);
                other.set_format(form);
                assert_eq!(other.version().to_string(), archive);
                let what = format!("{archive}, {packing:?}, {form:?}");
                let path = folder.path().join(&what);
                other.save(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
                let (found, described) = ours(&path);
                assert_eq!(found, rows, "{what}");
                let known = Catalog { engine: described.engine.clone(), ..(*catalog).clone() };
                let differs = whimbrel::harness::dump::difference(&known, &described);
                assert_eq!(differs.expect("two catalogs"), None, "{what}");
            }
        }
    }
}
