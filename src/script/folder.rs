//! One look at the folder of scripts: which files count, and the texts of those that may be read.
//! A file is read only when its name, kind, size, owner and rights are fine; one that looks like a
//! script and is not read says why.

use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::domain::ScriptFault;
use crate::domain::limits::{MAX_SCRIPT_BYTES, MAX_SCRIPT_NAME, MAX_SCRIPTS};

use super::generation::label;
use super::{Error, ScriptKind};

const ENDING: &str = ".rhai";
/// Times that a file is read anew because it changed meanwhile.
const READS: usize = 3;
/// Entries of each folder that a listing goes by; what is beyond, the look itself finds.
const MOST_LISTED: usize = 10_000;

/// A file that looks like a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub kind: ScriptKind,
    /// Without the ending.
    pub name: String,
    /// Its text, or why it is not read.
    pub text: Result<Arc<str>, ScriptFault>,
}

/// Why a file is not read: the line where that is known, and a sentence with the cure.
struct Refusal {
    line: Option<u32>,
    text: String,
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(text: T) -> Self {
        Self { line: None, text: text.into() }
    }
}

/// What one look finds.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Every file that looks like a script, by kind and name.
    pub found: Vec<Found>,
    /// Those that lie beside the three folders, by name.
    pub strays: Vec<ScriptFault>,
}

/// Looks at the folder; where there is none, nothing is found.
///
/// # Errors
/// When the folder or one of the three in it is there and cannot be read, or is open to everybody, or
/// when there are more files than the most.
pub(super) fn look(dir: &Path) -> Result<Look, Error> {
    let Some(beside) = scripts(dir)? else { return Ok(Look::default()) };
    let root = dir.canonicalize().map_err(|source| Error::at(dir, source))?;
    let mut all = Vec::new();
    for kind in ScriptKind::ALL {
        let scripts = scripts(&dir.join(kind.folder()))?.unwrap_or_default();
        all.extend(scripts.into_iter().map(|(name, path)| (kind, name, path)));
    }
    if all.len() + beside.len() > MAX_SCRIPTS {
        return Err(Error::TooMany(dir.to_owned()));
    }
    let found = all.into_iter().filter_map(|(kind, name, path)| {
        let text = content(&root, &name, &path).transpose()?;
        let text =
            text.map_err(|Refusal { line, text }| ScriptFault { script: label(kind, &name), line, column: None, text });
        Some(Found { kind, name, text })
    });
    Ok(Look { found: found.collect(), strays: beside.into_iter().map(|(name, _)| stray(name)).collect() })
}

fn stray(name: String) -> ScriptFault {
    let text =
        "It lies beside the folders fields, flows and lib, and is not used. Move it into one of them.".to_owned();
    ScriptFault { script: name, line: None, column: None, text }
}

/// A number that is another one when a file came, went or was written, from names, sizes and times
/// alone.
pub(super) fn listing(dir: &Path) -> u64 {
    let folders = ScriptKind::ALL.map(|kind| dir.join(kind.folder()));
    let each = [dir].into_iter().chain(folders.iter().map(PathBuf::as_path)).map(|folder| {
        let entries = fs::read_dir(folder).into_iter().flatten().take(MOST_LISTED).flatten();
        // The order of a folder's entries means nothing.
        entries.map(|entry| of(&entry.path())).fold(of(folder), u64::wrapping_add)
    });
    let mut all = DefaultHasher::new();
    each.for_each(|folder| folder.hash(&mut all));
    all.finish()
}

fn of(path: &Path) -> u64 {
    let mut facts = DefaultHasher::new();
    path.hash(&mut facts);
    if let Ok(file) = fs::symlink_metadata(path) {
        (file.ino(), file.len(), file.mode(), file.uid()).hash(&mut facts);
        (file.mtime(), file.mtime_nsec()).hash(&mut facts);
    }
    facts.finish()
}

/// What looks like a script in a folder, by name; nothing where there is no folder. A few more than the
/// most are enough to know that there are too many.
fn scripts(folder: &Path) -> Result<Option<Vec<(String, PathBuf)>>, Error> {
    /// Everybody may write.
    const OPEN: u32 = 0o002;
    let looked = fs::metadata(folder).and_then(|facts| Ok((facts.mode(), fs::read_dir(folder)?)));
    let entries = match looked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::at(folder, error)),
        Ok((mode, _)) if mode & OPEN != 0 => return Err(Error::Open(folder.to_owned())),
        Ok((_, entries)) => entries,
    };
    let named = entries.filter_map(|entry| match entry {
        Ok(entry) => script_name(&entry.file_name().to_string_lossy()).map(|name| Ok((name, entry.path()))),
        Err(error) => Some(Err(Error::at(folder, error))),
    });
    let mut named = named.take(MAX_SCRIPTS + 1).collect::<Result<Vec<_>, _>>()?;
    named.sort_unstable();
    Ok(Some(named))
}

