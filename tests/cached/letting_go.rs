//! What is let go of, and when.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use bytes::Bytes;
use strongroom::cache::CacheOptions;
use strongroom::encryption::{Encrypted, EncryptedOptions, EncryptionError};
use strongroom::memory::Memory;
use strongroom::store::{Content, LinkTo, Read, Rows, Store, StoredKey, Write};
use strongroom::{ErrorKind, Result, open};
use strongroom_conformance::twist::{Twist, Twisted};

use crate::{commit, key, put, stale, unlock, value};

#[tokio::test]
async fn what_is_kept_is_let_go_of_on_lock() {
    let encrypted = Arc::new(EncryptedOptions::default().create(Memory::new(), &unlock()).await.unwrap());
    let store = CacheOptions::default().over(encrypted.clone());
    let mut batch = put("a", b"secret");
    batch.writes.insert(key("link"), Write::Link(LinkTo::Key(key("to a secret"))));
    commit(&store, batch).await.unwrap();
    value(&store, "a").await;
    // Of a link's target one can tell who else has it.
    let mut held = Bytes::new();
    for _ in 0..2 {
        let row = store.get(&[key("link")]).await.unwrap().rows.pop().unwrap().unwrap();
        let Content::Link(target) = row.content else { panic!("a link") };
        held = target.into_bytes();
    }
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(store.counters().hits, 1);
    assert!(!held.is_unique(), "the cache has it, too");
    encrypted.lock();
    assert!(held.is_unique());
    assert_eq!((store.counters().entries, store.counters().bytes), (0, 0));
    for read in [&store as &dyn Read, &*snapshot] {
        let error = read.get(&[key("a")]).await.unwrap_err();
        assert_eq!(EncryptionError::of(&error), Some(EncryptionError::Locked));
    }
    encrypted.unlock(&unlock()).await.unwrap();
    assert_eq!(value(&store, "a").await.unwrap(), "secret");
    // And if the layer below is closed past the cache.
    encrypted.close().await.unwrap();
    assert_eq!(store.get(&[key("a")]).await.unwrap_err().kind(), ErrorKind::Closed);
}

/// Another process commits just before a read, and the store is locked just after it.
#[derive(Debug)]
struct LockedBehind {
    armed: AtomicBool,
    other: Arc<dyn Store>,
    own: Arc<Encrypted<Arc<dyn Store>>>,
}
#[async_trait::async_trait]
impl Twist for LockedBehind {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        if keys.is_empty() || !self.armed.swap(false, SeqCst) {
            return inner.get(keys).await;
        }
        commit(&*self.other, put("elsewhere", b"x")).await?;
        let rows = inner.get(keys).await;
        self.own.lock();
        rows
    }
}
async fn lock_behind(options: CacheOptions) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/chat.db", folder.path().display());
    let own = open(&url).encrypted(unlock()).await.unwrap();
    let other: Arc<dyn Store> = open(&url).encrypted(unlock()).await.unwrap();
    let twist = Arc::new(LockedBehind { armed: false.into(), other: other.clone(), own: own.clone() });
    let store = options.over(Twisted::new(own.clone(), twist.clone()));
    commit(&*other, put("a", b"secret")).await.unwrap();
    assert_eq!(value(&store, "b").await, None);
    twist.armed.store(true, SeqCst);
    assert_eq!(value(&store, "a").await.unwrap(), "secret");
    // From here on the store is locked.
    assert!(own.get(&[key("a")]).await.is_err());
    let answer = store.get(&[key("a")]).await;
    let entries = store.counters().entries;
    assert!(answer.is_err() && entries == 0, "locked: {:?}, entries {entries}", answer.map(|rows| rows.rows));
}

#[tokio::test]
async fn a_read_that_a_lock_overtook_is_not_kept_within_a_bound() {
    lock_behind(stale()).await;
}

#[tokio::test]
async fn a_read_that_a_lock_overtook_is_not_kept() {
    lock_behind(CacheOptions::default()).await;
}

#[tokio::test]
async fn what_is_kept_is_let_go_of_when_the_store_is_erased() {
    let encrypted = Arc::new(EncryptedOptions::default().create(Memory::new(), &unlock()).await.unwrap());
    let store = CacheOptions::default().over(encrypted.clone());
    commit(&store, put("a", b"secret")).await.unwrap();
    value(&store, "a").await;
    encrypted.erase().await.unwrap();
    assert_eq!(encrypted.get(&[key("a")]).await.unwrap_err().kind(), ErrorKind::Closed);
    let answer = store.get(&[key("a")]).await;
    assert!(answer.is_err(), "erased: {:?} {:?}", answer, store.counters());
}

#[tokio::test]
async fn a_store_that_is_closed_below_is_closed() {
    let below = Arc::new(Memory::new());
    let store = CacheOptions::default().over(below.clone());
    commit(&store, put("a", b"one")).await.unwrap();
    value(&store, "a").await;
    store.inner().close().await.unwrap();
    let answer = store.get(&[key("a")]).await;
    assert!(answer.is_err(), "closed: {answer:?}");
}
