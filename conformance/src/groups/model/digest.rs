//! The same seed makes the same history, and every correct store answers it alike: the digest of all answers is that of the
//! reference, whatever the store's revisions and however long its futures wait.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use proptest::prelude::*;
use strongroom_core::store::Store;
use strongroom_core::{ManualClock, Timestamp};

use super::calls::{Call, call};
use super::interleaved::{Round, interleave, round};
use super::player::Player;
use super::records::{Note, database};
use super::reference::Reference;
use super::search::search;
use super::steps::Answer;
use super::waist::limits;
use crate::case::cases;
use crate::{Checked, Context, ensure_eq};

cases! { Model;
    the_same_transactions_give_the_same_answers random true,
    the_same_calls_give_the_same_answers random true,
}

async fn the_same_transactions_give_the_same_answers(context: Context) -> Checked {
    // One at a time: of two that commit together, either may be the first.
    let rounds = prop::collection::vec(round(2..5, 0.0), 1..12);
    search(&context, rounds, async |rounds| {
        let store = context.open().await?.store;
        let (found, operations) = transactions(&store, &rounds).await?;
        let reference: Arc<dyn Store> = Arc::new(Reference::new(context.limits()));
        let (expected, _) = transactions(&reference, &rounds).await?;
        store.close().await?;
        ensure_eq!(found, expected, "the digest of {operations} answers");
        Ok(operations)
    })
    .await
}

/// The digest of all answers of the transactions, of the order of their commits and of how often each had to run.
async fn transactions(store: &Arc<dyn Store>, rounds: &[Round]) -> Checked<(u64, usize)> {
    let db = database(store, Arc::new(ManualClock::new(Timestamp::from_millis(1_000)))).await?;
    let (mut digest, mut operations) = (DefaultHasher::new(), 0);
    for (number, round) in rounds.iter().enumerate() {
        let done = interleave(&db, number, round).await?;
        let mut order: Vec<usize> = (0..done.len()).collect();
        order.sort_by_key(|task| done[*task].revision);
        order.hash(&mut digest);
        for done in done {
            operations += done.answers.len() * done.runs;
            done.runs.hash(&mut digest);
            done.answers.into_iter().for_each(|answer| without_order(answer).hash(&mut digest));
        }
    }
    let notes = db.query(Note::PRIMARY).limit(1_000).page().await?.records;
    without_order(Answer::Notes(notes)).hash(&mut digest);
    Ok((digest.finish(), operations))
}

/// The order of what no index orders is each store's own.
fn without_order(mut answer: Answer) -> Answer {
    if let Answer::Notes(notes) = &mut answer {
        notes.sort_by(|a, b| (&a.room, a.id).cmp(&(&b.room, b.id)));
    }
    answer
}

async fn the_same_calls_give_the_same_answers(context: Context) -> Checked {
    let history = prop::collection::vec(call(), 1..400);
    search(&context, history, async |history| {
        let store = context.open_with(limits(&context)).await?.store;
        let found = calls(&store, &history).await?;
        let reference: Arc<dyn Store> = Arc::new(Reference::new(limits(&context)));
        let expected = calls(&reference, &history).await?;
        store.close().await?;
        ensure_eq!(found, expected, "the digest of {} answers", history.len());
        Ok(history.iter().map(Call::operations).sum())
    })
    .await
}

/// The digest of all answers to the calls.
async fn calls(store: &Arc<dyn Store>, history: &[Call]) -> Checked<u64> {
    let (mut player, mut digest) = (Player::new(store.clone()), DefaultHasher::new());
    for call in history {
        player.make(call).await?.hash(&mut digest);
    }
    Ok(digest.finish())
}
