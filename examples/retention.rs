//! Which messages are kept, in all rooms and in single ones: `cargo run --example retention`.
#![allow(clippy::print_stdout, reason = "it is a program that prints what it found")]

use strongroom::matrix::{self, MatrixStore, Message};
use strongroom::{Database, Json, RetentionPolicy, RetentionRule};

const DAY: u64 = 86_400_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = strongroom::open(&format!("redb:{}/chat.redb", folder.path().display())).await?;
    let store = MatrixStore::new(Database::builder(matrix::schema()).open(store).await?)?;
    let db = store.database();

    // A message a day in each room, for a hundred days until yesterday.
    let yesterday = db.now().saturating_add(-(DAY as i64));
    for room in ["!family", "!alerts"] {
        for days in 0..100 {
            let (id, sent_at) = (format!("${room}{days}"), yesterday.saturating_add(-days * DAY as i64));
            let message = Message::new(room, id, "m.room.message", "@ada:example.org", sent_at, Json::empty_object());
            db.put(&message).await?;
        }
    }

    // Ninety days for everybody; of the alerts the latest ten.
    let policy = RetentionPolicy {
        all: RetentionRule { age_ms_max: Some(90 * DAY), ..RetentionRule::default() },
        groups: [("!alerts".into(), RetentionRule { count_max: Some(10), ..RetentionRule::default() })].into(),
    };
    let would = store.retain_messages(&policy, true).await?;
    let went = store.retain_messages(&policy, false).await?;
    assert_eq!(would, went, "a dry run says what a run then does");

    for (room, dropped) in &went.groups {
        println!("{}: {} too old, {} too many", room.as_str(), dropped.age, dropped.count);
    }
    assert_eq!(db.query(Message::ROOM_TIMESTAMP).equal(&"!family".into()).count().await?, 89);
    assert_eq!(db.query(Message::ROOM_TIMESTAMP).equal(&"!alerts".into()).count().await?, 10);
    db.close().await?;
    Ok(())
}
