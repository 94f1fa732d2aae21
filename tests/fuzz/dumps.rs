//! Dumps: whatever the bytes are, they are read or refused by name; in however many pieces they come, they say the same.

use crate::words::text;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::io::Read;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::dump::DumpSource;
use whimbrel::endpoint::{ReadTable, Source};
use whimbrel::value::{Cell, Sink};

const WORDS: &[&str] = &[
    "CREATE TABLE t",
    "(a integer, b text)",
    "INSERT INTO t VALUES",
    "COPY t (a, b) FROM stdin;\n",
    "COPY u FROM stdin;\n",
    "\\.\n",
    "\\N",
    "\t",
    "\n",
    ";\n",
    "'",
    "''",
    "E'",
    "\\'",
    "$$",
    "$a$",
    "--",
    "/*",
    "*/",
    "(",
    ")",
    ",",
    "\\connect app\n",
    "\\restrict x\n",
    "\\!",
    "-- PostgreSQL database dump\n",
    "-- PostgreSQL database dump complete\n",
    "-- PostgreSQL database cluster dump\n",
    "-- Dumped from database version 15.1\n",
    "SET client_encoding = 'SJIS';\n",
    "SET client_encoding = 'LATIN1';\n",
    "SET client_encoding = 'UTF8';\n",
    "SET standard_conforming_strings = off;\n",
    "SELECT pg_catalog.set_config('search_path', '', false);\n",
    "CREATE FUNCTION f() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; END;\n",
    "CREATE DATABASE app;\n",
    "NULL",
    "DEFAULT",
    "-0",
    "1e5",
    "B'01'",
    "x'1f'",
    "ARRAY[",
    "ROW(",
    "::",
    "text",
    "CAST(",
    "AS",
    "\r\n",
    "\0",
    "é",
    "\\x41",
    "\\101",
    "DEFAULT VALUES",
    "PARTITION BY RANGE (a)",
    "ALTER TABLE t",
    "CREATE TYPE",
    "AS ENUM ('a')",
];

/// Hands its bytes out in pieces of so many.
struct Pieces(std::io::Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.1);
        self.0.read(&mut buffer[..count])
    }
}

struct Hashed(DefaultHasher);

impl Sink for Hashed {
    fn put(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }
}

/// What a dump says: its tables, its rows, or why it is none.
fn said(bytes: &[u8], piece: usize) -> Result<(usize, u64, u64), String> {
    let read = || {
        let pieces = Pieces(std::io::Cursor::new(bytes.to_vec()), piece);
        let mut dump = DumpSource::from_reader(pieces, "a dump", &Cancel::new())?;
        let catalog = dump.catalog()?;
        let tables: Vec<ReadTable<'_>> = catalog.tables.iter().map(ReadTable::whole).collect();
        let (mut rows, mut hashed) = (0, Hashed(DefaultHasher::new()));
        dump.read(&tables, &mut |table: usize, cells: &[Cell<'_>]| {
            rows += 1;
            hashed.0.write_usize(table);
            cells.iter().for_each(|cell| cell.encode(&mut hashed));
            Ok(())
        })?;
        Ok((catalog.tables.len(), rows, hashed.0.finish()))
    };
    read().map_err(|error: whimbrel::Error| error.to_string())
}

fn in_any_pieces(bytes: &[u8], piece: usize) {
    assert_eq!(said(bytes, bytes.len().max(1)), said(bytes, piece));
}

/// A script of words.
pub fn scripts(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    in_any_pieces(text(rest, WORDS).as_bytes(), usize::from(first % 7) + 1);
}

/// The lines of a block of rows, as they come.
pub fn rows(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let encodings = ["UTF8", "EUC_JP", "SJIS", "GB18030", "LATIN1", "BIG5", "GBK", "EUC_TW"];
    let encoding = encodings[usize::from(first >> 5)];
    let head = format!(
        "SET client_encoding = '{encoding}';\nCREATE TABLE public.t (a text, b bytea, c numeric(5,2));\nCOPY public.t (a, b, c) FROM stdin;\n"
    );
    in_any_pieces(&[head.as_bytes(), rest, b"\n\\.\n"].concat(), usize::from(first % 7) + 1);
}

/// The values of an INSERT.
pub fn inserts(bytes: &[u8]) {
    let values = text(bytes, WORDS);
    let head = "CREATE TABLE public.t (a timestamp with time zone, b text[], c double precision);\nINSERT INTO public.t VALUES (";
    let _ = said(format!("{head}{values});\n").as_bytes(), 1 << 20);
}

/// An archive: the bytes alone, and a small one with some of them changed.
pub fn archives(bytes: &[u8]) {
    let _ = said(&[b"PGDMP\x01\x0e\x00\x04\x08\x01", bytes].concat(), 1 << 20);
    let mut archive = include_bytes!("corpus/dump_archives/small.dump").to_vec();
    for change in bytes.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % archive.len();
        archive[place] = change[2];
    }
    let _ = said(&archive, 1 << 20);
    archive.truncate(bytes.len() * 7 % archive.len());
    let _ = said(&archive, 1 << 20);
}
