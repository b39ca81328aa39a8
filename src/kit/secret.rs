//! Randomness that nobody guesses, what must not be shown, and digests under a key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Random bytes from the system.
///
/// # Panics
/// When the system has no randomness to give, which leaves nothing safe to do.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Url-safe random characters, six bits each.
///
/// # Panics
/// As [`random`].
pub fn random_text(chars: usize) -> String {
    let mut bytes = vec![0; chars];
    fill(&mut bytes);
    // 256 is a multiple of 64, so that each character is equally likely.
    bytes.into_iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

#[expect(clippy::expect_used, reason = "a secret that can be guessed is worse than a stop")]
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives randomness");
}

/// HMAC-SHA-256 over the parts, one after the other.
pub fn keyed_digest(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    keyed(key, parts).finalize().into_bytes().into()
}

/// Whether this is the [`keyed_digest`] of the parts; takes as long whichever byte is wrong.
pub fn is_keyed_digest(digest: &[u8], key: &[u8], parts: &[&[u8]]) -> bool {
    keyed(key, parts).verify_slice(digest).is_ok()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let keyed = Hmac::new_from_slice(key).expect("a key");
    parts.iter().fold(keyed, |keyed, part| keyed.chain_update(part))
}

/// A text that an operator gives and nobody is to see again: no log line and no message shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_standard_however_its_text_is_cut() {
        // RFC 4231, test case 2.
        let wanted = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        for parts in [&[b"what do ya want for nothing?".as_slice()][..], &[b"what do ya ", b"want for nothing?"]] {
            let hex: String = keyed_digest(b"Jefe", parts).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, wanted);
        }
    }

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret::new("open sesame");
        assert_eq!((format!("{secret:?}").as_str(), secret.reveal()), ("Secret(..)", "open sesame"));
    }

    #[test]
    fn random_texts_are_url_safe_and_differ() {
        let (a, b) = (random_text(22), random_text(22));
        assert_eq!(a.len(), 22);
        assert!(a.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(a, b);
    }

    #[test]
    fn a_digest_is_known_by_its_key_and_text_alone() {
        let digest = keyed_digest(b"key", &[b"text"]);
        assert!(is_keyed_digest(&digest, b"key", &[b"te", b"xt"]));
        assert!(!is_keyed_digest(&digest, b"other", &[b"text"]));
        assert!(!is_keyed_digest(&digest[..31], b"key", &[b"text"]));
    }

    #[test]
    fn every_character_is_about_as_frequent_as_the_others() {
        let text = random_text(64 * 1000);
        for byte in ALPHABET {
            let count = text.bytes().filter(|found| found == byte).count();
            // Eight standard deviations around the mean.
            assert!((750..1250).contains(&count), "{} is there {count} times", char::from(*byte));
        }
    }
}
