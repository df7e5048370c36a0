//! Out of a store with a damaged page what can be read, and the names of what cannot: `cargo run --example salvage --features sqlite`.
#![allow(clippy::print_stdout, reason = "it is a program that prints what it found")]

use serde::{Deserialize, Serialize};
use strongroom::{Database, Record, Schema};

#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(id))]
#[index(id = 1, name = "by_room", on(room))]
struct Note {
    id: u32,
    room: String,
    text: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = |name: &str| format!("sqlite:{}/{name}", folder.path().display());
    let schema = Schema::builder("notes", 1).collection::<Note>().build()?;

    let db = Database::builder(schema.clone()).open(strongroom::open(&url("notes.db")).await?).await?;
    for id in 0..500 {
        db.put(&Note { id, room: format!("room {}", id % 5), text: "a note of some length ".repeat(8) }).await?;
    }
    db.compact().await?;
    db.close().await?;

    // A page of the file becomes zeros, as a failing disk may leave it.
    let path = folder.path().join("notes.db");
    let mut bytes = std::fs::read(&path)?;
    let half = bytes.len() / 2;
    let note = bytes[half..].windows(13).position(|some| some == b"a note of som").ok_or("a page of notes")?;
    let page = (half + note) / 4096 * 4096;
    bytes[page..page + 4096].fill(0);
    std::fs::write(&path, bytes)?;

    // Its catalog is not needed, so it is not asked for.
    let damaged = Database::builder(schema.clone()).open_damaged(strongroom::open(&url("notes.db")).await?).await?;
    let saved = Database::builder(schema).open(strongroom::open(&url("saved.db")).await?).await?;
    let salvaged = damaged.salvage_into(&saved, |_| {}).await?;
    println!("{} of 500 notes", salvaged.copied);
    for problem in salvaged.problems.iter().take(3) {
        println!("{}: {} (row {})", problem.collection, problem.problem, problem.row);
    }
    assert!(salvaged.copied > 400 && salvaged.copied < 500 && !salvaged.problems.is_empty());
    assert!(saved.verify().await?.problems.is_empty());
    Ok(())
}
