//! Sending a message once: begun under the client's own id, finished when the server has answered, retried until then.

use super::MatrixStore;
use crate::matrix::{EventId, SendTransaction, TransactionId, TransactionStatus};
use crate::{Cursor, Error, ErrorKind, Json, Once, Page, Result, Timestamp};

/// How the sending of a message ended.
#[derive(Clone, Debug, PartialEq)]
pub struct SendOutcome {
    /// `Sent` or `Failed`.
    pub status: TransactionStatus,
    /// The id that the server gave the event, if it is another than the one noted.
    pub message_id: Option<EventId>,
    /// What the client keeps with it from now on, if that is something else.
    pub metadata: Option<Json>,
}

impl SendOutcome {
    /// The server has it, under this id.
    pub fn sent(message_id: impl Into<EventId>) -> Self {
        SendOutcome { status: TransactionStatus::Sent, message_id: Some(message_id.into()), metadata: None }
    }

    /// It was given up.
    pub fn failed() -> Self {
        SendOutcome { status: TransactionStatus::Failed, message_id: None, metadata: None }
    }
}

impl MatrixStore {
    /// Begins to send a message: says whether it is the first time for its `txn_id`, or replays what was stored then.
    ///
    /// Who is first sends it, and [finishes](MatrixStore::finish_transaction) it when it has the answer. A replay that is still pending was
    /// begun and may have been sent: send it again under the same id, and the server knows it. After a crash all that was begun is there.
    ///
    /// # Errors
    ///
    /// As [`Database::insert_once`](crate::Database::insert_once).
    pub async fn begin_transaction(&self, transaction: &SendTransaction) -> Result<Once<SendTransaction>> {
        self.db.insert_once(transaction).await
    }

    /// Notes how and when a sending ended, and gives what is stored now. What was sent stays so: a later `Failed`, of a second attempt, changes
    /// nothing. What had failed can still be sent.
    ///
    /// # Errors
    ///
    /// `NotFound` if it was not begun, `InvalidInput` if the outcome is `Pending`, and those of [`Database::write`](crate::Database::write).
    pub async fn finish_transaction(&self, txn_id: &TransactionId, outcome: &SendOutcome) -> Result<SendTransaction> {
        if outcome.status == TransactionStatus::Pending {
            return Err(Error::new(ErrorKind::InvalidInput, "an outcome is sent or failed"));
        }
        let finished = self.db.write(|tx| async move {
            let Some(mut transaction) = tx.get(&SendTransaction::key(txn_id)).await? else {
                return Err(Error::new(ErrorKind::NotFound, "no transaction was begun with this id"));
            };
            if transaction.status == TransactionStatus::Sent {
                return Ok(transaction);
            }
            transaction.status = outcome.status;
            transaction.finished_at = Some(self.db.now());
            if let Some(message_id) = &outcome.message_id {
                transaction.message_id = message_id.clone();
            }
            if let Some(metadata) = &outcome.metadata {
                transaction.metadata = Some(metadata.clone());
            }
            tx.update(&transaction).await?;
            Ok(transaction)
        });
        finished.await.map_err(|error| error.during("finish_transaction"))
    }

    /// A page of what was begun and not finished, the oldest first, for who retries.
    ///
    /// # Errors
    ///
    /// As [`Query::page`](crate::Query::page).
    pub async fn pending_transactions(&self, limit: usize, after: Option<Cursor>) -> Result<Page<SendTransaction>> {
        let pending = self.db.query(SendTransaction::PENDING).equal(&TransactionStatus::Pending).oldest_first();
        let pending = pending.limit(limit);
        match after {
            None => pending.page().await,
            Some(after) => pending.after(after).page().await,
        }
    }

    /// Deletes what was finished before a time; says how many there were. What is pending stays, however old. Its id counts as new
    /// afterwards, so `before` must lie further back than anybody would retry. It goes by [`finished_at`](SendTransaction::finished_at), not by
    /// the beginning: who was offline for a month and has just sent is still known.
    ///
    /// It goes in steps of a few hundred, each atomic. After an error some are deleted; call it again.
    ///
    /// # Errors
    ///
    /// Those of [`Query::delete`](crate::Query::delete).
    pub async fn age_out_transactions(&self, before: Timestamp) -> Result<u64> {
        self.db.query(SendTransaction::FINISHED).before(before).delete().await
    }
}
