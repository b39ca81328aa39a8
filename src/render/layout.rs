//! Deflate for rows of one layout. Most of a worksheet's bytes are the frames around its values, and
//! a frame is nearly always that of the same cell one row above: where a cell begins is told, not
//! searched for. Inside values only the starts of words are looked up. Whatever is proposed is compared
//! byte by byte before it is used, so that a wrong proposal costs time and nothing else.

use super::deflate::Piece;
use super::huffman::{Bits, Tokens};

/// How far back a copy may reach (RFC 1951, 2).
const WINDOW: usize = 32 * 1024;
const LONGEST_COPY: usize = 258;
/// A shorter copy costs as much as its literals.
const SHORTEST_COPY: usize = 4;
/// The same for one that reaches further back than about three rows, at more bits for its distance.
const SHORTEST_FAR_COPY: usize = 6;
const FAR: usize = 2 * 1024;
/// Bytes that may differ between two stretches of one frame, such as the digits of a row's number.
const GAP: usize = 3;
/// The bits of a word's place in the table of words.
const WORD_BITS: u32 = 12;

/// Where the same kind of cell begins in each row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The place in the window.
    pub at: usize,
    /// The number of the kind of cell.
    pub kind: usize,
}

/// Makes one piece.
pub(super) struct LayoutDeflater {
    /// The bytes at the front of the window that are deflated already.
    history: usize,
    /// The bytes that have left the window.
    gone: usize,
    /// Where a cell of each kind began last, counted from the start of the piece, plus one.
    last: Vec<usize>,
    /// Where a word was last, in the same way.
    words: Vec<usize>,
    tokens: Tokens,
    bits: Bits,
    crc: crc32fast::Hasher,
    length: u64,
}

impl LayoutDeflater {
    pub(super) fn new() -> Self {
        Self {
            history: 0,
            gone: 0,
            last: Vec::new(),
            words: vec![0; 1 << WORD_BITS],
            tokens: Tokens::new(),
            bits: Bits::default(),
            crc: crc32fast::Hasher::new(),
            length: 0,
        }
    }

    /// The bytes of the window that wait.
    pub(super) fn waiting(&self, window: &[u8]) -> usize {
        window.len() - self.history
    }

    /// Takes in what waits at the end of the window and leaves there what later bytes may refer to.
    /// The marks rise and lie in what waits.
    pub(super) fn push(&mut self, window: &mut Vec<u8>, marks: &mut Vec<Mark>) {
        let waiting = &window[self.history..];
        self.crc.update(waiting);
        self.length += waiting.len() as u64;
        self.encode(window, marks);
        marks.clear();
        let gone = window.len().saturating_sub(WINDOW);
        window.drain(..gone);
        self.gone += gone;
        self.history = window.len();
    }

    /// Ends the piece on a byte.
    pub(super) fn finish(mut self) -> Piece {
        self.tokens.write(&mut self.bits);
        Piece { bytes: self.bits.sync(), crc: self.crc, length: self.length }
    }

    fn encode(&mut self, window: &[u8], marks: &[Mark]) {
        let mut at = self.history;
        let mut marks = marks.iter().copied().peekable();
        while at < window.len() {
            if self.tokens.is_full() {
                self.tokens.write(&mut self.bits);
            }
            let mut above = None;
            while let Some(mark) = marks.next_if(|mark| mark.at <= at) {
                // A copy may have run past a mark; later rows still refer to it.
                let before = self.remember(mark);
                above = if mark.at == at { before } else { None };
            }
            let start = at;
            if let Some(distance) = above {
                at = self.follow(window, at, distance, SHORTEST_COPY);
            }
            if at == start {
                let end = marks.peek().map_or(window.len(), |mark| mark.at);
                at = self.words(window, at, end);
            }
        }
    }

    /// How far back the cell of this kind was before.
    fn remember(&mut self, mark: Mark) -> Option<usize> {
        if self.last.len() <= mark.kind {
            self.last.resize(mark.kind + 1, 0);
        }
        let here = self.gone + mark.at + 1;
        let before = std::mem::replace(&mut self.last[mark.kind], here);
        (0 < before && before < here).then(|| here - before)
    }

    /// Copies from this distance as long as it goes, over short gaps, and gives back where it ends.
    fn follow(&mut self, window: &[u8], mut at: usize, distance: usize, shortest: usize) -> usize {
        if distance > at.min(WINDOW) {
            return at;
        }
        let mut wanted = shortest;
        loop {
            let length = common(window, at - distance, at);
            if length < wanted {
                return at;
            }
            self.tokens.copy(length, distance);
            at += length;
            if length == LONGEST_COPY {
                wanted = 3;
                continue;
            }
            wanted = SHORTEST_COPY;
            let same = |gap: &usize| {
                let (here, there) = (at + gap, at + gap - distance);
                four(window, here).is_some_and(|bytes| Some(bytes) == four(window, there))
            };
            let Some(gap) = (1..=GAP).find(same) else { return at };
            window[at..at + gap].iter().for_each(|byte| self.tokens.literal(*byte));
            at += gap;
        }
    }

