//! Keys: 32 bytes that are wiped when they are dropped and never shown.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::EncryptionError;

/// A key of 32 bytes. Wiped when it is dropped; `Debug` does not show it.
///
/// It lies on the heap, so that moving it leaves no copy behind.
#[derive(Clone)]
pub struct SecretKey(Box<Zeroizing<[u8; 32]>>);

impl SecretKey {
    /// The key of these bytes. They must be uniformly random: a passphrase is none.
    pub fn new(bytes: [u8; 32]) -> Self {
        SecretKey(Box::new(Zeroizing::new(bytes)))
    }

    /// A new key from the operating system's generator.
    ///
    /// # Errors
    ///
    /// `NoRandomness`.
    pub fn random() -> Result<Self, EncryptionError> {
        let mut key = SecretKey::blank();
        fill_random(key.as_mut_bytes())?;
        Ok(key)
    }

    /// The bytes. Whoever copies them wipes the copy.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of these bytes, if they are 32.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let mut key = SecretKey::blank();
        // Straight into its place, so that there is no other copy.
        key.as_mut_bytes().copy_from_slice(bytes);
        Some(key)
    }

    /// A place for a key that is about to be made in it.
    pub(crate) fn blank() -> Self {
        SecretKey::new([0; 32])
    }

    /// Where to make the key.
    pub(crate) fn as_mut_bytes(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }

    /// A key for one purpose: HKDF-SHA256 (RFC 5869) over this one, which must be uniformly random already, with `salt` and
    /// the parts of `info`, each preceded by its length.
    pub(crate) fn derive(&self, salt: &[u8], info: &[&[u8]]) -> SecretKey {
        let mut key = SecretKey::blank();
        self.expand(salt, info, key.as_mut_bytes());
        key
    }

    /// As [`derive`](Self::derive), of any length up to 8,160 bytes.
    pub(crate) fn expand(&self, salt: &[u8], info: &[&[u8]], out: &mut [u8]) {
        let lengths: Vec<[u8; 4]> = info.iter().map(|part| (part.len() as u32).to_be_bytes()).collect();
        let parts: Vec<&[u8]> = lengths.iter().zip(info).flat_map(|(length, part)| [&length[..], part]).collect();
        let hkdf = Hkdf::<Sha256>::new(Some(salt), self.as_bytes());
        // The one error is more than 255 blocks, and every caller asks for a few.
        hkdf.expand_multi_info(&parts, out).expect("a few blocks are no more than 255");
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Fills `bytes` from the operating system's generator.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), EncryptionError> {
    getrandom::fill(bytes).map_err(|_| EncryptionError::NoRandomness)
}

/// What tells one encrypted store from every other: random, made with the header, in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseId(pub(crate) [u8; 16]);

impl DatabaseId {
    pub(crate) fn random() -> Result<Self, EncryptionError> {
        let mut id = [0; 16];
        fill_random(&mut id)?;
        Ok(DatabaseId(id))
    }
}
