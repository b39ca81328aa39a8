//! Finished files in the data folder: `files/<day>/<name>`, made in `temp` and moved there whole.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::draft::Draft;
use super::error::Error;
use super::moves::Moves;
use super::{Listed, is_day, is_key};
use crate::domain::export_log::Place;
use crate::domain::{self, Moment};

/// The folder of finished files, and the one where they are made.
#[derive(Debug)]
pub struct Folder {
    files: PathBuf,
    temp: PathBuf,
    moves: Arc<Moves>,
}

/// A finished file, opened: it can be read to its end even if it is deleted meanwhile.
#[derive(Debug)]
pub(super) struct Opened {
    pub file: File,
    pub size: u64,
    pub modified: Moment,
}

impl Folder {
    /// Opens the folders, makes what is missing, and empties the one for unfinished files.
    ///
    /// # Errors
    /// When the data folder cannot be written.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let temp = data.join("temp");
        match fs::remove_dir_all(&temp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::at(&temp, error)),
            _ => {}
        }
        Self::beside(data)
    }

    /// The same beside a server that may be at work: what is unfinished is left alone.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(super) fn beside(data: &Path) -> Result<Self, Error> {
        let folder = Self { files: data.join("files"), temp: data.join("temp"), moves: Arc::default() };
        make(&folder.files)?;
        make(&folder.temp)?;
        Ok(folder)
    }

    /// Where unfinished files lie.
    pub fn scratch(&self) -> &Path {
        &self.temp
    }

    /// Bytes that are free on the disk of the folder.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn free_bytes(&self) -> domain::Result<u64> {
        let facts = rustix::fs::statvfs(&self.temp).map_err(|error| Error::at(&self.temp, error.into()))?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    /// # Errors
    /// When no file can be made at the moment.
    pub fn check(&self) -> domain::Result<()> {
        /// Below it nothing worth the name can be exported.
        const LEAST_FREE: u64 = 1 << 20;
        let free = self.free_bytes()?;
        drop(self.create()?);
        if free < LEAST_FREE { Err(Error::Full(self.temp.clone()).into()) } else { Ok(()) }
    }

    /// Starts a file; unless it is kept, nothing of it remains.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(&self) -> domain::Result<Draft> {
        Ok(Draft::new(&self.temp, &self.files, &self.moves)?)
    }

    /// Opens a finished file; nothing when there is none of this key.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn read(&self, key: &str) -> domain::Result<Option<Opened>> {
        let Some(path) = path(&self.files, key) else { return Ok(None) };
        let read = || -> io::Result<(bool, Opened)> {
            let file = File::open(&path)?;
            let facts = file.metadata()?;
            Ok((facts.is_file(), Opened { file, size: facts.len(), modified: modified(&facts)? }))
        };
        match read() {
            Ok((is_file, opened)) => Ok(is_file.then_some(opened)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::at(&path, error).into()),
        }
    }

    /// Deletes a finished file, and says whether there was one.
    ///
    /// # Errors
    /// When it is there and cannot be deleted.
    pub(super) fn delete(&self, key: &str) -> domain::Result<bool> {
        let Some(path) = path(&self.files, key) else { return Ok(false) };
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::at(&path, error).into()),
        }
    }

    /// The days that have a folder of files, the first one first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn days(&self) -> domain::Result<Vec<String>> {
        let mut days = names(&self.files).map_err(|error| Error::at(&self.files, error))?;
        days.retain(|name| is_day(name));
        days.sort_unstable();
        Ok(days)
    }

    /// The finished files of one day that were written before that moment, in no order. What has no
    /// key, like a file that somebody else put there, is not among them.
    ///
    /// # Errors
    /// When the day's folder is there and cannot be read.
    pub(super) fn list(&self, day: &str, before: Moment) -> domain::Result<Vec<Listed>> {
        let mut all = Vec::new();
        if !is_day(day) {
            return Ok(all);
        }
        let folder = self.files.join(day);
        for name in names(&folder).map_err(|error| Error::at(&folder, error))? {
            let key = format!("{day}/{name}");
            let Some(path) = path(&self.files, &key) else { continue };
            if let Some(listed) = listed(key, &path).map_err(|error| Error::at(&path, error))? {
                all.push(listed);
            }
        }
        all.retain(|listed| listed.modified < before);
        Ok(all)
    }

    /// Removes the folder of a day in which there is nothing, and says whether it did. Nobody may be
    /// about to put a file there.
    ///
    /// # Errors
    /// When it is empty and cannot be removed.
    pub(super) fn remove_day(&self, day: &str) -> domain::Result<bool> {
        let folder = self.files.join(day);
        if !is_day(day) {
            return Ok(false);
        }
        match fs::remove_dir(&folder) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => {
                Ok(false)
            }
            Err(error) => Err(Error::at(&folder, error).into()),
        }
    }
}

