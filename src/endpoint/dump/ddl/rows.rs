//! The described database in the rows that the queries of a live source answer.

use super::Described;
use super::collated::collations_in;
use super::database::{Column, Database, Path, Relation, UserType};
use super::definition::{CollationOptions, Name, NewType};
use super::name::{self, spelled};
use super::types::{Spelled, TypeRows};
use crate::catalog::{ObjectKind, OtherObject, QualifiedName};
use crate::endpoint::dump::statement::About;
use crate::endpoint::postgres::assemble;
use crate::endpoint::postgres::rows::{
    CollationRow, ColumnRow, ConstraintRow, DatabaseRow, DomainCheckRow, FieldRow, IndexRow, Oid, Position,
    RelationRow, Rows, TypeRow,
};
use std::collections::{BTreeSet, HashMap};

/// Types of extensions that decide how values travel; they count where the dump creates the extension of their name.
const OF_EXTENSIONS: &[&str] = &["citext", "hstore"];
/// What the type of a column is called of which the dump does not tell it.
const UNKNOWN: &str = "unknown";

/// A type as a column has it.
struct Resolved {
    oid: Oid,
    modifier: i32,
    spelling: String,
}

impl Database {
    pub(super) fn describe(mut self, about: &About) -> Described {
        let mut types = TypeRows::default();
        let mut names: Vec<QualifiedName> = self.relations.keys().cloned().collect();
        names.sort();
        self.serials();
        let own: Vec<QualifiedName> = self.types.keys().cloned().collect();
        for name in &own {
            self.own_type(name, &mut types);
        }
        let columns = names.iter().flat_map(|name| self.column_rows(name, &mut types)).collect();
        let relations = names.iter().map(|name| self.relation_row(name)).collect();
        let mut sequences: Vec<_> = std::mem::take(&mut self.sequences).into_values().collect();
        sequences.sort_by(|one, other| (&one.row.schema, &one.row.name).cmp(&(&other.row.schema, &other.row.name)));
        let mut positions = HashMap::new();
        for (place, sequence) in sequences.iter_mut().enumerate() {
            match sequence.position {
                Some((value, true)) => sequence.row.last_value = Some(value),
                Some((value, false)) => {
                    positions.insert(place, Position { place, last_value: value, is_called: false });
                }
                None => {}
            }
        }
        let encoding = self.encoding.clone().unwrap_or_else(|| about.encoding.clone());
        let rows = Rows {
            database: DatabaseRow {
                server_version: about.engine.strip_prefix("PostgreSQL").unwrap_or_default().trim().to_owned(),
                name: about.database.clone(),
                encoding,
                large_objects: i64::try_from(about.large_objects).unwrap_or(i64::MAX),
            },
            collations: self.collation_rows(about),
            types: types.rows,
            relations,
            columns,
            constraints: self.constraint_rows(),
            indexes: self.index_rows(),
            sequences: sequences.into_iter().map(|sequence| sequence.row).collect(),
            positions,
            others: self.other_rows(),
        };
        Described { columns: self.columns_with_rows(), catalog: assemble(rows) }
    }

    /// Of everything that has rows: its columns, and whether each is generated.
    fn columns_with_rows(&self) -> HashMap<QualifiedName, Vec<(String, bool)>> {
        let with_rows = self.relations.iter().filter(|(_, relation)| matches!(relation.kind, 'r' | 'p' | 'f'));
        let columns = |relation: &Relation| {
            let columns = relation.columns.iter();
            columns.map(|column| (column.new.name.clone(), column.new.generated.is_some())).collect()
        };
        with_rows.map(|(name, relation)| (name.clone(), columns(relation))).collect()
    }

    /// Finds the sequences that columns own and that their defaults read.
    fn serials(&mut self) {
        let mut owners: Vec<(QualifiedName, String, QualifiedName)> = (self.sequences.iter())
            .filter_map(|(name, sequence)| {
                let row = &sequence.row;
                let table = QualifiedName::new(row.owner_schema.as_ref()?, row.owner_name.as_ref()?);
                Some((table, row.owner_column.clone()?, name.clone()))
            })
            .collect();
        owners.sort();
        for (table, column, sequence) in owners {
            let Some(relation) = self.relations.get(&table) else { continue };
            let path = relation.path.clone();
            let Some(default) = relation.column(&column).and_then(|column| column.new.default.clone()) else {
                continue;
            };
            let reads = |name: &Name| {
                self.find(name, &path, |name, own| own.sequences.contains_key(name)).as_ref() == Some(&sequence)
            };
            if !classes_in(&default).iter().any(reads) {
                continue;
            }
            let column = self.relations.get_mut(&table).and_then(|relation| relation.column_mut(&column));
            if let Some(column) = column.filter(|column| column.sequence.is_none()) {
                column.sequence = Some(sequence);
            }
        }
    }

