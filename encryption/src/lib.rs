//! Encryption at rest for any store of Strongroom: values are sealed, key components that need no order are blinded.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod secret;

pub use error::EncryptionError;
pub use secret::SecretKey;
