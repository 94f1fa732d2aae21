//! A function as `pg_get_functiondef` writes it, from what a dump says of it.

use super::definition::{Body, NewRoutine};
use super::name::spelled;
use crate::catalog::{ObjectKind, QualifiedName};

/// The whole definition; `None` for an aggregate, for which the server has none either.
pub(super) fn definition(routine: &NewRoutine, name: &QualifiedName) -> Option<String> {
    let word = match routine.kind {
        ObjectKind::Aggregate => return None,
        ObjectKind::Procedure => "PROCEDURE",
        _ => "FUNCTION",
    };
    let arguments = &routine.arguments;
    let mut text = format!("CREATE OR REPLACE {word} {}.{}({arguments})\n", spelled(&name.schema), spelled(&name.name));
    if let Some(returns) = &routine.returns {
        text.push_str(&format!(" RETURNS {returns}\n"));
    }
    if let Some(transform) = &routine.transform {
        text.push_str(&format!(" {transform}\n"));
    }
    text.push_str(&format!(" LANGUAGE {}\n", routine.language.as_deref().unwrap_or("sql")));
    if !routine.properties.is_empty() {
        text.push_str(&format!(" {}\n", routine.properties.join(" ")));
    }
    for setting in &routine.settings {
        text.push_str(&format!(" {setting}\n"));
    }
    let quoted = |body: &str| {
        let mut quote = format!("${}", word.to_ascii_lowercase());
        while body.contains(&quote) {
            quote.push('x');
        }
        format!("{quote}${body}{quote}$")
    };
    match routine.body.as_ref()? {
        Body::Text(body) => text.push_str(&format!("AS {}\n", quoted(body))),
        Body::Object(file, symbol) => {
            text.push_str(&format!("AS {}, {}\n", crate::quote::postgres_literal(file), quoted(symbol)));
        }
        Body::Sql(body) => text.push_str(&format!("{body}\n")),
    }
    Some(text)
}
