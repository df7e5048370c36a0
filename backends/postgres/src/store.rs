//! The store: one namespace of a server.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::store::sorted::{Registry, closed};
use strongroom_core::store::tasks::{self, Held, Newest};
use strongroom_core::store::{
    Batch, Caches, Compaction, Guard, KeyRange, Limits, Outcome, Page, PlainCodec, Read, Revision, Rows, Scan, Sharing,
    Snapshot, Store, StoreInfo, StoredKey, Summary, Usage,
};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

use crate::commit::{self, Committed};
use crate::connections::Connections;
use crate::error::{NAME, from_engine, is_lost, is_transient};
use crate::options::PostgresOptions;
use crate::read::Reader;
use crate::row;
use crate::schema;
use crate::server::{self, Server, Wire};
use crate::snapshots::View;
use crate::url::Target;

/// How often a read is made whose connection was lost, or that the server broke off.
const READ_ATTEMPTS: usize = 3;

/// A store in a namespace of a PostgreSQL server.
///
/// Any number of handles, processes and machines may have it open: each sees what the others commit. One commit to a namespace
/// waits for another, those to different namespaces do not.
///
/// It needs a tokio runtime and belongs to the one in which it was opened: commits run there.
pub struct Postgres {
    inner: Arc<Inner>,
}

struct Inner {
    info: StoreInfo,
    place: Arc<Place>,
    server: Arc<server::Inner>,
    newest: Arc<Newest>,
    snapshots: Arc<Registry<View>>,
    /// One commit at a time of this handle: in the server they would wait for each other, each on a connection.
    turns: Arc<Mutex<()>>,
    /// Whether nobody else uses the server's connections.
    owns_server: bool,
}

/// Where the store is.
pub(crate) struct Place {
    pub(crate) server: Arc<Wire>,
    pub(crate) namespace: i64,
    pub(crate) limits: Limits,
}

impl Place {
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { statements: &self.server.statements, namespace: self.namespace, limits: self.limits }
    }
}

impl Postgres {
    /// Opens the store that `url` names, and makes it if there is none: as for [`Server::connect`], and with `namespace=NAME`. It has
    /// its own connections to the server; who opens many namespaces should share them, by [`Server::namespace`].
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the URL has another form, or names no namespace.
    /// - `Io`: nothing answers there; it refuses user, password, database or certificate; the user lacks a permission; there is no such
    ///   namespace and the server takes no writes.
    /// - `NotAStore`: the schema has tables of another program. They are not touched.
    /// - `UnsupportedVersion`: a newer version of this program wrote it. It is not touched.
    /// - `Corrupt`: the tables are not those of this program.
    /// - `Busy`: the server has no connection left, or did not come to it in time.
    /// - `Unsupported`: there is no tokio runtime here.
    pub async fn open(url: &str) -> Result<Self> {
        PostgresOptions::default().open(url).await
    }

    pub(crate) async fn open_with(url: &str, options: PostgresOptions) -> Result<Self> {
        let (server, name) = namespace_of(url, options).map_err(named("open"))?;
        Postgres::on(server, name, true).await
    }

    /// Whether the store that `url` names is there. Nothing is made, and no connection stays open.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the URL has another form, or names no namespace.
    /// - `Io`: nothing answers there; it refuses user, password, database or certificate; the user lacks a permission.
    /// - `Busy`: the server has no connection left, or did not come to it in time.
    /// - `Unsupported`: there is no tokio runtime here.
    pub async fn exists(url: &str) -> Result<bool> {
        let exists = async {
            let (server, name) = namespace_of(url, PostgresOptions::default())?;
            server.inner.wire.connections.try_out().await?;
            let found = server.exists(&name).await;
            server.close().await;
            found
        };
        exists.await.map_err(named("exists"))
    }

    pub(crate) async fn on(server: Server, name: String, owns_server: bool) -> Result<Self> {
        let server = server.inner;
        let (wire, runtime) = (server.wire.clone(), server.runtime.clone());
        let open = async move {
            if owns_server {
                wire.connections.try_out().await?;
            }
            let mut connection = wire.connections.take().await?;
            let opened = wire.connections.answer(schema::open(&mut connection, &wire.statements, &name)).await;
            Connections::give_back(connection, opened)
        };
        let opened = tasks::read(&runtime, open).await.map_err(named("open"))?;
        let info = StoreInfo {
            name: NAME,
            limits: server.options.limits_kept(),
            sharing: Sharing::Shared,
            durability: opened.durability,
            codec: Arc::new(PlainCodec),
            caches: Caches::default(),
        };
        let place = Place { server: server.wire.clone(), namespace: opened.id, limits: info.limits };
        let inner = Inner {
            place: Arc::new(place),
            newest: Arc::new(Newest::new(opened.revision)),
            snapshots: Arc::new(Registry::new(&info.limits, server.options.clock.clone())),
            turns: Arc::default(),
            server,
            info,
            owns_server,
        };
        Ok(Postgres { inner: Arc::new(inner) })
    }

    /// Reads in a task of the runtime; again if the connection was lost or the server broke it off.
    async fn read<T, F>(&self, operation: &'static str, read: impl Fn(Arc<Inner>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let mut attempt = 1;
        loop {
            self.inner.check_open().map_err(named(operation))?;
            match tasks::read(&self.inner.server.runtime, read(self.inner.clone())).await {
                Err(error) if attempt < READ_ATTEMPTS && is_lost(&error) => {
                    self.inner.place.server.connections.doubt();
                    attempt += 1;
                }
                Err(error) if attempt < READ_ATTEMPTS && is_transient(&error) => attempt += 1,
                result => return result.map_err(named(operation)),
            }
        }
    }

