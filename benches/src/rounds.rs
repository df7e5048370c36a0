//! Medians of rounds in which several variants take turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use strongroom::Result;

/// Nanoseconds that one call took, round by round.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<u64>);

impl Rounds {
    /// Runs `calls` calls, each of which is awaited, and notes what one took.
    ///
    /// # Errors
    ///
    /// The first of a call: what fails is no measurement.
    pub async fn time<T, F: Future<Output = Result<T>>>(
        &mut self,
        calls: usize,
        mut call: impl FnMut(usize) -> F,
    ) -> Result<()> {
        let begin = Instant::now();
        for number in 0..calls {
            black_box(call(number).await?);
        }
        self.note(begin.elapsed(), calls);
        Ok(())
    }

    /// The same of calls that are not awaited.
    ///
    /// # Errors
    ///
    /// As [`time`](Rounds::time).
    pub fn time_sync<T>(&mut self, calls: usize, mut call: impl FnMut(usize) -> Result<T>) -> Result<()> {
        let begin = Instant::now();
        for number in 0..calls {
            black_box(call(number)?);
        }
        self.note(begin.elapsed(), calls);
        Ok(())
    }

    /// The same of calls that cannot fail.
    pub fn time_plain<T>(&mut self, calls: usize, mut call: impl FnMut(usize) -> T) {
        let begin = Instant::now();
        for number in 0..calls {
            black_box(call(number));
        }
        self.note(begin.elapsed(), calls);
    }

    /// Notes a round that was timed elsewhere, of so many calls.
    pub fn note(&mut self, elapsed: Duration, calls: usize) {
        self.0.push((elapsed.as_nanos() / calls.max(1) as u128) as u64);
    }

    /// The median, in nanoseconds; 0 without rounds.
    pub fn median(&self) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

/// The rounds of two that are compared.
#[derive(Clone, Debug, Default)]
pub struct Pair {
    /// Those of this library.
    pub ours: Rounds,
    /// Those of what it is compared with.
    pub baseline: Rounds,
}

impl Pair {
    /// A call of each. Who is first, and so meets what the medium is still at, changes from one round to the next.
    ///
    /// # Errors
    ///
    /// As [`Rounds::time`].
    pub async fn alternate<T, U>(
        &mut self,
        round: usize,
        ours: impl Future<Output = Result<T>>,
        baseline: impl Future<Output = Result<U>>,
    ) -> Result<()> {
        // A future does nothing until it is awaited.
        let (mut ours, mut baseline) = (Some(ours), Some(baseline));
        for turn in [round, round + 1] {
            let begin = Instant::now();
            if turn.is_multiple_of(2) {
                let Some(call) = ours.take() else { continue };
                black_box(call.await?);
                self.ours.note(begin.elapsed(), 1);
            } else {
                let Some(call) = baseline.take() else { continue };
                black_box(call.await?);
                self.baseline.note(begin.elapsed(), 1);
            }
        }
        Ok(())
    }

    /// Notes the rounds of another pair as well.
    pub fn add(&mut self, other: &Pair) {
        self.ours.0.extend(&other.ours.0);
        self.baseline.0.extend(&other.baseline.0);
    }

    /// The medians, in nanoseconds.
    pub fn medians(&self) -> (u64, u64) {
        (self.ours.median(), self.baseline.median())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle_of_what_one_call_took() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.median(), 0);
        for micros in [90, 10, 50] {
            rounds.note(Duration::from_micros(micros), 10);
        }
        assert_eq!(rounds.median(), 5_000);
    }

    #[tokio::test]
    async fn a_call_that_fails_is_an_error_and_no_round() {
        let mut rounds = Rounds::default();
        let fails = || Err::<(), _>(strongroom::Error::new(strongroom::ErrorKind::NotFound, "nothing"));
        assert!(rounds.time(1, |_| async { fails() }).await.is_err());
        assert!(rounds.time_sync(1, |_| fails()).is_err());
        assert_eq!(rounds.median(), 0);
    }
}
