//! Merging state events into `room_state`, `room_members` and `invitations`.

use super::batch::Batch;
use super::event::MEMBER;
use super::object::Object;
use super::table::Row;
use crate::Json;
use crate::matrix::{EventId, Invitation, Membership, Message, RoomMember, RoomState, UserId, export_event};

/// The types whose state names the room's aliases.
pub(super) const ALIASES: [&str; 2] = ["m.room.canonical_alias", "m.room.aliases"];
/// The type of the state that gives users their power.
pub(super) const POWER_LEVELS: &str = "m.room.power_levels";

impl Batch<'_> {
    /// Merges a message that is a state event: the later (time, event id) is the state.
    pub(super) fn merge_state(&mut self, message: &Message) {
        let Some(new) = state_of(message) else { return };
        let old = self.state.get(&new.id());
        let wins = old.is_none_or(|old| {
            old.event_id == new.event_id || (old.timestamp, &old.event_id) < (new.timestamp, &new.event_id)
        });
        if wins && old != Some(&new) {
            let touched = self.touched.entry(message.room_id.clone()).or_default();
            touched.aliases |= ALIASES.contains(&&*new.r#type);
            if new.r#type == POWER_LEVELS && new.state_key.is_empty() {
                let before = old.cloned();
                touched.power_before.get_or_insert(before);
            }
            self.state.put(new.clone());
        }
        if new.r#type == MEMBER {
            self.merge_member(&new, wins);
            if wins {
                self.set_invitation(message);
            }
        }
    }

    /// The newest event says what a member is; every one may tell when the user joined or left.
    fn merge_member(&mut self, event: &RoomState, wins: bool) {
        let Some(membership) = event.membership else { return };
        let id = (event.room_id.clone(), UserId::from(&*event.state_key));
        let old = self.members.get(&id);
        let (mut joined_at, mut left_at) = old.map_or((None, None), |old| (old.joined_at, old.left_at));
        match membership {
            Membership::Join => joined_at = Some(joined_at.map_or(event.timestamp, |at| at.min(event.timestamp))),
            Membership::Leave | Membership::Ban => left_at = left_at.max(Some(event.timestamp)),
            Membership::Invite | Membership::Knock => {}
        }
        let member = match old {
            Some(old) if !wins => RoomMember { joined_at, left_at, ..old.clone() },
            old => {
                let content = Object::parse(event.content.as_str());
                let text = |name: &str| content.as_ref().and_then(|content| content.text(name));
                RoomMember {
                    room_id: id.0.clone(),
                    user_id: id.1.clone(),
                    membership,
                    display_name: text("displayname"),
                    avatar_url: text("avatar_url"),
                    joined_at,
                    left_at,
                    power_level: old.map_or(0, |old| old.power_level),
                    event_id: Some(event.event_id.clone()),
                    proof: old.and_then(|old| old.proof.clone()),
                    updated_at: event.timestamp,
                }
            }
        };
        let joined = |membership| i64::from(membership == Membership::Join);
        let change = joined(member.membership) - old.map_or(0, |old| joined(old.membership));
        self.touched.entry(id.0).or_default().joined += change;
        self.members.put(member);
    }

    /// An invitation lasts as long as it is the user's membership, and only the local user's is kept.
    fn set_invitation(&mut self, message: &Message) {
        let user_id = UserId::from(message.state_key.as_deref().unwrap_or_default());
        let unsigned = message.unsigned.as_ref().and_then(|unsigned| Object::parse(unsigned.as_str()));
        let room_state = unsigned.and_then(|unsigned| Json::new(unsigned.get("invite_room_state")?.get()).ok());
        let content = Object::parse(message.content.as_str());
        let invites = content.and_then(|content| content.text("membership")).as_deref() == Some("invite");
        // Only the invited user's server sends what may be seen of the room, so it tells who that is.
        let mine = self.options.me.as_ref().map_or(room_state.is_some(), |me| *me == user_id);
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
    Message { state_key: Some(state.state_key.clone()), stored_at: state.stored_at, ..message }
}
