//! In what a statement is not the one that was expected, by its lines: a long definition says nothing of that.

/// How many lines of each side are shown.
const LINES_MAX: usize = 4;

/// What `there` has and `expected` has not, and the other way round, as the end of a sentence.
pub(super) fn difference(expected: &str, there: &str) -> String {
    let [expected_lines, lines] = [expected, there].map(lines);
    let [has, lacks] = [(&lines, &expected_lines), (&expected_lines, &lines)].map(|(one, other)| {
        let only: Vec<_> = one.iter().filter(|line| !other.contains(line)).map(|line| format!("`{line}`")).collect();
        let more = only.len().saturating_sub(LINES_MAX);
        let shown = only.iter().take(LINES_MAX).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{shown} and {more} more lines") } else { shown }
    });
    match (has.is_empty(), lacks.is_empty()) {
        (false, false) => format!("it has {has} in place of {lacks}"),
        (false, true) => format!("it has {has} besides"),
        (true, false) => format!("it has no {lacks}"),
        (true, true) => "its parts have another order".to_owned(),
    }
}

fn lines(sql: &str) -> Vec<&str> {
    sql.lines().map(|line| line.trim().trim_end_matches(',')).filter(|line| !line.is_empty()).collect()
}
