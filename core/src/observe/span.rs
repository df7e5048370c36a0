//! Spans and events on their way to the crate `tracing`; without the feature, nowhere.

#[cfg(any(feature = "tracing", feature = "metrics"))]
pub(super) use spans::Span;

/// An attempt of a transaction that was lost to a concurrent commit, and will be made again.
#[inline]
pub(crate) fn conflict(collection: &'static str, attempt: u32) {
    super::count(&super::figures::CONFLICTS, &[collection], 1);
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "strongroom", collection, attempt, "lost to a concurrent commit");
    #[cfg(not(feature = "tracing"))]
    let _ = attempt;
}

#[cfg(any(feature = "tracing", feature = "metrics"))]
mod spans {
    use std::future::Future;
    use std::time::Duration;

    use super::super::Operation;

    /// A span; without the feature `tracing`, nothing.
    pub(in super::super) struct Span {
        #[cfg(feature = "tracing")]
        span: tracing::Span,
    }

    impl Span {
        pub(in super::super) fn of_operation(Operation { name, collection }: Operation) -> Self {
            #[cfg(not(feature = "tracing"))]
            let _ = (name, collection);
            Span {
                #[cfg(feature = "tracing")]
                span: tracing::debug_span!(
                    target: "strongroom",
                    "operation",
                    operation = name,
                    collection = (!collection.is_empty()).then_some(collection),
                    records = tracing::field::Empty,
                    outcome = tracing::field::Empty,
                    duration_us = tracing::field::Empty,
                ),
            }
        }

        pub(in super::super) fn of_call(layer: &'static str, backend: &'static str, call: &'static str) -> Self {
            #[cfg(not(feature = "tracing"))]
            let _ = (layer, backend, call);
            Span {
                #[cfg(feature = "tracing")]
                span: tracing::trace_span!(
                    target: "strongroom::store",
                    "store",
                    call,
                    layer,
                    backend,
                    records = tracing::field::Empty,
                    outcome = tracing::field::Empty,
                    duration_us = tracing::field::Empty,
                ),
            }
        }

        /// What became of it.
        pub(in super::super) fn end(&self, records: u64, outcome: &'static str, duration: Duration) {
            #[cfg(feature = "tracing")]
            {
                let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
                self.span.record("records", records).record("outcome", outcome).record("duration_us", micros);
            }
            #[cfg(not(feature = "tracing"))]
            let _ = (records, outcome, duration);
        }

        /// The work, within the span.
        pub(in super::super) fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
            #[cfg(feature = "tracing")]
            return tracing::Instrument::instrument(work, self.span.clone());
            #[cfg(not(feature = "tracing"))]
            work
        }
    }
}
