//! Short words for what cases of the waist write and ask.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use strongroom_core::store::{Batch, Fetch, KeyRange, Outcome, Page, Revision, Scan, Store, StoredKey, Write};

use crate::{Checked, Failure};

/// Polls once, with a waker that wakes nobody.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut TaskContext::from_waker(Waker::noop()))
}

pub(crate) fn key(bytes: impl AsRef<[u8]>) -> StoredKey {
    StoredKey::from(bytes.as_ref().to_vec())
}

pub(crate) fn put(value: impl AsRef<[u8]>) -> Write {
    Write::Put(value.as_ref().to_vec().into())
}

pub(crate) fn batch<K: AsRef<[u8]>>(writes: impl IntoIterator<Item = (K, Write)>) -> Batch {
    let writes: BTreeMap<_, _> = writes.into_iter().map(|(name, write)| (key(name), write)).collect();
    Batch { writes, ..Batch::default() }
}

/// Commits one batch that must succeed.
#[track_caller]
pub(crate) fn commit(store: &dyn Store, batch: Batch) -> impl Future<Output = Checked<Revision>> {
    let place = std::panic::Location::caller();
    async move {
        match store.commit(vec![batch]).await?.as_slice() {
            [Outcome::Committed(revision)] => Ok(*revision),
            other => Err(Failure::new(format!("not committed: {other:?}, asked at line {}", place.line()))),
        }
    }
}

pub(crate) fn everything() -> Scan {
    Scan { range: KeyRange::ALL, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Values }
}

pub(crate) fn keys(page: &Page) -> Vec<&[u8]> {
    page.entries.iter().map(|entry| entry.key.as_bytes()).collect()
}
