//! The keys that objects of a kind have. Most come in the order of objects before, and are then known by
//! one comparison, with what they mean and without a look at the others of their object.

use std::collections::HashMap;

/// Keys that are remembered when an object begins; beyond, all are forgotten.
const MOST_KNOWN: usize = 1_024;
/// Bytes of a key that is remembered.
const MOST_BYTES: usize = 256;

/// The keys of the objects before, each with what it means.
#[derive(Debug)]
pub struct Keys<M> {
    meaning: fn(&str) -> M,
    known: Vec<Known<M>>,
    numbers: HashMap<Box<str>, usize>,
    /// The number that came last after none, after number 0, after number 1, ...
    after: Vec<usize>,
    /// Where the next key is guessed from.
    place: usize,
    object: u64,
}

#[derive(Debug)]
struct Known<M> {
    /// With its quotes.
    quoted: Box<str>,
    meaning: M,
    /// The object in which it stood last.
    object: u64,
}

impl<M: Copy> Keys<M> {
    /// None yet.
    pub fn new(meaning: fn(&str) -> M) -> Self {
        Self { meaning, known: Vec::new(), numbers: HashMap::new(), after: Vec::new(), place: 0, object: 0 }
    }

    /// Begins an object.
    pub(super) fn begin(&mut self) {
        if self.known.len() > MOST_KNOWN {
            (self.known, self.numbers, self.after) = Default::default();
        }
        (self.place, self.object) = (0, self.object + 1);
    }

    /// The number of the key that `text` starts with, if it is the one that came here last, and its bytes
    /// with its quotes.
    pub(super) fn guess(&self, text: &[u8]) -> Option<(usize, usize)> {
        let number = *self.after.get(self.place)?;
        let quoted = self.known.get(number)?.quoted.as_bytes();
        text.starts_with(quoted).then_some((number, quoted.len()))
    }

    /// The number of a key that has no escapes; nothing if it is too long to be remembered.
    pub(super) fn number(&mut self, name: &str) -> Option<usize> {
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None if name.len() > MOST_BYTES => return None,
            None => {
                let number = self.known.len();
                let quoted = ["\"", name, "\""].concat().into();
                self.known.push(Known { quoted, meaning: (self.meaning)(name), object: 0 });
                self.numbers.insert(name.into(), number);
                number
            }
        };
        if self.after.len() <= self.place {
            self.after.resize(self.place + 1, 0);
        }
        *self.after.get_mut(self.place)? = number;
        Some(number)
    }

    /// What the next key of the object means; nothing if it stood there before.
    pub(super) fn take(&mut self, number: usize) -> Option<M> {
        let known = self.known.get_mut(number)?;
        self.place = number + 1;
        let is_first = known.object != self.object;
        known.object = self.object;
        is_first.then_some(known.meaning)
    }

    /// What a key means that was read in another way.
    pub fn meaning(&self, name: &str) -> M {
        (self.meaning)(name)
    }
}
