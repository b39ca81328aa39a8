//! Things that know no task: the clock, fresh ids, secrets, the ordered parallel map, the meter of a
//! run.

pub mod clock;
pub mod ids;
pub mod meter;
pub mod ordered;
pub mod secret;
