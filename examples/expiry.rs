//! Records that expire, and a task that removes them: `cargo run --example expiry`.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strongroom::{Database, ManualClock, Record, Schema, SweepOptions, Timestamp};

#[derive(Record, Serialize, Deserialize)]
#[record(id = 1, name = "stories", key(id), expires = gone_at)]
struct Story {
    id: String,
    text: String,
    gone_at: Option<Timestamp>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = strongroom::open(&format!("redb:{}/stories.redb", folder.path().display())).await?;
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let schema = Schema::builder("stories", 1).collection::<Story>().build()?;
    let db = Database::builder(schema).clock(clock.clone()).open(store).await?;

    let day = Timestamp::from_millis(86_400_000);
    db.put(&Story { id: "lunch".into(), text: "Noodles, again.".into(), gone_at: Some(day) }).await?;
    db.put(&Story { id: "about".into(), text: "I live by the sea.".into(), gone_at: None }).await?;

    // A day later no read shows it, although its bytes are there still.
    clock.set(day);
    assert!(db.get(&Story::key("lunch")).await?.is_none());
    assert_eq!(db.count::<Story>().await?, 1);
    assert_eq!(db.stats().await?.collections["stories"].records, 2);

    // In a messenger the sweeper lives as long as the database, and the grace is for phones whose clock ran ahead.
    let options = SweepOptions { grace_ms: 0, ..SweepOptions::default() };
    let mut sweeper = db.sweeper(Duration::from_secs(60), options)?;
    assert_eq!(sweeper.next_sweep().await.swept.records(), 1);
    assert_eq!(db.stats().await?.collections["stories"].records, 1);

    sweeper.stop().await;
    db.close().await?;
    Ok(())
}
