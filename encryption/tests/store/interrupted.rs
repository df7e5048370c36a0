//! A sweep that is dropped at any of its awaits is finished by the next one.

use std::sync::Arc;

use strongroom_core::SystemClock;
use strongroom_core::store::{Limits, Store};
use strongroom_memory::{Memory, MemoryOptions};

use crate::store::support::{Layer, content, key_ids, open, options, own, put, raw_key, value};
use crate::store::yielding::{Yielding, poll_at_most};

const VALUES: u32 = 14;

/// A store whose sweep takes a few rows at a time, in the middle of a rotation; and the store below.
async fn in_rotation() -> (Layer, Arc<dyn Store>) {
    let limits = Limits { batch_guards_max: 9, page_entries_max: 5, ..Limits::default() };
    let raw: Arc<dyn Store> = Arc::new(Memory::with_options(MemoryOptions { limits, clock: Arc::new(SystemClock) }));
    let layer = options().create(Arc::new(Yielding(raw.clone())) as Arc<dyn Store>, &raw_key(7)).await.unwrap();
    for number in 0..VALUES {
        put(&layer, number, format!("value {number}")).await;
    }
    layer.rotate().await.unwrap();
    (layer, raw)
}

/// All is under the new key, which is the only one.
async fn check(layer: &Layer, raw: &Arc<dyn Store>) {
    assert!(key_ids(&**raw).await.iter().all(|(_, id)| *id == 2));
    assert_eq!(content(&**raw, own("sweep")).await, None);
    for layer in [layer, &open(raw).await.unwrap()] {
        for number in 0..VALUES {
            assert_eq!(value(layer, number).await, Some(format!("value {number}").into()));
        }
        let again = layer.reseal(|_| {}).await.unwrap();
        assert_eq!((again.progress.resealed, again.retired.len(), again.kept.len()), (0, 0, 0));
    }
}

#[tokio::test]
async fn at_every_await_once() {
    let mut polls = 1;
    loop {
        let (layer, raw) = in_rotation().await;
        let whole = poll_at_most(polls, layer.reseal(|_| {})).await.is_some();
        // Beside it, others write.
        put(&layer, 0, "value 0").await;
        layer.reseal(|_| {}).await.unwrap();
        check(&layer, &raw).await;
        if whole {
            break;
        }
        polls += 1;
    }
    assert!(polls > 20, "it awaits {polls} times");
}

/// By another process, which knows of the first sweep only what it left in the store.
#[tokio::test]
async fn and_finished_by_another() {
    for polls in [4, 9, 14, 19, 24] {
        let (layer, raw) = in_rotation().await;
        assert!(poll_at_most(polls, layer.reseal(|_| {})).await.is_none());
        drop(layer);
        let other = open(&raw).await.unwrap();
        let mut looked_at = 0;
        other.reseal(|progress| looked_at = progress.rows).await.unwrap();
        assert!(looked_at <= u64::from(VALUES), "what was done is not done again");
        check(&other, &raw).await;
    }
}

#[tokio::test]
async fn again_and_again() {
    let (layer, raw) = in_rotation().await;
    // Just enough for one step of the sweep, or for the look at all rows.
    let mut calls = 0;
    while poll_at_most(24, layer.reseal(|_| {})).await.is_none() {
        calls += 1;
        assert!(calls < 50, "it does not get on");
    }
    assert!(calls > 0);
    check(&layer, &raw).await;
}

/// A rotation is one row: dropped, it happened or it did not.
#[tokio::test]
async fn a_rotation_is_whole() {
    for polls in 1..10 {
        let (layer, raw) = in_rotation().await;
        drop(poll_at_most(polls, layer.rotate()).await);
        put(&layer, 0, "value 0").await;
        let current = key_ids(&*raw).await.into_iter().map(|(_, id)| id).max().unwrap();
        assert!((2..=3).contains(&current));
        layer.reseal(|_| {}).await.unwrap();
        assert!(key_ids(&*raw).await.iter().all(|(_, id)| *id == current));
        assert_eq!(value(&open(&raw).await.unwrap(), 0).await, Some("value 0".into()));
    }
}
