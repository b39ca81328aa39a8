//! Whatever cells there are, and whatever is told of them: what the rows' deflate makes of them, another
//! library inflates to the same bytes.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz -s none layout`, from the folder of the program.
#![no_main]

use std::io::Read;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use waybill::render::trial::{Cell, deflated};

/// Bytes of a run, so that lists of them fill the window.
const LONGEST_RUN: u16 = 40_000;

#[derive(Arbitrary, Debug)]
struct Told {
    column: u8,
    form: u8,
    before_number: u16,
    before_value: u16,
    is_text: bool,
    bytes: Bytes,
}

#[derive(Arbitrary, Debug)]
enum Bytes {
    Of(Vec<u8>),
    Run(u8, u16),
    /// Those of an earlier cell, and some more.
    Again(u8, Vec<u8>),
}

fuzz_target!(|pushes: Vec<Vec<Told>>| {
    let mut plain = Vec::new();
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let pushes: Vec<Vec<Cell>> = pushes
        .into_iter()
        .map(|cells| {
            let cell = |told: Told| {
                let bytes = told.bytes.made(&seen);
                plain.extend_from_slice(&bytes);
                seen.push(bytes.clone());
                Cell {
                    column: told.column.into(),
                    form: told.form.into(),
                    before_number: told.before_number.into(),
                    before_value: told.before_value.into(),
                    is_text: told.is_text,
                    bytes,
                }
            };
            cells.into_iter().map(cell).collect()
        })
        .collect();
    let (deflated, _, length) = deflated(&pushes);
    let mut inflated = Vec::new();
    flate2::read::DeflateDecoder::new(deflated.as_slice()).read_to_end(&mut inflated).expect("a stream");
    assert_eq!(length, plain.len() as u64);
    assert!(inflated == plain, "other bytes came back");
});

impl Bytes {
    fn made(self, seen: &[Vec<u8>]) -> Vec<u8> {
        match self {
            Self::Of(bytes) => bytes,
            Self::Run(byte, length) => vec![byte; usize::from(length % LONGEST_RUN)],
            Self::Again(place, more) => {
                let place = usize::from(place).checked_rem(seen.len()).unwrap_or_default();
                [seen.get(place).map(Vec::as_slice).unwrap_or_default(), &more].concat()
            }
        }
    }
}
