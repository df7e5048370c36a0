//! Operations and transactions that are dropped at any of their awaits: what they were to do has happened wholly or not at all, and the store
//! goes on.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::poll_immediate;
use proptest::prelude::*;
use strongroom_core::store::{
    Batch, Guard, KeyRange, Limits, Outcome, Page, Read, Rows, Scan, Store, StoredKey, Summary,
};
use strongroom_core::{Database, ManualClock, Result, Timestamp};
use tokio::task::yield_now;

use super::map::Map;
use super::records::{Counter, Note, database, ensure_sound};
use super::search::search;
use super::steps::{Step, Ties, step, take_alone, take_within};
use crate::case::cases;
use crate::twist::{Twist, Twisted};
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Model;
    a_dropped_operation_happened_wholly_or_not_at_all random true,
    a_transaction_dropped_at_any_await_happened_wholly_or_not_at_all random true,
}

/// Snapshots that a store in these histories has: one that is lost is soon missed.
const SNAPSHOTS_MAX: usize = 8;
/// After so many polls a future is no longer dropped, but awaited.
const POLLS_MAX: usize = 200;
/// How often the store is asked again for what a dropped call left to it.
pub(super) const PATIENCE: usize = 1_000;

/// Polls so often, and drops the future if it is not done by then. Between polls others go on.
pub(super) async fn poll_times<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        if let Some(output) = poll_immediate(&mut future).await {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// A store whose every call waits once before its answer, and whose reads wait before they begin: more places to be dropped at.
#[derive(Debug)]
pub(super) struct Slow;

#[async_trait]
impl Twist for Slow {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        yield_now().await;
        let rows = inner.get(keys).await;
        yield_now().await;
        rows
    }
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        yield_now().await;
        let page = inner.scan(scan).await;
        yield_now().await;
        page
    }
    async fn summarize(&self, inner: &dyn Read, range: &KeyRange) -> Result<Summary> {
        yield_now().await;
        let summary = inner.summarize(range).await;
        yield_now().await;
        summary
    }
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let outcomes = inner.commit(batches).await;
        yield_now().await;
        outcomes
    }
    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        let outcome = inner.drop_range(range, guards).await;
        yield_now().await;
        outcome
    }
}

pub(super) fn limits(context: &Context) -> Limits {
    Limits { snapshots_max: SNAPSHOTS_MAX, ..context.limits() }
}

/// A database whose futures are dropped, and the map that it is found to be like.
struct Run {
    store: Arc<dyn Store>,
    db: Database,
    map: Map,
    dropped: i64,
    operations: usize,
}

impl Run {
    async fn begin(context: &Context) -> Checked<Run> {
        let store = context.open_with(limits(context)).await?.store;
        let slow: Arc<dyn Store> = Arc::new(Twisted::new(store.clone(), Arc::new(Slow)));
        let map = Map { now: 1_000, ..Map::default() };
        let db = database(&slow, Arc::new(ManualClock::new(Timestamp::from_millis(map.now)))).await?;
        Ok(Run { store, db, map, dropped: 0, operations: 0 })
    }

    /// The map now is the one before, or this one.
    async fn find_out(&mut self, after: Map) -> Checked {
        // What is under way is carried to its end by whoever commits next.
        self.dropped += 1;
        self.operations += 2;
        self.db.put(&Counter::new("dropped", self.dropped)).await?;
        let found = self.db.query(Note::PRIMARY).limit(1_000).page().await?.records;
        let found: BTreeMap<_, _> = found.into_iter().map(|note| ((note.room.clone(), note.id), note)).collect();
        ensure!(
            found == self.map.notes || found == after.notes,
            "{found:?} is neither what was before, {:?}, nor what was to come, {:?}",
            self.map.notes,
            after.notes
        );
        if found == after.notes {
            self.map = after;
        }
        Ok(())
    }

    /// Nothing is left behind; gives the number of operations.
    async fn end(self) -> Checked<usize> {
        ensure_sound(&self.db).await?;
        ensure_all_snapshots_are_free(&*self.store).await?;
        self.store.close().await?;
        Ok(self.operations)
    }
}

/// As many as the limit says can be opened. A call that was dropped may still be on its way to give one back.
pub(super) async fn ensure_all_snapshots_are_free(store: &dyn Store) -> Checked {
    let mut opened = Vec::new();
    for _ in 0..PATIENCE {
        match store.snapshot().await {
            Ok(snapshot) => opened.push(snapshot),
            Err(error) if error.is_limit() => yield_now().await,
            Err(error) => return Err(error.into()),
        }
        if opened.len() == SNAPSHOTS_MAX {
            return Ok(());
        }
        store.get(&[]).await?;
    }
    ensure_eq!(opened.len(), SNAPSHOTS_MAX, "snapshots that can be opened in the end");
    Ok(())
}

async fn a_dropped_operation_happened_wholly_or_not_at_all(context: Context) -> Checked {
    let polls = prop_oneof![3 => 0..10_usize, 1 => Just(usize::MAX)];
    let history = prop::collection::vec((step(Ties::None), polls), 1..100);
    search(&context, history, async |history| {
        let mut run = Run::begin(&context).await?;
        for (at, (step, polls)) in history.iter().enumerate() {
            let step = step.clone().marked(&at.to_string());
            run.operations += 1;
            match poll_times(take_alone(&run.db, &step), *polls).await {
                Some(answer) => run.map.take(&step, &answer?)?,
                None => {
                    let mut after = run.map.clone();
                    if after.apply(&step).is_change() {
                        run.find_out(after).await?;
                    }
                }
            }
        }
        run.end().await
    })
    .await
}

async fn a_transaction_dropped_at_any_await_happened_wholly_or_not_at_all(context: Context) -> Checked {
    let history = prop::collection::vec(step(Ties::None), 1..20);
    search(&context, history, async |steps| {
        let mut run = Run::begin(&context).await?;
        for polls in 0.. {
            let marked = |(at, step): (usize, &Step)| step.clone().marked(&format!("{polls}.{at}"));
            let steps: Vec<Step> = steps.iter().enumerate().map(marked).collect();
            let steps = &steps;
            let transaction = run.db.write(|tx| async move {
                let mut answers = Vec::new();
                for step in steps {
                    answers.push(take_within(&tx, step).await?);
                }
                Ok(answers)
            });
            run.operations += steps.len();
            let polls = if polls < POLLS_MAX { polls } else { usize::MAX };
            if let Some(answers) = poll_times(transaction, polls).await {
                for (step, answer) in steps.iter().zip(answers?) {
                    run.map.take(step, &answer)?;
                }
                break;
            }
            let mut after = run.map.clone();
            steps.iter().for_each(|step| drop(after.apply(step)));
            run.find_out(after).await?;
        }
        run.end().await
    })
    .await
}
