//! Deflate for rows of one layout. Most of a worksheet's bytes are the frames around its values, and
//! a frame is nearly always that of the same cell one row above, but for the row's number, which the
//! cell beside it has too: where a cell begins is told, not searched for. A value is looked for where the
//! same one was last in its column, then compared with the one above; only in what is left the starts of
//! words are looked up. Whatever is proposed is compared byte by byte before it is used, so that a wrong
//! proposal costs time and nothing else.

use std::cell::Cell;
use std::mem;

use super::deflate::Piece;
use super::tokens::Tokens;

/// How far back a copy may reach (RFC 1951, 2).
const WINDOW: usize = 32 * 1024;
const LONGEST_COPY: usize = 258;
/// Bytes that make the codes: enough to know the data by.
const FIRST: usize = 128 * 1024;
/// Bytes that are gathered before they are deflated: so few that they stay in a core's nearest cache.
const GATHER: usize = 16 * 1024;
/// Bytes that may lie in the window before old ones are cleared away.
const FULL: usize = 4 * WINDOW;
/// What a window may have grown to by one long row and still be kept for the next piece.
const MOST_SPARED_BYTES: usize = 4 * FULL;
/// A shorter copy costs as much as its literals.
const SHORTEST_COPY: usize = 4;
/// The same for one that reaches further back than about three rows, at more bits for its distance.
const SHORTEST_FAR_COPY: usize = 6;
const FAR: usize = 2 * 1024;
/// Bytes of a number that may well be the same in other rows.
const SHORT_NUMBER: usize = 8;
/// The bits of a word's place in the table of words, and of a value's in the table of values.
const WORD_BITS: u32 = 11;
const VALUE_BITS: u32 = 11;

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
    /// Where its value begins, which goes on to the next cell.
    pub value: usize,
    /// Whether there are words in it.
    pub is_text: bool,
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
        back(&mut self.0[thing], place)
    }
}

/// Where each column's cell and its value were last, counted as places are.
#[derive(Debug, Default)]
struct Columns(Vec<[u32; 2]>);

impl Columns {
    /// Notes where a cell and its value are, and tells how far back those of its column were before.
    fn replace(&mut self, column: usize, cell: usize, value: usize) -> (Option<usize>, Option<usize>) {
        if self.0.len() <= column {
            self.0.resize(column + 1, [0; 2]);
        }
        let [cell_before, value_before] = &mut self.0[column];
        (back(cell_before, cell), back(value_before, value))
    }
}

/// Notes a place over the one before, and tells how far back that was.
fn back(before: &mut u32, place: usize) -> Option<usize> {
    let here = (place + 1) as u32;
    let before = mem::replace(before, here);
    (0 < before && before < here).then(|| (here - before) as usize)
}

thread_local! {
    /// One that is done with its piece: memory that the system gives anew costs more than to fill it.
    static SPARE: Cell<Option<Box<LayoutDeflater>>> = const { Cell::new(None) };
}

/// Makes one piece.
pub(super) struct LayoutDeflater {
    /// The bytes at the front of the window that are deflated already.
    history: usize,
    /// The bytes that have left the window.
    gone: usize,
    columns: Columns,
    forms: Places,
    values: Places,
    words: Places,
    tokens: Tokens,
    crc: crc32fast::Hasher,
    length: u64,
    /// Room for a window and marks, while there are none.
    room: (Vec<u8>, Vec<Mark>),
}

impl LayoutDeflater {
    pub(super) fn new() -> Box<Self> {
        SPARE.take().unwrap_or_else(|| {
            Box::new(Self {
                history: 0,
                gone: 0,
                columns: Columns::default(),
                forms: Places::default(),
                values: Places(vec![0; 1 << VALUE_BITS]),
                words: Places(vec![0; 1 << WORD_BITS]),
                tokens: Tokens::default(),
                crc: crc32fast::Hasher::new(),
                length: 0,
                room: Default::default(),
            })
        })
    }

    /// An empty window and no marks, to be filled.
    pub(super) fn room(&mut self) -> (Vec<u8>, Vec<Mark>) {
        mem::take(&mut self.room)
    }

    /// Whether so many bytes of the window wait that they are to be taken in.
    pub(super) fn is_due(&self, window: &[u8]) -> bool {
        window.len() - self.history >= if self.length == 0 { FIRST } else { GATHER }
    }

    /// Takes in what waits at the end of the window and leaves there what later bytes may refer to.
    /// The marks rise and lie in what waits.
    pub(super) fn push(&mut self, window: &mut Vec<u8>, marks: &mut Vec<Mark>) {
        self.take(window, marks, false);
        if window.len() > FULL {
            let gone = window.len() - WINDOW;
            window.drain(..gone);
            self.gone += gone;
        }
        self.history = window.len();
    }

    /// Takes in the last bytes and ends the piece on a byte.
    pub(super) fn finish(mut self: Box<Self>, mut window: Vec<u8>, mut marks: Vec<Mark>) -> Piece {
        if window.len() > self.history {
            self.take(&window, &mut marks, true);
        }
        let piece =
            Piece { bytes: self.tokens.finish(), crc: mem::take(&mut self.crc), length: mem::take(&mut self.length) };
        if window.capacity() <= MOST_SPARED_BYTES {
            window.clear();
            marks.clear();
            (self.history, self.gone, self.room) = (0, 0, (window, marks));
            self.columns.0.fill([0; 2]);
            for places in [&mut self.forms, &mut self.values, &mut self.words] {
                places.0.fill(0);
            }
            SPARE.set(Some(self));
        }
        piece
    }

