//! Whether all is well with an engine's records, and how they come into another engine.

use super::StorageEngine;
use crate::{Copied, CopyProgress, Digest, Result, Salvaged, Verification};

impl StorageEngine {
    /// Checks every record against its index entries, and every entry against its record.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// for problem in engine.verify().await?.problems {
    ///     println!("{}: {} (row {})", problem.collection, problem.problem, problem.row);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::verify`](crate::Database::verify).
    pub async fn verify(&self) -> Result<Verification> {
        self.database().verify().await
    }

    /// The digest of all records: equal in two engines that hold the same.
    ///
    /// ```
    /// # async fn example(one: strongroom_core::engine::StorageEngine, other: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let alike = one.digest().await? == other.digest().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::digest`](crate::Database::digest).
    pub async fn digest(&self) -> Result<Digest> {
        self.database().digest().await
    }

    /// Copies all records as they are at one moment into another engine, on whatever store, and compares. It may be used meanwhile: so a
    /// store is backed up, moved or given another key.
    ///
    /// ```
    /// # async fn example(engine: strongroom_core::engine::StorageEngine, backup: strongroom_core::engine::StorageEngine) -> strongroom_core::Result<()> {
    /// let copied = engine.copy_into(&backup, |at| println!("{} of {}", at.records, at.total)).await?;
    /// println!("{} records, digest {}", copied.records, copied.digest);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::copy_into`](crate::Database::copy_into).
    pub async fn copy_into(&self, target: &StorageEngine, progress: impl FnMut(CopyProgress) + Send) -> Result<Copied> {
        self.database().copy_into(target.database(), progress).await
    }

    /// Copies what can be read out of a damaged store into another engine, and names what cannot.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use strongroom_core::{Database, Result, engine::{self, StorageEngine}, store::Store};
    /// # async fn example(store: Arc<dyn Store>, rescued: StorageEngine) -> Result<()> {
    /// let damaged = Database::builder(engine::schema()).open_damaged(store).await?;
    /// let salvaged = StorageEngine::new(damaged)?.salvage_into(&rescued, |_| {}).await?;
    /// println!("{} records, {} problems", salvaged.copied, salvaged.problems.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Database::salvage_into`](crate::Database::salvage_into).
    pub async fn salvage_into(&self, target: &StorageEngine, progress: impl FnMut(u64) + Send) -> Result<Salvaged> {
        self.database().salvage_into(target.database(), progress).await
    }
}
