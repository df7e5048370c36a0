//! A cache of rows, small and right: what is written is marked, and what was read is kept where nothing newer is known. Each
//! broken one makes a single mistake in it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom_core::store::sorted::yield_now;
use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Read, Revision, Row, Rows, Sharing, Store, StoredKey};
use strongroom_core::{Error, ErrorKind, Result};

use super::state::State;
use crate::broken::Broken;
use crate::broken::changes::twisted;
use crate::broken::views::{lock, newest};
use crate::twist::Twist;

/// What a cache of rows may get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    NothingIsChecked,
    OnlyMarksAreChecked,
    MarkedRowsAreGiven,
    RowsAreDroppedEarly,
    MarksEndEarly,
    MarksEndWithTheFuture,
    DroppedCommitsAreNotNoted,
    ConflictsAreKept,
    RejectionsAreKept,
    FailuresAreKept,
    DeletedKeysAreForgotten,
    LinksAreNotNoted,
    OldNotesAreForgotten,
    TheBeginningCounts,
    SnapshotsGetNewerRows,
    SnapshotsGetNewerAbsence,
    StampsAreNotMinded,
    StampsAreNotMarked,
    RangesAreDroppedEarly,
    OlderViewsOutliveDrops,
    OlderViewsOutliveOthers,
    OthersAreNotMinded,
    GapsAreNotMinded,
    AnswersAreOfTwoRevisions,
    AnswersAreOfTheirRows,
    ClosedStoresAnswer,
    ExpiredSnapshotsAnswer,
    KnownKeysCountNot,
}

/// One broken store for each mistake.
macro_rules! mistakes {
    ($($mistake:ident $name:literal $wrong:literal $caught_by:literal;)*) => {
        pub(in crate::broken) const ALL: &[Broken] = &[$(Broken {
            name: $name,
            wrong: $wrong,
            caught_by: concat!("semantics::", $caught_by),
            wrap: |inner| caching(inner, Some(Mistake::$mistake)),
        }),*];
    };
}

