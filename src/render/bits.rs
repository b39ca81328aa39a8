//! Bits to bytes.

/// Bits in the order of a deflate stream.
#[derive(Debug, Default)]
pub(super) struct Bits {
    /// What is written, and room behind it.
    out: Vec<u8>,
    /// Where the room begins.
    end: usize,
    held: u64,
    count: u32,
}

impl Bits {
    /// Makes room for this many bytes more: without it, bits are lost.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let wanted = self.end + bytes + size_of::<u64>();
        if self.out.len() < wanted {
            self.out.resize(wanted.max(2 * self.out.len()), 0);
        }
    }

    /// Writes what `each` puts.
    pub(super) fn put_all(&mut self, each: impl FnOnce(&mut Putter<'_>)) {
        let mut putter = Putter { room: &mut self.out[self.end..], end: 0, held: self.held, count: self.count };
        each(&mut putter);
        let Putter { end, held, count, .. } = putter;
        (self.end, self.held, self.count) = (self.end + end, held, count);
    }

    /// At most 56 bits.
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.reserve(size_of::<u64>());
        self.put_all(|putter| putter.put(bits, count));
    }

    /// Ends on a byte, with an empty stored block (RFC 1951, 3.2.4).
    pub(super) fn sync(mut self) -> Vec<u8> {
        self.put(0, 3);
        self.put(0, self.count.next_multiple_of(8) - self.count);
        self.out.truncate(self.end);
        self.out.extend([0, 0, 0xFF, 0xFF]);
        self.out
    }
}

/// Bits that are written where there is room for them: all of it in a processor's registers.
pub(super) struct Putter<'a> {
    room: &'a mut [u8],
    end: usize,
    held: u64,
    count: u32,
}

impl Putter<'_> {
    /// At most 56 bits.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.held |= bits << (self.count & 63);
        self.count += count;
        // Eight bytes each time, whole or not: to write fewer would take longer.
        if let Some(room) = self.room.get_mut(self.end..).and_then(<[u8]>::first_chunk_mut) {
            *room = self.held.to_le_bytes();
        }
        self.end += (self.count / 8) as usize;
        self.held >>= self.count & 56;
        self.count &= 7;
    }
}
