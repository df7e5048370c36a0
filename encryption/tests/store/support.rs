//! Short words for what the tests do.

use std::sync::Arc;

use bytes::Bytes;
use strongroom_core::store::{
    Batch, Content, Fetch, KeyRange, LAYER_KEYS, Outcome, Read, Revision, Scan, Store, StoredKey, Write,
};
use strongroom_core::{Error, Result};
use strongroom_encryption::{Argon2Params, Encrypted, EncryptedOptions, EncryptionError, SecretKey, Unlock};
use strongroom_memory::Memory;

pub(crate) type Layer = Encrypted<Arc<dyn Store>>;

pub(crate) const FLOOR: Argon2Params = Argon2Params::FLOOR;

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::new())
}

pub(crate) fn options() -> EncryptedOptions {
    let mut options = EncryptedOptions::default();
    options.kdf = FLOOR;
    options
}

/// A key costs no derivation.
pub(crate) fn raw_key(byte: u8) -> Unlock {
    Unlock::raw_key(SecretKey::new([byte; 32]))
}

/// A new store over `raw`, which the key of sevens opens.
pub(crate) async fn create(raw: &Arc<dyn Store>) -> Layer {
    options().create(raw.clone(), &raw_key(7)).await.unwrap()
}

pub(crate) async fn open(raw: &Arc<dyn Store>) -> Result<Layer> {
    options().open(raw.clone(), &raw_key(7)).await
}

/// The layer's own error.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T>) -> EncryptionError {
    let error: Error = result.err().expect("it is refused");
    EncryptionError::of(&error).unwrap_or_else(|| panic!("no error of the layer: {error:?}"))
}

/// The key of this number, in a keyspace as the typed database has them.
pub(crate) fn key(number: u32) -> StoredKey {
    StoredKey::from([&[0, 1, 0][..], &number.to_be_bytes()].concat())
}

pub(crate) fn put_of(number: u32, value: impl Into<Bytes>) -> Batch {
    Batch { writes: [(key(number), Write::Put(value.into()))].into(), ..Batch::default() }
}

pub(crate) async fn commit(store: &dyn Store, batch: Batch) -> Revision {
    match store.commit(vec![batch]).await.unwrap().pop() {
        Some(Outcome::Committed(revision)) => revision,
        other => panic!("not committed: {other:?}"),
    }
}

pub(crate) async fn put(store: &dyn Store, number: u32, value: impl Into<Bytes>) -> Revision {
    commit(store, put_of(number, value)).await
}

pub(crate) async fn content(read: &dyn Read, key: StoredKey) -> Option<Content> {
    read.get(&[key]).await.unwrap().rows.pop().flatten().map(|row| row.content)
}

pub(crate) async fn value(read: &dyn Read, number: u32) -> Option<Bytes> {
    match content(read, key(number)).await {
        Some(Content::Value(value)) => Some(value),
        None => None,
        other => panic!("no value: {other:?}"),
    }
}

/// What is wrong with a row.
pub(crate) async fn damage(read: &dyn Read, key: StoredKey) -> EncryptionError {
    match content(read, key).await {
        Some(Content::Damaged(error)) => EncryptionError::of(&error).expect("an error of the layer"),
        other => panic!("not damaged: {other:?}"),
    }
}

/// Every row: its key, revision and content.
pub(crate) async fn rows(read: &dyn Read) -> Vec<(StoredKey, Revision, Content)> {
    let mut rows = Vec::new();
    let mut range = KeyRange::ALL;
    loop {
        let scan = Scan { range: range.clone(), reverse: false, limit: 2, max_bytes: 1 << 20, fetch: Fetch::Values };
        let page = read.scan(&scan).await.unwrap();
        let last = page.entries.last().map(|entry| entry.key.clone());
        rows.extend(page.entries.into_iter().map(|entry| (entry.key, entry.revision, entry.content.unwrap())));
        match last {
            Some(last) if page.more => range = range.beyond(&last, false),
            _ => return rows,
        }
    }
}

/// The ids of the keys that sealed the values of a raw store, with the revisions of their rows.
pub(crate) async fn key_ids(raw: &dyn Store) -> Vec<(Revision, u32)> {
    let sealed = rows(raw).await.into_iter().filter(|(key, ..)| *key < LAYER_KEYS);
    let ids = sealed.filter_map(|(_, revision, content)| match content {
        Content::Value(value) => Some((revision, u32::from_be_bytes(value[3..7].try_into().unwrap()))),
        _ => None,
    });
    ids.collect()
}

/// One of the layer's own rows in a raw store.
pub(crate) fn own(name: &str) -> StoredKey {
    StoredKey::from([LAYER_KEYS.as_bytes(), name.as_bytes()].concat())
}
