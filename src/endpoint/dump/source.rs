//! A dump as a source of rows.
//!
//! Its schema stands in two places, before and behind the rows: a script is read once for that, and once more for its rows. An
//! archive has all of it in front, and is read once, also from a pipe. Rows come in the dump's own order of tables.

use super::archive::blocks::Blocks;
use super::archive::tar::Tar;
use super::archive::{Contents, Entry, Layout};
use super::encoding::Encoding;
use super::head::{self, CopyHead, Meaning};
use super::input::{Form, Input};
use super::overview::{self, Overview, Section, Sections};
use super::place::DumpPlace;
use super::rows::Router;
use super::script::{Item, Script};
use super::statement::{Place, Settings};
use super::text::{Text, unreadable};
use crate::cancel::Cancel;
use crate::catalog::{Catalog, QualifiedName};
use crate::endpoint::postgres::WaitListener;
use crate::endpoint::{ReadTable, RowSink, Source};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

type Bytes = BufReader<Box<dyn Read + Send>>;

/// A dump of a PostgreSQL database.
pub struct DumpSource {
    input: Input,
    /// The file that has the definitions, where this one has only rows.
    schema: Option<Input>,
    database: Option<String>,
    label: String,
    cancel: Cancel,
    overview: Option<Arc<Overview>>,
    /// An archive that can be read once, behind its table of contents.
    opened: Option<(Archive, Rest)>,
}

/// An archive, opened.
struct Archive {
    contents: Contents,
    encoding: Encoding,
    encoding_name: Option<String>,
    /// What its first entries set for all others.
    settings: Settings,
    /// Whether they say the search path; before, each entry was made in its own schema.
    says_path: bool,
}

impl Archive {
    /// The settings under which an entry was made.
    fn settings_of(&self, entry: &Entry, object: &str) -> Result<Settings> {
        if self.says_path || entry.namespace.is_empty() {
            return Ok(self.settings.clone());
        }
        let schema = decoded(&entry.namespace, self.encoding, object)?;
        Ok(Settings { search_path: Arc::from([schema, "pg_catalog".to_owned()]), ..self.settings.clone() })
    }

    /// What takes the rows of an entry; `None` for INSERTs.
    fn copy_head(&self, entry: &Entry, object: &str) -> Result<Option<CopyHead>> {
        let sql = decoded(&entry.copy, self.encoding, object)?;
        let sql = sql.trim_end().trim_end_matches(';');
        if sql.trim().is_empty() {
            return Ok(None);
        }
        match head::meaning(sql, &mut self.settings_of(entry, object)?) {
            Meaning::Copy(head) => Ok(Some(head)),
            _ => {
                let object = format!("{object}, entry {}", entry.id);
                Err(Error::could_not("read", object, "the statement that takes its rows is not pg_dump's"))
            }
        }
    }
}

/// Where the rows of an archive are.
enum Rest {
    Blocks(Bytes),
    Tar(Tar<Bytes>),
    Directory,
}

impl DumpSource {
    /// Opens a dump: looks what form it has, and reads nothing else yet.
    ///
    /// # Errors
    /// When it cannot be opened, or is no dump.
    pub fn open(place: &DumpPlace, cancel: &Cancel) -> Result<Self> {
        Self::open_heard(place, None, cancel)
    }

    /// As [`DumpSource::open`]; who listens hears how much of the file was read ([`Event::SourceRead`](crate::event::Event)).
    ///
    /// # Errors
    /// As [`DumpSource::open`].
    pub fn open_heard(place: &DumpPlace, listener: Option<WaitListener>, cancel: &Cancel) -> Result<Self> {
        let input = match &place.path {
            Some(path) => Input::open(path, listener)?,
            None => Input::standard(listener)?,
        };
        let schema = place.schema.as_deref().map(|path| Input::open(path, None)).transpose()?;
        Ok(DumpSource {
            input,
            schema,
            database: place.database.clone(),
            label: place.to_string(),
            cancel: cancel.clone(),
            overview: None,
            opened: None,
        })
    }

    /// A dump that comes from anywhere, under that name. An archive can be read once; a script is kept in a temporary file.
    ///
    /// # Errors
    /// When it cannot be read or kept, or is no dump.
    pub fn from_reader(reader: impl Read + Send + 'static, name: &str, cancel: &Cancel) -> Result<Self> {
        let input = Input::from_stream(Box::new(reader), format!("`{name}`"), None)?;
        let (label, cancel) = (name.to_owned(), cancel.clone());
        Ok(DumpSource { input, schema: None, database: None, label, cancel, overview: None, opened: None })
    }

