//! The one thread that writes.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use redb::{Database, ReadableDatabase, WriteTransaction};
use strongroom_core::store::sorted::{RecentWrites, Views, apply, drop_range};
use strongroom_core::store::{Batch, Compaction, Guard, KeyRange, Limits, Outcome, Revision};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::compact;
use crate::error::{from_engine, from_io};
use crate::file::{META, Opened, REVISION, ROWS, sync_folder};
use crate::table::{Rows, RowsView, guarded};

/// How long a compaction waits for reads that have begun.
const READS_END_WITHIN: Duration = Duration::from_secs(10);

/// What the writer is asked to do, and where the answer goes. Nobody need wait for it.
pub(crate) enum Job {
    Commit(Vec<Batch>, Reply<Vec<Outcome>>),
    DropRange(KeyRange, Vec<Guard>, Reply<Outcome>),
    Compact(Reply<Compaction>),
    Close(Reply<()>),
}

pub(crate) type Reply<T> = oneshot::Sender<Result<T>>;

/// Opens the file again after a failure.
pub(crate) type Opener = Box<dyn Fn() -> Result<Opened> + Send>;

/// Owns the database; everything that changes it goes through here, one after another.
pub(crate) struct Writer {
    /// None after a failure, until it could be opened again.
    database: Option<Database>,
    revision: Revision,
    recent: RecentWrites,
    settings: Settings,
    views: Arc<Views<RowsView>>,
    readers: Readers,
}

pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    pub(crate) reopen: Opener,
    pub(crate) quick_repair: bool,
    pub(crate) cache_bytes: usize,
    pub(crate) limits: Limits,
}

/// Tells when the last view is gone: each has a clone of the sender.
pub(crate) struct Readers {
    in_use: mpsc::Sender<Infallible>,
    gone: mpsc::Receiver<Infallible>,
}

impl Writer {
    pub(crate) fn new(opened: Opened, readers: Readers, settings: Settings, views: Arc<Views<RowsView>>) -> Self {
        let Opened { database, revision } = opened;
        Writer { database: Some(database), revision, recent: RecentWrites::new(revision), settings, views, readers }
    }

