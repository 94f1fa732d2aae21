//! The property that everything stands on: what a column stores, together with what the ledger keeps, is the cell.

use super::exactness::through_a_record;
use super::{Codec, Representation, TextForm, TimeUnit, text};
use crate::catalog::{DataType, Shape};
use crate::value::{Cell, Stored};
use proptest::prelude::*;
use std::borrow::Cow;

fn shapes_with_cells() -> impl Strategy<Value = (Shape, Cell<'static>)> {
    let numeric = |precision_and_scale| Shape::Numeric { precision_and_scale };
    let text = |value: String| Cell::Text(Cow::Owned(value));
    let digits = |whole: &'static str, fraction: &'static str| {
        (any::<bool>(), whole, fraction).prop_map(|(negative, whole, fraction)| {
            let nothing = whole.bytes().chain(fraction.bytes()).all(|digit| digit == b'0');
            let sign = if negative && !nothing { "-" } else { "" };
            let point = if fraction.is_empty() { "" } else { "." };
            Cell::Decimal(format!("{sign}{whole}{point}{fraction}").parse().unwrap())
        })
    };
    let micros = prop_oneof![
        any::<i64>().prop_map(|micros| micros / 60),
        -211_813_488_000_000_000_i64..9_223_371_331_200_000_000,
        Just(i64::MAX),
        Just(i64::MIN),
        (-4_000_000_000_i64..4_000_000_000).prop_map(|millis| millis * 1_000),
        (9_222_425_352_054_775_700_i64..9_222_425_352_054_775_900),
    ];
    let date = prop_oneof![-2_451_545_i32..2_145_031_949, Just(i32::MAX), Just(i32::MIN), -40_000..40_000];
    let float = prop_oneof![any::<f64>(), Just(f64::NAN), Just(-0.0), Just(f64::INFINITY), Just(5e-324)];
    let array = Shape::Array { element: Box::new(DataType::new("integer", Shape::Integer)), delimiter: ',' };
    prop_oneof![
        any::<bool>().prop_map(|value| (Shape::Boolean, Cell::Bool(value))),
        any::<i64>().prop_map(|value| (Shape::BigInt, Cell::Int(value))),
        float.prop_map(|value| (Shape::Double, Cell::Float(value))),
        any::<f32>().prop_map(|value| (Shape::Real, Cell::Float(f64::from(value)))),
        digits("[1-9][0-9]{0,17}|0", "").prop_map(move |value| (numeric(Some((18, 0))), value)),
        digits("[1-9][0-9]{0,12}|0", "[0-9]{2}").prop_map(move |value| (numeric(Some((15, 2))), value)),
        digits("0", "[0-9]{15}").prop_map(move |value| (numeric(Some((15, 15))), value)),
        digits("[1-9][0-9]{0,40}|0", "[0-9]{0,40}").prop_map(move |value| (numeric(None), value)),
        prop_oneof![Just("NaN"), Just("Infinity"), Just("-Infinity")]
            .prop_map(move |value| (numeric(None), Cell::Decimal(value.parse().unwrap()))),
        any::<String>().prop_map(move |value| (Shape::Text, text(value))),
        any::<Vec<u8>>().prop_map(|value| (Shape::Bytea, Cell::Bytes(Cow::Owned(value)))),
        any::<[u8; 16]>().prop_map(|value| (Shape::Uuid, Cell::Uuid(value))),
        micros.clone().prop_map(|value| (Shape::Timestamp { precision: 6 }, Cell::Timestamp(value))),
        micros.prop_map(|value| (Shape::TimestampTz { precision: 6 }, Cell::TimestampTz(value))),
        date.prop_map(|value| (Shape::Date, Cell::Date(value))),
        prop_oneof![Just("{1,NULL,3}"), Just("{}"), Just("[0:1]={1,2}"), Just("{{1},{2}}")]
            .prop_map(move |value| (array.clone(), Cell::Native(Cow::Borrowed(value)))),
        any::<String>().prop_map(|value| (Shape::Other, Cell::Native(Cow::Owned(value)))),
    ]
}

fn encoding(cell: &Cell<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    cell.encode(&mut bytes);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn in_every_representation_a_cell_is_its_record_and_its_ledger_entry((shape, cell) in shapes_with_cells()) {
        for rule in Representation::choices_for(&shape) {
            let codec = Codec::new(&shape, rule);
            let placed = codec.place(&cell);
            let ledger = if placed.exact { None } else { text::write(&shape, &cell) };
            let record = through_a_record(placed.stored);
            let back = codec.load_with_ledger(record.clone(), ledger.as_deref());
            prop_assert_eq!(encoding(&back), encoding(&cell), "{:?} {:?} {:?} {:?}", rule, cell, record, ledger);
            prop_assert!(placed.exact || rule.remainder(&shape).is_some(), "{:?} claims to hold {:?}", rule, cell);
        }
    }

    #[test]
    fn a_stale_ledger_entry_does_not_count(micros in 0_i64..1_000_000, changed in any::<i32>()) {
        let shape = Shape::Timestamp { precision: 6 };
        let codec = Codec::new(&shape, Representation::Epoch(TimeUnit::Seconds));
        let cell = Cell::Timestamp(micros);
        let ledger = text::write(&shape, &cell);
        let record = Stored::Integer(i64::from(changed));
        let back = codec.load_with_ledger(record.clone(), ledger.as_deref());
        if codec.place(&cell).stored == record {
            prop_assert_eq!(&back, &cell);
        } else {
            prop_assert_eq!(back, codec.load(record));
        }
    }

    #[test]
    fn a_record_that_no_representation_wrote_is_foreign(text in "[a-z]{1,8}") {
        for (shape, rule) in [(Shape::Integer, Representation::Integer), (Shape::Boolean, Representation::Boolean), (Shape::Uuid, Representation::Text(TextForm::Uuid)),
            (Shape::Date, Representation::Text(TextForm::Iso8601)), (Shape::Double, Representation::Real)] {
            let stored = Stored::Text(Cow::Borrowed(text.as_bytes()));
            prop_assert!(matches!(Codec::new(&shape, rule).load(stored), Cell::Foreign(_)));
        }
        prop_assert!(matches!(Codec::new(&Shape::Boolean, Representation::Boolean).load(Stored::Integer(2)), Cell::Foreign(_)));
        let odd = Shape::Numeric { precision_and_scale: Some((5, 2)) };
        prop_assert!(matches!(Codec::new(&odd, Representation::DecimalReal).load(Stored::Real(0.123_45)), Cell::Foreign(_)));
    }
}
