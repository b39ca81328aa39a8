//! The record of a task: what selection looks at in fixed places, a directory of where each value
//! lies, and the values. Their keys are not in it: the JSON is put together from the catalogue's.
//!
//! ```text
//! 0   form (2)          4   flow (12)        68  number of fields n (4)
//! 1   status            16  hub (12)         72  n field numbers
//! 2   flags             28  five times (8)       n ends of values, counted from where they start
//! 3   which times                                the values, one behind the other
//! ```
//! JSON that is more than its values and their keys, spelled as the catalogue spells them, is kept as
//! it was given:
//!
//! ```text
//! 0   form (1)          4   ... 72  as above
//!                           n starts of values in the JSON
//!                           n ends of values in the JSON
//!                           the JSON
//! ```
//! Numbers are little-endian; those of the directory take two bytes each, or four in a record that
//! needs them. The id is in the key. The field numbers stand side by side, because every read
//! searches through them.

mod writing;

use std::borrow::Cow;
use std::ops::Range;
use std::str;

use super::catalog::Catalog;
use crate::domain::{Header, Id, Moment, Raw, Status, TaskRead};
pub(super) use writing::{encode, without_keys};

/// The JSON is there as it was given.
const GIVEN: u8 = 1;
/// The values are there without their keys.
const VALUES: u8 = 2;
const FRONT: usize = 72;
const FLOW: usize = 4;
const HUB: usize = 16;
const TIMES: usize = 28;
const COUNT: usize = 68;

const DELETED: u8 = 1;
const HAS_FLOW: u8 = 2;
const HAS_HUB: u8 = 4;
const WIDE: u8 = 8;

/// What selection looks at, without the directory and the values.
pub(super) fn front(record: &[u8]) -> &[u8] {
    record.get(..COUNT).unwrap_or(record)
}

/// The header of a record, or of its front alone; nothing if the bytes are none.
pub(super) fn header(id: Id, bytes: &[u8]) -> Option<Header> {
    let front = bytes.first_chunk::<COUNT>()?;
    if ![GIVEN, VALUES].contains(&front[0]) {
        return None;
    }
    let status = *Status::ALL.get(usize::from(front[1]))?;
    let (flags, present) = (front[2], front[3]);
    let id_at = |at: usize, flag: u8| {
        let bytes = front.get(at..at + 12)?.try_into().ok()?;
        (flags & flag != 0).then_some(Id(bytes))
    };
    let mut times = [None; 5];
    for (place, (time, bytes)) in times.iter_mut().zip(front[TIMES..COUNT].chunks_exact(8)).enumerate() {
        if present & (1 << place) != 0 {
            *time = Some(Moment(i64::from_le_bytes(bytes.try_into().ok()?)));
        }
    }
    Some(Header {
        id,
        status,
        deleted: flags & DELETED != 0,
        flow: id_at(FLOW, HAS_FLOW),
        hub: id_at(HUB, HAS_HUB),
        times,
    })
}

/// A task of which nothing but the header is at hand.
#[derive(Debug)]
pub(super) struct HeaderOnly(pub(super) Header);

impl TaskRead for HeaderOnly {
    fn header(&self) -> &Header {
        &self.0
    }

    fn raw(&self, _key: &str) -> Option<&str> {
        None
    }
}

