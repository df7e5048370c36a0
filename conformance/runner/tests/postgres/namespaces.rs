//! Namespaces of a server: listed, found, removed, and told apart.

use std::sync::Arc;

use strongroom_core::ErrorKind;
use strongroom_core::store::{KeyRange, Read as _, Revision, Store as _};
use strongroom_postgres::Server;

use crate::site::{Site, failed, get, keys, put, run, text, with};

async fn connect(site: &Site) -> Server {
    Server::connect(&with(&site.server.url(), &[("schema", &site.schema)])).await.unwrap()
}

pub(crate) fn namespaces_are_listed_found_and_removed() {
    run(async {
        let site = Site::new();
        let server = connect(&site).await;
        // Of a schema that is not there yet.
        assert_eq!(server.namespaces().await.unwrap(), Vec::<String>::new());
        assert!(!server.exists("a").await.unwrap() && !server.remove("a").await.unwrap());
        for name in ["b", "a", "C", "ä"] {
            put(&server.namespace(name).await.unwrap(), "row").await.unwrap();
        }
        assert_eq!(server.namespaces().await.unwrap(), ["C", "a", "b", "ä"]);
        assert!(server.exists("a").await.unwrap() && !server.exists("c").await.unwrap());
        assert!(server.remove("a").await.unwrap());
        assert!(!server.exists("a").await.unwrap() && !server.remove("a").await.unwrap());
        assert_eq!(server.namespaces().await.unwrap(), ["C", "b", "ä"]);
        assert_eq!(site.query("SELECT count(*) FROM :schema.rows"), "3");
        server.close().await;
        failed(server.namespaces().await, ErrorKind::Closed, "namespaces");
    });
}

pub(crate) fn who_has_a_removed_namespace_open_is_told_that_it_is_closed() {
    run(async {
        let site = Site::new();
        let server = connect(&site).await;
        let store = Arc::new(server.namespace("a").await.unwrap());
        let other = server.namespace("b").await.unwrap();
        let elsewhere = site_store(&site).await;
        let last = put(&*store, "row").await.unwrap();
        put(&other, "row").await.unwrap();
        let snapshot = store.snapshot().await.unwrap();
        let waits = store.clone();
        let waiter = tokio::spawn(async move { waits.changed(last).await });
        assert!(connect(&site).await.remove("a").await.unwrap());
        for store in [&*store, &elsewhere] {
            failed(get(store, "row").await, ErrorKind::Closed, "get");
            failed(keys(store, "").await, ErrorKind::Closed, "scan");
            failed(store.summarize(&KeyRange::ALL).await, ErrorKind::Closed, "summarize");
            failed(store.snapshot().await, ErrorKind::Closed, "snapshot");
            failed(put(store, "row").await, ErrorKind::Closed, "commit");
            failed(store.drop_range(&KeyRange::ALL, &[]).await, ErrorKind::Closed, "drop_range");
        }
        failed(waiter.await.unwrap(), ErrorKind::Closed, "changed");
        // It is what was.
        assert_eq!(keys(&*snapshot, "").await.unwrap(), ["row"]);
        // One of the same name is another.
        let again = server.namespace("a").await.unwrap();
        assert_eq!((keys(&again, "").await.unwrap().len(), put(&again, "new").await.unwrap()), (0, Revision(1)));
        failed(get(&*store, "new").await, ErrorKind::Closed, "get");
        assert_eq!(keys(&other, "").await.unwrap(), ["row"]);
    });
}

async fn site_store(site: &Site) -> strongroom_postgres::Postgres {
    strongroom_postgres::Postgres::open(&site.direct_url("a")).await.unwrap()
}

pub(crate) fn names_with_quotes_and_of_a_thousand_bytes_are_kept_apart() {
    run(async {
        let site = Site::new();
        let server = connect(&site).await;
        let (long, longer) = ("x".repeat(1_000), "ä".repeat(500));
        let names = [
            "'",
            "''",
            "\"",
            "\\",
            "a b",
            "a+b",
            "a%20b",
            "$1",
            "; DROP TABLE rows",
            "é",
            "e\u{301}",
            "日本語",
            "\u{1f512}",
            "\n",
            &long,
            &long[1..],
            &longer,
        ];
        for name in names {
            put(&server.namespace(name).await.unwrap(), name).await.unwrap();
        }
        for name in names {
            // By the URL as well.
            let store = strongroom_postgres::Postgres::open(&site.direct_url(name)).await.unwrap();
            assert_eq!(get(&store, name).await.unwrap().map(|row| text(&row)).as_deref(), Some(name));
            assert_eq!(keys(&store, "").await.unwrap().len(), 1, "{name}");
            store.close().await.unwrap();
        }
        assert_eq!(server.namespaces().await.unwrap().len(), names.len());
        for name in ["", "\0", &"x".repeat(1_001), &"ä".repeat(501)] {
            failed(server.namespace(name).await, ErrorKind::InvalidInput, "open");
        }
        for name in names {
            assert!(server.remove(name).await.unwrap(), "{name}");
        }
        assert_eq!(site.query("SELECT count(*) FROM :schema.rows"), "0");
    });
}
