//! Layouts that are read, and layouts that are refused.

use super::examples::{Example, examples};
use super::path::CaptureFault;
use super::*;
use crate::catalog::Shape;
use crate::error::Error;
use std::path::Path;

fn told(error: &Error) -> String {
    format!("{error}; {}", error.way_out().unwrap_or("no hint"))
}

fn of(text: &str) -> Layout {
    read("`layout.toml`", text).unwrap_or_else(|error| panic!("{}\n{text}", told(&error)))
}

fn of_project(path: &str) -> Layout {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    load(&path).unwrap_or_else(|error| panic!("{}", told(&error))).0
}

const SESSIONS: &str = r#"
ignore = ["*.tmp", "var/**"]
keep = ["templates/**"]

[[file]]
name = "sessions"
path = "sessions/{hash}.json"
captures.hash = "[0-9a-f]{4}"
format = "json"

[[file.records]]
at = "[]"
table = "sessions"
key = ["id"]
rest = "extra"
order = { column = "id", descending = true }
columns.id = "id"
columns.workspace_hash = "@path.hash"
columns.mix = { from = "runtimeMix", type = "json", absent = "write-null" }
columns.live = { member = ["is.live"], type = "boolean", spelled = ["yes", "no"], absent = { default = "no" } }

[[file.records.children]]
at = "instances[]"
table = "instances"
key = ["session_id", "instance_id"]
columns.session_id = "@parent.id"
columns.instance_id = { from = "instanceId", type = "integer" }
"#;

#[test]
fn a_layout_says_what_was_typed() {
    let layout = of(SESSIONS);
    let tables: Vec<(&str, Vec<&str>, &[usize])> = layout
        .tables
        .iter()
        .map(|table| {
            let columns = table.columns.iter().map(|column| column.name.as_str()).collect();
            (table.name.as_str(), columns, table.key.as_slice())
        })
        .collect();
    assert_eq!(
        tables,
        [
            ("sessions", vec!["id", "workspace_hash", "mix", "live", "extra"], &[0][..]),
            ("instances", vec!["session_id", "instance_id"], &[0, 1][..]),
        ]
    );
    let records = &layout.kinds[0].records[0];
    assert_eq!((records.at.as_slice(), records.rest), (&[Step::Elements][..], Some(4)));
    assert_eq!(records.order, Some(Order { column: 0, descending: true }));
    let member = |name: &str| vec![Origin::Member(vec![name.to_owned()])];
    let filled = |column, from, form, absent| Filled { column, from, form, absent };
    let words = ValueForm::Boolean(BooleanSpelling::Words { yes: "yes".into(), no: "no".into() });
    assert_eq!(
        records.columns,
        [
            filled(0, member("id"), ValueForm::Text, Absent::Refused),
            filled(1, vec![Origin::Capture("hash".into())], ValueForm::Text, Absent::Null),
            filled(2, member("runtimeMix"), ValueForm::Json, Absent::WrittenNull),
            filled(3, member("is.live"), words, Absent::Default("no".into())),
        ]
    );
    let child = &records.children[0];
    assert_eq!(child.at, [Step::Member("instances".into()), Step::Elements]);
    assert_eq!(child.columns[0].from, [Origin::Parent(0)]);
    assert_eq!((layout.times, layout.kinds[0].style.clone()), (false, Style::default()));
}

