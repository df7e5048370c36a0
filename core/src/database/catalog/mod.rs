//! The catalog: the schema as the store itself knows it, in one row.
//!
//! A program opens a store only if its schema and the catalog agree or differ in a way that is safe: a new collection, a
//! new index, a removed one (its id stays taken for ever), another name. Everything else is refused with what differs.

mod beginnings;
mod build;
mod entry;
mod evolution;
mod open;
mod pass;
mod rewrite;
mod settle;
mod split;
mod upgrade;

pub use build::Duplicates;
pub(crate) use evolution::check_evolution;
pub(crate) use open::{Opened, UnderWay, open, revision_of_same};

/// How far an opening goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until nothing can fail any more but the store.
    Decided,
    /// Until nothing is left to do.
    Settled,
}

/// The version of everything that core writes: catalog, key encoding, record values. Separate from the crates' versions.
///
/// Every release reads the stores of all released versions, and refuses a newer one. A schema without migrations is still written as
/// version 1.
pub const FORMAT_VERSION: u32 = 2;

/// The format of a schema without migrations.
const FORMAT_WITHOUT_MIGRATIONS: u32 = 1;
