//! What people see of a value in a table, for those who look before there is a file.

use serde_json::Value as Json;

use super::cell::{Cell, cell, fits};
use super::items::items;
use crate::domain::{ColumnKind, Moment, Result, Time, ValueRef, Zone};

/// A value as a workbook shows it: null, a boolean, a number, or a text. Date-times are texts by the
/// clock of `zone`, like `2025-06-15 15:00:00`.
///
/// # Errors
/// `Internal` when raw JSON is no text.
pub fn shown(value: ValueRef<'_>, kind: ColumnKind, zone: &Zone) -> Result<Json> {
    if let (ColumnKind::List, ValueRef::Json(raw)) = (kind, value)
        && raw.bytes().starts_with(b"[")
    {
        return Ok(items(raw.text()?).len().into());
    }
    Ok(match cell(value)? {
        Cell::Empty | Cell::NotANumber => Json::Null,
        Cell::Boolean(value) => value.into(),
        Cell::Number(number) if fits(number) => serde_json::from_str(number).unwrap_or_else(|_| number.into()),
        Cell::Number(number) => number.into(),
        Cell::Text(text) => {
            let at = if kind == ColumnKind::Time { Moment::parse(&text, zone) } else { None };
            let clock = at.and_then(|at| clock(Time { at, offset_seconds: None }, zone));
            clock.map_or_else(|| text.as_ref().into(), Json::from)
        }
        Cell::Time(time) => clock(time, zone).map_or(Json::Null, Json::from),
    })
}

fn clock(time: Time, zone: &Zone) -> Option<String> {
    let civil = match time.offset_seconds {
        None => zone.civil(time.at),
        Some(seconds) => Zone::utc().civil(Moment(time.at.0.saturating_add(i64::from(seconds) * 1000))),
    };
    civil.map(|civil| civil.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_a_workbook_shows_them() {
        let jakarta = Zone::named("Asia/Jakarta").unwrap_or_else(Zone::utc);
        let json = |raw: &'static str, kind| shown(ValueRef::Json(raw.into()), kind, &jakarta).unwrap();
        assert_eq!(json("1.5", ColumnKind::Auto), 1.5);
        assert_eq!(json("12345678901234567890", ColumnKind::Auto), "12345678901234567890");
        assert_eq!(json(r#"["a",true]"#, ColumnKind::Auto), "a;true");
        assert_eq!(json("null", ColumnKind::Auto), Json::Null);
        let time = r#""2025-06-15T08:00:00+00:00""#;
        assert_eq!(json(time, ColumnKind::Time), "2025-06-15 15:00:00");
        assert_eq!(json(time, ColumnKind::Auto), "2025-06-15T08:00:00+00:00");
        assert_eq!(json(r#""soon""#, ColumnKind::Time), "soon");
        assert_eq!((json("[7,8]", ColumnKind::List), json("7", ColumnKind::List)), (2.into(), 7.into()));
        let at = |offset_seconds| {
            let value = ValueRef::Time(Time { at: Moment(0), offset_seconds });
            shown(value, ColumnKind::Auto, &jakarta).unwrap()
        };
        assert_eq!(at(None), "1970-01-01 07:00:00");
        assert_eq!(at(Some(-3_600)), "1969-12-31 23:00:00");
    }
}
