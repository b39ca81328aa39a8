//! A workbook on its way out: `main`, then a sheet for the items of each list, then `About`, then the
//! parts that name them all, because only then it is known how many there are.

use std::io::Write;
use std::sync::Arc;

use crate::domain::limits::{MAX_SHEET_COLUMNS, MAX_SHEET_LINKS};
use crate::domain::{self, Column, ColumnKind, Value};

use super::about::{self, About};
use super::archive::Archive;
use super::block::{Block, Body, Shared};
use super::deflate::piece;
use super::items::{Part, Spool};
use super::links::SheetLinks;
use super::mold;
use super::names::{SheetNames, titles};
use super::repairs::Repairs;
use super::skeleton::{ABOUT, Fixture, Frame, MAIN, Sheet, Skeleton, part_name};
use super::widths::{self, fitting};
use super::{Error, Spec};

/// What is written before the first sheet; readers that guess a file's kind look there.
const FIRST_PARTS: [&str; 3] = ["_rels/.rels", "docProps/core.xml", "xl/theme/theme1.xml"];
/// Keys of items that hold money, by how they end, in lower case.
const MONEY: [&str; 6] = ["price", "cost", "amount", "total", "fee", "tax"];
const MONEY_FORMAT: &str = "#,##0.00";

pub(super) struct Book {
    archive: Archive,
    skeleton: Skeleton,
    /// The sheet that is being written.
    current: usize,
    links: SheetLinks,
    spools: Vec<Spool>,
    main: Sheet,
}

impl Book {
    pub(super) fn new(spec: &Spec, sample: &[Vec<Value>]) -> domain::Result<Self> {
        check_width(MAIN, spec.columns.len(), "Choose some with fields.")?;
        let titles = titles(&spec.columns);
        let width = |(number, column): (usize, &Column)| {
            widths::width(column, &titles[number], widths::of_column(sample, number))
        };
        let main = Sheet {
            name: MAIN.to_owned(),
            columns: spec.columns.clone(),
            widths: spec.columns.iter().enumerate().map(width).collect(),
            rows: spec.rows,
        };
        let lists = spec.columns.iter().filter(|column| column.kind == ColumnKind::List);
        let spools = lists.map(|_| Spool::new(&spec.scratch)).collect();
        let skeleton = mold::cast(spec, std::slice::from_ref(&main))?;
        Ok(Self { archive: Archive::new(spec.created), skeleton, current: 0, links: SheetLinks::new(), spools, main })
    }

    pub(super) fn shared(&self, spec: &Spec, sample: &[Vec<Value>]) -> Result<Shared, Error> {
        let mut shared = Shared::new(spec, &self.main.widths, self.frame(0)?.styles.clone());
        shared.blue_rows = blue_rows(&spec.columns, sample);
        Ok(shared)
    }

    /// Writes the parts that do not depend on rows, and `main` up to its first row.
    pub(super) fn begin(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        for Fixture { name, piece, .. } in &self.skeleton.parts {
            if FIRST_PARTS.contains(&&**name) {
                self.archive.whole(name, piece, out)?;
            }
        }
        self.open_sheet(out)
    }

    pub(super) fn place(&mut self, block: Block, repairs: &mut Repairs, out: &mut dyn Write) -> Result<(), Error> {
        while self.current < block.sheet {
            self.next_sheet(out)?;
        }
        repairs.append(block.repairs, block.sheet);
        let mut more = Repairs::default();
        self.links.append(&block.links, &mut more)?;
        repairs.append(more, block.sheet);
        for (spool, batch) in self.spools.iter_mut().zip(block.batches) {
            spool.append(batch)?;
        }
        match block.body {
            Body::Piece(piece) => self.archive.append(&piece, out),
            Body::Plain(_) => Err(Error::Form),
        }
    }

    /// The rows of the sheets of items, now that all of `main` is there.
    pub(super) fn parts(&mut self, spec: &Spec) -> domain::Result<Vec<Part>> {
        if self.spools.is_empty() {
            return Ok(Vec::new());
        }
        let mut names = SheetNames::new(&[MAIN, ABOUT]);
        let lists = self.main.columns.iter().filter(|column| column.kind == ColumnKind::List);
        let mut groups = Vec::with_capacity(self.spools.len());
        for (column, spool) in lists.zip(&self.spools) {
            let (columns, widths) = item_columns(spool);
            check_width(&column.header, columns.len(), "Leave this column out, or shape it with a script.")?;
            let sheet = |rows| Sheet {
                name: names.take(if column.header.trim().is_empty() { &column.id } else { &column.header }),
                columns: columns.clone(),
                widths: widths.clone(),
                rows,
            };
            groups.push(spool.sheets().into_iter().map(sheet).collect::<Vec<_>>());
        }
        let counts: Vec<usize> = groups.iter().map(Vec::len).collect();
        let main = std::mem::replace(&mut self.main, Sheet::empty());
        let sheets: Vec<Sheet> = std::iter::once(main).chain(groups.into_iter().flatten()).collect();
        self.skeleton = mold::cast(spec, &sheets)?;
        let (mut parts, mut first) = (Vec::new(), 1);
        for (spool, count) in self.spools.iter().zip(counts) {
            if let Some(sheet) = sheets.get(first).filter(|_| count > 0) {
                let styles = self.frame(first)?.styles.clone();
                let keys = spool.keys.widths.iter().map(|(key, _)| key.clone()).collect();
                parts.extend(spool.parts(first, &Arc::new(Shared::of_items(spec, sheet, keys, styles))));
            }
            first += count;
        }
        Ok(parts)
    }