    fn relation_row(&self, name: &QualifiedName) -> RelationRow {
        let Some(relation) = self.relations.get(name) else { return RelationRow::default() };
        let parents: Vec<Oid> = relation.parents.iter().filter_map(|parent| self.oid(parent)).collect();
        let is_partition = relation.bound.is_some();
        let key = relation.key.as_ref();
        let reads: Vec<Oid> = self.reads(name).iter().filter_map(|read| self.oid(read)).collect();
        RelationRow {
            oid: relation.oid,
            schema: name.schema.clone(),
            name: name.name.clone(),
            kind: relation.kind,
            is_partition,
            populated: false,
            comment: relation.comment.clone(),
            row_estimate: if matches!(relation.kind, 'r' | 'm' | 'f') { -1 } else { 0 },
            size_bytes: 0,
            partition_key: key.map(|key| key.text.clone()),
            partition_columns: key.and_then(|key| key.parts.iter().cloned().map(Result::ok).collect()),
            partition_bound: relation.bound.clone(),
            partition_condition: (is_partition && relation.kind != 'p')
                .then(|| self.partition_condition(name))
                .flatten(),
            definition: relation.query.as_ref().map(|query| query.text.clone()),
            parents: (!parents.is_empty()).then_some(parents),
            reads: (!reads.is_empty()).then_some(reads),
            takes_writes: relation.kind == 'v' && self.takes_writes(name),
            checks_writes: relation.checks_writes,
            secured: if relation.kind == 'v' { self.secured_behind(name) } else { None },
        }
    }

    fn column_rows(&self, name: &QualifiedName, types: &mut TypeRows) -> Vec<ColumnRow> {
        let Some(relation) = self.relations.get(name) else { return Vec::new() };
        if relation.bound.is_some() || relation.kind == 'f' {
            return Vec::new();
        }
        relation.columns.iter().map(|column| self.column_row(relation.oid, column, types)).collect()
    }

    fn column_row(&self, relation: Oid, column: &Column, types: &mut TypeRows) -> ColumnRow {
        let new = &column.new;
        let resolved = self.resolve(&new.spelling, &column.path, types);
        let own_default = new.default.as_deref().filter(|default| !default.eq_ignore_ascii_case("null"));
        let (expression, generated) = match (&new.generated, own_default) {
            (Some((expression, stored)), _) => (Some(expression.clone()), if *stored { "s" } else { "v" }),
            (None, Some(default)) => (Some(default.to_owned()), ""),
            // NULL, where a domain has a default, is one.
            (None, None) if new.default.is_some() => (None, ""),
            (None, None) => (self.default_of_domain(&new.spelling, &column.path), ""),
        };
        ColumnRow {
            relation,
            name: new.name.clone(),
            type_oid: resolved.oid,
            modifier: resolved.modifier,
            spelling: resolved.spelling,
            not_null: new.not_null,
            expression,
            identity: new.identity.as_ref().map(|(kind, _)| kind.to_string()).unwrap_or_default(),
            generated: generated.to_owned(),
            collation: self.column_collation(column),
            comment: column.comment.clone(),
            sequence_schema: column.sequence.as_ref().map(|name| name.schema.clone()),
            sequence_name: column.sequence.as_ref().map(|name| name.name.clone()),
        }
    }

    /// A user's type that a spelling names, not an array of it.
    fn user_type(&self, spelled: &Spelled, path: &Path) -> Option<(QualifiedName, &UserType)> {
        let name = Name { schema: spelled.schema.clone(), name: spelled.name.clone() };
        if spelled.is_sql {
            return None;
        }
        let name = self.find(&name, path, |name, own| own.types.contains_key(name))?;
        let of = self.types.get(&name)?;
        Some((name, of))
    }

    fn domain_of(&self, spelling: &str, path: &Path) -> Option<&super::definition::NewDomain> {
        let spelled = Spelled::read(spelling).filter(|spelled| !spelled.is_array)?;
        match &self.user_type(&spelled, path)?.1.kind {
            NewType::Domain(domain) => Some(domain),
            _ => None,
        }
    }

