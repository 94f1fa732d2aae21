//! The checker is itself tested: every single change to a finished file is found, with its row and column where there
//! is one. Each change is made on a fresh copy; the unchanged copy is found sound.

use crate::support::whole_run::{Server, findings, migrate, source, verify_by};
use rusqlite::Connection;
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use whimbrel::endpoint::sqlite::target::JournalMode;
use whimbrel::provision::shared;
use whimbrel::to_sqlite::{self, Job};
use whimbrel::verify::Verification;
use whimbrel::verify::diff::RowDifferenceKind::{self, Changed, Missing, Surplus};

const SOURCE: &str = r#"
CREATE TABLE items (
  id integer PRIMARY KEY, label text NOT NULL, note text, data bytea, ratio double precision, seen timestamptz,
  flag boolean, price numeric, doc json, amount bigint CHECK (amount > -1000), cents numeric(8,2),
  doubled bigint GENERATED ALWAYS AS (amount * 2) STORED, tags text[], born date, code char(4)
);
CREATE INDEX items_label ON items (label);
CREATE UNIQUE INDEX items_amount ON items (amount);
INSERT INTO items (id, label, note, data, ratio, seen, flag, price, doc, amount, cents, tags, born, code)
  SELECT n, 'label ' || n, 'note ' || n, decode(md5(n::text), 'hex'), sqrt(n),
  '2026-01-01 00:00:00+00'::timestamptz + n * interval '1.000001 s', n % 2 = 0, n::numeric / 4 * 1.0, '{"a": 1, "b": [1, 2]}',
  n * 1000003, n + 0.25, ARRAY['x', NULL, n::text], '2026-01-01'::date + n, 'ab'
  FROM generate_series(1, 400) AS n;
UPDATE items SET note = '', flag = NULL, ratio = 'NaN' WHERE id = 3;
UPDATE items SET note = NULL, ratio = 0 WHERE id = 4;
UPDATE items SET label = E'caf\u00e9', note = '<null>', ratio = '-0' WHERE id = 5;
UPDATE items SET price = 1.0, tags = '[0:1]={a,b}', amount = 9007199254740993 WHERE id = 6;
CREATE TABLE children (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id integer NOT NULL REFERENCES items, kind text
);
INSERT INTO children (item_id, kind) SELECT n, 'kind' FROM generate_series(1, 50) AS n;
SELECT setval('children_id_seq', 1000);
CREATE TABLE events (at timestamp, what text);
INSERT INTO events SELECT '2026-01-01'::timestamp + (n / 2) * interval '1 hour', 'event ' || n / 2
  FROM generate_series(0, 19) AS n;
CREATE TABLE pairs (a integer, b text, v integer, PRIMARY KEY (a, b));
INSERT INTO pairs VALUES (1, 'x', 10), (1, 'y', 20), (2, 'x', 30);
CREATE VIEW labels AS SELECT id, label FROM items;
"#;

