//! What one would write by hand, without this library: no schema, no guards, no revisions, no conflicts, no errors but the engine's.
//!
//! Each is as good as its engine allows with the same promises: the same durability, cache and page size, statements that are
//! prepared once, batches sorted where the engine likes that.

mod aead;
mod btree;
mod flush;
mod hand;
mod moka;
mod postgres;
mod redb;
mod rusqlite;
mod sql;
mod sqlx;

pub use self::aead::{Aead, CHUNK};
pub use self::btree::RawMap;
pub use self::flush::Flush;
pub use self::hand::{hand_rows, room_front, room_until};
pub use self::moka::RawCache;
pub use self::postgres::RawPostgres;
pub use self::redb::RawRedb;
pub use self::rusqlite::RawRusqlite;
pub use self::sqlx::RawSqlx;

use strongroom::{Error, ErrorKind};

/// An engine's own error, as one of the programs'.
pub fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Io, "a hand-written baseline failed").with_source(error)
}
