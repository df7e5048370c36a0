//! The store: reads on one connection of many, everything that changes it through the writer.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::store::sorted::{Registry, closed};
use strongroom_core::store::tasks::{self, Held, Newest, Turn};
use strongroom_core::store::{
    Batch, Caches, Compaction, Guard, KeyRange, Outcome, Page, PlainCodec, Read, Revision, Rows, Scan, Sharing,
    Snapshot, Store, StoreInfo, StoredKey, Summary, Usage,
};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};

use crate::age::{self, Age};
use crate::changes::Changes;
use crate::connection::{Readers, connect_options};
use crate::error::{NAME, from_io};
use crate::file::{self, beside};
use crate::log::Log;
use crate::options::SqliteOptions;
use crate::read;
use crate::snapshots::View;
use crate::writer::Writer;

/// A store in one file, through SQLite.
///
/// Any number of handles and processes of one machine may have the file open: each sees what the others commit. The file must
/// not lie on a network file system. While it is open, and after a crash, there are two files beside it (`-wal`, `-shm`) that
/// belong to it.
///
/// It needs a tokio runtime and belongs to the one in which it was opened: commits run there. Dropping the last handle
/// releases the file soon after; close it to be sure.
pub struct Sqlite {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) info: StoreInfo,
    pub(crate) runtime: Handle,
    pub(crate) newest: Newest,
    pub(crate) changes: Changes,
    pub(crate) snapshots: Arc<Registry<View>>,
    pub(crate) age: Arc<Age>,
    path: PathBuf,
    pub(crate) readers: Arc<Readers>,
    writer: Arc<Mutex<Writer>>,
}

impl Sqlite {
    /// Opens the store at `path`, or makes one if there is nothing, an empty file or an empty database. A new file is readable
    /// by its owner alone. A symbolic link stands for what it leads to, also if that is not there yet.
    ///
    /// # Errors
    ///
    /// - `NotAStore`: it is something else, also another program's SQLite database. It is not touched.
    /// - `UnsupportedVersion`: a newer version of this program wrote it. It is not touched.
    /// - `Corrupt`: it was cut short or damaged.
    /// - `Busy`: another process kept it locked for longer than [`SqliteOptions::busy_timeout_ms`].
    /// - `Unsupported`: there is no tokio runtime here.
    /// - `Io`: its folder does not exist, permissions, no space.
    pub async fn open(path: impl AsRef<Path> + Send) -> Result<Self> {
        SqliteOptions::default().open(path).await
    }

    pub(crate) async fn open_with(path: &Path, options: SqliteOptions) -> Result<Self> {
        let open = async {
            let runtime = Handle::try_current().map_err(|error| {
                Error::new(ErrorKind::Unsupported, "it needs a tokio runtime: open it inside one").with_source(error)
            })?;
            let path = file::resolve(path).map_err(|error| from_io(&error, "no such path is possible"))?;
            let connect = connect_options(&path, &options);
            let opened = file::open(&path, &connect, options.check).await?;
            let info = StoreInfo {
                name: NAME,
                limits: options.limits_kept(),
                sharing: Sharing::Shared,
                durability: options.synchronous.durability(),
                codec: Arc::new(PlainCodec),
                caches: Caches::default(),
            };
            let readers_max = options.readers_max.clamp(1, Semaphore::MAX_PERMITS);
            Ok(Arc::new(Inner {
                newest: Newest::new(opened.revision),
                changes: Changes::new(options.poll_ms),
                snapshots: Arc::new(Registry::new(&info.limits, options.clock)),
                age: Arc::default(),
                readers: Readers::new(&connect, readers_max, runtime.clone()),
                writer: Arc::new(Mutex::new(Writer::new(
                    connect,
                    opened,
                    Log::new(&path, options.busy_timeout_ms),
                    info.limits,
                ))),
                path,
                runtime,
                info,
            }))
        };
        let inner = open.await.map_err(|error: Error| error.on(NAME).during("open"))?;
        Ok(Sqlite { inner })
    }

    /// Waits for the writer, and runs `work` with it in the store's runtime, where it is completed even if the wait for it is
    /// given up.
    async fn complete<T, W>(
        &self,
        operation: &'static str,
        work: impl FnOnce(Arc<Inner>, Turn<Writer>) -> W + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let store = self.inner.clone();
        let done = tasks::complete(&self.inner.runtime, &self.inner.writer, |turn| work(store, turn)).await;
        done.map_err(named(operation))
    }
}

impl Inner {
    /// The newest revision in the file.
    pub(crate) async fn look(&self) -> Result<Revision> {
        let mut reader = self.readers.take_turn().await?;
        let newest = read::newest(&mut reader).await;
        reader.done(newest)
    }

