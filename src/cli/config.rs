//! What was typed, checked and put together with the project file. Nothing here opens a database.

use super::options::{Choosing, Writing};
use crate::catalog::{ObjectKind, QualifiedName};
use crate::endpoint::dump::DumpPlace;
use crate::endpoint::sqlite::file::quoted;
use crate::endpoint::{Endpoint, PostgresUrl};
use crate::error::{Error, Result};
use crate::migration::Migration;
use crate::plan::choices::{Choices, names_table};
use crate::plan::{Loss, Plan, Reason, Refusal};
use crate::project::{self, Origin, Project};
use crate::to_sqlite::MigrationOptions;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The endpoints of a run, and the project if there is one.
pub struct Route {
    /// The project.
    pub project: Option<Project>,
    /// Where rows come from.
    pub source: Endpoint,
    /// The file; `None` only where the verb needs none, or the target is a tree.
    pub target: Option<PathBuf>,
    /// The tree that is to be, where that is the target.
    pub tree: Option<PathBuf>,
    /// The database that is to be filled, where that is the target.
    pub database: Option<PostgresUrl>,
    /// What variables of the environment decide over, as far as it is used here.
    pub origins: Vec<Origin>,
}

impl Route {
    /// Reads `[PROJECT] [SOURCE] [TARGET]`. One endpoint alone is the target where a project or DATABASE_URL has the source;
    /// the URL of a server never is.
    ///
    /// # Errors
    /// When an endpoint is missing, is given twice, or is of a form that the verb cannot use.
    pub fn new(words: &[OsString]) -> Result<Route> {
        let (project, endpoints) = match words.split_first() {
            Some((first, rest)) if is_project(first) => (Some(Project::load(Path::new(first))?), rest),
            _ => (None, words),
        };
        if endpoints.len() > 2 {
            return Err(Error::usage("read the arguments", "", "three of them are given, and the first is no project")
                .hint("give SOURCE and TARGET, or PROJECT first: a folder with a `project.toml`"));
        }
        let endpoints = endpoints.iter().map(|word| Endpoint::parse_word(word)).collect::<Result<Vec<_>>>()?;
        let has_source = project.is_some() || of_environment().is_some();
        let (source, target) = match <[Endpoint; 2]>::try_from(endpoints) {
            Ok([source, target]) => (Some(source), Some(target)),
            Err(fewer) => match fewer.into_iter().next() {
                // Of a tree that is there, somebody wants to know; one that is not is to be made.
                Some(Endpoint::Files(path)) if project.is_some() && path.is_dir() => {
                    (Some(Endpoint::Files(path)), None)
                }
                Some(target @ (Endpoint::Sqlite(_) | Endpoint::Files(_))) if has_source => (None, Some(target)),
                source => (source, None),
            },
        };
        match &source {
            Some(Endpoint::Sqlite(path)) if !path.exists() => return Err(no_source(path)),
            Some(Endpoint::Sqlite(path)) => refuse_project_file(path)?,
            Some(Endpoint::Files(path)) if project.is_none() => return Err(no_tree(path)),
            Some(Endpoint::Dump(place)) => ensure_there(place)?,
            Some(Endpoint::Postgres(_) | Endpoint::Files(_)) | None => {}
        }
        let (target, tree, database) = match target {
            None => (None, None, None),
            Some(Endpoint::Sqlite(path)) => (Some(path), None, None),
            Some(Endpoint::Files(path)) => (None, Some(path), None),
            Some(Endpoint::Postgres(url)) => (None, None, Some(url)),
            Some(Endpoint::Dump(place)) => return Err(no_target(&place)),
        };
        let from_project = project.as_ref();
        let is_used = |origin: &&Origin| match origin.key {
            "source.url" => source.is_none(),
            "target.path" => target.is_none() && tree.is_none() && database.is_none(),
            "source.schema" => false,
            _ => true,
        };
        let origins: Vec<Origin> =
            from_project.iter().flat_map(|project| &project.origins).filter(is_used).cloned().collect();
        let source = source.or_else(|| from_project.and_then(|project| project.source.clone()));
        let of_project =
            || from_project.and_then(|project| project.target.clone()).filter(|_| tree.is_none() && database.is_none());
        let target = target.or_else(of_project);
        // A project that names a variable of its own means no other one.
        let is_named = from_project.is_some_and(|project| project.unset_variable("source.url").is_some());
        let source = match (source, of_environment().filter(|_| !is_named)) {
            (Some(source), _) => source,
            (None, Some(url)) => Endpoint::Postgres(PostgresUrl::parse(&url).map_err(|error| {
                let told = Error::usage("read the source", SOURCE_VARIABLE, error.cause());
                told.hint(error.way_out().unwrap_or("write `postgres://user@host/database`"))
            })?),
            (None, None) => {
                let hint = match from_project {
                    Some(_) if is_named => set(from_project, "source.url", "name it after the project"),
                    Some(project) if project.layout().is_some() => {
                        set(from_project, "source.url", "name the tree of files, or another source, after the project")
                    }
                    Some(_) => {
                        format!("{}, or DATABASE_URL", set(from_project, "source.url", "name it after the project"))
                    }
                    None => {
                        "name it, as in `postgres://user@host/database` or `app.db`, or set DATABASE_URL".to_owned()
                    }
                };
                return Err(Error::usage("read the arguments", "", "no source is given").hint(hint));
            }
        };
        Ok(Route { project, source, target, tree, database, origins })
    }

