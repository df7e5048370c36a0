//! Serializability, proved by replay: transactions run interleaved; those that committed are taken again one by one by a
//! plain map, in the order of their revisions, and every single answer must have been the map's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{join, join_all};
use proptest::prelude::*;
use strongroom_core::store::Revision;
use strongroom_core::{Database, ManualClock, Timestamp};

use super::abandoned::{End, Life};
use super::history::compare;
use super::map::Map;
use super::records::database;
use super::search::search;
use super::steps::{Answer, Step, Ties, step, take_within};
use super::turns::{Turn, Turns};
use crate::case::cases;
use crate::{Checked, Context, ensure};

cases! { Model;
    two_interleaved_transactions_equal_their_serial_replay random true,
    many_interleaved_transactions_equal_their_serial_replay random true,
    interleaved_transactions_equal_their_serial_replay_across_reopening [Reopen] random true,
}

/// Runs of a closure that take turns; later ones run through, since transactions that conflict often take turns of their own.
const RUNS_IN_TURNS: usize = 2;

const ROUNDS_BETWEEN_REOPENING: usize = 5;

/// Transactions that run at the same time, and the order of their steps.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) scripts: Vec<Vec<Step>>,
    pub(super) order: Vec<Turn>,
    /// Where which transactions are dropped: none, unless a case says so.
    pub(super) ends: Vec<Option<End>>,
}

/// What a transaction came to.
pub(super) struct Done {
    /// None if it was dropped before it said so.
    pub(super) revision: Option<Revision>,
    /// Those of the last run of its closure.
    pub(super) answers: Vec<Answer>,
    /// How often its closure ran.
    pub(super) runs: usize,
}

pub(super) fn round(transactions: std::ops::Range<usize>, together: f64) -> impl Strategy<Value = Round> {
    let scripts = prop::collection::vec(prop::collection::vec(step(Ties::None), 1..12), transactions);
    let turn = (0..8_usize, prop::bool::weighted(together)).prop_map(|(who, together)| Turn { who, together });
    (scripts, prop::collection::vec(turn, 1..50)).prop_map(|(scripts, order)| Round {
        scripts,
        order,
        ends: Vec::new(),
    })
}

async fn two_interleaved_transactions_equal_their_serial_replay(context: Context) -> Checked {
    let rounds = prop::collection::vec(round(2..3, 0.1), 1..16);
    search(&context, rounds, async |rounds| run(&context, &rounds, false).await).await
}

async fn many_interleaved_transactions_equal_their_serial_replay(context: Context) -> Checked {
    let rounds = prop::collection::vec(round(3..7, 0.2), 1..10);
    search(&context, rounds, async |rounds| run(&context, &rounds, false).await).await
}

async fn interleaved_transactions_equal_their_serial_replay_across_reopening(context: Context) -> Checked {
    let rounds = prop::collection::vec(round(2..4, 0.1), 1..16);
    search(&context, rounds, async |rounds| run(&context, &rounds, true).await).await
}

async fn run(context: &Context, rounds: &[Round], reopen: bool) -> Checked<usize> {
    let mut site = context.open().await?;
    let mut map = Map { now: 1_000, ..Map::default() };
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(map.now)));
    let mut db = database(&site.store, clock.clone()).await?;
    let mut operations = 0;
    for (number, round) in rounds.iter().enumerate() {
        let done = interleave(&db, number, round).await?;
        operations += done.iter().map(|done| done.answers.len() * done.runs).sum::<usize>();
        replay(&mut map, number, round, &done)?;
        map.tick(5);
        clock.set(Timestamp::from_millis(map.now));
        if reopen && number % ROUNDS_BETWEEN_REOPENING == 0 {
            site.reopen().await?;
            db = database(&site.store, clock.clone()).await?;
        }
    }
    compare(&db, &map).await?;
    db.close().await?;
    Ok(operations)
}

/// Runs the transactions of a round, their steps in its order.
pub(super) async fn interleave(db: &Database, number: usize, round: &Round) -> Checked<Vec<Done>> {
    let turns = &Turns::new(round.scripts.len());
    let transactions = round.scripts.iter().enumerate().map(|(task, script)| async move {
        turns.wait(task).await;
        let runs = &AtomicUsize::new(0);
        let life = &Life::new(round.ends.get(task).copied().flatten());
        let answers = &Mutex::new(Vec::new());
        let given = || answers.lock().unwrap_or_else(PoisonError::into_inner);
        let result = life.live(db.write_at(|tx| async move {
            let in_turns = runs.fetch_add(1, Ordering::SeqCst) < RUNS_IN_TURNS;
            given().clear();
            for (at, step) in script.iter().enumerate() {
                if in_turns {
                    life.still(turns.wait(task)).await;
                }
                life.came_to(at);
                let answer = take_within(&tx, &step.clone().marked(&mark(number, task, at))).await?;
                given().push(answer);
            }
            if in_turns {
                life.still(turns.wait(task)).await;
            }
            life.came_to(script.len());
            Ok(())
        }));
        let result = result.await;
        turns.end();
        let revision = result.transpose()?.map(|committed| committed.revision);
        let answers = std::mem::take(&mut *given());
        Ok(Done { revision, answers, runs: runs.load(Ordering::SeqCst) })
    });
    // Every task ends its turns before its result is looked at, so the first error leaves nobody waiting.
    let (done, ()) = join(join_all(transactions), turns.give(round.order.iter().copied())).await;
    done.into_iter().collect()
}

/// What a step of a transaction writes: all differ, so a read tells whose write it saw.
fn mark(round: usize, task: usize, step: usize) -> String {
    format!("{round}.{task}.{step}")
}

/// Takes the transactions that said that they were committed one by one, in the order of their revisions.
fn replay(map: &mut Map, number: usize, round: &Round, done: &[Done]) -> Checked {
    take(map, number, round, done, &in_order(done)?)
}

/// Those that said that they were committed, in the order of their revisions.
pub(super) fn in_order(done: &[Done]) -> Checked<Vec<usize>> {
    let changes = |task: &usize| done[*task].answers.iter().any(Answer::is_change);
    let mut order: Vec<usize> = (0..done.len()).filter(|task| done[*task].revision.is_some()).collect();
    // What only read stands behind the commit that it saw.
    order.sort_by_key(|task| (done[*task].revision, !changes(task)));
    let changed: Vec<_> = order.iter().filter(|task| changes(task)).map(|task| done[*task].revision).collect();
    ensure!(changed.windows(2).all(|pair| pair[0] < pair[1]), "two transactions have one revision: {changed:?}");
    Ok(order)
}

/// Takes transactions one by one, in this order.
pub(super) fn take(map: &mut Map, number: usize, round: &Round, done: &[Done], order: &[usize]) -> Checked {
    for task in order {
        let Done { revision, answers, .. } = &done[*task];
        for (at, (step, answer)) in round.scripts[*task].iter().zip(answers).enumerate() {
            let step = step.clone().marked(&mark(number, *task, at));
            map.take(&step, answer).map_err(|failure| {
                let which = format!("transaction {task} of round {number}, step {at}, at revision {revision:?}");
                crate::Failure::new(format!("{which}, is not serializable: {failure}"))
            })?;
        }
    }
    Ok(())
}
