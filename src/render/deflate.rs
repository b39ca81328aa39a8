//! Deflate in pieces that can be joined: each starts with a fresh window and ends on a byte, so that
//! pieces made on different threads are one stream when they stand one after another.

use std::cell::Cell;

use flate2::{Compress, Compression, FlushCompress};

use super::Error;

/// The end of a stream of pieces: an empty last block with fixed codes (RFC 1951, 3.2.6).
pub(super) const END: [u8; 2] = [0x03, 0x00];
/// Level 1: four fifths of the work of level 2 at a tenth more bytes, measured on task tables.
const LEVEL: u32 = 1;

/// Bytes below which a piece is stored.
const SHORT: usize = 1_024;

/// Deflated bytes and what a zip needs to know of the bytes behind them.
#[derive(Debug)]
pub(super) struct Piece {
    pub bytes: Vec<u8>,
    pub crc: crc32fast::Hasher,
    /// Length before deflating.
    pub length: u64,
}

thread_local! {
    /// One that is done with its piece: to make another takes longer than to deflate what is small.
    static SPARE: Cell<Option<Compress>> = const { Cell::new(None) };
}

/// Makes one piece.
pub(super) struct Deflater {
    compress: Compress,
    piece: Piece,
}

impl Deflater {
    pub(super) fn new() -> Self {
        let piece = Piece { bytes: Vec::new(), crc: crc32fast::Hasher::new(), length: 0 };
        let compress = SPARE.take().unwrap_or_else(|| Compress::new(Compression::new(LEVEL), false));
        Self { compress, piece }
    }

    /// Takes in more bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.piece.crc.update(bytes);
        self.piece.length += bytes.len() as u64;
        self.run(bytes, FlushCompress::None)
    }

    /// Ends the piece on a byte.
    pub(super) fn finish(mut self) -> Result<Piece, Error> {
        self.run(&[], FlushCompress::Sync)?;
        self.compress.reset();
        SPARE.set(Some(self.compress));
        Ok(self.piece)
    }

    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress) -> Result<(), Error> {
        loop {
            let out = &mut self.piece.bytes;
            out.reserve(bytes.len() / 4 + 512);
            let taken = self.compress.total_in();
            self.compress.compress_vec(bytes, out, flush)?;
            bytes = &bytes[(self.compress.total_in() - taken) as usize..];
            // Space left means that everything there was to write has been written.
            if bytes.is_empty() && out.len() < out.capacity() {
                return Ok(());
            }
        }
    }
}

/// One piece of these bytes. Short ones are stored (RFC 1951, 3.2.4): to begin anew costs more than
/// they would save.
pub(super) fn piece(bytes: &[u8]) -> Result<Piece, Error> {
    if bytes.len() < SHORT {
        return Ok(stored(bytes));
    }
    let mut deflater = Deflater::new();
    deflater.push(bytes)?;
    deflater.finish()
}

/// A block that is not the last one, without compression.
fn stored(bytes: &[u8]) -> Piece {
    let length = (bytes.len() as u16).to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    crc.update(bytes);
    let head = [0, length[0], length[1], !length[0], !length[1]];
    Piece { bytes: [&head, bytes].concat(), crc, length: bytes.len() as u64 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_of_any_length_one_after_another_are_one_stream() {
        let texts = [0, 1, SHORT - 1, SHORT, 5_000].map(|length| "abcdefg".repeat(length)[..length].to_owned());
        let mut stream = Vec::new();
        for text in &texts {
            let piece = piece(text.as_bytes()).unwrap();
            assert_eq!(piece.length, text.len() as u64);
            stream.extend(piece.bytes);
        }
        stream.extend(END);
        let mut read = String::new();
        flate2::read::DeflateDecoder::new(stream.as_slice()).read_to_string(&mut read).unwrap();
        assert_eq!(read, texts.concat());
    }
}
