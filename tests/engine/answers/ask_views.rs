//! Views, defaults and unique indexes of a migrated database.

use super::ask::{Question, Rows, Search, quote, quoted, words};
use super::compare::{Answer, Difference, Kind, Oddity};
use rusqlite::types::Value;
use std::collections::{BTreeMap, BTreeSet};
use whimbrel::catalog::{QualifiedName, View};
use whimbrel::plan::ddl::{ColumnDdl, TableDdl};

type Expected = Vec<Option<String>>;

/// What no two defaults have in common.
const VARYING: &[&str] = &["now", "CURRENT_", "LOCALTIME", "random", "uuid", "clock_timestamp", "statement_"];

impl Search {
    /// Every view. Its rows are compared one by one where its first column is `id` and tells them apart, in order where
    /// it has one, else as a bag. `base` has the rows whose awkwardness explains a difference.
    pub fn views(&mut self, bases: &[Rows]) {
        for view in self.catalog.views.clone() {
            let object = view.name.to_string();
            let Some(carried) = self.plan.views.iter().find(|carried| carried.source == view.name) else {
                self.not_carried("view", &object);
                continue;
            };
            let (target, sqlite) = (quote(&carried.target), carried.sql.clone());
            let mut notes = self.notes(&object);
            for base in bases.iter().filter(|base| reads(&view, base)) {
                notes.extend(self.notes_of_columns(&base.table, &view.definition));
            }
            let question = Question::new(object.clone(), view.definition.clone(), sqlite, notes);
            let differences = self.view(&view, &target, bases);
            self.judge("view", &question, &differences);
        }
    }

    fn view(&mut self, view: &View, target: &str, bases: &[Rows]) -> Vec<Difference> {
        let relation = quoted(&view.name);
        let columns = self.columns(&relation);
        let kinds: Vec<Kind> = columns.iter().map(|(_, name, category)| Kind::of(name, category)).collect();
        let printed = |(column, kind): (&(String, String, String), &Kind)| kind.printed(&quote(&column.0));
        let printed: Vec<String> = columns.iter().zip(&kinds).map(printed).collect();
        let expected = self.server.try_rows(format!("SELECT {} FROM {relation}", printed.join(", ")));
        let by_id = columns.first().is_some_and(|(name, ..)| name == "id");
        let given = self.file_rows(target, columns.len());
        match (expected, given) {
            (Err(_), _) if by_id => self.by_id(view, target, &printed, &kinds, bases),
            (Err(_), Err(_)) => Vec::new(),
            (Err(error), Ok(rows)) => {
                let given = rows.first().and_then(|row| row.first()).cloned().unwrap_or(Value::Null);
                let oddities = self.view_oddities(view, bases, None);
                let (expected, given) = (Answer::Error(error), Answer::Value(given));
                vec![Difference { row: "all".to_owned(), expected, given, oddities }]
            }
            (Ok(_), Err(error)) => {
                let oddities = self.view_oddities(view, bases, None);
                let (expected, given) = (Answer::Value(None), Answer::Error(error));
                vec![Difference { row: "all".to_owned(), expected, given, oddities }]
            }
            (Ok(expected), Ok(given)) => {
                let pairs = if by_id && is_key(&expected) {
                    by_first_cell(expected, given)
                } else if is_ordered(&view.definition) {
                    in_order(expected, given)
                } else {
                    as_bag(&kinds, expected, given)
                };
                self.differing_cells(view, &kinds, pairs, by_id, bases)
            }
        }
    }

