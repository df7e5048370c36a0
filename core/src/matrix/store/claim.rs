//! One-time keys: each begins one session, then it is used up.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;

use super::MatrixStore;
use crate::matrix::{DeviceId, OneTimeKey, UserId};
use crate::{Result, Timestamp};

/// Keys that are published in one step.
const CHUNK: usize = 200;

impl MatrixStore {
    /// Publishes keys; says how many of them are there for the first time. A key whose id is there, used or not, stays as it is: so a key that
    /// was given away is never given again, however often it is published.
    ///
    /// It goes in steps of a few hundred, each atomic. After an error some are published; call it again.
    ///
    /// # Errors
    ///
    /// As [`Database::write`](crate::Database::write).
    pub async fn publish_one_time_keys(&self, keys: &[OneTimeKey]) -> Result<u64> {
        let mut published = 0;
        for chunk in keys.chunks(CHUNK) {
            let step = self.db.write(|tx| async move {
                let mut published = 0;
                for key in chunk {
                    published += u64::from(tx.insert_once(key).await?.is_first());
                }
                Ok(published)
            });
            published += step.await?;
        }
        Ok(published)
    }

    /// Claims the oldest unclaimed key of a device for an algorithm, and marks it as used in the same atomic step. `None` if none is left.
    ///
    /// However many claim at the same time, in however many processes, each is given another key.
    ///
    /// # Errors
    ///
    /// As [`Query::claim`](crate::Query::claim).
    pub async fn claim_one_time_key(
        &self,
        user: &UserId,
        device: &DeviceId,
        algorithm: &str,
    ) -> Result<Option<OneTimeKey>> {
        let now = self.db.now();
        let unclaimed = self.db.query(OneTimeKey::UNCLAIMED).equal(user).equal(device).equal(algorithm);
        unclaimed.oldest_first().claim(|key| key.used_at = Some(now)).await
    }

    /// How many unclaimed keys a device has for each algorithm; algorithms without one are not in the answer. Costs a look at each key.
    ///
    /// # Errors
    ///
    /// As a query's [`stream`](crate::Query::stream).
    pub async fn count_one_time_keys(&self, user: &UserId, device: &DeviceId) -> Result<BTreeMap<String, u64>> {
        let unclaimed = self.db.query(OneTimeKey::UNCLAIMED).equal(user).equal(device);
        let mut unclaimed = std::pin::pin!(unclaimed.stream());
        let mut counts = BTreeMap::new();
        while let Some(key) = unclaimed.try_next().await? {
            *counts.entry(key.algorithm).or_default() += 1;
        }
        Ok(counts)
    }

    /// Deletes the keys that were used before a time; says how many there were. A used key is kept for a while so that its device does not
    /// publish it again.
    ///
    /// It goes in steps of a few hundred, each atomic. After an error some are deleted; call it again.
    ///
    /// # Errors
    ///
    /// Those of [`Query::delete`](crate::Query::delete).
    pub async fn sweep_used_one_time_keys(&self, before: Timestamp) -> Result<u64> {
        self.db.query(OneTimeKey::USED).before(before).delete().await
    }
}
