//! The expressions of an index, cut out of its own definition: SQLite tells them nowhere else.

/// What a CREATE INDEX statement says behind the name of its table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// Its terms in order, directions and comments left out.
    pub(super) terms: Vec<String>,
    /// Its condition.
    pub(super) filter: Option<String>,
}

/// Reads a definition; `None` where it is not what SQLite itself would have written down.
pub(super) fn read(sql: &str) -> Option<Definition> {
    let text: Vec<char> = without_comments(sql)?;
    let start = text.iter().enumerate().scan(Reader::default(), |reader, (place, c)| Some((place, reader.step(*c))));
    let (mut open, mut cuts, mut close) = (None, Vec::new(), None);
    for (place, depth) in start {
        match (depth, text[place]) {
            (Some(1), '(') if open.is_none() => open = Some(place),
            (Some(1), ',') if open.is_some() && close.is_none() => cuts.push(place),
            (Some(0), ')') if open.is_some() && close.is_none() => close = Some(place),
            _ => {}
        }
    }
    let (open, close) = (open?, close?);
    let ends = cuts.iter().copied().chain([close]);
    let starts = std::iter::once(open).chain(cuts.iter().copied());
    let terms = starts.zip(ends).map(|(start, end)| without_direction(&text[start + 1..end])).collect();
    let rest: String = text[close + 1..].iter().collect();
    let rest = rest.trim().trim_end_matches(';').trim_end();
    let filter = match rest.get(..5) {
        None if rest.is_empty() => None,
        Some(word) if word.eq_ignore_ascii_case("where") => Some(rest[5..].to_owned()),
        _ => return None,
    };
    Some(Definition { terms, filter })
}

/// Where the reading of a text stands: inside a quoted text or name, or how deep in parentheses.
#[derive(Default)]
struct Reader {
    depth: usize,
    quoted: Option<char>,
}

impl Reader {
    /// Takes the next character: the depth behind an opening and before a comma, `None` inside quotes. A quote that is
    /// doubled ends and begins anew.
    fn step(&mut self, c: char) -> Option<usize> {
        if let Some(end) = self.quoted {
            self.quoted = (c != end).then_some(end);
            return None;
        }
        match c {
            '\'' | '"' | '`' => self.quoted = Some(c),
            '[' => self.quoted = Some(']'),
            '(' => self.depth += 1,
            ')' => self.depth = self.depth.checked_sub(1)?,
            _ => {}
        }
        Some(self.depth)
    }
}

/// The text with a blank for each comment; `None` where something is not closed.
fn without_comments(sql: &str) -> Option<Vec<char>> {
    let mut reader = Reader::default();
    let mut text = Vec::with_capacity(sql.len());
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        match (reader.quoted, c, rest.peek()) {
            (None, '-', Some('-')) => {
                rest.by_ref().find(|c| *c == '\n');
                text.push(' ');
            }
            (None, '/', Some('*')) => {
                rest.next();
                let mut before = ' ';
                rest.by_ref().find(|c| std::mem::replace(&mut before, *c) == '*' && *c == '/');
                text.push(' ');
            }
            _ => {
                reader.step(c);
                text.push(c);
            }
        }
    }
    (reader.quoted.is_none() && reader.depth == 0).then_some(text)
}

/// A term without ASC or DESC at its end.
fn without_direction(term: &[char]) -> String {
    let term: String = term.iter().collect();
    let term = term.trim();
    let word = term.rsplit(|c: char| c.is_whitespace() || "'\"`])".contains(c)).next().unwrap_or_default();
    let is_direction = ["asc", "desc"].iter().any(|direction| word.eq_ignore_ascii_case(direction));
    if is_direction { term[..term.len() - word.len()].trim_end().to_owned() } else { term.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_and_condition_are_cut_where_they_stand() {
        let sql = "CREATE UNIQUE INDEX IF NOT EXISTS \"i (,\" ON [t)](a, lower(\"b,\") COLLATE NOCASE -- ,\n DESC,
                   json_extract(c, '$.x)') /* (, */ asc, \"desc\", (d)DESC) WHERE a IN (1, 2) AND b <> ')'";
        let found = read(sql).unwrap();
        let terms = ["a", "lower(\"b,\") COLLATE NOCASE", "json_extract(c, '$.x)')", "\"desc\"", "(d)"];
        assert_eq!(found.terms, terms);
        assert_eq!(found.filter.as_deref().map(str::trim), Some("a IN (1, 2) AND b <> ')'"));
        assert_eq!(
            read("CREATE INDEX i ON t(a) -- end").unwrap(),
            Definition { terms: vec!["a".into()], filter: None }
        );
    }

    #[test]
    fn what_is_no_definition_is_none() {
        for sql in
            ["", "CREATE INDEX i ON t", "CREATE INDEX i ON t(a", "CREATE INDEX i ON t('a)", "CREATE INDEX i ON t(a) x"]
        {
            assert_eq!(read(sql), None, "{sql}");
        }
    }
}