    /// Writes everything behind the rows.
    pub(super) fn finish(&mut self, about: &About, repairs: &Repairs, out: &mut dyn Write) -> Result<(), Error> {
        let last = self.skeleton.frames.len().saturating_sub(1);
        while self.current + 1 < last {
            self.next_sheet(out)?;
        }
        self.close_sheet(out)?;
        let names: Vec<String> = self.skeleton.frames.iter().map(|frame| frame.name.clone()).collect();
        let sheet = about::sheet(about, repairs, &names, self.frame(last)?)?;
        self.archive.whole(&part_name(last + 1), &piece(&sheet)?, out)?;
        for Fixture { name, piece, .. } in &self.skeleton.parts {
            if !FIRST_PARTS.contains(&&**name) {
                self.archive.whole(name, piece, out)?;
            }
        }
        self.archive.finish(out)
    }

    fn frame(&self, sheet: usize) -> Result<&Frame, Error> {
        self.skeleton.frames.get(sheet).ok_or(Error::Form)
    }

    fn next_sheet(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        self.close_sheet(out)?;
        self.current += 1;
        self.open_sheet(out)
    }

    fn open_sheet(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        self.archive.start(&part_name(self.current + 1), out)?;
        let head = piece(self.frame(self.current)?.head.as_bytes())?;
        self.archive.append(&head, out)
    }

    /// Writes the sheet from behind its last row, with its links.
    fn close_sheet(&mut self, out: &mut dyn Write) -> Result<(), Error> {
        /// What stands behind the links of a sheet (ECMA-376, 18.3.1.99).
        const BEHIND_LINKS: &str = "<pageMargins";
        let links = std::mem::replace(&mut self.links, SheetLinks::new()).finish()?;
        let tail = self.frame(self.current)?.tail.clone();
        let place = tail.find(BEHIND_LINKS).ok_or(Error::Form)?;
        let (before, behind) = tail.split_at(place);
        self.archive.append(&piece(before.as_bytes())?, out)?;
        if let Some((elements, _)) = &links {
            self.archive.append(elements, out)?;
        }
        self.archive.append(&piece(behind.as_bytes())?, out)?;
        self.archive.end(out)?;
        match links {
            Some((_, relations)) => {
                let name = format!("xl/worksheets/_rels/sheet{}.xml.rels", self.current + 1);
                self.archive.whole(&name, &relations, out)
            }
            None => Ok(()),
        }
    }
}

/// # Errors
/// `Invalid` when there are more columns than a sheet can have.
fn check_width(name: &str, columns: usize, cure: &str) -> domain::Result<()> {
    if columns <= MAX_SHEET_COLUMNS {
        return Ok(());
    }
    let of = if name == MAIN { "This export".to_owned() } else { format!("The sheet of {name}") };
    Err(domain::Error::invalid(format!("{of} has {columns} columns; a sheet has at most {MAX_SHEET_COLUMNS}. {cure}")))
}

/// The rows whose links look like links: in them none can be one too many for the sheet.
fn blue_rows(columns: &[Column], sample: &[Vec<Value>]) -> u64 {
    let is_link = |(number, column): &(usize, &Column)| {
        let mut cells = widths::of_column(sample, *number);
        column.kind == ColumnKind::Url || cells.any(|value| matches!(value, Value::Link(_)))
    };
    let columns = columns.iter().enumerate().filter(is_link).count() as u64;
    MAX_SHEET_LINKS / columns.max(1)
}

/// The columns of a sheet of items, with their widths: the task, the row of `main`, each key.
fn item_columns(spool: &Spool) -> (Vec<Column>, Vec<usize>) {
    const ID_WIDTH: usize = 24;
    const ROW_WIDTH: usize = 7;
    let fixed = [("_id".to_owned(), ID_WIDTH), ("row".to_owned(), ROW_WIDTH)];
    let keys = fixed.into_iter().chain(spool.keys.widths.iter().cloned());
    let column = |(key, width): (String, usize)| {
        let is_money = MONEY.iter().any(|end| key.to_lowercase().ends_with(end));
        let format = is_money.then(|| MONEY_FORMAT.to_owned());
        let column = Column { id: key.clone(), header: key.clone(), kind: ColumnKind::Auto, format, width: None };
        (column, fitting(width, &key))
    };
    keys.map(column).unzip()
}
