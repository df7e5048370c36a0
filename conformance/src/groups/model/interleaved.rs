//! Serializability, proved by replay: transactions run interleaved; those that committed are taken again one by one by a
//! plain map, in the order of their revisions, and every single answer must have been the map's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join, join_all};
use proptest::prelude::*;
use strongroom_core::store::Revision;
use strongroom_core::{Committed, Database, ManualClock, Timestamp};

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
    order: Vec<Turn>,
}

/// What a transaction came to.
pub(super) struct Done {
    pub(super) revision: Revision,
    pub(super) answers: Vec<Answer>,
    /// How often its closure ran.
    pub(super) runs: usize,
}

pub(super) fn round(transactions: std::ops::Range<usize>, together: f64) -> impl Strategy<Value = Round> {
    let scripts = prop::collection::vec(prop::collection::vec(step(Ties::None), 1..12), transactions);
    let turn = (0..8_usize, prop::bool::weighted(together)).prop_map(|(who, together)| Turn { who, together });
    (scripts, prop::collection::vec(turn, 1..50)).prop_map(|(scripts, order)| Round { scripts, order })
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
        replay(&mut map, number, round, done)?;
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
        let result = db.write_at(|tx| async move {
            let in_turns = runs.fetch_add(1, Ordering::SeqCst) < RUNS_IN_TURNS;
            let mut answers = Vec::new();
            for (at, step) in script.iter().enumerate() {
                if in_turns {
                    turns.wait(task).await;
                }
                answers.push(take_within(&tx, &step.clone().marked(&mark(number, task, at))).await?);
            }
            if in_turns {
                turns.wait(task).await;
            }
            Ok(answers)
        });
        let result = result.await;
        turns.end();
        let Committed { value: answers, revision } = result?;
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

/// Takes the transactions one by one, in the order of their revisions.
fn replay(map: &mut Map, number: usize, round: &Round, done: Vec<Done>) -> Checked {
    let mut done: Vec<(usize, Done)> = done.into_iter().enumerate().collect();
    let changes = |done: &Done| done.answers.iter().any(Answer::is_change);
    // What only read stands behind the commit that it saw.
    done.sort_by_key(|(_, done)| (done.revision, !changes(done)));
    let changed: Vec<Revision> = done.iter().filter(|(_, done)| changes(done)).map(|(_, done)| done.revision).collect();
    ensure!(changed.windows(2).all(|pair| pair[0] < pair[1]), "two transactions have one revision: {changed:?}");
    for (task, done) in done {
        for (at, (step, answer)) in round.scripts[task].iter().zip(&done.answers).enumerate() {
            let step = step.clone().marked(&mark(number, task, at));
            map.take(&step, answer).map_err(|failure| {
                let which = format!("transaction {task} of round {number}, step {at}, at revision {}", done.revision);
                crate::Failure::new(format!("{which}, is not serializable: {failure}"))
            })?;
        }
    }
    Ok(())
}
