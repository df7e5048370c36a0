//! Rooms, their state and their aliases.

use serde::{Deserialize, Serialize};

use crate::matrix::object::Object;
use crate::matrix::{EventId, Membership, RoomAliasId, RoomId, UserId};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// One room, as a room list shows it.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 2, name = "rooms", key(room_id))]
#[index(id = 1, name = "membership", on(membership, last_event: ordered))]
#[index(id = 2, name = "creator", on(creator, created_at: ordered))]
#[index(id = 3, name = "alias", on(aliases: multi))]
pub struct Room {
    /// The room.
    pub room_id: RoomId,
    /// Who created it; empty until known.
    pub creator: UserId,
    /// The room version; `1` until known.
    pub version: String,
    /// The local user's own membership; `leave` until known.
    pub membership: Membership,
    /// How many users have joined.
    pub member_count: u64,
    /// Its aliases, sorted: those that its state names. One whose record in `room_aliases` has expired stays here while the state names it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<RoomAliasId>,
    /// The time of its latest event.
    pub last_event: Timestamp,
    /// When it was created; the epoch until known.
    pub created_at: Timestamp,
}

/// The current state event of one type and state key in a room.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 3, name = "room_state", key(room_id, r#type, state_key))]
#[index(id = 1, name = "room_type", on(room_id, r#type))]
#[index(id = 2, name = "state_key", on(state_key))]
pub struct RoomState {
    /// The room.
    pub room_id: RoomId,
    /// The Matrix type, such as `m.room.topic`.
    pub r#type: String,
    /// Which state of this type: a user for `m.room.member`, often empty.
    pub state_key: String,
    /// The event that set it.
    pub event_id: EventId,
    /// Who sent that event.
    pub sender: UserId,
    /// When.
    pub timestamp: Timestamp,
    /// The event's content; what is left of it once it is redacted. Empty, `{}`, if it removes the state.
    pub content: Json,
    /// Whether its event was redacted: what Matrix does not keep of the content is then gone for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// The state event that this one replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_state_id: Option<EventId>,
    /// The content of the replaced event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_content: Option<Json>,
    /// Of `m.room.member`, the membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<Membership>,
    /// Why, if the event said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was stored here.
    pub stored_at: Timestamp,
}

impl RoomState {
    /// The state that an event sets. It is taken as stored when it was sent; all fields can be set.
    pub fn new(
        room_id: impl Into<RoomId>,
        r#type: impl Into<String>,
        state_key: impl Into<String>,
        event_id: impl Into<EventId>,
        sender: impl Into<UserId>,
        timestamp: Timestamp,
        content: Json,
    ) -> Self {
        RoomState {
            room_id: room_id.into(),
            r#type: r#type.into(),
            state_key: state_key.into(),
            event_id: event_id.into(),
            sender: sender.into(),
            timestamp,
            content,
            redacted: false,
            prev_state_id: None,
            prev_content: None,
            membership: None,
            reason: None,
            stored_at: timestamp,
        }
    }

    /// Whether it says that there is no such state: its content is empty, by which Matrix removes a state. The record stays, so
    /// that an older state that comes late does not bring back what was removed.
    ///
    /// ```
    /// # use strongroom_core::{Json, Timestamp, matrix::RoomState};
    /// let at = Timestamp::from_millis(1_714_564_800_000);
    /// let removed = RoomState::new("!kitchen", "m.room.topic", "", "$2", "@ada:example.org", at, "{}".parse()?);
    /// assert!(removed.is_tombstone());
    /// # Ok::<(), strongroom_core::Error>(())
    /// ```
    pub fn is_tombstone(&self) -> bool {
        Object::parse(self.content.as_str()).is_some_and(|content| content.iter().next().is_none())
    }
}

/// An alias of a room; published through IPNS.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 14, name = "room_aliases", key(alias), expires = expires_at, changes)]
#[index(id = 1, name = "room_aliases", on(room_id))]
pub struct RoomAlias {
    /// The alias.
    pub alias: RoomAliasId,
    /// The room it names.
    pub room_id: RoomId,
    /// Who set it.
    pub creator: UserId,
    /// The record that publishes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipns_record: Option<Json>,
    /// The proof of the right to it; `null` where there is none.
    pub proof: Json,
    /// When it was set.
    pub created_at: Timestamp,
    /// When it ceases to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

opaque_debug!(Room, RoomState, RoomAlias);
