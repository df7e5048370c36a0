//! Something that takes time: a span around it, how long it took, and what became of it.

use std::future::Future;
use std::time::Duration;

use super::Stopwatch;
use super::outcome::{DROPPED, outcome};
use super::span::Span;
use crate::Result;

/// What is watched.
pub(super) trait Subject: Copy {
    /// The span around it.
    fn span(self) -> Span;
    /// Tells its figures.
    fn report(self, records: u64, outcome: &'static str, duration: Duration);
}

/// The work, watched; `records` says how many it gave. If it is dropped before it ends, that is its outcome.
pub(super) async fn watch<T>(
    subject: impl Subject,
    work: impl Future<Output = Result<T>>,
    records: impl FnOnce(&T) -> u64,
) -> Result<T> {
    let watch = Watch { subject, stopwatch: Stopwatch::start(), span: subject.span(), told: false };
    let result = watch.span.around(work).await;
    watch.end(outcome(&result), result.as_ref().map_or(0, records));
    result
}

struct Watch<S: Subject> {
    subject: S,
    stopwatch: Stopwatch,
    span: Span,
    told: bool,
}

impl<S: Subject> Watch<S> {
    fn end(mut self, outcome: &'static str, records: u64) {
        self.tell(outcome, records);
    }

    fn tell(&mut self, outcome: &'static str, records: u64) {
        self.told = true;
        let duration = self.stopwatch.elapsed();
        self.span.end(records, outcome, duration);
        self.subject.report(records, outcome, duration);
    }
}

impl<S: Subject> Drop for Watch<S> {
    fn drop(&mut self) {
        if !self.told {
            self.tell(DROPPED, 0);
        }
    }
}
