//! The rows that messages become, as they reach the engine: what hand-written code is given, so that both write the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom::encryption::{EncryptedOptions, SecretKey, Unlock};
use strongroom::matrix::{self, Message};
use strongroom::store::{Store, StoredKey, Write};
use strongroom::{Database, Error, ErrorKind, Result};

use super::save;
use crate::sink::Sink;

/// Bytes in front of a stored key that say which collection and index it belongs to.
const KEYSPACE_BYTES: usize = 3;

/// Where a row belongs: the records, or one of the indexes. The number is the index's in the schema; 0 are the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub u8);

impl Table {
    /// The records.
    pub const RECORDS: Table = Table(0);
    /// The index of a room's messages by time.
    pub const ROOM_TIMESTAMP: Table = Table(1);
    /// All that a message of the workload has a row in.
    pub const ALL: [Table; 5] = [Table(0), Table(1), Table(2), Table(3), Table(5)];

    /// Where it is in [`ALL`](Table::ALL).
    pub fn position(self) -> usize {
        Table::ALL.iter().position(|table| *table == self).unwrap_or_default()
    }
}

/// One row of a message.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it belongs.
    pub table: Table,
    /// Its key, without what says where it belongs. An index's ends in the record's key, which has [`Row::target`] bytes.
    pub key: Vec<u8>,
    /// A record's value; none of an index.
    pub value: Vec<u8>,
    /// Bytes of the record's key at the end of this one.
    pub target: usize,
}

/// What a save writes.
pub type Writes = BTreeMap<StoredKey, Write>;

/// Takes the rows of saves on their way to an engine that keeps nothing: all of one capture are sealed and blinded with the same keys, as
/// those of one store are, so that they lie among each other as they do there.
#[derive(Debug)]
pub struct Capture {
    sink: Arc<Sink>,
    db: Database,
}

impl Capture {
    /// Rows as they are with encryption, or plain.
    ///
    /// # Errors
    ///
    /// Those of a store that is opened.
    pub async fn new(encrypted: bool) -> Result<Self> {
        let sink = Arc::new(Sink::default());
        let store: Arc<dyn Store> = if encrypted {
            let unlock = Unlock::raw_key(SecretKey::new([1; 32]));
            Arc::new(EncryptedOptions::default().create(sink.clone(), &unlock).await?)
        } else {
            sink.clone()
        };
        let db = Database::builder(matrix::schema()).open(store).await?;
        sink.capture();
        Ok(Capture { sink, db })
    }

    /// What each message makes of its save, as it is written to the engine.
    ///
    /// # Errors
    ///
    /// Those of a save.
    pub async fn writes(&self, messages: &[Message]) -> Result<Vec<Writes>> {
        let mut all = Vec::with_capacity(messages.len());
        for message in messages {
            save(&self.db, message).await?;
            let batch = self.sink.captured().pop();
            let batch = batch.ok_or_else(|| Error::new(ErrorKind::NotFound, "a save reached no engine"))?;
            all.push(batch.writes);
        }
        Ok(all)
    }

    /// The rows of each message, in the order of their keys.
    ///
    /// # Errors
    ///
    /// Those of a save.
    pub async fn rows(&self, messages: &[Message]) -> Result<Vec<Vec<Row>>> {
        Ok(self.writes(messages).await?.into_iter().map(rows_of).collect())
    }
}

/// The rows that are written.
pub fn rows_of(writes: Writes) -> Vec<Row> {
    let row = |(key, write): (StoredKey, Write)| {
        let key = key.as_bytes();
        let (value, target) = match write {
            Write::Put(value) => (value.to_vec(), 0),
            Write::Link(link) => (Vec::new(), link.resolve(&key.to_vec().into()).len() - KEYSPACE_BYTES),
            Write::Delete => (Vec::new(), 0),
        };
        let (space, key) = key.split_at_checked(KEYSPACE_BYTES)?;
        // A stored link ends in the target's whole key: without that one's front the tail is the key in the table of records.
        let key = if target == 0 { key.to_vec() } else { without_front(key, target) };
        Some(Row { table: Table(space[KEYSPACE_BYTES - 1]), key, value, target })
    };
    writes.into_iter().filter_map(row).collect()
}

fn without_front(key: &[u8], target: usize) -> Vec<u8> {
    let (components, tail) = key.split_at(key.len() - target);
    [&components[..components.len() - KEYSPACE_BYTES], tail].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[tokio::test]
    async fn a_message_is_five_rows_and_each_index_leads_to_the_record() {
        for encrypted in [false, true] {
            let capture = Capture::new(encrypted).await.unwrap();
            let rows = capture.rows(&Workload::default().messages(0..20).unwrap()).await.unwrap();
            for rows in rows {
                assert_eq!(rows.iter().map(|row| row.table).collect::<Vec<_>>(), Table::ALL);
                let record = &rows[0];
                assert!(record.value.len() > 200);
                for entry in &rows[1..] {
                    assert!(entry.value.is_empty() && entry.key.ends_with(&record.key));
                    assert_eq!(entry.target, record.key.len());
                }
            }
        }
    }
}
