//! The zip container (APPNOTE 6.3.9), written forward only, from entries that are already deflated.

use std::io::Write;

use super::Error;
use super::deflate::{END, Piece};
use crate::domain::{Moment, Zone};

const DEFLATED: u16 = 8;
const DESCRIPTOR: u16 = 1 << 3;
/// What stands in a 32-bit field whose value is in the ZIP64 extra field.
const IN_ZIP64: u32 = u32::MAX;
const VERSION: u16 = 20;
const VERSION_ZIP64: u16 = 45;
/// Unix, with the version of the specification.
const MADE_BY: u16 = 3 << 8 | VERSION_ZIP64;
/// A regular file that its owner may write and everybody read.
const MODE: u32 = 0o100_644 << 16;

/// An archive on its way out. Its names come from this program, never from data.
#[derive(Debug)]
pub(super) struct Archive {
    entries: Vec<Entry>,
    open: Option<Entry>,
    offset: u64,
    /// The time of every entry, in the form of MS-DOS.
    time: [u8; 4],
}

#[derive(Debug)]
struct Entry {
    name: String,
    flags: u16,
    crc: crc32fast::Hasher,
    deflated: u64,
    length: u64,
    offset: u64,
}

impl Entry {
    fn is_large(&self) -> bool {
        self.deflated.max(self.length) >= u64::from(IN_ZIP64)
    }
}

impl Archive {
    pub(super) fn new(created: Moment) -> Self {
        Self { entries: Vec::new(), open: None, offset: 0, time: dos_time(created) }
    }

