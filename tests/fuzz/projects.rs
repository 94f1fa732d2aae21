//! Project files: a project or a usage error, and no password of a URL in either.

use crate::words::text;
use std::path::Path;
use whimbrel::error::Kind;
use whimbrel::plan::choices::Choices;
use whimbrel::project::Project;

const WORDS: &[&str] = &[
    "name",
    "[source]\n",
    "url",
    "schema",
    "[target]\n",
    "path",
    "journal_mode",
    "page_size_bytes",
    "metadata",
    "backups",
    "[tables]\n",
    "include",
    "exclude",
    "exclude_objects",
    "[names]\n",
    "[rules.types]\n",
    "[rules.columns]\n",
    "[drop]\n",
    "[connection]\n",
    "foreign_keys",
    "cache_size_kib",
    "mmap_size_bytes",
    "temp_store",
    "synchronous",
    "busy_timeout_ms",
    "[verify]\n",
    "level",
    "[latency]\n",
    "rows",
    "runs",
    "p50_ms",
    "[generate]\n",
    "[generate.columns.'a.b']\n",
    "[generate.tables.a]\n",
    "'postgres://ann:Qz7secret7zQ@host/app'",
    "'mysql://ann:Qz7secret7zQ@host/app'",
    "=",
    "\n",
    "'a.db'",
    "'wal'",
    "'delete'",
    "true",
    "false",
    "0",
    "4096",
    "nan",
    "inf",
    "-1",
    "99999999999999999999",
    "['a']",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "'''",
    "\"\"\"",
    "'epoch-seconds'",
    "'timestamp'",
    "'a.b'",
    "'full'",
    "'paranoid'",
    "\\u0000",
    "é",
    "1979-05-27T07:32:00Z",
    "minimum",
    "maximum",
    "values",
    "pattern",
    "nulls",
    "'[a-z]+'",
    "#",
    ",",
    ".",
    "sources",
];

const SECRET: &str = "Qz7secret7zQ";

/// Any text. A password of it is shown nowhere; as a user's name, or behind a word of somebody's own, it is none.
pub fn project_files(bytes: &[u8]) {
    let text = text(bytes, WORDS);
    let passwords = [format!(":{SECRET}@"), format!("password={SECRET}")];
    let shows_it = |shown: &str| passwords.iter().any(|password| shown.contains(password));
    match Project::parse(Path::new("no-such-folder"), &text) {
        Ok(project) => {
            // What else a project holds, the reason of a drop for example, is somebody's own prose.
            let shown = format!("{:?}", project.source);
            assert!(!shows_it(&shown), "{shown}");
            let choices = &project.options.run.choices;
            let json = serde_json::to_string(choices).expect("choices are JSON");
            assert_eq!(serde_json::from_str::<Choices>(&json).expect("what was written is read"), *choices);
        }
        Err(error) => {
            assert_eq!(error.kind(), Kind::Usage, "{error}");
            assert!(!shows_it(&error.to_string()), "{error}\n{text}");
        }
    }
}
