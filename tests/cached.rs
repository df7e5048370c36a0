//! The cache over what programs use: what it counts, what it lets go of, and what others write.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use bytes::Bytes;
use strongroom::cache::{CacheOptions, Cached, Freshness};
use strongroom::encryption::{EncryptedOptions, EncryptionError, SecretKey, Unlock};
use strongroom::engine::{self, KeyRecord, Metadata, SecretBytes, StorageEngine, StorageEngineExt};
use strongroom::memory::Memory;
use strongroom::store::{
    Batch, Content, KeyPrefix, KeyRange, LinkTo, Outcome, Read, Revision, Store, StoredKey, Write,
};
use strongroom::{Database, ErrorKind, ManualClock, Result, Timestamp, open};
use strongroom_conformance::twist::{Twist, Twisted};

fn unlock() -> Unlock {
    Unlock::raw_key(SecretKey::new([1; 32]))
}

fn key(name: &str) -> StoredKey {
    StoredKey::from(name.as_bytes().to_vec())
}

fn put(name: &str, value: &'static [u8]) -> Batch {
    Batch { writes: [(key(name), Write::Put(value.into()))].into(), ..Batch::default() }
}

async fn commit(store: &dyn Store, batch: Batch) -> Result<Revision> {
    Ok(store.commit(vec![batch]).await?[0].revision().unwrap())
}

async fn value(read: &dyn Read, name: &str) -> Option<Bytes> {
    match read.get(&[key(name)]).await.unwrap().rows.pop().unwrap()?.content {
        Content::Value(value) => Some(value),
        other => panic!("{other:?}"),
    }
}

fn metadata(key: &str, value: &str) -> Metadata {
    Metadata { key: key.to_owned(), value: value.parse().unwrap() }
}

#[tokio::test]
async fn a_hit_is_counted_and_copies_no_value() {
    let store = CacheOptions::default().over(Memory::new());
    commit(&store, put("a", b"one")).await.unwrap();
    assert_eq!(store.counters().entries, 0, "what is written is not kept before it is read");
    value(&store, "a").await;
    let (one, other) = (value(&store, "a").await.unwrap(), value(&store, "a").await.unwrap());
    assert_eq!(one.as_ptr(), other.as_ptr());
    assert_eq!(value(&store, "absent").await, None);
    assert_eq!(value(&store, "absent").await, None);
    let counters = store.counters();
    assert_eq!((counters.hits, counters.misses, counters.bypasses, counters.entries), (3, 2, 0, 2));
}

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

#[tokio::test]
async fn rows_that_are_sealed_anew_are_read_anew() {
    let encrypted = Arc::new(EncryptedOptions::default().create(Memory::new(), &unlock()).await.unwrap());
    let engine = StorageEngine::open(CacheOptions::default().over(encrypted.clone())).await.unwrap();
    engine.save_metadata(&metadata("device", "1")).await.unwrap();
    engine.metadata("device").await.unwrap();
    encrypted.rotate().await.unwrap();
    let resealed = encrypted.reseal(|_| {}).await.unwrap();
    assert!(resealed.progress.resealed > 0);
    // The row has another revision now: a save that rested on the old one would run again for ever.
    engine.save_metadata(&metadata("device", "2")).await.unwrap();
    assert_eq!(engine.metadata("device").await.unwrap(), Some(metadata("device", "2")));
}

#[tokio::test]
async fn no_key_is_kept() {
    let engine = StorageEngine::open(CacheOptions::default().over(Memory::new())).await.unwrap();
    let record = KeyRecord {
        id: "identity".to_owned(),
        key: SecretBytes::new(vec![7; 32]),
        created_at: Timestamp::from_millis(0),
    };
    engine.save_key(&record).await.unwrap();
    let before = engine.stats().await.unwrap().cache.unwrap();
    for _ in 0..3 {
        assert_eq!(engine.key("identity").await.unwrap(), Some(record.clone()));
    }
    let counters = engine.stats().await.unwrap().cache.unwrap();
    assert_eq!((counters.hits, counters.misses), (before.hits, before.misses));
    assert_eq!(counters.bypasses, before.bypasses + 3);
    assert_eq!(counters.entries, before.entries);
}

#[tokio::test]
async fn memory_is_bounded_by_entries_and_by_bytes() {
    let below = Arc::new(Memory::new());
    let batch = |value: &'static [u8]| {
        let writes = (0..5_000).map(|number| (key(&format!("key {number}")), Write::Put(value.into())));
        Batch { writes: writes.collect(), ..Batch::default() }
    };
    let mut options = CacheOptions::default();
    options.entries_max = 100;
    let few = options.over(below.clone());
    commit(&few, batch(&[7; 100])).await.unwrap();
    let mut options = CacheOptions::default();
    (options.entries_max, options.bytes_max) = (1_000_000, 64 << 10);
    let small = options.over(below.clone());
    for store in [&few, &small] {
        for number in 0..5_000 {
            value(store, &format!("key {number}")).await.unwrap();
        }
    }
    let (few, small) = (few.counters(), small.counters());
    assert!((50..=100).contains(&few.entries) && few.evictions > 0, "{few:?}");
    assert!((32 << 10..=64 << 10).contains(&small.bytes) && small.evictions > 0, "{small:?}");
    // What alone would take most of it is not kept.
    let one = options.over(Memory::new());
    commit(&one, put("large", &[7; 32 << 10])).await.unwrap();
    for _ in 0..2 {
        assert_eq!(value(&one, "large").await.unwrap().len(), 32 << 10);
    }
    assert_eq!((one.counters().entries, one.counters().hits), (0, 0));
}

