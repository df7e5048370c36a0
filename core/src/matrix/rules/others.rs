//! Merging what is no room event: receipts, typing, presence, account data.

use std::collections::BTreeSet;

use super::batch::Batch;
use super::table::Row;
use super::update::Verdict;
use crate::matrix::{AccountData, Presence, ReadReceipt, RoomId, Typing, UserId};

/// How long a typing notice holds from its import; the event itself does not say.
const TYPING_MS: u32 = 30_000;

impl Batch<'_> {
    /// The newest receipt of a user at an event is kept.
    pub(super) fn merge_receipts(&mut self, receipts: &[ReadReceipt]) -> Verdict {
        let mut stored = false;
        for receipt in receipts {
            // The same one, read again, is of when it was stored first.
            let known = self.receipts.get(&receipt.id());
            let again =
                known.is_some_and(|known| *known == ReadReceipt { stored_at: known.stored_at, ..receipt.clone() });
            stored |= !again && self.receipts.merge(receipt.clone());
        }
        Verdict::of(stored)
    }

    /// The event names all who are typing; the others no longer are.
    pub(super) fn merge_typing(&mut self, room_id: &RoomId, users: &BTreeSet<UserId>) -> Verdict {
        let gone: Vec<_> = self
            .typing
            .iter()
            .filter(|typing| typing.room_id == *room_id && !users.contains(&typing.user_id))
            .map(Row::id)
            .collect();
        let mut stored = false;
        for id in gone {
            stored |= self.typing.remove(&id);
        }
        for user_id in users {
            if self.typing.get(&(room_id.clone(), user_id.clone())).is_none() {
                stored |= self.typing.put(Typing {
                    room_id: room_id.clone(),
                    user_id: user_id.clone(),
                    typing: true,
                    timeout_ms: TYPING_MS.into(),
                    expires_at: self.settings.now.saturating_add(TYPING_MS.into()),
                });
            }
        }
        Verdict::of(stored)
    }

    /// The newest presence is kept. One without a time of its own is of now, and nothing new if it says the same.
    pub(super) fn merge_presence(&mut self, presence: &Presence, dated: bool) -> Verdict {
        if dated {
            return Verdict::of(self.presence.merge(presence.clone()));
        }
        let says = |presence: &Presence| (presence.presence, presence.status_msg.clone(), presence.currently_active);
        let newer = self.presence.get(&presence.id()).is_none_or(|old| says(old) != says(presence));
        Verdict::of(newer && self.presence.put(presence.clone()))
    }

    /// Account data has no time of its own: what comes later in the source is newer.
    pub(super) fn merge_account_data(&mut self, data: &AccountData) -> Verdict {
        let newer = self.account_data.get(&data.id()).is_none_or(|old| old.content != data.content);
        Verdict::of(newer && self.account_data.put(data.clone()))
    }
}