    /// The target.
    ///
    /// # Errors
    /// When none is given, or it is no file.
    pub fn require_target(&self) -> Result<&Path> {
        if let Some(url) = &self.database {
            return Err(Error::usage("use target", format!("`{url}`"), "the target has to be a SQLite file or a tree")
                .hint("the source comes first: `whimbrel migrate postgres://user@host/app app.db`"));
        }
        self.target.as_deref().ok_or_else(|| {
            Error::usage("read the arguments", "", "no target is given").hint(match &self.project {
                Some(project) => set(Some(project), "target.path", "name it after the project"),
                None => "name a file after the source, as in `app.db`; or set DATABASE_URL, which is then the source of that file".to_owned(),
            })
        })
    }

    /// The project's choices, if there is one, and what was typed besides.
    ///
    /// # Errors
    /// When a rule is given twice.
    pub fn choices(&self, typed: &Choosing) -> Result<Choices> {
        let mut choices = self.options().run.choices;
        choices.tables.include.extend(typed.table.iter().cloned());
        choices.tables.exclude.extend(typed.exclude_table.iter().cloned());
        for (key, rule) in &typed.rule {
            // A type has no point in its name outside parentheses; `table.column` has one.
            let rules = match key.split('(').next().unwrap_or(key).contains('.') {
                true => &mut choices.rules.columns,
                false => &mut choices.rules.types,
            };
            rules.insert(key.clone(), *rule);
        }
        choices.sqlite_version = typed.sqlite_version.unwrap_or(choices.sqlite_version);
        choices.only.extend(typed.only.iter().cloned());
        choices.answers.extend(typed.answering.workspace.iter().cloned());
        let of_trees = [("`--only`", !typed.only.is_empty()), ("`--workspace`", !typed.answering.workspace.is_empty())];
        if let Some((option, _)) = of_trees.iter().find(|(_, typed)| *typed)
            && !matches!(self.source, Endpoint::Files(_))
        {
            return Err(Error::usage("use the option", option, "the source is no tree of files"));
        }
        Ok(choices)
    }