/// The names in a folder, none where there is no folder. Those that are no text cannot be ours.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
    names.filter_map(Result::transpose).collect()
}

/// What a list tells of a file; nothing for one that has gone meanwhile, and for what is none.
fn listed(key: String, path: &Path) -> io::Result<Option<Listed>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Ok(facts) if !facts.is_file() => Ok(None),
        facts => {
            let facts = facts?;
            Ok(Some(Listed { key, place: Place::Folder, size: facts.len(), modified: modified(&facts)? }))
        }
    }
}

fn modified(facts: &Metadata) -> io::Result<Moment> {
    let since = facts.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

fn make(folder: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| Error::at(folder, error))
}

/// Where a key lies; nothing for what is no key, so that no key leads out of the folder.
pub(super) fn path(files: &Path, key: &str) -> Option<PathBuf> {
    is_key(key).then(|| files.join(key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::open(data.path()).unwrap();
        (data, folder)
    }

    fn left_in(path: &Path) -> usize {
        fs::read_dir(path).unwrap().count()
    }

    #[test]
    fn a_kept_file_is_whole_and_its_digest_is_that_of_its_bytes() {
        let (_data, folder) = folder();
        let mut draft = folder.create().unwrap();
        draft.write_all(b"abc").unwrap();
        let stored = draft.keep("20250615/task_1.csv").unwrap();
        assert_eq!(stored.size, 3);
        assert_eq!(stored.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut text = String::new();
        folder.read("20250615/task_1.csv").unwrap().unwrap().file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        assert_eq!(left_in(folder.scratch()), 0);
        assert!(folder.delete("20250615/task_1.csv").unwrap());
        assert!(!folder.delete("20250615/task_1.csv").unwrap());
        assert!(folder.read("20250615/task_1.csv").unwrap().is_none());
    }

    #[test]
    fn a_draft_that_is_not_kept_leaves_nothing_and_neither_does_a_dead_process() {
        let (data, folder) = folder();
        let mut draft = folder.create().unwrap();
        draft.write_all(&[0; 1_000_000]).unwrap();
        drop(draft);
        assert_eq!(left_in(folder.scratch()), 0);
        fs::write(folder.scratch().join("lost"), b"half").unwrap();
        let folder = Folder::open(data.path()).unwrap();
        assert_eq!(left_in(folder.scratch()), 0);
    }

    #[test]
    fn a_large_file_is_hashed_as_it_was_written_however_it_was_cut() {
        let (_data, folder) = folder();
        let bytes: Vec<u8> = (0..1_000_003_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        let expected = {
            use sha2::Digest;
            sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        for cut in [1_000_003, 300_000, 262_144, 4097] {
            let mut draft = folder.create().unwrap();
            for part in bytes.chunks(cut) {
                draft.write_all(part).unwrap();
            }
            let stored = draft.keep("20250615/large.bin").unwrap();
            assert_eq!((stored.size, &stored.sha256), (1_000_003, &expected), "{cut}");
            let mut kept = Vec::new();
            folder.read("20250615/large.bin").unwrap().unwrap().file.read_to_end(&mut kept).unwrap();
            assert!(kept == bytes, "{cut}");
        }
    }

    #[test]
    fn what_is_kept_is_for_this_user_alone_and_takes_the_place_of_the_one_before() {
        use std::os::unix::fs::PermissionsExt;
        let (data, folder) = folder();
        for text in ["the first", "second"] {
            let mut draft = folder.create().unwrap();
            draft.write_all(text.as_bytes()).unwrap();
            draft.keep("20250615/a.csv").unwrap();
        }
        let mode = |place: &str| fs::metadata(data.path().join(place)).unwrap().permissions().mode() & 0o777;
        assert_eq!(["files", "temp", "files/20250615"].map(mode), [0o700; 3]);
        assert_eq!(mode("files/20250615/a.csv"), 0o600);
        assert_eq!(folder.read("20250615/a.csv").unwrap().unwrap().size, 6);
        assert!(folder.read("20250615/A.csv").unwrap().is_none());
    }

    #[test]
    fn a_file_that_cannot_be_kept_leaves_nothing_and_says_so() {
        let (data, folder) = folder();
        fs::write(data.path().join("files/20250615"), b"in the way").unwrap();
        let mut draft = folder.create().unwrap();
        draft.write_all(b"abc").unwrap();
        let error = domain::Error::from(draft.keep("20250615/a.csv").unwrap_err());
        assert_eq!((error.kind, error.part), (domain::Kind::Internal, "storage"));
        assert_eq!(left_in(folder.scratch()), 0);
    }

    #[test]
    fn days_and_their_files_are_listed_and_what_is_no_file_of_ours_is_not() {
        let (data, folder) = folder();
        let put = |key: &str| {
            let mut draft = folder.create().unwrap();
            draft.write_all(b"abc").unwrap();
            draft.keep(key).unwrap();
        };
        ["20250616/c.csv", "20250615/b.csv", "20250615/a.csv"].into_iter().for_each(put);
        let files = data.path().join("files");
        for name in [".hidden", "a b", "ü"] {
            fs::write(files.join("20250615").join(name), b"").unwrap();
        }
        fs::create_dir_all(files.join("20250615/folder.csv")).unwrap();
        fs::create_dir_all(files.join("lost+found")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", files.join("20250615/link.csv")).unwrap();
        assert_eq!(folder.days().unwrap(), ["20250615", "20250616"]);
        let mut listed = folder.list("20250615", Moment(i64::MAX)).unwrap();
        listed.sort_by(|a, b| a.key.cmp(&b.key));
        let written = folder.read("20250615/a.csv").unwrap().unwrap().modified;
        assert_eq!(
            listed.first(),
            Some(&Listed { key: "20250615/a.csv".to_owned(), place: Place::Folder, size: 3, modified: written })
        );
        assert_eq!(
            listed.iter().map(|file| file.key.as_str()).collect::<Vec<_>>(),
            ["20250615/a.csv", "20250615/b.csv"]
        );
        assert!(folder.list("20250616", folder.read("20250616/c.csv").unwrap().unwrap().modified).unwrap().is_empty());
        for none in ["20250101", "..", "../temp", ""] {
            assert!(folder.list(none, Moment(i64::MAX)).unwrap().is_empty(), "{none}");
        }
    }

    #[test]
    fn the_folder_of_a_day_is_removed_when_there_is_nothing_in_it() {
        let (data, folder) = folder();
        for day in ["20250615", "20250616"] {
            fs::create_dir(data.path().join("files").join(day)).unwrap();
        }
        fs::write(data.path().join("files/20250615/.hidden"), b"").unwrap();
        let removed = ["20250615", "20250616", "20250616", "../temp", ""].map(|day| folder.remove_day(day).unwrap());
        assert_eq!(removed, [false, true, false, false, false]);
        assert_eq!(folder.days().unwrap(), ["20250615"]);
        assert!(data.path().join("temp").is_dir());
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let full = Error::at(Path::new("a"), io::ErrorKind::StorageFull.into());
        let error = domain::Error::from(full);
        assert!(error.message.starts_with("The disk is full"), "{error}");
        assert_eq!(error.part, "storage");
    }

    #[test]
    fn no_key_leads_out_of_the_folder() {
        let (data, folder) = folder();
        fs::write(data.path().join("signing.key"), b"secret").unwrap();
        for key in
            ["../signing.key", "20250615/../../signing.key", "/etc/passwd", "20250615/..", "20250615", "", "2025061x/a"]
        {
            assert!(folder.read(key).unwrap().is_none(), "{key}");
            assert!(!folder.delete(key).unwrap(), "{key}");
            assert!(folder.create().unwrap().keep(key).is_err(), "{key}");
        }
        assert!(data.path().join("signing.key").exists());
    }
}
