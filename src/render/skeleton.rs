//! The parts of a workbook around its rows, made by `rust_xlsxwriter` with one template row in each
//! sheet, from which the numbers of the styles are read.

use std::io::{Cursor, Read};
use std::sync::Arc;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet};
use zip::ZipArchive;

use crate::domain::{Column, Zone, is_number_format};

use super::cell::is_risky;
use super::deflate::{Piece, piece};
use super::names::titles;
use super::sheet::letters;
use super::styles::{Style, Styles};
use super::widths::{height, lines};
use super::{Error, Spec};

/// The name of the sheet of all rows.
pub(super) const MAIN: &str = "main";
/// The name of the last sheet.
pub(super) const ABOUT: &str = "About";
/// What formulas of other workbooks can call the rows by.
pub(super) const TABLE: &str = "tasks";
/// Characters of the two columns of the last sheet.
pub(super) const ABOUT_WIDTHS: [usize; 2] = [32, 100];
/// Characters that are still readable side by side on a page.
const PRINTED_WIDTH: usize = 300;
/// The usual height of a row and width of a column, in pixels.
const CELL_PIXELS: (u32, u32) = (20, 64);

/// A sheet with a header row, as far as it is known before its rows.
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Of each column, in characters.
    pub(super) widths: Vec<usize>,
    /// Rows below the header.
    pub(super) rows: u64,
}

impl Sheet {
    /// No sheet at all.
    pub(super) fn empty() -> Self {
        Self { name: String::new(), columns: Vec::new(), widths: Vec::new(), rows: 0 }
    }
}

/// A workbook without its rows.
#[derive(Debug, Clone)]
pub(super) struct Skeleton {
    /// The given sheets, then the sheet `About`.
    pub(super) frames: Vec<Frame>,
    /// Everything else, by name.
    pub(super) parts: Vec<Fixture>,
}

/// A part that is no sheet: most of them are the same in many workbooks, and deflated once.
#[derive(Debug, Clone)]
pub(super) struct Fixture {
    pub(super) name: Arc<str>,
    pub(super) bytes: Arc<[u8]>,
    pub(super) piece: Arc<Piece>,
}

impl Fixture {
    pub(super) fn new(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self { name: name.into(), bytes: bytes.into(), piece: Arc::new(piece(bytes)?) })
    }
}

/// What stands around the rows of a sheet.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) styles: Styles,
    pub(super) head: String,
    pub(super) tail: String,
}

impl Skeleton {
    pub(super) fn new(spec: &Spec, sheets: &[Sheet]) -> Result<Self, Error> {
        let mut parts = parts(&workbook(spec, sheets)?)?;
        let mut frames = Vec::with_capacity(sheets.len() + 1);
        for sheet in sheets {
            let mut frame = frame(&mut parts, frames.len() + 1, &sheet.name, formats(&sheet.columns))?;
            let last = format!("{}{}", letters(sheet.columns.len().saturating_sub(1)), sheet.rows + 1);
            frame.head = with_dimension(&frame.head, &last)?;
            frames.push(frame);
        }
        frames.push(frame(&mut parts, frames.len() + 1, ABOUT, Vec::new())?);
        parts.sort();
        let parts = parts.iter().map(|(name, bytes)| Fixture::new(name, bytes)).collect::<Result<_, _>>()?;
        Ok(Self { frames, parts })
    }
}

/// The name of a sheet's part, counted from 1.
pub(super) fn part_name(number: usize) -> String {
    format!("xl/worksheets/sheet{number}.xml")
}

fn missing(what: &str) -> Error {
    Error::Skeleton(format!("{what} is missing"))
}

/// Takes a sheet out of the parts and apart at its template row.
fn frame(parts: &mut Vec<(String, Vec<u8>)>, number: usize, name: &str, formats: Vec<String>) -> Result<Frame, Error> {
    let part = part_name(number);
    let place = parts.iter().position(|(name, _)| *name == part).ok_or_else(|| missing(&part))?;
    let sheet = String::from_utf8(parts.swap_remove(place).1).map_err(|_| missing("UTF-8"))?;
    let (head, rest) = sheet.split_once("<row r=\"2\"").ok_or_else(|| missing("the template row"))?;
    let (template, tail) = rest.split_once("</row>").ok_or_else(|| missing("the template row's end"))?;
    let styles = Styles::read(template, formats)?;
    Ok(Frame { name: name.to_owned(), styles, head: without_spans(head), tail: tail.to_owned() })
}

