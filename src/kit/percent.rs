//! Texts in URLs and headers.

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `Content-Disposition` of a file that is saved under this name, as RFC 6266 wants it: plain, and
/// again in UTF-8.
pub fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '/') || c == ' ' { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", encoded(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        let text = attachment("a\"b\r\nc/ü.xlsx");
        assert_eq!(text, "attachment; filename=\"a_b__c__.xlsx\"; filename*=UTF-8''a%22b%0D%0Ac%2F%C3%BC.xlsx");
    }
}
