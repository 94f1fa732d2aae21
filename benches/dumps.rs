//! A whole migration of a dump, verified in full, beside that of the server which it was made of; prints one table.
//!
//! `cargo bench --bench dumps -- --rows 5000000 --rounds 3`, or `WHIMBREL_BENCH_ROWS=5000000`. `--large` migrates instead a dump of
//! 10 GB behind Zstandard, of rows that repeat, and asks for its memory (`--gigabytes N`).
//!
//! Each measurement is a process of its own, so that its peak memory is its own, and the kinds take turns. The dumps are made by the
//! server's pg_dump before. A limit that is missed ends the run with exit code 1.

mod support;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use support::{Limits, line, measure, median, number};
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::dump::{DumpPlace, DumpSource};
use whimbrel::provision::Server;
use whimbrel::verify::Level;

/// A run from a plain file, to the live one: at least nine of ten rows in the same time.
const PLAIN_RATIO_MAX: f64 = 1.0 / 0.9;
/// A run from an archive, to the live one.
const ARCHIVE_RATIO_MAX: f64 = 1.1;
/// Peak memory of a run, in megabytes of 1,000,000 bytes.
const MEMORY_MAX_MB: f64 = 200.0;
const FIGURES: [&str; 7] = ["plan", "rows", "indexes", "verify", "whole", "processor", "memory"];

/// The forms of a dump: the file, what pg_dump is told, and the most that a run may take to the live one.
const FORMS: [(&str, &[&str], Option<f64>); 3] = [
    ("plain.sql", &[], Some(PLAIN_RATIO_MAX)),
    ("packed.sql.gz", &["--compress=6"], None),
    ("archive.dump", &["-Fc"], Some(ARCHIVE_RATIO_MAX)),
];

fn main() -> ExitCode {
    if let Some(part) = support::part() {
        match part.as_slice() {
            [kind, url] if kind == "live" => println!("{}", support::migrate(url, Level::default())),
            [_, path] => {
                let mut dump = DumpSource::open(&DumpPlace::at(path), &Cancel::new()).expect("a dump");
                println!("{}", support::migrate_from(&mut dump, Level::default()));
            }
            _ => return ExitCode::FAILURE,
        }
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let mut limits = Limits(true);
    if std::env::args().any(|argument| argument == "--large") {
        large(folder.path(), &mut limits);
    } else {
        side_by_side(folder.path(), &mut limits);
    }
    limits.exit_code()
}

fn heading() {
    println!("{:<17}{}", "", FIGURES.map(|name| format!(" {name:>9}")).concat());
}

fn side_by_side(folder: &Path, limits: &mut Limits) {
    let (rows, rounds) = (number("rows", 5_000_000), number("rounds", 3));
    let server = Server::start().expect("a PostgreSQL");
    println!("{}", server.describe());
    let database = support::filled(&server, rows);
    let program = server.dump_program().expect("pg_dump of the server's version or later");
    println!("{rows} events; times in seconds");
    for (name, options, _) in FORMS {
        let path = folder.join(name);
        program.write(&database.url(), options, &path).expect("a dump");
        println!("{name}: {} MB", path.metadata().expect("the dump").len() / 1_000_000);
    }
    heading();
    let (mut ratios, mut rates, mut memory) = (vec![Vec::new(); FORMS.len()], vec![Vec::new(); FORMS.len()], 0.0);
    for _ in 0..rounds {
        let live = measured("live", &database.url());
        for (place, (name, ..)) in FORMS.into_iter().enumerate() {
            let dump = measured(name, folder.join(name).to_str().expect("a path of text"));
            ratios[place].push(dump("whole") / live("whole"));
            rates[place].push(live("rows") / dump("rows"));
            memory = f64::max(memory, dump("memory"));
        }
    }
    for ((name, _, limit), (ratios, rates)) in FORMS.into_iter().zip(ratios.into_iter().zip(rates)) {
        println!("rows a second while copying, {name} to live: {:.2}", median(rates));
        let what = format!("a whole run, {name} to live");
        match limit {
            Some(limit) => limits.judge(&what, median(ratios), limit),
            None => println!("{what}: {:.2}", median(ratios)),
        }
    }
    limits.judge("highest peak memory of a dump in MB", memory, MEMORY_MAX_MB);
}

/// The figures of one run.
fn measured(kind: &str, source: &str) -> impl Fn(&str) -> f64 + use<> {
    let figures = measure(&[kind, source]);
    line(kind, &figures, &FIGURES);
    move |name| figures[name].as_f64().unwrap_or(f64::NAN)
}

/// How many rows repeat.
const CHUNK_ROWS: u64 = 40_000;

fn large(folder: &Path, limits: &mut Limits) {
    let bytes = number("gigabytes", 10) * 1_000_000_000;
    let path = folder.join("large.sql.zst");
    let (rows, written) = write_large(&path, bytes);
    let packed = path.metadata().expect("the dump").len();
    println!("{rows} rows, {} MB of text in {} MB; times in seconds", written / 1_000_000, packed / 1_000_000);
    heading();
    let run = measured("large.sql.zst", path.to_str().expect("a path of text"));
    limits.judge("peak memory in MB", run("memory"), MEMORY_MAX_MB);
}

/// A script of so many bytes, in frames of Zstandard: most of it are times, so that the target is a third of it.
fn write_large(path: &Path, bytes: u64) -> (u64, u64) {
    let times = 10;
    let columns: String = (0..times).map(|place| format!("t{place} timestamp with time zone, ")).collect();
    let head = format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
         CREATE TABLE public.readings ({columns}number bigint, level double precision, note text);\n\
         COPY public.readings FROM stdin;\n"
    );
    let tail = "\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
    let mut chunk = String::new();
    for row in 0..CHUNK_ROWS {
        for time in 0..times {
            let (minute, micros) = (row % 60, (row * 7919 + time * 104_729) % 1_000_000);
            write!(chunk, "2024-0{}-1{time} 1{time}:{minute:02}:00.{micros:06}+00\t", 1 + time % 9).expect("memory");
        }
        let note = if row % 3 == 0 { "\\N".to_owned() } else { format!("reading {row}\\twith a \\\\ in it") };
        writeln!(chunk, "{}\t{}.5\t{note}", row * 31, row % 977).expect("memory");
    }
    let packed = compress_to_vec(chunk.as_bytes(), CompressionLevel::Fastest);
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    let pack = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    let chunks = bytes / chunk.len() as u64 + 1;
    file.write_all(&pack(&head)).expect("the head");
    for _ in 0..chunks {
        file.write_all(&packed).expect("rows");
    }
    file.write_all(&pack(tail)).expect("the end");
    file.flush().expect("the dump");
    (chunks * CHUNK_ROWS, chunks * chunk.len() as u64)
}
