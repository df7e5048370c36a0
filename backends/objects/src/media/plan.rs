//! What goes so that the rest is within the totals of a retention.
//!
//! It is decided before anything goes, on one view of the database. So two sweeps at a time choose the same media, and together take no more
//! than one of them alone.

use std::collections::{BTreeMap, HashSet};

use strongroom_core::matrix::{self, Object, ObjectId, RoomId};
use strongroom_core::{Result, Snapshot, Timestamp};

use super::walk::{self, Found};
use super::{Media, Reason, Retention};

/// What goes for the total of all, and for that of each room: of what it covers, that which was read longest ago.
#[derive(Debug, Default)]
pub(super) struct Plan {
    all: Cut,
    rooms: BTreeMap<RoomId, Cut>,
}

/// Everything that was last read before a time, and some of what was read at that time.
#[derive(Debug, Default)]
struct Cut {
    until: Option<Timestamp>,
    ties: HashSet<ObjectId>,
    /// Bytes that have to go still.
    excess: u64,
}

impl Cut {
    fn of(total: u64, max: Option<u64>) -> Cut {
        Cut { excess: max.map_or(0, |max| total.saturating_sub(max)), ..Cut::default() }
    }

    /// Takes this one, too, if more has to go. They come in the order in which they were read.
    fn reach(&mut self, object: &Object, bytes: u64) -> bool {
        if self.excess == 0 {
            return false;
        }
        if self.until != Some(object.last_access) {
            self.until = Some(object.last_access);
            self.ties.clear();
        }
        self.ties.insert(object.object_id.clone());
        self.excess = self.excess.saturating_sub(bytes);
        true
    }

    fn takes(&self, object: &Object) -> bool {
        self.until.is_some_and(|until| {
            object.last_access < until || object.last_access == until && self.ties.contains(&object.object_id)
        })
    }
}

impl Plan {
    /// Why this medium goes, if it does.
    pub(super) fn judge(
        &self,
        retention: &Retention,
        record: &matrix::Media,
        bytes: u64,
        object: &Object,
        now: Timestamp,
    ) -> Option<Reason> {
        retention.of_itself(record, bytes, object, now).or_else(|| {
            let of_room = self.rooms.get(&record.room_id).is_some_and(|cut| cut.takes(object));
            (of_room || self.all.takes(object)).then_some(Reason::TotalSize)
        })
    }
}

impl Media {
    /// Decides what goes for the totals. What goes for its own sake costs no other its place; then the rooms are settled, then all together.
    ///
    /// Errors: those of the database; `SnapshotExpired` if there are too many media for one view.
    pub(super) async fn plan(&self, retention: &Retention, now: Timestamp) -> Result<Plan> {
        let max_of = |room: &RoomId| retention.rooms.get(room).and_then(|rule| rule.total_bytes_max);
        let has_rooms = retention.rooms.values().any(|rule| rule.total_bytes_max.is_some());
        if !has_rooms && retention.all.total_bytes_max.is_none() {
            return Ok(Plan::default());
        }
        let view = self.0.db.snapshot().await?;
        let (mut total, mut rooms) = (0_u64, BTreeMap::<RoomId, u64>::new());
        each(&view, retention, now, |record, _, bytes| {
            total = total.saturating_add(bytes);
            if max_of(&record.room_id).is_some() {
                let of_room = rooms.entry(record.room_id.clone()).or_default();
                *of_room = of_room.saturating_add(bytes);
            }
        })
        .await?;
        let cuts = rooms.into_iter().map(|(room, total)| {
            let cut = Cut::of(total, max_of(&room));
            (room, cut)
        });
        let mut rooms: BTreeMap<RoomId, Cut> = cuts.filter(|(_, cut)| cut.excess > 0).collect();
        if !rooms.is_empty() {
            each(&view, retention, now, |record, object, bytes| {
                if rooms.get_mut(&record.room_id).is_some_and(|cut| cut.reach(object, bytes)) {
                    total = total.saturating_sub(bytes);
                }
            })
            .await?;
        }
        let mut all = Cut::of(total, retention.all.total_bytes_max);
        if all.excess > 0 {
            each(&view, retention, now, |record, object, bytes| {
                if !rooms.get(&record.room_id).is_some_and(|cut| cut.takes(object)) {
                    all.reach(object, bytes);
                }
            })
            .await?;
        }
        Ok(Plan { all, rooms })
    }
}

/// Visits every medium that does not go for its own sake, what was read longest ago first.
async fn each(
    view: &Snapshot,
    retention: &Retention,
    now: Timestamp,
    mut visit: impl FnMut(&matrix::Media, &Object, u64),
) -> Result<()> {
    let mut after = None;
    loop {
        let (page, next) = walk::page(view, after).await?;
        for (found, object) in &page {
            match found {
                Found::Content(record, bytes) if retention.of_itself(record, *bytes, object, now).is_none() => {
                    visit(record, object, *bytes);
                }
                _ => {}
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
