//! One object on its way into the object store: cut into parts, hashed, and noted so that it can go on after an interruption.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::PutPayload;
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};
use strongroom_core::matrix::{MediaId, Object, ObjectId, ObjectParts, Upload};
use strongroom_core::{Error, ErrorKind, Result, Timestamp, Transaction};
use tokio_util::task::AbortOnDropHandle;

use super::Inner;
use crate::error::of_task;
use crate::layout::{self, Part};

/// Bytes that are hashed before others get their turn.
const TURN_BYTES: usize = 1 << 20;

/// One object on its way. Dropped, it leaves a record of how far it came.
pub(super) struct ObjectUpload {
    inner: Arc<Inner>,
    record: Upload,
    /// Of all bytes that were given, also to earlier attempts.
    hash: Sha256,
    /// How many these are.
    size: u64,
    /// The part that is being filled.
    filling: BytesMut,
    /// The number of that part.
    number: u64,
    under_way: VecDeque<UnderWay>,
    /// What is durable, but not noted yet.
    ahead: usize,
    /// A write failed or was dropped half way: bytes may be missing.
    broken_off: bool,
}

/// A part on its way, and what is to be noted when it and all before it are there.
struct UnderWay {
    task: AbortOnDropHandle<Result<()>>,
    stored: u64,
    hash_state: Vec<u8>,
}

/// An object whose bytes are all there. It is one when [`Finished::stage`] is committed.
pub(super) struct Finished {
    pub(super) object: Object,
    attempts: usize,
}

impl ObjectUpload {
    /// Notes that an object is coming, before there is a byte of it.
    pub(super) async fn begin(inner: Arc<Inner>, media_id: MediaId, is_thumbnail: bool) -> Result<Self> {
        let hash = Sha256::new();
        let record = Upload {
            object_id: ObjectId::from(layout::random_id()?),
            media_id,
            is_thumbnail,
            stored: 0,
            hash_state: state(&hash),
            parts: ObjectParts { part_bytes: inner.options.part_bytes as u64, attempts: vec![0] },
            expires: inner.upload_expires(),
        };
        inner.db.insert(&record).await?;
        Ok(ObjectUpload::of(inner, record, hash))
    }

    /// Goes on with an upload that was interrupted, if its record is still the one that was found. Whoever was at it before can do nothing
    /// more to it.
    pub(super) async fn take_over(inner: Arc<Inner>, found: &Upload) -> Result<Option<Self>> {
        let expires = inner.upload_expires();
        let taken = inner.db.write(|tx| async move {
            let record = tx.get(&Upload::key(&found.object_id)).await?;
            // If it has come further meanwhile, nobody has compared that with what is to follow.
            let Some(mut record) = record.filter(|record| record == found) else { return Ok(None) };
            record.parts.attempts.push(record.stored / record.parts.part_bytes.max(1));
            record.expires = expires;
            tx.update(&record).await?;
            Ok(Some(record))
        });
        let Some(record) = taken.await? else { return Ok(None) };
        // A state that another program wrote and this one does not understand: begin anew.
        Ok(of_state(&record.hash_state).map(|hash| ObjectUpload::of(inner, record, hash)))
    }

    fn of(inner: Arc<Inner>, record: Upload, hash: Sha256) -> Self {
        let number = record.stored / record.parts.part_bytes.max(1);
        let (size, filling, under_way) = (record.stored, BytesMut::new(), VecDeque::new());
        ObjectUpload { inner, record, hash, size, filling, number, under_way, ahead: 0, broken_off: false }
    }

    pub(super) fn id(&self) -> &ObjectId {
        &self.record.object_id
    }

    /// How many have been at it, this one included: it is ours as long as there are no more.
    pub(super) fn attempts(&self) -> usize {
        self.record.parts.attempts.len()
    }

