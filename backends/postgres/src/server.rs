//! A server with its namespaces.

use std::fmt;
use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, Postgres as Database, Row as _};
use strongroom_core::store::{Limits, tasks};
use strongroom_core::{Clock, Error, ErrorKind, Result};
use tokio::runtime::Handle;

use crate::connections::{Connections, LONG};
use crate::error::{NAME, from_engine, is_undefined};
use crate::options::PostgresOptions;
use crate::signals::Signals;
use crate::statements::Statements;
use crate::store::Postgres;
use crate::url::{Target, check_namespace};

/// A schema of a database on a PostgreSQL server, with the connections to it. Each of its namespaces is a store; all share the
/// connections. Cheap to clone.
///
/// ```no_run
/// # async fn example() -> strongroom_core::Result<()> {
/// use strongroom_postgres::Server;
///
/// let server = Server::connect("postgres://chat@db.example/chat?sslmode=verify-full").await?;
/// let (alice, bob) = (server.namespace("alice").await?, server.namespace("bob").await?);
/// # drop((alice, bob));
/// server.remove("carol").await?;
/// server.close().await;
/// # Ok(())
/// # }
/// ```
///
/// It needs a tokio runtime and belongs to the one in which it was connected.
#[derive(Clone)]
pub struct Server {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) wire: Arc<Wire>,
    pub(crate) options: PostgresOptions,
    pub(crate) runtime: Handle,
    pub(crate) signals: Arc<Signals>,
}

/// The way to the server: connections, and what is said over them.
pub(crate) struct Wire {
    pub(crate) connections: Connections,
    pub(crate) statements: Statements,
    pub(crate) attempts_max: u32,
}

impl Server {
    /// Connects to the server that `url` names: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with these parameters:
    ///
    /// | parameter | what |
    /// |---|---|
    /// | `schema` | the schema that has the tables: `strongroom` unless given |
    /// | `sslmode` | `disable`, `allow`, `prefer` (unless given), `require`, `verify-ca`, `verify-full` |
    /// | `sslrootcert`, `sslcert`, `sslkey` | files of certificates and of the key |
    /// | `host` | a folder with the server's socket: `postgres:///DATABASE?host=/run/postgresql` |
    /// | `application_name`, `options`, `options[NAME]` | settings of the session |
    ///
    /// What is not there comes from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGSSLMODE` and `~/.pgpass`, as with
    /// PostgreSQL's own programs. A password in a URL is seen by whoever sees the process's arguments.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the URL has another form, or names a namespace.
    /// - `Io`: nothing answers there, it refuses user, password, database or certificate.
    /// - `Busy`: it has no connection left.
    /// - `Unsupported`: there is no tokio runtime here.
    pub async fn connect(url: &str) -> Result<Self> {
        PostgresOptions::default().connect(url).await
    }

