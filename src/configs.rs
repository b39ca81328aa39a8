//! Export configs: a body becomes a config all of whose columns and scripts are known to work, and is
//! kept under a version that each change raises by one.
//!
//! In reading order: this file (keeping and finding them), `read` (a body), `field` (one column of it),
//! `item` (an object inside a body).

mod field;
mod item;
mod read;
#[cfg(test)]
mod tests;

pub use read::read;

use crate::app::App;
use crate::domain::limits::MAX_CONFIGS;
use crate::domain::{Caller, ConfigHead, Error, ExportConfig, Id, Kind, Result};

/// Which configs a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What they export.
    pub collection: Option<String>,
    /// A part of their name, without regard to case.
    pub name: Option<String>,
    /// Whether the newest comes first, and not the oldest.
    pub newest_first: bool,
    /// How many of these are left out at the start.
    pub skip: u64,
    /// The most that are shown.
    pub take: u64,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// How many are wanted in all.
    pub total: u64,
    /// Those that are shown.
    pub configs: Vec<ExportConfig>,
}

/// The configs of the caller's organisation that are wanted.
///
/// # Errors
/// When the store cannot be read.
pub fn list(app: &App, caller: &Caller, wanted: &Wanted) -> Result<Listed> {
    let view = app.store.view()?;
    let mut heads = view.config_heads(caller.organization)?;
    let part = wanted.name.as_deref().unwrap_or_default().to_lowercase();
    heads.retain(|head| {
        wanted.collection.as_ref().is_none_or(|collection| head.collection == *collection)
            && head.name.to_lowercase().contains(&part)
    });
    let age = |head: &ConfigHead| (head.created_time.clone(), head.id);
    heads.sort_by_cached_key(age);
    if wanted.newest_first {
        heads.reverse();
    }
    let in_memory = |count| usize::try_from(count).unwrap_or(usize::MAX);
    let shown = heads.iter().skip(in_memory(wanted.skip)).take(in_memory(wanted.take));
    let configs = shown.filter_map(|head| view.config(caller.organization, head.id).transpose());
    Ok(Listed { total: heads.len() as u64, configs: configs.collect::<Result<_>>()? })
}

/// One config.
///
/// # Errors
/// `NotFound` when the caller's organisation has none of this id.
pub fn one(app: &App, caller: &Caller, id: Id) -> Result<ExportConfig> {
    app.store.view()?.config(caller.organization, id)?.ok_or_else(Error::not_found)
}

/// Keeps a new config.
///
/// # Errors
/// Those of [`read`]; `Conflict` when its name is taken or there are [`MAX_CONFIGS`] already.
pub fn add(app: &App, caller: &Caller, body: &[u8]) -> Result<ExportConfig> {
    let config = read(app, &app.store.view()?, caller, body)?;
    app.store.edit(|edit| {
        if edit.count_configs(caller.organization)? >= MAX_CONFIGS {
            let sentence = format!("There are {MAX_CONFIGS} export configs already. Delete one that nobody uses.");
            return Err(Error::new(Kind::Conflict, sentence));
        }
        edit.put_config(caller.organization, &config)
    })?;
    Ok(config)
}

/// Puts another config in the place of one, as its next version.
///
/// # Errors
/// `NotFound`, then those of [`read`]; `Conflict` when another has its name.
pub fn change(app: &App, caller: &Caller, id: Id, body: &[u8]) -> Result<ExportConfig> {
    let organization = caller.organization;
    let view = app.store.view()?;
    view.config(organization, id)?.ok_or_else(Error::not_found)?;
    let new = read(app, &view, caller, body)?;
    drop(view);
    app.store.edit(|edit| {
        // Read again here: two changes at once are two versions.
        let old = edit.config(organization, id)?.ok_or_else(Error::not_found)?;
        let version = old.version + 1;
        let config = ExportConfig { id, version, created_by: old.created_by, created_time: old.created_time, ..new };
        edit.put_config(organization, &config)?;
        Ok(config)
    })
}

/// Removes a config and gives it back. Exports that started with it keep their copy.
///
/// # Errors
/// `NotFound` when the caller's organisation has none of this id.
pub fn delete(app: &App, caller: &Caller, id: Id) -> Result<ExportConfig> {
    app.store.edit(|edit| edit.delete_config(caller.organization, id))?.ok_or_else(Error::not_found)
}
