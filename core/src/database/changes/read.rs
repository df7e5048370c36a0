//! Pages of changes.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::super::keyspace::CHANGE_LOG;
use super::super::query::Source;
use super::super::{Database, Snapshot};
use super::floor::{self, Floor};
use super::log::{self, Logged};
use super::{Change, ChangeCursor, ChangeKind};
use crate::schema::{Collection, Key, Record};
use crate::store::{Content, Entry, Fetch, KeyRange, Scan};
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

/// A question for changes. [`Database::changes`] begins it.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `page`, `records` or `watch`"]
pub struct Changes {
    pub(super) db: Database,
    pub(super) since: ChangeCursor,
    /// Which collections; all that are followed if none is named.
    only: Vec<&'static Collection>,
    limit: usize,
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
    /// Whether the listing of the collection begins in this page, and it had been in use before: read all of it.
    pub begun: bool,
    /// As [`ChangePage::next`].
    pub next: ChangeCursor,
    /// As [`ChangePage::more`].
    pub more: bool,
}

impl Changes {
    pub(super) fn new(db: Database, since: ChangeCursor) -> Self {
        Changes { db, since, only: Vec::new(), limit: LIMIT }
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

    /// Reads a page of changes. A transaction's may be divided among pages.
    ///
    /// # Errors
    ///
    /// `ChangesTrimmed` if what comes next was removed; `InvalidInput` if the cursor is of another database, or a collection does not list
    /// its changes; `Corrupt` if the log is damaged; those of the store's [`snapshot`](Database::snapshot).
    pub async fn page(&self) -> Result<ChangePage> {
        Ok(self.look().await.map_err(|error| error.during("changes"))?.1)
    }

    /// Reads a page of changes of the records of `R`, with each of these records as it is now, in the same view. What was named by
    /// [`of`](Changes::of) does not count.
    ///
    /// # Errors
    ///
    /// As [`page`](Changes::page), and `Corrupt` for a damaged record.
    pub async fn records<R: Record>(mut self) -> Result<RecordPage<R>> {
        self.only = vec![R::COLLECTION];
        let (view, page) = self.look().await.map_err(|error| error.during("changes"))?;
        let begun = page.changes.iter().any(|change| change.kind == ChangeKind::Begun);
        // Where a record was changed several times, its last change says where it stands in the order.
        let mut last = BTreeMap::new();
        for (position, change) in page.changes.iter().enumerate() {
            last.insert(&change.key, position);
        }
        let changes = page.changes.iter().enumerate().filter(|(position, change)| last[&change.key] == *position);
        let keys: Vec<Key<R>> = changes.filter_map(|(_, change)| change.key()).collect();
        let records = view.get_many(&keys).await?;
        Ok(RecordPage { records: keys.into_iter().zip(records).collect(), begun, next: page.next, more: page.more })
    }

    /// Opens a view, and reads a page in it.
    async fn look(&self) -> Result<(Snapshot, ChangePage)> {
        if let Some(silent) = self.only.iter().find(|collection| !collection.changes) {
            let message =
                format!("collection {} does not list its changes: `#[record(.., changes)]` does", silent.name);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        loop {
            let view = self.db.snapshot().await?;
            match Floor::read(view.read()).await? {
                Some(floor) => return Ok((view.clone(), self.look_at(&view, &floor).await?)),
                None => floor::make(&self.db.context).await?,
            }
        }
    }

    async fn look_at(&self, view: &Snapshot, floor: &Floor) -> Result<ChangePage> {
        self.since.check(floor, view.revision())?;
        if !self.since.has_passed(floor.trimmed()) {
            let message = "the changes behind this cursor were trimmed; read all records, and go on from that view";
            return Err(Error::new(ErrorKind::ChangesTrimmed, message));
        }
        let mut page = ChangePage { changes: Vec::new(), next: self.since.clone(), more: true };
        for _ in 0..LOOKS_MAX {
            let scan = Scan {
                range: rows_behind(&page.next),
                reverse: false,
                limit: CHUNK.min(self.db.info().limits.page_entries_max).max(1),
                max_bytes: CHUNK_BYTES,
                fetch: Fetch::Values,
            };
            let rows = view.read().scan(&scan).await?;
            for row in rows.entries {
                if !self.take(row, floor, &mut page)? {
                    return Ok(page);
                }
            }
            if !rows.more {
                page.next = ChangeCursor::behind(floor.log, view.revision());
                page.more = false;
                break;
            }
        }
        Ok(page)
    }

    /// Takes the changes of a row that the page has not come behind; says whether all of them went in.
    fn take(&self, row: Entry, floor: &Floor, page: &mut ChangePage) -> Result<bool> {
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
                Some(_) => ChangeCursor::within(floor.log, revision, position),
                None => ChangeCursor::behind(floor.log, revision),
            };
            let (cursor, kind, key) = (page.next.clone(), listed.kind, listed.key);
            page.changes.push(Change { cursor, revision, at, collection, kind, key });
        }
        page.next = ChangeCursor::behind(floor.log, revision);
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
