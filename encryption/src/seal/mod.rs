//! How one value is sealed, and opened again.
//!
//! A value becomes an [`Envelope`]: encrypted and authenticated by XChaCha20-Poly1305, and bound to its database, its stored
//! key and the key that sealed it, so that it opens nowhere else.

use std::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

use self::envelope::{BOUND_TO_PREFIX, HEADER_LEN, PADDED, header};
use self::nonce::NonceKey;
use crate::secret::DatabaseId;
use crate::{EncryptionError, SecretKey};

mod cipher;
#[cfg(test)]
mod costs;
mod envelope;
mod nonce;
mod padding;
mod row;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod vectors;

pub(crate) use self::cipher::Cipher;
pub(crate) use self::envelope::{Envelope, KeyId, NONCE_LEN, TAG_LEN};
pub(crate) use self::padding::Padding;
pub(crate) use self::row::RowKey;

/// Bytes that an envelope has more than what is encrypted in it: header, nonce and tag. Padding comes on top.
pub(crate) const OVERHEAD: usize = HEADER_LEN + NONCE_LEN + TAG_LEN;

/// Bytes of the random part of a nonce.
pub(crate) const RANDOMNESS_LEN: usize = 24;

/// What begins all associated data, so that no other use of the cipher can be taken for an envelope.
const LABEL: &[u8] = b"strongroom/value/1";

/// Bytes of an envelope that holds a value of `value_len` bytes.
pub(crate) fn sealed_len(value_len: usize, padding: Padding) -> usize {
    OVERHEAD + padding.padded_len(value_len)
}

/// Where a sealed value belongs.
#[derive(Clone, Copy)]
pub(crate) enum Binding<'a> {
    /// Under this stored key.
    Key(&'a [u8]),
    /// Under any stored key that is this and 8 bytes more: a stamped row, whose revision is not known when it is sealed.
    ///
    /// So rows stamped under one prefix can be exchanged for each other by who can write the file, and are not told apart.
    Prefix(&'a [u8]),
}

/// One generation of the value key, for one keyspace of one database. Derived once and kept: a derivation costs as much as
/// sealing a few values. Its parts are wiped when it is dropped; `Debug` shows only its id.
pub(crate) struct ValueKey {
    id: KeyId,
    database: DatabaseId,
    cipher: Cipher,
    nonce: NonceKey,
    row: RowKey,
}

impl ValueKey {
    /// The key of `keyspace` under `master`, the generation `id` of the value key of `database`.
    pub(crate) fn derive(master: &SecretKey, id: KeyId, database: DatabaseId, keyspace: &[u8]) -> ValueKey {
        let part = |label: &[u8]| master.derive(&database.0, &[label, &id.0.to_be_bytes(), keyspace]);
        ValueKey {
            id,
            database,
            cipher: Cipher::new(&part(b"strongroom/value/cipher/1")),
            nonce: NonceKey::new(&part(b"strongroom/value/nonce/1")),
            row: RowKey::new(part(b"strongroom/value/row/1")),
        }
    }

    /// Seals `value`, to be opened where `binding` says and nowhere else. [`sealed_len`] bytes, in one allocation: it is
    /// encrypted where it is, so that no copy of it remains.
    ///
    /// `randomness` should be fresh from the system's generator. If it is not (the machine was cloned, the generator is
    /// weak), all that shows is that the same value was sealed for the same place.
    pub(crate) fn seal(
        &self,
        binding: Binding<'_>,
        value: &[u8],
        randomness: &[u8; RANDOMNESS_LEN],
        padding: Padding,
    ) -> Bytes {
        let (bound, prefix) = match binding {
            Binding::Key(key) => (key, 0),
            Binding::Prefix(key) => (key, BOUND_TO_PREFIX),
        };
        let header = header(self.id, prefix | if padding.on { PADDED } else { 0 });
        let associated = self.associated_data(&header, bound);

        let mut sealed = Vec::with_capacity(sealed_len(value.len(), padding));
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(&[0; NONCE_LEN]);
        sealed.extend_from_slice(value);
        padding.add(&mut sealed, value.len());

        let (front, text) = sealed.split_at_mut(HEADER_LEN + NONCE_LEN);
        let nonce = self.nonce.nonce(randomness, &associated, text);
        front[HEADER_LEN..].copy_from_slice(&nonce);
        let tag = self.cipher.seal(&nonce, &associated, text);
        sealed.extend_from_slice(&tag);
        Bytes::from(sealed)
    }

    /// What was sealed in `envelope`, which was found under the stored key `key`.
    ///
    /// # Errors
    ///
    /// `AuthFailed`: it was changed, or sealed by another key, for another database or for another place.
    pub(crate) fn open(&self, key: &[u8], envelope: &Envelope<'_>) -> Result<Bytes, EncryptionError> {
        self.opened(key, envelope).ok_or_else(|| EncryptionError::AuthFailed { row: self.row.name(key) })
    }

    fn opened(&self, key: &[u8], envelope: &Envelope<'_>) -> Option<Bytes> {
        let associated = self.associated_data(envelope.header(), envelope.bound(key)?);
        // Wiped wherever this is left, unless its content is taken out.
        let mut value = Zeroizing::new(envelope.ciphertext().to_vec());
        self.cipher.open(envelope.nonce(), &associated, &mut value, envelope.tag()).ok()?;
        if envelope.is_padded() {
            let len = padding::unpadded_len(&value)?;
            value.truncate(len);
        }
        Some(Bytes::from(std::mem::take(&mut *value)))
    }

    /// What is authenticated along with the value. Everything but the last part is of one length, and that part's length
    /// stands before it: two places never have the same bytes.
    fn associated_data(&self, header: &[u8; HEADER_LEN], bound: &[u8]) -> Vec<u8> {
        let length = (bound.len() as u32).to_be_bytes();
        [LABEL, &self.database.0, header, &length, bound].concat()
    }
}

impl fmt::Debug for ValueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueKey").field("id", &self.id).finish_non_exhaustive()
    }
}
