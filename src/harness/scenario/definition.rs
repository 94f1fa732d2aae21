//! What a scenario is: what is migrated, and how many cases of it.

use crate::error::{Error, Result};
use crate::harness::Seed;
use crate::project::{FILE_NAME, Project};
use crate::quote::shell;
use std::path::{Path, PathBuf};

/// Where kept cases are, in the working directory.
const REGRESSIONS: &str = "fixtures/regressions";

/// How many cases a scenario has, if nobody says.
pub const CASES_DEFAULT: u32 = 64;
/// How many rows a case can ask for in all tables together.
pub const ROWS_MAX: u64 = 1_000_000;

/// How many rows a case asks for in all tables together, if nobody says.
pub const ROWS_DEFAULT: u64 = 200;
/// The share of values that are drawn from the awkward ones. It is part of what a seed means.
pub(super) const AWKWARD_SHARE: f64 = 0.4;

/// Many cases of one migration. Nothing is opened before it runs.
#[derive(Debug, Clone)]
#[must_use = "a scenario does nothing until it is run"]
pub struct Scenario {
    pub(super) subject: Subject,
    pub(super) name: String,
    pub(super) cases: u32,
    pub(super) rows: u64,
    pub(super) seed: Seed,
    pub(super) regressions: PathBuf,
    /// Where earlier versions kept cases under the name alone; nothing where somebody said where they are.
    pub(super) earlier_regressions: Option<PathBuf>,
    /// Whether somebody said where they are.
    pub(super) regressions_chosen: bool,
    pub(super) replay: Option<String>,
    /// Whether rows in a server are migrated although the project has a layout.
    pub(super) in_server: bool,
    /// What the program is given for the subject, as a shell takes it.
    pub(super) argument: String,
}

/// What is migrated.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    Project(Box<Project>),
    Source(PathBuf),
    RandomSchemas,
}

impl Scenario {
    /// The migration that a project's folder describes. Its source is created from `source/` on PostgreSQL; where it has a
    /// layout instead, each case is a tree of files. A project with neither gets a twin: rows are generated into its target schema, under its own checks and triggers,
    /// and copied into a PostgreSQL database with the same tables, which is then migrated.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn project(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let project = Project::load(folder)?;
        if project.source_schema.is_none() && project.target_schema.is_none() && project.layout().is_none() {
            return Err(Error::usage("test the project", format!("`{}`", folder.display()), "it has no schema")
                .hint("put the source's schema into `source/`, or the target's into `target/`"));
        }
        let name = project.name.clone();
        Ok(Self::new(Subject::Project(Box::new(project)), name, shell(folder)).of(folder))
    }

    /// A PostgreSQL schema alone, as a file of SQL or a folder of them; the target is derived from it.
    ///
    /// # Errors
    /// When there is no such file or folder.
    pub fn source(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.exists() {
            return Err(Error::usage("test the schema", format!("`{}`", path.display()), "there is no such file"));
        }
        let name = path.file_stem().map_or_else(|| "schema".to_owned(), |name| name.to_string_lossy().into_owned());
        Ok(Self::new(Subject::Source(path.to_owned()), name, shell(path)).of(path))
    }

    /// What a path says: a project where it is a folder with `project.toml`, else a PostgreSQL schema.
    ///
    /// # Errors
    /// As [`Scenario::project`] and [`Scenario::source`].
    pub fn of_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match path.is_dir() && (path.join(FILE_NAME).exists() || !has_sql(path)) {
            true => Self::project(path),
            false => Self::source(path),
        }
    }

    /// A schema of its own for each case: random tables, keys and types.
    pub fn random_schemas() -> Self {
        Self::new(Subject::RandomSchemas, "random_schemas".to_owned(), "--random-schemas".to_owned())
    }

    fn new(subject: Subject, name: String, argument: String) -> Self {
        Scenario {
            subject,
            regressions: Path::new(REGRESSIONS).join(folder_name(&name)),
            regressions_chosen: false,
            name,
            cases: CASES_DEFAULT,
            rows: ROWS_DEFAULT,
            seed: Seed(0),
            earlier_regressions: None,
            replay: None,
            in_server: false,
            argument,
        }
    }

    /// Gives the cases of `path` a folder of their own: another project may have the same name.
    fn of(mut self, path: &Path) -> Self {
        let own = format!("{}-{}", folder_name(&self.name), path_digest(path));
        self.earlier_regressions = Some(std::mem::replace(&mut self.regressions, Path::new(REGRESSIONS).join(own)));
        self
    }

    /// Rows in a PostgreSQL server instead of trees of files, for a project with a layout: for what of its target no file fills.
    pub fn in_server(mut self) -> Self {
        self.in_server = true;
        self
    }

    /// How many cases run, kept ones not counted.
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// How many rows each case asks for, in all tables together; at most [`ROWS_MAX`].
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = rows;
        self
    }

    /// The seed of the first case; those of the others follow from it.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// Where shrunk cases are kept and looked for; if nobody says, `fixtures/regressions/<name>-<digest>` in the working
    /// directory, by the path from there, and for those of earlier versions also without the digest.
    pub fn regressions(mut self, folder: impl Into<PathBuf>) -> Self {
        self.regressions = folder.into();
        self.regressions_chosen = true;
        self.earlier_regressions = None;
        self
    }

    /// The command that a failure names to run its case again; `{seed}` and `{rows}` in it are replaced.
    pub fn replay_with(mut self, command: impl Into<String>) -> Self {
        self.replay = Some(command.into());
        self
    }

    /// The project whose source is a tree of files, and its layout.
    pub(super) fn of_files(&self) -> Option<(&Project, PathBuf)> {
        match &self.subject {
            Subject::Project(project) if project.source_schema.is_none() && !self.in_server => {
                Some((project, project.layout()?))
            }
            Subject::Project(_) | Subject::Source(_) | Subject::RandomSchemas => None,
        }
    }

    /// The command that runs one case again, or as many as there are from that seed on.
    pub(super) fn replay_command(&self, seed: Seed, cases: u32) -> String {
        let rows = self.rows;
        if let Some(replay) = &self.replay {
            return replay.replace("{seed}", &seed.to_string()).replace("{rows}", &rows.to_string());
        }
        let mut command = format!("whimbrel test {} --seed {seed} --cases {cases} --rows {rows}", self.argument);
        if self.regressions_chosen {
            // Else the command would keep its cases in another place than the run that it repeats.
            command.push_str(&format!(" --regressions {}", shell(&self.regressions)));
        }
        command
    }
}

