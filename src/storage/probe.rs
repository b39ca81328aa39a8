//! Whether the way of a file works, step by step, as its people would go it.

use std::io::{Read, Write};
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};

use super::{Patience, Storage, Stored};
use crate::domain::{Error, Kind, Moment, Result};
use crate::kit::secret;

/// What a fetch through the public address may take.
const FETCH: Duration = Duration::from_secs(20);

/// One step and what came of it.
#[derive(Debug)]
pub struct Step {
    /// What was tried, in a few words.
    pub what: &'static str,
    /// What was found, or the fault and its cure.
    pub outcome: Result<String, String>,
}

impl Storage {
    /// Puts a small file where new ones go, fetches it by a link through the public address, reads it
    /// back and deletes it. The first step of that way that fails is the last.
    pub fn probe(&self, now: Moment) -> Vec<Step> {
        let mut steps = Steps(Vec::new());
        let folder = steps.take("data folder", || {
            self.folder.check()?;
            Ok(format!("{} MB free", self.folder.free_bytes()? >> 20))
        });
        if folder.is_none() || self.target().is_none() {
            return steps.0;
        }
        let bucket = steps.take("bucket", || self.prepare().map(|()| "it is there".to_owned()));
        let clock = self.check_clock().transpose();
        // Where it does not answer, what it said last is of no use, unless that is why.
        if let Some(clock) = clock.filter(|clock| bucket.is_some() || clock.is_err()) {
            steps.take("bucket's clock", || clock.map(parted));
        }
        if bucket.is_some() {
            self.probe_bucket(now, &mut steps);
        }
        steps.0
    }

    fn probe_bucket(&self, now: Moment, steps: &mut Steps) {
        // A key like that of any file: what is left of it, the sweeper finds.
        let (key, bytes) = (format!("{}/probe_{}.txt", now.day(), secret::random_text(22)), secret::random_text(64));
        let mut stored = None;
        let put = steps.take("put a file", || {
            stored = Some(self.put_probe(&key, bytes.as_bytes())?);
            Ok(format!("{} bytes, with their digest", bytes.len()))
        });
        let Some(stored) = stored.filter(|_| put.is_some()) else { return };
        let fetched = steps.take("fetch it by a link", || {
            let headers = ["attachment; filename=\"probe.txt\"", "text/plain"];
            let link = self.link(&stored.place, headers, 60, now)?.unwrap_or_default();
            let found = self.fetch(&link)?;
            same(&found, &bytes).map(|()| "through the public address".to_owned())
        });
        let read = fetched.and_then(|()| {
            steps.take("read it back", || {
                let mut found = String::new();
                if let Some(kept) = self.read(&key, &stored.place)? {
                    let read = kept.reader(0).and_then(|mut reader| reader.read_to_string(&mut found));
                    read.map_err(|error| Error::internal("storage", error))?;
                }
                same(&found, &bytes).map(|()| "the same bytes".to_owned())
            })
        });
        let what = "delete it";
        match read {
            Some(()) => drop(steps.take(what, || self.delete(&key, &stored.place).map(|()| "it is gone".to_owned()))),
            // It is of no use any more, and the step that failed has been told.
            None => drop(self.delete(&key, &stored.place)),
        }
    }

    fn put_probe(&self, key: &str, bytes: &[u8]) -> Result<Stored> {
        let mut draft = self.folder.create()?;
        draft.write_all(bytes).map_err(|error| Error::internal("storage", error))?;
        self.put(draft, key, "text/plain", &Patience::none())
    }

    fn fetch(&self, link: &str) -> Result<String> {
        let cure = "Check storage.public_endpoint, that it leads to the bucket under the name in the link, and \
                    storage.ca_file if its certificate is a private one.";
        let unavailable = |what: String| Error::new(Kind::Unavailable, format!("{what}. {cure}"));
        // What speaks to the bucket trusts both at once, this client either the one or the other.
        let answer = match (agent(RootCerts::WebPki).get(link).call(), &self.bucket()?.authorities) {
            (Err(_), Some(authorities)) => agent(authorities.clone()).get(link).call(),
            (answer, _) => answer,
        };
        let mut answer = answer.map_err(|error| unavailable(error.to_string()))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(64 << 10).read_to_string();
        match text {
            Ok(text) if status.is_success() => Ok(text),
            _ => Err(unavailable(format!("the link was answered with {status}"))),
        }
    }
}

fn agent(authorities: RootCerts) -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(authorities);
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(FETCH))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .tls_config(tls.build());
    config.build().into()
}

struct Steps(Vec<Step>);

impl Steps {
    /// Takes a step; nothing when it failed.
    fn take(&mut self, what: &'static str, step: impl FnOnce() -> Result<String>) -> Option<()> {
        let outcome = step().map_err(|error| error.chain());
        let went_well = outcome.is_ok().then_some(());
        self.0.push(Step { what, outcome });
        went_well
    }
}

/// It tells whole seconds.
fn parted(ahead_seconds: i64) -> String {
    match ahead_seconds {
        -1..=1 => "says the same as this machine's".to_owned(),
        ahead => format!(
            "is {} seconds {} this machine's",
            ahead.unsigned_abs(),
            if ahead > 0 { "ahead of" } else { "behind" }
        ),
    }
}

fn same(found: &str, bytes: &str) -> Result<()> {
    if found == bytes {
        return Ok(());
    }
    Err(Error::new(Kind::Unavailable, "What came back is not what was put."))
}
