//! Connections are used again, and their number is bounded.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

#[path = "sqlite/support.rs"]
mod support;

use std::sync::Arc;

use strongroom_core::store::{KeyRange, Limits, Read, Revision, Store};
use strongroom_core::{ErrorKind, Limit};
use strongroom_sqlite::SqliteOptions;
use support::{commit, rows, run};

/// Threads of this process; one a connection. So this test is alone in its process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn connections_are_used_again_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let limits = Limits { snapshots_max: 40, ..Limits::default() };
        let options = SqliteOptions { readers_max: 3, limits, ..SqliteOptions::default() };
        let store = Arc::new(options.open(folder.path().join("store.db")).await.unwrap());
        commit(&*store, rows("a", 100, 100)).await;
        let idle = threads();
        // Reads beyond those at one time wait.
        let reads = futures_util::future::join_all((0..200).map(|_| store.summarize(&KeyRange::ALL)));
        assert!(reads.await.iter().all(|summary| summary.as_ref().unwrap().rows == 100));
        assert!(threads() <= idle + 3);
        let held = futures_util::future::join_all((0..40).map(|_| store.snapshot())).await;
        let error = store.snapshot().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit(Limit::Snapshots));
        for snapshot in &held {
            assert_eq!(snapshot.as_ref().unwrap().revision(), Revision(1));
        }
        // Snapshots do not take the reads' turns.
        store.summarize(&KeyRange::ALL).await.unwrap();
        drop(held);
        for _ in 0..200 {
            store.snapshot().await.unwrap().get(&[]).await.unwrap();
        }
        store.close().await.unwrap();
        // A thread may take a moment to end.
        let wait = async {
            while threads() > idle {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("closed connections end");
    });
}
