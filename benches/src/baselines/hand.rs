//! Keys as one would write them: text, a zero, the time in eight bytes.

use strongroom::Timestamp;
use strongroom::matrix::{Message, RoomId};

use crate::workload::{Row, Table};

/// The rows of a message of the workload, with `value` as the record's.
pub fn hand_rows(message: &Message, value: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<Row> {
    let at = time(message.timestamp);
    let record = joined(&[message.room_id.as_str().as_bytes(), message.message_id.as_str().as_bytes()], &[]);
    let entry = |table: u8, front: &[&[u8]]| {
        let key = [joined(front, &at), record.clone()].concat();
        Row { table: Table(table), key, value: Vec::new(), target: record.len() }
    };
    let room = message.room_id.as_str().as_bytes();
    let thread = message.thread_root.as_ref().map_or(&b""[..], |root| root.as_str().as_bytes());
    let entries = [
        entry(1, &[room]),
        entry(2, &[message.sender_key.as_str().as_bytes()]),
        entry(3, &[room, thread]),
        entry(5, &[room, &[u8::from(message.redacted)]]),
    ];
    let value = value(&record);
    let mut rows = vec![Row { table: Table::RECORDS, key: record, value, target: 0 }];
    rows.extend(entries);
    rows
}

/// What all entries of a room begin with in the index of rooms by time.
pub fn room_front(room: &RoomId) -> Vec<u8> {
    joined(&[room.as_str().as_bytes()], &[])
}

/// What the entries of a room from a time on are not below.
pub fn room_until(room: &RoomId, before: Timestamp) -> Vec<u8> {
    joined(&[room.as_str().as_bytes()], &time(before))
}

/// Times after 1970 are in order as unsigned numbers.
fn time(time: Timestamp) -> [u8; 8] {
    time.as_millis().to_be_bytes()
}

fn joined(parts: &[&[u8]], end: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum::<usize>() + end.len());
    for part in parts {
        key.extend_from_slice(part);
        key.push(0);
    }
    key.extend_from_slice(end);
    key
}
