//! What a room holds, once as records of ours and once as matrix-sdk is given it: the same content in both.

use matrix_sdk_base::{MinimalRoomMemberEvent, StateChanges};
use ruma::events::receipt::Receipt;
use ruma::events::room::member::SyncRoomMemberEvent;
use ruma::events::{AnySyncStateEvent, StateEventType};
use ruma::serde::Raw;
use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, UInt};
use serde_json::json;
use strongroom::matrix::{Membership, ReadReceipt, RoomMember, RoomState};
use strongroom::{Json, Timestamp};

use crate::Result;

/// When the first event was sent; the others follow in steps of a second.
const BEGIN_MS: u64 = 1_714_564_800_000;

/// A state event as matrix-sdk is given it: its text and where it belongs.
pub(crate) struct StateEvent {
    /// The room.
    pub room: OwnedRoomId,
    event_type: StateEventType,
    state_key: String,
    raw: Raw<AnySyncStateEvent>,
}

impl StateEvent {
    /// Adds it to changes.
    pub(crate) fn add(&self, changes: &mut StateChanges) {
        let room = changes.state.entry(self.room.clone()).or_default();
        room.entry(self.event_type.clone()).or_default().insert(self.state_key.clone(), self.raw.clone());
    }
}

/// A state event of about 300 bytes.
pub(crate) struct Note {
    /// Ours.
    pub record: RoomState,
    /// Theirs.
    pub event: StateEvent,
}

impl Note {
    /// Its type: one that Matrix does not know, so neither store does more than to keep it.
    pub(crate) const TYPE: &str = "org.example.note";

    /// Number `n` of a room.
    pub(crate) fn new(room: u64, n: u64) -> Result<Self> {
        let content = json!({ "note": format!("{n:060}") }).to_string();
        let (record, event) = state(room, Note::TYPE, format!("note-{n}"), n, content)?;
        Ok(Note { record, event })
    }
}

/// A user who joins.
pub(crate) struct Join {
    /// Ours: the event.
    pub state: RoomState,
    /// Ours: membership and profile.
    pub member: RoomMember,
    /// Theirs: the event, from which they take the membership.
    pub event: StateEvent,
    /// Theirs: the user.
    pub user: OwnedUserId,
    /// Theirs: the profile.
    pub profile: MinimalRoomMemberEvent,
}

impl Join {
    /// User number `n` joins a room.
    pub(crate) fn new(room: u64, n: u64) -> Result<Self> {
        let user = user_id(n)?;
        let (name, picture) = (format!("User number {n}"), format!("mxc://example.org/{n:024}"));
        let content = json!({ "membership": "join", "displayname": name, "avatar_url": picture }).to_string();
        let (mut state, event) = state(room, "m.room.member", user.to_string(), n, content)?;
        state.membership = Some(Membership::Join);
        let mut member = RoomMember::new(state.room_id.clone(), user.as_str(), Membership::Join, state.timestamp);
        (member.display_name, member.avatar_url) = (Some(name), Some(picture));
        (member.joined_at, member.event_id) = (Some(state.timestamp), Some(state.event_id.clone()));
        let profile = (&event.raw.deserialize_as_unchecked::<SyncRoomMemberEvent>()?).into();
        Ok(Join { state, member, event, user, profile })
    }
}

/// A user who has read up to an event.
pub(crate) struct Read {
    /// Ours.
    pub record: ReadReceipt,
    /// Theirs: the room, the event, the user and what is said of it.
    pub room: OwnedRoomId,
    /// The event.
    pub event: OwnedEventId,
    /// The user.
    pub user: OwnedUserId,
    /// When.
    pub receipt: Receipt,
}

impl Read {
    /// User number `user` has read event number `event`.
    pub(crate) fn new(room: u64, user: u64, event: u64) -> Result<Self> {
        let (room, user, event) = (room_id(room)?, user_id(user)?, event_id(event));
        let millis = UInt::try_from(BEGIN_MS)?;
        let at = Timestamp::from_millis(BEGIN_MS as i64);
        let record = ReadReceipt {
            room_id: room.as_str().into(),
            user_id: user.as_str().into(),
            event_id: event.as_str().into(),
            receipt_type: "m.read".to_owned(),
            thread_id: None,
            timestamp: at,
            proof: "null".parse::<Json>()?,
            stored_at: at,
        };
        let receipt = Receipt::new(MilliSecondsSinceUnixEpoch(millis));
        Ok(Read { record, room, event: event.try_into()?, user, receipt })
    }
}

fn state(room: u64, event_type: &str, key: String, n: u64, content: String) -> Result<(RoomState, StateEvent)> {
    let (room, event, sender, at) = (room_id(room)?, event_id(n), user_id(n)?, BEGIN_MS + n * 1_000);
    let content: Json = content.parse()?;
    let text = format!(
        r#"{{"type":"{event_type}","event_id":"{event}","sender":"{sender}","origin_server_ts":{at},"state_key":"{key}","content":{}}}"#,
        content.as_str()
    );
    let at = Timestamp::from_millis(at as i64);
    let record = RoomState::new(room.as_str(), event_type, key.as_str(), event, sender.as_str(), at, content);
    let raw = Raw::from_json_string(text)?;
    Ok((record, StateEvent { room, event_type: event_type.into(), state_key: key, raw }))
}

/// Room number `n`.
pub(crate) fn room_id(n: u64) -> Result<OwnedRoomId> {
    Ok(format!("!room-{n:05}:example.org").try_into()?)
}

/// User number `n`.
pub(crate) fn user_id(n: u64) -> Result<OwnedUserId> {
    Ok(format!("@user-{n:05}:example.org").try_into()?)
}

fn event_id(n: u64) -> String {
    format!("${n:043}")
}
