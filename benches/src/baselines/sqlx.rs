//! SQLite through sqlx: one statement a page.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use strongroom::Result;

use super::failed;
use super::sql::{CACHE_KIB, NEWEST};
use crate::workload::{PAGE, Place};

/// A pool of connections to the tables that [`RawRusqlite`](super::RawRusqlite) has made and filled.
#[derive(Clone, Debug)]
pub struct RawSqlx(SqlitePool);

impl RawSqlx {
    /// On an existing file.
    ///
    /// # Errors
    ///
    /// sqlx's.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", format!("-{CACHE_KIB}"));
        let pool = SqlitePoolOptions::new().max_connections(8).connect_with(options).await.map_err(failed)?;
        Ok(RawSqlx(pool))
    }

    /// The newest values of a room before a time.
    ///
    /// # Errors
    ///
    /// sqlx's.
    pub async fn page(&self, place: &Place) -> Result<Vec<Vec<u8>>> {
        let newest = sqlx::query_scalar(NEWEST).bind(place.room.as_str()).bind(place.before.as_millis());
        newest.bind(PAGE as i64).fetch_all(&self.0).await.map_err(failed)
    }

    /// Gives the connections back.
    pub async fn close(&self) {
        self.0.close().await;
    }
}
