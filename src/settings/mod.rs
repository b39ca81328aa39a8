//! What an operator may choose: `config.toml`, overlaid by `WAYBILL_<SECTION>__<KEY>` (contract 11).

mod keys;
mod notice;
mod read;
mod storage;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

pub use notice::{Mail, MailSecurity, Webhook};
pub use storage::{Delivery, Storage, StorageKind};

use crate::domain::{Id, OnFault, Zone};

/// Every choice, with its default.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The zone of times that come without one, and of date cells.
    pub timezone: Zone,
    /// `[server]`
    pub server: Server,
    /// `[data]`
    pub data: Data,
    /// `[organization]`
    pub organization: Organization,
    /// `[export]`
    pub export: Export,
    /// `[scripts]`
    pub scripts: Scripts,
    /// `[retention]`
    pub retention: Retention,
    /// `[storage]`
    pub storage: Storage,
    /// `[mail]`
    pub mail: Mail,
    /// `[webhook]`
    pub webhook: Webhook,
    /// `[log]`
    pub log: Log,
}

/// How the server listens and what it bears.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Where clients reach the server, for links; none means the address it listens on.
    pub public_url: Option<String>,
    /// Connections at a time.
    pub max_connections: usize,
    /// Seconds for a request's head.
    pub header_seconds: u64,
    /// Seconds without a byte of a request's body.
    pub body_idle_seconds: u64,
    /// Seconds in which a client takes no byte of an answer.
    pub write_stall_seconds: u64,
    /// Seconds for requests to end when the server stops.
    pub grace_seconds: u64,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Bytes of a body with many tasks.
    pub max_bulk_bytes: usize,
    /// Requests a second of one organisation.
    pub rate_per_second: u32,
    /// Requests at once of one organisation.
    pub rate_burst: u32,
}

/// Where everything lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// The data folder.
    pub dir: PathBuf,
    /// Bytes of the store that are kept in memory.
    pub cache_bytes: usize,
}

/// The organisation that commands work for when none is named.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
}

/// How exports are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Rows of a direct export that names neither page nor limit; 0 for all.
    pub direct_default_limit: u64,
    /// The most rows of a direct export.
    pub direct_max_rows: u64,
    /// Direct exports at a time.
    pub direct_at_once: usize,
    /// How date-times are written into workbooks.
    pub dates: Dates,
    /// Who compresses the rows of workbooks.
    pub deflate: Deflate,
    /// Whether texts that a spreadsheet might run get an apostrophe in CSV.
    pub csv_neutralise: bool,
    /// Threads that select and render; 0 for one each core.
    pub threads: usize,
    /// Background exports at a time; 0 for half as many as there are cores.
    pub workers: usize,
    /// Background exports of one caller that may wait.
    pub queue_per_user: usize,
}

/// How date-times are written into workbooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// As date cells.
    Cells,
    /// As ISO 8601 texts.
    Text,
}

/// Who compresses the rows of workbooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deflate {
    /// What knows where cells begin.
    Layout,
    /// The library that compresses everything else.
    Zlib,
}

