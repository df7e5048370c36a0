//! Schema: what collections there are, how they are keyed and indexed.

mod definition;
mod index;
mod record;

pub use definition::{
    Collection, ComponentDef, EXPIRY_INDEX_ID, IndexDef, IndexRef, Presence, Role, Schema, SchemaBuilder,
};
pub use index::{Exact, Index, Ordered};
pub use record::{Key, Record};
