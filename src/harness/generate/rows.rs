//! The rows of one table, one after another.
//!
//! Invariants: the same random numbers give the same rows; what is drawn for a row does not depend on how the rows
//! before it were taken; a row that is handed out satisfies every key that is not the judge's.

use super::dataset::{Cell, Row};
use super::keys::{KeyStore, hash_of};
use super::mend::{DrawMode, Mender};
use super::table_plan::{LEAVE_OUT, ParentReference, Slot, TablePlan, Uniqueness};
use crate::catalog::Shape;
use crate::error::{Error, Result};
use crate::harness::{Random, Seed};
use std::borrow::Cow;
use std::collections::HashSet;

/// How often a row is tried again when a unique key stands against it, before the table counts as full.
const KEY_TRIES_MAX: u32 = 300;
/// How often one combination of an enumerated key is tried with other values elsewhere.
const COMBINATION_TRIES_MAX: u32 = 20;

/// What became of an attempt to make one more row.
#[derive(Debug)]
pub(super) enum Made {
    /// A row.
    Row(Row),
    /// There can be no more rows, and why.
    Full(String),
}

/// Makes the rows of one table.
#[derive(Debug)]
pub(super) struct RowMaker<'p, 'c> {
    plan: &'p TablePlan<'c>,
    random: Random,
    /// For what comes with the second pass only.
    later_random: Random,
    awkward: f64,
    /// By column: the next of the distinct values, and what was used where awkward ones are among them.
    next: Vec<u64>,
    used: Vec<HashSet<u64>>,
    /// By key.
    remembered: Vec<HashSet<u64>>,
    enumeration: Option<Enumeration>,
    /// How many keys this table has put into each store that it refers to itself by.
    visible: Vec<(usize, usize)>,
    /// How many rows there were before: each may stand against one attempt more.
    before: u32,
}

#[derive(Debug)]
struct Enumeration {
    key: usize,
    slots: Vec<Slot>,
    sizes: Vec<u64>,
    total: u128,
    step: u128,
    offset: u128,
    next: u128,
    tries: u32,
}

impl Enumeration {
    fn new(plan: &TablePlan<'_>, stores: &[KeyStore], random: &mut Random) -> Option<Enumeration> {
        let key = plan.keys.iter().position(|key| key.uniqueness == Uniqueness::Enumerated)?;
        let slots = plan.slots(&plan.keys[key].columns)?;
        let sizes: Vec<u64> = (slots.iter())
            .map(|slot| match slot {
                Slot::Group(group) => stores[plan.groups[*group][0].store].len() as u64,
                Slot::Column(column) => plan.columns[*column].capacity().min(1 << 40),
            })
            .collect();
        let total = sizes.iter().fold(1_u128, |total, size| total.saturating_mul(u128::from(*size)));
        let total = total.min(1 << 100);
        let mut step = total * 618 / 1000 + 1;
        while greatest_common_divisor(step, total) > 1 {
            step += 1;
        }
        let offset = if total == 0 { 0 } else { u128::from(random.bits()) % total };
        Some(Enumeration { key, slots, sizes, total, step, offset, next: 0, tries: 0 })
    }

    /// The current combination; `None` when all were there.
    fn current(&self) -> Option<Vec<u64>> {
        if self.next >= self.total {
            return None;
        }
        let mut place = (self.offset + multiply_modulo(self.next, self.step, self.total)) % self.total;
        let mut digits = Vec::with_capacity(self.sizes.len());
        for size in &self.sizes {
            digits.push((place % u128::from(*size)) as u64);
            place /= u128::from(*size);
        }
        Some(digits)
    }
}

fn greatest_common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn multiply_modulo(mut a: u128, mut b: u128, modulus: u128) -> u128 {
    if let Some(product) = a.checked_mul(b) {
        return product % modulus;
    }
    let mut sum = 0;
    a %= modulus;
    while b > 0 {
        if b & 1 == 1 {
            sum = (sum + a) % modulus;
        }
        a = (a * 2) % modulus;
        b >>= 1;
    }
    sum
}

/// Why a row was not taken.
enum Refused {
    Key(usize),
    /// Rows of two tables referred to do not go together.
    Foreign(String),
    Full(String),
}

