//! XChaCha20-Poly1305 of HChaCha20 and ring's ChaCha20-Poly1305.
//!
//! ring has no XChaCha20. The draft builds it so itself: HChaCha20 makes a key for the first 16 bytes of the nonce, and
//! the other 8, after 4 zeros, are the nonce under it (section 2.3).

use ::ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use chacha20::{R20, hchacha};
use zeroize::Zeroize;

use super::Unauthentic;
use crate::SecretKey;
use crate::seal::envelope::{NONCE_LEN, TAG_LEN};

/// A key of the cipher. Wiped when it is dropped; ring does not wipe the key of one message that it gets.
pub(crate) struct RingCipher(SecretKey);

impl RingCipher {
    pub(crate) fn new(key: &SecretKey) -> Self {
        RingCipher(key.clone())
    }

    /// Encrypts `text` where it is. The tag covers it and `associated`.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE_LEN], associated: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let (key, nonce) = self.of_message(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), text);
        let tag = tag.expect("no value is as long as 256 GiB");
        tag.as_ref().try_into().expect("a tag has 16 bytes")
    }

    /// Decrypts `text` where it is. If the tag does not fit, it holds no plaintext afterwards.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Unauthentic> {
        let (key, nonce) = self.of_message(nonce);
        let opened = key.open_in_place_separate_tag(nonce, Aad::from(associated), Tag::from(*tag), text, 0..);
        opened.map(|_| ()).map_err(|_| Unauthentic)
    }

    /// The key and the nonce of ChaCha20-Poly1305 for one message.
    fn of_message(&self, nonce: &[u8; NONCE_LEN]) -> (LessSafeKey, Nonce) {
        let (input, rest) = nonce.split_first_chunk::<16>().expect("a nonce has 24 bytes");
        let mut subkey = hchacha::<R20>(self.0.as_bytes().into(), input.into());
        let key = chacha20_poly1305(&subkey);
        subkey.zeroize();
        let mut short = [0; 12];
        short[4..].copy_from_slice(rest);
        (key, Nonce::assume_unique_for_key(short))
    }
}

/// ring's ChaCha20-Poly1305 under `key`, which must have 32 bytes.
pub(crate) fn chacha20_poly1305(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("a key has 32 bytes"))
}
