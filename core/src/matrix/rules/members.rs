//! Merging what is said of members into `room_members`.

use super::batch::Batch;
use super::event::MEMBER;
use super::state::POWER_LEVELS;
use super::table::Row;
use super::update::Verdict;
use crate::Timestamp;
use crate::matrix::object::Object;
use crate::matrix::{EventId, Membership, RoomId, RoomMember, RoomState, UserId};

impl Batch<'_> {
    /// What a state event says of a member. What no event tells stays as it is.
    pub(super) fn member_of(&self, event: &RoomState) -> Option<RoomMember> {
        let membership = event.membership.filter(|_| event.r#type == MEMBER)?;
        let id = (event.room_id.clone(), UserId::from(&*event.state_key));
        let known = self.members.get(&id);
        let content = Object::parse(event.content.as_str());
        let text = |name: &str| content.as_ref().and_then(|content| content.text(name));
        Some(RoomMember {
            display_name: text("displayname"),
            avatar_url: text("avatar_url"),
            power_level: known.map_or(0, |known| known.power_level),
            event_id: Some(event.event_id.clone()),
            redacted: event.redacted,
            proof: known.and_then(|known| known.proof.clone()),
            ..RoomMember::new(id.0, id.1, membership, event.timestamp)
        })
    }

    /// Merges a member that comes without an event.
    pub(super) fn merge_lone_member(&mut self, member: &RoomMember) -> Verdict {
        let mut member = member.clone();
        let id = member.id();
        let event = member.event_id.clone().map(|event| (id.0.clone(), event));
        if event.is_some_and(|event| self.is_redacted(&event)) {
            redact_member(&mut member);
        }
        self.touch(&id.0, member.updated_at);
        // The power that the room's state gives is what the stored member has, and no difference.
        if self.state_of(&id.0, POWER_LEVELS).is_some()
            && let Some(known) = self.members.get(&id)
        {
            member.power_level = known.power_level;
        }
        let changed = self.merge_member(member);
        if self.members.get(&id).is_some_and(|member| member.membership != Membership::Invite) {
            self.invitations.remove(&id);
        }
        Verdict::of(changed)
    }

    /// The newest says what a member is; every one may tell when the user joined or left. Whether anything changed.
    pub(super) fn merge_member(&mut self, mut member: RoomMember) -> bool {
        let id = member.id();
        date(&mut member);
        let joined =
            |member: Option<&RoomMember>| i64::from(member.is_some_and(|member| member.membership == Membership::Join));
        let before = joined(self.members.get(&id));
        let changed = self.members.merge(member);
        self.touched.entry(id.0.clone()).or_default().joined += joined(self.members.get(&id)) - before;
        changed
    }

    /// Removes what members have from an event that was redacted; whether any had.
    pub(super) fn redact_members(&mut self, (room, event): &(RoomId, EventId)) -> bool {
        let set_by = |member: &&RoomMember| {
            !member.redacted && member.room_id == *room && member.event_id.as_ref() == Some(event)
        };
        let members: Vec<RoomMember> = self.members.iter().filter(set_by).cloned().collect();
        for mut member in members.iter().cloned() {
            redact_member(&mut member);
            self.merge_member(member);
        }
        !members.is_empty()
    }

    /// Notes that a room had something at a time.
    pub(super) fn touch(&mut self, room: &RoomId, at: Timestamp) {
        let touched = self.touched.entry(room.clone()).or_default();
        touched.last_event = touched.last_event.max(Some(at));
    }
}

/// What a membership itself tells of when the user joined or left.
fn date(member: &mut RoomMember) {
    let at = member.updated_at;
    match member.membership {
        Membership::Join => member.joined_at = Some(member.joined_at.map_or(at, |joined| joined.min(at))),
        Membership::Leave | Membership::Ban => member.left_at = member.left_at.max(Some(at)),
        Membership::Invite | Membership::Knock => {}
    }
}

fn redact_member(member: &mut RoomMember) {
    member.display_name = None;
    member.avatar_url = None;
    member.redacted = true;
}
