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

    /// The first so many of these bytes.
    pub(super) fn of(bytes: [u8; ROOM], length: usize) -> Self {
        Self { bytes, length: length.min(ROOM) }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Adds another; what there is no room for is left out.
    pub(super) fn push<const OTHER: usize>(&mut self, other: &Short<OTHER>) {
        if let Some(room) = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) {
            *room = other.bytes;
            self.length += other.length;
        }
    }

    /// Writes over what ends at this place.
    pub(super) fn replace_before<const COUNT: usize>(&mut self, end: usize, bytes: [u8; COUNT]) {
        if let Some(room) = self.bytes.get_mut(..end).and_then(<[u8]>::last_chunk_mut) {
            *room = bytes;
        }
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

    #[test]
    fn texts_are_put_together_and_written_over_where_there_is_room() {
        let mut text = Short::<16>::new(b"row 1");
        text.push(&Short::<8>::of(*b"9: abcde", 5));
        text.replace_before(6, *b"20");
        text.replace_before(1, *b"no");
        text.push(&Short::<8>::new(b"left out"));
        let mut out = Vec::new();
        text.put(&mut out);
        assert_eq!(out, b"row 20: ab");
    }
}
