//! A record of your own, stored encrypted in one file and paged newest first: `cargo run --example timeline`.

use serde::{Deserialize, Serialize};
use strongroom::encryption::Unlock;
use strongroom::{Database, Record, Schema, Timestamp};

#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(id))]
#[index(id = 1, name = "timeline", on(room, sent_at: ordered))]
struct Note {
    id: String,
    room: String,
    sent_at: Timestamp,
    text: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("redb:{}/notes.redb", folder.path().display());
    let store = strongroom::open(&url).encrypted(Unlock::passphrase("correct horse battery staple")).await?;
    let schema = Schema::builder("notes", 1).collection::<Note>().build()?;
    let db = Database::builder(schema).open(store).await?;

    for (number, text) in ["Who has the keys?", "I do.", "Then dinner at eight."].into_iter().enumerate() {
        let sent_at = Timestamp::from_millis(1_714_564_800_000 + number as i64);
        db.put(&Note { id: format!("note-{number}"), room: "kitchen".into(), sent_at, text: text.into() }).await?;
    }

    let timeline = db.query(Note::TIMELINE).equal("kitchen").newest_first().limit(2);
    let latest = timeline.clone().page().await?;
    let earlier = timeline.after(latest.next.ok_or("there is a second page")?).page().await?;
    let texts: Vec<&str> = latest.records.iter().chain(&earlier.records).map(|note| note.text.as_str()).collect();
    assert_eq!(texts, ["Then dinner at eight.", "I do.", "Who has the keys?"]);

    db.close().await?;
    Ok(())
}
