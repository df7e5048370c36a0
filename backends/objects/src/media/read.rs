//! Reading a medium: as a stream, part after part, or only some of its bytes.

use std::fmt;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use strongroom_core::matrix::{self, MediaId, Object, ObjectId};
use strongroom_core::{Error, ErrorKind, Result, Snapshot};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;
use tokio_util::task::AbortOnDropHandle;

use super::{Inner, Media, forged, unnamed};
use crate::error::{of_objects, of_task};
use crate::layout;

/// How often it is noted that a medium was read: once in so many milliseconds.
const TOUCH_MS: i64 = 24 * 60 * 60 * 1_000;

/// A medium that is being read.
pub struct Content {
    /// Its record.
    pub record: matrix::Media,
    /// The SHA-256 of the whole content.
    pub sha256: [u8; 32],
    /// Which of its bytes come.
    pub range: Range<u64>,
    stream: BoxStream<'static, Result<Bytes>>,
}

impl Content {
    /// The bytes, as they come. At most [`transfers_max`](super::MediaOptions::transfers_max) parts are in memory.
    ///
    /// If all of the content was asked for, the stream ends well only if the SHA-256 is right. Bytes that an encrypting layer gives are
    /// authenticated one by one, before that; of a plain object store, use none before the end.
    ///
    /// # Errors
    ///
    /// `Corrupt` if bytes are missing or not the ones that were stored, also where the medium is deleted meanwhile; what a layer says
    /// that the object store is wrapped in; `Io`. The stream ends with its first error.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes>> + Send + Unpin + 'static {
        self.stream
    }

    /// The same as a reader. Its errors have the one of [`stream`](Self::stream) in them.
    pub fn reader(self) -> impl AsyncRead + Send + Unpin + 'static {
        StreamReader::new(self.stream.map_err(std::io::Error::other))
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("record", &self.record).field("range", &self.range).finish_non_exhaustive()
    }
}

impl Media {
    /// Begins to read a medium; none if there is none or it has expired.
    ///
    /// # Errors
    ///
    /// Those of the database; those of the object store come in the stream.
    pub async fn get(&self, id: &MediaId) -> Result<Option<Content>> {
        self.get_range(id, ..).await
    }

    /// Begins to read some bytes of a medium. Only the parts that they are in are asked for. An end behind the last byte means the last
    /// byte.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a range that begins behind the last byte or ends before it begins; as [`get`](Media::get).
    pub async fn get_range(&self, id: &MediaId, range: impl RangeBounds<u64> + Send) -> Result<Option<Content>> {
        // In one view: of what is deleted meanwhile there is either both or nothing.
        let view = self.0.db.snapshot().await?;
        let Some(record) = view.get(&matrix::Media::key(id)).await? else { return Ok(None) };
        let object = object(&view, &record.data).await?;
        drop(view);
        self.touch(&object).await;
        let range = within(range, object.size)?;
        let (sha256, stream) = (object.sha256, read(self.0.clone(), object, range.clone()));
        Ok(Some(Content { record, sha256, range, stream }))
    }

    /// The thumbnail of a medium; none if there is no such medium or it has none.
    ///
    /// # Errors
    ///
    /// As [`get`](Media::get) and [`Content::stream`].
    pub async fn get_thumbnail(&self, id: &MediaId) -> Result<Option<Bytes>> {
        let view = self.0.db.snapshot().await?;
        let Some(record) = view.get(&matrix::Media::key(id)).await? else { return Ok(None) };
        let Some(thumbnail) = &record.thumbnail else { return Ok(None) };
        let (content, object) = (object(&view, &record.data).await?, object(&view, thumbnail).await?);
        drop(view);
        self.touch(&content).await;
        let all = 0..object.size;
        let parts: Vec<Bytes> = read(self.0.clone(), object, all).try_collect().await?;
        Ok(Some(if let [one] = &parts[..] { one.clone() } else { parts.concat().into() }))
    }

    /// Notes that a medium is read, for the retention. A failure is no reason not to read it.
    async fn touch(&self, object: &Object) {
        let now = self.0.db.now();
        if object.last_access.saturating_add(TOUCH_MS) > now {
            return;
        }
        let touched = self.0.db.write(|tx| async move {
            if let Some(mut object) = tx.get(&Object::key(&object.object_id)).await? {
                object.last_access = now;
                tx.update(&object).await?;
            }
            Ok(())
        });
        touched.await.ok();
    }
}

async fn object(view: &Snapshot, id: &ObjectId) -> Result<Object> {
    let object = view.get(&Object::key(id)).await?.ok_or_else(|| unnamed("get"))?;
    if layout::is_sound(&object.parts) { Ok(object) } else { Err(forged("objects")) }
}

/// The range within so many bytes.
fn within(range: impl RangeBounds<u64>, size: u64) -> Result<Range<u64>> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => size.max(start),
    };
    if start > size || end < start {
        let message = format!("the range begins at {start} and ends at {end}, of {size} bytes");
        return Err(Error::new(ErrorKind::InvalidInput, message).during("get"));
    }
    Ok(start..end.min(size))
}

