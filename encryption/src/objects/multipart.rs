//! Multipart uploads: parts of the caller become chunks, and chunks become parts of the store below.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::try_join_all;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload, PutResult, Result, UploadPart};

use super::errors::{Renamed, part_missing, refused};
use super::pace::pause;
use super::seal::Sealer;
use super::{EncryptedObjects, Shared};

/// Bytes of a part below, at least: S3 refuses shorter ones, but for the last.
const PART_BYTES_MIN: usize = 5 << 20;

/// Bytes that are sealed between two pauses, and while the upload is locked.
const STEP_BYTES: usize = 1 << 20;

impl<O: ObjectStore> EncryptedObjects<O> {
    pub(super) async fn upload(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let below = self.below(location)?;
        let (sealer, header) = Sealer::begin(&self.shared, location.as_ref(), None).map_err(refused)?;
        let inner = self.inner.put_multipart_opts(&below, opts).await.about(location)?;
        let parts = Parts { sealed: vec![header.clone()], len: header.len(), part_bytes: PART_BYTES_MIN };
        let state = State { inner: Some(inner), sealing: Sealing::Open(Box::new(sealer)), parts, ..State::default() };
        let upload =
            Upload { shared: self.shared.clone(), location: location.clone(), state: Arc::new(Mutex::new(state)) };
        Ok(Box::new(upload))
    }
}

/// An upload. The order of the calls of `put_part` is the order of the content, in whichever order their futures run.
struct Upload {
    shared: Arc<Shared>,
    location: Path,
    state: Arc<Mutex<State>>,
}

/// Never locked across an await: a future that is dropped half-way leaves it as it should be.
#[derive(Default)]
struct State {
    /// Not here while it is being completed or aborted.
    inner: Option<Box<dyn MultipartUpload>>,
    sealing: Sealing,
    parts: Parts,
    /// Content that waits for its turn: the parts of the caller.
    waiting: VecDeque<VecDeque<Bytes>>,
    /// How many parts the caller gave, and how many of them were sealed.
    given: usize,
    sealed: usize,
    /// Parts below that are not written yet. One whose future failed or was dropped stays among them, and the upload with it.
    unwritten: Arc<AtomicUsize>,
}

#[derive(Default)]
enum Sealing {
    Open(Box<Sealer>),
    /// All is sealed and written; `complete` may be called again.
    Finished,
    #[default]
    Broken,
}

/// Sealed bytes on their way into parts of one length.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) sealed: Vec<Bytes>,
    pub(super) len: usize,
    /// Bytes of every part but the last: R2 wants them equal.
    pub(super) part_bytes: usize,
}

impl Parts {
    pub(super) fn push(&mut self, sealed: Bytes) {
        self.len += sealed.len();
        self.sealed.push(sealed);
    }

    /// A part, if there is a whole one.
    pub(super) fn whole(&mut self) -> Option<PutPayload> {
        if self.len < self.part_bytes {
            return None;
        }
        let mut missing = self.part_bytes;
        let mut part = Vec::new();
        let mut sealed = std::mem::take(&mut self.sealed).into_iter();
        for mut bytes in sealed.by_ref() {
            part.push(bytes.split_to(missing.min(bytes.len())));
            missing -= part.last().map_or(0, Bytes::len);
            if missing == 0 {
                self.sealed.push(bytes);
                break;
            }
        }
        self.sealed.extend(sealed);
        self.sealed.retain(|bytes| !bytes.is_empty());
        self.len -= self.part_bytes;
        Some(part.into_iter().collect())
    }

    /// What is left.
    pub(super) fn rest(&mut self) -> Option<PutPayload> {
        self.len = 0;
        let sealed = std::mem::take(&mut self.sealed);
        (!sealed.is_empty()).then(|| sealed.into_iter().collect())
    }
}

