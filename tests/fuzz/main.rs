//! Every reader of foreign bytes, fed with bytes: none panics, none overflows its stack, and what is read back is what
//! was read.
//!
//! `cargo test` tries the inputs of `corpus/TARGET` (regressions among them) and some thousand random ones. `scripts/fuzz`
//! runs the same targets under libFuzzer, which keeps what reaches new code. An input is text in a short form: ASCII
//! stands for itself, each byte above it for a word of the target's own list, so that sentences are found early.

mod copy;
mod documents;
mod dumps;
mod expressions;
#[cfg(feature = "harness")]
mod harness;
mod manifests;
mod projects;
mod scripts;
mod urls;
mod values;
mod words;

use std::path::Path;

/// How many random inputs a target gets in `cargo test`.
const RANDOM_INPUTS: usize = 2_000;
/// The longest of them in bytes.
const LENGTH_MAX: usize = 512;

/// Runs a target over its corpus and over what the engine makes up.
fn run(name: &str, target: fn(&[u8])) {
    if !cfg!(fuzzing) {
        // By ourselves: the engine may stop in the middle of a corpus.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
        let mut inputs: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("`{name}` has no corpus: {error}"))
            .map(|entry| entry.expect("the entry can be read").path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "`{name}` has an empty corpus");
        for input in inputs {
            eprintln!("{}", input.display());
            target(&std::fs::read(&input).expect("the input can be read"));
        }
    }
    bolero::check!().with_max_len(LENGTH_MAX).with_iterations(RANDOM_INPUTS).for_each(target);
}

#[test]
fn copy_frames() {
    run("copy_frames", copy::frames);
}

#[test]
fn values_of_every_type() {
    run("values_of_every_type", values::round_trip);
}

#[test]
fn urls() {
    run("urls", urls::urls);
}

#[test]
fn passwords() {
    run("passwords", urls::passwords);
}

#[test]
fn scripts() {
    run("scripts", scripts::scripts);
}

#[test]
fn project_files() {
    run("project_files", projects::project_files);
}

#[test]
fn expressions() {
    run("expressions", expressions::expressions);
}

#[test]
fn views() {
    run("views", expressions::views);
}

#[test]
fn backup_manifests() {
    run("backup_manifests", manifests::backups);
}

#[test]
fn target_manifests() {
    run("target_manifests", manifests::targets);
}

#[test]
fn dump_scripts() {
    run("dump_scripts", dumps::scripts);
}

#[test]
fn dump_rows() {
    run("dump_rows", dumps::rows);
}

#[test]
fn dump_inserts() {
    run("dump_inserts", dumps::inserts);
}

#[test]
fn dump_archives() {
    run("dump_archives", dumps::archives);
}

#[test]
fn json_documents() {
    run("json_documents", documents::json);
}

#[test]
fn json_lines_documents() {
    run("json_lines_documents", documents::json_lines);
}

#[test]
fn yaml_documents() {
    run("yaml_documents", documents::yaml);
}

#[test]
fn markdown_documents() {
    run("markdown_documents", documents::markdown);
}

#[test]
fn lines_documents() {
    run("lines_documents", documents::lines);
}

#[test]
fn layout_files() {
    run("layout_files", documents::layouts);
}

#[cfg(feature = "harness")]
#[test]
fn query_headers() {
    run("query_headers", harness::query_headers);
}

#[cfg(feature = "harness")]
#[test]
fn patterns() {
    run("patterns", harness::patterns);
}
