//! Names and constants as SQL spells them.

use super::definition::Name;

impl Name {
    /// A name of one or two parts, as it was written; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Name> {
        let mut parts = parts(text)?;
        let name = parts.pop()?;
        let schema = parts.pop();
        parts.is_empty().then_some(Name { schema, name })
    }
}

/// The parts of a dotted name, unquoted; `None` where the text is something else.
pub(super) fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, behind) = identifier(rest)?;
        parts.push(part);
        rest = behind.trim_start();
        match rest.strip_prefix('.') {
            Some(behind) => rest = behind.trim_start(),
            None => return rest.is_empty().then_some(parts),
        }
    }
}

/// The identifier at the beginning of a text, unquoted or in small letters, and what is behind it.
pub(super) fn identifier(text: &str) -> Option<(String, &str)> {
    if let Some(inside) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut rest = inside;
        loop {
            let end = rest.find('"')?;
            name.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(behind) => {
                    name.push('"');
                    rest = behind;
                }
                None => return (!name.is_empty()).then_some((name, rest)),
            }
        }
    }
    let is_part = |sign: char| sign.is_alphanumeric() || matches!(sign, '_' | '$') || !sign.is_ascii();
    let end = text.find(|sign| !is_part(sign)).unwrap_or(text.len());
    let word = &text[..end];
    let begins = word.chars().next().is_some_and(|first| !first.is_ascii_digit() && first != '$');
    begins.then(|| (word.to_ascii_lowercase(), &text[end..]))
}

/// An identifier as the server prints it: with quotes where it needs them, a word that is a keyword in every version too.
pub(super) fn spelled(name: &str) -> String {
    let plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    let is_keyword = QUOTED_WORDS.contains(&name) && !is_new_keyword(name);
    if begins && name.chars().all(plain) && !is_keyword { name.to_owned() } else { crate::quote::quote(name) }
}

/// Whether a word is a keyword since version 16 or later.
fn is_new_keyword(word: &str) -> bool {
    word.starts_with("json") || matches!(word, "graph_table" | "merge_action" | "system_user")
}

/// The text that a string constant stands for; `None` where it is none, or of a form that dumps do not have.
pub(super) fn string(constant: &str) -> Option<String> {
    let constant = constant.trim();
    if let Some(inside) = constant.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Some(inside.replace("''", "'"));
    }
    if let Some(rest) = constant.strip_prefix(['E', 'e']) {
        return escaped(rest.strip_prefix('\'')?.strip_suffix('\'')?);
    }
    let behind = constant.strip_prefix('$')?;
    let tag = &constant[..behind.find('$')? + 2];
    Some(constant.get(tag.len()..)?.strip_suffix(tag)?.to_owned())
}

