//! Whether what the records say is so.

use futures_util::TryStreamExt;
use strongroom_core::matrix::{self, MediaId, Object};
use strongroom_core::observe::operation;
use strongroom_core::{Error, Result};

use super::{Media, forged, read, unnamed};
use crate::layout;

/// What [`Media::verify`] found.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Media whose content and thumbnail are what was stored.
    pub good: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Media that cannot be read whole.
    pub problems: Vec<Problem>,
}

/// A medium that cannot be read whole.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Which one.
    pub media_id: MediaId,
    /// Why.
    pub error: Error,
}

impl Media {
    /// Reads every medium whole, with its thumbnail, and compares it with its SHA-256. `progress` is told how many bytes were read so far.
    ///
    /// # Errors
    ///
    /// Those of the database; what is wrong with a medium is in the answer.
    pub async fn verify(&self, progress: impl FnMut(u64) + Send) -> Result<Verified> {
        operation("media_verify").counting(self.verify_all(progress), |verified| verified.good).await
    }

    async fn verify_all(&self, mut progress: impl FnMut(u64) + Send) -> Result<Verified> {
        let mut verified = Verified::default();
        let mut after = None;
        loop {
            let query = self.0.db.query(matrix::Media::PRIMARY).limit(200);
            let page = match after.take() {
                Some(cursor) => query.after(cursor).page().await?,
                None => query.page().await?,
            };
            for record in page.records {
                match self.verify_one(&record, &mut verified.bytes, &mut progress).await {
                    Ok(()) => verified.good += 1,
                    // It may have been deleted meanwhile.
                    Err(_) if self.0.db.get(&matrix::Media::key(&record.media_id)).await?.as_ref() != Some(&record) => {
                    }
                    Err(error) => verified.problems.push(Problem { media_id: record.media_id, error }),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(verified),
            }
        }
    }

    async fn verify_one(
        &self,
        record: &matrix::Media,
        bytes: &mut u64,
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<()> {
        for id in [Some(&record.data), record.thumbnail.as_ref()].into_iter().flatten() {
            let object = self.0.db.get(&Object::key(id)).await?.ok_or_else(|| unnamed("verify"))?;
            if !layout::is_sound(&object.parts) {
                return Err(forged("objects"));
            }
            let all = 0..object.size;
            let mut parts = read::read(self.0.clone(), object, all);
            while let Some(part) = parts.try_next().await? {
                *bytes += part.len() as u64;
                progress(*bytes);
            }
        }
        Ok(())
    }
}
