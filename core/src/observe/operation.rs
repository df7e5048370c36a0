//! One operation: a span around it, how long it took, and what became of it.

use std::future::Future;

use crate::Result;

/// An operation that is about to be done: its name, and the collection that it is about.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is told before it watches some work"]
pub struct Operation {
    pub(super) name: &'static str,
    /// Empty: of none, or of several.
    pub(super) collection: &'static str,
}

/// An operation of this name: a verb, in the manner of a function.
pub fn operation(name: &'static str) -> Operation {
    Operation { name, collection: "" }
}

impl Operation {
    /// It is about this collection, by name.
    pub fn on(self, collection: &'static str) -> Self {
        Operation { collection, ..self }
    }

    /// The work, watched: its future is to be awaited as it was.
    ///
    /// If the future is dropped before it ends, that is its outcome.
    pub fn watch<T, F: Future<Output = Result<T>>>(self, work: F) -> impl Future<Output = Result<T>> {
        self.counting(work, |_| 0)
    }

    /// As [`watch`](Self::watch), and tells how many records there were.
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    pub fn counting<T, F, C>(self, work: F, records: C) -> impl Future<Output = Result<T>>
    where
        F: Future<Output = Result<T>>,
        C: FnOnce(&T) -> u64,
    {
        super::watch::watch(self, work, records)
    }

    /// As [`watch`](Self::watch), and tells how many records there were.
    #[cfg(not(any(feature = "tracing", feature = "metrics")))]
    #[inline]
    pub fn counting<T, F, C>(self, work: F, _records: C) -> impl Future<Output = Result<T>>
    where
        F: Future<Output = Result<T>>,
        C: FnOnce(&T) -> u64,
    {
        let _unheard = (self.name, self.collection);
        work
    }
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
impl super::watch::Subject for Operation {
    fn span(self) -> super::span::Span {
        super::span::Span::of_operation(self)
    }

    fn report(self, records: u64, outcome: &'static str, duration: std::time::Duration) {
        use super::figures::{OPERATION_DURATION, OPERATION_RECORDS};
        let Operation { name, collection } = self;
        super::record(&OPERATION_DURATION, &[name, collection, outcome], duration.as_secs_f64());
        if records > 0 {
            super::count(&OPERATION_RECORDS, &[name, collection], records);
        }
    }
}