    /// Changes the store when it is this one's turn, to the end even if nobody waits for it.
    async fn change<T, F>(
        &self,
        operation: &'static str,
        change: impl FnOnce(Arc<Inner>) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let inner = self.inner.clone();
        let change = |turn| {
            let changed = change(inner);
            async move {
                let _turn: tasks::Turn<()> = turn;
                changed.await
            }
        };
        tasks::complete(&self.inner.server.runtime, &self.inner.turns, change).await.map_err(named(operation))
    }
}

impl Inner {
    fn check_open(&self) -> Result<()> {
        if self.newest.is_closed() { Err(closed()) } else { Ok(()) }
    }

    /// Tells those who wait, here and elsewhere if there are any, that the store has come to this revision.
    fn tell(&self, revision: Revision, awaited: bool) {
        self.newest.tell(revision);
        if awaited {
            self.server.signals.announce(&self.server.wire, self.place.namespace);
        }
    }

    async fn commit(&self, batches: &[Batch]) -> Result<Vec<Outcome>> {
        self.check_open()?;
        let Committed { outcome: outcomes, awaited } = commit::commit(&self.place, batches).await?;
        let written = batches.iter().zip(&outcomes).filter(|(batch, _)| !batch.is_read_only());
        if let Some(newest) = written.filter_map(|(_, outcome)| outcome.revision()).max() {
            self.tell(newest, awaited);
        }
        Ok(outcomes)
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.check_open()?;
        let Committed { outcome, awaited } = commit::drop_range(&self.place, range, guards).await?;
        outcome.revision().into_iter().for_each(|revision| self.tell(revision, awaited));
        Ok(outcome)
    }

    async fn close(&self) -> Result<()> {
        self.newest.close();
        self.info.caches.switch_off();
        self.snapshots.close();
        if self.owns_server {
            self.server.signals.close().await;
            self.server.wire.connections.close().await;
        }
        Ok(())
    }
}

/// The server and the name of the namespace in a URL. Nothing is connected to yet.
fn namespace_of(url: &str, options: PostgresOptions) -> Result<(Server, String)> {
    let mut target: Target = url.parse()?;
    let message = "the URL names no namespace: add ?namespace=NAME";
    let name = target.namespace.take().ok_or_else(|| Error::new(ErrorKind::InvalidInput, message))?;
    Ok((Server::to(target, options)?, name))
}

/// Names the backend and the operation in an error.
fn named(operation: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| error.on(NAME).during(operation)
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("namespace", &self.inner.place.namespace).finish_non_exhaustive()
    }
}

#[async_trait]
impl Read for Postgres {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let keys: Arc<[StoredKey]> = keys.into();
        let get = |store: Arc<Inner>| {
            let keys = keys.clone();
            async move {
                let connections = &store.place.server.connections;
                let mut connection = connections.take().await?;
                let rows = connections.answer(store.place.reader().get(&mut connection, &keys)).await;
                Connections::give_back(connection, rows)
            }
        };
        self.read("get", get).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        let page = |store: Arc<Inner>| {
            let scan = scan.clone();
            async move {
                let connections = &store.place.server.connections;
                let mut connection = connections.take().await?;
                let page = connections.answer(store.place.reader().scan(&mut connection, &scan)).await;
                Connections::give_back(connection, page)
            }
        };
        self.read("scan", page).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let summarize = |store: Arc<Inner>| {
            let range = range.clone();
            async move {
                let connections = &store.place.server.connections;
                let mut connection = connections.take().await?;
                let summary = connections.answer(store.place.reader().summarize(&mut connection, &range)).await;
                Connections::give_back(connection, summary)
            }
        };
        self.read("summarize", summarize).await
    }
}

#[async_trait]
impl Store for Postgres {
    fn info(&self) -> &StoreInfo {
        &self.inner.info
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let snapshot = |store: Arc<Inner>| async move {
            store.snapshots.lock().check_room()?;
            let (view, revision) = View::begin(&store.place, &store.server.runtime).await?;
            Held::new(view, revision, &store.snapshots, &store.server.runtime, NAME)
        };
        Ok(Box::new(self.read("snapshot", snapshot).await?))
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.change("commit", |store| async move { store.commit(&batches).await }).await
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        let Inner { server, place, newest, .. } = &*self.inner;
        let wait = || server.signals.wait(&server.wire, place.namespace, newest);
        newest.changed(after, wait).await.map_err(named("changed"))
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        let (range, guards) = (range.clone(), guards.to_vec());
        self.change("drop_range", |store| async move { store.drop_range(&range, &guards).await }).await
    }

    /// Always `Unsupported`: the server clears away what is free by itself, for all namespaces (docs/postgres.md).
    async fn compact(&self) -> Result<Compaction> {
        let compact = || {
            self.inner.check_open()?;
            Err(Error::new(ErrorKind::Unsupported, "the server does it by itself: see its autovacuum"))
        };
        compact().map_err(named("compact"))
    }

    /// Bytes of the tables and their indexes, of all namespaces of the schema.
    async fn usage(&self) -> Result<Usage> {
        let usage = |store: Arc<Inner>| async move {
            let connections = &store.place.server.connections;
            let mut connection = connections.take().await?;
            let query = sqlx::query(store.place.server.statements.usage());
            let found = async { query.fetch_one(&mut *connection).await.map_err(from_engine) };
            let bytes = connections.answer(found).await.and_then(|found| row::number(&found, 0));
            Ok(Usage { bytes: Connections::give_back(connection, bytes)?.unwrap_or_default().unsigned_abs() })
        };
        self.read("usage", usage).await
    }

    /// Waits for what changes the store. A read that is under way ends by itself.
    async fn close(&self) -> Result<()> {
        self.change("close", |store| async move { store.close().await }).await
    }
}
