//! Things that know no task: the clock, fresh ids, secrets, the ordered parallel map, the meter of a
//! run, percent-encoding, failures on demand.

pub mod clock;
pub mod fail;
pub mod ids;
pub mod meter;
pub mod ordered;
pub mod percent;
pub mod secret;