impl<'p, 'c> RowMaker<'p, 'c> {
    pub(super) fn new(plan: &'p TablePlan<'c>, stores: &[KeyStore], seed: Seed, awkward: f64) -> Self {
        let mut random = seed.of(&plan.table.name.to_string()).random();
        let enumeration = Enumeration::new(plan, stores, &mut random);
        RowMaker {
            plan,
            later_random: seed.of(&format!("{} later", plan.table.name)).random(),
            random,
            awkward,
            next: vec![0; plan.columns.len()],
            used: vec![HashSet::new(); plan.columns.len()],
            remembered: vec![HashSet::new(); plan.keys.len()],
            enumeration,
            visible: plan.self_references.iter().map(|key| (key.store, 0)).collect(),
            before: 0,
        }
    }

    /// Counts a key that one of this table's rows has put into a store.
    pub(super) fn stored(&mut self, store: usize) {
        for (own, count) in &mut self.visible {
            if *own == store {
                *count += 1;
            }
        }
    }

    /// Remembers a row that was there before, so that no key of it comes again.
    pub(super) fn remember(&mut self, row: &Row) {
        self.before = self.before.saturating_add(1);
        for place in 0..self.plan.keys.len() {
            if let Some(hash) = self.key_hash(place, row, true) {
                self.remembered[place].insert(hash);
            }
        }
    }

    /// Makes one more row. Columns of broken foreign keys are NULL in it.
    pub(super) fn make(&mut self, stores: &mut [KeyStore]) -> Made {
        let mut key_tries = 0;
        loop {
            match self.attempt(stores) {
                Ok(row) => {
                    self.advance();
                    return Made::Row(row);
                }
                Err(Refused::Full(why)) => return Made::Full(why),
                Err(Refused::Key(key)) => {
                    key_tries += 1;
                    // Another combination of an enumerated key may do, but there can be more of them than time.
                    let combinations = if self.enumeration.is_some() { COMBINATION_TRIES_MAX } else { 1 };
                    if key_tries >= (KEY_TRIES_MAX * combinations).saturating_add(self.before) {
                        return Made::Full(self.key_is_full(key));
                    }
                }
                Err(Refused::Foreign(why)) => {
                    key_tries += 1;
                    if key_tries >= KEY_TRIES_MAX {
                        return Made::Full(why);
                    }
                }
            }
            self.tried();
        }
    }

    fn key_is_full(&self, key: usize) -> String {
        let empty = self.enumeration.as_ref().filter(|enumeration| enumeration.key == key).and_then(|enumeration| {
            let mut slots = enumeration.slots.iter().zip(&enumeration.sizes);
            slots.find_map(|(slot, size)| match slot {
                Slot::Group(group) if *size == 0 => self.plan.groups[*group].first(),
                _ => None,
            })
        });
        if let Some(foreign) = empty {
            return self.nothing_to_refer_to(foreign);
        }
        let key = &self.plan.keys[key];
        let columns: Vec<&str> = key.columns.iter().map(|column| self.plan.names[*column].as_str()).collect();
        format!("its key `{}` ({}) allows no more", key.name, columns.join(", "))
    }

    /// The combination in hand was used.
    fn advance(&mut self) {
        if let Some(enumeration) = &mut self.enumeration {
            enumeration.next += 1;
            enumeration.tries = 0;
        }
    }

    /// The combination in hand was tried in vain.
    fn tried(&mut self) {
        if let Some(enumeration) = &mut self.enumeration {
            enumeration.tries += 1;
            if enumeration.tries >= COMBINATION_TRIES_MAX {
                enumeration.next += 1;
                enumeration.tries = 0;
            }
        }
    }