    fn overview(&mut self) -> Result<Arc<Overview>> {
        if let Some(overview) = &self.overview {
            return Ok(Arc::clone(overview));
        }
        let found = Arc::new(self.look()?);
        Ok(Arc::clone(self.overview.insert(found)))
    }

    /// The first look: everything but the rows.
    fn look(&mut self) -> Result<Overview> {
        let mut section = Section::default();
        let mut known = (String::new(), None);
        if let Some(schema) = &mut self.schema {
            let is_script = schema.form == Form::Script;
            let (engine, name) = match is_script {
                true => look_at_script(schema, self.database.as_deref(), &self.cancel, &mut section)?,
                false => look_at_archive(&open_archive(schema)?.0, schema, &self.cancel, &mut section)?,
            };
            if section.has_rows() {
                let cause = "it has rows, and is named as the file of the definitions alone";
                return Err(Error::usage("use the dump", &schema.object, cause));
            }
            known = (engine, name);
        }
        let (engine, name) = match self.input.form {
            Form::Script => look_at_script(&mut self.input, self.database.as_deref(), &self.cancel, &mut section)?,
            Form::Custom | Form::Tar | Form::Directory => {
                let (archive, rest) = open_archive(&mut self.input)?;
                let found = look_at_archive(&archive, &self.input, &self.cancel, &mut section)?;
                if self.input.is_stream() {
                    self.opened = Some((archive, rest));
                }
                found
            }
        };
        let engine = if known.0.is_empty() { engine } else { known.0 };
        let chosen = match self.input.form {
            Form::Script => name.clone(),
            Form::Custom | Form::Tar | Form::Directory => None,
        };
        let database = known.1.or(name).unwrap_or_else(|| self.stem());
        section.finish(&self.input.object, engine, database, chosen)
    }

    /// What a database is called that the dump does not name.
    fn stem(&self) -> String {
        let name = Path::new(&self.label).file_name().unwrap_or_default().to_string_lossy();
        name.split('.').next().unwrap_or_default().to_owned()
    }

    fn read_script(&mut self, overview: &Overview, router: &mut Router<'_, '_>) -> Result<()> {
        let mut script = script_of(&mut self.input, &self.cancel)?;
        let mut is_wanted = overview.database.is_none();
        loop {
            let copied = match script.next()? {
                None => return Ok(()),
                Some(Item::Connect(name)) => {
                    is_wanted = overview.database.as_ref() == Some(&name);
                    continue;
                }
                Some(Item::Insert(sql, settings, place)) if is_wanted => {
                    router.insert(sql, &settings, &|| place.to_string())?;
                    continue;
                }
                Some(Item::Insert(..) | Item::Statement(_) | Item::LargeObject(_)) => continue,
                Some(Item::Copy(head, place)) => (head, place),
            };
            let (head, place) = copied;
            match is_wanted.then(|| router.begin(&head, &place.to_string())).transpose()?.flatten() {
                None => {
                    script.skip_lines()?;
                }
                Some(block) => {
                    loop {
                        let number = script.upcoming_line();
                        let Some(line) = script.line()? else { break };
                        router.line(&block, line, &|| format!("line {number}"))?;
                    }
                    router.end(&block)?;
                }
            }
        }
    }

