//! The costs of a bill as columns: `<billId>.<cost name>` and `<billId>.totalCost` (contract 5).
//!
//! A bill is a list of items. An item with `costs` has those, a list of named costs or an object of
//! amounts by name; any other item is a named cost itself. A named cost has its name in `title` or
//! `name` and its amount in `cost`, `amount`, `price` or `value`, as a number or the text of one. A
//! bill that is an object keeps its list in `items`, or is an item by its `costs`.

use serde_json::Value as Json;

use crate::domain::Value;

/// The name that stands for all costs together.
pub(super) const TOTAL: &str = "totalCost";

/// Which costs of a bill are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cost {
    /// All of them.
    Total,
    /// Those of this name.
    Named(String),
}

impl Cost {
    /// The costs that are meant by what stands behind `<billId>.`.
    pub(super) fn of_name(name: &str) -> Self {
        if name == TOTAL { Self::Total } else { Self::Named(name.trim().to_owned()) }
    }

    /// The sum of these costs in a bill; nothing where it has none of them.
    pub(super) fn of(&self, bill: &str) -> Value {
        let Ok(bill) = serde_json::from_str::<Json>(bill) else { return Value::Empty };
        let mut sum = Sum::default();
        each_cost(&bill, &mut |name, amount| match self {
            Self::Total => sum.add(amount),
            Self::Named(wanted) if wanted == name.trim() => sum.add(amount),
            Self::Named(_) => {}
        });
        sum.value()
    }
}

/// Shows each cost of a bill with its name.
fn each_cost(bill: &Json, each: &mut dyn FnMut(&str, f64)) {
    match (bill, bill.get("items")) {
        (Json::Array(items), _) | (_, Some(Json::Array(items))) => items.iter().for_each(|item| of_item(item, each)),
        _ => of_item(bill, each),
    }
}

fn of_item(item: &Json, each: &mut dyn FnMut(&str, f64)) {
    match item.get("costs") {
        Some(Json::Array(costs)) => costs.iter().for_each(|cost| named(cost, each)),
        Some(Json::Object(costs)) => {
            costs.iter().for_each(|(name, cost)| {
                if let Some(amount) = amount(cost) {
                    each(name, amount)
                }
            });
        }
        _ => named(item, each),
    }
}

fn named(cost: &Json, each: &mut dyn FnMut(&str, f64)) {
    let name = ["title", "name"].iter().find_map(|key| cost.get(key)?.as_str()).unwrap_or_default();
    let amount = ["cost", "amount", "price", "value"].iter().find_map(|key| amount(cost.get(key)?));
    if let Some(amount) = amount {
        each(name, amount);
    }
}

fn amount(value: &Json) -> Option<f64> {
    let number = match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

/// A sum with as many decimals as its parts have, so that 0.1 and 0.2 are 0.3.
#[derive(Debug, Default)]
struct Sum {
    total: Option<f64>,
    decimals: usize,
}

impl Sum {
    fn add(&mut self, amount: f64) {
        /// What a double keeps, whatever stands before the point.
        const MOST: usize = 15;
        let digits = amount.to_string();
        let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        self.decimals = self.decimals.max(decimals.min(MOST));
        self.total = Some(self.total.unwrap_or_default() + amount);
    }

    fn value(&self) -> Value {
        match self.total.filter(|total| total.is_finite()) {
            None => Value::Empty,
            Some(total) => {
                let digits = format!("{total:.*}", self.decimals);
                let digits = match digits.contains('.') {
                    true => digits.trim_end_matches('0').trim_end_matches('.'),
                    false => &digits,
                };
                Value::Json(if digits == "-0" { "0" } else { digits }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(name: &str, bill: &str) -> Value {
        Cost::of_name(name).of(bill)
    }

    fn number(digits: &str) -> Value {
        Value::Json(digits.into())
    }

    #[test]
    fn costs_are_summed_by_name_and_together_without_losing_a_cent() {
        let bill = r#"[{"title":"Goods","cost":0.1},{"title":"Goods","cost":"0.2"},{"name":"Fee","amount":40},
            {"title":"Extra","costs":[{"title":"Toll","price":1.25},{"title":"Fee","value":-1}]},
            {"title":"More","costs":{"Ice":2,"Free":null}},{"title":"No cost"},7,null]"#;
        assert_eq!(cost("Goods", bill), number("0.3"));
        assert_eq!(cost("Fee", bill), number("39"));
        assert_eq!((cost("Toll", bill), cost("Ice", bill)), (number("1.25"), number("2")));
        assert_eq!(cost("totalCost", bill), number("42.55"));
        assert_eq!((cost("Free", bill), cost("More", bill)), (Value::Empty, Value::Empty));
    }

    #[test]
    fn a_bill_that_is_an_object_has_its_costs_too_and_what_is_no_bill_has_none() {
        assert_eq!(cost("totalCost", r#"{"items":[{"title":"a","cost":1.5}]}"#), number("1.5"));
        assert_eq!(cost("a", r#"{"costs":{"a":1000000}}"#), number("1000000"));
        for other in ["[]", "7", "null", r#""12""#, "{}"] {
            assert_eq!(cost("totalCost", other), Value::Empty, "{other}");
        }
    }
}