    /// Writes an entry that is one piece.
    pub(super) fn whole(&mut self, name: &str, piece: &Piece, out: &mut dyn Write) -> Result<(), Error> {
        let deflated = (piece.bytes.len() + END.len()) as u64;
        let crc = piece.crc.clone();
        let entry = Entry { name: name.to_owned(), flags: 0, crc, deflated, length: piece.length, offset: self.offset };
        self.local(&entry, out)?;
        self.write(&piece.bytes, out)?;
        self.write(&END, out)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Starts an entry whose pieces follow; its sizes stand behind it.
    pub(super) fn start(&mut self, name: &str, out: &mut dyn Write) -> Result<(), Error> {
        let crc = crc32fast::Hasher::new();
        let entry =
            Entry { name: name.to_owned(), flags: DESCRIPTOR, crc, deflated: 0, length: 0, offset: self.offset };
        self.local(&entry, out)?;
        self.open = Some(entry);
        Ok(())
    }

    /// Writes the next piece of the entry that was started.
    pub(super) fn append(&mut self, piece: &Piece, out: &mut dyn Write) -> Result<(), Error> {
        let entry = self.open.as_mut().ok_or(Error::Form)?;
        entry.crc.combine(&piece.crc);
        entry.deflated += piece.bytes.len() as u64;
        entry.length += piece.length;
        self.write(&piece.bytes, out)
    }

    /// Ends the entry that was started.
    pub(super) fn end(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        let mut entry = self.open.take().ok_or(Error::Form)?;
        self.write(&END, out)?;
        entry.deflated += END.len() as u64;
        let mut descriptor = b"PK\x07\x08".to_vec();
        descriptor.extend(entry.crc.clone().finalize().to_le_bytes());
        for size in [entry.deflated, entry.length] {
            match u32::try_from(size) {
                Ok(size) if !entry.is_large() => descriptor.extend(size.to_le_bytes()),
                _ => descriptor.extend(size.to_le_bytes()),
            }
        }
        self.entries.push(entry);
        self.write(&descriptor, out)
    }

    /// Writes the directory.
    pub(super) fn finish(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        let start = self.offset;
        for entry in std::mem::take(&mut self.entries) {
            self.write(&central(&entry, self.time), out)?;
            self.entries.push(entry);
        }
        let end = directory_end(self.entries.len() as u64, start, self.offset);
        self.write(&end, out)
    }

    fn local(&mut self, entry: &Entry, out: &mut dyn Write) -> Result<(), Error> {
        let known = entry.flags & DESCRIPTOR == 0;
        let large = entry.is_large();
        let size = |size: u64| if large { IN_ZIP64 } else { size as u32 };
        let mut header = b"PK\x03\x04".to_vec();
        header.extend(if large { VERSION_ZIP64 } else { VERSION }.to_le_bytes());
        header.extend(entry.flags.to_le_bytes());
        header.extend(DEFLATED.to_le_bytes());
        header.extend(self.time);
        header.extend(if known { entry.crc.clone().finalize() } else { 0 }.to_le_bytes());
        header.extend(size(entry.deflated).to_le_bytes());
        header.extend(size(entry.length).to_le_bytes());
        header.extend((entry.name.len() as u16).to_le_bytes());
        let extra = if large { zip64(&[entry.length, entry.deflated]) } else { Vec::new() };
        header.extend((extra.len() as u16).to_le_bytes());
        header.extend(entry.name.as_bytes());
        header.extend(extra);
        self.write(&header, out)
    }

    fn write(&mut self, bytes: &[u8], out: &mut dyn Write) -> Result<(), Error> {
        out.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

fn central(entry: &Entry, time: [u8; 4]) -> Vec<u8> {
    let mut large = Vec::new();
    let mut small = |value: u64| match u32::try_from(value) {
        Ok(value) if value < IN_ZIP64 => value,
        _ => {
            large.push(value);
            IN_ZIP64
        }
    };
    // In this order they stand in the ZIP64 extra field.
    let (length, deflated, offset) = (small(entry.length), small(entry.deflated), small(entry.offset));
    let extra = if large.is_empty() { Vec::new() } else { zip64(&large) };
    let version = if large.is_empty() { VERSION } else { VERSION_ZIP64 };
    let mut header = b"PK\x01\x02".to_vec();
    header.extend(MADE_BY.to_le_bytes());
    header.extend(version.to_le_bytes());
    header.extend(entry.flags.to_le_bytes());
    header.extend(DEFLATED.to_le_bytes());
    header.extend(time);
    header.extend(entry.crc.clone().finalize().to_le_bytes());
    header.extend(deflated.to_le_bytes());
    header.extend(length.to_le_bytes());
    header.extend((entry.name.len() as u16).to_le_bytes());
    header.extend((extra.len() as u16).to_le_bytes());
    // No comment, first disk, no internal attributes.
    header.extend([0; 6]);
    header.extend(MODE.to_le_bytes());
    header.extend(offset.to_le_bytes());
    header.extend(entry.name.as_bytes());
    header.extend(extra);
    header
}

fn zip64(values: &[u64]) -> Vec<u8> {
    let mut extra = vec![1, 0];
    extra.extend((values.len() as u16 * 8).to_le_bytes());
    extra.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    extra
}

fn directory_end(entries: u64, start: u64, end: u64) -> Vec<u8> {
    let size = end - start;
    let mut bytes = Vec::new();
    if entries >= u64::from(u16::MAX) || end >= u64::from(IN_ZIP64) {
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend(MADE_BY.to_le_bytes());
        bytes.extend(VERSION_ZIP64.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend([entries, entries, size, start].iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(b"PK\x06\x07");
        bytes.extend([0; 4]);
        bytes.extend(end.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
    }
    let count = u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes();
    let small = |value: u64| u32::try_from(value).unwrap_or(IN_ZIP64).to_le_bytes();
    bytes.extend(b"PK\x05\x06");
    bytes.extend([0; 4]);
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(small(size));
    bytes.extend(small(start));
    bytes.extend([0; 2]);
    bytes
}

/// Two-second steps since 1980, in UTC; other years are 1980.
fn dos_time(at: Moment) -> [u8; 4] {
    let civil = Zone::utc().civil(at).filter(|civil| (1980..2108).contains(&civil.year()));
    let Some(civil) = civil else { return [0, 0, 0x21, 0] };
    let time = (civil.hour() as u16) << 11 | (civil.minute() as u16) << 5 | (civil.second() as u16 / 2);
    let date = ((civil.year() - 1980) as u16) << 9 | (civil.month() as u16) << 5 | civil.day() as u16;
    let ([a, b], [c, d]) = (time.to_le_bytes(), date.to_le_bytes());
    [a, b, c, d]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Cursor, Read};

    use super::super::deflate::piece;
    use super::*;

    #[test]
    fn a_sheet_of_more_than_four_gigabytes_is_whole_for_other_readers() {
        const ZEROS: usize = 128 << 20;
        const PIECES: u64 = 33;
        let mut archive = Archive::new(Moment(1_750_000_000_000));
        let mut bytes = Vec::new();
        archive.whole("before", &piece(b"one").unwrap(), &mut bytes).unwrap();
        archive.start("large", &mut bytes).unwrap();
        let zeros = piece(&vec![0; ZEROS]).unwrap();
        (0..PIECES).for_each(|_| archive.append(&zeros, &mut bytes).unwrap());
        archive.end(&mut bytes).unwrap();
        archive.whole("after", &piece(b"two").unwrap(), &mut bytes).unwrap();
        archive.finish(&mut bytes).unwrap();

        let mut read = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(read.by_name("large").unwrap().size(), PIECES * ZEROS as u64);
        // The library checks the sum of what it reads.
        let length = std::io::copy(&mut read.by_name("large").unwrap(), &mut std::io::sink()).unwrap();
        assert_eq!(length, PIECES * ZEROS as u64);
        let mut text = String::new();
        read.by_name("after").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "two");
    }
}
