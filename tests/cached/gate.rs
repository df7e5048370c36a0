//! A gate in a store.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::task::Poll;

use strongroom::Result;
use strongroom::store::{Batch, Guard, KeyRange, Outcome, Store};
use strongroom_conformance::twist::Twist;

/// Commits are done and not told of until the gate opens.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) closed: AtomicBool,
    pub(crate) held: AtomicUsize,
}
impl Gate {
    pub(crate) async fn pass(&self) {
        let mut first = true;
        futures_util::future::poll_fn(|context| {
            if !self.closed.load(SeqCst) {
                return Poll::Ready(());
            }
            if first {
                self.held.fetch_add(1, SeqCst);
            }
            first = false;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
#[async_trait::async_trait]
impl Twist for Gate {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let outcomes = inner.commit(batches).await;
        self.pass().await;
        outcomes
    }
    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.pass().await;
        inner.drop_range(range, guards).await
    }
}