    /// A view that stops with an error in PostgreSQL, asked for each row of the first base that has its id.
    fn by_id(
        &mut self,
        view: &View,
        target: &str,
        printed: &[String],
        kinds: &[Kind],
        bases: &[Rows],
    ) -> Vec<Difference> {
        let Some(base) = base_of(view, bases).cloned() else { return Vec::new() };
        let relation = quoted(&view.name);
        let list = format!("array_to_json(ARRAY[{}])::text", printed.join(", "));
        let query = format!("SELECT {list} FROM {relation} WHERE id = ").replace('\'', "''");
        let rows = self
            .server
            .rows(format!("SELECT {0}::text, pg_temp.answer('{query}' || {0}) FROM {1}", base.key, base.postgres));
        let mut differences = Vec::new();
        for row in rows {
            let id = row[0].clone().expect("a key");
            let given = self.file_rows(&format!("{target} WHERE id = {id}"), kinds.len());
            let answer = super::ask::read_answer(row[1].as_deref().unwrap_or_default());
            let first = |rows: &[Vec<Value>]| rows.first().and_then(|row| row.get(1)).cloned().unwrap_or(Value::Null);
            let oddities = self.view_oddities(view, bases, Some(&id));
            match (answer, given) {
                (Answer::Error(_), Err(_)) => {}
                // No row is what an error leaves, too.
                (Answer::Error(_), Ok(rows)) if rows.is_empty() => {}
                (Answer::Error(error), Ok(rows)) => differences.push(Difference {
                    row: id,
                    expected: Answer::Error(error),
                    given: Answer::Value(first(&rows)),
                    oddities,
                }),
                (Answer::Value(expected), Err(error)) => {
                    let (expected, given) = (Answer::Value(expected), Answer::Error(error));
                    differences.push(Difference { row: id, expected, given, oddities });
                }
                (Answer::Value(expected), Ok(given)) => {
                    let read = |text: String| serde_json::from_str::<Expected>(&text).expect("an array");
                    let expected: Vec<Expected> = expected.map(read).into_iter().collect();
                    let pairs = as_bag(kinds, expected, given);
                    differences.extend(self.differing_cells(view, kinds, pairs, true, bases));
                }
            }
        }
        differences
    }

    fn file_rows(&self, from: &str, columns: usize) -> Result<Vec<Vec<Value>>, String> {
        let told = |error: rusqlite::Error| error.to_string();
        let mut statement = self.file.prepare(&format!("SELECT * FROM {from}")).map_err(told)?;
        let row =
            |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Value>>>();
        statement.query_map([], row).map_err(told)?.collect::<rusqlite::Result<_>>().map_err(told)
    }

