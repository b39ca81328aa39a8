//! Deflate for rows of one layout. Most of a worksheet's bytes are the frames around its values, and
//! a frame is nearly always that of the same cell one row above, but for the row's number, which the
//! cell beside it has too: where a cell begins is told, not searched for. Inside values only the starts
//! of words are looked up. Whatever is proposed is compared byte by byte before it is used, so that a
//! wrong proposal costs time and nothing else.

use super::deflate::Piece;
use super::tokens::Tokens;

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
/// Bytes that a copy behind a gap must reach further than one without: what the gap's bytes cost.
const WORTH_GAP: usize = 2;
/// The bits of a word's place in the table of words.
const WORD_BITS: u32 = 12;

/// Where a cell begins, and which ones it resembles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Its place in the window.
    pub at: usize,
    /// Its column: in the row above there is a cell that begins like it.
    pub column: usize,
    /// Where it has the number of its row.
    pub number: usize,
    /// Its form: from the row's number to the value, cells of one form are alike.
    pub form: usize,
}

/// Where each of some things was last, counted from the start of the piece, plus one. Beyond what the
/// numbers hold, places are wrong.
#[derive(Debug, Default)]
struct Places(Vec<u32>);

impl Places {
    /// Notes where a thing is, and tells how far back it was before.
    fn replace(&mut self, thing: usize, place: usize) -> Option<usize> {
        if self.0.len() <= thing {
            self.0.resize(thing + 1, 0);
        }
        let here = (place + 1) as u32;
        let before = std::mem::replace(&mut self.0[thing], here);
        (0 < before && before < here).then(|| (here - before) as usize)
    }
}

/// Makes one piece.
pub(super) struct LayoutDeflater {
    /// The bytes at the front of the window that are deflated already.
    history: usize,
    /// The bytes that have left the window.
    gone: usize,
    columns: Places,
    forms: Places,
    words: Places,
    tokens: Tokens,
    crc: crc32fast::Hasher,
    length: u64,
}

