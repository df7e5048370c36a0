//! The one connection that writes: transactions from their beginning to their end, and what becomes of one that fails.

use std::collections::{BTreeSet, HashMap};

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Executor, SqliteConnection};
use strongroom_core::store::sorted::RecentWrites;
use strongroom_core::store::{Batch, Guard, KeyRange, Limits, Outcome, Revision, StoredKey};
use strongroom_core::{Error, ErrorKind, Result};

use crate::error::{damaged, from_engine, is_statement};
use crate::file::{self, Opened};
use crate::log::{Log, checkpoint};
use crate::transaction::Transaction;
use crate::{row, statements};

/// Writes, one transaction after another. Whoever has it is the only one of this handle who does.
pub(crate) struct Writer {
    /// Not there during a transaction, so that one that is given up ends with its connection; nor after a failure.
    connection: Option<SqliteConnection>,
    connect: SqliteConnectOptions,
    /// The newest that it has seen.
    revision: Revision,
    recent: RecentWrites,
    log: Log,
    limits: Limits,
}

impl Writer {
    pub(crate) fn new(connect: SqliteConnectOptions, opened: Opened, log: Log, limits: Limits) -> Self {
        let Opened { connection, revision } = opened;
        Writer { connection: Some(connection), connect, revision, recent: RecentWrites::new(revision), log, limits }
    }

    /// The newest revision that it has seen.
    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// [`Store::commit`](strongroom_core::store::Store::commit): one transaction for all batches.
    pub(crate) async fn commit(&mut self, batches: &[Batch]) -> Result<Vec<Outcome>> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let only_reads = batches.iter().all(Batch::is_read_only);
        let begin = if only_reads { statements::BEGIN_READ } else { statements::BEGIN_WRITE };
        let mut transaction = self.begin(begin, batches.iter().flat_map(|batch| &batch.guards)).await?;
        let applied = transaction.apply(batches, &self.limits, &mut self.recent).await;
        self.end(transaction, applied).await
    }

    /// [`Store::drop_range`](strongroom_core::store::Store::drop_range): one transaction, so all or nothing.
    pub(crate) async fn drop_range(&mut self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        if let Err(error) = self.limits.check_guards(guards) {
            return Ok(Outcome::Rejected(error));
        }
        let mut transaction = self.begin(statements::BEGIN_WRITE, guards).await?;
        let dropped = transaction.drop_range(range, guards, &mut self.recent).await;
        self.end(transaction, dropped).await
    }

    /// Writes the file anew without what is free in it, and empties the log into it. What was deleted is in neither afterwards: free space
    /// in a page is overwritten with zeros, every page is written anew, and the log is cut to nothing.
    pub(crate) async fn compact(&mut self) -> Result<()> {
        let mut connection = self.take_connection().await?;
        let compacted = async {
            connection.execute("PRAGMA secure_delete = ON").await.map_err(from_engine)?;
            connection.execute("VACUUM").await.map_err(from_engine)?;
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await
        };
        let compacted = compacted.await;
        // Between compactions it would cost writes: what they leave goes with the next one.
        connection.execute("PRAGMA secure_delete = OFF").await.ok();
        match &compacted {
            Err(error) if !error.is_busy() => drop(connection.close().await),
            _ => self.connection = Some(connection),
        }
        compacted
    }

    /// Empties the log, as far as nobody reads it, and closes the connection.
    pub(crate) async fn close(&mut self) -> Result<()> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        let emptied = checkpoint(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
        connection.close().await.map_err(from_engine)?;
        match emptied {
            // Somebody else will.
            Err(error) if error.is_busy() => Ok(()),
            emptied => emptied,
        }
    }

    async fn take_connection(&mut self) -> Result<SqliteConnection> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Ok(file::reopen(&self.connect, false).await?.connection),
        }
    }

    /// Begins a transaction and reads the revisions that the guards ask for.
    async fn begin(&mut self, begin: &str, guards: impl IntoIterator<Item = &Guard>) -> Result<Transaction> {
        let guarded = guards.into_iter().filter_map(|guard| match guard {
            Guard::Key { key, .. } => Some(key),
            Guard::Range { .. } => None,
        });
        let guarded: BTreeSet<&StoredKey> = guarded.collect();
        let guarded: Vec<&StoredKey> = guarded.into_iter().collect();
        let mut connection = self.take_connection().await?;
        let began = revisions(&mut connection, begin, &guarded).await.and_then(|(revision, rows)| {
            if revision < self.revision {
                return Err(Error::new(ErrorKind::Corrupt, "the file was exchanged while it was open"));
            }
            Ok((revision, rows))
        });
        match began {
            Ok((revision, rows)) => {
                if revision > self.revision {
                    // Somebody else has written, nobody here knows what.
                    self.recent = RecentWrites::new(revision);
                    self.revision = revision;
                }
                Ok(Transaction::new(connection, revision, rows))
            }
            Err(error) if error.is_busy() => {
                // Usually none has begun.
                connection.execute("ROLLBACK").await.ok();
                self.connection = Some(connection);
                Err(error)
            }
            Err(error) => {
                connection.close().await.ok();
                Err(error)
            }
        }
    }

    /// Makes what the transaction wrote durable and visible, or undoes all of it.
    async fn end<T>(&mut self, mut transaction: Transaction, result: Result<T>) -> Result<T> {
        let before = self.revision;
        if result.is_ok() && transaction.revision() == before {
            if transaction.connection.execute("ROLLBACK").await.is_ok() {
                self.connection = Some(transaction.connection);
            }
            return result;
        }
        let (error, is_doubtful) = match result {
            Ok(result) => match transaction.commit().await {
                Ok(()) => {
                    self.revision = transaction.revision();
                    self.log.bound(&mut transaction.connection).await;
                    self.connection = Some(transaction.connection);
                    return Ok(result);
                }
                Err(failed) => (from_engine(failed.error), failed.is_doubtful),
            },
            Err(error) => (error, false),
        };
        self.recent.undo_after(before);
        if !is_doubtful {
            self.undo(transaction.connection).await;
            return Err(error);
        }
        transaction.connection.close().await.ok();
        if self.is_undone().await {
            return Err(error);
        }
        let message = "the engine failed in a commit, which may or may not have happened";
        Err(Error::new(ErrorKind::CommitUnknown, message).with_source(error))
    }

    /// Undoes a transaction that has not come to its end.
    ///
    /// The connection is kept, if that is possible: the last one that closes takes the files beside the store's with it, and
    /// on a full disk nobody could make them again to read.
    async fn undo(&mut self, mut connection: SqliteConnection) {
        match connection.execute("ROLLBACK").await {
            Ok(_) => self.connection = Some(connection),
            // The engine has undone it already.
            Err(error) if is_statement(&error) => self.connection = Some(connection),
            Err(_) => drop(connection.close().await),
        }
    }

    /// Makes sure that a commit that failed has not happened, if that can be.
    ///
    /// Nobody sees it now, but it may stand in the log, whole, though it could not be synced: a recovery after a crash would
    /// find it. Another commit, of nothing, takes its place in the log.
    async fn is_undone(&mut self) -> bool {
        let again = async {
            let mut connection = self.take_connection().await?;
            let columns =
                sqlx::query(statements::COMMIT_NOTHING).fetch_one(&mut connection).await.map_err(from_engine)?;
            sqlx::query("COMMIT").execute(&mut connection).await.map_err(from_engine)?;
            self.connection = Some(connection);
            row::revision(&columns, 0)
        };
        let found: Result<Revision> = again.await;
        found.is_ok_and(|revision| revision == self.revision)
    }
}