    fn default_of_domain(&self, spelling: &str, path: &Path) -> Option<String> {
        self.domain_of(spelling, path)?.default.clone().filter(|default| !default.eq_ignore_ascii_case("null"))
    }

    /// The collation that a type brings; `None` for the database's own.
    fn collation_of_type(&self, spelling: &str, path: &Path) -> Option<String> {
        const DEFAULT: &str = "pg_catalog.default";
        let mut at = (spelling.to_owned(), path.clone());
        // A domain over itself cannot be made.
        for _ in 0..=self.types.len() {
            let spelled = Spelled::read(&at.0)?;
            let of = self.user_type(&spelled, &at.1).map(|(_, of)| of);
            match of.map(|of| (&of.kind, &of.path)) {
                Some((NewType::Domain(domain), own)) => match &domain.collation {
                    Some(collation) => {
                        return Some(self.collation_name(collation, own)).filter(|name| name != DEFAULT);
                    }
                    None => at = (domain.base.clone(), own.clone()),
                },
                _ => return (spelled.is_built_in() && spelled.name == "name").then(|| "pg_catalog.C".to_owned()),
            }
        }
        None
    }

    /// A column's collation, where it is not that of its base type.
    pub(super) fn column_collation(&self, column: &Column) -> Option<String> {
        const DEFAULT: &str = "pg_catalog.default";
        let new = &column.new;
        let of_type = self.collation_of_type(&new.spelling, &column.path);
        let own = new.collation.as_ref().map(|name| self.collation_name(name, &column.path));
        match self.domain_of(&new.spelling, &column.path) {
            Some(_) => own.or(of_type).filter(|name| name != DEFAULT),
            None => own.filter(|name| *name != of_type.unwrap_or_else(|| DEFAULT.to_owned())),
        }
    }

    /// The type that a spelling means, with all that it is made of.
    fn resolve(&self, spelling: &str, path: &Path, types: &mut TypeRows) -> Resolved {
        let unknown = || Resolved { oid: 0, modifier: -1, spelling: spelling.to_owned() };
        if spelling.is_empty() {
            return Resolved { oid: 0, modifier: -1, spelling: UNKNOWN.to_owned() };
        }
        let Some(of) = Spelled::read(spelling) else { return unknown() };
        let (oid, element) = match self.user_type(&of, path) {
            Some((name, _)) => (self.own_type(&name, types), self.qualified_spelling(&of, &name)),
            None => self.foreign_type(&of, path, types),
        };
        match of.is_array {
            true => Resolved { oid: types.array_of(oid), modifier: of.modifier(), spelling: format!("{element}[]") },
            false => Resolved { oid, modifier: of.modifier(), spelling: element },
        }
    }

    /// As the server spells a type of a user, who may have written it without its schema.
    fn qualified_spelling(&self, of: &Spelled, name: &QualifiedName) -> String {
        match of.schema {
            Some(_) => of.element.clone(),
            None => format!("{}.{}", spelled(&name.schema), of.element),
        }
    }

    /// A type that no statement makes: the server's own, the row type of a table, or one of an extension.
    fn foreign_type(&self, of: &Spelled, path: &Path, types: &mut TypeRows) -> (Oid, String) {
        // Where nothing is searched besides, every name without a schema is the server's own.
        let is_extension = || OF_EXTENSIONS.iter().any(|name| *name == of.name && self.extensions.contains_key(*name));
        if of.is_built_in() || (of.schema.is_none() && path.is_empty() && !is_extension()) {
            let make = |_| TypeRow { kind: 'b', spelling: of.name.clone(), ..TypeRow::default() };
            return (types.number("pg_catalog", &of.name, make), of.built_in_spelling());
        }
        let name = Name { schema: of.schema.clone(), name: of.name.clone() };
        if let Some(name) = self.relation_name(&name, path) {
            return (self.row_type(&name, types), self.qualified_spelling(of, &name));
        }
        let extension = OF_EXTENSIONS.iter().find(|known| **known == of.name && self.extensions.contains_key(**known));
        let home = extension.and_then(|extension| self.extensions.get(*extension).cloned().flatten());
        let schema = of.schema.clone().or(home).or_else(|| path.first().cloned()).unwrap_or_default();
        let make = |_| TypeRow {
            kind: 'b',
            spelling: of.element.clone(),
            extension: extension.map(|extension| (*extension).to_owned()),
            ..TypeRow::default()
        };
        let oid = types.number(&schema, &of.name, make);
        (oid, self.qualified_spelling(of, &QualifiedName::new(schema, &of.name)))
    }

