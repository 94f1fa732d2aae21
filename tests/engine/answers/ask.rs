//! One migrated database, asked object by object: what PostgreSQL answers, what the file answers, and what the plan says
//! where the two differ.

use super::compare::{Answer, Difference, Kind, Oddity, oddities};
use crate::support::whole_run::Server;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use whimbrel::catalog::{Catalog, IndexKey, QualifiedName, Table};
use whimbrel::plan::ddl::Piece;
use whimbrel::plan::{Plan, TablePlan};

/// Rows with the columns of a table, in both engines, told apart by a key.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The table.
    pub table: QualifiedName,
    /// The relation in PostgreSQL, quoted.
    pub postgres: String,
    /// The table in the file, quoted.
    pub sqlite: String,
    /// The key's column, quoted, in both.
    pub key: String,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The value.
    Value(Kind),
    /// Whether a row is let pass: not false.
    Check,
    /// Whether a row is chosen: true.
    Predicate,
}

/// An expression of a table in both languages.
pub struct Question {
    object: String,
    postgres: String,
    sqlite: String,
    reading: Reading,
    notes: Vec<String>,
}

impl Question {
    /// One that its own module asks.
    pub fn new(object: String, postgres: String, sqlite: String, notes: Vec<String>) -> Self {
        Question { object, postgres, sqlite, reading: Reading::Value(Kind::Text), notes }
    }
}

/// What was found of one kind of object.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub equal: usize,
    /// Carried with a note that explains every difference.
    pub told: usize,
    /// Not carried, with a reason.
    pub not_carried: usize,
    pub wrong: usize,
}

/// What is awkward about a row: columns and their oddities.
type OddColumns = Vec<(String, BTreeSet<Oddity>)>;

/// A database and the file that was made of it.
pub struct Search {
    pub server: Server,
    pub file: Connection,
    pub catalog: Catalog,
    pub plan: Plan,
    pub counts: BTreeMap<&'static str, Count>,
    /// What differs and was not told, one text for each object.
    pub wrong: Vec<String>,
    /// By relation and row.
    odd: HashMap<String, BTreeMap<String, OddColumns>>,
}

impl Search {
    pub fn new(mut server: Server, file: Connection, catalog: Catalog, plan: Plan) -> Self {
        server.run(
            "CREATE FUNCTION pg_temp.answer(query text) RETURNS text LANGUAGE plpgsql AS $$
             DECLARE given text;
             BEGIN
                 EXECUTE query INTO given;
                 RETURN coalesce('v' || given, 'n');
             EXCEPTION WHEN others THEN RETURN 'e' || sqlerrm;
             END $$; SET TIME ZONE 'UTC'",
        );
        let (counts, wrong, odd) = (BTreeMap::new(), Vec::new(), HashMap::new());
        Search { server, file, catalog, plan, counts, wrong, odd }
    }

    pub fn notes(&self, object: &str) -> Vec<String> {
        let own = self.plan.caveats.iter().filter(|caveat| caveat.object == object);
        own.map(|caveat| caveat.text.clone()).collect()
    }

    /// An object that is not carried: told by name with a reason, or it disappeared.
    pub fn not_carried(&mut self, kind: &'static str, object: &str) {
        let told = self.plan.losses.iter().any(|loss| loss.object == object);
        if told {
            self.counts.entry(kind).or_default().not_carried += 1;
        } else {
            self.counts.entry(kind).or_default().wrong += 1;
            self.wrong.push(format!("{kind} {object}: neither carried nor named"));
        }
    }

    /// Counts what was found about one object.
    pub fn judge(&mut self, kind: &'static str, question: &Question, differences: &[Difference]) {
        let untold: Vec<_> = differences.iter().filter(|difference| !difference.is_told(&question.notes)).collect();
        let count = self.counts.entry(kind).or_default();
        if differences.is_empty() {
            count.equal += 1;
        } else if untold.is_empty() {
            count.told += 1;
        } else {
            count.wrong += 1;
            let shown: Vec<_> = untold.iter().take(3).map(|difference| format!("\n    {difference}")).collect();
            self.wrong.push(format!(
                "{kind} {}: {} rows differ\n    {}\n    {}\n    notes: {:?}{}",
                question.object,
                untold.len(),
                question.postgres,
                question.sqlite,
                question.notes,
                shown.concat()
            ));
        }
    }

