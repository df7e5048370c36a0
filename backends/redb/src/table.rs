//! The rows: one table of redb, for reading and inside a transaction.

use std::convert::Infallible;
use std::ops::{Bound, ControlFlow, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use redb::{ReadOnlyTable, ReadableTable};
use strongroom_core::store::sorted::{StoredRow, Table, TableMut, View, Visit};
use strongroom_core::store::{KeyRange, Revision};
use strongroom_core::{Error, Result};

use crate::error::from_engine;

type Bytes = &'static [u8];

/// A table of redb that rows are read from, and written to if it is in a transaction.
pub(crate) struct Rows<T>(pub(crate) T);

/// The rows at one revision.
pub(crate) struct RowsView {
    pub(crate) rows: Rows<ReadOnlyTable<Bytes, Bytes>>,
    pub(crate) revision: Revision,
    /// Dropped with the view: the writer waits for the last of them before it compacts.
    pub(crate) _in_use: mpsc::Sender<Infallible>,
}

/// Calls the engine, which may panic on a damaged file, and turns a panic into an error.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Error::from_panic(&*panic)))
}

impl<T: ReadableTable<Bytes, Bytes>> Table for Rows<T> {
    fn row<R>(&self, key: &[u8], read: impl FnOnce(StoredRow<'_>) -> R) -> Result<Option<R>> {
        guarded(|| {
            let row = self.0.get(key).map_err(from_engine)?;
            row.map(|row| StoredRow::decode(row.value()).map(read)).transpose()
        })
    }

    fn walk(&self, range: &KeyRange, reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        guarded(|| {
            let mut rows = self.0.range::<&[u8]>(bounds(range)).map_err(from_engine)?;
            while let Some(entry) = if reverse { rows.next_back() } else { rows.next() } {
                let (key, row) = entry.map_err(from_engine)?;
                if visit(key.value(), StoredRow::decode(row.value())?)? == ControlFlow::Break(()) {
                    break;
                }
            }
            Ok(())
        })
    }
}

impl TableMut for Rows<redb::Table<'_, Bytes, Bytes>> {
    fn put(&mut self, key: &[u8], row: StoredRow<'_>) -> Result<()> {
        let mut space = self.0.insert_reserve(key, row.encoded_len()).map_err(from_engine)?;
        row.encode(space.as_mut());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        Ok(self.0.remove(key).map_err(from_engine)?.is_some())
    }

    fn remove_range(&mut self, range: &KeyRange) -> Result<u64> {
        let mut removed = 0;
        let remove = |_: &[u8], _: &[u8]| {
            removed += 1;
            false
        };
        self.0.retain_in::<&[u8], _>(bounds(range), remove).map_err(from_engine)?;
        Ok(removed)
    }
}

impl Table for RowsView {
    fn row<T>(&self, key: &[u8], read: impl FnOnce(StoredRow<'_>) -> T) -> Result<Option<T>> {
        self.rows.row(key, read)
    }

    fn walk(&self, range: &KeyRange, reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        self.rows.walk(range, reverse, visit)
    }
}

impl View for RowsView {
    fn revision(&self) -> Revision {
        self.revision
    }
}

fn bounds(range: &KeyRange) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (range.start_bound(), range.end_bound())
}
