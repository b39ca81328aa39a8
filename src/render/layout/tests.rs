#![allow(clippy::unwrap_used)]

use std::io::Read;

use proptest::prelude::*;

use crate::render::trial::{Cell, deflated};

fn cell_of(column: usize, bytes: &[u8]) -> Cell {
    Cell { column, bytes: bytes.to_vec(), ..Cell::default() }
}

/// Deflates pushes of cells and inflates them with the library.
fn there_and_back(pushes: &[Vec<Cell>]) -> (usize, Vec<u8>) {
    let (bytes, crc, length) = deflated(pushes);
    let mut plain = Vec::new();
    flate2::read::DeflateDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
    let mut expected = crc32fast::Hasher::new();
    expected.update(&plain);
    assert_eq!((crc, length), (expected.finalize(), plain.len() as u64));
    (bytes.len(), plain)
}

fn joined(pushes: &[Vec<Cell>]) -> Vec<u8> {
    pushes.iter().flatten().flat_map(|cell| cell.bytes.clone()).collect()
}

#[test]
fn nothing_is_an_empty_stream() {
    assert_eq!(there_and_back(&[]).1, b"");
    assert_eq!(there_and_back(&[vec![cell_of(0, b"")]]).1, b"");
    assert_eq!(there_and_back(&[vec![cell_of(3, b"x")]]).1, b"x");
    // What was told of the last piece is forgotten, though nothing was taken in.
    assert_eq!(there_and_back(&[vec![cell_of(0, b"abc")], vec![cell_of(0, b"")]]).1, b"abc");
    assert_eq!(there_and_back(&[vec![cell_of(3, b"x")]]).1, b"x");
}

#[test]
fn rows_of_one_layout_become_a_thirteenth() {
    let cell = |row: u32, column: u32| {
        let value = ["DONE", "ONGOING", "UNASSIGNED"][(row * 7 + column) as usize % 3];
        let head = format!("</t></is></c><c r=\"{}", char::from(b'A' + column as u8));
        let frame = format!("{head}{row}\" t=\"inlineStr\"><is><t>");
        Cell {
            column: column as usize,
            form: 0,
            before_number: head.len(),
            before_value: frame.len(),
            is_text: true,
            bytes: (frame + value).into_bytes(),
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
        vec![cell_of(0, &[b'a'; 100_000]), cell_of(1, &(0..90_000).map(|_| noise()).collect::<Vec<_>>())],
        vec![cell_of(1, &[b'a'; 259]), cell_of(0, &(0..70_000).map(|_| noise() & 3).collect::<Vec<_>>())],
    ];
    assert!(there_and_back(&pushes).1 == joined(&pushes));
}

fn cell() -> impl Strategy<Value = Cell> {
    let bytes = prop_oneof![
        3 => "<c r=\"[A-C][0-9]{1,3}\"><is><t>(DONE|été|ab)( [a-c]{1,5}){0,4}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 1_usize..700).prop_map(|(byte, length)| vec![byte; length]),
    ];
    let before = || prop_oneof![4 => 6_usize..20, 1 => 0_usize..900];
    let told = (0_usize..5, 0_usize..3, before(), before(), any::<bool>());
    (told, bytes).prop_map(|((column, form, before_number, before_value, is_text), bytes)| Cell {
        column,
        form,
        before_number,
        before_value,
        is_text,
        bytes,
    })
}

proptest! {
    #[test]
    fn whatever_is_marked_comes_back(
        pushes in proptest::collection::vec(proptest::collection::vec(cell(), 0..300), 0..4)
    ) {
        prop_assert!(there_and_back(&pushes).1 == joined(&pushes));
    }
}