    fn take(&mut self, window: &[u8], marks: &mut Vec<Mark>, is_all: bool) {
        let waiting = &window[self.history..];
        self.crc.update(waiting);
        self.length += waiting.len() as u64;
        self.tokens.begin(self.history);
        self.encode(window, marks);
        self.tokens.write(window, self.history, is_all);
        marks.clear();
    }

    fn encode(&mut self, window: &[u8], marks: &[Mark]) {
        let first = marks.first().map_or(window.len(), |mark| mark.at);
        let mut at = self.words(window, self.history, first);
        for (place, mark) in marks.iter().enumerate() {
            let end = marks.get(place + 1).map_or(window.len(), |next| next.at);
            let (cell_above, value_above) =
                self.columns.replace(mark.column, self.gone + mark.at, self.gone + mark.value);
            at = self.frame(window, at, end, mark, cell_above);
            at = self.value(window, at, end, mark, value_above);
        }
    }

    /// Goes through what stands before a cell's value, and gives back where a copy ends.
    fn frame(&mut self, window: &[u8], mut at: usize, end: usize, mark: &Mark, above: Option<usize>) -> usize {
        let beside = self.forms.replace(mark.form, self.gone + mark.number);
        // A copy may have run past it.
        let number = mark.number.min(end);
        if at < number {
            at = self.parts(window, at, number, above);
            if at < number {
                at = self.words(window, at, number);
            }
        }
        let value = mark.value.min(end);
        if at < value {
            at = self.copy(window, at, beside);
            if at < value {
                at = self.parts(window, at, value, above);
            }
        }
        at
    }

    /// Goes through a value up to `end`, or as far as a copy reaches.
    fn value(&mut self, window: &[u8], mut at: usize, end: usize, mark: &Mark, above: Option<usize>) -> usize {
        // Long numbers are seldom the same.
        let may_repeat = mark.is_text || end.saturating_sub(mark.value) <= SHORT_NUMBER;
        let slot = if may_repeat { whole(window, mark, end) } else { None };
        let same = slot.and_then(|slot| self.values.replace(slot, self.gone + mark.value));
        if at < end {
            let reached = self.copy(window, at, same);
            // A value that is longer than a copy can be, or nearly the same.
            at = if at < reached && reached < end { self.parts(window, reached, end, same) } else { reached };
        }
        if at < end {
            at = self.parts(window, at, end, above);
            if mark.is_text {
                at = self.words(window, at, end);
            }
        }
        at.max(end)
    }

    /// Copies from this distance what is the same there, if it is enough.
    fn copy(&mut self, window: &[u8], at: usize, distance: Option<usize>) -> usize {
        let Some(distance) = distance else { return at };
        let shortest = if distance > FAR { SHORTEST_FAR_COPY } else { SHORTEST_COPY };
        let length = common(window, at, distance);
        if length < shortest {
            return at;
        }
        self.tokens.copy(at, length, distance);
        at + length
    }

    /// Copies from this distance whatever parts are the same there, with short gaps between them.
    fn parts(&mut self, window: &[u8], mut at: usize, end: usize, distance: Option<usize>) -> usize {
        let Some(distance) = distance else { return at };
        while at < end
            && let Some(gap) = gap(window, at, distance)
        {
            let length = common(window, at + gap, distance);
            if length < SHORTEST_COPY {
                break;
            }
            self.tokens.copy(at + gap, length, distance);
            at += gap + length;
        }
        at
    }

    /// Goes through some text up to `end`, or as far as a copy reaches.
    fn words(&mut self, window: &[u8], mut at: usize, end: usize) -> usize {
        while at < end {
            let reached = self.word(window, at);
            if reached > at {
                at = reached;
                continue;
            }
            let value = &window[at..end];
            at += (1..value.len()).find(|next| starts_word(value[next - 1], value[*next])).unwrap_or(value.len());
        }
        at
    }

    /// Copies from where the word that starts here was before, if that can be.
    fn word(&mut self, window: &[u8], at: usize) -> usize {
        let Some(four) = four(window, at) else { return at };
        let slot = (four.wrapping_mul(0x9E37_79B1) >> (32 - WORD_BITS)) as usize;
        let distance = self.words.replace(slot, self.gone + at);
        self.copy(window, at, distance)
    }
}

/// The slot of a cell's value in the table of values: by its column, its length, its first and its last
/// bytes.
fn whole(window: &[u8], mark: &Mark, end: usize) -> Option<usize> {
    let first = u64::from_le_bytes(*window.get(mark.value..)?.first_chunk()?);
    let last = u64::from_le_bytes(*window.get(..end)?.last_chunk()?);
    let told = (mark.column as u64) << 32 ^ (end.wrapping_sub(mark.value)) as u64;
    let mixed = (first ^ last.rotate_left(21) ^ told.rotate_left(40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Some((mixed >> (64 - VALUE_BITS)) as usize)
}

/// How many bytes, but not more than four, differ from those so far back before four are the same.
fn gap(window: &[u8], at: usize, distance: usize) -> Option<usize> {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let eight = |at: usize| window.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let different = eight(at)? ^ eight(at.checked_sub(distance)?)?;
    // The highest bit of each byte that is the same.
    let same = !(((different & LOW) + LOW) | different | LOW);
    let four = same & same >> 8 & same >> 16 & same >> 24;
    (four != 0).then(|| four.trailing_zeros() as usize / 8)
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
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte >= 0x80 || byte as u8 == b'.';
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
    for (a, b) in before.as_chunks().0.iter().zip(here.as_chunks().0) {
        let different = u128::from_le_bytes(*a) ^ u128::from_le_bytes(*b);
        if different != 0 {
            return length + different.trailing_zeros() as usize / 8;
        }
        length += 16;
    }
    length + before[length..].iter().zip(&here[length..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
