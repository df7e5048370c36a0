//! Medians of rounds in which several variants take turns.

use std::time::Instant;

/// Nanoseconds that one call took, round by round.
#[derive(Default)]
pub(crate) struct Rounds(Vec<u64>);

impl Rounds {
    /// Runs `calls` calls, each of which is awaited, and notes what one took.
    pub(crate) async fn time<F: Future>(&mut self, calls: usize, mut call: impl FnMut(usize) -> F) {
        let begin = Instant::now();
        for number in 0..calls {
            std::hint::black_box(call(number).await);
        }
        self.0.push((begin.elapsed().as_nanos() / calls as u128) as u64);
    }

    /// The median, in nanoseconds.
    pub(crate) fn median(&mut self) -> u64 {
        self.0.sort_unstable();
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }
}
