//! The store against a map: random operations by two openers, mode changes, crashes before each step of a write, writes of programs without
//! the store, and reopening. Nothing is lost, and nothing is invented.
//!
//! `WHIMBREL_STORE_SEQUENCES` says how many sequences, `WHIMBREL_STORE_SEED` where they begin; without it each run has the same.

use crate::made::{Made, object};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use whimbrel::Error;
use whimbrel::store::{Expected, Mode, OpenStore, Outcome, Selection, Step, Store, modes, repair};

const SEQUENCES: usize = 256;
const OPERATIONS: usize = 14;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

/// Before which step of its next write an opener is to crash.
#[derive(Default)]
struct Crash(AtomicU8);

const STEPS: [Step; 5] = [Step::Intent, Step::Truth, Step::Copy, Step::Base, Step::Done];

type Key = (&'static str, String);

struct Play {
    made: Made,
    random: Random,
    model: BTreeMap<Key, Map<String, Value>>,
    crash: Arc<Crash>,
    crashing: Option<OpenStore>,
    other: OpenStore,
    log: Vec<String>,
}

fn text(random: &mut Random) -> Value {
    let texts = ["", "one", "tw\u{f6}\n", "\"\\ \t", "7", "null", "x: y # z", "  blanks  "];
    random.pick(&texts).to_string().into()
}

fn value(random: &mut Random, key: &Key) -> Map<String, Value> {
    match key.0 {
        "notes" => {
            let mut names = vec!["a", "b", "c", "d"];
            names.retain(|_| random.below(3) == 0);
            let tags: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
            let n = if random.below(2) == 0 { Value::Null } else { (random.below(5) as i64 - 2).into() };
            let extra = match random.below(3) {
                0 => json!({"a": [1, {"b": null}], "z": 1.5}),
                1 => json!({"only": "é"}),
                _ => Value::Null,
            };
            object(json!({"id": key.1, "text": text(random), "n": n, "extra": extra, "tags": tags}))
        }
        "cards" => {
            let data = if random.below(2) == 0 { Value::Null } else { json!([1, 2.5, {"k": "v"}]) };
            let board = format!("b{}", random.below(2));
            let title = text(random);
            object(json!({"board": board, "id": key.1, "title": title, "done": random.below(2) == 0, "data": data}))
        }
        _ => {
            let name = if random.below(4) == 0 { Value::Null } else { text(random) };
            // One of the two is there, so that there is a file.
            let about: Value = format!("about {}\n", random.below(9)).into();
            object(json!({"id": key.1, "name": name, "about": about}))
        }
    }
}

/// In the order of a map, and what is inside by its name: an order is no part of a record.
fn normal(mut value: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Array(tags)) = value.get_mut("tags") {
        tags.sort_by_key(|tag| tag["name"].to_string());
    }
    value
}

impl Play {
    fn new(seed: u64) -> Play {
        let made = Made::new();
        let crash = Arc::new(Crash::default());
        let other = OpenStore::open(&made.place()).expect("a store");
        let mut play =
            Play { made, random: Random(seed), model: BTreeMap::new(), crash, crashing: None, other, log: Vec::new() };
        play.reopen();
        play
    }

    fn reopen(&mut self) {
        self.crashing = None;
        let crash = Arc::clone(&self.crash);
        let watch = move |step: Step| {
            let wanted = crash.0.load(Ordering::SeqCst);
            match wanted > 0 && STEPS[usize::from(wanted) - 1] == step {
                true => Err(Error::could_not("go on", format!("{step:?}"), "crashed")),
                false => Ok(()),
            }
        };
        self.crashing = Some(OpenStore::watched(&self.made.place(), Some(Arc::new(watch))).expect("a store"));
    }

    fn store(&mut self) -> &OpenStore {
        match self.random.below(2) {
            0 => &self.other,
            _ => self.crashing.as_ref().expect("it is open"),
        }
    }

    fn key(&mut self) -> Key {
        let table = *self.random.pick(&["notes", "notes", "cards", "people"]);
        (table, format!("{}{}", &table[..1], self.random.below(3)))
    }

    fn mode(&self) -> Mode {
        self.other.modes().expect("the mode").only().expect("one mode")
    }

    fn read(store: &OpenStore, key: &Key) -> Option<Map<String, Value>> {
        let read = store.get(key.0, &[key.1.clone().into()]).unwrap_or_else(|error| panic!("{error:?}"));
        read.map(|record| normal(record.value))
    }

    fn check(&mut self) {
        let mut found = BTreeMap::new();
        for table in ["notes", "cards", "people"] {
            for record in self.store().list(table, &[]).unwrap_or_else(|error| panic!("{error:?}")) {
                let id = record.value["id"].as_str().expect("a text").to_owned();
                assert!(found.insert((table, id), normal(record.value)).is_none(), "a record twice");
            }
        }
        assert_eq!(found, self.model, "in mode {}", self.mode());
    }

