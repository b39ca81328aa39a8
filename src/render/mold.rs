//! Skeletons of workbooks, kept from one export to the next: what the library makes of the same titles
//! and formats differs in the widths of columns, the number of rows, the title and the time alone, and
//! these are put in here. Two workbooks of one mold have all the rest in common, whoever asked for them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::domain::Zone;

use super::names::titles;
use super::sheet::letters;
use super::skeleton::{self, Fixture, Frame, Sheet, Skeleton, with_dimension};
use super::{Error, Spec};

/// Molds that are kept; beyond, all are made anew.
const MOST_MOLDS: usize = 64;
/// Columns of the tables of a workbook whose mold is worth its memory.
const MOST_COLUMNS: usize = 256;
/// Widths of columns, in characters, that the library writes as it writes these.
const WIDTHS: RangeInclusive<usize> = 1..=254;
/// What it adds to them: the five pixels around a text, of seven to a character, in steps of 1/256.
const MARGIN: f64 = 182.0 / 256.0;

static MOLDS: LazyLock<Mutex<HashMap<Shape, Arc<Skeleton>>>> = LazyLock::new(Mutex::default);

/// What the tables of workbooks have in common that come from one mold.
type Shape = Vec<Table>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Table {
    name: String,
    titles: Vec<String>,
    formats: Vec<String>,
    header_points: usize,
    fits_a_page: bool,
}

/// The skeleton of a workbook of these tables.
pub(super) fn cast(spec: &Spec, sheets: &[Sheet]) -> Result<Skeleton, Error> {
    if !is_plain(spec, sheets) {
        return Skeleton::new(spec, sheets);
    }
    let shape: Shape = sheets.iter().map(Table::of).collect();
    if let Some(mold) = molds(|molds| molds.get(&shape).cloned()) {
        return filled(&mold, spec, sheets);
    }
    let skeleton = Skeleton::new(spec, sheets)?;
    let mold = Arc::new(skeleton.clone());
    molds(|molds| {
        if molds.len() >= MOST_MOLDS {
            molds.clear();
        }
        molds.insert(shape, mold);
    });
    Ok(skeleton)
}

