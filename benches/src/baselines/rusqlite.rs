//! SQLite through rusqlite: statements prepared once, a row at a time.

use std::path::Path;

use rusqlite::{Connection, params};
use strongroom::Result;
use strongroom::matrix::Message;

use super::failed;
use super::sql::{CACHE_KIB, CREATE, INSERT};
use crate::workload::{Row, Table};

/// A connection to hand-written tables.
#[derive(Debug)]
pub struct RawRusqlite(Connection);

impl RawRusqlite {
    /// In a new file.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn create(path: &Path) -> Result<Self> {
        let connection = Connection::open(path).map_err(failed)?;
        let pragmas = format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{CACHE_KIB}");
        connection.execute_batch(&pragmas).map_err(failed)?;
        for table in CREATE {
            connection.execute_batch(table).map_err(failed)?;
        }
        Ok(RawRusqlite(connection))
    }

    /// Inserts messages row by row, so many in a transaction. Of each the record's row is given: its key and value.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn import(&mut self, messages: &[Message], records: &[Row], batch: usize) -> Result<()> {
        let batch = batch.max(1);
        messages
            .chunks(batch)
            .zip(records.chunks(batch))
            .try_for_each(|(messages, records)| self.insert(messages, records))
    }

    fn insert(&mut self, messages: &[Message], records: &[Row]) -> Result<()> {
        let transaction = self.0.transaction().map_err(failed)?;
        {
            let prepare = |sql| transaction.prepare(sql).map_err(failed);
            let [mut record, mut room, mut sender, mut thread, mut redacted] = [
                prepare(INSERT[0])?,
                prepare(INSERT[1])?,
                prepare(INSERT[2])?,
                prepare(INSERT[3])?,
                prepare(INSERT[4])?,
            ];
            for (message, row) in messages.iter().zip(records) {
                debug_assert_eq!(row.table, Table::RECORDS);
                let (key, at, id) = (&row.key, message.timestamp.as_millis(), message.room_id.as_str());
                let root = message.thread_root.as_ref().map(|root| root.as_str());
                record.execute(params![key, row.value]).map_err(failed)?;
                room.execute(params![id, at, key]).map_err(failed)?;
                sender.execute(params![message.sender_key.as_str(), at, key]).map_err(failed)?;
                thread.execute(params![id, root, at, key]).map_err(failed)?;
                redacted.execute(params![id, message.redacted, at, key]).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}