    fn attempt(&mut self, stores: &mut [KeyStore]) -> Result<Row, Refused> {
        let plan = self.plan;
        let mut row: Row = vec![None; plan.columns.len()];
        let mut done = vec![false; plan.columns.len()];
        for (place, column) in plan.columns.iter().enumerate().filter(|(_, column)| column.distinct) {
            if column.null_share > 0.0 && self.random.chance(column.null_share) {
                done[place] = true;
                continue;
            }
            row[place] = Some(self.distinct(place).ok_or_else(|| {
                Refused::Full(format!(
                    "there are only {} values for its column `{}`",
                    column.capacity(),
                    plan.names[place]
                ))
            })?);
            done[place] = true;
        }
        let forced = self.combination(&mut row, &mut done)?;
        for (number, group) in plan.groups.iter().enumerate() {
            let forced = forced.iter().find(|(other, _)| *other == number).map(|(_, key)| *key);
            for (place, foreign) in group.iter().enumerate() {
                let forced = forced.filter(|_| place == 0);
                self.refer(foreign, forced, stores, &mut row, &mut done)?;
            }
        }
        let owned_by_self = |place: usize| {
            plan.self_references.iter().any(|key| key.columns.contains(&place) && !key.own_key.contains(&place))
        };
        for place in 0..plan.columns.len() {
            if done[place] || plan.deferred.contains(&place) || owned_by_self(place) {
                continue;
            }
            done[place] = true;
            row[place] = draw(plan, self.awkward, place, &mut self.random);
        }
        for foreign in &plan.self_references {
            self.refer_to_self(foreign, stores, &mut row, &mut done)?;
        }
        self.put_in_order(&mut row);
        self.claim(&row, false)?;
        Ok(row)
    }

    /// Exchanges values of which one has to come before the other, and does not.
    fn put_in_order(&self, row: &mut Row) {
        let plan = self.plan;
        // What makes a row unique stays where it is.
        let may_change = |column: usize| {
            !plan.columns[column].distinct
                && self.enumeration.as_ref().is_none_or(|own| !plan.keys[own.key].columns.contains(&column))
        };
        for (first, second) in plan.orderings.iter().filter(|(a, b)| may_change(*a) && may_change(*b)) {
            if let (Some(a), Some(b)) = (&row[*first], &row[*second])
                && plan.columns[*first].compare(a, b).is_some_and(|order| order.is_gt())
            {
                row.swap(*first, *second);
            }
        }
    }

    /// Changes a row that misses a condition of a judge; `None` where that cannot be, or stands against the rest of it.
    pub(super) fn mend(&mut self, mut row: Row, mender: &mut Mender, place: usize, vain: u32) -> Option<Row> {
        self.release(&row);
        let (plan, awkward) = (self.plan, self.awkward);
        let redraw =
            |column: usize, random: &mut Random, mode: &DrawMode<'_>| redraw(plan, awkward, column, random, mode);
        let changed = mender.mend(place, &mut row, &mut self.random, vain, redraw);
        self.put_in_order(&mut row);
        (changed && self.claim(&row, false).is_ok()).then_some(row)
    }

    /// A value that no other row has in this column.
    fn distinct(&mut self, place: usize) -> Option<String> {
        let column = &self.plan.columns[place];
        let is_hard = column.judged && column.spelled_once;
        let tracked = is_hard || self.awkward > 0.0 && column.text_tells_apart;
        let hash = |value: &str| hash_of([column.key(value).as_ref()]);
        if is_hard && self.random.chance(0.75) {
            // The next of the distinct values may never satisfy the condition on it.
            for _ in 0..4 {
                let value = match self.random.below(16) {
                    0..=5 => column.near(&[], &mut self.random),
                    // Where ordinary values do not satisfy it, perhaps these do.
                    choice => {
                        let awkward = choice == 6 || choice < 12 && self.awkward > 0.0;
                        column.draw(&mut self.random, awkward && column.awkward_are_spelled_once())
                    }
                };
                if self.used[place].insert(hash(&value)) {
                    return Some(value);
                }
            }
        } else if tracked && self.random.chance(self.awkward) {
            for _ in 0..4 {
                let value = column.draw(&mut self.random, true);
                if self.used[place].insert(hash(&value)) {
                    return Some(value);
                }
            }
        }
        loop {
            let value = column.nth(self.next[place])?;
            self.next[place] += 1;
            if !tracked || self.used[place].insert(hash(&value)) {
                return Some(value);
            }
        }
    }

