//! Floating-point numbers as text: ours is the server's, digit by digit.

use crate::support::whole_run::Server;
use std::io::Write as _;
use whimbrel::catalog::Shape;
use whimbrel::provision::shared;
use whimbrel::types::text;
use whimbrel::value::Cell;

/// How many random numbers of each type are asked about; `WHIMBREL_NUMBERS` says otherwise.
const RANDOM: u64 = 40_000;

/// The next of a sequence of well-mixed numbers (splitmix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn random_count() -> u64 {
    std::env::var("WHIMBREL_NUMBERS").ok().and_then(|text| text.parse().ok()).unwrap_or(RANDOM)
}

/// Doubles where printers differ: powers of two and of ten, their neighbours, halves and quarters near 2^53, and others
/// at random, half of them of everyday size.
fn doubles() -> Vec<f64> {
    let mut bits: Vec<u64> = Vec::new();
    let around = |value: f64| [value.to_bits().wrapping_sub(1), value.to_bits(), value.to_bits().wrapping_add(1)];
    (-1074..1024).for_each(|power| bits.extend(around(2_f64.powi(power))));
    (-323..309).for_each(|power| bits.extend(around(format!("1e{power}").parse().expect("a number"))));
    // Decimal numbers of few digits that are exactly between two doubles, and what they read as.
    for power in 17..30 {
        (1..60).for_each(|first| bits.extend(around(format!("{first}e{power}").parse().expect("a number"))));
    }
    let mut state = 1;
    for _ in 0..random_count() / 2 {
        bits.push(next(&mut state));
        let places = next(&mut state) % 60;
        bits.push(((next(&mut state) >> (places % 53 + 1)) as f64 / 2_f64.powi(places as i32 % 20)).to_bits());
    }
    bits.into_iter().map(f64::from_bits).filter(|value| value.is_finite()).collect()
}

fn reals() -> Vec<f32> {
    let mut bits: Vec<u32> = Vec::new();
    let around = |value: f32| [value.to_bits().wrapping_sub(1), value.to_bits(), value.to_bits().wrapping_add(1)];
    (-149..128).for_each(|power| bits.extend(around(2_f32.powi(power))));
    (-45..39).for_each(|power| bits.extend(around(format!("1e{power}").parse().expect("a number"))));
    let mut state = 2;
    for _ in 0..random_count() / 2 {
        bits.push(next(&mut state) as u32);
        let places = next(&mut state) % 24;
        bits.push(((next(&mut state) as u32 >> (places + 8)) as f32 / 2_f32.powi(places as i32 % 12)).to_bits());
    }
    bits.into_iter().map(f32::from_bits).filter(|value| value.is_finite()).collect()
}

/// The server's text of numbers of that type; each goes there with more digits than it needs.
fn printed(server: &mut Server, sql_type: &str, numbers: &[String]) -> Vec<String> {
    let texts = numbers.chunks(20_000).flat_map(|chunk| {
        server.column(format!(
            "SELECT concat(n) FROM unnest('{{{}}}'::{sql_type}[]) WITH ORDINALITY AS u (n, place) ORDER BY place",
            chunk.join(",")
        ))
    });
    texts.collect()
}

#[test]
fn every_number_reads_as_the_server_prints_it() {
    let postgres = shared().expect("a PostgreSQL server");
    let database = postgres.create_database("numbers").expect("a database");
    let mut server = Server::connect(&database.url());
    server.run("SET extra_float_digits = 1");
    let doubles = doubles();
    let said = printed(&mut server, "float8", &doubles.iter().map(|value| format!("{value:.17e}")).collect::<Vec<_>>());
    let ours = |shape: &Shape, value: f64| text::write(shape, &Cell::Float(value)).expect("a text").into_owned();
    let mut wrong = Vec::new();
    assert_eq!(said.len(), doubles.len());
    for (value, said) in doubles.iter().zip(said) {
        let ours = ours(&Shape::Double, *value);
        if ours != said {
            wrong.push(format!("double precision: the server prints {said}, we {ours}"));
        }
    }
    let reals = reals();
    let said = printed(&mut server, "float4", &reals.iter().map(|value| format!("{value:.17e}")).collect::<Vec<_>>());
    assert_eq!(said.len(), reals.len());
    for (value, said) in reals.iter().zip(said) {
        let ours = ours(&Shape::Real, f64::from(*value));
        if ours != said {
            wrong.push(format!("real: the server prints {said}, we {ours}"));
        }
    }
    let shown = wrong.iter().take(30).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} differ:\n{shown}", wrong.len(), doubles.len() + reals.len());
    let _ = writeln!(std::io::stderr(), "numbers: {} doubles and {} reals read alike", doubles.len(), reals.len());
}
