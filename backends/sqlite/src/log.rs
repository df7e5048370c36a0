//! The write-ahead log: moved into the file now and then, so that it stays small.
//!
//! SQLite does that by itself after every 1,000 pages, as far as nobody reads what is older. Reads that overlap without a gap
//! would keep the log growing for ever: there the writer waits for them, for a moment.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Executor, SqliteConnection};
use strongroom_core::{Error, ErrorKind, Result};

use crate::error::from_engine;
use crate::file::beside;
use crate::row;

/// Bytes that the log keeps on the medium when it has been emptied.
pub(crate) const BYTES_KEPT: u32 = 8 << 20;
/// Bytes from which on the writer waits for reads to end.
const BYTES_MAX: u64 = 2 * BYTES_KEPT as u64;
/// How long it waits, each time that the log has grown by as much as it keeps.
const WAIT_MS: u32 = 50;

pub(crate) struct Log {
    path: PathBuf,
    busy_timeout_ms: u32,
    /// How large it was at the last attempt to empty it, if that failed.
    tried_at_bytes: u64,
}

impl Log {
    /// The log of the store at `path`; `busy_timeout_ms` is how long its connection waits otherwise.
    pub(crate) fn new(path: &Path, busy_timeout_ms: u32) -> Self {
        Log { path: beside(path, "-wal"), busy_timeout_ms, tried_at_bytes: 0 }
    }

    /// Empties the log if it has become large. A failure is none of the commit that came before: the next one meets it.
    pub(crate) async fn bound(&mut self, connection: &mut SqliteConnection) {
        let bytes = std::fs::metadata(&self.path).map_or(0, |found| found.len());
        if bytes <= BYTES_MAX {
            self.tried_at_bytes = 0;
        } else if bytes >= self.tried_at_bytes + u64::from(BYTES_KEPT) {
            self.tried_at_bytes = bytes;
            wait_at_most(connection, WAIT_MS).await;
            checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)").await.ok();
            wait_at_most(connection, self.busy_timeout_ms).await;
        }
    }
}

/// Moves what the log holds into the file. `Busy` if somebody reads what is older, or does the same.
pub(crate) async fn checkpoint(connection: &mut SqliteConnection, sql: &'static str) -> Result<()> {
    let columns = sqlx::query(sql).fetch_one(connection).await.map_err(from_engine)?;
    match row::number(&columns, 0)? {
        Some(0) => Ok(()),
        _ => Err(Error::new(ErrorKind::Busy, "another process or handle reads or writes: try again")),
    }
}

async fn wait_at_most(connection: &mut SqliteConnection, ms: u32) {
    connection.execute(AssertSqlSafe(format!("PRAGMA busy_timeout = {ms}"))).await.ok();
}
