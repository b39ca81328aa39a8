//! Literals and copies to the bits of one dynamic block (RFC 1951, 3.2.5 to 3.2.7). The first of them
//! are counted and make its codes; all others are written with these codes at once.

use super::bits::Bits;
use super::huffman::{Codes, LONGEST_CODE, describe};

/// Tokens that make the codes: enough to know the data by, few enough to fit its beginning.
const FIRST_TOKENS: usize = 16 * 1024;
/// How much more often each of them is counted than what may still come.
const FIRST_WEIGHT: u32 = 8;
/// Symbols of literals, the end of a block, and lengths.
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const END_OF_BLOCK: usize = 256;
/// Steps of a token: the literal bytes, then the lengths of copies less 3.
const STEPS: usize = 512;
/// The distance symbol of a literal: none, which takes no bits.
const NO_DISTANCE: usize = 31;
/// Where a token has its distance symbol, and where that symbol's extra bits.
const SYMBOL_AT: u32 = 9;
const EXTRA_AT: u32 = 14;

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

/// Literals and copies on their way into bits.
#[derive(Debug)]
pub(super) struct Tokens {
    bits: Bits,
    /// None as long as tokens wait for them.
    codes: Option<Box<Packed>>,
    waiting: Vec<u32>,
    steps: [u32; STEPS],
    distances: [u32; DISTANCES],
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            bits: Bits::default(),
            codes: None,
            waiting: Vec::with_capacity(FIRST_TOKENS),
            steps: [0; STEPS],
            distances: [0; DISTANCES],
        }
    }

    pub(super) fn literals(&mut self, bytes: &[u8]) {
        match &self.codes {
            Some(codes) => codes.literals(bytes, &mut self.bits),
            None => {
                for byte in bytes {
                    self.steps[usize::from(*byte)] += 1;
                    self.waiting.push((NO_DISTANCE as u32) << SYMBOL_AT | u32::from(*byte));
                }
                self.begin_if_due();
            }
        }
    }

    /// 3 to 258 bytes from 1 to 32,768 bytes before.
    pub(super) fn copy(&mut self, length: usize, distance: usize) {
        let step = 256 + ((length - 3) & 0xFF);
        let distance = (distance - 1) as u32 & 0x7FFF;
        let symbol = distance_symbol(distance);
        let extra = distance & ((1 << distance_extra(symbol)) - 1);
        let token = extra << EXTRA_AT | (symbol as u32) << SYMBOL_AT | step as u32;
        match &self.codes {
            Some(codes) => {
                let (bits, count) = codes.encoded(token);
                self.bits.put(bits, count);
            }
            None => {
                self.steps[step] += 1;
                self.distances[symbol] += 1;
                self.waiting.push(token);
                self.begin_if_due();
            }
        }
    }

    /// Ends the block and, on a byte, the bits.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.codes.is_none() && !self.waiting.is_empty() {
            self.begin(self.weights(), self.distances);
        }
        if let Some(codes) = &self.codes {
            self.bits.put(codes.end.0, codes.end.1);
        }
        self.bits.sync()
    }

    fn begin_if_due(&mut self) {
        if self.waiting.len() >= FIRST_TOKENS {
            // Whatever may still come has a code, too.
            let weight = |times: u32| FIRST_WEIGHT * times + 1;
            self.begin(self.weights().map(weight), self.distances.map(weight));
        }
    }

    /// Begins the block with codes for these weights, and with what waits.
    fn begin(&mut self, literals: [u32; LITERALS], distances: [u32; DISTANCES]) {
        let literals = Codes::new(&literals, LONGEST_CODE);
        let distances = Codes::new(&distances, LONGEST_CODE);
        self.bits.put(0b100, 3);
        describe(&literals, &distances, &mut self.bits);
        let codes = Packed::new(&literals, &distances);
        for token in std::mem::take(&mut self.waiting) {
            let (bits, count) = codes.encoded(token);
            self.bits.put(bits, count);
        }
        self.codes = Some(Box::new(codes));
    }

    /// How often the block has each symbol of literals, its end, and lengths.
    fn weights(&self) -> [u32; LITERALS] {
        let (bytes, lengths) = self.steps.split_at(256);
        let mut literals = [0; LITERALS];
        literals[..256].copy_from_slice(bytes);
        literals[END_OF_BLOCK] = 1;
        for (symbol, times) in LENGTH_SYMBOL.iter().zip(lengths) {
            literals[257 + usize::from(*symbol)] += times;
        }
        literals
    }
}