/// Where operators' scripts are, and what a call of one may use (scripting.md, Limits).
#[derive(Debug, Clone, PartialEq)]
pub struct Scripts {
    /// The folder; where there is none, there are no scripts.
    pub dir: PathBuf,
    /// Whether a fault in a script ends the export, unless its config says otherwise.
    pub on_fault: OnFault,
    /// Operations of a call.
    pub max_operations: u64,
    /// Milliseconds of a call.
    pub max_call_ms: u64,
    /// Functions that call each other at a time.
    pub max_call_depth: usize,
    /// Bytes of a text.
    pub max_string_bytes: usize,
    /// Items of a list.
    pub max_list_items: usize,
    /// Keys of a map.
    pub max_map_keys: usize,
    /// Bytes of everything that a call holds at a time.
    pub max_call_bytes: usize,
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    /// Days that a file can be fetched.
    pub days: u32,
    /// Days that an entry of the export log is kept.
    pub log_days: u32,
    /// Minutes between two looks for what has had its time.
    pub sweep_minutes: u32,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Everything that is wrong with the settings, each sentence with its place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Faults(pub Vec<String>);

impl Default for Settings {
    fn default() -> Self {
        Self {
            timezone: Zone::utc(),
            server: Server {
                listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
                public_url: None,
                max_connections: 1024,
                header_seconds: 10,
                body_idle_seconds: 30,
                write_stall_seconds: 60,
                grace_seconds: 25,
                max_body_bytes: 1 << 20,
                max_bulk_bytes: 64 << 20,
                rate_per_second: 100,
                rate_burst: 200,
            },
            data: Data { dir: "data".into(), cache_bytes: 24 << 20 },
            organization: Organization {
                id: Id([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
                name: "My organization".to_owned(),
            },
            export: Export {
                direct_default_limit: 30,
                direct_max_rows: 1_000_000,
                direct_at_once: 4,
                dates: Dates::Cells,
                deflate: Deflate::Layout,
                csv_neutralise: true,
                threads: 0,
                workers: 0,
                queue_per_user: 200,
            },
            scripts: Scripts {
                dir: "scripts".into(),
                on_fault: OnFault::Continue,
                max_operations: 100_000,
                max_call_ms: 100,
                max_call_depth: 32,
                max_string_bytes: 64 << 10,
                max_list_items: 10_000,
                max_map_keys: 1_000,
                max_call_bytes: 32 << 20,
            },
            retention: Retention { days: 30, log_days: 90, sweep_minutes: 60 },
            storage: Storage::default(),
            mail: Mail::default(),
            webhook: Webhook::default(),
            log: Log { format: LogFormat::Auto, level: "info".to_owned() },
        }
    }
}

impl Export {
    /// Whether date-times are written as texts.
    pub fn dates_as_text(&self) -> bool {
        self.dates == Dates::Text
    }

    /// Whether the rows of workbooks are compressed by what is known of their layout.
    pub fn deflates_by_layout(&self) -> bool {
        self.deflate == Deflate::Layout
    }

    /// How many background exports run at a time: at least one.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1),
            workers => workers,
        }
    }
}

impl Settings {
    /// Reads `config` - or the defaults, if there is none - and overlays the variables. Relative
    /// paths of the file are relative to its folder.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(config: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> Result<Self, Faults> {
        let (settings, faults) = Self::read(config, variables);
        if faults.0.is_empty() { Ok(settings) } else { Err(faults) }
    }

    /// The same, with the default for each key that something is wrong with, and everything that is.
    pub fn read(config: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> (Self, Faults) {
        let mut settings = Self::default();
        let mut faults = Vec::new();
        if let Some(path) = config {
            match std::fs::read_to_string(path) {
                Ok(text) => read::file(&mut settings, &path.display().to_string(), &text, &mut faults),
                Err(error) => faults.push(format!("{}: cannot be read: {error}", path.display())),
            }
            if let Some(folder) = path.parent() {
                settings.data.dir = folder.join(&settings.data.dir);
                settings.scripts.dir = folder.join(&settings.scripts.dir);
                let Mail { spool_dir, templates_dir, ca_file: mail_ca, .. } = &mut settings.mail;
                let Storage { credentials_file, ca_file, .. } = &mut settings.storage;
                let paths = [spool_dir, templates_dir, mail_ca, credentials_file, ca_file];
                for path in paths.into_iter().flatten() {
                    *path = folder.join(&path);
                }
            }
            if settings.has_secrets() && storage::is_for_all(path) {
                let cure = "it holds secrets and others can read it. Run chmod 600 on it";
                faults.push(format!("{}: {cure}, or give them as variables.", path.display()));
            }
        }
        read::variables(&mut settings, variables, &mut faults);
        settings.storage.complete(&mut faults);
        faults.extend(settings.mail.faults());
        faults.extend(settings.webhook.faults());
        (settings, Faults(faults))
    }

    /// Whether something stands there that nobody else may read.
    fn has_secrets(&self) -> bool {
        [&self.storage.secret_key, &self.mail.password, &self.webhook.secret].into_iter().any(Option::is_some)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
