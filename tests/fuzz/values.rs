//! A field of the wire, decoded, put into a record by every rule of its type and read back: the same, or an error.

use std::borrow::Cow;
use std::sync::LazyLock;
use whimbrel::catalog::{Composite, DataType, Domain, Enumeration, Field, QualifiedName, Shape};

use whimbrel::endpoint::postgres::FieldDecoder;
use whimbrel::types::{Codec, Representation, TextForm, text};
use whimbrel::value::{Cell, Stored};

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let named = |name: &str| QualifiedName::new("public", name);
    let kind = |name: &str, shape: Shape| DataType::new(name, shape);
    let numeric = |precision_and_scale| Shape::Numeric { precision_and_scale };
    let array = |element: DataType| Shape::Array { element: Box::new(element), delimiter: ',' };
    let mood = Shape::Enum(Enumeration { name: named("mood"), labels: vec!["sad".into(), "ok".into()] });
    let pair = Shape::Composite(Composite {
        name: named("pair"),
        fields: vec![
            Field { name: "id".into(), data_type: kind("integer", Shape::Integer) },
            Field { name: "word".into(), data_type: kind("text", Shape::Text) },
            Field { name: "many".into(), data_type: kind("numeric[]", array(kind("numeric", numeric(None)))) },
        ],
    });
    let domain = Shape::Domain(Box::new(Domain {
        name: named("amount"),
        base: kind("numeric(12,2)", numeric(Some((12, 2)))),
        not_null: false,
        default: None,
        collation: None,
        checks: Vec::new(),
    }));
    vec![
        Shape::Boolean,
        Shape::SmallInt,
        Shape::Integer,
        Shape::BigInt,
        Shape::Oid,
        Shape::Real,
        Shape::Double,
        numeric(None),
        numeric(Some((18, 0))),
        numeric(Some((15, 2))),
        numeric(Some((15, 15))),
        numeric(Some((40, 10))),
        numeric(Some((5, -3))),
        Shape::Text,
        Shape::VarChar { length: Some(5) },
        Shape::Char { length: Some(5) },
        Shape::Citext,
        Shape::Name,
        Shape::Bytea,
        Shape::Uuid,
        Shape::Timestamp { precision: 0 },
        Shape::Timestamp { precision: 3 },
        Shape::Timestamp { precision: 6 },
        Shape::TimestampTz { precision: 0 },
        Shape::TimestampTz { precision: 6 },
        Shape::Date,
        Shape::Json,
        Shape::Jsonb,
        mood.clone(),
        domain,
        pair.clone(),
        Shape::Hstore,
        Shape::Other,
        array(kind("integer", Shape::Integer)),
        array(kind("text", Shape::Text)),
        array(kind("boolean", Shape::Boolean)),
        array(kind("double precision", Shape::Double)),
        array(kind("timestamp", Shape::Timestamp { precision: 6 })),
        array(kind("json", Shape::Jsonb)),
        array(kind("bytea", Shape::Bytea)),
        array(kind("mood", mood)),
        array(kind("pair", pair)),
        Shape::Array { element: Box::new(kind("box", Shape::Other)), delimiter: ';' },
    ]
});

fn encoding(cell: &Cell<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    cell.encode(&mut bytes);
    bytes
}

/// What SQLite gives back for a value it was given, before any rule: NaN becomes NULL, -0.0 becomes 0.0.
fn through_a_record(stored: Stored<'_>) -> Stored<'_> {
    match stored {
        Stored::Real(value) if value.is_nan() => Stored::Null,
        Stored::Real(0.0) => Stored::Real(0.0),
        other => other,
    }
}

/// The first byte chooses the type; the rest is the field.
pub fn round_trip(bytes: &[u8]) {
    let Some((first, field)) = bytes.split_first() else { return };
    let shape = &SHAPES[usize::from(*first) % SHAPES.len()];
    for rule in Representation::choices_for(shape) {
        let codec = Codec::new(shape, rule);
        // Whatever somebody else has put into the column is read, too.
        let _ = codec.load(Stored::Text(Cow::Borrowed(field)));
        let _ = codec.load(Stored::Blob(Cow::Borrowed(field)));
        if let Some(word) = field.first_chunk() {
            let _ = codec.load(Stored::Integer(i64::from_be_bytes(*word)));
            let _ = codec.load(Stored::Real(f64::from_be_bytes(*word)));
        }
        let Ok(cell) = FieldDecoder::of(shape).decode(Some(field)) else { continue };
        let placed = codec.place(&cell);
        let ledger = if placed.exact { None } else { text::write(codec.shape(), &cell) };
        let record = through_a_record(placed.stored);
        let back = codec.load_with_ledger(record.clone(), ledger.as_deref());
        // Two spellings of one array, of which servers write the other: what is read back differs, and verification
        // says so.
        let respelled = rule == Representation::Text(TextForm::JsonArray) && placed_again(&codec, &back) == record;
        assert!(
            encoding(&back) == encoding(&cell) || respelled,
            "{shape:?} {rule:?} {cell:?} {record:?} {ledger:?} {back:?}"
        );
    }
}

fn placed_again(codec: &Codec, cell: &Cell<'_>) -> Stored<'static> {
    codec.place(cell).stored.into_owned()
}