/// The codes of one block in arrays of such sizes that no place in them needs to be checked. A literal
/// that waited is encoded as a copy is, with no bits for its distance.
#[derive(Debug)]
struct Packed {
    /// Of each step its bits, a length's extra ones among them, above their number.
    steps: [u32; STEPS],
    /// Of each distance symbol its bits, above their number, above the number with the extra ones.
    distances: [u32; NO_DISTANCE + 1],
    /// The end of the block, as bits and their number.
    end: (u64, u32),
}

impl Packed {
    /// What holds a number of bits.
    const COUNT: u32 = 0x1F;
    const COUNT_BITS: u32 = 5;

    fn new(literals: &Codes, distances: &Codes) -> Self {
        let step = |step: usize| {
            let Some(length) = step.checked_sub(256) else { return literals.get(step) };
            let symbol = usize::from(LENGTH_SYMBOL[length]);
            let (base, extra) = LENGTHS[symbol];
            let (code, count) = literals.get(257 + symbol);
            (code | (length as u32 - u32::from(base)) << count, count + u32::from(extra))
        };
        let distance = |symbol: usize| match symbol {
            0..DISTANCES => {
                let (code, count) = distances.get(symbol);
                (code << Self::COUNT_BITS | count) << Self::COUNT_BITS | (count + distance_extra(symbol))
            }
            _ => 0,
        };
        Self {
            steps: std::array::from_fn(|place| {
                let (bits, count) = step(place);
                bits << Self::COUNT_BITS | count
            }),
            distances: std::array::from_fn(distance),
            end: (u64::from(literals.get(END_OF_BLOCK).0), literals.get(END_OF_BLOCK).1),
        }
    }

    fn literals(&self, bytes: &[u8], bits: &mut Bits) {
        // Three codes at a time are never too long.
        for few in bytes.chunks(3) {
            let (mut some, mut count) = (0, 0);
            for byte in few {
                let step = self.steps[usize::from(*byte)];
                some |= u64::from(step >> Self::COUNT_BITS) << count;
                count += step & Self::COUNT;
            }
            bits.put(some, count);
        }
    }

    fn encoded(&self, token: u32) -> (u64, u32) {
        let step = self.steps[token as usize % STEPS];
        let distance = self.distances[(token >> SYMBOL_AT) as usize % (NO_DISTANCE + 1)];
        let (code, rest) = (distance >> (2 * Self::COUNT_BITS), distance >> Self::COUNT_BITS);
        let more = u64::from(token >> EXTRA_AT) << (rest & Self::COUNT) | u64::from(code);
        let count = step & Self::COUNT;
        (more << count | u64::from(step >> Self::COUNT_BITS), count + (distance & Self::COUNT))
    }
}

/// The symbol of a distance less 1: its highest bit and the one after it.
fn distance_symbol(distance: u32) -> usize {
    match distance {
        0..4 => distance as usize,
        _ => {
            let high = distance.ilog2();
            (2 * high + (distance >> (high - 1) & 1)) as usize
        }
    }
}

/// How many bits a distance symbol has behind it.
fn distance_extra(symbol: usize) -> u32 {
    (symbol as u32 / 2).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_distances_have_the_symbols_of_the_standard() {
        let symbols = [3, 10, 11, 12, 13, 18, 19, 114, 115, 130, 131, 257, 258].map(|n| LENGTH_SYMBOL[n - 3]);
        assert_eq!(symbols, [0, 7, 8, 8, 9, 11, 12, 22, 23, 23, 24, 27, 28]);
        let symbols = [1, 4, 5, 6, 7, 8, 9, 12, 13, 24_577, 32_768].map(|n| distance_symbol(n - 1));
        assert_eq!(symbols, [0, 3, 4, 4, 5, 5, 6, 6, 7, 29, 29]);
        let extra = [1, 4, 5, 8, 9, 32_768].map(|n| distance_extra(distance_symbol(n - 1)));
        assert_eq!(extra, [0, 0, 1, 1, 2, 13]);
    }
}
