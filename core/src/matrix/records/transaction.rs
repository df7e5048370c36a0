//! Sending a message once, however often it is tried.

use serde::{Deserialize, Serialize};

use crate::matrix::{EventId, RoomId, TransactionId, TransactionStatus};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// One attempt to send, by the id that the client gave it. Not to be confused with a database transaction.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 12, name = "transactions", key(txn_id))]
#[index(id = 1, name = "room_transactions", on(room_id, timestamp: ordered))]
#[index(id = 2, name = "pending", on(status, timestamp: ordered))]
#[index(id = 3, name = "finished", on(finished_at: ordered))]
pub struct SendTransaction {
    /// The client's id of it.
    pub txn_id: TransactionId,
    /// The room.
    pub room_id: RoomId,
    /// The message it sends.
    pub message_id: EventId,
    /// How far it is.
    pub status: TransactionStatus,
    /// When it began.
    pub timestamp: Timestamp,
    /// When it was sent, or given up last; absent while it is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What the client keeps with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
}

opaque_debug!(SendTransaction);
