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

/// What stands before values, each made when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Heads(Vec<Option<Head>>);

/// The longest is one of a text with spaces in a style of ten digits.
pub(super) type Head = Short<64>;

impl Heads {
    /// What stands between a row's number and a value.
    pub(super) fn head(&mut self, style: Option<u32>, form: Form) -> &Head {
        let number = form.number(style);
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        self.0[number].get_or_insert_with(|| {
            let style = style.map(|style| format!(" s=\"{style}\"")).unwrap_or_default();
            Head::new(format!("\"{style}{}", form.head()).as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_head_has_room() {
        let mut heads = Heads::default();
        let mut put = |style, form| {
            let mut out = Vec::new();
            heads.head(style, form).put(&mut out);
            String::from_utf8(out).unwrap_or_default()
        };
        assert_eq!(put(None, Form::Text), "\" t=\"inlineStr\"><is><t>");
        assert_eq!(put(Some(6), Form::Number), "\" s=\"6\"><v>");
        assert_eq!(put(Some(12), Form::Boolean), "\" s=\"12\" t=\"b\"><v>");
        let longest = Head::new(b"\" s=\"4294967295\" t=\"inlineStr\"><is><t xml:space=\"preserve\">");
        assert!(longest.len() < 64);
    }
}
