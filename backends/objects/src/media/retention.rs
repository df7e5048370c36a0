//! Which media go although nobody deleted them.

use std::collections::BTreeMap;

use strongroom_core::Timestamp;
use strongroom_core::matrix::{self, Object, RoomId};

/// How long media are kept, and how much of them: for all of them together, and for rooms that differ.
///
/// Without a rule, everything is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// For every medium. Its total counts all of them.
    pub all: RetentionRule,
    /// For the media of a room, besides the rule for all. Its total counts those of the room, and is settled before that of all.
    pub rooms: BTreeMap<RoomId, RetentionRule>,
}

/// What is kept at most. A field that is not set limits nothing. Sizes are of the content with its thumbnail, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionRule {
    /// All together, without those that go for another rule; what was read longest ago goes first.
    pub total_bytes_max: Option<u64>,
    /// One medium.
    pub file_bytes_max: Option<u64>,
    /// Milliseconds since it was last read. That is noted once a day, so less than two days is no rule.
    pub unused_ms_max: Option<u64>,
    /// Milliseconds since it was stored.
    pub age_ms_max: Option<u64>,
}

/// Why a medium goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It has expired.
    Expired,
    /// It is larger than one may be.
    FileSize,
    /// It is older than it may be.
    Age,
    /// Nobody has read it for longer than may be.
    Unused,
    /// All together are more than there may be, and it was read longest ago.
    TotalSize,
}

impl Reason {
    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Expired => "expired",
            Reason::FileSize => "file_size",
            Reason::Age => "age",
            Reason::Unused => "unused",
            Reason::TotalSize => "total_size",
        }
    }
}

impl Retention {
    /// Why this medium goes for what it is, whatever else there is: the rule of its room comes first.
    pub(super) fn of_itself(
        &self,
        record: &matrix::Media,
        bytes: u64,
        object: &Object,
        now: Timestamp,
    ) -> Option<Reason> {
        let rules = [self.rooms.get(&record.room_id), Some(&self.all)];
        rules.into_iter().flatten().find_map(|rule| rule.of_itself(bytes, object, now))
    }
}

impl RetentionRule {
    /// Why this medium goes for what it is, whatever else there is.
    fn of_itself(&self, bytes: u64, object: &Object, now: Timestamp) -> Option<Reason> {
        let older = |since: Timestamp, max: Option<u64>| {
            max.is_some_and(|max| since.saturating_add(i64::try_from(max).unwrap_or(i64::MAX)) < now)
        };
        if self.file_bytes_max.is_some_and(|max| bytes > max) {
            Some(Reason::FileSize)
        } else if older(object.stored_at, self.age_ms_max) {
            Some(Reason::Age)
        } else if older(object.last_access, self.unused_ms_max) {
            Some(Reason::Unused)
        } else {
            None
        }
    }
}
