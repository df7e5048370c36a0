//! A typed database over the layer, through rotations: the catalog's row moves when it is sealed anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use strongroom_core::store::{Store, StoredKey};
use strongroom_core::{Database, Record, Schema};
use strongroom_encryption::EncryptionError;

use crate::store::support::{Layer, create, memory, open, raw_key, refused, rows};

#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "notes", key(id))]
#[index(id = 1, name = "topic", on(topic, id: ordered))]
#[index(id = 2, name = "slug", on(slug), unique)]
pub(crate) struct Note {
    id: u32,
    topic: String,
    slug: String,
    text: String,
}

pub(crate) fn note(id: u32, text: &str) -> Note {
    Note { id, topic: format!("topic {text}"), slug: format!("slug {text} {id}"), text: format!("text {text}") }
}

pub(crate) async fn database(layer: Arc<Layer>) -> Database {
    let schema = Schema::builder("notes", 1).collection::<Note>().build().unwrap();
    Database::open(layer as Arc<dyn Store>, schema).await.unwrap()
}

async fn sound(db: &Database, records: usize) {
    let verification = db.verify().await.unwrap();
    assert!(verification.problems.is_empty(), "{:?}", verification.problems);
    assert_eq!(verification.collections["notes"].records, records as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_stays_usable() {
    let raw = memory();
    let layer = Arc::new(create(&raw).await);
    let (db, other) = (database(layer.clone()).await, database(Arc::new(open(&raw).await.unwrap())).await);
    for id in 0..40 {
        // Of two handles in turn, each of which has yet to follow.
        let db = if id % 2 == 0 { &db } else { &other };
        db.insert(&note(id, "a")).await.unwrap();
        if id % 10 == 9 {
            layer.rotate().await.unwrap();
            layer.reseal(|_| {}).await.unwrap();
        }
    }
    for db in [&db, &other, &database(Arc::new(open(&raw).await.unwrap())).await] {
        let page = db.query(Note::TOPIC).equal("topic a").ascending().page().await.unwrap();
        assert_eq!(page.records, (0..40).map(|id| note(id, "a")).collect::<Vec<_>>());
        assert_eq!(db.query(Note::SLUG).equal("slug a 7").first().await.unwrap(), Some(note(7, "a")));
        sound(db, 40).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_open_transaction_is_run_again_and_happens() {
    let raw = memory();
    let layer = Arc::new(create(&raw).await);
    let db = database(layer.clone()).await;
    db.insert(&note(1, "before")).await.unwrap();
    let runs = AtomicU32::new(0);
    let (runs, layer) = (&runs, &layer);
    db.write(|tx| async move {
        let found = tx.get(&Note::key(&1)).await?;
        assert_eq!(found, Some(note(1, "before")));
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            // What it has read moves, and its keys are destroyed, before it commits.
            layer.rotate().await?;
            assert_eq!(layer.reseal(|_| {}).await?.retired, [1]);
        }
        assert_eq!(tx.get(&Note::key(&1)).await?, Some(note(1, "before")), "in the view that it began with");
        tx.put(&note(1, "after")).await?;
        tx.insert(&note(2, "after")).await
    })
    .await
    .unwrap();
    assert!(runs.load(Ordering::Relaxed) <= 3);
    assert_eq!(db.get(&Note::key(&1)).await.unwrap(), Some(note(1, "after")));
    sound(&db, 2).await;
}

#[tokio::test]
async fn a_view_of_before_reads_on() {
    let raw = memory();
    let layer = Arc::new(create(&raw).await);
    let db = database(layer.clone()).await;
    db.insert(&note(1, "before")).await.unwrap();
    let snapshot = db.snapshot().await.unwrap();
    layer.rotate().await.unwrap();
    layer.reseal(|_| {}).await.unwrap();
    db.put(&note(1, "after")).await.unwrap();
    assert_eq!(snapshot.get(&Note::key(&1)).await.unwrap(), Some(note(1, "before")));
    let page = snapshot.query(Note::TOPIC).equal("topic before").page().await.unwrap();
    assert_eq!(page.records, [note(1, "before")]);
}

#[tokio::test]
async fn while_it_is_locked_it_says_so_and_afterwards_it_goes_on() {
    let raw = memory();
    let layer = Arc::new(create(&raw).await);
    let db = database(layer.clone()).await;
    db.insert(&note(1, "a")).await.unwrap();
    layer.lock();
    let locked = EncryptionError::Locked;
    assert_eq!(refused(db.get(&Note::key(&1)).await), locked);
    assert_eq!(refused(db.put(&note(2, "a")).await), locked);
    assert_eq!(refused(db.query(Note::TOPIC).equal("topic a").page().await), locked);
    assert_eq!(refused(db.count::<Note>().await), locked);
    assert_eq!(refused(db.verify().await), locked);
    assert_eq!(refused(db.snapshot().await), locked);
    layer.unlock(&raw_key(7)).await.unwrap();
    db.put(&note(2, "a")).await.unwrap();
    sound(&db, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_has_other_keys_for_everything() {
    let schema = || Schema::builder("notes", 1).collection::<Note>().build().unwrap();
    let (plain, first, second) = (memory(), memory(), memory());
    let from = Database::open(plain.clone(), schema()).await.unwrap();
    for id in 0..30 {
        from.insert(&note(id, "a")).await.unwrap();
    }
    // A plain store becomes an encrypted one, and that one another.
    let encrypted = database(Arc::new(create(&first).await)).await;
    assert_eq!(from.copy_into(&encrypted, |_| {}).await.unwrap().written, 30);
    let again = database(Arc::new(create(&second).await)).await;
    assert_eq!(encrypted.copy_into(&again, |_| {}).await.unwrap().written, 30);
    sound(&again, 30).await;
    assert_eq!(again.query(Note::SLUG).equal("slug a 7").first().await.unwrap(), Some(note(7, "a")));
    let keys = async |raw: &Arc<dyn Store>| -> BTreeSet<StoredKey> {
        let records = |key: &StoredKey| key.as_bytes().starts_with(&[0, 1]);
        rows(&**raw).await.into_iter().map(|(key, ..)| key).filter(records).collect()
    };
    let (one, other) = (keys(&first).await, keys(&second).await);
    assert_eq!((one.len(), other.len()), (90, 90));
    assert!(one.is_disjoint(&other), "nothing is blinded as it was");
}