    /// What comes before every change.
    fn prepare(&self) -> Result<()> {
        if self.newest.is_closed() {
            return Err(closed());
        }
        // So that the log can be emptied.
        self.snapshots.release_expired();
        Ok(())
    }

    async fn commit(&self, mut writer: Turn<Writer>, batches: &[Batch]) -> Result<Vec<Outcome>> {
        self.prepare()?;
        let outcomes = writer.commit(batches).await?;
        self.newest.tell(writer.revision());
        Ok(outcomes)
    }

    async fn drop_range(&self, mut writer: Turn<Writer>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.prepare()?;
        let outcome = writer.drop_range(range, guards).await?;
        self.newest.tell(writer.revision());
        Ok(outcome)
    }

    async fn compact(&self, mut writer: Turn<Writer>) -> Result<Compaction> {
        self.prepare()?;
        self.snapshots.lock().check_none()?;
        let bytes_before = self.bytes()?;
        writer.compact().await?;
        Ok(Compaction { bytes_before, bytes_after: self.bytes()? })
    }

    async fn close(&self, mut writer: Turn<Writer>) -> Result<()> {
        self.newest.close();
        self.info.caches.switch_off();
        self.snapshots.close();
        self.age.close();
        // What a snapshot holds on to cannot be moved out of the log.
        self.readers.views_ended().await;
        self.readers.close().await;
        writer.close().await
    }

    fn bytes(&self) -> Result<u64> {
        if self.newest.is_closed() {
            return Err(closed());
        }
        let mut bytes = 0;
        for path in [self.path.clone(), beside(&self.path, "-wal"), beside(&self.path, "-shm")] {
            match std::fs::metadata(path) {
                Ok(found) => bytes += found.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(from_io(&error, "the files cannot be measured")),
            }
        }
        Ok(bytes)
    }
}

/// Names the backend and the operation in an error.
pub(crate) fn named(operation: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| error.on(NAME).during(operation)
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Read for Sqlite {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let (store, keys) = (self.inner.clone(), keys.to_vec());
        let get = async move {
            let mut reader = store.readers.take_turn().await?;
            let rows = read::get(&mut reader, &keys, &store.info.limits).await;
            reader.done(rows)
        };
        tasks::read(&self.inner.runtime, get).await.map_err(named("get"))
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        let (store, scan) = (self.inner.clone(), scan.clone());
        let read = async move {
            let mut reader = store.readers.take_turn().await?;
            let page = read::scan(&mut reader, &scan, &store.info.limits).await;
            reader.done(page)
        };
        tasks::read(&self.inner.runtime, read).await.map_err(named("scan"))
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let (store, range) = (self.inner.clone(), range.clone());
        let summarize = async move {
            let mut reader = store.readers.take_turn().await?;
            let summary = read::summarize(&mut reader, &range).await;
            reader.done(summary)
        };
        tasks::read(&self.inner.runtime, summarize).await.map_err(named("summarize"))
    }
}

#[async_trait]
impl Store for Sqlite {
    fn info(&self) -> &StoreInfo {
        &self.inner.info
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let store = self.inner.clone();
        let snapshot = async move {
            let (reader, revision) = store.readers.take_view().await?;
            let view = View::new(reader, store.info.limits);
            let held = Held::new(view, revision, &store.snapshots, &store.runtime, NAME)?;
            age::watch(&store);
            Ok(held)
        };
        Ok(Box::new(tasks::read(&self.inner.runtime, snapshot).await.map_err(named("snapshot"))?))
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.complete("commit", |store, writer| async move { store.commit(writer, &batches).await }).await
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.inner.newest.changed(after, || Changes::wait(&self.inner)).await.map_err(named("changed"))
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        let (range, guards) = (range.clone(), guards.to_vec());
        self.complete("drop_range", |store, writer| async move { store.drop_range(writer, &range, &guards).await })
            .await
    }

    /// Writes the whole file anew, beside it first and in the system's folder for temporary files: so much space must be
    /// free. Other processes' commits wait meanwhile, up to their `busy_timeout_ms`. `Busy` while snapshots are open here, or
    /// if another process reads or writes for longer than this handle waits; then call it again.
    async fn compact(&self) -> Result<Compaction> {
        self.complete("compact", |store, writer| async move { store.compact(writer).await }).await
    }

    /// Bytes of the file and of the two beside it.
    async fn usage(&self) -> Result<Usage> {
        self.inner.bytes().map(|bytes| Usage { bytes }).map_err(named("usage"))
    }

    /// Waits for what changes the store. A read that is under way ends by itself, and then gives its connection up.
    async fn close(&self) -> Result<()> {
        self.complete("close", |store, writer| async move { store.close(writer).await }).await
    }
}
