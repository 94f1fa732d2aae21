//! What is remembered as JSON, in the words of somebody else: read or refused, and a catalog that is read is planned.

use crate::words::text;
use std::path::Path;
use whimbrel::backup::manifest::{Manifest, Provenance};
use whimbrel::catalog::Catalog;
use whimbrel::plan::choices::Choices;
use whimbrel::plan::plan;

const BACKUP_WORDS: &[&str] = &[
    "{",
    "}",
    "\"format\":",
    "1",
    "\"id\":",
    "\"kind\":",
    "\"database\"",
    "\"absent\"",
    "\"algorithm\":",
    "\"xxh3-128\"",
    "\"digest\":",
    "\"size_bytes\":",
    "\"identical\":",
    "true",
    "false",
    "null",
    "\"taken_at\":",
    "\"tool\":",
    "\"source\":",
    "\"reason\":",
    "\"before-migrate\"",
    "\"target\":",
    "\"target_bytes\":",
    "\"ff\"",
    "\"+f\"",
    "\"target_from_folder\":",
    "\"target_from_folder_bytes\":",
    "\"own_folder\":",
    "\"mode\":",
    "420",
    ",",
    "\"a\"",
    "\\ud800",
    "\\u0000",
    "é",
    "-1",
    "1e400",
    "99999999999999999999",
    "[",
    "]",
];

/// The manifest of a backup.
pub fn backups(bytes: &[u8]) {
    let text = text(bytes, BACKUP_WORDS);
    if let Ok(manifest) = Manifest::parse(Path::new("a.json"), &text) {
        let json = serde_json::to_string(&manifest).expect("a manifest is JSON");
        assert_eq!(Manifest::parse(Path::new("a.json"), &json).expect("what was written is read"), manifest);
    }
    if let Ok(provenance) = serde_json::from_str::<Provenance>(&text) {
        let _ = (provenance.target(), provenance.target_from_folder());
    }
}

/// A table of one column, with holes for what a hostile manifest says.
fn catalog(name: &str, shape: &str, default: &str, more: &str) -> String {
    let name = serde_json::to_string(name).expect("text is JSON");
    let default =
        if default.is_empty() { "null".to_owned() } else { serde_json::to_string(default).expect("text is JSON") };
    let column = |name: &str| {
        format!(
            r#"{{"name":{name},"data_type":{{"name":{name},"shape":{shape}}},"not_null":true,"default":{default},"identity":null,
               "generated":null,"sequence":null,"collation":null,"comment":null}}"#
        )
    };
    let (one, other) = (column(&name), column("\"id\""));
    format!(
        r#"{{"engine":"PostgreSQL 15.18","database":"a","encoding":"UTF8","tables":[{{"name":{{"schema":"public","name":{name}}},
           "kind":"ordinary","inherits":[],"has_heirs":false,"columns":[{one},{other}],"primary_key":null,"unique_keys":[],
           "foreign_keys":[],"checks":[],"indexes":[],"comment":null,"row_estimate":-1,"size_bytes":0{more}}}],
           "views":[],"sequences":[],"others":[]}}"#
    )
}

const TARGET_WORDS: &[&str] = &[
    "\"integer\"",
    "\"text\"",
    "\"boolean\"",
    "{\"numeric\":{\"precision_and_scale\":",
    "[18,0]",
    "[2147483647,-2147483648]",
    "[-1,-1]",
    "[1000,1000]",
    "null",
    "}}",
    "{\"timestamp\":{\"precision\":",
    "{\"char\":{\"length\":",
    "\"date\"",
    "\"jsonb\"",
    "\"other\"",
    "{\"array\":{\"element\":{\"name\":\"x\",\"shape\":",
    "},\"delimiter\":\",\"",
    "{\"enum\":{\"name\":{\"schema\":\"s\",\"name\":\"n\"},\"labels\":",
    "[\"a\",\"b\"]",
    "[]",
    "}",
    "255",
    "0",
    "-1",
    "\"hstore\"",
    "\"uuid\"",
    "\"bytea\"",
    "\"real\"",
    "now()",
    "'a'::text",
    "nextval('a'::regclass)",
    "1",
    "-1",
    "'infinity'::date",
    "ARRAY[1]",
    "NULL::",
    "\0",
    "é",
    "\u{202e}",
    "sqlite_master",
    "sqlite_",
    "_whimbrel_",
    "\"",
];

/// The catalog and the choices of a finished file.
pub fn targets(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == b'\n').map(|part| text(part, TARGET_WORDS));
    let mut part = || parts.next().unwrap_or_default();
    let (shape, name, default, more, choices) = (part(), part(), part(), part(), part());
    for json in [&shape, &catalog(&name, &shape, &default, &more)] {
        let Ok(catalog) = serde_json::from_str::<Catalog>(json) else { continue };
        let choices = serde_json::from_str::<Choices>(&choices).unwrap_or_default();
        let _ = plan(&catalog, &choices);
        let json = serde_json::to_string(&catalog).expect("a catalog is JSON");
        assert_eq!(serde_json::from_str::<Catalog>(&json).expect("what was written is read"), catalog);
    }
}
