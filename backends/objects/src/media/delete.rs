//! Deleting a medium, and giving up an upload: the records first, then the bytes that nothing names any more.

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use strongroom_core::matrix::{self, MediaId, Object, ObjectId, ObjectParts, Upload};
use strongroom_core::{Result, Transaction};

use super::Media;
use crate::error::of_objects;
use crate::layout::{self, Part};

/// Parts whose names are made from the record, at most: 4 TiB in parts of the usual size. Of a larger one they are listed.
const PARTS_MAX: u64 = 1 << 20;

impl Media {
    /// Deletes a medium with its bytes; says whether there was one.
    ///
    /// # Errors
    ///
    /// Those of the database. Those of the object store, too: the medium is deleted then, and bytes that are left are swept.
    pub async fn delete(&self, id: &MediaId) -> Result<bool> {
        let (existed, objects) = self.0.db.write(|tx| async move { forget(&tx, id).await }).await?;
        for object in &objects {
            self.remove_bytes(object).await?;
        }
        Ok(existed)
    }

    /// Whether the object store has all parts of the first `stored` bytes of an object.
    pub(super) async fn has_parts(&self, object: &ObjectId, parts: &ObjectParts, stored: u64) -> Result<bool> {
        let mut missing = layout::count(parts, stored);
        let mut listed = self.listed(object);
        while let Some(part) = listed.try_next().await? {
            missing -= u64::from(missing > 0 && layout::is_part(&part, parts, stored));
        }
        Ok(missing == 0)
    }

    /// The parts of an object that are in the object store.
    fn listed(&self, object: &ObjectId) -> BoxStream<'static, Result<Part>> {
        let (prefix, object) = (layout::shard(&self.0.folder, object), object.clone());
        let listed = self.0.objects.list(Some(&prefix)).map_err(|error| of_objects(error, "list"));
        let parts = listed.try_filter_map(move |meta| {
            std::future::ready(Ok(Part::of_path(&meta.location).filter(|part| part.object == object)))
        });
        parts.boxed()
    }

    /// Removes the bytes of an object whose record is gone.
    pub(super) async fn remove_bytes(&self, object: &Object) -> Result<()> {
        let (inner, id, parts) = (self.0.clone(), object.object_id.clone(), object.parts.clone());
        if !layout::is_sound(&parts) || layout::count(&parts, object.size) > PARTS_MAX {
            return self.remove_listed(&id).await;
        }
        let numbers = 0..layout::count(&parts, object.size);
        let paths = numbers.filter_map(move |number| layout::part(&id, &parts, number).map(|part| inner.path(&part)));
        self.remove(paths).await
    }

    /// Removes bytes. What is not there is removed already.
    pub(super) async fn remove(&self, paths: impl IntoIterator<Item = Path, IntoIter: Send + 'static>) -> Result<()> {
        let paths = stream::iter(paths).map(Ok).boxed();
        let mut removed = self.0.objects.delete_stream(paths);
        loop {
            match removed.try_next().await {
                Ok(Some(_)) | Err(object_store::Error::NotFound { .. }) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(of_objects(error, "delete")),
            }
        }
    }

    /// Gives up an upload, and removes what is there of it. If another has taken it over, the bytes are that one's, or a medium's already:
    /// then nothing is done.
    pub(super) async fn give_up(&self, object: &ObjectId, attempts: usize) -> Result<()> {
        let given_up = self.0.db.write(|tx| async move {
            match tx.get(&Upload::key(object)).await? {
                // Without its record, whoever is at it still can finish no more.
                Some(upload) if upload.parts.attempts.len() == attempts => tx.delete(&Upload::key(object)).await,
                _ => Ok(false),
            }
        });
        if !given_up.await? {
            return Ok(());
        }
        self.remove_listed(object).await
    }

    /// Removes what is there of an object, whatever its record says.
    async fn remove_listed(&self, object: &ObjectId) -> Result<()> {
        let parts: Vec<Part> = self.listed(object).try_collect().await?;
        let inner = self.0.clone();
        self.remove(parts.into_iter().map(move |part| inner.path(&part))).await
    }
}

/// Deletes the record of a medium and those of its objects. Says whether it was there and had not expired, and gives the objects.
pub(super) async fn forget(tx: &Transaction, id: &MediaId) -> Result<(bool, Vec<Object>)> {
    let Some(record) = tx.get(&matrix::Media::key(id)).await? else {
        // One that has expired is not seen, but there. Its objects are swept.
        tx.delete(&matrix::Media::key(id)).await?;
        return Ok((false, Vec::new()));
    };
    tx.delete(&matrix::Media::key(id)).await?;
    let mut objects = Vec::new();
    for object in [Some(&record.data), record.thumbnail.as_ref()].into_iter().flatten() {
        if let Some(found) = tx.get(&Object::key(object)).await? {
            tx.delete(&Object::key(object)).await?;
            objects.push(found);
        }
    }
    Ok((true, objects))
}
