//! Connections to the server: how each is made, and those that wait for use.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, Postgres};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::time::{sleep, timeout};

use crate::error::{from_engine, is_answer, is_lost};
use crate::options::PostgresOptions;

/// Statements that each connection keeps prepared: more than there are texts.
const STATEMENTS_KEPT: usize = 32;
/// Connections of snapshots beyond their limit: those that are on their way back.
const VIEWS_SPARE: u32 = 4;
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(10);
/// A server lets go of a snapshot that nobody has asked for so long beyond its age: its client is gone.
const VIEW_SPARE: Duration = Duration::from_secs(30);

/// The connections to one server.
#[derive(Clone)]
pub(crate) struct Connections {
    connect: PgConnectOptions,
    patience: Duration,
    /// For reads and commits.
    pub(crate) pool: PgPool,
    /// For snapshots: whoever holds some must not keep a commit from its connection.
    views: PgPool,
    /// For what listens, as long as the others are open.
    pub(crate) listening: PgPool,
    /// When it was last seen that one is lost.
    lost: Arc<Mutex<Option<Instant>>>,
}

impl Connections {
    /// Makes none yet.
    pub(crate) fn new(connect: PgConnectOptions, options: &PostgresOptions) -> Self {
        let connect = prepare(connect, options);
        let patience = Duration::from_millis(options.connect_timeout_ms);
        let idle_check = Duration::from_millis(options.idle_check_ms);
        let lost: Arc<Mutex<Option<Instant>>> = Arc::default();
        let pool = || {
            let lost = lost.clone();
            PgPoolOptions::new()
                .acquire_timeout(patience)
                .test_before_acquire(false)
                // A connection was asked when it was given back. One that has waited since may be gone, and where another was
                // lost meanwhile it probably is.
                .before_acquire(move |connection, meta| {
                    let in_doubt = when(&lost).is_some_and(|lost| lost.elapsed() <= meta.idle_for);
                    Box::pin(async move {
                        if meta.idle_for < idle_check && !in_doubt {
                            return Ok(true);
                        }
                        connection.ping().await.map(|()| true)
                    })
                })
        };
        let limits = options.limits_kept();
        let views_max = u32::try_from(limits.snapshots_max).unwrap_or(u32::MAX).saturating_add(VIEWS_SPARE);
        let age = Duration::from_millis(limits.snapshot_age_ms_max).saturating_add(VIEW_SPARE);
        let idle_ms = u32::try_from(age.as_millis()).unwrap_or(0);
        let viewing = connect.clone().options([("idle_in_transaction_session_timeout", idle_ms)]);
        Connections {
            pool: pool().max_connections(options.connections_max.max(1)).connect_lazy_with(connect.clone()),
            views: pool().max_connections(views_max).connect_lazy_with(viewing),
            listening: pool()
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_lazy_with(connect.clone()),
            connect,
            patience,
            lost,
        }
    }

    /// One was lost. Those that wait are asked before they are used, whether they are still there.
    pub(crate) fn doubt(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// A connection besides all others, whose failure is told at once: what is wrong with a URL is known when it is opened.
    pub(crate) async fn first(&self) -> Result<PgConnection> {
        match timeout(self.patience, self.connect.connect()).await {
            Ok(connected) => connected.map_err(|error| from_engine(error).at(place(&self.connect))),
            Err(_) => Err(Error::new(ErrorKind::Io, "the server did not answer in time").at(place(&self.connect))),
        }
    }

    /// A connection for one read or commit. Dropped, it comes back.
    pub(crate) async fn take(&self) -> Result<PoolConnection<Postgres>> {
        self.take_from(&self.pool).await
    }

    /// A connection for a snapshot.
    pub(crate) async fn take_view(&self) -> Result<PoolConnection<Postgres>> {
        self.take_from(&self.views).await
    }

    /// Where a server is not there, the pool waits for it. Where something stands in for the server, that takes connections and
    /// closes them, this does.
    async fn take_from(&self, pool: &PgPool) -> Result<PoolConnection<Postgres>> {
        let began = Instant::now();
        loop {
            let error = match pool.acquire().await {
                Ok(taken) => return Ok(taken),
                Err(error) => from_engine(error),
            };
            if !is_lost(&error) || is_answer(&error) {
                return Err(error);
            }
            if began.elapsed() >= self.patience {
                return Err(Error::new(ErrorKind::Io, "the server did not answer in time").with_source(error));
            }
            sleep(PAUSE).await;
        }
    }

    /// Closes all, each when it comes back.
    pub(crate) async fn close(&self) {
        self.listening.close().await;
        self.views.close().await;
        self.pool.close().await;
    }
}

fn when(lost: &Mutex<Option<Instant>>) -> Option<Instant> {
    *lost.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What every connection is set to.
fn prepare(connect: PgConnectOptions, options: &PostgresOptions) -> PgConnectOptions {
    let connect = match connect.get_application_name() {
        None => connect.application_name("strongroom"),
        Some(_) => connect,
    };
    let fixed = [
        // Commits need it. A read is one statement, or says what it needs.
        ("default_transaction_isolation", "read committed"),
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
    let timeouts = [("statement_timeout", options.statement_timeout_ms), ("lock_timeout", options.lock_timeout_ms)];
    connect.disable_statement_logging().statement_cache_capacity(STATEMENTS_KEPT).options(fixed).options(timeouts)
}

/// Where nothing was reached, so that a wrong name or port shows. Never the password.
fn place(connect: &PgConnectOptions) -> String {
    match connect.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", connect.get_host(), connect.get_port()),
    }
}
