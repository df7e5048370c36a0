//! What all tests stand on: a runtime, a server with a proxy in front of it, and rows.

pub(crate) mod child;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use strongroom_conformance_servers::{Postgres as Program, Proxy};
use strongroom_core::store::{
    Batch, Content, Fetch, Guard, KeyPrefix, KeyRange, Outcome, Page, Read, Revision, Row, Scan, Store, StoredKey,
    Write,
};
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_postgres::{Postgres, PostgresOptions};
use url::Url;

/// After which a test has failed that does not end.
const END_MAX: Duration = Duration::from_secs(300);

/// The namespace of most tests.
pub(crate) const NAMESPACE: &str = "tested";

/// Runs a test in a runtime of its own.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(END_MAX, test).await });
    runtime.shutdown_background();
    ended.expect("the test does not end")
}

/// A schema of its own on the server that the tests share, and a proxy in front of it.
pub(crate) struct Site {
    pub(crate) server: &'static Program,
    pub(crate) proxy: Proxy,
    pub(crate) schema: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        static SCHEMAS: AtomicU64 = AtomicU64::new(0);
        let server = Program::shared().unwrap();
        let schema = format!("site{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        Site { server, proxy: Proxy::to(server.address()).unwrap(), schema }
    }

    /// The namespace of this name, through the proxy.
    pub(crate) fn url(&self, namespace: &str) -> String {
        with(&self.server.url_at(self.proxy.address()), &[("schema", &self.schema), ("namespace", namespace)])
    }

    /// The same past the proxy.
    pub(crate) fn direct_url(&self, namespace: &str) -> String {
        with(&self.server.url(), &[("schema", &self.schema), ("namespace", namespace)])
    }

    /// Through the proxy. A connection is always asked whether it is still there.
    pub(crate) async fn open(&self) -> Postgres {
        checking().open(&self.url(NAMESPACE)).await.unwrap()
    }

    /// Past the proxy, for what a test writes and looks at beside.
    pub(crate) async fn beside(&self) -> Postgres {
        Postgres::open(&self.direct_url(NAMESPACE)).await.unwrap()
    }

    /// Another program's session.
    pub(crate) async fn session(&self) -> PgConnection {
        PgConnection::connect(&self.server.url()).await.unwrap()
    }

    /// Statements in which `:schema` stands for the schema.
    pub(crate) fn execute(&self, sql: &str) {
        self.server.execute(&self.sql(sql)).unwrap();
    }

    pub(crate) fn query(&self, sql: &str) -> String {
        self.server.query(&self.sql(sql)).unwrap()
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        sql.replace(":schema", &self.schema)
    }
}

/// Options with which no connection is used that was idle, without asking whether it is still there.
pub(crate) fn checking() -> PostgresOptions {
    PostgresOptions { idle_check_ms: 0, ..PostgresOptions::default() }
}

/// A URL with more parameters.
pub(crate) fn with(url: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = Url::parse(url).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    url.into()
}

/// The namespace of most tests, on a server at this address.
pub(crate) fn url_at(server: &Program, address: SocketAddr) -> String {
    with(&server.url_at(address), &[("namespace", NAMESPACE)])
}

/// Asks until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether somebody waits for commits, to whatever namespace of this server.
pub(crate) fn is_listened_to(server: &Program) -> bool {
    let held = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted";
    server.query(held).unwrap() == "t"
}

pub(crate) fn key(text: &str) -> StoredKey {
    StoredKey::from(text.as_bytes().to_vec())
}

/// A batch that puts a value under each of these keys.
pub(crate) fn puts<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Batch {
    let write = |text: K| (key(text.as_ref()), Write::Put(text.as_ref().to_owned().into_bytes().into()));
    Batch { writes: keys.into_iter().map(write).collect(), ..Batch::default() }
}

pub(crate) fn stamped(prefix: &str) -> Batch {
    Batch { stamped: vec![(KeyPrefix(key(prefix)), "entry".into())], ..Batch::default() }
}

pub(crate) fn guarded(text: &str, revision: Option<Revision>, batch: Batch) -> Batch {
    Batch { guards: vec![Guard::Key { key: key(text), revision }], ..batch }
}

/// Commits one batch.
pub(crate) async fn commit(store: &dyn Store, batch: Batch) -> Result<Revision> {
    match store.commit(vec![batch]).await?.pop().unwrap() {
        Outcome::Committed(revision) => Ok(revision),
        Outcome::Conflict { .. } => Err(Error::new(ErrorKind::Conflict, "a guard did not hold")),
        Outcome::Rejected(error) => Err(error),
    }
}

pub(crate) async fn put(store: &dyn Store, text: &str) -> Result<Revision> {
    commit(store, puts([text])).await
}

pub(crate) async fn get<R: Read + ?Sized>(store: &R, text: &str) -> Result<Option<Row>> {
    Ok(store.get(&[key(text)]).await?.rows.pop().unwrap())
}

pub(crate) fn scan(range: KeyRange) -> Scan {
    Scan { range, reverse: false, limit: 1_000, max_bytes: 1 << 20, fetch: Fetch::Values }
}

/// All keys that begin with this.
pub(crate) async fn keys<R: Read + ?Sized>(store: &R, prefix: &str) -> Result<Vec<String>> {
    let mut range = KeyRange::prefix(prefix.as_bytes());
    let mut keys = Vec::new();
    loop {
        let Page { entries, more, .. } = store.scan(&Scan { fetch: Fetch::Keys, ..scan(range.clone()) }).await?;
        keys.extend(entries.iter().map(|entry| String::from_utf8_lossy(entry.key.as_bytes()).into_owned()));
        match entries.last() {
            Some(last) if more => range = range.beyond(&last.key, false),
            _ => return Ok(keys),
        }
    }
}

pub(crate) fn text(row: &Row) -> String {
    match &row.content {
        Content::Value(value) => String::from_utf8(value.to_vec()).unwrap(),
        other => panic!("it holds {other:?}"),
    }
}

/// Checks that it failed so, and that the error names the backend and what was done.
#[track_caller]
pub(crate) fn failed<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind, operation: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.backend(), error.operation()),
        (kind, Some("postgres"), Some(operation)),
        "{error}"
    );
    error
}
