//! What the typed database promises whatever the store is: its futures, and how often it asks. What depends on the store is
//! in the conformance suite.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use strongroom::schema::Schema;
use strongroom::store::{Page, Read, Scan, Store};
use strongroom::{Database, ManualClock, Record, Result, Timestamp};
use strongroom_conformance::twist::{Twist, Twisted};
use strongroom_memory::Memory;

#[derive(Clone, Debug, Record, Serialize, Deserialize)]
#[record(id = 1, name = "counters", key(name), expires = until)]
#[index(id = 1, name = "group", on(group, value: ordered))]
struct Counter {
    name: String,
    group: String,
    value: i64,
    until: Option<Timestamp>,
}

impl Counter {
    fn new(name: &str, value: i64) -> Counter {
        Counter { name: name.to_owned(), group: "all".to_owned(), value, until: None }
    }
}

async fn open(store: Arc<dyn Store>) -> Database {
    let schema = Schema::builder("test", 1).collection::<Counter>().build().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    Database::builder(schema).clock(clock).open(store).await.unwrap()
}

/// Counts the scans.
#[derive(Debug, Default)]
struct Scans(AtomicU64);

#[async_trait]
impl Twist for Scans {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        self.0.fetch_add(1, Ordering::SeqCst);
        inner.scan(scan).await
    }
}

#[tokio::test]
async fn one_record_behind_many_expired_ones_is_found_in_few_reads() {
    let scans = Arc::new(Scans::default());
    let db = open(Arc::new(Twisted::new(Arc::new(Memory::new()), scans.clone()))).await;
    for value in 0..2_000 {
        let until = Some(Timestamp::from_millis(1));
        db.put(&Counter { until, ..Counter::new(&value.to_string(), value) }).await.unwrap();
    }
    db.put(&Counter::new("alive", 2_000)).await.unwrap();
    let before = scans.0.load(Ordering::SeqCst);
    let found = db.query(Counter::GROUP).equal("all").first().await.unwrap().unwrap();
    assert_eq!(found.name, "alive");
    let scans = scans.0.load(Ordering::SeqCst) - before;
    assert!((1..30).contains(&scans), "{scans} scans");
}

/// Each public future can be spawned; captures by reference (of what lives long enough) and by value both work.
#[tokio::test]
async fn every_future_can_be_spawned() {
    let db = open(Arc::new(Memory::new())).await;
    async fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
        tokio::spawn(future).await.unwrap()
    }
    let with = |db: &Database| db.clone();
    let d = with(&db);
    spawn(async move { d.insert(&Counter::new("a", 1)).await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.put(&Counter::new("a", 2)).await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.update(&Counter::new("a", 3)).await }).await.unwrap();
    let d = with(&db);
    assert!(spawn(async move { d.get(&Counter::key("a")).await }).await.unwrap().is_some());
    let d = with(&db);
    spawn(async move { d.get_many(&[Counter::key("a")]).await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.count::<Counter>().await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.query(Counter::GROUP).equal("all").descending().page().await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.query(Counter::GROUP).equal("all").first().await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.query(Counter::GROUP).equal("all").count().await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.query(Counter::GROUP).equal("all").stream().count().await }).await;
    let d = with(&db);
    let by_value = Counter::new("b", 1);
    spawn(async move {
        d.write(|tx| {
            let counter = by_value.clone();
            async move {
                tx.put(&counter).await?;
                tx.query(Counter::GROUP).equal("all").page().await?;
                tx.query(Counter::GROUP).equal("none").delete().await?;
                tx.count::<Counter>().await
            }
        })
        .await
    })
    .await
    .unwrap();
    let d = with(&db);
    let by_reference = Counter::new("c", 1);
    spawn(async move {
        let counter = &by_reference;
        d.write(|tx| async move { tx.put(counter).await }).await
    })
    .await
    .unwrap();
    let d = with(&db);
    spawn(async move {
        let snapshot = d.snapshot().await?;
        snapshot.get(&Counter::key("a")).await?;
        snapshot.query(Counter::GROUP).equal("all").page().await
    })
    .await
    .unwrap();
    let d = with(&db);
    spawn(async move { d.query(Counter::GROUP).equal("all").delete().await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.delete(&Counter::key("a")).await }).await.unwrap();
    let d = with(&db);
    spawn(async move {
        d.verify().await.unwrap();
        d.stats().await.unwrap();
        d.changed(Default::default()).await.unwrap()
    })
    .await;
    let d = with(&db);
    spawn(async move { d.compact().await }).await.unwrap();
    let d = with(&db);
    spawn(async move { d.close().await }).await.unwrap();
    spawn(async move { open(Arc::new(Memory::new())).await }).await;
}