    /// How many bytes it may have lost when it is interrupted now and goes on later: all but so many.
    pub(super) fn noted(&self) -> u64 {
        self.record.stored
    }

    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.ensure_whole()?;
        // Only what comes to its end has all its bytes in their places.
        self.broken_off = true;
        if let Err(error) = self.take(bytes).await {
            self.stop().await;
            return Err(error);
        }
        self.broken_off = false;
        Ok(())
    }

    /// Breaks off what is on its way, and returns when none of it is being written any more. How far it came is noted, so that it can go on.
    pub(super) async fn stop(&mut self) {
        self.broken_off = true;
        for under_way in &self.under_way {
            under_way.task.abort();
        }
        while let Some(UnderWay { task, .. }) = self.under_way.pop_front() {
            // How it ended does not matter: nothing names it.
            let _ = task.await;
        }
        if self.ahead > 0 {
            // If it cannot be noted, a little more comes again.
            self.note().await.ok();
        }
    }

    fn ensure_whole(&self) -> Result<()> {
        if self.broken_off {
            let message = "a write to this upload failed or was dropped; go on with another, by resume";
            return Err(Error::new(ErrorKind::InvalidInput, message).during("put"));
        }
        Ok(())
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<()> {
        let part_bytes = self.record.parts.part_bytes as usize;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(part_bytes - self.filling.len()).min(TURN_BYTES));
            self.hash.update(&piece);
            self.size += piece.len() as u64;
            self.filling.reserve(piece.len());
            self.filling.extend_from_slice(&piece);
            if self.filling.len() == part_bytes {
                self.send().await?;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Sends the part that was being filled on its way, and waits until there is room for another.
    async fn send(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.filling).freeze();
        let attempt = self.record.parts.attempts.len() as u64 - 1;
        let part = Part { object: self.record.object_id.clone(), attempt, number: self.number };
        let stored = self.number * self.record.parts.part_bytes + bytes.len() as u64;
        self.number += 1;
        let inner = self.inner.clone();
        let task = tokio::spawn(async move { inner.put_part(&part, PutPayload::from(bytes), "put").await });
        let hash_state = state(&self.hash);
        self.under_way.push_back(UnderWay { task: AbortOnDropHandle::new(task), stored, hash_state });
        while self.under_way.len() >= self.inner.options.transfers_max {
            self.arrive().await?;
        }
        if self.ahead >= self.inner.options.transfers_max {
            self.note().await?;
        }
        Ok(())
    }

    /// Waits for the oldest part on its way.
    async fn arrive(&mut self) -> Result<()> {
        // It stays in its place until it has arrived, so that this future may be dropped.
        let Some(oldest) = self.under_way.front_mut() else { return Ok(()) };
        let result = (&mut oldest.task).await;
        if let Some(arrived) = self.under_way.pop_front() {
            result.map_err(of_task)??;
            // A short part is the last one, and nothing comes behind it: there is nothing to go on with.
            if arrived.stored.is_multiple_of(self.record.parts.part_bytes) {
                self.record.stored = arrived.stored;
                self.record.hash_state = arrived.hash_state;
                self.ahead += 1;
            }
        }
        Ok(())
    }

    /// Notes how far it came.
    async fn note(&mut self) -> Result<()> {
        self.record.expires = self.inner.upload_expires();
        let record = &self.record;
        self.inner
            .db
            .write(|tx| async move {
                still_ours(&tx, &record.object_id, record.parts.attempts.len()).await?;
                tx.update(record).await
            })
            .await?;
        self.ahead = 0;
        Ok(())
    }

    /// Waits until every byte that was given is there for good.
    pub(super) async fn finish(mut self) -> Result<Finished> {
        self.ensure_whole()?;
        if let Err(error) = self.complete().await {
            self.stop().await;
            return Err(error);
        }
        let now = self.inner.db.now();
        let Upload { object_id, media_id, parts, .. } = self.record;
        let attempts = parts.attempts.len();
        let sha256 = self.hash.finalize().into();
        let object = Object { object_id, media_id, size: self.size, sha256, parts, stored_at: now, last_access: now };
        Ok(Finished { object, attempts })
    }

    async fn complete(&mut self) -> Result<()> {
        if !self.filling.is_empty() {
            self.send().await?;
        }
        while !self.under_way.is_empty() {
            self.arrive().await?;
        }
        Ok(())
    }
}

impl Finished {
    /// As [`ObjectUpload::attempts`].
    pub(super) fn attempts(&self) -> usize {
        self.attempts
    }

    /// Makes it an object, in a transaction that also names it.
    pub(super) async fn stage(&self, tx: &Transaction) -> Result<()> {
        still_ours(tx, &self.object.object_id, self.attempts).await?;
        tx.delete(&Upload::key(&self.object.object_id)).await?;
        tx.insert(&self.object).await
    }
}

/// Checks that an upload was neither given up nor taken over.
async fn still_ours(tx: &Transaction, object: &ObjectId, attempts: usize) -> Result<()> {
    match tx.get(&Upload::key(object)).await? {
        Some(upload) if upload.parts.attempts.len() == attempts => Ok(()),
        Some(_) => Err(Error::new(ErrorKind::Conflict, "another has taken over this upload").during("put")),
        None => Err(Error::new(ErrorKind::NotFound, "this upload was given up, or rested for too long; begin again")
            .during("put")),
    }
}

fn state(hash: &Sha256) -> Vec<u8> {
    hash.serialize().to_vec()
}

fn of_state(state: &[u8]) -> Option<Sha256> {
    Sha256::deserialize(&state.try_into().ok()?).ok()
}

/// Whether an upload can be gone on with: what it says of itself is sound, and something was stored.
pub(super) fn is_resumable(upload: &Upload, now: Timestamp) -> bool {
    let Upload { parts, stored, .. } = upload;
    !upload.is_thumbnail
        && upload.expires > now
        && layout::is_sound(parts)
        && *stored > 0
        && stored.is_multiple_of(parts.part_bytes)
}

/// Whether bytes with this hash are the ones that an upload has stored so far.
pub(super) fn is_state_of(upload: &Upload, hash: &Sha256) -> bool {
    upload.hash_state == state(hash)
}
