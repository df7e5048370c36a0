//! A plain map of the standard library.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::workload::{Row, Table};

/// Rows in a `BTreeMap`, all tables in one.
#[derive(Debug, Default)]
pub struct RawMap(BTreeMap<(Table, Vec<u8>), Bytes>);

impl RawMap {
    /// Puts the rows of a message.
    pub fn save(&mut self, rows: &[Row]) {
        for row in rows {
            self.0.insert((row.table, row.key.clone()), Bytes::copy_from_slice(&row.value));
        }
    }

    /// A record's value.
    pub fn get(&self, key: &(Table, Vec<u8>)) -> Option<Bytes> {
        self.0.get(key).cloned()
    }
}