#[test]
fn a_path_is_of_one_kind_and_a_row_of_one_path() {
    let text = format!(
        "{SESSIONS}\n[[file]]\npath = 'sessions/{{any}}.json'\nformat = 'bytes'\n[[file.records]]\ntable = 'blobs'\n\
         key = ['name']\ncolumns.name = '@path.any'\ncolumns.bytes = '@content'\n"
    );
    let layout = of(&text);
    assert_eq!(layout.place("sessions/00ff.json"), Place::Kind(0, vec!["00ff".into()]));
    assert_eq!(layout.place("sessions/other.json"), Place::Kind(1, vec!["other".into()]));
    assert_eq!(layout.place("templates/a/b"), Place::Kept);
    assert_eq!((layout.place("a.tmp"), layout.place("var")), (Place::Ignored, Place::Ignored));
    assert_eq!(layout.place("sessions/a/b.json"), Place::Unknown);
    assert_eq!(layout.path_of(0, &["00ff"]).unwrap(), "sessions/00ff.json");
    assert_eq!(layout.path_of(1, &["other"]).unwrap(), "sessions/other.json");
    let path = || "sessions/00ff.json".to_owned();
    assert_eq!(layout.path_of(1, &["00ff"]), Err(CaptureFault::OtherKind { path: path(), kind: "sessions".into() }));
    assert_eq!(layout.path_of(1, &["../x"]), Err(CaptureFault::Slash("any".into())));
    let layout = of(&text.replace("\"var/**\"", "\"sessions/00*\""));
    assert_eq!(layout.path_of(0, &["00ff"]), Err(CaptureFault::Ignored { path: path() }));
}

#[test]
fn a_row_tells_the_captures_of_its_file() {
    let layout = of_project("migrations/agents/layout.toml");
    let kind = layout.kinds.iter().position(|kind| kind.name == "snapshots").unwrap();
    let set = &layout.kinds[kind].records[0];
    let table = &layout.tables[set.table];
    let row = |column: usize| match table.columns[column].name.as_str() {
        "snapshot_id" => Some("snap_ctx_a_20250716_120000_20250716_120001_123456".to_owned()),
        "session_id" => Some("ctx_a_20250716_120000".to_owned()),
        _ => None,
    };
    let captures = set.captures(&layout, kind, &row);
    let captures: Vec<&str> = captures.iter().map(|value| value.as_deref().unwrap()).collect();
    assert_eq!(captures, ["ctx_a_20250716_120000", "20250716_120001_123456"]);
    assert_eq!(
        layout.path_of(kind, &captures).unwrap(),
        "memory_snapshots/snap_ctx_a_20250716_120000_20250716_120001_123456.json"
    );
    assert_eq!(set.captures(&layout, kind, &|_| None), [None, None]);
}

#[test]
fn the_projects_have_layouts_whose_columns_their_tables_have() {
    for project in ["sessions", "deespec", "deespec/document", "agents"] {
        let layout = of_project(&format!("migrations/{project}/layout.toml"));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(project.split('/').next().unwrap());
        let mut scripts: Vec<_> =
            std::fs::read_dir(folder.join("target")).unwrap().map(|entry| entry.unwrap().path()).collect();
        scripts.retain(|path| path.to_string_lossy().ends_with(".up.sql"));
        scripts.sort();
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for script in scripts {
            connection.execute_batch(&std::fs::read_to_string(script).unwrap()).unwrap();
        }
        for table in &layout.tables {
            let mut statement =
                connection.prepare("SELECT name, \"notnull\", dflt_value, pk FROM pragma_table_info(?1)").unwrap();
            let columns: Vec<(String, bool, Option<String>, i64)> = statement
                .query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            let known: Vec<&str> = columns.iter().map(|(name, ..)| name.as_str()).collect();
            for column in &table.columns {
                assert!(
                    known.contains(&column.name.as_str()),
                    "{project}: {}.{} of {known:?}",
                    table.name,
                    column.name
                );
            }
            for (name, not_null, default, key) in &columns {
                let is_filled = table.columns.iter().any(|column| column.name == *name);
                assert!(
                    is_filled || !not_null || default.is_some() || *key == 1,
                    "{project}: nothing fills {}.{name}",
                    table.name
                );
            }
        }
    }
}

