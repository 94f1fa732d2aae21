//! Which server is used: the variables that choose one, and what is said where there is none.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU32;

use super::footing::Footing;
use super::server::Running;
use super::storage::Storage;
use super::{container, discovery, engine, install_hint};
use crate::error::{Error, Result};
use crate::redact;

const KEEP_SECONDS: &str = "WHIMBREL_POSTGRES_KEEP_SECONDS";

/// A day: whoever wants a server for longer starts one.
const KEEP_SECONDS_MAX: u32 = 24 * 60 * 60;

fn keep_seconds(text: &str) -> Result<NonZeroU32> {
    text.parse().ok().filter(|seconds: &NonZeroU32| seconds.get() <= KEEP_SECONDS_MAX).ok_or_else(|| {
        let cause = format!("`{text}` is no number of seconds from 1 to {KEEP_SECONDS_MAX}");
        Error::usage("read", KEEP_SECONDS, cause).hint("set it to 25, or unset it")
    })
}

/// What decides which server is used. [`ServerOptions::from_environment`] is what everybody but a test of this module wants.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// The URL of a server that somebody else runs (`WHIMBREL_POSTGRES`).
    pub url: Option<String>,
    /// The only footing to try (`WHIMBREL_PROVISION`).
    pub footing: Option<Footing>,
    /// The container image (`WHIMBREL_POSTGRES_IMAGE`).
    pub image: String,
    /// Where a private server keeps its data (`WHIMBREL_POSTGRES_STORAGE`); the machine decides where nobody says.
    pub storage: Option<Storage>,
    /// For how many seconds nobody may use a server before it is removed, where the run's own end cannot be seen
    /// (`WHIMBREL_POSTGRES_KEEP_SECONDS`); half a minute where nobody says.
    pub keep_seconds: Option<NonZeroU32>,
    /// Where programs are looked for (`PATH`).
    pub path: Option<OsString>,
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServerOptions { url, footing, image, storage, keep_seconds, path } = self;
        f.debug_struct("ServerOptions")
            .field("url", &url.as_deref().map(redact::url))
            .field("footing", footing)
            .field("image", image)
            .field("storage", storage)
            .field("keep_seconds", keep_seconds)
            .field("path", path)
            .finish()
    }
}

impl ServerOptions {
    /// Reads the variables; an empty one counts as missing.
    ///
    /// # Errors
    ///
    /// When `WHIMBREL_PROVISION` or `WHIMBREL_POSTGRES_STORAGE` is none of its words, or
    /// `WHIMBREL_POSTGRES_KEEP_SECONDS` no number of seconds.
    pub fn from_environment() -> Result<Self> {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let footing = match text("WHIMBREL_PROVISION") {
            None => None,
            Some(word) => Some(Footing::ALL.into_iter().find(|footing| footing.name() == word).ok_or_else(|| {
                Error::usage("read", "WHIMBREL_PROVISION", format!("`{word}` is not a footing"))
                    .hint("set it to `url`, `container` or `local`, or unset it")
            })?),
        };
        Ok(ServerOptions {
            url: text("WHIMBREL_POSTGRES"),
            footing,
            image: text("WHIMBREL_POSTGRES_IMAGE").unwrap_or_else(|| container::DEFAULT_IMAGE.to_owned()),
            storage: text("WHIMBREL_POSTGRES_STORAGE").map(|word| Storage::parse(&word)).transpose()?,
            keep_seconds: text(KEEP_SECONDS).map(|text| keep_seconds(&text)).transpose()?,
            path: std::env::var_os("PATH"),
        })
    }

    /// The same, for tests in CI: where `ci` (the variable `CI`) says that this is one, a server that happens to be
    /// there must not decide what is tested.
    pub(super) fn chosen_in_ci(self, ci: Option<&str>) -> Result<Self> {
        let is_ci = !matches!(ci.unwrap_or_default(), "" | "0" | "false");
        if is_ci && self.footing.is_none() && self.url.is_none() {
            let cause = "CI is set, and neither WHIMBREL_PROVISION nor WHIMBREL_POSTGRES says which one the tests use";
            return Err(Error::usage("choose a PostgreSQL server", "", cause)
                .hint("set WHIMBREL_PROVISION to `container`, `local`, or `url` with the URL in WHIMBREL_POSTGRES"));
        }
        Ok(self)
    }

    pub(super) fn start(&self) -> Result<Running> {
        match self.footing {
            None => self.start_any(),
            Some(Footing::Url) => self.start_url(),
            Some(Footing::Container) => self.start_container(),
            Some(Footing::Local) => self.start_local(),
        }
    }

    fn start_url(&self) -> Result<Running> {
        let url = self.url.as_deref().ok_or_else(|| {
            Error::usage("use the footing", "`url`", "WHIMBREL_POSTGRES is not set")
                .hint("set it to `postgres://user:password@host:5432/database`")
        })?;
        Running::at_url(url, self.path.as_deref())
    }

