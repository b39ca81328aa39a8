//! A number that stands for some bytes.

use std::hash::Hasher;

/// A number that is the same for the same bytes, and hardly ever for others.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    let mix = |print: u64, word: u64| (print.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let length = bytes.len() as u64;
    match bytes.last_chunk() {
        // The last eight may have been part of the words before.
        Some(last) => {
            bytes.as_chunks().0.iter().chain([last]).fold(length, |print, word| mix(print, u64::from_le_bytes(*word)))
        }
        None => mix(length, bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))),
    }
}

/// Hashes texts by their fingerprints: for tables of our own words alone, since whoever chooses the words
/// can make them clash.
#[derive(Default)]
pub(super) struct OwnWords(u64);

impl Hasher for OwnWords {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= fingerprint(bytes);
    }

    /// The end of a text, which its fingerprint knows of.
    fn write_u8(&mut self, _end: u8) {}

    fn finish(&self) -> u64 {
        // The upper half is the better mixed one.
        self.0 ^ self.0 >> 32
    }
}