    fn read_archive(&mut self, router: &mut Router<'_, '_>) -> Result<()> {
        let archive = match self.opened.take() {
            Some(archive) => archive,
            None => open_archive(&mut self.input)?,
        };
        let (archive, rest) = archive;
        let contents = &archive.contents;
        let wanted = contents.entries.iter().filter(|entry| entry.kind == ROWS && entry.has_block);
        let object = self.input.object.clone();
        let mut entries: HashMap<i32, (&Entry, Option<CopyHead>)> = HashMap::new();
        for entry in wanted {
            let head = archive.copy_head(entry, &object)?;
            // Rows of INSERTs say themselves whose they are.
            if head.as_ref().is_none_or(|head| router.wants(&head.table)) {
                entries.insert(entry.id, (entry, head));
            }
        }
        let reading = Reading { object: &object, archive: &archive, cancel: &self.cancel };
        match rest {
            Rest::Blocks(bytes) => {
                let mut blocks = Blocks::new(bytes, &contents.head, &object);
                while let Some(id) = blocks.next()? {
                    let mut pieces = blocks.pieces();
                    if let Some((entry, head)) = entries.remove(&id) {
                        let packing = contents.head.packing;
                        let plain = packing.unpack(&mut pieces).map_err(|error| unreadable(&object, error))?;
                        reading.rows(entry, head.as_ref(), plain, router)?;
                    }
                    pieces.skip()?;
                }
            }
            Rest::Tar(mut tar) => {
                let by_file: HashMap<&str, i32> =
                    entries.values().filter_map(|(entry, _)| Some((entry.file.as_deref()?, entry.id))).collect();
                while let Some(name) = tar.next()? {
                    let found = by_file.get(name.as_str()).and_then(|id| entries.remove(id));
                    if let Some((entry, head)) = found {
                        reading.rows(entry, head.as_ref(), &mut tar, router)?;
                    }
                }
            }
            Rest::Directory => {
                for entry in &contents.entries {
                    let Some((entry, head)) = entries.remove(&entry.id) else { continue };
                    let plain = self.input.rows_of(entry.file.as_deref().unwrap_or_default())?;
                    reading.rows(entry, head.as_ref(), plain, router)?;
                }
            }
        }
        match entries.values().next() {
            None => Ok(()),
            Some((entry, _)) => {
                let name = String::from_utf8_lossy(&entry.tag).into_owned();
                let cause = format!("it is cut off: the rows of `{name}` (entry {}) are missing", entry.id);
                Err(Error::could_not("read", &object, cause)
                    .hint("copy the dump again from where it was made, or make it again"))
            }
        }
    }
}

/// The kind of an entry with rows.
const ROWS: &str = "TABLE DATA";

/// How the rows of an archive are read.
struct Reading<'r> {
    object: &'r str,
    archive: &'r Archive,
    cancel: &'r Cancel,
}

impl Reading<'_> {
    /// The rows of one entry.
    fn rows(
        &self,
        entry: &Entry,
        head: Option<&CopyHead>,
        plain: impl Read,
        router: &mut Router<'_, '_>,
    ) -> Result<()> {
        let place = Place::Entry(entry.id);
        let mut script = piece(plain, self.object, self.archive, self.cancel, entry)?;
        if let Some(head) = head
            && let Some(block) = router.begin(head, &place.to_string())?
        {
            let mut number: u64 = 0;
            while let Some(line) = script.line()? {
                number += 1;
                router.line(&block, line, &|| format!("{place}, row {number}"))?;
            }
            router.end(&block)?;
        }
        while let Some(item) = script.next()? {
            if let Item::Insert(sql, settings, _) = item {
                router.insert(sql, &settings, &|| place.to_string())?;
            }
        }
        Ok(())
    }
}

/// A piece of SQL or of rows of an archive, with the settings that hold for its entry.
fn piece<R: Read>(plain: R, object: &str, archive: &Archive, cancel: &Cancel, entry: &Entry) -> Result<Script<R>> {
    let mut text = Text::new(plain, object, cancel);
    text.switch(archive.encoding)?;
    Ok(Script::within(text, archive.settings_of(entry, object)?, Some(Place::Entry(entry.id))))
}

fn decoded(bytes: &[u8], encoding: Encoding, object: &str) -> Result<String> {
    let mut text = Vec::new();
    match encoding.transcoder() {
        None => text.extend_from_slice(bytes),
        Some(mut transcoder) => transcoder
            .decode(bytes, true, &mut text)
            .map_err(|_| Error::could_not("read", object, "a name in it is no text in its encoding"))?,
    }
    super::script::str_of(&text, object).map(str::to_owned)
}

fn script_of(input: &mut Input, cancel: &Cancel) -> Result<Script<Bytes>> {
    let reader = input.reader()?;
    Ok(Script::new(Text::new(reader, &input.object, cancel)))
}

/// Reads a script for its definitions; the engine, and the database where the script names it.
fn look_at_script(
    input: &mut Input,
    wanted: Option<&str>,
    cancel: &Cancel,
    section: &mut Section,
) -> Result<(String, Option<String>)> {
    let mut script = script_of(input, cancel)?;
    let sections = Sections::read(&mut script, std::mem::take(section))?;
    let engine = sections.engine();
    let (found, name) = sections.choose(wanted, &input.object)?;
    *section = found;
    Ok((engine, name))
}

