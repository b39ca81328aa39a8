//! The store: tasks, flows, hubs, export configs and exports in one redb file, changed by edits that
//! are on disk before they return, read through views that each see one moment.
//!
//! In reading order: `schema` (the tables), `codec` (the record of a task), `group` (tasks that lie together),
//! `open` (which files are refused, and how), `upgrade` (stores of older schemas), `handle` (the open file),
//! `pen` (who writes, and what becomes durable at once), `catalog` (which keys tasks have), `batch` (tasks on
//! their way in), `put` (writing them), `tasks` (reading them), `wanted` (the fields that are taken out of
//! them), `select` (which tasks, in which order), `sort` (more of them than fit in memory), `reordered` and
//! `projection` (tasks that are read in another order than they lie), `seen` (what occurs among them), `named`
//! (flows, hubs and export configs), `flows` (read once), `exports` (the record of exports), `outbox` (what is
//! owed to recipients), `error`.

mod batch;
mod catalog;
mod codec;
mod error;
mod exports;
mod flows;
mod group;
mod handle;
mod named;
mod open;
mod outbox;
mod pen;
mod projection;
mod put;
mod reordered;
mod schema;
mod seen;
mod select;
mod sort;
mod tasks;
#[cfg(test)]
mod tests;
mod upgrade;
mod wanted;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{ReadOnlyTable, ReadTransaction, WriteTransaction};

pub use batch::Batch;
pub use catalog::Catalog;
pub use error::{Error, Fault};
pub use pen::Written;
pub use put::Put;
pub use reordered::{Reordered, is_scattered};
pub use seen::Seen;
pub use select::{Selected, Selection};
pub use tasks::Record;

use crate::domain::{self, Id};
use catalog::Catalogs;
use flows::Flows;
use handle::Handle;
use pen::Pen;
use schema::TaskKey;

/// The store of one data folder; it stays locked to others for as long as this lives.
#[derive(Debug)]
pub struct Store {
    pen: Pen,
    catalogs: Arc<Catalogs>,
    flows: Arc<Flows>,
    _lock: File,
}

/// The store as it was at one moment, whatever is written meanwhile. The file grows while a view
/// is kept and others write, so it is dropped as soon as it has served.
pub struct View {
    transaction: ReadTransaction,
    groups: Rows,
    headers: Rows,
    catalogs: Arc<Catalogs>,
    flows: Arc<Flows>,
    /// Where what does not fit in memory may lie for a while.
    scratch: PathBuf,
}

/// A table whose keys are an organisation and an id, at one moment.
type Rows = ReadOnlyTable<&'static TaskKey, &'static [u8]>;

/// A set of changes that become visible together, or not at all.
pub struct Edit<'a> {
    transaction: &'a WriteTransaction,
    catalogs: &'a Catalogs,
    grown: &'a mut HashMap<Id, Arc<Catalog>>,
}

impl Store {
    /// Opens the store in this file, or makes it where there is none. Everything in it is checked
    /// against its checksums first.
    ///
    /// # Errors
    /// See [`Error::fault`]: somebody else has it open, or what lies there is not usable.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let (database, lock) = open::open(path, cache_bytes)?;
        let (handle, catalogs) = (Handle::new(path, cache_bytes, database), Arc::default());
        Ok(Self { pen: Pen::new(handle, Arc::clone(&catalogs)), catalogs, flows: Arc::default(), _lock: lock })
    }

    /// The store as it is now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn view(&self) -> domain::Result<View> {
        let view = || -> Result<View, Error> {
            let transaction = self.pen.handle().read()?;
            let groups = transaction.open_table(schema::TASK_GROUPS)?;
            let headers = transaction.open_table(schema::HEADER_GROUPS)?;
            let (catalogs, flows) = (Arc::clone(&self.catalogs), Arc::clone(&self.flows));
            let scratch = self.pen.handle().folder().to_owned();
            Ok(View { transaction, groups, headers, catalogs, flows, scratch })
        };
        Ok(view()?)
    }

    /// Runs `change` alone and makes what it did durable before returning. When it fails, nothing
    /// of it remains.
    ///
    /// # Errors
    /// Those of `change`, or when the store cannot be written.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Edit<'_>) -> domain::Result<T>) -> domain::Result<T> {
        self.pen.alone(change)
    }

    /// The same for a small change, which shares its commit with others that come at the same time:
    /// it sees what they wrote, and becomes visible and durable with it. `change` runs once or twice
    /// and must do nothing but edit, for only the last run counts.
    ///
    /// # Errors
    /// Those of [`Store::edit`]; where the commit fails, all who share it are told.
    pub fn edit_together<T>(&self, change: impl FnMut(&mut Edit<'_>) -> domain::Result<T>) -> domain::Result<T> {
        self.pen.together(change)
    }

    /// What was written since the store was opened.
    pub fn written(&self) -> Written {
        self.pen.written()
    }

    /// Whether the store can be written; after a write that failed, a small one finds out.
    ///
    /// # Errors
    /// `Unavailable` while it cannot.
    pub fn check_writable(&self) -> domain::Result<()> {
        match self.pen.handle().check() {
            Ok(()) => Ok(()),
            Err(_) => self.edit(|edit| Ok(edit.touch()?)),
        }
    }
}

impl Edit<'_> {
    /// Writes something that is there already.
    fn touch(&mut self) -> Result<(), Error> {
        let mut meta = self.transaction.open_table(schema::META)?;
        meta.insert(schema::MAGIC_KEY, schema::MAGIC)?;
        Ok(())
    }
}
