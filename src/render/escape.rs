//! A text inside XML, as Excel reads it.

/// Bytes that need a look: markup, controls, the underscore of `_x0041_`, and the first byte of
/// U+FFFE and U+FFFF.
const LOOK: [bool; 256] = {
    let mut look = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        look[byte] = true;
        byte += 1;
    }
    look[b'&' as usize] = true;
    look[b'<' as usize] = true;
    look[b'>' as usize] = true;
    look[b'_' as usize] = true;
    look[0xEF] = true;
    look
};

/// What a first look at bytes finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// ASCII that stands in JSON and in XML as it is.
    Plain,
    /// If they are text, it stands in both as it is.
    PlainText,
    /// All others, and some that would need no more than a second look.
    Other,
}

/// Looks at bytes.
pub(super) fn look(bytes: &[u8]) -> Look {
    const HIGH: u8 = 0x80;
    let of = |looks: u8| match looks {
        0 => Look::Plain,
        HIGH => Look::PlainText,
        _ => Look::Other,
    };
    let few;
    let (whole, last) = match bytes.last_chunk::<16>() {
        Some(last) => (bytes, last),
        None => {
            few = sixteen(bytes);
            (&[][..], &few)
        }
    };
    // In a form of which compilers make comparisons of sixteen bytes at once; the last ones overlap.
    let mut looks = [0_u8; 16];
    let mut add = |bytes: &[u8; 16]| {
        for (look, &byte) in looks.iter_mut().zip(bytes) {
            let markup = u8::from(byte == b'&') | u8::from(byte & !2 == b'<');
            let escape = u8::from(byte == b'_') | u8::from(byte == b'\\') | u8::from(byte == 0xEF);
            *look |= byte & HIGH | u8::from(byte < 0x20) | markup | escape;
        }
    };
    whole.as_chunks().0.iter().for_each(&mut add);
    add(last);
    of(looks.iter().fold(0, |all, one| all | one))
}

/// Fewer than sixteen bytes, some of them twice, and letters.
fn sixteen(bytes: &[u8]) -> [u8; 16] {
    let mut sixteen = [b'a'; 16];
    let (low, high) = sixteen.split_at_mut(8);
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        low.copy_from_slice(first);
        high.copy_from_slice(last);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        low[..4].copy_from_slice(first);
        high[..4].copy_from_slice(last);
    } else {
        low.iter_mut().zip(bytes).for_each(|(room, byte)| *room = *byte);
    }
    sixteen
}

/// What a reader other than Excel may see otherwise than it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Carriage returns became line feeds.
    pub line_ends: bool,
    /// Something stands there as `_xHHHH_`.
    pub controls: bool,
}

/// Writes a text so that its cell shows exactly that text: markup by entities, what XML 1.0 does not
/// allow as `_xHHHH_`, and a text that looks like such an escape with its underscore escaped
/// (ECMA-376, 22.4.2.4). A line ends with a line feed alone, as in cells that people type.
pub(super) fn text(text: &str, out: &mut Vec<u8>) -> Changes {
    let bytes = text.as_bytes();
    let mut changes = Changes::default();
    let mut copied = 0;
    let mut place = 0;
    while let Some(step) = bytes[place..].iter().position(|byte| LOOK[usize::from(*byte)]) {
        place += step;
        let (length, instead): (usize, &[u8]) = match bytes[place] {
            b'&' => (1, b"&amp;"),
            b'<' => (1, b"&lt;"),
            b'>' => (1, b"&gt;"),
            b'_' if looks_escaped(&bytes[place..]) => (1, b"_x005F_"),
            b'\r' => {
                out.extend_from_slice(&bytes[copied..place]);
                if bytes.get(place + 1) != Some(&b'\n') {
                    out.push(b'\n');
                }
                place += 1;
                copied = place;
                changes.line_ends = true;
                continue;
            }
            b'\t' | b'\n' | b'_' => (1, &[]),
            0xEF => match bytes.get(place + 1..place + 3) {
                Some([0xBF, 0xBE]) => (3, b"_xFFFE_"),
                Some([0xBF, 0xBF]) => (3, b"_xFFFF_"),
                _ => (1, &[]),
            },
            control => {
                out.extend_from_slice(&bytes[copied..place]);
                out.extend_from_slice(format!("_x{control:04X}_").as_bytes());
                place += 1;
                copied = place;
                changes.controls = true;
                continue;
            }
        };
        if !instead.is_empty() {
            changes.controls |= length == 3;
            out.extend_from_slice(&bytes[copied..place]);
            out.extend_from_slice(instead);
            copied = place + length;
        }
        place += length;
    }
    out.extend_from_slice(&bytes[copied..]);
    changes
}

fn looks_escaped(bytes: &[u8]) -> bool {
    matches!(bytes, [b'_', b'x', hex @ ..] if hex.len() >= 5 && hex[4] == b'_' && hex[..4].iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(given: &str) -> String {
        let mut out = Vec::new();
        text(given, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn bytes_are_plain_if_nothing_in_them_is_looked_at_or_escaped_in_json() {
        for length in [1, 3, 4, 7, 8, 9, 15, 16, 17, 40] {
            for place in 0..length {
                for byte in (0..0x80).map(char::from) {
                    let text: String = (0..length).map(|at| if at == place { byte } else { 'a' }).collect();
                    let expected = byte != '\\' && !LOOK[byte as usize];
                    assert_eq!(look(text.as_bytes()) == Look::Plain, expected, "{text:?}");
                }
            }
        }
        assert_eq!(look(b""), Look::Plain);
        for text in ["naïve", "naïve 😀, a word longer than sixteen"] {
            assert_eq!(look(text.as_bytes()), Look::PlainText, "{text}");
        }
        for text in ["ﬁ", "ü & ü", "a word longer than sixteen, and \u{ffff}", "a word longer than sixteen, ü and _"]
        {
            assert_eq!(look(text.as_bytes()), Look::Other, "{text}");
        }
    }

    #[test]
    fn what_xml_or_excel_would_read_otherwise_is_escaped_and_nothing_else() {
        assert_eq!(escaped("a & b <c> \"d\" 'e'"), "a &amp; b &lt;c&gt; \"d\" 'e'");
        assert_eq!(escaped("_x0041_ _x41_ _X0041_ __x0041_"), "_x005F_x0041_ _x41_ _X0041_ __x005F_x0041_");
        assert_eq!(escaped("a\tb\nc\r\nd\re\r"), "a\tb\nc\nd\ne\n");
        assert_eq!(escaped("\u{0}\u{b}\u{1f}\u{fffe}\u{ffff}"), "_x0000__x000B__x001F__xFFFE__xFFFF_");
        assert_eq!(escaped("naïve ﬁ \u{feff} \u{fffd} 😀"), "naïve ﬁ \u{feff} \u{fffd} 😀");
    }
}
