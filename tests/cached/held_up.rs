//! Calls that are held up, given up, or of which nobody knows what came of them.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use strongroom::cache::{CacheOptions, Cached};
use strongroom::encryption::EncryptedOptions;
use strongroom::engine::StorageEngine;
use strongroom::memory::Memory;
use strongroom::store::{Batch, CacheCounters, KeyRange, Outcome, Read, Rows, Store, StoredKey};
use strongroom::{ErrorKind, Result, open};
use strongroom_conformance::twist::{Twist, Twisted};

use crate::gate::Gate;
use crate::{all, commit, key, metadata, put, unlock, value};

/// Does what is committed, and does not say so: now and then.
#[derive(Debug)]
struct Silent(AtomicU8);

const TELLS: u8 = 0;
const UNKNOWN: u8 = 1;
const PANICS: u8 = 2;

#[async_trait::async_trait]
impl Twist for Silent {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let outcomes = inner.commit(batches).await;
        match self.0.load(SeqCst) {
            TELLS => outcomes,
            UNKNOWN => Err(strongroom::Error::new(ErrorKind::CommitUnknown, "the connection is gone")),
            _ => panic!("the store panics"),
        }
    }
}

#[tokio::test]
async fn while_nobody_knows_what_happened_nothing_is_answered_from_memory() {
    for silence in [UNKNOWN, PANICS] {
        let silent = Arc::new(Silent(TELLS.into()));
        let store: Cached<Twisted<Silent>> =
            CacheOptions::default().over(Twisted::new(Arc::new(Memory::new()), silent.clone()));
        commit(&store, put("a", b"one")).await.unwrap();
        commit(&store, put("b", b"one")).await.unwrap();
        for name in ["a", "b"] {
            value(&store, name).await;
        }
        silent.0.store(silence, SeqCst);
        let unknown = std::panic::AssertUnwindSafe(commit(&store, put("a", b"two"))).catch_unwind().await;
        assert!(unknown.is_err() || unknown.unwrap().unwrap_err().kind() == ErrorKind::CommitUnknown);
        silent.0.store(TELLS, SeqCst);
        let before = store.counters();
        for _ in 0..2 {
            assert_eq!(value(&store, "a").await.unwrap(), "two");
            assert_eq!(value(&store, "b").await.unwrap(), "one");
        }
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(value(&*snapshot, "a").await.unwrap(), "two");
        let after = store.counters();
        assert_eq!((after.hits, after.misses, after.bypasses), (before.hits, before.misses, before.bypasses + 5));
        // A later commit shows that the store has gone on.
        commit(&store, put("c", b"one")).await.unwrap();
        for _ in 0..2 {
            assert_eq!(value(&store, "a").await.unwrap(), "two");
        }
        assert_eq!(store.counters().hits, after.hits + 1);
    }
}

#[tokio::test]
async fn a_get_is_not_older_than_a_scan_before_it() {
    let gate = Arc::new(Gate::default());
    let store = CacheOptions::default().over(Twisted::new(Arc::new(Memory::new()), gate.clone()));
    commit(&store, put("a", b"one")).await.unwrap();
    value(&store, "a").await;
    gate.closed.store(true, SeqCst);
    let mut under_way = Box::pin(commit(&store, put("b", b"one")));
    assert!((&mut under_way).now_or_never().is_none());
    let page = store.scan(&all()).await.unwrap();
    let rows = store.get(&[key("a")]).await.unwrap();
    let none = store.get(&[]).await.unwrap();
    gate.closed.store(false, SeqCst);
    under_way.await.unwrap();
    assert!(
        rows.as_of >= page.as_of,
        "scan at {}, then get at {}, then get of nothing at {}",
        page.as_of,
        rows.as_of,
        none.as_of
    );
}

#[tokio::test]
async fn a_commit_that_was_given_up_keeps_no_store_open() {
    let gate = Arc::new(Gate::default());
    let below = Arc::new(Memory::new());
    let weak = Arc::downgrade(&below);
    let store = CacheOptions::default().over(Twisted::new(below, gate.clone()));
    gate.closed.store(true, SeqCst);
    assert!(Box::pin(commit(&store, put("a", b"one"))).now_or_never().is_none());
    drop(store);
    assert_eq!(weak.strong_count(), 0, "nobody has a handle any more");
}

