//! Every key: its name, and how its value is checked and set.

use std::collections::BTreeMap;

use super::{Dates, Deflate, Delivery, LogFormat, MailSecurity, Settings, StorageKind};
use crate::domain::{Id, Language, Mailbox, OnFault, Zone};
use crate::kit::secret::Secret;

/// A value as the file or the environment gives it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'a> {
    Text(&'a str),
    Integer(i64),
    List(&'a [&'a str]),
    /// Names and what each of them is given.
    Table(&'a [(&'a str, &'a str)]),
    Boolean(bool),
    /// From the environment, where everything is text.
    Variable(&'a str),
    /// Of a type that no key has, by its name.
    Other(&'a str),
}

/// The fault of a value, and the cure.
type Fault = String;

/// A key and what sets it.
pub(super) struct Key {
    pub name: &'static str,
    pub set: fn(&mut Settings, Given<'_>) -> Result<(), Fault>,
}

macro_rules! key {
    ($name:literal, $settings:ident, $given:ident => $set:expr) => {
        Key {
            name: $name,
            set: |$settings, $given| {
                $set;
                Ok(())
            },
        }
    };
}

/// Every key, in the order of the shipped file.
pub(super) const KEYS: &[Key] = &[
    key!("timezone", s, v => s.timezone = zone(v)?),
    key!("server.listen", s, v => s.server.listen = parsed(v, "an address and a port like 127.0.0.1:8080")?),
    key!("server.public_url", s, v => s.server.public_url = url(v)?),
    key!("server.max_connections", s, v => s.server.max_connections = number(v, 1, 100_000)?),
    key!("server.header_seconds", s, v => s.server.header_seconds = number(v, 1, 300)?),
    key!("server.body_idle_seconds", s, v => s.server.body_idle_seconds = number(v, 1, 3600)?),
    key!("server.write_stall_seconds", s, v => s.server.write_stall_seconds = number(v, 1, 3600)?),
    key!("server.grace_seconds", s, v => s.server.grace_seconds = number(v, 0, 3600)?),
    key!("server.max_body_bytes", s, v => s.server.max_body_bytes = number(v, 1024, 1 << 30)?),
    key!("server.max_bulk_bytes", s, v => s.server.max_bulk_bytes = number(v, 1024, 1 << 30)?),
    key!("server.rate_per_second", s, v => s.server.rate_per_second = number(v, 1, 1_000_000)?),
    key!("server.rate_burst", s, v => s.server.rate_burst = number(v, 1, 1_000_000)?),
    key!("data.dir", s, v => s.data.dir = text(v)?.into()),
    key!("data.cache_bytes", s, v => s.data.cache_bytes = number(v, 1 << 20, 1 << 40)?),
    key!("organization.id", s, v => s.organization.id = parsed(v, "24 lower-case hex characters")?),
    key!("organization.name", s, v => s.organization.name = text(v)?),
    key!("export.direct_default_limit", s, v => s.export.direct_default_limit = number(v, 0, 1_000_000)?),
    key!("export.direct_max_rows", s, v => s.export.direct_max_rows = number(v, 1, 1_000_000)?),
    key!("export.direct_at_once", s, v => s.export.direct_at_once = number(v, 1, 1024)?),
    key!("export.dates", s, v => s.export.dates = one_of(v, &[("cells", Dates::Cells), ("text", Dates::Text)])?),
    key!("export.deflate", s, v => s.export.deflate = one_of(v, &[("layout", Deflate::Layout), ("zlib", Deflate::Zlib)])?),
    key!("export.csv_neutralise", s, v => s.export.csv_neutralise = flag(v)?),
    key!("export.threads", s, v => s.export.threads = number(v, 0, 1024)?),
    key!("export.workers", s, v => s.export.workers = number(v, 0, 256)?),
    key!("export.queue_per_user", s, v => s.export.queue_per_user = number(v, 1, 100_000)?),
    key!("scripts.dir", s, v => s.scripts.dir = text(v)?.into()),
    key!("scripts.on_fault", s, v => s.scripts.on_fault = one_of(v, &[("continue", OnFault::Continue), ("fail", OnFault::Fail)])?),
    key!("scripts.max_operations", s, v => s.scripts.max_operations = number(v, 100, 100_000_000)?),
    key!("scripts.max_call_ms", s, v => s.scripts.max_call_ms = number(v, 1, 60_000)?),
    key!("scripts.max_call_depth", s, v => s.scripts.max_call_depth = number(v, 1, 64)?),
    key!("scripts.max_string_bytes", s, v => s.scripts.max_string_bytes = number(v, 256, 1 << 20)?),
    key!("scripts.max_list_items", s, v => s.scripts.max_list_items = number(v, 16, 1_000_000)?),
    key!("scripts.max_map_keys", s, v => s.scripts.max_map_keys = number(v, 16, 100_000)?),
    key!("scripts.max_call_bytes", s, v => s.scripts.max_call_bytes = number(v, 1 << 20, 1 << 30)?),
    key!("retention.days", s, v => s.retention.days = number(v, 1, 3650)?),
    key!("retention.log_days", s, v => s.retention.log_days = number(v, 1, 3650)?),
    key!("retention.sweep_minutes", s, v => s.retention.sweep_minutes = number(v, 1, 10_080)?),
    key!("storage.kind", s, v => s.storage.kind = one_of(v, &[("folder", StorageKind::Folder), ("bucket", StorageKind::Bucket)])?),
    key!("storage.link_hours", s, v => s.storage.link_hours = number(v, 1, 168)?),
    key!("storage.delivery", s, v => s.storage.delivery = one_of(v, &[("redirect", Delivery::Redirect), ("proxy", Delivery::Proxy)])?),
    key!("storage.endpoint", s, v => s.storage.endpoint = address(v)?),
    key!("storage.public_endpoint", s, v => s.storage.public_endpoint = address(v)?),
    key!("storage.region", s, v => s.storage.region = made_of(v, 64, "-")?),
    key!("storage.bucket", s, v => s.storage.bucket = made_of(v, 63, "-._")?),
    key!("storage.prefix", s, v => s.storage.prefix = made_of(v, 200, "-._/")?.trim_matches('/').to_owned()),
    key!("storage.create_bucket", s, v => s.storage.create_bucket = flag(v)?),
    key!("storage.access_key", s, v => s.storage.access_key = optional(v)?),
    key!("storage.secret_key", s, v => s.storage.secret_key = optional(v)?.map(Secret::new)),
    key!("storage.credentials_file", s, v => s.storage.credentials_file = optional(v)?.map(Into::into)),
    key!("storage.ca_file", s, v => s.storage.ca_file = optional(v)?.map(Into::into)),
    key!("storage.part_bytes", s, v => s.storage.part_bytes = number(v, 8 << 20, 16 << 20)?),
    key!("storage.call_seconds", s, v => s.storage.call_seconds = number(v, 1, 600)?),
    key!("storage.part_seconds", s, v => s.storage.part_seconds = number(v, 1, 3600)?),
    key!("storage.retry_seconds", s, v => s.storage.retry_seconds = number(v, 0, 86_400)?),
    key!("mail.host", s, v => s.mail.host = optional(v)?),
    key!("mail.port", s, v => s.mail.port = number(v, 1, 65_535)?),
    key!("mail.security", s, v => s.mail.security = one_of(v, &[("starttls", MailSecurity::StartTls), ("tls", MailSecurity::Tls), ("none", MailSecurity::None)])?),
    key!("mail.username", s, v => s.mail.username = optional(v)?),
    key!("mail.password", s, v => s.mail.password = optional(v)?.map(Secret::new)),
    key!("mail.from", s, v => s.mail.from = mailbox(v)?),
    key!("mail.helo", s, v => s.mail.helo = optional(v)?),
    key!("mail.spool_dir", s, v => s.mail.spool_dir = optional(v)?.map(Into::into)),
    key!("mail.templates_dir", s, v => s.mail.templates_dir = optional(v)?.map(Into::into)),
    key!("mail.language", s, v => s.mail.language = one_of(v, &LANGUAGES)?),
    key!("mail.languages", s, v => s.mail.languages = languages(v)?),
    key!("mail.ca_file", s, v => s.mail.ca_file = optional(v)?.map(Into::into)),
    key!("mail.timeout_seconds", s, v => s.mail.timeout_seconds = number(v, 1, 600)?),
    key!("webhook.urls", s, v => s.webhook.urls = hooks(v)?),
    key!("webhook.secret", s, v => s.webhook.secret = strong(v)?),
    key!("webhook.timeout_seconds", s, v => s.webhook.timeout_seconds = number(v, 1, 600)?),
    key!("log.format", s, v => s.log.format = one_of(v, &[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)])?),
    key!("log.level", s, v => s.log.level = one_of(v, &LEVELS.map(|level| (level, level)))?.to_owned()),
];

const LANGUAGES: [(&str, Language); 2] = [("en", Language::English), ("id", Language::Indonesian)];
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn text(given: Given<'_>) -> Result<String, Fault> {
    match given {
        Given::Text(text) | Given::Variable(text) if text.trim().is_empty() => Err("must not be empty".to_owned()),
        Given::Text(text) | Given::Variable(text) => Ok(text.to_owned()),
        Given::Integer(_) => Err("must be a text in quotes, not a number".to_owned()),
        Given::List(_) => Err("must be a text in quotes, not a list".to_owned()),
        Given::Table(_) => Err("must be a text in quotes, not a table".to_owned()),
        Given::Boolean(_) => Err("must be a text in quotes, not true or false".to_owned()),
        Given::Other(kind) => Err(format!("must be a text in quotes, not {kind}")),
    }
}

fn number<T: TryFrom<i64>>(given: Given<'_>, least: i64, most: i64) -> Result<T, Fault> {
    let fault = || format!("must be a whole number between {least} and {most}");
    let number = match given {
        Given::Integer(number) => Some(number),
        Given::Variable(text) => text.trim().parse().ok(),
        Given::Text(_) | Given::Boolean(_) | Given::List(_) | Given::Table(_) | Given::Other(_) => None,
    };
    let number = number.filter(|number| (least..=most).contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(fault)
}

fn flag(given: Given<'_>) -> Result<bool, Fault> {
    match given {
        Given::Boolean(flag) => Ok(flag),
        Given::Variable(text) => text.trim().parse().map_err(|_| "must be true or false".to_owned()),
        _ => Err("must be true or false, without quotes".to_owned()),
    }
}

fn parsed<T: std::str::FromStr>(given: Given<'_>, what: &str) -> Result<T, Fault> {
    text(given)?.parse().map_err(|_| format!("must be {what}"))
}

fn one_of<T: Copy>(given: Given<'_>, allowed: &[(&str, T)]) -> Result<T, Fault> {
    let text = text(given)?;
    let found = allowed.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
    found.ok_or_else(|| format!("must be one of {}", names.join(", ")))
}

fn zone(given: Given<'_>) -> Result<Zone, Fault> {
    Zone::named(&text(given)?).ok_or_else(|| "must be an IANA time zone like Asia/Jakarta".to_owned())
}

/// An empty text means that there is none.
fn optional(given: Given<'_>) -> Result<Option<String>, Fault> {
    match given {
        Given::Text("") | Given::Variable("") => Ok(None),
        given => text(given).map(Some),
    }
}

/// An empty text means that there is none.
fn url(given: Given<'_>) -> Result<Option<String>, Fault> {
    let Some(url) = optional(given)? else { return Ok(None) };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let unfit = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '@' | '"' | '<' | '>' | '\\');
    let is_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(unfit));
    if !is_host {
        return Err("must start with http:// or https:// and a host, without query".to_owned());
    }
    Ok(Some(url.trim_end_matches('/').to_owned()))
}

/// Up to so many ASCII letters and digits, and these signs.
fn made_of(given: Given<'_>, most: usize, signs: &str) -> Result<String, Fault> {
    let text = optional(given)?.unwrap_or_default();
    let is_good = text.len() <= most && text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c));
    let signs: Vec<String> = signs.chars().map(String::from).collect();
    let fault = || format!("must be up to {most} ASCII letters, digits and {}", signs.join(" "));
    if is_good { Ok(text) } else { Err(fault()) }
}

