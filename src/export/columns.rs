//! Which columns a file has, and what stands above them (contract 2).

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use crate::domain::field::{DEFAULT_COLUMNS, FieldKind, SWITCHES, reserved};
use crate::domain::{Column, ColumnKind, Component, Flow};

/// Which keys of media components are written.
#[derive(Debug, Clone, Copy)]
pub struct Media {
    photos: bool,
    signatures: bool,
    url: bool,
    path: bool,
}

impl Media {
    /// The switches that older clients send among the names.
    pub fn from_switches(fields: &[String]) -> Self {
        let has = |name: &str| fields.iter().any(|field| field == name);
        let (url, path) = (has("url"), has("path"));
        Self { photos: !has("hidePhoto"), signatures: !has("hideSignature"), url: url || !path, path: path || !url }
    }

    /// Whether a key is written that adds `rest` to the id of a component of this kind.
    pub(super) fn shows(self, component: &str, rest: &str) -> bool {
        let kind_shown = match component {
            "photo" => self.photos,
            "signature" => self.signatures,
            _ => true,
        };
        let key_shown = match rest.rsplit('_').next() {
            Some("url") => self.url,
            Some("path") => self.path,
            _ => true,
        };
        kind_shown && key_shown
    }
}

/// The columns asked for by name, in that order. A media component stands for its keys among `seen`.
pub fn chosen<'a>(fields: &[String], flows: impl Iterator<Item = &'a Flow>, seen: &'a [String]) -> Vec<Column> {
    let mut columns = Columns::new(flows, seen, Media::from_switches(fields));
    for field in fields.iter().filter(|field| !SWITCHES.contains(&field.as_str())) {
        columns.add(field);
    }
    columns.finish()
}

/// The columns of a workbook that nobody shaped: the reserved ones, the components of `flows` in
/// page order, then every other key among `seen`, by name.
pub fn default<'a>(flows: impl Iterator<Item = &'a Flow> + Clone, seen: &'a [String]) -> Vec<Column> {
    let mut columns = Columns::new(flows.clone(), seen, Media::from_switches(&[]));
    for name in DEFAULT_COLUMNS {
        columns.add_key(name);
    }
    for component in flows.flat_map(Flow::components) {
        columns.add(&component.id);
    }
    let mut others: Vec<_> = seen.iter().collect();
    others.sort_unstable();
    for name in others {
        columns.add_key(name);
    }
    columns.finish()
}

/// Equal headers become `Title (id)`, unless the header is the id.
pub(super) fn tell_apart<'a>(columns: impl Iterator<Item = &'a mut Column>) {
    let mut columns: Vec<_> = columns.collect();
    let mut count: HashMap<String, usize> = HashMap::new();
    for column in &columns {
        *count.entry(column.header.clone()).or_default() += 1;
    }
    for column in &mut columns {
        if column.header != column.id && count.get(&column.header) != Some(&1) {
            column.header = format!("{} ({})", column.header, column.id);
        }
    }
}

struct Columns<'a> {
    components: HashMap<&'a str, &'a Component>,
    /// The keys that some task has.
    seen: &'a [String],
    /// Those among them that belong to a component, once they are asked for.
    companions: OnceCell<HashMap<&'a str, Vec<&'a str>>>,
    media: Media,
    keys: Vec<String>,
    known: HashSet<String>,
}

impl<'a> Columns<'a> {
    fn new(flows: impl Iterator<Item = &'a Flow>, seen: &'a [String], media: Media) -> Self {
        let mut components = HashMap::new();
        for component in flows.flat_map(Flow::components) {
            components.entry(component.id.as_str()).or_insert(component);
        }
        let companions = OnceCell::new();
        Self { components, seen, companions, media, keys: Vec::new(), known: HashSet::new() }
    }

    /// The keys that belong to this component, and it itself where a task has it.
    fn keys_of(&self, component: &str) -> Vec<&'a str> {
        let find = || {
            let mut found: HashMap<&str, Vec<&str>> = HashMap::new();
            for key in self.seen {
                let id = self.component_of(key).map_or(key.as_str(), |(id, _)| id);
                found.entry(id).or_default().push(key);
            }
            found
        };
        self.companions.get_or_init(find).get(component).cloned().unwrap_or_default()
    }

    /// A component with its companions (`<id>_unit`, `<id>_0_url`, ...), or a plain key.
    fn add(&mut self, name: &str) {
        if reserved(name).is_some() || !self.components.contains_key(name) {
            return self.add_key(name);
        }
        let (own, mut companions): (Vec<_>, Vec<_>) = self.keys_of(name).into_iter().partition(|key| *key == name);
        companions.sort_by_cached_key(|key| numbered(key));
        if companions.is_empty() || !own.is_empty() {
            self.add_key(name);
        }
        for key in companions {
            self.add_key(key);
        }
    }

    fn add_key(&mut self, key: &str) {
        let hidden = self.component_of(key).is_some_and(|(id, rest)| {
            self.components.get(id).is_some_and(|component| !self.media.shows(&component.component, rest))
        });
        if !hidden && self.known.insert(key.to_owned()) {
            self.keys.push(key.to_owned());
        }
    }

    fn component_of<'k>(&self, key: &'k str) -> Option<(&'k str, &'k str)> {
        component_of(&self.components, key)
    }

    fn finish(self) -> Vec<Column> {
        let column = |key: &String| Column {
            id: key.clone(),
            header: self.title(key),
            kind: self.kind(key),
            format: self.format(key),
            width: None,
        };
        let mut columns: Vec<Column> = self.keys.iter().map(column).collect();
        tell_apart(columns.iter_mut());
        columns
    }

    fn title(&self, key: &str) -> String {
        if reserved(key).is_some() {
            return key.to_owned();
        }
        let title = |id: &str| {
            let title = self.components.get(id).map(|component| component.title.trim());
            title.filter(|title| !title.is_empty()).map(str::to_owned)
        };
        let of_companion = || {
            let (id, rest) = self.component_of(key)?;
            Some(format!("{} {}", title(id)?, rest.replace('_', " ")))
        };
        title(key).or_else(of_companion).unwrap_or_else(|| key.to_owned())
    }

    fn format(&self, key: &str) -> Option<String> {
        let component = self.components.get(key).filter(|_| reserved(key).is_none());
        component.and_then(|component| format_of(component.kind.as_deref()))
    }

    fn kind(&self, key: &str) -> ColumnKind {
        if let Some(kind) = reserved(key) {
            return if kind == FieldKind::Time { ColumnKind::Time } else { ColumnKind::Auto };
        }
        match (self.components.get(key), self.component_of(key)) {
            (Some(component), _) => kind_of(&component.component, component.kind.as_deref()),
            (None, Some((_, rest))) if rest.rsplit('_').next() == Some("url") => ColumnKind::Url,
            (None, _) => ColumnKind::Auto,
        }
    }
}

