//! The operations of the storage engine.

use super::{KeyRecord, Message, Metadata, Session, ZkProof, schema};
use crate::store::{Compaction, Store};
use crate::{Cursor, Database, Error, ErrorKind, Page, Result, Stats, Timestamp};

/// Messages, sessions, proofs, keys and metadata, over any store. A cheap handle: clone it freely.
///
/// It has no settings of its own. Encryption and caches are layers around the store: wrap it before it is given to
/// [`open`](StorageEngine::open), and every collection is under them, proofs and keys included. The crate `strongroom` adds a
/// builder that does so by URL.
#[derive(Clone, Debug)]
pub struct StorageEngine {
    db: Database,
}

/// Which page of a conversation is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// Messages at most; 0 gives none. 50 by default.
    pub limit: usize,
    /// Where to go on; from the newest message if there is none.
    pub before: Option<Before>,
}

impl Default for Paging {
    fn default() -> Self {
        Paging { limit: 50, before: None }
    }
}

/// The end of a page, going back in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// Before a time: messages of that very time are not in the page.
    Time(Timestamp),
    /// Behind the last message of a page: exact, however many messages share a time.
    Cursor(Cursor),
}

impl From<Timestamp> for Before {
    fn from(time: Timestamp) -> Self {
        Before::Time(time)
    }
}

impl From<Cursor> for Before {
    fn from(cursor: Cursor) -> Self {
        Before::Cursor(cursor)
    }
}

impl StorageEngine {
    /// The engine over a database that was opened with its [`schema`].
    ///
    /// # Errors
    ///
    /// `SchemaMismatch` if the database was opened with another.
    pub fn new(db: Database) -> Result<Self> {
        let (has, needs) = (db.schema(), schema());
        if needs.collections().all(|collection| has.collections().any(|other| other == collection)) {
            return Ok(StorageEngine { db });
        }
        let message = format!("the engine needs schema {}, this database has {}", needs.name(), has.name());
        Err(Error::new(ErrorKind::SchemaMismatch, message))
    }

    /// Opens a store, new or not, with the engine's schema.
    ///
    /// # Errors
    ///
    /// As [`Database::open`].
    pub async fn open(store: impl Store) -> Result<Self> {
        StorageEngine::new(Database::open(store, schema()).await?)
    }

    /// The database below, for all that has no operation here.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// Saves a message, new or in place of the one with its id.
    ///
    /// # Errors
    ///
    /// As [`Database::put`]; so for all that saves.
    pub async fn save_message(&self, message: &Message) -> Result<()> {
        self.db.put(message).await
    }

    /// The message with this id.
    ///
    /// # Errors
    ///
    /// As [`Database::get`]; so for all that reads one record.
    pub async fn message(&self, id: &str) -> Result<Option<Message>> {
        self.db.get(&Message::key(id)).await
    }

    /// A page of a conversation, the newest message first, and where to go on.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a cursor of another conversation; `Corrupt`, naming the row; those of the store.
    pub async fn messages_of_conversation(&self, conversation_id: &str, paging: Paging) -> Result<Page<Message>> {
        let query = self.db.query(Message::CONVERSATION).equal(conversation_id).newest_first().limit(paging.limit);
        match paging.before {
            None => query.page().await,
            Some(Before::Time(time)) => query.before(time).page().await,
            Some(Before::Cursor(cursor)) => query.after(cursor).page().await,
        }
    }

    /// Saves a session, new or in place of the one with its id.
    ///
    /// # Errors
    ///
    /// As [`save_message`](StorageEngine::save_message).
    pub async fn save_session(&self, session: &Session) -> Result<()> {
        self.db.put(session).await
    }

    /// The session with this id.
    ///
    /// # Errors
    ///
    /// As [`message`](StorageEngine::message).
    pub async fn session(&self, id: &str) -> Result<Option<Session>> {
        self.db.get(&Session::key(id)).await
    }

    /// Saves a proof, new or in place of the one with its id.
    ///
    /// # Errors
    ///
    /// As [`save_message`](StorageEngine::save_message).
    pub async fn save_proof(&self, proof: &ZkProof) -> Result<()> {
        self.db.put(proof).await
    }

    /// The proof with this id.
    ///
    /// # Errors
    ///
    /// As [`message`](StorageEngine::message).
    pub async fn proof(&self, proof_id: &str) -> Result<Option<ZkProof>> {
        self.db.get(&ZkProof::key(proof_id)).await
    }

    /// Saves a key, new or in place of the one with its id.
    ///
    /// # Errors
    ///
    /// As [`save_message`](StorageEngine::save_message).
    pub async fn save_key(&self, key: &KeyRecord) -> Result<()> {
        self.db.put(key).await
    }

    /// The key with this id.
    ///
    /// # Errors
    ///
    /// As [`message`](StorageEngine::message).
    pub async fn key(&self, id: &str) -> Result<Option<KeyRecord>> {
        self.db.get(&KeyRecord::key(id)).await
    }

    /// Saves a value under a name, new or in place of the one there.
    ///
    /// # Errors
    ///
    /// As [`save_message`](StorageEngine::save_message).
    pub async fn save_metadata(&self, metadata: &Metadata) -> Result<()> {
        self.db.put(metadata).await
    }

    /// The value under a name.
    ///
    /// # Errors
    ///
    /// As [`message`](StorageEngine::message).
    pub async fn metadata(&self, key: &str) -> Result<Option<Metadata>> {
        self.db.get(&Metadata::key(key)).await
    }

    /// Deletes the messages of before `time`; those at `time` stay. Says how many there were.
    ///
    /// It goes in steps of a few hundred, each atomic. After an error some are deleted; call it again.
    ///
    /// # Errors
    ///
    /// Those of [`Query::delete`](crate::Query::delete).
    pub async fn delete_messages_before(&self, time: Timestamp) -> Result<u64> {
        self.db.query(Message::TIMESTAMP).before(time).delete().await
    }

    /// Deletes the proofs of before `time`; those at `time` stay. Says how many there were. In steps, as for messages.
    ///
    /// # Errors
    ///
    /// Those of [`Query::delete`](crate::Query::delete).
    pub async fn delete_proofs_before(&self, time: Timestamp) -> Result<u64> {
        self.db.query(ZkProof::TIMESTAMP).before(time).delete().await
    }

    /// Gives unused space back to the operating system, where the store can. Says the bytes before and after.
    ///
    /// # Errors
    ///
    /// As [`Database::compact`].
    pub async fn compact(&self) -> Result<Compaction> {
        self.db.compact().await
    }

    /// Counts records and index entries, and the bytes on the medium. Visits every row.
    ///
    /// # Errors
    ///
    /// As [`Database::stats`].
    pub async fn stats(&self) -> Result<Stats> {
        self.db.stats().await
    }

    /// Closes the store: later calls, of all handles, answer `Closed`.
    ///
    /// # Errors
    ///
    /// As [`Database::close`].
    pub async fn close(&self) -> Result<()> {
        self.db.close().await
    }
}
