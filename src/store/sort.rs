//! Rows put in order within bounded memory: those that do not fit are sorted in runs, which lie in a
//! nameless file until they are merged. Only the ids of the page that is wanted stay.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::mem;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::slice::ParallelSliceMut;

use super::error::Error;
use super::select::Selection;
use crate::domain::Id;
use crate::domain::json::SortKey;
use crate::kit::scratch::nameless;

/// Rows that one thread sorts sooner than several.
const FEW_ROWS: usize = 4_096;
/// Rows that are gathered before those behind the page are let go of; twice the rows up to its end where that is more.
const MANY_ROWS: usize = 32_768;
/// Bytes of each buffer in front of the file, of which every run has one while they are merged.
const BUFFER_BYTES: usize = 16 << 10;

/// What rows are sorted by before their ids.
pub(super) trait Key: Ord + Send + Sized {
    /// Bytes that it takes beside its own size.
    fn held_bytes(&self) -> usize {
        0
    }
    /// Its bytes in a file.
    fn write(&self, out: &mut Vec<u8>);
    /// The key of these bytes; nothing if they are none.
    fn read(bytes: &[u8]) -> Option<Self>;
}

type Row<K> = (K, Id);

/// Takes rows in from several threads and gives back a page of them.
pub(super) struct Sorter<'a, K> {
    scratch: &'a Path,
    /// Bytes of rows that are sorted together. Each thread may hold as many, and one more.
    run_bytes: usize,
    /// How many rows are gathered before those behind the page are let go of.
    most_rows: usize,
    /// The places of the page among all rows.
    page: Range<u64>,
    descending: bool,
    gathered: Mutex<Gathered<K>>,
    spilled: Mutex<Spilled>,
}

struct Gathered<K> {
    /// How many came, whether they are kept or not.
    count: u64,
    rows: Vec<Row<K>>,
    bytes: usize,
}

#[derive(Default)]
struct Spilled {
    file: Option<File>,
    /// Where each run lies.
    runs: Vec<Range<u64>>,
}

impl<'a, K: Key> Sorter<'a, K> {
    pub(super) fn new(selection: &Selection, scratch: &'a Path, run_bytes: usize) -> Self {
        let end = selection.skip.saturating_add(selection.take.unwrap_or(u64::MAX));
        Self {
            scratch,
            run_bytes,
            most_rows: usize::try_from(end.saturating_mul(2)).unwrap_or(usize::MAX).max(MANY_ROWS),
            page: selection.skip..end,
            descending: selection.order.descending,
            gathered: Mutex::new(Gathered { count: 0, rows: Vec::new(), bytes: 0 }),
            spilled: Mutex::default(),
        }
    }

    /// Takes in rows, and empties them.
    pub(super) fn add(&self, rows: &mut Vec<Row<K>>) -> Result<(), Error> {
        let full = {
            let mut gathered = self.gathered();
            gathered.count += rows.len() as u64;
            if self.page.is_empty() {
                rows.clear();
                return Ok(());
            }
            gathered.bytes += bytes_of(rows);
            match gathered.rows.is_empty() {
                true => gathered.rows = mem::take(rows),
                false => gathered.rows.append(rows),
            }
            if gathered.bytes <= self.run_bytes && gathered.rows.len() <= self.most_rows {
                return Ok(());
            }
            gathered.bytes = 0;
            mem::take(&mut gathered.rows)
        };
        // Not while others wait to add. And on this thread alone: one that waits for others of its
        // pool takes up their work meanwhile, and would gather the next run beside this one.
        self.put_away(full)
    }

    /// Whether what is kept so far is put in order by one thread.
    pub(super) fn has_few(&self) -> bool {
        self.gathered().rows.len() <= FEW_ROWS && self.spilled().runs.is_empty()
    }