/// A header row does not reach as far as the template row made the library think.
fn without_spans(head: &str) -> String {
    let parted = head.split_once(" spans=\"").and_then(|(before, rest)| Some((before, rest.split_once('"')?.1)));
    parted.map_or_else(|| head.to_owned(), |(before, after)| format!("{before}{after}"))
}

fn workbook(spec: &Spec, sheets: &[Sheet]) -> Result<Vec<u8>, Error> {
    let mut workbook = Workbook::new();
    // It is taken apart at once.
    workbook.set_zip_compression_level(1);
    workbook.set_properties(&properties(spec)?);
    // Beside a cell of several lines the others stand at the top.
    workbook.set_default_format(&Format::new().set_align(FormatAlign::Top), CELL_PIXELS.0, CELL_PIXELS.1)?;
    for sheet in sheets {
        table(workbook.add_worksheet(), sheet)?;
    }
    if let Some(main) = sheets.first().filter(|main| !main.columns.is_empty()) {
        let last = letters(main.columns.len() - 1);
        workbook.define_name(TABLE, &format!("={MAIN}!$A$1:${last}${}", main.rows + 1))?;
    }
    about(workbook.add_worksheet())?;
    Ok(workbook.save_to_buffer()?)
}

fn table(sheet: &mut Worksheet, table: &Sheet) -> Result<(), Error> {
    sheet.set_name(&table.name)?;
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_landscape();
    sheet.set_repeat_rows(0, 0)?;
    if fits_a_page(table) {
        sheet.set_print_fit_to_pages(1, 0);
    }
    let last_column = u16::try_from(table.columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let last_row = u32::try_from(table.rows).unwrap_or(u32::MAX);
    if !table.columns.is_empty() {
        sheet.autofilter(0, 0, last_row, last_column)?;
    }
    let (header, quoted) = (Style::Header.format(), Style::QuotedHeader.format());
    let titles = titles(&table.columns);
    sheet.set_row_height(0, header_points(&titles, &table.widths) as f64)?;
    for ((place, title), width) in (0_u16..).zip(titles).zip(&table.widths) {
        let format = if is_risky(&title) { &quoted } else { &header };
        sheet.write_string_with_format(0, place, &title, format)?;
        sheet.set_column_width(place, *width as f64)?;
    }
    template(sheet, &formats(&table.columns))
}

/// Whether the columns are readable side by side on a page.
pub(super) fn fits_a_page(table: &Sheet) -> bool {
    table.widths.iter().sum::<usize>() <= PRINTED_WIDTH
}

/// The height of the header row, in points.
pub(super) fn header_points(titles: &[String], widths: &[usize]) -> usize {
    height(titles.iter().zip(widths).map(|(title, width)| lines(title, *width)).max().unwrap_or(1))
}

fn about(sheet: &mut Worksheet) -> Result<(), Error> {
    sheet.set_name(ABOUT)?;
    for (place, width) in (0..).zip(ABOUT_WIDTHS) {
        sheet.set_column_width(place, width as f64)?;
    }
    sheet.set_print_fit_to_pages(1, 0);
    template(sheet, &[])
}

/// A number in each style: nothing else is sure to be written.
fn template(sheet: &mut Worksheet, formats: &[String]) -> Result<(), Error> {
    let named = formats.iter().map(|format| Format::new().set_align(FormatAlign::Top).set_num_format(format));
    for (place, format) in (0..).zip(Style::ALL.into_iter().map(Style::format).chain(named)) {
        sheet.write_number_with_format(1, place, 0, &format)?;
    }
    Ok(())
}

/// The number formats of these columns, each once, without those that Excel would stumble over.
pub(super) fn formats(columns: &[Column]) -> Vec<String> {
    let mut formats: Vec<String> = Vec::new();
    for format in columns.iter().filter_map(|column| column.format.as_ref()) {
        let is_own = !format.eq_ignore_ascii_case("general") && is_number_format(format);
        if is_own && !formats.contains(format) {
            formats.push(format.clone());
        }
    }
    formats
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

/// The head of a sheet with the true extent of its cells.
pub(super) fn with_dimension(head: &str, last: &str) -> Result<String, Error> {
    const START: &str = "<dimension ref=\"";
    let (before, rest) = head.split_once(START).ok_or_else(|| missing("the dimension"))?;
    let (_, after) = rest.split_once('"').ok_or_else(|| missing("the dimension"))?;
    let extent = if last == "A1" { last.to_owned() } else { format!("A1:{last}") };
    Ok(format!("{before}{START}{extent}\"{after}"))
}
