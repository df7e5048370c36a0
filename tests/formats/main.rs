//! Stores as each format wrote them, kept as files: this program opens them, finds every record, and goes on with them.
//!
//! The files under `tests/fixtures/format-N` were written once, by the program of that format, and never change. When the format
//! changes, write those of the new one and add them to the repository:
//! `cargo test -p strongroom --test formats -- --ignored write_the_fixtures`. It leaves alone what is there, and those of older formats it
//! cannot write.
#![cfg(all(feature = "redb", feature = "sqlite", feature = "encryption"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod records;

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use strongroom::encryption::{SecretKey, Unlock};
use strongroom::store::Store;
use strongroom::{Database, FORMAT_VERSION, Index, Record, Schema, open};
use tempfile::TempDir;

use records::{Counter, CounterV2, Note, counters, notes, schema, schema_v2, to_v2};

/// The stores that each format is kept in: engine, and whether it is encrypted.
const STACKS: [(&str, bool); 4] = [("redb", false), ("redb", true), ("sqlite", false), ("sqlite", true)];

fn fixture(format: u32, engine: &str, encrypted: bool) -> PathBuf {
    let name = format!("{}.{engine}.store", if encrypted { "encrypted" } else { "plain" });
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{format}")).join(name)
}

/// Opens a file; the key of encrypted ones is a fixed one, for tests alone.
async fn store(file: &Path, engine: &str, encrypted: bool) -> Arc<dyn Store> {
    let url = format!("{engine}:{}", file.display());
    if encrypted {
        open(&url).encrypted(Unlock::raw_key(SecretKey::new([7; 32]))).await.unwrap()
    } else {
        open(&url).await.unwrap()
    }
}

/// A copy of a kept store, opened.
async fn opened(format: u32, engine: &str, encrypted: bool, schema: Schema) -> (TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    fs::copy(fixture(format, engine, encrypted), &file).unwrap();
    let db = Database::builder(schema).open(store(&file, engine, encrypted).await).await.unwrap();
    (folder, db)
}

/// Every record of a collection, in an order that does not depend on the store.
async fn all<R: Record + Debug, C: 'static>(db: &Database, order: Index<R, C>) -> Vec<String> {
    let records: Vec<R> = db.query(order).stream().try_collect().await.unwrap();
    sorted(&records)
}

fn sorted<R: Debug>(records: &[R]) -> Vec<String> {
    let mut records: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    records.sort();
    records
}

async fn has_all_notes(db: &Database) {
    let expected = notes();
    assert_eq!(all(db, Note::PRIMARY).await, sorted(&expected));
    for note in &expected {
        let found = db.get(&Note::key(&note.room, &note.id)).await.unwrap();
        assert_eq!(found.as_ref(), Some(note));
        if let Some(slug) = &note.slug {
            assert_eq!(db.query(Note::SLUG).equal(slug).first().await.unwrap().as_ref(), Some(note));
        }
    }
    let room = &expected[0].room;
    let of_room: Vec<Note> = expected.iter().filter(|note| note.room == *room).cloned().collect();
    let by_time = db.query(Note::BY_TIME).equal(room).oldest_first().page().await.unwrap().records;
    assert_eq!(by_time, of_room);
    assert_eq!(db.query(Note::TAG).equal("tag 1").count().await.unwrap(), 20);
    assert_eq!(db.query(Note::THREAD).equal(room).equal("$thread2").count().await.unwrap(), 3);
    assert_eq!(db.query(Note::EXPIRY).count().await.unwrap(), 6);
    assert_eq!(db.verify().await.unwrap().problems, []);
}

/// What a user would notice first: it can be written to.
async fn goes_on(db: &Database) {
    let changed = Note { id: 1_000, slug: Some("another".to_owned()), ..notes().remove(0) };
    db.put(&changed).await.unwrap();
    assert_eq!(db.query(Note::SLUG).equal("another").first().await.unwrap(), Some(changed));
    assert_eq!(db.verify().await.unwrap().problems, []);
    db.close().await.unwrap();
}

async fn has_all_counters_of_version_2(db: &Database) {
    let expected: Vec<CounterV2> = counters().into_iter().map(|counter| to_v2(counter).unwrap()).collect();
    assert_eq!(all(db, CounterV2::PRIMARY).await, sorted(&expected));
    assert_eq!(all(db, CounterV2::NUMBER).await, sorted(&expected));
    assert_eq!(all(db, CounterV2::PARITY).await, sorted(&expected));
}

#[tokio::test]
async fn a_store_of_format_1_is_read_and_written_as_ever() {
    for (engine, encrypted) in STACKS {
        let (_folder, db) = opened(1, engine, encrypted, schema()).await;
        has_all_notes(&db).await;
        assert_eq!(all(&db, Counter::PRIMARY).await, sorted(&counters()));
        assert_eq!(all(&db, Counter::VALUE).await, sorted(&counters()));
        goes_on(&db).await;
    }
}

#[tokio::test]
async fn a_store_of_format_1_can_be_migrated() {
    for (engine, encrypted) in STACKS {
        let (_folder, db) = opened(1, engine, encrypted, schema_v2()).await;
        has_all_notes(&db).await;
        has_all_counters_of_version_2(&db).await;
        goes_on(&db).await;
    }
}

#[tokio::test]
async fn a_store_of_format_2_in_the_middle_of_its_migration_is_brought_to_its_end() {
    for (engine, encrypted) in STACKS {
        let (_folder, db) = opened(2, engine, encrypted, schema_v2()).await;
        assert!(!db.is_migrating().await.unwrap());
        has_all_notes(&db).await;
        has_all_counters_of_version_2(&db).await;
        goes_on(&db).await;
    }
}

#[tokio::test]
#[ignore = "writes the files that the other tests read"]
async fn write_the_fixtures() {
    for (engine, encrypted) in STACKS {
        for older in 1..FORMAT_VERSION {
            let kept = fixture(older, engine, encrypted);
            assert!(kept.exists(), "{} is gone, and only the program of its format can write it", kept.display());
        }
        let kept = fixture(FORMAT_VERSION, engine, encrypted);
        if kept.exists() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store");
        let store = store(&file, engine, encrypted).await;
        fill_of_format_2(store.clone()).await;
        store.compact().await.unwrap();
        store.close().await.unwrap();
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::copy(&file, &kept).unwrap();
    }
}

/// Some counters have the new shape, the others the old one; the added index has entries of the former.
async fn fill_of_format_2(store: Arc<dyn Store>) {
    fill(store.clone()).await;
    let db = Database::builder(schema_v2()).migrate_later().open(store).await.unwrap();
    for counter in &counters()[..4] {
        db.put(&to_v2(counter.clone()).unwrap()).await.unwrap();
    }
    assert!(db.is_migrating().await.unwrap());
}

async fn fill(store: Arc<dyn Store>) {
    let db = Database::builder(schema()).open(store).await.unwrap();
    for note in notes() {
        db.put(&note).await.unwrap();
    }
    for counter in counters() {
        db.put(&counter).await.unwrap();
    }
}
