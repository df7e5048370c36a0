//! The store: reads go to the current view, writes to a copy that becomes the next one once it is on the medium.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use strongroom_core::store::sorted::{RecentWrites, Views, apply, drop_range};
use strongroom_core::store::{
    Batch, Caches, Compaction, Durability, Guard, KeyRange, Limits, Outcome, Page, PlainCodec, Read, Revision,
    Rows as Found, Scan, Sharing, Snapshot, Store, StoreInfo, StoredKey, Summary, Usage,
};
use strongroom_core::{Clock, Error, ErrorKind, Result};

use crate::file;
use crate::table::Rows;

const NAME: &str = "one-file";

/// A store in one file, for small amounts: a commit costs as much as there are rows.
#[derive(Debug)]
pub(crate) struct OneFile {
    path: PathBuf,
    views: Views<Rows>,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    rows: Rows,
    recent: RecentWrites,
    /// Held while the store is open.
    lock: Option<File>,
}

impl OneFile {
    pub(crate) fn open(path: PathBuf, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self> {
        let begin = || {
            // What is not a store of this backend is refused before there is a lock file beside it.
            file::read(&path)?;
            let lock = file::lock(&path)?;
            Ok((file::read(&path)?, lock))
        };
        let (rows, lock) = begin().map_err(|error: Error| error.on(NAME).during("open"))?;
        let info = StoreInfo {
            name: NAME,
            limits,
            sharing: Sharing::Exclusive,
            durability: Durability::Power,
            codec: Arc::new(PlainCodec),
            caches: Caches::default(),
        };
        let recent = RecentWrites::new(rows.revision);
        let views = Views::new(info, clock, rows.clone());
        Ok(OneFile { path, views, writer: Mutex::new(Writer { rows, recent, lock: Some(lock) }) })
    }

    /// Runs `write` on a copy of the rows, which become the current ones if it committed and the file holds them.
    ///
    /// There is no await in here, so a call that was polled once has completed.
    fn write<T>(
        &self,
        operation: &'static str,
        write: impl FnOnce(&mut Rows, &mut RecentWrites, &Limits) -> Result<(T, Revision)>,
    ) -> Result<T> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Writer { rows, recent, .. } = &mut *writer;
        let attempt = || {
            if self.views.is_closed() {
                return Err(Error::new(ErrorKind::Closed, "the store was closed"));
            }
            let mut next = rows.clone();
            let (result, revision) = write(&mut next, recent, &self.views.info().limits)?;
            if revision > rows.revision {
                next.revision = revision;
                file::write(&self.path, &next).inspect_err(|_| recent.undo_after(rows.revision))?;
                *rows = next;
                self.views.publish(rows.clone());
            }
            Ok(result)
        };
        attempt().map_err(|error| self.views.name(error, operation))
    }
}

#[async_trait]
impl Read for OneFile {
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
impl Store for OneFile {
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

    async fn compact(&self) -> Result<Compaction> {
        let (kind, message) = match self.views.is_closed() {
            true => (ErrorKind::Closed, "the store was closed"),
            false => (ErrorKind::Unsupported, "every commit writes the file anew"),
        };
        Err(self.views.name(Error::new(kind, message), "compact"))
    }

    async fn usage(&self) -> Result<Usage> {
        if self.views.is_closed() {
            return Err(self.views.name(Error::new(ErrorKind::Closed, "the store was closed"), "usage"));
        }
        // Before the first commit there is no file.
        Ok(Usage { bytes: fs::metadata(&self.path).map_or(0, |found| found.len()) })
    }

    async fn close(&self) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.views.close();
        let Some(lock) = writer.lock.take() else { return Ok(()) };
        // Not left to the drop: a process that is just being started has a copy of the descriptor, and the lock with it.
        lock.unlock()
            .map_err(|error| self.views.name(Error::new(ErrorKind::Io, "the lock stays").with_source(error), "close"))
    }
}
