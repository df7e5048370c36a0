//! Short words for what cases of the waist write and ask.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::future::{Either, select};
use strongroom_core::store::{
    Batch, Content, Fetch, Guard, KeyPrefix, KeyRange, LinkTo, Outcome, Page, Read, Revision, Row, Scan, Store,
    StoredKey, Write,
};
use strongroom_core::{Error, ErrorKind};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{Checked, Failure, ensure, ensure_eq};

/// After this, what should have happened at once will never happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Polls once, with a waker that wakes nobody.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut TaskContext::from_waker(Waker::noop()))
}

/// Polls up to so many times, each time when the future can go on: what has not ended then stands still between two steps of
/// its own, for as long as the case likes.
pub(crate) async fn steps<F: Future + Unpin>(future: &mut F, most: usize) -> Poll<F::Output> {
    let woken = Arc::new(Woken(Notify::new()));
    let waker = Waker::from(woken.clone());
    for _ in 0..most {
        if let Poll::Ready(output) = Pin::new(&mut *future).poll(&mut TaskContext::from_waker(&waker)) {
            return Poll::Ready(output);
        }
        woken.0.notified().await;
    }
    Poll::Pending
}

struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// What a future gives that was begun.
pub(crate) async fn finish<T>(begun: Poll<T>, future: impl Future<Output = T>) -> T {
    match begun {
        Poll::Ready(value) => value,
        Poll::Pending => future.await,
    }
}

/// Waits for what must happen without anybody's doing, and fails if it does not.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Checked<T> {
    let (ended, end) = mpsc::channel::<()>();
    let watch = spawn_blocking(move || end.recv_timeout(PATIENCE));
    let future = pin!(future);
    let first = select(future, watch).await;
    drop(ended);
    match first {
        Either::Left((value, _)) => Ok(value),
        Either::Right(_) => Err(Failure::new(format!("{what}: still waiting after {} s", PATIENCE.as_secs()))),
    }
}