/// What is between the quotes of an E'' constant.
pub(super) fn escaped(inside: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut signs = inside.chars().peekable();
    let push = |bytes: &mut Vec<u8>, sign: char| bytes.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes());
    while let Some(sign) = signs.next() {
        match sign {
            '\'' => {
                signs.next_if_eq(&'\'');
                bytes.push(b'\'');
            }
            '\\' => match signs.next()? {
                'n' => bytes.push(b'\n'),
                't' => bytes.push(b'\t'),
                'r' => bytes.push(b'\r'),
                'b' => bytes.push(8),
                'f' => bytes.push(12),
                first @ '0'..='7' => {
                    let mut code = first.to_digit(8)?;
                    for _ in 0..2 {
                        let Some(digit) = signs.peek().and_then(|sign| sign.to_digit(8)) else { break };
                        code = code * 8 + digit;
                        signs.next();
                    }
                    bytes.push(u8::try_from(code & 0xff).ok()?);
                }
                kind @ ('x' | 'u' | 'U') => {
                    let (least, most) = match kind {
                        'x' => (1, 2),
                        'u' => (4, 4),
                        _ => (8, 8),
                    };
                    let (mut code, mut digits) = (0_u32, 0);
                    while digits < most {
                        let Some(digit) = signs.peek().and_then(|sign| sign.to_digit(16)) else { break };
                        code = code.checked_mul(16)? + digit;
                        digits += 1;
                        signs.next();
                    }
                    if digits < least {
                        return None;
                    }
                    match kind {
                        'x' => bytes.push(u8::try_from(code).ok()?),
                        _ => push(&mut bytes, char::from_u32(code)?),
                    }
                }
                other => push(&mut bytes, other),
            },
            other => push(&mut bytes, other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// A statement in which backslashes escape (`standard_conforming_strings` was off), as it is written where they do not.
pub(super) fn without_backslash_escapes(text: &str) -> Option<String> {
    rewritten(text, &|rest, before| {
        if !rest.starts_with('\'') {
            return Some((token_length(rest, before)?, None));
        }
        let end = end_of_escaped(rest)?;
        let inside = &rest[1..end - 1];
        let stays = matches!(before, Some('E' | 'e' | 'X' | 'x' | 'B' | 'b')) || !inside.contains('\\');
        let plain = if stays { None } else { Some(format!("'{}'", escaped(inside)?.replace('\'', "''"))) };
        Some((end, plain))
    })
}

/// Looks at what may begin a constant, a name or a comment, and at the sign before it: how far it goes, and what is written in its place.
pub(super) type Rewrite<'r> = &'r dyn Fn(&str, Option<char>) -> Option<(usize, Option<String>)>;

/// A text with some of its constants and names written otherwise; `None` where one has no end.
pub(super) fn rewritten(text: &str, rewrite: Rewrite<'_>) -> Option<String> {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '$', '-', '/']) {
        written.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, other) = rewrite(rest, written.chars().next_back())?;
        written.push_str(other.as_deref().unwrap_or(&rest[..length]));
        rest = &rest[length..];
    }
    written.push_str(rest);
    Some(written)
}

/// Words that the server quotes as names: all keywords but the unreserved ones, of every version.
const QUOTED_WORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "graph_table",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// A statement of a dump that quotes every name (`--quote-all-identifiers`), as one is written that does not. Any other comes
/// back as it is: it has no quotes around a name that needs none.
pub(super) fn without_needless_quotes(text: &str) -> Option<String> {
    rewritten(text, &|rest, before| {
        let length = token_length(rest, before)?;
        if rest.starts_with('"') {
            let (name, behind) = identifier(rest)?;
            // A word since version 16, and as the name of a type written without quotes by all.
            let is_type = name == "json" && before == Some(':');
            let is_needless = spelled(&name) == name && (is_type || !QUOTED_WORDS.contains(&name.as_str()));
            return Some((rest.len() - behind.len(), is_needless.then_some(name)));
        }
        // A class, a configuration of text search and the like.
        let names_class = rest[length..].starts_with("::\"reg") || rest[length..].starts_with("::reg");
        if names_class && rest.starts_with("'\"") {
            let name = without_needless_quotes(&rest[1..length - 1])?;
            return Some((length, Some(format!("'{name}'"))));
        }
        Some((length, None))
    })
}

/// How far the constant, the comment or else the single sign goes that a text begins with; `None` where it has no end.
pub(super) fn token_length(rest: &str, before: Option<char>) -> Option<usize> {
    match rest.as_bytes().first()? {
        b'\'' if matches!(before, Some('E' | 'e')) => end_of_escaped(rest),
        b'\'' => end_of_plain(rest),
        b'"' => Some(rest[1..].find('"')? + 2),
        b'$' | b'-' | b'/' => length_of_other(rest, before),
        _ => rest.chars().next().map(char::len_utf8),
    }
}

/// How far a comment, a constant between dollars, or else a single sign goes.
fn length_of_other(rest: &str, before: Option<char>) -> Option<usize> {
    Some(match rest.as_bytes().first()? {
        b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with("/*") => end_of_comment(rest)?,
        b'$' if !before.is_some_and(|sign| sign.is_alphanumeric() || sign == '_' || sign == '$') => {
            let tag = rest[1..].find(|sign: char| !sign.is_alphanumeric() && sign != '_');
            let tag = tag.and_then(|end| rest.get(..end + 2));
            let is_tag = |tag: &&str| tag.ends_with('$') && !tag[1..].starts_with(|sign: char| sign.is_ascii_digit());
            match tag.filter(is_tag) {
                Some(tag) => rest[tag.len()..].find(tag)? + 2 * tag.len(),
                None => 1,
            }
        }
        _ => 1,
    })
}

/// Behind the closing quote of a constant in which backslashes are letters.
fn end_of_plain(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Behind the closing quote of a constant in which backslashes escape.
fn end_of_escaped(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Behind a comment, which may hold others.
fn end_of_comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        let name = |text| Name::parse(text).map(|name| (name.schema, name.name));
        assert_eq!(name("public.\"A \"\"b\"\".c\""), Some((Some("public".to_owned()), "A \"b\".c".to_owned())));
        assert_eq!(name("Straße"), Some((None, "straße".to_owned())));
        for bad in ["", "a.", "a b", "\"a", "1a", "a.b.c", "\"\""] {
            assert_eq!(name(bad), None, "{bad}");
        }
        // A keyword has quotes; a word that is one since version 16 has none before.
        for (plain, told) in [("limit", "\"limit\""), ("name", "name"), ("json", "json"), ("A", "\"A\""), ("a1", "a1")]
        {
            assert_eq!(spelled(plain), told);
        }
    }

    #[test]
    fn constants_are_what_they_stand_for() {
        for (constant, expected) in [
            ("'it''s \\n'", Some("it's \\n")),
            ("E'a\\'b\\n\\\\ \\x41\\101\\u00e4'", Some("a'b\n\\ AAä")),
            ("$x$a'$x$", Some("a'")),
            ("E'\\u12'", None),
            ("E'\\xff'", None),
            ("12", None),
        ] {
            assert_eq!(string(constant).as_deref(), expected, "{constant}");
        }
    }

    #[test]
    fn quotes_are_taken_off_where_none_are_needed() {
        for (text, expected) in [
            (
                r#"CREATE TABLE "public"."Odd" ("id" "text" DEFAULT "lower"('"x"'), "order" int)"#,
                r#"CREATE TABLE public."Odd" (id text DEFAULT lower('"x"'), "order" int)"#,
            ),
            (r#"nextval('"public"."S"'::"regclass") -- "a""#, r#"nextval('public."S"'::regclass) -- "a""#),
            (r#"AS $_$"a"$_$ "b" E'\'"c"'"#, r#"AS $_$"a"$_$ b E'\'"c"'"#),
        ] {
            assert_eq!(without_needless_quotes(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn backslashes_that_escape_are_resolved_in_plain_constants_only() {
        for (text, expected) in [
            (r"a = 'x\\y' -- it\'s", Some(r"a = 'x\y' -- it\'s")),
            (r"a = 'it\'s; \'' || E'\\'", Some(r"a = 'it''s; ''' || E'\\'")),
            (r#"$a$ '\ $a$ "b'\\" /* ' /* */ ' */ 'c\\'"#, Some(r#"$a$ '\ $a$ "b'\\" /* ' /* */ ' */ 'c\'"#)),
            (r"'open\'", None),
        ] {
            assert_eq!(without_backslash_escapes(text).as_deref(), expected, "{text}");
        }
    }
}
