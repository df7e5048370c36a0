//! Media: the bytes of pictures, voice messages and files, in any object store, named by records in a database.
//!
//! [`Media`] keeps the two together. Bytes are in the object store for good before the record that names them commits, so a
//! record without bytes cannot come about. Before the first byte is written there is a record of the upload, so bytes that nobody
//! will ever name can be told from those that are on their way: [`Media::sweep`] removes the former and never the latter, whoever
//! uploads them. None of this rests on conditional writes, which S3-compatible servers treat in many ways ([`probe`] shows it).
//!
//! ```
//! use std::sync::Arc;
//! use futures_util::TryStreamExt;
//! use strongroom_core::{Database, matrix};
//! use strongroom_objects::{Media, NewMedia, ObjectsUrl};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> strongroom_core::Result<()> {
//! # let store = strongroom_memory::Memory::new();
//! let db = Database::open(store, matrix::schema()).await?;
//! let objects = "memory:".parse::<ObjectsUrl>()?.open()?; // or "file:media", "s3://bucket/prefix"
//! let media = Media::open(db, objects).await?;
//!
//! let picture = NewMedia::new("!room:example.org", "image/png").id("mxc://example.org/abc");
//! let stored = media.put(picture, &b"some bytes"[..]).await?;
//!
//! let content = media.get(&stored.record.media_id).await?.expect("it was stored");
//! let bytes: Vec<u8> = content.stream().map_ok(|part| part.to_vec()).try_concat().await?;
//! assert_eq!(bytes, b"some bytes");
//! # Ok(()) }
//! ```
//!
//! For objects that are encrypted, wrap the object store before it is given to [`Media::open`]: the crate
//! `strongroom-encryption` has `EncryptedObjects`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod layout;
mod local;
mod media;
mod pieces;
mod probe;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "thumbnails")]
mod thumbnail;
mod url;

pub use local::LocalObjects;
pub use media::{
    Content, CopiedObjects, Filter, Media, MediaOptions, MediaUpload, NewMedia, Problem, Reason, Retention,
    RetentionRule, Stat, Stored, SweepOptions, Swept, Thumbnail, Verified,
};
pub use object_store;
pub use probe::{Conditional, ConditionalPut, probe};
#[cfg(feature = "s3")]
#[cfg_attr(docsrs, doc(cfg(feature = "s3")))]
pub use s3::S3Connector;
#[cfg(feature = "thumbnails")]
#[cfg_attr(docsrs, doc(cfg(feature = "thumbnails")))]
pub use thumbnail::{THUMBNAIL_SOURCE_BYTES_MAX, thumbnail};
pub use url::ObjectsUrl;