/// The name of a script without its ending; nothing for what is none, such as the copies, swap
/// files and half-written files that editors leave for a while.
fn script_name(file_name: &str) -> Option<String> {
    let name = file_name.strip_suffix(ENDING)?;
    let passing = name.is_empty() || name.starts_with(['.', '#']) || name.ends_with('~');
    // What cannot be in a name is not passed on to logs and screens.
    let shown = || name.chars().take(2 * MAX_SCRIPT_NAME).map(|c| if c.is_control() { '?' } else { c }).collect();
    (!passing).then(shown)
}

/// Nothing when the file has gone.
fn content(root: &Path, name: &str, path: &Path) -> Result<Option<Arc<str>>, Refusal> {
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.len() > MAX_SCRIPT_NAME || !name.bytes().all(in_name) {
        return Err(format!("A script's name is 1 to {MAX_SCRIPT_NAME} of A-Z a-z 0-9 _ -. Rename the file.").into());
    }
    for _ in 0..READS {
        match read(root, path) {
            Ok(None) => {}
            Ok(Some(content)) => return content.map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let cure = "Make it readable for the user that runs the server.";
                return Err(format!("It cannot be read: {error}. {cure}").into());
            }
        }
    }
    Err("It is being written all the time. Write it elsewhere and move it here.".into())
}

/// Nothing when it was written meanwhile.
fn read(root: &Path, path: &Path) -> io::Result<Option<Result<Arc<str>, Refusal>>> {
    let real = path.canonicalize()?;
    if !real.starts_with(root) {
        let why = "It is a link that leads out of the scripts folder. Put the file itself here.";
        return Ok(Some(Err(why.into())));
    }
    // To open a pipe or a device may wait or do something, so that they are not even opened; what
    // takes the file's place between the two calls is neither followed nor waited for.
    if let Some(why) = unfit(&fs::symlink_metadata(&real)?) {
        return Ok(Some(Err(why.into())));
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(&real)?;
    let before = file.metadata()?;
    if let Some(why) = unfit(&before) {
        return Ok(Some(Err(why.into())));
    }
    let bytes = all_of(&mut file)?;
    let after = file.metadata()?;
    let state = |facts: &Metadata| (facts.len(), facts.mtime(), facts.mtime_nsec());
    let is_whole = state(&before) == state(&after) && before.len() == bytes.len() as u64;
    Ok(is_whole.then(|| text(&bytes)))
}

/// Never more than the most and a byte, however the file grows.
fn all_of(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_SCRIPT_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a file is not read, and the cure.
fn unfit(facts: &Metadata) -> Option<String> {
    /// The group or everybody may write.
    const SHARED: u32 = 0o022;
    if !facts.is_file() {
        return Some("It is no regular file. Put a file in its place.".to_owned());
    }
    if facts.len() > MAX_SCRIPT_BYTES {
        let (bytes, most) = (facts.len(), MAX_SCRIPT_BYTES);
        return Some(format!("It has {bytes} bytes; the most is {most}. Move parts of it into lib."));
    }
    if facts.uid() != 0 && facts.uid() != rustix::process::geteuid().as_raw() {
        let cure = "Give it to one of them with chown.";
        return Some(format!("It belongs neither to root nor to the user that runs the server. {cure}"));
    }
    (facts.mode() & SHARED != 0).then(|| "Others than its owner may write it. Run chmod go-w on it.".to_owned())
}

fn text(bytes: &[u8]) -> Result<Arc<str>, Refusal> {
    /// The mark that some editors put before UTF-8.
    const MARK: char = '\u{feff}';
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix(MARK).unwrap_or(text).into()),
        Err(error) => {
            let good = bytes.iter().take(error.valid_up_to());
            let line = good.filter(|byte| **byte == b'\n').count() + 1;
            Err(Refusal { line: u32::try_from(line).ok(), text: "It is not UTF-8. Save it as UTF-8.".to_owned() })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
