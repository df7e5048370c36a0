//! Verifying and repairing what rooms' records say of their members and messages.

use super::MatrixStore;
use crate::matrix::{Membership, Message, Room, RoomId, RoomMember, UserId};
use crate::{ErrorKind, Key, Problem, Result, Transaction, Verification};

/// Rooms that are read at one time.
const ROOMS_AT_ONCE: usize = 256;
/// Errors about rows, which the verification of the database tells one by one.
const UNREADABLE: [ErrorKind; 4] =
    [ErrorKind::Corrupt, ErrorKind::UnsupportedVersion, ErrorKind::IndexMismatch, ErrorKind::IndexBuilding];

impl MatrixStore {
    /// As [`Database::verify`](crate::Database::verify); and computes anew what each room's record says of the room's members and messages:
    /// `member_count` is the number of those that have joined; `membership` that of the local user, if there is one and is
    /// a member; `last_event` is not before the newest message (it may be later, since messages may be deleted). Each room
    /// is looked at in one view, also while others write.
    ///
    /// Members and messages of a room without a record are no problem. What cannot be read is in the answer as damaged; the room it
    /// is of is then judged by the rest, or not judged if too little of it can be read.
    ///
    /// # Errors
    ///
    /// Those of the store; what is wrong with the records is in the answer.
    pub async fn verify(&self) -> Result<Verification> {
        let mut found = self.db.verify().await?;
        let mut rooms = self.db.query(Room::PRIMARY).limit(ROOMS_AT_ONCE).skip_damaged();
        loop {
            let page = rooms.clone().page().await?;
            for Room { room_id, .. } in page.records {
                for problem in self.problems(&room_id).await? {
                    found.note(problem);
                }
            }
            let Some(next) = page.next else { return Ok(found) };
            rooms = rooms.after(next);
        }
    }

    /// Writes the rooms' records for which [`verify`](MatrixStore::verify) finds a problem as they should be, each in a transaction of
    /// its own; says how many there were.
    ///
    /// # Errors
    ///
    /// `Corrupt` if a room cannot be read, and as [`Database::write`](crate::Database::write); what was repaired before stays so.
    pub async fn repair_rooms(&self) -> Result<u64> {
        let mut rooms = self.db.query(Room::PRIMARY).limit(ROOMS_AT_ONCE);
        let mut repaired = 0;
        loop {
            let page = rooms.clone().page().await?;
            for Room { room_id, .. } in &page.records {
                let repair = |tx: Transaction| async move {
                    match stored_and_right(&tx, room_id, self.me.as_ref()).await? {
                        Some((stored, right)) if stored != right => tx.put(&right).await.map(|()| 1),
                        _ => Ok(0),
                    }
                };
                repaired += self.db.write(repair).await?;
            }
            let Some(next) = page.next else { return Ok(repaired) };
            rooms = rooms.after(next);
        }
    }

    async fn problems(&self, room: &RoomId) -> Result<Vec<Problem>> {
        let both = self.db.write(|tx| async move { stored_and_right(&tx, room, self.me.as_ref()).await }).await;
        let (stored, right) = match both {
            Ok(Some(both)) => both,
            Ok(None) => return Ok(Vec::new()),
            Err(error) if UNREADABLE.contains(&error.kind()) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut problems = Vec::new();
        if stored.member_count != right.member_count {
            let (says, joined) = (stored.member_count, right.member_count);
            problems.push(format!("member_count is {says}, and {joined} members have joined"));
        }
        if stored.membership != right.membership {
            let (says, is) = (stored.membership, right.membership);
            problems.push(format!("membership is {says}, and the local user's is {is}"));
        }
        if stored.last_event != right.last_event {
            problems.push("last_event is before the newest message".to_owned());
        }
        let key: Key<Room> = Room::key(room);
        problems.into_iter().map(|problem| self.db.problem(&key, problem)).collect()
    }
}

/// A room's record, and what it should be; none if there is no record.
async fn stored_and_right(tx: &Transaction, room: &RoomId, me: Option<&UserId>) -> Result<Option<(Room, Room)>> {
    let Some(stored) = tx.get(&Room::key(room)).await? else { return Ok(None) };
    let mut right = stored.clone();
    right.member_count = tx.query(RoomMember::MEMBERSHIP).equal(room).equal(&Membership::Join).count().await?;
    if let Some(me) = me
        && let Some(member) = tx.get(&RoomMember::key(room, me)).await?
    {
        right.membership = member.membership;
    }
    let newest = tx.query(Message::ROOM_TIMESTAMP).equal(room).newest_first().skip_damaged().first().await?;
    right.last_event = newest.map_or(right.last_event, |newest| newest.timestamp.max(right.last_event));
    Ok(Some((stored, right)))
}
