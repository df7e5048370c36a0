//! What a cache of rows knows: its entries, what is being written, and what was.

use std::collections::HashMap;

use strongroom_core::store::{Batch, Content, KeyPrefix, Outcome, Revision, Row, StoredKey, Write};

use super::rows::Mistake;

/// Bytes of the revision at the end of a stamped key.
const STAMP_BYTES: usize = 8;

/// Notes after which one that forgets keeps none: as many as an author might think plenty.
const NOTES_MAX: usize = 1_000;

/// A cache of rows, behind its lock.
#[derive(Debug)]
pub(super) struct State {
    mistake: Option<Mistake>,
    /// Another opener may write, too.
    shared: bool,
    /// What each key holds, and since when at the latest: for an absent row the view in which it was missed.
    rows: HashMap<StoredKey, (Revision, Option<Row>)>,
    /// Keys that are being written, and by how many.
    marks: HashMap<StoredKey, usize>,
    /// The same of what will be stamped.
    stamps: HashMap<KeyPrefix, usize>,
    /// How many are dropping ranges: everything is being written.
    drops: usize,
    /// The newest revision that wrote each key.
    written: HashMap<StoredKey, Revision>,
    /// Nothing that was read in an older view is kept.
    floor: Revision,
    /// The newest revision that is known here.
    pub(super) seen: Revision,
}

impl State {
    pub(super) fn new(mistake: Option<Mistake>, shared: bool) -> Self {
        State {
            mistake,
            shared,
            rows: HashMap::new(),
            marks: HashMap::new(),
            stamps: HashMap::new(),
            drops: 0,
            written: HashMap::new(),
            floor: Revision::ZERO,
            seen: Revision::ZERO,
        }
    }

    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// A view of this revision was met. If nobody here has made it, everything may have changed.
    pub(super) fn meet(&mut self, revision: Revision) {
        if revision > self.seen {
            self.seen = revision;
            if self.shared && !self.makes(Mistake::OthersAreNotMinded) {
                let unchecked = self.makes(Mistake::OlderViewsOutliveOthers);
                self.flush(if unchecked { Revision::ZERO } else { revision });
            }
        }
    }

    /// Forgets everything, and keeps nothing of views before `revision`.
    pub(super) fn flush(&mut self, revision: Revision) {
        self.rows.clear();
        self.floor = self.floor.max(revision);
    }

    /// What a view of this revision has under the key, if that is known.
    pub(super) fn answer(&self, key: &StoredKey, as_of: Revision) -> Option<Option<Row>> {
        let (since, row) = self.rows.get(key)?;
        let young = match row {
            Some(_) => *since > as_of && !self.makes(Mistake::SnapshotsGetNewerRows),
            None => *since > as_of && !self.makes(Mistake::SnapshotsGetNewerAbsence),
        };
        let marked = self.is_marked(key) && !self.makes(Mistake::MarkedRowsAreGiven);
        (!young && !marked).then(|| row.clone())
    }

    /// Keeps what was read under the key in a view of revision `view`, if it is so still. `begun` is what was the newest
    /// revision known when the read began.
    pub(super) fn keep(&mut self, key: &StoredKey, row: &Option<Row>, view: Revision, begun: Revision) {
        let view_checked = if self.makes(Mistake::TheBeginningCounts) { begun.max(view) } else { view };
        let newer = self.written.get(key).is_some_and(|written| *written > view_checked) || self.floor > view_checked;
        let marked = self.is_marked(key);
        let keeps = match self.mistake {
            Some(Mistake::NothingIsChecked) => true,
            Some(Mistake::OnlyMarksAreChecked) => !marked,
            Some(Mistake::RowsAreDroppedEarly | Mistake::MarkedRowsAreGiven) => !newer,
            _ => !newer && !marked,
        };
        if keeps {
            let since = row.as_ref().map_or(view, |row| row.revision);
            self.rows.insert(key.clone(), (since, row.clone()));
        }
    }

    fn is_marked(&self, key: &StoredKey) -> bool {
        let front = key.len().checked_sub(STAMP_BYTES).map(|front| key.as_bytes()[..front].to_vec());
        let stamped = front.is_some_and(|front| self.stamps.contains_key(&KeyPrefix(StoredKey::from(front))));
        self.drops > 0 || self.marks.contains_key(key) || stamped
    }

