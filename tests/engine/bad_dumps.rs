//! Dumps that are not whole, not one, or not what any pg_dump has written: each is refused with its line or entry.

use std::io::{Cursor, Read, Write};
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::dump::DumpSource;
use whimbrel::endpoint::{ReadTable, Source};
use whimbrel::value::Cell;

/// The number of rows of a dump, or why it is refused.
fn rows_of(reader: impl Read + Send + 'static) -> Result<u64, String> {
    let read = || {
        let mut dump = DumpSource::from_reader(reader, "a dump", &Cancel::new())?;
        let catalog = dump.catalog()?;
        let tables: Vec<ReadTable<'_>> = catalog.tables.iter().map(ReadTable::whole).collect();
        let mut rows = 0;
        dump.read(&tables, &mut |_: usize, _: &[Cell<'_>]| {
            rows += 1;
            Ok(())
        })?;
        Ok(rows)
    };
    read().map_err(|error: whimbrel::Error| error.to_string())
}

fn of_text(text: &str) -> Result<u64, String> {
    rows_of(Cursor::new(text.to_owned().into_bytes()))
}

const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict key\n\n-- Dumped from database version 15.1\n\n\
    SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
    SELECT pg_catalog.set_config('search_path', '', false);\n\n\
    CREATE TABLE public.t (\n    a integer NOT NULL,\n    b text\n);\n\n";
const ROWS: &str = "COPY public.t (a, b) FROM stdin;\n1\tone\n2\t\\N\n\\.\n\n";
const TAIL: &str = "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (a);\n\n\
    --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict key\n\n";

#[test]
fn a_whole_dump_is_read() {
    assert_eq!(of_text(&[HEAD, ROWS, TAIL].concat()), Ok(2));
    let windows = [HEAD, ROWS, TAIL].concat().replace('\n', "\r\n");
    assert_eq!(of_text(&windows), Ok(2), "with the line ends of Windows");
    let inserts =
        "INSERT INTO public.t VALUES (1, 'a;b'), (2, NULL);\nINSERT INTO public.t (b, a) VALUES (E'x\\'', 3);\n";
    assert_eq!(of_text(&[HEAD, inserts, TAIL].concat()), Ok(3));
}

#[test]
fn a_dump_that_is_cut_off_anywhere_is_refused() {
    let whole = [HEAD, ROWS, TAIL].concat();
    let end = whole.rfind("-- PostgreSQL database dump complete").expect("the last line");
    let begin =
        whole.find("-- PostgreSQL database dump").expect("the first line") + "-- PostgreSQL database dump\n".len();
    for cut in begin..end + "-- PostgreSQL database dump complet".len() {
        let error = of_text(&whole[..cut]).expect_err(&whole[..cut]);
        assert!(error.contains("line") || error.contains("cut off"), "{cut}: {error}");
    }
}

#[test]
fn a_packed_dump_that_is_cut_off_is_refused() {
    let whole = [HEAD, ROWS, TAIL].concat();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(whole.as_bytes()).expect("memory");
    let packed = packer.finish().expect("memory");
    assert_eq!(rows_of(Cursor::new(packed.clone())), Ok(2));
    for cut in [20, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
        let error = rows_of(Cursor::new(packed[..cut].to_vec())).expect_err("it is cut off");
        assert!(error.contains("cut off"), "{cut}: {error}");
    }
    let mut damaged = packed.clone();
    let place = damaged.len() - 6;
    damaged[place] ^= 1;
    assert!(rows_of(Cursor::new(damaged)).is_err(), "its sum is wrong");
}

