//! What is read and what is being typed.

use serde::{Deserialize, Serialize};

use crate::matrix::{EventId, RoomId, UserId};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// That a user has read up to an event.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 10, name = "read_receipts", key(room_id, user_id, event_id))]
#[index(id = 1, name = "room_receipts", on(room_id, event_id))]
#[index(id = 2, name = "user_read", on(user_id, room_id, timestamp: ordered))]
pub struct ReadReceipt {
    /// The room.
    pub room_id: RoomId,
    /// Who has read.
    pub user_id: UserId,
    /// The last event read.
    pub event_id: EventId,
    /// `m.read`, or `m.read.private` for one that others are not told of.
    pub receipt_type: String,
    /// The thread it is for: its root, or `main`; absent for the whole room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// When it was read.
    pub timestamp: Timestamp,
    /// The proof of reading; `null` where there is none.
    pub proof: Json,
    /// When it was stored here.
    pub stored_at: Timestamp,
}

/// That a user is typing; gone by itself when it expires.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 11, name = "typing", key(room_id, user_id), expires = expires_at)]
#[index(id = 1, name = "room_typing", on(room_id))]
pub struct Typing {
    /// The room.
    pub room_id: RoomId,
    /// Who is typing.
    pub user_id: UserId,
    /// Whether the user is.
    pub typing: bool,
    /// For how long it was announced, in milliseconds.
    pub timeout_ms: u64,
    /// When it ends.
    pub expires_at: Timestamp,
}

opaque_debug!(ReadReceipt, Typing);
