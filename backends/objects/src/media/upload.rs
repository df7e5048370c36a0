//! Storing a medium: its bytes first, then, in one commit, the records that name them.

use std::fmt;
use std::io::SeekFrom;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt};
use sha2::{Digest, Sha256};
use strongroom_core::matrix::{self, MediaId, Object, Upload};
use strongroom_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt};

use super::object::{Finished, ObjectUpload, is_resumable, is_state_of};
use super::{Media, NewMedia, unnamed};
use crate::error::of_source;
use crate::layout;

/// Bytes that are asked of a source at a time.
const READ_BYTES: usize = 256 << 10;

/// A medium that is stored.
#[derive(Clone, PartialEq)]
pub struct Stored {
    /// Its record.
    pub record: matrix::Media,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
    /// Whether it was there already, with the same content: then nothing was stored.
    pub was_there: bool,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("record", &self.record)
            .field("was_there", &self.was_there)
            .finish_non_exhaustive()
    }
}

/// A medium on its way. Dropped before [`finish`](MediaUpload::finish), it can be gone on with by [`Media::resume`] until it expires.
pub struct MediaUpload {
    media: Media,
    new: NewMedia,
    id: MediaId,
    content: ObjectUpload,
    resumed_at: u64,
}

impl fmt::Debug for MediaUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaUpload").field("resumed_at", &self.resumed_at).finish_non_exhaustive()
    }
}

impl Media {
    /// Stores a medium. Its size need not be known in advance; [`MediaOptions`](super::MediaOptions) say how much of it is in memory.
    ///
    /// The record is there when this returns, and its bytes are durable before that. An id is stored once: if it is there already with
    /// the same content, that is said; of two uploads of one id at the same time, the one that commits first is the medium.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the id has other content; `Io` of the source or the object store; what a layer says that the source or the object
    /// store is wrapped in; `NotFound` if the upload rested for longer than it may; those of the database. Nothing is stored then; what
    /// was uploaded is kept for [`resume`](Media::resume) until it expires, then swept. Only after `CommitUnknown` it may be stored or not: the
    /// same call again tells.
    pub async fn put(&self, new: NewMedia, mut content: impl AsyncRead + Unpin + Send) -> Result<Stored> {
        let mut upload = self.upload(new).await?;
        match upload.write_all(&mut content, |_| ()).await? {
            None => upload.finish().await,
            Some(error) => upload.fail(error).await,
        }
    }

    /// As [`put`](Media::put), from a stream.
    ///
    /// # Errors
    ///
    /// As [`put`](Media::put).
    pub async fn put_stream(
        &self,
        new: NewMedia,
        content: impl Stream<Item = std::io::Result<Bytes>> + Unpin + Send,
    ) -> Result<Stored> {
        let mut upload = self.upload(new).await?;
        let mut content = content;
        loop {
            match content.try_next().await.map_err(of_source) {
                Ok(Some(bytes)) => upload.write(bytes).await?,
                Ok(None) => return upload.finish().await,
                Err(error) => return upload.fail(error).await,
            }
        }
    }

    /// As [`put`](Media::put), and goes on where an earlier upload of the same id was interrupted, if `content` begins with what was uploaded
    /// then; if not, it begins anew. `progress` is told how many bytes are read, now and then.
    ///
    /// # Errors
    ///
    /// As [`put`](Media::put); `InvalidInput` without an id.
    pub async fn put_resumable(
        &self,
        new: NewMedia,
        mut content: impl AsyncRead + AsyncSeek + Unpin + Send,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Stored> {
        let mut upload = None;
        for found in self.interrupted(&new).await? {
            if begins_with(&mut content, &found).await? {
                upload = self.take_over(&new, &found).await?;
                break;
            }
        }
        let mut upload = match upload {
            Some(upload) => upload,
            None => self.upload(new).await?,
        };
        let start = upload.resumed_at();
        content.seek(SeekFrom::Start(start)).await.map_err(of_source)?;
        progress(start);
        match upload.write_all(&mut content, |bytes| progress(start + bytes)).await? {
            None => upload.finish().await,
            Some(error) => upload.fail(error).await,
        }
    }

    /// Begins to store a medium whose bytes come piece by piece.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn upload(&self, new: NewMedia) -> Result<MediaUpload> {
        let id = match &new.id {
            Some(id) => id.clone(),
            None => MediaId::from(layout::random_id()?),
        };
        let content = ObjectUpload::begin(self.0.clone(), id.clone(), false).await?;
        Ok(MediaUpload { media: self.clone(), new, id, content, resumed_at: 0 })
    }

