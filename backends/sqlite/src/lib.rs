//! Strongroom in one file that several processes may share, through SQLite and sqlx.
//!
//! ```
//! # use strongroom_core::store::Store;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> strongroom_core::Result<()> {
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! # let path = folder.path().join("chat.db");
//! let store = strongroom_sqlite::Sqlite::open(&path).await?; // "chat.db"
//! let snapshot = store.snapshot().await?;
//! # drop(snapshot);
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! One connection writes; every other reads, and neither waits for the other. The bytes on disk are one table of rows and one
//! with the newest revision, in SQLite's write-ahead-log mode.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod age;
mod changes;
mod connection;
mod error;
mod file;
mod log;
mod options;
mod read;
mod row;
mod snapshots;
mod statements;
mod store;
mod transaction;
mod writer;

pub use options::{SqliteOptions, Synchronous};
pub use store::Sqlite;
