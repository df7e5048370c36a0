//! Timeline: every event of a room.

use serde::{Deserialize, Serialize};

use crate::matrix::{EventId, RoomId, UserId};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// One room event, state events too. All of it is kept, so that the event can be given back.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 1, name = "messages", key(room_id, message_id))]
#[index(id = 1, name = "room_timestamp", on(room_id, timestamp: ordered))]
#[index(id = 2, name = "sender", on(sender_key, timestamp: ordered))]
#[index(id = 3, name = "thread", on(room_id, thread_root, timestamp: ordered))]
#[index(id = 4, name = "relation", on(room_id, relates_to, relates_to_type, timestamp: ordered))]
#[index(id = 5, name = "redacted", on(room_id, redacted, timestamp: ordered))]
pub struct Message {
    /// The room it is in.
    pub room_id: RoomId,
    /// The event's id.
    pub message_id: EventId,
    /// The Matrix type, such as `m.room.message`.
    pub event_type: String,
    /// Who sent it.
    pub sender_key: UserId,
    /// `origin_server_ts`.
    pub timestamp: Timestamp,
    /// The content, as given; what is left of it once it is redacted.
    pub content: Json,
    /// Of a state event, which state of its type it sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_key: Option<String>,
    /// What the server added outside the signed event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsigned: Option<Json>,
    /// The event that this one edits, reacts to, refers to, replies to or redacts, or its thread's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relates_to: Option<EventId>,
    /// How it relates: one of [`relation`](crate::matrix::relation), or another type that Matrix may add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relates_to_type: Option<String>,
    /// Of an annotation, the reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation_key: Option<String>,
    /// The root of the thread that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_root: Option<EventId>,
    /// In a thread, the message it replies to, unless that is a fallback for clients without threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<EventId>,
    /// Whether it was redacted: content and relations are then gone for good.
    pub redacted: bool,
    /// The reason that its redaction gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redaction_reason: Option<String>,
    /// The servers that it came through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Vec<String>>,
    /// When it was stored here.
    pub stored_at: Timestamp,
}

opaque_debug!(Message);

impl Message {
    /// A message that relates to nothing and is no state. It is taken as stored when it was sent; all fields can be set.
    ///
    /// ```
    /// # use strongroom_core::{Json, Timestamp, matrix::Message};
    /// let content: Json = r#"{"msgtype":"m.text","body":"Who has the keys?"}"#.parse()?;
    /// let sent_at = Timestamp::from_millis(1_714_564_800_000);
    /// let mut message = Message::new("!kitchen", "$1", "m.room.message", "@ada:example.org", sent_at, content);
    /// message.thread_root = Some("$0".into());
    /// # Ok::<(), strongroom_core::Error>(())
    /// ```
    pub fn new(
        room_id: impl Into<RoomId>,
        message_id: impl Into<EventId>,
        event_type: impl Into<String>,
        sender_key: impl Into<UserId>,
        timestamp: Timestamp,
        content: Json,
    ) -> Self {
        Message {
            room_id: room_id.into(),
            message_id: message_id.into(),
            event_type: event_type.into(),
            sender_key: sender_key.into(),
            timestamp,
            content,
            state_key: None,
            unsigned: None,
            relates_to: None,
            relates_to_type: None,
            relation_key: None,
            thread_root: None,
            in_reply_to: None,
            redacted: false,
            redaction_reason: None,
            via: None,
            stored_at: timestamp,
        }
    }
}
