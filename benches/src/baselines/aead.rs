//! The cipher alone: XChaCha20-Poly1305 of RustCrypto, whatever seals what this library writes.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};

const NONCE_BYTES: usize = 24;

/// Bytes in a chunk of an encrypted medium.
pub const CHUNK: usize = 64 << 10;

/// A cipher with a key. Nonces are counted, since randomness would cost more than the seal.
pub struct Aead {
    cipher: XChaCha20Poly1305,
    sealed: u64,
}

impl Default for Aead {
    fn default() -> Self {
        Aead { cipher: XChaCha20Poly1305::new(&[1; 32].into()), sealed: 0 }
    }
}

impl Aead {
    /// Nonce, ciphertext and tag of a value that belongs under `key`.
    pub fn seal(&mut self, key: &[u8], value: &[u8]) -> Vec<u8> {
        self.sealed += 1;
        let mut nonce = [0; NONCE_BYTES];
        nonce[..8].copy_from_slice(&self.sealed.to_be_bytes());
        let mut sealed = Vec::with_capacity(NONCE_BYTES + value.len() + 16);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let tag = self.cipher.encrypt_inout_detached(&nonce.into(), key, (&mut sealed[NONCE_BYTES..]).into());
        // It fails only past 256 GiB.
        sealed.extend_from_slice(&tag.unwrap_or_default());
        sealed
    }

    /// Seals bytes where they are, in chunks of [`CHUNK`] bytes as those of encrypted media; tags are thrown away.
    pub fn seal_chunks(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(CHUNK) {
            let tag = self.cipher.encrypt_inout_detached(&[2; NONCE_BYTES].into(), b"associated", chunk.into());
            std::hint::black_box(tag.is_ok());
        }
    }

    /// The value that was sealed under `key`; `None` if it was another one, or is too short.
    pub fn open(&self, key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let (value, tag) = rest.split_last_chunk::<16>()?;
        let mut value = value.to_vec();
        self.cipher.decrypt_inout_detached(nonce.into(), key, value.as_mut_slice().into(), tag.into()).ok()?;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_under_a_key_opens_under_it_alone() {
        let mut aead = Aead::default();
        let sealed = aead.seal(b"key", b"value");
        assert_eq!(aead.open(b"key", &sealed).unwrap(), b"value");
        assert_eq!(aead.open(b"another", &sealed), None);
    }
}
