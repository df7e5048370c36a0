//! Connections to the server: how each is made, those that wait for use, and how long an answer is waited for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Postgres, Row as _, SqlStr};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::time::{sleep, timeout};

use crate::error::{POOLED, damaged, from_engine, is_answer, is_lost, silent};
use crate::options::PostgresOptions;
use crate::settings;

/// Statements that each connection keeps prepared: more than there are texts.
const STATEMENTS_KEPT: usize = 32;
/// Connections of snapshots beyond their limit: those that are on their way back.
const VIEWS_SPARE: u32 = 4;
/// How long each statement of a transaction may take that writes much, or removes much.
pub(crate) const LONG: Duration = Duration::from_secs(60 * 60);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(10);
/// How much longer than a statement may take its answer is waited for. A machine that is gone without a word is noticed only so.
const ANSWER_SPARE: Duration = Duration::from_secs(5);

/// The connections to one server.
#[derive(Clone)]
pub(crate) struct Connections {
    connect: PgConnectOptions,
    settings: SqlStr,
    patience: Duration,
    /// How long a statement may take, if there is a limit.
    statement_max: Option<Duration>,
    /// For reads and commits.
    pool: PgPool,
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
        let connect = prepare(connect);
        let patience = Duration::from_millis(options.connect_timeout_ms);
        let idle_check = Duration::from_millis(options.idle_check_ms);
        let lost: Arc<Mutex<Option<Instant>>> = Arc::default();
        let pool = |settings: SqlStr| {
            let lost = lost.clone();
            PgPoolOptions::new()
                .acquire_timeout(patience)
                .test_before_acquire(false)
                .after_connect(move |connection, _| {
                    let settings = settings.clone();
                    Box::pin(async move { connection.execute(sqlx::raw_sql(settings)).await.map(drop) })
                })
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
        let (commits, views) = (settings::of_commits(options), settings::of_views(options));
        let views_max = u32::try_from(options.limits.snapshots_max).unwrap_or(u32::MAX).saturating_add(VIEWS_SPARE);
        let listening = pool(commits.clone()).max_connections(1).idle_timeout(None).max_lifetime(None);
        let connections_max = options.connections_max.max(1);
        Connections {
            pool: pool(commits.clone()).max_connections(connections_max).connect_lazy_with(connect.clone()),
            views: pool(views).max_connections(views_max).connect_lazy_with(connect.clone()),
            listening: listening.connect_lazy_with(connect.clone()),
            settings: commits,
            statement_max: Some(options.statement_timeout_ms).filter(|ms| *ms > 0).map(Duration::from_millis),
            connect,
            patience,
            lost,
        }
    }

    /// One was lost. Those that wait are asked before they are used, whether they are still there.
    pub(crate) fn doubt(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Finds out what is wrong with a URL, at once, where the pool would try for a while.
    ///
    /// It also finds out whether a pooler in between gives one connection of its own to several clients, by turns. There what one
    /// has prepared another would be asked for, and might answer.
    pub(crate) async fn try_out(&self) -> Result<()> {
        let connect = async {
            let mut separate = self.connect.connect().await.map_err(from_engine)?;
            separate.execute(sqlx::raw_sql(self.settings.clone())).await.map_err(from_engine)?;
            let one = process(&mut separate).await?;
            let is_shared = process(&mut *self.take().await?).await? == one;
            separate.close().await.ok();
            if is_shared { Err(Error::new(ErrorKind::Unsupported, POOLED)) } else { Ok(()) }
        };
        let named = |error: Error| error.at(place(&self.connect));
        let timed_out = || Error::new(ErrorKind::Io, "the server did not answer in time");
        timeout(self.patience, connect).await.unwrap_or_else(|_| Err(timed_out())).map_err(named)
    }

    /// A connection for one read or commit. Dropped, it comes back.
    pub(crate) async fn take(&self) -> Result<PoolConnection<Postgres>> {
        self.take_from(&self.pool).await
    }

    /// Gives a connection back, unless it is lost.
    pub(crate) fn give_back<T>(mut connection: PoolConnection<Postgres>, result: Result<T>) -> Result<T> {
        if result.as_ref().err().is_some_and(is_lost) {
            connection.close_on_drop();
        }
        result
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

    /// Waits for what is asked over a connection, but not for ever: as long as a statement may take, and a little. A connection over
    /// which no answer has come is lost.
    pub(crate) async fn answer<T>(&self, asked: impl Future<Output = Result<T>>) -> Result<T> {
        match self.statement_max {
            Some(most) => self.answer_within(most, asked).await,
            None => asked.await,
        }
    }

    /// The same for what may take this long.
    pub(crate) async fn answer_within<T>(&self, most: Duration, asked: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(most.saturating_add(ANSWER_SPARE), asked).await.unwrap_or_else(|_| Err(silent()))
    }

    /// Closes all. Those of snapshots that somebody still has are closed when they come back.
    pub(crate) async fn close(&self) {
        self.listening.close().await;
        let views = self.views.clone();
        tokio::spawn(async move { views.close().await });
        self.pool.close().await;
    }
}

fn when(lost: &Mutex<Option<Instant>>) -> Option<Instant> {
    *lost.lock().unwrap_or_else(PoisonError::into_inner)
}

fn prepare(connect: PgConnectOptions) -> PgConnectOptions {
    let connect = match connect.get_application_name() {
        None => connect.application_name("strongroom"),
        Some(_) => connect,
    };
    connect.disable_statement_logging().statement_cache_capacity(STATEMENTS_KEPT).extra_float_digits(None)
}

/// The server's process at the other end.
async fn process(connection: &mut PgConnection) -> Result<i32> {
    let asked = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_all(connection).await.map_err(from_engine)?;
    asked.first().ok_or_else(damaged)?.try_get(0).map_err(from_engine)
}

/// Where it was tried, so that a wrong name or port shows. Never the password.
fn place(connect: &PgConnectOptions) -> String {
    match connect.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", connect.get_host(), connect.get_port()),
    }
}
