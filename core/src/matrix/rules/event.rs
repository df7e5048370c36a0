//! From one room event to its row.

use serde_json::value::RawValue;

use super::bundled::{Bundled, take_bundled};
use super::relations::relate;
use crate::matrix::object::{Object, as_text};
use crate::matrix::{EventId, Membership, Message, RoomId, UserId};
use crate::{Json, Timestamp};

/// The type of the events that say what a user is to a room.
pub(in crate::matrix) const MEMBER: &str = "m.room.member";
/// The type of the events that redact another.
pub(in crate::matrix) const REDACTION: &str = "m.room.redaction";
/// The type of events that nobody has decrypted.
pub(in crate::matrix) const ENCRYPTED: &str = "m.room.encrypted";
/// The `msgtype` that Element writes for a message it could not decrypt.
const BAD_ENCRYPTED: &str = "m.bad.encrypted";

/// The members of an event that are looked at: none may stand there twice.
const FIELDS: [&str; 9] =
    ["event_id", "room_id", "type", "sender", "origin_server_ts", "state_key", "content", "unsigned", "redacts"];

/// The deepest content and `unsigned`: the whole event, one level more, is JSON that can be kept too.
const DEPTH_MAX: usize = Json::DEPTH_MAX - 1;

/// What is the same for all events of a batch.
#[derive(Clone, Copy)]
pub(in crate::matrix) struct Defaults<'a> {
    pub(in crate::matrix) room: Option<&'a RoomId>,
    pub(in crate::matrix) now: Timestamp,
}

/// One room event, ready to be merged. Has no `Debug`: it holds content.
pub(in crate::matrix) struct RoomEvent {
    /// The row, as if nothing had been redacted yet.
    pub(in crate::matrix) message: Message,
    /// How much of the message can be read.
    pub(in crate::matrix) clarity: Clarity,
    /// Of an event that came redacted, the reason, if one was given.
    pub(in crate::matrix) redacted: Option<Option<String>>,
}

/// How much of a message can be read: of the same event, the clearer one is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::matrix) enum Clarity {
    /// The exporting client wrote that it could not decrypt it.
    Undecryptable,
    /// It is still encrypted, and could be decrypted later.
    Encrypted,
    /// It is in clear.
    Clear,
}

impl Clarity {
    pub(super) fn of(message: &Message) -> Self {
        // The text is searched before it is parsed: hardly any message has it.
        let text = message.content.as_str();
        let kind = || Object::parse(text).and_then(|content| content.text("msgtype"));
        if text.contains(BAD_ENCRYPTED) && kind().is_some_and(|kind| kind == BAD_ENCRYPTED) {
            Clarity::Undecryptable
        } else if message.event_type == ENCRYPTED {
            Clarity::Encrypted
        } else {
            Clarity::Clear
        }
    }
}

/// Reads a room event and those bundled with it, its own first.
///
/// The error names the field that is wrong, never its content.
pub(in crate::matrix) fn room_events(object: &Object<'_>, defaults: Defaults<'_>) -> Result<Vec<RoomEvent>, String> {
    if let Some(name) = object.repeated(&FIELDS) {
        return Err(format!("{name} stands there twice"));
    }
    let message_id = EventId::from(text(object, "event_id")?);
    let room_id = match object.get("room_id") {
        None => defaults.room.cloned().ok_or("room_id is missing, and no room is given for such events")?,
        Some(room) => RoomId::from(as_text(room).ok_or("room_id is not text")?),
    };
    if message_id.as_str().is_empty() || room_id.as_str().is_empty() {
        return Err("event_id or room_id is empty".to_owned());
    }
    let sender_key = UserId::from(text(object, "sender")?);
    let event_type = text(object, "type")?;
    let timestamp = timestamp(object)?.ok_or("origin_server_ts is missing")?;
    let state_key = object.get("state_key").map(|key| as_text(key).ok_or("state_key is not text")).transpose()?;
    let raw_content = object.get("content").ok_or("content is missing")?;
    let content = json("content", raw_content)?;

    let mut message = Message::new(room_id, message_id, event_type, sender_key, timestamp, content);
    message.state_key = state_key;
    message.stored_at = defaults.now;
    let unsigned = object.get("unsigned").map(|unsigned| json("unsigned", unsigned)).transpose()?;
    let redacts = object.get("redacts").map(|target| as_text(target).ok_or("redacts is not text")).transpose()?;
    complete(message, unsigned, |message| relate(message, redacts), defaults)
}

/// A message with what its `unsigned` brings along, itself first; `relate` sets its relation.
pub(super) fn complete(
    mut message: Message,
    unsigned: Option<Json>,
    relate: impl FnOnce(&mut Message),
    defaults: Defaults<'_>,
) -> Result<Vec<RoomEvent>, String> {
    let bundled = unsigned.map(|unsigned| take_bundled(unsigned, &message, defaults)).transpose()?;
    let Bundled { unsigned, events, redacted } = bundled.unwrap_or_default();
    message.unsigned = unsigned;
    relate(&mut message);
    check_membership(&message)?;

    let clarity = Clarity::of(&message);
    let mut all = vec![RoomEvent { message, clarity, redacted }];
    all.extend(events);
    Ok(all)
}

/// `origin_server_ts`, if it is there.
pub(in crate::matrix) fn timestamp(object: &Object<'_>) -> Result<Option<Timestamp>, String> {
    let Some(value) = object.get("origin_server_ts") else { return Ok(None) };
    match serde_json::from_str(value.get()) {
        Ok(millis) => Ok(Some(Timestamp::from_millis(millis))),
        Err(_) => Err("origin_server_ts is not an integer of 64 bits".to_owned()),
    }
}

/// A required member that is text.
pub(in crate::matrix) fn text(object: &Object<'_>, name: &str) -> Result<String, String> {
    let value = object.get(name).ok_or_else(|| format!("{name} is missing"))?;
    as_text(value).ok_or_else(|| format!("{name} is not text"))
}

/// A member that is an object, as its text.
pub(in crate::matrix) fn json(name: &str, value: &RawValue) -> Result<Json, String> {
    if !value.get().starts_with('{') {
        return Err(format!("{name} is not an object"));
    }
    Json::from_raw(value, DEPTH_MAX).map_err(|_| format!("{name} is nested deeper than {DEPTH_MAX} levels"))
}

/// A member event must say what the user is to the room; without that there is nothing to merge.
fn check_membership(message: &Message) -> Result<(), String> {
    if message.event_type != MEMBER || message.state_key.is_none() {
        return Ok(());
    }
    let membership = Object::parse(message.content.as_str()).and_then(|content| content.text("membership"));
    match membership.as_deref().and_then(Membership::from_text) {
        Some(_) => Ok(()),
        None => Err("content.membership is not one of join, invite, leave, ban, knock".to_owned()),
    }
}
