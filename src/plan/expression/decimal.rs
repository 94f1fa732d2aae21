//! Exact decimals: the literals of an expression, and arithmetic that SQLite does on scaled integers.
//!
//! Invariant: a column of `numeric(p, s)` with p ≤ 15 that is kept as the nearest double gives back its decimal as
//! the integer `round(c * 10^s)`: the product is off by at most 10^15 · 2^-52 < 1/2. So sums, differences and
//! products of such columns can be exact as long as the digits fit into 64 bits.

/// Digits that always fit into SQLite's 64-bit integers.
pub(super) const DIGITS_MAX: u32 = 18;

/// Digits that a double always keeps.
pub(super) const REAL_DIGITS_MAX: u32 = 15;

/// A decimal number: `unscaled / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub unscaled: i128,
    pub scale: u32,
}

impl Decimal {
    /// Reads a numeric literal: sign, digits, point, exponent. `None` for anything else, or beyond 36 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || digits.len() > 36 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut unscaled: i128 = digits.parse().ok()?;
        let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        if !(-36..=36).contains(&scale) {
            return None;
        }
        while scale < 0 {
            unscaled = unscaled.checked_mul(10)?;
            scale += 1;
        }
        Some(Decimal { unscaled: if negative { -unscaled } else { unscaled }, scale: scale.unsigned_abs() })
    }

    /// The same number without trailing zeros after the point.
    pub fn normal(mut self) -> Self {
        while self.scale > 0 && self.unscaled % 10 == 0 {
            self.unscaled /= 10;
            self.scale -= 1;
        }
        self
    }

    /// The same number with `scale` digits after the point, rounded half away from zero as PostgreSQL does.
    pub fn rescale(self, scale: u32) -> Option<Self> {
        if scale >= self.scale {
            let unscaled = self.unscaled.checked_mul(10i128.checked_pow(scale - self.scale)?)?;
            return Some(Decimal { unscaled, scale });
        }
        let divisor = 10i128.checked_pow(self.scale - scale)?;
        let half = divisor / 2 * self.unscaled.signum();
        Some(Decimal { unscaled: self.unscaled.checked_add(half)? / divisor, scale })
    }

    /// How many digits the unscaled number has.
    pub fn digits(self) -> u32 {
        self.unscaled.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1)
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scale = self.scale as usize;
        let digits = format!("{:0>width$}", self.unscaled.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.unscaled < 0 { "-" } else { "" };
        if scale == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

/// `10^exponent` as SQL.
pub(super) fn power_of_ten(exponent: u32) -> String {
    format!("1{}", "0".repeat(exponent as usize))
}

/// Changes the scale of an integer expression; rounds half away from zero where digits go.
pub(super) fn rescale_sql(sql: &str, from: u32, to: u32) -> String {
    match to.cmp(&from) {
        std::cmp::Ordering::Equal => sql.to_owned(),
        std::cmp::Ordering::Greater => format!("({sql} * {})", power_of_ten(to - from)),
        std::cmp::Ordering::Less => {
            let divisor = power_of_ten(from - to);
            let half = format!("5{}", "0".repeat((from - to - 1) as usize));
            format!("(({sql} + CASE WHEN {sql} < 0 THEN -{half} ELSE {half} END) / {divisor})")
        }
    }
}

/// The text of a `numeric` without zeros at its end and always with a point: equal numbers have the same.
pub(super) fn normal_text(column: &str) -> String {
    format!("rtrim({column} || CASE instr({column}, '.') WHEN 0 THEN '.' ELSE '' END, '0')")
}

/// A comparison of a column that holds PostgreSQL's text of a `numeric` with a number, exact for every value, `NaN`
/// (greater than everything) and the infinities among them. `None` for an operator that is no comparison.
pub(super) fn compare_text(column: &str, operator: &str, number: Decimal) -> Option<String> {
    let number = number.normal();
    if number.unscaled == 0 {
        let negative = format!("substr({column}, 1, 1)");
        let zero = format!("trim({column}, '0.')");
        return Some(match operator {
            "=" => format!("({zero} = '')"),
            "<>" => format!("({zero} <> '')"),
            "<" => format!("({negative} = '-')"),
            ">=" => format!("({negative} <> '-')"),
            ">" => format!("({negative} <> '-' AND {zero} <> '')"),
            "<=" => format!("({negative} = '-' OR {zero} = '')"),
            _ => return None,
        });
    }
    let wanted = if number.scale == 0 { format!("'{number}.'") } else { format!("'{number}'") };
    let equal = format!("({} = {wanted})", normal_text(column));
    let unequal = format!("({} <> {wanted})", normal_text(column));
    if number.unscaled > 0 {
        let at_least = magnitude_at_least(column, number, true);
        return Some(match operator {
            "=" => equal,
            "<>" => unequal,
            ">=" => at_least,
            "<" => format!("(NOT {at_least})"),
            ">" => format!("({at_least} AND {unequal})"),
            "<=" => format!("(NOT ({at_least} AND {unequal}))"),
            _ => return None,
        });
    }
    let magnitude = Decimal { unscaled: -number.unscaled, scale: number.scale };
    let rest = format!("substr({column}, 2)");
    let at_most = format!(
        "CASE substr({column}, 1, 1) WHEN '-' THEN {} ELSE substr({column}, 1, 1) = '-' END",
        magnitude_at_least(&rest, magnitude, false)
    );
    Some(match operator {
        "=" => equal,
        "<>" => unequal,
        "<=" => format!("({at_most})"),
        ">" => format!("(NOT {at_most})"),
        "<" => format!("({at_most} AND {unequal})"),
        ">=" => format!("(NOT ({at_most} AND {unequal}))"),
        _ => return None,
    })
}

/// Whether the text is at least the positive number: by the length of the part before the point, then as text.
fn magnitude_at_least(column: &str, number: Decimal, signed: bool) -> String {
    let point = number.to_string().find('.').unwrap_or(number.to_string().len()) + 1;
    let sign = if signed { format!("WHEN substr({column}, 1, 1) = '-' THEN 0 ") } else { String::new() };
    format!(
        "CASE WHEN {column} IN ('NaN', 'Infinity') THEN 1 {sign}WHEN instr({column} || '.', '.') <> {point} \
         THEN instr({column} || '.', '.') > {point} ELSE {column} >= '{number}' END"
    )
}
