//! The task that a script sees: read-only and lazy.

use std::sync::Arc;

/// One task, as scripts see it. Cheap to clone; all scripts of a row share one.
#[derive(Debug, Clone)]
pub struct Task(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// Some keys with their raw JSON, or none where the task does not have them.
    Keys { names: Arc<[String]>, values: Box<[Option<Box<str>>]> },
    /// All of it.
    Whole(Box<str>),
}

impl Task {
    /// A task of which only these keys are at hand; `values` are their raw JSON, in the order of `names`.
    pub fn of_keys(names: &Arc<[String]>, values: &[Option<&str>]) -> Self {
        let values = values.iter().map(|value| value.map(Box::from)).collect();
        Self(Arc::new(Source::Keys { names: Arc::clone(names), values }))
    }

    /// A task by the whole of its JSON.
    pub fn whole(json: &str) -> Self {
        Self(Arc::new(Source::Whole(json.into())))
    }

    /// The raw JSON of a top-level key.
    pub fn raw(&self, key: &str) -> Option<&str> {
        match &*self.0 {
            Source::Keys { names, values } => {
                let place = names.iter().position(|name| name == key)?;
                values.get(place)?.as_deref()
            }
            Source::Whole(json) => {
                let pairs = crate::domain::json::pairs(json).ok()?;
                pairs.into_iter().find(|(name, _)| name == key).map(|(_, raw)| raw)
            }
        }
    }
}
