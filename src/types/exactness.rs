//! Every representation with every type and its awkward values: what is called exact comes back, and of what does not the
//! table says that something remains.

use super::{Codec, Representation, TextForm, TimeUnit, text};
use crate::catalog::{Composite, DataType, Domain, Enumeration, Field, QualifiedName, Shape};
use crate::value::{Cell, Stored};
use std::borrow::Cow;

fn named(name: &str, shape: Shape) -> DataType {
    DataType::new(name, shape)
}

fn array(shape: Shape, delimiter: char) -> Shape {
    Shape::Array { element: Box::new(named("element", shape)), delimiter }
}

fn domain(shape: Shape) -> Shape {
    let name = QualifiedName::new("public", "domain");
    Shape::Domain(Box::new(Domain {
        name,
        base: named("base", shape),
        not_null: false,
        collation: None,
        default: None,
        checks: Vec::new(),
    }))
}

fn composite(fields: &[(&str, Shape)]) -> Shape {
    let field =
        |(name, shape): &(&str, Shape)| Field { name: (*name).to_owned(), data_type: named(name, shape.clone()) };
    Shape::Composite(Composite {
        name: QualifiedName::new("public", "composite"),
        fields: fields.iter().map(field).collect(),
    })
}

fn numeric(precision: i32, scale: i32) -> Shape {
    Shape::Numeric { precision_and_scale: Some((precision, scale)) }
}

/// Every type, those with parameters at the ends of what their representations hold.
fn shapes() -> Vec<Shape> {
    let labels = vec!["new".to_owned(), "1".to_owned(), String::new()];
    let mut shapes = vec![
        Shape::Boolean,
        Shape::SmallInt,
        Shape::Integer,
        Shape::BigInt,
        Shape::Oid,
        Shape::Real,
        Shape::Double,
        Shape::Numeric { precision_and_scale: None },
        Shape::Text,
        Shape::VarChar { length: None },
        Shape::VarChar { length: Some(8) },
        Shape::Char { length: None },
        Shape::Char { length: Some(8) },
        Shape::Citext,
        Shape::Name,
        Shape::Enum(Enumeration { name: QualifiedName::new("public", "labels"), labels }),
        Shape::Bytea,
        Shape::Uuid,
        Shape::Date,
        Shape::Json,
        Shape::Jsonb,
        Shape::Hstore,
        Shape::Xml,
        Shape::Other,
        composite(&[("a", Shape::Integer), ("b c", Shape::Text), ("d", Shape::Jsonb)]),
        array(Shape::Integer, ','),
        array(Shape::Text, ','),
        array(Shape::Double, ','),
        array(Shape::Jsonb, ','),
        array(Shape::Char { length: Some(3) }, ','),
        array(domain(array(Shape::Integer, ',')), ','),
        array(composite(&[("a", Shape::Integer), ("b", Shape::Text)]), ','),
        array(Shape::Other, ';'),
    ];
    let scales = [(15, 0), (18, 0), (19, 0), (15, 2), (16, 2), (15, 15), (3, 5), (3, 16), (2, -3), (38, 10)];
    shapes.extend(scales.map(|(precision, scale)| numeric(precision, scale)));
    shapes.extend((0..=6).map(|precision| Shape::Timestamp { precision }));
    shapes.extend((0..=6).map(|precision| Shape::TimestampTz { precision }));
    let domains: Vec<_> = shapes.iter().cloned().map(domain).collect();
    shapes.extend(domains);
    shapes
}

