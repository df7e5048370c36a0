//! native_db: a typed database over redb 2, not encrypted.

use std::error::Error;

use native_db::{Builder, Models, ToKey, native_db};
use native_model::{Model, native_model};
use serde::{Deserialize, Serialize};
use strongroom::matrix::{self, Message, RoomId};
use strongroom::redb::Redb;
use strongroom::{Database, Json, Timestamp};

use crate::rounds::Pair;

const MESSAGES: i64 = 10_000;
const ROOMS: i64 = 20;
const ROUNDS: i64 = 101;
const BATCH: i64 = 1_000;
const PAGE: usize = 50;

/// The same message as [`Message`], with the same four orders.
#[derive(Serialize, Deserialize, Clone)]
#[native_model(id = 1, version = 1)]
#[native_db(
    primary_key(key -> String),
    secondary_key(room_timestamp -> String),
    secondary_key(sender_timestamp -> String),
    secondary_key(thread_timestamp -> String),
    secondary_key(redacted_timestamp -> String)
)]
struct NativeMessage {
    room_id: String,
    message_id: String,
    event_type: String,
    sender_key: String,
    timestamp: i64,
    content: String,
    thread_root: String,
    redacted: bool,
    stored_at: i64,
}

impl NativeMessage {
    fn key(&self) -> String {
        format!("{}\0{}", self.room_id, self.message_id)
    }

    fn room_timestamp(&self) -> String {
        format!("{}\0{:020}", self.room_id, self.timestamp)
    }

    fn sender_timestamp(&self) -> String {
        format!("{}\0{:020}", self.sender_key, self.timestamp)
    }

    fn thread_timestamp(&self) -> String {
        format!("{}\0{}\0{:020}", self.room_id, self.thread_root, self.timestamp)
    }

    fn redacted_timestamp(&self) -> String {
        format!("{}\0{}\0{:020}", self.room_id, self.redacted, self.timestamp)
    }
}

/// A message of a seeded workload: as in the benches, with rooms of one size.
fn message(n: i64) -> Result<(Message, NativeMessage), Box<dyn Error + Send + Sync>> {
    let mut rng = fastrand::Rng::with_seed(n as u64);
    let id: String = std::iter::once('$').chain((0..43).map(|_| rng.alphanumeric())).collect();
    let (room, sender) = (room(n), format!("@user-{:03}:example.org", rng.u32(..200)));
    let root = format!("$thread-{:036}", n % 100);
    let body: String = (0..rng.usize(1..=40)).map(|_| rng.lowercase()).collect();
    let text = format!(r#"{{"msgtype":"m.text","body":"{body}"}}"#);
    let content: Json = text.parse()?;
    let mut ours =
        Message::new(room.as_str(), id.as_str(), "m.room.message", sender.as_str(), Timestamp::from_millis(n), content);
    ours.thread_root = Some(root.as_str().into());
    let native = NativeMessage {
        room_id: room,
        message_id: id,
        event_type: "m.room.message".to_owned(),
        sender_key: sender,
        timestamp: n,
        content: text,
        thread_root: root,
        redacted: false,
        stored_at: n,
    };
    Ok((ours, native))
}

fn room(n: i64) -> String {
    format!("!room-{:05}:example.org", n % ROOMS)
}

pub(crate) async fn compare() -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    let db = Database::open(Redb::open(folder.path().join("ours.redb"))?, matrix::schema()).await?;
    let mut models = Models::new();
    models.define::<NativeMessage>()?;
    let native = Builder::new().create(&models, folder.path().join("native.db"))?;

    let mut imports = Pair::default();
    for begin in (0..MESSAGES).step_by(BATCH as usize) {
        let messages = (begin..begin + BATCH).map(message).collect::<Result<Vec<_>, _>>()?;
        let messages = &messages;
        let ours = db.write(|tx| async move {
            for (message, _) in messages {
                tx.insert(message).await?;
            }
            Ok(())
        });
        let other = async {
            let write = native.rw_transaction()?;
            for (_, message) in messages {
                write.insert(message.clone())?;
            }
            write.commit()
        };
        let (ours, other) = imports.time(ours, other).await;
        ours?;
        other?;
    }
    imports.print("import of 1,000 messages, redb bare / native_db");

    let (mut saves, mut gets, mut pages) = (Pair::default(), Pair::default(), Pair::default());
    for round in 0..ROUNDS {
        let (ours, theirs) = message(MESSAGES + round)?;
        let other = async {
            let write = native.rw_transaction()?;
            write.insert(theirs.clone())?;
            write.commit()
        };
        let (ours, other) = saves.time(db.put(&ours), other).await;
        ours?;
        other?;

        let (ours, theirs) = message(round * 7_919 % MESSAGES)?;
        let key = Message::key(&ours.room_id, &ours.message_id);
        let other = async { native.r_transaction()?.get().primary::<NativeMessage>(theirs.key()) };
        let (ours, other) = gets.time(db.get(&key), other).await;
        assert!(ours?.is_some() && other?.is_some(), "both have the message");

        let (room, before) = (room(round), MESSAGES / 2 + round * 31);
        let id = RoomId::from(room.as_str());
        let newest = db.query(Message::ROOM_TIMESTAMP).equal(&id).before(Timestamp::from_millis(before)).newest_first();
        let other = async {
            let read = native.r_transaction()?;
            let range = format!("{room}\0")..format!("{room}\0{before:020}");
            let scan = read.scan().secondary::<NativeMessage>(NativeMessageKey::room_timestamp)?;
            let newest = scan.range(range)?.rev().take(PAGE);
            newest.collect::<native_db::db_type::Result<Vec<_>>>()
        };
        let (ours, other) = pages.time(newest.limit(PAGE).page(), other).await;
        assert_eq!((ours?.records.len(), other?.len()), (PAGE, PAGE), "both have the page");
    }
    saves.print("save of one message, redb bare / native_db");
    gets.print("get, redb bare / native_db");
    pages.print("page of 50 in a room of 500, redb bare / native_db");
    db.close().await?;
    Ok(())
}
