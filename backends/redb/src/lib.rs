//! Strongroom in one file, through the embedded engine redb.
//!
//! ```no_run
//! # use strongroom_core::store::Store;
//! # async fn example() -> strongroom_core::Result<()> {
//! let store = strongroom_redb::Redb::open("chat.db")?;
//! let snapshot = store.snapshot().await?;
//! # drop(snapshot);
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! One thread writes; reads run where they are called and never wait for it. The bytes on disk are one table of rows
//! (`strongroom.rows`) and one of numbers (`strongroom.meta`: the version of the format, the newest revision).
#![cfg_attr(docsrs, feature(doc_cfg))]

mod compact;
mod error;
#[cfg(test)]
mod faults;
mod file;
mod header;
mod overlay;
mod store;
mod table;
mod writer;

pub use store::{Redb, RedbOptions};
