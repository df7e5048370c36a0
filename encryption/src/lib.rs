//! Encryption at rest for any store of Strongroom: values are sealed, key components that need no order are blinded.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
#[allow(dead_code, reason = "the store that reads and writes the header is still to come")]
mod header;
mod kdf;
#[allow(dead_code, reason = "the store that reads and writes the keyring is still to come")]
mod keyring;
mod provider;
mod secret;
mod unlock;
mod wrap;

pub use error::EncryptionError;
pub use kdf::Argon2Params;
pub use provider::{FileKeyProvider, KeyFile, KeyProvider, ProviderError, WRAPPED_BYTES_MAX};
pub use secret::SecretKey;
pub use unlock::{SlotInfo, SlotKind, Unlock};
