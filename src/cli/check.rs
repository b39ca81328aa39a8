//! `waybill check`

use super::fail::Failure;
use super::{Place, start};

/// Says that the settings are fine, or everything that is not.
pub(super) fn run(place: &Place) -> Result<(), Failure> {
    let settings = start::settings(place)?;
    println!("The settings are fine. Data folder: {}", settings.data.dir.display());
    Ok(())
}
