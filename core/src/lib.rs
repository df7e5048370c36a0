//! The core of Strongroom: the waist that backends implement, keys, schema, and the typed database above them.
//!
//! Core knows no backend and no cipher.
#![cfg_attr(test, allow(clippy::duplicate_mod, reason = "the cache's rule is tested over other primitives"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

// The derives write paths that begin with `::strongroom`; this lets them work inside core too.
#[allow(unused_extern_crates, reason = "used by the derives in core's own schemas")]
extern crate self as strongroom;

mod database;
mod error;
mod json;
mod text;
mod time;

#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub mod cache;
pub mod engine;
pub mod key;
pub mod matrix;
pub mod schema;
pub mod store;

pub use database::{
    Change, ChangeCursor, ChangeKind, ChangePage, Changes, CollectionCount, Committed, Cursor, Damage, Database,
    DatabaseBuilder, FORMAT_VERSION, Matchable, Page, Problem, Query, RecordPage, Snapshot, Sortable, Sorted, Source,
    Stats, Transaction, Trim, Verification, Viewable,
};
pub use error::{Error, ErrorKind, Limit, Result};
pub use json::Json;
pub use key::Component;
pub use schema::{Index, Key, Record, Schema};
pub use strongroom_derive::{Component, Record};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