    /// The row type of a table or view.
    fn row_type(&self, name: &QualifiedName, types: &mut TypeRows) -> Oid {
        if let Some(oid) = types.known(&name.schema, &name.name) {
            return oid;
        }
        let oid = types.number(&name.schema, &name.name, |_| TypeRow {
            kind: 'c',
            spelling: format!("{}.{}", spelled(&name.schema), spelled(&name.name)),
            ..TypeRow::default()
        });
        let columns = self.relations.get(name).map(|relation| relation.columns.as_slice()).unwrap_or_default();
        let fields =
            columns.iter().map(|column| self.field(&column.new.name, &column.new.spelling, &column.path, types));
        let fields = fields.collect();
        types.complete(oid, |row| row.fields = Some(fields));
        oid
    }

    fn field(&self, name: &str, spelling: &str, path: &Path, types: &mut TypeRows) -> FieldRow {
        let of = self.resolve(spelling, path, types);
        FieldRow { name: name.to_owned(), type_oid: of.oid, modifier: of.modifier, spelling: of.spelling }
    }

    /// The number of a user's type; its row is made when it is asked for first.
    fn own_type(&self, name: &QualifiedName, types: &mut TypeRows) -> Oid {
        if let Some(oid) = types.known(&name.schema, &name.name) {
            return oid;
        }
        let Some(of) = self.types.get(name) else { return 0 };
        let kind = match &of.kind {
            NewType::Enum(_) => 'e',
            NewType::Domain(_) => 'd',
            NewType::Composite(_) => 'c',
            NewType::Range => 'r',
            NewType::Base | NewType::Shell => 'b',
        };
        let oid = types.number(&name.schema, &name.name, |_| TypeRow {
            kind,
            spelling: format!("{}.{}", spelled(&name.schema), spelled(&name.name)),
            of_user: !matches!(of.kind, NewType::Shell),
            ..TypeRow::default()
        });
        match &of.kind {
            NewType::Enum(labels) => types.complete(oid, |row| row.labels = Some(labels.clone())),
            NewType::Composite(fields) => {
                let fields = fields.iter().map(|field| self.field(&field.name, &field.spelling, &of.path, types));
                let fields = fields.collect();
                types.complete(oid, |row| row.fields = Some(fields));
            }
            NewType::Domain(domain) => {
                let base = self.resolve(&domain.base, &of.path, types);
                let mut checks: Vec<DomainCheckRow> = (domain.checks.iter())
                    .map(|check| DomainCheckRow {
                        name: match check.row.name.as_str() {
                            "" => format!("{}_check", name.name),
                            given => given.to_owned(),
                        },
                        expression: check.row.expression.clone().unwrap_or_default(),
                        validated: check.row.validated,
                    })
                    .collect();
                checks.sort_by(|one, other| one.name.cmp(&other.name));
                let collation =
                    self.collation_of_type(&format!("{}.{}", quoted(&name.schema), quoted(&name.name)), &of.path);
                let default = domain.default.clone().filter(|default| !default.eq_ignore_ascii_case("null"));
                types.complete(oid, |row| {
                    row.default = default;
                    row.base = Some(base.oid);
                    row.base_modifier = Some(base.modifier);
                    row.base_spelling = Some(base.spelling);
                    row.not_null = domain.not_null;
                    row.collation = collation;
                    row.checks = (!checks.is_empty()).then_some(checks);
                });
            }
            NewType::Range | NewType::Base | NewType::Shell => {}
        }
        oid
    }

    fn constraint_rows(&mut self) -> Vec<ConstraintRow> {
        let keys: HashMap<Oid, Vec<String>> = (self.constraints.iter())
            .filter(|row| row.kind == 'p')
            .filter_map(|row| Some((row.relation, row.columns.clone()?)))
            .collect();
        let mut rows = std::mem::take(&mut self.constraints);
        // What a partitioned table refers to, its partitions do; that is not written for them.
        let mut at = 0;
        while let Some(row) = rows.get(at).cloned() {
            at += 1;
            let whole =
                self.relations.iter().find(|(_, relation)| relation.oid == row.relation && relation.kind == 'p');
            let (Some((whole, _)), 'f') = (whole, row.kind) else { continue };
            let parts = self.relations.values().filter(|part| part.bound.is_some() && part.parents.contains(whole));
            let parts: Vec<Oid> = parts.map(|part| part.oid).collect();
            for relation in parts {
                let oid = self.next();
                rows.push(ConstraintRow { oid, relation, parent: row.oid, ..row.clone() });
            }
        }
        for row in rows.iter_mut().filter(|row| row.kind == 'f' && row.referenced_columns.is_none()) {
            row.referenced_columns = keys.get(&row.referenced).cloned();
        }
        rows.sort_by(|one, other| (one.relation, one.kind, &one.name).cmp(&(other.relation, other.kind, &other.name)));
        rows
    }

