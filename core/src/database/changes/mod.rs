//! The change feed: what was written, in the order of the commits, for those who follow it.
//!
//! A collection takes part if its record says `#[record(.., changes)]`. A transaction that writes such records adds one row to the
//! change log, in the same batch, whose key ends in the batch's revision: `log` is what it holds, `change` what a reader makes of
//! it, `cursor` a place in it, `read` gives pages, `watch` waits for more. `trim` removes the oldest rows, and `floor` remembers how far.

mod change;
mod cursor;
mod floor;
mod log;
mod read;
mod trim;
mod watch;

use futures_util::Stream;

use super::keyspace::{CHANGE_LOG, CHANGE_LOG_FLOOR};
use super::query::Source;
use super::{Database, Snapshot};
use crate::observe::operation;
use crate::store::Caches;
use crate::{Error, Result};

pub use change::{Change, ChangeKind};
pub use cursor::ChangeCursor;
pub(super) use floor::check_floor;
pub(super) use log::ChangeList;
pub(super) use read::decode;
pub use read::{ChangePage, Changes, RecordPage};
pub use trim::Trim;

/// No cache may keep what the change log says of itself: the floor must be as new as the log that is read beside it.
pub(super) fn forbid_caches(caches: &Caches) {
    caches.forbid(CHANGE_LOG.range());
    caches.forbid(CHANGE_LOG_FLOOR.range());
}

impl Database {
    /// What was written behind a place in the change log, in the order of the commits: records that were put or deleted in the
    /// collections that say `#[record(.., changes)]`.
    ///
    /// - Every write of a record is listed, also one of what was there already, and a deletion of an expired record. That a record
    ///   expires is no write. Of several writes to one record in one transaction the last is listed.
    /// - At least once: who keeps the cursor of what it has done, with what it has done, misses nothing. What it did last may come again.
    /// - A change names the record; [`records`](Changes::records) brings what is there now as well.
    /// - A transaction can list as much as a value may hold (16 MiB: some 100,000 keys); beyond, it answers `Limit(ValueBytes)`.
    ///
    /// To begin with all that there is, read it in a view, and go on from there:
    ///
    /// ```
    /// # use futures_util::TryStreamExt;
    /// # use strongroom_core::{Database, Result, matrix::Presence};
    /// # async fn follow(db: &Database) -> Result<()> {
    /// let view = db.snapshot().await?;
    /// let mut since = view.change_cursor().await?;
    /// let all: Vec<Presence> = view.query(Presence::PRIMARY).stream().try_collect().await?;
    /// drop(view);
    /// loop {
    ///     let page = db.changes(since).records::<Presence>().await?;
    ///     for (key, now) in &page.records {
    ///         // `now` is the record, or nothing if it was deleted.
    ///     }
    ///     since = page.next;
    ///     if !page.more {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn changes(&self, since: ChangeCursor) -> Changes {
        Changes::new(self.clone(), since)
    }

    /// What was written behind a place in the change log, and then what is being written, also by other processes: a stream that goes on
    /// until the database is closed. For a part of the collections: [`changes(since).of::<R>().watch()`](Changes::watch).
    pub fn watch(&self, since: ChangeCursor) -> impl Stream<Item = Result<Change>> + Send + use<> {
        self.changes(since).watch()
    }

    /// The place in the change log behind all that is committed now.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn change_cursor(&self) -> Result<ChangeCursor> {
        let (log, as_of) = floor::identify(&self.context).await.map_err(during)?;
        Ok(ChangeCursor::behind(log, as_of))
    }

    /// Removes the oldest rows of the change log, in batches, and says how many: one for each transaction that was listed. Who has not come
    /// beyond them, and was not kept by [`Trim::keep`], is answered `ChangesTrimmed`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use strongroom_core::{ChangeCursor, Database, Result, Trim};
    /// # async fn tidy(db: &Database, slowest: ChangeCursor) -> Result<()> {
    /// // What is older than a week, but nothing that somebody still has to see.
    /// let week = Duration::from_secs(7 * 24 * 60 * 60);
    /// db.trim_changes(Trim::all().older_than(week).keep(slowest)).await?;
    /// // And never more than 100,000 transactions, whoever is late.
    /// db.trim_changes(Trim::all().but_newest(100_000)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` if a cursor to keep is of another database; `Corrupt`; as [`write`](Database::write). What was removed before stays so.
    pub async fn trim_changes(&self, trim: Trim) -> Result<u64> {
        let trimmed = operation("trim_changes").counting(trim::trim(&self.context, &trim), |rows| *rows);
        trimmed.await.map_err(|error| error.during("trim changes"))
    }
}

impl Snapshot {
    /// The place in the change log behind all that this view sees: what is listed from there on is what came after it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn change_cursor(&self) -> Result<ChangeCursor> {
        let (log, _) = floor::identify(self.context()).await.map_err(during)?;
        Ok(ChangeCursor::behind(log, self.revision()))
    }
}

fn during(error: Error) -> Error {
    error.during("change cursor")
}