/// The bytes of an object. Some parts are fetched ahead, each by a task of its own, so that they are opened and hashed side by side.
pub(super) fn read(inner: Arc<Inner>, object: Object, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
    let whole = range == (0..object.size);
    // A cut that cannot be is refused by whoever read the record.
    let (sha256, part_bytes, ahead) = (object.sha256, object.parts.part_bytes.max(1), inner.options.transfers_max);
    let numbers = if range.is_empty() { 0..0 } else { range.start / part_bytes..range.end.div_ceil(part_bytes) };
    let parts = stream::iter(numbers).map(move |number| {
        let first = number * part_bytes;
        let end = first.saturating_add(part_bytes).min(object.size);
        let wanted = range.start.max(first) - first..range.end.min(end) - first;
        let part = layout::part(&object.object_id, &object.parts, number);
        let inner = inner.clone();
        let task = async move { fetch(&inner, &part.ok_or_else(|| unnamed("get"))?, wanted).await };
        // Spawned when the stream is polled so far, not before.
        let task = AbortOnDropHandle::new(tokio::spawn(task));
        async move { task.await.map_err(of_task)? }
    });
    // In the pieces in which they came: nothing is put together only to be taken apart again.
    let parts = parts.buffered(ahead).map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok))).try_flatten();
    if whole { checked(parts, sha256) } else { ends_with_an_error(parts) }
}

/// Some bytes of one part.
pub(super) async fn fetch(inner: &Inner, part: &layout::Part, wanted: Range<u64>) -> Result<Vec<Bytes>> {
    let (path, bytes) = (inner.path(part), wanted.end - wanted.start);
    let options = GetOptions::new().with_range(Some(wanted.clone()));
    let fetched = async {
        let (mut pieces, mut length) = (Vec::new(), 0);
        let mut body = inner.objects.get_opts(&path, options).await?.into_stream();
        // No more is taken than was asked for, whatever comes.
        while length <= bytes
            && let Some(piece) = body.try_next().await?
        {
            length += piece.len() as u64;
            pieces.push(piece);
        }
        Ok::<_, object_store::Error>((pieces, length))
    };
    match fetched.await {
        Ok((pieces, length)) if length == bytes => Ok(pieces),
        Ok(_) => Err(wrong("a part of a medium is not as long as it was")),
        // A range that begins behind the end is refused, by each object store in words of its own.
        Err(object_store::Error::Generic { .. }) if is_shorter(inner, &path, wanted.end).await => {
            Err(wrong("a part of a medium is shorter than it was"))
        }
        Err(error) => Err(of_objects(error, "get")),
    }
}

/// Whether it is known that what lies there has fewer bytes.
async fn is_shorter(inner: &Inner, path: &Path, bytes: u64) -> bool {
    inner.objects.head(path).await.is_ok_and(|meta| meta.size < bytes)
}

pub(super) fn wrong(message: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, message).on("objects").during("get")
}

/// Ends with an error if the bytes are not those of this hash.
fn checked(
    parts: impl Stream<Item = Result<Bytes>> + Send + 'static,
    sha256: [u8; 32],
) -> BoxStream<'static, Result<Bytes>> {
    let begin = Some((parts.boxed(), Sha256::new()));
    let checked = stream::unfold(begin, move |state| async move {
        let (mut parts, mut hash) = state?;
        match parts.next().await {
            Some(Ok(bytes)) => {
                hash.update(&bytes);
                Some((Ok(bytes), Some((parts, hash))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None if <[u8; 32]>::from(hash.finalize()) == sha256 => None,
            None => Some((Err(wrong("the content of a medium is not what was stored")), None)),
        }
    });
    checked.boxed()
}

fn ends_with_an_error(parts: impl Stream<Item = Result<Bytes>> + Send + 'static) -> BoxStream<'static, Result<Bytes>> {
    let ended = stream::unfold(Some(parts.boxed()), |parts| async move {
        let mut parts = parts?;
        match parts.next().await? {
            Ok(bytes) => Some((Ok(bytes), Some(parts))),
            Err(error) => Some((Err(error), None)),
        }
    });
    ended.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_within_the_content() {
        assert_eq!(within(.., 10).unwrap(), 0..10);
        assert_eq!(within(3..=5, 10).unwrap(), 3..6);
        assert_eq!(within(3..99, 10).unwrap(), 3..10);
        assert_eq!(within(10.., 10).unwrap(), 10..10);
        assert_eq!(within(.., 0).unwrap(), 0..0);
        assert_eq!(within(..=u64::MAX, 10).unwrap(), 0..10);
        #[allow(clippy::reversed_empty_ranges, reason = "that is what is refused")]
        for range in [11..12, 5..4] {
            assert_eq!(within(range, 10).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }
}