/// The component that a companion key belongs to, and what the key adds to its id.
fn component_of<'k>(components: &HashMap<&str, &Component>, key: &'k str) -> Option<(&'k str, &'k str)> {
    if components.contains_key(key) {
        return None;
    }
    let mut ends = key.match_indices('_').map(|(place, _)| place);
    ends.find_map(|end| {
        let (id, rest) = (&key[..end], &key[end + 1..]);
        (is_companion(rest) && components.contains_key(id)).then_some((id, rest))
    })
}

/// How the answers to a component become cells, whatever its flow or config calls it.
pub(super) fn kind_of(component: &str, input: Option<&str>) -> ColumnKind {
    match (component, input) {
        ("list" | "bill", _) => ColumnKind::List,
        (_, Some("date")) => ColumnKind::Date,
        (_, Some("datetime")) => ColumnKind::Time,
        _ => ColumnKind::Auto,
    }
}

/// The keys among `seen` that hold what belongs to the component of this id, each with what it adds
/// to the id.
pub(super) fn companions<'a>(id: &str, seen: &'a [String]) -> Vec<(&'a str, &'a str)> {
    let rest = |key: &'a String| key.strip_prefix(id)?.strip_prefix('_').filter(|rest| is_companion(rest));
    let mut keys: Vec<_> = seen.iter().filter_map(|key| Some((key.as_str(), rest(key)?))).collect();
    keys.sort_by_key(|(key, _)| numbered(key));
    keys
}

/// The number format of an input that holds money or a share; others show a number as it is.
pub(super) fn format_of(input: Option<&str>) -> Option<String> {
    match input? {
        "currency" | "money" => Some("#,##0.00".to_owned()),
        // The stored number is the share in hundredths already.
        "percent" | "percentage" => Some("General\\%".to_owned()),
        _ => None,
    }
}

/// `unit`, `url`, `path`, or one of these behind the number of a photo: `0_url`.
fn is_companion(rest: &str) -> bool {
    let last = match rest.split_once('_') {
        Some((number, last)) if !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()) => last,
        _ => rest,
    };
    matches!(last, "unit" | "url" | "path" | "caption" | "time" | "coordinate")
}

/// The key with its numbers padded, so that photo 10 comes after photo 9.
fn numbered(key: &str) -> String {
    key.split('_')
        .map(|part| if part.bytes().all(|b| b.is_ascii_digit()) { format!("{part:0>8}_") } else { format!("{part}_") })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn flow(json: &str) -> Flow {
        let head = r#"{"_id":"61e5477601020304ffabcdef","name":"f","createdTime":"","updatedTime":"","pages":[{"id":"p","components":"#;
        serde_json::from_str(&format!("{head}{json}}}]}}")).unwrap()
    }

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn headers(columns: &[Column]) -> Vec<&str> {
        columns.iter().map(|column| column.header.as_str()).collect()
    }

    #[test]
    fn a_photo_stands_for_its_keys_and_equal_titles_carry_their_ids() {
        let flow = flow(
            r#"[{"id":"pic","component":"photo","title":"Door"},{"id":"w","component":"input","title":"Size","type":"number"},
                {"id":"h","component":"input","title":"Size"}]"#,
        );
        let seen = names(&["pic_10_url", "pic_9_url", "pic_9_path", "w", "w_unit", "h", "zebra"]);
        let columns = chosen(&names(&["status", "pic", "w", "h"]), [&flow].into_iter(), &seen);
        assert_eq!(
            headers(&columns),
            ["status", "Door 9 path", "Door 9 url", "Door 10 url", "Size (w)", "Size unit", "Size (h)"]
        );
        let all = default([&flow].into_iter(), &seen);
        assert_eq!(headers(&all).last(), Some(&"zebra"));
        assert_eq!(all.len(), DEFAULT_COLUMNS.len() + 7);
    }

    #[test]
    fn the_switches_of_older_clients_leave_media_out() {
        let flow = flow(
            r#"[{"id":"pic","component":"photo","title":"Door"},{"id":"s","component":"signature","title":"Sign"}]"#,
        );
        let seen = names(&["pic_0_url", "pic_0_path", "s_url"]);
        let of = |fields: &[&str]| {
            chosen(&names(fields), [&flow].into_iter(), &seen).into_iter().map(|column| column.id).collect::<Vec<_>>()
        };
        assert_eq!(of(&["pic", "s", "url"]), ["pic_0_url", "s_url"]);
        assert_eq!(of(&["pic", "s", "hideSignature", "path"]), ["pic_0_path"]);
        assert_eq!(of(&["_id", "pic", "hidePhoto"]), ["_id"]);
    }
}