fn molds<T>(look: impl FnOnce(&mut HashMap<Shape, Arc<Skeleton>>) -> T) -> T {
    look(&mut MOLDS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether nothing has to be escaped in what is put in, and all of it is written in the usual way.
fn is_plain(spec: &Spec, sheets: &[Sheet]) -> bool {
    let is_usual = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ',' | '(' | ')');
    // The library names a range of one cell by that cell.
    let is_range = |sheet: &Sheet| sheet.columns.len() > 1 || (!sheet.columns.is_empty() && sheet.rows > 0);
    sheets.iter().all(|sheet| is_range(sheet) && sheet.widths.iter().all(|width| WIDTHS.contains(width)))
        && sheets.iter().map(|sheet| sheet.columns.len()).sum::<usize>() <= MOST_COLUMNS
        && !spec.title.is_empty()
        && spec.title.chars().all(is_usual)
        && created(spec).is_some()
}

impl Table {
    fn of(sheet: &Sheet) -> Self {
        let titles = titles(&sheet.columns);
        Self {
            name: sheet.name.clone(),
            header_points: skeleton::header_points(&titles, &sheet.widths),
            titles,
            formats: skeleton::formats(&sheet.columns),
            fits_a_page: skeleton::fits_a_page(sheet),
        }
    }
}

/// The time as the properties of a document have it.
fn created(spec: &Spec) -> Option<String> {
    let at = Zone::utc().civil(spec.created).filter(|at| (1900..=9999).contains(&at.year()))?;
    let (date, time) = ((at.year(), at.month(), at.day()), (at.hour(), at.minute(), at.second()));
    Some(format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", date.0, date.1, date.2, time.0, time.1, time.2))
}

fn filled(mold: &Skeleton, spec: &Spec, sheets: &[Sheet]) -> Result<Skeleton, Error> {
    let mut skeleton = mold.clone();
    for (Frame { head, tail, .. }, sheet) in skeleton.frames.iter_mut().zip(sheets) {
        let last = format!("{}{}", letters(sheet.columns.len().saturating_sub(1)), sheet.rows + 1);
        *head = between(&with_dimension(head, &last)?, "<cols>", "</cols>", |_| cols(&sheet.widths))?;
        *tail = between(tail, "<autoFilter ref=\"", "\"", |_| format!("A1:{last}"))?;
    }
    for part in &mut skeleton.parts {
        let text = || std::str::from_utf8(&part.bytes).map_err(|_| Error::Form);
        let changed = match &*part.name {
            "xl/workbook.xml" => workbook(text()?, sheets)?,
            "docProps/core.xml" => core(text()?, spec)?,
            _ => continue,
        };
        *part = Fixture::new(&part.name, changed.as_bytes())?;
    }
    Ok(skeleton)
}

/// The names of ranges end in the last row of their sheet.
fn workbook(text: &str, sheets: &[Sheet]) -> Result<String, Error> {
    let mut text = text.to_owned();
    let mut end = |mark: &str, sheet: &Sheet| {
        let range = |old: &str| {
            let start = old.rsplit_once('$').map_or(old, |(start, _)| start);
            format!("{start}${}", sheet.rows + 1)
        };
        text = between(&text, mark, "<", range)?;
        Ok::<_, Error>(())
    };
    for (number, sheet) in sheets.iter().enumerate() {
        end(&format!("\"_xlnm._FilterDatabase\" localSheetId=\"{number}\" hidden=\"1\">"), sheet)?;
    }
    if let Some(main) = sheets.first() {
        end(&format!("<definedName name=\"{}\">", skeleton::TABLE), main)?;
    }
    Ok(text)
}

fn core(text: &str, spec: &Spec) -> Result<String, Error> {
    const CREATED: &str = "<dcterms:created xsi:type=\"dcterms:W3CDTF\">";
    const MODIFIED: &str = "<dcterms:modified xsi:type=\"dcterms:W3CDTF\">";
    let time = created(spec).ok_or(Error::Form)?;
    let text = between(text, "<dc:title>", "<", |_| spec.title.clone())?;
    between(&between(&text, CREATED, "<", |_| time.clone())?, MODIFIED, "<", |_| time.clone())
}

/// The widths of columns, neighbours of one width together.
fn cols(widths: &[usize]) -> String {
    let (mut text, mut first) = (String::new(), 1);
    for same in widths.chunk_by(|a, b| a == b) {
        let (last, width) = (first + same.len() - 1, same.first().copied().unwrap_or_default() as f64 + MARGIN);
        // Writing to a string cannot fail.
        let _ = write!(text, "<col min=\"{first}\" max=\"{last}\" width=\"{width}\" customWidth=\"1\"/>");
        first = last + 1;
    }
    text
}

/// A text with something else between two marks, made of what stands there.
fn between(text: &str, start: &str, end: &str, new: impl FnOnce(&str) -> String) -> Result<String, Error> {
    let missing = || Error::Skeleton(format!("{start} is missing"));
    let (before, rest) = text.split_once(start).ok_or_else(missing)?;
    let (old, after) = rest.split_at(rest.find(end).ok_or_else(missing)?);
    Ok(format!("{before}{start}{}{after}", new(old)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Column, ColumnKind, Download, Moment};

    fn sheet(name: &str, widths: Vec<usize>, rows: u64) -> Sheet {
        let column = |number: usize| Column {
            id: format!("c{number}"),
            header: format!("{name} & <more> {number}"),
            kind: ColumnKind::Auto,
            format: number.is_multiple_of(3).then(|| "0.00".to_owned()),
            width: None,
        };
        let columns = (0..widths.len()).map(column).collect();
        Sheet { name: name.to_owned(), columns, widths, rows }
    }

    fn sheets(widths: &[usize], rows: u64, items: u64) -> Vec<Sheet> {
        let main = sheet(skeleton::MAIN, widths.to_vec(), rows);
        let items = (items > 0).then(|| sheet("Items 'of' it", vec![9, 20], items));
        std::iter::once(main).chain(items).collect()
    }

    fn spec(title: &str, created: i64) -> Spec {
        Spec {
            download: Download::Xlsx,
            columns: Vec::new(),
            rows: 0,
            zone: Zone::utc(),
            dates_as_text: false,
            by_layout: true,
            csv_neutralise: true,
            created: Moment(created),
            title: title.to_owned(),
            part_stem: "task".to_owned(),
            scratch: std::env::temp_dir(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn what_comes_of_a_mold_is_what_the_library_makes(
            widths in vec(prop_oneof![Just(20_usize), 1_usize..=254], 1..30),
            rows in prop_oneof![0_u64..3, 0_u64..=1_000_000],
            items in 0_u64..3,
            title in prop_oneof!["[a-zA-Z0-9 ._-]{1,20}", ".{0,20}"],
            created in 0_i64..4_000_000_000_000,
        ) {
            let first = sheets(&vec![20; widths.len()], 5, items.min(1));
            cast(&spec("The first", 1_750_000_000_000), &first).unwrap();
            let (spec, sheets) = (spec(&title, created), sheets(&widths, rows, items));
            let library = Skeleton::new(&spec, &sheets).unwrap();
            for _ in 0..2 {
                let cast = cast(&spec, &sheets).unwrap();
                for (ours, theirs) in cast.parts.iter().zip(&library.parts) {
                    prop_assert_eq!((&ours.name, &ours.bytes), (&theirs.name, &theirs.bytes));
                    prop_assert_eq!(&ours.piece.bytes, &theirs.piece.bytes);
                }
                prop_assert_eq!(cast.parts.len(), library.parts.len());
                for (ours, theirs) in cast.frames.iter().zip(&library.frames) {
                    prop_assert_eq!((&ours.head, &ours.tail), (&theirs.head, &theirs.tail));
                }
            }
        }
    }
}