    /// Takes the next combination of the enumerated key: its columns into the row, its rows of other tables as
    /// (group, key).
    fn combination(&mut self, row: &mut Row, done: &mut [bool]) -> Result<Vec<(usize, usize)>, Refused> {
        let Some(enumeration) = &self.enumeration else { return Ok(Vec::new()) };
        let key = &self.plan.keys[enumeration.key];
        let optional = |column: &&usize| self.plan.columns[**column].null_share > 0.0 && !key.nulls_equal;
        let optional = key.columns.iter().find(optional).copied();
        let digits = enumeration.current();
        let left_null = match (optional, &digits) {
            (Some(column), None) => Some(column),
            (Some(column), Some(_)) if self.random.chance(self.plan.columns[column].null_share) => Some(column),
            (None, None) => return Err(Refused::Full(self.key_is_full(enumeration.key))),
            _ => None,
        };
        if let Some(column) = left_null {
            // With a NULL in it, the key does not count.
            done[column] = true;
            return Ok(Vec::new());
        }
        let mut forced = Vec::new();
        for (slot, digit) in enumeration.slots.iter().zip(digits.unwrap_or_default()) {
            match slot {
                Slot::Group(group) => forced.push((*group, digit as usize)),
                Slot::Column(column) => {
                    row[*column] = self.plan.columns[*column].nth(digit);
                    done[*column] = true;
                }
            }
        }
        Ok(forced)
    }

    /// Gives the columns of a foreign key the values of some row that it can refer to.
    fn refer(
        &mut self,
        foreign: &ParentReference,
        forced: Option<usize>,
        stores: &mut [KeyStore],
        row: &mut Row,
        done: &mut [bool],
    ) -> Result<(), Refused> {
        let store = &mut stores[foreign.store];
        let count = store.len();
        let found = match forced {
            Some(key) => Some(key),
            None => {
                let fixed: Vec<(usize, &str)> = (foreign.columns.iter().enumerate())
                    .filter(|(_, column)| done[**column])
                    .filter_map(|(place, column)| row[*column].as_deref().map(|value| (place, value)))
                    .collect();
                let any_null = foreign.columns.iter().any(|column| done[*column] && row[*column].is_none());
                if any_null {
                    // MATCH SIMPLE asks nothing more; under MATCH FULL the rest has to be NULL, too.
                    if foreign.match_full {
                        if !fixed.is_empty() {
                            return Err(self.no_parent(foreign));
                        }
                        foreign.columns.iter().for_each(|column| done[*column] = true);
                    }
                    return Ok(());
                }
                let can_be_null = self.can_be_null(foreign, done);
                if can_be_null && (count == 0 || self.random.chance(foreign.null_share)) {
                    return self.leave_null(foreign, row, done);
                }
                if fixed.is_empty() {
                    (count > 0).then(|| pick(&mut self.random, count))
                } else {
                    let matching = store.matching(&fixed, count);
                    self.random.pick(&matching).copied()
                }
            }
        };
        let values = found.and_then(|key| {
            let store = &stores[foreign.store];
            let spelled = |(place, column): (usize, &usize)| self.spelled(*column, &store.get(key, place));
            foreign.columns.iter().enumerate().map(spelled).collect::<Option<Vec<String>>>()
        });
        match values {
            Some(values) => {
                for (column, value) in foreign.columns.iter().zip(values) {
                    if !done[*column] {
                        row[*column] = Some(value);
                        done[*column] = true;
                    }
                }
                Ok(())
            }
            None if self.can_be_null(foreign, done) => self.leave_null(foreign, row, done),
            None => Err(self.no_parent(foreign)),
        }
    }

    /// A key of another table as the type of this table's column spells it; `None` where it is no value of that type. A
    /// foreign key may lead from an integer to a `numeric`.
    fn spelled(&self, column: usize, value: &str) -> Option<String> {
        let shape =
            self.plan.table.column(self.plan.names[column].as_str()).map(|column| &column.data_type.base().shape);
        let is_whole = matches!(shape, Some(Shape::SmallInt | Shape::Integer | Shape::BigInt));
        match value.split_once('.') {
            Some((whole, fraction)) if is_whole => {
                fraction.bytes().all(|digit| digit == b'0').then(|| whole.to_owned())
            }
            _ => Some(value.to_owned()),
        }
    }

    fn no_parent(&self, foreign: &ParentReference) -> Refused {
        Refused::Foreign(self.nothing_to_refer_to(foreign))
    }