fn open_archive(input: &mut Input) -> Result<(Archive, Rest)> {
    let mut reader = input.reader()?;
    let (contents, rest) = match input.form {
        Form::Custom => {
            let contents = Contents::read(&mut reader, Layout::Custom, &input.object)?;
            (contents, Rest::Blocks(reader))
        }
        Form::Tar => {
            let mut tar = Tar::new(reader, &input.object);
            tar.next()?;
            let contents = Contents::read(&mut tar, Layout::Files, &input.object)?;
            (contents, Rest::Tar(tar))
        }
        Form::Script | Form::Directory => (Contents::read(&mut reader, Layout::Files, &input.object)?, Rest::Directory),
    };
    let (mut encoding_name, mut settings, mut says_path) = (None, Settings::default(), false);
    for entry in &contents.entries {
        if !matches!(entry.kind.as_str(), "ENCODING" | "STDSTRINGS" | "SEARCHPATH") {
            continue;
        }
        says_path |= entry.kind == "SEARCHPATH";
        if let Meaning::Encoding(name) = head::meaning(&String::from_utf8_lossy(&entry.sql), &mut settings) {
            encoding_name = Some(name);
        }
    }
    let encoding = match &encoding_name {
        None => Encoding::AsIs,
        Some(name) => Encoding::named(name).ok_or_else(|| {
            Error::could_not("read", &input.object, format!("texts in the encoding `{name}` are not read here"))
                .hint("make the dump again with `pg_dump --encoding=UTF8`")
        })?,
    };
    Ok((Archive { contents, encoding, encoding_name, settings, says_path }, rest))
}

/// Takes the definitions of an archive; the engine and the database.
fn look_at_archive(
    archive: &Archive,
    input: &Input,
    cancel: &Cancel,
    section: &mut Section,
) -> Result<(String, Option<String>)> {
    let mut tables = HashSet::new();
    for entry in &archive.contents.entries {
        match entry.kind.as_str() {
            ROWS => {
                if !entry.has_block {
                    continue;
                }
                let name = QualifiedName::new(
                    decoded(&entry.namespace, archive.encoding, &input.object)?,
                    decoded(&entry.tag, archive.encoding, &input.object)?,
                );
                match archive.copy_head(entry, &input.object)? {
                    Some(head) => {
                        section.told_twice(&head.table, name, Place::Entry(entry.id));
                        section.block(head.table, Place::Entry(entry.id), None);
                    }
                    None => {
                        // Each of its statements is a block, and nobody has counted them: the table ends with the dump.
                        if tables.insert(name.clone()) {
                            section.inserts_of(name);
                        }
                    }
                }
                continue;
            }
            "BLOBS" => continue,
            // Their numbers, one a line.
            "BLOB METADATA" => {
                let count = entry.sql.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
                section.large_objects(count as u64);
                continue;
            }
            _ => {}
        }
        let mut script = piece(entry.sql.as_slice(), &input.object, archive, cancel, entry)?;
        while let Some(item) = script.next()? {
            match item {
                Item::Statement(statement) => section.statement(&statement),
                Item::LargeObject(is_new) => section.large_objects(u64::from(is_new)),
                Item::Insert(..) | Item::Copy(..) | Item::Connect(_) => {
                    let object = format!("{}, {}", input.object, Place::Entry(entry.id));
                    return Err(Error::could_not("read", object, "rows stand where its definition should be"));
                }
            }
        }
    }
    section.encoding(archive.encoding_name.as_deref());
    let database = decoded(&archive.contents.head.database, archive.encoding, &input.object)?;
    Ok((overview::engine(&archive.contents.head.server_version), Some(database).filter(|name| !name.is_empty())))
}

impl Source for DumpSource {
    fn label(&self) -> &str {
        &self.label
    }

    fn catalog(&mut self) -> Result<Arc<Catalog>> {
        self.overview().map(|overview| Arc::clone(&overview.catalog))
    }

    fn catalog_again(&mut self) -> Result<Arc<Catalog>> {
        if self.input.is_stream() {
            return self.catalog();
        }
        self.overview = None;
        self.catalog()
    }

    fn ensure_apart(&self, target: &Path) -> Result<()> {
        self.input.ensure_apart(target)
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        let overview = self.overview()?;
        let mut router = Router::new(&overview, tables, sink)?;
        match self.input.form {
            Form::Script => self.read_script(&overview, &mut router)?,
            Form::Custom | Form::Tar | Form::Directory => self.read_archive(&mut router)?,
        }
        router.finish()
    }
}