    fn index_rows(&mut self) -> Vec<IndexRow> {
        let mut rows: Vec<IndexRow> = std::mem::take(&mut self.indexes).into_values().collect();
        rows.sort_by(|one, other| (one.relation, &one.name).cmp(&(other.relation, &other.name)));
        let by_oid: HashMap<Oid, &Relation> =
            self.relations.values().map(|relation| (relation.oid, relation)).collect();
        for row in &mut rows {
            let Some(relation) = by_oid.get(&row.relation) else { continue };
            for part in &mut row.parts {
                let Some(expression) = &part.expression else { continue };
                let collation = part.collation.take().or_else(|| self.expression_collation(relation, expression));
                part.collation = collation.filter(|name| name != "pg_catalog.default");
            }
        }
        // One of a partitioned table is whole as soon as each partition has a part of it.
        let partitioned: HashMap<Oid, usize> = (self.relations.iter())
            .filter(|(_, relation)| relation.kind == 'p')
            .map(|(name, relation)| {
                let is_part = |part: &&Relation| part.bound.is_some() && part.parents.contains(name);
                (relation.oid, self.relations.values().filter(is_part).count())
            })
            .collect();
        // Deeper ones first: each pass settles one more level, and no tree has more levels than tables.
        for _ in 0..=partitioned.len() {
            let mut parts: HashMap<Oid, usize> = HashMap::new();
            for row in rows.iter().filter(|row| row.valid) {
                *parts.entry(row.parent.unwrap_or(0)).or_default() += 1;
            }
            let mut is_settled = true;
            for row in &mut rows {
                let Some(wanted) = partitioned.get(&row.relation) else { continue };
                let valid = parts.get(&row.oid).copied().unwrap_or(0) >= *wanted;
                is_settled &= valid == row.valid;
                row.valid = valid;
            }
            if is_settled {
                break;
            }
        }
        rows
    }

    fn other_rows(&mut self) -> Vec<OtherObject> {
        let mut others = std::mem::take(&mut self.others);
        for (name, relation) in &self.relations {
            if relation.secured {
                let quoted = format!("{}.{}", spelled(&name.schema), spelled(&name.name));
                let how = if relation.forced { "ENABLE, FORCE" } else { "ENABLE" };
                let definition = format!("ALTER TABLE {quoted} {how} ROW LEVEL SECURITY");
                others.push(OtherObject::new(ObjectKind::RowLevelSecurity, name.to_string(), Some(definition)));
            }
            if relation.kind == 'f' && relation.bound.is_none() {
                others.push(OtherObject::new(ObjectKind::ForeignTable, name.to_string(), None));
            }
        }
        if self.comments > 0 {
            let name = format!("{} on objects other than tables, columns and views", self.comments);
            others.push(OtherObject::new(ObjectKind::Comment, name, None));
        }
        others.sort_by(|one, other| (one.kind.name(), &one.name).cmp(&(other.kind.name(), &other.name)));
        others
    }

