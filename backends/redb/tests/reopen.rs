//! What a store finds when it is opened again, and giving space back.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use strongroom_core::store::{
    Batch, Durability, Entry, Fetch, KeyRange, Limits, LinkTo, Outcome, Read, Revision, Scan, Sharing, Store,
    StoredKey, Write,
};
use strongroom_core::{ErrorKind, ManualClock, Timestamp};
use strongroom_redb::{Redb, RedbOptions};
use tempfile::TempDir;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    (folder, path)
}

fn key(name: &str) -> StoredKey {
    StoredKey::from(name.as_bytes().to_vec())
}

fn batch(writes: impl IntoIterator<Item = (String, Write)>) -> Batch {
    let writes = writes.into_iter().map(|(name, write)| (key(&name), write)).collect();
    Batch { writes, ..Batch::default() }
}

fn rows(count: usize, bytes: usize) -> Batch {
    batch((0..count).map(|row| (format!("{row:06}"), Write::Put(vec![row as u8; bytes].into()))))
}

async fn commit(store: &Redb, batch: Batch) -> Revision {
    match store.commit(vec![batch]).await.unwrap().as_slice() {
        [Outcome::Committed(revision)] => *revision,
        other => panic!("{other:?}"),
    }
}

async fn all(store: &dyn Read) -> Vec<Entry> {
    let scan =
        Scan { range: KeyRange::ALL, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Targets };
    store.scan(&scan).await.unwrap().entries
}

#[test]
fn a_reopened_store_is_equal() {
    let (_folder, path) = place();
    run(async {
        let mut expected = Vec::new();
        for round in 0..6 {
            let store = Redb::open(&path).unwrap();
            assert_eq!(all(&store).await, expected);
            let before = store.summarize(&KeyRange::ALL).await.unwrap().as_of;
            assert_eq!(before, Revision(round * 2));
            let links = [
                (format!("link {round}"), Write::Link(LinkTo::Suffix(5))),
                (format!("{round}"), Write::Put("target".into())),
                (format!("key {round}"), Write::Link(LinkTo::Key(key("elsewhere")))),
            ];
            assert_eq!(commit(&store, batch(links)).await, before.next());
            commit(&store, rows(100, 10)).await;
            expected = all(&store).await;
            // With a snapshot and without; closed, or only dropped.
            let snapshot = store.snapshot().await.unwrap();
            if round % 2 == 0 {
                drop(snapshot);
            }
            if round % 3 == 0 {
                store.close().await.unwrap();
            }
        }
    });
}

#[test]
fn a_commit_in_the_queue_is_done_before_the_store_closes() {
    let (_folder, path) = place();
    run(async {
        for (round, drop_only) in [(0, false), (1, true)] {
            let store = Redb::open(&path).unwrap();
            {
                let mut forgotten = pin!(store.commit(vec![batch([(format!("{round}"), Write::Put("".into()))])]));
                poll_once(&mut forgotten);
            }
            if !drop_only {
                store.close().await.unwrap();
            }
        }
        assert_eq!(all(&Redb::open(&path).unwrap()).await.len(), 2);
    });
}

#[test]
fn a_store_says_what_it_is() {
    let (_folder, path) = place();
    run(async {
        let store = Redb::open(&path).unwrap();
        let info = store.info();
        assert_eq!((info.name, info.sharing, info.durability), ("redb", Sharing::Exclusive, Durability::Power));
        assert_eq!(info.limits, Limits::default());
        assert_eq!(store.usage().await.unwrap().bytes, std::fs::metadata(&path).unwrap().len());
    });
}

#[test]
fn the_largest_rows_are_kept() {
    let (_folder, path) = place();
    run(async {
        let limits = Limits::default();
        let name = StoredKey::from(vec![b'k'; limits.key_bytes_max]);
        let value = vec![7; limits.value_bytes_max];
        let writes = [(name.clone(), Write::Put(value.clone().into()))].into();
        let store = Redb::open(&path).unwrap();
        commit(&store, Batch { writes, ..Batch::default() }).await;
        drop(store);
        let entries = all(&Redb::open(&path).unwrap()).await;
        assert_eq!(entries[0].key, name);
        assert!(matches!(&entries[0].content, Some(strongroom_core::store::Content::Value(found)) if *found == value));
    });
}

