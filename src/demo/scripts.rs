//! The scripts that come with the product, for folders that have none yet.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Each by its path in the folder, and its text.
pub const SCRIPTS: [(&str, &str); 8] = [
    ("fields/address_line.rhai", include_str!("../../scripts/fields/address_line.rhai")),
    ("fields/distance_to_done.rhai", include_str!("../../scripts/fields/distance_to_done.rhai")),
    ("fields/masked_email.rhai", include_str!("../../scripts/fields/masked_email.rhai")),
    ("fields/minutes_to_done.rhai", include_str!("../../scripts/fields/minutes_to_done.rhai")),
    ("fields/on_time.rhai", include_str!("../../scripts/fields/on_time.rhai")),
    ("flows/delivery_items.rhai", include_str!("../../scripts/flows/delivery_items.rhai")),
    ("flows/failed_checks.rhai", include_str!("../../scripts/flows/failed_checks.rhai")),
    ("lib/local.rhai", include_str!("../../scripts/lib/local.rhai")),
];

/// Writes the scripts into a folder of the user's own. A script that is there already is left alone.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_scripts(folder: &Path) -> io::Result<()> {
    for (path, text) in SCRIPTS {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => file.write_all(text.as_bytes())?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_script_of_the_repository_is_shipped() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let mut there = Vec::new();
        for kind in ["fields", "flows", "lib"] {
            let files = fs::read_dir(root.join(kind)).unwrap().map(|entry| entry.unwrap().file_name());
            there.extend(files.map(|name| format!("{kind}/{}", name.to_string_lossy())));
        }
        there.sort();
        assert_eq!(there, SCRIPTS.map(|(path, _)| path));
    }

    #[test]
    fn what_an_operator_has_changed_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        write_scripts(folder.path()).unwrap();
        let changed = folder.path().join("fields/on_time.rhai");
        fs::write(&changed, "mine").unwrap();
        write_scripts(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(changed).unwrap(), "mine");
        let lib = fs::read_to_string(folder.path().join("lib/local.rhai")).unwrap();
        assert!(lib.contains("fn day(t, zone)"));
    }
}