    /// The database's collation where the dump tells it, those of every server, and those that are named somewhere.
    fn collation_rows(&self, about: &About) -> Vec<CollationRow> {
        let mut rows: Vec<CollationRow> = self.collation.iter().map(|own| collation_row(None, "", own)).collect();
        let mut named: BTreeSet<(String, String)> = BTreeSet::new();
        let version = about.engine.trim_start_matches(|sign: char| !sign.is_ascii_digit()).split('.').next();
        let version: u32 = version.and_then(|number| number.parse().ok()).unwrap_or(0);
        let of_server = [("C", 0), ("POSIX", 0), ("ucs_basic", 16), ("unicode", 16), ("pg_c_utf8", 17)];
        let of_server = of_server.into_iter().filter(|(_, since)| *since <= version);
        named.extend(of_server.map(|(name, _)| ("pg_catalog".to_owned(), name.to_owned())));
        let mut add = |name: Option<String>| {
            let name = name.unwrap_or_default();
            named.extend(name.split_once('.').map(|(schema, name)| (schema.to_owned(), name.to_owned())));
        };
        for column in self.relations.values().flat_map(|relation| &relation.columns) {
            add(self.column_collation(column));
        }
        for part in self.indexes.values().flat_map(|row| &row.parts) {
            add(part.collation.clone());
        }
        for of in self.types.values() {
            let named = match &of.kind {
                NewType::Domain(domain) => vec![domain.collation.as_ref()],
                NewType::Composite(fields) => fields.iter().map(|field| field.collation.as_ref()).collect(),
                _ => Vec::new(),
            };
            named.into_iter().flatten().for_each(|name| add(Some(self.collation_name(name, &of.path))));
        }
        for relation in self.relations.values() {
            let columns = relation.columns.iter().map(|column| &column.new);
            let texts = columns.flat_map(|new| new.default.iter().chain(new.generated.as_ref().map(|(text, _)| text)));
            for text in texts.chain(relation.query.as_ref().map(|query| &query.text)) {
                collations_in(text).iter().for_each(|name| add(Some(self.collation_name(name, &relation.path))));
            }
        }
        let path = Path::from([]);
        let constraints = self.constraints.iter().map(|row| &row.definition);
        for text in constraints.chain(self.indexes.values().map(|row| &row.definition)) {
            collations_in(text).iter().for_each(|name| add(Some(self.collation_name(name, &path))));
        }
        named.remove(&("pg_catalog".to_owned(), "default".to_owned()));
        rows.extend(named.into_iter().map(|(schema, name)| {
            match self.collations.get(&QualifiedName::new(&schema, &name)) {
                Some(own) => collation_row(Some(&schema), &name, own),
                None => of_server_row(&schema, &name),
            }
        }));
        rows
    }
}

/// A collation as CREATE COLLATION or CREATE DATABASE describes it.
fn collation_row(schema: Option<&str>, name: &str, options: &CollationOptions) -> CollationRow {
    let provider = match options.provider.as_deref() {
        Some("icu") => 'i',
        Some("builtin") => 'b',
        _ => 'c',
    };
    let locale = options.icu_locale.clone().filter(|_| provider == 'i').or_else(|| options.locale.clone());
    let libc = |given: &Option<String>| given.clone().or_else(|| options.locale.clone());
    let own = if provider == 'c' { libc(&options.collate) } else { locale.clone() };
    CollationRow {
        schema: schema.map(str::to_owned),
        name: if schema.is_some() { name.to_owned() } else { own.unwrap_or_default() },
        provider,
        collate: libc(&options.collate),
        ctype: libc(&options.ctype),
        locale: if provider == 'c' { None } else { locale },
        deterministic: options.deterministic.unwrap_or(true),
    }
}

/// A collation that the server brings: of the system's libraries but for the names that say otherwise.
fn of_server_row(schema: &str, name: &str) -> CollationRow {
    let (provider, locale) = match name {
        "ucs_basic" => ('c', "C"),
        "pg_c_utf8" => ('b', "C.UTF-8"),
        name if name.ends_with("-x-icu") || name == "unicode" => ('i', "und"),
        "pg_unicode_fast" => ('b', "PG_UNICODE_FAST"),
        name => ('c', name),
    };
    CollationRow {
        schema: Some(schema.to_owned()),
        name: name.to_owned(),
        provider,
        collate: Some(locale.to_owned()),
        ctype: Some(locale.to_owned()),
        locale: Some(locale.to_owned()),
        deterministic: true,
    }
}

/// The names in `'…'::regclass`.
fn classes_in(expression: &str) -> Vec<Name> {
    let mut pieces: Vec<&str> = expression.split("::regclass").collect();
    // Behind the last piece there is none.
    pieces.pop();
    let constant = |piece: &str| {
        let inside = piece.strip_suffix('\'')?;
        // A doubled quote inside is no beginning.
        let mut start = inside.rfind('\'')?;
        while start > 0 && inside.as_bytes()[start - 1] == b'\'' {
            start = inside[..start - 1].rfind('\'')?;
        }
        Name::parse(&name::string(&piece[start..])?)
    };
    pieces.into_iter().filter_map(constant).collect()
}

fn quoted(name: &str) -> String {
    crate::quote::quote(name)
}
