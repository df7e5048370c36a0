//! What the tests of the import share.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_core::matrix::{
    self, AccountData, DeviceKeys, EventId, ImportOptions, ImportReport, Importer, Invitation, Media, Message, Object,
    ObjectSpace, OneTimeKey, Presence, Proof, RawEvent, ReadReceipt, Room, RoomAlias, RoomId, RoomMember, RoomState,
    SendTransaction, Typing, Upload, UserId,
};
use strongroom_core::{Database, ManualClock, Record, Timestamp};
use strongroom_memory::Memory;

pub(crate) const ROOM: &str = "!room:example.org";
pub(crate) const ME: &str = "@me:example.org";
pub(crate) const NOW: i64 = 1_700_000_000_000;

pub(crate) async fn database() -> Database {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(NOW)));
    Database::builder(matrix::schema()).clock(clock).open(Arc::new(Memory::new())).await.unwrap()
}

pub(crate) fn options() -> ImportOptions {
    ImportOptions { room: Some(ROOM.into()), me: Some(ME.into()), strict: false }
}

/// Imports in one batch.
pub(crate) async fn import(db: &Database, events: &[Value]) -> ImportReport {
    import_with(db, options(), events.iter().map(Value::to_string), usize::MAX).await
}

pub(crate) async fn import_with(
    db: &Database,
    options: ImportOptions,
    events: impl IntoIterator<Item = String>,
    batch: usize,
) -> ImportReport {
    let mut importer = Importer::new(db.clone(), options);
    let events = (1..).zip(events).map(|(position, json)| RawEvent { position, json });
    for batch in events.collect::<Vec<_>>().chunks(batch) {
        importer.import(batch.to_vec()).await.unwrap();
    }
    let report = importer.report().clone();
    let skipped: u64 = report.skipped.values().sum();
    assert_eq!(report.read, report.stored + report.unchanged + skipped + report.failed.len() as u64, "{report:?}");
    report
}

/// A message with this text, in `ROOM`.
pub(crate) fn message(id: &str, time: i64, body: &str) -> Value {
    event(id, time, "m.room.message", json!({"msgtype": "m.text", "body": body}))
}

pub(crate) fn event(id: &str, time: i64, event_type: &str, content: Value) -> Value {
    json!({"event_id": id, "room_id": ROOM, "sender": "@alice:example.org", "origin_server_ts": time,
        "type": event_type, "content": content})
}

pub(crate) fn state(id: &str, time: i64, event_type: &str, key: &str, content: Value) -> Value {
    let mut event = event(id, time, event_type, content);
    event["state_key"] = key.into();
    event
}

pub(crate) fn member(id: &str, time: i64, user: &str, membership: &str) -> Value {
    state(id, time, "m.room.member", user, json!({"membership": membership, "displayname": format!("name {id}")}))
}

pub(crate) fn redaction(id: &str, time: i64, target: &str, reason: &str) -> Value {
    let mut event = event(id, time, "m.room.redaction", json!({"reason": reason}));
    event["redacts"] = target.into();
    event
}

pub(crate) async fn get_message(db: &Database, id: &str) -> Message {
    db.get(&Message::key(&ROOM.into(), &EventId::from(id))).await.unwrap().expect("the message is stored")
}

pub(crate) async fn get_state(db: &Database, event_type: &str, key: &str) -> Option<RoomState> {
    db.get(&RoomState::key(&ROOM.into(), event_type, key)).await.unwrap()
}

pub(crate) async fn get_member(db: &Database, user: &str) -> Option<RoomMember> {
    db.get(&RoomMember::key(&ROOM.into(), &UserId::from(user))).await.unwrap()
}

pub(crate) async fn get_room(db: &Database) -> Room {
    db.get(&Room::key(&RoomId::from(ROOM))).await.unwrap().expect("the room is stored")
}

/// Every record of every collection, as JSON.
pub(crate) async fn dump(db: &Database) -> BTreeMap<&'static str, Vec<Value>> {
    let verification = db.verify().await.unwrap();
    assert!(verification.problems.is_empty(), "{:?}", verification.problems);
    let mut all = BTreeMap::new();
    macro_rules! collect {
        ($($record:ident),+) => {$(
            let page = db.query($record::PRIMARY).limit(10_000).page().await.unwrap();
            assert!(page.next.is_none());
            let records = page.records.iter().map(|record| serde_json::to_value(record).unwrap()).collect();
            all.insert($record::COLLECTION.name, records);
        )+};
    }
    collect!(Message, Room, RoomState, RoomMember, DeviceKeys, OneTimeKey, Invitation, Presence, AccountData);
    collect!(ReadReceipt, Typing, SendTransaction, Proof, RoomAlias, Media, Object, Upload, ObjectSpace);
    assert_eq!(all.len(), 18);
    all
}

/// The room's events in time order, as `export` gives them.
pub(crate) async fn export(db: &Database) -> Vec<String> {
    let page = db.query(Message::PRIMARY).limit(10_000).page().await.unwrap();
    let mut messages = page.records;
    messages.sort_by(|a, b| (a.timestamp, &a.message_id).cmp(&(b.timestamp, &b.message_id)));
    let lines: Vec<String> =
        messages.iter().map(|message| matrix::export_event(message).unwrap().as_str().to_owned()).collect();
    assert!(lines.iter().all(|line| !line.contains('\n')));
    lines
}
