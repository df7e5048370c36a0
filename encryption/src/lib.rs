//! Encryption at rest for any store of Strongroom: values are sealed, key components that need no order are blinded.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
#[allow(dead_code, reason = "the layer's store, which seals with it, is on its way")]
mod seal;
#[allow(dead_code, reason = "the header, which makes the id of a database, is on its way")]
mod secret;

pub use error::EncryptionError;
pub use secret::SecretKey;
