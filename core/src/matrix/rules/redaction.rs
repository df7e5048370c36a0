//! What a redaction leaves.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;

use super::event::{Clarity, ENCRYPTED, MEMBER, REDACTION};
use super::relations::{REPLACES_STATE, is_redaction};
use crate::matrix::object::Object;
use crate::matrix::{EventId, Message, RoomId};
use crate::{Json, Timestamp};

/// The member of a membership that tells of an invitation by mail and the like.
const THIRD_PARTY_INVITE: &str = "third_party_invite";

/// Removes content and relations of a message for good.
///
/// Of a state event, and of a redaction, the members stay that Matrix keeps too (room version 11, "Redactions"): without them
/// the room's rules and memberships would break. That a redaction redacts its target stays as well.
pub(super) fn redact(message: &mut Message, reason: Option<String>) {
    // The exporting client made a type up for it.
    if Clarity::of(message) == Clarity::Undecryptable {
        ENCRYPTED.clone_into(&mut message.event_type);
    }
    message.content = what_stays(message);
    if !is_redaction(message) {
        message.relates_to = None;
        message.relates_to_type = None;
    }
    message.relation_key = None;
    message.thread_root = None;
    message.in_reply_to = None;
    message.unsigned = None;
    message.via = None;
    message.redacted = true;
    message.redaction_reason = reason;
}

fn what_stays(message: &Message) -> Json {
    let kept: &[&str] = match &*message.event_type {
        REDACTION if message.state_key.is_none() => &["redacts"],
        _ if message.state_key.is_none() => &[],
        MEMBER => &["membership", "join_authorised_via_users_server", THIRD_PARTY_INVITE],
        "m.room.create" => return message.content.clone(),
        "m.room.join_rules" => &["join_rule", "allow"],
        "m.room.power_levels" => {
            &["ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default"]
        }
        "m.room.history_visibility" => &["history_visibility"],
        _ => &[],
    };
    let rest = Object::parse(message.content.as_str()).map(|content| {
        content.rewrite(|name, value| if kept.contains(&name) { part_that_stays(name, value) } else { None })
    });
    rest.and_then(|text| Json::new(text).ok()).unwrap_or_else(Json::empty_object)
}

/// Of an invitation through a third party only the signature stays, not the name that was shown.
fn part_that_stays<'a>(name: &str, value: &'a RawValue) -> Option<Cow<'a, str>> {
    if name != THIRD_PARTY_INVITE {
        return Some(Cow::Borrowed(value.get()));
    }
    let invite = Object::parse(value.get())?;
    invite.get("signed")?;
    Some(Cow::Owned(invite.rewrite(|name, value| (name == "signed").then(|| Cow::Borrowed(value.get())))))
}

/// The state event whose content this one quotes, if it does.
pub(super) fn quoted(message: &Message) -> Option<&EventId> {
    let quotes = message.relates_to_type.as_deref() == Some(REPLACES_STATE);
    message.relates_to.as_ref().filter(|_| quotes)
}

/// Removes the quoted content of a redacted state event.
pub(super) fn remove_quote(message: &mut Message) {
    let unsigned = message.unsigned.as_ref().and_then(|unsigned| Object::parse(unsigned.as_str()));
    let rest = unsigned
        .map(|unsigned| unsigned.rewrite(|name, value| (name != "prev_content").then(|| Cow::Borrowed(value.get()))));
    message.unsigned = rest.and_then(|text| Json::new(text).ok());
    message.relates_to = None;
    message.relates_to_type = None;
}

/// Every known redaction of the events that a batch touches, and its reason.
///
/// Of several redactions of one event the earliest gives the reason, so that their order of arrival does not matter.
#[derive(Default)]
pub(super) struct Redactions(HashMap<(RoomId, EventId), InOrder>);

/// The reasons of the redactions of one event, by time.
type InOrder = BTreeMap<(Timestamp, EventId), Option<String>>;

impl Redactions {
    /// Notes a redaction as it is stored now: without a reason once it is redacted itself. Gives its target.
    pub(super) fn note(&mut self, redaction: &Message) -> Option<(RoomId, EventId)> {
        if !is_redaction(redaction) {
            return None;
        }
        let target = (redaction.room_id.clone(), redaction.relates_to.clone()?);
        let order = (redaction.timestamp, redaction.message_id.clone());
        let reason = Object::parse(redaction.content.as_str()).and_then(|content| content.text("reason"));
        self.0.entry(target.clone()).or_default().insert(order, reason);
        Some(target)
    }

    /// Whether the event was redacted, and then the reason.
    pub(super) fn of(&self, event: &(RoomId, EventId)) -> Option<Option<String>> {
        let (_, reason) = self.0.get(event)?.first_key_value()?;
        Some(reason.clone())
    }
}