/// Awkward values of a type, such as a server can send.
fn cells(shape: &Shape) -> Vec<Cell<'static>> {
    let texts = |texts: &[&'static str]| texts.iter().map(|one| Cell::Text(Cow::Borrowed(*one))).collect();
    let natives = |texts: &[&'static str]| texts.iter().map(|one| Cell::Native(Cow::Borrowed(*one))).collect();
    let integers = |all: &[i64]| all.iter().map(|one| Cell::Int(*one)).collect();
    match shape {
        Shape::Boolean => vec![Cell::Bool(false), Cell::Bool(true)],
        Shape::SmallInt => integers(&[0, -1, i64::from(i16::MIN), i64::from(i16::MAX)]),
        Shape::Integer => integers(&[0, -1, i64::from(i32::MIN), i64::from(i32::MAX)]),
        Shape::BigInt => integers(&[0, -1, i64::MIN, i64::MAX, (1 << 53) + 1]),
        Shape::Oid => integers(&[0, i64::from(u32::MAX)]),
        Shape::Real => [0.0, -0.0, 0.1, 1e-45, f32::MAX, f32::NAN, f32::INFINITY, 7.0]
            .map(|one: f32| Cell::Float(f64::from(one)))
            .to_vec(),
        Shape::Double => {
            let ends = [f64::MAX, f64::MIN, 5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
            let whole = [0.0, -0.0, 7.0, -7.0, 9_007_199_254_740_993.0, 9.3e18, -9_223_372_036_854_775_808.0];
            ends.into_iter().chain(whole).chain([0.1, 1.0 / 3.0]).map(Cell::Float).collect()
        }
        Shape::Numeric { precision_and_scale } => decimals(*precision_and_scale),
        Shape::Text | Shape::VarChar { .. } | Shape::Citext | Shape::Name => {
            texts(&["", "a", "A", "007", "1e3", " 5 ", "NULL", "'", "é😀", "a\nb", "{}"])
        }
        Shape::Char { length: None } => texts(&["", "a ", "  ", "é"]),
        Shape::Char { length: Some(_) } => texts(&["", "a", " é", "12345678"]),
        Shape::Enum(enumeration) => {
            enumeration.labels.iter().map(|label| Cell::Text(Cow::Owned(label.clone()))).collect()
        }
        Shape::Bytea => [&b""[..], b"\0\xff", b"12"].map(|one| Cell::Bytes(Cow::Borrowed(one))).to_vec(),
        Shape::Uuid => vec![Cell::Uuid([0; 16]), Cell::Uuid([0xff; 16]), Cell::Uuid(*b"0123456789abcdef")],
        Shape::Timestamp { precision } => moments(*precision).into_iter().map(Cell::Timestamp).collect(),
        Shape::TimestampTz { precision } => moments(*precision).into_iter().map(Cell::TimestampTz).collect(),
        Shape::Date => {
            [0, -1, -2_451_545, 2_145_031_948, -800_000, 106_741_035, i32::MIN, i32::MAX].map(Cell::Date).to_vec()
        }
        Shape::Json | Shape::Jsonb => {
            ["null", "1.0", "\"é\"", "{\"a\": [1, 2]}", " {}"].map(|one| Cell::Json(Cow::Borrowed(one))).to_vec()
        }
        Shape::Domain(domain) => cells(&domain.base.shape),
        Shape::Composite(composite) if composite.fields.len() == 3 => {
            natives(&["(1,\"x y\",)", "(,\"\",)", "(,,null)", "(,\"q\"\"\\\\\",\"{\"\"a\"\": 1}\")"])
        }
        Shape::Composite(_) => natives(&["(1,\"x y\")", "(,)"]),
        Shape::Array { element, .. } => natives(match &element.shape {
            Shape::Integer => &["{}", "{1,NULL,-3}", "{{1},{2}}", "[0:1]={1,2}"],
            Shape::Text => &["{a,\"\",NULL,\"NULL\",\"b c\",\"{}\",\"q\\\"\\\\\"}", "{\"a\nb\",é😀}", "[2:2]={a}"],
            Shape::Double => &["{1.5,NaN,-Infinity,1e+20,-0}", "[2:2]={1}"],
            Shape::Jsonb => &["{\"{\\\"a\\\": [1, 2]}\",1,true}", "{\"null\"}", "{\"[1, 2]\"}"],
            Shape::Char { .. } => &["{\"a  \",abc}", "[2:2]={abc}"],
            Shape::Domain(_) => &["{\"{1,2}\",\"{}\"}", "[2:2]={\"{1}\"}"],
            Shape::Composite(_) => &["{\"(1,\\\"a b\\\")\",NULL,\"(,)\"}", "[2:2]={\"(,)\"}"],
            _ => &["{(1,1),(0,0);(2,2),(1,1)}", "[2:2]={(1,1),(0,0)}"],
        }),
        // The last one is such as other programs write it.
        Shape::Hstore => {
            natives(&["", "\"a\"=>\"1\", \"b c\"=>NULL", "\"q\\\"\\\\\"=>\"\"", "\"a\"=>\"1\",\"b\"=>\"2\""])
        }
        Shape::Xml => natives(&["<a/>", "<?xml version=\"1.0\"?><a/>", ""]),
        Shape::Other => natives(&["", "1 day", "24:00:00", "1", "é"]),
    }
}

/// The greatest, the smallest and others of such a type, each with the digits behind the point that it has.
fn decimals(precision_and_scale: Option<(i32, i32)>) -> Vec<Cell<'static>> {
    let texts = match precision_and_scale {
        None => {
            let ends = ["NaN", "Infinity", "-Infinity", "0", "0.0", "1", "1.50", "-1.5", "0.1234567890123456789"];
            let long = ["999999999999999999", "9223372036854775807", "9223372036854775808", "1e400", "-1e-400"];
            ends.into_iter().chain(long).map(spelled).collect()
        }
        Some((precision, scale)) => {
            let [precision, scale] = [precision, scale].map(|digits| usize::try_from(digits).unwrap_or(0));
            let behind = usize::try_from(precision_and_scale.map_or(0, |(_, scale)| -scale)).unwrap_or(0);
            let put = |digits: String| {
                let digits = format!("{digits}{}", "0".repeat(behind));
                let digits = format!("{digits:0>width$}", width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                if scale == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
            };
            let most = put("9".repeat(precision));
            let odd = put(format!("1{}", "2345678901234567890123456789".repeat(2).split_at(precision - 1).0));
            vec!["NaN".to_owned(), put("0".to_owned()), put("1".to_owned()), format!("-{most}"), most, odd]
        }
    };
    texts.iter().map(|one| Cell::Decimal(one.parse().unwrap_or_else(|_| panic!("{one} is no decimal")))).collect()
}

/// A number without an exponent.
fn spelled(text: &str) -> String {
    match text.split_once('e') {
        None => text.to_owned(),
        Some((number, power)) => {
            let zeros = "0".repeat(power.trim_start_matches('-').parse().unwrap());
            match power.starts_with('-') {
                true => format!("{}0.{}1", number.strip_suffix('1').unwrap(), &zeros[1..]),
                false => format!("{number}{zeros}"),
            }
        }
    }
}

/// Times with so many digits behind the second, on both ends of the calendar, of 64 bits and of 1970.
fn moments(precision: u8) -> Vec<i64> {
    let unit = 10_i64.pow(u32::from(6 - precision));
    let around = [0, -946_684_800_000_000, 9_222_425_352_054_775_807, -211_813_488_000_000_000, 123_456_789_012];
    let near = around.into_iter().flat_map(|micros| [-1, 0, 1].map(|step| (micros / unit + step) * unit));
    let known = near.filter(|micros| crate::value::calendar::MOMENTS.contains(micros));
    known.chain([9_223_371_331_200_000_000 - unit, i64::MIN, i64::MAX]).collect()
}

fn encoding(cell: &Cell<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    cell.encode(&mut bytes);
    bytes
}

/// What SQLite gives back for a value: NaN becomes NULL, -0.0 becomes 0.0.
pub(super) fn through_a_record(stored: Stored<'_>) -> Stored<'_> {
    match stored {
        Stored::Real(value) if value.is_nan() => Stored::Null,
        Stored::Real(0.0) => Stored::Real(0.0),
        other => other,
    }
}

#[test]
fn what_is_called_exact_comes_back_and_of_the_rest_the_table_says_so() {
    let mut asked = 0;
    for shape in shapes() {
        let taken = Representation::choices_for(&shape);
        for (representation, whole_as_integer) in Representation::all().flat_map(|one| [(one, false), (one, true)]) {
            let codec = Codec::new(&shape, representation).whole_as_integer(whole_as_integer);
            let remainder = representation.remainder(&shape);
            let mut is_anything_left = false;
            for foreign in [Stored::Integer(7), Stored::Real(0.5), Stored::Text(Cow::Borrowed(b"x\xff"))] {
                let cell = Cell::Foreign(foreign);
                let placed = codec.place(&cell);
                assert_eq!(
                    codec.load(placed.stored) == cell,
                    placed.exact,
                    "{} of {shape:?}: {cell:?}",
                    representation.name()
                );
            }
            for cell in cells(&shape).into_iter().chain([Cell::Null]) {
                asked += 1;
                let told = format!("{} of {shape:?}: {cell:?}", representation.name());
                let placed = codec.place(&cell);
                let record = through_a_record(placed.stored.clone());
                let back = codec.load(record.clone());
                let is_back = encoding(&back) == encoding(&cell);
                assert!(is_back || !placed.exact, "{told} {placed:?} {back:?}");
                if !taken.contains(&representation) {
                    continue;
                }
                is_anything_left |= !placed.exact;
                assert!(placed.exact || remainder.is_some(), "{told} {placed:?}");
                assert!(!matches!(back, Cell::Foreign(_)) || !placed.exact, "{told} {back:?}");
                let ledger = if placed.exact { None } else { text::write(&shape, &cell) };
                let back = codec.load_with_ledger(record, ledger.as_deref());
                assert_eq!(encoding(&back), encoding(&cell), "{told} {placed:?} {ledger:?}");
            }
            if taken.contains(&representation) {
                assert_eq!(is_anything_left, remainder.is_some(), "{} of {shape:?}", representation.name());
            }
        }
    }
    assert!(asked > 10_000, "{asked}");
}

/// A type has the representations that it may take from the table, whatever its domain, and its default keeps the digits.
#[test]
fn defaults_keep_the_digits() {
    for shape in shapes() {
        let default = Representation::default_for(&shape);
        let drops = default.remainder(&shape).is_some_and(super::Remainder::drops_digits);
        assert!(!drops, "{} of {shape:?}", default.name());
        assert_eq!(Representation::choices_for(&shape), Representation::choices_for(&domain(shape.clone())));
        assert!(Representation::choices_for(&shape).contains(&Representation::Text(TextForm::Server)));
    }
    let choices = |shape| Representation::choices_for(&shape).into_iter().map(Representation::name).collect::<Vec<_>>();
    assert_eq!(choices(Shape::Date), ["iso8601", "epoch-seconds", "epoch-millis", "epoch-micros", "server-text"]);
    assert_eq!(choices(numeric(19, 2)), ["decimal-text", "decimal-integer", "decimal-real", "server-text"]);
    assert_eq!(choices(Shape::Citext), ["nocase-text", "text", "server-text"]);
    let unit = |precision| Representation::default_for(&Shape::Timestamp { precision });
    assert_eq!(unit(3), Representation::Epoch(TimeUnit::Millis));
}