    fn start_container(&self) -> Result<Running> {
        engine::version().map_err(|cause| {
            Error::could_not("reach", "a Docker engine", cause)
                .hint("start one (`systemctl start docker`, or Docker Desktop), with the `docker` program on PATH; where `docker context ls` shows another address, set DOCKER_HOST to it")
        })?;
        Running::in_container(&self.image, Storage::container_bytes(self.storage)?)
    }

    fn start_local(&self) -> Result<Running> {
        let binaries = discovery::server_binaries(self.path.as_deref()).ok_or_else(|| {
            let cause = format!("no directory with initdb, pg_ctl and postgres {}", discovery::SEARCHED);
            Error::could_not("find", "PostgreSQL's server binaries", cause).hint(install_hint::for_this_system())
        })?;
        Running::from_binaries(&binaries, &Storage::local_folder(self.storage)?)
    }

    /// Tries the footings in their order. A URL is somebody's explicit wish, so its failure is final; an engine
    /// that cannot run the image is told in the description, and the local binaries are used instead.
    fn start_any(&self) -> Result<Running> {
        self.search()?.map_err(|no_container| nothing_found(&no_container))
    }

    /// As [`ServerOptions::start`]; `None` where there is none of the three footings, and none is asked for by name.
    pub(super) fn find(&self) -> Result<Option<Running>> {
        match self.footing {
            None => self.search().map(std::result::Result::ok),
            Some(_) => self.start().map(Some),
        }
    }

    /// A server on the first footing that is there; else why there is no container.
    fn search(&self) -> Result<std::result::Result<Running, String>> {
        if self.url.is_some() {
            return self.start_url().map(Ok);
        }
        let (no_container, note) = match engine::version() {
            Ok(_) => match Running::in_container(&self.image, Storage::container_bytes(self.storage)?) {
                Ok(running) => return Ok(Ok(running)),
                Err(error) => (
                    format!("a Docker engine answers but could not {error}"),
                    format!(" (a Docker engine answers but could not {} {})", error.operation(), error.object()),
                ),
            },
            Err(cause) => (format!("no Docker engine answers ({cause})"), String::new()),
        };
        let Some(binaries) = discovery::server_binaries(self.path.as_deref()) else {
            return Ok(Err(no_container));
        };
        let mut running = Running::from_binaries(&binaries, &Storage::local_folder(self.storage)?)?;
        running.place.description.push_str(&note);
        Ok(Ok(running))
    }
}

/// The error of a machine with none of the three footings.
fn nothing_found(no_container: &str) -> Error {
    let searched = discovery::SEARCHED;
    let cause = format!("WHIMBREL_POSTGRES is not set, {no_container}, and there are no server binaries {searched}");
    Error::could_not("find a PostgreSQL server", "", cause).hint(install_hint::for_this_system())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_ci_a_missing_choice_is_an_error_that_names_the_variables() {
        let none = ServerOptions {
            url: None,
            footing: None,
            image: String::new(),
            storage: None,
            keep_seconds: None,
            path: None,
        };
        for ci in [None, Some(""), Some("0"), Some("false")] {
            assert!(none.clone().chosen_in_ci(ci).is_ok(), "{ci:?}");
        }
        let error = none.clone().chosen_in_ci(Some("true")).expect_err("nothing is chosen");
        let told = format!("{error}; {}", error.way_out().unwrap_or_default());
        for word in ["WHIMBREL_PROVISION", "WHIMBREL_POSTGRES", "`url`", "`container`", "`local`"] {
            assert!(told.contains(word), "{told}");
        }
        assert!(ServerOptions { footing: Some(Footing::Local), ..none.clone() }.chosen_in_ci(Some("1")).is_ok());
        assert!(ServerOptions { url: Some("postgres://h".to_owned()), ..none }.chosen_in_ci(Some("1")).is_ok());
    }

    #[test]
    fn a_machine_without_any_footing_is_told_what_is_missing_and_what_to_do() {
        let error = nothing_found("no Docker engine answers (no socket at /var/run/docker.sock)");
        let told = error.to_string();
        assert!(told.starts_with("find a PostgreSQL server: WHIMBREL_POSTGRES is not set, no Docker engine"), "{told}");
        assert!(told.contains("/usr/lib/postgresql"), "{told}");
        assert!(error.way_out().is_some_and(|hint| hint.contains("install") && hint.contains("Docker")), "{error:?}");
    }

    #[test]
    fn a_server_is_kept_for_a_second_to_a_day() {
        assert_eq!(keep_seconds("90").unwrap().get(), 90);
        for wrong in ["0", "-1", "soon", "1.5", "86401", "4294967296"] {
            let error = keep_seconds(wrong).unwrap_err();
            assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
            assert!(error.to_string().contains(KEEP_SECONDS), "{error}");
        }
    }
}