    /// The cells in which rows that belong together differ.
    fn differing_cells(
        &mut self,
        view: &View,
        kinds: &[Kind],
        pairs: Vec<(Option<Expected>, Option<Vec<Value>>)>,
        by_id: bool,
        bases: &[Rows],
    ) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (place, (expected, given)) in pairs.into_iter().enumerate() {
            let cell = match (&expected, &given) {
                (Some(expected), Some(given)) => {
                    let cells = kinds.iter().zip(expected).zip(given);
                    let differing = cells.filter(|((kind, expected), given)| !kind.same(expected.as_deref(), given));
                    let differing: Vec<_> =
                        differing.map(|((_, expected), given)| (expected.clone(), given.clone())).collect();
                    if differing.is_empty() {
                        continue;
                    }
                    differing
                }
                (None, None) => continue,
                (Some(expected), None) => vec![(Some(format!("{expected:?}")), Value::Text("no row".to_owned()))],
                (None, Some(given)) => vec![(Some("no row".to_owned()), Value::Text(format!("{given:?}")))],
            };
            let id = expected.as_ref().and_then(|row| row[0].clone()).filter(|_| by_id);
            let oddities = self.view_oddities(view, bases, id.as_deref());
            for (expected, given) in cell {
                let row = id.clone().unwrap_or(format!("no. {place}"));
                let (expected, given, oddities) = (Answer::Value(expected), Answer::Value(given), oddities.clone());
                differences.push(Difference { row, expected, given, oddities });
            }
        }
        differences
    }

    /// What is awkward in the columns that a view names, of one row or of all.
    fn view_oddities(&mut self, view: &View, bases: &[Rows], id: Option<&str>) -> BTreeSet<Oddity> {
        // Where other rows have a say, what is awkward about them explains it too.
        let many = ["OVER (", "SELECT"]
            .iter()
            .any(|word| view.definition.matches(word).count() > usize::from(*word == "SELECT"));
        let id = id.filter(|_| !many);
        let named = words(&view.definition);
        let mut found = BTreeSet::new();
        for base in bases.iter().filter(|base| reads(view, base)) {
            let odd = self.oddities(&base.postgres, &base.key);
            let rows = odd.iter().filter(|(key, _)| id.is_none_or(|id| id == key.as_str()));
            let columns = rows.flat_map(|(_, columns)| columns).filter(|(column, _)| named.contains(column.as_str()));
            found.extend(columns.flat_map(|(_, found)| found.iter().copied()));
        }
        found
    }

    /// The defaults of a table: one row of each engine.
    pub fn defaults(&mut self, name: &QualifiedName) {
        let table = self.catalog.table(name).expect("the table").clone();
        let Some(planned) = self.plan.tables.iter().find(|planned| planned.source == *name).cloned() else { return };
        let types = self.columns(&quoted(name));
        for (place, column) in table.columns.iter().enumerate() {
            let Some(default) = &column.default else { continue };
            // A key counts by itself.
            if default.starts_with("nextval(") {
                continue;
            }
            let varies = VARYING.iter().any(|word| default.contains(word));
            let object = format!("{name}.{}", column.name);
            let ddl = planned.ddl.as_ref().and_then(|ddl| ddl.columns.get(place)).expect("a column");
            if varies && ddl.default.is_some() {
                continue;
            }
            let is_null = self.server.value(format!("SELECT (({default}) IS NULL)::text"));
            if ddl.default.is_none() && is_null != "true" {
                self.not_carried("default", &object);
                continue;
            }
            let kind = Kind::of(&types[place].1, &types[place].2);
            let printed = kind.printed(&format!("({default})::{}", column.data_type.name));
            let expected = self.server.rows(format!("SELECT {printed}")).remove(0).remove(0);
            let given = self.inserted(ddl);
            let mut differences = Vec::new();
            if !matches!(&given, Answer::Value(given) if kind.same(expected.as_deref(), given)) {
                let mut oddities = BTreeSet::new();
                if let Some(text) = &expected {
                    super::compare::oddities(&types[place].1, text, &mut oddities);
                }
                differences.push(Difference {
                    row: "new".to_owned(),
                    expected: Answer::Value(expected),
                    given,
                    oddities,
                });
            }
            let sqlite = ddl.default.as_ref().map(|piece| piece.sql.clone()).unwrap_or_default();
            let notes = self.notes(&object);
            let question = Question::new(object, default.clone(), sqlite, notes);
            self.judge("default", &question, &differences);
        }
    }

    /// What a new row of a table with only that column has in it.
    fn inserted(&self, column: &ColumnDdl) -> Answer<Value> {
        let column = ColumnDdl { not_null: false, ..column.clone() };
        let table = TableDdl { name: "one".to_owned(), columns: vec![column], constraints: Vec::new() };
        let create = format!("DROP TABLE IF EXISTS one; {}; INSERT INTO one DEFAULT VALUES", table.sql());
        let given = self
            .file
            .execute_batch(&create)
            .and_then(|()| self.file.query_row("SELECT * FROM one", [], |row| row.get(0)));
        given.map_or_else(|error| Answer::Error(error.to_string()), Answer::Value)
    }

    /// Which of the rows a table takes one after the other, in both engines: what its unique indexes let pass.
    pub fn acceptance(&mut self, name: &QualifiedName, base: &Rows, columns: &[&str]) {
        let table = self.catalog.table(name).expect("the table").clone();
        let planned = self.plan.tables.iter().find(|planned| planned.source == *name).expect("the table").clone();
        for index in &table.indexes {
            let object = format!("{} on {name}", index.name);
            let carried: Vec<_> = planned.indexes.iter().filter(|carried| carried.origin == object).collect();
            if carried.is_empty() {
                self.not_carried("unique index", &object);
                continue;
            }
            let sqlite: Vec<_> = carried.iter().map(|index| index.sql.clone()).collect();
            let list: Vec<_> = columns.iter().map(|column| quote(column)).collect();
            let list = list.join(", ");
            let insert = format!(
                "INSERT INTO {} ({list}) SELECT {list} FROM {} WHERE {} = ",
                quoted(name),
                base.postgres,
                base.key
            );
            let insert =
                format!("{} || ' RETURNING ''t''", insert).replace('\'', "''").replace("|| '' RETURNING ''''t''''", "");
            let rows = self.server.rows(format!(
                "SELECT {0}::text, pg_temp.answer('{insert}' || {0} || ' RETURNING ''t''') FROM {1} ORDER BY {0}",
                base.key, base.postgres
            ));
            let mut differences = Vec::new();
            let mut all = BTreeSet::new();
            for row in &rows {
                all.extend(self.oddities_of(&index.definition, row[0].as_deref().unwrap_or_default(), base));
            }
            for row in rows {
                let key = row[0].clone().expect("a key");
                let expected = super::ask::read_answer(row[1].as_deref().unwrap_or_default());
                let sql = format!(
                    "INSERT INTO {} ({list}) SELECT {list} FROM {} WHERE {} = {key}",
                    quote(&planned.target),
                    base.sqlite,
                    base.key
                );
                let given = self.file.execute(&sql, []);
                let accepted = matches!(expected, Answer::Value(_));
                if accepted != given.is_ok() {
                    let given = given
                        .map_or_else(|error| Answer::Error(error.to_string()), |_| Answer::Value(Value::Integer(1)));
                    let expected = match expected {
                        Answer::Error(error) if error.contains("duplicate key") => Answer::Value(Some(error)),
                        other => other,
                    };
                    differences.push(Difference { row: key, expected, given, oddities: all.clone() });
                }
            }
            let mut notes = self.notes(&object);
            notes.extend(self.notes_of_columns(name, &index.definition));
            let question = Question::new(object, index.definition.clone(), sqlite.join("; "), notes);
            self.judge("unique index", &question, &differences);
        }
    }

    /// The notes on the columns that an index names.
    pub fn notes_of_columns(&self, table: &QualifiedName, definition: &str) -> Vec<String> {
        let named = words(definition);
        let table = self.catalog.table(table).expect("the table");
        let columns = table.columns.iter().filter(|column| named.contains(column.name.as_str()));
        let mut notes = Vec::new();
        for column in columns {
            notes.extend(self.notes(&format!("{}.{}", table.name, column.name)));
            let planned = self.plan.tables.iter().find(|planned| planned.source == table.name);
            let planned =
                planned.and_then(|planned| planned.columns.iter().find(|planned| planned.source == column.name));
            notes.extend(planned.and_then(|planned| planned.remainder).map(|what| {
                let nan = if what.has_nan() { "NaN, " } else { "" };
                format!("remainder: {nan}{what:?}")
            }));
        }
        notes
    }
}

