//! What `unsigned` brings along: whole other events, and copies of their content.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::event::{Defaults, RoomEvent, room_events};
use super::relations::is_redaction;
use crate::Json;
use crate::matrix::object::Object;
use crate::matrix::{Message, relation};

/// What servers called a thread before it was in Matrix.
const UNSTABLE_THREAD: &str = "io.element.thread";
/// The longest id, type or state key of Matrix, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// The members of an event that hold content, its own or that of others.
const COPIES: [&str; 2] = ["content", "unsigned"];

/// The `unsigned` of one event, taken apart.
#[derive(Default)]
pub(super) struct Bundled {
    /// What is kept of it: without the events that get rows of their own. Their content would else outlive their redaction.
    pub(super) unsigned: Option<Json>,
    /// Those events.
    pub(super) events: Vec<RoomEvent>,
    /// If the event came redacted, the reason, if one was given.
    pub(super) redacted: Option<Option<String>>,
}

/// Takes the bundled events out of `unsigned`: the redaction, the latest edit, the latest message of the thread.
///
/// What is not a whole event of the same room stays in the text without a content, for its redaction could not find that
/// there; but for the redaction, of which the reason is enough. The text is kept as it is where there is nothing to take out.
pub(super) fn take_bundled(unsigned: Json, outer: &Message, defaults: Defaults<'_>) -> Result<Bundled, String> {
    let mut bundled = Bundled::default();
    let object = Object::parse(unsigned.as_str()).ok_or("unsigned is not an object")?;
    if let Some(redaction) = object.get("redacted_because") {
        bundled.redacted = Some(reason(redaction));
        bundled.events.extend(redaction_events(redaction, outer, defaults));
    }
    let mut changed = bundled.redacted.is_some();
    let text = object.rewrite(|name, value| match name {
        "redacted_because" => None,
        "m.relations" => {
            let rest = take_relations(value, outer, defaults, &mut bundled.events);
            changed |= matches!(rest, Cow::Owned(_));
            Some(rest)
        }
        // A copy of another event's content that does not say of which: its redaction could not find it.
        "prev_content" if outer.state_key.is_none() || object.text("replaces_state").is_none() => {
            changed = true;
            None
        }
        _ => Some(Cow::Borrowed(value.get())),
    });
    bundled.unsigned = if changed { Json::new(text).ok() } else { Some(unsigned) };
    Ok(bundled)
}

/// Takes the edit and the latest message of the thread. Owned if anything was taken: it is then what is left.
fn take_relations<'a>(
    relations: &'a RawValue,
    outer: &Message,
    defaults: Defaults<'_>,
    events: &mut Vec<RoomEvent>,
) -> Cow<'a, str> {
    let Some(object) = Object::parse(relations.get()) else { return Cow::Borrowed(relations.get()) };
    let mut changed = false;
    let mut take = |value| {
        let rest = take(value, outer, defaults, events);
        changed |= !matches!(rest, Some(Cow::Borrowed(_)));
        rest
    };
    let text = object.rewrite(|name, value| match name {
        relation::REPLACE => take(value),
        relation::THREAD | UNSTABLE_THREAD => {
            let Some(thread) = Object::parse(value.get()) else { return Some(Cow::Borrowed(value.get())) };
            let rest = thread.rewrite(|name, value| match name {
                "latest_event" => take(value),
                _ => Some(Cow::Borrowed(value.get())),
            });
            Some(Cow::Owned(rest))
        }
        _ => Some(Cow::Borrowed(value.get())),
    });
    if changed { Cow::Owned(text) } else { Cow::Borrowed(relations.get()) }
}

/// Reads a bundled event. What is none is given back, without the content that no redaction would find in it.
fn take<'a>(
    event: &'a RawValue,
    outer: &Message,
    defaults: Defaults<'_>,
    events: &mut Vec<RoomEvent>,
) -> Option<Cow<'a, str>> {
    if let Some(found) = whole_events(event, outer, defaults) {
        events.extend(found);
        return None;
    }
    let object = Object::parse(event.get());
    let Some(object) = object.filter(|object| object.iter().any(|(name, _)| COPIES.contains(&name))) else {
        return Some(Cow::Borrowed(event.get()));
    };
    Some(Cow::Owned(object.rewrite(|name, value| (!COPIES.contains(&name)).then(|| Cow::Borrowed(value.get())))))
}

/// A bundled event and those bundled with it in turn. One without a room is of the outer event's, one of another is refused.
fn whole_events(event: &RawValue, outer: &Message, defaults: Defaults<'_>) -> Option<Vec<RoomEvent>> {
    let within = Defaults { room: Some(&outer.room_id), ..defaults };
    let events = room_events(&Object::parse(event.get())?, within).ok()?;
    // One that no key can hold must not sink the outer event either.
    let fits = |event: &RoomEvent| {
        let message = &event.message;
        let names = [message.message_id.as_str(), message.sender_key.as_str(), &message.event_type];
        let state_key = message.state_key.as_deref();
        names.into_iter().chain(state_key).all(|name| name.len() <= NAME_BYTES_MAX)
    };
    events.iter().all(|event| event.message.room_id == outer.room_id && fits(event)).then_some(events)
}

/// The redaction of the outer event. If it does not name its target, that is the outer event.
fn redaction_events(redaction: &RawValue, outer: &Message, defaults: Defaults<'_>) -> Vec<RoomEvent> {
    let mut events = whole_events(redaction, outer, defaults).unwrap_or_default();
    if let Some(redaction) = events.first_mut().map(|event| &mut event.message)
        && is_redaction(redaction)
        && redaction.relates_to.is_none()
    {
        redaction.relates_to = Some(outer.message_id.clone());
        redaction.relates_to_type = Some(relation::REDACTION.to_owned());
    }
    events
}

fn reason(redaction: &RawValue) -> Option<String> {
    Object::parse(redaction.get())?.object("content")?.text("reason")
}
