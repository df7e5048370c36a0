//! Writing a record once, however often it is tried.

use super::Database;
use super::transaction::Transaction;
use crate::Result;
use crate::schema::{Key, Record};

/// What became of a record that was to be written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once<R> {
    /// It is written: nothing with its key was there.
    First,
    /// Nothing is written. This is what was there.
    Replay(R),
}

impl<R> Once<R> {
    /// Whether it was the first time.
    pub fn is_first(&self) -> bool {
        matches!(self, Once::First)
    }

    /// What was there before, if it was not the first time.
    pub fn stored(self) -> Option<R> {
        match self {
            Once::First => None,
            Once::Replay(stored) => Some(stored),
        }
    }
}

impl Database {
    /// Writes a record if there is none with its key, else gives the one that is there, in one atomic step. A record that has expired
    /// counts as none.
    ///
    /// Of many callers with the same key, in however many processes, exactly one is the first. Whoever was told so finds the record
    /// after a crash, as far as the store's [durability](crate::store::Durability) goes. After `CommitUnknown` ask again: the answer may then
    /// be a replay of one's own.
    ///
    /// # Errors
    ///
    /// As [`insert`](Database::insert), without `AlreadyExists`.
    pub async fn insert_once<R: Record>(&self, record: &R) -> Result<Once<R>> {
        self.alone::<R, _, _, _>("insert_once", |tx| async move { tx.insert_once(record).await }).await
    }
}

impl Transaction {
    /// Writes a record if there is none with its key, else gives the one that is there. A record that has expired counts as none.
    ///
    /// # Errors
    ///
    /// As [`insert`](Transaction::insert), without `AlreadyExists`.
    pub async fn insert_once<R: Record>(&self, record: &R) -> Result<Once<R>> {
        if let Some(stored) = self.get(&Key::of(record)).await? {
            return Ok(Once::Replay(stored));
        }
        self.put(record).await?;
        Ok(Once::First)
    }
}
