//! The store: reads where they are called, writes through the writer's thread.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use strongroom_core::store::sorted::{SteadyClock, Views};
use strongroom_core::store::{
    Batch, Caches, Compaction, Durability, Guard, KeyRange, Limits, Outcome, Page, PlainCodec, Read, Revision, Rows,
    Scan, Sharing, Snapshot, Store, StoreInfo, StoredKey, Summary, Usage,
};
use strongroom_core::{Clock, Error, Result};
use tokio::sync::oneshot;

use crate::error::from_io;
use crate::file::{self, Opened};
use crate::table::{RowsView, guarded};
use crate::writer::{Job, Opener, Readers, Reply, Settings, Writer, closed, view};

const NAME: &str = "redb";

/// A store in one file, through the engine redb.
///
/// A file is open once: in one process, through one handle. Dropping the handle finishes what was begun and releases the
/// file, as [`close`](Store::close) does, but blocks until that is done and hides what goes wrong: close it.
pub struct Redb {
    views: Arc<Views<RowsView>>,
    path: PathBuf,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct RedbOptions {
    /// Bytes of pages that are kept in memory. 64 MiB unless set.
    pub cache_bytes: usize,
    /// Commits also save what a reopening after a crash needs, so that it takes a moment, not a walk over the whole file.
    /// A lone commit costs about 1.6 times as much, a large group about the same. On unless switched off.
    pub quick_repair: bool,
    /// Reads every page and compares its checksum when the store is opened: damage by anything else than a crash is found
    /// then, and not when the page is read. Takes as long as reading the whole file. Off unless switched on.
    pub check: bool,
    /// What the store accepts.
    pub limits: Limits,
    /// What snapshots age by; it should never go back.
    pub clock: Arc<dyn Clock>,
}

impl Default for RedbOptions {
    fn default() -> Self {
        RedbOptions {
            cache_bytes: 64 << 20,
            quick_repair: true,
            check: false,
            limits: Limits::default(),
            clock: Arc::new(SteadyClock::default()),
        }
    }
}

impl Redb {
    /// Opens the store at `path`, or makes one if there is nothing or an empty file. A new file is readable by its owner
    /// alone. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// In all cases the file stays as it is, byte for byte.
    ///
    /// - `Busy`: it is open already, in this process or another.
    /// - `NotAStore`: it is something else, also a redb database of another program.
    /// - `Corrupt`: it was cut short or damaged.
    /// - `UnsupportedVersion`: a newer version of this program wrote it.
    /// - `Io`: its folder does not exist, permissions, no space.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        RedbOptions::default().open(path)
    }

    /// Over an open file; `reopen` opens it again after a failure.
    pub(crate) fn start(path: &Path, opened: Opened, reopen: Opener, options: RedbOptions) -> Result<Self> {
        let readers = Readers::new();
        let first = guarded(|| view(&opened.database, opened.revision, &readers))?;
        let info = StoreInfo {
            name: NAME,
            limits: options.limits,
            sharing: Sharing::Exclusive,
            durability: Durability::Power,
            codec: Arc::new(PlainCodec),
            caches: Caches::default(),
        };
        let views = Arc::new(Views::new(info, options.clock, first));
        let RedbOptions { cache_bytes, quick_repair, limits, .. } = options;
        let settings = Settings { path: path.to_owned(), reopen, quick_repair, cache_bytes, limits };
        let writer = Writer::new(opened, readers, settings, views.clone());
        let (jobs, queue) = mpsc::channel();
        let writer = thread::Builder::new().name("strongroom-redb".to_owned()).spawn(move || writer.run(&queue));
        let writer = writer.map_err(|error| from_io(&error, "no thread could be started"))?;
        Ok(Redb { views, path: path.to_owned(), jobs: Some(jobs), writer: Some(writer) })
    }

    /// Hands a job to the writer and waits for its answer. The job is done even if the wait is given up.
    async fn ask<T>(&self, operation: &'static str, job: impl FnOnce(Reply<T>) -> Job) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job(reply)).is_ok());
        // The writer drops what it has not done when it closes.
        let answer = if sent { answer.await.unwrap_or_else(|_| Err(closed())) } else { Err(closed()) };
        answer.map_err(|error| self.views.name(error, operation))
    }
}

impl RedbOptions {
    /// [`Redb::open`] with these options.
    ///
    /// # Errors
    ///
    /// As [`Redb::open`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Redb> {
        let open = || {
            // Absolute, since the process may move before the file is opened again.
            let path = std::path::absolute(path).map_err(|error| from_io(&error, "no such path is possible"))?;
            // Where the file is, whatever links lead to it: there a compaction replaces it, and there it leaves what it could not finish.
            let located = |path: PathBuf| std::fs::canonicalize(&path).unwrap_or(path);
            let path = located(path);
            let opened = file::open(&path, self.cache_bytes, self.check)?;
            // A file that was made just now may be behind linked folders.
            let path = located(path);
            let (again, cache_bytes) = (path.clone(), self.cache_bytes);
            Redb::start(&path, opened, Box::new(move || file::reopen(&again, cache_bytes)), self)
        };
        open().map_err(|error: Error| error.on(NAME).during("open"))
    }
}

impl Drop for Redb {
    fn drop(&mut self) {
        // Without a sender the writer finishes its queue and closes.
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take().filter(|writer| writer.thread().id() != thread::current().id()) {
            writer.join().ok();
        }
    }
}

impl fmt::Debug for Redb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redb").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Read for Redb {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
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
impl Store for Redb {
    fn info(&self) -> &StoreInfo {
        self.views.info()
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.views.snapshot().await
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.ask("commit", |reply| Job::Commit(batches, reply)).await
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.views.changed(after).await
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.ask("drop_range", |reply| Job::DropRange(range.clone(), guards.to_vec(), reply)).await
    }

    /// Writes all rows into a file beside it, which then takes the store's place: so much space must be free, and nothing of what was
    /// deleted or overwritten is in the new file. What the medium itself keeps of the old one is beyond this program. A crash leaves the old
    /// file or the new one. The new file has the permissions of the old one, not its owner, its other names or its extended attributes.
    ///
    /// If it fails, as it does on a full disk, the store goes on with the old file, and whoever else would open it finds it locked as ever. It
    /// cannot succeed if the file's name has more than 235 bytes.
    ///
    /// Needs the file alone: reads and writes that come meanwhile wait. `Busy` while snapshots are open, or if a read that
    /// began before does not end within ten seconds.
    async fn compact(&self) -> Result<Compaction> {
        self.ask("compact", Job::Compact).await
    }

    /// Bytes of the file.
    async fn usage(&self) -> Result<Usage> {
        if self.views.is_closed() {
            return Err(self.views.name(closed(), "usage"));
        }
        let found = std::fs::metadata(&self.path).map_err(|error| from_io(&error, "the file cannot be measured"));
        found.map(|found| Usage { bytes: found.len() }).map_err(|error| self.views.name(error, "usage"))
    }

    async fn close(&self) -> Result<()> {
        match self.ask("close", Job::Close).await {
            Err(error) if error.is_closed() => Ok(()),
            closed => closed,
        }
    }
}
