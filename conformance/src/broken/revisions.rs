//! Revisions that are not those of the batches.

use std::sync::{Arc, Mutex};

use strongroom_core::Result;
use strongroom_core::store::{Batch, Content, Entry, Outcome, Revision, Row, Store, StoredKey, Write};

use super::Broken;
use super::changes::Changes;
use super::views::{lock, newest};

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "batches_of_a_call_share_a_revision",
        wrong: "Batches of one call that have no guards are written as one, with one revision.",
        caught_by: "semantics::batches_of_one_call_have_a_revision_each",
        wrap: |inner| Changes::default().commit(as_one).on(inner),
    },
    Broken {
        name: "outcomes_tell_the_last_revision_of_the_call",
        wrong: "Every outcome of a call tells the revision of its last batch.",
        caught_by: "semantics::batches_of_one_call_have_a_revision_each",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, batches| async move {
                let mut outcomes = inner.commit(batches).await?;
                let last = outcomes.iter().filter_map(Outcome::revision).max();
                let told = outcomes.iter_mut().filter(|outcome| outcome.revision().is_some());
                told.zip(last.into_iter().cycle()).for_each(|(outcome, last)| *outcome = Outcome::Committed(last));
                Ok(outcomes)
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "outcomes_tell_the_revision_before",
        wrong: "An outcome tells the revision that was current when the batch came.",
        caught_by: "semantics::a_row_has_the_revision_of_the_batch_that_wrote_it_last",
        wrap: |inner| {
            let before = |batch: &Batch, outcome: &mut Outcome| match outcome {
                Outcome::Committed(revision) if !batch.is_read_only() => revision.0 -= 1,
                _ => {}
            };
            Changes::default().outcome(before).on(inner)
        },
    },
    Broken {
        name: "reading_batches_take_a_revision",
        wrong: "A batch that writes nothing gets a revision of its own.",
        caught_by: "semantics::a_batch_that_writes_nothing_has_the_revision_it_was_checked_at",
        wrap: |inner| {
            Changes::default()
                .batch(|batch| {
                    if batch.is_read_only() {
                        write_nothing(batch)
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "equal_values_are_not_written_again",
        wrong: "A write of the value that is there already leaves the row's revision as it is.",
        caught_by: "semantics::writing_the_same_again_is_a_new_revision",
        wrap: |inner| Changes::default().commit(only_new).on(inner),
    },
    Broken {
        name: "overwritten_rows_keep_their_first_revision",
        wrong: "A row carries the revision of the batch that made it, not of the last that wrote it.",
        caught_by: "semantics::a_row_has_the_revision_of_the_batch_that_wrote_it_last",
        wrap: first_revisions,
    },
    Broken {
        name: "pages_tell_their_own_revision_of_every_row",
        wrong: "The entries of a page carry the revision of the page.",
        caught_by: "semantics::a_link_and_its_target_have_revisions_of_their_own",
        wrap: |inner| {
            let as_of = |page: &mut strongroom_core::store::Page| {
                let as_of = page.as_of;
                page.entries.iter_mut().for_each(|entry: &mut Entry| entry.revision = as_of);
            };
            Changes::default().page(move |_, page| as_of(page)).on(inner)
        },
    },
    Broken {
        name: "a_conflict_takes_a_revision",
        wrong: "A batch whose guard does not hold takes a revision, and wakes who waits for one.",
        caught_by: "semantics::a_conflict_takes_no_revision",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, batches| async move {
                let outcomes = inner.commit(batches).await?;
                if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Conflict { .. })) {
                    let mut nothing = Batch::default();
                    write_nothing(&mut nothing);
                    inner.commit(vec![nothing]).await?;
                }
                Ok(outcomes)
            };
            Changes::default().commit(call).on(inner)
        },
    },
    Broken {
        name: "revisions_begin_again_with_each_opening",
        wrong: "Revisions are counted from the opening of the store.",
        caught_by: "semantics::revisions_go_on_when_opened_again",
        wrap: since_opening,
    },
];

async fn as_one(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let limits = inner.info().limits;
    let plain = |batch: &Batch| batch.guards.is_empty() && !batch.is_read_only() && batch.check(&limits).is_ok();
    if !batches.iter().all(plain) {
        return inner.commit(batches).await;
    }
    let many = batches.len();
    let mut one = Batch::default();
    for batch in batches {
        one.writes.extend(batch.writes);
        one.stamped.extend(batch.stamped);
    }
    let outcomes = inner.commit(vec![one]).await?;
    Ok(outcomes.into_iter().cycle().take(many).collect())
}

/// Changes no row, and yet is a write.
fn write_nothing(batch: &mut Batch) {
    batch.writes.insert(StoredKey::from(b"\xFFno row has this key".to_vec()), Write::Delete);
}

async fn only_new(inner: Arc<dyn Store>, mut batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    for batch in &mut batches {
        let keys: Vec<_> = batch.writes.keys().cloned().collect();
        if keys.len() > inner.info().limits.get_keys_max {
            continue;
        }
        let rows = inner.get(&keys).await?.rows;
        for (key, row) in keys.iter().zip(rows) {
            let same = match (batch.writes.get(key), row) {
                (Some(Write::Put(new)), Some(Row { content: Content::Value(old), .. })) => *new == old,
                _ => false,
            };
            if same {
                batch.writes.remove(key);
            }
        }
    }
    inner.commit(batches).await
}

fn first_revisions(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    type First = std::collections::BTreeMap<StoredKey, Revision>;
    let first = Arc::new(Mutex::new(First::new()));
    let (of_rows, of_page) = (first.clone(), first.clone());
    let note = move |batch: &Batch, outcome: &mut Outcome| {
        let mut first = lock(&first);
        for (key, write) in outcome.revision().iter().flat_map(|_| &batch.writes) {
            match (write, outcome.revision()) {
                (Write::Delete, _) | (_, None) => drop(first.remove(key)),
                (_, Some(revision)) => drop(first.entry(key.clone()).or_insert(revision)),
            }
        }
    };
    Changes::default()
        .outcome(note)
        .rows(move |keys, rows| {
            for (key, row) in keys.iter().zip(rows.rows.iter_mut().map(Option::as_mut)) {
                if let (Some(row), Some(first)) = (row, lock(&of_rows).get(key)) {
                    row.revision = *first;
                }
            }
        })
        .page(move |_, page| {
            for entry in &mut page.entries {
                entry.revision = lock(&of_page).get(&entry.key).copied().unwrap_or(entry.revision);
            }
        })
        .on(inner)
}

fn since_opening(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let opened = Arc::new(tokio::sync::OnceCell::new());
    let base = Arc::new(Mutex::new(Revision::ZERO));
    let known = base.clone();
    let since = move |revision: Revision| Revision(revision.0.saturating_sub(lock(&known).0));
    let told = since.clone();
    let commit = move |inner: Arc<dyn Store>, batches| {
        let (opened, base, since) = (opened.clone(), base.clone(), told.clone());
        async move {
            // The first commit finds out from where to count.
            let first = opened.get_or_try_init(|| newest(&*inner)).await?;
            *lock(&base) = *first;
            let mut outcomes = inner.commit(batches).await?;
            for outcome in &mut outcomes {
                if let Outcome::Committed(revision) = outcome {
                    *revision = since(*revision);
                }
            }
            Ok(outcomes)
        }
    };
    let of_rows = since.clone();
    Changes::default()
        .commit(commit)
        .rows(move |_, rows| rows.as_of = of_rows(rows.as_of))
        .page(move |_, page| page.as_of = since(page.as_of))
        .on(inner)
}
