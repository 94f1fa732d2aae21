//! What a server stands on.

use std::fmt;

/// What a provisioned server stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing {
    /// The server whose URL is in `WHIMBREL_POSTGRES`; somebody else runs it.
    Url,
    /// A container on a Docker engine.
    Container,
    /// Server binaries of this machine.
    Local,
}

impl Footing {
    /// Every footing, in the order in which they are tried.
    pub const ALL: [Footing; 3] = [Footing::Url, Footing::Container, Footing::Local];

    /// The word for it in `WHIMBREL_PROVISION`.
    pub fn name(self) -> &'static str {
        match self {
            Footing::Url => "url",
            Footing::Container => "container",
            Footing::Local => "local",
        }
    }
}

impl fmt::Display for Footing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
