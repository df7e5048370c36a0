//! A store around another one that tells how long each call of it took.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;

use super::figures::{STORE_CALL_DURATION, STORE_ROWS};
use super::span::Span;
use super::watch::{Subject, watch};
use super::{count, record};
use crate::Result;
use crate::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};

/// A store, observed: every call of it is a span of the target `strongroom::store` and a figure by layer, backend and call.
///
/// Put it where you want to measure. `open(url)` has one right above the backend, so that the times are the engine's; one above the
/// encryption shows what that adds.
#[derive(Debug)]
pub struct Observed<S> {
    inner: S,
    at: Place,
}

/// Where it stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    layer: &'static str,
    backend: &'static str,
}

impl<S: Store> Observed<S> {
    /// `inner`, observed; `layer` is the name by which its figures are told from those of other layers.
    pub fn new(inner: S, layer: &'static str) -> Self {
        let backend = inner.info().name;
        Observed { inner, at: Place { layer, backend } }
    }

    /// The store below.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl Place {
    fn call(self, name: &'static str) -> Call {
        Call { at: self, name }
    }
}

/// One call of a store.
#[derive(Clone, Copy)]
struct Call {
    at: Place,
    name: &'static str,
}

impl Call {
    /// The work, watched; `rows` says how many it gave.
    async fn watch<T>(self, work: impl Future<Output = Result<T>>, rows: impl FnOnce(&T) -> usize) -> Result<T> {
        watch(self, work, |result| rows(result) as u64).await
    }
}

impl Subject for Call {
    fn span(self) -> Span {
        Span::of_call(self.at.layer, self.at.backend, self.name)
    }

    fn report(self, rows: u64, outcome: &'static str, duration: Duration) {
        let Call { at: Place { layer, backend }, name } = self;
        record(&STORE_CALL_DURATION, &[layer, backend, name, outcome], duration.as_secs_f64());
        if rows > 0 {
            count(&STORE_ROWS, &[layer, backend, name], rows);
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Read for Observed<S> {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        get(self.at, &self.inner, keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self::scan(self.at, &self.inner, scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        summarize(self.at, &self.inner, range).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Observed<S> {
    fn info(&self) -> &StoreInfo {
        self.inner.info()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let inner = self.at.call("snapshot").watch(self.inner.snapshot(), |_| 0).await?;
        Ok(Box::new(ObservedSnapshot { inner, at: self.at }))
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let rows = batches.iter().map(|batch| batch.writes.len() + batch.stamped.len()).sum();
        self.at.call("commit").watch(self.inner.commit(batches), |_| rows).await
    }

    /// Passed on unobserved: how long nothing happens is not a figure of the store.
    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.inner.changed(after).await
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.at.call("drop_range").watch(self.inner.drop_range(range, guards), |_| 0).await
    }

    async fn compact(&self) -> Result<Compaction> {
        self.at.call("compact").watch(self.inner.compact(), |_| 0).await
    }

    async fn usage(&self) -> Result<Usage> {
        self.at.call("usage").watch(self.inner.usage(), |_| 0).await
    }

    async fn close(&self) -> Result<()> {
        self.at.call("close").watch(self.inner.close(), |()| 0).await
    }
}

/// A view of an observed store.
#[derive(Debug)]
struct ObservedSnapshot {
    inner: Box<dyn Snapshot>,
    at: Place,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for ObservedSnapshot {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        get(self.at, &*self.inner, keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self::scan(self.at, &*self.inner, scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        summarize(self.at, &*self.inner, range).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Snapshot for ObservedSnapshot {
    fn revision(&self) -> Revision {
        self.inner.revision()
    }
}

async fn get(at: Place, read: &(impl Read + ?Sized), keys: &[StoredKey]) -> Result<Rows> {
    at.call("get").watch(read.get(keys), |read| read.rows.iter().flatten().count()).await
}

async fn scan(at: Place, read: &(impl Read + ?Sized), scan: &Scan) -> Result<Page> {
    at.call("scan").watch(read.scan(scan), |page| page.entries.len()).await
}

async fn summarize(at: Place, read: &(impl Read + ?Sized), range: &KeyRange) -> Result<Summary> {
    at.call("summarize").watch(read.summarize(range), |_| 0).await
}
