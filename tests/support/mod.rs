//! What tests share. Each binary takes it in whole and uses its part.
#![allow(dead_code)]

pub mod older_sqlite;

pub mod files;
pub mod memory;
pub mod program;
pub mod runner;
pub mod scratch;
pub mod turn;
pub mod whole_run;

use std::ffi::OsStr;
use std::process::Command;

/// This test binary again, to run one ignored test (`module::name`) as another process.
pub fn child(test: &str) -> Command {
    child_of(std::env::current_exe().expect("this program"), test)
}

/// As [`child`], from a copy of the binary.
pub fn child_of(binary: impl AsRef<OsStr>, test: &str) -> Command {
    let mut command = Command::new(binary);
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command
}
