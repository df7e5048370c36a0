//! Merging state into `room_state` and `invitations`.

use super::batch::Batch;
use super::event::MEMBER;
use super::redaction::redact;
use super::table::Row;
use super::update::Verdict;
use crate::Json;
use crate::matrix::object::Object;
use crate::matrix::{EventId, Invitation, Membership, Message, RoomState, UserId, export_event};

/// The types whose state names the room's aliases.
pub(super) const ALIASES: [&str; 2] = ["m.room.canonical_alias", "m.room.aliases"];
/// The type of the state that gives users their power.
pub(super) const POWER_LEVELS: &str = "m.room.power_levels";

impl Batch<'_> {
    /// Merges a message that is a state event.
    pub(super) fn merge_state(&mut self, message: &Message) {
        if let Some(state) = state_of(message) {
            self.set_state(state, message);
        }
    }

    /// Merges a state that comes without its event in `messages`.
    pub(super) fn merge_lone_state(&mut self, state: &RoomState) -> Verdict {
        let mut state = state.clone();
        let event = (state.room_id.clone(), state.event_id.clone());
        if self.is_redacted(&event) && !state.redacted {
            let mut message = message_of(&state);
            redact(&mut message, None);
            state = state_of(&message).unwrap_or(state);
        }
        // A copy of another event's content that does not say of which: its redaction could not find it.
        let quoted = state.prev_state_id.as_ref().map(|quoted| (event.0.clone(), quoted.clone()));
        if quoted.is_none_or(|quoted| self.is_redacted(&quoted)) {
            state.prev_content = None;
        }
        self.touch(&event.0, state.timestamp);
        let message = message_of(&state);
        Verdict::of(self.set_state(state, &message))
    }

    /// Merges a state and what it says of a member; whether anything changed.
    fn set_state(&mut self, new: RoomState, message: &Message) -> bool {
        let (id, is_member) = (new.id(), new.r#type == MEMBER);
        let member = self.member_of(&new);
        let before = self.state.get(&id).cloned();
        let mut changed = self.state.merge(new);
        if changed {
            let touched = self.touched.entry(id.0.clone()).or_default();
            touched.aliases |= ALIASES.contains(&&*id.1);
            if id.1 == POWER_LEVELS && id.2.is_empty() {
                touched.power_before.get_or_insert(before);
            }
        }
        changed |= member.is_some_and(|member| self.merge_member(member));
        if is_member && self.state.get(&id).is_some_and(|state| state.event_id == message.message_id) {
            self.set_invitation(message);
        }
        changed
    }

    /// An invitation lasts as long as it is the user's membership, and only the local user's is kept.
    fn set_invitation(&mut self, message: &Message) {
        let user_id = UserId::from(message.state_key.as_deref().unwrap_or_default());
        let unsigned = message.unsigned.as_ref().and_then(|unsigned| Object::parse(unsigned.as_str()));
        let room_state = unsigned.and_then(|unsigned| Json::new(unsigned.get("invite_room_state")?.get()).ok());
        let content = Object::parse(message.content.as_str());
        let invites = content.and_then(|content| content.text("membership")).as_deref() == Some("invite");
        // Only the invited user's server sends what may be seen of the room, so it tells who that is.
        let mine = self.settings.me.as_ref().map_or(room_state.is_some(), |me| *me == user_id);
        let known = self.invitations.get(&(message.room_id.clone(), user_id.clone()));
        let kept = known.is_some() && !message.redacted;
        match export_event(message) {
            Ok(event) if invites && (mine || kept) => {
                self.invitations.put(Invitation {
                    room_id: message.room_id.clone(),
                    user_id,
                    sender: message.sender_key.clone(),
                    event,
                    proof: known.map_or_else(Json::null, |known| known.proof.clone()),
                    room_state,
                    received_at: message.timestamp,
                });
            }
            _ => {
                self.invitations.remove(&(message.room_id.clone(), user_id));
            }
        }
    }
}

/// The state that a message sets, if it is a state event.
fn state_of(message: &Message) -> Option<RoomState> {
    let state_key = message.state_key.clone()?;
    let content = Object::parse(message.content.as_str());
    let text = |name: &str| content.as_ref().and_then(|content| content.text(name));
    let unsigned = message.unsigned.as_ref().and_then(|unsigned| Object::parse(unsigned.as_str()));
    let unsigned = unsigned.as_ref();
    let membership = text("membership").filter(|_| message.event_type == MEMBER);
    Some(RoomState {
        room_id: message.room_id.clone(),
        r#type: message.event_type.clone(),
        state_key,
        event_id: message.message_id.clone(),
        sender: message.sender_key.clone(),
        timestamp: message.timestamp,
        content: message.content.clone(),
        redacted: message.redacted,
        prev_state_id: unsigned.and_then(|unsigned| unsigned.text("replaces_state")).map(EventId::from),
        prev_content: unsigned.and_then(|unsigned| Json::new(unsigned.get("prev_content")?.get()).ok()),
        membership: membership.as_deref().and_then(Membership::from_text),
        reason: text("reason"),
        stored_at: message.stored_at,
    })
}

/// The message that set a state, as far as the state tells.
pub(super) fn message_of(state: &RoomState) -> Message {
    let (room, event, event_type) = (state.room_id.clone(), state.event_id.clone(), &*state.r#type);
    let message = Message::new(room, event, event_type, state.sender.clone(), state.timestamp, state.content.clone());
    let state_key = Some(state.state_key.clone());
    Message { state_key, redacted: state.redacted, stored_at: state.stored_at, ..message }
}
