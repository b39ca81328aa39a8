//! How records are written.

use std::ops::Range;

use super::super::Catalog;
use super::{COUNT, DELETED, GIVEN, HAS_FLOW, HAS_HUB, Record, VALUES, WIDE};
use crate::domain::{Header, Id, Raw, Task, TaskRead};

/// Writes the record of a task behind what `out` has; `numbers` are those of its fields in the catalogue,
/// in their order.
pub(in super::super) fn encode(task: &Task, numbers: &[u32], catalog: &Catalog, out: &mut Vec<u8>) {
    let (json, places) = (task.json().as_bytes(), task.places());
    let wide = json.len() > usize::from(u16::MAX) || numbers.iter().any(|number| *number > u32::from(u16::MAX));
    let is_plain = is_plain(json, places.clone().zip(numbers.iter().copied()), catalog);
    put_front(if is_plain { VALUES } else { GIVEN }, wide, task.header(), out);
    out.extend_from_slice(&(places.len() as u32).to_le_bytes());
    put_column(numbers.iter().copied(), wide, out);
    // The door lets no task in whose length would not fit four bytes.
    if is_plain {
        put_ends(places.clone().map(|place| place.len()), wide, out);
        places.for_each(|place| out.extend_from_slice(json.get(place).unwrap_or_default()));
    } else {
        put_column(places.clone().map(|place| place.start as u32), wide, out);
        put_column(places.map(|place| place.end as u32), wide, out);
        out.extend_from_slice(json);
    }
}

/// Writes a record behind what `out` has, without its keys if it can be. Those of schemas before 4 have
/// them; what is no record stays what it is.
pub(in super::super) fn without_keys(bytes: &[u8], catalog: &Catalog, out: &mut Vec<u8>) {
    let start = out.len();
    let written = Record::read(bytes).and_then(|record| {
        let mut fields = Vec::new();
        record.each_field(|place, number| {
            fields.push((record.span(place)?, number));
            Some(())
        })?;
        is_plain(record.text, fields.iter().cloned(), catalog).then_some(())?;
        let all: Vec<(usize, u32)> = fields.iter().map(|(_, number)| *number).enumerate().collect();
        record.write_fields(&all, out)
    });
    if written.is_none() {
        out.truncate(start);
        out.extend_from_slice(bytes);
    }
}

impl Record<'_> {
    /// Writes a record of no more than the fields in these places, with these numbers, behind what `out`
    /// has; nothing if one is not where the record says.
    pub(in super::super) fn write_fields(&self, fields: &[(usize, u32)], out: &mut Vec<u8>) -> Option<()> {
        // What the record's own directory holds, the smaller one holds too.
        let wide = self.is_wide();
        let value = |(place, _): &(usize, u32)| self.value(*place).map(Raw::bytes);
        out.push(VALUES);
        out.extend_from_slice(self.front.get(1..COUNT)?);
        out.extend_from_slice(&(fields.len() as u32).to_le_bytes());
        put_column(fields.iter().map(|(_, number)| *number), wide, out);
        put_ends(fields.iter().map(|field| value(field).map_or(0, <[u8]>::len)), wide, out);
        fields.iter().try_for_each(|field| {
            out.extend_from_slice(value(field)?);
            Some(())
        })
    }
}

/// Whether JSON is no more than its values behind the pieces that the catalogue has for their numbers.
fn is_plain(json: &[u8], mut fields: impl Iterator<Item = (Range<usize>, u32)>, catalog: &Catalog) -> bool {
    let mut end = 0;
    let is_plain = fields.all(|(place, number)| {
        let first = if end == 0 { b'{' } else { b',' };
        let between = json.get(end..place.start).and_then(<[u8]>::split_first);
        let piece = catalog.piece(number).and_then(|piece| piece.as_bytes().split_first());
        end = place.end;
        matches!((between, piece), (Some((sign, key)), Some((_, known))) if *sign == first && key == known)
    });
    is_plain && json.get(end..) == Some(if end == 0 { b"{}" } else { b"}" })
}

fn put_front(form: u8, wide: bool, header: &Header, out: &mut Vec<u8>) {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags = flag(header.deleted, DELETED)
        | flag(header.flow.is_some(), HAS_FLOW)
        | flag(header.hub.is_some(), HAS_HUB)
        | flag(wide, WIDE);
    let present =
        header.times.iter().enumerate().fold(0, |bits, (place, time)| bits | flag(time.is_some(), 1 << place));

    out.extend_from_slice(&[form, header.status as u8, flags, present]);
    out.extend_from_slice(&header.flow.unwrap_or(Id::MIN).0);
    out.extend_from_slice(&header.hub.unwrap_or(Id::MIN).0);
    for time in header.times {
        out.extend_from_slice(&time.map_or(0, |moment| moment.0).to_le_bytes());
    }
}

/// Puts the ends of values of these lengths, one behind the other.
fn put_ends(lengths: impl ExactSizeIterator<Item = usize>, wide: bool, out: &mut Vec<u8>) {
    let mut end = 0;
    let ends = lengths.map(|length| {
        end += length as u32;
        end
    });
    put_column(ends, wide, out);
}

/// Puts numbers in two or four bytes each: written into place, which is faster than one behind the other.
fn put_column(numbers: impl ExactSizeIterator<Item = u32>, wide: bool, out: &mut Vec<u8>) {
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
