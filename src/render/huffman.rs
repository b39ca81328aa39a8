//! Codes that fit the data, and their description at the front of a block (RFC 1951, 3.2.7).

use super::bits::Bits;

/// The longest code that there may be.
const LONGEST_CODE: usize = 15;
/// The order in which the lengths of the codes for code lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A prefix code: for each symbol its bits, first to be sent lowest, above their number.
#[derive(Debug)]
pub(super) struct Codes(Vec<u32>);

impl Codes {
    pub(super) fn new(weights: &[u32], longest: usize) -> Self {
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

    pub(super) fn get(&self, symbol: usize) -> (u32, u32) {
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
pub(super) fn describe(literals: &Codes, distances: &Codes, bits: &mut Bits) {
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
