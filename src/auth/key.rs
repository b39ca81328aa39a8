//! The signing key: a file of the data folder that only this user can read.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Error;
use crate::kit::secret;

const FILE: &str = "signing.key";
/// The least bytes of an HS256 key (RFC 7518, 3.2).
const LEAST_BYTES: usize = 32;
/// A key file is never longer, so that a wrong file is not read whole.
const MOST_BYTES: u64 = 4096;

/// Where the key lies.
pub(super) fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// Reads the key, or makes one where there is none.
pub(super) fn open(data: &Path) -> Result<Vec<u8>, Error> {
    let path = path(data);
    let io = |source| Error::Io { path: path.clone(), source };
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(data).map_err(io)?;
            File::open(&path).map_err(io)?
        }
        other => other.map_err(io)?,
    };
    if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
        return Err(Error::Open(path));
    }
    let mut text = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut text).map_err(io)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(Error::Weak { path, why: "it has more than 4096 bytes, so it is no key" });
    }
    let secret = text.trim_ascii().to_vec();
    match weakness(&secret) {
        Some(why) => Err(Error::Weak { path, why }),
        None => Ok(secret),
    }
}

/// Writes a new key beside its place and links it there, which fails if another process was faster;
/// then that one's key is the key.
fn make(data: &Path) -> io::Result<()> {
    let mut text = String::new();
    for byte in secret::random::<LEAST_BYTES>() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    let draft = data.join(format!("{FILE}.{}", secret::random_text(8)));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        match fs::hard_link(&draft, data.join(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => File::open(data)?.sync_all(),
        }
    };
    let written = write();
    // Whether it worked or not, the draft has served.
    let _ = fs::remove_file(&draft);
    written
}

fn weakness(secret: &[u8]) -> Option<&'static str> {
    let distinct = secret.iter().collect::<std::collections::BTreeSet<_>>().len();
    let is_hex = secret.iter().all(u8::is_ascii_hexdigit);
    // What starts again before it is half through is a pattern.
    let repeats = || (1..=secret.len() / 2).any(|period| secret[period..] == secret[..secret.len() - period]);
    match secret.len() {
        length if length < LEAST_BYTES => Some("it has fewer than 32 bytes"),
        length if is_hex && length < 2 * LEAST_BYTES => Some("it is hex of fewer than 32 bytes"),
        _ if distinct < 8 => Some("it has fewer than 8 different bytes"),
        _ if repeats() => Some("it repeats itself"),
        _ => None,
    }
}
