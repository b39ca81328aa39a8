//! Opening the file: which ones are refused, and how each is told apart.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageError, TableError};

use super::error::Error;
use super::{schema, upgrade};

/// The first bytes of every redb file.
const REDB_MAGIC: [u8; 9] = *b"redb\x1a\n\xa9\r\n";
/// Who has the store open; it lies beside the store and is locked for as long.
const PID_FILE: &str = "waybill.pid";

/// The database in this file, made if there is none, and the lock that keeps others out.
pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<(Database, File), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let folder = folder_of(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    let lock = lock(path, folder)?;
    match fs::metadata(path) {
        Ok(facts) => {
            refuse_what_is_no_redb(path, &facts)?;
            let database = guarded(path, || builder(cache_bytes).open(path))?;
            let found = refuse_what_is_not_ours(path, &database)?;
            if found < schema::SCHEMA {
                upgrade::upgrade(&database, found)?;
            }
            Ok((database, lock))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((create(path, folder, cache_bytes)?, lock)),
        Err(error) => Err(io(error)),
    }
}

/// The folder that a file lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The same file again, for whoever holds the lock already.
pub(super) fn reopen(path: &Path, cache_bytes: usize) -> Result<Database, Error> {
    guarded(path, || Database::builder().set_cache_size(cache_bytes).open(path))
}

/// Locks the pid file and writes our process id into it. redb locks its own file too; this lock is
/// held before that file is touched, also while it is being made, and says who holds it.
fn lock(path: &Path, folder: &Path) -> Result<File, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let pid_file = folder.join(PID_FILE);
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&pid_file).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let holder = file.take(32).read_to_string(&mut text).ok().map(|_| text.trim().to_owned());
            return Err(Error::InUse { path: path.to_owned(), holder: holder.filter(|pid| !pid.is_empty()) });
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

fn builder(cache_bytes: usize) -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes).set_check_integrity_on_open(true);
    builder
}

/// Makes the store under another name first: a crash in between must not leave a file that the next
/// start would have to refuse.
fn create(path: &Path, folder: &Path, cache_bytes: usize) -> Result<Database, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io)?;
    let database = builder(cache_bytes).create(&draft).map_err(|error| refusal(path, error))?;
    let transaction = database.begin_write()?;
    transaction.open_table(schema::META)?.insert(schema::MAGIC_KEY, schema::MAGIC)?;
    upgrade::make_tables(&transaction)?;
    transaction.commit()?;
    fs::rename(&draft, path).and_then(|()| File::open(folder)?.sync_all()).map_err(io)?;
    Ok(database)
}

fn refuse_what_is_no_redb(path: &Path, facts: &fs::Metadata) -> Result<(), Error> {
    let foreign = |why: &str| Err(Error::Foreign { path: path.to_owned(), why: why.to_owned() });
    if !facts.is_file() {
        return foreign("it is not a file");
    }
    if facts.len() == 0 {
        return Err(Error::Empty(path.to_owned()));
    }
    let mut front = Vec::new();
    let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    file.take(REDB_MAGIC.len() as u64)
        .read_to_end(&mut front)
        .map_err(|source| Error::Io { path: path.to_owned(), source })?;
    if !REDB_MAGIC.starts_with(&front) {
        return foreign("its first bytes are those of something else");
    }
    if front.len() < REDB_MAGIC.len() {
        return Err(Error::Truncated { path: path.to_owned(), why: format!("only {} bytes are left", front.len()) });
    }
    Ok(())
}

/// Gives back the schema that the store has.
fn refuse_what_is_not_ours(path: &Path, database: &Database) -> Result<u32, Error> {
    let foreign = || Error::Foreign { path: path.to_owned(), why: "another program's tables are in it".to_owned() };
    let damaged = |why: String| Error::Damaged { path: path.to_owned(), why };
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(schema::META).map_err(|error| match error {
        TableError::Storage(error) => error.into(),
        _ => foreign(),
    })?;
    if meta.get(schema::MAGIC_KEY)?.is_none_or(|magic| magic.value() != schema::MAGIC) {
        return Err(foreign());
    }
    let found = meta.get(schema::SCHEMA_KEY)?.and_then(|number| number.value().try_into().ok().map(u32::from_be_bytes));
    let found = match found {
        Some(found) if found > schema::SCHEMA => {
            return Err(Error::Newer { path: path.to_owned(), found, known: schema::SCHEMA });
        }
        Some(found @ 1..) => found,
        _ => return Err(damaged("it has no schema number".to_owned())),
    };
    tables_of(found, &transaction).map_err(|lost| damaged(lost.to_string()))?;
    Ok(found)
}

/// Opens every table that a store of this schema has.
fn tables_of(found: u32, transaction: &ReadTransaction) -> Result<(), TableError> {
    transaction.open_table(if found < 4 { schema::HEADERS } else { schema::HEADER_GROUPS })?;
    transaction.open_table(schema::FIELDS)?;
    transaction.open_table(schema::FLOWS)?;
    transaction.open_table(schema::FLOW_NAMES)?;
    transaction.open_table(schema::HUBS)?;
    transaction.open_table(schema::HUB_NAMES)?;
    if found == 1 {
        transaction.open_table(schema::TASKS)?;
    } else {
        transaction.open_table(schema::TASK_GROUPS)?;
        transaction.open_table(schema::EXPORTS)?;
        transaction.open_table(schema::OWED)?;
        transaction.open_table(schema::ANSWERED)?;
    }
    if found >= 3 {
        transaction.open_table(schema::CONFIGS)?;
        transaction.open_table(schema::CONFIG_NAMES)?;
        transaction.open_table(schema::OUTBOX)?;
    }
    Ok(())
}

/// Opens a file whose pages may hold anything; redb panics on some of what it cannot make sense of.
fn guarded(path: &Path, open: impl FnOnce() -> Result<Database, DatabaseError>) -> Result<Database, Error> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(|error| refusal(path, error)),
        Err(_) => Err(Error::Damaged { path: path.to_owned(), why: "its pages make no sense".to_owned() }),
    }
}

fn refusal(path: &Path, error: DatabaseError) -> Error {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Error::InUse { path, holder: None },
        DatabaseError::UpgradeRequired(form) => {
            Error::Foreign { path, why: format!("it is a redb file of the old form {form}") }
        }
        DatabaseError::Storage(StorageError::Io(source)) => match source.kind() {
            io::ErrorKind::UnexpectedEof => Error::Truncated { path, why: source.to_string() },
            _ => Error::Io { path, source },
        },
        DatabaseError::Storage(StorageError::Corrupted(why)) => {
            let short = why.contains("truncated");
            if short { Error::Truncated { path, why } } else { Error::Damaged { path, why } }
        }
        other => Error::Redb(Arc::new(other.into())),
    }
}