#[tokio::test]
async fn a_removal_that_was_given_up_takes_nothing_that_came_later() {
    let gate = Arc::new(Gate::default());
    for cached in [false, true] {
        let below: Arc<dyn Store> = Arc::new(Twisted::new(Arc::new(Memory::new()), gate.clone()));
        let store: Arc<dyn Store> = if cached { Arc::new(CacheOptions::default().over(below)) } else { below };
        gate.closed.store(true, SeqCst);
        assert!(store.drop_range(&KeyRange::ALL, &[]).now_or_never().is_none());
        // Only the removal was held up: a later write is through at once.
        let mut later = store.commit(vec![put("a", b"one")]);
        let done = (&mut later).now_or_never();
        gate.closed.store(false, SeqCst);
        if done.is_none() {
            later.await.unwrap();
        }
        assert_eq!(value(&*store, "a").await, Some("one".into()), "cached: {cached}");
    }
}

/// A read of the keyring is held up once.
#[derive(Debug, Default)]
struct HoldKeyring(Mutex<bool>, Gate);
#[async_trait::async_trait]
impl Twist for HoldKeyring {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        if std::mem::take(&mut *self.0.lock().unwrap()) {
            self.1.pass().await;
        }
        inner.get(keys).await
    }
}

#[tokio::test]
async fn a_commit_that_was_given_up_undoes_nothing_that_came_later() {
    for cached in [false, true] {
        let hold = Arc::new(HoldKeyring::default());
        let memory = Arc::new(Memory::new());
        let other = EncryptedOptions::default().create(memory.clone(), &unlock()).await.unwrap();
        let own = EncryptedOptions::default().open(Twisted::new(memory, hold.clone()), &unlock()).await.unwrap();
        let store: Arc<dyn Store> = if cached { Arc::new(CacheOptions::default().over(own)) } else { Arc::new(own) };
        other.rotate().await.unwrap();
        *hold.0.lock().unwrap() = true;
        hold.1.closed.store(true, SeqCst);
        assert!(store.commit(vec![put("a", b"given up")]).now_or_never().is_none());
        commit(&*store, put("a", b"told")).await.unwrap();
        hold.1.closed.store(false, SeqCst);
        store.get(&[key("b")]).await.unwrap();
        assert_eq!(value(&*store, "a").await, Some("told".into()), "cached: {cached}");
    }
}

#[tokio::test]
async fn every_key_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/chat.db", folder.path().display());
    let gate = Arc::new(Gate::default());
    let store = CacheOptions::default().over(Twisted::new(open(&url).await.unwrap(), gate.clone()));
    commit(&store, put("a", b"one")).await.unwrap();
    gate.closed.store(true, SeqCst);
    let mut under_way = Box::pin(commit(&store, put("b", b"one")));
    while gate.held.load(SeqCst) == 0 {
        assert!((&mut under_way).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    let before = store.counters();
    let snapshot = store.snapshot().await.unwrap();
    snapshot.get(&[key("a")]).await.unwrap();
    let after = store.counters();
    gate.closed.store(false, SeqCst);
    under_way.await.unwrap();
    let sum = |counters: CacheCounters| counters.hits + counters.misses + counters.bypasses;
    assert_eq!(sum(after), sum(before) + 1, "{after:?}");
}

/// A mistake of the program, from which it recovers.
#[tokio::test]
async fn a_write_that_rests_on_what_was_written_past_the_cache_runs_again_on_what_is_there() {
    let store = Arc::new(CacheOptions::default().over(Arc::new(Memory::new())));
    let below = StorageEngine::open(store.inner().clone()).await.unwrap();
    let engine = StorageEngine::open(store).await.unwrap();
    engine.save_metadata(&metadata("count", "1")).await.unwrap();
    engine.metadata("count").await.unwrap();
    below.save_metadata(&metadata("count", "2")).await.unwrap();
    engine.save_metadata(&metadata("count", "3")).await.unwrap();
    assert_eq!(engine.metadata("count").await.unwrap(), Some(metadata("count", "3")));
}
