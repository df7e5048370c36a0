//! The rows: a persistent map, so that a view of it costs nothing.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use imbl::OrdMap;
use strongroom_core::Result;
use strongroom_core::store::sorted::{StoredRow, Table, TableMut, View, Visit};
use strongroom_core::store::{KeyRange, Revision};

/// All rows at one revision. A clone shares them.
#[derive(Clone, Default)]
pub(crate) struct Rows {
    /// Keys and encoded rows.
    map: OrdMap<Arc<[u8]>, Arc<[u8]>>,
    /// Bytes of all keys and encoded rows.
    pub(crate) bytes: u64,
    pub(crate) revision: Revision,
}

/// Shows sizes only: the bytes may be somebody's message.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({} rows, {} bytes, revision {})", self.map.len(), self.bytes, self.revision)
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
        let rows = self.map.range::<_, [u8]>(range.clone());
        if reverse { visit_all(rows.rev(), visit) } else { visit_all(rows, visit) }
    }
}

fn visit_all<'a>(rows: impl Iterator<Item = (&'a Arc<[u8]>, &'a Arc<[u8]>)>, visit: &mut Visit<'_>) -> Result<()> {
    for (key, row) in rows {
        if visit(key, StoredRow::decode(row)?)? == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

impl TableMut for Rows {
    fn put(&mut self, key: &[u8], row: StoredRow<'_>) -> Result<()> {
        let mut encoded = vec![0; row.encoded_len()];
        row.encode(&mut encoded);
        self.bytes += size(key, &encoded);
        if let Some(last) = self.map.insert(key.into(), encoded.into()) {
            self.bytes -= size(key, &last);
        }
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<bool> {
        let removed = self.map.remove(key);
        if let Some(last) = &removed {
            self.bytes -= size(key, last);
        }
        Ok(removed.is_some())
    }

    fn remove_range(&mut self, range: &KeyRange) -> Result<u64> {
        let keys: Vec<_> = self.map.range::<_, [u8]>(range.clone()).map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.remove(key)?;
        }
        Ok(keys.len() as u64)
    }
}

fn size(key: &[u8], row: &[u8]) -> u64 {
    (key.len() + row.len()) as u64
}