    fn nothing_to_refer_to(&self, foreign: &ParentReference) -> String {
        let columns: Vec<&str> = foreign.columns.iter().map(|column| self.plan.names[*column].as_str()).collect();
        format!("its foreign key ({}) finds no row to refer to", columns.join(", "))
    }

    fn can_be_null(&self, foreign: &ParentReference, done: &[bool]) -> bool {
        let nullable = |column: &usize| !done[*column] && self.plan.columns[*column].nullable;
        match foreign.match_full {
            true => foreign.columns.iter().all(nullable),
            false => foreign.columns.iter().any(nullable),
        }
    }

    fn leave_null(&mut self, foreign: &ParentReference, _row: &mut Row, done: &mut [bool]) -> Result<(), Refused> {
        for column in &foreign.columns {
            if !done[*column] && self.plan.columns[*column].nullable {
                done[*column] = true;
            }
        }
        Ok(())
    }

    /// Refers to a row before this one, or to none, or where that cannot be to itself.
    fn refer_to_self(
        &mut self,
        foreign: &ParentReference,
        stores: &mut [KeyStore],
        row: &mut Row,
        done: &mut [bool],
    ) -> Result<(), Refused> {
        let visible = self.visible.iter().find(|(store, _)| *store == foreign.store).map_or(0, |(_, count)| *count);
        let own: Vec<usize> =
            foreign.columns.iter().copied().filter(|column| !foreign.own_key.contains(column)).collect();
        let fixed: Vec<(usize, String)> = (foreign.columns.iter().enumerate())
            .filter(|(_, column)| done[**column])
            .filter_map(|(place, column)| row[*column].clone().map(|value| (place, value)))
            .collect();
        let can_be_null = self.can_be_null(foreign, done);
        let null = can_be_null && self.random.chance(foreign.null_share);
        let store = &mut stores[foreign.store];
        let found = if null {
            None
        } else if fixed.is_empty() {
            (visible > 0).then(|| pick(&mut self.random, visible))
        } else {
            let wanted: Vec<(usize, &str)> = fixed.iter().map(|(place, value)| (*place, value.as_str())).collect();
            let matching = store.matching(&wanted, visible);
            self.random.pick(&matching).copied()
        };
        match found {
            Some(key) => {
                for (place, column) in foreign.columns.iter().enumerate() {
                    if !done[*column] {
                        row[*column] = Some(store.get(key, place).into_owned());
                    }
                }
            }
            None if can_be_null => {}
            None => {
                // The first row of a tree that has to have a parent is its own.
                for (column, key) in foreign.columns.iter().zip(&foreign.own_key) {
                    if !done[*column] {
                        row[*column] = row[*key].clone();
                    }
                }
            }
        }
        own.iter().for_each(|column| done[*column] = true);
        Ok(())
    }

    /// Gives the columns of broken foreign keys their values, when all keys of the cycle are known.
    ///
    /// # Errors
    /// When there are none that `accepts` takes; what it says itself.
    pub(super) fn complete(
        &mut self,
        row: &mut Row,
        stores: &mut [KeyStore],
        accepts: &mut dyn FnMut(&Row) -> Result<bool>,
    ) -> Result<()> {
        let plan = self.plan;
        for _ in 0..KEY_TRIES_MAX {
            let mut trial = row.clone();
            for foreign in &plan.broken {
                let fixed: Vec<(usize, String)> = (foreign.columns.iter().enumerate())
                    .filter(|(_, column)| !plan.deferred.contains(column))
                    .filter_map(|(place, column)| row[*column].clone().map(|value| (place, value)))
                    .collect();
                let wanted: Vec<(usize, &str)> = fixed.iter().map(|(place, value)| (*place, value.as_str())).collect();
                let store = &mut stores[foreign.store];
                let nullable = foreign.columns.iter().any(|column| plan.columns[*column].nullable);
                let null = nullable && self.later_random.chance(foreign.null_share);
                let count = store.len();
                let found = match (null, wanted.is_empty()) {
                    (true, _) => None,
                    (false, true) => (count > 0).then(|| pick(&mut self.later_random, count)),
                    (false, false) => self.later_random.pick(&store.matching(&wanted, count)).copied(),
                };
                if let Some(key) = found {
                    for (place, column) in foreign.columns.iter().enumerate() {
                        if plan.deferred.contains(column) {
                            trial[*column] = Some(store.get(key, place).into_owned());
                        }
                    }
                }
            }
            let complete =
                plan.deferred.iter().all(|column| trial[*column].is_some() || plan.columns[*column].nullable);
            if complete && accepts(&trial)? && self.claim(&trial, true).is_ok() {
                *row = trial;
                return Ok(());
            }
        }
        if plan.deferred.iter().all(|column| plan.columns[*column].nullable) {
            return Ok(());
        }
        Err(Error::could_not(
            "generate rows of",
            format!("`{}`", plan.table.name),
            "its foreign key that closes a cycle finds no row to refer to",
        )
        .hint(format!("ask for more rows, or {LEAVE_OUT}")))
    }

