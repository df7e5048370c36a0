//! Nonces that do not rest on randomness alone.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::RANDOMNESS_LEN;
use super::envelope::NONCE_LEN;
use crate::SecretKey;

/// Makes nonces: a keyed PRF over fresh randomness and all that the cipher will be given.
///
/// Two different messages never meet under one nonce, however bad the randomness: a nonce comes back only with everything
/// that went into it, and then the envelope is the same as well. The idea is RFC 6979's and SIV's (RFC 5297); with good
/// randomness on top, equal messages do not show.
pub(super) struct NonceKey(Hmac<Sha256>);

impl NonceKey {
    pub(super) fn new(key: &SecretKey) -> NonceKey {
        NonceKey(Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of every length"))
    }

    /// The nonce for `text` under `associated`.
    ///
    /// Both go in as the cipher gets them, the flags, the key's binding and the padding too: a nonce that came back with
    /// any of these changed would give away the key of the tag.
    pub(super) fn nonce(&self, randomness: &[u8; RANDOMNESS_LEN], associated: &[u8], text: &[u8]) -> [u8; NONCE_LEN] {
        let mut mac = self.0.clone();
        mac.update(randomness);
        mac.update(&(associated.len() as u32).to_be_bytes());
        mac.update(associated);
        mac.update(text);
        // The rest of it is no secret, but no use either.
        let full = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&full[..NONCE_LEN]);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_changes_the_nonce() {
        let key = NonceKey::new(&SecretKey::new([1; 32]));
        let nonces = [
            key.nonce(&[0; 24], b"ab", b"c"),
            key.nonce(&[1; 24], b"ab", b"c"),
            key.nonce(&[0; 24], b"a", b"bc"),
            key.nonce(&[0; 24], b"", b"abc"),
            key.nonce(&[0; 24], b"ab", b"d"),
            key.nonce(&[0; 24], b"ab", b"c\0"),
            NonceKey::new(&SecretKey::new([2; 32])).nonce(&[0; 24], b"ab", b"c"),
        ];
        for (at, nonce) in nonces.iter().enumerate() {
            assert!(!nonces[..at].contains(nonce), "{at}");
        }
        assert_eq!(nonces[0], key.nonce(&[0; 24], b"ab", b"c"));
    }

    #[test]
    fn the_key_is_wiped() {
        // HMAC's own type does not say so, but all it holds are two of these with a key in them.
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<Sha256>();
    }
}
