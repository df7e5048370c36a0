//! Encryption at rest for any store of Strongroom: values are sealed, key components that need no order are blinded.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod provider;
mod secret;
mod wrap;

pub use error::EncryptionError;
pub use provider::{FileKeyProvider, KeyFile, KeyProvider, ProviderError, WRAPPED_BYTES_MAX};
pub use secret::SecretKey;
