//! Records cut down to some of their fields.

use super::codec::Record;

/// Cuts records down to some of their fields.
#[derive(Debug)]
pub(super) struct Projection {
    /// By the number of a field whether it stays, as far as the highest that does.
    stays: Vec<bool>,
    /// The fields of a record that stay: the place and the number.
    found: Vec<(usize, u32)>,
}

impl Projection {
    /// To the fields of these numbers.
    pub(super) fn new(numbers: &[u32]) -> Self {
        let mut stays = vec![false; numbers.iter().max().map_or(0, |highest| *highest as usize + 1)];
        numbers.iter().for_each(|number| stays[*number as usize] = true);
        Self { stays, found: Vec::with_capacity(numbers.len()) }
    }

    /// Writes what is left of the record in these bytes behind what `out` has; nothing if they are none.
    pub(super) fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let Self { stays, found } = self;
        let record = Record::read(bytes)?;
        found.clear();
        record.each_field(|field, number| {
            if stays.get(number as usize) == Some(&true) {
                found.push((field, number));
            }
            Some(())
        })?;
        record.write_fields(found, out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Catalog;
    use super::super::codec::{Lookup, Named, encode};
    use super::*;
    use crate::domain::{Task, TaskRead};

    #[test]
    fn a_record_keeps_the_fields_it_is_cut_down_to() {
        let json =
            r#"{"_id":"61e5477601020304ffabcdef","status":"DONE","a \"b\"":[1.0,{"c":1}],"nothing":null,"ünï":"ŝ"}"#;
        for json in [json.to_owned(), json.replace("ŝ", &"ŝ".repeat(40_000))] {
            let task = Task::stored(&json).unwrap();
            let mut catalog = Catalog::default();
            let numbers: Vec<u32> = task.names().map(|name| catalog.add(&name).unwrap()).collect();
            let (mut bytes, mut out) = (Vec::new(), b"before".to_vec());
            encode(&task, &numbers, &catalog, &mut bytes);
            Projection::new(&[4, 1, 99, 2]).write(&bytes, &mut out).unwrap();
            let names = ["ünï", "status", "a \"b\""];
            let lookup = Lookup::new(&catalog, names);
            let read = Named::read(task.id(), &out[6..], &lookup).unwrap();
            assert_eq!(read.header(), task.header());
            assert_eq!(names.map(|name| read.raw(name)), names.map(|name| task.raw(name)));
            assert_eq!(["_id", "nothing"].map(|name| read.raw(name)), [None; 2]);
        }
    }
}
