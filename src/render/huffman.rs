//! Literals and copies to the bits of one dynamic block (RFC 1951, 3.2.5 to 3.2.7). The first of them
//! are counted and make its codes; all others are written with these codes at once.

/// Tokens that make the codes: enough to know the data by, few enough to fit its beginning.
const FIRST_TOKENS: usize = 16 * 1024;
/// How much more often each of them is counted than what may still come.
const FIRST_WEIGHT: u32 = 8;
/// Symbols of literals, the end of a block, and lengths.
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const END_OF_BLOCK: usize = 256;
const LONGEST_CODE: usize = 15;
/// The order in which the lengths of the codes for code lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
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

/// Bits in the order of a deflate stream.
#[derive(Debug, Default)]
struct Bits {
    out: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    /// At most 56 bits.
    fn put(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        self.count += count;
        // Eight bytes each time, whole or not: to write fewer would take longer.
        self.out.extend_from_slice(&self.held.to_le_bytes());
        self.out.truncate(self.out.len() - 8 + (self.count / 8) as usize);
        self.held >>= self.count & !7;
        self.count &= 7;
    }

    /// Ends on a byte, with an empty stored block (RFC 1951, 3.2.4).
    fn sync(mut self) -> Vec<u8> {
        self.put(0, 3);
        self.put(0, self.count.next_multiple_of(8) - self.count);
        self.out.extend([0, 0, 0xFF, 0xFF]);
        self.out
    }
}

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

/// A prefix code: for each symbol its bits, first to be sent lowest, above their number.
struct Codes(Vec<u32>);

impl Codes {
    fn new(weights: &[u32], longest: usize) -> Self {
        let lengths = code_lengths(weights, longest);
        let mut count = [0_u32; LONGEST_CODE + 1];
        lengths.iter().for_each(|length| count[usize::from(*length)] += 1);
        count[0] = 0;
        let mut next = [0_u32; LONGEST_CODE + 2];
        for length in 1..=LONGEST_CODE {
            next[length + 1] = (next[length] + count[length]) << 1;
        }
        let code = |length: &u8| {
            let length = usize::from(*length);
            if length == 0 {
                return 0;
            }
            let code = next[length];
            next[length] += 1;
            (code.reverse_bits() >> (32 - length)) << 4 | length as u32
        };
        Self(lengths.iter().map(code).collect())
    }

    fn get(&self, symbol: usize) -> (u32, u32) {
        let code = self.0[symbol];
        (code >> 4, code & 0xF)
    }

    /// Without the unused symbols at the end, but with this many at least.
    fn lengths(&self, least: usize) -> impl Iterator<Item = u8> {
        let used = self.0.iter().rposition(|code| *code != 0).map_or(0, |last| last + 1);
        self.0[..used.max(least)].iter().map(|code| (code & 0xF) as u8)
    }
}

/// The lengths of an optimal prefix code, none longer than allowed: Huffman's, of which the codes
/// that are too long are shortened at the cost of the least weighty others.
fn code_lengths(weights: &[u32], longest: usize) -> Vec<u8> {
    let mut used: Vec<usize> = (0..weights.len()).filter(|symbol| weights[*symbol] > 0).collect();
    used.sort_by_key(|symbol| weights[*symbol]);
    let mut lengths = vec![0; weights.len()];
    if let [only] = used[..] {
        lengths[only] = 1;
        return lengths;
    }
    let sorted: Vec<u32> = used.iter().map(|symbol| weights[*symbol]).collect();
    let mut of_length = counts(&depths(&sorted), longest);
    let mut symbols = used.into_iter().rev();
    for (length, count) in of_length.iter_mut().enumerate() {
        for symbol in symbols.by_ref().take(*count) {
            lengths[symbol] = length as u8;
        }
    }
    lengths
}

/// The depths of the leaves of Huffman's tree; the weights rise.
fn depths(weights: &[u32]) -> Vec<usize> {
    let leaves = weights.len();
    if leaves == 0 {
        return Vec::new();
    }
    let mut weight: Vec<u64> = weights.iter().map(|weight| u64::from(*weight)).collect();
    let mut parent = vec![0; 2 * leaves - 1];
    // Inner nodes are made in the order of their weights, so that two queues are enough.
    let (mut leaf, mut inner) = (0, leaves);
    for node in leaves..2 * leaves - 1 {
        let mut sum = 0;
        for _ in 0..2 {
            let lightest = if leaf < leaves && (inner == node || weight[leaf] <= weight[inner]) {
                leaf += 1;
                leaf - 1
            } else {
                inner += 1;
                inner - 1
            };
            parent[lightest] = node;
            sum += weight[lightest];
        }
        weight.push(sum);
    }
    let mut depth = vec![0; 2 * leaves - 1];
    for node in (0..2 * leaves - 2).rev() {
        depth[node] = depth[parent[node]] + 1;
    }
    depth.truncate(leaves);
    depth
}

