//! Stores that acknowledge what they lose when they are opened again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{Batch, Content, Guard, KeyRange, LinkTo, Outcome, Row, Store, StoredKey, Write};

use super::Broken;
use super::changes::{Changes, twisted};
use super::views::{all_of, lock};
use crate::twist::Twist;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "the_last_commit_is_lost_on_reopen",
        wrong: "A commit is acknowledged before it is synced: it becomes durable with the next one.",
        caught_by: "semantics::what_was_committed_is_there_when_opened_again",
        wrap: |inner| twisted(inner, Unsynced { undo: Mutex::default(), writes: true, stamped: true }),
    },
    Broken {
        name: "stamped_rows_are_lost_on_reopen",
        wrong: "The stamped rows of the last commit are kept in memory.",
        caught_by: "semantics::whatever_was_written_last_is_there_when_the_store_is_opened_again",
        wrap: |inner| twisted(inner, Unsynced { undo: Mutex::default(), writes: false, stamped: true }),
    },
    Broken {
        name: "dropped_ranges_are_back_on_reopen",
        wrong: "A dropped range is hidden, and its rows are there again when the store is opened again.",
        caught_by: "semantics::what_was_deleted_stays_away_when_opened_again",
        wrap: back_again,
    },
    Broken {
        name: "links_are_values_on_reopen",
        wrong: "That a row is a link is not stored with it.",
        caught_by: "semantics::what_was_committed_is_there_when_opened_again",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, ()| async move {
                let rows = all_of(&*inner, &KeyRange::ALL).await.map(|page| page.entries).unwrap_or_default();
                let as_value = |content| match content {
                    Some(Content::Link(target)) => Some(Write::Put(target.into_bytes())),
                    Some(Content::Value(_) | Content::Damaged(_)) | None => None,
                };
                let writes = rows.into_iter().filter_map(|entry| Some((entry.key, as_value(entry.content)?)));
                let batch = Batch { writes: writes.collect(), ..Batch::default() };
                // Closed already.
                inner.commit(vec![batch]).await.ok();
                inner.close().await
            };
            Changes::default().close(call).on(inner)
        },
    },
    Broken {
        name: "rows_carry_new_revisions_on_reopen",
        wrong: "A row's revision is kept in memory, and is another when the store is opened again.",
        caught_by: "semantics::guards_are_exact_when_opened_again",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, ()| async move {
                let rows = all_of(&*inner, &KeyRange::ALL).await.map(|page| page.entries).unwrap_or_default();
                let writes = rows.into_iter().filter_map(|entry| Some((entry.key, restore(entry.content?))));
                let batch = Batch { writes: writes.collect(), ..Batch::default() };
                // Closed already.
                inner.commit(vec![batch]).await.ok();
                inner.close().await
            };
            Changes::default().close(call).on(inner)
        },
    },
];

fn restore(content: Content) -> Write {
    match content {
        Content::Value(value) => Write::Put(value),
        Content::Link(target) => Write::Link(LinkTo::Key(target)),
        Content::Damaged(_) => Write::Delete,
    }
}

/// Undoes the last commit when it is closed.
#[derive(Debug)]
struct Unsynced {
    undo: Mutex<BTreeMap<StoredKey, Write>>,
    writes: bool,
    stamped: bool,
}

#[async_trait]
impl Twist for Unsynced {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let mut undo = BTreeMap::new();
        if self.writes {
            let keys: Vec<_> = batches.iter().flat_map(|batch| batch.writes.keys().cloned()).collect();
            for keys in keys.chunks(inner.info().limits.get_keys_max) {
                let before = inner.get(keys).await?.rows.into_iter();
                let before = before.map(|row: Option<Row>| row.map_or(Write::Delete, |row| restore(row.content)));
                undo.extend(keys.iter().cloned().zip(before));
            }
        }
        let outcomes = inner.commit(batches.clone()).await?;
        for (batch, outcome) in batches.iter().zip(&outcomes).filter(|_| self.stamped) {
            let stamped = batch.stamped.iter();
            let keys = stamped.filter_map(|(prefix, _)| outcome.revision().map(|revision| prefix.stamp(revision)));
            undo.extend(keys.map(|key| (key, Write::Delete)));
        }
        *lock(&self.undo) = undo;
        Ok(outcomes)
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        lock(&self.undo).clear();
        inner.drop_range(range, guards).await
    }

    async fn close(&self, inner: &Arc<dyn Store>) -> Result<()> {
        let writes = std::mem::take(&mut *lock(&self.undo));
        if !writes.is_empty() {
            inner.commit(vec![Batch { writes, ..Batch::default() }]).await?;
        }
        inner.close().await
    }
}

fn back_again(inner: Arc<dyn Store>) -> Arc<dyn Store> {
    let hidden = Arc::new(Mutex::new(BTreeMap::<StoredKey, Write>::new()));
    let shown = hidden.clone();
    Changes::default()
        .drop_range(move |inner, (range, guards)| {
            let hidden = hidden.clone();
            async move {
                let rows = all_of(&*inner, &range).await?.entries.into_iter();
                let outcome = inner.drop_range(&range, &guards).await?;
                if outcome.revision().is_some() {
                    lock(&hidden).extend(rows.filter_map(|entry| Some((entry.key, restore(entry.content?)))));
                }
                Ok(outcome)
            }
        })
        .close(move |inner, ()| {
            let writes = std::mem::take(&mut *lock(&shown));
            async move {
                if !writes.is_empty() {
                    inner.commit(vec![Batch { writes, ..Batch::default() }]).await?;
                }
                inner.close().await
            }
        })
        .on(inner)
}