impl State {
    /// Seals some of what waits, until the part with the number `ticket` is sealed. Gives the writes of parts below that came of it,
    /// and whether there is more to do.
    fn step(&mut self, ticket: usize) -> Result<(Vec<UploadPart>, bool)> {
        let mut writes = Vec::new();
        let mut budget = STEP_BYTES;
        while self.sealed <= ticket && budget > 0 {
            let Sealing::Open(sealer) = &mut self.sealing else { return Err(part_missing()) };
            let part = self.waiting.front_mut().ok_or_else(part_missing)?;
            let Some(plain) = part.front_mut() else {
                self.waiting.pop_front();
                self.sealed += 1;
                continue;
            };
            let before = plain.len();
            let chunk = sealer.write(plain);
            budget = budget.saturating_sub(before - plain.len());
            if plain.is_empty() {
                part.pop_front();
            }
            match chunk {
                Ok(chunk) => chunk.into_iter().for_each(|chunk| self.parts.push(chunk)),
                Err(error) => {
                    self.sealing = Sealing::Broken;
                    return Err(refused(error));
                }
            }
            while let Some(part) = self.parts.whole() {
                writes.push(self.write(part)?);
            }
        }
        Ok((writes, self.sealed <= ticket))
    }

    /// A part goes down. The call gives it its place; its future writes it.
    fn write(&mut self, part: PutPayload) -> Result<UploadPart> {
        let write = self.inner.as_mut().ok_or_else(part_missing)?.put_part(part);
        let unwritten = self.unwritten.clone();
        unwritten.fetch_add(1, Ordering::Relaxed);
        Ok(Box::pin(async move {
            write.await?;
            unwritten.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        }))
    }

    /// The last chunk, and the writes of what is left.
    fn finish(&mut self) -> Result<Vec<UploadPart>> {
        if !self.waiting.is_empty() || self.unwritten.load(Ordering::Relaxed) > 0 {
            return Err(part_missing());
        }
        let mut writes = Vec::new();
        match std::mem::take(&mut self.sealing) {
            Sealing::Open(sealer) => {
                self.parts.push(sealer.finish().map_err(refused)?);
                while let Some(part) = self.parts.whole() {
                    writes.push(self.write(part)?);
                }
                if let Some(rest) = self.parts.rest() {
                    writes.push(self.write(rest)?);
                }
                Ok(writes)
            }
            Sealing::Finished => Ok(writes),
            Sealing::Broken => Err(part_missing()),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The upload below, lent out of the state. Given back when this is dropped, so that an upload that failed can be aborted.
struct Lent<'s> {
    inner: Option<Box<dyn MultipartUpload>>,
    state: &'s Mutex<State>,
}

impl<'s> Lent<'s> {
    fn from(state: &'s Mutex<State>) -> Result<Lent<'s>> {
        let inner = lock(state).inner.take().ok_or_else(part_missing)?;
        Ok(Lent { inner: Some(inner), state })
    }

    fn get(&mut self) -> &mut dyn MultipartUpload {
        self.inner.as_deref_mut().expect("it is here until it is given back")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        lock(self.state).inner = self.inner.take();
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    /// What it gives down is sealed in turn: a part of this call may be written by the future of a later one, and be written already
    /// when its own runs.
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let mut state = lock(&self.state);
        if state.given == 0 {
            // As long as the caller's parts are when they are sealed, so that there are no more below than above.
            let sealed = self.shared.layout.sealed_len(data.content_length() as u64);
            let sealed = sealed.and_then(|sealed| usize::try_from(sealed).ok()).unwrap_or(usize::MAX);
            state.parts.part_bytes = sealed.max(PART_BYTES_MIN);
        }
        let ticket = state.given;
        state.given += 1;
        state.waiting.push_back(data.into_iter().filter(|bytes| !bytes.is_empty()).collect());
        drop(state);
        let (state, location) = (self.state.clone(), self.location.clone());
        Box::pin(async move {
            let mut writes = Vec::new();
            loop {
                let (some, more) = lock(&state).step(ticket)?;
                writes.extend(some);
                if !more {
                    break;
                }
                pause().await;
            }
            try_join_all(writes).await.map(drop).about(&location)
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let writes = lock(&self.state).finish()?;
        // One after the other: at most two, and the last one is short.
        for write in writes {
            write.await.about(&self.location)?;
        }
        lock(&self.state).sealing = Sealing::Finished;
        Lent::from(&self.state)?.get().complete().await.about(&self.location)
    }

    async fn abort(&mut self) -> Result<()> {
        lock(&self.state).sealing = Sealing::Broken;
        Lent::from(&self.state)?.get().abort().await.about(&self.location)
    }
}

/// Shows nothing of the content.
impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("location", &self.location).finish_non_exhaustive()
    }
}
