//! Medians of rounds in which both take turns.

use std::time::Instant;

/// The rounds of two.
#[derive(Default)]
pub(crate) struct Pair {
    ours: Vec<u64>,
    other: Vec<u64>,
}

impl Pair {
    /// Times one call of each.
    pub(crate) async fn time<O: Future, T: Future>(&mut self, ours: O, other: T) -> (O::Output, T::Output) {
        let begin = Instant::now();
        let ours = ours.await;
        self.ours.push(begin.elapsed().as_nanos() as u64);
        let begin = Instant::now();
        let other = other.await;
        self.other.push(begin.elapsed().as_nanos() as u64);
        (ours, other)
    }

    /// Prints a row of the table.
    pub(crate) fn print(mut self, operation: &str) {
        let median = |rounds: &mut Vec<u64>| {
            rounds.sort_unstable();
            rounds[rounds.len() / 2] as f64 / 1e3
        };
        let (ours, other) = (median(&mut self.ours), median(&mut self.other));
        println!("| {operation} | {ours:.1} µs | {other:.1} µs | {:.2} |", ours / other);
    }
}
