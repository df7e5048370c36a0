//! A connection that is reset in a read, a snapshot, a wait for a change and an open.

use std::sync::Arc;
use std::time::Duration;

use strongroom_conformance_servers::{Moment, Postgres as Program, PostgresOptions as ProgramOptions, Proxy};
use strongroom_core::ErrorKind;
use strongroom_core::store::{KeyRange, Read as _, Revision, Store as _};
use strongroom_postgres::PostgresOptions;
use tokio::time::timeout;

use crate::resets::{LOST, lose_all, trusting};
use crate::site::{
    NAMESPACE, Site, checking, commit, failed, get, guarded, is_listened_to, keys, put, puts, run, scan, text, until,
    url_at,
};

pub(crate) fn reads_are_made_again() {
    run(async {
        let site = Site::new();
        let store = site.open().await;
        commit(&store, puts((0..5).map(|number| format!("row/{number}")))).await.unwrap();
        let statements = ["r.key = ANY($2)", "SELECT n.revision, r.*", "SELECT n.revision, r.count"];
        for moment in [Moment::Before, Moment::During, Moment::After, Moment::Answered] {
            for (at, statement) in statements.iter().enumerate() {
                let struck = site.proxy.struck();
                site.proxy.fail_at(moment, statement);
                match at {
                    0 => assert_eq!(get(&store, "row/1").await.unwrap().map(|row| text(&row)), Some("row/1".into())),
                    1 => assert_eq!(keys(&store, "row/").await.unwrap().len(), 5),
                    _ => assert_eq!(store.summarize(&KeyRange::prefix(b"row/")).await.unwrap().rows, 5),
                }
                assert_eq!(site.proxy.struck(), struck + 1, "{moment:?} {statement}");
            }
        }
        // Not without end.
        site.proxy.refuse(true);
        site.proxy.cut();
        let impatient = PostgresOptions { connect_timeout_ms: 200, ..checking() };
        failed(impatient.open(&site.url(NAMESPACE)).await, ErrorKind::Io, "open");
    });
}

pub(crate) fn reads_outlive_the_loss_of_all_connections() {
    run(async {
        let site = Site::new();
        let store = trusting(&site).await;
        put(&store, "row").await.unwrap();
        for _ in 0..5 {
            lose_all(&site, &store).await;
            assert_eq!(keys(&store, "row").await.unwrap(), ["row"]);
        }
    });
}

pub(crate) fn a_snapshot_whose_connection_was_lost_has_expired_and_shows_nothing_else() {
    run(async {
        let site = Site::new();
        let store = site.open().await;
        put(&store, "row/1").await.unwrap();
        // Taken while the connection is lost: another is taken.
        for moment in [Moment::Before, Moment::During, Moment::After, Moment::Answered] {
            site.proxy.fail_at(moment, "ISOLATION LEVEL REPEATABLE READ");
            let snapshot = store.snapshot().await.unwrap();
            if moment == Moment::Answered {
                failed(keys(&*snapshot, "row/").await, ErrorKind::SnapshotExpired, "scan");
            } else {
                assert_eq!(keys(&*snapshot, "row/").await.unwrap().len(), 1, "{moment:?}");
            }
        }
        for moment in [Moment::Before, Moment::During, Moment::After] {
            let snapshot = store.snapshot().await.unwrap();
            put(&store, &format!("row/{moment:?}")).await.unwrap();
            site.proxy.fail_at(moment, "SELECT n.revision");
            failed(keys(&*snapshot, "row/").await, ErrorKind::SnapshotExpired, "scan");
            failed(get(&*snapshot, "row/1").await, ErrorKind::SnapshotExpired, "get");
        }
        let snapshots = [store.snapshot().await.unwrap(), store.snapshot().await.unwrap()];
        site.proxy.cut();
        put(&store, "row/last").await.unwrap();
        for snapshot in &snapshots {
            for _ in 0..2 {
                failed(keys(&**snapshot, "row/").await, ErrorKind::SnapshotExpired, "scan");
                failed(snapshot.summarize(&KeyRange::ALL).await, ErrorKind::SnapshotExpired, "summarize");
            }
        }
        assert_eq!(
            store.snapshot().await.unwrap().scan(&scan(KeyRange::prefix(b"row/"))).await.unwrap().entries.len(),
            5
        );
    });
}

