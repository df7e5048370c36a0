//! Pages of changes.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::super::keyspace::{CHANGE_LOG, record_key};
use super::super::query::{Damage, Source, open_row};
use super::super::rows::fingerprint;
use super::super::{Database, Snapshot};
use super::floor::{self, Floor};
use super::log::{self, Logged};
use super::{Change, ChangeCursor, ChangeKind};
use crate::observe::operation;
use crate::schema::{Collection, Key, Record};
use crate::store::{Content, Entry, Fetch, KeyRange, Read, Scan};
use crate::{Error, ErrorKind, Result};

/// Changes in a page, unless it is limited.
const LIMIT: usize = 500;
/// Changes in a page at most.
const LIMIT_MAX: usize = 10_000;
/// Rows of the log that are looked at a time.
const CHUNK: usize = 500;
/// Bytes after which a look ends.
const CHUNK_BYTES: usize = 1 << 20;
/// Looks that one page takes at most: where a part of the collections is asked for, it may be long until something is found.
const LOOKS_MAX: usize = 10;
/// Changed records that are read at a time.
const RECORDS: usize = 32;
/// Bytes of changed records after which a page of them ends.
const RECORDS_BYTES: usize = 4 << 20;

/// A question for changes. [`Database::changes`] begins it.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `page`, `records` or `watch`"]
pub struct Changes {
    pub(super) db: Database,
    pub(super) since: ChangeCursor,
    /// Which collections; all that are followed if none is named.
    only: Vec<&'static Collection>,
    limit: usize,
    skip_damaged: bool,
}

/// Changes in the order of the commits, and where to go on.
#[derive(Clone, Debug)]
pub struct ChangePage {
    /// The changes, those of one transaction by collection and key.
    pub changes: Vec<Change>,
    /// The place behind all that was looked at, also where it brought nothing. Without `more`, behind all that was committed.
    pub next: ChangeCursor,
    /// Whether there is more behind it now. A page can have nothing in it, and yet there be more.
    pub more: bool,
}

/// Records that were changed, as they are now, and where to go on.
#[derive(Clone)]
pub struct RecordPage<R> {
    /// Each record that was changed, once: its key, and what is there now; `None` if it is deleted, or has expired. All in one view.
    pub records: Vec<(Key<R>, Option<R>)>,
    /// Records that were changed and cannot be read, if they were to be [skipped](Changes::skip_damaged).
    pub damaged: Vec<(Key<R>, Damage)>,
    /// Whether the listing of the collection begins in this page, and it had been in use before: read all of it.
    pub begun: bool,
    /// As [`ChangePage::next`].
    pub next: ChangeCursor,
    /// As [`ChangePage::more`].
    pub more: bool,
}

impl Changes {
    pub(super) fn new(db: Database, since: ChangeCursor) -> Self {
        Changes { db, since, only: Vec::new(), limit: LIMIT, skip_damaged: false }
    }

    /// Only changes of this collection, and of others that are named in the same way.
    pub fn of<R: Record>(mut self) -> Self {
        self.only.push(R::COLLECTION);
        self
    }

