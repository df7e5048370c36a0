//! The sweep: what nobody may see any more goes, then the bytes that no record names.
//!
//! Bytes are written only while the record of their upload is there, and in one commit that record becomes the object's. So bytes that
//! were listed *before* a view of the database was opened, and that this view does not name, will never be named: their upload has been
//! given up or its object deleted, and no id is used twice. That holds whoever writes, in whatever process, and needs no clock.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};
use strongroom_core::matrix::{self, MediaId, Object, Upload};
use strongroom_core::observe::operation;
use strongroom_core::{Cursor, Result, Timestamp};

use super::delete::forget;
use super::plan::Plan;
use super::walk::{self, BATCH, Found};
use super::{Media, Reason, Retention};
use crate::error::of_objects;
use crate::layout::{self, Part};

/// What a sweep does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepOptions {
    /// Which media go although nobody deleted them. Without a rule only those that have expired.
    pub retention: Retention,
    /// Only says what would go.
    pub dry_run: bool,
}

/// What a sweep removed, or would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Media by the reason why they went: how many, and bytes of content and thumbnails.
    pub media: BTreeMap<Reason, (u64, u64)>,
    /// Uploads that rested for too long.
    pub uploads: u64,
    /// Parts of objects that no record named: how many, and their bytes.
    pub strays: (u64, u64),
}

