//! The examples of `docs/layouts.md`, read out of the page.

use std::path::Path;

/// A layout, a file of it, and its rows.
pub struct Example {
    /// The format's heading.
    pub heading: String,
    /// What `layout.toml` says.
    pub layout: String,
    /// Where the file is.
    pub path: String,
    /// What stands in it; of a SQLite file the statements that make it.
    pub file: String,
    /// `{"TABLE": {"COLUMN": …}}`, one each line, in the order of the document.
    pub rows: String,
}

/// All of them, in their order.
pub fn examples() -> Vec<Example> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/layouts.md")).unwrap();
    let (_, examples) = page.split_once("## One example per format").unwrap();
    examples.split("\n### ").skip(1).map(example).collect()
}

fn example(text: &str) -> Example {
    let mut lines = text.lines();
    let heading = lines.next().unwrap().to_owned();
    let (mut path, mut blocks) = (String::new(), Vec::new());
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n") + "\n");
        } else if let Some(named) = line.strip_prefix('`') {
            path = named.trim_end_matches("`:").to_owned();
        }
    }
    let [layout, file, rows] = blocks.try_into().unwrap();
    Example { heading, layout, path, file, rows }
}