    /// Goes on with an upload of the same id that was interrupted, the one that came furthest; begins anew if there is none.
    /// [`resumed_at`](MediaUpload::resumed_at) says which byte comes next. It is the caller's to know that what comes is of the same content;
    /// [`put_resumable`](Media::put_resumable) checks it. If another process is still at it, that one fails.
    ///
    /// # Errors
    ///
    /// `InvalidInput` without an id; those of the database.
    pub async fn resume(&self, new: NewMedia) -> Result<MediaUpload> {
        for found in self.interrupted(&new).await? {
            if let Some(upload) = self.take_over(&new, &found).await? {
                return Ok(upload);
            }
        }
        self.upload(new).await
    }

    /// The uploads of the same id that have not expired, the one that came furthest first.
    async fn interrupted(&self, new: &NewMedia) -> Result<Vec<Upload>> {
        let Some(id) = &new.id else {
            return Err(
                Error::new(ErrorKind::InvalidInput, "only an upload with an id can be resumed").during("resume")
            );
        };
        let now = self.0.db.now();
        let found = self.0.db.query(Upload::MEDIA_ID).equal(id).stream();
        let found = found.try_filter(|upload| std::future::ready(is_resumable(upload, now)));
        let mut found: Vec<Upload> = found.try_collect().await?;
        found.sort_by_key(|upload| std::cmp::Reverse(upload.stored));
        Ok(found)
    }

    /// Goes on with an upload, if it is still as it was found and its bytes are in this object store.
    async fn take_over(&self, new: &NewMedia, found: &Upload) -> Result<Option<MediaUpload>> {
        if !self.has_parts(&found.object_id, &found.parts, found.stored).await? {
            return Ok(None);
        }
        let Some(content) = ObjectUpload::take_over(self.0.clone(), found).await? else { return Ok(None) };
        let (id, resumed_at) = (found.media_id.clone(), content.noted());
        Ok(Some(MediaUpload { media: self.clone(), new: new.clone(), id, content, resumed_at }))
    }
}

/// Whether a source begins with the bytes that an upload has stored. They are read for it.
async fn begins_with(content: &mut (impl AsyncRead + Unpin), upload: &Upload) -> Result<bool> {
    let mut hash = Sha256::new();
    let mut first = content.take(upload.stored);
    while let Some(bytes) = next(&mut first).await? {
        hash.update(&bytes);
    }
    Ok(first.limit() == 0 && is_state_of(upload, &hash))
}

/// The next bytes of a source; none at its end.
async fn next(content: &mut (impl AsyncRead + Unpin)) -> Result<Option<Bytes>> {
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    let read = content.read_buf(&mut buffer).await.map_err(of_source)?;
    Ok((read > 0).then(|| buffer.freeze()))
}

impl MediaUpload {
    /// The medium's id.
    pub fn id(&self) -> &MediaId {
        &self.id
    }

    /// How many bytes an earlier attempt has stored, so which one comes first here. 0 unless it was resumed.
    pub fn resumed_at(&self) -> u64 {
        self.resumed_at
    }

