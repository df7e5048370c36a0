//! Time that only goes forward.

use std::time::Instant;

use crate::time::{Clock, Timestamp};

/// Milliseconds since it was made. What the age of a snapshot is measured by: setting the computer's clock neither ends a
/// snapshot nor keeps it alive.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock(Instant);

impl Default for SteadyClock {
    /// Begins now.
    fn default() -> Self {
        SteadyClock(Instant::now())
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
