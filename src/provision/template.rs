//! Databases that are built once and copied for each test.
//!
//! A template is found by the content that it was built from, by every thread and process that uses the server.
//!
//! Invariants:
//! - It is built under a lock of the server's, so once; the lock ends with the process that holds it.
//! - It gets its name by the last step of a build that succeeded, so there is never half a template under it.
//! - Nobody can connect to it, so a copy waits for nobody.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::database::{Database, owned_by};
use super::server::Running;
use crate::error::{Context, Error, Result};

/// What a template is built from: the names and the content of files, and anything else that decides what is in it.
///
/// ```no_run
/// use whimbrel::provision::{TemplateKey, template};
///
/// let key = TemplateKey::of_files(["migrations/app/source"])?.and("seed 7");
/// let source = template(&key, |url| {
///     // … fill the database at `url` …
///     Ok(())
/// })?;
/// let database = source.create("app")?;
/// # Ok::<(), whimbrel::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct TemplateKey(Xxh3);

impl std::fmt::Debug for TemplateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TemplateKey({})", self.digest())
    }
}

impl TemplateKey {
    /// The key of nothing, to add to.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key of files, and of folders with everything in them, by their names below what is given and their content.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read.
    pub fn of_files<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut key = Self::new();
        for path in paths {
            let path = path.as_ref();
            let mut files = Vec::new();
            collect(path, &mut files)?;
            files.sort();
            for file in files {
                let content = std::fs::read(&file).could_not("read", format!("`{}`", file.display()))?;
                let name = file.strip_prefix(path).unwrap_or(&file);
                key.add(name.as_os_str().as_encoded_bytes());
                key.add(&content);
            }
            key.add(b"end");
        }
        Ok(key)
    }

    /// The same, and this text too.
    #[must_use]
    pub fn and(mut self, text: &str) -> Self {
        self.add(text.as_bytes());
        self
    }

    // With its length, so that `ab` and `c` differ from `a` and `bc`.
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn digest(&self) -> String {
        format!("{:032x}", self.0.digest128())
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let object = format!("`{}`", path.display());
    if !std::fs::metadata(path).could_not("read", &object)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).could_not("read", &object)? {
        collect(&entry.could_not("read", &object)?.path(), files)?;
    }
    Ok(())
}

/// A database to make copies of. It lasts as long as the server, or as the run of tests on somebody else's server.
#[derive(Debug, Clone)]
pub struct Template {
    server: Arc<Running>,
    name: String,
}

impl Template {
    pub(super) fn find_or_build(
        server: &Arc<Running>,
        key: &TemplateKey,
        build: impl FnOnce(&str) -> Result<()>,
    ) -> Result<Self> {
        // Another run on the same server has its own: who drops it is another one's business, too.
        let keeper = server.keeper();
        let run = xxh3_64(keeper.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
        let name = format!("whimbrel_template_{}_{:08x}", &key.digest()[..24], run >> 32);
        let template = Template { server: Arc::clone(server), name };
        if template.exists()? {
            return Ok(template);
        }
        let (operation, object) = ("build the template", format!("`{}`", template.name));
        // Of a connection of its own, so that it ends with this function, or with this process.
        let session = server.pool.connection();
        let lock = format!("SELECT pg_advisory_lock({})", xxh3_64(template.name.as_bytes()).cast_signed());
        session.run(vec![lock], operation, &object)?;
        if template.exists()? {
            return Ok(template);
        }
        let database = Database::create(server, "build", None)?;
        build(&database.url())?;
        server.guard(&template.name, true)?;
        let mut statements = vec![
            format!("ALTER DATABASE \"{}\" ALLOW_CONNECTIONS false", database.name()),
            // A pool that the builder has not closed would be in the way of the new name.
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", database.name()),
        ];
        statements.extend(owned_by(database.name(), keeper));
        session.run(statements, operation, &object)?;
        template.take_name_of(&database, &session)?;
        Ok(template)
    }

    fn exists(&self) -> Result<bool> {
        let query = format!("SELECT 1 FROM pg_database WHERE datname = '{}'", self.name);
        Ok(!self.server.pool.run(vec![query], "look for the template", &format!("`{}`", self.name))?.is_empty())
    }

    fn take_name_of(&self, database: &Database, session: &super::client::Worker) -> Result<()> {
        let rename = format!("ALTER DATABASE \"{}\" RENAME TO \"{}\"", database.name(), self.name);
        let mut attempts = 0;
        loop {
            match session.run(vec![rename.clone()], "build the template", &format!("`{}`", self.name)) {
                Ok(_) => return Ok(()),
                Err(error) if attempts == 40 => return Err(error),
                // A connection that was told to end takes a moment.
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
            attempts += 1;
        }
    }

    /// The name of the template's database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new copy, named `whimbrel_<name_prefix>_<random>`. Its drop does not wait for the server.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn create(&self, name_prefix: &str) -> Result<Database> {
        Database::create(&self.server, name_prefix, Some(&self.name))
            .map(Database::dropped_later)
            .map_err(|error| Error::could_not(error.operation(), error.object(), error.cause()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_changes_with_names_and_content_and_not_with_the_place_of_the_folder() {
        let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        for folder in &folders {
            std::fs::create_dir(folder.path().join("below")).expect("a folder");
            std::fs::write(folder.path().join("below/1.sql"), "SELECT 1").expect("a file");
        }
        let digest = |at: usize| TemplateKey::of_files([folders[at].path()]).expect("a key").digest();
        assert_eq!(digest(0), digest(1));
        std::fs::write(folders[1].path().join("below/1.sql"), "SELECT 2").expect("a file");
        assert_ne!(digest(0), digest(1));
        std::fs::write(folders[1].path().join("below/1.sql"), "SELECT 1").expect("a file");
        std::fs::rename(folders[1].path().join("below/1.sql"), folders[1].path().join("below/2.sql")).expect("a name");
        assert_ne!(digest(0), digest(1));
        assert_ne!(TemplateKey::new().and("ab").and("c").digest(), TemplateKey::new().and("a").and("bc").digest());
        let error = TemplateKey::of_files([folders[0].path().join("nowhere")]).expect_err("no file");
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
