use super::*;
use crate::catalog::Shape;
use crate::harness::Seed;

fn source(name: &str, shape: Shape, limits: Limits) -> ValueSource {
    ValueSource::new(&DataType::new(name, shape), limits).unwrap()
}

/// The digest of a thousand values of each of some types: it changes when the generator does, and with it the meaning
/// of every seed that somebody noted. Then say so in the change log.
#[test]
fn the_same_seed_gives_the_same_values() {
    let array = Shape::Array { element: Box::new(DataType::new("text", Shape::Text)), delimiter: ',' };
    let sources = [
        source("integer", Shape::Integer, Limits::default()),
        source("numeric", Shape::Numeric { precision_and_scale: None }, Limits::default()),
        source("double precision", Shape::Double, Limits::default()),
        source("text", Shape::Text, Limits::default()),
        source("timestamptz", Shape::TimestampTz { precision: 6 }, Limits::default()),
        source("jsonb", Shape::Jsonb, Limits::default()),
        source("bytea", Shape::Bytea, Limits::default()),
        source("text[]", array, Limits::default()),
        source("interval", Shape::Other, Limits::default()),
    ];
    let mut random = Seed(42).random();
    let mut text = String::new();
    for source in &sources {
        for at in 0..1_000 {
            source.draw_into(&mut random, at % 4 == 0, &mut text);
            text.push('\n');
        }
    }
    assert_eq!(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes())), "882a1e5c9c131ce4");
}

#[test]
fn small_types_have_as_many_values_as_they_say() {
    let all = |source: &ValueSource| (0..source.capacity()).map_while(|index| source.nth(index)).collect::<Vec<_>>();
    let booleans = source("boolean", Shape::Boolean, Limits::default());
    assert_eq!(all(&booleans), ["f", "t"]);
    let excluded = |values: &[&str]| Limits {
        excluded: values.iter().map(|value| (*value).to_owned()).collect(),
        ..Limits::default()
    };
    assert_eq!(all(&source("boolean", Shape::Boolean, excluded(&["t"]))), ["f"]);
    let limits = Limits {
        minimum: Some(Bound::inclusive("1")),
        maximum: Some(Bound::exclusive("6")),
        ..excluded(&["2", "5", "77"])
    };
    let mut few = all(&source("integer", Shape::Integer, limits));
    few.sort();
    assert_eq!(few, ["1", "3", "4"]);
    let one = source("varchar(1)", Shape::VarChar { length: Some(1) }, Limits::default());
    let distinct: std::collections::BTreeSet<String> = all(&one).into_iter().collect();
    assert_eq!(distinct.len() as u64, one.capacity());
    assert_eq!(source("json", Shape::Json, Limits::default()).capacity(), 0);
    assert_eq!(source("bigint", Shape::BigInt, Limits::default()).capacity(), u64::MAX);
}

#[test]
fn limits_without_a_value_are_an_error_that_names_the_type() {
    let limits =
        Limits { minimum: Some(Bound::exclusive("5")), maximum: Some(Bound::exclusive("6")), ..Limits::default() };
    let error = ValueSource::new(&DataType::new("integer", Shape::Integer), limits).unwrap_err();
    assert!(error.to_string().contains("`integer`") && error.way_out().is_some(), "{error}");
    let limits = Limits { minimum: Some(Bound::inclusive("{}")), ..Limits::default() };
    assert!(ValueSource::new(&DataType::new("jsonb", Shape::Jsonb), limits).is_err());
}

#[test]
fn equal_values_are_excluded_whatever_their_spelling() {
    let limits = Limits {
        minimum: Some(Bound::inclusive("1")),
        maximum: Some(Bound::inclusive("1.01")),
        excluded: vec!["1".to_owned()],
        ..Limits::default()
    };
    let numeric = Shape::Numeric { precision_and_scale: Some((5, 2)) };
    let source = source("numeric(5,2)", numeric, limits);
    let mut random = Seed(1).random();
    assert!((0..200).all(|at| source.draw(&mut random, at % 2 == 0) == "1.01"));
    assert_eq!(source.capacity(), 1);
}

#[test]
fn shrinking_ends_at_the_simplest_value() {
    for (name, shape) in [
        ("integer", Shape::Integer),
        ("numeric", Shape::Numeric { precision_and_scale: None }),
        ("double precision", Shape::Double),
        ("text", Shape::Text),
        ("timestamp", Shape::Timestamp { precision: 6 }),
        ("jsonb", Shape::Jsonb),
        ("bytea", Shape::Bytea),
    ] {
        let source = source(name, shape, Limits::default());
        let mut random = Seed(3).random();
        for _ in 0..50 {
            // The way along the last candidates is the longest there is.
            let mut value = source.draw(&mut random, true);
            if value.len() > 10_000 {
                continue;
            }
            let mut steps = 0;
            while let Some(next) = source.simpler(&value).pop() {
                value = next;
                steps += 1;
                assert!(steps < 20_000, "{name} does not end");
            }
            assert_eq!(Some(&value), source.values.simplest().first(), "{name}");
        }
    }
}
