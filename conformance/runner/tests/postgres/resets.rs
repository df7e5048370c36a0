//! A connection that is reset before, during and after a commit, a read, a snapshot, a wait and an open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use strongroom_conformance_servers::{Mode, Moment, Postgres as Program, PostgresOptions as ProgramOptions, Proxy};
use strongroom_core::store::{Batch, KeyRange, Outcome, Read as _, Revision, Store as _, Write};
use strongroom_core::{Database, ErrorKind, Record, Result, Schema};
use strongroom_postgres::{Postgres, PostgresOptions};

use crate::site::{
    NAMESPACE, Site, checking, commit, failed, get, guarded, key, keys, put, puts, run, scan, stamped, text, until,
    url_at,
};

/// When the connection is lost in which nobody knows whether the commit has happened.
const LOST: [Moment; 3] = [Moment::Before, Moment::During, Moment::After];

/// The statement that commits, and the one that ends a transaction of several.
const CALL: &str = "commit_1";
const COMMIT: &str = "COMMIT";

pub(crate) fn an_idle_connection_that_is_gone_costs_no_commit() {
    run(async {
        let site = Site::new();
        let store = site.open().await;
        for number in 0..10 {
            put(&store, &format!("row/{number}")).await.unwrap();
            site.proxy.cut();
        }
        store.drop_range(&KeyRange::prefix(b"row/0"), &[]).await.unwrap();
        site.proxy.cut();
        assert_eq!(keys(&store, "row/").await.unwrap().len(), 9);
    });
}

pub(crate) fn a_server_that_was_restarted_while_idle_costs_no_commit() {
    run(async {
        let mut server = Program::start(&ProgramOptions::default()).unwrap();
        let store = checking().open(&url_at(&server, server.address())).await.unwrap();
        let ends: [fn(&mut Program); 3] = [
            |server| server.stop(Mode::Fast).unwrap(),
            |server| server.stop(Mode::Immediate).unwrap(),
            |server| server.kill().unwrap(),
        ];
        for (number, end) in ends.iter().enumerate() {
            put(&store, &format!("before/{number}")).await.unwrap();
            end(&mut server);
            server.restart().unwrap();
            put(&store, &format!("after/{number}")).await.unwrap();
        }
        assert_eq!((keys(&store, "before/").await.unwrap().len(), keys(&store, "after/").await.unwrap().len()), (3, 3));
    });
}

/// What commits in one call.
#[derive(Clone, Copy, Debug)]
enum Shape {
    One,
    Ten,
    Dropped,
}

impl Shape {
    /// Rows that are there if it has happened, and if it has not.
    fn rows(self) -> (usize, usize) {
        match self {
            Shape::One => (3, 0),
            Shape::Ten => (30, 0),
            Shape::Dropped => (0, 5),
        }
    }

    async fn prepare(self, beside: &Postgres, prefix: &str) {
        if let Shape::Dropped = self {
            commit(beside, rows(prefix, 0..5)).await.unwrap();
        }
    }

    async fn change(self, store: &Postgres, prefix: &str) -> Result<Vec<Outcome>> {
        match self {
            Shape::One => store.commit(vec![rows(prefix, 0..3)]).await,
            Shape::Ten => store.commit((0..10).map(|at| rows(prefix, at * 3..at * 3 + 3)).collect()).await,
            Shape::Dropped => {
                store.drop_range(&KeyRange::prefix(prefix.as_bytes()), &[]).await.map(|outcome| vec![outcome])
            }
        }
    }

    fn operation(self) -> &'static str {
        if let Shape::Dropped = self { "drop_range" } else { "commit" }
    }

    /// What ends its transaction.
    fn last(self) -> &'static str {
        if let Shape::Dropped = self { COMMIT } else { CALL }
    }
}

fn rows(prefix: &str, numbers: std::ops::Range<u32>) -> Batch {
    puts(numbers.map(|number| format!("{prefix}{number}")))
}

