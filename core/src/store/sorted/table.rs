//! What an engine must be able to do.

use std::ops::ControlFlow;

use super::StoredRow;
use crate::error::Result;
use crate::store::KeyRange;

/// What [`Table::walk`] calls for each row: the key, the row; `Break` ends the walk.
pub type Visit<'a> = dyn FnMut(&[u8], StoredRow<'_>) -> Result<ControlFlow<()>> + 'a;

/// A synchronous ordered map at one revision.
pub trait Table {
    /// Gives the row of `key` to `read`, if there is one.
    fn row<T>(&self, key: &[u8], read: impl FnOnce(StoredRow<'_>) -> T) -> Result<Option<T>>;

    /// Visits the rows of `range` in key order, or its exact reverse, until the visitor breaks or fails.
    ///
    /// The range is never [empty](KeyRange::is_empty): this module asks first, since some engines panic on one.
    fn walk(&self, range: &KeyRange, reverse: bool, visit: &mut Visit<'_>) -> Result<()>;
}

/// A table inside a transaction that can still be undone as a whole.
pub trait TableMut: Table {
    /// Sets the row of `key`.
    fn put(&mut self, key: &[u8], row: StoredRow<'_>) -> Result<()>;

    /// Removes the row of `key`, and says whether there was one.
    fn remove(&mut self, key: &[u8]) -> Result<bool>;

    /// Removes every row of `range`, which is never [empty](KeyRange::is_empty), and says how many there were.
    fn remove_range(&mut self, range: &KeyRange) -> Result<u64>;
}

/// Walks a range that may be empty.
pub(super) fn walk<T: Table>(table: &T, range: &KeyRange, reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
    if range.is_empty() { Ok(()) } else { table.walk(range, reverse, visit) }
}
