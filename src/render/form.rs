//! What stands around a value in a cell of a sheet (ECMA-376, 18.3.1.4).

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
    pub(super) const ALL: usize = 4;

    /// What stands before the value, from the attribute's quote on.
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Text => "\" t=\"inlineStr\"><is><t>",
            Self::Spaced => "\" t=\"inlineStr\"><is><t xml:space=\"preserve\">",
            Self::Number => "\"><v>",
            Self::Boolean => "\" t=\"b\"><v>",
        }
    }

    /// What stands behind the value.
    pub(super) fn tail(self) -> &'static str {
        match self {
            Self::Text | Self::Spaced => "</t></is></c>",
            Self::Number | Self::Boolean => "</v></c>",
        }
    }
}
