//! From a file's text and the environment to settings, with the place of each fault.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Settings;
use super::keys::{Given, KEYS, Key};
use crate::domain::request::closest;

const PREFIX: &str = "WAYBILL_";

/// Sets what the text of `config.toml` says.
pub(super) fn file(settings: &mut Settings, name: &str, text: &str, faults: &mut Vec<String>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut found: Vec<(usize, String)> = errors
        .iter()
        .map(|error| (line(text, error.span().map_or(0, |span| span.start)), error.message().to_owned()))
        .collect();
    if found.is_empty() {
        section(settings, "", table.get_ref(), &mut |place, fault| found.push((line(text, place), fault)));
    } else {
        // What could be made of such a text may not be what was meant. One mistake is told once.
        found.dedup_by_key(|(line, _)| *line);
    }
    found.sort();
    faults.extend(found.into_iter().map(|(line, fault)| format!("{name}:{line}: {fault}")));
}

/// Sets what the variables `WAYBILL_<SECTION>__<KEY>` say. Other variables are not ours.
pub(super) fn variables(
    settings: &mut Settings,
    variables: impl Iterator<Item = (String, String)>,
    faults: &mut Vec<String>,
) {
    for (variable, value) in variables {
        let Some(path) = variable.strip_prefix(PREFIX) else { continue };
        let path = path.to_lowercase().replace("__", ".");
        let outcome = match known(&path) {
            Ok(key) => (key.set)(settings, Given::Variable(&value)),
            // Variables of one word may belong to whatever starts the program.
            Err(_) if !path.contains('.') => continue,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = outcome {
            faults.push(format!("{variable}: {fault}"));
        }
    }
}

fn section(settings: &mut Settings, above: &str, table: &DeTable<'_>, tell: &mut impl FnMut(usize, String)) {
    for (name, value) in table {
        let path = if above.is_empty() { name.get_ref().to_string() } else { format!("{above}.{}", name.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) if above.is_empty() && (is_section(&path) || !inner.is_empty()) => {
                section(settings, &path, inner, tell);
            }
            _ => {
                if let Err(fault) = set(settings, &path, value) {
                    tell(name.span().start, fault);
                }
            }
        }
    }
}

fn set(settings: &mut Settings, path: &str, value: &Spanned<DeValue<'_>>) -> Result<(), String> {
    let key = known(path)?;
    let texts: Option<Vec<&str>>;
    let pairs: Option<Vec<(&str, &str)>>;
    let given = match value.get_ref() {
        DeValue::String(text) => Given::Text(text),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Given::Integer(number),
            Err(_) => Given::Other("a number of that size"),
        },
        DeValue::Float(_) => Given::Other("a decimal number"),
        DeValue::Boolean(flag) => Given::Boolean(*flag),
        DeValue::Datetime(_) => Given::Other("a date"),
        DeValue::Array(items) => {
            texts = items.iter().map(|item| item.get_ref().as_str()).collect();
            texts.as_deref().map_or(Given::Other("a list"), Given::List)
        }
        DeValue::Table(table) => {
            pairs = table.iter().map(|(name, item)| Some((&**name.get_ref(), item.get_ref().as_str()?))).collect();
            pairs.as_deref().map_or(Given::Other("a table"), Given::Table)
        }
    };
    (key.set)(settings, given).map_err(|fault| format!("{path} {fault}"))
}

fn known(path: &str) -> Result<&'static Key, String> {
    KEYS.iter().find(|key| key.name == path).ok_or_else(|| {
        if is_section(path) {
            return format!("{path} is a section: write [{path}], and its keys below");
        }
        let hint = closest(path, KEYS.iter().map(|key| key.name));
        let hint = hint.map(|name| format!(" Did you mean {name}?")).unwrap_or_default();
        format!("{path} is not a setting.{hint}")
    })
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.split_once('.').is_some_and(|(section, _)| section == name))
}

fn line(text: &str, place: usize) -> usize {
    text.bytes().take(place).filter(|byte| *byte == b'\n').count() + 1
}