/// What verification has to say about a change.
enum Finding {
    /// A row of a table, by its key as the report shows it; for a changed row with its columns.
    Row(RowDifferenceKind, &'static str, &'static str, &'static [&'static str]),
    /// A row of a table without a key, whose values contain this.
    Keyless(RowDifferenceKind, &'static str, &'static str),
    /// A definition.
    Object(&'static str),
    /// Something that the file records of itself, and no difference of any value.
    Record(&'static str),
    /// A message of SQLite's own structural check, and no difference of any value.
    Structure(&'static str),
    /// A row without its parent: table and rowid.
    Orphan(&'static str, i64),
    /// An entry of the ledger for a table that says nothing about any of its values.
    LedgerSurplus(&'static str),
    /// A table that cannot be read, or a file that cannot even be opened.
    Unreadable,
}

struct Change {
    name: &'static str,
    make: Box<dyn Fn(&Path)>,
    finding: Finding,
}

/// A change by SQL; constraints do not stop it.
fn sql(name: &'static str, statements: &'static str, finding: Finding) -> Change {
    let make = move |path: &Path| {
        let connection = open(path);
        connection.execute_batch(statements).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(connection.total_changes() > 0 || !statements.starts_with("UPDATE"), "{name}: changes nothing");
    };
    Change { name, make: Box::new(make), finding }
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("the copy opens");
    connection
        .execute_batch(
            "PRAGMA journal_mode = DELETE; PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
             PRAGMA writable_schema = ON",
        )
        .expect("the copy can be changed");
    connection
}

/// Replaces a part of an object's definition.
fn define(path: &Path, name: &str, object: &str, from: &str, to: &str) {
    let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?2, ?3) WHERE name = ?1 AND instr(sql, ?2)";
    let changed = open(path).execute(sql, [object, from, to]).expect("the schema can be written");
    assert_eq!(changed, 1, "{name}: `{from}` is not in the definition");
}

/// Runs statements while an object is defined otherwise: what the definition itself would not let happen.
fn redefined(
    name: &'static str,
    object: &'static str,
    from: &'static str,
    to: &'static str,
    statements: &'static str,
    finding: Finding,
) -> Change {
    let make = move |path: &Path| {
        define(path, name, object, from, to);
        open(path).execute_batch(statements).unwrap_or_else(|error| panic!("{name}: {error}"));
        define(path, name, object, to, from);
    };
    Change { name, make: Box::new(make), finding }
}

/// A change of a definition alone.
fn definition(
    name: &'static str,
    object: &'static str,
    from: &'static str,
    to: &'static str,
    told: &'static str,
) -> Change {
    let make = move |path: &Path| define(path, name, object, from, to);
    Change { name, make: Box::new(make), finding: Finding::Object(told) }
}

const PAGE_BYTES: usize = 4096;

/// The place of a leaf page of the index on labels: its root, or the last child of its root.
fn page_of_index(path: &Path) -> usize {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'items_label'";
    let root: i64 = open(path).query_row(sql, [], |row| row.get(0)).expect("the index's root");
    let place = |page: i64| (page as usize - 1) * PAGE_BYTES;
    let bytes = std::fs::read(path).expect("the file");
    // SQLite's file format: the first byte of an index page is 2 inside the tree and 10 at its leaves; the right-most
    // child of an inner page stands at byte 8.
    match bytes[place(root)] {
        2 => {
            let child = &bytes[place(root) + 8..place(root) + 12];
            place(i64::from(u32::from_be_bytes(child.try_into().expect("four bytes")))) / PAGE_BYTES
        }
        kind => {
            assert_eq!(kind, 10, "the page of an index");
            place(root) / PAGE_BYTES
        }
    }
}

#[allow(clippy::too_many_lines, reason = "a table of cases, and what is done with each")]
fn changes() -> Vec<Change> {
    use Finding::{Keyless, LedgerSurplus, Object, Orphan, Record, Row, Structure, Unreadable};
    let one = |key, columns| Row(Changed, "items", key, columns);
    let mut changes = vec![
        sql(
            "the last byte of a blob missing",
            "UPDATE items SET data = CAST(substr(data, 1, 15) AS BLOB) WHERE id = 7",
            one("[7]", &["data"]),
        ),
        Change {
            name: "one ULP of a float",
            make: Box::new(|path| {
                let connection = open(path);
                let ratio: f64 = connection
                    .query_row("SELECT ratio FROM items WHERE id = 7", [], |row| row.get(0))
                    .expect("a float");
                let next = f64::from_bits(ratio.to_bits() + 1);
                assert_eq!(
                    connection.execute("UPDATE items SET ratio = ?1 WHERE id = 7", [next]).expect("a change"),
                    1
                );
            }),
            finding: one("[7]", &["ratio"]),
        },
        Change {
            name: "one bit of a blob",
            make: Box::new(|path| {
                let connection = open(path);
                let data: Vec<u8> = connection
                    .query_row("SELECT data FROM items WHERE id = 250", [], |row| row.get(0))
                    .expect("a blob");
                drop(connection);
                let bytes = std::fs::read(path).expect("the file");
                let at = bytes.windows(data.len()).position(|window| window == data).expect("the blob's place");
                let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
                file.write_all_at(&[bytes[at + 9] ^ 0x10], (at + 9) as u64).expect("one bit");
            }),
            finding: one("[250]", &["data"]),
        },
        sql("one microsecond", "UPDATE items SET seen = seen + 1 WHERE id = 8", one("[8]", &["seen"])),
        sql(
            "microseconds cut to milliseconds",
            "UPDATE items SET seen = seen / 1000 * 1000 WHERE id = 9",
            one("[9]", &["seen"]),
        ),
        sql("one day", "UPDATE items SET born = '2026-01-12' WHERE id = 12", one("[12]", &["born"])),
        sql("NULL for ''", "UPDATE items SET note = NULL WHERE id = 3", one("[3]", &["note"])),
        sql("'' for NULL", "UPDATE items SET note = '' WHERE id = 4", one("[4]", &["note"])),
        sql("'<null>' for NULL", "UPDATE items SET note = '<null>' WHERE id = 4", one("[4]", &["note"])),
        sql("NULL for '<null>'", "UPDATE items SET note = NULL WHERE id = 5", one("[5]", &["note"])),
        sql("'NULL' for NULL", "UPDATE items SET note = 'NULL' WHERE id = 4", one("[4]", &["note"])),
        sql(
            "two rows swapped in one column",
            "UPDATE items SET note = iif(id = 10, 'note 11', 'note 10') WHERE id IN (10, 11)",
            one("[10]", &["note"]),
        ),
        sql(
            "every value moved to the next row",
            "UPDATE items SET note = (SELECT note FROM items AS o WHERE o.id = items.id - 1) WHERE id BETWEEN 20 AND 30",
            one("[20]", &["note"]),
        ),
        sql(
            "the boundary between two columns moved",
            "UPDATE items SET label = label || substr(note, 1, 1), note = substr(note, 2) WHERE id = 13",
            one("[13]", &["label", "note"]),
        ),
        sql(
            "one of two equal rows dropped",
            "DELETE FROM events WHERE rowid = (SELECT max(rowid) FROM events WHERE what = 'event 4')",
            Keyless(Missing, "events", "event 4"),
        ),
        sql(
            "a row duplicated",
            "INSERT INTO events SELECT * FROM events WHERE rowid = 9",
            Keyless(Surplus, "events", "event 4"),
        ),
        sql(
            "a pair of equal rows replaced by another pair",
            "UPDATE events SET at = (SELECT at FROM events WHERE what = 'event 5'), what = 'event 5' WHERE what = 'event 4'",
            Keyless(Missing, "events", "event 4"),
        ),
        sql("a row deleted", "DELETE FROM pairs WHERE a = 1 AND b = 'y'", Row(Missing, "pairs", r#"[1,"y"]"#, &[])),
        sql("a row inserted", "INSERT INTO pairs VALUES (3, 'z', 1)", Row(Surplus, "pairs", r#"[3,"z"]"#, &[])),
        sql("a key changed", "UPDATE pairs SET b = 'X' WHERE a = 2", Row(Surplus, "pairs", r#"[2,"X"]"#, &[])),
        sql("a trailing blank", "UPDATE items SET label = label || ' ' WHERE id = 14", one("[14]", &["label"])),
        sql("a blank of char(n)", "UPDATE items SET code = code || ' ' WHERE id = 14", one("[14]", &["code"])),
        sql("the case of a letter", "UPDATE items SET label = 'Label 15' WHERE id = 15", one("[15]", &["label"])),
        sql(
            "another Unicode normalisation",
            "UPDATE items SET label = 'cafe' || char(0x301) WHERE id = 5",
            one("[5]", &["label"]),
        ),
        sql(
            "U+0000 behind a text",
            "UPDATE items SET label = CAST(CAST(label AS BLOB) || x'00' AS TEXT) WHERE id = 15",
            one("[15]", &["label"]),
        ),
        sql("the sign of a number", "UPDATE items SET ratio = -ratio WHERE id = 16", one("[16]", &["ratio"])),
        sql(
            "the lowest bit of a big integer",
            "UPDATE items SET amount = 9007199254740992 WHERE id = 6",
            one("[6]", &["amount", "doubled"]),
        ),
        sql("false for NULL", "UPDATE items SET flag = 0 WHERE id = 3", one("[3]", &["flag"])),
        sql("2 for true", "UPDATE items SET flag = 2 WHERE id = 18", one("[18]", &["flag"])),
        sql("the scale of a decimal", "UPDATE items SET price = '1.00' WHERE id = 6", one("[6]", &["price"])),
        sql("one cent", "UPDATE items SET cents = cents + 0.01 WHERE id = 17", one("[17]", &["cents"])),
        sql("less than a cent", "UPDATE items SET cents = cents + 0.0000001 WHERE id = 17", one("[17]", &["cents"])),
        sql("JSON whitespace", "UPDATE items SET doc = '{\"a\":1,\"b\":[1,2]}' WHERE id = 19", one("[19]", &["doc"])),
        sql(
            "the order of JSON keys",
            "UPDATE items SET doc = '{\"b\": [1, 2], \"a\": 1}' WHERE id = 19",
            one("[19]", &["doc"]),
        ),
        sql(
            "an element of an array",
            "UPDATE items SET tags = '[\"x\",\"null\",\"19\"]' WHERE id = 19",
            one("[19]", &["tags"]),
        ),
        redefined(
            "an integer stored as text",
            "items",
            "\"amount\" INTEGER",
            "\"amount\" ANY",
            "UPDATE items SET amount = CAST(amount AS TEXT) WHERE id = 21",
            one("[21]", &["amount"]),
        ),
        redefined(
            "a text stored as blob",
            "items",
            "\"label\" TEXT",
            "\"label\" ANY",
            "UPDATE items SET label = CAST(label AS BLOB) WHERE id = 22",
            one("[22]", &["label"]),
        ),
        redefined(
            "a computed value",
            "items",
            "* 2",
            "* 3",
            "UPDATE items SET note = note WHERE id = 23",
            one("[23]", &["doubled"]),
        ),
        redefined(
            "an index entry missing",
            "items_label",
            "(\"label\")",
            "(\"label\") WHERE id <> 24",
            "REINDEX items_label",
            Structure("row 24 missing from index items_label"),
        ),
        Change {
            name: "an index entry changed in its page",
            make: Box::new(|path| {
                let page = page_of_index(path);
                let bytes = std::fs::read(path).expect("the file");
                let start = page * PAGE_BYTES;
                let at = bytes[start..start + PAGE_BYTES].windows(7).position(|window| window == b"label 9");
                let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
                file.write_all_at(b"k", (start + at.expect("an entry")) as u64).expect("one byte");
            }),
            finding: Structure("missing from index items_label"),
        },
        sql(
            "a foreign key without its parent",
            "UPDATE children SET item_id = 9999 WHERE id = 33",
            Orphan("children", 33),
        ),
        sql(
            "the same, as a value",
            "UPDATE children SET item_id = 9999 WHERE id = 33",
            Row(Changed, "children", "[33]", &["item_id"]),
        ),
        sql("an index dropped", "DROP INDEX items_amount", Object("index `items_amount` is missing")),
        sql("a table dropped", "DROP TABLE pairs", Object("table `pairs` is missing")),
        sql("a table renamed", "ALTER TABLE pairs RENAME TO pair", Object("table `pairs` is missing")),
        sql("a view dropped", "DROP VIEW labels", Object("view `labels` is missing")),
        sql(
            "a trigger added",
            "CREATE TRIGGER quiet AFTER INSERT ON pairs BEGIN DELETE FROM pairs; END",
            Object("`quiet` is not part of the plan"),
        ),
        sql(
            "a column added",
            "ALTER TABLE pairs ADD COLUMN w INTEGER",
            Object("table `pairs` is not defined as planned"),
        ),
        definition("a CHECK removed", "items", "> -1000", "> -9000", "table `items` is not defined as planned"),
        definition(
            "a NOT NULL removed",
            "items",
            "\"label\" TEXT NOT NULL",
            "\"label\" TEXT",
            "table `items` is not defined as planned",
        ),
        definition(
            "UNIQUE removed from an index",
            "items_amount",
            "CREATE UNIQUE INDEX",
            "CREATE INDEX",
            "index `items_amount` is not defined as planned",
        ),
        definition(
            "a foreign key pointed elsewhere",
            "children",
            "REFERENCES \"items\"",
            "REFERENCES \"pairs\"",
            "table `children` is not defined as planned",
        ),
        sql("a ledger entry deleted", "DELETE FROM _whimbrel_ledger WHERE row_key = '[5]'", one("[5]", &["ratio"])),
        sql(
            "a ledger entry of NaN deleted",
            "DELETE FROM _whimbrel_ledger WHERE row_key = '[3]'",
            one("[3]", &["ratio"]),
        ),
        sql(
            "a ledger entry changed",
            "UPDATE _whimbrel_ledger SET exact = '[2:3]={a,b}' WHERE row_key = '[6]'",
            one("[6]", &["tags"]),
        ),
        sql(
            "a ledger entry added",
            "INSERT INTO _whimbrel_ledger VALUES ('items', '[4]', 'ratio', '-0')",
            one("[4]", &["ratio"]),
        ),
        sql(
            "a ledger entry moved to another column",
            "UPDATE _whimbrel_ledger SET column_name = 'cents' WHERE row_key = '[3]'",
            one("[3]", &["ratio"]),
        ),
        sql("the ledger dropped", "DROP TABLE _whimbrel_ledger", one("[6]", &["tags"])),
        sql(
            "a ledger entry for a row that is not there",
            "INSERT INTO _whimbrel_ledger VALUES ('items', '[99999]', 'ratio', 'NaN')",
            LedgerSurplus("items"),
        ),
        sql(
            "a ledger entry for a value that needs none",
            "INSERT INTO _whimbrel_ledger VALUES ('items', '[7]', 'cents', 'NaN')",
            LedgerSurplus("items"),
        ),
        sql("0.0 where the ledger has NaN", "UPDATE items SET ratio = 0.0 WHERE id = 3", one("[3]", &["ratio"])),
        sql(
            "the next number of a key set back",
            "UPDATE sqlite_sequence SET seq = 50 WHERE name = 'children'",
            Object("children"),
        ),
        sql(
            "the next number of a key raised",
            "UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'children'",
            Record("the key of table 'children' counts on from 5000, and did from 1000"),
        ),
        sql(
            "a number for no table",
            "INSERT INTO sqlite_sequence VALUES ('items', 7)",
            Record("the key of table 'items' counts on from 7, and did from nothing"),
        ),
        sql(
            "a table forgotten",
            "DELETE FROM _whimbrel_tables WHERE target = 'pairs'",
            Record("table `_whimbrel_tables` has 3 rows, and had 4 rows"),
        ),
        sql(
            "a remembered digest changed",
            "UPDATE _whimbrel_tables SET digest = replace(digest, 'a', 'b') || '0'",
            Record("the values of table `_whimbrel_tables` are not what they were"),
        ),
        sql(
            "a ledger entry for no table",
            "INSERT INTO _whimbrel_ledger VALUES ('item', '[1]', 'ratio', 'NaN')",
            Record("the ledger has entries for `item`, which is no table that was copied"),
        ),
        sql(
            "the catalog changed",
            "UPDATE _whimbrel_manifest SET value = replace(value, 'items', 'item') WHERE name = 'catalog'",
            Record("the manifest is not what was written"),
        ),
        sql(
            "the manifest's digest removed",
            "DELETE FROM _whimbrel_manifest WHERE name = 'digest'",
            Record("the manifest has no value `digest`"),
        ),
        sql(
            "the ledger's index dropped",
            "DROP INDEX _whimbrel_ledger_key",
            Record("the index `_whimbrel_ledger_key` of the metadata is missing"),
        ),
        sql(
            "the manifest dropped",
            "DROP TABLE _whimbrel_manifest",
            Record("the table `_whimbrel_manifest` of the metadata is missing"),
        ),
        sql("another user_version", "PRAGMA user_version = 7", Record("`user_version` is 7, and was 0")),
        sql("another application_id", "PRAGMA application_id = 9", Record("`application_id` is 9, and was 0")),
        sql("another journal mode", "PRAGMA journal_mode = WAL", Record("`journal_mode` is wal, and was delete")),
        sql("another page size", "PRAGMA page_size = 8192; VACUUM", Record("`page_size` is 8192, and was 4096")),
        Change {
            name: "bytes behind the last page",
            make: Box::new(|path| {
                let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
                let end = file.metadata().expect("the file").len();
                file.write_all_at(b"hidden", end).expect("six bytes");
            }),
            finding: Record("6 bytes stand behind the last page"),
        },
        Change {
            name: "the last page cut off",
            make: Box::new(|path| {
                let length = std::fs::metadata(path).expect("the file").len();
                std::fs::OpenOptions::new()
                    .write(true)
                    .open(path)
                    .and_then(|file| file.set_len(length - 4096))
                    .expect("a cut");
            }),
            finding: Unreadable,
        },
        Change {
            name: "a page of rows overwritten with zeros",
            make: Box::new(|path| {
                let bytes = std::fs::read(path).expect("the file");
                let at = bytes.windows(8).position(|window| window == b"note 250").expect("a row") / 4096 * 4096;
                let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
                file.write_all_at(&[0; 4096], at as u64).expect("a page");
            }),
            finding: Unreadable,
        },
    ];
    changes.extend(every_column_of_a_row());
    changes
}

/// NULL for each nullable value of one row in turn: no column is left out of the comparison.
fn every_column_of_a_row() -> Vec<Change> {
    ["note", "data", "ratio", "seen", "flag", "price", "doc", "cents", "tags", "born", "code"]
        .into_iter()
        .map(|column| Change {
            name: "NULL for a value",
            make: Box::new(move |path| {
                let changed = open(path).execute(&format!("UPDATE items SET {column} = NULL WHERE id = 40"), []);
                assert_eq!(changed.expect("a change"), 1);
            }),
            finding: Finding::Row(Changed, "items", "[40]", Box::leak(Box::new([column]))),
        })
        .collect()
}

/// What is missing from a verification, if anything.
fn unreported(finding: &Finding, found: &Verification) -> Option<String> {
    let sees = |kind, table: &str, wanted: &dyn Fn(&whimbrel::verify::diff::RowDifference) -> bool| {
        found
            .tables
            .iter()
            .filter(|check| check.source.name == table)
            .flat_map(|check| check.differences.iter().flat_map(|differences| &differences.rows))
            .any(|row| row.kind == kind && wanted(row))
    };
    let told = match finding {
        Finding::Row(kind, table, key, columns) => sees(*kind, table, &|row| {
            row.key == *key && row.columns.iter().map(|column| column.column.as_str()).eq(columns.iter().copied())
        }),
        Finding::Keyless(kind, table, part) => sees(*kind, table, &|row| row.key.contains(part)),
        Finding::Object(part) => found.findings.objects.iter().any(|object| object.contains(part)),
        Finding::Structure(part) => {
            found.tables.iter().all(|table| table.is_sound())
                && found.findings.objects.is_empty()
                && found.findings.record.is_empty()
                && found
                    .findings
                    .integrity
                    .iter()
                    .any(|check| check.messages.iter().any(|message| message.contains(part)))
        }
        Finding::Record(part) => {
            found.tables.iter().all(|table| table.is_sound())
                && found.findings.objects.is_empty()
                && found.findings.record.iter().any(|difference| difference.text.contains(part))
        }
        Finding::LedgerSurplus(table) => {
            found.tables.iter().any(|check| check.source.name == *table && check.ledger_surplus == 1)
        }
        Finding::Orphan(table, rowid) => found.findings.foreign_keys.iter().any(|check| {
            check.total == 1
                && check.orphans.iter().any(|orphan| orphan.table == *table && orphan.rowid == Some(*rowid))
        }),
        Finding::Unreadable => {
            found.tables.iter().any(|check| !check.is_sound())
                || found.findings.integrity.iter().any(|check| !check.is_sound())
        }
    };
    let error = found.ensure_sound().err();
    (!told || error.is_none()).then(|| format!("sound: {}; found:{}", found.is_sound(), findings(found)))
}

#[test]
fn every_single_change_of_a_finished_file_is_reported() {
    let server = shared().expect("a PostgreSQL server");
    let database = server.create_database("corruption").expect("a database");
    Server::connect(&database.url()).run(SOURCE);
    let directory = tempfile::tempdir().expect("a directory");
    let mut job = Job::new(directory.path().join("finished.db"));
    // The changes are made without a log, which must not itself be a change that is noticed.
    job.options.journal_mode = JournalMode::Delete;
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error}"));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));

    let copy = directory.path().join("copy.db");
    let mut source = source(&database.url()).expect("a source");
    let (_, plan) = to_sqlite::plan(&mut source, &job).expect("a plan");
    let mut verify = || verify_by(&plan, &mut source, &copy, &job);
    let control = |found: whimbrel::Result<Verification>| {
        let found = found.expect("a verification");
        assert!(found.is_sound(), "the unchanged copy is not sound: {}", findings(&found));
    };
    std::fs::copy(&job.target, &copy).expect("a copy");
    control(verify());
    let (mut caught, mut missed) = (0, Vec::new());
    for change in changes() {
        std::fs::copy(&job.target, &copy).expect("a copy");
        (change.make)(&copy);
        assert_ne!(std::fs::read(&copy).expect("the copy"), std::fs::read(&job.target).expect("the file"));
        match verify() {
            Ok(found) => match unreported(&change.finding, &found) {
                None => caught += 1,
                Some(seen) => missed.push(format!("{}: {seen}", change.name)),
            },
            Err(error)
                if matches!(change.finding, Finding::Unreadable)
                    && error.to_string().contains("the file is damaged") =>
            {
                caught += 1;
            }
            Err(error) => missed.push(format!("{}: verification itself failed: {error}", change.name)),
        }
    }
    std::fs::copy(&job.target, &copy).expect("a copy");
    control(verify());
    let _ = writeln!(std::io::stderr(), "corruption: {caught} of {} changes reported", caught + missed.len());
    assert!(missed.is_empty(), "not reported as they should be:\n{}", missed.join("\n"));
    assert!(caught >= 18);
}
