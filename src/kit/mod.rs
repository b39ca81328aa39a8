//! Things that know no task: the clock, fresh ids, secrets, the ordered parallel map, the memory that a
//! thread holds, the meter of a run, failures on demand.

pub mod clock;
pub mod fail;
pub mod ids;
pub mod memory;
pub mod meter;
pub mod ordered;
pub mod secret;