    /// Works until it is told to close, or nobody is left who could ask.
    pub(crate) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            // Whoever asked may have gone; what they asked for is done all the same.
            match job {
                Job::Commit(batches, reply) => {
                    let outcomes = self.attempt(|writer| writer.commit(&batches));
                    drop(reply.send(outcomes.map_err(Failure::in_commit)));
                }
                Job::DropRange(range, guards, reply) => {
                    let dropped = self.attempt(|writer| writer.drop_range(&range, &guards));
                    drop(reply.send(dropped.map_err(Failure::in_commit)));
                }
                Job::Compact(reply) => {
                    let compacted = self.attempt(Writer::compact).unwrap_or_else(|failure| Err(failure.error));
                    drop(reply.send(compacted));
                }
                Job::Close(reply) => {
                    drop(reply.send(self.close()));
                    return;
                }
            }
        }
        self.close().ok();
    }

    /// Does one job with an open database. After a failure of the engine the file is opened again, which undoes what was
    /// half done; if that fails too, reads fail until a later job succeeds in it.
    fn attempt<T>(&mut self, job: impl FnOnce(&mut Self) -> Result<T>) -> Result<T, Failure> {
        if self.database.is_none() {
            self.reopen().map_err(|error| Failure { error, undone: true })?;
        }
        let before = self.revision;
        guarded(|| job(self)).map_err(|error| {
            if error.is_busy() {
                return Failure { error, undone: true };
            }
            self.views.fail(error.clone());
            // Only what the file holds now tells whether the engine failed before or after the point of no return.
            let undone = self.reopen().is_ok() && self.revision == before;
            Failure { error, undone }
        })
    }

    fn reopen(&mut self) -> Result<()> {
        // The engine may panic once more as it goes; it is rid of the file all the same.
        let last = self.database.take();
        guarded(|| {
            drop(last);
            Ok(())
        })
        .ok();
        let reopened = (self.settings.reopen)().and_then(|opened| {
            if opened.revision < self.revision {
                return Err(Error::new(ErrorKind::Corrupt, "the file was exchanged while it was open"));
            }
            self.revision = opened.revision;
            // A commit of which nobody knew until now may have happened.
            self.recent = RecentWrites::new(opened.revision);
            self.database = Some(opened.database);
            self.publish()
        });
        reopened.inspect_err(|error| {
            self.database = None;
            self.views.fail(error.clone());
        })
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<Vec<Outcome>> {
        let transaction = self.begin()?;
        let applied = {
            let mut rows = Rows(transaction.open_table(ROWS).map_err(from_engine)?);
            apply(&mut rows, batches, self.revision, &self.settings.limits, &mut self.recent)?
        };
        self.end(transaction, applied.revision)?;
        Ok(applied.outcomes)
    }

    fn drop_range(&mut self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        let transaction = self.begin()?;
        let outcome = {
            let mut rows = Rows(transaction.open_table(ROWS).map_err(from_engine)?);
            drop_range(&mut rows, range, guards, self.revision, &self.settings.limits, &mut self.recent)?
        };
        self.end(transaction, outcome.revision().unwrap_or(self.revision))?;
        Ok(outcome)
    }

    fn begin(&self) -> Result<WriteTransaction> {
        let mut transaction = self.database()?.begin_write().map_err(from_engine)?;
        transaction.set_durability(redb::Durability::Immediate).map_err(from_engine)?;
        transaction.set_quick_repair(self.settings.quick_repair);
        Ok(transaction)
    }

    /// Makes the transaction durable and visible, if it has written anything.
    fn end(&mut self, transaction: WriteTransaction, revision: Revision) -> Result<()> {
        if revision == self.revision {
            return transaction.abort().map_err(from_engine);
        }
        transaction.open_table(META).map_err(from_engine)?.insert(REVISION, revision.0).map_err(from_engine)?;
        transaction.commit().map_err(from_engine)?;
        self.revision = revision;
        // It has happened, whatever comes now: if the new view cannot be had, the next job tries again.
        if guarded(|| self.publish()).is_err() {
            self.reopen().ok();
        }
        Ok(())
    }

    /// Inside is what becomes of the compaction: if it fails, the store goes on as it was, with the lock on its file. Outside is a failure
    /// of the store itself.
    fn compact(&mut self) -> Result<Result<Compaction>> {
        let paused = self.file_bytes().and_then(|bytes_before| self.views.pause().map(|()| bytes_before));
        let bytes_before = match paused {
            Ok(bytes_before) => bytes_before,
            Err(error) => return Ok(Err(error)),
        };
        let last = std::mem::replace(&mut self.readers, Readers::new());
        let compacted = last.wait().and_then(|()| self.compact_alone());
        // An engine that failed to read the file does nothing more with it until it is opened again.
        if let Err(error) = &compacted
            && self.begin().and_then(|nothing| nothing.abort().map_err(from_engine)).is_err()
        {
            return Err(error.clone());
        }
        self.publish()?;
        Ok(compacted.and_then(|()| Ok(Compaction { bytes_before, bytes_after: self.file_bytes()? })))
    }

    /// All rows in another file, which takes the place of this one: nothing of what was deleted is in it.
    fn compact_alone(&mut self) -> Result<()> {
        let rewritten = compact::rewrite(self.database()?, &self.settings.path, self.settings.cache_bytes)?;
        // The last of the old file; the lock on the new one is held already.
        let old = self.database.replace(rewritten);
        // Nobody can open the old file any more, so it does not matter how it goes.
        guarded(|| {
            drop(old);
            Ok(())
        })
        .ok();
        sync_folder(&self.settings.path)
    }

    fn publish(&self) -> Result<()> {
        self.views.publish(view(self.database()?, self.revision, &self.readers)?);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.views.close();
        let Some(database) = self.database.take() else { return Ok(()) };
        guarded(|| database.close().map_err(from_engine))
    }

    fn database(&self) -> Result<&Database> {
        self.database.as_ref().ok_or_else(closed)
    }

    fn file_bytes(&self) -> Result<u64> {
        let found = std::fs::metadata(&self.settings.path);
        found.map(|found| found.len()).map_err(|error| from_io(&error, "the file cannot be measured"))
    }
}

/// A job that the engine could not do.
struct Failure {
    error: Error,
    /// Whether surely nothing of it happened.
    undone: bool,
}

impl Failure {
    fn in_commit(self) -> Error {
        if self.undone {
            return self.error;
        }
        let message = "the engine failed in a commit, which may or may not have happened";
        Error::new(ErrorKind::CommitUnknown, message).with_source(self.error)
    }
}

/// The rows as they are now.
pub(crate) fn view(database: &Database, revision: Revision, readers: &Readers) -> Result<RowsView> {
    let rows = database.begin_read().map_err(from_engine)?.open_table(ROWS).map_err(from_engine)?;
    Ok(RowsView { rows: Rows(rows), revision, _in_use: readers.in_use.clone() })
}

/// The answer when there is no database to work on.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store was closed")
}

impl Readers {
    pub(crate) fn new() -> Self {
        let (in_use, gone) = mpsc::channel();
        Readers { in_use, gone }
    }

    /// Waits until every view that has a clone is dropped.
    fn wait(self) -> Result<()> {
        drop(self.in_use);
        match self.gone.recv_timeout(READS_END_WITHIN) {
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(()),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(Error::new(ErrorKind::Busy, "a read that began before has not ended: try again"))
            }
            Ok(never) => match never {},
        }
    }
}
