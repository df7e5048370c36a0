//! Which keys the newest batches wrote, so that most range guards need not count rows.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Bound, RangeBounds};

use crate::store::{KeyRange, Revision};

const BATCHES_MAX: usize = 1_000;
const BYTES_MAX: usize = 4 << 20;

/// The keys that the newest batches wrote, as far back as they fit.
///
/// It must hear of every batch: a store that other processes write to begins a new one whenever one of them has written.
pub struct RecentWrites {
    batches: VecDeque<BatchKeys>,
    bytes: usize,
    /// Every batch after this one is remembered.
    complete_after: Revision,
}

impl fmt::Debug for RecentWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecentWrites({} batches, {} bytes)", self.batches.len(), self.bytes)
    }
}

impl RecentWrites {
    /// Remembers nothing of what happened up to `current`.
    pub fn new(current: Revision) -> Self {
        RecentWrites { batches: VecDeque::new(), bytes: 0, complete_after: current }
    }

    /// Notes what the batch of `revision` wrote, in any order.
    pub fn note<'a>(&mut self, revision: Revision, keys: impl Iterator<Item = &'a [u8]>) {
        let batch = BatchKeys::new(revision, keys);
        self.bytes += batch.size();
        self.batches.push_back(batch);
        while self.bytes > BYTES_MAX || self.batches.len() > BATCHES_MAX {
            let Some(oldest) = self.batches.pop_front() else { break };
            self.bytes -= oldest.size();
            self.complete_after = oldest.revision;
        }
    }

    /// Whether `range` is surely at `current` as it was at `as_of`, so that a guard over it holds. `false` also means "not
    /// remembered": then the rows decide. So do they after a write in the range, since a row may have come and gone.
    pub fn unchanged(&self, range: &KeyRange, as_of: Revision, current: Revision) -> bool {
        as_of == current || (as_of < current && self.untouched(range, as_of))
    }

    /// Whether surely no batch after `as_of` wrote a key of `range`.
    fn untouched(&self, range: &KeyRange, as_of: Revision) -> bool {
        let newer = self.batches.iter().rev().take_while(|batch| batch.revision > as_of);
        as_of >= self.complete_after && newer.into_iter().all(|batch| !batch.touches(range))
    }

    /// Forgets the batches after `current`: the transaction that they were in was undone.
    pub fn undo_after(&mut self, current: Revision) {
        while self.batches.back().is_some_and(|batch| batch.revision > current) {
            self.bytes -= self.batches.pop_back().map_or(0, |batch| batch.size());
        }
        // A batch that was noted and forgotten for its size never happened either.
        self.complete_after = self.complete_after.min(current);
    }
}

/// The keys of one batch, sorted, one after another: they must not keep the caller's larger buffers alive.
struct BatchKeys {
    revision: Revision,
    keys: Vec<u8>,
    ends: Vec<usize>,
}

impl BatchKeys {
    fn new<'a>(revision: Revision, keys: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut sorted: Vec<&[u8]> = keys.collect();
        sorted.sort_unstable();
        let mut batch = BatchKeys { revision, keys: Vec::new(), ends: Vec::with_capacity(sorted.len()) };
        for key in sorted {
            batch.keys.extend_from_slice(key);
            batch.ends.push(batch.keys.len());
        }
        batch
    }

    fn size(&self) -> usize {
        self.keys.len() + self.ends.len() * size_of::<usize>() + size_of::<Self>()
    }

    fn key(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.keys[start..self.ends[index]]
    }

    fn touches(&self, range: &KeyRange) -> bool {
        let before_start = |key: &[u8]| match range.start_bound() {
            Bound::Unbounded => false,
            Bound::Included(start) => key < start,
            Bound::Excluded(start) => key <= start,
        };
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = (low + high) / 2;
            if before_start(self.key(middle)) { low = middle + 1 } else { high = middle }
        }
        low < self.ends.len() && range.holds(self.key(low))
    }
}
