//! Connections to the server: how each is made, and those that wait for use.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres, Row as _, SqlSafeStr, SqlStr};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::time::timeout;

use crate::error::{POOLED, damaged, from_engine};
use crate::options::PostgresOptions;

/// Statements that each connection keeps prepared: more than there are texts.
const STATEMENTS_KEPT: usize = 32;
/// Connections of snapshots beyond their limit: those that are on their way back.
const VIEWS_SPARE: u32 = 4;
/// The greatest setting of a time.
const MS_MAX: u128 = i32::MAX as u128;
/// A server lets go of a snapshot that nobody has asked for so long beyond its age: its client is gone.
const VIEW_SPARE: Duration = Duration::from_secs(30);

/// The connections to one server.
#[derive(Clone)]
pub(crate) struct Connections {
    connect: PgConnectOptions,
    settings: SqlStr,
    patience: Duration,
    /// For reads and commits.
    pub(crate) pool: PgPool,
    /// For snapshots: whoever holds some must not keep a commit from its connection.
    views: PgPool,
    /// For what listens, as long as the others are open.
    pub(crate) listening: PgPool,
}

impl Connections {
    /// Makes none yet.
    pub(crate) fn new(connect: PgConnectOptions, options: &PostgresOptions) -> Self {
        let connect = prepare(connect);
        let patience = Duration::from_millis(options.connect_timeout_ms);
        let idle_check = Duration::from_millis(options.idle_check_ms);
        let limits = options.limits_kept();
        let settings = settings(options, limits.snapshot_age_ms_max);
        let pool = || {
            let settings = settings.clone();
            PgPoolOptions::new()
                .acquire_timeout(patience)
                .test_before_acquire(false)
                .after_connect(move |connection, _| {
                    let settings = settings.clone();
                    Box::pin(async move { connection.execute(settings).await.map(drop) })
                })
                // A connection was asked when it was given back. One that has waited since may be gone.
                .before_acquire(move |connection, meta| {
                    Box::pin(async move {
                        if meta.idle_for < idle_check {
                            return Ok(true);
                        }
                        connection.ping().await.map(|()| true)
                    })
                })
        };
        let views_max = u32::try_from(limits.snapshots_max).unwrap_or(u32::MAX).saturating_add(VIEWS_SPARE);
        let listening = pool().max_connections(1).idle_timeout(None).max_lifetime(None);
        Connections {
            pool: pool().max_connections(options.connections_max.max(1)).connect_lazy_with(connect.clone()),
            views: pool().max_connections(views_max).connect_lazy_with(connect.clone()),
            listening: listening.connect_lazy_with(connect.clone()),
            settings,
            connect,
            patience,
        }
    }

    /// A connection besides all others, whose failure is told at once: what is wrong with a URL is known when it is opened.
    ///
    /// It also finds out whether a pooler in between gives one connection of its own to several clients, by turns. There what one
    /// has prepared another would be asked for, and might answer.
    pub(crate) async fn first(&self) -> Result<PgConnection> {
        let connect = async {
            let mut connection = self.connect.connect().await.map_err(|error| unreachable(error, &self.connect))?;
            connection.execute(self.settings.clone()).await.map_err(from_engine)?;
            Ok(connection)
        };
        let timed_out = |_| Error::new(ErrorKind::Io, "the server did not answer in time");
        let mut first = timeout(self.patience, connect).await.map_err(timed_out)??;
        let one = process(&mut first).await?;
        if process(&mut *self.take().await?).await? == one {
            return Err(Error::new(ErrorKind::Unsupported, POOLED));
        }
        Ok(first)
    }

    /// A connection for one read or commit. Dropped, it comes back.
    pub(crate) async fn take(&self) -> Result<PoolConnection<Postgres>> {
        self.pool.acquire().await.map_err(from_engine)
    }

    /// A connection for a snapshot.
    pub(crate) async fn take_view(&self) -> Result<PoolConnection<Postgres>> {
        self.views.acquire().await.map_err(from_engine)
    }

    /// Closes all, each when it comes back.
    pub(crate) async fn close(&self) {
        self.listening.close().await;
        self.views.close().await;
        self.pool.close().await;
    }
}

/// How every connection is made. Poolers refuse settings that come with that, so there are none.
fn prepare(connect: PgConnectOptions) -> PgConnectOptions {
    let connect = match connect.get_application_name() {
        None => connect.application_name("strongroom"),
        Some(_) => connect,
    };
    connect.disable_statement_logging().statement_cache_capacity(STATEMENTS_KEPT).extra_float_digits(None)
}

/// What every connection is set to, once it is made.
fn settings(options: &PostgresOptions, view_ms_max: u64) -> SqlStr {
    let fixed = [
        // Commits need it. A read is one statement, or says what it needs.
        ("default_transaction_isolation", "'read committed'"),
        ("search_path", "pg_catalog"),
        // The way to every row is through the one index. Plans are made once, and not by statistics of what lies there today.
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_material", "off"),
        ("max_parallel_workers_per_gather", "0"),
        ("jit", "off"),
    ];
    let view = Duration::from_millis(view_ms_max).saturating_add(VIEW_SPARE).as_millis();
    let timeouts = [
        ("statement_timeout", u128::from(options.statement_timeout_ms)),
        ("lock_timeout", u128::from(options.lock_timeout_ms)),
        ("idle_in_transaction_session_timeout", view),
    ];
    // The longest that the server takes is 24 days.
    let timeouts = timeouts.map(|(name, ms)| (name, ms.min(MS_MAX).to_string()));
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    let settings = fixed.into_iter().chain(timeouts).map(|(name, value)| format!("SET {name} = {value};"));
    AssertSqlSafe(settings.collect::<String>()).into_sql_str()
}

/// The server's process at the other end.
async fn process(connection: &mut PgConnection) -> Result<i32> {
    let asked = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_all(connection).await.map_err(from_engine)?;
    asked.first().ok_or_else(damaged)?.try_get(0).map_err(from_engine)
}

/// Where nothing was reached, so that a wrong name or port shows. Never the password.
fn unreachable(error: sqlx::Error, connect: &PgConnectOptions) -> Error {
    let place = match connect.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", connect.get_host(), connect.get_port()),
    };
    from_engine(error).at(place)
}
