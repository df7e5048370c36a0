//! What is to be merged, and what became of it.

use std::collections::BTreeSet;

use super::event::RoomEvent;
use crate::Timestamp;
use crate::matrix::{AccountData, Presence, ReadReceipt, RoomId, RoomMember, RoomState, UserId};

/// Something that a batch merges, read as far as it can be without the store. Has no `Debug`: it holds content.
pub(in crate::matrix) enum Update {
    /// A room event, behind it those bundled with it.
    Room(Vec<RoomEvent>),
    /// A room's state, without the event in `messages`.
    State(Box<RoomState>),
    /// A member, without an event.
    Member(Box<RoomMember>),
    /// What several users have read.
    Receipts(Vec<ReadReceipt>),
    /// All who are typing in a room.
    Typing(RoomId, BTreeSet<UserId>),
    /// A presence, and whether the event has a time of its own.
    Presence { presence: Presence, dated: bool },
    /// A user's own data.
    AccountData(AccountData),
    /// An event that no collection holds, by its type.
    Skipped(String),
    /// Why it is no event.
    Failed(String),
}

/// What became of one update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::matrix) enum Verdict {
    /// It brought something new.
    Stored,
    /// All of it was there already.
    Unchanged,
    /// No collection holds events of this type.
    Skipped(String),
    /// Why it could not be stored; names fields, never content.
    Failed(String),
}

impl Verdict {
    pub(super) fn of(stored: bool) -> Self {
        if stored { Verdict::Stored } else { Verdict::Unchanged }
    }
}

/// What a batch needs to be told.
#[derive(Clone)]
pub(in crate::matrix) struct Settings {
    /// The local user.
    pub(in crate::matrix) me: Option<UserId>,
    /// Whether the first update that fails ends the batch.
    pub(in crate::matrix) strict: bool,
    /// The time.
    pub(in crate::matrix) now: Timestamp,
}