/// How many codes have each length, when none may be longer than this.
fn counts(depths: &[usize], longest: usize) -> Vec<usize> {
    let mut counts = vec![0; longest + 1];
    depths.iter().for_each(|depth| counts[(*depth).min(longest)] += 1);
    // In parts of the longest code: a whole code has exactly this many.
    let whole = 1 << longest;
    let mut taken: usize = (1..=longest).map(|length| counts[length] << (longest - length)).sum();
    while taken > whole {
        let Some(shorter) = (1..longest).rev().find(|length| counts[*length] > 0) else { break };
        counts[longest] -= 1;
        counts[shorter] -= 1;
        counts[shorter + 1] += 2;
        taken -= 1;
    }
    counts
}

/// The description of both codes (RFC 1951, 3.2.7).
fn describe(literals: &Codes, distances: &Codes, bits: &mut Bits) {
    let literals: Vec<u8> = literals.lengths(257).collect();
    let distances: Vec<u8> = distances.lengths(1).collect();
    let runs = runs(&[literals.as_slice(), &distances].concat());
    let mut weights = [0; ORDER.len()];
    runs.iter().for_each(|(symbol, _, _)| weights[*symbol] += 1);
    let codes = Codes::new(&weights, 7);
    let written = ORDER.iter().rposition(|symbol| weights[*symbol] > 0).map_or(4, |last| (last + 1).max(4));
    bits.put(literals.len() as u64 - 257, 5);
    bits.put(distances.len() as u64 - 1, 5);
    bits.put(written as u64 - 4, 4);
    ORDER[..written].iter().for_each(|symbol| bits.put(u64::from(codes.get(*symbol).1), 3));
    for (symbol, extra, extra_count) in runs {
        let (code, count) = codes.get(symbol);
        bits.put(u64::from(code), count);
        bits.put(u64::from(extra), extra_count);
    }
}

/// Lengths, and repeats of them, each with its extra bits and their number.
fn runs(lengths: &[u8]) -> Vec<(usize, u32, u32)> {
    let mut runs = Vec::new();
    for same in lengths.chunk_by(|a, b| a == b) {
        let (length, mut left) = (usize::from(same[0]), same.len());
        if length != 0 {
            runs.push((length, 0, 0));
            left -= 1;
        }
        while left > 0 {
            let (taken, run) = match (length, left) {
                (0, 11..) => (left.min(138), (18, left.min(138) as u32 - 11, 7)),
                (0, 3..) => (left, (17, left as u32 - 3, 3)),
                (1.., 3..) => (left.min(6), (16, left.min(6) as u32 - 3, 2)),
                _ => (1, (length, 0, 0)),
            };
            runs.push(run);
            left -= taken;
        }
    }
    runs
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

    #[test]
    fn codes_are_whole_and_no_longer_than_allowed() {
        let fibonacci = |n: usize| {
            (0..n).scan((1_u32, 1_u32), |pair, _| {
                *pair = (pair.1, pair.0 + pair.1);
                Some(pair.0)
            })
        };
        for (weights, longest) in [
            (fibonacci(40).collect::<Vec<u32>>(), 15),
            (fibonacci(19).collect(), 7),
            (vec![1; 286], 15),
            (vec![0, 5, 0, 1], 15),
        ] {
            let lengths = code_lengths(&weights, longest);
            assert!(lengths.iter().all(|length| usize::from(*length) <= longest));
            let parts: u32 = lengths.iter().filter(|length| **length > 0).map(|length| 1 << (15 - length)).sum();
            assert_eq!(parts, 1 << 15);
            assert!(weights.iter().zip(&lengths).all(|(weight, length)| (*weight > 0) == (*length > 0)));
        }
        assert_eq!(code_lengths(&[0, 7, 0], 15), [0, 1, 0]);
        assert_eq!(code_lengths(&[0; 3], 15), [0; 3]);
    }
}
