//! The one cipher, of values and of keys in keys: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), in place, with the tag apart.
//!
//! Two crates give the same bytes. RustCrypto's is the default, as it builds everywhere; the feature `ring` takes the faster
//! one. Unit tests compile both and compare them, so they need a C compiler.

#[cfg(any(feature = "ring", test))]
mod ring;
#[cfg(any(not(feature = "ring"), test))]
mod rustcrypto;

#[cfg(feature = "ring")]
pub(crate) use self::ring::RingCipher as Cipher;
#[cfg(not(feature = "ring"))]
pub(crate) use self::rustcrypto::RustCryptoCipher as Cipher;
#[cfg(test)]
pub(super) use self::{
    ring::{RingCipher, chacha20_poly1305},
    rustcrypto::RustCryptoCipher,
};

/// The tag does not fit: something was changed, or this is another key. The buffer holds nothing of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unauthentic;
