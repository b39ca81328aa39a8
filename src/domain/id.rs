//! Identifiers: 12 bytes, written as 24 lower-case hex characters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Moment;

/// An id of an organisation, task, flow, hub or user.
///
/// Ids order by their bytes; those that this server makes start with the time in seconds, so
/// their order is nearly that of their making.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 12]);

/// The text is not 24 lower-case hex characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 24 lower-case hex characters")]
pub struct NotAnId;

impl Id {
    /// The lowest id.
    pub const MIN: Self = Self([0; 12]);
    /// The highest id.
    pub const MAX: Self = Self([255; 12]);

    /// An id from its parts: seconds since 1970, a number of this process, a counter.
    pub fn from_parts(seconds: u32, process: [u8; 5], counter: u32) -> Self {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..9].copy_from_slice(&process);
        bytes[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
        Self(bytes)
    }

    /// The second in which this server made it.
    pub fn moment(&self) -> Moment {
        let [a, b, c, d, ..] = self.0;
        Moment(i64::from(u32::from_be_bytes([a, b, c, d])) * 1_000)
    }

    /// The 24 characters, without an allocation.
    pub fn hex(&self) -> [u8; 24] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 24];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        fn digit(byte: u8) -> Result<u8, NotAnId> {
            match byte {
                b'0'..=b'9' => Ok(byte - b'0'),
                b'a'..=b'f' => Ok(byte - b'a' + 10),
                _ => Err(NotAnId),
            }
        }
        let text = text.as_bytes();
        if text.len() != 24 {
            return Err(NotAnId);
        }
        let mut bytes = [0; 12];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.hex()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = Id::from_parts(0x61e5_4776, [1, 2, 3, 4, 255], 0x00ab_cdef);
        assert_eq!(id.to_string(), "61e5477601020304ffabcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn upper_case_short_and_foreign_characters_are_no_ids() {
        for text in ["", "61E5477601020304ffabcdef", "61e5477601020304ffabcde", "61e5477601020304ffabcdeg"] {
            assert_eq!(text.parse::<Id>(), Err(NotAnId), "{text}");
        }
    }
}
