//! What `unsigned` brings along: whole other events, and copies of their content.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::event::{Defaults, RoomEvent, room_events};
use super::object::Object;
use super::relations::is_redaction;
use crate::Json;
use crate::matrix::{Message, relation};

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
/// What is not a whole event of the same room stays in the text, but for the redaction, of which the reason is enough. The
/// text is kept as it is where there is nothing to take out.
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
            changed |= rest.is_some();
            Some(rest.map_or(Cow::Borrowed(value.get()), Cow::Owned))
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

/// Takes the edit and the latest message of the thread; the rest of the relations, if anything was taken.
fn take_relations(
    relations: &RawValue,
    outer: &Message,
    defaults: Defaults<'_>,
    events: &mut Vec<RoomEvent>,
) -> Option<String> {
    let object = Object::parse(relations.get())?;
    let before = events.len();
    let text = object.rewrite(|name, value| match name {
        relation::REPLACE => take(value, outer, defaults, events).then(|| Cow::Borrowed(value.get())),
        relation::THREAD => {
            let Some(thread) = Object::parse(value.get()) else { return Some(Cow::Borrowed(value.get())) };
            let rest = thread.rewrite(|name, value| {
                (name != "latest_event" || take(value, outer, defaults, events)).then(|| Cow::Borrowed(value.get()))
            });
            Some(Cow::Owned(rest))
        }
        _ => Some(Cow::Borrowed(value.get())),
    });
    (events.len() > before).then_some(text)
}

/// Reads a bundled event; whether it must stay in the text, because it is none.
fn take(event: &RawValue, outer: &Message, defaults: Defaults<'_>, events: &mut Vec<RoomEvent>) -> bool {
    let found = whole_events(event, outer, defaults);
    let stays = found.is_none();
    events.extend(found.into_iter().flatten());
    stays
}

/// A bundled event and those bundled with it in turn. One without a room is of the outer event's, one of another is refused.
fn whole_events(event: &RawValue, outer: &Message, defaults: Defaults<'_>) -> Option<Vec<RoomEvent>> {
    let within = Defaults { room: Some(&outer.room_id), ..defaults };
    let events = room_events(&Object::parse(event.get())?, within).ok()?;
    events.iter().all(|event| event.message.room_id == outer.room_id).then_some(events)
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
