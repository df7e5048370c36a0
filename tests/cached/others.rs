//! What others write: other handles of one file, as other processes would be.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use strongroom::cache::{CacheOptions, Freshness};
use strongroom::encryption::EncryptedOptions;
use strongroom::engine::{self, Metadata, StorageEngine};
use strongroom::store::{Batch, Content, Guard, Outcome, Read, Revision, Rows, Store, StoredKey, Write};
use strongroom::{Database, ManualClock, Result, Timestamp, open};
use strongroom_conformance::twist::{Twist, Twisted};

use crate::gate::Gate;
use crate::{all, commit, key, metadata, put, stale, unlock, value};

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
async fn what_a_scan_has_shown_a_get_does_not_hide() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/chat.db", folder.path().display());
    let other = open(&url).await.unwrap();
    let store = stale().over(open(&url).await.unwrap());
    assert_eq!(value(&store, "a").await, None);
    commit(&*other, put("a", b"one")).await.unwrap();
    let page = store.scan(&all()).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    let rows = store.get(&[key("a")]).await.unwrap();
    assert!(rows.as_of >= page.as_of && rows.rows[0].is_some(), "scan at {}, then {rows:?}", page.as_of);
}

#[tokio::test]
async fn below_the_encryption_what_a_scan_has_shown_of_others_is_not_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/chat.db", folder.path().display());
    let other = open(&url).encrypted(unlock()).await.unwrap();
    let cached = Arc::new(stale().over(open(&url).await.unwrap()));
    let own = EncryptedOptions::default().open(cached.clone(), &unlock()).await.unwrap();
    other.rotate().await.unwrap();
    commit(&*other, put("a", b"one")).await.unwrap();
    let page = own.scan(&all()).await.unwrap();
    assert_eq!(page.entries[0].content, Some(Content::Value("one".into())));
}

/// Holds `get`s without keys, after they were answered, while it is closed.
#[derive(Debug, Default)]
struct HoldAsking(Gate);
#[async_trait::async_trait]
impl Twist for HoldAsking {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let rows = inner.get(keys).await;
        if keys.is_empty() {
            self.0.pass().await;
        }
        rows
    }
}

#[tokio::test]
async fn a_late_answer_does_not_undo_that_the_store_has_to_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/chat.db", folder.path().display());
    let other = open(&url).encrypted(unlock()).await.unwrap();
    let hold = Arc::new(HoldAsking::default());
    let clock = Arc::new(ManualClock::default());
    let mut options = stale();
    options.freshness = Freshness::Stale { stale_ms_max: 100 };
    options.clock = clock.clone();
    let store = Arc::new(options.over(Twisted::new(open(&url).await.unwrap(), hold.clone())));
    commit(&*other, put("k", b"v")).await.unwrap();
    store.get(&[key("k")]).await.unwrap();
    clock.set(strongroom::Timestamp::from_millis(1_000));
    // One asks, and its answer is long under way.
    hold.0.closed.store(true, SeqCst);
    let asking = tokio::spawn({
        let store = store.clone();
        async move { store.get(&[key("k")]).await }
    });
    while hold.0.held.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // Another process writes; a commit of ours meets that in its guard.
    commit(&*other, put("k", b"newer")).await.unwrap();
    let guarded = Batch { guards: vec![Guard::Key { key: key("k"), revision: Some(Revision(1)) }], ..put("x", b"x") };
    assert!(matches!(store.commit(vec![guarded]).await.unwrap()[0], Outcome::Conflict { .. }));
    hold.0.closed.store(false, SeqCst);
    asking.await.unwrap().unwrap();
    commit(&*other, put("k", b"newest")).await.unwrap();
    let third = other.get(&[key("k")]).await.unwrap().rows[0].clone().unwrap().revision;
    // It was said that the store is asked before the next answer.
    let row = store.get(&[key("k")]).await.unwrap().rows[0].clone().unwrap();
    assert_eq!(row.revision, third);
}
