//! Arrays, composite values and hstore: the server's text to JSON text and back, led by the type.
//!
//! Both directions are total over what the server writes; where JSON cannot give the very same text back (a lower
//! bound, an element that is itself JSON `null`), [`to_json`] says so and the ledger keeps the text.

mod array;
mod hstore;
mod json;
mod nested;
mod record;

use crate::catalog::Shape;
use json::Cursor;

/// JSON made from a server's text.
pub struct Structured {
    /// The JSON text.
    pub json: String,
    /// Whether [`from_json`] gives the server's text back.
    pub exact: bool,
}

/// The JSON text for a server's text of that type; `None` where the text does not have the type's form.
pub fn to_json(shape: &Shape, text: &str) -> Option<Structured> {
    let mut json = String::with_capacity(text.len() + 8);
    append_json(shape, text, &mut json)?;
    let exact =
        if always_exact(shape) { !text.starts_with('[') } else { from_json(shape, &json).as_deref() == Some(text) };
    Some(Structured { json, exact })
}

/// The server's text for a JSON text of that type; `None` where the JSON does not have the type's form.
pub fn from_json(shape: &Shape, json: &str) -> Option<String> {
    let mut cursor = Cursor::new(json);
    let mut text = String::with_capacity(json.len());
    append_text(shape, &mut cursor, &mut text)?;
    cursor.at_end().then_some(text)
}

/// Whether the JSON form of the type can always be turned back, bounds apart, so that trying is not needed.
fn always_exact(shape: &Shape) -> bool {
    match shape {
        Shape::Array { element, .. } => !matches!(
            element.base().shape,
            Shape::Json | Shape::Jsonb | Shape::Array { .. } | Shape::Composite(_) | Shape::Hstore
        ),
        Shape::Domain(domain) => always_exact(&domain.base.shape),
        _ => false,
    }
}

/// Appends the JSON form of one value, which is not NULL.
fn append_json(shape: &Shape, text: &str, json: &mut String) -> Option<()> {
    match shape {
        Shape::Array { element, delimiter } => array::append_json(element, *delimiter, text, json, append_json),
        Shape::Composite(composite) => record::append_json(composite, text, json, append_json),
        Shape::Hstore => hstore::append_json(text, json),
        Shape::Domain(domain) => append_json(&domain.base.shape, text, json),
        Shape::Boolean => {
            json.push_str(match text {
                "t" => "true",
                "f" => "false",
                _ => return None,
            });
            Some(())
        }
        Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => {
            json.push_str(text);
            Some(())
        }
        Shape::Real | Shape::Double | Shape::Numeric { .. } if json::is_number(text) => {
            json.push_str(text);
            Some(())
        }
        Shape::Json | Shape::Jsonb => {
            json.push_str(text);
            Some(())
        }
        _ => {
            json::push_string(text, json);
            Some(())
        }
    }
}

