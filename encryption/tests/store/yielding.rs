//! A store that waits before and after each call, so that whoever awaits it can be dropped there.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};

#[derive(Debug)]
pub(crate) struct Yielding(pub(crate) Arc<dyn Store>);

/// Gives way once.
async fn wait() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

async fn between<T>(call: impl Future<Output = T>) -> T {
    wait().await;
    let answer = call.await;
    wait().await;
    answer
}

/// Polls a future so many times and then drops it; its value if it was ready by then.
pub(crate) async fn poll_at_most<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for Yielding {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        between(self.0.get(keys)).await
    }
    async fn scan(&self, scan: &Scan) -> Result<Page> {
        between(self.0.scan(scan)).await
    }
    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        between(self.0.summarize(range)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Yielding {
    fn info(&self) -> &StoreInfo {
        self.0.info()
    }
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        between(self.0.snapshot()).await
    }
    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        // Once polled it completes, so it waits behind it only.
        let outcomes = self.0.commit(batches).await;
        wait().await;
        outcomes
    }
    async fn changed(&self, after: Revision) -> Result<Revision> {
        between(self.0.changed(after)).await
    }
    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        between(self.0.drop_range(range, guards)).await
    }
    async fn compact(&self) -> Result<Compaction> {
        between(self.0.compact()).await
    }
    async fn usage(&self) -> Result<Usage> {
        between(self.0.usage()).await
    }
    async fn close(&self) -> Result<()> {
        between(self.0.close()).await
    }
}