    /// What the plan says of choices, in the words of the options that were typed.
    pub fn in_typed_words(&self, plan: &mut Plan, typed: &Choosing) {
        for refusal in &mut plan.refusals {
            if let Refusal::UnusedChoice { choice, typed: is_typed, key, .. } = refusal {
                *is_typed = typed.has(*choice, key);
            }
        }
        if typed.table.is_empty() {
            return;
        }
        let mut excluded = typed.exclude_table.clone();
        for tables in self.project.iter().map(|project| &project.options.run.choices.tables) {
            excluded.extend(tables.exclude.iter().chain(&tables.exclude_objects).cloned());
        }
        let is_chosen_from = |kind: ObjectKind| matches!(kind, ObjectKind::Table | ObjectKind::View);
        let is_excluded = |loss: &&mut Loss| is_chosen_from(loss.kind) && loss.reason == Reason::Excluded;
        for loss in plan.losses.iter_mut().filter(is_excluded) {
            let (schema, name) = loss.object.split_once('.').unwrap_or(("", &loss.object));
            let name = QualifiedName { schema: schema.to_owned(), name: name.to_owned() };
            if !excluded.iter().any(|pattern| names_table(pattern, &name)) {
                loss.reason = Reason::NotChosen;
            }
        }
    }

    /// The project's options, or the defaults.
    fn options(&self) -> MigrationOptions {
        self.project.as_ref().map_or_else(MigrationOptions::default, |project| project.options.clone())
    }

    /// The migration that was asked for.
    ///
    /// # Errors
    /// When an option is out of its range.
    pub fn migration(&self, choosing: &Choosing, writing: &Writing) -> Result<Migration> {
        let mut migration = Migration::from_endpoint(self.source.clone());
        if let Some(project) = &self.project {
            migration = migration.with_project(project);
        }
        if let Some(target) = &self.target {
            migration = migration.to(target);
        }
        let mut options = self.options();
        options.run.choices = self.choices(choosing)?;
        writing.apply(&mut options)?;
        Ok(migration.options(options))
    }
}

/// The variable of the environment that names the source where neither the arguments nor a project do.
const SOURCE_VARIABLE: &str = "DATABASE_URL";

fn of_environment() -> Option<String> {
    std::env::var(SOURCE_VARIABLE).ok().filter(|url| !url.is_empty())
}

/// What to do where a key of a project has no value: set it or its variable, or do something else.
pub(super) fn set(project: Option<&Project>, key: &str, otherwise: &str) -> String {
    match project.and_then(|project| project.unset_variable(key)) {
        Some(variable) => format!("{otherwise}, or set the variable `{variable}`, which `{key}` of the project names"),
        None => format!("{otherwise}, or set `{key}` in its `project.toml`"),
    }
}

/// Why a path at which there is nothing cannot be a source; one that most likely means a project says so.
fn no_source(path: &Path) -> Error {
    if let Err(error) = refuse_project_file(path) {
        return error;
    }
    let shown = path.to_string_lossy();
    if let Some(choice) = ["?database=", "?schema="].into_iter().find(|choice| shown.contains(choice)) {
        return Error::usage("use source", quoted(path), "there is no such file or folder")
            .hint(format!("a dump with a choice behind it is named with a word in front: `dump:FILE{choice}…`"));
    }
    Error::usage("use source", quoted(path), "it is no PostgreSQL database, and there is no such file or folder").hint(
        "the source is `postgres://user@host/database`, a SQLite file or a dump; a folder with a `project.toml` comes first",
    )
}

/// Looks whether a dump is there, before anything else is.
fn ensure_there(place: &DumpPlace) -> Result<()> {
    match [&place.path, &place.schema].into_iter().flatten().find(|path| !path.exists()) {
        Some(path) => Err(Error::usage("use source", quoted(path), "there is no such file or folder")),
        None => Ok(()),
    }
}

/// Why a dump is no target.
fn no_target(place: &DumpPlace) -> Error {
    Error::usage("use target", format!("`{place}`"), "it is a dump, and no dump is written")
        .hint("the target is a SQLite file or a tree; another name makes a new file, as in `app.db`")
}

/// Why a tree cannot be a source without a project.
fn no_tree(path: &Path) -> Error {
    Error::usage("use source", quoted(path), "it is a tree of files, and no project says what they mean")
        .hint("name the project before it; a project is a folder with a file `project.toml`")
}

