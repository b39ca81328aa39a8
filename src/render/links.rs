//! Addresses that can be clicked: which ones a workbook may hold, and the two lists that name them
//! behind the rows of a sheet. Both are deflated as they grow, so that little memory holds them.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::domain::limits::{MAX_LINK_BYTES, MAX_SHEET_LINKS};

use super::Error;
use super::deflate::{Deflater, Piece, piece};
use super::repairs::{Repair, Repairs};
use super::sheet::letters;

const RELATIONSHIPS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
    <Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">";
const HYPERLINK: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink";

/// The links of one block, in order; their addresses lie in one text.
#[derive(Debug, Default)]
pub(super) struct Links {
    cells: Vec<(u64, usize, usize)>,
    targets: String,
}

impl Links {
    /// One more, in this row, counted from 1, and this column, counted from 0.
    pub(super) fn add(&mut self, row: u64, column: usize, target: &str) {
        self.targets.push_str(target);
        self.cells.push((row, column, self.targets.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (u64, usize, &str)> {
        let mut start = 0;
        self.cells.iter().map(move |&(row, column, end)| {
            let target = self.targets.get(start..end).unwrap_or_default();
            start = end;
            (row, column, target)
        })
    }
}

/// The links of a sheet as they are written behind its rows.
pub(super) struct SheetLinks {
    count: u64,
    /// What stands in the sheet, and what beside it; none before the first link.
    lists: Option<(Deflater, Deflater)>,
}

impl SheetLinks {
    pub(super) fn new() -> Self {
        Self { count: 0, lists: None }
    }

    /// Takes in the links of the next block; those that are too many stay texts.
    pub(super) fn append(&mut self, links: &Links, repairs: &mut Repairs) -> Result<(), Error> {
        let (mut elements, mut relations) = (String::new(), String::new());
        for (row, column, target) in links.iter() {
            if self.count == MAX_SHEET_LINKS {
                repairs.add(Repair::LinkAsText, row, column);
                continue;
            }
            self.count += 1;
            let (number, place) = (self.count, letters(column));
            // Excel keeps what follows the first # apart from the address.
            let (address, anchor) = target.split_once('#').unwrap_or((target, ""));
            let _ = write!(elements, "<hyperlink ref=\"{place}{row}\" r:id=\"rId{number}\"");
            if !anchor.is_empty() {
                let _ = write!(elements, " location=\"{}\"", attribute(anchor));
            }
            elements.push_str("/>");
            let _ = write!(
                relations,
                "<Relationship Id=\"rId{number}\" Type=\"{HYPERLINK}\" Target=\"{}\" TargetMode=\"External\"/>",
                attribute(address)
            );
        }
        if elements.is_empty() {
            return Ok(());
        }
        let (sheet, part) = self.lists.get_or_insert_with(|| (Deflater::new(), Deflater::new()));
        sheet.push(elements.as_bytes())?;
        part.push(relations.as_bytes())
    }

    /// The list inside the sheet, and the part beside it; nothing when there are no links.
    pub(super) fn finish(self) -> Result<Option<(Piece, Piece)>, Error> {
        let Some((elements, relations)) = self.lists else { return Ok(None) };
        let framed = |head: &str, list: Deflater, tail: &str| {
            let (mut whole, list) = (piece(head.as_bytes())?, list.finish()?);
            let tail = piece(tail.as_bytes())?;
            for piece in [list, tail] {
                whole.bytes.extend(piece.bytes);
                whole.crc.combine(&piece.crc);
                whole.length += piece.length;
            }
            Ok::<_, Error>(whole)
        };
        let elements = framed("<hyperlinks>", elements, "</hyperlinks>")?;
        Ok(Some((elements, framed(RELATIONSHIPS, relations, "</Relationships>")?)))
    }
}

fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('\'', "&apos;")
}

/// The address in the characters that every reader takes (RFC 3986), if it can be clicked: http or
/// https, with a plain host, and not too long. Excel repairs a file with another in it.
pub(super) fn target(url: &str) -> Option<Cow<'_, str>> {
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    let rest = &url[scheme.len()..];
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if url.len() > MAX_LINK_BYTES || !is_host(host) {
        return None;
    }
    let target = match encoded(&rest[host.len()..]) {
        Cow::Borrowed(_) => Cow::Borrowed(url),
        Cow::Owned(tail) => Cow::Owned(format!("{scheme}{host}{tail}")),
    };
    (target.len() <= MAX_LINK_BYTES).then_some(target)
}

/// A name of letters, digits and hyphens, or an address of four numbers, and a port.
fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Path, query and anchor with everything unusual in percents, also a percent that starts no escape
/// and a second `#`.
fn encoded(tail: &str) -> Cow<'_, str> {
    let bytes = tail.as_bytes();
    let anchor = tail.find('#');
    let is_plain = |place: usize| match bytes[place] {
        b'%' => bytes.get(place + 1..place + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        b'#' => anchor == Some(place),
        b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'[' | b']' => false,
        byte => byte.is_ascii_graphic(),
    };
    if (0..bytes.len()).all(is_plain) {
        return Cow::Borrowed(tail);
    }
    let mut out = String::with_capacity(tail.len() + 16);
    for (place, byte) in bytes.iter().enumerate() {
        match is_plain(place) {
            true => out.push(char::from(*byte)),
            false => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_of_the_web_can_be_clicked() {
        for url in
            ["http://a.b/c?d=e&f=%20#g", "HTTPS://files.example.com:8443/x", "http://10.0.0.1", "https://a_b.c/'"]
        {
            assert_eq!(target(url).as_deref(), Some(url));
        }
        for url in [
            "",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ftp://a.b",
            "mailto:a@b.c",
            "http://",
            "http:///x",
            "https://a..b/",
            "https://user@host/",
            "https://-a.b",
            "https://a.b:99999/",
            "https://[::1]/",
            "https://bücher.de/",
            "//a.b/c",
            "http:/a.b",
        ] {
            assert_eq!(target(url), None, "{url}");
        }
    }

    #[test]
    fn odd_characters_are_told_in_percents() {
        assert_eq!(target("https://a.b/ü \"x\"").as_deref(), Some("https://a.b/%C3%BC%20%22x%22"));
        assert_eq!(target("https://a.b/50%/%zz%41#p#q").as_deref(), Some("https://a.b/50%25/%25zz%41#p%23q"));
        let long = format!("https://a.b/{}", "x".repeat(MAX_LINK_BYTES - 12));
        assert_eq!(target(&long).as_deref(), Some(long.as_str()));
        assert_eq!(target(&format!("{long}y")), None);
        assert_eq!(target(&format!("https://a.b/{}", "ü".repeat(400))), None);
    }
}