#[tokio::test]
async fn a_cache_of_nothing_keeps_nothing() {
    for (entries_max, bytes_max) in [(0, 1 << 20), (1_000, 0)] {
        let mut options = CacheOptions::default();
        (options.entries_max, options.bytes_max) = (entries_max, bytes_max);
        let store = options.over(Memory::new());
        commit(&store, put("a", b"one")).await.unwrap();
        for _ in 0..2 {
            assert_eq!(value(&store, "a").await.unwrap(), "one");
        }
        assert_eq!((store.counters().entries, store.counters().bypasses), (0, 2));
    }
}

#[tokio::test]
async fn below_the_encryption_it_keeps_sealed_rows_and_works() {
    let cached = Arc::new(CacheOptions::default().over(Memory::new()));
    let encrypted = Arc::new(EncryptedOptions::default().create(cached.clone(), &unlock()).await.unwrap());
    let engine = StorageEngine::open(encrypted.clone()).await.unwrap();
    for number in ["1", "2", "3"] {
        engine.save_metadata(&metadata("device", number)).await.unwrap();
        assert_eq!(engine.metadata("device").await.unwrap(), Some(metadata("device", number)));
        assert_eq!(engine.metadata("device").await.unwrap(), Some(metadata("device", number)));
        encrypted.rotate().await.unwrap();
        encrypted.reseal(|_| {}).await.unwrap();
    }
    assert!(cached.counters().hits > 0);
}

#[tokio::test]
async fn what_another_handle_writes_is_seen_at_once_or_within_the_bound_that_was_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/chat.db", folder.path().display());
    let other = open(&url).await.unwrap();
    let exact = open(&url).cached(CacheOptions::default()).await.unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    let mut options = CacheOptions::default();
    (options.freshness, options.clock) = (Freshness::Stale { stale_ms_max: 100 }, clock.clone());
    let stale = open(&url).cached(options).await.unwrap();
    commit(&other, put("a", b"one")).await.unwrap();
    for store in [&exact, &stale] {
        for _ in 0..2 {
            assert_eq!(value(store, "a").await.unwrap(), "one");
            assert_eq!(value(store, "b").await, None);
        }
        assert_eq!(store.counters().hits, 2);
    }
    let mut batch = put("a", b"two");
    batch.writes.insert(key("b"), Write::Put("new".into()));
    commit(&other, batch).await.unwrap();
    assert_eq!(value(&exact, "a").await.unwrap(), "two");
    assert_eq!(value(&exact, "b").await.unwrap(), "new");
    assert_eq!(value(&stale, "a").await.unwrap(), "one");
    // A key that is not in memory is read below, and what was is then seen to be of another time: an answer has one revision.
    let rows = stale.get(&[key("a"), key("c")]).await.unwrap().rows;
    assert_eq!(rows[0].as_ref().unwrap().content, Content::Value("two".into()));
    assert_eq!(value(&stale, "b").await.unwrap(), "new");

    // The bound.
    let third = commit(&other, put("a", b"three")).await.unwrap();
    clock.set(Timestamp::from_millis(1_099));
    assert_eq!(value(&stale, "a").await.unwrap(), "two");
    // A snapshot is exact, and who has seen it sees nothing older later.
    let snapshot = stale.snapshot().await.unwrap();
    assert_eq!((snapshot.revision(), value(&*snapshot, "a").await.unwrap()), (third, "three".into()));
    assert_eq!(value(&stale, "a").await.unwrap(), "three");
    let fourth = commit(&other, put("a", b"four")).await.unwrap();
    clock.set(Timestamp::from_millis(999));
    assert_eq!(value(&stale, "a").await.unwrap(), "four", "from before the last look, a clock tells nothing");
    // Who is told of a change sees it.
    commit(&other, put("a", b"five")).await.unwrap();
    assert_eq!(value(&stale, "a").await.unwrap(), "four");
    stale.changed(fourth).await.unwrap();
    assert_eq!(value(&stale, "a").await.unwrap(), "five");
    // One's own commits are seen at once, whatever others did before.
    commit(&other, put("b", b"newer")).await.unwrap();
    commit(&*stale, put("a", b"six")).await.unwrap();
    assert_eq!((value(&stale, "a").await.unwrap(), value(&stale, "b").await.unwrap()), ("six".into(), "newer".into()));
}

