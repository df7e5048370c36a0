//! The one cipher, of values and of keys in keys: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), in place, with the tag apart.
//!
//! Two crates give the same bytes. RustCrypto's is the default, as it builds everywhere; the feature `ring` takes the faster
//! one. Tests with that feature compile both and compare them.

#[cfg(feature = "ring")]
mod ring;
#[cfg(any(not(feature = "ring"), test))]
mod rustcrypto;

#[cfg(feature = "ring")]
pub(crate) use self::ring::RingCipher as Cipher;
#[cfg(not(feature = "ring"))]
pub(crate) use self::rustcrypto::RustCryptoCipher as Cipher;
#[cfg(all(test, feature = "ring"))]
pub(super) use self::{ring::chacha20_poly1305, rustcrypto::RustCryptoCipher};

/// The tag does not fit: something was changed, or this is another key. The buffer holds nothing of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unauthentic;