mistakes! {
    NothingIsChecked "what_was_read_is_cached_unchecked"
        "A row that was read is cached, also if it was written meanwhile."
        "a_read_that_a_put_crosses_is_not_what_is_read_later";
    OnlyMarksAreChecked "what_was_read_is_cached_if_nobody_writes_it_now"
        "A row that was read is cached unless it is being written; that a whole commit may have passed is forgotten."
        "a_read_that_an_insert_crosses_is_not_what_is_read_later";
    MarkedRowsAreGiven "cached_rows_are_given_while_they_are_written"
        "A cached row is given until the commit that writes it has been answered."
        "what_is_read_while_a_commit_is_under_way_is_of_the_revision_it_says";
    RowsAreDroppedEarly "cached_rows_are_dropped_before_the_commit_alone"
        "What a commit writes is dropped before it and not again after it, and reads fill the cache meanwhile."
        "a_read_that_ends_while_a_commit_is_under_way_is_not_what_is_read_later";
    MarksEndEarly "written_keys_are_free_before_their_rows_are_dropped"
        "When a commit is through, its keys are given free first and their cached rows dropped then."
        "what_is_read_while_a_commit_is_under_way_is_of_the_revision_it_says";
    MarksEndWithTheFuture "written_keys_are_free_when_the_commit_is_dropped"
        "A commit whose future is dropped gives its keys free, and their cached rows stay."
        "a_read_that_a_dropped_commit_crosses_is_not_what_is_read_later";
    DroppedCommitsAreNotNoted "a_dropped_commit_is_not_noted"
        "A commit whose future is dropped drops the cached rows, and a read that it has crossed caches them again."
        "a_read_that_a_dropped_commit_crosses_is_not_what_is_read_later";
    ConflictsAreKept "what_a_conflict_was_to_write_is_cached"
        "Values are cached as they are written, also those of a batch that met a conflict."
        "a_read_that_crosses_what_does_not_happen_leaves_all_as_it_is";
    RejectionsAreKept "what_a_rejected_batch_was_to_write_is_cached"
        "Values are cached as they are written, also those of a batch that was rejected."
        "a_read_that_crosses_what_does_not_happen_leaves_all_as_it_is";
    DeletedKeysAreForgotten "deleted_keys_are_forgotten_by_the_cache"
        "When a key is deleted, the cache forgets all of it, also when it was written last."
        "a_read_that_a_delete_crosses_is_not_what_is_read_later";
    LinksAreNotNoted "links_are_not_noted_by_the_cache"
        "The cache notes when a value was written or deleted, and not when a link was."
        "a_read_that_a_link_crosses_is_not_what_is_read_later";
    OldNotesAreForgotten "the_cache_forgets_when_keys_were_written"
        "The cache notes when keys were written, and begins anew when there are too many notes."
        "what_a_snapshot_reads_long_after_a_write_is_not_what_the_store_reads";
    TheBeginningCounts "what_an_old_snapshot_reads_is_cached_for_all"
        "A row is cached if nothing was written since the read began, also if it was read in an older snapshot."
        "what_a_snapshot_has_read_is_not_what_the_store_reads";
    SnapshotsGetNewerRows "snapshots_are_given_cached_rows_that_are_newer"
        "A cached row is given to every view, also to a snapshot that is older."
        "a_snapshot_sees_the_old_row_although_the_new_one_was_read";
    SnapshotsGetNewerAbsence "snapshots_are_given_cached_absence_that_is_newer"
        "That a key has no row is cached for every view, also for a snapshot in which it still has one."
        "a_snapshot_sees_the_row_although_its_absence_was_read";
    StampsAreNotMinded "cached_absence_stays_when_a_row_is_stamped"
        "That a key has no row is cached, and a stamped write does not clear it."
        "a_read_that_a_stamped_write_crosses_is_not_what_is_read_later";
    StampsAreNotMarked "cached_absence_is_given_while_a_row_is_stamped"
        "A stamped write clears the absence that was cached when it is answered, and not when it can be read."
        "what_is_read_while_a_commit_is_under_way_is_of_the_revision_it_says";
    RangesAreDroppedEarly "the_cache_is_cleared_before_drop_range_alone"
        "drop_range clears the cache before it drops, and a read that it has crossed fills it again."
        "a_read_that_a_drop_range_crosses_is_not_what_is_read_later";
    OlderViewsOutliveDrops "what_a_snapshot_reads_of_a_dropped_range_is_cached"
        "drop_range clears the cache, which does not note when: what an older snapshot reads is cached again."
        "what_a_snapshot_reads_of_a_dropped_range_is_not_what_the_store_reads";
    OlderViewsOutliveOthers "a_read_that_another_opener_crossed_is_cached"
        "Another opener's commit clears the cache, which does not note when: a read begun before it fills it again."
        "a_read_that_another_opener_crosses_is_not_what_is_read_later";
    OthersAreNotMinded "the_cache_hears_of_no_other_opener"
        "A cached row is cleared by one's own commits alone."
        "what_another_opener_writes_is_read_although_the_key_was_read_before";
    GapsAreNotMinded "the_cache_takes_all_revisions_for_its_own"
        "A commit of another opener is noticed by its revision, unless a commit of one's own comes right after it."
        "what_another_opener_writes_is_read_although_the_key_was_read_before";
    AnswersAreOfTwoRevisions "cached_rows_are_put_beside_newer_ones"
        "An answer is made of cached rows and of rows that are read, although there was a commit between the two."
        "keys_read_together_are_of_one_revision_whatever_crosses";
    AnswersAreOfTheirRows "cached_answers_are_as_old_as_their_rows"
        "An answer that is cached whole says that it is of its newest row's revision."
        "as_of_never_goes_back_whatever_was_read_before";
    ClosedStoresAnswer "cached_rows_are_given_by_a_closed_store"
        "Of a closed store, what is cached can still be read."
        "a_key_read_before_answers_closed_when_the_store_is_closed";
    ExpiredSnapshotsAnswer "cached_rows_are_given_by_an_expired_snapshot"
        "Of a snapshot past its age, what is cached can still be read."
        "a_key_read_before_answers_expired_when_the_snapshot_is";
    KnownKeysCountNot "cached_rows_do_not_count_towards_the_limit"
        "The limit of keys holds for those alone that are not cached."
        "keys_read_before_count_towards_the_limit";
    FailuresAreKept "what_a_failed_commit_leaves_stays_cached"
        "When it is not known whether a commit happened, its cached rows stay."
        "what_a_failed_commit_leaves_is_read_as_it_is_scanned";
}

/// A store with a cache that makes no mistake.
pub(super) fn right(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    caching(inner, None)
}

fn caching(inner: Arc<dyn Store>, mistake: Option<Mistake>) -> Arc<dyn Store> {
    let info = inner.info();
    let state = Mutex::new(State::new(mistake, info.sharing == Sharing::Shared));
    let cache = Cache { mistake, keys_max: info.limits.get_keys_max, state };
    twisted(inner, cache)
}

#[derive(Debug)]
struct Cache {
    mistake: Option<Mistake>,
    keys_max: usize,
    state: Mutex<State>,
}

