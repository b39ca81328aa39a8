//! A source of lines cut into pieces, each of which a thread takes apart on its own.

use std::io::{BufRead, ErrorKind};

use crate::domain::limits::MAX_TASK_BYTES;
use crate::domain::{Error, Result};

/// Bytes that are read at a time. A piece has as many, and the start of its first line.
const PIECE_BYTES: usize = 512 << 10;
/// Lines of a piece: what the door adds to each may be more than a line has.
const PIECE_LINES: usize = 4_096;
/// Bytes of the longest line: a task and what may end it on another system.
const MAX_LINE_BYTES: usize = MAX_TASK_BYTES + 1;

/// Whole lines.
pub(super) struct Piece {
    /// The number of the first of them, from 1.
    first: u64,
    pub(super) bytes: Vec<u8>,
}

impl Piece {
    /// The lines that are not empty with their numbers, or why one cannot be looked at.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, Result<&str>)> {
        let ends = memchr::memchr_iter(b'\n', &self.bytes).chain([self.bytes.len()]);
        let mut start = 0;
        let lines = ends.map(move |end| {
            let line = self.bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            line
        });
        (self.first..).zip(lines).filter_map(|(number, line)| {
            let text = line.trim_ascii();
            let text = if number == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
            let read = match std::str::from_utf8(text) {
                _ if line.len() > MAX_LINE_BYTES => {
                    Err(Error::invalid(format!("The line is longer than {MAX_TASK_BYTES} bytes.")))
                }
                Ok("") => return None,
                Ok(text) => Ok(text),
                Err(_) => Err(Error::invalid("The line is not UTF-8.")),
            };
            Some((number, read))
        })
    }
}

/// The pieces of a source, as they come.
pub(super) struct Pieces<'a> {
    source: &'a mut dyn BufRead,
    /// How many lines came before.
    number: u64,
    /// The start of a line whose end has not come yet.
    rest: Vec<u8>,
    ended: bool,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(source: &'a mut dyn BufRead) -> Self {
        Self { source, number: 0, rest: Vec::new(), ended: false }
    }

    fn piece(&mut self) -> Result<Option<Piece>> {
        let mut bytes = std::mem::take(&mut self.rest);
        loop {
            if let Some(place) = memchr::memchr_iter(b'\n', &bytes).take(PIECE_LINES).last() {
                self.rest = bytes.split_off(place + 1);
                break;
            }
            if bytes.len() > MAX_LINE_BYTES {
                // No more of it is kept than shows that it is too long.
                bytes.truncate(MAX_LINE_BYTES + 1);
                self.skip()?;
                bytes.push(b'\n');
                break;
            }
            if self.ended {
                break;
            }
            self.fill(&mut bytes)?;
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let first = self.number + 1;
        self.number += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        Ok(Some(Piece { first, bytes }))
    }

    /// Reads on behind these bytes.
    fn fill(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.reserve(PIECE_BYTES);
        let mut room = PIECE_BYTES;
        while room > 0 && !self.ended {
            let more = at_hand(self.source)?;
            let more = more.get(..room).unwrap_or(more);
            bytes.extend_from_slice(more);
            let length = more.len();
            self.source.consume(length);
            self.ended = length == 0;
            room -= length;
        }
        Ok(())
    }

    fn skip(&mut self) -> Result<()> {
        loop {
            let (length, ends) = {
                let bytes = at_hand(self.source)?;
                match memchr::memchr(b'\n', bytes) {
                    Some(place) => (place + 1, true),
                    None => (bytes.len(), bytes.is_empty()),
                }
            };
            self.source.consume(length);
            if ends {
                return Ok(());
            }
        }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Result<Piece>> {
        let piece = self.piece();
        // A source that broke off is not asked again.
        self.ended |= piece.is_err();
        piece.transpose()
    }
}

/// What the source has at hand, after waiting for some; nothing at its end.
fn at_hand(source: &mut dyn BufRead) -> Result<&[u8]> {
    loop {
        match source.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
            Ok(_) => break,
        }
    }
    // What was read stays at hand: asking again only shows it.
    source.fill_buf().map_err(broken)
}

/// A source that is a connection says of itself what went wrong.
fn broken(error: std::io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::invalid(format!("The tasks cannot be read any further: {error}.")).with_source(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The number of each line that is not empty with its text; nothing for one that is refused.
    type Numbered = Vec<(u64, Option<String>)>;

    fn in_pieces(mut source: impl BufRead) -> (usize, Numbered) {
        let pieces: Vec<Piece> = Pieces::new(&mut source).map(Result::unwrap).collect();
        let numbered = |(number, line): (u64, Result<&str>)| (number, line.ok().map(str::to_owned));
        (pieces.len(), pieces.iter().flat_map(|piece| piece.lines().map(numbered)).collect())
    }

    fn plainly(text: &str) -> Numbered {
        let lines = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n');
        let numbered = (1..).zip(lines.map(|line| line.trim_ascii())).filter(|(_, line)| !line.is_empty());
        numbered.map(|(number, line)| (number, (line.len() <= MAX_TASK_BYTES).then(|| line.to_owned()))).collect()
    }

    #[test]
    fn lines_keep_their_numbers_in_whatever_pieces_they_come() {
        let short: String = (0..3 * PIECE_LINES).map(|number| format!(" {{\"n\":{number}}}\r\n\n")).collect();
        let (long, too_long) = ("a".repeat(MAX_TASK_BYTES), "b".repeat(MAX_TASK_BYTES + 2 * PIECE_BYTES));
        for text in [
            String::new(),
            "\n".to_owned(),
            "\u{feff}{}\n\n{}".to_owned(),
            short.clone(),
            format!("{long}\n{short}{too_long}\n\nc\n{long}\n{too_long}"),
        ] {
            let (pieces, lines) = in_pieces(text.as_bytes());
            assert!(lines == plainly(&text), "{} bytes", text.len());
            assert!(pieces >= text.lines().count() / PIECE_LINES);
            // As it comes from a slow connection.
            assert!(in_pieces(BufReader::with_capacity(7_919, text.as_bytes())).1 == lines);
        }
    }

    #[test]
    fn a_line_that_is_no_text_is_told_and_the_next_one_read() {
        let (_, lines) = in_pieces(&b"{}\n\xff\n[]"[..]);
        assert_eq!(lines, [(1, Some("{}".to_owned())), (2, None), (3, Some("[]".to_owned()))]);
    }
}
