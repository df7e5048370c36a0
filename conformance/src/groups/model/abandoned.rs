//! Two transactions that run interleaved, of which some are dropped at any of their awaits: each that was dropped has
//! happened wholly, somewhere in the serial order, or not at all.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::poll_immediate;
use proptest::prelude::*;
use strongroom_core::store::Store;
use strongroom_core::{Database, ManualClock, Timestamp};
use tokio::task::yield_now;

use super::cancel::{Slow, ensure_all_snapshots_are_free, limits};
use super::history::compare;
use super::interleaved::{Done, Round, in_order, interleave, round, take};
use super::map::Map;
use super::records::{Counter, Note, database};
use super::search::search;
use crate::case::cases;
use crate::twist::Twisted;
use crate::{Checked, Context, Failure};

cases! { Model;
    interleaved_transactions_dropped_at_any_await_equal_a_serial_replay random true,
}

/// Where a transaction is dropped: so many polls after it has come to a step, or to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    step: usize,
    polls: usize,
}

/// How long a transaction has to live.
pub(super) struct Life {
    end: Option<End>,
    has_come: AtomicBool,
    /// It waits for its turn: how often it is polled meanwhile depends on the other one.
    is_still: AtomicBool,
    polls: AtomicUsize,
}

impl Life {
    pub(super) fn new(end: Option<End>) -> Self {
        let (has_come, is_still) = (AtomicBool::new(false), AtomicBool::new(false));
        Life { end, has_come, is_still, polls: AtomicUsize::new(0) }
    }

    /// The transaction has come to this step.
    pub(super) fn came_to(&self, step: usize) {
        if self.end.is_some_and(|end| end.step == step) {
            self.has_come.store(true, Ordering::SeqCst);
        }
    }

    /// Waits for what does not count.
    pub(super) async fn still<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.is_still.store(true, Ordering::SeqCst);
        let output = waiting.await;
        self.is_still.store(false, Ordering::SeqCst);
        output
    }

    /// Polls the transaction to its end, or drops it where its life ends.
    pub(super) async fn live<F: Future>(&self, transaction: F) -> Option<F::Output> {
        let mut transaction = pin!(transaction);
        let Some(end) = self.end else { return Some(transaction.await) };
        loop {
            let counts = self.has_come.load(Ordering::SeqCst) && !self.is_still.load(Ordering::SeqCst);
            if counts && self.polls.fetch_add(1, Ordering::SeqCst) >= end.polls {
                return None;
            }
            if let Some(output) = poll_immediate(&mut transaction).await {
                return Some(output);
            }
            yield_now().await;
        }
    }
}

/// Rounds of two transactions, of which about every second one is dropped.
fn abandoned() -> impl Strategy<Value = Round> {
    let end = prop::option::of((0..13_usize, 0..12_usize));
    (round(2..3, 0.1), prop::collection::vec(end, 2)).prop_map(|(round, ends)| {
        // The end of a script is where a commit can be met.
        let within = |(end, script): (Option<(usize, usize)>, &Vec<_>)| {
            end.map(|(step, polls)| End { step: step.min(script.len()), polls })
        };
        let ends = ends.into_iter().zip(&round.scripts).map(within).collect();
        Round { ends, ..round }
    })
}

async fn interleaved_transactions_dropped_at_any_await_equal_a_serial_replay(context: Context) -> Checked {
    let rounds = prop::collection::vec(abandoned(), 1..16);
    search(&context, rounds, async |rounds| run(&context, &rounds).await).await
}

async fn run(context: &Context, rounds: &[Round]) -> Checked<usize> {
    let store = context.open_with(limits(context)).await?.store;
    let slow: Arc<dyn Store> = Arc::new(Twisted::new(store.clone(), Arc::new(Slow)));
    let mut map = Map { now: 1_000, ..Map::default() };
    let db = database(&slow, Arc::new(ManualClock::new(Timestamp::from_millis(map.now)))).await?;
    let mut operations = 0;
    for (number, round) in rounds.iter().enumerate() {
        let done = interleave(&db, number, round).await?;
        operations += done.iter().map(|done| done.answers.len() * done.runs).sum::<usize>();
        find_out(&db, &mut map, number, round, &done).await?;
    }
    compare(&db, &map).await?;
    drop(db);
    ensure_all_snapshots_are_free(&*store).await?;
    store.close().await?;
    Ok(operations)
}

/// Brings the map to what is there, if a serial order of those that were committed, with or without those that were dropped,
/// explains it and every answer.
async fn find_out(db: &Database, map: &mut Map, number: usize, round: &Round, done: &[Done]) -> Checked {
    // What is under way is carried to its end by whoever commits next.
    db.put(&Counter::new("dropped", number as i64)).await?;
    let found = db.query(Note::PRIMARY).limit(1_000).page().await?.records;
    let found: BTreeMap<_, _> = found.into_iter().map(|note| ((note.room.clone(), note.id), note)).collect();
    let mut reason = Failure::new("no order leaves what is there");
    for order in orders(in_order(done)?, &perhaps(round, done)) {
        let mut after = map.clone();
        match take(&mut after, number, round, done, &order) {
            Ok(()) if after.notes == found => {
                *map = after;
                return Ok(());
            }
            Ok(()) => {}
            Err(failure) => reason = failure,
        }
    }
    Err(Failure::new(format!("round {number} is not serializable, whatever became of what was dropped: {reason}")))
}

/// Those that were dropped after the last of their steps: the others cannot have been committed.
fn perhaps(round: &Round, done: &[Done]) -> Vec<usize> {
    let whole = |task: &usize| done[*task].answers.len() == round.scripts[*task].len();
    (0..done.len()).filter(|task| done[*task].revision.is_none()).filter(whole).collect()
}

/// Every order in which some of `perhaps` come among the others, whose own order is given.
fn orders(given: Vec<usize>, perhaps: &[usize]) -> Vec<Vec<usize>> {
    let Some((first, rest)) = perhaps.split_first() else { return vec![given] };
    let mut all = orders(given.clone(), rest);
    for at in 0..=given.len() {
        let mut with = given.clone();
        with.insert(at, *first);
        all.extend(orders(with, rest));
    }
    all
}