/// The store's revision and those of the keys that have a row, behind `begin`.
async fn revisions(
    connection: &mut SqliteConnection,
    begin: &str,
    keys: &[&StoredKey],
) -> Result<(Revision, HashMap<StoredKey, Revision>)> {
    let mut newest = None;
    let mut rows = HashMap::new();
    let (mut begin, mut rest) = (begin, keys);
    while newest.is_none() || !rest.is_empty() {
        let (piece, next) = rest.split_at(rest.len().min(statements::KEYS_MAX));
        let mut results = statements::revisions(begin, piece).fetch(&mut *connection);
        while let Some(columns) = results.try_next().await.map_err(from_engine)? {
            newest = Some(row::revision(&columns, 0)?);
            let Some(key) = row::key(&columns, 1)? else { continue };
            rows.insert(key, row::revision(&columns, 2)?);
        }
        newest.ok_or_else(damaged)?;
        (begin, rest) = ("", next);
    }
    Ok((newest.ok_or_else(damaged)?, rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteOptions;
    use crate::connection::connect_options;

    /// What takes the place of a commit that failed must be in the log itself.
    #[tokio::test]
    async fn a_commit_of_nothing_is_in_the_log() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("store");
        let connect = connect_options(&path, &SqliteOptions::default());
        let Opened { mut connection, revision } = file::open(&path, &connect, false).await?;
        let log_bytes = || std::fs::metadata(file::beside(&path, "-wal")).map(|found| found.len());
        let before = log_bytes()?;
        let columns = sqlx::query(statements::COMMIT_NOTHING).fetch_one(&mut connection).await?;
        sqlx::query("COMMIT").execute(&mut connection).await?;
        assert_eq!(row::revision(&columns, 0)?, revision);
        assert!(log_bytes()? > before, "the log has {before} bytes, as before");
        drop(columns);
        connection.close().await?;
        assert_eq!(file::reopen(&connect, true).await?.revision, revision);
        Ok(())
    }
}
