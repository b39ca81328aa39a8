//! The rows' deflate as tests and the fuzzer try it: with whatever cells, and whatever is told of them.

use super::deflate::END;
use super::layout::{LayoutDeflater, Mark};

/// A cell with what is told of it, right or wrong.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// Its column.
    pub column: usize,
    /// Its form.
    pub form: usize,
    /// Bytes before the number of its row.
    pub before_number: usize,
    /// Bytes before its value.
    pub before_value: usize,
    /// Whether its value has words.
    pub is_text: bool,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Deflates cells, those of each list at once, to a whole stream; gives it with the CRC-32 and the length
/// of what is in it.
pub fn deflated(pushes: &[Vec<Cell>]) -> (Vec<u8>, u32, u64) {
    let mut deflater = LayoutDeflater::new();
    let (mut window, mut marks) = deflater.room();
    for (place, cells) in pushes.iter().enumerate() {
        for cell in cells {
            let at = window.len();
            let (number, value) = (at + cell.before_number, at + cell.before_value);
            let (column, form, is_text) = (cell.column, cell.form, cell.is_text);
            marks.push(Mark { at, column, number, form, value, is_text });
            window.extend_from_slice(&cell.bytes);
        }
        // What comes last is left to the end.
        if place + 1 < pushes.len() {
            deflater.push(&mut window, &mut marks);
        }
    }
    let mut piece = deflater.finish(window, marks);
    piece.bytes.extend(END);
    (piece.bytes, piece.crc.finalize(), piece.length)
}