/// Appends the server's text of one JSON value, which is not null.
fn append_text(shape: &Shape, cursor: &mut Cursor<'_>, text: &mut String) -> Option<()> {
    match shape {
        Shape::Array { element, delimiter } => array::append_text(element, *delimiter, cursor, text, append_text),
        Shape::Composite(composite) => record::append_text(composite, cursor, text, append_text),
        Shape::Hstore => hstore::append_text(cursor, text),
        Shape::Domain(domain) => append_text(&domain.base.shape, cursor, text),
        Shape::Boolean => {
            text.push_str(match cursor.word()? {
                "true" => "t",
                "false" => "f",
                _ => return None,
            });
            Some(())
        }
        Shape::SmallInt | Shape::Integer | Shape::BigInt | Shape::Oid => {
            text.push_str(cursor.word()?);
            Some(())
        }
        Shape::Real | Shape::Double | Shape::Numeric { .. } if !cursor.next_is('"') => {
            text.push_str(cursor.word()?);
            Some(())
        }
        Shape::Json | Shape::Jsonb => {
            text.push_str(cursor.raw_value()?);
            Some(())
        }
        _ => {
            text.push_str(&cursor.string()?);
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Composite, DataType, Field, QualifiedName};
    use proptest::prelude::*;

    fn array(shape: Shape) -> Shape {
        Shape::Array { element: Box::new(DataType::new("element", shape)), delimiter: ',' }
    }

    fn pair() -> Shape {
        let field = |name: &str, shape| Field { name: name.into(), data_type: DataType::new(name, shape) };
        Shape::Composite(Composite {
            name: QualifiedName::new("public", "pair"),
            fields: vec![field("a", Shape::Integer), field("b c", Shape::Text), field("d", array(Shape::Double))],
        })
    }

    #[test]
    fn the_servers_text_becomes_json_and_comes_back() {
        let cases = [
            (array(Shape::Integer), "{}", "[]"),
            (array(Shape::Integer), "{1,NULL,-3}", "[1,null,-3]"),
            (array(Shape::Integer), "{{1,2},{3,NULL}}", "[[1,2],[3,null]]"),
            (array(Shape::Boolean), "{t,f,NULL}", "[true,false,null]"),
            (
                array(Shape::Text),
                r#"{a,"",NULL,"NULL","b c","{}","q\"\\"}"#,
                r#"["a","",null,"NULL","b c","{}","q\"\\"]"#,
            ),
            (array(Shape::Text), "{\"a\nb\",é,😀}", "[\"a\\nb\",\"é\",\"😀\"]"),
            (array(Shape::Double), "{1.5,NaN,-Infinity,1e+20,-0}", r#"[1.5,"NaN","-Infinity",1e+20,-0]"#),
            (array(Shape::Jsonb), r#"{"{\"a\": [1, 2]}",1,true}"#, r#"[{"a": [1, 2]},1,true]"#),
            (array(Shape::Bytea), r#"{"\\x00ff"}"#, r#"["\\x00ff"]"#),
            (pair(), r#"(1,"x y","{1,NaN}")"#, r#"{"a":1,"b c":"x y","d":[1,"NaN"]}"#),
            (pair(), r#"(,"",)"#, r#"{"a":null,"b c":"","d":null}"#),
            (array(pair()), r#"{"(1,\"a \"\"b\",{1})",NULL}"#, r#"[{"a":1,"b c":"a \"b","d":[1]},null]"#),
            (Shape::Hstore, r#""a"=>"1", "b c"=>NULL, "q\"\\"=>"""#, r#"{"a":"1","b c":null,"q\"\\":""}"#),
            (Shape::Hstore, "", "{}"),
        ];
        for (shape, text, json) in cases {
            let structured = to_json(&shape, text).unwrap_or_else(|| panic!("{text} is refused"));
            assert_eq!(structured.json, json);
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
            assert_eq!(from_json(&shape, json).as_deref(), Some(text));
            assert!(structured.exact, "{text}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_known() {
        let cases = [
            (array(Shape::Integer), "[2:3]={1,2}", "[1,2]"),
            (array(Shape::Jsonb), r#"{"null"}"#, "[null]"),
            (array(Shape::Jsonb), r#"{"[1, 2]"}"#, "[[1, 2]]"),
        ];
        for (shape, text, json) in cases {
            let structured = to_json(&shape, text).unwrap();
            assert_eq!(structured.json, json);
            assert!(!structured.exact, "{text}");
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        for json in ["", "[", "[1", "[1,]", "{}", "[1]x", "[\"a\"", "[1 2]"] {
            assert_eq!(from_json(&array(Shape::Integer), json), None, "{json}");
        }
        for text in ["", "{", "{1", "1}", "{1}}", "{\"a}"] {
            assert!(to_json(&array(Shape::Text), text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_texts_survive_as_an_array(elements in proptest::collection::vec(proptest::option::of(".*"), 0..8)) {
            let elements: Vec<_> = elements.into_iter().map(|e| e.map(|e| e.replace('\0', ""))).collect();
            let json = serde_json::to_string(&elements).unwrap();
            let text = from_json(&array(Shape::Text), &json).unwrap();
            let back = to_json(&array(Shape::Text), &text).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vec<Option<String>>>(&back.json).unwrap(), elements);
        }

        #[test]
        fn nothing_panics(text in ".*") {
            for shape in [array(Shape::Text), array(Shape::Integer), pair(), array(pair()), Shape::Hstore] {
                let _ = to_json(&shape, &text);
                let _ = from_json(&shape, &text);
            }
        }
    }
}
