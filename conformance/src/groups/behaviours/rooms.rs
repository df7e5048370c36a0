//! A room, its people and what they write, for the cases about merging, derived state and redaction.

use std::collections::BTreeMap;

use strongroom_core::matrix::{
    MatrixStore, Membership, Message, Presence, ReadReceipt, Redaction, Room, RoomId, RoomMember, RoomState,
};
use strongroom_core::{Database, Json, Record};

use super::support::at;
use crate::{Checked, Failure, ensure};

pub(super) const ROOM: &str = "!kitchen";
pub(super) const ME: &str = "@me:x";
pub(super) const ADA: &str = "@ada:x";

pub(super) fn room_id() -> RoomId {
    RoomId::from(ROOM)
}

pub(super) fn json(text: &str) -> Checked<Json> {
    Ok(Json::new(text)?)
}

/// A message of Ada's.
pub(super) fn message(id: &str, time: i64, body: &str) -> Checked<Message> {
    let content = json(&format!(r#"{{"msgtype":"m.text","body":"{body}"}}"#))?;
    Ok(Message::new(ROOM, id, "m.room.message", ADA, at(time), content))
}

/// A state event of Ada's.
pub(super) fn state_event(id: &str, time: i64, event_type: &str, key: &str, content: &str) -> Checked<Message> {
    let message = Message::new(ROOM, id, event_type, ADA, at(time), json(content)?);
    Ok(Message { state_key: Some(key.to_owned()), ..message })
}

pub(super) fn topic(id: &str, time: i64, topic: &str) -> Checked<RoomState> {
    let content = json(&format!(r#"{{"topic":"{topic}"}}"#))?;
    Ok(RoomState::new(ROOM, "m.room.topic", "", id, ADA, at(time), content))
}

pub(super) fn member(user: &str, membership: Membership, time: i64) -> RoomMember {
    RoomMember::new(ROOM, user, membership, at(time))
}

pub(super) fn redaction(id: &str, time: i64, reason: &str) -> Redaction {
    Redaction { event_id: id.into(), sender: ADA.into(), timestamp: at(time), reason: Some(reason.to_owned()) }
}

pub(super) async fn room(db: &Database) -> Checked<Room> {
    db.get(&Room::key(&room_id())).await?.ok_or_else(|| Failure::new("the room has no record"))
}

pub(super) async fn stored(db: &Database, id: &str) -> Checked<Message> {
    db.get(&Message::key(&room_id(), &id.into()))
        .await?
        .ok_or_else(|| Failure::new(format!("there is no message {id}")))
}

/// All is as it should be: rows, and what rooms say.
#[track_caller]
pub(super) fn sound(store: &MatrixStore) -> impl Future<Output = Checked> {
    let place = std::panic::Location::caller();
    async move {
        let found = store.verify().await?;
        ensure!(found.problems.is_empty(), "verify, asked at line {}: {:?}", place.line(), found.problems);
        Ok(())
    }
}

/// Every record of a type.
pub(super) async fn all<R: Record, C>(db: &Database, index: strongroom_core::Index<R, C>) -> Checked<Vec<R>> {
    let page = db.query(index).limit(10_000).page().await?;
    ensure!(page.next.is_none(), "too many records for one page");
    Ok(page.records)
}

/// The bytes of an export of what merges and what follows from it, in an order that is the same in all stores.
pub(super) async fn export(db: &Database) -> Checked<BTreeMap<&'static str, Vec<String>>> {
    let mut export = BTreeMap::new();
    macro_rules! add {
        ($($record:ident),+) => {$(
            let texts = all(db, $record::PRIMARY).await?.iter().map(serde_json::to_string).collect::<Result<_, _>>();
            let mut texts: Vec<String> = texts.map_err(|error| Failure::new(error.to_string()))?;
            texts.sort_unstable();
            export.insert($record::COLLECTION.name, texts);
        )+};
    }
    add!(Message, Room, RoomState, RoomMember, Presence, ReadReceipt);
    Ok(export)
}
