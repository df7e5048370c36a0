//! How the records merge that several devices write: the newest wins, by the time and the event that set it.
//!
//! Each record's rule is the last writer's, over all of its fields: also over those that no event brings, such as
//! [`RoomState::stored_at`]. Replicas that have merged each other's records hold the same bytes because of that; which of two
//! local values it is does not matter.

use super::{Presence, ReadReceipt, RoomMember, RoomState};
use crate::{Merge, last_writer};

/// The later (time, event id) is the state. Of the same event, one that was redacted wins over one that was not, and one
/// that no longer quotes its predecessor over one that does: what was deleted must not come back because it is longer. Then
/// the larger encoding.
///
/// A state is removed by an event without content, as Matrix does it: see [`RoomState::is_tombstone`]. `stored_at` goes with its
/// record.
impl Merge for RoomState {
    fn merge(self, other: Self) -> Self {
        last_writer(self, other, |state| {
            (state.timestamp, state.event_id.clone(), state.redacted, state.prev_content.is_none())
        })
    }
}

/// The later (`updated_at`, event id) says what the member is; of the same event the redacted one wins, then the larger
/// encoding. Leaving is a membership, so no member is ever deleted.
///
/// `joined_at` is the earliest of both and `left_at` the latest, whoever wins: each event of a user may tell. `power_level` and `proof` go
/// with their record; [`MatrixStore::save_member`](super::MatrixStore::save_member) then sets the power to what the room's state says.
impl Merge for RoomMember {
    fn merge(self, other: Self) -> Self {
        let joined_at = self.joined_at.into_iter().chain(other.joined_at).min();
        let left_at = self.left_at.max(other.left_at);
        // The times of both are no part of the comparison: a merge changes them, and must not change who wins the next one.
        let undated = |member| RoomMember { joined_at: None, left_at: None, ..member };
        let newest = last_writer(undated(self), undated(other), |member| {
            (member.updated_at, member.event_id.clone(), member.redacted)
        });
        RoomMember { joined_at, left_at, ..newest }
    }
}

/// The later `updated_at`, then the larger encoding.
impl Merge for Presence {
    fn merge(self, other: Self) -> Self {
        last_writer(self, other, |presence| presence.updated_at)
    }
}

/// The later `timestamp`, then the larger encoding. Two receipts merge if they are of one user at one event; which of a user's receipts
/// is the newest in a room is asked of the index [`USER_READ`](ReadReceipt::USER_READ). `stored_at` goes with its record.
impl Merge for ReadReceipt {
    fn merge(self, other: Self) -> Self {
        last_writer(self, other, |receipt| receipt.timestamp)
    }
}
