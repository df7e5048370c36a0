//! Typed, indexed storage for end-to-end-encrypted messengers, on the engine that fits the place.
//!
//! This crate only composes: everything of `strongroom-core`, the backends and the encryption by feature, and [`open`], which
//! picks a backend by URL and wraps it in the encryption.
//!
//! Begin with [`Record`](derive@Record) on a struct, a [`Schema`] of such records, and a [`Database`] over a store:
//! [`Database::put`] and its like for one record, [`Database::write`] for a transaction, [`Database::query`] for pages.
//! [`engine`] and [`matrix`] are schemas ready to use; [`store`] is what a backend must do. The README has an example.
//!
//! | URL | backend | feature |
//! |---|---|---|
//! | `redb:PATH` | one file, embedded, survives a loss of power | `redb` (default) |
//! | `sqlite:PATH` | one file, embedded, survives a loss of power, shared by processes | `sqlite` |
//! | `postgres://USER@HOST/DATABASE?namespace=NAME` | a server, shared by machines; each namespace is a store | `postgres` |
//! | `memory:` | nothing outlives the process | `memory` |
//!
//! Pictures and files are media: `objects::Media` (feature `objects`) keeps their bytes in an object store and their records in the database.
//!
//! | URL of objects | where | feature |
//! |---|---|---|
//! | `file:DIR` | files in a folder | `objects` |
//! | `s3://BUCKET/PREFIX` | S3 and what is compatible with it | `s3` |
//! | `memory:` | nothing outlives the process | `objects` |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod engine;
mod open;
mod postgres_url;
mod url;

#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub use open::OpenCached;
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub use open::OpenEncrypted;
pub use open::{Open, open};
pub use postgres_url::PostgresUrl;
/// By name as well, so that the compiler can tell whoever misses it which feature it takes.
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
#[doc(inline)]
pub use strongroom_core::cache;
pub use strongroom_core::*;
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub use strongroom_encryption as encryption;
#[cfg(feature = "memory")]
#[cfg_attr(docsrs, doc(cfg(feature = "memory")))]
pub use strongroom_memory as memory;
#[cfg(feature = "objects")]
#[cfg_attr(docsrs, doc(cfg(feature = "objects")))]
pub use strongroom_objects as objects;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use strongroom_postgres as postgres;
#[cfg(feature = "redb")]
#[cfg_attr(docsrs, doc(cfg(feature = "redb")))]
pub use strongroom_redb as redb;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use strongroom_sqlite as sqlite;
pub use url::StoreUrl;

/// The README's examples are compiled and run as tests.
#[cfg(all(doctest, feature = "redb", feature = "encryption"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
