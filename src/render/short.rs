//! Short texts that are written often.

/// A short text among as many bytes as are copied for it: to copy a number of bytes that is known
/// beforehand takes less than to ask how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Short<const ROOM: usize> {
    bytes: [u8; ROOM],
    length: usize,
}

impl<const ROOM: usize> Short<ROOM> {
    /// What there is no room for is cut off.
    pub(super) const fn new(text: &[u8]) -> Self {
        let mut bytes = [0; ROOM];
        let mut length = 0;
        while length < ROOM && length < text.len() {
            bytes[length] = text[length];
            length += 1;
        }
        Self { bytes, length }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.length;
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_is_written() {
        let mut out = b"<".to_vec();
        Short::<8>::new(b"abc").put(&mut out);
        Short::<8>::new(b"").put(&mut out);
        Short::<8>::new(b"12345678").put(&mut out);
        assert_eq!(out, b"<abc12345678");
    }
}
