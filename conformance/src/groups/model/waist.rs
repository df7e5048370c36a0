//! Calls of the waist, each answered as the reference answers it: groups of batches with guards that hold or do not, stamped
//! rows, links, dropped ranges, pages, and snapshots that are held over later commits.

use std::sync::Arc;

use proptest::prelude::*;
use strongroom_core::store::Limits;

use super::calls::{Call, call};
use super::player::Player;
use super::reference::Reference;
use super::search::search;
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure_eq};

cases! { Model;
    calls_of_the_waist_answer_like_a_map random true,
    calls_of_the_waist_answer_like_a_map_across_reopening [Reopen] random true,
    snapshots_answer_like_the_map_that_was random true,
}

/// Limits that histories come to.
pub(super) fn limits(context: &Context) -> Limits {
    Limits {
        value_bytes_max: 64,
        batch_writes_max: 8,
        batch_guards_max: 4,
        page_entries_max: 16,
        get_keys_max: 9,
        ..context.limits()
    }
}

async fn calls_of_the_waist_answer_like_a_map(context: Context) -> Checked {
    let calls = prop::collection::vec(call(), 1..120);
    search(&context, calls, async |calls| run(&context, &calls, usize::MAX).await).await
}

async fn calls_of_the_waist_answer_like_a_map_across_reopening(context: Context) -> Checked {
    let calls = prop::collection::vec(call(), 1..120);
    search(&context, calls, async |calls| run(&context, &calls, 25).await).await
}

/// All snapshots at once, after each part of a history: none moves, whatever is committed.
async fn snapshots_answer_like_the_map_that_was(context: Context) -> Checked {
    let calls = prop::collection::vec(prop::collection::vec(call(), 1..12), 1..10);
    search(&context, calls, async |parts| {
        let site = context.open_with(limits(&context)).await?;
        let mut players = players(&context, site.store.clone());
        let (mut calls, mut operations) = (0, 0);
        let mut held = Vec::new();
        for part in &parts {
            let (snapshot, expected) = (site.store.snapshot().await?, players.1.everything().await?);
            held.push((snapshot, expected));
            for call in part {
                both(&mut players, calls, call).await?;
                calls += 1;
                operations += call.operations();
            }
            for (snapshot, expected) in &held {
                ensure_eq!(players.0.everything_on(&**snapshot).await?, *expected, "a snapshot, {calls} calls later");
                operations += 1;
            }
        }
        drop(held);
        site.store.close().await?;
        Ok(operations)
    })
    .await
}

/// Makes every call on the store and on the reference, and opens the store again after so many.
async fn run(context: &Context, calls: &[Call], reopen_after: usize) -> Checked<usize> {
    let mut site = context.open_with(limits(context)).await?;
    let mut players = players(context, site.store.clone());
    for (at, call) in calls.iter().enumerate() {
        both(&mut players, at, call).await?;
        if at % reopen_after == reopen_after - 1 {
            site.reopen().await?;
            let reference = players.1.store.clone();
            players.0.reopened(site.store.clone());
            players.1.reopened(reference);
        }
    }
    ensure_eq!(players.0.everything().await?, players.1.everything().await?, "the rows in the end");
    drop(players);
    site.store.close().await?;
    Ok(calls.iter().map(Call::operations).sum())
}

/// One on the store, one on the reference.
fn players(context: &Context, store: Arc<dyn strongroom_core::store::Store>) -> (Player, Player) {
    (Player::new(store), Player::new(Arc::new(Reference::new(limits(context)))))
}

async fn both(players: &mut (Player, Player), at: usize, call: &Call) -> Checked {
    let which = |failure| Failure::new(format!("call {at}, {call:?}: {failure}"));
    let answer = players.0.make(call).await.map_err(which)?;
    let expected = players.1.make(call).await.map_err(which)?;
    ensure_eq!(answer, expected, "call {at}, {call:?}");
    Ok(())
}
