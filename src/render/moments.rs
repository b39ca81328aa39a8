//! Date-times as Excel counts them: days since 1899-12-30 in the wall clock of a zone.

use std::collections::HashMap;
use std::ops::Range;

use crate::domain::moment::date;
use crate::domain::{Moment, Time, Zone};

use super::short::Short;

const DAY_MILLIS: i64 = 86_400_000;
/// Days from 1899-12-30 to 1970-01-01.
const EPOCH_DAYS: i64 = 25_569;
/// 1900-03-01: below it Excel counts a day that never was.
const FIRST_DAY: i64 = 61;
/// 9999-12-31.
const LAST_DAY: i64 = 2_958_465;
/// No zone has changed its clock since 1970 at another moment than a quarter of an hour in UTC.
const QUARTER_MILLIS: i64 = 15 * 60 * 1000;

/// Stretches of time without a change of the clock that are remembered: those of eight years, in most zones.
const MOST_STEADY: usize = 16;

/// A date-time as a worksheet has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Serial {
    day: i64,
    /// Milliseconds since midnight.
    millis: i64,
}

impl Serial {
    /// Writes the number, to a hundred-millionth of a second: finer than the millisecond that a
    /// reader rounds to, and shorter than what a float would need to be told apart from all others.
    pub(super) fn put(self, out: &mut Vec<u8>) {
        const SCALE: u64 = 10_u64.pow(10);
        const LAST: u64 = 10_u64.pow(8);
        let fraction = (self.millis as u64 * SCALE + DAY_MILLIS as u64 / 2) / DAY_MILLIS as u64;
        let day = eight_digits(self.day as u64);
        let zeros = (day.trailing_zeros() / 8).min(7);
        Short::<8>::of((ascii(day) >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize).put(out);
        if fraction == 0 {
            return;
        }
        let (first, last) = (eight_digits(fraction / LAST), eight_digits(fraction % LAST));
        // A point, the two digits that are left of the first eight, and the last eight.
        let digits = u128::from(b'.') | (u128::from(ascii(first) >> 48) << 8) | (u128::from(ascii(last)) << 24);
        let zeros = if last == 0 { 8 + first.leading_zeros() / 8 } else { last.leading_zeros() / 8 };
        Short::<16>::of(digits.to_le_bytes(), 11 - zeros as usize).put(out);
    }
}

/// The last eight decimal digits of a number, the first of them lowest, a byte for each.
fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000 % 10_000) | ((number % 10_000) << 32);
    // To multiply and to cut off divides all parts by a hundred, and then by ten, at once.
    let hundreds = ((fours * 10_486) >> 20) & 0x7F_0000_007F;
    let twos = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((twos - 10 * tens) << 8)
}

fn ascii(digits: u64) -> u64 {
    digits | u64::from_le_bytes(*b"00000000")
}

/// How a time can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// As a date cell.
    Cell(Serial),
    /// Not as a date cell: the clock shows the same an hour earlier or later. The offset is known.
    Twice(Time),
    /// Not as a date cell: it is no time, or not one of Excel's years.
    Never,
}

/// Turns texts into serial numbers, remembering how far the zone was from UTC.
pub(super) struct Serials {
    zone: Zone,
    is_utc: bool,
    /// Stretches of time, in milliseconds, through which the clock is not set, and how far it is from UTC.
    steady: Vec<(Range<i64>, i64)>,
    /// For each other quarter of an hour the milliseconds to UTC, and whether the clock shows it twice.
    offsets: HashMap<i64, (i64, bool)>,
}

impl Serials {
    pub(super) fn new(zone: Zone) -> Self {
        Self { is_utc: zone == Zone::utc(), zone, steady: Vec::new(), offsets: HashMap::new() }
    }

    /// A date-time as it is written.
    pub(super) fn of_time(&mut self, text: &str) -> Shown {
        match of_utc(text.as_bytes()).or_else(|| Moment::parse(text, &self.zone)) {
            Some(at) => self.of(Time { at, offset_seconds: None }),
            None => Shown::Never,
        }
    }

    /// A date-time of the form in which nearly all are stored, if it stands in a cell as nearly all do.
    pub(super) fn of_plain(&mut self, text: &[u8]) -> Option<Serial> {
        match self.of(Time { at: of_utc(text)?, offset_seconds: None }) {
            Shown::Cell(serial) => Some(serial),
            Shown::Twice(_) | Shown::Never => None,
        }
    }

    /// A moment by the clock that it is to be shown by.
    pub(super) fn of(&mut self, time: Time) -> Shown {
        let offset = match time.offset_seconds {
            Some(seconds) => Some((i64::from(seconds) * 1000, false)),
            None => self.offset(time.at),
        };
        let Some((offset, twice)) = offset else { return Shown::Never };
        if twice {
            return Shown::Twice(Time { at: time.at, offset_seconds: i32::try_from(offset / 1000).ok() });
        }
        let Some(local) = time.at.0.checked_add(offset) else { return Shown::Never };
        serial(local.div_euclid(DAY_MILLIS) + EPOCH_DAYS, local.rem_euclid(DAY_MILLIS))
    }

