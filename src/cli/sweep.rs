//! `waybill sweep`

use clap::Args;

use crate::kit::clock::ClockWatch;
use crate::sweep;

use super::fail::Failure;
use super::{Place, start};

/// What a server does now and then, on a folder that none uses.
#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// Tells what would be deleted, and deletes nothing of it
    #[arg(long)]
    dry_run: bool,
}

impl Sweep {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        let app = start::open(start::settings(place)?)?;
        if self.dry_run {
            println!("would sweep: {}", sweep::preview(&app)?);
            return Ok(());
        }
        let mut watch = ClockWatch::new(&app.clock);
        let swept = sweep::pass(&app, &mut watch)?;
        println!("swept: {swept}");
        match swept.failed {
            0 => Ok(()),
            failed => Err(Failure::new(format!("{failed} could not be deleted; the log has the causes"))),
        }
    }
}