    /// The oddities of a relation's rows, column by column.
    pub fn oddities(&mut self, relation: &str, key: &str) -> &BTreeMap<String, Vec<(String, BTreeSet<Oddity>)>> {
        if !self.odd.contains_key(relation) {
            let columns = self.columns(relation);
            let values: Vec<_> = columns.iter().map(|(name, ..)| format!("({})::text", quote(name))).collect();
            let rows = self.server.rows(format!("SELECT {key}::text, {} FROM {relation}", values.join(", ")));
            let mut odd = BTreeMap::new();
            for row in rows {
                let values = row[1..].iter().zip(&columns).map(|(value, (name, type_name, _))| {
                    let mut found = BTreeSet::new();
                    if let Some(text) = value {
                        oddities(type_name, text, &mut found);
                    }
                    (name.clone(), found)
                });
                odd.insert(row[0].clone().expect("a key"), values.collect());
            }
            self.odd.insert(relation.to_owned(), odd);
        }
        &self.odd[relation]
    }

    /// The columns of a relation: name, and the name and category of the type behind domains.
    pub fn columns(&mut self, relation: &str) -> Vec<(String, String, String)> {
        let sql = format!(
            "SELECT attname, b.typname, b.typcategory FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid
             JOIN pg_type AS b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
             WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            relation.replace('\'', "''")
        );
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        self.server.rows(sql).iter().map(|row| (text(&row[0]), text(&row[1]), text(&row[2]))).collect()
    }

    /// Every table of some names, over those rows.
    pub fn tables(&mut self, rows: &Rows, named: impl Fn(&str) -> bool) {
        let all: Vec<_> = self.catalog.tables.iter().map(|table| table.name.clone()).collect();
        for name in all.iter().filter(|name| named(&name.name)) {
            self.table(name, rows);
        }
    }

    /// Every check and generated column of a table, and the predicates and keys of its indexes, over those rows.
    pub fn table(&mut self, name: &QualifiedName, rows: &Rows) {
        let Some(table) = self.catalog.table(name).cloned() else { return };
        let planned = self.plan.tables.iter().find(|planned| planned.source == *name).cloned();
        let Some(planned) = planned else { return };
        self.checks(&table, &planned, rows);
        self.generated_columns(&table, &planned, rows);
        self.indexes(&table, &planned, rows);
    }

    fn checks(&mut self, table: &Table, planned: &TablePlan, rows: &Rows) {
        for check in &table.checks {
            let object = format!("{}.{}", table.name, check.name);
            let Some(sql) = piece(planned, "check", &object) else {
                self.not_carried("check", &object);
                continue;
            };
            let (_, condition) = sql.split_once(" CHECK (").expect("a check");
            let sqlite = condition.strip_suffix(')').expect("a check").to_owned();
            let (postgres, notes) = (check.expression.clone(), self.notes(&object));
            self.ask("check", &Question { object, postgres, sqlite, reading: Reading::Check, notes }, rows);
        }
    }

    fn generated_columns(&mut self, table: &Table, planned: &TablePlan, rows: &Rows) {
        let types = self.columns(&quoted(&table.name));
        for column in &table.columns {
            let Some(generated) = &column.generated else { continue };
            let object = format!("{}.{}", table.name, column.name);
            let ddl = planned.ddl.as_ref().into_iter().flat_map(|ddl| &ddl.columns);
            let piece = ddl.filter_map(|column| column.generated.as_ref()).find(|piece| piece.origin == object);
            let Some(piece) = piece else {
                self.not_carried("generated column", &object);
                continue;
            };
            let kind = types
                .iter()
                .find(|(name, ..)| *name == column.name)
                .map(|(_, name, category)| Kind::of(name, category));
            let question = Question {
                postgres: format!("({})::{}", generated.expression, column.data_type.name),
                sqlite: piece.sql.clone(),
                reading: Reading::Value(kind.expect("a column")),
                notes: self.notes(&object),
                object,
            };
            self.ask("generated column", &question, rows);
        }
    }

