//! Short words for what cases of the waist write and ask.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use proptest::collection::vec;
use proptest::prelude::*;
use strongroom_core::store::{
    Batch, Content, Fetch, Guard, KeyPrefix, KeyRange, LinkTo, Outcome, Page, Read, Revision, Row, Scan, Store,
    StoredKey, Write,
};

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

pub(crate) fn link(target: impl AsRef<[u8]>) -> Write {
    Write::Link(LinkTo::Key(key(target)))
}

pub(crate) fn suffix(at: u16) -> Write {
    Write::Link(LinkTo::Suffix(at))
}

pub(crate) fn value(revision: Revision, value: impl AsRef<[u8]>) -> Option<Row> {
    Some(Row { revision, content: Content::Value(value.as_ref().to_vec().into()) })
}

pub(crate) fn batch<K: AsRef<[u8]>>(writes: impl IntoIterator<Item = (K, Write)>) -> Batch {
    let writes: BTreeMap<_, _> = writes.into_iter().map(|(name, write)| (key(name), write)).collect();
    Batch { writes, ..Batch::default() }
}

pub(crate) fn guarded(guards: impl IntoIterator<Item = Guard>, batch: Batch) -> Batch {
    Batch { guards: guards.into_iter().collect(), ..batch }
}

pub(crate) fn stamped(prefix: impl AsRef<[u8]>, value: &'static str) -> Batch {
    Batch { stamped: vec![(KeyPrefix(key(prefix)), value.into())], ..Batch::default() }
}

pub(crate) fn key_guard(name: impl AsRef<[u8]>, revision: Option<Revision>) -> Guard {
    Guard::Key { key: key(name), revision }
}

pub(crate) fn range_guard(range: KeyRange, as_of: Revision, rows: u64) -> Guard {
    Guard::Range { range, as_of, rows }
}

/// Commits one batch that must succeed.
pub(crate) async fn commit(store: &dyn Store, batch: Batch) -> Checked<Revision> {
    match outcome(store, batch).await? {
        Outcome::Committed(revision) => Ok(revision),
        other => Err(Failure::new(format!("not committed: {other:?}"))),
    }
}

/// What becomes of one batch.
pub(crate) async fn outcome(store: &dyn Store, batch: Batch) -> Checked<Outcome> {
    let mut outcomes = store.commit(vec![batch]).await?;
    match (outcomes.pop(), outcomes.len()) {
        (Some(outcome), 0) => Ok(outcome),
        (_, more) => Err(Failure::new(format!("one batch has {more} further outcomes"))),
    }
}

/// Whether one batch meets a conflict, and at which guard.
pub(crate) async fn conflict(store: &dyn Store, batch: Batch) -> Checked<Option<usize>> {
    match outcome(store, batch).await? {
        Outcome::Committed(_) => Ok(None),
        Outcome::Conflict { guard } => Ok(Some(guard)),
        Outcome::Rejected(error) => Err(error.into()),
    }
}

pub(crate) fn everything() -> Scan {
    Scan { range: KeyRange::ALL, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Values }
}

pub(crate) fn keys(page: &Page) -> Vec<Vec<u8>> {
    page.entries.iter().map(|entry| entry.key.as_bytes().to_vec()).collect()
}

pub(crate) async fn all_keys(store: &dyn Read) -> Checked<Vec<Vec<u8>>> {
    Ok(keys(&store.scan(&everything()).await?))
}

pub(crate) async fn row(store: &dyn Read, name: impl AsRef<[u8]>) -> Checked<Option<Row>> {
    let mut rows = store.get(&[key(name)]).await?.rows;
    rows.pop().ok_or_else(|| Failure::new("one key has no answer"))
}

/// Every key of up to two bytes from both ends of the order, with zero bytes and ends in 0xFF.
pub(crate) fn small_keys() -> Vec<Vec<u8>> {
    const BYTES: [u8; 4] = [0, 1, 0xFE, 0xFF];
    let mut keys = vec![Vec::new()];
    keys.extend(BYTES.map(|byte| vec![byte]));
    keys.extend(BYTES.into_iter().flat_map(|first| BYTES.map(|second| vec![first, second])));
    keys.sort();
    keys
}

/// Every bound at these keys, and none.
pub(crate) fn bounds(keys: &[Vec<u8>]) -> Vec<Bound<StoredKey>> {
    let at = keys.iter().flat_map(|name| [Bound::Included(key(name)), Bound::Excluded(key(name))]);
    std::iter::once(Bound::Unbounded).chain(at).collect()
}

/// Few and short keys, so that bounds meet keys, with the bytes at both ends of the order.
pub(crate) fn some_key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(vec![0_u8, 1, 0xFE, 0xFF]), 0..4)
}

pub(crate) fn some_range() -> impl Strategy<Value = KeyRange> {
    let bound = || {
        prop_oneof![
            Just(Bound::Unbounded),
            some_key().prop_map(|bytes| Bound::Included(key(bytes))),
            some_key().prop_map(|bytes| Bound::Excluded(key(bytes))),
        ]
    };
    prop_oneof![
        4 => (bound(), bound()).prop_map(|(start, end)| KeyRange { start, end }),
        1 => some_key().prop_map(|prefix| KeyRange::prefix(&prefix)),
    ]
}