impl LayoutDeflater {
    pub(super) fn new() -> Self {
        Self {
            history: 0,
            gone: 0,
            columns: Places::default(),
            forms: Places::default(),
            words: Places(vec![0; 1 << WORD_BITS]),
            tokens: Tokens::new(),
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
    pub(super) fn finish(self) -> Piece {
        Piece { bytes: self.tokens.finish(), crc: self.crc, length: self.length }
    }

    fn encode(&mut self, window: &[u8], marks: &[Mark]) {
        let mut at = self.history;
        let mut marks = marks.iter().peekable();
        while at < window.len() {
            // A copy may have run past a mark.
            while let Some(mark) = marks.next_if(|mark| mark.at <= at) {
                let above = self.columns.replace(mark.column, self.gone + mark.at);
                let beside = self.forms.replace(mark.form, self.gone + mark.number);
                if marks.peek().is_none_or(|next| next.at > at) {
                    at = self.frame(window, at, mark, above, beside);
                }
            }
            let end = marks.peek().map_or(window.len(), |mark| mark.at);
            at = self.words(window, at, end);
        }
    }

    /// Copies from two cells that are alike, as long as it goes, and gives back where it ends. `above`
    /// is how far back the last one of the column is, `beside` the last one of the form, which mostly is
    /// in the same row; this is measured between the rows' numbers.
    fn frame(
        &mut self,
        window: &[u8],
        mut at: usize,
        mark: &Mark,
        above: Option<usize>,
        beside: Option<usize>,
    ) -> usize {
        loop {
            let (gap, length) = above.map_or((0, 0), |distance| after_gap(window, at, distance));
            let beside = beside.filter(|_| mark.number <= at);
            let length_beside = beside.map_or(0, |distance| common(window, at, distance));
            match (above, beside) {
                (Some(distance), _) if length >= SHORTEST_COPY && gap + length >= length_beside + WORTH_GAP => {
                    self.tokens.literals(&window[at..at + gap]);
                    self.tokens.copy(length, distance);
                    at += gap + length;
                }
                (_, Some(distance)) if length_beside >= SHORTEST_COPY => {
                    self.tokens.copy(length_beside, distance);
                    at += length_beside;
                }
                _ => return at,
            }
        }
    }

    /// Goes through a value up to `end`, or as far as a copy reaches.
    fn words(&mut self, window: &[u8], mut at: usize, end: usize) -> usize {
        while at < end {
            if let Some(reached) = self.word(window, at) {
                return reached;
            }
            let value = &window[at..end];
            let next = (1..value.len()).find(|next| starts_word(value[next - 1], value[*next])).unwrap_or(value.len());
            self.tokens.literals(&value[..next]);
            at += next;
        }
        at
    }

    /// Copies from where the word that starts here was before, if that can be.
    fn word(&mut self, window: &[u8], at: usize) -> Option<usize> {
        let slot = (four(window, at)?.wrapping_mul(0x9E37_79B1) >> (32 - WORD_BITS)) as usize;
        let distance = self.words.replace(slot, self.gone + at)?;
        let shortest = if distance > FAR { SHORTEST_FAR_COPY } else { SHORTEST_COPY };
        let reached = self.follow(window, at, distance, shortest);
        (reached > at).then_some(reached)
    }

    /// Copies from this distance as long as it goes, over short gaps, and gives back where it ends.
    fn follow(&mut self, window: &[u8], mut at: usize, distance: usize, shortest: usize) -> usize {
        let (mut gap, mut length) = (0, common(window, at, distance));
        let mut wanted = shortest;
        while length >= wanted {
            self.tokens.literals(&window[at..at + gap]);
            self.tokens.copy(length, distance);
            at += gap + length;
            (gap, length) = after_gap(window, at, distance);
            wanted = SHORTEST_COPY;
        }
        at
    }
}

/// How many bytes differ from those so far back before some are the same again, and how many are then.
fn after_gap(window: &[u8], at: usize, distance: usize) -> (usize, usize) {
    if distance > at {
        return (0, 0);
    }
    let same = |gap: &usize| {
        let here = four(window, at + gap);
        here.is_some() && here == four(window, at + gap - distance)
    };
    (0..=GAP).find(same).map_or((0, 0), |gap| (gap, common(window, at + gap, distance)))
}

/// Whether a byte stands where looking for the same text before may pay: after anything that is no
/// letter or digit, and at every character that is not ASCII.
fn starts_word(before: u8, byte: u8) -> bool {
    byte >= 0xC0 || !IN_WORD[usize::from(before)]
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

/// How many bytes from a place on are the same as those so far back, as far as one copy can reach.
fn common(window: &[u8], at: usize, distance: usize) -> usize {
    if distance > at.min(WINDOW) {
        return 0;
    }
    let most = LONGEST_COPY.min(window.len() - at);
    let before = at - distance;
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

    /// A cell with what is told of it, right or wrong.
    #[derive(Debug, Clone, Default)]
    struct Cell {
        column: usize,
        form: usize,
        /// Bytes before the number of its row.
        before_number: usize,
        bytes: Vec<u8>,
    }

    impl Cell {
        fn of(column: usize, bytes: &[u8]) -> Self {
            Self { column, bytes: bytes.to_vec(), ..Self::default() }
        }
    }

    /// Deflates pushes of cells and inflates them with the library.
    fn there_and_back(pushes: &[Vec<Cell>]) -> (usize, Vec<u8>) {
        let mut deflater = LayoutDeflater::new();
        let (mut window, mut marks) = (Vec::new(), Vec::new());
        for cells in pushes {
            for cell in cells {
                let at = window.len();
                marks.push(Mark { at, column: cell.column, number: at + cell.before_number, form: cell.form });
                window.extend_from_slice(&cell.bytes);
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

    fn joined(pushes: &[Vec<Cell>]) -> Vec<u8> {
        pushes.iter().flatten().flat_map(|cell| cell.bytes.clone()).collect()
    }

    #[test]
    fn nothing_is_an_empty_stream() {
        assert_eq!(there_and_back(&[]).1, b"");
        assert_eq!(there_and_back(&[vec![Cell::of(0, b"")]]).1, b"");
        assert_eq!(there_and_back(&[vec![Cell::of(3, b"x")]]).1, b"x");
    }

    #[test]
    fn rows_of_one_layout_become_a_thirteenth() {
        let cell = |row: u32, column: u32| {
            let value = ["DONE", "ONGOING", "UNASSIGNED"][(row * 7 + column) as usize % 3];
            let head = format!("</t></is></c><c r=\"{}", char::from(b'A' + column as u8));
            Cell {
                column: column as usize,
                form: 0,
                before_number: head.len(),
                bytes: format!("{head}{row}\" t=\"inlineStr\"><is><t>{value}").into_bytes(),
            }
        };
        let row = |row: u32| (0..12).map(move |column| cell(row, column));
        let pushes: Vec<Vec<_>> = (0..40).map(|push| (0..100).flat_map(|n| row(push * 100 + n)).collect()).collect();
        let plain = joined(&pushes);
        let (size, back) = there_and_back(&pushes);
        assert!(back == plain);
        assert!(size * 13 < plain.len(), "{size} of {}", plain.len());
    }

    #[test]
    fn long_runs_and_noise_come_back() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let pushes = vec![
            vec![Cell::of(0, &[b'a'; 100_000]), Cell::of(1, &(0..90_000).map(|_| noise()).collect::<Vec<_>>())],
            vec![Cell::of(1, &[b'a'; 259]), Cell::of(0, &(0..70_000).map(|_| noise() & 3).collect::<Vec<_>>())],
        ];
        assert!(there_and_back(&pushes).1 == joined(&pushes));
    }

    fn cell() -> impl Strategy<Value = Cell> {
        let bytes = prop_oneof![
            3 => "<c r=\"[A-C][0-9]{1,3}\"><is><t>(DONE|été|ab)( [a-c]{1,5}){0,4}".prop_map(String::into_bytes),
            1 => proptest::collection::vec(any::<u8>(), 0..40),
            1 => (any::<u8>(), 1_usize..700).prop_map(|(byte, length)| vec![byte; length]),
        ];
        let told = (0_usize..5, 0_usize..3, prop_oneof![4 => 6_usize..10, 1 => 0_usize..900]);
        (told, bytes).prop_map(|((column, form, before_number), bytes)| Cell { column, form, before_number, bytes })
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