pub(crate) fn a_commit_that_was_lost_on_its_way_is_unknown_and_is_there_whole_or_not_at_all() {
    run(async {
        let site = Site::new();
        let beside = site.beside().await;
        for (shape, moment) in
            [Shape::One, Shape::Ten, Shape::Dropped].into_iter().flat_map(|shape| LOST.map(|at| (shape, at)))
        {
            // One of its own: nothing else of it is under way that the fault could strike at.
            let store = site.open().await;
            let prefix = format!("{shape:?}/{moment:?}/");
            shape.prepare(&beside, &prefix).await;
            site.proxy.fail_at(moment, shape.last());
            let struck = site.proxy.struck();
            failed(shape.change(&store, &prefix).await, ErrorKind::CommitUnknown, shape.operation());
            assert_eq!(site.proxy.struck(), struck + 1, "{prefix}: it was not made again");
            // It waits until the lost one has ended in the server; and the handle goes on.
            put(&store, "next").await.unwrap();
            let (done, not_done) = shape.rows();
            let found = keys(&store, &prefix).await.unwrap().len();
            match moment {
                Moment::Before => assert_eq!(found, not_done, "{prefix}: the server has not seen it"),
                Moment::After => assert_eq!(found, done, "{prefix}: the server has answered"),
                _ => assert!([done, not_done].contains(&found), "{prefix}: {found} rows"),
            }
        }
        for shape in [Shape::One, Shape::Ten, Shape::Dropped] {
            let store = site.open().await;
            let prefix = format!("{shape:?}/answered/");
            shape.prepare(&beside, &prefix).await;
            site.proxy.fail_at(Moment::Answered, shape.last());
            let outcomes = shape.change(&store, &prefix).await.unwrap();
            assert!(outcomes.iter().all(|outcome| outcome.revision().is_some()), "{outcomes:?}");
            assert_eq!(keys(&beside, &prefix).await.unwrap().len(), shape.rows().0, "{prefix}");
            shape.change(&store, &prefix).await.unwrap();
        }
    });
}

/// Up to its COMMIT a transaction of several statements has not happened.
pub(crate) fn what_was_lost_before_the_commit_was_sent_is_made_again() {
    run(async {
        let site = Site::new();
        let beside = site.beside().await;
        for (at, statement) in
            ["SET LOCAL statement_timeout", CALL].into_iter().flat_map(|statement| LOST.map(|at| (at, statement)))
        {
            let store = site.open().await;
            let prefix = format!("{at:?}/");
            Shape::Dropped.prepare(&beside, &prefix).await;
            let (before, struck) = (beside.get(&[]).await.unwrap().as_of, site.proxy.struck());
            site.proxy.fail_at(at, statement);
            let outcomes = Shape::Dropped.change(&store, &prefix).await.unwrap();
            assert_eq!(site.proxy.struck(), struck + 1, "{prefix}{statement}");
            assert!(
                matches!(outcomes[..], [Outcome::Committed(revision)] if revision == before.next()),
                "{outcomes:?}"
            );
            assert_eq!(keys(&beside, &prefix).await.unwrap().len(), 0);
        }
    });
}

/// More than a message of the protocol may hold goes in several calls.
pub(crate) fn a_group_of_several_calls_is_there_whole_or_not_at_all() {
    const ROWS: usize = 6;
    run(async {
        let site = Site::new();
        let large = || {
            let write = |at| (key(&format!("large/{at}")), Write::Put(vec![7; 14 << 20].into()));
            (0..ROWS).map(|at| Batch { writes: [write(at)].into(), ..Batch::default() }).collect::<Vec<_>>()
        };
        for (moment, expected) in [(Moment::Before, 0), (Moment::After, ROWS)] {
            let store = site.open().await;
            site.proxy.fail_at(moment, COMMIT);
            failed(store.commit(large()).await, ErrorKind::CommitUnknown, "commit");
            assert_eq!(keys(&store, "large/").await.unwrap().len(), expected, "{moment:?}");
        }
    });
}

