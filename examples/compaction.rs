//! What was deleted is in no file any more once the store was compacted: `cargo run --example compaction`.
#![allow(clippy::print_stdout, reason = "it is a program that prints what it found")]

use serde::{Deserialize, Serialize};
use strongroom::{Database, Record, Schema};

#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(id))]
struct Note {
    id: u32,
    text: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("redb:{}/notes.redb", folder.path().display());
    let schema = Schema::builder("notes", 1).collection::<Note>().build()?;
    let db = Database::builder(schema).open(strongroom::open(&url).await?).await?;

    db.put(&Note { id: 1, text: "the secret of the house".into() }).await?;
    db.put(&Note { id: 2, text: "milk, bread".into() }).await?;
    db.delete(&Note::key(&1)).await?;

    let is_found = || -> std::io::Result<bool> {
        let mut found = false;
        for entry in std::fs::read_dir(folder.path())? {
            found |= std::fs::read(entry?.path())?.windows(10).any(|some| some == b"the secret");
        }
        Ok(found)
    };
    // A deleted record is not read again, but its bytes lie in a free page of the file.
    assert!(is_found()?);
    let done = db.compact().await?;
    assert!(!is_found()?);
    println!("{} bytes before, {} after, and no trace of the secret", done.bytes_before, done.bytes_after);
    Ok(())
}
