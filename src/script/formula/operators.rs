//! What stands between two values, exactly as Rhai has it.

use rhai::Token;

use super::super::plain::Plain;

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
    Compare(Comparison),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// The one that a script writes so.
    pub fn of(token: &Token) -> Option<Self> {
        Some(match token {
            Token::Plus => Self::Plus,
            Token::Minus => Self::Minus,
            Token::Multiply => Self::Times,
            Token::Divide => Self::Over,
            Token::Modulo => Self::Modulo,
            Token::EqualsTo => Self::Compare(Comparison::Equal),
            Token::NotEqualsTo => Self::Compare(Comparison::Unequal),
            Token::LessThan => Self::Compare(Comparison::Less),
            Token::LessThanEqualsTo => Self::Compare(Comparison::LessOrEqual),
            Token::GreaterThan => Self::Compare(Comparison::Greater),
            Token::GreaterThanEqualsTo => Self::Compare(Comparison::GreaterOrEqual),
            _ => return None,
        })
    }

    /// The value of numbers, truths and comparisons; nothing for texts put together, and for what Rhai has to
    /// judge.
    pub fn apply<'a>(self, a: &Plain, b: &Plain) -> Option<Plain<'a>> {
        if let Self::Compare(comparison) = self {
            return comparison.holds(a, b).map(Plain::Bool);
        }
        match (a, b) {
            (Plain::Int(a), Plain::Int(b)) => self.whole(*a, *b).map(Plain::Int),
            _ => Some(Plain::Float(self.float(number(a)?, number(b)?))),
        }
    }

    fn whole(self, a: i64, b: i64) -> Option<i64> {
        match self {
            Self::Plus => a.checked_add(b),
            Self::Minus => a.checked_sub(b),
            Self::Times => a.checked_mul(b),
            Self::Over => a.checked_div(b),
            Self::Modulo => a.checked_rem(b),
            Self::Compare(_) => None,
        }
    }

    fn float(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Plus => a + b,
            Self::Minus => a - b,
            Self::Times => a * b,
            Self::Over => a / b,
            Self::Modulo => a % b,
            Self::Compare(_) => f64::NAN,
        }
    }
}

impl Comparison {
    fn holds(self, a: &Plain, b: &Plain) -> Option<bool> {
        match (a, b) {
            (Plain::Int(a), Plain::Int(b)) => Some(self.of(a.cmp(b))),
            (Plain::Text(a), Plain::Text(b)) => Some(self.of(a.cmp(b))),
            (Plain::Bool(a), Plain::Bool(b)) => Some(self.of(a.cmp(b))),
            (Plain::Time(a), Plain::Time(b)) => Some(self.of(a.at.cmp(&b.at))),
            (Plain::Unit, Plain::Unit) => Some(self == Self::Equal),
            (Plain::Int(_) | Plain::Float(_), Plain::Int(_) | Plain::Float(_)) => {
                Some(self.near(number(a)?, number(b)?))
            }
            // Types of our own are compared by functions of our own, lists and maps by Rhai.
            (Plain::Time(_) | Plain::Link(_) | Plain::Task, _) | (_, Plain::Time(_) | Plain::Link(_) | Plain::Task) => {
                None
            }
            (Plain::Json(_) | Plain::List(_) | Plain::Map(_), Plain::Json(_) | Plain::List(_) | Plain::Map(_)) => None,
            // Values of different kinds are neither equal nor less nor more.
            _ => Some(self == Self::Unequal),
        }
    }

    fn of(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// To Rhai, floats are equal that differ by no more than the last of their bits.
    fn near(self, a: f64, b: f64) -> bool {
        let size = if a * b == 0.0 { 1.0 } else { a.abs().max(b.abs()) };
        match self {
            Self::Equal => (a - b).abs() / size <= f64::EPSILON,
            Self::Unequal => (a - b).abs() / size > f64::EPSILON,
            Self::Less => (b - a) / size > f64::EPSILON,
            Self::LessOrEqual => (b - a) / size > -f64::EPSILON,
            Self::Greater => (a - b) / size > f64::EPSILON,
            Self::GreaterOrEqual => (a - b) / size > -f64::EPSILON,
        }
    }
}

fn number(value: &Plain) -> Option<f64> {
    match value {
        Plain::Int(whole) => Some(*whole as f64),
        Plain::Float(number) => Some(*number),
        _ => None,
    }
}
