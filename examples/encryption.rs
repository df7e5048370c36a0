//! What encryption costs: saves, gets, pages and an import-like batch, encrypted and bare, in turns in one run:
//! `cargo run --release --all-features --example encryption [messages]`.
//!
//! Every figure is a median and its ratio to the bare store. The durable saves wait for the medium, which hides most of the
//! cost; on memory nothing is hidden.

#![allow(clippy::print_stdout, reason = "its result is what it prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom::encryption::{EncryptedOptions, SecretKey, Unlock};
use strongroom::matrix::{self, EventId, Message, RoomId};
use strongroom::store::Store;
use strongroom::{Database, Json, Result, Timestamp};

/// Rounds of each measurement.
const ROUNDS: usize = 400;
/// Messages in one transaction of the batch.
const BATCH: i64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messages: i64 = std::env::args().nth(1).map_or(Ok(20_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    for engine in ["memory", "redb", "sqlite"] {
        let mut pair = Vec::new();
        for name in ["bare", "encrypted"] {
            let path = match engine {
                "memory" => String::new(),
                engine => folder.path().join(format!("{name}.{engine}")).display().to_string(),
            };
            let store = strongroom::open(&format!("{engine}:{path}")).await?;
            let store: Arc<dyn Store> = match name {
                "bare" => store,
                _ => {
                    let unlock = Unlock::raw_key(SecretKey::random()?);
                    Arc::new(EncryptedOptions::default().create(store, &unlock).await?)
                }
            };
            pair.push(Database::builder(matrix::schema()).open(store).await?);
        }
        measure(engine, &pair, messages).await?;
        let mut bytes = Vec::new();
        for db in &pair {
            bytes.push(db.stats().await?.bytes);
            db.close().await?;
        }
        println!("{engine:7} bytes: {} bare, {} encrypted, ratio {:.2}", bytes[0], bytes[1], ratio(bytes[1], bytes[0]));
    }
    Ok(())
}

async fn measure(engine: &str, pair: &[Database], messages: i64) -> Result<()> {
    let mut batches = [Vec::new(), Vec::new()];
    for begin in (0..messages).step_by(BATCH as usize) {
        for (db, times) in pair.iter().zip(&mut batches) {
            times.push(timed(fill(db, begin)).await?);
        }
    }
    report(engine, "batch of 1,000", batches);
    let mut saves = [Vec::new(), Vec::new()];
    let mut gets = [Vec::new(), Vec::new()];
    let mut pages = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS as i64 {
        let place = (round * 7_919) % messages;
        for (at, db) in pair.iter().enumerate() {
            saves[at].push(timed(db.put(&message(messages + round))).await?);
            gets[at].push(timed(get(db, place)).await?);
            pages[at].push(timed(page(db, place)).await?);
        }
    }
    report(engine, "save", saves);
    report(engine, "get", gets);
    report(engine, "page of 50", pages);
    Ok(())
}

async fn timed(work: impl Future<Output = Result<()>>) -> Result<Duration> {
    let begun = Instant::now();
    work.await?;
    Ok(begun.elapsed())
}

fn report(engine: &str, what: &str, times: [Vec<Duration>; 2]) {
    let [bare, encrypted] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let ratio = encrypted.as_secs_f64() / bare.as_secs_f64();
    println!("{engine:7} {what}: {bare:.1?} bare, {encrypted:.1?} encrypted, ratio {ratio:.2}");
}

fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

fn room() -> RoomId {
    RoomId::from("!room:example.org")
}

async fn fill(db: &Database, begin: i64) -> Result<()> {
    db.write(|tx| async move {
        for time in begin..begin + BATCH {
            tx.put(&message(time)).await?;
        }
        Ok(())
    })
    .await
}

async fn get(db: &Database, time: i64) -> Result<()> {
    let key = Message::key(&room(), &EventId::from(event(time)));
    assert!(db.get(&key).await?.is_some());
    Ok(())
}

async fn page(db: &Database, before: i64) -> Result<()> {
    let query = db.query(Message::ROOM_TIMESTAMP).equal(&room()).before(Timestamp::from_millis(before + 50));
    assert_eq!(query.newest_first().limit(50).page().await?.records.len(), 50);
    Ok(())
}

fn event(time: i64) -> String {
    format!("$event-{time:020}")
}

fn message(time: i64) -> Message {
    let content: Json = r#"{"msgtype":"m.text","body":"A message of a usual length, as people write them."}"#
        .parse()
        .expect("it is JSON");
    let sender = format!("@user-{}:example.org", time % 100);
    Message::new(room(), event(time), "m.room.message", sender, Timestamp::from_millis(time), content)
}
