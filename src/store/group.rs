//! Neighbouring tasks stored together. What reading costs is pages more than bytes, and redb gives a
//! value that is larger than a page one of its own, which comes with a single call.
//!
//! ```text
//! 0   form (1)         4   n ids (12 each), ascending
//! 1   nothing (1)          n ends (4 each), counted from where the records start
//! 2   number of            the records of `codec`
//!     records n (2)
//! ```
//! Numbers are little-endian.

use super::error::Error;
use crate::domain::Id;

const FORM: u8 = 1;
const HEAD: usize = 4;
const ID: usize = 12;
const END: usize = 4;

/// Bytes of a group that is full, unless it is a single record that is larger: with its key and what
/// redb adds (4 for the page, 4 for the value's end) it takes exactly a page of 16 KiB.
pub(super) const FULL: usize = (16 << 10) - 24 - 4 - 4;

/// A task's id and its record.
pub(super) type Entry<'a> = (Id, &'a [u8]);

/// A group as it lies in the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    ids: &'a [u8],
    ends: &'a [u8],
    records: &'a [u8],
}

impl<'a> Group<'a> {
    /// The group of these bytes, none of whose ids is above `bound`.
    pub(super) fn read(bound: Id, bytes: &'a [u8]) -> Result<Self, Error> {
        Self::again(bytes).filter(|group| group.is_sound(bound)).ok_or(Error::Record(bound))
    }

    /// The group of bytes that were read before; nothing if they are none.
    pub(super) fn again(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let count = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let (ids, rest) = rest.split_at_checked(count * ID)?;
        let (ends, records) = rest.split_at_checked(count * END)?;
        (head[..2] == [FORM, 0]).then_some(Self { ids, ends, records })
    }

    /// Ids that do not ascend would hide tasks from the search, ends that do not would mix records up.
    fn is_sound(&self, bound: Id) -> bool {
        let ids = self.ids.as_chunks::<ID>().0;
        let ends = self.ends.as_chunks::<END>().0;
        let end = |bytes: &[u8; END]| u32::from_le_bytes(*bytes) as usize;
        ids.is_sorted_by(|a, b| a < b)
            && ids.last().is_some_and(|last| Id(*last) <= bound)
            && ends.is_sorted_by(|a, b| end(a) <= end(b))
            && ends.last().map(end) == Some(self.records.len())
    }

    /// The record of a task.
    pub(super) fn get(&self, id: Id) -> Option<&'a [u8]> {
        self.get_near(&mut 0, id)
    }

    /// The record of a task, which tends to be a neighbour of the one in the place `last`; that
    /// becomes its own.
    pub(super) fn get_near(&self, last: &mut usize, id: Id) -> Option<&'a [u8]> {
        let ids = self.ids.as_chunks::<ID>().0;
        let neighbours = [last.wrapping_add(1), last.wrapping_sub(1)];
        let place = neighbours.into_iter().find(|place| ids.get(*place) == Some(&id.0));
        *last = match place {
            Some(place) => place,
            None => ids.binary_search(&id.0).ok()?,
        };
        self.record(*last)
    }

    /// Every task of it, by id.
    pub(super) fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        // An end that misses its record was refused when it was read.
        let ids = self.ids.as_chunks::<ID>().0.iter().enumerate();
        ids.map(move |(place, id)| (Id(*id), self.record(place).unwrap_or_default()))
    }

    /// Its lowest id.
    pub(super) fn first(&self) -> Option<Id> {
        self.ids.first_chunk().copied().map(Id)
    }

    fn record(&self, place: usize) -> Option<&'a [u8]> {
        let start = place.checked_sub(1).map_or(Some(0), |before| self.end(before))?;
        self.records.get(start..self.end(place)?)
    }

    fn end(&self, place: usize) -> Option<usize> {
        self.ends.as_chunks::<END>().0.get(place).map(|bytes| u32::from_le_bytes(*bytes) as usize)
    }
}

/// How tasks that do not fit one group are spread over some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    /// Each one full: more will come above the last.
    Full,
    /// All alike, with room for those that will come in between.
    Even,
}

/// Cuts tasks into groups that are not larger than [`FULL`], where that can be.
pub(super) fn cut<'e, 'a>(mut entries: &'e [Entry<'a>], spread: Spread) -> Vec<&'e [Entry<'a>]> {
    let room = FULL - HEAD;
    let total: usize = entries.iter().map(cost).sum();
    let enough = match spread {
        Spread::Full => room,
        Spread::Even => total.div_ceil(total.div_ceil(room).max(1)),
    };
    let mut groups = Vec::new();
    while !entries.is_empty() {
        let (group, rest) = entries.split_at(first_group(entries, room, enough));
        groups.push(group);
        entries = rest;
    }
    groups
}

/// How many of the first make a group that has enough, and room for all of them.
fn first_group(entries: &[Entry<'_>], room: usize, enough: usize) -> usize {
    let mut size = 0;
    let fits = |entry: &&Entry<'_>| {
        let more = size < enough && size + cost(entry) <= room;
        size += cost(entry);
        more
    };
    // A record that is larger is a group of its own.
    entries.iter().take_while(fits).count().max(1)
}

/// What a task takes of a group's room.
fn cost((_, record): &Entry<'_>) -> usize {
    ID + END + record.len()
}

