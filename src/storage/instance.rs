//! The id by which a server's files in a bucket are told from those of others.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::Error;
use crate::kit::secret;

const FILE: &str = "instance";

/// The id of this data folder, made once: 16 hex characters. It moves with the folder, so that a
/// copy that runs beside the original would take its files for its own.
pub(super) fn id(data: &Path) -> Result<String, Error> {
    let path = data.join(FILE);
    let read = || match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(data, &path),
        text => text,
    };
    let text = read().map_err(|error| Error::at(&path, error))?;
    let id = text.trim();
    match id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(id.to_owned()),
        false => Err(Error::Setting(format!("{} is damaged: it should hold 16 hex characters", path.display()))),
    }
}

fn make(data: &Path, path: &Path) -> io::Result<String> {
    let id: String = secret::random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    // Under its name it is whole.
    let new = data.join(format!("{FILE}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(id.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(data)?.sync_all()?;
    Ok(id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_id_and_no_two_have_the_same() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = id(a.path()).unwrap();
        assert_eq!(id(a.path()).unwrap(), first);
        assert_ne!(id(b.path()).unwrap(), first);
        fs::write(a.path().join(FILE), "../x").unwrap();
        assert!(id(a.path()).is_err());
    }
}
