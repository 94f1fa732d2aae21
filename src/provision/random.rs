//! Random words for names and passwords.

use std::io::Read;

use crate::error::{Error, Result};

/// Random bytes of the system, as twice as many hexadecimal digits.
pub(super) fn random_hex(byte_count: usize) -> Result<String> {
    let mut bytes = vec![0; byte_count];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Error::could_not("read", "`/dev/urandom`", &error).because(error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
