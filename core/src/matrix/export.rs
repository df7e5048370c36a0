//! A message as the Matrix event that it was.

use serde::Serialize;

use super::object::Object;
use super::rules::REDACTION;
use super::{Message, relation};
use crate::{Json, Result};

/// The Matrix event of a message, as one line: importing it again gives the same message.
///
/// Content and `unsigned` are the texts that were given; only line breaks between their tokens are spaces here. The target of a
/// redaction stands where it stood. A redacted message has what its redaction left, and in `unsigned` a `redacted_because` of
/// type and reason, by which Matrix clients know it.
///
/// # Errors
///
/// `InvalidInput` if the stored content is damaged and no longer JSON.
pub fn export_event(message: &Message) -> Result<Json> {
    let because = message
        .redacted
        .then_some(Redaction { r#type: REDACTION, content: Reason { reason: message.redaction_reason.as_deref() } });
    let event = Event {
        r#type: &message.event_type,
        event_id: message.message_id.as_str(),
        room_id: message.room_id.as_str(),
        sender: message.sender_key.as_str(),
        origin_server_ts: message.timestamp.as_millis(),
        state_key: message.state_key.as_deref(),
        redacts: redacts(message),
        content: &message.content,
        unsigned: match (because, &message.unsigned) {
            (Some(redacted_because), _) => Some(Unsigned::Redacted { redacted_because }),
            (None, Some(unsigned)) => Some(Unsigned::Given(unsigned)),
            (None, None) => None,
        },
    };
    let json = Json::of(&event)?;
    // In JSON a line break can only stand between tokens.
    if json.as_str().contains(['\n', '\r']) { Json::new(json.as_str().replace(['\n', '\r'], " ")) } else { Ok(json) }
}

/// The target of a redaction, unless it stands in the content.
fn redacts(message: &Message) -> Option<&str> {
    let is_redaction = message.relates_to_type.as_deref() == Some(relation::REDACTION);
    let target = message.relates_to.as_ref().filter(|_| is_redaction)?.as_str();
    let in_content = Object::parse(message.content.as_str()).and_then(|content| content.text("redacts"));
    (in_content.as_deref() != Some(target)).then_some(target)
}

#[derive(Serialize)]
struct Event<'a> {
    r#type: &'a str,
    event_id: &'a str,
    room_id: &'a str,
    sender: &'a str,
    origin_server_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacts: Option<&'a str>,
    content: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsigned: Option<Unsigned<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Unsigned<'a> {
    Given(&'a Json),
    Redacted { redacted_because: Redaction<'a> },
}

#[derive(Serialize)]
struct Redaction<'a> {
    r#type: &'static str,
    content: Reason<'a>,
}

#[derive(Serialize)]
struct Reason<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}
