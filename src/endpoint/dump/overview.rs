//! What the first look at a dump tells: its schema, and how many blocks of rows each table has.

use super::ddl::{Definitions, Described};
use super::head::{self, CopyHead};
use super::script::{Item, Script};
use super::statement::{About, Place, Settings, Statement};
use super::unfollowed;
use crate::catalog::{Catalog, ObjectKind, OtherObject, QualifiedName, Table, TableKind};
use crate::error::{Error, Result};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

/// What is known of a dump before its rows are read.
#[derive(Debug)]
pub(super) struct Overview {
    pub catalog: Arc<Catalog>,
    columns: HashMap<QualifiedName, Vec<(String, bool)>>,
    /// How many blocks, and statements that insert, each table has.
    pub blocks: HashMap<QualifiedName, u64>,
    /// The database that is read, where the dump has several.
    pub database: Option<String>,
}

impl Overview {
    /// The columns of a table in their order, and whether each is generated.
    pub(super) fn columns_of(&self, table: &QualifiedName) -> impl Iterator<Item = (&str, bool)> {
        self.columns.get(table).into_iter().flatten().map(|(name, generated)| (name.as_str(), *generated))
    }
}

/// The tables in which a dump may have the rows of a table: itself and its partitions.
pub(super) fn parts_of(table: &Table) -> impl Iterator<Item = &QualifiedName> {
    let partitions: &[QualifiedName] = match &table.kind {
        TableKind::Partitioned { partitions, .. } => partitions,
        TableKind::Ordinary | TableKind::MaterializedView { .. } => &[],
    };
    std::iter::once(&table.name).chain(partitions)
}

/// What a dump says of one database.
#[derive(Default)]
pub(super) struct Section {
    definitions: Definitions,
    /// Where each block of rows begins.
    blocks: HashMap<QualifiedName, Vec<Place>>,
    /// How many statements insert into each table.
    inserts: HashMap<QualifiedName, u64>,
    /// How many rows were counted.
    rows: HashMap<QualifiedName, u64>,
    encoding: Option<String>,
    large_objects: u64,
    /// The first statement that changes rows or tables and is not followed, and why that stops the reader.
    unfollowed: Option<(Place, &'static str)>,
    /// Rows that an archive says twice whose they are, with two answers: by the statement that takes them, and by the entry.
    told_twice: Vec<(QualifiedName, QualifiedName, Place)>,
    /// Whether rows can be told to be missing: every table has a block, were it an empty one.
    has_copy: bool,
}

impl Section {
    /// A definition.
    pub(super) fn statement(&mut self, statement: &Statement) {
        let is_understood = self.definitions.take(statement);
        let cause = match is_understood {
            false => unfollowed::cause(statement, |name| self.definitions.has_relation(name)),
            true if unfollowed::is_drop(statement) => {
                let is_gone = |table: &QualifiedName| !self.definitions.has_relation(table);
                let is_lost = self.blocks.keys().chain(self.inserts.keys()).any(is_gone);
                is_lost.then_some("it drops a table whose rows stand in front of it")
            }
            true => None,
        };
        self.unfollowed = self.unfollowed.take().or_else(|| cause.map(|cause| (statement.place, cause)));
    }

    /// Rows of a table that the archive's entry calls otherwise: those of a partition may be given to the whole.
    pub(super) fn told_twice(&mut self, table: &QualifiedName, entry: QualifiedName, place: Place) {
        if *table != entry {
            self.told_twice.push((table.clone(), entry, place));
        }
    }

    /// A block of rows.
    pub(super) fn block(&mut self, table: QualifiedName, place: Place, rows: Option<u64>) {
        self.has_copy = true;
        if let Some(rows) = rows {
            *self.rows.entry(table.clone()).or_default() += rows;
        }
        self.blocks.entry(table).or_default().push(place);
    }

    /// A statement that inserts.
    pub(super) fn insert(&mut self, sql: &str, settings: &Settings) {
        if let Some((head, _)) = head::insert(sql, settings) {
            *self.inserts.entry(head.table).or_default() += 1;
        }
    }

    /// Statements that insert into a table, nobody knows how many.
    pub(super) fn inserts_of(&mut self, table: QualifiedName) {
        self.has_copy = true;
        self.inserts.insert(table, u64::MAX >> 24);
    }

    /// So many large objects more.
    pub(super) fn large_objects(&mut self, count: u64) {
        self.large_objects += count;
    }

    /// The encoding of its texts.
    pub(super) fn encoding(&mut self, encoding: Option<&str>) {
        self.encoding = encoding.map(str::to_owned).or_else(|| self.encoding.take());
    }

    /// Whether it has rows.
    pub(super) fn has_rows(&self) -> bool {
        !(self.blocks.is_empty() && self.inserts.is_empty())
    }

