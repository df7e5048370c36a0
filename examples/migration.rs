//! Records get another shape while they are in use: `cargo run --example migration`.
#![allow(clippy::print_stdout, reason = "it is a program that prints what it found")]

use serde::{Deserialize, Serialize};
use strongroom::schema::Migration;
use strongroom::{Database, ErrorKind, Record, Schema};

/// The note as the last release had it: kept, with its attributes, so that its records can be read.
#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(id))]
struct NoteV1 {
    id: u64,
    body: String,
}

/// The note of today: `body` has another name, `words` is added, and an index over it.
#[derive(Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(id))]
#[index(id = 1, name = "words", on(words: ordered))]
struct Note {
    id: u64,
    text: String,
    words: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = strongroom::open(&format!("redb:{}/notes.redb", folder.path().display())).await?;
    let old = Database::open(store.clone(), Schema::builder("notes", 1).collection::<NoteV1>().build()?).await?;
    for id in 0..100 {
        old.put(&NoteV1 { id, body: "word ".repeat(id as usize % 7) }).await?;
    }

    let to_2 = Migration::to(2).rewrite(|NoteV1 { id, body: text }| {
        let words = text.split_whitespace().count() as u64;
        Ok(Note { id, text, words })
    });
    let schema = Schema::builder("notes", 2).collection::<Note>().migration(to_2).build()?;
    let db = Database::builder(schema).migrate_later().open(store).await?;

    // Not a record is rewritten yet, and every one reads as if it were. Only the index has to wait.
    assert_eq!(db.get(&Note::key(&3)).await?.map(|note| note.words), Some(3));
    let too_early = db.query(Note::WORDS).descending().first().await;
    assert_eq!(too_early.map_err(|error| error.kind()), Err(ErrorKind::IndexBuilding));

    let migration = tokio::spawn({
        let db = db.clone();
        async move { db.migrate(|records| println!("{records} records done")).await }
    });
    db.put(&Note { id: 100, text: "a note of today".into(), words: 4 }).await?;
    migration.await??;
    assert_eq!(db.query(Note::WORDS).from(6).count().await?, 14);
    Ok(())
}
