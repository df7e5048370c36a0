//! What belongs to a user rather than to a room.

use serde::{Deserialize, Serialize};

use crate::matrix::{PresenceState, UserId};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// Whether a user is there; synchronised elsewhere.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 8, name = "presence", key(user_id), changes)]
#[index(id = 1, name = "last_active", on(last_active: ordered))]
#[index(id = 2, name = "presence", on(presence))]
pub struct Presence {
    /// The user.
    pub user_id: UserId,
    /// Whether the user is there.
    pub presence: PresenceState,
    /// What the user says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_msg: Option<String>,
    /// When the user last did something.
    pub last_active: Timestamp,
    /// Whether the user is doing something now.
    pub currently_active: bool,
    /// The proof that the user said so; `null` where there is none.
    pub proof: Json,
    /// The time of the update; the newest wins.
    pub updated_at: Timestamp,
}

/// A user's own data of one type, such as `m.direct`.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 9, name = "account_data", key(user_id, r#type))]
#[index(id = 1, name = "user_data", on(user_id))]
pub struct AccountData {
    /// Whose it is.
    pub user_id: UserId,
    /// The Matrix type.
    pub r#type: String,
    /// The data.
    pub content: Json,
    /// The time of the update.
    pub updated_at: Timestamp,
}

opaque_debug!(Presence, AccountData);
