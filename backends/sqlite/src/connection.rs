//! Connections to the file, and those that wait to read from it.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use strongroom_core::store::Revision;
use strongroom_core::store::sorted::closed;
use strongroom_core::{ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::from_engine;
use crate::options::{SqliteOptions, Synchronous};
use crate::{log, row, statements};

/// Statements that each connection keeps prepared: about as many as there are texts.
const STATEMENTS_KEPT: usize = 128;
/// Rows that the engine reads ahead of whoever takes them.
const ROWS_AHEAD: usize = 64;

/// How each connection to the store's file is made.
pub(crate) fn connect_options(path: &Path, options: &SqliteOptions) -> SqliteConnectOptions {
    let kibibytes = (options.cache_bytes >> 10).max(64);
    let full = options.synchronous == Synchronous::Full;
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .disable_statement_logging()
        .thread_name(|number| format!("strongroom-sqlite-{number}"))
        .statement_cache_capacity(STATEMENTS_KEPT)
        .row_buffer_size(ROWS_AHEAD)
        .busy_timeout(Duration::from_millis(options.busy_timeout_ms.into()).min(Duration::from_secs(24 * 60 * 60)))
        .pragma("cache_size", format!("-{kibibytes}"))
        .pragma("journal_size_limit", log::BYTES_KEPT.to_string())
        // A page is checked when it is read: damage is then an error, not a wrong answer.
        .pragma("cell_size_check", "ON")
        .pragma("trusted_schema", "OFF")
        .synchronous(match options.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Off => SqliteSynchronous::Off,
        });
    // On Apple's systems only this reaches the medium; elsewhere it changes nothing.
    if full { connect.pragma("fullfsync", "ON").pragma("checkpoint_fullfsync", "ON") } else { connect }
}

/// Connections that read. Opened when none waits, kept for the next who needs one.
pub(crate) struct Readers {
    connect: SqliteConnectOptions,
    /// Reads at one time, besides those of snapshots.
    turns: Arc<Semaphore>,
    /// Connections that wait at one time; one more is closed.
    waiting_max: usize,
    /// None once they are closed.
    waiting: Mutex<Option<Vec<SqliteConnection>>>,
    runtime: Handle,
}

impl Readers {
    pub(crate) fn new(connect: &SqliteConnectOptions, readers_max: usize, runtime: Handle) -> Arc<Self> {
        Arc::new(Readers {
            connect: connect.clone().pragma("query_only", "ON"),
            turns: Arc::new(Semaphore::new(readers_max)),
            waiting_max: readers_max,
            waiting: Mutex::new(Some(Vec::new())),
            runtime,
        })
    }

    /// A connection for one read, when it is its turn. Dropped, it comes back here.
    pub(crate) async fn take_turn(self: &Arc<Self>) -> Result<Reader> {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| closed())?;
        self.reader(Some(turn)).await
    }

    /// A connection that holds on to what the store is now, and the revision that it sees.
    pub(crate) async fn take_view(self: &Arc<Self>) -> Result<(Reader, Revision)> {
        let mut reader = self.reader(None).await?;
        // From here on, also if this is given up in the middle.
        reader.holds_view = true;
        let began = sqlx::query(statements::BEGIN_VIEW).fetch_one(&mut *reader).await;
        let revision = began.map_err(from_engine).and_then(|columns| row::revision(&columns, 0));
        match revision {
            Ok(revision) => Ok((reader, revision)),
            Err(error) => reader.done(Err(error)),
        }
    }

    async fn reader(self: &Arc<Self>, turn: Option<OwnedSemaphorePermit>) -> Result<Reader> {
        let waiting = self.lock().as_mut().ok_or_else(closed)?.pop();
        let connection = match waiting {
            Some(connection) => connection,
            None => self.connect.connect().await.map_err(from_engine)?,
        };
        Ok(Reader { connection: Some(connection), holds_view: false, readers: self.clone(), _turn: turn })
    }

    /// Closes those that wait, and each of the others when it comes back. Who waits for a turn answers `Closed`.
    pub(crate) async fn close(&self) {
        self.turns.close();
        let waiting = self.lock().take();
        for connection in waiting.into_iter().flatten() {
            // It has nothing to lose.
            connection.close().await.ok();
        }
    }

    fn put_back(&self, connection: SqliteConnection) {
        if let Some(waiting) = self.lock().as_mut().filter(|waiting| waiting.len() < self.waiting_max) {
            waiting.push(connection);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<SqliteConnection>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that somebody reads from.
///
/// Dropping it in the middle of a statement is fine: the engine stops when nobody takes the rows, and does what it is asked
/// next after that.
pub(crate) struct Reader {
    /// There until it is dropped.
    connection: Option<SqliteConnection>,
    /// Whether a transaction may be open.
    holds_view: bool,
    readers: Arc<Readers>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Reader {
    /// Ends the use of the reader. What failed once shall not fail for the next who reads: after a failure of the engine the
    /// connection is closed.
    pub(crate) fn done<T>(mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && matches!(error.kind(), ErrorKind::Io | ErrorKind::Corrupt)
        {
            drop(self.connection.take());
        }
        result
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if !self.holds_view {
            return self.readers.put_back(connection);
        }
        let readers = self.readers.clone();
        // Without a runtime the connection is closed, which ends its transaction as well.
        self.readers.runtime.spawn(async move {
            if sqlx::query("ROLLBACK").execute(&mut connection).await.is_ok() {
                readers.put_back(connection);
            }
        });
    }
}

impl Deref for Reader {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.connection.as_ref().expect("it is there until the reader is dropped")
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("it is there until the reader is dropped")
    }
}