    /// Takes the next bytes. Waits while as many parts are on their way as may be.
    ///
    /// After an error, or if the future is dropped, the upload can only be dropped: go on with [`Media::resume`].
    ///
    /// # Errors
    ///
    /// As [`Media::put`]; `InvalidInput` after an error, or a write that was dropped.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.content.write(bytes).await
    }

    /// Writes all that a source gives. If that fails, it gives the source's error; its own are errors.
    async fn write_all(
        &mut self,
        content: &mut (impl AsyncRead + Unpin + Send),
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Option<Error>> {
        let mut done = 0;
        loop {
            let bytes = match next(content).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(None),
                Err(error) => return Ok(Some(error)),
            };
            done += bytes.len() as u64;
            self.write(bytes).await?;
            progress(done);
        }
    }

    /// Ends with the source's error, when nothing is being written any more. What was uploaded can be gone on with if the source broke off; if
    /// it says that its bytes are wrong, it is given up.
    async fn fail(mut self, error: Error) -> Result<Stored> {
        if error.kind() == ErrorKind::Io {
            self.content.stop().await;
        } else {
            // The source's error matters more. What is left is swept.
            self.abandon().await.ok();
        }
        Err(error)
    }

    /// Stores the rest, then commits the medium's record.
    ///
    /// # Errors
    ///
    /// As [`Media::put`]; `InvalidInput` after an error of a write, or a write that was dropped.
    pub async fn finish(self) -> Result<Stored> {
        let MediaUpload { media, new, id, content, .. } = self;
        let content = content.finish().await?;
        let thumbnail = match &new.thumbnail {
            Some(thumbnail) => {
                let mut upload = ObjectUpload::begin(media.0.clone(), id.clone(), true).await?;
                upload.write(thumbnail.bytes.clone()).await?;
                Some(upload.finish().await?)
            }
            None => None,
        };
        let record = matrix::Media {
            media_id: id,
            room_id: new.room_id,
            mime_type: new.mime_type,
            size: content.object.size,
            data: content.object.object_id.clone(),
            thumbnail: thumbnail.as_ref().map(|thumbnail| thumbnail.object.object_id.clone()),
            thumbnail_info: new.thumbnail.map(|thumbnail| thumbnail.info),
            encryption: new.encryption,
            uploaded_at: content.object.stored_at,
            expires_at: new.expires_at,
        };
        media.commit(record, content, thumbnail).await
    }

    /// Gives the upload up, and removes what is there of it, unless another has taken it over. Dropping it instead leaves it to be resumed,
    /// or swept.
    ///
    /// # Errors
    ///
    /// Those of the database and the object store; what is left then is swept.
    pub async fn abandon(mut self) -> Result<()> {
        // Nothing of it may be on its way any more.
        self.content.stop().await;
        self.media.give_up(self.content.id(), self.content.attempts()).await
    }
}

impl Media {
    /// The one moment at which the medium comes into being: its record, those of its objects, and no more uploads.
    async fn commit(&self, record: matrix::Media, content: Finished, thumbnail: Option<Finished>) -> Result<Stored> {
        let finished: Vec<&Finished> = std::iter::once(&content).chain(&thumbnail).collect();
        let (record, finished) = (&record, &finished);
        let (sha256, size) = (content.object.sha256, content.object.size);
        let answer = loop {
            let existing = self.0.db.write(|tx| async move {
                if let Some(existing) = tx.get(&matrix::Media::key(&record.media_id)).await? {
                    let object = tx.get(&Object::key(&existing.data)).await?;
                    return Ok(Some((existing, object.ok_or_else(|| unnamed("put"))?)));
                }
                for finished in finished {
                    finished.stage(&tx).await?;
                }
                tx.put(record).await?;
                Ok(None)
            });
            let Some((existing, object)) = existing.await? else {
                return Ok(Stored { record: record.clone(), sha256, was_there: false });
            };
            if object.sha256 != sha256 || object.size != size {
                let message = "this id has other content";
                break Err(Error::new(ErrorKind::AlreadyExists, message).at("media").during("put"));
            }
            if self.has_parts(&object.object_id, &object.parts, size).await? {
                break Ok(Stored { record: existing, sha256, was_there: true });
            }
            if self.0.db.get(&matrix::Media::key(&existing.media_id)).await?.as_ref() == Some(&existing) {
                let message = "this medium was stored in another object store than this one, or its bytes are gone";
                break Err(Error::new(ErrorKind::Corrupt, message).at("media").during("put"));
            }
            // It was deleted while we looked: now there is room for ours.
        };
        for finished in finished {
            // What cannot be removed now is swept.
            self.give_up(&finished.object.object_id, finished.attempts()).await.ok();
        }
        answer
    }
}
