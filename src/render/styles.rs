//! How cells look: the few styles of every workbook, and one for each number format of a config.

use std::ops::RangeInclusive;

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, FormatUnderline};

use super::Error;

/// Bytes of a text that is wrapped, because no column is so wide. A longer one would fill the screen.
pub(super) const WRAPPED_CHARACTERS: RangeInclusive<usize> = 61..=1_000;

const HEADER_FILL: Color = Color::RGB(0xE8_EEF4);
const HEADER_LINE: Color = Color::RGB(0x7F_93A8);
const LINK_BLUE: Color = Color::RGB(0x05_63C1);

/// The styles of cells, in the order of the template row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Style {
    /// A text that is shown as it is and never run.
    Quoted,
    /// A text of several lines.
    Wrapped,
    /// Both.
    QuotedWrapped,
    /// An address that can be clicked.
    Link,
    /// A date with a time.
    Time,
    /// A date.
    Date,
    /// What stands above a table.
    Header,
    /// The same, never run.
    QuotedHeader,
    /// The first line of the sheet `About`.
    Title,
    /// What stands before a fact.
    Label,
}

impl Style {
    pub(super) const ALL: [Self; 10] = [
        Self::Quoted,
        Self::Wrapped,
        Self::QuotedWrapped,
        Self::Link,
        Self::Time,
        Self::Date,
        Self::Header,
        Self::QuotedHeader,
        Self::Title,
        Self::Label,
    ];

    pub(super) fn format(self) -> Format {
        let plain = Format::new().set_align(FormatAlign::Top);
        match self {
            Self::Quoted => plain.set_quote_prefix(),
            Self::Wrapped => plain.set_text_wrap(),
            Self::QuotedWrapped => plain.set_quote_prefix().set_text_wrap(),
            Self::Link => plain.set_font_color(LINK_BLUE).set_underline(FormatUnderline::Single),
            Self::Time => plain.set_align(FormatAlign::Left).set_num_format("yyyy-mm-dd hh:mm:ss"),
            Self::Date => plain.set_align(FormatAlign::Left).set_num_format("yyyy-mm-dd"),
            Self::Header => header(),
            Self::QuotedHeader => header().set_quote_prefix(),
            Self::Title => plain.set_bold().set_font_size(14),
            Self::Label => plain.set_font_color(Color::RGB(0x44_546A)),
        }
    }
}

fn header() -> Format {
    Format::new()
        .set_bold()
        .set_text_wrap()
        .set_align(FormatAlign::VerticalCenter)
        .set_background_color(HEADER_FILL)
        .set_border_bottom(FormatBorder::Thin)
        .set_border_bottom_color(HEADER_LINE)
}

/// The numbers that the workbook's styles have in the cells of a sheet.
#[derive(Debug, Clone, Default)]
pub(super) struct Styles {
    numbers: Vec<u32>,
    formats: Vec<String>,
}

impl Styles {
    /// Reads them from a template row: [`Style::ALL`], then the number formats.
    pub(super) fn read(template: &str, formats: Vec<String>) -> Result<Self, Error> {
        let number = |rest: &str| rest.split('"').next()?.parse().ok();
        let numbers: Vec<u32> = template.split(" s=\"").skip(1).filter_map(number).collect();
        if numbers.len() != Style::ALL.len() + formats.len() {
            return Err(Error::Skeleton("the styles of the template row are missing".to_owned()));
        }
        Ok(Self { numbers, formats })
    }

    pub(super) fn of(&self, style: Style) -> u32 {
        self.numbers.get(style as usize).copied().unwrap_or_default()
    }

    /// The style of a number format, if it is one of this sheet's.
    pub(super) fn of_format(&self, format: &str) -> Option<u32> {
        let place = self.formats.iter().position(|known| known == format)?;
        self.numbers.get(Style::ALL.len() + place).copied()
    }
}