    /// Puts together what was found.
    ///
    /// # Errors
    /// When rows have no definition, or a table comes twice.
    pub(super) fn finish(
        self,
        object: &str,
        engine: String,
        database: String,
        chosen: Option<String>,
    ) -> Result<Overview> {
        if let Some((place, cause)) = self.unfollowed {
            return Err(Error::could_not("read", format!("{object}, {place}"), cause)
                .hint("restore the dump on a server and read that, or make it again with pg_dump, which writes each table as it is"));
        }
        let encoding = self.encoding.unwrap_or_else(|| "UTF8".to_owned());
        let about = About { engine, database, encoding, large_objects: self.large_objects };
        let Described { mut catalog, columns } = self.definitions.finish(&about);
        let divided: HashSet<&QualifiedName> = catalog
            .tables
            .iter()
            .filter(|table| matches!(table.kind, TableKind::Partitioned { .. }))
            .map(|table| &table.name)
            .collect();
        // The rows of several partitions may all be given to the table that is divided into them.
        for (table, places) in &self.blocks {
            if let ([first, second, ..], false) = (places.as_slice(), divided.contains(table)) {
                let cause = format!("table `{table}` occurs twice: its rows begin at {first} and again at {second}");
                return Err(Error::could_not("read", object, cause)
                    .hint("two dumps may have come into one file; give each its own"));
            }
        }
        let mut blocks: HashMap<QualifiedName, u64> = HashMap::new();
        for (table, places) in &self.blocks {
            *blocks.entry(table.clone()).or_default() += places.len() as u64;
        }
        for (table, count) in self.inserts {
            let known = blocks.entry(table).or_default();
            *known = known.saturating_add(count);
        }
        let homeless: BTreeSet<&QualifiedName> = blocks.keys().filter(|table| !columns.contains_key(*table)).collect();
        if let (Some(table), true) = (homeless.first(), catalog.tables.is_empty()) {
            let cause = format!("it has rows of table `{table}` and no definition of it");
            return Err(Error::could_not("read", object, cause).hint(
                "a dump of rows alone goes with the file that has the definitions: `dump:rows.sql?schema=definitions.sql`",
            ));
        }
        // An extension may bring tables of its own, whose rows a dump has without their definition.
        let has_extensions = catalog.others.iter().any(|other| other.kind == ObjectKind::Extension);
        let may_be_lost = |table: &&&QualifiedName| {
            self.rows.get(**table) != Some(&0) && table.schema != "pg_catalog" && !has_extensions
        };
        if let Some(table) = homeless.iter().find(may_be_lost) {
            let cause = format!("it has rows of table `{table}` and no definition of it");
            return Err(Error::could_not("read", object, cause).hint(
                "make the dump again as a whole, or with `pg_dump --exclude-table` if those rows are not wanted",
            ));
        }
        for table in homeless {
            let name = format!("rows of {table}, which this dump does not define");
            catalog.others.push(OtherObject::new(ObjectKind::Table, name, None));
        }
        for (table, entry, place) in &self.told_twice {
            let is_part = catalog.table(table).is_some_and(|table| parts_of(table).any(|part| part == entry));
            if !is_part {
                let cause =
                    format!("it has rows of `{entry}` by its name, and of `{table}` by the statement that takes them");
                return Err(Error::could_not("read", format!("{object}, {place}"), cause)
                    .hint("somebody has changed the archive, or it is damaged; copy it again, or make it again"));
            }
        }
        for column in catalog.tables.iter_mut().flat_map(|table| &mut table.columns) {
            if let Some(generated) = &mut column.generated {
                generated.untold = true;
            }
        }
        for table in &mut catalog.tables {
            let counted: Vec<u64> = parts_of(table).filter_map(|part| self.rows.get(part).copied()).collect();
            let has_rows = parts_of(table).any(|part| blocks.contains_key(part));
            if !counted.is_empty() {
                table.row_estimate = i64::try_from(counted.iter().sum::<u64>()).unwrap_or(i64::MAX);
            }
            if self.has_copy && !has_rows && !matches!(table.kind, TableKind::MaterializedView { .. }) {
                let name = format!("rows of {}, which this dump does not have", table.name);
                catalog.others.push(OtherObject::new(ObjectKind::Table, name, None));
            }
        }
        Ok(Overview { catalog: Arc::new(catalog), columns, blocks, database: chosen })
    }
}

/// What a script says, database by database.
#[derive(Default)]
pub(super) struct Sections {
    /// What stands before the first `\connect`.
    first: Section,
    /// By name, in their order.
    named: Vec<(String, Section)>,
    current: Option<usize>,
    /// What is said of databases before they are turned to.
    of_databases: Vec<Statement>,
    server_version: Option<String>,
}

impl Sections {
    /// Reads a script to its end; what is known already is known of its first database.
    ///
    /// # Errors
    /// As [`Script::next`].
    pub(super) fn read<R: Read>(script: &mut Script<R>, first: Section) -> Result<Sections> {
        let mut sections = Sections { first, ..Sections::default() };
        loop {
            let in_cluster = script.marks().is_cluster;
            let copied = match script.next()? {
                None => break,
                Some(Item::Statement(statement)) => {
                    sections.statement(statement, in_cluster);
                    None
                }
                Some(Item::Insert(sql, settings, _)) => {
                    sections.now().insert(sql, &settings);
                    None
                }
                Some(Item::Copy(CopyHead { table, .. }, place)) => Some((table, place)),
                Some(Item::LargeObject(is_new)) => {
                    sections.now().large_objects(u64::from(is_new));
                    None
                }
                Some(Item::Connect(name)) => {
                    sections.turn_to(name);
                    None
                }
            };
            if let Some((table, place)) = copied {
                let rows = script.skip_lines()?;
                sections.now().block(table, place, Some(rows));
            }
            let encoding = script.encoding().map(str::to_owned);
            sections.now().encoding(encoding.as_deref());
        }
        sections.server_version.clone_from(&script.marks().server_version);
        Ok(sections)
    }

