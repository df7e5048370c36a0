//! A room scrolled back page by page, with a cursor that can be kept as text: `cargo run --example paging`. What a page costs in a room of
//! 1,000,000 messages is measured by `cargo run --release -p strongroom-benches -- paging`.

use strongroom::matrix::{self, Message, RoomId};
use strongroom::redb::Redb;
use strongroom::{Database, Json, Timestamp};

const MESSAGES: i64 = 120;
const PAGE: usize = 50;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let db = Database::open(Redb::open(folder.path().join("chat.redb"))?, matrix::schema()).await?;
    let room = RoomId::from("!room:example.org");
    db.write(|tx| async move {
        for number in 0..MESSAGES {
            let content: Json = r#"{"msgtype":"m.text","body":"Hello"}"#.parse()?;
            // Three at each time: a page may end between them.
            let (event, time) = (format!("${number}"), Timestamp::from_millis(number / 3));
            let message = Message::new("!room:example.org", event, "m.room.message", "@ada:example.org", time, content);
            tx.put(&message).await?;
        }
        Ok(())
    })
    .await?;

    let timeline = db.query(Message::ROOM_TIMESTAMP).equal(&room).newest_first().limit(PAGE);
    let mut page = timeline.clone().page().await?;
    let mut seen = page.records.len();
    while let Some(cursor) = page.next {
        // As a client keeps it between two requests.
        let kept = cursor.to_string();
        page = timeline.clone().after(kept.parse()?).page().await?;
        seen += page.records.len();
    }
    // None is skipped and none comes twice, also where many have the same time.
    assert_eq!(seen, MESSAGES as usize);
    db.close().await?;
    Ok(())
}
