//! The record of a task: what selection looks at in fixed places, a directory of where each value
//! lies, and the JSON as given.
//!
//! ```text
//! 0   form (1)          4   flow (12)        68  number of fields n (4)
//! 1   status            16  hub (12)         72  n field numbers
//! 2   flags             28  five times (8)       n starts of values in the JSON
//! 3   which times                                n ends of values in the JSON
//!                                                the JSON
//! ```
//! Numbers are little-endian; those of the directory take two bytes each, or four in a record that
//! needs them. The id is in the key. The field numbers stand side by side, because every read
//! searches through them.

use std::borrow::Cow;
use std::str;

use super::catalog::Catalog;
use crate::domain::{Header, Id, Moment, Raw, Status, Task, TaskRead};

const FORM: u8 = 1;
const FRONT: usize = 72;
const FLOW: usize = 4;
const HUB: usize = 16;
const TIMES: usize = 28;
const COUNT: usize = 68;

const DELETED: u8 = 1;
const HAS_FLOW: u8 = 2;
const HAS_HUB: u8 = 4;
const WIDE: u8 = 8;

/// Writes the record of a task behind what `out` has; `numbers` are those of its fields, in their order.
pub(super) fn encode(task: &Task, numbers: &[u32], out: &mut Vec<u8>) {
    let header = task.header();
    let wide = task.json().len() > usize::from(u16::MAX) || numbers.iter().any(|number| *number > u32::from(u16::MAX));
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags = flag(header.deleted, DELETED)
        | flag(header.flow.is_some(), HAS_FLOW)
        | flag(header.hub.is_some(), HAS_HUB)
        | flag(wide, WIDE);
    let present =
        header.times.iter().enumerate().fold(0, |bits, (place, time)| bits | flag(time.is_some(), 1 << place));

    out.extend_from_slice(&[FORM, header.status as u8, flags, present]);
    out.extend_from_slice(&header.flow.unwrap_or(Id::MIN).0);
    out.extend_from_slice(&header.hub.unwrap_or(Id::MIN).0);
    for time in header.times {
        out.extend_from_slice(&time.map_or(0, |moment| moment.0).to_le_bytes());
    }
    let places = task.places();
    out.extend_from_slice(&(places.len() as u32).to_le_bytes());
    put_column(numbers.iter().copied(), wide, out);
    // The door lets no task in whose length would not fit four bytes.
    put_column(places.clone().map(|place| place.start as u32), wide, out);
    put_column(places.map(|place| place.end as u32), wide, out);
    out.extend_from_slice(task.json().as_bytes());
}

/// Puts numbers in two or four bytes each: written into place, which is faster than one behind the other.
pub(super) fn put_column(numbers: impl ExactSizeIterator<Item = u32>, wide: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + numbers.len() * if wide { 4 } else { 2 }, 0);
    let column = out.get_mut(start..).unwrap_or_default();
    if wide {
        column.as_chunks_mut().0.iter_mut().zip(numbers).for_each(|(bytes, number)| *bytes = number.to_le_bytes());
    } else {
        let short = numbers.map(|number| (number as u16).to_le_bytes());
        column.as_chunks_mut().0.iter_mut().zip(short).for_each(|(bytes, number)| *bytes = number);
    }
}

/// What selection looks at, without the directory and the JSON.
pub(super) fn front(record: &[u8]) -> &[u8] {
    record.get(..COUNT).unwrap_or(record)
}

