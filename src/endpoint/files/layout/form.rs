//! The form of `layout.toml`, as it is typed.

use super::model::Style;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use toml::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    pub times: bool,
    pub ignore: Vec<Spanned<String>>,
    pub keep: Vec<Spanned<String>>,
    pub file: Vec<Spanned<KindEntry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindEntry {
    pub name: Option<Spanned<String>>,
    pub path: Spanned<String>,
    #[serde(default)]
    pub captures: BTreeMap<String, Spanned<String>>,
    pub format: Spanned<FormatWord>,
    pub front_matter: Option<Spanned<bool>>,
    pub line: Option<Spanned<String>>,
    pub continued: Option<Spanned<bool>>,
    pub blank: Option<Spanned<bool>>,
    #[serde(default)]
    pub style: StyleEntry,
    #[serde(default)]
    pub asks: BTreeMap<String, Spanned<AskEntry>>,
    #[serde(default)]
    pub records: Vec<Spanned<RecordsEntry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskEntry {
    pub table: String,
    pub column: String,
    pub proof: Option<ProofWord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofWord {
    Sha256OfPath,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FormatWord {
    Json,
    JsonLines,
    Yaml,
    Markdown,
    Lines,
    Bytes,
    Sqlite,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StyleEntry {
    pub indent: u8,
    pub ascii: bool,
    pub sorted_keys: bool,
    pub spaced: bool,
    pub final_newline: bool,
    pub mode: Spanned<u32>,
}

impl Default for StyleEntry {
    fn default() -> Self {
        let Style { indent, ascii, sorted_keys, spaced, final_newline, mode } = Style::default();
        StyleEntry { indent, ascii, sorted_keys, spaced, final_newline, mode: Spanned::new(0..0, mode) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsEntry {
    pub at: Option<Spanned<String>>,
    pub table: Spanned<String>,
    pub key: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub part: bool,
    #[serde(default)]
    pub columns: InOrder<ColumnEntry>,
    pub rest: Option<Spanned<String>>,
    pub order: Option<Spanned<OrderEntry>>,
    #[serde(default)]
    pub keys: Vec<Spanned<String>>,
    #[serde(default)]
    pub children: Vec<Spanned<RecordsEntry>>,
}

/// A table of TOML in the order in which it was typed.
#[derive(Debug)]
pub struct InOrder<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        InOrder(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Form<T> {
            type Value = InOrder<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of columns")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<Spanned<String>, T>()? {
                    entries.push(entry);
                }
                entries.sort_by_key(|(name, _)| name.span().start);
                Ok(InOrder(entries))
            }
        }
        deserializer.deserialize_map(Form(PhantomData))
    }
}

/// A column: an origin alone, or with what its values are.
#[derive(Debug)]
pub struct ColumnEntry(pub ColumnTable);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnTable {
    pub from: Option<OneOrMore>,
    pub member: Option<Vec<String>>,
    pub constant: Option<Scalar>,
    pub unsaid: Option<Scalar>,
    #[serde(rename = "type")]
    pub type_word: Option<TypeWord>,
    pub spelled: Option<OneOrMore>,
    pub words: Option<BTreeMap<String, String>>,
    pub absent: Option<AbsentEntry>,
}

impl<'de> Deserialize<'de> for ColumnEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = ColumnEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("where the value stands, or a table `{ from = \"…\", type = \"…\" }`")
            }

            fn visit_str<E>(self, text: &str) -> Result<ColumnEntry, E> {
                let from = Some(OneOrMore(vec![text.to_owned()]));
                Ok(ColumnEntry(ColumnTable { from, ..ColumnTable::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ColumnEntry, A::Error> {
                ColumnTable::deserialize(MapAccessDeserializer::new(map)).map(ColumnEntry)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeWord {
    Text,
    Integer,
    Real,
    Boolean,
    Json,
    Moment,
    Bytes,
}

/// A text, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMore(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore(texts))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// A text, a number or a truth value, as it is spelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, an integer, a number or a truth value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
                Ok(Scalar(truth.to_string()))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// What a value that is not there means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AbsentEntry {
    Null,
    WriteNull,
    Refused,
    Default(Scalar),
}

impl<'de> Deserialize<'de> for AbsentEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct DefaultTable {
            default: Scalar,
        }
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = AbsentEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`null`, `write-null`, `refused`, or `{ default = \"…\" }`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<AbsentEntry, E> {
                match text {
                    "null" => Ok(AbsentEntry::Null),
                    "write-null" => Ok(AbsentEntry::WriteNull),
                    "refused" => Ok(AbsentEntry::Refused),
                    other => Err(E::unknown_variant(other, &["null", "write-null", "refused"])),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AbsentEntry, A::Error> {
                let DefaultTable { default } = DefaultTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AbsentEntry::Default(default))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// By which column records are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderEntry {
    pub column: String,
    pub descending: bool,
}

impl<'de> Deserialize<'de> for OrderEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct OrderTable {
            column: String,
            #[serde(default)]
            descending: bool,
        }
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = OrderEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column, or `{ column = \"…\", descending = true }`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<OrderEntry, E> {
                match text.is_empty() {
                    true => Err(E::custom("a column has a name")),
                    false => Ok(OrderEntry { column: text.to_owned(), descending: false }),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrderEntry, A::Error> {
                let OrderTable { column, descending } = OrderTable::deserialize(MapAccessDeserializer::new(map))?;
                if column.is_empty() {
                    return Err(A::Error::custom("a column has a name"));
                }
                Ok(OrderEntry { column, descending })
            }
        }
        deserializer.deserialize_any(Form)
    }
}