    /// How many rows came, and the ids of the page in order.
    pub(super) fn finish(self) -> Result<(u64, Vec<Id>), Error> {
        let gathered = mem::replace(&mut *self.gathered(), Gathered { count: 0, rows: Vec::new(), bytes: 0 });
        if self.spilled().runs.is_empty() {
            return Ok((gathered.count, self.page_of(gathered.rows)));
        }
        self.spill(gathered.rows)?;
        Ok((gathered.count, self.merged()?))
    }

    /// Rows behind the page are let go of; if that leaves few, they wait for more, and else they are a run.
    fn put_away(&self, mut rows: Vec<Row<K>>) -> Result<(), Error> {
        self.keep_first(&mut rows, self.page.end);
        let bytes = bytes_of(&rows);
        if bytes > self.run_bytes / 2 {
            return self.spill(rows);
        }
        let mut gathered = self.gathered();
        gathered.bytes += bytes;
        gathered.rows.append(&mut rows);
        Ok(())
    }

    fn spill(&self, mut rows: Vec<Row<K>>) -> Result<(), Error> {
        self.keep_first(&mut rows, self.page.end);
        rows.sort_unstable_by(|a, b| self.compare(a, b));
        let mut spilled = self.spilled();
        let file = match spilled.file.take() {
            Some(file) => file,
            None => nameless(self.scratch).map_err(Error::Scratch)?,
        };
        let start = spilled.runs.last().map_or(0, |run| run.end);
        let length = write_run(&file, &rows).map_err(Error::Scratch)?;
        spilled.file = Some(file);
        spilled.runs.push(start..start + length);
        Ok(())
    }

    fn merged(&self) -> Result<Vec<Id>, Error> {
        let spilled = self.spilled();
        let Some(file) = &spilled.file else { return Ok(Vec::new()) };
        let mut heads = BinaryHeap::with_capacity(spilled.runs.len());
        for run in &spilled.runs {
            let mut rest = BufReader::with_capacity(BUFFER_BYTES, Part { file, left: run.clone() });
            if let Some(row) = read_row::<K>(&mut rest).map_err(Error::Scratch)? {
                heads.push(Head { row, rest, descending: self.descending });
            }
        }
        let (mut place, mut ids) = (0, Vec::new());
        while let Some(mut head) = heads.peek_mut().filter(|_| place < self.page.end) {
            if self.page.contains(&place) {
                ids.push(head.row.1);
            }
            place += 1;
            match read_row(&mut head.rest).map_err(Error::Scratch)? {
                Some(row) => head.row = row,
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(ids)
    }

    /// The page of rows that are all there are. It is cut out before it is sorted, so that a small one
    /// of many rows costs no full sort.
    fn page_of(&self, mut rows: Vec<Row<K>>) -> Vec<Id> {
        self.keep_first(&mut rows, self.page.end);
        let start = usize::try_from(self.page.start).unwrap_or(usize::MAX);
        if start >= rows.len() {
            return Vec::new();
        }
        if start > 0 {
            rows.select_nth_unstable_by(start, |a, b| self.compare(a, b));
        }
        let page = &mut rows[start..];
        match page.len() {
            0..=FEW_ROWS => page.sort_unstable_by(|a, b| self.compare(a, b)),
            _ => page.par_sort_unstable_by(|a, b| self.compare(a, b)),
        }
        page.iter().map(|(_, id)| *id).collect()
    }

    /// Lets go of all but so many that come first, in any order.
    fn keep_first(&self, rows: &mut Vec<Row<K>>, most: u64) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if most < rows.len() {
            rows.select_nth_unstable_by(most, |a, b| self.compare(a, b));
            rows.truncate(most);
        }
    }

    fn compare(&self, a: &Row<K>, b: &Row<K>) -> Ordering {
        if self.descending { b.cmp(a) } else { a.cmp(b) }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered<K>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spilled(&self) -> MutexGuard<'_, Spilled> {
        self.spilled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_of<K: Key>(rows: &[Row<K>]) -> usize {
    mem::size_of_val(rows) + rows.iter().map(|(key, _)| key.held_bytes()).sum::<usize>()
}

/// The first row of a run that has not been taken yet, and those behind it.
struct Head<'a, K> {
    row: Row<K>,
    rest: BufReader<Part<'a>>,
    descending: bool,
}

/// The greatest is the one that comes first.
impl<K: Ord> Ord for Head<'_, K> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.descending { self.row.cmp(&other.row) } else { other.row.cmp(&self.row) }
    }
}

