//! Keys in keys: seals what is small, rare and precious (a root key, a keyring) with XChaCha20-Poly1305.
//!
//! ```text
//!  0          24                         24 + content
//!  ┌──────────┬──────────────────────────┬──────────┐
//!  │ nonce    │ ciphertext               │ tag, 16  │
//!  └──────────┴──────────────────────────┴──────────┘
//!
//! cipher key = HKDF(key, no salt, info: "strongroom/1 wrap key")
//! nonce      = HKDF(key, salt: 24 random bytes, info: "strongroom/1 wrap nonce", associated data, content), 24 bytes
//! ```

use zeroize::Zeroizing;

use crate::SecretKey;
use crate::seal::Cipher;

/// Bytes that sealing adds: the nonce and the tag.
pub(crate) const OVERHEAD: usize = NONCE_BYTES + TAG_BYTES;

/// Bytes of a nonce, and of the randomness that it is made of.
pub(crate) const NONCE_BYTES: usize = 24;

const TAG_BYTES: usize = 16;
const KEY_LABEL: &[u8] = b"strongroom/1 wrap key";
const NONCE_LABEL: &[u8] = b"strongroom/1 wrap nonce";

/// Seals `content`, bound to `context`. `random` is new for every call.
pub(crate) fn seal(key: &SecretKey, random: &[u8; NONCE_BYTES], context: &[u8], content: &[u8]) -> Vec<u8> {
    // Hedged: if the generator repeats itself, as on a cloned machine, different contents still get different nonces.
    let mut nonce = [0; NONCE_BYTES];
    key.expand(random, &[NONCE_LABEL, context, content], &mut nonce);
    // Made at its full length: a vector that grows leaves copies of the content behind.
    let mut sealed = Vec::with_capacity(OVERHEAD + content.len());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(content);
    let tag = cipher(key).seal(&nonce, context, &mut sealed[NONCE_BYTES..]);
    sealed.extend_from_slice(&tag);
    sealed
}

/// The content, if it was sealed with this key and context and is unchanged.
pub(crate) fn open(key: &SecretKey, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
    let mut content = Zeroizing::new(ciphertext.to_vec());
    cipher(key).open(nonce, context, &mut content, tag).ok()?;
    Some(content)
}

fn cipher(key: &SecretKey) -> Cipher {
    // The nonce is made with the key as well, so the cipher gets one of its own.
    Cipher::new(&key.derive(&[], &[KEY_LABEL]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_with_the_same_key_and_context_alone() {
        let key = SecretKey::new([1; 32]);
        let sealed = seal(&key, &[2; 24], b"context", b"content");
        assert_eq!(sealed.len(), OVERHEAD + 7);
        assert_eq!(open(&key, b"context", &sealed).unwrap().as_slice(), b"content");
        assert_eq!(open(&key, b"Context", &sealed), None);
        assert_eq!(open(&SecretKey::new([3; 32]), b"context", &sealed), None);
        for len in 0..sealed.len() {
            assert_eq!(open(&key, b"context", &sealed[..len]), None, "cut to {len}");
        }
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, b"context", &changed), None, "bit {bit}");
        }
    }

    #[test]
    fn a_generator_that_repeats_itself_gives_different_nonces() {
        let key = SecretKey::new([1; 32]);
        let nonce = |context: &[u8], content: &[u8]| seal(&key, &[2; 24], context, content)[..NONCE_BYTES].to_vec();
        assert_eq!(nonce(b"a", b"b"), nonce(b"a", b"b"));
        assert_ne!(nonce(b"a", b"b"), nonce(b"a", b"c"));
        assert_ne!(nonce(b"a", b"b"), nonce(b"ab", b""));
    }
}