/// A record as it lies in the store; nothing of it is decoded.
#[derive(Debug)]
pub(super) struct Record<'a> {
    front: &'a [u8; FRONT],
    numbers: &'a [u8],
    /// None where each value starts at the end of the one before.
    starts: Option<&'a [u8]>,
    ends: &'a [u8],
    /// What the directory tells places in.
    text: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record of these bytes; nothing if they are none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (front, rest) = bytes.split_first_chunk::<FRONT>()?;
        let wide = front[2] & WIDE != 0;
        let fields = u32::from_le_bytes(front[COUNT..].try_into().ok()?) as usize;
        let column = fields.checked_mul(if wide { 4 } else { 2 })?;
        let (numbers, rest) = rest.split_at_checked(column)?;
        let (starts, rest) = match front[0] {
            GIVEN => rest.split_at_checked(column).map(|(starts, rest)| (Some(starts), rest))?,
            VALUES => (None, rest),
            _ => return None,
        };
        let (ends, text) = rest.split_at_checked(column)?;
        Some(Self { front, numbers, starts, ends, text })
    }

    /// Its header; nothing if the bytes are none.
    pub(super) fn header(&self, id: Id) -> Option<Header> {
        header(id, self.front)
    }

    /// The header's `deleted`.
    pub(super) fn is_deleted(&self) -> bool {
        self.has(DELETED)
    }

    /// The header's `flow`.
    pub(super) fn flow(&self) -> Option<Id> {
        let flow = self.front[FLOW..].first_chunk()?;
        self.has(HAS_FLOW).then_some(Id(*flow))
    }

    /// Writes the whole task as JSON behind what `out` has; nothing if the bytes are no text. The catalogue
    /// is that of its organisation.
    pub(super) fn write_json(&self, catalog: &Catalog, out: &mut String) -> Option<()> {
        let text = str::from_utf8(self.text).ok()?;
        if self.starts.is_some() {
            out.push_str(text);
            return Some(());
        }
        let (begin, mut start) = (out.len(), 0);
        self.each_field(|place, number| {
            let end = self.at(self.ends, place)? as usize;
            out.push_str(catalog.piece(number)?);
            // Cut between letters only.
            out.push_str(text.get(start..end)?);
            start = end;
            Some(())
        })?;
        // What is behind the last end is no value of any key.
        if start != text.len() {
            return None;
        }
        match out.get(begin..) {
            Some("") => out.push_str("{}"),
            _ => {
                out.replace_range(begin..=begin, "{");
                out.push('}');
            }
        }
        Some(())
    }

    /// Shows each of its fields by place and number, until there is nothing.
    pub(super) fn each_field(&self, mut each: impl FnMut(usize, u32) -> Option<()>) -> Option<()> {
        if self.is_wide() {
            let mut numbers = self.numbers.as_chunks().0.iter().enumerate();
            numbers.try_for_each(|(place, bytes)| each(place, u32::from_le_bytes(*bytes)))
        } else {
            let mut numbers = self.numbers.as_chunks().0.iter().enumerate();
            numbers.try_for_each(|(place, bytes)| each(place, u16::from_le_bytes(*bytes).into()))
        }
    }

    /// The raw value of the field in this place.
    pub(super) fn value(&self, place: usize) -> Option<Raw<'a>> {
        self.text.get(self.span(place)?).map(Raw::new)
    }

    /// Where that value lies.
    fn span(&self, place: usize) -> Option<Range<usize>> {
        let start = match (self.starts, place.checked_sub(1)) {
            (Some(starts), _) => self.at(starts, place)?,
            (None, Some(before)) => self.at(self.ends, before)?,
            (None, None) => 0,
        };
        Some(start as usize..self.at(self.ends, place)? as usize)
    }

    /// The raw value of the field of this number; nothing if the bytes are no text.
    fn raw(&self, number: u32) -> Option<&'a str> {
        self.value(self.place_of(number)?)?.text().ok()
    }

    /// The numbers of its fields.
    pub(super) fn numbers(&self) -> Numbers<'a> {
        Numbers { bytes: Cow::Borrowed(self.numbers), wide: self.is_wide() }
    }

    fn place_of(&self, number: u32) -> Option<usize> {
        if self.is_wide() {
            let wanted = number.to_le_bytes();
            self.numbers.as_chunks().0.iter().position(|bytes| *bytes == wanted)
        } else {
            let wanted = u16::try_from(number).ok()?.to_le_bytes();
            self.numbers.as_chunks().0.iter().position(|bytes| *bytes == wanted)
        }
    }

    fn at(&self, column: &[u8], place: usize) -> Option<u32> {
        if self.is_wide() {
            column.as_chunks().0.get(place).map(|bytes| u32::from_le_bytes(*bytes))
        } else {
            column.as_chunks().0.get(place).map(|bytes| u32::from(u16::from_le_bytes(*bytes)))
        }
    }

    fn is_wide(&self) -> bool {
        self.has(WIDE)
    }

    fn has(&self, flag: u8) -> bool {
        self.front[2] & flag != 0
    }
}

/// The field numbers of a record as they lie there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Numbers<'a> {
    bytes: Cow<'a, [u8]>,
    wide: bool,
}

impl Numbers<'_> {
    /// The same, outliving the record.
    pub(super) fn to_owned(&self) -> Numbers<'static> {
        Numbers { bytes: Cow::Owned(self.bytes.to_vec()), wide: self.wide }
    }

    /// Each number.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.bytes.chunks(if self.wide { 4 } else { 2 }).map(|bytes| {
            let mut number = [0; 4];
            number[..bytes.len()].copy_from_slice(bytes);
            u32::from_le_bytes(number)
        })
    }
}

/// The numbers of the fields that a query looks at, found once rather than for each record.
#[derive(Debug)]
pub(super) struct Lookup<'a> {
    known: Vec<(&'a str, Option<u32>)>,
    catalog: &'a Catalog,
}

impl<'a> Lookup<'a> {
    /// Prepares for these fields; others are still found, only slower.
    pub(super) fn new(catalog: &'a Catalog, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { known: names.into_iter().map(|name| (name, catalog.number(name))).collect(), catalog }
    }

    fn number(&self, name: &str) -> Option<u32> {
        match self.known.iter().find(|(known, _)| *known == name) {
            Some((_, number)) => *number,
            None => self.catalog.number(name),
        }
    }
}

/// A record with what is needed to find its fields by name.
#[derive(Debug)]
pub(super) struct Named<'a> {
    header: Header,
    record: Record<'a>,
    lookup: &'a Lookup<'a>,
}

impl<'a> Named<'a> {
    /// The record of these bytes; nothing if they are none.
    pub(super) fn read(id: Id, bytes: &'a [u8], lookup: &'a Lookup<'a>) -> Option<Self> {
        let record = Record::read(bytes)?;
        Some(Self { header: record.header(id)?, record, lookup })
    }
}

impl TaskRead for Named<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn raw(&self, key: &str) -> Option<&str> {
        self.record.raw(self.lookup.number(key)?)
    }
}

#[cfg(test)]
mod tests;
