//! Inside a transaction: batches in order, each whole or not at all.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use sqlx::{Executor, SqliteConnection};
use strongroom_core::Result;
use strongroom_core::store::sorted::{RecentWrites, StoredRow, stamped_keys};
use strongroom_core::store::{Batch, Guard, KeyRange, Limits, Outcome, Revision, StoredKey, Write};

use crate::error::{from_engine, is_before_commit};
use crate::statements::Query;
use crate::{row, statements};

/// A transaction that has begun. Dropping it closes the connection, and that undoes it.
pub(crate) struct Transaction {
    pub(crate) connection: SqliteConnection,
    /// The revision of the last batch that was applied.
    revision: Revision,
    /// The revisions of all guarded keys that have a row now, and of every key that was written here.
    rows: HashMap<StoredKey, Revision>,
    /// What the batches so far write and no statement has written yet.
    staged: BTreeMap<StoredKey, (Revision, Write)>,
}

/// What the engine could not write.
pub(crate) struct CommitFailed {
    pub(crate) error: sqlx::Error,
    /// Whether it may have happened after all.
    pub(crate) is_doubtful: bool,
}

impl Transaction {
    pub(crate) fn new(connection: SqliteConnection, revision: Revision, rows: HashMap<StoredKey, Revision>) -> Self {
        Transaction { connection, revision, rows, staged: BTreeMap::new() }
    }

    /// The revision that the store has once this is committed.
    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// Applies batches in order. All guards of a batch are checked before it writes, so that none needs to be undone.
    pub(crate) async fn apply(
        &mut self,
        batches: &[Batch],
        limits: &Limits,
        recent: &mut RecentWrites,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            outcomes.push(self.apply_one(batch, limits, recent).await?);
        }
        Ok(outcomes)
    }

    async fn apply_one(&mut self, batch: &Batch, limits: &Limits, recent: &mut RecentWrites) -> Result<Outcome> {
        let revision = self.revision.next();
        let stamped = match stamped_keys(batch, revision, limits) {
            Ok(keys) => keys,
            Err(error) => return Ok(Outcome::Rejected(error)),
        };
        if let Some(guard) = self.broken(&batch.guards, recent).await? {
            return Ok(Outcome::Conflict { guard });
        }
        if batch.is_read_only() {
            return Ok(Outcome::Committed(self.revision));
        }
        recent.note(revision, batch.writes.keys().chain(&stamped).map(StoredKey::as_bytes));
        for (key, write) in &batch.writes {
            self.stage(key.clone(), write.clone(), revision);
        }
        for (key, (_, value)) in stamped.into_iter().zip(&batch.stamped) {
            self.stage(key, Write::Put(value.clone()), revision);
        }
        self.revision = revision;
        Ok(Outcome::Committed(revision))
    }

    /// Removes a range if all guards hold.
    pub(crate) async fn drop_range(
        &mut self,
        range: &KeyRange,
        guards: &[Guard],
        recent: &mut RecentWrites,
    ) -> Result<Outcome> {
        if let Some(guard) = self.broken(guards, recent).await? {
            return Ok(Outcome::Conflict { guard });
        }
        if !range.is_empty() {
            let removed = statements::delete_range(range).execute(&mut self.connection).await.map_err(from_engine)?;
            if removed.rows_affected() > 0 {
                self.revision = self.revision.next();
                // Too many keys to remember each: guards that are older count.
                *recent = RecentWrites::new(self.revision);
            }
        }
        Ok(Outcome::Committed(self.revision))
    }

    /// Writes what is staged and the revision, and commits.
    pub(crate) async fn commit(&mut self) -> Result<(), CommitFailed> {
        self.write_staged(Some(self.revision)).await
    }

    fn stage(&mut self, key: StoredKey, write: Write, revision: Revision) {
        match write {
            Write::Delete => self.rows.remove(&key),
            Write::Put(_) | Write::Link(_) => self.rows.insert(key.clone(), revision),
        };
        self.staged.insert(key, (revision, write));
    }

    /// Writes what is staged; batches that write the same key come to one write. With `end`, which is then the newest
    /// revision, the last statement also commits.
    async fn write_staged(&mut self, end: Option<Revision>) -> Result<(), CommitFailed> {
        let staged = std::mem::take(&mut self.staged);
        let (mut put, mut deleted) = (Vec::new(), Vec::new());
        for (key, (revision, write)) in &staged {
            match StoredRow::of(write, *revision) {
                Some(row) => put.push((key, row)),
                None => deleted.push(key),
            }
        }
        let mut put = put.as_slice();
        while !put.is_empty() {
            let (piece, rest) = put.split_at(statements::piece(put));
            let end = end.filter(|_| rest.is_empty() && deleted.is_empty());
            self.execute(statements::put(piece, end), end.map(|_| 2)).await?;
            put = rest;
        }
        let mut deleted = deleted.as_slice();
        while !deleted.is_empty() {
            let (piece, rest) = deleted.split_at(deleted.len().min(statements::KEYS_MAX));
            let end = end.filter(|_| rest.is_empty());
            self.execute(statements::delete(piece, end), end.map(|_| 2)).await?;
            deleted = rest;
        }
        match end.filter(|_| staged.is_empty()) {
            Some(newest) => self.execute(statements::commit(newest), Some(1)).await,
            None => Ok(()),
        }
    }

    /// Asks the engine once. `commit_at` is the position of a COMMIT among the statements, if there is one: only where that
    /// fails there can be a doubt.
    async fn execute(&mut self, query: Query, commit_at: Option<usize>) -> Result<(), CommitFailed> {
        let mut done = 0;
        let mut results = (&mut self.connection).fetch_many(query);
        loop {
            match results.try_next().await {
                Ok(Some(_)) => done += 1,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let is_doubtful = commit_at == Some(done) && !is_before_commit(&error);
                    return Err(CommitFailed { error, is_doubtful });
                }
            }
        }
    }

    /// The first guard that does not hold.
    async fn broken(&mut self, guards: &[Guard], recent: &RecentWrites) -> Result<Option<usize>> {
        for (at, guard) in guards.iter().enumerate() {
            let holds = match guard {
                Guard::Key { key, revision } => self.rows.get(key) == revision.as_ref(),
                Guard::Range { range, as_of, .. } if recent.unchanged(range, *as_of, self.revision) => true,
                Guard::Range { range, as_of, rows } => self.has(range, *as_of, *rows).await?,
            };
            if !holds {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Whether the range has exactly `expected` rows, none newer than `as_of`.
    async fn has(&mut self, range: &KeyRange, as_of: Revision, expected: u64) -> Result<bool> {
        if range.is_empty() {
            return Ok(expected == 0);
        }
        // The statement must see what the batches before wrote.
        if self.staged.keys().any(|key| range.holds(key.as_bytes())) {
            self.write_staged(None).await.map_err(|failed| from_engine(failed.error))?;
        }
        let query = statements::count(range, expected);
        let columns = query.fetch_one(&mut self.connection).await.map_err(from_engine)?;
        let rows = row::number(&columns, 0)?.unwrap_or_default().unsigned_abs();
        let newest = row::optional_revision(&columns, 1)?.unwrap_or_default();
        Ok(rows == expected && newest <= as_of)
    }
}
