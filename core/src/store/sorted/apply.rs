//! The group commit: batches in order, each whole or not at all, inside one transaction of the engine.

use std::ops::ControlFlow;

use super::table::walk;
use super::{RecentWrites, StoredRow, TableMut};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Batch, Guard, KeyRange, Limits, Outcome, Revision, StoredKey};

/// What a group of batches came to.
#[derive(Debug)]
pub struct Applied {
    /// One outcome a batch, in order.
    pub outcomes: Vec<Outcome>,
    /// The newest revision now. As before: nothing was written, and the transaction may be thrown away.
    pub revision: Revision,
}

/// Applies batches in order, each atomically: [`Store::commit`](crate::store::Store::commit) inside one transaction.
///
/// All guards of a batch are checked before its first write, so that no batch ever needs to be undone.
///
/// # Errors
///
/// The table's own. The transaction must then be thrown away; `recent` is as before.
pub fn apply<T: TableMut>(
    table: &mut T,
    batches: &[Batch],
    current: Revision,
    limits: &Limits,
    recent: &mut RecentWrites,
) -> Result<Applied> {
    let mut revision = current;
    let mut outcomes = Vec::with_capacity(batches.len());
    for batch in batches {
        let outcome = apply_one(table, batch, revision, limits, recent).inspect_err(|_| recent.undo_after(current))?;
        if let Outcome::Committed(committed) = outcome {
            revision = committed;
        }
        outcomes.push(outcome);
    }
    Ok(Applied { outcomes, revision })
}

/// Removes every row of a range if all guards hold: [`Store::drop_range`](crate::store::Store::drop_range) inside one
/// transaction.
///
/// # Errors
///
/// The table's own. The transaction must then be thrown away; `recent` is as before.
pub fn drop_range<T: TableMut>(
    table: &mut T,
    range: &KeyRange,
    guards: &[Guard],
    current: Revision,
    limits: &Limits,
    recent: &mut RecentWrites,
) -> Result<Outcome> {
    if let Err(error) = limits.check_guards(guards) {
        return Ok(Outcome::Rejected(error));
    }
    if let Some(guard) = broken(table, guards, current, recent)? {
        return Ok(Outcome::Conflict { guard });
    }
    if range.is_empty() || table.remove_range(range)? == 0 {
        return Ok(Outcome::Committed(current));
    }
    // Too many keys to remember each: guards that are older count.
    *recent = RecentWrites::new(current.next());
    Ok(Outcome::Committed(current.next()))
}

fn apply_one<T: TableMut>(
    table: &mut T,
    batch: &Batch,
    current: Revision,
    limits: &Limits,
    recent: &mut RecentWrites,
) -> Result<Outcome> {
    let revision = current.next();
    let stamped = match stamped_keys(batch, revision, limits) {
        Ok(keys) => keys,
        Err(error) => return Ok(Outcome::Rejected(error)),
    };
    if let Some(guard) = broken(table, &batch.guards, current, recent)? {
        return Ok(Outcome::Conflict { guard });
    }
    if batch.is_read_only() {
        return Ok(Outcome::Committed(current));
    }
    let written = batch.writes.keys().chain(&stamped).map(StoredKey::as_bytes);
    recent.note(revision, written);
    for (key, write) in &batch.writes {
        match StoredRow::of(write, revision) {
            Some(row) => table.put(key.as_bytes(), row)?,
            None => drop(table.remove(key.as_bytes())?),
        }
    }
    for (key, (_, value)) in stamped.iter().zip(&batch.stamped) {
        let content = super::StoredContent::Value(value);
        table.put(key.as_bytes(), StoredRow { revision, content })?;
    }
    Ok(Outcome::Committed(revision))
}

/// Checks a batch that is to become `revision`, and gives the keys of its stamped rows.
///
/// # Errors
///
/// Why it is rejected: those of [`Batch::check`]; `InvalidInput`: a stamped row has the key of another write.
pub fn stamped_keys(batch: &Batch, revision: Revision, limits: &Limits) -> Result<Vec<StoredKey>> {
    batch.check(limits)?;
    let stamped: Vec<_> = batch.stamped.iter().map(|(prefix, _)| prefix.stamp(revision)).collect();
    if stamped.iter().any(|key| batch.writes.contains_key(key)) {
        return Err(Error::new(ErrorKind::InvalidInput, "a stamped row has the key of another write of its batch"));
    }
    Ok(stamped)
}

/// The first guard that does not hold.
fn broken<T: TableMut>(table: &T, guards: &[Guard], current: Revision, recent: &RecentWrites) -> Result<Option<usize>> {
    for (at, guard) in guards.iter().enumerate() {
        if !holds(table, guard, current, recent)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn holds<T: TableMut>(table: &T, guard: &Guard, current: Revision, recent: &RecentWrites) -> Result<bool> {
    match guard {
        Guard::Key { key, revision } => Ok(table.row(key.as_bytes(), |row| row.revision)? == *revision),
        Guard::Range { range, as_of, rows } => {
            Ok(recent.unchanged(range, *as_of, current) || unchanged(table, range, *as_of, *rows)?)
        }
    }
}

/// Whether the range has exactly `expected` rows, none newer than `as_of`; stops at the first that tells.
fn unchanged<T: TableMut>(table: &T, range: &KeyRange, as_of: Revision, expected: u64) -> Result<bool> {
    let mut rows = 0;
    let mut newer = false;
    walk(table, range, false, &mut |_, row| {
        rows += 1;
        newer = row.revision > as_of;
        Ok(if newer || rows > expected { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(!newer && rows == expected)
}
