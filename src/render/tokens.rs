//! Literals and copies to the bits of one dynamic block (RFC 1951, 3.2.5 to 3.2.7). The first bytes
//! make its codes; all that follow are written with these codes.

use super::bits::{Bits, Putter};
use super::huffman::{Codes, describe};

/// How much more often each token of the first bytes is counted than what may still come.
const FIRST_WEIGHT: u32 = 8;
/// Literals whose codes are put at once.
const AT_ONCE: usize = 4;
/// The longest code of literals, lengths and distances: one less than allowed, so that four literals are
/// not too many bits to put at once. No literal takes more than two bytes, and no copy more than six.
const LONGEST_CODE: usize = 14;
/// Symbols of literals, the end of a block, and lengths.
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const END_OF_BLOCK: usize = 256;

/// The shortest length of each length symbol, less 3, and how many bits it has behind it.
const LENGTHS: [(u8, u8); 29] = {
    let mut table = [(0, 0); 29];
    let (mut symbol, mut base) = (0, 0_u16);
    while symbol < 28 {
        let extra = if symbol < 8 { 0 } else { symbol as u8 / 4 - 1 };
        table[symbol] = (base as u8, extra);
        base += 1 << extra;
        symbol += 1;
    }
    table[28] = (255, 0);
    table
};

/// The length symbol, from 0, of each length less 3.
const LENGTH_SYMBOL: [u8; 256] = {
    let mut table = [0; 256];
    let (mut length, mut symbol) = (0, 0);
    while length < 255 {
        if symbol < 27 && LENGTHS[symbol + 1].0 as usize <= length {
            symbol += 1;
        }
        table[length] = symbol as u8;
        length += 1;
    }
    table[255] = 28;
    table
};

/// Bytes that are written as they are, and a copy behind them.
#[derive(Debug, Clone, Copy)]
struct Token {
    literals: u32,
    /// None at all if nothing follows.
    length: u16,
    /// Less 1.
    distance: u16,
}

/// Literals and copies on their way into bits.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    bits: Bits,
    /// None before the first bytes.
    codes: Option<Box<Packed>>,
    waiting: Vec<Token>,
    /// Up to where in the window there are tokens.
    end: usize,
}

impl Tokens {
    /// What comes next begins here in the window.
    pub(super) fn begin(&mut self, at: usize) {
        self.end = at;
    }

    /// 3 to 258 bytes from 1 to 32,768 bytes before. What is not copied is literal.
    pub(super) fn copy(&mut self, at: usize, length: usize, distance: usize) {
        let literals = (at - self.end) as u32;
        self.waiting.push(Token { literals, length: length as u16, distance: (distance - 1) as u16 });
        self.end = at + length;
    }

    /// Writes what waits; it began at this place of the window and goes on to its end. If it is all there
    /// will be, no codes are made for anything else.
    pub(super) fn write(&mut self, window: &[u8], start: usize, is_all: bool) {
        let literals = (window.len() - self.end) as u32;
        self.waiting.push(Token { literals, length: 0, distance: 0 });
        let waiting = &window[start..];
        let codes = match self.codes.take() {
            Some(codes) => codes,
            None => Box::new(Packed::fitting(&self.waiting, waiting, is_all, &mut self.bits)),
        };
        codes.write(&self.waiting, waiting, &mut self.bits);
        self.codes = Some(codes);
        self.waiting.clear();
    }

    /// Ends the block and, on a byte, the bits.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        if let Some(codes) = self.codes.take() {
            self.bits.put(codes.end.0, codes.end.1);
        }
        std::mem::take(&mut self.bits).sync()
    }
}

/// The codes of one block.
#[derive(Debug)]
struct Packed {
    /// Of each byte its bits above their number.
    literals: [u32; 256],
    /// The same of each length less 3, the extra bits among its own.
    lengths: [u32; 256],
    /// Of each distance symbol its bits, above their number, above the number with the extra ones.
    distances: [u32; 32],
    /// The end of the block, as bits and their number.
    end: (u64, u32),
}

impl Packed {
    /// What holds a number of bits: what shifts look at.
    const COUNT: u32 = 0x3F;
    const COUNT_BITS: u32 = 6;

    /// Codes for these tokens and, if they are not all, whatever may still come; begins the block.
    fn fitting(tokens: &[Token], bytes: &[u8], is_all: bool, bits: &mut Bits) -> Self {
        let (mut literals, mut distances) = ([0; LITERALS], [0; DISTANCES]);
        literals[END_OF_BLOCK] = 1;
        let mut rest = bytes;
        for token in tokens {
            let (these, after) = rest.split_at(token.literals as usize);
            these.iter().for_each(|byte| literals[usize::from(*byte)] += 1);
            if token.length > 0 {
                literals[257 + usize::from(LENGTH_SYMBOL[usize::from(token.length - 3)])] += 1;
                distances[distance_symbol(u32::from(token.distance)).0] += 1;
            }
            rest = &after[usize::from(token.length)..];
        }
        let weight = |times: u32| if is_all { times } else { FIRST_WEIGHT * times + 1 };
        let literals = Codes::new(&literals.map(weight), LONGEST_CODE);
        let distances = Codes::new(&distances.map(weight), LONGEST_CODE);
        bits.put(0b100, 3);
        describe(&literals, &distances, bits);
        Self::new(&literals, &distances)
    }

