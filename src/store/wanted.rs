//! The fields that are taken out of many records.

use super::catalog::Catalog;
use super::codec::Record;
use crate::domain::ValueRef;

/// Where the value of each field goes. A record is gone through once, however many fields are wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    /// How many are wanted.
    count: usize,
    /// By a field's number its place in a row, as far as the highest number that is wanted.
    places: Vec<Option<u32>>,
    /// The places of fields that are wanted once more, each with the place of the first.
    again: Vec<(usize, u32)>,
}

impl Wanted {
    /// Prepares for these fields.
    pub(super) fn new(catalog: &Catalog, fields: &[String]) -> Self {
        let (mut places, mut again) = (Vec::new(), Vec::new());
        let known = fields.iter().enumerate().filter_map(|(place, name)| Some((place, catalog.number(name)? as usize)));
        for (place, number) in known {
            if places.len() <= number {
                places.resize(number + 1, None);
            }
            match places[number] {
                Some(first) => again.push((place, first)),
                // No request has as many fields.
                None => places[number] = Some(place as u32),
            }
        }
        Self { count: fields.len(), places, again }
    }

    /// Puts the values of a record into `cells`, in the order of the fields; nothing if one is not where
    /// the record says.
    pub(super) fn take<'a>(&self, record: &Record<'a>, cells: &mut Vec<ValueRef<'a>>) -> Option<()> {
        cells.clear();
        cells.resize(self.count, ValueRef::Empty);
        record.each_field(|field, number| {
            if let Some(Some(place)) = self.places.get(number as usize) {
                *cells.get_mut(*place as usize)? = ValueRef::Json(record.value(field)?);
            }
            Some(())
        })?;
        for (place, first) in &self.again {
            cells.copy_within(*first as usize..*first as usize + 1, *place);
        }
        Some(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::codec::encode;
    use super::*;
    use crate::domain::{Task, TaskRead};

    #[test]
    fn fields_are_taken_in_the_order_in_which_they_are_wanted_and_as_often() {
        let task = Task::stored(r#"{"_id":"61e5477601020304ffabcdef","a":1,"b":"x","c":[2,3]}"#).unwrap();
        let mut catalog = Catalog::default();
        let numbers: Vec<u32> = ["z", "c", "b", "_id", "a"].map(|name| catalog.add(name).unwrap()).to_vec();
        let fields = ["c", "unknown", "z", "a", "c", "_id", "a", "c"].map(str::to_owned);
        for more in [0, 70_000] {
            (0..more).for_each(|number| assert!(catalog.add(&format!("more {number}")).is_some()));
            let a = if more == 0 { numbers[4] } else { catalog.add("far").unwrap() };
            let mut bytes = Vec::new();
            encode(&task, &[numbers[3], a, numbers[2], numbers[1]], &catalog, &mut bytes);
            let fields = fields.clone().map(|name| if name == "a" && more > 0 { "far".to_owned() } else { name });
            let mut cells = vec![ValueRef::Empty; 3];
            Wanted::new(&catalog, &fields).take(&Record::read(&bytes).unwrap(), &mut cells).unwrap();
            let expected = fields.each_ref().map(|name| task.raw(if name == "far" { "a" } else { name }));
            assert_eq!(cells.iter().map(|cell| cell.json().unwrap()).collect::<Vec<_>>(), expected);
        }
    }
}
