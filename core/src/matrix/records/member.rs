//! Who is in a room, and who was asked to be.

use serde::{Deserialize, Serialize};

use crate::matrix::{EventId, Membership, RoomId, UserId};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// A user's membership of a room.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 4, name = "room_members", key(room_id, user_id))]
#[index(id = 1, name = "user_rooms", on(user_id, room_id))]
#[index(id = 2, name = "membership", on(room_id, membership))]
pub struct RoomMember {
    /// The room.
    pub room_id: RoomId,
    /// The user.
    pub user_id: UserId,
    /// What the user is to the room now.
    pub membership: Membership,
    /// The name shown in this room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The picture shown in this room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// When the user first joined, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Timestamp>,
    /// When the user last left or was banned, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Timestamp>,
    /// The user's power in the room; 0 until known.
    pub power_level: i64,
    /// The `m.room.member` event that set the membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Whether that event was redacted: the name and the picture are then gone for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// A proof of membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Json>,
    /// The time of the event that set the membership.
    pub updated_at: Timestamp,
}

impl RoomMember {
    /// A member of whom no more is known. All fields can be set.
    pub fn new(
        room_id: impl Into<RoomId>,
        user_id: impl Into<UserId>,
        membership: Membership,
        updated_at: Timestamp,
    ) -> Self {
        RoomMember {
            room_id: room_id.into(),
            user_id: user_id.into(),
            membership,
            display_name: None,
            avatar_url: None,
            joined_at: None,
            left_at: None,
            power_level: 0,
            event_id: None,
            redacted: false,
            proof: None,
            updated_at,
        }
    }
}

/// An invitation that is neither accepted nor declined.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 7, name = "invitations", key(room_id, user_id))]
#[index(id = 1, name = "user_invites", on(user_id))]
#[index(id = 2, name = "room_invites", on(room_id))]
pub struct Invitation {
    /// The room.
    pub room_id: RoomId,
    /// Who is invited.
    pub user_id: UserId,
    /// Who invites.
    pub sender: UserId,
    /// The event of the invitation.
    pub event: Json,
    /// A proof of the right to invite; `null` where there is none.
    pub proof: Json,
    /// What the invited may see of the room: stripped state events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_state: Option<Json>,
    /// When it came.
    pub received_at: Timestamp,
}

opaque_debug!(RoomMember, Invitation);
