//! Time that has passed, where somebody may ask.

#[cfg(any(feature = "tracing", feature = "metrics"))]
use std::time::{Duration, Instant};

/// When something began; without the features, nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    begin: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Stopwatch {
            #[cfg(any(feature = "tracing", feature = "metrics"))]
            begin: Instant::now(),
        }
    }

    #[cfg(any(feature = "tracing", feature = "metrics"))]
    pub(crate) fn elapsed(self) -> Duration {
        self.begin.elapsed()
    }

    /// Seconds since then; 0 without the features.
    pub(crate) fn seconds(self) -> f64 {
        #[cfg(any(feature = "tracing", feature = "metrics"))]
        return self.elapsed().as_secs_f64();
        #[cfg(not(any(feature = "tracing", feature = "metrics")))]
        0.0
    }
}