pub(crate) fn who_waits_for_a_change_survives_a_cut_and_a_restart() {
    run(async {
        let mut server = Program::start(&ProgramOptions::default()).unwrap();
        let proxy = Proxy::to(server.address()).unwrap();
        let beside = checking().open(&url_at(&server, server.address())).await.unwrap();
        let mut last = put(&beside, "first").await.unwrap();
        // A cut is made good at once, and not when the time has come to look.
        for (restart, poll_ms) in [(false, 600_000), (true, 1_000)] {
            let options = PostgresOptions { poll_ms, ..checking() };
            let store = Arc::new(options.open(&url_at(&server, proxy.address())).await.unwrap());
            for _ in 0..3 {
                let waits = store.clone();
                let waiter = tokio::spawn(async move { waits.changed(last).await });
                until(|| async { is_listened_to(&server) }).await;
                if restart {
                    server.restart().unwrap();
                } else {
                    proxy.cut();
                }
                assert!(!waiter.is_finished(), "nothing was committed");
                last = put(&beside, "next").await.unwrap();
                assert_eq!(waiter.await.unwrap().unwrap(), last);
            }
        }
    });
}

/// As a proxy or a pool of connections does it that stands in for a server: they take connections and close them.
pub(crate) fn who_asks_while_nobody_answers_waits_for_the_server() {
    const CLOSED: usize = 100;
    const ASKED_MAX: Duration = Duration::from_secs(20);
    run(async {
        let site = Site::new();
        let store = Arc::new(site.open().await);
        put(&*store, "row").await.unwrap();
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        site.proxy.point_to(nobody.local_addr().unwrap());
        site.proxy.cut();
        let asks = store.clone();
        let read = tokio::spawn(async move { keys(&*asks, "").await });
        let asks = store.clone();
        let write = tokio::spawn(async move { put(&*asks, "row/2").await });
        let asks = store.clone();
        let snapshot = tokio::spawn(async move { asks.snapshot().await.map(|snapshot| snapshot.revision()) });
        for _ in 0..CLOSED {
            timeout(ASKED_MAX, nobody.accept()).await.expect("nobody asks any more").unwrap();
        }
        assert!(!read.is_finished() && !write.is_finished() && !snapshot.is_finished());
        site.proxy.point_to(site.server.address());
        drop(nobody);
        assert!(!read.await.unwrap().unwrap().is_empty());
        assert_eq!(write.await.unwrap().unwrap(), Revision(2));
        assert!(snapshot.await.unwrap().unwrap() >= Revision(1));
        // Not without end.
        let impatient = PostgresOptions { connect_timeout_ms: 100, ..checking() };
        let store = impatient.open(&site.url(NAMESPACE)).await.unwrap();
        site.proxy.refuse(true);
        site.proxy.cut();
        for result in [keys(&store, "").await.map(drop), put(&store, "row/3").await.map(drop)] {
            let error = result.unwrap_err();
            assert!([ErrorKind::Io, ErrorKind::Busy].contains(&error.kind()), "{error}");
        }
        site.proxy.refuse(false);
        assert_eq!(keys(&store, "").await.unwrap(), ["row", "row/2"]);
    });
}

pub(crate) fn opening_can_be_cut_anywhere_and_done_again() {
    const STATEMENTS: [&str; 6] =
        ["to_regproc", "BEGIN", "pg_advisory_xact_lock", "CREATE TABLE", "CREATE OR REPLACE FUNCTION", "COMMIT"];
    run(async {
        for moment in LOST {
            for statement in STATEMENTS.into_iter().chain(["INSERT INTO"]) {
                let site = Site::new();
                site.proxy.fail_at(moment, statement);
                failed(checking().open(&site.url(NAMESPACE)).await, ErrorKind::Io, "open");
                assert_eq!(site.proxy.struck(), 1, "{moment:?} {statement}");
                let store = site.open().await;
                let revision = commit(&store, guarded("row", None, puts(["row"]))).await.unwrap();
                assert_eq!(revision, Revision(1), "{moment:?} {statement}");
                assert_eq!(site.query("SELECT count(*) FROM :schema.namespaces"), "1", "{moment:?} {statement}");
            }
        }
    });
}
