//! Snapshots: transactions that hold on to what the store was.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::{Executor, Postgres};
use strongroom_core::store::{KeyRange, Page, Read, Revision, Rows, Scan, StoredKey, Summary};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};

use crate::error::{from_engine, is_lost, is_transient, removed};
use crate::row;
use crate::store::Place;

/// What a snapshot sees. One read at a time; dropped, its connection goes back.
pub(crate) struct View {
    transaction: Mutex<Transaction>,
    place: Arc<Place>,
}

/// A transaction that reads. Dropped, it ends.
struct Transaction {
    connection: Option<PoolConnection<Postgres>>,
    runtime: Handle,
}

impl View {
    /// Begins to hold on to what the store is now, in one round trip.
    pub(crate) async fn begin(place: &Arc<Place>, runtime: &Handle) -> Result<(Self, Revision)> {
        let connection = place.server.connections.take_view().await?;
        // From here on its transaction may be open, also if this is given up in the middle.
        let mut transaction = Transaction { connection: Some(connection), runtime: runtime.clone() };
        let connection = transaction.connection.as_mut().ok_or_else(gone)?;
        let begin = sqlx::raw_sql(place.server.statements.begin_view(place.namespace));
        let found = async { begin.fetch_all(&mut **connection).await.map_err(from_engine) };
        let found = place.server.connections.answer(found).await;
        let revision = found.and_then(|found| row::revision(found.first().ok_or_else(removed)?, 0));
        match revision {
            Ok(revision) => Ok((View { transaction: Mutex::new(transaction), place: place.clone() }, revision)),
            Err(error) => {
                transaction.give_up(&error);
                Err(error)
            }
        }
    }

    async fn transaction(&self) -> MutexGuard<'_, Transaction> {
        self.transaction.lock().await
    }
}

impl Transaction {
    fn connection(&mut self) -> Result<&mut PoolConnection<Postgres>> {
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Where the connection was lost, so is what the snapshot saw. Another would see something else.
    fn checked<T>(&mut self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            if !self.give_up(&error) {
                return error;
            }
            gone().with_source(error)
        })
    }

    fn give_up(&mut self, error: &Error) -> bool {
        let ended = is_lost(error) || is_transient(error);
        if ended && let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
            let _guard = self.runtime.enter();
            drop(connection);
        }
        ended
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        // What is not run any more is dropped, and that needs a runtime, too.
        let _guard = self.runtime.enter();
        self.runtime.spawn(async move {
            if connection.execute("ROLLBACK").await.is_err() {
                connection.close_on_drop();
            }
        });
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::SnapshotExpired, "the connection of the snapshot was lost: take a new one")
}

#[async_trait]
impl Read for View {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        let mut transaction = self.transaction().await;
        let rows = self.place.server.connections.answer(self.place.reader().get(transaction.connection()?, keys)).await;
        transaction.checked(rows)
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        let mut transaction = self.transaction().await;
        let page =
            self.place.server.connections.answer(self.place.reader().scan(transaction.connection()?, scan)).await;
        transaction.checked(page)
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let mut transaction = self.transaction().await;
        let summary =
            self.place.server.connections.answer(self.place.reader().summarize(transaction.connection()?, range)).await;
        transaction.checked(summary)
    }
}