    /// A write by one of the two; `new` is what is to be there.
    fn write(&mut self, key: &Key, new: Option<Map<String, Value>>) {
        let crash = if self.random.below(3) == 0 { 1 + self.random.below(5) as u8 } else { 0 };
        let kind = self.random.below(4);
        let old = self.model.get(key).cloned();
        let store = if crash > 0 { self.crashing.as_ref().expect("it is open") } else { &self.other };
        let read = store.get(key.0, &[key.1.clone().into()]).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(read.clone().map(|record| normal(record.value)), old);
        let (expected, is_met) = match (kind, &read) {
            (0, Some(record)) => (Expected::Version(record.version), true),
            (1, Some(_)) => (Expected::Absent, false),
            (1, None) => (Expected::Absent, true),
            _ => (Expected::Anything, true),
        };
        self.log.push(format!("{key:?} to {new:?}, {expected:?}, crash {crash}"));
        self.crash.0.store(crash, Ordering::SeqCst);
        let done = match &new {
            Some(new) => store.put(key.0, new, expected),
            None => store.delete(key.0, &[key.1.clone().into()], expected),
        };
        self.crash.0.store(0, Ordering::SeqCst);
        match done {
            Ok(Outcome::Written(written)) => {
                assert!(is_met && written.pending.is_none(), "{written:?}");
                self.become_(key, new);
            }
            Ok(Outcome::Changed { .. }) => assert!(!is_met),
            Err(error) => {
                assert!(error.cause() == "crashed", "{error:?}");
                // Whoever comes next does it, or it never was.
                match self.random.below(2) {
                    0 => self.reopen(),
                    _ => drop(self.other.put("notes", &crate::made::note("next", "x", &[]), Expected::Anything)),
                }
                if let Some(next) = Play::read(&self.other, &("notes", "next".into())) {
                    self.model.insert(("notes", "next".into()), next);
                }
                let now = Play::read(&self.other, key);
                assert!(now == old || now == new.clone().map(normal), "neither old nor new: {now:?}");
                if crash > 2 {
                    assert_eq!(now, new.clone().map(normal), "what the side that decides has got is lost");
                }
                self.become_(key, now);
            }
        }
    }

    fn become_(&mut self, key: &Key, now: Option<Map<String, Value>>) {
        match now {
            Some(now) => drop(self.model.insert(key.clone(), normal(now))),
            None => drop(self.model.remove(key)),
        }
    }

    fn change_mode(&mut self) {
        let place = Mode::ALL.iter().position(|mode| *mode == self.mode()).expect("a mode");
        let next = match self.random.below(2) {
            0 => Mode::ALL[(place + 1).min(3)],
            _ => Mode::ALL[place.saturating_sub(1)],
        };
        self.log.push(format!("mode {next}"));
        let (file, is_empty, truth) = (self.made.file(), self.model.is_empty(), self.mode().truth());
        let store = self.store();
        // All that was there was deleted on purpose.
        let take = is_empty.then_some(truth);
        let repaired = repair::repair(store, take, false).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(repaired.left == 0 && repaired.pending_after == 0, "{repaired:?}");
        let change = modes::set(store, &Selection::All, next, false).unwrap_or_else(|error| panic!("{error:?}"));
        change.ensure_changed(&file).unwrap_or_else(|error| panic!("{error:?} {change:?}"));
    }

    /// A program without the store edits, makes or removes a file.
    fn edit(&mut self) {
        if !matches!(self.mode(), Mode::Files | Mode::Dual) {
            return;
        }
        let key: Key = ("notes", format!("n{}", self.random.below(3)));
        let path = self.made.tree().join(format!("notes/{}.json", key.1));
        if self.random.below(4) == 0 && self.model.len() > 2 {
            let _ = fs::remove_file(&path);
            self.log.push(format!("{key:?} is removed by another program"));
            self.model.remove(&key);
            return self.check();
        }
        let mut new = value(&mut self.random, &key);
        new.insert("extra".to_owned(), Value::Null);
        let mut document = new.clone();
        document.remove("id");
        document.remove("extra");
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, serde_json::to_vec(&document).expect("JSON")).expect("a file");
        self.log.push(format!("{key:?} is {document:?} by another program"));
        self.become_(&key, Some(new));
        if self.random.below(2) == 0 {
            self.check();
        }
    }

    fn run(&mut self) {
        for _ in 0..OPERATIONS {
            let key = self.key();
            match self.random.below(12) {
                0..=4 => {
                    let new = value(&mut self.random, &key);
                    self.write(&key, Some(new));
                }
                5 => self.write(&key, None),
                6 => {
                    let known = self.model.get(&key).cloned();
                    assert_eq!(Play::read(self.store(), &key), known);
                }
                7 => self.check(),
                8 | 9 => self.change_mode(),
                10 => self.reopen(),
                _ => self.edit(),
            }
        }
        self.check();
        if self.mode().has_copy() {
            self.check();
            let found = repair::repair(&self.other, None, true).unwrap_or_else(|error| panic!("{error:?}"));
            assert!(found.repaired + found.left + found.pending_after == 0, "{found:?}");
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn nothing_is_lost_and_nothing_is_invented() {
    let sequences = number("WHIMBREL_STORE_SEQUENCES").map_or(SEQUENCES, |number| number as usize);
    let first = number("WHIMBREL_STORE_SEED").unwrap_or(1);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= sequences {
                        return;
                    }
                    let seed = first.wrapping_add(number as u64);
                    let mut play = Play::new(seed);
                    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play.run()));
                    if let Err(panic) = done {
                        let again = format!("WHIMBREL_STORE_SEED={seed} WHIMBREL_STORE_SEQUENCES=1");
                        eprintln!("{}\nagain: {again} cargo test --test store model::", play.log.join("\n"));
                        std::panic::resume_unwind(panic);
                    }
                }
            });
        }
    });
}
