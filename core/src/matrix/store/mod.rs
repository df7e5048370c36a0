//! The operations of the schema `matrix`: one file an idea, each an `impl MatrixStore`.

mod claim;
mod redaction;
mod retention;
mod rooms;
mod transactions;
mod turns;
mod verify;

use std::sync::Arc;

pub use redaction::Redaction;
pub use transactions::SendOutcome;

use super::{UserId, schema};
use crate::store::Store;
use crate::{Database, Error, ErrorKind, Result};

/// What a Matrix client does with its store beyond reading and writing records: steps that keep several records right at once.
/// A cheap handle: clone it freely.
#[derive(Clone, Debug)]
pub struct MatrixStore {
    db: Database,
    /// The local user.
    me: Option<UserId>,
    turns: Arc<turns::Turns>,
}

impl MatrixStore {
    /// The operations over a database that was opened with the schema [`matrix`](super::schema), or with one that has all its
    /// collections.
    ///
    /// # Errors
    ///
    /// `SchemaMismatch` if it lacks one.
    pub fn new(db: Database) -> Result<Self> {
        let (has, needs) = (db.schema(), schema());
        if needs.collections().all(|collection| has.collections().any(|other| other == collection)) {
            return Ok(MatrixStore { db, me: None, turns: Arc::default() });
        }
        let message = format!("these operations need schema {}, this database has {}", needs.name(), has.name());
        Err(Error::new(ErrorKind::SchemaMismatch, message))
    }

    /// Opens a store, new or not, with the schema [`matrix`](super::schema).
    ///
    /// # Errors
    ///
    /// As [`Database::open`].
    pub async fn open(store: impl Store) -> Result<Self> {
        MatrixStore::new(Database::open(store, schema()).await?)
    }

    /// The same store for a local user, whose own membership each room's record says.
    #[must_use]
    pub fn me(self, user: impl Into<UserId>) -> Self {
        MatrixStore { me: Some(user.into()), ..self }
    }

    /// The database below: its records, queries and transactions.
    pub fn database(&self) -> &Database {
        &self.db
    }
}
