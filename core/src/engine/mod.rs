//! The schema `engine` and the [`StorageEngine`] over it: messages, sessions, proofs, keys and metadata.

mod activity;
mod cleaning;
mod moving;
mod records;
mod storage;

pub use records::{KeyRecord, Message, MessageStatus, Metadata, SecretBytes, Session, ZkProof};
pub use storage::{Before, Paging, StorageEngine};

use crate::Schema;

/// The schema `engine`, version 1.
pub fn schema() -> Schema {
    Schema::builder("engine", 1)
        .collection::<Message>()
        .collection::<Session>()
        .collection::<ZkProof>()
        .collection::<KeyRecord>()
        .collection::<Metadata>()
        .build()
        .expect("the schema is a constant, and a test builds it")
}
