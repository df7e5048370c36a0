//! Commits that are lost, or happen twice, when their future is dropped.

use std::sync::Arc;

use strongroom_core::store::{Batch, Store};

use super::Broken;
use super::changes::Changes;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "a_dropped_commit_is_lost",
        wrong: "A commit that was polled ends with its future: what it was to write is lost.",
        caught_by: "semantics::a_commit_that_was_polled_once_happens_though_it_is_dropped",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, batches| async move {
                tokio::task::yield_now().await;
                inner.commit(batches).await
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "a_dropped_commit_happens_twice",
        wrong: "A commit whose future is dropped is made again, although it had begun.",
        caught_by: "semantics::a_dropped_commit_happens_once",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, batches: Vec<Batch>| async move {
                let mut twice = Twice { inner: inner.clone(), batches: batches.clone() };
                tokio::task::yield_now().await;
                twice.batches.clear();
                inner.commit(batches).await
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "a_dropped_commit_happens_in_part",
        wrong: "A commit writes batch by batch, and ends with its future between two.",
        caught_by: "semantics::a_dropped_commit_of_several_batches_happens_whole",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, batches: Vec<Batch>| async move {
                let mut outcomes = Vec::new();
                for batch in batches {
                    outcomes.extend(inner.commit(vec![batch]).await?);
                    tokio::task::yield_now().await;
                }
                Ok(outcomes)
            };
            Changes::default().commit(call).on(inner)
        },
    },
];

/// Makes its batches twice when it is dropped: as if the commit had begun, and were made again.
struct Twice {
    inner: Arc<dyn Store>,
    batches: Vec<Batch>,
}

impl Drop for Twice {
    fn drop(&mut self) {
        if !self.batches.is_empty() {
            let (inner, batches) = (self.inner.clone(), [&self.batches[..], &self.batches].concat());
            // What becomes of it is told to nobody.
            tokio::spawn(async move { inner.commit(batches).await.ok() });
        }
    }
}