    pub(super) fn mark(&mut self, batches: &[Batch]) {
        for batch in batches {
            for key in batch.writes.keys() {
                *self.marks.entry(key.clone()).or_default() += 1;
                if self.makes(Mistake::RowsAreDroppedEarly) {
                    self.rows.remove(key);
                }
            }
            if self.makes(Mistake::StampsAreNotMarked) || self.makes(Mistake::StampsAreNotMinded) {
                continue;
            }
            for (prefix, _) in &batch.stamped {
                *self.stamps.entry(prefix.clone()).or_default() += 1;
            }
        }
    }

    /// The commit of these batches has gone away before its outcome was known.
    pub(super) fn abandon(&mut self, batches: &[Batch]) {
        self.unmark(batches);
        if self.makes(Mistake::DroppedCommitsAreNotNoted) {
            batches.iter().flat_map(|batch| batch.writes.keys()).for_each(|key| drop(self.rows.remove(key)));
        }
    }

    pub(super) fn unmark(&mut self, batches: &[Batch]) {
        for batch in batches {
            batch.writes.keys().for_each(|key| count_down(&mut self.marks, key));
            batch.stamped.iter().for_each(|(prefix, _)| count_down(&mut self.stamps, prefix));
        }
    }

    pub(super) fn mark_all(&mut self) {
        self.drops += 1;
    }

    pub(super) fn unmark_all(&mut self) {
        self.drops -= 1;
    }

    /// What these batches wrote is known no more, and they wrote it at these revisions.
    pub(super) fn note(&mut self, batches: &[Batch], outcomes: &[Outcome]) {
        self.write_through(batches, outcomes);
        for (batch, revision) in batches.iter().zip(outcomes.iter().map(Outcome::revision)) {
            let Some(revision) = revision.filter(|_| !batch.is_read_only()) else { continue };
            // One that is missing in between is somebody else's.
            if revision > self.seen.next() && !self.makes(Mistake::GapsAreNotMinded) {
                self.meet(revision);
            }
            self.seen = self.seen.max(revision);
            for (key, write) in &batch.writes {
                self.note_key(key.clone(), Some(write), revision);
            }
            if !self.makes(Mistake::StampsAreNotMinded) {
                for (prefix, _) in &batch.stamped {
                    self.note_key(prefix.stamp(revision), None, revision);
                }
            }
        }
        if self.makes(Mistake::OldNotesAreForgotten) && self.written.len() > NOTES_MAX {
            self.written.clear();
        }
    }

    fn note_key(&mut self, key: StoredKey, write: Option<&Write>, revision: Revision) {
        if !self.makes(Mistake::RowsAreDroppedEarly) {
            self.rows.remove(&key);
        }
        match write {
            Some(Write::Delete) if self.makes(Mistake::DeletedKeysAreForgotten) => drop(self.written.remove(&key)),
            Some(Write::Link(_)) if self.makes(Mistake::LinksAreNotNoted) => {}
            _ => {
                let written = self.written.entry(key).or_default();
                *written = revision.max(*written);
            }
        }
    }

    /// Keeps what was to be written, whatever became of it.
    fn write_through(&mut self, batches: &[Batch], outcomes: &[Outcome]) {
        let newest = outcomes.iter().filter_map(Outcome::revision).max().unwrap_or(self.seen);
        for (batch, outcome) in batches.iter().zip(outcomes) {
            let keeps = match outcome {
                Outcome::Conflict { .. } => self.makes(Mistake::ConflictsAreKept),
                Outcome::Rejected(_) => self.makes(Mistake::RejectionsAreKept),
                Outcome::Committed(_) => false,
            };
            if keeps {
                self.keep_batch(batch, newest);
            }
        }
    }

    pub(super) fn keep_batch(&mut self, batch: &Batch, revision: Revision) {
        for (key, write) in &batch.writes {
            if let Write::Put(value) = write {
                let row = Row { revision, content: Content::Value(value.clone()) };
                self.rows.insert(key.clone(), (revision, Some(row)));
            }
        }
    }
}

fn count_down<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
