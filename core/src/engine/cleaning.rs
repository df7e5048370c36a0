//! What goes although nobody deleted it.

use super::{Message, StorageEngine};
use crate::{Result, Retained, RetentionPolicy, Swept};

impl StorageEngine {
    /// Deletes the messages that a policy does not keep, the oldest of each conversation first; with `dry_run` it only counts them.
    ///
    /// ```
    /// use strongroom_core::{Result, RetentionPolicy, RetentionRule, engine::StorageEngine};
    ///
    /// # async fn example(engine: StorageEngine) -> Result<()> {
    /// let latest = RetentionRule { count_max: Some(10_000), ..RetentionRule::default() };
    /// let policy = RetentionPolicy { groups: [("team".to_owned(), latest)].into(), ..RetentionPolicy::default() };
    /// let went = engine.retain_messages(&policy, false).await?;
    /// println!("{} of the oldest messages are deleted", went.dropped().count);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::retain`](crate::Database::retain).
    pub async fn retain_messages(&self, policy: &RetentionPolicy<String>, dry_run: bool) -> Result<Retained<String>> {
        self.database().retain(Message::CONVERSATION, policy, dry_run).await
    }

    /// Removes the records that have expired. The engine's own collections have none; those that a larger schema keeps beside them may.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// println!("{} records had expired", engine.sweep_expired().await?.records());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::sweep_expired`](crate::Database::sweep_expired).
    pub async fn sweep_expired(&self) -> Result<Swept> {
        self.database().sweep_expired().await
    }
}