    fn indexes(&mut self, table: &Table, planned: &TablePlan, rows: &Rows) {
        for index in &table.indexes {
            let object = format!("{} on {}", index.name, table.name);
            let Some(carried) = planned.indexes.iter().find(|carried| carried.origin == object) else {
                self.not_carried("index", &object);
                continue;
            };
            let (sql, notes) = (carried.sql.clone(), self.notes(&object));
            let (keys, predicate) = parts_of_index(&sql);
            if let (Some(postgres), Some(sqlite)) = (&index.predicate, predicate) {
                let (postgres, reading) = (postgres.clone(), Reading::Predicate);
                let question = Question { object: object.clone(), postgres, sqlite, reading, notes: notes.clone() };
                self.ask("index's predicate", &question, rows);
            }
            if let [part] = index.parts.as_slice()
                && let IndexKey::Expression(expression) = &part.key
                && index.include.is_empty()
            {
                let question = Question {
                    object,
                    postgres: expression.clone(),
                    sqlite: keys,
                    reading: Reading::Value(Kind::Number),
                    notes,
                };
                self.ask_order(&question, rows);
            }
        }
    }

    fn ask(&mut self, kind: &'static str, question: &Question, rows: &Rows) {
        let printed = match question.reading {
            Reading::Value(kind) => kind.printed(&question.postgres),
            Reading::Check => format!("(({}) IS NOT FALSE)::text", question.postgres),
            Reading::Predicate => format!("(({}) IS TRUE)::text", question.postgres),
        };
        let expected = self.postgres_answers(&printed, rows);
        let given = self.sqlite_answers(&question.sqlite, rows);
        let mut differences = Vec::new();
        for (row, expected) in expected {
            let given = given.get(&row).cloned().unwrap_or(Answer::Error("no such row".to_owned()));
            let same = match (question.reading, &expected, &given) {
                (Reading::Value(kind), Answer::Value(expected), Answer::Value(given)) => {
                    kind.same(expected.as_deref(), given)
                }
                (Reading::Value(_), a, b) => matches!((a, b), (Answer::Error(_), Answer::Error(_))),
                (reading, expected, given) => {
                    let passes = |value: &Value| match value {
                        Value::Null => reading == Reading::Check,
                        value => !matches!(value, Value::Integer(0)),
                    };
                    let given = matches!(given, Answer::Value(value) if passes(value));
                    given == (*expected == Answer::Value(Some("true".to_owned())))
                }
            };
            if !same {
                let oddities = self.oddities_of(&question.postgres, &row, rows);
                differences.push(Difference { row, expected, given, oddities });
            }
        }
        self.judge(kind, question, &differences);
    }

    /// What is awkward in the columns that an expression names.
    pub fn oddities_of(&mut self, expression: &str, row: &str, rows: &Rows) -> BTreeSet<Oddity> {
        let named = words(expression);
        let odd = self.oddities(&rows.postgres, &rows.key);
        let columns = odd.get(row).into_iter().flatten().filter(|(column, _)| named.contains(column.as_str()));
        columns.flat_map(|(_, found)| found.iter().copied()).collect()
    }

    /// The value of the printed expression on every row; where one stops with an error, row by row.
    fn postgres_answers(&mut self, printed: &str, rows: &Rows) -> BTreeMap<String, Answer<Option<String>>> {
        let Rows { postgres, key, .. } = rows;
        let all = self.server.try_rows(format!("SELECT {key}::text, {printed} FROM {postgres}"));
        let key_of = |row: &[Option<String>]| row[0].clone().expect("a key");
        if let Ok(all) = all {
            return all.iter().map(|row| (key_of(row), Answer::Value(row[1].clone()))).collect();
        }
        let query = format!("SELECT {printed} FROM {postgres} WHERE {key} = ").replace('\'', "''");
        let each = self.server.rows(format!("SELECT {key}::text, pg_temp.answer('{query}' || {key}) FROM {postgres}"));
        each.iter().map(|row| (key_of(row), read_answer(row[1].as_deref().unwrap_or_default()))).collect()
    }

    fn sqlite_answers(&self, sql: &str, rows: &Rows) -> BTreeMap<String, Answer<Value>> {
        let Rows { sqlite, key, .. } = rows;
        let keys: Vec<i64> = {
            let mut statement = self.file.prepare(&format!("SELECT {key} FROM {sqlite}")).expect("keys");
            statement.query_map([], |row| row.get(0)).expect("keys").collect::<rusqlite::Result<_>>().expect("keys")
        };
        let mut statement = match self.file.prepare(&format!("SELECT ({sql}) FROM {sqlite} WHERE {key} = ?1")) {
            Ok(statement) => statement,
            Err(error) => {
                let failed = |key: &i64| (key.to_string(), Answer::Error(error.to_string()));
                return keys.iter().map(failed).collect();
            }
        };
        let mut answer = |key: &i64| match statement.query_row([key], |row| row.get::<_, Value>(0)) {
            Ok(value) => Answer::Value(value),
            Err(error) => Answer::Error(error.to_string()),
        };
        keys.iter().map(|key| (key.to_string(), answer(key))).collect()
    }

