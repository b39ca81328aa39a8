//! Randomness that nobody guesses.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_are_url_safe_and_differ() {
        let (a, b) = (random_text(22), random_text(22));
        assert_eq!(a.len(), 22);
        assert!(a.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(a, b);
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
