//! How many rows each table gets of a number for all: those that refer to others more than those referred to.

/// Shares out `total`: a table gets what it asks for itself, the others by their weights, none more than its
/// capacity. Tables come parents first; where there are fewer rows than tables, the first ones get them.
pub(super) fn share(total: u64, asked: &[Option<u64>], weights: &[u64], capacities: &[u64]) -> Vec<u64> {
    let mut shares: Vec<u64> = asked.iter().map(|asked| asked.unwrap_or(0)).collect();
    let mut left = total;
    let mut open: Vec<usize> = (0..asked.len()).filter(|place| asked[*place].is_none()).collect();
    for place in &open {
        let one = left.min(1).min(capacities[*place]);
        shares[*place] = one;
        left -= one;
    }
    loop {
        open.retain(|place| shares[*place] < capacities[*place]);
        let weight: u64 = open.iter().map(|place| weights[*place]).sum();
        if left == 0 || weight == 0 {
            return shares;
        }
        let round = left;
        for place in &open {
            let part = (u128::from(round) * u128::from(weights[*place]) / u128::from(weight)) as u64;
            // What rounding leaves goes one by one.
            let part = part.max(1).min(left).min(capacities[*place] - shares[*place]);
            shares[*place] += part;
            left -= part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn every_row_is_given_and_no_capacity_exceeded() {
        let most = u64::MAX;
        assert_eq!(share(100, &[None, None, None], &[1, 3, 5], &[most, 3, most]), [17, 3, 80]);
        assert_eq!(share(2, &[None, None, None], &[1, 3, 5], &[most; 3]), [1, 1, 0]);
        assert_eq!(share(10, &[Some(4), None], &[1, 1], &[most; 2]), [4, 10]);
        assert_eq!(share(10, &[None], &[1], &[2]), [2]);
        assert_eq!(share(0, &[None], &[1], &[2]), [0]);
    }
}
