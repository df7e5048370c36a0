//! A range or an order needs an ordered component, after equality on all before it.

use serde::{Deserialize, Serialize};
use strongroom_core::{Component, Database, Record, Timestamp};

#[derive(Component, Serialize, Deserialize)]
#[component(crate = strongroom_core)]
struct RoomId(String);

#[derive(Record, Serialize, Deserialize)]
#[record(crate = strongroom_core, id = 1, name = "messages", key(id))]
#[index(id = 1, name = "room_time", on(room, time: ordered))]
#[index(id = 2, name = "room_size", on(room, size: ordered))]
#[index(id = 3, name = "sender", on(sender))]
struct Message {
    id: u64,
    room: RoomId,
    time: Timestamp,
    size: u64,
    sender: String,
}

fn range_on_exact(db: &Database) {
    let _ = db.query(Message::SENDER).range("a".to_owned().."b".to_owned());
}

fn order_on_exact(db: &Database) {
    let _ = db.query(Message::PRIMARY).descending();
}

fn order_before_equality(db: &Database) {
    let _ = db.query(Message::ROOM_TIME).newest_first();
}

fn newest_of_a_number(db: &Database, room: &RoomId) {
    let _ = db.query(Message::ROOM_SIZE).equal(room).newest_first();
}

fn range_behind_the_last(db: &Database, sender: &str) {
    let _ = db.query(Message::SENDER).equal(sender).before(Timestamp::MAX);
}

fn range_of_another_type(db: &Database, room: &RoomId) {
    let _ = db.query(Message::ROOM_TIME).equal(room).before(5_i64);
}

fn main() {}
