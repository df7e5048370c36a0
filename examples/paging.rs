//! What a page of 50 costs in a room of 10,000 messages and in one of 1,000,000, in one run and in turns:
//! `cargo run --release --example paging [messages] [cache MiB]`.
//!
//! Three times: scrolling back from the newest message right after opening, so that both rooms are cold; among the newest
//! 10,000 messages, with the engine's cache warm in both rooms; and anywhere, where the small room fits into the cache and the
//! large one does not, unless the cache is made larger.

#![allow(clippy::print_stdout, reason = "its result is what it prints")]

use std::path::Path;
use std::time::Instant;

use strongroom::matrix::{self, Message, RoomId};
use strongroom::redb::RedbOptions;
use strongroom::{Database, Json, Result, Timestamp};

const PAGES: usize = 4_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let large: i64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let cache_mib: usize = std::env::args().nth(2).map_or(Ok(64), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let mut rooms = Vec::new();
    for messages in [10_000, large] {
        let path = folder.path().join(format!("{messages}.redb"));
        fill(&path, messages).await?.close().await?;
        let options = RedbOptions { cache_bytes: cache_mib << 20, ..RedbOptions::default() };
        rooms.push((Database::open(options.open(&path)?, matrix::schema()).await?, messages));
    }
    report("scrolling back, cold", scroll(&rooms).await?);
    for (place, span) in [("among the newest 10,000", 10_000), ("anywhere", i64::MAX)] {
        report(place, measure(&rooms, span).await?);
    }
    Ok(())
}

fn report(place: &str, [small, large]: [u128; 2]) {
    let ratio = large as f64 / small as f64;
    println!("page of 50 {place}: {small} ns in the small room, {large} ns in the large one, ratio {ratio:.2}");
}

/// The median time of a page in each room, from the newest back, each page read once.
async fn scroll(rooms: &[(Database, i64)]) -> Result<[u128; 2]> {
    let mut nanos = [Vec::new(), Vec::new()];
    for page in 0..200 {
        for ((db, messages), nanos) in rooms.iter().zip(&mut nanos) {
            let begun = Instant::now();
            assert_eq!(page_before(db, messages - page * 50).await?, 50);
            nanos.push(begun.elapsed().as_nanos());
        }
    }
    Ok(nanos.map(|mut nanos| {
        nanos.sort_unstable();
        nanos[nanos.len() / 2]
    }))
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
