//! Random expressions over the columns of `rows`, from a seed.

use whimbrel::harness::{Random, Seed};

const INTEGERS: &[&str] = &["small", "n", "m", "big", "id", "0", "1", "-1", "7", "100", "2147483647"];
const DECIMALS: &[&str] = &["price", "tax", "units", "amount", "worth", "total", "fine", "0.5", "1.19", "100", "0"];
const DOUBLES: &[&str] = &["ratio", "other", "fee::double precision", "0.1::double precision"];
const TEXTS: &[&str] = &["name", "\"Title\"", "short", "code::text", "email::text", "'ab'", "''", "'ä'", "'b  '"];
const MOMENTS: &[&str] = &["starts", "ends", "'2020-01-01'::timestamp", "'infinity'::timestamp"];
const ZONED: &[&str] = &["created", "changed", "'2024-03-01 00:00:00+00'::timestamptz"];
const DATES: &[&str] = &["born", "due", "'2000-02-29'::date"];
const COMPARISONS: &[&str] = &["=", "<>", "<", "<=", ">", ">="];

/// So many expressions of that seed.
pub fn expressions(seed: u64, count: u64) -> Vec<String> {
    (0..count).map(|place| Tree(Seed(seed).nth(place).random()).any(3)).collect()
}

struct Tree(Random);

impl Tree {
    fn pick(&mut self, items: &[&str]) -> String {
        (*self.0.pick(items).expect("an item")).to_owned()
    }

    fn any(&mut self, depth: u32) -> String {
        match self.0.below(8) {
            0..=3 => self.condition(depth),
            4 => self.integer(depth),
            5 => self.decimal(depth),
            6 => self.text(depth),
            _ => self.double(depth),
        }
    }

