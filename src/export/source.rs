//! Where the tasks of an export are read from: the store, or copies beside it in the order of the export.

use crate::app::App;
use crate::domain::{Id, Result};
use crate::kit::meter::Meter;
use crate::store::{Record, Reordered, View, is_scattered};

use super::run::go_on;
use super::shape::Shape;

/// The tasks of an export, in its order.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub view: &'a View,
    pub organization: Id,
    pub ids: &'a [Id],
    pub copies: Option<&'a Reordered>,
}

impl Source<'_> {
    /// Shows the tasks of these places, which ascend, to `each`, with the raw values of `fields`.
    ///
    /// # Errors
    /// Those of `each`, which stop it; `Internal` when a task cannot be read.
    pub(super) fn read(
        self,
        places: &mut dyn Iterator<Item = usize>,
        fields: &[String],
        each: &mut dyn FnMut(&Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let Self { view, organization, ids, copies } = self;
        match copies {
            Some(copies) => view.read_reordered((copies, organization, ids), places, fields, each),
            None => {
                let ids: Vec<Id> = places.filter_map(|place| ids.get(place).copied()).collect();
                view.read(organization, &ids, fields, each)
            }
        }
    }

    /// Copies what an export of this shape wants of the tasks, where reading them would take longer.
    ///
    /// # Errors
    /// `Canceled` when told to stop; `Internal` when a task cannot be read or the copies not written.
    pub(super) fn copied(self, app: &App, shape: &Shape, meter: &Meter) -> Result<Option<Reordered>> {
        /// Bytes of a copy, and of a value in it; rather too many.
        const TASK: u64 = 2_000;
        const VALUE: u64 = 100;
        /// Left to the store and to everybody else.
        const RESERVE: u64 = 1 << 30;
        if !is_scattered(self.ids) {
            return Ok(None);
        }
        let fields = shape.wanted();
        let most = fields.map_or(TASK, |fields| TASK.min(VALUE * (fields.len() as u64 + 1)));
        let needed = self.ids.len() as u64 * most + RESERVE;
        // Whoever has no space for them reads where the tasks lie, and takes longer.
        if app.storage.folder().free_bytes()? < needed {
            return Ok(None);
        }
        let pool = app.pool_for(Some(self.ids.len() as u64));
        pool.install(|| self.view.reordered(self.organization, self.ids, fields, &|| go_on(meter))).map(Some)
    }
}