#[test]
fn compaction_gives_space_back_and_changes_nothing() {
    let (_folder, path) = place();
    run(async {
        let clock = std::sync::Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let limits = Limits { snapshot_age_ms_max: 10, ..Limits::default() };
        let store = RedbOptions { clock: clock.clone(), limits, ..RedbOptions::default() }.open(&path).unwrap();
        commit(&store, rows(8_000, 1_000)).await;
        store
            .drop_range(
                &KeyRange { start: std::ops::Bound::Included(key("000100")), end: std::ops::Bound::Unbounded },
                &[],
            )
            .await
            .unwrap();
        let expected = all(&store).await;
        assert_eq!(expected.len(), 100);

        let snapshot = store.snapshot().await.unwrap();
        assert_eq!(store.compact().await.unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(all(&store).await, expected, "refused, nothing has changed");
        // Past its age a snapshot is in nobody's way.
        clock.set(Timestamp::from_millis(10));
        let (compacted, read, committed) = tokio::join!(store.compact(), all(&store), commit(&store, Batch::default()));
        let compacted = compacted.unwrap();
        assert_eq!((read, committed), (expected.clone(), Revision(2)));
        assert!(compacted.bytes_before > 8_000_000 && compacted.bytes_after < 1_000_000, "{compacted:?}");
        assert_eq!(store.usage().await.unwrap().bytes, compacted.bytes_after);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), compacted.bytes_after);
        assert_eq!(snapshot.get(&[]).await.unwrap_err().kind(), ErrorKind::SnapshotExpired);

        assert_eq!(commit(&store, rows(1, 1)).await, Revision(3));
        store.snapshot().await.unwrap();
        store.close().await.unwrap();
        assert_eq!(all(&Redb::open(&path).unwrap()).await.len(), 100);
    });
}

#[test]
fn compaction_waits_for_a_read_that_has_begun() {
    let (_folder, path) = place();
    run(async {
        let store = Redb::open(&path).unwrap();
        commit(&store, rows(3_000, 10)).await;
        let mut reading = Box::pin(all(&store));
        assert!(!poll_once(&mut reading), "it has begun, and holds its view");
        let (compacted, read) = tokio::join!(store.compact(), reading);
        compacted.unwrap();
        assert_eq!(read.len(), 3_000);
        // The same, but nobody ever finishes the read.
        let mut reading = Box::pin(all(&store));
        assert!(!poll_once(&mut reading));
        let mut compacting = Box::pin(store.compact());
        assert!(!poll_once(&mut compacting));
        drop(reading);
        compacting.await.unwrap();
    });
}

#[test]
fn closing_ends_a_read_that_has_begun() {
    let (_folder, path) = place();
    run(async {
        let store = Redb::open(&path).unwrap();
        commit(&store, rows(9_000, 100)).await;
        let scan =
            Scan { range: KeyRange::ALL, reverse: false, limit: 10_000, max_bytes: usize::MAX, fetch: Fetch::Values };
        let mut reading = store.scan(&scan);
        assert!(!poll_once(&mut reading));
        store.close().await.unwrap();
        let reopened = Redb::open(&path).unwrap();
        // What lay in memory may still be given; nothing else is.
        match reading.await {
            Ok(page) => assert_eq!(page.entries.len(), 9_000),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Closed, "{error}"),
        }
        assert_eq!(all(&reopened).await.len(), 9_000);
    });
}

#[test]
fn what_nobody_sees_any_more_takes_no_space() {
    let (_folder, path) = place();
    run(async {
        let clock = std::sync::Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let limits = Limits { snapshot_age_ms_max: 10, ..Limits::default() };
        let store = RedbOptions { clock: clock.clone(), limits, ..RedbOptions::default() }.open(&path).unwrap();
        let overwrite = async || {
            for _ in 0..40 {
                commit(&store, rows(300, 1_000)).await;
            }
            store.usage().await.unwrap().bytes
        };
        let settled = overwrite().await;
        assert_eq!(overwrite().await, settled, "overwriting the same rows takes no more space");
        let snapshot = store.snapshot().await.unwrap();
        let held = overwrite().await;
        assert!(held > settled * 2, "what a snapshot may still read is kept: {settled}, {held}");
        clock.set(Timestamp::from_millis(10));
        assert_eq!(overwrite().await, held, "a snapshot past its age holds nothing, though its handle still exists");
        drop(snapshot);
    });
}