/// A URL without a path, since a signature covers what comes after the host.
fn address(given: Given<'_>) -> Result<Option<String>, Fault> {
    let url = url(given)?;
    match url.as_deref().and_then(|url| url.split_once("://")) {
        Some((_, host)) if host.contains('/') => {
            Err("must be http:// or https:// and a host, with a port where it needs one, and no path".to_owned())
        }
        _ => Ok(url),
    }
}

/// An empty text means that there is none.
fn mailbox(given: Given<'_>) -> Result<Option<Mailbox>, Fault> {
    let Some(text) = optional(given)? else { return Ok(None) };
    let fault = || "must be an address like exports@example.org or Exports <exports@example.org>".to_owned();
    Mailbox::parse(&text).map(Some).ok_or_else(fault)
}

/// A secret that is not guessed. An empty text means that there is none.
fn strong(given: Given<'_>) -> Result<Option<Secret>, Fault> {
    /// Characters: with chance in them, more than anybody can try.
    const LEAST: usize = 16;
    match optional(given)? {
        Some(text) if text.chars().count() < LEAST => Err(format!("must have at least {LEAST} characters")),
        text => Ok(text.map(Secret::new)),
    }
}

/// The languages of organisations, by their ids; from the environment, `<id>=<language>` with commas between.
fn languages(given: Given<'_>) -> Result<BTreeMap<Id, Language>, Fault> {
    let pairs: Vec<(&str, &str)> = match given {
        Given::Table(pairs) => pairs.to_vec(),
        Given::Variable(text) => {
            let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect()
        }
        _ => return Err("must be a table like { \"5f0c1d2e3a4b5c6d7e8f9a0b\" = \"id\" }".to_owned()),
    };
    let read = |(id, code): (&str, &str)| {
        let (id, code) = (id.trim(), code.trim());
        let organization: Id = id.parse().map_err(|_| {
            format!("has {id:?}, which is no organisation's id: those are 24 lower-case hex characters")
        })?;
        one_of(Given::Text(code), &LANGUAGES)
            .map(|language| (organization, language))
            .map_err(|fault| format!("gives {id} {code:?}, which {fault}"))
    };
    pairs.into_iter().map(read).collect()
}

/// A list of addresses; from the environment, with commas between them.
fn hooks(given: Given<'_>) -> Result<Vec<String>, Fault> {
    /// More would make every export wait for a crowd.
    const MOST: usize = 8;
    let urls: Vec<&str> = match given {
        Given::List(urls) => urls.to_vec(),
        Given::Text(text) | Given::Variable(text) => text.split(',').filter(|url| !url.trim().is_empty()).collect(),
        Given::Integer(_) | Given::Boolean(_) | Given::Table(_) | Given::Other(_) => {
            return Err("must be a list of texts".to_owned());
        }
    };
    let unfit = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '#' | '@' | '"' | '<' | '>' | '\\');
    let is_hook = |url: &&str| {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', ':']) && !rest.contains(unfit))
    };
    let urls: Vec<&str> = urls.into_iter().map(str::trim).collect();
    match urls.len() <= MOST && urls.iter().all(is_hook) {
        true => Ok(urls.into_iter().map(str::to_owned).collect()),
        false => Err(format!("must be at most {MOST} addresses that start with http:// or https:// and a host")),
    }
}
