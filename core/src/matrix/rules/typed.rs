//! From a typed record to an update: a message that a program made itself is held to what is read from a text.

use super::event::{Defaults, MEMBER, REDACTION, complete};
use super::relations::{is_redaction, relate};
use super::update::Update;
use crate::matrix::object::Object;
use crate::matrix::{EventId, Membership, Message, Redaction, RoomId, RoomState, relation};
use crate::{Json, Result, Timestamp};

/// The update that saves a message, or what is wrong with the message.
pub(in crate::matrix) fn message_update(message: &Message, now: Timestamp) -> std::result::Result<Update, String> {
    if Object::parse(message.content.as_str()).is_none() {
        return Err("the content is not an object".to_owned());
    }
    let mut message = message.clone();
    let redacted = message.redacted.then(|| message.redaction_reason.take());
    message.redacted = false;
    let unsigned = message.unsigned.take();
    let room = message.room_id.clone();
    let mut events = complete(message, unsigned, relate_typed, Defaults { room: Some(&room), now })?;
    if let (Some(first), Some(reason)) = (events.first_mut(), redacted) {
        first.redacted = Some(reason);
    }
    Ok(Update::Room(events))
}

/// The update that saves a state, or what is wrong with the state.
pub(in crate::matrix) fn state_update(state: &RoomState) -> std::result::Result<Update, String> {
    let mut state = state.clone();
    if state.r#type == MEMBER {
        let said = Object::parse(state.content.as_str()).and_then(|content| content.text("membership"));
        state.membership = said.as_deref().and_then(Membership::from_text).or(state.membership);
        if state.membership.is_none() {
            return Err("the membership is not one of join, invite, leave, ban, knock".to_owned());
        }
    }
    Ok(Update::State(Box::new(state)))
}

/// The event that redacts another one.
pub(in crate::matrix) fn redaction_of(room: &RoomId, target: &EventId, by: &Redaction) -> Result<Message> {
    let content = Json::of(&Content { redacts: target, reason: by.reason.as_deref() })?;
    let (room, id) = (room.clone(), by.event_id.clone());
    let mut message = Message::new(room, id, REDACTION, by.sender.clone(), by.timestamp, content);
    message.relates_to = Some(target.clone());
    Ok(message)
}

#[derive(serde::Serialize)]
struct Content<'a> {
    redacts: &'a EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// The relation that the record names stays; if it names none, the content may.
fn relate_typed(message: &mut Message) {
    let in_thread = message.thread_root.is_some() && !is_redaction(message);
    let named = message.relates_to.is_some() || in_thread;
    if is_redaction(message) && named {
        message.relates_to_type = Some(relation::REDACTION.to_owned());
    } else if !named || message.state_key.is_some() {
        relate(message, None);
    }
}
