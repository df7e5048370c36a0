//! The bytes of a copied database: they follow its records into the object store that it has now.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use object_store::ObjectStore;
use sha2::{Digest, Sha256};
use strongroom_core::matrix::{MediaId, Object};
use strongroom_core::{Error, Result};
use tokio_util::task::AbortOnDropHandle;

use super::walk::BATCH;
use super::{Inner, Media, Problem, forged, read, unnamed};
use crate::error::of_task;
use crate::layout;

/// What [`Media::copy_objects_from`] did.
#[derive(Clone, Debug, Default)]
pub struct CopiedObjects {
    /// Objects whose bytes were copied.
    pub copied: u64,
    /// Objects whose bytes were there already.
    pub present: u64,
    /// Bytes that were copied.
    pub bytes: u64,
    /// Objects that could not be copied, each with the medium whose content or thumbnail it is.
    pub problems: Vec<Problem>,
}

impl Media {
    /// Copies the bytes that this database names out of another object store, where they lie under the same names: that of the database
    /// which this one is a copy of, by [`Database::copy_into`](strongroom_core::Database::copy_into). If they are encrypted there,
    /// `from` is wrapped with the key of that database; what is written here is encrypted as this object store does it.
    ///
    /// Each object is compared with its SHA-256 while it is copied. What is here already is passed over, so that an interrupted copy can be
    /// called again. `progress` is told how many bytes were copied so far. Nothing is removed from `from`.
    ///
    /// Until it is done, the media that it has not come to cannot be read here. Parts of an object of which another part is missing in `from` stay,
    /// and are written again when it is called again. Bytes that the other database removes meanwhile, by a
    /// deletion or a sweep, are a problem in the answer.
    ///
    /// # Errors
    ///
    /// Those of the database and of this object store; what is wrong in `from` is in the answer.
    pub async fn copy_objects_from(
        &self,
        from: Arc<dyn ObjectStore>,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<CopiedObjects> {
        let Inner { db, folder, options, .. } = &*self.0;
        let source = Inner { db: db.clone(), objects: from, folder: folder.clone(), options: options.clone() };
        let source = Arc::new(source);
        let (mut copied, mut after) = (CopiedObjects::default(), None);
        loop {
            let query = db.query(Object::PRIMARY).limit(BATCH);
            let page = if let Some(after) = after { query.after(after) } else { query }.page().await?;
            for object in page.records {
                if !layout::is_sound(&object.parts) {
                    copied.note(object.media_id, forged("objects"));
                } else if self.has_parts(&object.object_id, &object.parts, object.size).await? {
                    copied.present += 1;
                } else {
                    self.copy_object(&source, object, &mut copied, &mut progress).await?;
                }
            }
            let Some(next) = page.next else { return Ok(copied) };
            after = Some(next);
        }
    }

    async fn copy_object(
        &self,
        source: &Arc<Inner>,
        object: Object,
        copied: &mut CopiedObjects,
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<()> {
        let before = copied.bytes;
        let problem = match self.copy_parts(source, &object, &mut copied.bytes, progress).await? {
            Ok(()) => {
                copied.copied += 1;
                return Ok(());
            }
            Err(problem) => problem,
        };
        copied.bytes = before;
        // It may have been deleted here meanwhile.
        if self.0.db.get(&Object::key(&object.object_id)).await?.is_some() {
            copied.note(object.media_id, problem);
        }
        Ok(())
    }

    /// Copies part after part. The inner error is about what lies in `source`, the outer one about this object store.
    async fn copy_parts(
        &self,
        source: &Arc<Inner>,
        object: &Object,
        bytes: &mut u64,
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<Result<()>> {
        let count = layout::count(&object.parts, object.size);
        let fetched = stream::iter(0..count).map(|number| {
            let part = layout::part(&object.object_id, &object.parts, number);
            let first = number * object.parts.part_bytes;
            let length = object.parts.part_bytes.min(object.size - first);
            let source = source.clone();
            // By tasks of their own, so that some are fetched and opened while another is sealed and written.
            let task = AbortOnDropHandle::new(tokio::spawn(async move {
                let part = part.ok_or_else(|| unnamed("copy"))?;
                Ok((read::fetch(&source, &part, 0..length).await?, part, length))
            }));
            async move { task.await.map_err(of_task)? }
        });
        let mut fetched = fetched.buffered(self.0.options.transfers_max);
        let mut hash = Sha256::new();
        while let Some(part) = fetched.next().await {
            let (pieces, part, length) = match part {
                Ok(fetched) => fetched,
                Err(error) => return Ok(Err(error)),
            };
            pieces.iter().for_each(|piece| hash.update(piece));
            // The last part makes the object whole: it comes only if all of it is right, so what is whole here is never wrong.
            if part.number + 1 == count && <[u8; 32]>::from(hash.clone().finalize()) != object.sha256 {
                // Whichever part it is: none of what was written here is worth anything.
                self.remove_bytes(object).await?;
                return Ok(Err(read::wrong("the content of a medium is not what was stored")));
            }
            self.0.put_part(&part, pieces.into_iter().collect(), "copy").await?;
            *bytes += length;
            progress(*bytes);
        }
        Ok(Ok(()))
    }
}

impl CopiedObjects {
    fn note(&mut self, media_id: MediaId, error: Error) {
        self.problems.push(Problem { media_id, error });
    }
}