impl Cache {
    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// The revision that is read now.
    async fn as_of(&self, inner: &dyn Read) -> Result<Revision> {
        match newest(inner).await {
            Err(error) if self.overhears(&error) => Ok(lock(&self.state).seen),
            as_of => as_of,
        }
    }

    fn overhears(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Closed => self.makes(Mistake::ClosedStoresAnswer),
            ErrorKind::SnapshotExpired => self.makes(Mistake::ExpiredSnapshotsAnswer),
            _ => false,
        }
    }

    fn answers(&self, keys: &[StoredKey], as_of: Revision) -> (Vec<Option<Option<Row>>>, Revision) {
        let mut state = lock(&self.state);
        state.meet(as_of);
        (keys.iter().map(|key| state.answer(key, as_of)).collect(), state.seen)
    }

    /// When it is not known what happened: nothing of now or before is kept.
    async fn flush(&self, inner: &Arc<dyn Store>) {
        let newest = newest(&**inner).await.unwrap_or(Revision(u64::MAX));
        lock(&self.state).flush(newest);
    }
}

#[async_trait]
impl Twist for Cache {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        if keys.len() > self.keys_max && !self.makes(Mistake::KnownKeysCountNot) {
            return inner.get(keys).await;
        }
        let as_of = self.as_of(inner).await?;
        let (found, begun) = self.answers(keys, as_of);
        let unknown = keys.iter().zip(&found).filter(|(_, row)| row.is_none());
        let missing: Vec<StoredKey> = unknown.map(|(key, _)| key.clone()).collect();
        if missing.is_empty() {
            let rows: Vec<_> = found.into_iter().flatten().collect();
            let of_rows = rows.iter().flatten().map(|row| row.revision).max();
            let as_of = of_rows.filter(|_| self.makes(Mistake::AnswersAreOfTheirRows)).unwrap_or(as_of);
            return Ok(Rows { as_of, rows });
        }
        yield_now().await;
        let mut answer = inner.get(&missing).await?;
        if answer.as_of == as_of || self.makes(Mistake::AnswersAreOfTwoRevisions) {
            let mut read = answer.rows.into_iter();
            answer.rows = found.into_iter().map(|row| row.unwrap_or_else(|| read.next().flatten())).collect();
        } else {
            // There was a commit: what is cached may be older.
            answer = inner.get(keys).await?;
        }
        yield_now().await;
        let mut state = lock(&self.state);
        state.meet(answer.as_of);
        for (key, row) in keys.iter().zip(&answer.rows).filter(|(key, _)| missing.contains(key)) {
            state.keep(key, row, answer.as_of, begun);
        }
        Ok(answer)
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        lock(&self.state).mark(&batches);
        // Without a mistake, keys stay marked if the future is dropped: nobody will know what became of them.
        let abandons = self.makes(Mistake::MarksEndWithTheFuture) || self.makes(Mistake::DroppedCommitsAreNotNoted);
        let mut abandoned = Abandoned { cache: self, batches: abandons.then(|| batches.clone()) };
        let outcomes = inner.commit(batches.clone()).await;
        yield_now().await;
        abandoned.batches = None;
        match &outcomes {
            Ok(outcomes) if self.makes(Mistake::MarksEndEarly) => {
                lock(&self.state).unmark(&batches);
                yield_now().await;
                lock(&self.state).note(&batches, outcomes);
                return Ok(outcomes.clone());
            }
            Ok(outcomes) => lock(&self.state).note(&batches, outcomes),
            Err(error) if error.kind() == ErrorKind::CommitUnknown && !self.makes(Mistake::FailuresAreKept) => {
                self.flush(inner).await;
            }
            Err(_) => {}
        }
        lock(&self.state).unmark(&batches);
        outcomes
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        if self.makes(Mistake::RangesAreDroppedEarly) {
            lock(&self.state).flush(Revision::ZERO);
            return inner.drop_range(range, guards).await;
        }
        lock(&self.state).mark_all();
        let outcome = inner.drop_range(range, guards).await;
        yield_now().await;
        match outcome.as_ref().map(Outcome::revision) {
            Ok(Some(_)) if self.makes(Mistake::OlderViewsOutliveDrops) => lock(&self.state).flush(Revision::ZERO),
            Ok(Some(revision)) => lock(&self.state).flush(revision),
            Ok(None) => {}
            // A part of it may have happened.
            Err(_) => self.flush(inner).await,
        }
        lock(&self.state).unmark_all();
        outcome
    }
}

/// Tells the cache of a commit whose future is dropped.
struct Abandoned<'a> {
    cache: &'a Cache,
    batches: Option<Vec<Batch>>,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if let Some(batches) = &self.batches {
            lock(&self.cache.state).abandon(batches);
        }
    }
}