    /// A calendar date.
    pub(super) fn of_date(&self, text: &str) -> Shown {
        match date(text) {
            Some(date) => {
                let day = days(i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
                serial(day + EPOCH_DAYS, 0)
            }
            None => Shown::Never,
        }
    }

    fn offset(&mut self, moment: Moment) -> Option<(i64, bool)> {
        if self.is_utc {
            return Some((0, false));
        }
        if let Some((_, offset)) = self.steady.iter().find(|(stretch, _)| stretch.contains(&moment.0)) {
            return Some((*offset, false));
        }
        let measured = |zone: &Zone| {
            let offset = civil_millis(&zone.civil(moment)?) - moment.0;
            Some((offset, zone.shows_twice(moment)))
        };
        if moment.0 < 0 {
            return measured(&self.zone);
        }
        let quarter = moment.0 / QUARTER_MILLIS;
        if let Some(offset) = self.offsets.get(&quarter) {
            return Some(*offset);
        }
        let offset = measured(&self.zone)?;
        match self.zone.steady(moment).map(well_within) {
            Some(steady) if steady.contains(&moment.0) && self.steady.len() < MOST_STEADY => {
                self.steady.push((steady, offset.0));
            }
            _ => drop(self.offsets.insert(quarter, offset)),
        }
        Some(offset)
    }
}

/// Without the days at its ends, in which the clock may show a time twice.
fn well_within(steady: Range<Moment>) -> Range<i64> {
    steady.start.0.saturating_add(DAY_MILLIS)..steady.end.0.saturating_sub(DAY_MILLIS)
}

fn serial(day: i64, millis: i64) -> Shown {
    if (FIRST_DAY..=LAST_DAY).contains(&day) { Shown::Cell(Serial { day, millis }) } else { Shown::Never }
}

/// `2025-06-15T08:00:00+00:00`, `2025-06-15T08:00:00Z`: the forms in which nearly all times are
/// stored. Whatever is unusual about a time is left to the library.
fn of_utc(text: &[u8]) -> Option<Moment> {
    let (front, zone) = text.split_first_chunk::<19>()?;
    if !matches!(zone, b"+00:00" | b"Z") {
        return None;
    }
    let [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _] = front else { return None };
    let (date, clock) = (two_digits(front.first_chunk()?, b"0000-00-")?, two_digits(front.last_chunk()?, b"00:00:00")?);
    let [day, ..] = two_digits(front[8..].first_chunk()?, b"00T00:00")?;
    let [year, _, years, _, _, month, ..] = date;
    let [hour, _, _, minute, _, _, second, _] = clock;
    let (year, month, day) = (i64::from(year) * 100 + i64::from(years), i64::from(month), i64::from(day));
    let (hour, minute, second) = (i64::from(hour), i64::from(minute), i64::from(second));
    if !(1..=12).contains(&month)
        || !(1..=month_days(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    Some(Moment(((days(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000))
}

/// At each digit the number that it makes with the next one, in a text that has these signs between them.
fn two_digits(text: &[u8; 8], zeros: &[u8; 8]) -> Option<[u8; 8]> {
    const ABOVE_NINE: u64 = 0x7676_7676_7676_7676;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let digits = u64::from_le_bytes(*text) ^ u64::from_le_bytes(*zeros);
    // A byte from which something is carried into the next has its own highest bit set.
    ((digits.wrapping_add(ABOVE_NINE) | digits) & HIGH == 0).then(|| (digits * 10 + (digits >> 8)).to_le_bytes())
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted from a first of March: years
/// that begin there have their leap day at the end.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_millis(at: &jiff::civil::DateTime) -> i64 {
    let day = days(i64::from(at.year()), i64::from(at.month()), i64::from(at.day()));
    let second = (i64::from(at.hour()) * 60 + i64::from(at.minute())) * 60 + i64::from(at.second());
    day * DAY_MILLIS + second * 1000 + i64::from(at.millisecond())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_reading_agrees_with_the_library() {
        for step in 0..40_000_i64 {
            let moment = Moment(-2_203_891_200_000 + step * 86_400_000 + step * 7_001_000);
            let text = moment.text();
            let whole = Moment(moment.0.div_euclid(1000) * 1000);
            assert_eq!(of_utc(text.as_bytes()).unwrap_or(whole), whole, "{text}");
            assert_eq!(Moment::parse(&text, &Zone::utc()), Some(whole), "{text}");
        }
        for odd in
            ["2025-02-30T10:00:00Z", "2025-06-15T24:00:00Z", "2025-06-15T08:00:00+07:00", "2025-13-01T00:00:00Z", "x"]
        {
            assert_eq!(of_utc(odd.as_bytes()), None, "{odd}");
        }
    }

    fn value(shown: Shown) -> Option<f64> {
        let Shown::Cell(serial) = shown else { return None };
        let mut out = Vec::new();
        serial.put(&mut out);
        String::from_utf8(out).unwrap().parse().ok()
    }

    #[test]
    fn a_number_is_written_as_the_decimals_that_it_is() {
        for day in [61, 100, 999, 1_000, 45_823, 99_999, 100_000, 2_958_465] {
            for millis in (0..DAY_MILLIS).step_by(8_640_007).chain([0, 1, 9, 43_200_000, 864_000, DAY_MILLIS - 1]) {
                let mut out = Vec::new();
                Serial { day, millis }.put(&mut out);
                let fraction = (millis * 10_i64.pow(10) + DAY_MILLIS / 2) / DAY_MILLIS;
                let expected = format!("{day}.{fraction:010}");
                assert_eq!(String::from_utf8(out).unwrap(), expected.trim_end_matches('0').trim_end_matches('.'));
            }
        }
    }

    #[test]
    fn what_is_no_digit_and_no_sign_in_its_place_makes_no_time_read_fast() {
        let whole = b"2025-06-15T08:00:59Z";
        assert!(of_utc(whole).is_some());
        for place in 0..whole.len() {
            for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()) {
                let mut text = *whole;
                text[place] = byte;
                assert_eq!(of_utc(&text).is_some(), text == *whole, "{}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn every_second_and_millisecond_of_a_day_is_told_apart() {
        for millis in (0..DAY_MILLIS).step_by(1000).chain(0..100_000).chain(DAY_MILLIS - 100_000..DAY_MILLIS) {
            let read = value(Shown::Cell(Serial { day: 45_823, millis })).unwrap();
            assert_eq!(((read - 45_823.0) * DAY_MILLIS as f64).round() as i64, millis);
        }
    }

    #[test]
    fn serials_are_excels_and_follow_the_zones_clock() {
        let mut utc = Serials::new(Zone::utc());
        assert_eq!(value(utc.of_time("1900-03-01T00:00:00Z")), Some(61.0));
        assert_eq!(value(utc.of_time("1900-02-28T00:00:00Z")), None);
        assert_eq!(value(utc.of_time("2025-06-15T12:00:00+00:00")), Some(45_823.5));
        assert_eq!(value(utc.of_time("2025-06-15 19:00:00+07:00")), Some(45_823.5));
        assert_eq!(value(utc.of_date("2025-06-15")), Some(45_823.0));
        assert_eq!(value(utc.of_date("9999-12-31")), Some(2_958_465.0));
        assert_eq!(value(utc.of_date("2025-02-30")), None);
        assert_eq!(value(utc.of_time("soon")), None);
        let mut berlin = Serials::new(Zone::named("Europe/Berlin").unwrap());
        let at = |serials: &mut Serials, text| (value(serials.of_time(text)).unwrap().fract() * 24.0).round();
        assert_eq!(at(&mut berlin, "2025-03-30T00:59:59Z"), 2.0);
        assert_eq!(at(&mut berlin, "2025-03-30T01:00:00Z"), 3.0);
        assert_eq!(at(&mut berlin, "2025-10-25T23:59:59Z"), 2.0);
        assert_eq!(at(&mut berlin, "2025-10-26T02:00:00Z"), 3.0);
        assert_eq!(at(&mut berlin, "2025-01-15T12:00:00Z"), 13.0);
    }

    #[test]
    fn what_is_remembered_of_a_zone_is_what_it_says() {
        for name in ["Europe/Berlin", "Asia/Jakarta", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"] {
            let zone = Zone::named(name).unwrap();
            let mut serials = Serials::new(zone.clone());
            for step in 0..60_000 {
                // To and fro over thirty years, by odd steps.
                let moment = Moment((step * 77_777_777_777_i64).rem_euclid(946_684_800_000) + 946_684_800_000);
                let offset = zone.offset_seconds(moment).map(|seconds| i64::from(seconds) * 1000);
                let expected = offset.map(|offset| (offset, zone.shows_twice(moment)));
                assert_eq!(serials.offset(moment), expected, "{name} {}", moment.text());
            }
        }
    }

    #[test]
    fn an_hour_that_the_clock_shows_twice_is_told_apart() {
        let twice = |zone: &str, text: &str| match Serials::new(Zone::named(zone).unwrap()).of_time(text) {
            Shown::Twice(time) => time.offset_seconds.map(|seconds| seconds / 60),
            _ => None,
        };
        assert_eq!(twice("Europe/Berlin", "2025-10-26T00:00:00Z"), Some(120));
        assert_eq!(twice("Europe/Berlin", "2025-10-26T01:59:59Z"), Some(60));
        assert_eq!(twice("Australia/Lord_Howe", "2025-04-05T14:30:00Z"), Some(660));
        assert_eq!(twice("Australia/Lord_Howe", "2025-04-05T15:29:59Z"), Some(630));
        assert_eq!(twice("Australia/Lord_Howe", "2025-04-05T15:30:00Z"), None);
        assert_eq!(twice("Asia/Jakarta", "2025-10-26T01:00:00Z"), None);
    }
}