#[test]
fn the_tables_of_a_layout_are_a_neutral_schema() {
    let catalog = catalog(&of(SESSIONS));
    let table = &catalog.tables[0];
    let shapes: Vec<(&str, &Shape, bool)> =
        table.columns.iter().map(|column| (column.name.as_str(), &column.data_type.shape, column.not_null)).collect();
    assert_eq!(
        shapes,
        [
            ("id", &Shape::Text, true),
            ("workspace_hash", &Shape::Text, false),
            ("mix", &Shape::Json, false),
            ("live", &Shape::Boolean, false),
            ("extra", &Shape::Json, false),
        ]
    );
    assert_eq!(table.primary_key.as_ref().unwrap().columns, ["id"]);
    assert_eq!(catalog.tables[1].columns[1].data_type.shape, Shape::BigInt);
    let agents = super::catalog(&of_project("migrations/agents/layout.toml"));
    let events = agents.tables.iter().find(|table| table.name.name == "events").unwrap();
    assert_eq!(events.column("timestamp").unwrap().data_type.shape, Shape::TimestampTz { precision: 6 });
}

/// The smallest layout with something in the records, and something behind the path.
fn with(file: &str, records: &str) -> String {
    format!(
        "[[file]]\npath = 'a/{{x}}.json'\nformat = 'json'\n{file}\n[[file.records]]\ntable = 't'\nkey = ['id']\n{records}\n"
    )
}