#[test]
fn what_no_dump_has_is_refused_with_its_line() {
    let between = |text: &str| [HEAD, text, TAIL].concat();
    // Behind the head of 17 lines.
    for (what, text, told) in [
        ("a program", between("\\! rm -rf /\n"), "line 18: `\\!` is a command of psql"),
        ("a file", between("\\i other.sql\n"), "`\\i` is a command of psql"),
        ("a program in a statement", between("SELECT 1 \\gexec\n;"), "line 18: a backslash stands in a statement"),
        (
            "a block without its end",
            [HEAD, "COPY public.t (a, b) FROM stdin;\n1\tx\n", TAIL].concat(),
            "it ends within the rows",
        ),
        (
            "too few values",
            between("COPY public.t (a, b) FROM stdin;\n1\n\\.\n"),
            "line 19: it is no row of the table: it has fewer",
        ),
        ("too many values", between("COPY public.t (a, b) FROM stdin;\n1\t2\t3\n\\.\n"), "it has more values"),
        (
            "no number",
            between("COPY public.t (a, b) FROM stdin;\nx\t2\n\\.\n"),
            "line 19, column `a`: `x` is no value of the type",
        ),
        (
            "mixed line ends",
            between("COPY public.t (a, b) FROM stdin;\n1\tx\n2\ty\r\n\\.\n"),
            "line 20: a carriage return",
        ),
        ("a byte 0", between("COPY public.t (a, b) FROM stdin;\n1\tx\0\n\\.\n"), "a byte 0"),
        (
            "a function",
            between("INSERT INTO public.t VALUES (1, now());\n"),
            "line 18: this INSERT has what is no plain constant",
        ),
        ("other forms of COPY", between("COPY public.t (a, b) FROM stdin WITH CSV;\n"), "line 18: this form of COPY"),
        ("a file of the server", between("COPY public.t (a, b) FROM '/etc/passwd';\n"), "line 18: this form of COPY"),
        ("an unknown encoding", between("SET client_encoding = 'UTF7';\n"), "line 18: texts in the encoding `UTF7`"),
        ("two dumps", [HEAD, ROWS, TAIL, HEAD].concat(), "another dump begins here"),
        ("two dumps, one cut off", [HEAD, HEAD, ROWS, TAIL].concat(), "another dump begins here"),
        (
            "a table twice",
            [HEAD, ROWS, ROWS, TAIL].concat(),
            "occurs twice: its rows begin at line 18 and again at line 23",
        ),
        (
            "a quote that stays open",
            between("COMMENT ON TABLE public.t IS 'x;\n"),
            "line 18: it is cut off: what begins here with a quote",
        ),
        ("bytes of a database", "SQLite format 3\0and so on".to_owned(), "it is a SQLite file"),
        ("bytes", "\u{1}\0\u{2}".to_owned(), "it is no dump"),
        ("a note", "hello\n".to_owned(), "line 1: it is no dump, or cut off"),
        ("nothing", String::new(), "it is empty"),
    ] {
        ensure_refused(what, &text, told);
    }
}

fn ensure_refused(what: &str, text: &str, told: &str) {
    match of_text(text) {
        Ok(rows) => panic!("{what} is read, with {rows} rows"),
        Err(error) => assert!(error.contains(told), "{what}: {error}"),
    }
}

#[test]
fn what_a_server_would_store_otherwise_is_refused_with_its_line() {
    let between = |text: &str| [HEAD, text, TAIL].concat();
    for (what, text, told) in [
        (
            "a column that the table lacks",
            between("COPY public.t (a, b, email) FROM stdin;\n1\tx\ty\n\\.\n"),
            "line 18, column `email`: the dump's definition of the table has no such column",
        ),
        (
            "such a column of an INSERT",
            between("INSERT INTO public.t (a, nope) VALUES (1, 2);\n"),
            "line 18, column `nope`",
        ),
        ("a column twice", between("COPY public.t (a, a) FROM stdin;\n1\t2\n\\.\n"), "it is named twice"),
        ("too few values by name", between("INSERT INTO public.t (a, b) VALUES (1);\n"), "fewer values than it names"),
        ("rows of two lengths", between("INSERT INTO public.t VALUES (1), (2, 'x');\n"), "different numbers of values"),
        (
            "values that are put aside",
            between("INSERT INTO public.t OVERRIDING USER VALUE VALUES (77);\n"),
            "line 18: this INSERT has what is no plain constant",
        ),
        (
            "a value of a generated column",
            between(
                "CREATE TABLE public.g (a integer, c integer GENERATED ALWAYS AS ((a + 1)) STORED);\nINSERT INTO public.g VALUES (1, 7);\n",
            ),
            "gives a value to a generated column",
        ),
        (
            "a day that no month has",
            between("CREATE TABLE public.d (d date);\nCOPY public.d (d) FROM stdin;\n2020-02-30\n\\.\n"),
            "line 20, column `d`: `2020-02-30` is no value of the type",
        ),
        (
            "no address",
            between("CREATE TABLE public.d (d inet);\nCOPY public.d (d) FROM stdin;\n999.1.1.1\n\\.\n"),
            "line 20, column `d`: `999.1.1.1` is no value of the type",
        ),
        (
            "a cast that cuts",
            between("INSERT INTO public.t VALUES (1, 'abcdef'::character varying(3));\n"),
            "line 18, column `b`",
        ),
        (
            "a setting that nobody knows",
            between("RESET standard_conforming_strings;\n"),
            "line 18: it sets what decides",
        ),
        (
            "rows of no table",
            [HEAD, ROWS, "COPY public.u (a) FROM stdin;\n1\n\\.\n", TAIL].concat(),
            "rows of table `public.u` and no definition",
        ),
        (
            "rows that go again",
            [HEAD, ROWS, "DELETE FROM public.t;\n", TAIL].concat(),
            "line 23: it changes rows or tables",
        ),
        (
            "a table that goes again",
            [HEAD, ROWS, "DROP TABLE public.t;\n", TAIL].concat(),
            "line 23: it drops a table whose rows",
        ),
        (
            "a table twice",
            [HEAD, "CREATE TABLE public.t (c integer);\n", TAIL].concat(),
            "line 18: the table is defined already",
        ),
        (
            "rows before a database has a name",
            [HEAD, ROWS, TAIL, "\\connect d2\n\nCREATE TABLE public.u (a integer);\n"].concat(),
            "it has rows before its first `\\connect`",
        ),
    ] {
        ensure_refused(what, &text, told);
    }
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let dump = |rows: &[u8]| {
        let head = [HEAD, "COPY public.t (a, b) FROM stdin;\n"].concat();
        rows_of(Cursor::new([head.as_bytes(), rows, b"\n\\.\n", TAIL.as_bytes()].concat()))
    };
    let error = dump(b"1\t\xe9").expect_err("it is no UTF-8");
    assert!(error.contains("line 19, column `b`") && error.contains("`\\xe9` are no text in UTF-8"), "{error}");
    assert_eq!(dump("1\té".as_bytes()), Ok(1));
}

