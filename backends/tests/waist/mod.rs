//! What the documentation of the waist promises, as tests that any backend can run: `waist_tests!(make)`.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use strongroom_core::store::{Batch, Fetch, KeyRange, Limits, Outcome, Page, Revision, Scan, Store, StoredKey, Write};
use strongroom_core::{ManualClock, Timestamp};

pub(crate) mod commits;
pub(crate) mod guards;
pub(crate) mod limits;
pub(crate) mod reads;
pub(crate) mod snapshots;

/// A new store for one test, and what it stands on.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) _place: Box<dyn Any>,
}

/// Makes an empty store whose snapshots age by the fixture's clock.
pub(crate) type Make = fn(Limits) -> Fixture;

/// One test a promise, on the stores that `$make` makes.
#[macro_export]
macro_rules! waist_tests {
    ($make:path) => {
        $crate::waist_tests!($make, reads: every_range_reads_like_a_btreemap, get_answers_in_the_order_asked,
            a_long_read_sees_one_revision, an_empty_store_reads_as_empty);
        $crate::waist_tests!($make, commits: each_writing_batch_takes_one_revision, stamped_rows_end_in_their_revision,
            a_conflict_names_the_first_guard_that_fails, a_batch_sees_those_before_it,
            a_commit_completes_when_its_future_is_dropped, changed_waits_for_a_newer_revision,
            drop_range_removes_a_range_and_nothing_else, links_are_kept_as_given, concurrent_commits_all_happen);
        $crate::waist_tests!($make, guards: guards_hold_exactly_when_the_documentation_says,
            a_guard_older_than_what_is_remembered_is_still_exact, a_guard_over_a_dropped_range_fails);
        $crate::waist_tests!($make, limits: limits_are_exact_and_harm_no_neighbour, limits_of_reads_are_exact);
        $crate::waist_tests!($make, snapshots: a_snapshot_never_changes, the_number_of_snapshots_is_limited,
            a_snapshot_ends_at_its_age, a_closed_store_answers_closed, close_ends_whoever_waits);
    };
    ($make:path, $module:ident: $($test:ident),*) => {
        $(#[test] fn $test() { waist::$module::$test($make) })*
    };
}

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

/// Polls once, with a waker that wakes nobody.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn manual_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(0)))
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
pub(crate) async fn commit(store: &dyn Store, batch: Batch) -> Revision {
    match store.commit(vec![batch]).await.unwrap().as_slice() {
        [Outcome::Committed(revision)] => *revision,
        other => panic!("not committed: {other:?}"),
    }
}

pub(crate) fn everything() -> Scan {
    Scan { range: KeyRange::ALL, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Values }
}

pub(crate) fn keys(page: &Page) -> Vec<&[u8]> {
    page.entries.iter().map(|entry| entry.key.as_bytes()).collect()
}