    fn now(&mut self) -> &mut Section {
        match self.current {
            Some(place) => &mut self.named[place].1,
            None => &mut self.first,
        }
    }

    fn turn_to(&mut self, name: String) {
        let place = self.named.iter().position(|(other, _)| *other == name);
        self.current = Some(place.unwrap_or_else(|| {
            self.named.push((name, Section::default()));
            self.named.len() - 1
        }));
    }

    fn statement(&mut self, statement: Statement, in_cluster: bool) {
        let mut words = statement.text.split_whitespace();
        let mut is_next = |word: &str| words.next().is_some_and(|next| next.eq_ignore_ascii_case(word));
        let is_of_database = (is_next("create")
            || statement.text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("alter")))
            && is_next("database");
        if is_of_database {
            self.of_databases.push(statement);
            return;
        }
        // What the whole server has, its roles above all, belongs to none of its databases.
        if self.current.is_some() || !in_cluster {
            self.now().statement(&statement);
        }
    }

    /// The engine by the head of the script.
    pub(super) fn engine(&self) -> String {
        engine(self.server_version.as_deref().unwrap_or_default())
    }

    /// What is said of the wanted database, or of the only one; its name where the script has one.
    ///
    /// # Errors
    /// When there are several and none is wanted, or there is none of that name.
    pub(super) fn choose(mut self, wanted: Option<&str>, object: &str) -> Result<(Section, Option<String>)> {
        let listed = self.named.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let hint = || format!("name one: `dump:FILE?database=NAME`; it has {listed}");
        let (mut section, name) = match (wanted, self.named.len()) {
            (None, 0) => return Ok((self.first_with_databases(), None)),
            (Some(name), 0) => {
                return Err(Error::usage(
                    "use the dump",
                    object,
                    format!("it does not say that it is of a database `{name}`"),
                )
                .hint("leave the name out: it has one database"));
            }
            (None, 1) if self.first.has_rows() => {
                let cause = "it has rows before its first `\\connect`, of a database that it does not name";
                return Err(Error::usage("use the dump", object, cause).hint(hint()));
            }
            (None, 1) => {
                let (name, section) = self.named.remove(0);
                (section, name)
            }
            (None, _) => {
                return Err(Error::usage("use the dump", object, "it has several databases").hint(hint()));
            }
            (Some(wanted), _) => match self.named.iter().position(|(name, _)| name == wanted) {
                Some(place) => {
                    let (name, section) = self.named.remove(place);
                    (section, name)
                }
                None => {
                    let cause = format!("it has no database `{wanted}`");
                    return Err(Error::usage("use the dump", object, cause).hint(hint()));
                }
            },
        };
        for statement in self.of_databases.iter().filter(|statement| is_about(statement, &name)) {
            section.statement(statement);
        }
        Ok((section, Some(name)))
    }

    fn first_with_databases(self) -> Section {
        let mut first = self.first;
        self.of_databases.iter().for_each(|statement| first.statement(statement));
        first
    }
}

/// Whether a statement CREATE DATABASE or ALTER DATABASE is about that one.
fn is_about(statement: &Statement, name: &str) -> bool {
    let mut tokens = super::tokens::Tokens::new(&statement.text, false);
    tokens.word();
    tokens.word();
    tokens.word().and_then(super::tokens::Token::into_name).is_some_and(|found| found == name)
}

/// What a server's version makes of the engine.
pub(super) fn engine(server_version: &str) -> String {
    match server_version.split_whitespace().next() {
        Some(version) => format!("PostgreSQL {version}"),
        None => "PostgreSQL".to_owned(),
    }
}
