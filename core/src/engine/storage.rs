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
    /// ```
    /// # use strongroom_core::{Database, Result, engine::{self, StorageEngine}, store::Store};
    /// # async fn example(store: impl Store) -> Result<()> {
    /// let engine = StorageEngine::new(Database::open(store, engine::schema()).await?)?;
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// # use strongroom_core::{Result, engine::StorageEngine, store::Store};
    /// # async fn example(store: impl Store) -> Result<()> {
    /// let engine = StorageEngine::open(store).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::open`].
    pub async fn open(store: impl Store) -> Result<Self> {
        StorageEngine::new(Database::open(store, schema()).await?)
    }

    /// The database below, for all that has no operation here.
    ///
    /// ```
    /// use strongroom_core::engine::{Message, MessageStatus};
    ///
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let pending = engine.database().query(Message::STATUS).equal(&MessageStatus::Pending).count().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// Saves a message, new or in place of the one with its id.
    ///
    /// ```
    /// use strongroom_core::{Timestamp, engine::{Message, MessageStatus}};
    ///
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let message = Message {
    ///     id: "m1".into(),
    ///     conversation_id: "team".into(),
    ///     sender: "@ada:example.org".into(),
    ///     recipient: None,
    ///     timestamp: Timestamp::from_millis(1_714_564_800_000),
    ///     status: MessageStatus::Pending,
    ///     content: r#"{"body":"Who has the keys?"}"#.parse()?,
    ///     proof_id: None,
    /// };
    /// engine.save_message(&message).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::put`]; so for all that saves.
    pub async fn save_message(&self, message: &Message) -> Result<()> {
        self.db.put(message).await
    }

    /// The message with this id.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// if let Some(message) = engine.message("m1").await? {
    ///     println!("{}", message.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::get`]; so for all that reads one record.
    pub async fn message(&self, id: &str) -> Result<Option<Message>> {
        self.db.get(&Message::key(id)).await
    }

    /// A page of a conversation, the newest message first, and where to go on.
    ///
    /// ```
    /// use strongroom_core::engine::Paging;
    ///
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let newest = engine.messages_of_conversation("team", Paging { limit: 20, before: None }).await?;
    /// if let Some(next) = newest.next {
    ///     let older = Paging { limit: 20, before: Some(next.into()) };
    ///     let page = engine.messages_of_conversation("team", older).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// use strongroom_core::{Timestamp, engine::{SecretBytes, Session}};
    ///
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let at = Timestamp::from_millis(1_714_564_800_000);
    /// let session = Session {
    ///     id: "s1".into(),
    ///     peer_id: "@bo:example.org".into(),
    ///     key_id: "k1".into(),
    ///     created_at: at,
    ///     last_activity: at,
    ///     state: SecretBytes::new(vec![1, 2, 3]),
    /// };
    /// engine.save_session(&session).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`save_message`](StorageEngine::save_message).
    pub async fn save_session(&self, session: &Session) -> Result<()> {
        self.db.put(session).await
    }

    /// The session with this id.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let is_known = engine.session("s1").await?.is_some();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`message`](StorageEngine::message).
    pub async fn session(&self, id: &str) -> Result<Option<Session>> {
        self.db.get(&Session::key(id)).await
    }

    /// Saves a proof, new or in place of the one with its id.
    ///
    /// ```
    /// use strongroom_core::{Json, Timestamp, engine::ZkProof};
    ///
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let proof = ZkProof {
    ///     proof_id: "p1".into(),
    ///     circuit_id: "membership".into(),
    ///     timestamp: Timestamp::from_millis(1_714_564_800_000),
    ///     proof: vec![1, 2, 3],
    ///     public_signals: vec!["1".into()],
    ///     metadata: Json::null(),
    /// };
    /// engine.save_proof(&proof).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`save_message`](StorageEngine::save_message).
    pub async fn save_proof(&self, proof: &ZkProof) -> Result<()> {
        self.db.put(proof).await
    }

    /// The proof with this id.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// if let Some(proof) = engine.proof("p1").await? {
    ///     println!("{} bytes for {}", proof.proof.len(), proof.circuit_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`message`](StorageEngine::message).
    pub async fn proof(&self, proof_id: &str) -> Result<Option<ZkProof>> {
        self.db.get(&ZkProof::key(proof_id)).await
    }

    /// Saves a key, new or in place of the one with its id.
    ///
    /// ```
    /// use strongroom_core::{Timestamp, engine::{KeyRecord, SecretBytes}};
    ///
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let created_at = Timestamp::from_millis(1_714_564_800_000);
    /// let key = KeyRecord { id: "k1".into(), key: SecretBytes::new(vec![7; 32]), created_at };
    /// engine.save_key(&key).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`save_message`](StorageEngine::save_message).
    pub async fn save_key(&self, key: &KeyRecord) -> Result<()> {
        self.db.put(key).await
    }

    /// The key with this id.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// if let Some(record) = engine.key("k1").await? {
    ///     assert_eq!(record.key.expose().len(), 32);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`message`](StorageEngine::message).
    pub async fn key(&self, id: &str) -> Result<Option<KeyRecord>> {
        self.db.get(&KeyRecord::key(id)).await
    }

    /// Saves a value under a name, new or in place of the one there.
    ///
    /// ```
    /// use strongroom_core::engine::Metadata;
    ///
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// engine.save_metadata(&Metadata { key: "theme".into(), value: r#""dark""#.parse()? }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`save_message`](StorageEngine::save_message).
    pub async fn save_metadata(&self, metadata: &Metadata) -> Result<()> {
        self.db.put(metadata).await
    }

    /// The value under a name.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let theme = engine.metadata("theme").await?.map(|metadata| metadata.value);
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let year = 365 * 24 * 60 * 60 * 1_000;
    /// let deleted = engine.delete_messages_before(engine.database().now().saturating_add(-year)).await?;
    /// println!("{deleted} messages are deleted");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Query::delete`](crate::Query::delete).
    pub async fn delete_messages_before(&self, time: Timestamp) -> Result<u64> {
        self.db.query(Message::TIMESTAMP).before(time).delete().await
    }

    /// Deletes the proofs of before `time`; those at `time` stay. Says how many there were. In steps, as for messages.
    ///
    /// ```
    /// use strongroom_core::Timestamp;
    ///
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let deleted = engine.delete_proofs_before(Timestamp::from_millis(1_714_564_800_000)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Query::delete`](crate::Query::delete).
    pub async fn delete_proofs_before(&self, time: Timestamp) -> Result<u64> {
        self.db.query(ZkProof::TIMESTAMP).before(time).delete().await
    }

    /// Gives unused space back to the operating system, where the store can. Says the bytes before and after.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let freed = engine.compact().await?;
    /// println!("{} bytes, now {}", freed.bytes_before, freed.bytes_after);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::compact`].
    pub async fn compact(&self) -> Result<Compaction> {
        self.db.compact().await
    }

    /// Counts records and index entries, and the bytes on the medium. Visits every row.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let stats = engine.stats().await?;
    /// println!("{} messages, {} bytes", stats.collections["messages"].records, stats.bytes);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::stats`].
    pub async fn stats(&self) -> Result<Stats> {
        self.db.stats().await
    }

    /// Closes the store: later calls, of all handles, answer `Closed`.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// engine.close().await?;
    /// assert!(engine.message("m1").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::close`].
    pub async fn close(&self) -> Result<()> {
        self.db.close().await
    }
}
