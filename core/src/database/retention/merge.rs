//! The oldest of several groups together: a merge of their entries in the order of time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::super::query::{Plan, Query, Source as _, live_keys};
use super::super::snapshot::Snapshot;
use crate::Result;
use crate::schema::Record;
use crate::store::StoredKey;

/// Entries of all groups that are kept in memory, unless there are so many groups that each has the least.
const BUFFERED: usize = 16_384;
/// Entries of one group that are read at a time, at least and at most.
const READ_MIN: usize = 4;
const READ_MAX: usize = 500;
/// Bytes of a time in a key.
const TIME_BYTES: usize = 8;

/// Of each group the last entry that goes, if one does, so that of all groups together the newest `kept` entries stay. All of it is of one view: so
/// of two that decide at the same time, neither adds what the other has deleted to what it deletes itself.
pub(super) async fn cuts<R: Record>(view: &Snapshot, groups: &[Plan], kept: u64) -> Result<Vec<Option<StoredKey>>> {
    let mut total = 0;
    for plan in groups {
        total += Query::<_, R, ()>::planned(view.clone(), plan.clone()).count().await?;
    }
    let mut cuts = vec![None; groups.len()];
    let excess = total.saturating_sub(kept);
    if excess == 0 {
        return Ok(cuts);
    }
    let read = (BUFFERED / groups.len().max(1)).clamp(READ_MIN, READ_MAX);
    let mut sources = Vec::with_capacity(groups.len());
    let mut oldest = BinaryHeap::with_capacity(groups.len());
    for plan in groups {
        let mut source = Source::new::<R>(view, plan.clone(), read)?;
        if let Some(key) = source.next::<R>().await? {
            oldest.push(Reverse((source.time(&key), sources.len(), key)));
        }
        sources.push(source);
    }
    for _ in 0..excess {
        let Some(Reverse((_, at, key))) = oldest.pop() else { break };
        if let Some(next) = sources[at].next::<R>().await? {
            oldest.push(Reverse((sources[at].time(&next), at, next)));
        }
        cuts[at] = Some(key);
    }
    Ok(cuts)
}

/// The entries of one group, from the oldest on.
struct Source<'v> {
    view: &'v Snapshot,
    plan: Plan,
    /// Bytes before the time in each key.
    prefix_len: usize,
    read: usize,
    buffer: VecDeque<StoredKey>,
    more: bool,
}

impl<'v> Source<'v> {
    fn new<R: Record>(view: &'v Snapshot, plan: Plan, read: usize) -> Result<Self> {
        let prefix_len = plan.locate(view.context().codec(), R::COLLECTION)?.prefix_len;
        Ok(Source { view, plan, prefix_len, read, buffer: VecDeque::new(), more: true })
    }

    async fn next<R: Record>(&mut self) -> Result<Option<StoredKey>> {
        while self.buffer.is_empty() && self.more {
            let (keys, next) = live_keys::<R>(self.view, &self.plan, self.read).await?;
            self.buffer.extend(keys);
            self.more = next.is_some();
            self.plan.after = next.or(self.plan.after.take());
        }
        Ok(self.buffer.pop_front())
    }

    /// The time in a key, as bytes that order as times do.
    fn time(&self, key: &StoredKey) -> Vec<u8> {
        key.as_bytes().iter().skip(self.prefix_len).take(TIME_BYTES).copied().collect()
    }
}
