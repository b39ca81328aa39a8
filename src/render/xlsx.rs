//! The parts of a workbook around its rows, made by `rust_xlsxwriter` with one template row from
//! which the numbers of the styles are read.

use std::io::{Cursor, Read, Write};

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet};
use zip::ZipArchive;

use crate::domain::limits::MAX_CELL_UNITS;
use crate::domain::{Column, Value, ValueRef, Zone};

use super::archive::Archive;
use super::cell::{Cell, cell, is_risky};
use super::deflate::piece;
use super::sheet::{Style, letters};
use super::{Error, Spec};

const SHEET: &str = "xl/worksheets/sheet1.xml";
const NARROWEST: usize = 8;
const WIDEST: usize = 60;
/// Characters of a date with its time.
const TIME_WIDTH: usize = 19;

/// A workbook without its rows.
pub(super) struct Skeleton {
    /// The number of each [`Style`].
    pub styles: Vec<u32>,
    parts: Vec<(String, Vec<u8>)>,
    head: String,
    tail: String,
}

impl Skeleton {
    pub(super) fn new(spec: &Spec, sample: &[Vec<Value>]) -> Result<Self, Error> {
        let mut parts = parts(&workbook(spec, sample)?)?;
        let place = parts.iter().position(|(name, _)| name == SHEET).ok_or_else(|| missing(SHEET))?;
        let sheet = String::from_utf8(parts.swap_remove(place).1).map_err(|_| missing("UTF-8"))?;
        // Readers look for the content types first; the rest comes in a fixed order.
        parts.sort_by_key(|(name, _)| (name != "[Content_Types].xml", name.clone()));
        let (head, rest) = sheet.split_once("<row r=\"2\"").ok_or_else(|| missing("the template row"))?;
        let (template, tail) = rest.split_once("</row>").ok_or_else(|| missing("the template row's end"))?;
        let styles: Vec<u32> =
            template.split(" s=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        if styles.len() != Style::ALL.len() {
            return Err(missing("the styles of the template row"));
        }
        Ok(Self { styles, parts, head: with_dimension(head, spec)?, tail: tail.to_owned() })
    }

    /// Writes the small parts, and the sheet up to its first row.
    pub(super) fn begin(&self, archive: &mut Archive, out: &mut dyn Write) -> Result<(), Error> {
        for (name, bytes) in &self.parts {
            archive.whole(name, &piece(bytes)?, out)?;
        }
        archive.start(SHEET, out)?;
        archive.append(&piece(self.head.as_bytes())?, out)
    }

    /// Writes the sheet from behind its last row.
    pub(super) fn end(&self, archive: &mut Archive, out: &mut dyn Write) -> Result<(), Error> {
        archive.append(&piece(self.tail.as_bytes())?, out)?;
        archive.end(out)
    }
}

fn missing(what: &str) -> Error {
    Error::Skeleton(format!("{what} is missing"))
}

fn workbook(spec: &Spec, sample: &[Vec<Value>]) -> Result<Vec<u8>, Error> {
    let mut workbook = Workbook::new();
    workbook.set_tempdir(&spec.scratch)?;
    workbook.set_properties(&properties(spec)?);
    let sheet = workbook.add_worksheet();
    sheet.set_name("main")?;
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_landscape();
    sheet.set_repeat_rows(0, 0)?;
    let last_column = u16::try_from(spec.columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let last_row = u32::try_from(spec.rows).unwrap_or(u32::MAX);
    if !spec.columns.is_empty() {
        sheet.autofilter(0, 0, last_row, last_column)?;
    }
    header(sheet, spec, sample)?;
    for (place, style) in (0..).zip(Style::ALL) {
        sheet.write_blank(1, place, &format(style))?;
    }
    Ok(workbook.save_to_buffer()?)
}

/// Nothing in them says on which machine or by whom the file was made.
fn properties(spec: &Spec) -> Result<DocProperties, Error> {
    let properties = DocProperties::new().set_title(&spec.title).set_comment("Made by Waybill");
    let Some(at) = Zone::utc().civil(spec.created) else { return Ok(properties) };
    let (year, month, day) = (at.year() as u16, at.month() as u8, at.day() as u8);
    let date = ExcelDateTime::from_ymd(year, month, day)?;
    let at = date.and_hms(at.hour() as u16, at.minute() as u8, at.second() as u8)?;
    Ok(properties.set_creation_datetime(&at))
}

fn header(sheet: &mut Worksheet, spec: &Spec, sample: &[Vec<Value>]) -> Result<(), Error> {
    let bold = Format::new().set_bold();
    let quoted = Format::new().set_bold().set_quote_prefix();
    for (number, column) in spec.columns.iter().enumerate() {
        let place = u16::try_from(number).unwrap_or(u16::MAX);
        let title = title(column);
        let format = if is_risky(&title) { &quoted } else { &bold };
        sheet.write_string_with_format(0, place, &title, format)?;
        let cells = sample.iter().map(|row| row.get(number).map_or(ValueRef::Empty, Value::borrowed));
        let width = column.width.map_or_else(|| width(column, cells), usize::from);
        sheet.set_column_width(place, width as f64)?;
    }
    Ok(())
}

/// A header is never empty and never longer than a cell.
fn title(column: &Column) -> String {
    let title = if column.header.is_empty() { &column.id } else { &column.header };
    let mut length = 0;
    title
        .chars()
        .take_while(|c| {
            length += c.len_utf16();
            length <= MAX_CELL_UNITS
        })
        .collect()
}

/// In characters: the longest of the header, with space for the filter's button, and the first rows.
fn width<'a>(column: &Column, cells: impl Iterator<Item = ValueRef<'a>>) -> usize {
    let header = title(column).chars().count() + 3;
    let longest = cells.map(|value| match cell(value) {
        Cell::Time(_) => TIME_WIDTH,
        Cell::Text(_) if column.kind != crate::domain::ColumnKind::Auto => TIME_WIDTH,
        Cell::Text(text) => text.lines().map(|line| line.chars().count()).max().unwrap_or(0),
        Cell::Number(number) => number.len(),
        Cell::Boolean(_) => 5,
        Cell::Empty => 0,
    });
    (longest.max().unwrap_or(0) + 1).max(header).clamp(NARROWEST, WIDEST)
}

fn format(style: Style) -> Format {
    match style {
        Style::Quoted => Format::new().set_quote_prefix(),
        Style::Wrapped => Format::new().set_text_wrap(),
        Style::QuotedWrapped => Format::new().set_quote_prefix().set_text_wrap(),
        Style::Time => Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
        Style::Date => Format::new().set_num_format("yyyy-mm-dd"),
    }
}

fn parts(workbook: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let broken = |error: zip::result::ZipError| Error::Skeleton(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(workbook)).map_err(broken)?;
    let mut parts = Vec::with_capacity(archive.len());
    for place in 0..archive.len() {
        let mut part = archive.by_index(place).map_err(broken)?;
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes)?;
        parts.push((part.name().map_err(broken)?.to_string(), bytes));
    }
    Ok(parts)
}

/// The head of the sheet with the true extent of its cells.
fn with_dimension(head: &str, spec: &Spec) -> Result<String, Error> {
    const START: &str = "<dimension ref=\"";
    let (before, rest) = head.split_once(START).ok_or_else(|| missing("the dimension"))?;
    let (_, after) = rest.split_once('"').ok_or_else(|| missing("the dimension"))?;
    let last = format!("{}{}", letters(spec.columns.len().saturating_sub(1)), spec.rows + 1);
    let extent = if last == "A1" { last } else { format!("A1:{last}") };
    Ok(format!("{before}{START}{extent}\"{after}"))
}
