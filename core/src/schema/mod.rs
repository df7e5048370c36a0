//! Schema: what collections there are, how they are keyed and indexed.

mod definition;
mod index;
mod migration;
mod record;

pub use definition::{
    Collection, ComponentDef, EXPIRY_INDEX_ID, IndexDef, IndexRef, Presence, Role, Schema, SchemaBuilder,
};
pub use index::{Exact, Index, Ordered};
pub use migration::{Migration, Split};
pub(crate) use migration::{Rewrite, SplitStep};
pub use record::{Key, Record};
