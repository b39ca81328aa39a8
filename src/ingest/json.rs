//! A list of JSON objects.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::value::RawValue;

use super::Error;

pub(super) fn lines(path: &Path, mut file: File) -> Result<String, Error> {
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let tasks: Vec<&RawValue> = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| Error::Json { path: path.to_owned(), why: error.to_string() })?;
    // Only between tokens can there be line ends, and there they mean nothing.
    let line = |task: &&RawValue| task.get().replace(['\n', '\r'], " ") + "\n";
    Ok(tasks.iter().map(line).collect())
}
