//! An object on its way to the store below: content goes in, sealed chunks come out.

use bytes::{Buf, Bytes};
use zeroize::Zeroize;

use super::Shared;
use super::keys::ObjectKey;
use super::sizes::OVERHEAD;
use crate::EncryptionError;
use crate::seal::{NONCE_LEN, TAG_LEN};

/// Seals one object, from its first byte to its last. Content is copied once, into the place where it is sealed.
pub(super) struct Sealer {
    key: ObjectKey,
    chunk_bytes: usize,
    /// Bytes that are still to come, if it is known: so that a short object takes no long buffer.
    expected: usize,
    index: u64,
    /// A place for the nonce, then the content of the chunk so far.
    chunk: Vec<u8>,
}

impl Sealer {
    /// Begins an object at `path`, of `expected` bytes or of as many as will come. Gives its header, too. Errors: `NoRandomness`.
    pub(super) fn begin(
        shared: &Shared,
        path: &str,
        expected: Option<usize>,
    ) -> Result<(Sealer, Bytes), EncryptionError> {
        let key = ObjectKey::create(&shared.keys, shared.layout, path)?;
        let header = Bytes::copy_from_slice(key.header());
        let expected = expected.unwrap_or(usize::MAX);
        let mut sealer =
            Sealer { key, chunk_bytes: shared.layout.chunk_bytes(), expected, index: 0, chunk: Vec::new() };
        sealer.begin_chunk();
        Ok((sealer, header))
    }

    /// Takes content from the front of `plain`: of one chunk at most. Gives a chunk that was sealed meanwhile: a full one waits until
    /// more comes, since until then it may be the last.
    ///
    /// Errors: `NoRandomness`.
    pub(super) fn write(&mut self, plain: &mut Bytes) -> Result<Option<Bytes>, EncryptionError> {
        if plain.is_empty() {
            return Ok(None);
        }
        let sealed = if self.room() == 0 { Some(self.seal(false)?) } else { None };
        let taken = self.room().min(plain.len());
        self.chunk.extend_from_slice(&plain[..taken]);
        plain.advance(taken);
        Ok(sealed)
    }

    /// The last chunk. Errors: `NoRandomness`.
    pub(super) fn finish(mut self) -> Result<Bytes, EncryptionError> {
        self.seal(true)
    }

    fn room(&self) -> usize {
        NONCE_LEN + self.chunk_bytes - self.chunk.len()
    }

    fn seal(&mut self, last: bool) -> Result<Bytes, EncryptionError> {
        self.chunk.extend_from_slice(&[0; TAG_LEN]);
        self.key.seal(self.index, last, &mut self.chunk)?;
        let sealed = Bytes::from(std::mem::take(&mut self.chunk));
        if !last {
            self.index += 1;
            self.begin_chunk();
        }
        Ok(sealed)
    }

    fn begin_chunk(&mut self) {
        let content = self.chunk_bytes.min(self.expected);
        // At its full length at once: a vector that grows leaves copies of the content behind.
        self.chunk = Vec::with_capacity(content + OVERHEAD);
        self.chunk.extend_from_slice(&[0; NONCE_LEN]);
        self.expected -= content;
    }
}

impl Drop for Sealer {
    /// The content of a chunk that was not sealed. It is one chunk, so it costs little; what the caller gave is the caller's to wipe.
    fn drop(&mut self) {
        self.chunk.zeroize();
    }
}
