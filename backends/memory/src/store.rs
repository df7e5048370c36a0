//! The store over the rows.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use strongroom_core::store::sorted::{RecentWrites, SteadyClock, Views, apply, drop_range};
use strongroom_core::store::{
    Batch, Caches, Compaction, Durability, Guard, KeyRange, Limits, Outcome, Page, PlainCodec, Read, Revision,
    Rows as Found, Scan, Sharing, Snapshot, Store, StoreInfo, StoredKey, Summary, Usage,
};
use strongroom_core::{Clock, Error, ErrorKind, Result};

use crate::table::Rows;

const NAME: &str = "memory";

/// A store in memory, for tests and for what need not last.
#[derive(Debug)]
pub struct Memory {
    views: Views<Rows>,
    writer: Mutex<Writer>,
}

/// What may differ from one [`Memory`] to another.
#[derive(Clone, Debug)]
pub struct MemoryOptions {
    /// What it accepts.
    pub limits: Limits,
    /// What snapshots age by; it should never go back.
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Writer {
    rows: Rows,
    recent: RecentWrites,
}

impl Default for MemoryOptions {
    /// The default limits, and time since now.
    fn default() -> Self {
        MemoryOptions { limits: Limits::default(), clock: Arc::new(SteadyClock::default()) }
    }
}

impl Memory {
    /// An empty store with the default limits.
    pub fn new() -> Self {
        Memory::with_options(MemoryOptions::default())
    }

    /// An empty store.
    pub fn with_options(options: MemoryOptions) -> Self {
        let info = StoreInfo {
            name: NAME,
            limits: options.limits,
            sharing: Sharing::Exclusive,
            durability: Durability::Volatile,
            codec: Arc::new(PlainCodec),
            caches: Caches::default(),
        };
        let rows = Rows::default();
        let recent = RecentWrites::new(rows.revision);
        Memory { views: Views::new(info, options.clock, rows.clone()), writer: Mutex::new(Writer { rows, recent }) }
    }

    /// Runs `write` on a copy of the rows, which become the current ones if it gives a new revision.
    fn write<T>(
        &self,
        operation: &'static str,
        write: impl FnOnce(&mut Rows, &mut RecentWrites, &Limits) -> Result<(T, Revision)>,
    ) -> Result<T> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.views.is_closed() {
            return Err(self.closed(operation));
        }
        let Writer { rows, recent } = &mut *writer;
        let mut changed = rows.clone();
        let (result, revision) = write(&mut changed, recent, &self.views.info().limits)
            .map_err(|error| self.views.name(error, operation))?;
        if revision > rows.revision {
            changed.revision = revision;
            *rows = changed;
            self.views.publish(rows.clone());
        }
        Ok(result)
    }

    fn closed(&self, operation: &'static str) -> Error {
        self.views.name(Error::new(ErrorKind::Closed, "the store was closed"), operation)
    }

    fn bytes(&self, operation: &'static str) -> Result<u64> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.views.is_closed() { Err(self.closed(operation)) } else { Ok(writer.rows.bytes) }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

#[async_trait]
impl Read for Memory {
    async fn get(&self, keys: &[StoredKey]) -> Result<Found> {
        self.views.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.views.scan(scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.views.summarize(range).await
    }
}

#[async_trait]
impl Store for Memory {
    fn info(&self) -> &StoreInfo {
        self.views.info()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.views.snapshot().await
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.write("commit", |rows, recent, limits| {
            let applied = apply(rows, &batches, rows.revision, limits, recent)?;
            Ok((applied.outcomes, applied.revision))
        })
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.views.changed(after).await
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.write("drop_range", |rows, recent, limits| {
            let current = rows.revision;
            let outcome = drop_range(rows, range, guards, current, limits, recent)?;
            let revision = outcome.revision().unwrap_or(current);
            Ok((outcome, revision))
        })
    }

    /// Nothing to do: what is removed is freed when the last view of it ends. The bytes are those of [`Self::usage`].
    async fn compact(&self) -> Result<Compaction> {
        let bytes = self.bytes("compact")?;
        Ok(Compaction { bytes_before: bytes, bytes_after: bytes })
    }

    /// Bytes of all keys and rows as they are now, without the map's own overhead and what snapshots still hold.
    async fn usage(&self) -> Result<Usage> {
        Ok(Usage { bytes: self.bytes("usage")? })
    }

    async fn close(&self) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.views.close();
        writer.rows = Rows::default();
        Ok(())
    }
}
