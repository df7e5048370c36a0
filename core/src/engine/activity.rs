//! What the engine has done and what it holds.

use std::collections::BTreeMap;

use super::StorageEngine;
use crate::{Activity, CollectionSize, Result};

impl StorageEngine {
    /// What the engine has done since it was opened, and what it is doing now. Asks nobody and takes no lock.
    ///
    /// ```
    /// # use strongroom_core::engine::StorageEngine;
    /// # fn example(engine: &StorageEngine) {
    /// let activity = engine.activity();
    /// if activity.queued > 1_000 {
    ///     println!("{} writes wait for the disk", activity.queued);
    /// }
    /// # }
    /// ```
    pub fn activity(&self) -> Activity {
        self.database().activity()
    }

    /// Bytes of each collection, by name. Reads all there is.
    ///
    /// ```
    /// # use strongroom_core::{Result, engine::StorageEngine};
    /// # async fn example(engine: &StorageEngine) -> Result<()> {
    /// let messages = engine.sizes().await?["messages"];
    /// println!("{} messages take {} bytes", messages.records, messages.record_bytes);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::sizes`](crate::Database::sizes).
    pub async fn sizes(&self) -> Result<BTreeMap<String, CollectionSize>> {
        self.database().sizes().await
    }
}
