//! What kind of event a text is, and what it brings.

use serde_json::value::RawValue;

use super::ImportOptions;
use crate::matrix::object::{Object, as_text};
use crate::matrix::rules::{Defaults, Update, json, room_events, text, timestamp};
use crate::matrix::{AccountData, EventId, Presence, PresenceState, ReadReceipt, RoomId, UserId};
use crate::{Json, Timestamp};

/// Types that go from device to device, outside of any room.
const TO_DEVICE: [&str; 6] =
    ["m.room_key", "m.forwarded_room_key", "m.key.verification.", "m.secret.", "m.dummy", "m.room_key_request"];
/// Types that exist in rooms alone: without an id they are broken, not something else.
const IN_ROOMS: [&str; 6] = ["m.room.", "m.call.", "m.policy.", "m.space.", "m.reaction", "m.sticker"];

pub(super) fn parse(text: &str, options: &ImportOptions, now: Timestamp) -> Update {
    read(text, options, now).unwrap_or_else(Update::Failed)
}

fn read(source: &str, options: &ImportOptions, now: Timestamp) -> Result<Update, String> {
    let object = Object::parse(source).ok_or_else(|| no_object(source))?;
    let defaults = Defaults { room: options.room.as_ref(), now };
    if object.get("event_id").is_some() {
        return room_events(&object, defaults).map(Update::Room);
    }
    let event_type = text(&object, "type")?;
    match &*event_type {
        "m.receipt" => return receipts(&object, defaults).map(Update::Receipts),
        "m.typing" => return typing(&object, defaults),
        "m.presence" => return presence(&object, now),
        _ => {}
    }
    let is = |types: &[&str]| types.iter().any(|prefix| event_type.starts_with(prefix));
    if object.get("state_key").is_some() || object.get("origin_server_ts").is_some() || is(&IN_ROOMS) {
        return Err("event_id is missing".to_owned());
    }
    let content = content(&object)?;
    let elsewhere = object.get("sender").is_some() || object.get("room_id").is_some() || is(&TO_DEVICE);
    match options.me.clone().filter(|_| !elsewhere) {
        Some(user_id) => Ok(Update::AccountData(AccountData { user_id, r#type: event_type, content, updated_at: now })),
        None => Ok(Update::Skipped(event_type)),
    }
}

fn no_object(source: &str) -> String {
    match serde_json::from_str::<&RawValue>(source) {
        Ok(_) => "is not an object".to_owned(),
        Err(error) => format!("is not JSON: line {}, column {}", error.line(), error.column()),
    }
}

fn content(object: &Object<'_>) -> Result<Json, String> {
    json("content", object.get("content").ok_or("content is missing")?)
}

fn room(object: &Object<'_>, defaults: Defaults<'_>) -> Result<RoomId, String> {
    match object.get("room_id") {
        Some(room) => as_text(room).map(RoomId::from).ok_or_else(|| "room_id is not text".to_owned()),
        None => defaults.room.cloned().ok_or_else(|| "room_id is missing, and no room is given".to_owned()),
    }
}

/// `{event: {receipt type: {user: {ts, thread_id}}}}`
fn receipts(object: &Object<'_>, defaults: Defaults<'_>) -> Result<Vec<ReadReceipt>, String> {
    let room_id = room(object, defaults)?;
    let content = content(object)?;
    let mut receipts = Vec::new();
    for (event_id, types) in members(content.as_str(), "content")?.iter() {
        for (receipt_type, users) in members(types.get(), "content, below an event,")?.iter() {
            for (user_id, receipt) in members(users.get(), "content, below a receipt type,")?.iter() {
                let receipt = members(receipt.get(), "content, below a user,")?;
                // Matrix does not require a time. Without one it is older than any.
                let time = receipt.get("ts").map_or(Some(0), |ts| serde_json::from_str(ts.get()).ok());
                receipts.push(ReadReceipt {
                    room_id: room_id.clone(),
                    user_id: UserId::from(user_id),
                    event_id: EventId::from(event_id),
                    receipt_type: receipt_type.to_owned(),
                    thread_id: receipt.text("thread_id"),
                    timestamp: Timestamp::from_millis(time.ok_or("a receipt's ts is not an integer of 64 bits")?),
                    proof: Json::null(),
                    stored_at: defaults.now,
                });
            }
        }
    }
    Ok(receipts)
}

fn members<'a>(text: &'a str, place: &str) -> Result<Object<'a>, String> {
    Object::parse(text).ok_or_else(|| format!("{place} is not an object"))
}

fn typing(object: &Object<'_>, defaults: Defaults<'_>) -> Result<Update, String> {
    let content = content(object)?;
    let users = members(content.as_str(), "content")?.get("user_ids").map(|users| serde_json::from_str(users.get()));
    let users: Vec<UserId> = match users {
        Some(Ok(users)) => users,
        _ => return Err("content.user_ids is not a list of text".to_owned()),
    };
    Ok(Update::Typing(room(object, defaults)?, users.into_iter().collect()))
}

fn presence(object: &Object<'_>, now: Timestamp) -> Result<Update, String> {
    let user_id = UserId::from(text(object, "sender")?);
    let content = content(object)?;
    let content = members(content.as_str(), "content")?;
    let presence = content.text("presence").as_deref().and_then(PresenceState::from_text);
    let presence = presence.ok_or("content.presence is not one of online, offline, unavailable")?;
    let ago = match content.get("last_active_ago") {
        None => 0,
        Some(ago) => {
            let ago: Option<i64> = serde_json::from_str(ago.get()).ok();
            ago.filter(|ago| *ago >= 0).ok_or("content.last_active_ago is not a number of milliseconds")?
        }
    };
    let time = timestamp(object)?;
    let updated_at = time.unwrap_or(now);
    let presence = Presence {
        user_id,
        presence,
        status_msg: content.text("status_msg"),
        last_active: updated_at.saturating_add(-ago),
        currently_active: content.is_true("currently_active"),
        proof: Json::null(),
        updated_at,
    };
    Ok(Update::Presence { presence, dated: time.is_some() })
}
