//! Random schemas with awkward rows, and every type there is, as dumps: each form says what the server says.
#![cfg(feature = "harness")]

use crate::all_types;
use crate::dumps::{FORMS, ensure_alike};
use crate::support::whole_run::Server;
use whimbrel::cancel::Cancel;
use whimbrel::endpoint::PostgresUrl;
use whimbrel::endpoint::postgres::{Session, introspect};
use whimbrel::harness::generate::{GenerateOptions, Generator, PostgresJudge, load_postgres};
use whimbrel::harness::{RandomSchema, SchemaSize, Seed};
use whimbrel::provision::shared;

/// How many schemas; `WHIMBREL_DUMPED_SCHEMAS` says otherwise, and from which seed on, as in `500 from 2000`.
const SCHEMAS: u64 = 16;
/// How many forms of a dump each of them has. Every form has its turn.
const FORMS_EACH: usize = 3;

fn wanted() -> std::ops::Range<u64> {
    let Ok(said) = std::env::var("WHIMBREL_DUMPED_SCHEMAS") else { return 0..SCHEMAS };
    let number = |text: &str| text.trim().parse().expect("WHIMBREL_DUMPED_SCHEMAS is `500` or `500 from 2000`");
    let (count, first) =
        said.split_once("from").map_or((number(&said), 0), |(count, first)| (number(count), number(first)));
    first..first + count
}

/// Fills the tables; whether rows could be found for them.
fn fill(url: &PostgresUrl, seed: u64) -> bool {
    let mut session = Session::connect(url, &Cancel::new()).expect("a session");
    let catalog = introspect(&mut session).expect("a catalog");
    drop(session);
    let options = GenerateOptions { rows: 60, seed: Seed(seed), awkward: 0.4, ..GenerateOptions::default() };
    let loaded = Generator::new(&catalog, options)
        .and_then(|generator| generator.dataset(&mut PostgresJudge::new(url)))
        .and_then(|dataset| load_postgres(url, &catalog, &dataset));
    match loaded {
        Ok(()) => true,
        // A unique index over a sum with a foreign key's column is left to chance.
        Err(error) if error.to_string().contains("duplicate key") => false,
        Err(error) => panic!("seed {seed}: rows: {error}"),
    }
}

#[test]
fn random_schemas_are_in_their_dumps() {
    let server = shared().expect("a server");
    let (mut unsolved, seeds) = (0, wanted());
    let count = seeds.end - seeds.start;
    for number in seeds {
        let database = server.create_database("dumped_schema").expect("a database");
        Server::connect(&database.url()).run(RandomSchema::from_seed(Seed(number), &SchemaSize::default()).to_sql());
        unsolved += u64::from(!fill(&PostgresUrl::parse(&database.url()).expect("a URL"), number));
        let forms: Vec<_> =
            FORMS.iter().cycle().skip(number as usize * FORMS_EACH % FORMS.len()).take(FORMS_EACH).copied().collect();
        ensure_alike(&database.url(), &format!("seed {number}"), &forms);
    }
    assert!(unsolved * 8 <= count, "{unsolved} of {count} have no rows");
}

#[test]
fn every_type_is_in_its_dumps() {
    let database = shared().expect("a server").create_database("dumped_types").expect("a database");
    all_types::fill(&mut Server::connect(&database.url()));
    // Names that are values (regclass and its like) have their quotes there.
    let quotes_names = |options: &[&str]| options.contains(&"--quote-all-identifiers");
    let forms: Vec<_> = FORMS.into_iter().filter(|(_, options)| !quotes_names(options)).collect();
    assert_eq!(forms.len() + 1, FORMS.len());
    ensure_alike(&database.url(), "all types", &forms);
}
