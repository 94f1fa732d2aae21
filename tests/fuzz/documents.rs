//! Files of a tree: whatever their bytes are, they are rows, from which the same bytes come back, or a flaw. And what says which
//! rows they are: a layout, or a usage error.

use crate::words::text;
use std::sync::LazyLock;
use whimbrel::endpoint::files::layout::{self, Format, Layout};
use whimbrel::endpoint::files::weave::{FileFacts, Part, Piece, Weaver};
use whimbrel::error::Kind;

/// Records of every place, with columns of every form.
const MEMBERS: &str = "
rest = 'rest'
[file.records.columns]
id = { from = 'id', type = 'integer' }
a = 'a'
b = { from = 'b', type = 'real' }
c = { from = 'c', type = 'boolean' }
d = { from = 'd', type = 'json' }
e = { from = 'in.e', type = 'moment' }
f = { from = 'f', words = { x = 'one', y = 'two' }, absent = { default = 'y' } }
[[file.records.children]]
at = 'kids[]'
table = 'kids'
key = ['of', 'place']
[file.records.children.columns]
of = { from = '@parent.id', type = 'integer' }
place = { from = '@position', type = 'integer' }
value = { from = 'v', type = 'moment', spelled = 'epoch-millis' }
";

fn read(text: &str) -> Layout {
    layout::read("a layout of the fuzz targets", text).unwrap_or_else(|error| panic!("{error}"))
}

/// Records in lists, in objects, and alone.
fn of_members(format: &str) -> Vec<Layout> {
    let kind = |path: &str, records: &str| {
        read(&format!("[[file]]\npath = '{path}'\nformat = '{format}'\n[[file.records]]\n{records}"))
    };
    let entries = "at = '{}'\ntable = 'entries'\nkey = ['name']\ncolumns.name = '@name'\ncolumns.value = { from = '@value', type = 'json' }\n";
    match format {
        "json-lines" => vec![kind("a", &format!("table = 't'\nkey = ['id']{MEMBERS}"))],
        _ => vec![
            kind("a", &format!("at = '[]'\ntable = 't'\nkey = ['id']{MEMBERS}")),
            kind("a", &format!("at = 'deep.er[]'\ntable = 't'\nkey = ['id']{MEMBERS}")),
            kind("a", &format!("table = 't'\nkey = ['id']{MEMBERS}")),
            kind("a", entries),
        ],
    }
}

/// What is read comes back: woven into itself, and made of what is kept of it.
fn hold(layouts: &[Layout], words: &[&str], bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let layout = &layouts[usize::from(first >> 1) % layouts.len()];
    // Any bytes, or a text in the short form.
    let bytes = if first & 1 == 0 { rest.to_vec() } else { text(rest, words).into_bytes() };
    let weaver = Weaver::new(layout, &layout.kinds[0]).expect("the kind can be taken back");
    if weaver.has_pieces()
        && let Some(end) = weaver.cut(&bytes, true)
    {
        assert!(end <= bytes.len());
    }
    let facts = FileFacts { path: "a", captures: &[], ..FileFacts::default() };
    let piece = Piece::whole(&bytes);
    let Ok(rows) = weaver.unweave(&facts, &piece) else { return };
    let shown = || bytes.escape_ascii().to_string();
    assert_eq!(weaver.weave(&facts, &piece, &rows).as_deref(), Ok(&bytes[..]), "{}", shown());
    let again = match weaver.residue(&facts, &piece, &rows) {
        None => weaver.fresh(&facts, Part::WHOLE, &rows).map_err(|misfit| format!("{misfit:?}")),
        Some(residue) => weaver.weave(&facts, &Piece::whole(&residue), &rows).map_err(|unwoven| format!("{unwoven:?}")),
    };
    assert_eq!(again.as_deref(), Ok(&bytes[..]), "{}", shown());
}

const JSON_WORDS: &[&str] = &[
    "\"id\":",
    "\"a\":",
    "\"b\":",
    "\"c\":",
    "\"d\":",
    "\"in\":{\"e\":",
    "\"f\":",
    "\"kids\":[",
    "\"v\":",
    "\"deep\":{\"er\":[",
    "\"other\":",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.10",
    "1e2",
    "1E400",
    "9223372036854775807",
    "9223372036854775808",
    "\"x\"",
    "\"2026-01-31T12:00:00Z\"",
    "\"\\u00e9\"",
    "\"\\ud800\"",
    "\"\\n\"",
    "\\",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\n",
    "\r\n",
    "\t",
    "\u{feff}",
    "é",
    "\u{0}",
    "[[[[[[[[",
    "\"\"",
    "}{",
];

const YAML_WORDS: &[&str] = &[
    "id: ",
    "a: ",
    "b: ",
    "c: ",
    "d: ",
    "in:\n",
    "  e: ",
    "f: ",
    "kids:\n",
    "- v: ",
    "deep:\n",
    "  er:\n",
    "- ",
    "  ",
    "    ",
    "\n",
    "\r\n",
    "# comment",
    "'x'",
    "\"y\"",
    "|\n",
    "|-\n",
    ">\n",
    "|+2\n",
    "null",
    "~",
    "true",
    "no",
    "0o14",
    "0x1F",
    "1_000",
    "1.10",
    ".inf",
    "2026-01-31T12:00:00Z",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ": ",
    "&x ",
    "*x",
    "!!int ",
    "<<: ",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\t",
    "é",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\\u00e9",
    "\"\\x41\"",
    "''",
    "@",
    "`",
];