    /// Changes in a page at most, 500 by default: from 1 to 10,000; what is outside is taken for the next of the two.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, LIMIT_MAX);
        self
    }

    /// Passes over changed records that cannot be read, and names them in [`RecordPage::damaged`], instead of failing. Without it a damaged
    /// record lets nobody past until it is written anew or deleted.
    pub fn skip_damaged(mut self) -> Self {
        self.skip_damaged = true;
        self
    }

    /// Reads a page of changes. A transaction's may be divided among pages. It needs no view.
    ///
    /// # Errors
    ///
    /// `ChangesTrimmed` if what comes next was removed; `InvalidInput` if the cursor is of another database, or a collection does not list
    /// its changes; `Corrupt` if the log is damaged; those of the store's `scan`.
    pub async fn page(&self) -> Result<ChangePage> {
        let page = operation("changes").counting(self.look(), |page| page.changes.len() as u64);
        page.await.map_err(|error| error.during("changes"))
    }

    async fn look(&self) -> Result<ChangePage> {
        let (log, _) = floor::identify(&self.db.context).await?;
        self.look_at(&*self.db.context.store, log).await
    }

    /// Reads a page of changes of the records of `R`, with each of these records as it is now, in the same view. What was named by
    /// [`of`](Changes::of) does not count. Where the records are long, the page ends before its limit: after some 4 MiB of them, and at
    /// most 32 more.
    ///
    /// # Errors
    ///
    /// As [`page`](Changes::page); `Corrupt` for a damaged record, unless it is to be [skipped](Changes::skip_damaged); those of the
    /// store's [`snapshot`](Database::snapshot).
    pub async fn records<R: Record>(mut self) -> Result<RecordPage<R>> {
        self.only = vec![R::COLLECTION];
        let read = operation("changes").on(R::COLLECTION.name);
        let read = read.counting(self.look_at_records(), |page: &RecordPage<R>| page.records.len() as u64);
        read.await.map_err(|error| error.during("changes"))
    }

    async fn look_at_records<R: Record>(&self) -> Result<RecordPage<R>> {
        let (log, _) = floor::identify(&self.db.context).await?;
        let view = self.db.snapshot().await?;
        let ChangePage { mut changes, next, more } = self.look_at(view.read(), log).await?;
        let mut page = RecordPage { records: Vec::new(), damaged: Vec::new(), begun: false, next, more };
        if let Some(end) = self.read_records(&view, &changes, &mut page).await? {
            changes.truncate(end);
            page.more = true;
            page.next = changes.last().map_or(page.next, |change| change.cursor.clone());
        }
        page.begun = changes.iter().any(|change| change.kind == ChangeKind::Begun);
        Ok(page)
    }

    /// Reads the records of some changes, in the order of the last change of each. If they are too long for one page, says how many of the
    /// changes are done with.
    async fn read_records<R: Record>(
        &self,
        view: &Snapshot,
        changes: &[Change],
        page: &mut RecordPage<R>,
    ) -> Result<Option<usize>> {
        let mut last = BTreeMap::new();
        for (position, change) in changes.iter().enumerate() {
            last.insert(&change.key, position);
        }
        let latest = changes.iter().enumerate().filter(|(position, change)| last[&change.key] == *position);
        let keys: Vec<(usize, Key<R>)> =
            latest.filter_map(|(position, change)| Some((position, change.key()?))).collect();
        let context = &self.db.context;
        let now = context.clock.now();
        let mut bytes = 0;
        let mut rest = keys.as_slice();
        while let Some((some, behind)) =
            rest.split_at_checked(rest.len().min(RECORDS)).filter(|(some, _)| !some.is_empty())
        {
            let stored = some.iter().map(|(_, key)| record_key(context.codec(), R::COLLECTION, &key.components));
            let stored = stored.collect::<Result<Vec<_>>>()?;
            let rows = view.read().get(&stored).await?.rows;
            for (((_, key), stored), row) in some.iter().zip(&stored).zip(rows) {
                bytes += row.as_ref().map_or(0, |row| row.content.bytes());
                match open_row(context, key, stored, row, now) {
                    Ok(record) => page.records.push((key.clone(), record)),
                    Err(error) => {
                        let damage = Damage { row: fingerprint(stored), error };
                        if !self.skip_damaged || !damage.is_of_the_row() {
                            return Err(damage.error);
                        }
                        page.damaged.push((key.clone(), damage));
                    }
                }
            }
            if let (Some((position, _)), Some(_), true) = (some.last(), behind.first(), bytes >= RECORDS_BYTES) {
                return Ok(Some(position + 1));
            }
            rest = behind;
        }
        Ok(None)
    }

    /// Reads a page from a view, or from the store itself: rows are added at the end of the log only, and removed from its beginning only, so
    /// the floor tells afterwards whether all were there.
    async fn look_at(&self, read: &dyn Read, log: u64) -> Result<ChangePage> {
        if let Some(silent) = self.only.iter().find(|collection| !collection.changes) {
            let message =
                format!("collection {} does not list its changes: `#[record(.., changes)]` does", silent.name);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let page = self.gather(read, log).await;
        let (floor, newest) = Floor::read_at(read).await?;
        let floor = floor.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the change log's floor is gone"))?;
        self.since.check(&floor, newest)?;
        if !self.since.has_passed(floor.trimmed()) {
            let message = "the changes behind this cursor were trimmed; read all records, and go on from that view";
            return Err(Error::new(ErrorKind::ChangesTrimmed, message));
        }
        page
    }

    async fn gather(&self, read: &dyn Read, log: u64) -> Result<ChangePage> {
        let mut page = ChangePage { changes: Vec::new(), next: self.since.clone(), more: true };
        for _ in 0..LOOKS_MAX {
            let scan = Scan {
                range: rows_behind(&page.next),
                reverse: false,
                limit: CHUNK.min(self.db.info().limits.page_entries_max).max(1),
                max_bytes: CHUNK_BYTES,
                fetch: Fetch::Values,
            };
            let rows = read.scan(&scan).await?;
            for row in rows.entries {
                if !self.take(row, log, &mut page)? {
                    return Ok(page);
                }
            }
            if !rows.more {
                page.next = ChangeCursor::behind(log, rows.as_of);
                page.more = false;
                break;
            }
        }
        Ok(page)
    }

    /// Takes the changes of a row that the page has not come behind; says whether all of them went in.
    fn take(&self, row: Entry, log: u64, page: &mut ChangePage) -> Result<bool> {
        let revision = log::revision(&row.key)?;
        let seen = if revision == page.next.revision { page.next.seen } else { 0 };
        let Logged { at, changes } = decode(row)?;
        let changes = changes.into_iter().zip(1_u32..).skip(seen as usize);
        let mut asked = changes
            .filter_map(|(listed, position)| Some((self.collection(listed.collection)?, listed, position)))
            .peekable();
        while let Some((collection, listed, position)) = asked.next() {
            if page.changes.len() == self.limit {
                return Ok(false);
            }
            // Behind the last that is asked for, the row is done with.
            page.next = match asked.peek() {
                Some(_) => ChangeCursor::within(log, revision, position),
                None => ChangeCursor::behind(log, revision),
            };
            let (cursor, kind, key) = (page.next.clone(), listed.kind, listed.key);
            page.changes.push(Change { cursor, revision, at, collection, kind, key });
        }
        page.next = ChangeCursor::behind(log, revision);
        Ok(true)
    }

    /// The collection of this number, if it is asked for: the log may also tell of some that the program has no more.
    fn collection(&self, id: u16) -> Option<&'static Collection> {
        if self.only.is_empty() {
            self.db.schema().collections().find(|collection| collection.id == id && collection.changes)
        } else {
            self.only.iter().find(|collection| collection.id == id).copied()
        }
    }
}

/// The rows of the log behind a place, and the one that it is in.
fn rows_behind(cursor: &ChangeCursor) -> KeyRange {
    let key = log::key(cursor.revision);
    let start = if cursor.is_behind_row() { Bound::Excluded(key) } else { Bound::Included(key) };
    KeyRange { start, end: CHANGE_LOG.range().end }
}

/// What a row of the log says.
pub(crate) fn decode(row: Entry) -> Result<Logged> {
    match row.content {
        Some(Content::Value(value)) => log::decode(&value),
        Some(Content::Damaged(error)) => Err(error.at("the change log")),
        _ => Err(Error::new(ErrorKind::Corrupt, "the change log: a row is no value")),
    }
}

impl<R: Record> std::fmt::Debug for RecordPage<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (records, name) = (self.records.len(), R::COLLECTION.name);
        write!(f, "RecordPage({records} of {name}, more: {})", self.more)
    }
}
