//! What a page of 50 costs in a room of 10,000 messages and in one of 1,000,000, in one run and in turns:
//! `cargo run --release --example paging [messages]`.

use std::path::Path;
use std::time::Instant;

use strongroom::matrix::{self, Message, RoomId};
use strongroom::{Database, Json, Result, Timestamp};

const PAGES: usize = 2_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let large: i64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let mut rooms = Vec::new();
    for messages in [10_000, large] {
        rooms.push((fill(&folder.path().join(format!("{messages}.redb")), messages).await?, messages));
    }
    let mut nanos = [Vec::new(), Vec::new()];
    for page in 0..PAGES {
        for ((db, messages), nanos) in rooms.iter().zip(&mut nanos) {
            // Anywhere in the room, the same places in each run.
            let before = (page as i64 * 7_919_993) % messages;
            let begun = Instant::now();
            let found = page_before(db, before).await?;
            nanos.push(begun.elapsed().as_nanos());
            assert_eq!(found, before.min(50) as usize);
        }
    }
    let [small, large] = nanos.map(|mut nanos| {
        nanos.sort_unstable();
        nanos[nanos.len() / 2]
    });
    let ratio = large as f64 / small as f64;
    writeln(&format!("page of 50, median of {PAGES}: {small} ns in a room of 10,000, {large} ns in the large one, ratio {ratio:.2}"))?;
    Ok(())
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
    let content: Json = r#"{"msgtype":"m.text","body":"A message of a usual length, as people write them."}"#.parse()?;
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
