//! What a partitioned table asks of its rows: that some partition takes them.
//!
//! Each column gets the limits that hold in every partition: a list where all of them have one, a range from the
//! lowest to the highest end. What lies between is left to the engine: a row that no partition takes is drawn again.

use super::family::tighten;
use super::read::Part;
use super::solve::Findings;
use crate::harness::generate::values::{Bound, Limits};
use sqlparser::ast::{Expr, Value};

impl Findings<'_> {
    /// Adds the conditions of the leaf partitions, of which one has to hold.
    pub(super) fn partitions(&mut self, conditions: &[String]) {
        let is_any = |leaf: &Expr| matches!(leaf, Expr::Value(value) if value.value == Value::Boolean(true));
        let leaves: Option<Vec<Expr>> = conditions.iter().map(|condition| self.reader.parse(condition)).collect();
        let Some(leaves) = leaves.filter(|leaves| !leaves.is_empty() && !leaves.iter().any(is_any)) else { return };
        let each: Vec<Findings<'_>> = leaves.iter().map(|leaf| self.of_leaf(leaf)).collect();
        let mut narrowed = false;
        for column in 0..self.limits.len() {
            let limits: Vec<&Limits> = each.iter().map(|leaf| &leaf.limits[column]).collect();
            narrowed |= self.union(column, &limits);
            if each.iter().all(|leaf| leaf.never_null.contains(&column)) {
                self.never_null.insert(column);
            }
        }
        if !narrowed {
            leaves.iter().for_each(|leaf| self.suggest(leaf));
        }
    }

    fn of_leaf(&self, leaf: &Expr) -> Self {
        let mut found = Findings::new(self.reader);
        for part in Part::new(leaf.clone()).conjuncts() {
            found.solve(&part);
        }
        found
    }

    /// What holds for a column in every leaf.
    fn union(&mut self, column: usize, leaves: &[&Limits]) -> bool {
        let lists: Option<Vec<Vec<String>>> = leaves.iter().map(|limits| limits.allowed.clone()).collect();
        if let Some(lists) = lists {
            let own = self.limits[column].allowed.take();
            let mut values = lists.concat();
            values.dedup();
            values.retain(|value| own.as_ref().is_none_or(|own| own.contains(value)));
            self.limits[column].allowed = Some(values);
            return true;
        }
        let family = self.families[column];
        let mut narrowed = false;
        for is_minimum in [true, false] {
            let bounds: Option<Vec<Bound>> = leaves
                .iter()
                .map(|limits| if is_minimum { limits.minimum.clone() } else { limits.maximum.clone() })
                .collect();
            let Some(bounds) = bounds else { continue };
            // The lowest of the minimums is what `tighten` would call the narrowest of the maximums.
            let mut widest = None;
            bounds.into_iter().for_each(|bound| tighten(&mut widest, bound, family, !is_minimum));
            let limits = &mut self.limits[column];
            let own = if is_minimum { &mut limits.minimum } else { &mut limits.maximum };
            if let Some(widest) = widest {
                tighten(own, widest, family, is_minimum);
                narrowed = true;
            }
        }
        narrowed
    }
}
