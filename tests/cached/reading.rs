//! What is kept, what is counted and how it is bounded.

use std::sync::Arc;

use bytes::Bytes;
use strongroom::Timestamp;
use strongroom::cache::CacheOptions;
use strongroom::encryption::EncryptedOptions;
use strongroom::engine::{KeyRecord, SecretBytes, StorageEngine, StorageEngineExt};
use strongroom::memory::Memory;
use strongroom::store::{Batch, KeyPrefix, KeyRange, Read, Store, Write};

use crate::{commit, key, metadata, put, unlock, value};

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
#[tokio::test]
async fn a_number_of_entries_is_a_bound_whatever_the_bytes() {
    let below = Arc::new(Memory::new());
    let writes = (0..5_000).map(|number| (key(&format!("key {number}")), Write::Put("x".into())));
    commit(&below, Batch { writes: writes.collect(), ..Batch::default() }).await.unwrap();
    let mut options = CacheOptions::default();
    (options.entries_max, options.bytes_max) = (10, u64::MAX);
    let store = options.over(below);
    for number in 0..5_000 {
        value(&store, &format!("key {number}")).await.unwrap();
    }
    let counters = store.counters();
    assert!(counters.entries <= 10, "{counters:?}");
}
