//! Snapshots, their limits, and closing.

use std::pin::pin;

use strongroom_core::store::{Content, KeyRange, Limits, Revision, Row, Scan, Summary, Write};
use strongroom_core::{ErrorKind, Limit, Timestamp};

use super::{Make, batch, commit, everything, key, keys, poll_once, put, run};

pub(crate) fn a_snapshot_never_changes(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let empty = store.snapshot().await.unwrap();
        let first = commit(store, batch([("a", put("1")), ("b", put("1"))])).await;
        let snapshot = store.snapshot().await.unwrap();
        commit(store, batch([("a", put("2")), ("b", Write::Delete), ("c", put("2"))])).await;
        store.drop_range(&KeyRange::ALL, &[]).await.unwrap();

        assert_eq!((empty.revision(), snapshot.revision()), (Revision::ZERO, first));
        assert_eq!(empty.summarize(&KeyRange::ALL).await.unwrap().rows, 0);
        let rows = snapshot.get(&["a", "b", "c"].map(key)).await.unwrap();
        let one = || Some(Row { revision: first, content: Content::Value("1".into()) });
        assert_eq!((rows.as_of, rows.rows), (first, vec![one(), one(), None]));
        let page = snapshot.scan(&Scan { reverse: true, ..everything() }).await.unwrap();
        assert_eq!((page.as_of, keys(&page)), (first, vec![b"b".as_slice(), b"a"]));
        let summary = Summary { as_of: first, rows: 2, newest: first };
        assert_eq!(snapshot.summarize(&KeyRange::ALL).await.unwrap(), summary);
        assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap().rows, 0);
    });
}

pub(crate) fn the_number_of_snapshots_is_limited(make: Make) {
    let fixture = make(Limits { snapshots_max: 2, ..Limits::default() });
    run(async {
        let store = &*fixture.store;
        let first = store.snapshot().await.unwrap();
        let _second = store.snapshot().await.unwrap();
        let error = store.snapshot().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit(Limit::Snapshots));
        assert!(error.is_retryable());
        drop(first);
        store.snapshot().await.unwrap();
    });
}

pub(crate) fn a_snapshot_ends_at_its_age(make: Make) {
    let fixture = make(Limits { snapshots_max: 1, snapshot_age_ms_max: 1_000, ..Limits::default() });
    run(async {
        let store = &*fixture.store;
        let snapshot = store.snapshot().await.unwrap();
        fixture.clock.set(Timestamp::from_millis(999));
        assert!(snapshot.get(&[]).await.is_ok());
        assert!(store.snapshot().await.is_err());
        fixture.clock.set(Timestamp::from_millis(1_000));
        for error in [
            snapshot.get(&[]).await.unwrap_err(),
            snapshot.scan(&everything()).await.unwrap_err(),
            snapshot.summarize(&KeyRange::ALL).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::SnapshotExpired);
            assert!(error.is_retryable());
        }
        // It no longer counts, and does not end its successor.
        let next = store.snapshot().await.unwrap();
        drop(snapshot);
        assert!(next.get(&[]).await.is_ok());
    });
}

pub(crate) fn a_closed_store_answers_closed(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        commit(store, batch([("a", put("1"))])).await;
        let snapshot = store.snapshot().await.unwrap();
        store.close().await.unwrap();
        store.close().await.unwrap();
        let errors = [
            store.get(&[]).await.unwrap_err(),
            store.scan(&everything()).await.unwrap_err(),
            store.summarize(&KeyRange::ALL).await.unwrap_err(),
            store.snapshot().await.unwrap_err(),
            store.commit(vec![batch([("a", put("2"))])]).await.unwrap_err(),
            store.changed(Revision::ZERO).await.unwrap_err(),
            store.drop_range(&KeyRange::ALL, &[]).await.unwrap_err(),
            store.compact().await.unwrap_err(),
            store.usage().await.unwrap_err(),
            snapshot.get(&[]).await.unwrap_err(),
            snapshot.scan(&everything()).await.unwrap_err(),
            snapshot.summarize(&KeyRange::ALL).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
            assert_eq!(error.backend(), Some(store.info().name));
            assert!(error.operation().is_some());
        }
    });
}

pub(crate) fn close_ends_whoever_waits(make: Make) {
    let fixture = make(Limits::default());
    run(async {
        let store = &*fixture.store;
        let mut waiting = pin!(store.changed(Revision::ZERO));
        assert!(poll_once(&mut waiting).is_pending());
        store.close().await.unwrap();
        assert!(waiting.await.unwrap_err().is_closed());
    });
}
