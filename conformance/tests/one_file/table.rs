//! The rows: a sorted map. What the shared code of `store::sorted` asks of an engine is here.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use strongroom_core::Result;
use strongroom_core::store::sorted::{StoredRow, Table, TableMut, View, Visit};
use strongroom_core::store::{KeyRange, Revision};

/// All rows at one revision. A clone copies the map, not the rows: each commit makes one.
#[derive(Clone, Default)]
pub(crate) struct Rows {
    pub(crate) revision: Revision,
    /// Keys and encoded rows.
    pub(crate) map: BTreeMap<Arc<[u8]>, Arc<[u8]>>,
}

/// Shows sizes only: the bytes may be somebody's message.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({} rows, revision {})", self.map.len(), self.revision)
    }
}

impl View for Rows {
    fn revision(&self) -> Revision {
        self.revision
    }
}

impl Table for Rows {
    fn row<T>(&self, key: &[u8], read: impl FnOnce(StoredRow<'_>) -> T) -> Result<Option<T>> {
        self.map.get(key).map(|row| StoredRow::decode(row).map(read)).transpose()
    }

    fn walk(&self, range: &KeyRange, reverse: bool, visit: &mut Visit<'_>) -> Result<()> {
        let mut rows = self.map.range::<[u8], _>(range.clone());
        while let Some((key, row)) = if reverse { rows.next_back() } else { rows.next() } {
            if visit(key, StoredRow::decode(row)?)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl TableMut for Rows {
    fn put(&mut self, key: &[u8], row: StoredRow<'_>) -> Result<()> {
        let mut encoded = vec![0; row.encoded_len()];
        row.encode(&mut encoded);
        self.map.insert(key.into(), encoded.into());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        Ok(self.map.remove(key).is_some())
    }

    fn remove_range(&mut self, range: &KeyRange) -> Result<u64> {
        let before = self.map.len();
        self.map.retain(|key, _| !range.holds(key));
        Ok((before - self.map.len()) as u64)
    }
}