    /// The order and the equality of an index's key: each row's place among the others.
    fn ask_order(&mut self, question: &Question, rows: &Rows) {
        let expected = self.postgres_answers(&format!("(({}) IS NULL)::text", question.postgres), rows);
        let failed = |answer: &Answer<Option<String>>| matches!(answer, Answer::Error(_));
        let sound: Vec<&str> =
            expected.iter().filter(|(_, answer)| !failed(answer)).map(|(key, _)| key.as_str()).collect();
        let given = self.sqlite_answers(&question.sqlite, rows);
        let mut differences = Vec::new();
        for (row, expected) in expected.iter().filter(|(_, answer)| failed(answer)) {
            let given = given[row].clone();
            if let Answer::Value(_) = given {
                let oddities = self.oddities_of(&question.postgres, row, rows);
                differences.push(Difference { row: row.clone(), expected: expected.clone(), given, oddities });
            }
        }
        if !sound.is_empty() {
            let Rows { postgres, sqlite, key, .. } = rows;
            let keys = sound.join(", ");
            let places = |expression: &str, relation: &str| {
                format!(
                    "SELECT {key}, dense_rank() OVER (ORDER BY {expression} NULLS FIRST) FROM {relation}
                     WHERE {key} IN ({keys}) ORDER BY 1"
                )
            };
            let of_postgres = self.server.rows(places(&format!("({})", question.postgres), postgres));
            let mut statement = self.file.prepare(&places(&question.sqlite, sqlite)).expect("places");
            let of_sqlite = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Value>(1)?)));
            let of_sqlite: Vec<_> = of_sqlite.expect("places").collect::<rusqlite::Result<_>>().expect("places");
            drop(statement);
            let mut shifted = BTreeSet::new();
            let mut pairs = Vec::new();
            for (expected, (row, given)) in of_postgres.into_iter().zip(of_sqlite) {
                if !Kind::Number.same(expected[1].as_deref(), &given) {
                    pairs.push((row.to_string(), expected[1].clone(), given));
                }
            }
            // One row in another place moves the others: what is awkward about any of them explains it.
            for row in &sound {
                shifted.extend(self.oddities_of(&question.postgres, row, rows));
            }
            for (row, expected, given) in pairs {
                let (expected, given, oddities) = (Answer::Value(expected), Answer::Value(given), shifted.clone());
                differences.push(Difference { row, expected, given, oddities });
            }
        }
        self.judge("index's key", question, &differences);
    }
}

/// An answer that `pg_temp.answer` gave.
pub fn read_answer(text: &str) -> Answer<Option<String>> {
    match text.split_at_checked(1) {
        Some(("v", value)) => Answer::Value(Some(value.to_owned())),
        Some(("e", error)) => Answer::Error(error.to_owned()),
        _ => Answer::Value(None),
    }
}

fn piece(planned: &TablePlan, kind: &str, origin: &str) -> Option<String> {
    let mut pieces = planned.ddl.as_ref()?.pieces();
    pieces.find(|piece: &&Piece| piece.kind.name() == kind && piece.origin == origin).map(|piece| piece.sql.clone())
}

/// The keys and the predicate of a CREATE INDEX of the plan.
fn parts_of_index(sql: &str) -> (String, Option<String>) {
    let start = sql.find("\" (").expect("an index") + 2;
    let (mut depth, mut quote, mut end) = (0, None, sql.len());
    for (at, character) in sql[start..].char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth == 0 {
                    end = start + at;
                    break;
                }
            }
            _ => {}
        }
    }
    let predicate = sql[end + 1..].strip_prefix(" WHERE ").map(str::to_owned);
    (sql[start + 1..end].to_owned(), predicate)
}

/// The names and other words of an expression.
pub fn words(expression: &str) -> BTreeSet<&str> {
    expression.split(|character: char| !character.is_alphanumeric() && character != '_').collect()
}

pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn quoted(name: &QualifiedName) -> String {
    format!("{}.{}", quote(&name.schema), quote(&name.name))
}
