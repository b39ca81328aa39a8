//! Bits to bytes.

/// Bits in the order of a deflate stream.
#[derive(Debug, Default)]
pub(super) struct Bits {
    out: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    /// At most 56 bits.
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        self.count += count;
        // Eight bytes each time, whole or not: to write fewer would take longer.
        self.out.extend_from_slice(&self.held.to_le_bytes());
        self.out.truncate(self.out.len() - 8 + (self.count / 8) as usize);
        self.held >>= self.count & !7;
        self.count &= 7;
    }

    /// Ends on a byte, with an empty stored block (RFC 1951, 3.2.4).
    pub(super) fn sync(mut self) -> Vec<u8> {
        self.put(0, 3);
        self.put(0, self.count.next_multiple_of(8) - self.count);
        self.out.extend([0, 0, 0xFF, 0xFF]);
        self.out
    }
}
