//! native_db: typed records with secondary keys over redb 2. It has no encryption, no group commit and no deletion of a range.

use std::path::Path;
use std::sync::Arc;

use native_db::db_type::Result as NativeResult;
use native_db::{Builder, Database, Models, ToKey, native_db};
use native_model::{Model, native_model};
use serde::{Deserialize, Serialize};
use strongroom::matrix::{Message, RoomId};
use strongroom::{Json, Timestamp};
use strongroom_benches::workload::{IMPORT_BATCH, PAGE};
use tokio::task::JoinSet;

use crate::Result;

/// The fields of [`Message`], with the four indexes in which a message of the workload has entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[native_model(id = 1, version = 1)]
#[native_db(
    primary_key(key -> (String, String)),
    secondary_key(room_timestamp -> (String, i64)),
    secondary_key(sender_timestamp -> (String, i64)),
    secondary_key(thread_timestamp -> (String, String, i64)),
    secondary_key(redacted_timestamp -> (String, u8, i64))
)]
pub(crate) struct NativeMessage {
    room_id: String,
    message_id: String,
    event_type: String,
    sender_key: String,
    timestamp: i64,
    content: String,
    state_key: Option<String>,
    unsigned: Option<String>,
    relates_to: Option<String>,
    relates_to_type: Option<String>,
    relation_key: Option<String>,
    thread_root: Option<String>,
    in_reply_to: Option<String>,
    redacted: bool,
    redaction_reason: Option<String>,
    via: Option<Vec<String>>,
    stored_at: i64,
}

/// A key of several components is a tuple: native_db writes one behind the other, without a mark between them. Rooms of the workload have
/// ids of one length, so that is no harm here.
impl NativeMessage {
    fn key(&self) -> (String, String) {
        (self.room_id.clone(), self.message_id.clone())
    }

    fn room_timestamp(&self) -> (String, i64) {
        (self.room_id.clone(), self.timestamp)
    }

    fn sender_timestamp(&self) -> (String, i64) {
        (self.sender_key.clone(), self.timestamp)
    }

    fn thread_timestamp(&self) -> (String, String, i64) {
        (self.room_id.clone(), self.thread_root.clone().unwrap_or_default(), self.timestamp)
    }

    fn redacted_timestamp(&self) -> (String, u8, i64) {
        (self.room_id.clone(), u8::from(self.redacted), self.timestamp)
    }
}

impl From<&Message> for NativeMessage {
    fn from(message: &Message) -> Self {
        let json = |json: &Json| json.as_str().to_owned();
        NativeMessage {
            room_id: message.room_id.to_string(),
            message_id: message.message_id.to_string(),
            event_type: message.event_type.clone(),
            sender_key: message.sender_key.to_string(),
            timestamp: message.timestamp.as_millis(),
            content: json(&message.content),
            state_key: message.state_key.clone(),
            unsigned: message.unsigned.as_ref().map(json),
            relates_to: message.relates_to.as_ref().map(ToString::to_string),
            relates_to_type: message.relates_to_type.clone(),
            relation_key: message.relation_key.clone(),
            thread_root: message.thread_root.as_ref().map(ToString::to_string),
            in_reply_to: message.in_reply_to.as_ref().map(ToString::to_string),
            redacted: message.redacted,
            redaction_reason: message.redaction_reason.clone(),
            via: message.via.clone(),
            stored_at: message.stored_at.as_millis(),
        }
    }
}

/// Messages as native_db is given them.
pub(crate) fn native(messages: &[Message]) -> Vec<NativeMessage> {
    messages.iter().map(NativeMessage::from).collect()
}

/// A database of native_db, used as its documentation does.
pub(crate) struct Native {
    db: Arc<Database<'static>>,
}

impl Native {
    /// In a new file. The cache is as large as ours.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut models = Models::new();
        models.define::<NativeMessage>()?;
        // Its documentation keeps models in a static: they must outlive the database.
        let models = Box::leak(Box::new(models));
        let db = Builder::new().set_cache_size(64 << 20).create(models, path)?;
        Ok(Native { db: Arc::new(db) })
    }

    /// Saves one message in a transaction of its own.
    pub(crate) fn save(&self, message: NativeMessage) -> Result<()> {
        save(&self.db, message)
    }

    /// The same of many at the same time, each on a thread: a transaction is bound to one, and the next waits for its commit.
    pub(crate) async fn save_together(&self, messages: Vec<NativeMessage>) -> Result<()> {
        let mut saves = JoinSet::new();
        for message in messages {
            let db = self.db.clone();
            saves.spawn_blocking(move || save(&db, message));
        }
        while let Some(saved) = saves.join_next().await {
            saved??;
        }
        Ok(())
    }

    /// Inserts messages, as many in a transaction as an import of ours has.
    pub(crate) fn import(&self, messages: Vec<NativeMessage>) -> Result<()> {
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let write = self.db.rw_transaction()?;
            for message in messages.by_ref().take(IMPORT_BATCH) {
                write.insert(message)?;
            }
            write.commit()?;
        }
        Ok(())
    }

    /// Reads one message; says whether it is there.
    pub(crate) fn get(&self, key: (String, String)) -> Result<bool> {
        Ok(self.db.r_transaction()?.get().primary::<NativeMessage>(key)?.is_some())
    }

    /// Reads the newest [`PAGE`] messages of a room in `[from, before)`; says how many there are. The scan reads the primary keys of
    /// the whole range before it gives the first message.
    pub(crate) fn page(&self, room: &RoomId, from: Timestamp, before: Timestamp) -> Result<usize> {
        let read = self.db.r_transaction()?;
        let scan = read.scan().secondary::<NativeMessage>(NativeMessageKey::room_timestamp)?;
        let newest = scan.range(bounds(room, from, before))?.rev().take(PAGE);
        Ok(newest.collect::<NativeResult<Vec<_>>>()?.len())
    }

    /// Deletes the messages of a room before a time in one transaction: reads them, and removes one after the other.
    pub(crate) fn delete_before(&self, room: &RoomId, before: Timestamp) -> Result<u64> {
        let write = self.db.rw_transaction()?;
        let messages: Vec<_> = {
            let scan = write.scan().secondary::<NativeMessage>(NativeMessageKey::room_timestamp)?;
            scan.range(bounds(room, Timestamp::from_millis(0), before))?.collect::<NativeResult<_>>()?
        };
        let count = messages.len() as u64;
        for message in messages {
            write.remove(message)?;
        }
        write.commit()?;
        Ok(count)
    }

    /// Makes the file as small as it can be.
    pub(crate) fn compact(&mut self) -> Result<()> {
        let db = Arc::get_mut(&mut self.db).ok_or("a save is still under way")?;
        // Each time it moves some pages; redb says when there is nothing left, native_db does not pass that on.
        for _ in 0..10 {
            db.compact()?;
        }
        Ok(())
    }
}

fn save(db: &Database<'_>, message: NativeMessage) -> Result<()> {
    let write = db.rw_transaction()?;
    // As ours, it replaces a message with the same key.
    write.upsert(message)?;
    Ok(write.commit()?)
}

fn bounds(room: &RoomId, from: Timestamp, before: Timestamp) -> std::ops::Range<(String, i64)> {
    let room = room.to_string();
    (room.clone(), from.as_millis())..(room, before.as_millis())
}
