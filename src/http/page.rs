//! One page of a list, with the links of contract 1's paginator, and the query behind it.

use axum::http::Uri;
use serde_json::{Value, json};

use crate::domain::request::Params;
use crate::kit::percent::encoded;

/// Which page of how many entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub number: u64,
    pub size: u64,
    pub total: u64,
}

impl Page {
    /// Entries before it.
    pub(super) fn skip(self) -> u64 {
        (self.number - 1).saturating_mul(self.size)
    }

    fn last(self) -> u64 {
        self.total.div_ceil(self.size).max(1)
    }

    /// The paginator without its `data`; links go to `base` and keep the query's other keys.
    pub(super) fn frame(self, base: &str, uri: &Uri, shown: u64) -> Value {
        let path = format!("{base}{}", uri.path());
        let rest: String = pairs(uri)
            .filter(|(key, _)| key != "page")
            .map(|(key, value)| format!("&{}={}", encoded(&key), encoded(&value)))
            .collect();
        let url = |page: u64| format!("{path}?page={page}{rest}");
        let last = self.last();
        let before = (self.number > 1).then(|| url((self.number - 1).min(last)));
        let after = (self.number < last).then(|| url(self.number + 1));
        let first_shown = (shown > 0).then(|| self.skip() + 1);
        let mut links = vec![json!({"url": before, "label": "Previous", "active": false})];
        // Of many pages those around this one.
        let (from, to) = (self.number.saturating_sub(3).max(1), last.min(self.number.saturating_add(3)));
        links.extend(
            (from..=to).map(|page| json!({"url": url(page), "label": page.to_string(), "active": page == self.number})),
        );
        links.push(json!({"url": after, "label": "Next", "active": false}));
        json!({
            "current_page": self.number,
            "first_page_url": url(1),
            "from": first_shown,
            "last_page": last,
            "last_page_url": url(last),
            "links": links,
            "next_page_url": after,
            "path": path,
            "per_page": self.size,
            "prev_page_url": before,
            "to": first_shown.map(|first| first + shown - 1),
            "total": self.total,
        })
    }
}

/// A frame with this raw JSON as the entries of its `data`.
pub(super) fn filled(frame: &Value, data: &str) -> String {
    format!("{{\"data\":[{data}],{}", frame.to_string().trim_start_matches('{'))
}

/// The query's values, decoded.
pub(super) fn query(uri: &Uri) -> Params {
    Params::from_query(pairs(uri))
}

fn pairs(uri: &Uri) -> impl Iterator<Item = (String, String)> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let hex = bytes.get(place + 1..place + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[place], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                place += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        place += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_comes_back_as_it_was_encoded() {
        let text = "a b&c=d+é%";
        assert_eq!(decoded(&encoded(text)), text);
        assert_eq!(decoded("a+b%2Bc%zz"), "a b+c%zz");
    }

    #[test]
    fn the_frame_tells_where_the_page_stands() {
        let uri: Uri = "/api/v3/tasks?status=DONE&page=2&limit=10".parse().unwrap_or_default();
        let frame = Page { number: 2, size: 10, total: 25 }.frame("http://h", &uri, 10);
        assert_eq!((&frame["from"], &frame["to"], &frame["last_page"]), (&json!(11), &json!(20), &json!(3)));
        assert_eq!(frame["next_page_url"], "http://h/api/v3/tasks?page=3&status=DONE&limit=10");
        let empty = Page { number: 1, size: 10, total: 0 }.frame("http://h", &uri, 0);
        assert_eq!(
            (&empty["from"], &empty["last_page"], &empty["next_page_url"]),
            (&Value::Null, &json!(1), &Value::Null)
        );
    }
}