    /// The hash of a row's values under a key; `None` where the key does not count for the row.
    fn key_hash(&self, key: usize, row: &Row, every_way: bool) -> Option<u64> {
        let key = &self.plan.keys[key];
        if !every_way && key.uniqueness != Uniqueness::Remembered {
            return None;
        }
        if key.uniqueness == Uniqueness::Judged {
            return None;
        }
        let any_null = key.columns.iter().any(|column| row[*column].is_none());
        if any_null && !key.nulls_equal {
            return None;
        }
        let cells: Vec<Option<Cow<'_, str>>> = (key.columns.iter())
            .map(|column| row[*column].as_deref().map(|value| self.plan.columns[*column].key(value)))
            .collect();
        // A NULL is told from any text by a length that no text has with it.
        Some(hash_of(cells.iter().flat_map(|cell| match cell {
            Some(value) => ["value", value.as_ref()],
            None => ["null", ""],
        })))
    }

    /// Enters the row's keys among those that were there; none of them where one was there already.
    fn claim(&mut self, row: &Row, deferred: bool) -> Result<(), Refused> {
        let mut claimed = Vec::new();
        for place in 0..self.plan.keys.len() {
            let touches = self.plan.keys[place].columns.iter().any(|column| self.plan.deferred.contains(column));
            if touches != deferred {
                continue;
            }
            let existing = !self.remembered[place].is_empty();
            let Some(hash) = self.key_hash(place, row, existing) else { continue };
            if self.remembered[place].contains(&hash) {
                return Err(Refused::Key(place));
            }
            claimed.push((place, hash));
        }
        for (place, hash) in claimed {
            if self.plan.keys[place].uniqueness == Uniqueness::Remembered {
                self.remembered[place].insert(hash);
            }
        }
        Ok(())
    }

    /// Gives up the keys of a row that was made and is not taken after all.
    pub(super) fn release(&mut self, row: &Row) {
        for place in 0..self.plan.keys.len() {
            if let Some(hash) = self.key_hash(place, row, false) {
                self.remembered[place].remove(&hash);
            }
        }
    }
}

/// A value of a column that nothing else decides.
fn draw(plan: &TablePlan<'_>, awkward: f64, column: usize, random: &mut Random) -> Cell {
    let column = &plan.columns[column];
    if column.null_share > 0.0 && random.chance(column.null_share) {
        return None;
    }
    let awkward = awkward > 0.0 && random.chance(awkward);
    Some(column.draw(random, awkward))
}

/// A value in place of one under which a condition did not hold.
fn redraw(plan: &TablePlan<'_>, awkward: f64, column: usize, random: &mut Random, mode: &DrawMode<'_>) -> Cell {
    let own = &plan.columns[column];
    if matches!(mode, DrawMode::Usual) || own.null_share > 0.0 && random.chance(own.null_share) {
        return draw(plan, awkward, column, random);
    }
    Some(match mode {
        DrawMode::Near(words) => own.near(words, random),
        DrawMode::Usual | DrawMode::Ordinary => own.draw(random, false),
        DrawMode::Awkward => own.draw(random, true),
    })
}

/// One of `count` rows: a fifth of them is preferred, none is left out.
fn pick(random: &mut Random, count: usize) -> usize {
    let count = count as u64;
    let end = if random.chance(0.25) { (count / 5).max(1) } else { count };
    random.below(end) as usize
}
