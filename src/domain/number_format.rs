//! Number formats of Excel, as far as they are safe: one that Excel cannot read makes it repair the
//! whole workbook (ECMA-376, 18.8.31).

/// The longest that Excel takes, in UTF-16 units.
const MOST_UNITS: usize = 255;
/// Positive, negative, zero, text.
const MOST_SECTIONS: usize = 4;
/// What may stand in brackets, beside conditions and currencies.
const BRACKETED: [&str; 14] =
    ["black", "blue", "cyan", "green", "magenta", "red", "white", "yellow", "h", "hh", "m", "mm", "s", "ss"];
/// Characters that stand for digits, for parts of dates, or for themselves.
const PLAIN: &str = "0#?.,%/:-+() $!'~=<>^&{}@ymdhsYMDHS";

/// A number as it is.
const GENERAL: &str = "General";

/// Whether Excel reads this number format. Anything it might not read is refused, such as letters
/// outside of quotes that stand for no part of a date.
pub fn is_number_format(text: &str) -> bool {
    let fits = (1..=MOST_UNITS).contains(&text.encode_utf16().count()) && !text.contains(char::is_control);
    fits && sections(text).is_some_and(|sections| sections <= MOST_SECTIONS)
}

/// How many sections there are; nothing when something cannot be read.
fn sections(text: &str) -> Option<usize> {
    let mut sections = 1;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => rest[1..].find('"')? + 2,
            '[' => bracket(rest)?,
            // The next character as it is, as its width, or as often as there is room.
            '\\' | '_' | '*' => 1 + rest[1..].chars().next()?.len_utf8(),
            ';' => {
                sections += 1;
                1
            }
            'E' | 'e' if rest[1..].starts_with(['+', '-']) => 2,
            'A' | 'a' => noon(rest)?,
            'G' if rest.starts_with(GENERAL) => GENERAL.len(),
            _ if PLAIN.contains(next) || !next.is_ascii() => next.len_utf8(),
            _ => return None,
        };
        rest = &rest[length..];
    }
    Some(sections)
}

/// The length of a colour, a condition, a currency or a span of time.
fn bracket(rest: &str) -> Option<usize> {
    let end = rest.find(']')?;
    let inner = &rest[1..end];
    let known = BRACKETED.contains(&inner.to_ascii_lowercase().as_str());
    let is_currency = inner.strip_prefix('$').is_some_and(|inner| !inner.is_empty() && !inner.contains(['[', '"']));
    let number = inner.trim_start_matches(['<', '>', '=']);
    let is_condition = number.len() < inner.len() && inner.len() - number.len() <= 2 && number.parse::<f64>().is_ok();
    (known || is_currency || is_condition).then_some(end + 1)
}

fn noon(rest: &str) -> Option<usize> {
    let starts = |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    ["am/pm", "a/p"].into_iter().find(|word| starts(word)).map(str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_excel_reads_is_accepted_and_what_it_would_repair_is_not() {
        for format in [
            "General",
            "General\\%",
            "0",
            "0.00",
            "#,##0.00;[Red]-#,##0.00",
            "0.0%",
            "0.00E+00",
            "yyyy-mm-dd hh:mm:ss",
            "[h]:mm",
            "h:mm AM/PM",
            "#,##0.0 \"kg\"",
            "€ #,##0.00",
            "[$Rp-421] #,##0",
            "[>=1000]0.0,\\k;0",
            "_(* #,##0_);@",
        ] {
            assert!(is_number_format(format), "{format}");
        }
        for format in
            ["", "0 kg", "\"open", "[foo]0", "[Red", "0;0;0;0;0", "0\\", "0_", "0.0x", "\u{1}", "[$]0", "0E", "[>]0"]
        {
            assert!(!is_number_format(format), "{format}");
        }
        assert!(!is_number_format(&"0".repeat(256)));
    }
}
