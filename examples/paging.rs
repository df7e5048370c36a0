//! What a page of 50 costs in a room of 10,000 messages and in one of 1,000,000, in one run and in turns:
//! `cargo run --release --example paging [messages]`.
//!
//! Twice: among the newest 10,000 messages, where people read, with the engine's cache warm in both rooms; and anywhere, where
//! the large room does not fit into the cache and its pages come from the operating system.

#![allow(clippy::print_stdout, reason = "its result is what it prints")]

use std::path::Path;
use std::time::Instant;

use strongroom::matrix::{self, Message, RoomId};
use strongroom::{Database, Json, Result, Timestamp};

const PAGES: usize = 4_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let large: i64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let mut rooms = Vec::new();
    for messages in [10_000, large] {
        rooms.push((fill(&folder.path().join(format!("{messages}.redb")), messages).await?, messages));
    }
    for (place, span) in [("among the newest 10,000", 10_000), ("anywhere", i64::MAX)] {
        let [small, large] = measure(&rooms, span).await?;
        let ratio = large as f64 / small as f64;
        println!("page of 50 {place}: {small} ns in the small room, {large} ns in the large one, ratio {ratio:.2}");
    }
    Ok(())
}

/// The median time of a page in each room, at places spread over the newest `span` messages.
async fn measure(rooms: &[(Database, i64)], span: i64) -> Result<[u128; 2]> {
    let mut nanos = [Vec::new(), Vec::new()];
    for page in 0..PAGES {
        for ((db, messages), nanos) in rooms.iter().zip(&mut nanos) {
            let span = span.min(*messages);
            // Spread evenly, the same places in each run; the first half only warms the cache.
            let before = messages - (page as i64 * 7_919_993) % span;
            let begun = Instant::now();
            let found = page_before(db, before).await?;
            nanos.push(begun.elapsed().as_nanos());
            assert_eq!(found, before.min(50) as usize);
        }
    }
    Ok(nanos.map(|mut nanos| {
        let warm = &mut nanos[PAGES / 2..];
        warm.sort_unstable();
        warm[warm.len() / 2]
    }))
}

fn room() -> RoomId {
    RoomId::from("!room:example.org")
}

async fn page_before(db: &Database, before: i64) -> Result<usize> {
    let query = db.query(Message::ROOM_TIMESTAMP).equal(&room()).before(Timestamp::from_millis(before));
    Ok(query.newest_first().limit(50).page().await?.records.len())
}

async fn fill(path: &Path, messages: i64) -> Result<Database> {
    let db = Database::open(strongroom::redb::Redb::open(path)?, matrix::schema()).await?;
    let content: Json =
        r#"{"msgtype":"m.text","body":"A message of a usual length, as people write them."}"#.parse()?;
    let content = &content;
    for batch in (0..messages).step_by(5_000) {
        db.write(|tx| async move {
            for time in batch..(batch + 5_000).min(messages) {
                tx.put(&message(time, content)).await?;
            }
            Ok(())
        })
        .await?;
    }
    Ok(db)
}

fn message(time: i64, content: &Json) -> Message {
    let (event, sender) = (format!("$event-{time:020}"), format!("@user-{}:example.org", time % 100));
    Message::new(room(), event, "m.room.message", sender, Timestamp::from_millis(time), content.clone())
}
