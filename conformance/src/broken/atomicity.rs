//! Batches that happen in part, that harm each other, or whose outcome is not what happened.

use std::sync::Arc;

use strongroom_core::Result;
use strongroom_core::store::{Batch, Content, Guard, Outcome, Row, Store, StoredKey, Write};

use super::Broken;
use super::changes::Changes;
use super::views::{commit_one, newest};

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "a_conflicting_batch_leaves_its_first_write",
        wrong: "A batch is written until a guard is found that does not hold, and not undone.",
        caught_by: "semantics::a_conflict_changes_nothing",
        wrap: |inner| refused_in_part(inner, |outcome| matches!(outcome, Outcome::Conflict { .. })),
    },
    Broken {
        name: "a_rejected_batch_leaves_its_first_write",
        wrong: "A batch is written until a write is found that is past a limit, and not undone.",
        caught_by: "semantics::a_rejection_changes_nothing",
        wrap: |inner| refused_in_part(inner, |outcome| matches!(outcome, Outcome::Rejected(_))),
    },
    Broken {
        name: "a_batch_happens_in_two_parts",
        wrong: "A batch without guards is written in two parts, between which readers see half of it.",
        caught_by: "semantics::all_of_a_batch_has_one_revision",
        wrap: |inner| Changes::default().commit(in_two_parts).on(inner),
    },
    Broken {
        name: "a_conflict_ends_the_call",
        wrong: "Batches behind one that conflicts are not applied, and answered like it.",
        caught_by: "semantics::a_conflict_harms_no_neighbour",
        wrap: |inner| ending(inner, |outcome| matches!(outcome, Outcome::Conflict { .. })),
    },
    Broken {
        name: "a_rejection_ends_the_call",
        wrong: "Batches behind one that is rejected are not applied, and answered like it.",
        caught_by: "semantics::a_rejection_harms_no_neighbour",
        wrap: |inner| ending(inner, |outcome| matches!(outcome, Outcome::Rejected(_))),
    },
    Broken {
        name: "a_rejection_fails_the_call",
        wrong: "A batch that is rejected makes the whole call an error, although the others were applied.",
        caught_by: "semantics::a_rejection_harms_no_neighbour",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, batches| async move {
                let outcomes = inner.commit(batches).await?;
                let rejected = outcomes.iter().find_map(|outcome| match outcome {
                    Outcome::Rejected(error) => Some(error.clone()),
                    Outcome::Committed(_) | Outcome::Conflict { .. } => None,
                });
                rejected.map_or(Ok(outcomes), Err)
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "a_conflict_is_said_to_be_committed",
        wrong: "A batch whose guard does not hold is answered as if it had happened.",
        caught_by: "semantics::a_conflict_changes_nothing",
        wrap: |inner| Changes::default().commit(swallow).on(inner),
    },
    Broken {
        name: "a_commit_is_said_to_conflict",
        wrong: "A batch with guards that hold happens, and is answered as a conflict.",
        caught_by: "semantics::guards_of_a_batch_do_not_see_its_own_writes",
        wrap: |inner| {
            let conflict = |batch: &Batch, outcome: &mut Outcome| {
                if !batch.guards.is_empty() {
                    *outcome = Outcome::Conflict { guard: 0 };
                }
            };
            Changes::default().outcome(conflict).on(inner)
        },
    },
    Broken {
        name: "batches_are_applied_backwards",
        wrong: "The batches of a call are applied from the last to the first.",
        caught_by: "semantics::the_last_of_several_batches_in_one_call_wins",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, mut batches: Vec<Batch>| async move {
                batches.reverse();
                let mut outcomes = inner.commit(batches).await?;
                outcomes.reverse();
                Ok(outcomes)
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "a_call_has_one_outcome",
        wrong: "A call with several batches is answered with the outcome of the last.",
        caught_by: "semantics::each_batch_has_its_outcome_in_order",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, batches| async move {
                Ok(inner.commit(batches).await?.pop().into_iter().collect())
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "deletes_are_ignored",
        wrong: "A delete changes nothing.",
        caught_by: "semantics::a_deleted_row_is_gone_for_every_read",
        wrap: |inner| {
            let keep = |batch: &mut Batch| batch.writes.retain(|_, write| *write != Write::Delete);
            Changes::default().batch(keep).on(inner)
        },
    },
    Broken {
        name: "a_deleted_row_reads_as_empty",
        wrong: "A delete leaves a row with an empty value: a tombstone that can be read.",
        caught_by: "semantics::a_deleted_row_is_gone_for_every_read",
        wrap: |inner| {
            let bury = |write: &mut Write| {
                if *write == Write::Delete {
                    *write = Write::Put(Vec::new().into())
                }
            };
            Changes::default().batch(move |batch| batch.writes.values_mut().for_each(bury)).on(inner)
        },
    },
    Broken {
        name: "deleting_what_is_absent_is_a_conflict",
        wrong: "A batch that deletes a key without a row does not happen.",
        caught_by: "semantics::deleting_what_is_not_there_is_no_error",
        wrap: |inner| Changes::default().commit(present).on(inner),
    },
    Broken {
        name: "a_shorter_value_keeps_the_tail_of_the_longer",
        wrong: "A value is written over the last one, and what was longer stays.",
        caught_by: "semantics::a_put_replaces_the_whole_row",
        wrap: |inner| Changes::default().commit(over).on(inner),
    },
    Broken {
        name: "a_put_keeps_a_link",
        wrong: "A value put where a link was changes nothing.",
        caught_by: "semantics::a_row_changes_between_value_and_link",
        wrap: |inner| Changes::default().commit(keep_links).on(inner),
    },
    Broken {
        name: "concurrent_commits_overwrite_each_other",
        wrong: "Guards are judged before other tasks have their turn, and the writes follow after it.",
        caught_by: "semantics::a_counter_under_key_guards_loses_no_step",
        wrap: |inner| Changes::default().commit(judged_early).on(inner),
    },
];

/// The first write of a batch that was refused happens all the same.
fn refused_in_part(inner: Arc<dyn Store>, refused: fn(&Outcome) -> bool) -> Arc<dyn Store> {
    let call = move |inner: Arc<dyn Store>, batches: Vec<Batch>| async move {
        let outcomes = inner.commit(batches.clone()).await?;
        for (batch, _) in batches.iter().zip(&outcomes).filter(|(_, outcome)| refused(outcome)) {
            let writes = batch.writes.clone().into_iter().take(1).collect();
            inner.commit(vec![Batch { writes, ..Batch::default() }]).await?;
        }
        Ok(outcomes)
    };
    Changes::default().commit(call).on(inner)
}

async fn in_two_parts(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let limits = inner.info().limits;
    let mut outcomes = Vec::new();
    for mut batch in batches {
        if batch.guards.is_empty() && batch.writes.len() > 1 && batch.check(&limits).is_ok() {
            let middle = batch.writes.keys().nth(batch.writes.len() / 2).cloned().unwrap_or_default();
            let rest = batch.writes.split_off(&middle);
            inner.commit(vec![std::mem::replace(&mut batch, Batch { writes: rest, ..Batch::default() })]).await?;
            tokio::task::yield_now().await;
        }
        outcomes.push(commit_one(&*inner, batch).await?);
    }
    Ok(outcomes)
}

/// Batches behind one with such an outcome are not applied.
fn ending(inner: Arc<dyn Store>, ends: fn(&Outcome) -> bool) -> Arc<dyn Store> {
    let call = move |inner: Arc<dyn Store>, batches: Vec<Batch>| async move {
        let mut outcomes: Vec<Outcome> = Vec::new();
        for batch in batches {
            outcomes.push(match outcomes.last() {
                Some(last) if ends(last) => last.clone(),
                _ => commit_one(&*inner, batch).await?,
            });
        }
        Ok(outcomes)
    };
    Changes::default().commit(call).on(inner)
}

async fn swallow(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let mut outcomes = inner.commit(batches).await?;
    let current = newest(&*inner).await?;
    for outcome in &mut outcomes {
        if let Outcome::Conflict { .. } = outcome {
            *outcome = Outcome::Committed(current);
        }
    }
    Ok(outcomes)
}

async fn present(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for batch in batches {
        let deleted = batch.writes.iter().filter(|(_, write)| **write == Write::Delete);
        let deleted: Vec<_> = deleted.map(|(key, _)| key.clone()).collect();
        let absent = inner.get(&deleted).await?.rows.contains(&None);
        outcomes.push(if absent { Outcome::Conflict { guard: 0 } } else { commit_one(&*inner, batch).await? });
    }
    Ok(outcomes)
}

async fn row(inner: &dyn Store, key: &StoredKey) -> Result<Option<Row>> {
    Ok(inner.get(std::slice::from_ref(key)).await?.rows.pop().flatten())
}

async fn over(inner: Arc<dyn Store>, mut batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    for (key, write) in batches.iter_mut().flat_map(|batch| &mut batch.writes) {
        let Write::Put(value) = write else { continue };
        if let Some(Row { content: Content::Value(last), .. }) = row(&*inner, key).await?
            && last.len() > value.len()
        {
            *value = [value, &last[value.len()..]].concat().into();
        }
    }
    inner.commit(batches).await
}

async fn keep_links(inner: Arc<dyn Store>, mut batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    for (key, write) in batches.iter_mut().flat_map(|batch| &mut batch.writes) {
        let Write::Put(_) = write else { continue };
        if let Some(Row { content: Content::Link(target), .. }) = row(&*inner, key).await? {
            *write = Write::Link(strongroom_core::store::LinkTo::Key(target));
        }
    }
    inner.commit(batches).await
}

async fn judged_early(inner: Arc<dyn Store>, mut batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let [batch] = batches.as_mut_slice() else { return inner.commit(batches).await };
    let guards: Vec<Guard> = std::mem::take(&mut batch.guards);
    if guards.is_empty() || batch.is_read_only() {
        batch.guards = guards;
        return inner.commit(batches).await;
    }
    let judged = commit_one(&*inner, Batch { guards, ..Batch::default() }).await?;
    if judged.revision().is_none() {
        return Ok(vec![judged]);
    }
    tokio::task::yield_now().await;
    Ok(vec![commit_one(&*inner, std::mem::take(batch)).await?])
}