    /// Goes through a value up to `end`, or as far as a copy reaches.
    fn words(&mut self, window: &[u8], mut at: usize, end: usize) -> usize {
        while at < end {
            if let Some(word) = four(window, at).filter(|_| starts_word(window, at)) {
                let here = self.gone + at + 1;
                let slot = (word.wrapping_mul(0x9E37_79B1) >> (32 - WORD_BITS)) as usize;
                let before = std::mem::replace(&mut self.words[slot], here);
                if before > 0 {
                    let distance = here - before;
                    let shortest = if distance > FAR { SHORTEST_FAR_COPY } else { SHORTEST_COPY };
                    let reached = self.follow(window, at, distance, shortest);
                    if reached > at {
                        return reached;
                    }
                }
            }
            self.tokens.literal(window[at]);
            at += 1;
        }
        at
    }
}

/// Whether a byte stands where looking for the same text before may pay: after anything that is no
/// letter or digit, and at every character that is not ASCII.
fn starts_word(window: &[u8], at: usize) -> bool {
    window[at] >= 0xC0 || at == 0 || !IN_WORD[usize::from(window[at - 1])]
}

const IN_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte >= 0x80;
        byte += 1;
    }
    table
};

fn four(window: &[u8], at: usize) -> Option<u32> {
    window.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// How many bytes are the same from two places on, as far as one copy can reach.
fn common(window: &[u8], before: usize, at: usize) -> usize {
    let most = LONGEST_COPY.min(window.len() - at);
    let (before, here) = (&window[before..before + most], &window[at..at + most]);
    let mut length = 0;
    for (a, b) in before.chunks_exact(8).zip(here.chunks_exact(8)) {
        let (Ok(a), Ok(b)) = (<[u8; 8]>::try_from(a), <[u8; 8]>::try_from(b)) else { break };
        let different = u64::from_le_bytes(a) ^ u64::from_le_bytes(b);
        if different != 0 {
            return length + different.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + before[length..].iter().zip(&here[length..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;
    use crate::render::deflate::END;

    /// Deflates pushes of cells, each cell marked with its kind, and inflates them with the library.
    fn there_and_back(pushes: &[Vec<(usize, Vec<u8>)>]) -> (usize, Vec<u8>) {
        let mut deflater = LayoutDeflater::new();
        let (mut window, mut marks) = (Vec::new(), Vec::new());
        for cells in pushes {
            for (kind, bytes) in cells {
                marks.push(Mark { at: window.len(), kind: *kind });
                window.extend_from_slice(bytes);
            }
            deflater.push(&mut window, &mut marks);
            assert!(window.len() <= WINDOW && deflater.waiting(&window) == 0);
        }
        let mut piece = deflater.finish();
        let size = piece.bytes.len();
        piece.bytes.extend(END);
        let mut plain = Vec::new();
        flate2::read::DeflateDecoder::new(piece.bytes.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(piece.length, plain.len() as u64);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&plain);
        assert_eq!(piece.crc.finalize(), crc.finalize());
        (size, plain)
    }

    fn joined(pushes: &[Vec<(usize, Vec<u8>)>]) -> Vec<u8> {
        pushes.iter().flatten().flat_map(|(_, bytes)| bytes.clone()).collect()
    }

    #[test]
    fn nothing_is_an_empty_stream() {
        assert_eq!(there_and_back(&[]).1, b"");
        assert_eq!(there_and_back(&[vec![(0, Vec::new())]]).1, b"");
        assert_eq!(there_and_back(&[vec![(3, b"x".to_vec())]]).1, b"x");
    }

    #[test]
    fn rows_of_one_layout_become_a_fourteenth() {
        let row = |n: u32| {
            (0..12)
                .map(|column| {
                    let value = ["DONE", "ONGOING", "UNASSIGNED"][(n * 7 + column) as usize % 3];
                    let column_name = char::from(b'A' + column as u8);
                    let text = format!("</t></is></c><c r=\"{column_name}{n}\" t=\"inlineStr\"><is><t>{value}");
                    (column as usize, text.into_bytes())
                })
                .collect::<Vec<_>>()
        };
        let pushes: Vec<Vec<_>> = (0..40).map(|push| (0..100).flat_map(|n| row(push * 100 + n)).collect()).collect();
        let plain = joined(&pushes);
        let (size, back) = there_and_back(&pushes);
        assert!(back == plain);
        assert!(size * 14 < plain.len(), "{size} of {}", plain.len());
    }

    #[test]
    fn long_runs_and_noise_come_back() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let pushes = vec![
            vec![(0, vec![b'a'; 100_000]), (1, (0..90_000).map(|_| noise()).collect())],
            vec![(1, vec![b'a'; 259]), (0, (0..70_000).map(|_| noise() & 3).collect())],
        ];
        assert!(there_and_back(&pushes).1 == joined(&pushes));
    }

    fn cell() -> impl Strategy<Value = (usize, Vec<u8>)> {
        let text = prop_oneof![
            3 => "<c r=\"[A-C][0-9]{1,3}\"><is><t>(DONE|été|ab)( [a-c]{1,5}){0,4}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 0..40),
            1 => (any::<u8>(), 1_usize..700).prop_map(|(byte, length)| vec![byte; length]),
        ];
        (0_usize..5, text)
    }

    proptest! {
        #[test]
        fn whatever_is_marked_comes_back(
            pushes in proptest::collection::vec(proptest::collection::vec(cell(), 0..300), 0..4)
        ) {
            prop_assert!(there_and_back(&pushes).1 == joined(&pushes));
        }
    }
}
