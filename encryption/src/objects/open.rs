//! An object on its way from the store below: its body comes in as it likes, and content goes out chunk by chunk.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::Result;

use super::errors::refused;
use super::keys::ObjectKey;
use super::pace::Pace;
use super::sizes::{Layout, OVERHEAD};
use crate::EncryptionError;
use crate::seal::NONCE_LEN;

/// The bytes that a request gave, to be taken in other portions than they come in.
pub(super) struct Body {
    stream: BoxStream<'static, Result<Bytes>>,
    rest: Bytes,
}

impl Body {
    pub(super) fn new(stream: BoxStream<'static, Result<Bytes>>) -> Body {
        Body { stream, rest: Bytes::new() }
    }

    /// The next `len` bytes, or as many as there are, in a buffer that can be written to: in its unused part, where it has one.
    pub(super) async fn take(&mut self, len: usize, buffer: &mut BytesMut) -> Result<()> {
        // No more than came: a length that a stranger made up takes no memory.
        buffer.clear();
        while buffer.len() < len {
            if self.rest.is_empty() {
                match self.stream.next().await.transpose()? {
                    Some(bytes) => self.rest = bytes,
                    None => break,
                }
            }
            if buffer.is_empty() && !self.rest.is_empty() {
                buffer.reserve(len);
            }
            let taken = self.rest.len().min(len - buffer.len());
            buffer.extend_from_slice(&self.rest[..taken]);
            self.rest.advance(taken);
        }
        Ok(())
    }
}

/// Which part of an object is read.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) layout: Layout,
    /// Bytes of content in the whole object.
    pub(super) plain: u64,
    /// Those that are wanted.
    pub(super) range: Range<u64>,
}

impl Plan {
    /// The chunks that are to be opened.
    pub(super) fn chunks(&self) -> Range<u64> {
        self.layout.chunks_of(&self.range, self.plain)
    }

    fn is_last(&self, index: u64) -> bool {
        index + 1 == self.layout.chunks(self.plain)
    }

    /// Bytes of one chunk, sealed.
    pub(super) fn sealed_chunk(&self, index: u64) -> usize {
        let content = self.layout.content_of(index, self.plain);
        // A chunk has 16 MiB at most.
        (content.end - content.start) as usize + OVERHEAD
    }

    /// Opens a chunk where it is, and gives what of it is wanted.
    ///
    /// The rest stays in the buffer, behind what is given, and is not wiped: it is of the same object, and the caller may read it. If
    /// the chunk does not open, the cipher leaves nothing of it.
    pub(super) fn open(&self, key: &ObjectKey, index: u64, mut sealed: BytesMut) -> Result<Bytes, EncryptionError> {
        if sealed.len() != self.sealed_chunk(index) {
            return Err(EncryptionError::Truncated);
        }
        key.open(index, self.is_last(index), &mut sealed)?;
        let content = self.layout.content_of(index, self.plain);
        let wanted = self.range.start.max(content.start)..self.range.end.min(content.end);
        if wanted.is_empty() {
            return Ok(Bytes::new());
        }
        let at = |place: u64| NONCE_LEN + (place - content.start) as usize;
        Ok(sealed.freeze().slice(at(wanted.start)..at(wanted.end)))
    }
}

/// The content that `plan` wants, from a body that begins with its first chunk. Ends after the last chunk of the plan was opened, or
/// with the first one that does not open.
pub(super) fn opened(body: Body, plan: Plan, key: ObjectKey) -> BoxStream<'static, Result<Bytes>> {
    let chunks = plan.chunks();
    let state = (body, BytesMut::new(), Pace::default(), chunks, plan, key);
    let stream = stream::try_unfold(state, |(mut body, mut buffer, mut pace, mut chunks, plan, key)| async move {
        for index in chunks.by_ref() {
            let len = plan.sealed_chunk(index);
            pace.after(len).await;
            body.take(len, &mut buffer).await?;
            let content = plan.open(&key, index, buffer.split()).map_err(refused)?;
            if !content.is_empty() {
                return Ok(Some((content, (body, buffer, pace, chunks, plan, key))));
            }
        }
        Ok(None)
    });
    stream.boxed()
}
