//! Decrypting an attachment as it comes.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, ReadBuf};

use super::Attachment;
use crate::EncryptionError;

/// The reader of [`Attachment::open`].
pub struct OpenedAttachment<R> {
    ciphertext: R,
    cipher: Ctr128BE<Aes256>,
    /// Of the ciphertext so far; none when the end was reached and was right.
    hash: Option<Sha256>,
    expected: [u8; 32],
}

impl<R> OpenedAttachment<R> {
    pub(super) fn new(attachment: &Attachment, ciphertext: R) -> Self {
        let cipher = Ctr128BE::new(attachment.key.as_bytes().into(), (&attachment.counter).into());
        OpenedAttachment { ciphertext, cipher, hash: Some(Sha256::new()), expected: attachment.sha256 }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for OpenedAttachment<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut this.ciphertext).poll_read(context, buffer))?;
        let Some(hash) = &mut this.hash else { return Poll::Ready(after_the_end(buffer, before)) };
        let bytes = &mut buffer.filled_mut()[before..];
        if !bytes.is_empty() {
            hash.update(&*bytes);
            // No attachment comes near the 2^128 blocks after which the counter would begin again.
            this.cipher.apply_keystream(bytes);
            return Poll::Ready(Ok(()));
        }
        // The hash is public, so this need not take the same time for each.
        if <[u8; 32]>::from(hash.clone().finalize()) != this.expected {
            return Poll::Ready(Err(changed()));
        }
        this.hash = None;
        Poll::Ready(Ok(()))
    }
}

/// What comes after an end was never hashed.
fn after_the_end(buffer: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
    if buffer.filled().len() == before {
        return Ok(());
    }
    buffer.set_filled(before);
    Err(changed())
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, strongroom_core::Error::from(EncryptionError::AttachmentChanged))
}

impl<R> fmt::Debug for OpenedAttachment<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedAttachment").finish_non_exhaustive()
    }
}