impl<K: Ord> PartialOrd for Head<'_, K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord> PartialEq for Head<'_, K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<K: Ord> Eq for Head<'_, K> {}

/// A stretch of a file, read while others read theirs.
struct Part<'a> {
    file: &'a File,
    left: Range<u64>,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.file.read_at(buffer.get_mut(..most).unwrap_or_default(), self.left.start)?;
        self.left.start += length as u64;
        Ok(length)
    }
}

/// A row is the length of its key in four bytes, the key, the id. Gives the bytes of all.
fn write_run<K: Key>(file: &File, rows: &[Row<K>]) -> io::Result<u64> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    let (mut key, mut bytes) = (Vec::new(), 0);
    for (by, id) in rows {
        key.clear();
        by.write(&mut key);
        // No task is as large.
        out.write_all(&(key.len() as u32).to_le_bytes())?;
        out.write_all(&key)?;
        out.write_all(&id.0)?;
        bytes += (4 + key.len() + id.0.len()) as u64;
    }
    out.flush()?;
    Ok(bytes)
}

fn read_row<K: Key>(run: &mut BufReader<Part<'_>>) -> io::Result<Option<Row<K>>> {
    let mut length = [0; 4];
    if run.buffer().is_empty() && run.get_ref().left.is_empty() {
        return Ok(None);
    }
    run.read_exact(&mut length)?;
    let mut key = vec![0; u32::from_le_bytes(length) as usize];
    run.read_exact(&mut key)?;
    let mut id = [0; 12];
    run.read_exact(&mut id)?;
    let key = K::read(&key).ok_or_else(|| io::Error::other("a row that was put away is not as it was"))?;
    Ok(Some((key, Id(id))))
}

impl Key for () {
    fn write(&self, _out: &mut Vec<u8>) {}

    fn read(_bytes: &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Key for i64 {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }
}

impl Key for SortKey {
    fn held_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::List(text) | Self::Object(text) => text.len() + ALLOCATION_BYTES,
            Self::Missing | Self::Bool(_) | Self::Integer(_) | Self::Float(_) => 0,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Missing => {}
            Self::Bool(is) => out.extend([b'b', u8::from(*is)]),
            Self::Integer(whole) => {
                out.push(b'i');
                out.extend(whole.to_le_bytes());
            }
            Self::Float(float) => {
                out.push(b'f');
                out.extend(float.to_le_bytes());
            }
            Self::Text(text) => put_text(b't', text, out),
            Self::List(json) => put_text(b'l', json, out),
            Self::Object(json) => put_text(b'o', json, out),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let Some((form, rest)) = bytes.split_first() else { return Some(Self::Missing) };
        let text = || std::str::from_utf8(rest).ok().map(Into::into);
        match form {
            b'b' => Some(Self::Bool(rest == [1])),
            b'i' => rest.try_into().ok().map(i128::from_le_bytes).map(Self::Integer),
            b'f' => rest.try_into().ok().map(f64::from_le_bytes).map(Self::Float),
            b't' => text().map(Self::Text),
            b'l' => text().map(Self::List),
            b'o' => text().map(Self::Object),
            _ => None,
        }
    }
}

/// Bytes that an allocation takes beside those that were asked for, about.
const ALLOCATION_BYTES: usize = 16;

fn put_text(form: u8, text: &str, out: &mut Vec<u8>) {
    out.push(form);
    out.extend_from_slice(text.as_bytes());
}