/// A short digest of where a project is, as seen from the working directory: the same in every checkout.
fn path_digest(path: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let path = whole(path);
    let seen = path.strip_prefix(whole(Path::new("."))).unwrap_or(&path);
    let digest = xxhash_rust::xxh3::xxh3_64(seen.as_os_str().as_encoded_bytes());
    format!("{digest:016x}")[..8].to_owned()
}

/// A name as that of one folder: nothing in it leads elsewhere.
fn folder_name(name: &str) -> String {
    let safe = |letter: char| if letter.is_alphanumeric() || "-_ ".contains(letter) { letter } else { '_' };
    name.chars().map(safe).collect()
}

fn has_sql(folder: &Path) -> bool {
    let Ok(mut entries) = std::fs::read_dir(folder) else { return false };
    entries.any(|entry| entry.is_ok_and(|entry| entry.path().extension().is_some_and(|name| name == "sql")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_run_again_by_one_command() {
        let scenario = Scenario::random_schemas().rows(50);
        assert_eq!(scenario.replay_command(Seed(7), 1), "whimbrel test --random-schemas --seed 7 --cases 1 --rows 50");
        let kept = scenario.clone().regressions("my cases").replay_command(Seed(7), 1);
        assert!(kept.ends_with(" --rows 50 --regressions 'my cases'"), "{kept}");
        let other = scenario.replay_with("SEED={seed} cargo test --test migration");
        assert_eq!(other.replay_command(Seed(7), 1), "SEED=7 cargo test --test migration");
    }

    #[test]
    fn two_projects_of_one_name_keep_their_cases_apart_and_find_the_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let of = |place: &str| {
            let path = folder.path().join(place);
            std::fs::create_dir_all(path.join("target")).unwrap();
            std::fs::write(path.join(FILE_NAME), "name = 'app'\n[target]\nschema = 'target'\n").unwrap();
            Scenario::of_path(path).unwrap()
        };
        let (one, other) = (of("one/app"), of("other/app"));
        assert_ne!(one.regressions, other.regressions);
        let name = one.regressions.file_name().unwrap().to_str().unwrap();
        assert!(one.regressions.starts_with(REGRESSIONS) && name.starts_with("app-") && name.len() == 12, "{name}");
        // However it is named, and in every checkout.
        assert_eq!(of("one/../one/app").regressions, one.regressions);
        assert_eq!(path_digest(Path::new("src")), path_digest(&Path::new("src").canonicalize().unwrap()));
        assert_eq!(path_digest(Path::new("src")), "83093789");
        assert_eq!(one.earlier_regressions.as_deref(), Some(Path::new("fixtures/regressions/app")));
        assert_eq!(one.regressions("kept").earlier_regressions, None);
        assert_eq!(Scenario::random_schemas().regressions, Path::new("fixtures/regressions/random_schemas"));
    }

    #[test]
    fn a_path_is_a_project_or_a_schema() {
        let folder = tempfile::tempdir().unwrap();
        let error = Scenario::of_path(folder.path()).unwrap_err();
        assert!(error.to_string().contains("project.toml"), "{error}");
        std::fs::write(folder.path().join("schema.sql"), "CREATE TABLE a (b int)").unwrap();
        assert!(matches!(Scenario::of_path(folder.path()).unwrap().subject, Subject::Source(_)));
        std::fs::write(folder.path().join(FILE_NAME), "name = 'app'").unwrap();
        let error = Scenario::of_path(folder.path()).unwrap_err();
        assert!(error.to_string().contains("it has no schema"), "{error}");
        std::fs::create_dir(folder.path().join("target")).unwrap();
        let project = "name = 'app'\n[target]\nschema = 'target'\n";
        std::fs::write(folder.path().join(FILE_NAME), project).unwrap();
        assert_eq!(Scenario::of_path(folder.path()).unwrap().name, "app");
        assert!(Scenario::of_path(folder.path().join("none.sql")).is_err());
    }
}
