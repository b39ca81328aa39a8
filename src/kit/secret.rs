//! Randomness that nobody guesses.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Random bytes from the system.
///
/// # Panics
/// When the system has no randomness to give, which leaves nothing safe to do.
#[allow(clippy::expect_used)]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    bytes
}

/// Url-safe random characters, six bits each.
pub fn random_text(chars: usize) -> String {
    // 256 is a multiple of 64, so that each character is equally likely.
    (0..chars).map(|_| char::from(ALPHABET[usize::from(random::<1>()[0] & 63)])).collect()
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
}