    fn new(literals: &Codes, distances: &Codes) -> Self {
        let packed = |(code, count): (u32, u32)| code << Self::COUNT_BITS | count;
        let length = |length: usize| {
            let symbol = usize::from(LENGTH_SYMBOL[length]);
            let (base, extra) = LENGTHS[symbol];
            let (code, count) = literals.get(257 + symbol);
            packed((code | (length as u32 - u32::from(base)) << count, count + u32::from(extra)))
        };
        let distance = |symbol: usize| if symbol < DISTANCES { packed(distances.get(symbol)) } else { 0 };
        Self {
            literals: std::array::from_fn(|byte| packed(literals.get(byte))),
            lengths: std::array::from_fn(length),
            distances: std::array::from_fn(distance),
            end: (u64::from(literals.get(END_OF_BLOCK).0), literals.get(END_OF_BLOCK).1),
        }
    }

    fn write(&self, tokens: &[Token], bytes: &[u8], bits: &mut Bits) {
        let copied: usize = tokens.iter().map(|token| usize::from(token.length)).sum();
        bits.reserve(2 * (bytes.len() - copied) + 6 * tokens.len());
        bits.put_all(|bits| {
            let mut rest = bytes;
            for token in tokens {
                let literals = token.literals as usize;
                self.literals(rest, literals, bits);
                if token.length > 0 {
                    self.copy(token, bits);
                }
                rest = &rest[literals + usize::from(token.length)..];
            }
        });
    }

    /// So many of the first bytes, four at a time: to put fewer at the end in a loop of its own would mislead
    /// the processor about where it ends.
    #[inline(always)]
    fn literals(&self, bytes: &[u8], mut left: usize, bits: &mut Putter<'_>) {
        let mut bytes = bytes;
        while left > 0 {
            let four = bytes.first_chunk().copied().unwrap_or_else(|| last_few(bytes));
            let (mut some, mut count) = (0, 0);
            for (place, byte) in four.into_iter().enumerate() {
                let literal = if place < left { self.literals[usize::from(byte)] } else { 0 };
                some |= u64::from(literal >> Self::COUNT_BITS) << (count & Self::COUNT);
                count += literal;
            }
            bits.put(some, count & Self::COUNT);
            left = left.saturating_sub(AT_ONCE);
            bytes = bytes.get(AT_ONCE..).unwrap_or_default();
        }
    }

    #[inline(always)]
    fn copy(&self, token: &Token, bits: &mut Putter<'_>) {
        let length = self.lengths[usize::from(token.length.wrapping_sub(3)) & 0xFF];
        let (symbol, extra) = distance_symbol(u32::from(token.distance));
        let distance = self.distances[symbol & 31];
        let more = u64::from(u32::from(token.distance) & ((1 << extra) - 1));
        let some = (more << (distance & Self::COUNT)) | u64::from(distance >> Self::COUNT_BITS);
        let some = (some << (length & Self::COUNT)) | u64::from(length >> Self::COUNT_BITS);
        bits.put(some, ((length + distance) & Self::COUNT) + extra);
    }
}

/// Fewer than four bytes, and zeros.
#[cold]
fn last_few(bytes: &[u8]) -> [u8; AT_ONCE] {
    std::array::from_fn(|place| bytes.get(place).copied().unwrap_or_default())
}

/// The symbol of a distance less 1, and how many bits it has behind it: it is told by the highest bit
/// and the one after it.
fn distance_symbol(distance: u32) -> (usize, u32) {
    let extra = (distance | 2).ilog2() - 1;
    ((2 * extra + (distance >> extra)) as usize, extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_distances_have_the_symbols_of_the_standard() {
        let symbols = [3, 10, 11, 12, 13, 18, 19, 114, 115, 130, 131, 257, 258].map(|n| LENGTH_SYMBOL[n - 3]);
        assert_eq!(symbols, [0, 7, 8, 8, 9, 11, 12, 22, 23, 23, 24, 27, 28]);
        let symbols = [1, 4, 5, 6, 7, 8, 9, 12, 13, 24_577, 32_768].map(|n| distance_symbol(n - 1).0);
        assert_eq!(symbols, [0, 3, 4, 4, 5, 5, 6, 6, 7, 29, 29]);
        let extra = [1, 4, 5, 8, 9, 32_768].map(|n| distance_symbol(n - 1).1);
        assert_eq!(extra, [0, 0, 1, 1, 2, 13]);
    }
}