const SOUND: &str = "columns.id = 'id'\ncolumns.x = '@path.x'";

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn what_could_not_be_taken_back_is_refused_with_line_and_hint() {
    of(&with("", SOUND));
    let table = |columns: &str| {
        format!("[[file]]\npath = 'b.json'\nformat = 'json'\n[[file.records]]\ntable = 't'\n{columns}\n")
    };
    let lines = |records: &str| {
        format!(
            "[[file]]\npath = 'a.log'\nformat = 'lines'\nline = '{{time:\\S+}} {{text:.*}}'\n[[file.records]]\ntable = 't'\nkey = ['id']\n{records}\n"
        )
    };
    let mut wrong = Vec::new();
    for (text, told_as) in [
        // What is typed.
        ("[[file]]\npath = 'a".to_owned(), "line 2"),
        (with("tabel = 'x'", SOUND), "line 4: unknown field `tabel`, expected one of `name`, `path`"),
        (with("", &format!("{SOUND}\nresst = 'x'")), "unknown field `resst`, expected one of `rest`"),
        (with("", "columns.id = { form = 'id' }"), "unknown field `form`, expected one of `from`"),
        (with("", "columns.id = { from = 'id', type = 'int' }"), "unknown variant `int`"),
        (with("", "columns.id = { from = 'x', absent = 'nil' }"), "unknown variant `nil`"),
        ("times = true\n".to_owned(), "it names no kind of file"),
        (with("style = { mode = 0o77777 }", SOUND), "no permissions"),
        // Where values stand.
        (
            with("", "columns.id = '@positon'\ncolumns.x = '@path.x'"),
            "line 8: `@positon` is no origin; there are `@position`",
        ),
        (with("", "columns.id = '@position'\ncolumns.x = '@path.x'"), "only elements of a list have a position"),
        (with("", "columns.id = '@name'\ncolumns.x = '@path.x'"), "only entries of an object have a name"),
        (with("", "columns.id = '@body'\ncolumns.x = '@path.x'"), "only the format `markdown` has a body"),
        (with("", "columns.id = '@content'\ncolumns.x = '@path.x'"), "use the format `bytes`"),
        (with("", "columns.id = '@more'\ncolumns.x = '@path.x'"), "`@more` is of the format `lines`"),
        (with("", "columns.id = '@parent.id'\ncolumns.x = '@path.x'"), "there is no column `id` in the table"),
        (with("", "columns.id = '@path.y'\ncolumns.x = '@path.x'"), "the path has no capture `y`; there are `x`"),
        (with("", "columns.id = { from = 'id', constant = 'x' }\ncolumns.x = '@path.x'"), "has to be said once"),
        (with("", "columns.id = 'log-{name}'\ncolumns.x = '@path.x'"), "a template has captures"),
        (with("", "columns.id = { constant = 'x', type = 'integer' }\ncolumns.x = '@path.x'"), "`x` is no integer"),
        (
            with("", "columns.id = { from = 'id', spelled = 'digits' }\ncolumns.x = '@path.x'"),
            "`spelled` says nothing without a `type`",
        ),
        (
            with("", "columns.id = { from = 'id', type = 'moment', spelled = 'noon' }\ncolumns.x = '@path.x'"),
            "there are `rfc3339`",
        ),
        (
            with("", "columns.id = { from = 'id', words = { a = 'x', b = 'x' } }\ncolumns.x = '@path.x'"),
            "could not be taken back",
        ),
        (with("", &format!("{SOUND}\ncolumns.p = {{ from = '@path', type = 'integer' }}")), "no values of that type"),
        (with("", &format!("{SOUND}\ncolumns.p = {{ constant = 'a', absent = 'null' }}")), "is always there"),
        (with("", &format!("at = 'a[].b[]'\n{SOUND}")), "`children`"),
        (with("", &format!("keys = ['id', 'idd']\n{SOUND}")), "these records have no key `idd`; there are `id`"),
        // Rows that would not find their file.
        (
            with("", "columns.id = 'id'"),
            "does not tell in which file it is: `{x}` stands in no column; fill a column from `@path.x`",
        ),
        (with("", "columns.id = 'id'\ncolumns.x = { constant = 'x' }"), "`{x}` stands in no column"),
        (with("", "columns.x = '@path.x'"), "the key of `t` has no column `id`"),
        (with("", "columns.id = { unsaid = 'x' }\ncolumns.x = '@path.x'"), "the files do not tell it"),
        (
            with("", "columns.id = { from = 'id', absent = 'null' }\ncolumns.x = '@path.x'"),
            "a row without its key cannot be told",
        ),
        (with("", SOUND).replace("key = ['id']\n", ""), "nothing tells the rows of `t` apart"),
        (with("", SOUND).replace("key = ['id']", "key = ['id', 'id']"), "in the key twice"),
        (with("", &format!("at = '{{}}'\n{SOUND}")), "the name of an entry stands in no column"),
        (
            with(
                "",
                &format!(
                    "{SOUND}\n[[file.records.children]]\nat = 'c[]'\ntable = 'u'\nkey = ['n']\ncolumns.n = '@position'"
                ),
            ),
            "does not tell to which row of `t` it belongs; fill a column from `@parent.id`",
        ),
        (
            with("", &format!("{SOUND}\n[[file.records]]\ntable = 'u'\nkey = ['y']\ncolumns.y = '@path.x'")),
            "fill a table already",
        ),
        // One table at several places.
        (format!("{}{}", with("", SOUND), table("columns.id = 'id'")), "nothing tells which of them a new row goes to"),
        (format!("{}{}", with("", SOUND), table("part = true\ncolumns.id = 'id'")), "whole here and parts elsewhere"),
        (
            format!(
                "{}{}",
                with("", SOUND),
                table("columns.id = { from = 'id', type = 'integer' }\ncolumns.x = { from = 'x', type = 'integer' }")
                    + &table("columns.id = { from = 'id', type = 'text' }").replace("b.json", "c.json")
            ),
            "`t.id` is text here and integer in line",
        ),
        (format!("{}{}", with("", SOUND), table("columns.ID = 'id'")), "SQLite takes both for one"),
        (
            format!("{}{}", with("", SOUND), table("key = ['x']\ncolumns.id = 'id'")),
            "the key of `t` is another one in line 7",
        ),
        (format!("{}{}", with("", SOUND), with("", SOUND)), "same name or path"),
        // Values that would be in two columns.
        (
            with("", &format!("{SOUND}\ncolumns.a = 'm'\ncolumns.b = 'm.n'")),
            "`m` is taken as a whole, and `m.n` is a part of it",
        ),
        (with("", &format!("{SOUND}\ncolumns.a = '@value'")), "the whole record is taken as a whole"),
        (
            with(
                "",
                &format!(
                    "{SOUND}\ncolumns.c = 'c'\n[[file.records.children]]\nat = 'c[]'\ntable = 'u'\nkey = ['t_id', 'n']\ncolumns.t_id = '@parent.id'\ncolumns.n = '@position'"
                ),
            ),
            "`c` is taken as a whole",
        ),
        (with("", &format!("{SOUND}\ncolumns.b = 'id'")), "`id` is in two columns"),
        (
            with(
                "",
                &format!(
                    "{SOUND}\n[[file.records.children]]\ntable = 'u'\nkey = ['t_id']\ncolumns.t_id = '@parent.id'"
                ),
            ),
            "there are no records inside a record at ``",
        ),
        (with("", &format!("rest = 'x'\n{SOUND}")), "cannot take the rest"),
        // Formats.
        (with("line = 'x'", SOUND), "`line` is for the format `lines`"),
        (with("front_matter = true", SOUND), "`front_matter` is for the format `markdown`"),
        (with("blank = true", SOUND), "only a file that is a list can be an empty one"),
        (lines("columns.id = 'time'"), "`text` of a line stands in no column"),
        (lines("columns.id = 'time'\ncolumns.text = 'txt'"), "a line has no `txt`; there are `text`"),
        (lines("columns.id = 'time'\ncolumns.text = 'text'\ncolumns.m = '@more'"), "a line has no `@more`"),
        (lines("at = 'x[]'\ncolumns.id = 'time'\ncolumns.text = 'text'"), "each line is a record"),
        (
            lines("columns.id = 'time'\ncolumns.text = 'text'").replace("line = '{time:\\S+} {text:.*}'", ""),
            "nothing says what a line looks like",
        ),
        (lines("columns.id = 'time'\ncolumns.text = 'text'").replace("{text:.*}", "{text:.*"), "has no `}`"),
        (with("", SOUND).replace("'json'", "'sqlite'"), "a table of it is told as in `tasks[]`"),
        (with("", SOUND).replace("'json'", "'bytes'"), "such a file has no members; use `@content`"),
        (with("", SOUND).replace("'json'", "'markdown'"), "say `front_matter = true`"),
        ("[[file]]\npath = 'a'\nformat = 'bytes'\n".to_owned(), "`a` has no records"),
        // Paths.
        (with("captures.y = 'x'", SOUND), "there is no capture `y`"),
        (with("captures.x = '('", SOUND), "no regular expression"),
        (with("", SOUND).replace("a/{x}", "../{x}"), "`.` and `..` are no names"),
        (format!("keep = ['/etc/*']\n{}", with("", SOUND)), "line 1: no path is like this"),
        (format!("ignore = ['ok', '../*']\n{}", with("", SOUND)), "line 1: no path is like this"),
        (with("", SOUND).replace("'t'", "'_whimbrelish'"), "is no name for a table"),
    ] {
        let error = match read("`layout.toml`", &text) {
            Ok(_) => "it was read".to_owned(),
            Err(error) => told(&error),
        };
        if !error.starts_with("read the layout `layout.toml`") || !error.contains(told_as) {
            wrong.push(format!("{error}\nwanted: {told_as}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
}

#[test]
fn the_page_has_a_whole_example_of_each_format() {
    let mut formats = Vec::new();
    for Example { heading, layout, path, file, rows } in examples() {
        let layout = of(&layout);
        assert!(matches!(layout.place(&path), Place::Kind(0, _)), "{heading}: {path}");
        assert!(!file.is_empty(), "{heading}");
        for row in rows.lines() {
            let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(row).unwrap();
            let (table, cells) = row.iter().next().unwrap();
            let table = layout.tables.iter().find(|known| known.name == *table).unwrap();
            let columns: Vec<&String> = table.columns.iter().map(|column| &column.name).collect();
            assert_eq!(cells.as_object().unwrap().keys().collect::<Vec<_>>(), columns, "{heading}");
        }
        formats.push(std::mem::discriminant(&layout.kinds[0].format));
    }
    let all = [
        Format::Json,
        Format::JsonLines,
        Format::Yaml,
        Format::Markdown { front_matter: true },
        Format::Lines(LinePattern { parts: Vec::new(), continued: false }),
        Format::Bytes,
        Format::Sqlite,
    ];
    assert_eq!(formats, all.iter().map(std::mem::discriminant).collect::<Vec<_>>());
}