#[derive(Clone, Debug, PartialEq, Record, serde::Serialize, serde::Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "notes", key(id))]
struct Note {
    id: u32,
    text: String,
}

pub(crate) fn the_database_passes_on_what_is_unknown_and_writes_once() {
    run(async {
        let site = Site::new();
        let schema = Schema::builder("notes", 1).collection::<Note>().build().unwrap();
        let db = Database::open(site.open().await, schema).await.unwrap();
        let beside = site.beside().await;
        let note = |id| Note { id, text: "text".into() };
        for (id, moment) in [(1, Moment::Before), (2, Moment::After)] {
            let before = newest(&beside).await;
            site.proxy.fail_at(moment, CALL);
            let error = db.put(&note(id)).await.unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::CommitUnknown, false), "{error}");
            let there = db.get(&Note::key(&id)).await.unwrap().is_some();
            assert_eq!(there, moment == Moment::After);
            assert_eq!(newest(&beside).await.0, before.0 + u64::from(there), "{moment:?}: it was not made again");
        }
        let (before, runs) = (newest(&beside).await, AtomicU64::new(0));
        site.proxy.fail_at(Moment::After, CALL);
        let write = db.write(|tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            let note = note(4);
            async move { tx.insert(&note).await }
        });
        assert_eq!(write.await.unwrap_err().kind(), ErrorKind::CommitUnknown);
        assert_eq!((runs.load(Ordering::SeqCst), newest(&beside).await), (1, before.next()));
        db.put(&note(5)).await.unwrap();
        // The server may come to it later; once at most.
        site.proxy.fail_at(Moment::During, CALL);
        let before = newest(&beside).await;
        assert_eq!(db.put(&note(6)).await.unwrap_err().kind(), ErrorKind::CommitUnknown);
        commit(&beside, stamped("beside/")).await.unwrap();
        assert!(newest(&beside).await.0 <= before.0 + 2);
    });
}

async fn newest(store: &Postgres) -> Revision {
    store.get(&[]).await.unwrap().as_of
}

pub(crate) fn reads_are_made_again() {
    run(async {
        let site = Site::new();
        let store = site.open().await;
        commit(&store, rows("row/", 0..5)).await.unwrap();
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

/// A store with so many connections, none of which is asked whether it is still there because it was idle.
async fn trusting(site: &Site) -> Postgres {
    let options =
        PostgresOptions { connections_max: CONNECTIONS, idle_check_ms: 600_000, ..PostgresOptions::default() };
    options.open(&site.url(NAMESPACE)).await.unwrap()
}

/// Reads at once, so that each connection is used, and then loses all of them.
async fn lose_all(site: &Site, store: &Postgres) {
    let reads = (0..CONNECTIONS * 2).map(|_| keys(store, "row"));
    for read in join_all(reads).await {
        assert_eq!(read.unwrap(), ["row"]);
    }
    site.proxy.cut();
}

const CONNECTIONS: u32 = 8;

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

pub(crate) fn of_commits_after_the_loss_of_all_connections_one_is_unknown_at_most() {
    run(async {
        let site = Site::new();
        let store = trusting(&site).await;
        put(&store, "row").await.unwrap();
        for _ in 0..5 {
            lose_all(&site, &store).await;
            if let Err(error) = put(&store, "row").await {
                assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
            }
            put(&store, "row").await.unwrap();
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
                until(|| async { server_listens(&server) }).await;
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

fn server_listens(server: &Program) -> bool {
    server.query("SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'").unwrap() == "t"
}

/// As a proxy or a pool of connections does it that stands in for a server: they take connections and close them.
pub(crate) fn who_asks_while_nobody_answers_waits_for_the_server() {
    const CLOSED: usize = 100;
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
            nobody.accept().await.unwrap();
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
