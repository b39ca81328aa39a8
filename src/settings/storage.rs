//! `[storage]`: where finished files lie and how they are reached.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::kit::secret::Secret;

/// Where finished files lie and how they are reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Storage {
    /// Where new files go.
    pub kind: StorageKind,
    /// Hours that a link holds.
    pub link_hours: u32,
    /// How the server's own links give a file of the bucket.
    pub delivery: Delivery,
    /// Where the server reaches the bucket.
    pub endpoint: Option<String>,
    /// Where people reach the bucket; none means the same address.
    pub public_endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What every name in the bucket begins with.
    pub prefix: String,
    /// Whether a bucket that is missing is made.
    pub create_bucket: bool,
    /// The access key's id.
    pub access_key: Option<String>,
    /// The access key's secret.
    pub secret_key: Option<Secret>,
    /// A file in the form of AWS with both, where they are not given here.
    pub credentials_file: Option<PathBuf>,
    /// Certificates (PEM) that are trusted beside those that browsers trust.
    pub ca_file: Option<PathBuf>,
    /// Bytes of a part of a large file, each of which is in memory while it is sent.
    pub part_bytes: usize,
    /// Seconds for a call.
    pub call_seconds: u64,
    /// Seconds for a part to be sent.
    pub part_seconds: u64,
    /// Seconds in which an export tries again what may pass.
    pub retry_seconds: u64,
}

/// Where new files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageKind {
    /// Into the data folder.
    Folder,
    /// Into the bucket.
    Bucket,
}

/// How the server's own links give a file of the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// By sending the client on to the bucket.
    Redirect,
    /// By reading it and passing it on.
    Proxy,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            kind: StorageKind::Folder,
            link_hours: 168,
            delivery: Delivery::Redirect,
            endpoint: None,
            public_endpoint: None,
            region: "us-east-1".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            create_bucket: false,
            access_key: None,
            secret_key: None,
            credentials_file: None,
            ca_file: None,
            part_bytes: 8 << 20,
            call_seconds: 30,
            part_seconds: 120,
            retry_seconds: 900,
        }
    }
}

impl Storage {
    /// Whether there is a bucket to speak to, which may hold files of before even when new ones go
    /// into the folder.
    pub fn has_bucket(&self) -> bool {
        self.kind == StorageKind::Bucket || (self.endpoint.is_some() && !self.bucket.is_empty())
    }

    /// Reads the credentials from their file where they are not given, and tells what is missing.
    pub(super) fn complete(&mut self, faults: &mut Vec<String>) {
        if !self.has_bucket() {
            return;
        }
        if let Some(file) = self.credentials_file.clone().filter(|_| self.secret_key.is_none()) {
            match credentials(&file) {
                Ok((access, secret)) => (self.access_key, self.secret_key) = (Some(access), Some(Secret::new(secret))),
                Err(fault) => faults.push(format!("storage.credentials_file: {} {fault}", file.display())),
            }
        }
        let missing = [
            ("endpoint", self.endpoint.is_none()),
            ("region", self.region.is_empty()),
            ("bucket", self.bucket.is_empty()),
            ("access_key", self.access_key.is_none() && self.credentials_file.is_none()),
            ("secret_key", self.secret_key.is_none() && self.credentials_file.is_none()),
        ];
        let missing = missing.into_iter().filter(|(_, is_missing)| *is_missing);
        faults.extend(missing.map(|(key, _)| format!("storage.{key} must be set for files to lie in a bucket.")));
    }
}

/// Whether others than the owner can read a file.
pub(super) fn is_for_all(file: &Path) -> bool {
    file.metadata().is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0)
}

/// `aws_access_key_id` and `aws_secret_access_key`, the first of each, whatever the profile.
fn credentials(file: &Path) -> Result<(String, String), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    if is_for_all(file) {
        return Err("can be read by others. Run chmod 600 on it.".to_owned());
    }
    let value = |name: &str| {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned());
        values.next().ok_or_else(|| format!("has no line {name} = ..."))
    };
    Ok((value("aws_access_key_id")?, value("aws_secret_access_key")?))
}