/// The header of a record, or of its front alone; nothing if the bytes are none.
pub(super) fn header(id: Id, bytes: &[u8]) -> Option<Header> {
    let front = bytes.first_chunk::<COUNT>()?;
    if front[0] != FORM {
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
    starts: &'a [u8],
    ends: &'a [u8],
    json: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record of these bytes; nothing if they are none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (front, rest) = bytes.split_first_chunk::<FRONT>()?;
        let wide = front[2] & WIDE != 0;
        let fields = u32::from_le_bytes(front[COUNT..].try_into().ok()?) as usize;
        let column = fields.checked_mul(if wide { 4 } else { 2 })?;
        let (numbers, rest) = rest.split_at_checked(column)?;
        let (starts, rest) = rest.split_at_checked(column)?;
        let (ends, json) = rest.split_at_checked(column)?;
        (front[0] == FORM).then_some(Self { front, numbers, starts, ends, json })
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

    /// The whole task as JSON; nothing if the bytes are no text.
    pub(super) fn json(&self) -> Option<&'a str> {
        str::from_utf8(self.json).ok()
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
        let (start, end) = (self.at(self.starts, place)?, self.at(self.ends, place)?);
        self.json.get(start as usize..end as usize).map(Raw::new)
    }

    /// The raw value of the field of this number; nothing if the bytes are no text.
    fn raw(&self, number: u32) -> Option<&'a str> {
        self.value(self.place(number)?)?.text().ok()
    }

    /// The numbers of its fields.
    pub(super) fn numbers(&self) -> Numbers<'a> {
        Numbers { bytes: Cow::Borrowed(self.numbers), wide: self.is_wide() }
    }

    fn place(&self, number: u32) -> Option<usize> {
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

    /// Whether the numbers of its directory take four bytes each.
    pub(super) fn is_wide(&self) -> bool {
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
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn stored(json: &str, first_number: u32) -> (Task, Catalog, Vec<u8>) {
        let task = Task::stored(json).unwrap();
        let mut catalog = Catalog::default();
        let numbers: Vec<u32> = task.names().map(|name| catalog.add(&name).unwrap() + first_number).collect();
        let mut bytes = Vec::new();
        encode(&task, &numbers, &mut bytes);
        (task, catalog, bytes)
    }

    const JSON: &str = r#"{"_id":"61e5477601020304ffabcdef","status":"DONE","isDeleted":true,"hubId":"0000000000000000000000ff","flowId":"0000000000000000000000fe","createdTime":"2025-06-15T08:00:00+00:00","doneTime":"1960-06-15T08:00:00.5Z","a \"b\"":[1.0,{"c":18446744073709551616}],"nothing":null,"ünï":"ŝ"}"#;

    #[test]
    fn a_record_reads_back_as_the_task_it_was_made_from() {
        let long = JSON.replace("ŝ", &"ŝ".repeat(40_000));
        for json in [JSON, &long, "{}", r#"{"_id":"61e5477601020304ffabcdef"}"#] {
            let (task, catalog, bytes) = stored(json, 0);
            let lookup = Lookup::new(&catalog, ["nothing", "status"]);
            let read = Named::read(task.id(), &bytes, &lookup).unwrap();
            assert_eq!(read.header(), task.header());
            assert_eq!(read.record.json(), Some(json));
            for name in task.names() {
                assert_eq!(read.raw(&name), task.raw(&name), "{name}");
            }
            assert_eq!(read.raw("unknown"), None);
            let header = task.header();
            assert_eq!((read.record.flow(), read.record.is_deleted()), (header.flow, header.deleted));
        }
    }

    #[test]
    fn field_numbers_beyond_two_bytes_are_kept() {
        let (_, _, bytes) = stored(JSON, 70_000);
        let record = Record::read(&bytes).unwrap();
        assert_eq!(record.raw(70_001), Some("\"DONE\""));
        assert_eq!(record.raw(1), None);
    }

    #[test]
    fn bytes_that_are_no_record_are_refused_and_never_panic() {
        let (task, _, bytes) = stored(JSON, 0);
        for end in 0..FRONT + 3 * 2 * task.names().len() {
            assert!(Record::read(&bytes[..end]).is_none(), "{end}");
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 0x80;
            if let Some(record) = Record::read(&changed) {
                record.json();
                record.header(task.id());
                (0..12).for_each(|number| {
                    record.raw(number);
                });
            }
        }
    }
}
