//! Futures that are dropped, at every poll: the store goes on, and no connection keeps a transaction open.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::BoxFuture;
use strongroom_core::store::{Batch, Guard, KeyRange, Read, Revision, Store};
use strongroom_sqlite::{Sqlite, SqliteOptions};

use crate::support::{commit, everything, guard, key, rows, run};

/// Polls so many times, each after the first when it was woken; gives whether it was done by then.
async fn poll_times<T>(future: impl Future<Output = T>, times: usize) -> bool {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

type Call = for<'a> fn(&'a Sqlite) -> BoxFuture<'a, ()>;

/// Drops a call after every number of polls that it takes, each time on a store that has no connections yet and on one
/// that has.
fn dropped_at_every_poll(call: Call) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        let options = || SqliteOptions { readers_max: 2, busy_timeout_ms: 60_000, ..SqliteOptions::default() };
        let mut cut = 0;
        for polls in 0.. {
            let store = options().open(&path).await.unwrap();
            let new = poll_times(call(&store), polls).await;
            let used = poll_times(call(&store), polls).await;
            // The next who comes finds the store as it should be.
            let revision = commit(&store, rows("a", 300, 100)).await;
            let page = store.scan(&everything()).await.unwrap();
            // A commit or a removal that was dropped is done all the same, before or after, and whole.
            assert!(page.as_of >= revision && !page.more);
            assert!(page.entries.iter().all(|entry| entry.revision == page.as_of), "after {polls} polls");
            assert!([0, 300].contains(&page.entries.len()));
            assert!(store.snapshot().await.unwrap().revision() >= page.as_of);
            // This needs every transaction, also one that only reads, to have ended.
            store.compact().await.unwrap();
            store.close().await.unwrap();
            if new && used {
                break;
            }
            cut += 1;
        }
        assert!(cut >= 2, "it was never dropped in the middle");
    });
}

#[test]
fn a_get() {
    dropped_at_every_poll(|store| {
        Box::pin(async {
            store.get(&[key("a000001"), key("a000002")]).await.unwrap();
        })
    });
}

#[test]
fn a_scan() {
    dropped_at_every_poll(|store| {
        Box::pin(async {
            store.scan(&everything()).await.unwrap();
        })
    });
}

#[test]
fn a_summary() {
    dropped_at_every_poll(|store| {
        Box::pin(async {
            store.summarize(&KeyRange::ALL).await.unwrap();
        })
    });
}

#[test]
fn a_snapshot_and_its_reads() {
    dropped_at_every_poll(|store| {
        Box::pin(async {
            let snapshot = store.snapshot().await.unwrap();
            snapshot.get(&[key("a000001")]).await.unwrap();
            snapshot.scan(&everything()).await.unwrap();
            snapshot.summarize(&KeyRange::ALL).await.unwrap();
        })
    });
}

#[test]
fn a_commit() {
    dropped_at_every_poll(|store| {
        Box::pin(async {
            let range = Guard::Range { range: KeyRange::prefix(b"z"), as_of: Revision::ZERO, rows: 0 };
            let guards = vec![guard("none", None), range];
            commit(store, Batch { guards, ..rows("a", 300, 100) }).await;
        })
    });
}

#[test]
fn a_drop_of_a_range() {
    dropped_at_every_poll(|store| {
        Box::pin(async {
            store.drop_range(&KeyRange::prefix(b"a"), &[guard("none", None)]).await.unwrap();
        })
    });
}

#[test]
fn a_compaction() {
    dropped_at_every_poll(|store| {
        Box::pin(async {
            store.compact().await.unwrap();
        })
    });
}

#[test]
fn who_waits_for_a_change_can_be_dropped() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = Sqlite::open(folder.path().join("store.db")).await.unwrap();
        for polls in 0..50 {
            assert!(!poll_times(store.changed(Revision(polls)), polls as usize % 2).await);
            let change = store.changed(Revision(polls));
            commit(&store, rows("a", 1, 1)).await;
            assert_eq!(change.await.unwrap(), Revision(polls + 1));
        }
        store.close().await.unwrap();
    });
}
