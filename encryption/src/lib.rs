//! Encryption at rest for any store of Strongroom: values are sealed, and key components that need no order are blinded.
//!
//! [`Encrypted`] is a store over another one. What is above it sees plain rows, what is below it sees none:
//!
//! - each value is sealed with XChaCha20-Poly1305 and bound to its database, its stored key and the key that sealed it;
//! - each `exact` component of a key or index is replaced by a keyed PRF of it, so that equality and prefixes still work;
//!   `ordered` components stay as they are, because ranges need their order;
//! - the root key is wrapped in up to eight slots, each for a passphrase, a raw key or a [`KeyProvider`].
//!
//! What does not open is an error or a damaged row, with an [`EncryptionError`] that says why; never bytes that nobody
//! vouches for.
//!
//! With the feature `objects`, what is too long for a row (attachments, backups) lies in any `object_store`, sealed in chunks:
//! `EncryptedObjects`.
//!
//! ```
//! use std::sync::Arc;
//! use strongroom_core::store::Store;
//! use strongroom_core::Database;
//! use strongroom_encryption::{EncryptedOptions, Unlock};
//!
//! # async fn example(store: Arc<dyn Store>, schema: strongroom_core::Schema) -> strongroom_core::Result<()> {
//! let unlock = Unlock::passphrase("correct horse battery staple");
//! let store = Arc::new(EncryptedOptions::default().open_or_create(store, &unlock).await?);
//! let db = Database::open(store.clone(), schema).await?;
//!
//! store.rotate().await?; // new values get another key at once,
//! store.reseal(|_| {}).await?; // old ones follow, and the old key is destroyed
//! # drop(db);
//! # Ok(()) }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "attachments")]
mod attachment;
mod error;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod kdf;
mod keyring;
mod keys;
mod leakage;
#[cfg(feature = "objects")]
mod objects;
mod places;
mod provider;
mod seal;
mod secret;
mod store;
mod unlock;
mod wrap;

#[cfg(feature = "attachments")]
#[cfg_attr(docsrs, doc(cfg(feature = "attachments")))]
pub use attachment::{Attachment, OpenedAttachment};
pub use error::EncryptionError;
pub use kdf::Argon2Params;
pub use leakage::{CollectionLeakage, ComponentLeakage, Fact, Leakage, OrderLeakage, RecordKey, Seen, leakage};
#[cfg(feature = "objects")]
pub use objects::{EncryptedObjects, Names, ObjectsOptions};
pub use provider::{FileKeyProvider, KeyFile, KeyProvider, ProviderError, WRAPPED_BYTES_MAX};
pub use secret::SecretKey;
pub use store::{Encrypted, EncryptedOptions, Progress, Resealed, slots_of};
pub use unlock::{SlotInfo, SlotKind, Unlock};
