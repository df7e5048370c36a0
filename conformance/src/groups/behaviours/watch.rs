//! A store that is watched: what its commits delete, what happens in the middle of an operation, and which commits fail.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use strongroom_core::store::{Batch, KeyRange, Outcome, Read, Store, Summary, Write};
use strongroom_core::{Error, ErrorKind, Result};

use crate::Checked;
use crate::twist::Twist;

type Event = BoxFuture<'static, Checked>;

/// Notes what each commit deletes, lets something happen at a moment, and lets commits fail.
#[derive(Default)]
pub(super) struct Watch {
    deleted: Mutex<Vec<usize>>,
    before_commit: Mutex<Option<Event>>,
    after_summary: Mutex<Option<Event>>,
    fails: Mutex<VecDeque<bool>>,
}

impl Watch {
    /// How many rows each commit has deleted since this was last asked.
    pub(super) fn take_deleted(&self) -> Vec<usize> {
        std::mem::take(&mut *lock(&self.deleted))
    }

    /// What happens before the next commit.
    pub(super) fn before_commit(&self, event: impl Future<Output = Checked> + Send + 'static) {
        *lock(&self.before_commit) = Some(Box::pin(event));
    }

    /// What happens when the next range has been counted.
    pub(super) fn after_summary(&self, event: impl Future<Output = Checked> + Send + 'static) {
        *lock(&self.after_summary) = Some(Box::pin(event));
    }

    /// Whether the commits to come fail, the next one first.
    pub(super) fn fail(&self, fails: impl IntoIterator<Item = bool>) {
        lock(&self.fails).extend(fails);
    }
}

async fn reached(event: &Mutex<Option<Event>>) -> Result<()> {
    let event = lock(event).take();
    match event {
        Some(event) => event.await.map_err(|failure| Error::application(std::io::Error::other(failure.to_string()))),
        None => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

#[async_trait]
impl Twist for Watch {
    async fn summarize(&self, inner: &dyn Read, range: &KeyRange) -> Result<Summary> {
        let summary = inner.summarize(range).await?;
        reached(&self.after_summary).await?;
        Ok(summary)
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        reached(&self.before_commit).await?;
        if lock(&self.fails).pop_front() == Some(true) {
            return Err(Error::new(ErrorKind::Io, "the medium fails"));
        }
        let writes = batches.iter().flat_map(|batch| batch.writes.values());
        let deleted = writes.filter(|write| matches!(write, Write::Delete)).count();
        let outcomes = inner.commit(batches).await?;
        lock(&self.deleted).push(deleted);
        Ok(outcomes)
    }
}
