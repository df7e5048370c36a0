//! Stamped rows under another key, or lost.

use std::sync::Arc;

use strongroom_core::Result;
use strongroom_core::store::{Batch, KeyPrefix, Outcome, Revision, Store, StoredKey, Write};

use super::Broken;
use super::changes::Changes;
use super::views::{commit_one, newest};

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "stamps_are_little_endian",
        wrong: "A stamped key ends in the revision with its least byte first.",
        caught_by: "semantics::a_stamped_row_has_its_revision_at_the_end_of_its_key",
        wrap: |inner| stamping(inner, |prefix, revision| joined(prefix, &revision.0.to_le_bytes())),
    },
    Broken {
        name: "stamps_are_text",
        wrong: "A stamped key ends in the revision as decimal digits.",
        caught_by: "semantics::stamped_rows_are_in_the_order_of_their_commits",
        wrap: |inner| stamping(inner, |prefix, revision| joined(prefix, revision.to_string().as_bytes())),
    },
    Broken {
        name: "stamps_are_of_the_revision_before",
        wrong: "A stamped key ends in the revision that was current when the batch came.",
        caught_by: "semantics::a_stamped_row_has_its_revision_at_the_end_of_its_key",
        wrap: |inner| stamping(inner, |prefix, revision| prefix.stamp(Revision(revision.0 - 1))),
    },
    Broken {
        name: "stamps_are_left_out",
        wrong: "A stamped row is written under its prefix alone, so that the next one replaces it.",
        caught_by: "semantics::a_stamped_row_is_never_overwritten_by_a_later_one",
        wrap: |inner| stamping(inner, |prefix, _| prefix.0.clone()),
    },
    Broken {
        name: "stamped_rows_are_lost_beside_writes",
        wrong: "The stamped rows of a batch that has writes are not written.",
        caught_by: "semantics::a_stamped_row_reads_like_any_other",
        wrap: |inner| {
            Changes::default()
                .batch(|batch| {
                    if !batch.writes.is_empty() {
                        batch.stamped.clear()
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "stamped_rows_without_a_value_are_lost",
        wrong: "A stamped row with an empty value is not written.",
        caught_by: "semantics::an_empty_stamped_value_is_no_absent_row",
        wrap: |inner| Changes::default().batch(|batch| batch.stamped.retain(|(_, value)| !value.is_empty())).on(inner),
    },
    Broken {
        name: "only_the_last_stamped_row_is_written",
        wrong: "Of several stamped rows of a batch the last is written.",
        caught_by: "semantics::a_batch_may_stamp_several_prefixes",
        wrap: |inner| {
            let last = |batch: &mut Batch| drop(batch.stamped.drain(..batch.stamped.len().saturating_sub(1)));
            Changes::default().batch(last).on(inner)
        },
    },
    Broken {
        name: "a_prefix_stamped_twice_is_accepted",
        wrong: "A batch that stamps one prefix twice is committed with the first of them.",
        caught_by: "semantics::one_prefix_stamped_twice_is_rejected",
        wrap: |inner| Changes::default().batch(|batch| once(&mut batch.stamped)).on(inner),
    },
    Broken {
        name: "a_stamped_row_replaces_a_write_of_its_batch",
        wrong: "A batch whose stamped row has the key of one of its writes is committed.",
        caught_by: "semantics::a_stamped_row_with_the_key_of_another_write_is_rejected",
        wrap: |inner| Changes::default().commit(replacing).on(inner),
    },
];

fn joined(prefix: &KeyPrefix, stamp: &[u8]) -> StoredKey {
    StoredKey::from([prefix.0.as_bytes(), stamp].concat())
}

/// Stamped rows are written under keys made of their prefix and the batch's revision.
fn stamping(inner: Arc<dyn Store>, key: fn(&KeyPrefix, Revision) -> StoredKey) -> Arc<dyn Store> {
    let call = move |inner: Arc<dyn Store>, batches: Vec<Batch>| async move {
        let mut outcomes = Vec::new();
        for mut batch in batches {
            if batch.check(&inner.info().limits).is_ok() {
                let revision = newest(&*inner).await?.next();
                let stamped = std::mem::take(&mut batch.stamped).into_iter();
                batch.writes.extend(stamped.map(|(prefix, value)| (key(&prefix, revision), Write::Put(value))));
            }
            outcomes.push(commit_one(&*inner, batch).await?);
        }
        Ok(outcomes)
    };
    Changes::default().commit(call).on(inner)
}

fn once<T>(stamped: &mut Vec<(KeyPrefix, T)>) {
    let mut seen = std::collections::BTreeSet::new();
    stamped.retain(|(prefix, _)| seen.insert(prefix.clone()));
}

async fn replacing(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for mut batch in batches {
        let revision = newest(&*inner).await?.next();
        for (prefix, _) in &batch.stamped {
            batch.writes.remove(&prefix.stamp(revision));
        }
        outcomes.push(commit_one(&*inner, batch).await?);
    }
    Ok(outcomes)
}