/// Waits for a task of the case's own.
pub(crate) async fn join<T>(task: JoinHandle<Checked<T>>) -> Checked<T> {
    task.await.map_err(|error| Failure::new(error.to_string()))?
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

/// A link to the tail of its own key.
pub(crate) fn suffix(at: u16) -> Write {
    Write::Link(LinkTo::Suffix(at))
}

pub(crate) fn value(bytes: impl AsRef<[u8]>) -> Content {
    Content::Value(bytes.as_ref().to_vec().into())
}

pub(crate) fn row(revision: Revision, content: Content) -> Option<Row> {
    Some(Row { revision, content })
}

pub(crate) fn batch<K: AsRef<[u8]>>(writes: impl IntoIterator<Item = (K, Write)>) -> Batch {
    let writes: BTreeMap<_, _> = writes.into_iter().map(|(name, write)| (key(name), write)).collect();
    Batch { writes, ..Batch::default() }
}

/// A batch of stamped rows alone.
pub(crate) fn log<V: AsRef<[u8]>>(rows: impl IntoIterator<Item = (&'static str, V)>) -> Batch {
    let stamped = rows.into_iter().map(|(prefix, value)| (KeyPrefix(key(prefix)), value.as_ref().to_vec().into()));
    Batch { stamped: stamped.collect(), ..Batch::default() }
}

/// A batch of guards alone.
pub(crate) fn check(guards: impl IntoIterator<Item = Guard>) -> Batch {
    Batch { guards: guards.into_iter().collect(), ..Batch::default() }
}

pub(crate) fn key_guard(name: impl AsRef<[u8]>, revision: Option<Revision>) -> Guard {
    Guard::Key { key: key(name), revision }
}

pub(crate) fn range_guard(range: KeyRange, as_of: Revision, rows: u64) -> Guard {
    Guard::Range { range, as_of, rows }
}

/// Commits one batch that must succeed.
#[track_caller]
pub(crate) fn commit(store: &dyn Store, batch: Batch) -> impl Future<Output = Checked<Revision>> {
    let place = Location::caller();
    async move {
        match store.commit(vec![batch]).await?.as_slice() {
            [Outcome::Committed(revision)] => Ok(*revision),
            other => Err(Failure::new(format!("not committed: {other:?}, asked at line {}", place.line()))),
        }
    }
}

/// Commits batches in one call, and gives as many outcomes.
pub(crate) async fn commit_all<const N: usize>(store: &dyn Store, batches: [Batch; N]) -> Checked<[Outcome; N]> {
    let outcomes = store.commit(batches.to_vec()).await?;
    let given = outcomes.len();
    outcomes.try_into().map_err(|_| Failure::new(format!("{given} outcomes for {N} batches")))
}

/// Writes a row under each name, with the name as its value, in as few batches as the limits allow.
pub(crate) async fn fill<K: AsRef<[u8]>>(store: &dyn Store, names: &[K]) -> Checked {
    let batches = names.chunks(store.info().limits.batch_writes_max.min(1_000));
    let batches = batches.map(|names| batch(names.iter().map(|name| (name, put(name)))));
    for outcome in store.commit(batches.collect()).await? {
        committed(&outcome)?;
    }
    Ok(())
}

#[track_caller]
pub(crate) fn committed(outcome: &Outcome) -> Checked<Revision> {
    outcome.revision().ok_or_else(|| Failure::new(format!("not committed: {outcome:?}")))
}

#[track_caller]
pub(crate) fn rejection(outcome: &Outcome) -> Checked<&Error> {
    match outcome {
        Outcome::Rejected(error) => Ok(error),
        other => Err(Failure::new(format!("not rejected: {other:?}"))),
    }
}

/// Checks that a batch was rejected, and for this reason.
#[track_caller]
pub(crate) fn rejected(outcome: &Outcome, kind: ErrorKind) -> Checked {
    match outcome {
        Outcome::Rejected(error) if error.kind() == kind => Ok(()),
        other => Err(Failure::new(format!("not rejected with {kind:?}: {other:?}"))),
    }
}

#[track_caller]
pub(crate) fn conflict(outcome: &Outcome) -> Checked<usize> {
    match outcome {
        Outcome::Conflict { guard } => Ok(*guard),
        other => Err(Failure::new(format!("no conflict: {other:?}"))),
    }
}

/// Which guard does not hold now, if one does not.
pub(crate) async fn broken_guard(store: &dyn Store, guards: impl IntoIterator<Item = Guard>) -> Checked<Option<usize>> {
    match &commit_all(store, [check(guards)]).await? {
        [Outcome::Committed(_)] => Ok(None),
        [outcome] => conflict(outcome).map(Some),
    }
}

/// The newest revision that a read sees.
pub(crate) async fn current(store: &dyn Read) -> Checked<Revision> {
    Ok(store.get(&[]).await?.as_of)
}

/// One row.
pub(crate) async fn read(store: &dyn Read, name: impl AsRef<[u8]>) -> Checked<Option<Row>> {
    let mut rows = store.get(&[key(name)]).await?.rows;
    ensure_eq!(rows.len(), 1, "rows for one key");
    Ok(rows.remove(0))
}

/// One row, as a scan sees it.
pub(crate) async fn scanned(store: &dyn Read, name: impl AsRef<[u8]>) -> Checked<Option<Row>> {
    let (start, end) = (Bound::Included(key(&name)), Bound::Included(key(&name)));
    let range = KeyRange { start, end };
    let scan = Scan { range, reverse: false, limit: 1, max_bytes: usize::MAX, fetch: Fetch::Values };
    let entry = store.scan(&scan).await?.entries.pop();
    Ok(entry.and_then(|entry| row(entry.revision, entry.content?)))
}

/// Every row with its value, as far as one page goes.
pub(crate) fn everything(store: &dyn Store) -> Scan {
    let limit = store.info().limits.page_entries_max;
    Scan { range: KeyRange::ALL, reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Values }
}

/// Every row of a range with its value, as far as one page goes.
pub(crate) fn within(store: &dyn Store, range: KeyRange) -> Scan {
    Scan { range, ..everything(store) }
}

pub(crate) fn keys(page: &Page) -> Vec<&[u8]> {
    page.entries.iter().map(|entry| entry.key.as_bytes()).collect()
}

/// Reads a range page by page to its end.
pub(crate) async fn pages(store: &dyn Read, scan: &Scan) -> Checked<Vec<Page>> {
    let mut pages: Vec<Page> = Vec::new();
    let mut scan = scan.clone();
    loop {
        let page = store.scan(&scan).await?;
        let inside = page.entries.iter().all(|entry| scan.range.holds(entry.key.as_bytes()));
        ensure!(inside, "a page has a row that lies outside its range");
        let last = page.entries.last().map(|entry| entry.key.clone());
        let more = page.more;
        pages.push(page);
        match last {
            Some(last) if more => scan.range = scan.range.beyond(&last, scan.reverse),
            _ => return Ok(pages),
        }
    }
}
