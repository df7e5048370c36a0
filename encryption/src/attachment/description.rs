//! What an event says of an encrypted attachment.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::alphabet::{self, Alphabet};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use tokio::io::AsyncRead;
use zeroize::Zeroizing;

use super::OpenedAttachment;
use crate::{EncryptionError, SecretKey};

/// Bytes of the counter that an attachment begins with.
pub(super) const COUNTER_LEN: usize = 16;

/// How an attachment is encrypted, as the `file` of its event says. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Attachment {
    pub(super) key: SecretKey,
    pub(super) counter: [u8; COUNTER_LEN],
    pub(super) sha256: [u8; 32],
}

/// The fields of Matrix's `EncryptedFile` that say how to decrypt it.
#[derive(Deserialize)]
struct EncryptedFile {
    v: String,
    key: JsonWebKey,
    iv: String,
    hashes: BTreeMap<String, String>,
}

/// A key as RFC 7517 writes it.
#[derive(Deserialize)]
struct JsonWebKey {
    kty: String,
    alg: String,
    k: String,
    key_ops: Vec<String>,
    ext: bool,
}

impl Attachment {
    /// Reads the JSON of an event's `file`: an object with `v`, `key`, `iv` and `hashes`. Its `url` is not looked at.
    ///
    /// # Errors
    ///
    /// `AttachmentMalformed`, which says what is wrong with it.
    pub fn from_json(file: &str) -> Result<Self, EncryptionError> {
        let malformed = EncryptionError::AttachmentMalformed;
        // The parser's own error could quote the key.
        let file: EncryptedFile =
            serde_json::from_str(file).map_err(|_| malformed("it is no EncryptedFile of Matrix"))?;
        if file.v != "v2" {
            return Err(malformed("its version is not v2"));
        }
        let can_decrypt = file.key.key_ops.iter().any(|operation| operation == "decrypt");
        if file.key.kty != "oct" || file.key.alg != "A256CTR" || !can_decrypt || !file.key.ext {
            return Err(malformed("its key is not one for AES-256 in counter mode that may decrypt"));
        }
        let (encoded, mut key) = (Zeroizing::new(file.key.k), SecretKey::blank());
        if decode(&alphabet::URL_SAFE, &encoded, key.as_mut_bytes()).is_none() {
            return Err(malformed("its key has not 32 bytes"));
        }
        let mut counter = [0; COUNTER_LEN];
        decode(&alphabet::STANDARD, &file.iv, &mut counter).ok_or(malformed("its iv has not 16 bytes"))?;
        let mut sha256 = [0; 32];
        let hash = file.hashes.get("sha256").ok_or(malformed("it has no hash sha256"))?;
        decode(&alphabet::STANDARD, hash, &mut sha256).ok_or(malformed("its sha256 has not 32 bytes"))?;
        Ok(Attachment { key, counter, sha256 })
    }

    /// A reader of what is encrypted in `ciphertext`.
    ///
    /// It ends well only if the SHA-256 of all the ciphertext is right; until then **nothing of it is authenticated**. Give it to what takes
    /// all back that it was given if its source fails, as `Media::put` does.
    ///
    /// # Errors
    ///
    /// When it is read: those of `ciphertext`; at the end, with `InvalidData`, [`EncryptionError::AttachmentChanged`] in an
    /// [`Error`](strongroom_core::Error).
    pub fn open<R: AsyncRead + Unpin>(&self, ciphertext: R) -> OpenedAttachment<R> {
        OpenedAttachment::new(self, ciphertext)
    }
}

/// Decodes exactly as many bytes as there is room for. Matrix writes no padding, some programs do.
fn decode(alphabet: &Alphabet, text: &str, into: &mut [u8]) -> Option<()> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = Zeroizing::new(GeneralPurpose::new(alphabet, config).decode(text).ok()?);
    (decoded.len() == into.len()).then(|| into.copy_from_slice(&decoded))
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").finish_non_exhaustive()
    }
}