/// Writes the group of these tasks, which ascend, over `out`.
pub(super) fn encode(entries: &[Entry<'_>], out: &mut Vec<u8>) {
    out.clear();
    out.extend([FORM, 0]);
    // No more than a full one has, nor more bytes than a task may have.
    out.extend((entries.len() as u16).to_le_bytes());
    entries.iter().for_each(|(id, _)| out.extend(id.0));
    let mut end = 0;
    for (_, record) in entries {
        end += record.len() as u32;
        out.extend(end.to_le_bytes());
    }
    entries.iter().for_each(|(_, record)| out.extend_from_slice(record));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u64) -> Id {
        let mut bytes = [7; 12];
        bytes[4..].copy_from_slice(&number.to_be_bytes());
        Id(bytes)
    }

    fn records(sizes: &[usize]) -> Vec<(Id, Vec<u8>)> {
        (0..).zip(sizes).map(|(number, size)| (id(number * 3), vec![number as u8; *size])).collect()
    }

    fn entries(records: &[(Id, Vec<u8>)]) -> Vec<Entry<'_>> {
        records.iter().map(|(id, record)| (*id, record.as_slice())).collect()
    }

    fn encoded(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut bytes = vec![9; 3];
        encode(entries, &mut bytes);
        bytes
    }

    fn sizes_of(groups: &[&[Entry<'_>]]) -> Vec<usize> {
        groups.iter().map(|group| group.len()).collect()
    }

    #[test]
    fn a_group_reads_back_as_it_was_written() {
        for sizes in [&[0][..], &[5], &[0, 0, 3], &[1, 2, 0, 100_000], &[72; 186]] {
            let records = records(sizes);
            let bytes = encoded(&entries(&records));
            let group = Group::read(records.last().unwrap().0, &bytes).unwrap();
            assert_eq!(group.first(), Some(id(0)));
            assert_eq!(group.entries().collect::<Vec<_>>(), entries(&records));
            for (place, (id, record)) in records.iter().enumerate() {
                assert_eq!(group.get(*id), Some(record.as_slice()));
                for mut last in [0, place, place + 1, place.wrapping_sub(1), records.len(), usize::MAX] {
                    assert_eq!((group.get_near(&mut last, *id), last), (Some(record.as_slice()), place));
                }
            }
            for missing in [Id::MIN, id(1), id(records.len() as u64 * 3), Id::MAX] {
                assert_eq!(group.get(missing), None);
            }
        }
    }

    #[test]
    fn groups_of_a_load_are_full_and_the_last_takes_what_is_left() {
        let records = records(&[1_400; 40]);
        let entries = entries(&records);
        assert_eq!(sizes_of(&cut(&entries, Spread::Full)), [11, 11, 11, 7]);
        assert_eq!(sizes_of(&cut(&entries, Spread::Even)), [10, 10, 10, 10]);
        assert_eq!(sizes_of(&cut(&entries[..12], Spread::Full)), [11, 1]);
        assert_eq!(sizes_of(&cut(&entries[..12], Spread::Even)), [6, 6]);
        assert_eq!(sizes_of(&cut(&entries[..11], Spread::Even)), [11]);
        assert_eq!(cut(&[], Spread::Even).len(), 0);
    }

    #[test]
    fn a_record_that_is_larger_than_a_group_is_one_of_its_own() {
        let most = FULL - HEAD - ID - END;
        for spread in [Spread::Full, Spread::Even] {
            for large in [most, most + 1, 4 << 20] {
                let records = records(&[10, large, 10, 10]);
                assert_eq!(sizes_of(&cut(&entries(&records), spread)), [1, 1, 2], "{large}");
            }
        }
        let records = records(&[most]);
        assert_eq!(encoded(&entries(&records)).len(), FULL);
    }

    #[test]
    fn ids_that_do_not_ascend_or_are_above_the_bound_are_refused() {
        for ids in [[1, 1], [2, 1]] {
            assert!(Group::read(Id::MAX, &encoded(&ids.map(|number| (id(number), &b"r"[..])))).is_err());
        }
        let bytes = encoded(&[(id(1), b"r"), (id(2), b"r")]);
        assert!(Group::read(id(1), &bytes).is_err());
        assert!(Group::read(id(2), &bytes).is_ok());
        assert!(Group::read(Id::MAX, &encoded(&[])).is_err());
    }

    #[test]
    fn a_group_that_is_cut_short_or_too_long_is_refused() {
        let mut bytes = encoded(&entries(&records(&[3, 0, 4, 9])));
        for end in 0..bytes.len() {
            assert!(Group::read(Id::MAX, &bytes[..end]).is_err(), "{end}");
        }
        bytes.push(0);
        assert!(Group::read(Id::MAX, &bytes).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn changed_bytes_are_refused_or_hide_no_task(
            sizes in prop::collection::vec(0_usize..60, 1..30),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        ) {
            let records = records(&sizes);
            let mut bytes = encoded(&entries(&records));
            for (place, flip) in changes {
                let place = place.index(bytes.len());
                bytes[place] ^= flip;
            }
            if let Ok(group) = Group::read(Id::MAX, &bytes) {
                let read: Vec<Entry<'_>> = group.entries().collect();
                prop_assert_eq!(read.len(), records.len());
                prop_assert_eq!(read.iter().map(|(_, record)| record.len()).sum::<usize>(), sizes.iter().sum::<usize>());
                for (id, record) in read {
                    prop_assert_eq!(group.get(id), Some(record));
                }
            }
        }

        #[test]
        fn any_records_are_cut_in_order_into_groups_that_fit(
            sizes in prop::collection::vec(prop_oneof![0_usize..300, 1_000_usize..2_000, 10_000_usize..40_000], 0..60),
        ) {
            let records = records(&sizes);
            let entries = entries(&records);
            for spread in [Spread::Full, Spread::Even] {
                let groups = cut(&entries, spread);
                prop_assert_eq!(groups.concat(), entries.clone());
                for group in groups {
                    prop_assert!(encoded(group).len() <= FULL || group.len() == 1);
                }
            }
        }
    }
}
