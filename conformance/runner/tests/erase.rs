//! After `erase` nobody opens a store. SQLite leaves neither its header nor its keyring in the files; redb does not wipe the pages
//! that it frees, so there the file has to go as well, as the documentation says.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::fs;

use strongroom_conformance::evil::{self, letter};
use strongroom_conformance::{Factory, Folder, Place, Settings};
use strongroom_conformance_runner::stacks::{RedbFactory, SqliteFactory};
use strongroom_core::store::{Content, ENCRYPTION_HEADER, KeyRange, LAYER_KEYS, Read, Scan, Store};
use strongroom_encryption::{EncryptedOptions, EncryptionError, SecretKey, Unlock};

/// The layer's own rows, as they lie in the store below.
async fn own_rows(raw: &dyn Store) -> Vec<Vec<u8>> {
    let range = KeyRange { start: std::ops::Bound::Included(LAYER_KEYS), end: std::ops::Bound::Unbounded };
    let fetch = strongroom_core::store::Fetch::Values;
    let scan = Scan { range, reverse: false, limit: 10, max_bytes: usize::MAX, fetch };
    let rows = raw.scan(&scan).await.unwrap().entries.into_iter().filter_map(|entry| match entry.content {
        Some(Content::Value(value)) => Some(value.to_vec()),
        _ => None,
    });
    rows.collect()
}

/// How many of the rows begin somewhere in the files of the folder.
fn found(folder: &Folder, rows: &[Vec<u8>]) -> usize {
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let files: Vec<Vec<u8>> = files.collect();
    let is_there =
        |row: &&Vec<u8>| files.iter().any(|file| file.windows(24).any(|part| part == &row[row.len() - 24..]));
    rows.iter().filter(is_there).count()
}

/// Erases a store; how many of its own rows are left in the files.
async fn left_after_erase(factory: &dyn Factory) -> usize {
    let folder = Folder::temporary().unwrap();
    let place = Place { folder: folder.path().to_owned(), name: "erased".to_owned() };
    let settings = Settings::new(factory.limits());
    let raw = factory.open(&place, &settings).await.unwrap();
    let unlock = Unlock::raw_key(SecretKey::new([7; 32]));
    let layer = std::sync::Arc::new(EncryptedOptions::default().create(raw.clone(), &unlock).await.unwrap());
    let db = evil::open(layer.clone()).await.unwrap();
    for id in 0..50 {
        db.put(&letter(id)).await.unwrap();
    }
    let first = own_rows(&*raw).await;
    layer.rotate().await.unwrap();
    let second = own_rows(&*raw).await;
    assert!(raw.get(&[ENCRYPTION_HEADER]).await.unwrap().rows[0].is_some());
    assert_eq!(found(&folder, &second), 2, "header and keyring, while they are in use");
    layer.erase().await.unwrap();
    let left = found(&folder, &[first, second].concat());
    let again = factory.reopen(&place, &settings).await.unwrap();
    let error = EncryptedOptions::default().open_or_create(again.clone(), &unlock).await.unwrap_err();
    assert_eq!(EncryptionError::of(&error), Some(EncryptionError::HeaderMissing));
    again.close().await.unwrap();
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_opens_for_nobody() {
    left_after_erase(&RedbFactory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_nothing() {
    assert_eq!(left_after_erase(&SqliteFactory).await, 0);
}
