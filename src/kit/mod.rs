//! Things that know no task: the clock, fresh ids, secrets, the ordered parallel map.

pub mod clock;
pub mod ids;
pub mod ordered;
pub mod secret;
