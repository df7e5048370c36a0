//! The catalog: the schema as the store itself knows it, in one row.
//!
//! A program opens a store only if its schema and the catalog agree or differ in a way that is safe: a new collection, a
//! new index, a removed one (its id stays taken for ever), another name. Everything else is refused with what differs.

mod build;
mod entry;
mod evolution;
mod open;

pub(crate) use open::{open, revision_of_same};

/// The version of everything that core writes: catalog, key encoding, record values. Separate from the crates' versions.
///
/// Every release reads the stores of all released versions, and refuses a newer one.
pub const FORMAT_VERSION: u32 = 1;
