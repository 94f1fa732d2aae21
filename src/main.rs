use whimbrel::{cancel::Cancel, endpoint::Endpoint, endpoint::postgres::PostgresSource, transfer::run};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let Endpoint::Postgres(url) = Endpoint::parse(&args[1]).unwrap() else { panic!() };
    let cancel = Cancel::new();
    let mut source = PostgresSource::connect(&url, &cancel).unwrap();
    let job = run::Job::new(&args[2]);
    match run::migrate(&mut source, &job, &cancel, &|_| {}) {
        Ok(o) => {
            println!(
                "tables {} rows {} losses {} caveats {} ledger {} sound {} published {} {:?}",
                o.plan.tables.len(),
                o.copied.iter().map(|c| c.digest.rows).sum::<u64>(),
                o.plan.losses.len(),
                o.plan.caveats.len(),
                o.ledger_entries,
                o.verification.is_sound(),
                o.published.is_some(),
                o.durations
            );
            if std::env::var("LOSSES").is_ok() {
                for l in &o.plan.losses {
                    println!("  LOSS {} {}: {}", l.kind, l.object, l.reason);
                }
                for l in &o.plan.caveats {
                    println!("  CAVEAT {}: {}", l.object, l.text);
                }
            }
            if !o.verification.is_sound() {
                println!(
                    "{}",
                    serde_json::to_string_pretty(&o.verification.ensure_sound().unwrap_err().to_string()).unwrap()
                );
                for t in o.verification.tables.iter().filter(|t| !t.is_sound()).take(3) {
                    println!("{t:?}");
                }
                println!(
                    "{:?} {:?} {:?}",
                    o.verification.objects,
                    o.verification.foreign_keys,
                    o.verification.integrity.map(|i| i.messages)
                );
            }
        }
        Err(e) => println!("ERROR {e} hint {:?}", e.way_out()),
    }
}
