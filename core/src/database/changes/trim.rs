//! Removing the oldest rows of the log.

use std::sync::Arc;
use std::time::Duration;

use super::super::context::Context;
use super::super::keyspace::CHANGE_LOG;
use super::super::transaction::Transaction;
use super::super::write::{Base, run};
use super::ChangeCursor;
use super::floor::{self, Floor};
use super::log;
use super::read::decode;
use crate::store::{Fetch, Read, Revision, Scan, Write};
use crate::{Result, Timestamp};

/// Rows that are removed at a time.
const CHUNK: usize = 500;
/// Bytes after which a look at some ends.
const CHUNK_BYTES: usize = 1 << 20;

/// Which rows of the change log are to go: [`all`](Trim::all), less what is said beside. A row is one transaction. Rows go from the oldest on,
/// and the first that is to stay ends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "nothing is removed before `Database::trim_changes`"]
pub struct Trim {
    older_than: Option<Duration>,
    but_newest: u64,
    keep: Vec<ChangeCursor>,
}

impl Trim {
    /// All of them.
    pub fn all() -> Self {
        Trim::default()
    }

    /// Only what was written longer ago than this, by the database's clock.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }

    /// But not the newest so many.
    pub fn but_newest(mut self, rows: u64) -> Self {
        self.but_newest = rows;
        self
    }

    /// But nothing that is behind this place: the consumer there has yet to see it. Can be said for several.
    pub fn keep(mut self, cursor: ChangeCursor) -> Self {
        self.keep.push(cursor);
        self
    }
}

/// Removes rows in batches; says how many.
pub(super) async fn trim(context: &Arc<Context>, trim: &Trim) -> Result<u64> {
    let (_, newest) = floor::identify(context).await?;
    if let Some(floor) = Floor::read(&*context.store).await? {
        trim.keep.iter().try_for_each(|cursor| cursor.check(&floor, newest))?;
    }
    let rows = context.store.summarize(&CHANGE_LOG.range()).await?.rows;
    let mut left = rows.saturating_sub(trim.but_newest);
    let age = trim.older_than.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let before = age.map(|age| context.clock.now().saturating_add(-age));
    let mut removed = 0;
    while left > 0 {
        let rows = rows_to_remove(context, trim, before, left).await?;
        let Some(last) = rows.last().copied() else { break };
        let rows = &rows;
        run(context, Base::Direct, |tx| async move { remove(&tx, rows, last).await }).await?;
        removed += rows.len() as u64;
        left -= rows.len() as u64;
    }
    Ok(removed)
}

/// The oldest rows that are to go.
async fn rows_to_remove(context: &Context, trim: &Trim, before: Option<Timestamp>, left: u64) -> Result<Vec<Revision>> {
    let limits = &context.store.info().limits;
    let most = CHUNK.min(limits.page_entries_max).min(limits.batch_writes_max / 2).max(1);
    let limit = usize::try_from(left).unwrap_or(most).min(most);
    let fetch = if before.is_some() { Fetch::Values } else { Fetch::Keys };
    let scan = Scan { range: CHANGE_LOG.range(), reverse: false, limit, max_bytes: CHUNK_BYTES, fetch };
    let mut rows = Vec::new();
    for row in context.store.scan(&scan).await?.entries {
        let revision = log::revision(&row.key)?;
        if trim.keep.iter().any(|cursor| !cursor.has_passed(revision)) {
            break;
        }
        if let Some(before) = before
            && decode(row)?.at >= before
        {
            break;
        }
        rows.push(revision);
    }
    Ok(rows)
}

/// Removes some rows and moves the floor, in one step: nobody can miss them unawares.
async fn remove(tx: &Transaction, rows: &[Revision], last: Revision) -> Result<()> {
    let overlay = tx.overlay();
    let floor = Floor::read(overlay).await?;
    overlay.stage(|state| {
        let Some(floor) = floor else { return Ok(()) };
        rows.iter().for_each(|revision| state.write(log::key(*revision), Write::Delete));
        // Another one may have come farther meanwhile.
        state.write(floor::key(), floor.at(floor.trimmed().max(last)).write()?);
        Ok(())
    })
}
