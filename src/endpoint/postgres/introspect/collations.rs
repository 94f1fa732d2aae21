//! What each collation makes of texts, told from its provider and its locale.

use super::rows::CollationRow;
use crate::catalog::{Collations, NamedCollation, TextOrder};

/// The database's collations; its own is the one without a schema.
pub(super) fn assemble(rows: Vec<CollationRow>, encoding: &str) -> Collations {
    // Only in these encodings do the bytes, which `C` compares, come in the order of the code points.
    let bytes_are_in_order = matches!(encoding, "UTF8" | "SQL_ASCII" | "LATIN1");
    let order_of = |row: &CollationRow| match order(row) {
        order if order.is_by_code_point() && !bytes_are_in_order => TextOrder::Linguistic,
        order => order,
    };
    let mut collations = Collations::default();
    for row in rows {
        match &row.schema {
            None => {
                collations.default = order_of(&row);
                collations.default_name = row.name;
            }
            Some(schema) if row.provider != 'd' => {
                collations.named.push(NamedCollation { name: format!("{schema}.{}", row.name), order: order_of(&row) })
            }
            Some(_) => {}
        }
    }
    collations
}

fn order(row: &CollationRow) -> TextOrder {
    if !row.deterministic {
        return TextOrder::Nondeterministic;
    }
    let locale = |text: &Option<String>| text.as_deref().unwrap_or_default().to_ascii_lowercase().replace('-', "");
    let is_c = |text: &Option<String>| matches!(locale(text).as_str(), "c" | "posix");
    match row.provider {
        'b' if is_c(&row.locale) => TextOrder::C,
        'b' => TextOrder::CodePoint,
        'c' if is_c(&row.collate) && is_c(&row.ctype) => TextOrder::C,
        'c' if is_c(&row.collate) || locale(&row.collate) == "c.utf8" => TextOrder::CodePoint,
        _ => TextOrder::Linguistic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_and_the_locale_tell_the_order() {
        let row = |provider, collate: &str, ctype: &str, locale: Option<&str>, deterministic| CollationRow {
            schema: None,
            name: "x".into(),
            provider,
            collate: Some(collate.into()),
            ctype: Some(ctype.into()),
            locale: locale.map(Into::into),
            deterministic,
        };
        for (collation, expected) in [
            (row('c', "C", "C", None, true), TextOrder::C),
            (row('c', "POSIX", "POSIX", None, true), TextOrder::C),
            (row('c', "C", "de_DE.UTF-8", None, true), TextOrder::CodePoint),
            (row('c', "C.UTF-8", "C.UTF-8", None, true), TextOrder::CodePoint),
            (row('c', "C.utf8", "C.utf8", None, true), TextOrder::CodePoint),
            (row('c', "en_US.UTF-8", "en_US.UTF-8", None, true), TextOrder::Linguistic),
            (row('i', "C", "C", Some("en-US"), true), TextOrder::Linguistic),
            (row('b', "C", "C", Some("C"), true), TextOrder::C),
            (row('b', "C", "C", Some("C.UTF-8"), true), TextOrder::CodePoint),
            (row('i', "", "", Some("und-u-ks-level2"), false), TextOrder::Nondeterministic),
        ] {
            assert_eq!(order(&collation), expected, "{collation:?}");
            let in_encoding = assemble(vec![collation], "EUC_JP").default;
            assert_eq!(in_encoding, expected.max(TextOrder::Linguistic));
        }
    }
}