#[tokio::test]
async fn a_transaction_that_was_led_astray_runs_again_on_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/chat.db", folder.path().display());
    let mut options = CacheOptions::default();
    options.freshness = Freshness::Stale { stale_ms_max: u64::MAX };
    options.clock = Arc::new(ManualClock::default());
    let stale = StorageEngine::open(open(&url).cached(options).await.unwrap()).await.unwrap();
    let other = Database::open(open(&url).await.unwrap(), engine::schema()).await.unwrap();
    let count = |number: u32| metadata("count", &number.to_string());
    stale.save_metadata(&count(0)).await.unwrap();
    for number in (1..20).step_by(2) {
        stale.metadata("count").await.unwrap();
        other.put(&count(number)).await.unwrap();
        stale.save_metadata(&count(number + 1)).await.unwrap();
        assert_eq!(stale.metadata("count").await.unwrap(), Some(count(number + 1)));
        assert_eq!(other.get(&Metadata::key("count")).await.unwrap(), Some(count(number + 1)));
    }
}

#[tokio::test]
async fn the_engine_is_opened_with_a_cache_by_number_or_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("redb:{}/chat.redb", folder.path().display());
    for (builder, has) in [
        (StorageEngine::builder(&url).unlock(unlock()), false),
        (StorageEngine::builder(&url).unlock(unlock()).cache_entries(10), true),
        (StorageEngine::builder(&url).unlock(unlock()).cache_bytes(1 << 20), true),
    ] {
        let engine = builder.open().await.unwrap();
        engine.save_metadata(&metadata("device", "1")).await.unwrap();
        for _ in 0..3 {
            engine.metadata("device").await.unwrap();
        }
        let cache = engine.stats().await.unwrap().cache;
        assert_eq!(cache.is_some_and(|counters| counters.hits >= 2), has, "{cache:?}");
        engine.close().await.unwrap();
    }
}

/// Does what is committed, and does not say so: now and then.
#[derive(Debug)]
struct Silent(std::sync::atomic::AtomicU8);

const TELLS: u8 = 0;
const UNKNOWN: u8 = 1;
const PANICS: u8 = 2;

#[async_trait::async_trait]
impl Twist for Silent {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let outcomes = inner.commit(batches).await;
        match self.0.load(std::sync::atomic::Ordering::SeqCst) {
            TELLS => outcomes,
            UNKNOWN => Err(strongroom::Error::new(ErrorKind::CommitUnknown, "the connection is gone")),
            _ => panic!("the store panics"),
        }
    }
}

#[tokio::test]
async fn while_nobody_knows_what_happened_nothing_is_answered_from_memory() {
    use futures_util::FutureExt;
    for silence in [UNKNOWN, PANICS] {
        let silent = Arc::new(Silent(TELLS.into()));
        let store: Cached<Twisted<Silent>> =
            CacheOptions::default().over(Twisted::new(Arc::new(Memory::new()), silent.clone()));
        commit(&store, put("a", b"one")).await.unwrap();
        commit(&store, put("b", b"one")).await.unwrap();
        for name in ["a", "b"] {
            value(&store, name).await;
        }
        silent.0.store(silence, std::sync::atomic::Ordering::SeqCst);
        let unknown = std::panic::AssertUnwindSafe(commit(&store, put("a", b"two"))).catch_unwind().await;
        assert!(unknown.is_err() || unknown.unwrap().unwrap_err().kind() == ErrorKind::CommitUnknown);
        silent.0.store(TELLS, std::sync::atomic::Ordering::SeqCst);
        let before = store.counters();
        for _ in 0..2 {
            assert_eq!(value(&store, "a").await.unwrap(), "two");
            assert_eq!(value(&store, "b").await.unwrap(), "one");
        }
        let after = store.counters();
        assert_eq!((after.hits, after.bypasses), (before.hits, before.bypasses + 4));
        // A later commit shows that the store has gone on.
        commit(&store, put("c", b"one")).await.unwrap();
        for _ in 0..2 {
            assert_eq!(value(&store, "a").await.unwrap(), "two");
        }
        assert_eq!(store.counters().hits, after.hits + 1);
    }
}

#[tokio::test]
async fn a_range_that_is_dropped_and_rows_that_are_stamped_are_read_as_they_are() {
    let store = CacheOptions::default().over(Memory::new());
    let first = commit(&store, put("a", b"one")).await.unwrap();
    let next = KeyPrefix(key("log")).stamp(first.next());
    assert_eq!(store.get(&[key("a"), next.clone()]).await.unwrap().rows.iter().flatten().count(), 1);
    let stamped = vec![(KeyPrefix(key("log")), Bytes::from_static(b"entry"))];
    assert_eq!(commit(&store, Batch { stamped, ..Batch::default() }).await.unwrap(), first.next());
    assert_eq!(store.get(&[key("a"), next.clone()]).await.unwrap().rows.iter().flatten().count(), 2);
    store.drop_range(&KeyRange::ALL, &[]).await.unwrap();
    assert_eq!(store.get(&[key("a"), next]).await.unwrap().rows.iter().flatten().count(), 0);
}
