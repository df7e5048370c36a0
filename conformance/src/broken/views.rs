//! What broken stores give instead of a snapshot, and short words that several of them need.

use std::fmt::{self, Debug};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use strongroom_core::store::{
    Batch, Fetch, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoredKey, Summary,
};
use strongroom_core::{Error, ErrorKind, Result};

/// What is said to be a snapshot: anything that reads, and a revision.
pub(super) struct View {
    pub(super) revision: Revision,
    pub(super) read: Arc<dyn Read>,
}

impl View {
    pub(super) fn of(revision: Revision, read: Arc<dyn Read>) -> Box<dyn Snapshot> {
        Box::new(View { revision, read })
    }
}

impl Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({})", self.revision)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Read for View {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.read.get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.read.scan(scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.read.summarize(range).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Snapshot for View {
    fn revision(&self) -> Revision {
        self.revision
    }
}

/// State that a broken store shares among its calls.
pub(super) fn lock<T: ?Sized>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The newest revision.
pub(super) async fn newest(store: &dyn Read) -> Result<Revision> {
    Ok(store.get(&[]).await?.as_of)
}

/// Every row of a range, for stores that are not large.
pub(super) async fn all_of(store: &dyn Read, range: &KeyRange) -> Result<Page> {
    // Few at a time: no case asks for a store whose pages are shorter.
    let (limit, max_bytes) = (5, usize::MAX);
    let mut scan = Scan { range: range.clone(), reverse: false, limit, max_bytes, fetch: Fetch::Values };
    let mut page = store.scan(&scan).await?;
    while page.more {
        let Some(last) = page.entries.last() else { break };
        scan.range = range.beyond(&last.key, false);
        let next = store.scan(&scan).await?;
        page.entries.extend(next.entries);
        page.more = next.more;
    }
    Ok(page)
}

/// Commits one batch.
pub(super) async fn commit_one(store: &dyn Store, batch: Batch) -> Result<Outcome> {
    let outcome = store.commit(vec![batch]).await?.pop();
    outcome.ok_or_else(|| Error::new(ErrorKind::Io, "a batch without an outcome"))
}

/// A guard that always holds, so that those behind it keep their positions.
pub(super) fn always() -> Guard {
    let (start, end) = (Bound::Excluded(StoredKey::EMPTY), Bound::Excluded(StoredKey::EMPTY));
    Guard::Range { range: KeyRange { start, end }, as_of: Revision::ZERO, rows: 0 }
}