/// A gigabyte of one letter, without a line end.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.0).unwrap_or(usize::MAX));
        buffer[..count].fill(b'x');
        self.0 -= count as u64;
        Ok(count)
    }
}

#[test]
fn a_line_without_end_is_refused_before_it_is_held() {
    let error = rows_of(Cursor::new(b"CREATE TABLE ".to_vec()).chain(Endless(100 << 20))).expect_err("it is too long");
    assert!(error.contains("longer than"), "{error}");
}

/// What unpacks to so many mebibytes of one letter, with no line end.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let frame = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    let letters = frame(&vec![b'x'; 1 << 20]);
    [frame(HEAD.as_bytes()), frame(b"COPY public.t (a, b) FROM stdin;\n1\t"), letters.repeat(mebibytes)].concat()
}

#[test]
fn what_unpacks_to_a_line_beyond_any_row_is_refused_before_it_is_held() {
    let packed = bomb(1025);
    assert!(packed.len() < 2 << 20, "{}", packed.len());
    let error = rows_of(Cursor::new(packed)).expect_err("it is too long");
    assert!(error.contains("line 19: this line is longer than 1073741823 bytes"), "{error}");
    let error = rows_of(Cursor::new(bomb(40))).expect_err("it does not end");
    assert!(error.contains("it is cut off: it ends within the rows"), "{error}");
}

#[test]
fn one_of_several_databases_is_read_by_its_name() {
    let one = |name: &str| format!("\\connect {name}\n\n{HEAD}{ROWS}{TAIL}");
    let text = format!(
        "--\n-- PostgreSQL database cluster dump\n--\n\nSET default_transaction_read_only = off;\nCREATE ROLE ann;\n\n{}{}\
         --\n-- PostgreSQL database cluster dump complete\n--\n",
        one("app"),
        one("\"other app\"")
    );
    let error = of_text(&text).expect_err("it has two");
    assert!(error.contains("several databases"), "{error}");
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("all.sql");
    std::fs::write(&path, &text).expect("a file");
    let quoted = format!("\\encoding SQL_ASCII\n\\connect -reuse-previous=on \"dbname='my db'\"\n\n{HEAD}{ROWS}{TAIL}");
    assert_eq!(of_text(&quoted), Ok(2), "as pg_dump names a database with a blank");
    for (name, is_there) in [("app", true), ("other app", true), ("third", false)] {
        let place = whimbrel::endpoint::dump::DumpPlace {
            database: Some(name.to_owned()),
            ..whimbrel::endpoint::dump::DumpPlace::at(&path)
        };
        let mut dump = DumpSource::open(&place, &Cancel::new()).expect("a dump");
        match dump.catalog() {
            Ok(catalog) => assert_eq!((catalog.database.as_str(), catalog.tables.len()), (name, usize::from(is_there))),
            Err(error) => {
                assert!(!is_there, "{error}");
                assert!(error.way_out().expect("a hint").contains("`app`, `other app`"), "{error:?}");
            }
        }
    }
}
