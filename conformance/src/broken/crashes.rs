//! Stores that show what is wrong with them when a process is killed or the medium fails.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strongroom_core::store::{Batch, Guard, KeyRange, Outcome, Revision, Snapshot, Store};
use strongroom_core::{ErrorKind, Result};

use super::Broken;
use super::changes::{Changes, twisted};
use super::views::lock;
use crate::twist::Twist;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "commits_are_acknowledged_before_they_are_handed_on",
        wrong: "Batches are kept in memory until somebody reads or the store is closed.",
        caught_by: "crash::nothing_acknowledged_is_lost_by_a_kill",
        wrap: |inner| twisted(inner, Late::default()),
    },
    Broken {
        name: "a_commit_that_failed_is_acknowledged",
        wrong: "That the engine failed in a commit is not told.",
        caught_by: "crash::a_commit_that_meets_a_broken_medium_at_any_access_is_told",
        wrap: |inner| twisted(inner, Deaf::default()),
    },
    Broken {
        name: "a_commit_that_failed_is_made_again",
        wrong: "A commit that failed is made again behind the caller's back, who is told that it failed.",
        caught_by: "crash::a_failed_sync_is_told_and_loses_nothing_acknowledged",
        wrap: |inner| {
            let call = |inner: Arc<dyn Store>, batches: Vec<Batch>| async move {
                let outcomes = inner.commit(batches.clone()).await;
                if outcomes.is_err() {
                    // Again, behind the caller's back.
                    inner.commit(batches).await.ok();
                }
                outcomes
            };
            Changes::default().commit(call).on(inner)
        },
    },
];

/// Hands batches on when somebody looks.
#[derive(Debug, Default)]
struct Late(Mutex<Vec<Batch>>);

impl Late {
    async fn hand_on(&self, inner: &Arc<dyn Store>) -> Result<()> {
        let batches = std::mem::take(&mut *lock(&self.0));
        inner.commit(batches).await.map(drop)
    }
}

#[async_trait]
impl Twist for Late {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let as_of = inner.get(&[]).await?.as_of;
        let mut waiting = lock(&self.0);
        let revisions = (1..).map(|number| Revision(as_of.0 + waiting.len() as u64 + number));
        let outcomes = revisions.zip(&batches).map(|(revision, _)| Outcome::Committed(revision)).collect();
        waiting.extend(batches);
        Ok(outcomes)
    }

    async fn drop_range(&self, inner: &Arc<dyn Store>, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.hand_on(inner).await?;
        inner.drop_range(range, guards).await
    }

    async fn snapshot(&self, inner: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        self.hand_on(inner).await?;
        inner.snapshot().await
    }

    async fn close(&self, inner: &Arc<dyn Store>) -> Result<()> {
        // Closed already.
        self.hand_on(inner).await.ok();
        inner.close().await
    }
}

/// Hears of no failure of the engine in a commit. Knows the newest revision that it was given.
#[derive(Debug, Default)]
struct Deaf(Mutex<Revision>);

#[async_trait]
impl Twist for Deaf {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let count = batches.len() as u64;
        let outcomes = match inner.commit(batches).await {
            Err(error) if matches!(error.kind(), ErrorKind::Io | ErrorKind::CommitUnknown) => {
                let newest = lock(&self.0).0;
                (1..=count).map(|number| Outcome::Committed(Revision(newest + number))).collect()
            }
            outcomes => outcomes?,
        };
        let newest = outcomes.iter().filter_map(Outcome::revision).max().unwrap_or_default();
        let mut known = lock(&self.0);
        *known = newest.max(*known);
        drop(known);
        Ok(outcomes)
    }
}
