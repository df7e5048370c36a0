//! What is limited, and what is given up half way.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::join_all;
use strongroom_core::store::{Batch, Content, KeyRange, Limits, Read as _, Revision, Store as _, Write};
use strongroom_core::{ErrorKind, Limit};
use strongroom_postgres::{Postgres, PostgresOptions, Server};
use tokio::runtime::Runtime;

use crate::site::{NAMESPACE, Site, commit, failed, get, key, keys, put, run, scan, stamped, until, with};

pub(crate) fn a_value_of_sixteen_mebibytes_is_kept() {
    const BYTES: usize = 16 << 20;
    run(async {
        let site = Site::new();
        let store = site.open().await;
        let value: Vec<u8> = (0..BYTES).map(|at| ((at * at) >> 7) as u8).collect();
        let write =
            |value: Vec<u8>| Batch { writes: [(key("large"), Write::Put(value.into()))].into(), ..Batch::default() };
        let revision = commit(&store, write(value.clone())).await.unwrap();
        let same = |content: &Content| matches!(content, Content::Value(found) if **found == value);
        assert!(same(&get(&store, "large").await.unwrap().unwrap().content));
        let page = store.scan(&scan(KeyRange::ALL)).await.unwrap();
        assert!(
            matches!(&page.entries[..], [entry] if entry.revision == revision && entry.content.as_ref().is_some_and(same))
        );
        let error = commit(&store, write(vec![0; BYTES + 1])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit(Limit::ValueBytes));
    });
}

pub(crate) fn snapshots_beyond_the_limit_are_refused() {
    const SNAPSHOTS: usize = 3;
    run(async {
        let site = Site::new();
        let limits = Limits { snapshots_max: SNAPSHOTS, ..PostgresOptions::default().limits };
        let options = PostgresOptions { limits, connections_max: 1, ..PostgresOptions::default() };
        let store = options.open(&site.direct_url(NAMESPACE)).await.unwrap();
        for round in 0..3 {
            let mut held = Vec::new();
            for number in 0..SNAPSHOTS {
                held.push(store.snapshot().await.unwrap());
                // Whoever holds all of them keeps nobody else from reading and writing.
                put(&store, &format!("{round}/{number}")).await.unwrap();
            }
            failed(store.snapshot().await, ErrorKind::Limit(Limit::Snapshots), "snapshot");
            for (number, snapshot) in held.iter().enumerate() {
                assert_eq!(keys(&**snapshot, &format!("{round}/")).await.unwrap().len(), number);
            }
            drop(held.pop());
            store.snapshot().await.unwrap();
        }
        // In the server none is left behind.
        let open =
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%:schema%'";
        until(|| async { site.query(open) == "0" }).await;
    });
}

pub(crate) fn one_connection_serves_many_tasks() {
    const TASKS: usize = 64;
    run(async {
        let site = Site::new();
        let options = PostgresOptions { connections_max: 1, ..PostgresOptions::default() };
        let store = Arc::new(options.open(&site.direct_url(NAMESPACE)).await.unwrap());
        let work = |task: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                let name = format!("row/{task}");
                let revision = put(&*store, &name).await.unwrap();
                assert!(store.changed(Revision(revision.0 - 1)).await.unwrap() >= revision);
                assert!(get(&*store, &name).await.unwrap().is_some());
                keys(&*store, "row/").await.unwrap().len()
            })
        };
        for seen in join_all((0..TASKS).map(work)).await {
            assert!((1..=TASKS).contains(&seen.unwrap()));
        }
        assert_eq!(keys(&*store, "row/").await.unwrap().len(), TASKS);
    });
}

/// Polls a future so often and drops it; whether it has ended before.
async fn give_up_after(polls: usize, work: impl Future) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        work.as_mut().poll(context).map(|_| true)
    })
    .await
}

/// Gives it up at its first await, at its second and so on, and then not at all.
async fn give_up<F: Future>(work: impl Fn() -> F) {
    let mut polls = 0;
    while !give_up_after(polls, work()).await {
        polls += 1;
    }
}

pub(crate) fn what_is_dropped_at_any_await_leaves_the_store_usable() {
    run(async {
        let site = Site::new();
        let limits = Limits { snapshots_max: 2, ..PostgresOptions::default().limits };
        let options = PostgresOptions { limits, connections_max: 2, idle_check_ms: 0, ..PostgresOptions::default() };
        let store = options.clone().open(&site.direct_url(NAMESPACE)).await.unwrap();
        for _ in 0..10 {
            put(&store, "row").await.unwrap();
            give_up(|| get(&store, "row")).await;
            give_up(|| keys(&store, "")).await;
            give_up(|| store.summarize(&KeyRange::ALL)).await;
            give_up(|| store.snapshot()).await;
            let snapshot = store.snapshot().await.unwrap();
            give_up(|| async { get(&*snapshot, "row").await }).await;
            drop(snapshot);
            give_up(|| store.changed(Revision::ZERO)).await;
            give_up(|| async { store.drop_range(&KeyRange::prefix(b"row"), &[]).await }).await;
            give_up(|| async { options.clone().open(&site.direct_url(NAMESPACE)).await }).await;
            give_up(|| async { connect(&site).await.remove("none").await }).await;
        }
        // A commit that was begun is completed, in its turn.
        let mut given_up = 0;
        for number in 1..=20 {
            // On a busy machine one poll may take longer than the commit.
            given_up += u32::from(!give_up_after(1, commit(&store, stamped("log/"))).await);
            put(&store, "after").await.unwrap();
            assert_eq!(keys(&store, "log/").await.unwrap().len(), number);
        }
        assert!(given_up > 0);
        let both = [store.snapshot().await.unwrap(), store.snapshot().await.unwrap()];
        assert_eq!(keys(&*both[0], "log/").await.unwrap().len(), 20);
        store.close().await.unwrap();
    });
}

async fn connect(site: &Site) -> Server {
    Server::connect(&with(&site.server.url(), &[("schema", &site.schema)])).await.unwrap()
}

pub(crate) fn a_runtime_that_ends_closes_what_was_opened_in_it() {
    let site = Site::new();
    let runtime = Runtime::new().unwrap();
    let (store, server, snapshot) = runtime.block_on(async {
        let store = Postgres::open(&site.direct_url(NAMESPACE)).await.unwrap();
        put(&store, "row").await.unwrap();
        let snapshot = store.snapshot().await.unwrap();
        (store, connect(&site).await, snapshot)
    });
    drop(runtime);
    run(async {
        failed(get(&store, "row").await, ErrorKind::Closed, "get");
        failed(keys(&*snapshot, "").await, ErrorKind::Closed, "scan");
        failed(put(&store, "row/2").await, ErrorKind::Closed, "commit");
        failed(store.snapshot().await, ErrorKind::Closed, "snapshot");
        failed(store.close().await, ErrorKind::Closed, "close");
        drop((snapshot, store, server));
        assert_eq!(keys(&site.beside().await, "").await.unwrap(), ["row"]);
    });
    // Outside of one there is no way to begin.
    let error =
        futures_util::FutureExt::now_or_never(Postgres::open(&site.direct_url(NAMESPACE))).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
