//! What the store holds on to stays bounded: the log, snapshots, connections.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use strongroom_core::store::{KeyRange, Read, Store};
use strongroom_core::{ErrorKind, ManualClock, Timestamp};
use strongroom_sqlite::{Sqlite, SqliteOptions};

use crate::support::{batch, commit, page, put, rows, run};

/// What a log may take that is emptied after every 1,000 pages and keeps 8 MiB, with commits of 1 MiB.
const LOG_BYTES_MAX: u64 = 10 << 20;

fn log_bytes(path: &Path) -> u64 {
    std::fs::metadata(path.with_file_name("store.db-wal")).map_or(0, |found| found.len())
}

/// Writes another 1 MiB over the same rows so many times; gives the most that the log took.
async fn write_over(store: &Sqlite, path: &Path, times: usize) -> u64 {
    let mut most = 0;
    for round in 0..times {
        let value = vec![round.to_le_bytes()[0] + 1; 4_096];
        commit(store, batch((0..256).map(|number| (format!("a{number:06}"), put(&value))))).await;
        most = most.max(log_bytes(path));
    }
    most
}

#[test]
fn the_log_is_bounded_while_others_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        let store = Arc::new(Sqlite::open(&path).await.unwrap());
        assert!(write_over(&store, &path, 40).await <= LOG_BYTES_MAX);
        let ended = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (store, ended) = (store.clone(), ended.clone());
                tokio::spawn(async move {
                    while !ended.load(Ordering::Relaxed) {
                        assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap().rows, 256);
                        assert_eq!(page(&*store.snapshot().await.unwrap()).await.entries.len(), 256);
                    }
                })
            })
            .collect();
        let most = write_over(&store, &path, 60).await;
        ended.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        assert!(most <= 3 * LOG_BYTES_MAX, "{most} bytes of log");
        store.close().await.unwrap();
    });
}

#[test]
fn a_snapshot_that_expires_frees_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let store = SqliteOptions { clock: clock.clone(), ..SqliteOptions::default() }.open(&path).await.unwrap();
        commit(&store, rows("a", 256, 4_096)).await;
        let held = store.snapshot().await.unwrap();
        let before = page(&*held).await;
        let most = write_over(&store, &path, 30).await;
        assert!(most > 25 << 20, "a snapshot keeps the log: {most} bytes");
        assert!(page(&*held).await == before);

        // Past its age the next commit lets it go; the log is emptied by the one after, and cut when it begins again.
        clock.set(Timestamp::from_millis(60_000));
        write_over(&store, &path, 12).await;
        assert!(log_bytes(&path) <= LOG_BYTES_MAX, "{} bytes of log", log_bytes(&path));
        assert_eq!(held.get(&[]).await.unwrap_err().kind(), ErrorKind::SnapshotExpired);
        assert!(store.usage().await.unwrap().bytes <= LOG_BYTES_MAX + (4 << 20));
        store.close().await.unwrap();
    });
}

/// Nobody calls the handle that has the snapshot, while another one writes.
#[test]
fn a_snapshot_of_an_idle_handle_expires_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let options = SqliteOptions { clock: clock.clone(), ..SqliteOptions::default() };
        let (idle, writer) = (options.clone().open(&path).await.unwrap(), options.open(&path).await.unwrap());
        commit(&idle, rows("a", 256, 4_096)).await;
        let held = idle.snapshot().await.unwrap();
        assert!(write_over(&writer, &path, 20).await > LOG_BYTES_MAX, "a snapshot keeps the log");
        clock.set(Timestamp::from_millis(60_000));
        let freed = async { while write_over(&writer, &path, 4).await > LOG_BYTES_MAX {} };
        tokio::time::timeout(std::time::Duration::from_secs(120), freed).await.expect("the log is emptied");
        assert_eq!(held.get(&[]).await.unwrap_err().kind(), ErrorKind::SnapshotExpired);
        // The next snapshot is looked after as well.
        let again = idle.snapshot().await.unwrap();
        clock.set(Timestamp::from_millis(120_000));
        write_over(&writer, &path, 20).await;
        let freed = async { while write_over(&writer, &path, 4).await > LOG_BYTES_MAX {} };
        tokio::time::timeout(std::time::Duration::from_secs(120), freed).await.expect("the log is emptied again");
        drop((held, again));
        idle.close().await.unwrap();
        writer.close().await.unwrap();
    });
}
