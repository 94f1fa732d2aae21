//! Where a setting of a project is from.

use serde::{Deserialize, Serialize};

/// A setting of the project that names a variable of the environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingFrom {
    /// The key in `project.toml`, as in `target.path`.
    pub key: String,
    /// The variable's name.
    pub variable: String,
    /// What the value is from: `environment`, `default` or `nothing`.
    pub from: String,
}
