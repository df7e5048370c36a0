//! Servers that take no writes.

use std::sync::Arc;

use strongroom_conformance_servers::{Postgres as Program, PostgresOptions as ProgramOptions};
use strongroom_core::ErrorKind;
use strongroom_core::store::{KeyRange, Read as _, Store as _};
use strongroom_postgres::Postgres;

use crate::site::{NAMESPACE, Site, failed, get, keys, put, run, text, until, url_at, with};

/// What is said of a commit.
const NO_WRITES: &str = "the server takes no writes";

/// Whatever reads, reads; whatever writes is refused, once, and changes nothing.
async fn only_reads(store: &Postgres) {
    assert_eq!(get(store, "row").await.unwrap().map(|row| text(&row)), Some("row".into()));
    assert_eq!(keys(store, "").await.unwrap(), ["row"]);
    assert_eq!(store.summarize(&KeyRange::ALL).await.unwrap().rows, 1);
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(keys(&*snapshot, "").await.unwrap(), ["row"]);
    for _ in 0..2 {
        let error = failed(put(store, "more").await, ErrorKind::Io, "commit");
        assert!(error.to_string().contains(NO_WRITES), "{error}");
        let error = failed(store.drop_range(&KeyRange::ALL, &[]).await, ErrorKind::Io, "drop_range");
        assert!(error.to_string().contains(NO_WRITES), "{error}");
    }
    assert_eq!(keys(store, "").await.unwrap(), ["row"]);
}

pub(crate) fn a_standby_is_read_and_takes_no_writes() {
    run(async {
        let primary = Program::start(&ProgramOptions::default()).unwrap();
        let beside = Postgres::open(&url_at(&primary, primary.address())).await.unwrap();
        let first = put(&beside, "row").await.unwrap();
        let standby = primary.standby("readable").unwrap();
        let url = url_at(&standby, standby.address());
        let store = Arc::new(Postgres::open(&url).await.unwrap());
        only_reads(&store).await;
        let refusals = standby.log().matches("ERROR:  cannot execute").count();
        assert_eq!(refusals, 4, "each was asked for once: {}", standby.log());
        let error =
            failed(Postgres::open(&with(&standby.url(), &[("namespace", "another")])).await, ErrorKind::Io, "open");
        assert!(error.to_string().contains(NO_WRITES), "{error}");
        // What the other server has committed arrives, and is told of.
        let waits = store.clone();
        let waiter = tokio::spawn(async move { waits.changed(first).await });
        let second = put(&beside, "row").await.unwrap();
        assert_eq!(waiter.await.unwrap().unwrap(), second);
        until(|| async { get(&*store, "row").await.unwrap().unwrap().revision == second }).await;
    });
}

pub(crate) fn a_read_only_session_reads_and_takes_no_writes() {
    run(async {
        let site = Site::new();
        put(&site.beside().await, "row").await.unwrap();
        let only = [("options[default_transaction_read_only]", "on")];
        let store = Postgres::open(&with(&site.direct_url(NAMESPACE), &only)).await.unwrap();
        only_reads(&store).await;
        let error = failed(Postgres::open(&with(&site.direct_url("another"), &only)).await, ErrorKind::Io, "open");
        assert!(error.to_string().contains(NO_WRITES), "{error}");
        // Nor are there tables that it could make.
        let site = Site::new();
        let error = failed(Postgres::open(&with(&site.direct_url(NAMESPACE), &only)).await, ErrorKind::Io, "open");
        assert!(error.to_string().contains(NO_WRITES), "{error}");
        assert_eq!(site.query("SELECT count(*) FROM pg_namespace WHERE nspname = ':schema'"), "0");
    });
}
