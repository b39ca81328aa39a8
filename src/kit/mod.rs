//! Things that know no task: pauses between tries, the clock, fresh ids, percent-encoding, scratch
//! files, secrets, the ordered parallel map, the memory that a thread holds, the meter of a run, tallies,
//! the machine, failures on demand.

pub mod backoff;
pub mod clock;
pub mod fail;
pub mod ids;
pub mod machine;
pub mod memory;
pub mod meter;
pub mod ordered;
pub mod percent;
pub mod scratch;
pub mod secret;
pub mod tally;
