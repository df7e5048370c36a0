//! How long each measurement takes: there are many of them.

use std::time::Duration;

use criterion::Criterion;

/// A short look at each.
pub(crate) fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        // The default, ten times as many, takes longer than what is measured.
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
}
