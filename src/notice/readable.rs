//! Numbers, sizes and times as people of a language write them.

use crate::domain::{Language, Moment, Zone};

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const INDONESIAN: [&str; 12] = [
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
];

/// `1,234,567`, or `1.234.567`.
pub(super) fn number(language: Language, number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(if language == Language::English { ',' } else { '.' });
        }
        out.push(digit);
    }
    out
}

/// `12.3 MB`, or `12,3 MB`; a kilobyte is a thousand bytes.
pub(super) fn size(language: Language, bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} {}", if language == Language::English { "bytes" } else { "byte" }),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let point = if language == Language::English { '.' } else { ',' };
    format!("{}{point}{} {name}", bytes / unit, bytes % unit * 10 / unit)
}

/// `15 June 2025, 15:06 (Asia/Jakarta)`.
pub(super) fn time(language: Language, moment: Moment, zone: &Zone) -> String {
    let Some(civil) = zone.civil(moment) else { return moment.text() };
    let months = if language == Language::English { ENGLISH } else { INDONESIAN };
    let month = usize::try_from(civil.month() - 1).ok().and_then(|month| months.get(month)).unwrap_or(&"");
    let (day, year) = (civil.day(), civil.year());
    format!("{day} {month} {year}, {:02}:{:02} ({})", civil.hour(), civil.minute(), zone.name())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Language::{English, Indonesian};
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(English, value), text);
        }
        assert_eq!(number(Indonesian, 100_000), "100.000");
    }

    #[test]
    fn sizes_are_rounded_down_to_a_tenth() {
        for (bytes, text) in [(12, "12 bytes"), (1_000, "1.0 kB"), (12_399_999, "12.3 MB"), (5_000_000_000, "5.0 GB")] {
            assert_eq!(size(English, bytes), text);
        }
        assert_eq!(size(Indonesian, 12_399_999), "12,3 MB");
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let jakarta = Zone::named("Asia/Jakarta").unwrap();
        assert_eq!(time(English, Moment(1_750_000_000_000), &jakarta), "15 June 2025, 22:06 (Asia/Jakarta)");
        assert_eq!(time(Indonesian, Moment(1_748_000_000_000), &jakarta), "23 Mei 2025, 18:33 (Asia/Jakarta)");
        assert_eq!(time(English, Moment(1_750_000_000_000), &Zone::utc()), "15 June 2025, 15:06 (UTC)");
    }
}
