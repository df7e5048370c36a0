//! Keys that somebody else keeps: a secure enclave, a key management service, the keyring of the operating system.

mod file;
mod key_file;

use std::error::Error as StdError;
use std::fmt::{self, Debug};

use async_trait::async_trait;

use crate::SecretKey;
pub use file::FileKeyProvider;
pub use key_file::KeyFile;
#[cfg(any(fuzzing, test))]
pub(crate) use key_file::{hex, parse};

/// Wraps the key of a slot with a key that never comes here.
#[async_trait]
pub trait KeyProvider: Debug + Send + Sync {
    /// The provider's name: 1 to 64 bytes without control characters. Written into the slot, in clear, and never changes: a
    /// slot is only tried with the provider of its name.
    fn name(&self) -> &str;

    /// Wraps `key`, a new one for every slot.
    ///
    /// # Behavior
    ///
    /// - The answer has 1 to 4,096 bytes ([`WRAPPED_BYTES_MAX`]).
    /// - `context` says which slot it is, in up to 256 bytes, and is no secret. A provider that can binds the wrapped key to
    ///   it, so that [`unwrap`](Self::unwrap) with another one fails.
    async fn wrap(&self, key: &SecretKey, context: &[u8]) -> Result<Vec<u8>, ProviderError>;

    /// Gives back the key that was wrapped with the same `context`.
    ///
    /// # Behavior
    ///
    /// - `wrapped` comes from a file that may have been changed: at most 4,096 bytes, of anything.
    /// - Wrapped with another key, or changed: `NotMine`.
    /// - A wrong key given back harms nothing: the slot does not open.
    async fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<SecretKey, ProviderError>;
}

/// Bytes of a wrapped key, at most.
pub const WRAPPED_BYTES_MAX: usize = 4_096;

/// Why a provider gave no key. It says no more, so that it cannot quote a secret: a provider has its own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderError {
    /// It was wrapped with another key, or changed.
    NotMine,
    /// The provider could not be asked, or refused.
    Failed,
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProviderError::NotMine => "the key was wrapped with another one, or changed",
            ProviderError::Failed => "the key provider failed",
        })
    }
}

impl StdError for ProviderError {}