/// A project is named by its folder.
pub(super) fn refuse_project_file(path: &Path) -> Result<()> {
    if path.file_name().is_none_or(|name| name != project::FILE_NAME) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Err(Error::usage("use project", quoted(path), "a project is named by its folder")
        .hint(format!("name the folder {}", quoted(folder))))
}

/// A finished file or tree, and the project that names it if there is one.
pub struct Place {
    /// The project.
    pub project: Option<Project>,
    /// The file.
    pub target: PathBuf,
    /// Whether it was named as a tree.
    pub is_tree: bool,
}

impl Place {
    /// Reads `TARGET` or `PROJECT`.
    ///
    /// # Errors
    /// When it is a PostgreSQL database, or a project without a target.
    pub fn new(word: &OsStr) -> Result<Place> {
        if is_project(word) {
            let project = Project::load(Path::new(word))?;
            let target = project.target.clone().ok_or_else(|| {
                Error::usage("use project", quoted(&project.folder), "it names no target").hint(set(
                    Some(&project),
                    "target.path",
                    "give the file itself",
                ))
            })?;
            return Ok(Place { project: Some(project), target, is_tree: false });
        }
        match Endpoint::parse_word(word)? {
            Endpoint::Sqlite(target) => {
                refuse_project_file(&target)?;
                Ok(Place { project: None, target, is_tree: false })
            }
            Endpoint::Postgres(url) => {
                Err(Error::usage("use target", format!("`{url}`"), "this verb works on a SQLite file"))
            }
            Endpoint::Files(target) => Ok(Place { project: None, target, is_tree: true }),
            Endpoint::Dump(place) => Err(Error::usage(
                "use target",
                format!("`{place}`"),
                "it is a dump, and this verb works on a SQLite file",
            )),
        }
    }

    /// Reads `PROJECT TARGET` for a target that is a file; `None` where it is a tree, or where no project is named.
    ///
    /// # Errors
    /// When there is no such file or tree, or it is a PostgreSQL database.
    pub fn of_project(words: &[OsString]) -> Result<Option<Place>> {
        let [project, target] = words else { return Ok(None) };
        if !is_project(project) {
            return Ok(None);
        }
        match Endpoint::parse_word(target)? {
            Endpoint::Files(tree) if tree.is_dir() => Ok(None),
            Endpoint::Sqlite(target) if target.exists() => {
                Ok(Some(Place { project: Some(Project::load(Path::new(project))?), target, is_tree: false }))
            }
            Endpoint::Files(path) | Endpoint::Sqlite(path) => {
                Err(Error::usage("use target", quoted(&path), "there is no such file or folder"))
            }
            Endpoint::Dump(place) => Err(no_target(&place)),
            Endpoint::Postgres(url) => Err(Error::usage(
                "use target",
                format!("`{url}`"),
                "this verb works on a SQLite file or a tree of files",
            )),
        }
    }

    /// The same for a verb that works on files only.
    ///
    /// # Errors
    /// When it is a tree.
    pub fn file(word: &OsStr) -> Result<Place> {
        let place = Place::new(word)?;
        match place.is_tree {
            false => Ok(place),
            true => Err(Error::usage("use target", quoted(&place.target), "it is a folder without a `project.toml`")
                .hint("this verb works on a SQLite file, or on a project that names one; a tree of files needs its project before it")),
        }
    }

    /// Where backups are: as typed, else as the project says.
    pub fn backups(&self, typed: Option<PathBuf>) -> Option<PathBuf> {
        typed.or_else(|| self.project.as_ref().and_then(|project| project.options.backups.clone()))
    }
}

/// A folder with a project's file is a project; a URL is none, whatever lies in the working directory.
pub(super) fn is_project(word: &OsStr) -> bool {
    !word.to_string_lossy().contains("://") && Path::new(word).join(project::FILE_NAME).is_file()
}
