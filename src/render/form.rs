//! What stands around a value in a cell of a sheet (ECMA-376, 18.3.1.4).

use super::short::Short;

/// How a value stands in its cell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Text,
    /// A text whose spaces at its ends count.
    Spaced,
    Number,
    Boolean,
}

impl Form {
    /// How many there are.
    const ALL: usize = 4;

    /// What stands before the value, from the end of the attributes that all have.
    fn head(self) -> &'static str {
        match self {
            Self::Text => " t=\"inlineStr\"><is><t>",
            Self::Spaced => " t=\"inlineStr\"><is><t xml:space=\"preserve\">",
            Self::Number => "><v>",
            Self::Boolean => " t=\"b\"><v>",
        }
    }

    /// What stands behind the value.
    pub(super) fn tail(self) -> &'static Short<16> {
        const TEXT: Short<16> = Short::new(b"</t></is></c>");
        const VALUE: Short<16> = Short::new(b"</v></c>");
        match self {
            Self::Text | Self::Spaced => &TEXT,
            Self::Number | Self::Boolean => &VALUE,
        }
    }

    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Spaced)
    }

    /// Its number among all forms in all styles.
    pub(super) fn number(self, style: Option<u32>) -> usize {
        Self::ALL * style.unwrap_or_default() as usize + self as usize
    }
}

/// What stands before a value: its longest is that of a text with spaces in a style of ten digits.
type Head = Short<64>;
/// A head behind the tag of its cell.
type Frame = Short<96>;

/// What stands before the values of a row, each made when it is first asked for. From row to row only the
/// last two digits of the row's number are written anew, as long as the others stay.
#[derive(Debug)]
pub(super) struct Frames {
    heads: Vec<Option<Head>>,
    /// The row's number as the sheet counts.
    place: u64,
    number: Short<24>,
    columns: Vec<ColumnFrame>,
}

#[derive(Debug)]
struct ColumnFrame {
    /// `<c r="AB`
    start: Short<16>,
    /// The number of the form that it was last made for.
    form: Option<usize>,
    bytes: Frame,
}

/// A cell's beginning that was just written.
pub(super) struct Opened {
    /// Where the row's number stands in it.
    pub number: usize,
    /// The number of its form.
    pub form: usize,
}

impl Frames {
    /// For columns that begin so.
    pub(super) fn new(starts: impl Iterator<Item = Short<16>>) -> Self {
        let column = |start| ColumnFrame { start, form: None, bytes: Frame::new(b"") };
        Self { heads: Vec::new(), place: 0, number: Short::new(b""), columns: starts.map(column).collect() }
    }

    /// Begins a row, and gives its number in digits.
    pub(super) fn row(&mut self, place: u64) -> Short<24> {
        const STEP: u64 = 100;
        let before = std::mem::replace(&mut self.place, place);
        if before >= STEP / 10 && before / STEP == place / STEP {
            let last = [b'0' + (place / 10 % 10) as u8, b'0' + (place % 10) as u8];
            self.number.replace_before(self.number.len(), last);
            for column in &mut self.columns {
                column.bytes.replace_before(column.start.len() + self.number.len(), last);
            }
        } else {
            self.number = Short::new(itoa::Buffer::new().format(place).as_bytes());
            self.columns.iter_mut().for_each(|column| column.form = None);
        }
        self.number
    }

    /// Writes what stands before the value of a column.
    pub(super) fn open(&mut self, column: usize, style: Option<u32>, form: Form, out: &mut Vec<u8>) -> Opened {
        let number = form.number(style);
        let Some(frame) = self.columns.get_mut(column) else { return Opened { number: out.len(), form: number } };
        if frame.form != Some(number) {
            if self.heads.len() <= number {
                self.heads.resize(number + 1, None);
            }
            frame.form = Some(number);
            frame.bytes = Frame::new(b"");
            frame.bytes.push(&frame.start);
            frame.bytes.push(&self.number);
            frame.bytes.push(self.heads[number].get_or_insert_with(|| head(style, form)));
        }
        let at = out.len() + frame.start.len();
        frame.bytes.put(out);
        Opened { number: at, form: number }
    }
}

/// What stands between a row's number and a value.
fn head(style: Option<u32>, form: Form) -> Head {
    let style = style.map(|style| format!(" s=\"{style}\"")).unwrap_or_default();
    Head::new(format!("\"{style}{}", form.head()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Frames {
        Frames::new(["<c r=\"A", "<c r=\"XFD"].into_iter().map(|start| Short::new(start.as_bytes())))
    }

    fn opened(frames: &mut Frames, column: usize, style: Option<u32>, form: Form) -> (String, usize) {
        let mut out = b"..".to_vec();
        let opened = frames.open(column, style, form, &mut out);
        (String::from_utf8(out.split_off(2)).unwrap_or_default(), opened.number - 2)
    }

    #[test]
    fn every_frame_has_room() {
        let mut frames = frames();
        frames.row(1_048_576);
        let mut open = |style, form| opened(&mut frames, 1, style, form).0;
        assert_eq!(open(None, Form::Text), "<c r=\"XFD1048576\" t=\"inlineStr\"><is><t>");
        assert_eq!(open(Some(6), Form::Number), "<c r=\"XFD1048576\" s=\"6\"><v>");
        assert_eq!(open(Some(12), Form::Boolean), "<c r=\"XFD1048576\" s=\"12\" t=\"b\"><v>");
        let longest = head(Some(u32::MAX), Form::Spaced);
        assert_eq!(longest.len(), "\" s=\"4294967295\" t=\"inlineStr\"><is><t xml:space=\"preserve\">".len());
    }

    #[test]
    fn frames_have_the_number_of_their_row_in_whatever_order_rows_and_forms_come() {
        let mut frames = frames();
        for place in (2..1_300).chain([99_999, 100_000, 7, 100_001, 100_010, 3]) {
            assert_eq!(frames.row(place).len(), place.to_string().len());
            for column in [0, 1] {
                if (place + column as u64).is_multiple_of(3) {
                    continue;
                }
                let is_text = place / 7 % 2 == 0;
                let (form, head) =
                    if is_text { (Form::Text, " t=\"inlineStr\"><is><t>") } else { (Form::Number, "><v>") };
                let start = ["<c r=\"A", "<c r=\"XFD"][column];
                let expected = (format!("{start}{place}\"{head}"), start.len());
                assert_eq!(opened(&mut frames, column, None, form), expected);
            }
        }
    }
}
