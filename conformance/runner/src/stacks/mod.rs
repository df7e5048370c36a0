//! The stacks: each backend, bare and encrypted.

mod disk;
mod encrypted;
mod files;
mod memory;
mod redb;
mod sqlite;

use std::sync::Arc;

use strongroom_conformance::Factory;

pub use encrypted::EncryptedFactory;
pub use memory::MemoryFactory;
pub use redb::RedbFactory;
pub use sqlite::SqliteFactory;

/// Every stack, in the order of the reports.
pub fn all() -> Vec<Arc<dyn Factory>> {
    vec![
        Arc::new(MemoryFactory),
        Arc::new(EncryptedFactory::new(MemoryFactory)),
        Arc::new(RedbFactory),
        Arc::new(EncryptedFactory::new(RedbFactory)),
        Arc::new(SqliteFactory),
        Arc::new(EncryptedFactory::new(SqliteFactory)),
    ]
}