    pub(crate) async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self> {
        let connect = async {
            let target: Target = url.parse()?;
            if target.namespace.is_some() {
                let message = "the URL names a namespace, and this connects to all of them: leave it out";
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            let server = Server::to(target, options)?;
            server.inner.wire.connections.try_out().await?;
            Ok(server)
        };
        connect.await.map_err(|error: Error| error.on(NAME).during("connect"))
    }

    /// Connects to nothing yet.
    pub(crate) fn to(target: Target, options: PostgresOptions) -> Result<Self> {
        let runtime = Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::Unsupported, "it needs a tokio runtime: open it inside one").with_source(error)
        })?;
        let wire = Wire {
            connections: Connections::new(target.connect, &options),
            statements: Statements::new(&target.schema),
            attempts_max: options.attempts_max.max(1),
        };
        let signals = Signals::new(&runtime, options.poll_ms);
        Ok(Server { inner: Arc::new(Inner { wire: Arc::new(wire), options, runtime, signals }) })
    }

    /// The same server over the same connections, whose namespaces are opened with these limits and this clock. Snapshots of all have as
    /// many connections, and are let go when idle for as long, as the [limits](PostgresOptions::limits) say that it was connected with.
    /// To [close](Server::close) one closes the other.
    #[must_use]
    pub fn with_limits(&self, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let Inner { wire, options, runtime, signals } = &*self.inner;
        let options = PostgresOptions { limits, clock, ..options.clone() };
        let inner = Inner { wire: wire.clone(), options, runtime: runtime.clone(), signals: signals.clone() };
        Server { inner: Arc::new(inner) }
    }

    /// Opens a namespace, and makes it if there is none; also the tables, if this is the first. Its name has 1 to 1,000 bytes.
    ///
    /// # Errors
    ///
    /// As [`Postgres::open`].
    pub async fn namespace(&self, name: &str) -> Result<Postgres> {
        let name = check_namespace(name).map_err(|error| error.on(NAME).during("open"))?;
        Postgres::on(self.clone(), name, false).await
    }

    /// The names of all namespaces, in order of their bytes.
    ///
    /// # Errors
    ///
    /// `Closed`, `Busy`, `Io`.
    pub async fn namespaces(&self) -> Result<Vec<String>> {
        let sql = "SELECT name FROM :schema.namespaces ORDER BY name";
        let found = self.ask("namespaces", move |statements| sqlx::query(statements.text(sql))).await?;
        let names = found.iter().map(|row| row.try_get(0).map_err(from_engine));
        names.collect::<Result<_>>().map_err(|error| error.on(NAME).during("namespaces"))
    }

    /// Whether there is a namespace of this name.
    ///
    /// # Errors
    ///
    /// `Closed`, `Busy`, `Io`.
    pub async fn exists(&self, name: &str) -> Result<bool> {
        let (sql, name) = ("SELECT id FROM :schema.namespaces WHERE name = $1", name.to_owned());
        let found = self.ask("exists", move |statements| sqlx::query(statements.text(sql)).bind(name)).await?;
        Ok(!found.is_empty())
    }

    /// Asks for rows of the table of namespaces; none if there is no such table.
    async fn ask(
        &self,
        operation: &'static str,
        query: impl FnOnce(&Statements) -> Query<'static, Database, PgArguments> + Send + 'static,
    ) -> Result<Vec<PgRow>> {
        let wire = self.inner.wire.clone();
        let asked = async move {
            let mut connection = wire.connections.take().await?;
            let found = async { query(&wire.statements).fetch_all(&mut *connection).await.map_err(from_engine) };
            let found = wire.connections.answer(found).await;
            match Connections::give_back(connection, found) {
                Err(error) if is_undefined(&error) => Ok(Vec::new()),
                found => found,
            }
        };
        tasks::read(&self.inner.runtime, asked).await.map_err(|error| error.on(NAME).during(operation))
    }

    /// Removes a namespace with all that is in it; says whether there was one. Stores that have it open answer `Closed` from then on.
    ///
    /// # Errors
    ///
    /// `Closed`, `Busy`, `Io`; then nothing is removed, or, if the connection was lost at the very end, all of it.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        let (wire, name) = (self.inner.wire.clone(), name.to_owned());
        let remove = |turn| async move {
            let _turn: tasks::Turn<()> = turn;
            let mut connection = wire.connections.take().await?;
            let removed = wire.connections.answer_within(LONG, remove(&mut connection, &wire, &name)).await;
            Connections::give_back(connection, removed)
        };
        let removed = tasks::complete(&self.inner.runtime, &Arc::default(), remove).await;
        removed.map_err(|error| error.on(NAME).during("remove"))
    }

    /// Closes all connections; whatever is open on them answers `Closed` from then on. Close the stores first: they finish what
    /// was begun.
    pub async fn close(&self) {
        let (signals, wire) = (self.inner.signals.clone(), self.inner.wire.clone());
        let close = async move {
            signals.close().await;
            wire.connections.close().await;
            Ok(())
        };
        // It can only fail if all has ended already.
        tasks::read(&self.inner.runtime, close).await.ok();
    }
}

/// Removes a namespace in one transaction, which may take long.
async fn remove(connection: &mut PgConnection, wire: &Wire, name: &str) -> Result<bool> {
    let text = |sql: &str| wire.statements.text(sql);
    let mut transaction = connection.begin().await.map_err(from_engine)?;
    let long = format!("SET LOCAL statement_timeout = {}", LONG.as_millis());
    sqlx::raw_sql(text(&long)).execute(&mut *transaction).await.map_err(from_engine)?;
    // Whoever commits to it is waited for, and finds nothing afterwards.
    let removed = sqlx::query(text("DELETE FROM :schema.namespaces WHERE name = $1 RETURNING id")).bind(name);
    let removed = match removed.fetch_optional(&mut *transaction).await.map_err(from_engine) {
        Err(error) if is_undefined(&error) => None,
        removed => removed?,
    };
    let Some(removed) = removed else { return Ok(false) };
    let id: i64 = removed.try_get(0).map_err(from_engine)?;
    let rows = sqlx::query(text("DELETE FROM :schema.rows WHERE namespace = $1")).bind(id);
    rows.execute(&mut *transaction).await.map_err(from_engine)?;
    transaction.commit().await.map_err(from_engine)?;
    Ok(true)
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not how it is connected to: that has a password.
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
