//! What it costs to list a collection's changes.

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use strongroom::{ChangeCursor, Database, Error, Record, Result, Schema};

use crate::rounds::Rounds;
use crate::stacks::{self, Layers};

const ROUNDS: usize = 31;
/// Saves that are timed together, one after another.
const SAVES: usize = 20;
/// Saves at the same time.
const WRITERS: u64 = 64;
/// Records in the transaction of several.
const SEVERAL: u64 = 100;
const TEXT_BYTES: usize = 250;

/// A record with two indexes that is not followed, and the same that is.
#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "silent", key(room, id))]
#[index(id = 1, name = "room_time", on(room, time: ordered))]
#[index(id = 2, name = "author", on(author, time: ordered))]
struct Silent {
    room: String,
    id: u64,
    time: i64,
    author: String,
    text: String,
}

#[derive(Record, Serialize, Deserialize)]
#[record(id = 2, name = "followed", key(room, id), changes)]
#[index(id = 1, name = "room_time", on(room, time: ordered))]
#[index(id = 2, name = "author", on(author, time: ordered))]
struct Followed {
    room: String,
    id: u64,
    time: i64,
    author: String,
    text: String,
}

trait Made: Record {
    fn made(id: u64) -> Self;
}

impl Made for Silent {
    fn made(id: u64) -> Self {
        let (room, author) = (format!("!room{}:example.org", id % 7), format!("@user{}:example.org", id % 11));
        Silent { room, id, time: id as i64, author, text: "x".repeat(TEXT_BYTES) }
    }
}

impl Made for Followed {
    fn made(id: u64) -> Self {
        let Silent { room, id, time, author, text } = Silent::made(id);
        Followed { room, id, time, author, text }
    }
}

#[derive(Default)]
struct Times {
    one: Rounds,
    many: Rounds,
    several: Rounds,
}

impl Times {
    async fn measure<R: Made>(&mut self, db: &Database, next: &mut u64) -> Result<()> {
        let first = *next;
        *next += SAVES as u64 + WRITERS + SEVERAL;
        self.one.time(SAVES, |number| async move { db.put(&R::made(first + number as u64)).await }).await?;
        let first = first + SAVES as u64;
        let puts = || (0..WRITERS).map(|writer| async move { db.put(&R::made(first + writer)).await });
        self.many.time(1, |_| try_join_all(puts())).await?;
        let first = first + WRITERS;
        let write = || {
            db.write(|tx| async move {
                for number in 0..SEVERAL {
                    tx.put(&R::made(first + number)).await?;
                }
                Ok(())
            })
        };
        self.several.time(1, |_| write()).await?;
        Ok(())
    }
}

/// Prints a table: each engine, bare and encrypted.
///
/// # Errors
///
/// Those of the stores.
pub async fn run() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::application)?;
    println!("| store | followed | save of one | {WRITERS} at a time, each | transaction of {SEVERAL}, each |");
    println!("|---|---|---|---|---|");
    for engine in ["memory:", "redb:", "sqlite:"] {
        for encrypted in [false, true] {
            let url = match engine {
                "memory:" => engine.to_owned(),
                _ => format!("{engine}{}/{}{encrypted}", folder.path().display(), engine.trim_end_matches(':')),
            };
            let store = stacks::store(&url, Layers { encrypted, cached: false }).await?;
            let schema = Schema::builder("bench", 1).collection::<Silent>().collection::<Followed>().build()?;
            let db = Database::builder(schema).open(store).await?;
            let (mut silent, mut followed, mut next) = (Times::default(), Times::default(), 0);
            for _ in 0..ROUNDS {
                silent.measure::<Silent>(&db, &mut next).await?;
                followed.measure::<Followed>(&db, &mut next).await?;
            }
            for (name, times) in [("no", &mut silent), ("yes", &mut followed)] {
                let layer = if encrypted { " encrypted" } else { "" };
                let us = |nanoseconds: u64| nanoseconds as f64 / 1_000.0;
                println!(
                    "| {engine}{layer} | {name} | {:.1} µs | {:.1} µs | {:.1} µs |",
                    us(times.one.median()),
                    us(times.many.median() / WRITERS),
                    us(times.several.median() / SEVERAL),
                );
            }
            let mut page = Rounds::default();
            let changes = db.changes(ChangeCursor::START);
            page.time(ROUNDS, |_| changes.page()).await?;
            println!("| | | a page of 500 changes: {} µs | | |", page.median() / 1_000);
            db.close().await?;
        }
    }
    Ok(())
}
