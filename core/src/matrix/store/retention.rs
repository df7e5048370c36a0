//! Which messages go because they are old or because there are too many.

use super::MatrixStore;
use crate::matrix::{Message, RoomId};
use crate::{Result, Retained, RetentionPolicy};

impl MatrixStore {
    /// Deletes the messages that a policy does not keep, the oldest of each room first; with `dry_run` it only counts them. A message's
    /// time is its `timestamp`.
    ///
    /// The room itself, its state and its members stay, and so does its `last_event`: that is the latest that was ever seen.
    ///
    /// Redactions are messages too and go as these do. What redacts an event that is redacted here was sent later than it, so it goes
    /// later; but once it is gone, an import or a save of the old event as it was sent brings its content back.
    ///
    /// # Errors
    ///
    /// As [`Database::retain`](crate::Database::retain).
    pub async fn retain_messages(&self, policy: &RetentionPolicy<RoomId>, dry_run: bool) -> Result<Retained<RoomId>> {
        self.db.retain(Message::ROOM_TIMESTAMP, policy, dry_run).await
    }
}
