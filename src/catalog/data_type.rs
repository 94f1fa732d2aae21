//! The type of a column, with everything that its values' text and its rule depend on.

use super::name::QualifiedName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A type as a column has it: modifiers applied, user types resolved down to the built-in ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataType {
    /// The source's own spelling with modifiers, for example `numeric(10,2)` or `public.mood[]`.
    pub name: String,
    /// What it is made of.
    pub shape: Shape,
    /// Where it is known from.
    #[serde(default, skip_serializing_if = "Known::is_declared")]
    pub known: Known,
}

/// Where a type is known from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Known {
    /// The source declares it.
    #[default]
    Declared,
    /// A target remembers it of the source that it was made from.
    Remembered,
    /// It is the one that every value has.
    Inferred,
}

impl Known {
    /// Whether a catalog need not say it.
    fn is_declared(&self) -> bool {
        *self == Known::Declared
    }
}

impl DataType {
    /// A type that the source declares, from its spelling and shape.
    pub fn new(name: impl Into<String>, shape: Shape) -> Self {
        DataType { name: name.into(), shape, known: Known::Declared }
    }

    /// The type below all domains.
    pub fn base(&self) -> &DataType {
        match &self.shape {
            Shape::Domain(domain) => domain.base.base(),
            _ => self,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What a type is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// `boolean`
    Boolean,
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `oid`
    Oid,
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `numeric`, `numeric(precision, scale)`; a scale may be negative or larger than the precision.
    Numeric {
        /// Precision and scale, where given.
        precision_and_scale: Option<(i32, i32)>,
    },
    /// `text`
    Text,
    /// `character varying`, with its length in characters where given.
    VarChar {
        /// Length in characters.
        length: Option<i32>,
    },
    /// `character(n)`; without a length where the modifier is missing (`bpchar`).
    Char {
        /// Length in characters.
        length: Option<i32>,
    },
    /// `citext`
    Citext,
    /// `name`
    Name,
    /// `bytea`
    Bytea,
    /// `uuid`
    Uuid,
    /// `timestamp(p) without time zone`
    Timestamp {
        /// Digits of the fraction of a second, 0 to 6.
        precision: u8,
    },
    /// `timestamp(p) with time zone`
    TimestampTz {
        /// Digits of the fraction of a second, 0 to 6.
        precision: u8,
    },
    /// `date`
    Date,
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
    /// An enum.
    Enum(Enumeration),
    /// A domain.
    Domain(Box<Domain>),
    /// A composite type.
    Composite(Composite),
    /// An array of any number of dimensions.
    Array {
        /// The element's type.
        element: Box<DataType>,
        /// The character between elements in the text form: `,`, or `;` for `box`.
        delimiter: char,
    },
    /// `hstore`
    Hstore,
    /// `xml`: it travels as `x::text`, because its output function leaves out what the declaration says.
    Xml,
    /// Every other type: it travels as the server's text.
    Other,
}

impl Shape {
    /// What is below all domains.
    #[inline]
    pub fn base(&self) -> &Shape {
        match self {
            Shape::Domain(domain) => domain.base.shape.base(),
            other => other,
        }
    }
}

/// An enum type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enumeration {
    /// Its name.
    pub name: QualifiedName,
    /// Its labels in their order.
    pub labels: Vec<String>,
}

/// A domain type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Its name.
    pub name: QualifiedName,
    /// The type it restricts.
    pub base: DataType,
    /// Its NOT NULL.
    pub not_null: bool,
    /// A collation other than that of its base type, as `schema.name`.
    #[serde(default)]
    pub collation: Option<String>,
    /// Its DEFAULT in the source's SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Its checks, each over `VALUE`.
    pub checks: Vec<DomainCheck>,
}

/// A check of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainCheck {
    /// The constraint's name.
    pub name: String,
    /// The condition in the source's SQL, over `VALUE`.
    pub expression: String,
    /// Whether the source has checked every row.
    pub validated: bool,
}

/// A composite type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Composite {
    /// Its name.
    pub name: QualifiedName,
    /// Its fields in order.
    pub fields: Vec<Field>,
}

/// A field of a composite type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
}
