//! What opens a store, and what its slots are.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::{Argon2Params, KeyProvider, SecretKey};

/// What opens a slot, or what a new slot is to be opened with. Cheap to clone; `Debug` shows no content.
#[derive(Clone)]
pub struct Unlock(pub(crate) Means);

/// The kinds of [`Unlock`].
#[derive(Clone)]
pub(crate) enum Means {
    Passphrase(Passphrase),
    RawKey(SecretKey),
    Provider(Arc<dyn KeyProvider>),
}

impl Unlock {
    /// A passphrase, of 1 to 1,024 bytes: a longer or an empty one opens nothing, and no slot can be made with it.
    ///
    /// Its bytes count as they are given: nothing is trimmed, and Unicode is not normalized. A program whose keyboards differ
    /// (macOS and Windows may compose "é" differently) normalizes it first. What is given by value is wiped; what is
    /// borrowed (`&str`) is copied, and the caller wipes the original.
    pub fn passphrase(passphrase: impl Into<Vec<u8>>) -> Self {
        Unlock(Means::Passphrase(Passphrase::from(passphrase.into())))
    }

    /// A key that is uniformly random already, such as that of a [`KeyFile`](crate::KeyFile).
    pub fn raw_key(key: SecretKey) -> Self {
        Unlock(Means::RawKey(key))
    }

    /// A key that somebody else keeps.
    pub fn provider(provider: Arc<dyn KeyProvider>) -> Self {
        Unlock(Means::Provider(provider))
    }
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Means::Passphrase(_) => f.write_str("Passphrase(..)"),
            Means::RawKey(_) => f.write_str("RawKey(..)"),
            Means::Provider(provider) => f.debug_tuple("Provider").field(&provider.name()).finish(),
        }
    }
}

/// A passphrase: shared, and wiped when the last holder drops it.
#[derive(Clone)]
pub(crate) struct Passphrase(Arc<Zeroizing<Vec<u8>>>);

impl Passphrase {
    /// Bytes in a passphrase, at most.
    const BYTES_MAX: usize = 1_024;

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a slot may have it.
    pub(crate) fn is_allowed(&self) -> bool {
        (1..=Self::BYTES_MAX).contains(&self.0.len())
    }
}

impl From<Vec<u8>> for Passphrase {
    fn from(bytes: Vec<u8>) -> Self {
        Passphrase(Arc::new(Zeroizing::new(bytes)))
    }
}

/// What is known of a slot without opening it.
///
/// Until the store is unlocked, it is what the file says and nobody vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotInfo {
    /// Its name: 1 to 64 bytes without control characters, unique in the store.
    pub label: String,
    /// What opens it.
    pub kind: SlotKind,
}

/// What opens a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotKind {
    /// A passphrase, and how dear a guess at it is.
    Passphrase(Argon2Params),
    /// A raw key of 32 bytes.
    RawKey,
    /// A key that the provider of this name keeps.
    Provider(String),
}
