//! A connection that is reset before, during and after a commit.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use strongroom_conformance_servers::{Mode, Moment, Postgres as Program, PostgresOptions as ProgramOptions};
use strongroom_core::store::{Batch, KeyRange, Outcome, Read as _, Revision, Store as _, Write};
use strongroom_core::{Database, ErrorKind, Record, Result, Schema};
use strongroom_postgres::{Postgres, PostgresOptions};

use crate::site::{NAMESPACE, Site, checking, commit, failed, key, keys, put, puts, run, stamped, url_at};

/// When the connection is lost in which nobody knows whether the commit has happened.
pub(crate) const LOST: [Moment; 3] = [Moment::Before, Moment::During, Moment::After];

/// Connections of a store that loses all of them.
const CONNECTIONS: u32 = 8;

/// The statement that commits, and the one that ends a transaction of several.
const CALL: &str = "commit_2";
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
            // One of its own, closed at the end: nothing else is under way that the fault could strike at.
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
            store.close().await.unwrap();
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
            store.close().await.unwrap();
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

/// A store with so many connections, none of which is asked whether it is still there because it was idle.
pub(crate) async fn trusting(site: &Site) -> Postgres {
    let options =
        PostgresOptions { connections_max: CONNECTIONS, idle_check_ms: 600_000, ..PostgresOptions::default() };
    options.open(&site.url(NAMESPACE)).await.unwrap()
}

/// Reads at once, so that each connection is used, and then loses all of them.
pub(crate) async fn lose_all(site: &Site, store: &Postgres) {
    let reads = (0..CONNECTIONS * 2).map(|_| keys(store, "row"));
    for read in join_all(reads).await {
        assert_eq!(read.unwrap(), ["row"]);
    }
    site.proxy.cut();
}