    fn condition(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(&["active", "flag", "n > 0", "name IS NULL", "ratio < 1", "price >= 0"]);
        }
        let depth = depth - 1;
        let comparison = self.pick(COMPARISONS);
        match self.0.below(16) {
            0 => format!("({} AND {})", self.condition(depth), self.condition(depth)),
            1 => format!("({} OR {})", self.condition(depth), self.condition(depth)),
            2 => format!("(NOT {})", self.condition(depth)),
            3 => format!("(({}) IS NOT TRUE)", self.condition(depth)),
            4 => format!("({} {comparison} {})", self.integer(depth), self.integer(depth)),
            5 => format!("({} {comparison} {})", self.decimal(depth), self.decimal(depth)),
            6 => format!("({} {comparison} {})", self.double(depth), self.double(depth)),
            7 => format!("({} {comparison} {})", self.text(depth), self.text(depth)),
            8 => format!("({} {comparison} {})", self.moment(depth), self.moment(depth)),
            9 => format!("({} {comparison} {})", self.zoned(depth), self.zoned(depth)),
            10 => format!("({} {comparison} {})", self.date(depth), self.date(depth)),
            11 => format!("({} BETWEEN {} AND {})", self.decimal(depth), self.decimal(0), self.decimal(0)),
            12 => format!("({} IN ({}, {}))", self.integer(depth), self.integer(0), self.integer(0)),
            13 => format!("({} IS DISTINCT FROM {})", self.integer(depth), self.integer(depth)),
            14 => format!("({} LIKE {})", self.text(depth), self.pick(&["'a%'", "'%b'", "'_'", "'%ä%'"])),
            _ => format!("({} IS NULL)", self.any_value(depth)),
        }
    }

    fn any_value(&mut self, depth: u32) -> String {
        match self.0.below(4) {
            0 => self.integer(depth),
            1 => self.decimal(depth),
            2 => self.double(depth),
            _ => self.text(depth),
        }
    }

    fn integer(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(INTEGERS);
        }
        let depth = depth - 1;
        match self.0.below(11) {
            0 => format!("({} + {})", self.integer(depth), self.integer(depth)),
            1 => format!("({} - {})", self.integer(depth), self.integer(depth)),
            2 => format!("({} * {})", self.integer(depth), self.integer(depth)),
            3 => format!("({} / {})", self.integer(depth), self.integer(depth)),
            4 => format!("({} % {})", self.integer(depth), self.integer(depth)),
            5 => format!("coalesce({}, {})", self.integer(depth), self.integer(depth)),
            6 => format!("length({})", self.text(depth)),
            7 => self.case(depth, Tree::integer),
            8 => format!("abs({})", self.integer(depth)),
            9 => format!("({})::integer", self.integer(depth)),
            _ => format!("greatest({}, {})", self.integer(depth), self.integer(depth)),
        }
    }

    fn decimal(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(DECIMALS);
        }
        let depth = depth - 1;
        match self.0.below(9) {
            0 => format!("({} + {})", self.decimal(depth), self.decimal(depth)),
            1 => format!("({} - {})", self.decimal(depth), self.decimal(depth)),
            2 => format!("({} * {})", self.decimal(depth), self.decimal(depth)),
            3 => format!("({} / {})", self.decimal(depth), self.decimal(depth)),
            4 => format!("round({}, {})", self.decimal(depth), self.pick(&["0", "1", "2"])),
            5 => format!("coalesce({}, {})", self.decimal(depth), self.decimal(depth)),
            6 => self.case(depth, Tree::decimal),
            7 => format!("({})::numeric(10,2)", self.decimal(depth)),
            _ => format!("({})::numeric", self.integer(depth)),
        }
    }

    fn double(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(DOUBLES);
        }
        let depth = depth - 1;
        match self.0.below(6) {
            0 => format!("({} + {})", self.double(depth), self.double(depth)),
            1 => format!("({} - {})", self.double(depth), self.double(depth)),
            2 => format!("({} * {})", self.double(depth), self.double(depth)),
            3 => format!("({} / {})", self.double(depth), self.double(depth)),
            4 => format!("coalesce({}, {})", self.double(depth), self.double(depth)),
            _ => format!("({})::double precision", self.integer(depth)),
        }
    }

    fn text(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(TEXTS);
        }
        let depth = depth - 1;
        match self.0.below(10) {
            0 => format!("({} || {})", self.text(depth), self.text(depth)),
            1 => format!("lower({})", self.text(depth)),
            2 => format!("trim({})", self.text(depth)),
            3 => format!("substr({}, 2, 2)", self.text(depth)),
            4 => format!("replace({}, 'a', {})", self.text(depth), self.text(0)),
            5 => format!("coalesce({}, {})", self.text(depth), self.text(depth)),
            6 => self.case(depth, Tree::text),
            7 => format!("nullif({}, {})", self.text(depth), self.text(depth)),
            8 => format!("left({}, 2)", self.text(depth)),
            _ => format!("({})::text", self.integer(depth)),
        }
    }

    fn moment(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(MOMENTS);
        }
        match self.0.below(3) {
            0 => format!("({} + interval '1 day')", self.moment(depth - 1)),
            1 => format!("coalesce({}, {})", self.moment(depth - 1), self.moment(0)),
            _ => self.case(depth - 1, Tree::moment),
        }
    }

    fn zoned(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(ZONED);
        }
        match self.0.below(2) {
            0 => format!("({} - interval '1 hour')", self.zoned(depth - 1)),
            _ => format!("greatest({}, {})", self.zoned(depth - 1), self.zoned(0)),
        }
    }

    fn date(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(DATES);
        }
        match self.0.below(2) {
            0 => format!("({} + {})", self.date(depth - 1), self.pick(&["1", "30", "-1"])),
            _ => self.case(depth - 1, Tree::date),
        }
    }

    fn case(&mut self, depth: u32, value: fn(&mut Tree, u32) -> String) -> String {
        format!("CASE WHEN {} THEN {} ELSE {} END", self.condition(depth), value(self, depth), value(self, depth))
    }
}
