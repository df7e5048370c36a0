//! XChaCha20-Poly1305 by the crate `chacha20poly1305`.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};

use super::Unauthentic;
use crate::SecretKey;
use crate::seal::envelope::{NONCE_LEN, TAG_LEN};

/// A key of the cipher. Wiped when it is dropped.
pub(crate) struct RustCryptoCipher(XChaCha20Poly1305);

impl RustCryptoCipher {
    pub(crate) fn new(key: &SecretKey) -> Self {
        RustCryptoCipher(XChaCha20Poly1305::new(key.as_bytes().into()))
    }

    /// Encrypts `text` where it is. The tag covers it and `associated`.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE_LEN], associated: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let sealed = self.0.encrypt_inout_detached(nonce.into(), associated, text.into());
        sealed.expect("no value is as long as 256 GiB").into()
    }

    /// Decrypts `text` where it is, once the tag is known to fit.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthentic> {
        let opened = self.0.decrypt_inout_detached(nonce.into(), associated, text.into(), tag.into());
        opened.map_err(|_| Unauthentic)
    }
}
