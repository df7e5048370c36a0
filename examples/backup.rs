//! A backup of a store in use, and a store made of it again: `cargo run --example backup`.
#![allow(clippy::print_stdout, reason = "it is a program that prints what it found")]

use serde::{Deserialize, Serialize};
use strongroom::encryption::{SecretKey, Unlock};
use strongroom::{Database, Record, Schema};

#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(id))]
struct Note {
    id: u32,
    text: String,
}

async fn open(url: &str, key: &SecretKey) -> strongroom::Result<Database> {
    let store = strongroom::open(url).encrypted(Unlock::raw_key(key.clone())).await?;
    Database::builder(Schema::builder("notes", 1).collection::<Note>().build()?).open(store).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = |name: &str| format!("redb:{}/{name}", folder.path().display());
    let (key, backup_key) = (SecretKey::random()?, SecretKey::random()?);

    let db = open(&url("notes.redb"), &key).await?;
    for id in 0..1_000 {
        db.put(&Note { id, text: format!("note {id}") }).await?;
    }

    // Under a key of its own. Somebody writes meanwhile; the backup is of one moment all the same.
    let backup = open(&url("backup.redb"), &backup_key).await?;
    let late = Note { id: 1_000, text: "written during the backup".into() };
    let (copied, written) = tokio::join!(db.copy_into(&backup, |_| {}), db.put(&late));
    written?;
    let copied = copied?;
    println!("{} records, digest {}, revision {}", copied.records, copied.digest, copied.revision);
    backup.close().await?;

    // The first store is lost: another is made of the backup.
    let backup = open(&url("backup.redb"), &backup_key).await?;
    let restored = open(&url("restored.redb"), &key).await?;
    let restored_from = backup.copy_into(&restored, |_| {}).await?;
    assert_eq!((restored_from.digest, restored.digest().await?), (copied.digest, copied.digest));
    Ok(())
}