impl Swept {
    /// Bytes that are free now, or would be.
    pub fn freed_bytes(&self) -> u64 {
        self.media.values().fold(self.strays.1, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    fn count(&mut self, reason: Reason, bytes: u64) {
        let (media, total) = self.media.entry(reason).or_default();
        *media += 1;
        *total = total.saturating_add(bytes);
    }
}

impl Media {
    /// Removes media that have expired or that the retention does not keep, uploads that rested for too long, and bytes that no record
    /// names. It works in small steps, each atomic, beside readers, uploads and other sweeps, and can be broken off at any time.
    ///
    /// It never touches bytes that are on their way or were just committed, also by another process.
    ///
    /// # Errors
    ///
    /// Those of the database and of the object store; `SnapshotExpired` if the totals of a retention are to be reckoned over more media than
    /// can be read while a view lives. What was removed before stays so.
    pub async fn sweep(&self, options: &SweepOptions) -> Result<Swept> {
        operation("media_sweep").watch(self.sweep_all(options)).await
    }

    async fn sweep_all(&self, options: &SweepOptions) -> Result<Swept> {
        let mut swept = Swept::default();
        let now = self.0.db.now();
        self.sweep_uploads(options, now, &mut swept).await?;
        let plan = self.plan(&options.retention, now).await?;
        self.sweep_objects(options, &plan, now, &mut swept).await?;
        self.sweep_strays(options, now, &mut swept).await?;
        Ok(swept)
    }

    /// Gives up uploads that rested for too long. Their bytes are strays from then on.
    async fn sweep_uploads(&self, options: &SweepOptions, now: Timestamp, swept: &mut Swept) -> Result<()> {
        let mut after: Option<Cursor> = None;
        loop {
            let query = self.0.db.query(Upload::EXPIRES).range(..=now).limit(BATCH);
            let page = if let Some(after) = after.take() { query.after(after) } else { query }.page().await?;
            for upload in &page.records {
                let gone = options.dry_run
                    || self
                        .0
                        .db
                        .write(|tx| async move {
                            // Somebody may have gone on with it just now.
                            let key = Upload::key(&upload.object_id);
                            match tx.get(&key).await? {
                                Some(upload) if upload.expires <= now => tx.delete(&key).await,
                                _ => Ok(false),
                            }
                        })
                        .await?;
                swept.uploads += u64::from(gone);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Removes objects that nothing names any more, and media that the retention does not keep.
    async fn sweep_objects(
        &self,
        options: &SweepOptions,
        plan: &Plan,
        now: Timestamp,
        swept: &mut Swept,
    ) -> Result<()> {
        let mut after = None;
        loop {
            // A view a page: a sweep may take longer than one lives.
            let (page, next) = walk::page(&self.0.db.snapshot().await?, after).await?;
            for (found, object) in &page {
                let (id, reason, bytes) = match found {
                    Found::Thumbnail => continue,
                    Found::Unnamed => (None, Reason::Expired, object.size),
                    Found::Content(record, bytes) => {
                        match plan.judge(&options.retention, record, *bytes, object, now) {
                            Some(reason) => (Some(&record.media_id), reason, *bytes),
                            None => continue,
                        }
                    }
                };
                if options.dry_run || self.drop_object(id, object).await? {
                    swept.count(reason, bytes);
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Deletes a medium with its objects, or one object that nothing names; unless that has changed meanwhile.
    async fn drop_object(&self, medium: Option<&MediaId>, object: &Object) -> Result<bool> {
        let dropped = self.0.db.write(|tx| async move {
            let record = tx.get(&matrix::Media::key(&object.media_id)).await?;
            let gone = record.is_none();
            let named = record.as_ref().is_some_and(|record| record.data == object.object_id);
            match medium {
                Some(id) if named => Ok(forget(&tx, id).await?.1),
                None if !named && record.and_then(|record| record.thumbnail).as_ref() != Some(&object.object_id) => {
                    if gone {
                        // It may be there still, expired: then nothing shows it.
                        tx.delete(&matrix::Media::key(&object.media_id)).await?;
                    }
                    let there = tx.delete(&Object::key(&object.object_id)).await?;
                    Ok(if there { vec![object.clone()] } else { Vec::new() })
                }
                _ => Ok(Vec::new()),
            }
        });
        let dropped = dropped.await?;
        for object in &dropped {
            self.remove_bytes(object).await?;
        }
        Ok(!dropped.is_empty())
    }

    /// Removes bytes that no record names.
    async fn sweep_strays(&self, options: &SweepOptions, now: Timestamp, swept: &mut Swept) -> Result<()> {
        let batch = BATCH.min(self.0.db.info().limits.get_keys_max);
        let listed = self.0.objects.list(Some(&self.0.folder)).map_err(|error| of_objects(error, "sweep"));
        let mut batches = listed.try_chunks(batch).map_err(|broken| broken.1);
        while let Some(listed) = batches.try_next().await? {
            let strays = self.strays(listed, options.dry_run, now).await?;
            swept.strays.0 += strays.len() as u64;
            swept.strays.1 += strays.iter().map(|meta| meta.size).sum::<u64>();
            if !options.dry_run {
                self.remove(strays.into_iter().map(|meta| meta.location)).await?;
            }
        }
        Ok(())
    }

    /// Those of the listed bytes that no record names. The view is opened after they were listed: see above.
    async fn strays(&self, listed: Vec<ObjectMeta>, dry_run: bool, now: Timestamp) -> Result<Vec<ObjectMeta>> {
        let parts: Vec<(ObjectMeta, Part)> =
            listed.into_iter().filter_map(|meta| Part::of_path(&meta.location).map(|part| (meta, part))).collect();
        let view = self.0.db.snapshot().await?;
        let uploads =
            view.get_many(&parts.iter().map(|(_, part)| Upload::key(&part.object)).collect::<Vec<_>>()).await?;
        let objects =
            view.get_many(&parts.iter().map(|(_, part)| Object::key(&part.object)).collect::<Vec<_>>()).await?;
        let named = uploads.iter().zip(&objects);
        let strays = parts.into_iter().zip(named).filter_map(|((meta, part), (upload, object))| {
            // In a dry run, one that rested for too long counts as if it were given up. In a real one it was, or it goes on just now.
            let coming = upload.as_ref().is_some_and(|upload| !dry_run || upload.expires > now);
            let there = object.as_ref().is_some_and(|object| layout::is_part(&part, &object.parts, object.size));
            (!coming && !there).then_some(meta)
        });
        Ok(strays.collect())
    }
}