/// The base that a view reads.
fn base_of<'b>(view: &View, bases: &'b [Rows]) -> Option<&'b Rows> {
    bases.iter().find(|base| reads(view, base))
}

fn reads(view: &View, base: &Rows) -> bool {
    let name = base.postgres.rsplit('.').next().unwrap_or(&base.postgres).trim_matches('"');
    words(&view.definition).contains(name)
}

/// Whether the query as a whole has an order.
fn is_ordered(definition: &str) -> bool {
    let (mut depth, mut ordered) = (0, false);
    for (at, character) in definition.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            'O' if depth == 0 && definition[at..].starts_with("ORDER BY") => ordered = true,
            _ => {}
        }
    }
    ordered
}

type Pair = (Option<Expected>, Option<Vec<Value>>);

fn in_order(expected: Vec<Expected>, given: Vec<Vec<Value>>) -> Vec<Pair> {
    let count = expected.len().max(given.len());
    let (mut expected, mut given) = (expected.into_iter(), given.into_iter());
    (0..count).map(|_| (expected.next(), given.next())).collect()
}

/// Whether the first column tells the rows apart.
fn is_key(rows: &[Expected]) -> bool {
    let ids: BTreeSet<_> = rows.iter().map(|row| &row[0]).collect();
    ids.len() == rows.len()
}

/// Rows with the same id beside each other.
fn by_first_cell(expected: Vec<Expected>, given: Vec<Vec<Value>>) -> Vec<Pair> {
    let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
    for row in expected {
        let id = row[0].clone().unwrap_or_default();
        pairs.entry(id).or_default().0 = Some(row);
    }
    let mut surplus = Vec::new();
    for row in given {
        let id = Kind::Number.rough_of(&row[0]);
        let pair = pairs.iter_mut().find(|(own, pair)| Kind::Number.rough(Some(own)) == id && pair.1.is_none());
        match pair {
            Some((_, pair)) => pair.1 = Some(row),
            None => surplus.push((None, Some(row))),
        }
    }
    pairs.into_values().chain(surplus).collect()
}

/// The rows that have no equal on the other side, in pairs as they come.
fn as_bag(kinds: &[Kind], expected: Vec<Expected>, given: Vec<Vec<Value>>) -> Vec<Pair> {
    let mut open: BTreeMap<String, Vec<Expected>> = BTreeMap::new();
    for row in expected {
        let key: Vec<_> = row.iter().zip(kinds).map(|(cell, kind)| kind.rough(cell.as_deref())).collect();
        open.entry(key.join("|")).or_default().push(row);
    }
    let mut surplus = Vec::new();
    for row in given {
        let key: Vec<_> = row.iter().zip(kinds).map(|(cell, kind)| kind.rough_of(cell)).collect();
        let bucket = open.entry(key.join("|")).or_default();
        let same =
            |expected: &Expected| kinds.iter().zip(expected).zip(&row).all(|((kind, a), b)| kind.same(a.as_deref(), b));
        match bucket.iter().position(same) {
            Some(at) => {
                bucket.swap_remove(at);
            }
            None => surplus.push(row),
        }
    }
    // What looks alike belongs together.
    let mut open: Vec<Expected> = open.into_values().flatten().collect();
    open.sort();
    surplus.sort_by_key(|row| row.iter().zip(kinds).map(|(cell, kind)| kind.rough_of(cell)).collect::<Vec<_>>());
    in_order(open, surplus)
}
