//! The change log under the layer: its rows hold the keys of records, and are sealed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom_core::store::{Content, Store};
use strongroom_core::{ChangeCursor, Database, Record, Schema};
use strongroom_memory::Memory;

use crate::store::support::{create, memory, rows};

const CANARY: &str = "canary-change-5d2f";

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(crate = strongroom_core, id = 1, name = "followed", key(name), changes)]
struct Followed {
    name: String,
}

fn named(number: u32) -> Followed {
    Followed { name: format!("{CANARY}-{number}") }
}

async fn database(store: Arc<dyn Store>) -> Database {
    let schema = Schema::builder("followed", 1).collection::<Followed>().build().unwrap();
    let db = Database::builder(schema).open(store).await.unwrap();
    for number in 0..5 {
        db.put(&named(number)).await.unwrap();
    }
    db.delete(&Followed::key(&named(2).name)).await.unwrap();
    db
}

/// How many rows of the log there are, and how many of them show a key.
async fn showing(raw: &dyn Store) -> (usize, usize) {
    let log: Vec<_> = rows(raw).await.into_iter().filter(|(key, ..)| key.as_bytes().starts_with(&[0, 0, 3])).collect();
    let shows = log.iter().filter(|(_, _, content)| {
        let Content::Value(value) = content else { panic!("a row of the log is a value") };
        value.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
    });
    (log.len(), shows.count())
}

#[tokio::test]
async fn the_change_log_shows_no_key_of_a_record() {
    let bare: Arc<dyn Store> = Arc::new(Memory::new());
    database(bare.clone()).await;
    assert_eq!(showing(&*bare).await, (6, 6), "without the layer they show");
    let raw = memory();
    database(Arc::new(create(&raw).await)).await;
    assert_eq!(showing(&*raw).await, (6, 0));
}

/// A row is written again then, and stays at its place in the order.
#[tokio::test]
async fn the_feed_is_the_same_after_its_rows_were_sealed_anew() {
    let raw = memory();
    let layer = Arc::new(create(&raw).await);
    let db = database(layer.clone()).await;
    let tell = async || {
        let page = db.changes(ChangeCursor::START).page().await.unwrap();
        page.changes.iter().map(|change| (change.revision(), change.kind(), change.key())).collect::<Vec<_>>()
    };
    let before = tell().await;
    layer.rotate().await.unwrap();
    db.put(&named(7)).await.unwrap();
    let done = layer.reseal(|_| {}).await.unwrap();
    assert_eq!((done.damaged, done.kept.len(), done.retired.len()), (0, 0, 1));
    let after = tell().await;
    assert_eq!(after[..6], before);
    assert_eq!(after[6].2, Some(Followed::key(&named(7).name)));
    assert!(after.is_sorted_by_key(|(revision, ..)| *revision));
}
