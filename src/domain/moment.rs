//! Points in time, read in an organisation's time zone and kept in UTC.

use std::fmt;
use std::ops::Range;

use jiff::civil;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone, TimeZoneTransition};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// A point in time, to the millisecond, as milliseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

/// A time zone by its IANA name.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone of this IANA name (`Asia/Jakarta`), if there is one.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// The zone's IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The zone whose clock is always so many seconds ahead of UTC; nothing from 26 hours on.
    pub fn fixed(offset_seconds: i32) -> Option<Self> {
        Offset::from_seconds(offset_seconds).ok().map(|offset| Self(TimeZone::fixed(offset)))
    }

    /// Seconds that this zone's clock is ahead of UTC at that moment.
    pub fn offset_seconds(&self, moment: Moment) -> Option<i32> {
        Timestamp::from_millisecond(moment.0).ok().map(|at| self.0.to_offset(at).seconds())
    }

    /// Writes that moment by this zone's clock, in a form of `strftime`; nothing if the form has a
    /// directive that is none.
    pub fn format(&self, moment: Moment, form: &str) -> Option<String> {
        let at = Timestamp::from_millisecond(moment.0).ok()?;
        strtime::format(form, &at.to_zoned_datetime(self.0.clone())).ok()
    }

    /// The wall clock of this zone at that moment.
    pub fn civil(&self, moment: Moment) -> Option<civil::DateTime> {
        Timestamp::from_millisecond(moment.0).ok().map(|at| self.0.to_datetime(at))
    }

    /// The time around that moment in which the clock of this zone is not set.
    pub fn steady(&self, moment: Moment) -> Option<Range<Moment>> {
        let at = |millis| Timestamp::from_millisecond(millis).ok();
        let millis = |change: TimeZoneTransition<'_>| Moment(change.timestamp().as_millisecond());
        // A change at that very moment is behind it.
        let before = self.0.preceding(at(moment.0.checked_add(1)?)?).next();
        let after = self.0.following(at(moment.0)?).next();
        Some(before.map_or(Moment(i64::MIN), millis)..after.map_or(Moment(i64::MAX), millis))
    }

    /// Whether the clock of this zone shows that moment's time twice, because it is set back.
    pub fn shows_twice(&self, moment: Moment) -> bool {
        self.civil(moment).is_some_and(|local| self.0.to_ambiguous_timestamp(local).is_ambiguous())
    }

    fn moment(&self, local: civil::DateTime) -> Option<Moment> {
        self.0.to_timestamp(local).ok().map(|at| Moment(at.as_millisecond()))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Moment {
    /// Reads a date-time in one of the forms of contract 1: `Y-m-d H:i:s` or with `T`, either with
    /// fraction, `Z` or an offset. A time without offset is read in `zone`.
    pub fn parse(text: &str, zone: &Zone) -> Option<Self> {
        if let Some(moment) = usual(text.as_bytes()) {
            return Some(moment);
        }
        let bytes = text.as_bytes();
        if bytes.len() < 16 || bytes[4] != b'-' || !matches!(bytes[10], b' ' | b'T') {
            return None;
        }
        if has_offset(text) {
            let at: Timestamp = text.parse().ok()?;
            return Some(Self(at.as_millisecond()));
        }
        zone.moment(text.parse().ok()?)
    }

    /// As [`Moment::parse`], and a date alone stands for its first moment.
    pub fn parse_from(text: &str, zone: &Zone) -> Option<Self> {
        match date(text) {
            Some(date) => zone.moment(date.at(0, 0, 0, 0)),
            None => Self::parse(text, zone),
        }
    }

    /// As [`Moment::parse`], and a date alone stands for its last millisecond.
    pub fn parse_until(text: &str, zone: &Zone) -> Option<Self> {
        match date(text) {
            Some(date) => {
                let next = date.checked_add(1.day()).ok()?;
                zone.moment(next.at(0, 0, 0, 0)).map(|start| Self(start.0 - 1))
            }
            None => Self::parse(text, zone),
        }
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// `2025-06-15T08:00:00+00:00`, the form of tasks and logs (contract 1).
    pub fn text(self) -> String {
        self.format("%Y-%m-%dT%H:%M:%S+00:00")
    }

    /// `2025-06-15T08:00:00.000000Z`, the form of configs, flows and hubs (contract 1).
    pub fn long_text(self) -> String {
        format!("{}.{:03}000Z", self.format("%Y-%m-%dT%H:%M:%S"), self.0.rem_euclid(1000))
    }

    /// `20250615`, the folder of a file's key (contract 2).
    pub fn day(self) -> String {
        self.format("%Y%m%d")
    }

    fn format(self, form: &str) -> String {
        match Zone::utc().civil(self) {
            Some(civil) => civil.strftime(form).to_string(),
            None => self.0.to_string(),
        }
    }
}

/// Days from the first of March before the year 0 to 1970.
const DAYS_BEFORE_1970: i64 = 719_468;

/// The moment of `2025-06-15T08:00:00`, or with a space, and `Z` or an offset behind: the form that
/// nearly all times have, of which there are several in every task.
fn usual(text: &[u8]) -> Option<Moment> {
    let (local, offset) = text.split_first_chunk::<19>()?;
    let [.., b'-', _, _, b'-', _, _, b' ' | b'T', _, _, b':', _, _, b':', _, _] = local else { return None };
    let two = |text: &[u8], place: usize, most: i64| {
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
        let number = digit(text.get(place)?)? * 10 + digit(text.get(place + 1)?)?;
        (number <= most).then_some(number)
    };
    let year = two(local, 0, 98)? * 100 + two(local, 2, 99)?;
    let (month, day) = (two(local, 5, 12)?, two(local, 8, 31)?);
    let seconds = two(local, 11, 23)? * 3600 + two(local, 14, 59)? * 60 + two(local, 17, 59)?;
    let ahead = match offset {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let seconds = two(offset, 1, 23)? * 3600 + two(offset, 4, 59)? * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year == 0 || month == 0 || day == 0 || day > longest {
        return None;
    }
    // Years are counted from March, so that the day that is there only sometimes comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    Some(Moment(((days - DAYS_BEFORE_1970) * 86_400 + seconds - ahead) * 1000))
}

/// The calendar date `2025-06-15`, if the text is one.
pub fn date(text: &str) -> Option<civil::Date> {
    let bytes = text.as_bytes();
    (bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-').then(|| text.parse().ok()).flatten()
}

/// Whether a date-time says how far it is from UTC.
pub fn has_offset(text: &str) -> bool {
    text.get(16..).is_some_and(|rest| rest.contains(['Z', 'z', '+', '-']))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_accepted_forms_name_the_same_moment() {
        let jakarta = Zone::named("Asia/Jakarta").unwrap();
        for text in [
            "2025-06-15 15:00:00",
            "2025-06-15T15:00:00",
            "2025-06-15T15:00:00.000",
            "2025-06-15T08:00:00Z",
            "2025-06-15T08:00:00+00:00",
            "2025-06-15 15:00:00+07:00",
        ] {
            let moment = Moment::parse(text, &jakarta).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(moment.text(), "2025-06-15T08:00:00+00:00", "{text}");
        }
    }

    #[test]
    fn a_moment_is_written_by_the_clock_of_a_zone() {
        let moment = Moment::parse("2025-06-15T20:30:00Z", &Zone::utc()).unwrap();
        let form = "%a %d %b %Y %H:%M %:z";
        let jakarta = Zone::named("Asia/Jakarta").unwrap();
        assert_eq!(jakarta.format(moment, form).unwrap(), "Mon 16 Jun 2025 03:30 +07:00");
        assert_eq!(jakarta.offset_seconds(moment), Some(7 * 3600));
        assert_eq!(Zone::fixed(-12_600).unwrap().format(moment, form).unwrap(), "Sun 15 Jun 2025 17:00 -03:30");
        assert_eq!(jakarta.format(moment, "%?"), None);
        assert_eq!(jakarta.format(Moment(i64::MAX), form), None);
        assert_eq!(Zone::fixed(i32::MAX), None);
    }

    #[test]
    fn what_is_no_moment_is_not_guessed_at() {
        for text in ["", "soon", "2025-06-15", "2025-02-30 10:00:00", "2025-06-15T24:30:00Z", "١٢٣٤-٠٦-١٥ ١٠:٠٠"]
        {
            assert_eq!(Moment::parse(text, &Zone::utc()), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_usual_form_is_read_as_the_library_reads_it(
            (year, month, day) in (0..10_000_u32, 0..14_u32, 0..33_u32),
            (hour, minute, second) in (0..26_u32, 0..62_u32, 0..62_u32),
            offset in proptest::sample::select(vec!["Z", "+00:00", "-00:00", "+07:00", "-03:30", "+23:59", "+24:00", "z", ""]),
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{offset}");
            let by_the_library = text.parse::<Timestamp>().ok().map(|at| Moment(at.as_millisecond()));
            if let Some(moment) = usual(text.as_bytes()) {
                proptest::prop_assert_eq!(Some(moment), by_the_library, "{}", text);
            } else if matches!(offset, "Z" | "+07:00") && second < 60 && (1..9_800).contains(&year) {
                proptest::prop_assert_eq!(by_the_library, None, "{}", text);
            }
        }
    }

    #[test]
    fn a_date_alone_reaches_to_its_last_millisecond() {
        let utc = Zone::utc();
        assert_eq!(Moment::parse_from("2025-06-15", &utc).unwrap().long_text(), "2025-06-15T00:00:00.000000Z");
        assert_eq!(Moment::parse_until("2025-06-15", &utc).unwrap().long_text(), "2025-06-15T23:59:59.999000Z");
    }

    #[test]
    fn a_moment_is_kept_as_its_milliseconds() {
        for number in [0, -1, 1_749_974_400_001, i64::MIN, i64::MAX] {
            assert_eq!(serde_json::to_string(&Moment(number)).unwrap(), number.to_string());
            assert_eq!(serde_json::from_str::<Moment>(&number.to_string()).unwrap(), Moment(number));
        }
        assert!(serde_json::from_str::<Moment>("1.5").is_err());
    }
}
