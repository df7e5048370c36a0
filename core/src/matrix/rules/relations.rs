//! What an event says about another one.

use super::event::REDACTION;
use crate::matrix::object::Object;
use crate::matrix::{EventId, Message, relation};

/// Of a state event, the one that it replaced and whose content it quotes: so that a redaction of that one finds the copy.
pub(super) const REPLACES_STATE: &str = "m.replaces_state";

/// The longest id or type of a relation, in bytes: the longest of an event in Matrix.
const RELATION_BYTES_MAX: usize = 255;

/// Fills the relation fields from the content. `redacts` is the event's own member of that name.
///
/// Anybody can write anything into a content, so what is not well formed there is no relation, and no error.
pub(super) fn relate(message: &mut Message, redacts: Option<String>) {
    let text = message.content.clone();
    let content = Object::parse(text.as_str());
    if is_redaction(message) {
        // Before room version 11 the target stands on the event, since then in its content; servers may write both.
        if let Some(target) = redacts.or_else(|| content.and_then(|content| content.text("redacts"))) {
            set(message, target, relation::REDACTION);
        }
    } else if let Some(replaced) = replaced_and_quoted(message) {
        set(message, replaced, REPLACES_STATE);
    } else if let Some(relates) = content.and_then(|content| content.object("m.relates_to")) {
        relate_to(message, &relates);
    }
}

/// Whether this is a redaction, and not a state event that calls itself so.
pub(super) fn is_redaction(message: &Message) -> bool {
    message.event_type == REDACTION && message.state_key.is_none()
}

fn set(message: &mut Message, target: String, kind: &str) {
    message.relates_to = Some(EventId::from(target));
    message.relates_to_type = Some(kind.to_owned());
}

fn relate_to(message: &mut Message, relates: &Object<'_>) {
    // A longer one can be of no event, and must not sink the message with an index entry that no key can hold.
    let fits = |text: &String| text.len() <= RELATION_BYTES_MAX;
    let reply = relates.object("m.in_reply_to").and_then(|reply| reply.text("event_id")).filter(fits);
    match (relates.text("rel_type").filter(fits), relates.text("event_id").filter(fits), reply) {
        // These two are written here alone, never by a sender: they decide what is deleted.
        (Some(kind), ..) if [relation::REDACTION, REPLACES_STATE].contains(&&*kind) => {}
        (Some(kind), Some(target), reply) => {
            match &*kind {
                relation::THREAD => {
                    message.thread_root = Some(EventId::from(&*target));
                    message.in_reply_to = reply.filter(|_| !relates.is_true("is_falling_back")).map(EventId::from);
                }
                relation::ANNOTATION => message.relation_key = relates.text("key"),
                _ => {}
            }
            set(message, target, &kind);
        }
        (_, _, Some(target)) => set(message, target, relation::IN_REPLY_TO),
        _ => {}
    }
}

/// Only where the old content is quoted: else there is no copy to find.
fn replaced_and_quoted(message: &Message) -> Option<String> {
    let unsigned = message.unsigned.as_ref().filter(|_| message.state_key.is_some())?;
    let unsigned = Object::parse(unsigned.as_str())?;
    unsigned.get("prev_content")?;
    unsigned.text("replaces_state")
}
