//! Redaction: what was said is removed for good.

use super::MatrixStore;
use super::rooms::invalid;
use crate::matrix::rules::{message_update, redaction_of};
use crate::matrix::{EventId, RoomId, UserId};
use crate::text::opaque_debug;
use crate::{Merged, Result, Timestamp};

/// Who redacts, when and why.
#[derive(Clone, PartialEq)]
pub struct Redaction {
    /// The id of the event that redacts.
    pub event_id: EventId,
    /// Who sent it.
    pub sender: UserId,
    /// Its time.
    pub timestamp: Timestamp,
    /// Why, if it says so. Kept with what it redacted; of several redactions of one event the earliest gives the reason.
    pub reason: Option<String>,
}

opaque_debug!(Redaction);

impl MatrixStore {
    /// Removes the content and the relations of an event, in its message, state, member and invitation, and in copies that later
    /// state events quote, for good. The redaction is stored as an event of its own, a tombstone: if the target is not here
    /// yet, or comes again, it is saved without what was removed.
    ///
    /// Of state events, what Matrix keeps stays, such as a membership. The indexes follow: the message leaves its thread and its
    /// relation and enters those that were [redacted](crate::matrix::Message::REDACTED). A redaction that arrives as an event is saved with
    /// [`save_message`](MatrixStore::save_message), to the same effect. Whether it was allowed is for the server to decide.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if another event has the redaction's id, and as [`Database::write`](crate::Database::write).
    ///
    /// ```
    /// # use strongroom_core::{Result, matrix::{MatrixStore, Message, Redaction}};
    /// async fn deleted(store: &MatrixStore, message: &Message) -> Result<()> {
    ///     let by = Redaction {
    ///         event_id: "$2".into(),
    ///         sender: message.sender_key.clone(),
    ///         timestamp: message.timestamp,
    ///         reason: Some("sent by mistake".to_owned()),
    ///     };
    ///     store.redact(&message.room_id, &message.message_id, &by).await?;
    ///     store.save_message(message).await?; // It comes once more, and stays as it is.
    ///     let left = store.database().get(&Message::key(&message.room_id, &message.message_id)).await?;
    ///     assert!(left.is_some_and(|left| left.redacted && left.content.as_str() == "{}"));
    ///     Ok(())
    /// }
    /// ```
    pub async fn redact(&self, room: &RoomId, event: &EventId, by: &Redaction) -> Result<Merged> {
        let redaction = redaction_of(room, event, by);
        let update = redaction.and_then(|message| message_update(&message, self.db.now()).map_err(invalid));
        self.save(update).await.map_err(|error| error.during("redact"))
    }
}
