//! Removing the oldest rows of the log.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::super::context::Context;
use super::super::keyspace::CHANGE_LOG;
use super::super::transaction::Transaction;
use super::super::write::{Base, run};
use super::ChangeCursor;
use super::floor::{self, Floor};
use super::log;
use super::read::decode;
use crate::store::{Fetch, KeyRange, Revision, Scan, Write};
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

/// Removes rows in batches; says how many it removed itself.
pub(super) fn trim<'a>(context: &'a Arc<Context>, trim: &'a Trim) -> BoxFuture<'a, Result<u64>> {
    async move {
        floor::identify(context).await?;
        let Some(mut range) = range_to_trim(context, trim).await? else { return Ok(0) };
        let age = trim.older_than.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let before = age.map(|age| context.clock.now().saturating_add(-age));
        let mut removed = 0;
        loop {
            let rows = rows_to_remove(context, trim, before, &range).await?;
            let Some(last) = rows.last().copied() else { return Ok(removed) };
            let rows = &rows;
            removed += run(context, Base::Direct, |tx| async move { remove(&tx, rows, last).await }).await?.value;
            range = range.beyond(&log::key(last), false);
        }
    }
    .boxed()
}

/// From the first row to the last one that may go by its number. It is settled once, in one view: whoever trims or writes meanwhile, no row
/// behind it goes.
async fn range_to_trim(context: &Context, trim: &Trim) -> Result<Option<KeyRange>> {
    let view = context.store.snapshot().await?;
    if let Some(floor) = Floor::read(&*view).await? {
        trim.keep.iter().try_for_each(|cursor| cursor.check(&floor, view.revision()))?;
    }
    let whole = CHANGE_LOG.range();
    if trim.but_newest == 0 {
        return Ok(Some(whole.through(&log::key(view.revision()), false)));
    }
    let mut left = view.summarize(&whole).await?.rows.saturating_sub(trim.but_newest);
    let (mut rest, mut last) = (whole.clone(), None);
    while left > 0 {
        let limit =
            usize::try_from(left).unwrap_or(usize::MAX).min(context.store.info().limits.page_entries_max).max(1);
        let scan = Scan { range: rest, reverse: false, limit, max_bytes: CHUNK_BYTES, fetch: Fetch::Keys };
        let entries = view.scan(&scan).await?.entries;
        let Some(entry) = entries.last() else { break };
        left -= entries.len() as u64;
        rest = scan.range.beyond(&entry.key, false);
        last = Some(entry.key.clone());
    }
    Ok(last.map(|last| whole.through(&last, false)))
}

/// The oldest rows of a range that are to go.
async fn rows_to_remove(
    context: &Context,
    trim: &Trim,
    before: Option<Timestamp>,
    range: &KeyRange,
) -> Result<Vec<Revision>> {
    let limits = &context.store.info().limits;
    let limit = CHUNK.min(limits.page_entries_max).min(limits.batch_writes_max / 2).max(1);
    let fetch = if before.is_some() { Fetch::Values } else { Fetch::Keys };
    let scan = Scan { range: range.clone(), reverse: false, limit, max_bytes: CHUNK_BYTES, fetch };
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

/// Removes some rows and moves the floor, in one step: nobody can miss them unawares. Says how many of them were still there: those above
/// the floor, which is guarded.
async fn remove(tx: &Transaction, rows: &[Revision], last: Revision) -> Result<u64> {
    let overlay = tx.overlay();
    let floor = Floor::read(overlay).await?;
    overlay.stage(|state| {
        let Some(floor) = floor else { return Ok(0) };
        rows.iter().for_each(|revision| state.write(log::key(*revision), Write::Delete));
        // Another one may have come farther meanwhile.
        let trimmed = floor.trimmed();
        state.write(floor::key(), floor.at(trimmed.max(last)).write()?);
        Ok(rows.iter().filter(|revision| **revision > trimmed).count() as u64)
    })
}
