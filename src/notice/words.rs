//! What a mail says: templates that are shipped, and that an operator can replace one by one.
//!
//! A text begins with the line `Subject: …`; the HTML beside it says the same. The names of the places
//! are those in [`values`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::mail::Letter;
use super::readable;
use super::template::{Values, escaped, fill, plain};
use crate::domain::{ExportLog, Id, Language, Mailbox, Notice, Told, Zone};
use crate::settings::Mail;

/// Warnings that a mail shows; the log has them all.
const MOST_WARNINGS: usize = 20;
/// Bytes of a template.
const MOST_BYTES: u64 = 1 << 20;

/// The templates, and who is written to in which language.
#[derive(Debug)]
pub struct Words {
    language: Language,
    languages: BTreeMap<Id, Language>,
    folder: Option<PathBuf>,
}

/// The two parts of a mail.
#[derive(Debug, Clone, Copy)]
enum Part {
    Text,
    Html,
}

/// One of the templates.
#[derive(Debug, Clone, Copy)]
struct Template {
    told: Told,
    language: Language,
    part: Part,
}

impl Words {
    /// The words that these settings choose.
    pub fn new(settings: &Mail) -> Self {
        let (language, languages) = (settings.language, settings.languages.clone());
        Self { language, languages, folder: settings.templates_dir.clone() }
    }

    /// The letter that a notice sends to this address, in the language of its organisation. Times are
    /// those of the zone; `link` is where the file can be fetched, if it can.
    pub fn letter(&self, notice: &Notice, to: &str, log: &ExportLog, link: Option<String>, zone: &Zone) -> Letter {
        let language = self.languages.get(&notice.organization).copied().unwrap_or(self.language);
        let values = values(language, log, link, zone);
        let part = |part| self.filled(Template { told: notice.told, language, part }, &values);
        let text = part(Part::Text);
        let (subject, text) = headed(&text).unwrap_or(("Export", &text));
        let name = one_line(&log.caller.name);
        Letter {
            id: format!("{}.{}.{}", notice.export, notice.told.name(), notice.id),
            to: Mailbox { name: Some(name).filter(|name| !name.is_empty()), address: to.to_owned() },
            subject: one_line(subject),
            text: text.to_owned(),
            html: part(Part::Html),
            date: log.completed.unwrap_or(log.asked),
        }
    }

    /// The operator's template if there is one that can be filled, else ours.
    fn filled(&self, template: Template, values: &Values) -> String {
        let (part, file) = (template.part, template.file());
        let written = if matches!(part, Part::Text) { plain } else { escaped };
        match self.own(&file).map(|own| own.and_then(|own| filled(&own, part, values, written))) {
            Some(Ok(text)) => return text,
            Some(Err(fault)) => {
                tracing::warn!(file, fault, "a template of mails cannot be used; the shipped one takes its place");
            }
            None => {}
        }
        // Ours can be filled, which is tested.
        fill(template.shipped(), values, written).unwrap_or_default()
    }

    fn own(&self, file: &str) -> Option<Result<String, String>> {
        let path = self.folder.as_ref()?.join(file);
        let read = || -> io::Result<String> {
            if fs::metadata(&path)?.len() > MOST_BYTES {
                return Err(io::Error::other("it has more than 1 MiB"));
            }
            fs::read_to_string(&path)
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.map_err(|error| error.to_string())),
        }
    }
}

impl Template {
    fn file(self) -> String {
        let ending = if matches!(self.part, Part::Text) { "txt" } else { "html" };
        format!("{}.{}.{ending}", self.told.name(), self.language.code())
    }

    fn shipped(self) -> &'static str {
        match (self.language, self.told, self.part) {
            (Language::English, Told::Done, Part::Text) => include_str!("templates/done.en.txt"),
            (Language::English, Told::Done, Part::Html) => include_str!("templates/done.en.html"),
            (Language::English, Told::Failed, Part::Text) => include_str!("templates/failed.en.txt"),
            (Language::English, Told::Failed, Part::Html) => include_str!("templates/failed.en.html"),
            (Language::Indonesian, Told::Done, Part::Text) => include_str!("templates/done.id.txt"),
            (Language::Indonesian, Told::Done, Part::Html) => include_str!("templates/done.id.html"),
            (Language::Indonesian, Told::Failed, Part::Text) => include_str!("templates/failed.id.txt"),
            (Language::Indonesian, Told::Failed, Part::Html) => include_str!("templates/failed.id.html"),
        }
    }
}

fn filled(template: &str, part: Part, values: &Values, written: fn(&str) -> String) -> Result<String, String> {
    let text = fill(template, values, written)?;
    match part {
        Part::Text if headed(&text).is_none() => Err("its first line is not Subject: …".to_owned()),
        _ => Ok(text),
    }
}

/// The subject of a text and what comes below it.
fn headed(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = text.split_once('\n')?;
    let subject = first.trim().strip_prefix("Subject:").map(str::trim).filter(|subject| !subject.is_empty())?;
    Some((subject, rest.trim_start()))
}

fn values(language: Language, log: &ExportLog, link: Option<String>, zone: &Zone) -> Values {
    let number = |value| readable::number(language, value);
    let time = |moment| readable::time(language, moment, zone);
    let file = log.file.as_ref();
    let name = if log.caller.name.trim().is_empty() { &log.caller.email } else { &log.caller.name };
    let warnings = log.warnings.iter().take(MOST_WARNINGS).map(|warning| one_line(warning));
    let mut values = Values::default();
    values.put("name", [one_line(name)]);
    values.put("title", [one_line(&log.data_name)]);
    values.put("rows", [number(log.rows)]);
    values.put("left_out", log.truncated().then(|| number(log.matched - log.rows)));
    values.put("file", file.map(|file| one_line(&file.name)));
    values.put("size", file.map(|file| readable::size(language, file.size)));
    values.put("asked", [time(log.asked)]);
    values.put("completed", log.completed.map(time));
    values.put("expires", file.map(|file| time(file.expires)));
    values.put("link", link);
    values.put("error", log.error.as_deref().map(one_line));
    values.put("warning_count", Some(log.warnings.len() as u64).filter(|count| *count > 0).map(number));
    values.put("warnings", warnings);
    values.put("export", [log.id.to_string()]);
    values
}

/// Whatever people named something, it stays on its line.
fn one_line(text: &str) -> String {
    /// Characters.
    const MOST: usize = 500;
    let line: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
