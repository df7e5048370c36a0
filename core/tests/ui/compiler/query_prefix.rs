//! Equality takes an index's components from the front, each of its own type.

use serde::{Deserialize, Serialize};
use strongroom_core::{Component, Database, Record, Timestamp};

#[derive(Component, Serialize, Deserialize)]
#[component(crate = strongroom_core)]
struct RoomId(String);

#[derive(Component, Serialize, Deserialize)]
#[component(crate = strongroom_core)]
struct UserId(String);

#[derive(Record, Serialize, Deserialize)]
#[record(crate = strongroom_core, id = 1, name = "members", key(room, user))]
#[index(id = 1, name = "user_joined", on(user, joined: ordered))]
struct Member {
    room: RoomId,
    user: UserId,
    joined: Timestamp,
}

#[derive(Record, Serialize, Deserialize)]
#[record(crate = strongroom_core, id = 2, name = "rooms", key(room))]
struct Room {
    room: RoomId,
}

fn another_type(db: &Database, room: &RoomId) {
    let _ = db.query(Member::USER_JOINED).equal(room);
}

fn text_for_a_new_type(db: &Database) {
    let _ = db.query(Member::USER_JOINED).equal("@eve");
}

fn one_left_out(db: &Database) {
    let _ = db.query(Member::USER_JOINED).equal(&Timestamp::MIN);
}

fn one_too_many(db: &Database, user: &UserId) {
    let _ = db.query(Member::USER_JOINED).equal(user).equal(&Timestamp::MIN).equal(user);
}

fn equality_after_an_order(db: &Database, user: &UserId) {
    let _ = db.query(Member::USER_JOINED).equal(user).newest_first().equal(&Timestamp::MIN);
}

fn key_components_swapped(room: &RoomId, user: &UserId) {
    let _ = Member::key(user, room);
}

async fn key_of_another_record(db: &Database, room: &RoomId) {
    let _ = db.get::<Member>(&Room::key(room)).await;
}

fn main() {}
