//! redb with a table for the records and one for each index.

use std::path::Path;

use redb::{Builder, Database, ReadableDatabase, TableDefinition};
use strongroom::Result;

use super::{Aead, failed};
use crate::workload::{PAGE, Row, Table};

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

const TABLES: [Definition; 5] = [
    TableDefinition::new("messages"),
    TableDefinition::new("room_timestamp"),
    TableDefinition::new("sender"),
    TableDefinition::new("thread"),
    TableDefinition::new("redacted"),
];
const CACHE_BYTES: usize = 64 << 20;

/// A database with hand-written tables.
pub struct RawRedb {
    db: Database,
    quick_repair: bool,
}

impl RawRedb {
    /// In a new file. With `quick_repair` a commit saves what a reopening after a crash needs, as this library's does unless told otherwise.
    ///
    /// # Errors
    ///
    /// redb's.
    pub fn create(path: &Path, quick_repair: bool) -> Result<Self> {
        let db = Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(failed)?;
        let raw = RawRedb { db, quick_repair };
        raw.commit(&[])?;
        Ok(raw)
    }

    /// Commits rows, durable, in the order in which they are given.
    ///
    /// # Errors
    ///
    /// redb's.
    pub fn commit(&self, rows: &[&Row]) -> Result<()> {
        let mut transaction = self.db.begin_write().map_err(failed)?;
        transaction.set_quick_repair(self.quick_repair);
        {
            let mut tables = Vec::with_capacity(TABLES.len());
            for table in TABLES {
                tables.push(transaction.open_table(table).map_err(failed)?);
            }
            for row in rows {
                let table = &mut tables[row.table.position()];
                table.insert(row.key.as_slice(), row.value.as_slice()).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }

    /// Commits the rows of messages, sorted, so many messages in a transaction.
    ///
    /// # Errors
    ///
    /// redb's.
    pub fn import(&self, messages: &[Vec<Row>], batch: usize) -> Result<()> {
        for messages in messages.chunks(batch.max(1)) {
            self.commit(&sorted(messages))?;
        }
        Ok(())
    }

    /// A record's value.
    ///
    /// # Errors
    ///
    /// redb's.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let read = self.db.begin_read().map_err(failed)?;
        let records = read.open_table(TABLES[0]).map_err(failed)?;
        Ok(records.get(key).map_err(failed)?.map(|value| value.value().to_vec()))
    }

    /// The newest values whose entries are in `[from, until)`, opened: a scan, a get for each entry, a seal opened for each value.
    /// What an entry has after as many bytes as `until` is its record's key.
    ///
    /// # Errors
    ///
    /// redb's.
    pub fn page(&self, from: &[u8], until: &[u8], aead: &Aead) -> Result<Vec<Vec<u8>>> {
        let read = self.db.begin_read().map_err(failed)?;
        let (entries, records) = (read.open_table(TABLES[1]), read.open_table(TABLES[0]));
        let (entries, records) = (entries.map_err(failed)?, records.map_err(failed)?);
        let mut page = Vec::with_capacity(PAGE);
        for entry in entries.range(from..until).map_err(failed)?.rev().take(PAGE) {
            let (entry, _) = entry.map_err(failed)?;
            let record = &entry.value()[until.len()..];
            if let Some(value) = records.get(record).map_err(failed)? {
                page.extend(aead.open(record, value.value()));
            }
        }
        Ok(page)
    }
}

/// The rows of messages, table by table and in the order of their keys.
fn sorted(messages: &[Vec<Row>]) -> Vec<&Row> {
    let mut rows: Vec<&Row> = messages.iter().flatten().collect();
    rows.sort_unstable_by_key(|row| (row.table, &row.key));
    rows
}

const _: () = assert!(TABLES.len() == Table::ALL.len());
