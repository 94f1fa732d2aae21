//! Texts of a dump in every encoding: what the server makes of each sequence of bytes, we make of it; what it refuses, we refuse.

use crate::support::whole_run::Server;
use std::io::Cursor;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::dump::DumpSource;
use whimbrel::endpoint::{ReadTable, Source};
use whimbrel::provision::shared;
use whimbrel::value::Cell;

/// What the server makes of bytes; NULL where it refuses them.
const OF_BYTES: &str = "
CREATE FUNCTION of_bytes(bytes bytea, encoding text) RETURNS text LANGUAGE plpgsql AS $$
  BEGIN RETURN convert_from(bytes, encoding); EXCEPTION WHEN others THEN RETURN NULL; END $$;
CREATE FUNCTION bytes_of(VARIADIC numbers integer[]) RETURNS bytea LANGUAGE sql AS $$
  SELECT decode(string_agg(lpad(to_hex(number), 2, '0'), '' ORDER BY place), 'hex')
  FROM unnest(numbers) WITH ORDINALITY AS n (number, place) $$;
";

/// One byte beyond ASCII, and two.
const PAIRS: &str = "SELECT bytes_of(a) AS bytes FROM generate_series(128, 255) AS a
    UNION ALL SELECT bytes_of(a, b) FROM generate_series(128, 255) AS a, generate_series(48, 255) AS b";
/// Three, as EUC_JP has them.
const TRIPLES: &str = "SELECT bytes_of(143, a, b) FROM generate_series(128, 255) AS a, generate_series(128, 255) AS b";
/// Every 41st of the four that GB18030 has; with `WHIMBREL_ENCODINGS=1`, each.
const QUADS: &str = "SELECT bytes_of(a, b, c, d) FROM generate_series(129, 254) AS a, generate_series(48, 57) AS b,
    generate_series(129, 254) AS c, generate_series(48, 57) AS d WHERE (a * 12600 + b * 1260 + c * 10 + d) % step = 0";
/// Of the sequences that the server refuses, one in so many is tried: each takes a dump of its own.
const REFUSED_STEP: usize = 23;

/// Every encoding of several bytes, and how many of its sequences PostgreSQL 15 takes for one character, at the least.
const WIDE: [(&str, usize); 8] = [
    ("GBK", 21_791),
    ("GB18030", 23_940),
    ("BIG5", 13_717),
    ("UHC", 17_237),
    ("SJIS", 7_787),
    ("EUC_JP", 13_197),
    ("EUC_KR", 8_227),
    ("EUC_CN", 7_445),
];

/// The texts of a dump in that encoding with those bytes, each in a row of its own.
fn texts(encoding: &str, rows: &[Vec<u8>]) -> Result<Vec<String>, String> {
    let head = format!(
        "SET client_encoding = '{encoding}';\nCREATE TABLE public.t (sign text);\nCOPY public.t (sign) FROM stdin;\n"
    );
    let mut dump = head.into_bytes();
    for row in rows {
        dump.extend_from_slice(row);
        dump.push(b'\n');
    }
    dump.extend_from_slice(b"\\.\n");
    let read = || {
        let mut dump = DumpSource::from_reader(Cursor::new(dump), "a dump", &Cancel::new())?;
        let catalog = dump.catalog()?;
        let tables: Vec<ReadTable<'_>> = catalog.tables.iter().map(ReadTable::whole).collect();
        let mut texts = Vec::new();
        dump.read(&tables, &mut |_: usize, cells: &[Cell<'_>]| {
            let Cell::Text(text) = &cells[0] else { panic!("{cells:?}") };
            texts.push(text.to_string());
            Ok(())
        })?;
        Ok(texts)
    };
    read().map_err(|error: whimbrel::Error| error.to_string())
}

#[test]
fn each_sequence_of_bytes_is_what_the_server_makes_of_it() {
    let database = shared().expect("a server").create_database("encodings").expect("a database");
    let mut server = Server::connect(&database.url());
    server.run(OF_BYTES);
    let step = if std::env::var_os("WHIMBREL_ENCODINGS").is_some() { 1 } else { 41 };
    let mut wrong = Vec::new();
    for (encoding, least) in WIDE {
        let mut all = PAIRS.to_owned();
        match encoding {
            "EUC_JP" => all.push_str(&format!(" UNION ALL {TRIPLES}")),
            "GB18030" => all.push_str(&format!(" UNION ALL {}", QUADS.replace("step", &step.to_string()))),
            _ => {}
        }
        let asked = format!("SELECT encode(bytes, 'hex'), of_bytes(bytes, '{encoding}') FROM ({all}) AS all_of_them");
        let (mut rows, mut expected, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for row in server.rows(asked) {
            let [Some(hex), text] = row.as_slice() else { panic!("{row:?}") };
            let pair = |place: usize| u8::from_str_radix(&hex[place..place + 2], 16).expect("hexadecimal");
            let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(pair).collect();
            match text {
                // A backslash by itself stands for itself in no row.
                Some(text) if text.contains('\\') => {}
                Some(text) => {
                    rows.push(bytes);
                    expected.push(text.clone());
                }
                None => refused.push(bytes),
            }
        }
        let characters = expected.iter().filter(|text| text.chars().count() == 1).count();
        assert!(characters >= least, "{encoding}: the server has {characters} characters");
        match texts(encoding, &rows) {
            Err(error) => wrong.push(format!("{encoding}: {error}")),
            Ok(found) => {
                assert_eq!(found.len(), expected.len(), "{encoding}");
                let differ = expected.iter().zip(&found).zip(&rows).filter(|((expected, found), _)| expected != found);
                wrong.extend(differ.take(5).map(|((expected, found), bytes)| {
                    format!("{encoding}: `{}` is {expected:?} to the server, and {found:?} here", bytes.escape_ascii())
                }));
            }
        }
        for bytes in refused.iter().step_by(REFUSED_STEP) {
            match texts(encoding, std::slice::from_ref(bytes)) {
                Ok(text) => wrong.push(format!("{encoding}: `{}` is read as {text:?}", bytes.escape_ascii())),
                Err(error) if error.contains("line 4: the bytes") => {}
                Err(error) => wrong.push(format!("{encoding}: `{}`: {error}", bytes.escape_ascii())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_an_encoding_without_a_table_ascii_is_read() {
    for encoding in ["EUC_TW", "EUC_JIS_2004", "SHIFT_JIS_2004", "JOHAB", "MULE_INTERNAL"] {
        assert_eq!(
            texts(encoding, &[b"plain \\134 text".to_vec()]),
            Ok(vec!["plain \\ text".to_owned()]),
            "{encoding}"
        );
        let error = texts(encoding, &[b"a".to_vec(), b"b \xa4\xa4".to_vec()]).expect_err(encoding);
        assert!(
            error.contains(&format!("line 5: of texts in the encoding `{encoding}` only ASCII is read")),
            "{error}"
        );
        assert!(error.contains(r"`\xa4\xa4`"), "{error}");
    }
    let error = texts("UTF7", &[]).expect_err("nobody knows it");
    assert!(error.contains("line 1: texts in the encoding `UTF7` are not read here"), "{error}");
}
