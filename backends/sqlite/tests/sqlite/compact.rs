//! Giving space back.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};
use strongroom_core::ErrorKind;
use strongroom_core::store::{KeyRange, Read, Store};
use strongroom_sqlite::SqliteOptions;

use crate::support::{commit, page, rows, run};

#[test]
fn what_was_removed_is_given_back_unless_somebody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    run(async {
        let store = SqliteOptions { busy_timeout_ms: 20, ..SqliteOptions::default() }.open(&path).await.unwrap();
        commit(&store, rows("a", 2_000, 1_000)).await;
        commit(&store, rows("b", 20, 1_000)).await;
        store.drop_range(&KeyRange::prefix(b"a"), &[]).await.unwrap();

        let held = store.snapshot().await.unwrap();
        let error = store.compact().await.unwrap_err();
        assert!(error.kind() == ErrorKind::Busy && error.to_string().contains("1 snapshots are open"), "{error}");
        drop(held);

        // Another program that reads keeps the log as it is; what was there is there all the same.
        let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        other.execute("BEGIN; SELECT count(*) FROM rows").await.unwrap();
        assert_eq!(store.compact().await.unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(page(&store).await.entries.len(), 20);
        commit(&store, rows("b", 20, 1_000)).await;
        other.execute("ROLLBACK").await.unwrap();

        // The snapshot's connection may take a moment to end its transaction.
        let compaction = loop {
            match store.compact().await {
                Err(error) if error.kind() == ErrorKind::Busy => tokio::task::yield_now().await,
                compaction => break compaction.unwrap(),
            }
        };
        assert!(compaction.bytes_after < 200_000 && compaction.bytes_before > 2_000_000, "{compaction:?}");
        assert_eq!(store.usage().await.unwrap().bytes, compaction.bytes_after);
        let again = store.compact().await.unwrap();
        assert!(again.bytes_after <= again.bytes_before);
        assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap().rows, 20);
        assert_eq!(commit(&store, rows("c", 1, 1)).await.0, 5);
        store.close().await.unwrap();
    });
}