const LINE_WORDS: &[&str] = &[
    "2026-01-31 12:00:00,123",
    "2026-02-30 12:00:00,123",
    " - ",
    "cli",
    "INFO",
    "ERROR",
    "\n",
    "\r\n",
    "Traceback:\n  in x",
    "é",
    "\u{0}",
    "9999-12-31 23:59:59,999",
    "0000-01-01 00:00:00,000",
    "  ",
    "-",
    " ",
];

/// JSON.
pub fn json(bytes: &[u8]) {
    static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| of_members("json"));
    hold(&LAYOUTS, JSON_WORDS, bytes);
}

/// JSON Lines.
pub fn json_lines(bytes: &[u8]) {
    static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| of_members("json-lines"));
    hold(&LAYOUTS, JSON_WORDS, bytes);
}

/// YAML.
pub fn yaml(bytes: &[u8]) {
    static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| of_members("yaml"));
    hold(&LAYOUTS, YAML_WORDS, bytes);
}

/// Markdown, with front matter and without.
pub fn markdown(bytes: &[u8]) {
    static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| {
        let head = "[[file]]\npath = 'a'\nformat = 'markdown'\n";
        let body =
            "[[file.records]]\ntable = 't'\nkey = ['id']\ncolumns.id = { constant = 'a' }\ncolumns.body = '@body'\n";
        let keys = "columns.a = 'a'\ncolumns.d = { from = 'd', type = 'json' }\ncolumns.b = { from = 'b', type = 'integer' }\n";
        vec![read(&format!("{head}{body}")), read(&format!("{head}front_matter = true\n{body}{keys}"))]
    });
    hold(&LAYOUTS, YAML_WORDS, bytes);
}

/// Lines of a pattern.
pub fn lines(bytes: &[u8]) {
    static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| {
        let of = |continued: bool, more: &str| {
            read(&format!(
                r"[[file]]
path = 'a'
format = 'lines'
line = '{{time:\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d{{3}}}} - {{name:.*?}} - {{level:[A-Z]+}} - {{message:.*}}'
continued = {continued}
[[file.records]]
table = 't'
key = ['id']
[file.records.columns]
id = 'l-{{@position}}'
time = {{ from = 'time', type = 'moment', spelled = '%Y-%m-%d %H:%M:%S,%3f' }}
name = 'name'
level = {{ from = 'level', words = {{ INFO = 'info', ERROR = 'error' }} }}
message = 'message'
{more}"
            ))
        };
        vec![of(false, ""), of(true, "more = '@more'\n")]
    });
    hold(&LAYOUTS, LINE_WORDS, bytes);
}

const LAYOUT_WORDS: &[&str] = &[
    "[[file]]\n",
    "path = ",
    "captures.a = ",
    "name = ",
    "format = ",
    "'json'",
    "'json-lines'",
    "'yaml'",
    "'markdown'",
    "'lines'",
    "'bytes'",
    "'sqlite'",
    "front_matter = true\n",
    "line = ",
    "continued = true\n",
    "style = { indent = 2 }\n",
    "[[file.records]]\n",
    "at = ",
    "'[]'",
    "'{}'",
    "'a.b[]'",
    "''",
    "table = 't'\n",
    "key = ['id']\n",
    "key = ",
    "columns.id = ",
    "columns.b = ",
    "rest = ",
    "part = true\n",
    "order = 'id'\n",
    "keys = ['a']\n",
    "[[file.records.children]]\n",
    "[file.records.columns]\n",
    "'id'",
    "'@value'",
    "'@name'",
    "'@position'",
    "'@path.a'",
    "'@parent.id'",
    "'@body'",
    "'@content'",
    "'@sha256'",
    "'@path'",
    "'@modified'",
    "'@more'",
    "'x-{@position}'",
    "{ from = ",
    "type = 'integer'",
    "type = 'moment'",
    "spelled = 'epoch-millis'",
    "words = { a = 'b' }",
    "absent = 'refused'",
    "absent = { default = 7 }",
    "constant = 1",
    "unsaid = 'x'",
    " }\n",
    ", ",
    "\n",
    "'d/{a}.x'",
    "'{a}{b}'",
    "'{a:\\d+} {b:.*}'",
    "'\\d+'",
    "'('",
    "ignore = ['**']\n",
    "keep = ['k/**']\n",
    "times = true\n",
    "'..'",
    "'/x'",
    "id = ",
    "'['",
];

/// A layout: what is accepted can be taken back.
pub fn layouts(bytes: &[u8]) {
    let text = text(bytes, LAYOUT_WORDS);
    match layout::read("layout.toml", &text) {
        Ok(layout) => {
            for kind in layout.kinds.iter().filter(|kind| kind.format != Format::Sqlite) {
                let weaver = Weaver::new(&layout, kind);
                assert!(weaver.is_ok(), "{:?}\n{text}", weaver.err());
            }
        }
        Err(error) => assert_eq!(error.kind(), Kind::Usage, "{error}\n{text}"),
    }
}
