//! Two devices that were apart and agree again, whatever each heard first: `cargo run --example merge --features memory`.

use serde::{Deserialize, Serialize};
use strongroom::{Database, Merge, Merged, Record, Schema, Timestamp, last_writer};

/// A note that several devices write. Removed, it stays as one without text, so that no older version brings it back.
#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(id))]
struct Note {
    id: String,
    edited_at: Timestamp,
    device: String,
    text: Option<String>,
}

impl Merge for Note {
    fn merge(self, other: Self) -> Self {
        last_writer(self, other, |note| (note.edited_at, note.device.clone()))
    }
}

async fn device() -> strongroom::Result<Database> {
    let schema = Schema::builder("notes", 1).collection::<Note>().build()?;
    Database::builder(schema).open(strongroom::open("memory:").await?).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let note = |device: &str, at, text: Option<&str>| Note {
        id: "shopping".into(),
        edited_at: Timestamp::from_millis(at),
        device: device.into(),
        text: text.map(str::to_owned),
    };
    let (phone, laptop) = (device().await?, device().await?);
    phone.merge(&note("phone", 1, Some("bread"))).await?;
    phone.merge(&note("phone", 3, None)).await?;
    laptop.merge(&note("laptop", 2, Some("bread and salt"))).await?;

    // Each tells the other what it has.
    for (from, to) in [(&phone, &laptop), (&laptop, &phone)] {
        for note in from.query(Note::PRIMARY).page().await?.records {
            to.merge(&note).await?;
        }
    }
    let notes = phone.query(Note::PRIMARY).page().await?.records;
    assert_eq!(notes, laptop.query(Note::PRIMARY).page().await?.records);
    assert_eq!(notes, [note("phone", 3, None)]);

    // What comes late, or again, changes nothing.
    assert_eq!(laptop.merge(&note("phone", 1, Some("bread"))).await?, Merged::Unchanged);
    Ok(())
}
