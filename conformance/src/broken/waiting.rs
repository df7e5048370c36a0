//! Waits for a change that end too early, or with the wrong revision.

use std::sync::Arc;

use strongroom_core::Result;
use strongroom_core::store::{Batch, Revision, Store};
use tokio::sync::watch;

use super::Broken;
use super::changes::Changes;
use super::views::newest;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "changed_resolves_at_once",
        wrong: "Waiting for a change ends although there was none.",
        caught_by: "semantics::nothing_but_a_write_wakes_one_who_waits_already",
        wrap: |inner| Changes::default().changed(|inner, _| async move { newest(&*inner).await }).on(inner),
    },
    Broken {
        name: "changed_gives_the_next_revision",
        wrong: "Waiting for a change gives the first revision after the given one, not the newest.",
        caught_by: "semantics::changed_gives_the_newest_revision",
        wrap: |inner| {
            Changes::default()
                .changed(|inner, after| async move { inner.changed(after).await.map(|_| after.next()) })
                .on(inner)
        },
    },
    Broken {
        name: "changed_gives_what_it_was_given",
        wrong: "Waiting for a change gives back the revision that it was asked to pass.",
        caught_by: "semantics::changed_resolves_at_once_if_there_is_a_newer_revision",
        wrap: |inner| {
            Changes::default()
                .changed(|inner, after| async move { inner.changed(after).await.map(|_| after) })
                .on(inner)
        },
    },
    Broken {
        name: "changed_includes_its_revision",
        wrong: "Waiting for a change ends at the revision that it should pass.",
        caught_by: "semantics::nothing_but_a_write_wakes_one_who_waits_already",
        wrap: |inner| {
            let from = |after: Revision| Revision(after.0.saturating_sub(1));
            Changes::default().changed(move |inner, after| async move { inner.changed(from(after)).await }).on(inner)
        },
    },
    Broken {
        name: "changed_does_not_hear_of_drop_range",
        wrong: "Waiting for a change goes on when a range is dropped.",
        caught_by: "semantics::every_kind_of_write_wakes_one_who_waits_already",
        wrap: |inner| deaf(inner, Deaf::ToDropRange),
    },
    Broken {
        name: "changed_does_not_hear_of_stamped_rows",
        wrong: "Waiting for a change goes on when a batch of stamped rows alone is committed.",
        caught_by: "semantics::every_kind_of_write_wakes_one_who_waits_already",
        wrap: |inner| deaf(inner, Deaf::ToStamped),
    },
    Broken {
        name: "changed_hears_of_batches_that_only_read",
        wrong: "Waiting for a change ends when a batch that writes nothing is committed.",
        caught_by: "semantics::nothing_but_a_write_wakes_one_who_waits_already",
        wrap: |inner| deaf(inner, Deaf::Never),
    },
    Broken {
        name: "changed_is_told_before_the_rows_are_there",
        wrong: "Waiting for a change ends before the rows of the batch can be read.",
        caught_by: "semantics::what_a_waiter_is_told_can_be_read_at_once",
        wrap: told_early,
    },
    Broken {
        name: "changed_misses_what_came_before",
        wrong: "Waiting for a change waits for the next one, although there is a newer revision already.",
        caught_by: "semantics::changed_resolves_at_once_if_there_is_a_newer_revision",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, after: Revision| async move {
                let now = newest(&*inner).await?;
                inner.changed(now.max(after)).await
            };
            Changes::default().changed(call).on(inner)
        },
    },
];

/// What a store does not tell those who wait, or tells them too often.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deaf {
    ToDropRange,
    ToStamped,
    Never,
}

/// Waits end when a commit says so.
fn deaf(inner: Arc<dyn Store>, deaf: Deaf) -> Arc<dyn Store> {
    let told = watch::Sender::new((Revision::ZERO, 0_u64));
    let heard = told.clone();
    let closed = told.clone();
    Changes::default()
        .commit(move |inner, batches: Vec<Batch>| {
            let told = told.clone();
            async move {
                let outcomes = inner.commit(batches.clone()).await?;
                let heard = |batch: &Batch| deaf != Deaf::ToStamped || !batch.writes.is_empty();
                let heard = batches.iter().zip(&outcomes).filter(|(batch, _)| heard(batch));
                let newest = heard.filter_map(|(_, outcome)| outcome.revision()).max();
                let times = u64::from(deaf == Deaf::Never);
                told.send_modify(|(revision, count)| {
                    (*revision, *count) = (newest.unwrap_or(*revision).max(*revision), *count + times);
                });
                Ok(outcomes)
            }
        })
        .changed(move |inner, after| {
            let mut heard = heard.subscribe();
            async move {
                let now = newest(&*inner).await?;
                if now > after {
                    return Ok(now);
                }
                let count = heard.borrow().1;
                let ended = heard.wait_for(|(revision, now)| *revision > after || *now > count).await;
                let ended: Option<Revision> = ended.ok().map(|ended| ended.0);
                let now = newest(&*inner).await?;
                Ok(ended.unwrap_or(now).max(now))
            }
        })
        .close(move |inner, ()| {
            let closed = closed.clone();
            async move {
                let result = inner.close().await;
                closed.send_modify(|told| told.0 = Revision(u64::MAX));
                result
            }
        })
        .on(inner)
}

fn told_early(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let told = watch::Sender::new(Revision::ZERO);
    let heard = told.clone();
    let commit = move |inner: Arc<dyn Store>, batches: Vec<Batch>| {
        let told = told.clone();
        async move {
            let next = newest(&*inner).await?.next();
            if batches.iter().any(|batch| !batch.is_read_only()) {
                told.send_replace(next);
                tokio::task::yield_now().await;
            }
            inner.commit(batches).await
        }
    };
    let changed = move |inner: Arc<dyn Store>, after| {
        let mut heard = heard.subscribe();
        async move {
            let early = async move {
                let told = heard.wait_for(|told| *told > after).await.map(|told| *told).ok();
                // Without a sender the store is gone, and nobody waits.
                Result::Ok(told.unwrap_or(after))
            };
            let ended = futures_util::future::select(Box::pin(early), inner.changed(after));
            ended.await.factor_first().0
        }
    };
    Changes::default().commit(commit).changed(changed).on(inner)
}
