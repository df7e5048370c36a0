//! What `info` says is accepted, is; what is one more, is not. The store below is at its own limits then.

use std::sync::Arc;

use strongroom_core::store::{Batch, Fetch, Guard, KeyRange, Limits, Outcome, Read, Scan, Store, StoredKey, Write};
use strongroom_core::{ErrorKind, Limit, SystemClock};
use strongroom_memory::{Memory, MemoryOptions};

use crate::store::support::{Layer, key, options, put_of, raw_key, value};

fn below() -> Limits {
    Limits {
        key_bytes_max: 64,
        value_bytes_max: 1_000,
        batch_writes_max: 10,
        batch_guards_max: 10,
        batch_bytes_max: 10_000,
        guard_rows_max: 20,
        page_entries_max: 10,
        get_keys_max: 10,
        ..Limits::default()
    }
}

async fn layer(padding: bool) -> Layer {
    let raw: Arc<dyn Store> =
        Arc::new(Memory::with_options(MemoryOptions { limits: below(), clock: Arc::new(SystemClock) }));
    let mut options = options();
    options.padding = padding;
    options.create(raw, &raw_key(7)).await.unwrap()
}

/// `None`: it happened.
async fn limit_of(layer: &Layer, batch: Batch) -> Option<Limit> {
    match layer.commit(vec![batch]).await.unwrap().pop().unwrap() {
        Outcome::Committed(_) => None,
        Outcome::Rejected(error) => match error.kind() {
            ErrorKind::Limit(limit) => Some(limit),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn values() {
    for padding in [true, false] {
        let layer = layer(padding).await;
        let max = layer.info().limits.value_bytes_max;
        assert!((900..1_000).contains(&max));
        for len in [0, 1, max - 1, max] {
            assert_eq!(limit_of(&layer, put_of(1, vec![7; len])).await, None, "{len}");
            assert_eq!(value(&layer, 1).await.unwrap().len(), len);
        }
        assert_eq!(limit_of(&layer, put_of(1, vec![7; max + 1])).await, Some(Limit::ValueBytes));
        assert_eq!(value(&layer, 1).await.unwrap().len(), max, "what was refused changed nothing");
    }
}

#[tokio::test]
async fn keys() {
    let layer = layer(true).await;
    let max = layer.info().limits.key_bytes_max;
    for (len, limit) in [(max - 1, None), (max, None), (max + 1, Some(Limit::KeyBytes))] {
        let writes = [(StoredKey::from(vec![1; len]), Write::Put("value".into()))].into();
        assert_eq!(limit_of(&layer, Batch { writes, ..Batch::default() }).await, limit);
    }
}

#[tokio::test]
async fn writes_and_bytes_of_a_batch() {
    for padding in [true, false] {
        let layer = layer(padding).await;
        let Limits { batch_writes_max: writes, batch_bytes_max: bytes, .. } = layer.info().limits;
        // As many values as there may be, as long as they may be together.
        for (count, total, limit) in [
            (writes - 1, bytes, None),
            (writes, bytes - 1, None),
            (writes, bytes, None),
            (writes, bytes + 1, Some(Limit::BatchBytes)),
            (writes, 0, None),
            (writes + 1, 0, Some(Limit::BatchWrites)),
        ] {
            let mut batch = Batch::default();
            let mut left = total;
            for number in 0..count {
                let share = left.saturating_sub(key(0).len()).min(total.div_ceil(count));
                let value = vec![7; share.saturating_sub(key(0).len())];
                // What the division left over goes to the last one.
                let value = if number + 1 == count { vec![7; left.saturating_sub(key(0).len())] } else { value };
                left = left.saturating_sub(value.len() + key(0).len());
                batch.writes.insert(key(number as u32), Write::Put(value.into()));
            }
            assert!(total == 0 || batch.bytes() == total);
            assert_eq!(limit_of(&layer, batch).await, limit, "{count} values of {total} bytes");
        }
    }
}

#[tokio::test]
async fn guards() {
    let layer = layer(true).await;
    let max = layer.info().limits.batch_guards_max;
    assert_eq!(max, below().batch_guards_max - 1, "one is the layer's");
    for (count, limit) in [(max - 1, None), (max, None), (max + 1, Some(Limit::BatchGuards))] {
        let guards = (0..count).map(|number| Guard::Key { key: key(100 + number as u32), revision: None }).collect();
        assert_eq!(limit_of(&layer, Batch { guards, ..put_of(1, "value") }).await, limit);
    }
}

#[tokio::test]
async fn reads() {
    let layer = layer(true).await;
    for number in 0..20 {
        assert_eq!(limit_of(&layer, put_of(number, "value")).await, None);
    }
    let Limits { get_keys_max, page_entries_max, .. } = layer.info().limits;
    for (count, fits) in [(get_keys_max - 1, true), (get_keys_max, true), (get_keys_max + 1, false)] {
        let keys: Vec<StoredKey> = (0..count as u32).map(key).collect();
        match layer.get(&keys).await {
            Ok(found) => assert!(fits && found.rows.iter().flatten().count() == count),
            Err(error) => assert!(!fits && error.kind() == ErrorKind::Limit(Limit::GetKeys)),
        }
    }
    for (limit, fits) in [(page_entries_max - 1, true), (page_entries_max, true), (page_entries_max + 1, false)] {
        let range = KeyRange::ALL;
        let scan = Scan { range, reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Values };
        match layer.scan(&scan).await {
            Ok(page) => assert!(fits && page.entries.len() == limit && page.more),
            Err(error) => assert!(!fits && error.kind() == ErrorKind::Limit(Limit::PageEntries)),
        }
    }
}

/// A sweep works within the limits of the store below, whatever they are.
#[tokio::test]
async fn a_sweep() {
    let layer = layer(true).await;
    let max = layer.info().limits.value_bytes_max;
    for number in 0..30 {
        assert_eq!(limit_of(&layer, put_of(number, vec![number as u8; max])).await, None);
    }
    layer.rotate().await.unwrap();
    let resealed = layer.reseal(|_| {}).await.unwrap();
    assert_eq!((resealed.progress.resealed, &resealed.retired[..]), (30, &[1][..]));
    for number in 0..30 {
        assert_eq!(value(&layer, number).await, Some(vec![number as u8; max].into()));
    }
}

#[tokio::test]
async fn what_is_asked_for_is_less_or_nothing() {
    let raw = crate::store::support::memory();
    let mut options = options();
    options.limits = Some(Limits { value_bytes_max: 100, get_keys_max: usize::MAX, ..Limits::default() });
    let layer = options.create(raw.clone(), &raw_key(7)).await.unwrap();
    let limits = layer.info().limits;
    assert_eq!((limits.value_bytes_max, limits.get_keys_max), (100, raw.info().limits.get_keys_max));
    assert_eq!(limit_of(&layer, put_of(1, vec![7; 100])).await, None);
    assert_eq!(limit_of(&layer, put_of(1, vec![7; 101])).await, Some(Limit::ValueBytes));
}
