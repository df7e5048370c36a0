//! The stacks: each backend, bare and encrypted, each of them with a cache and without.

mod cached;
mod disk;
mod encrypted;
mod files;
mod memory;
mod postgres;
mod redb;
mod s3;
mod sqlite;

use std::sync::Arc;

use strongroom_conformance::Factory;

pub use cached::CachedFactory;
pub use encrypted::EncryptedFactory;
pub use memory::MemoryFactory;
pub use postgres::PostgresFactory;
pub use redb::RedbFactory;
pub use sqlite::SqliteFactory;

/// Every stack, in the order of the reports.
pub fn all() -> Vec<Arc<dyn Factory>> {
    let backends = [
        with_layers(MemoryFactory),
        with_layers(RedbFactory),
        with_layers(SqliteFactory),
        with_layers(PostgresFactory),
    ];
    let mut all = backends.concat();
    // One that processes can share, so that they share objects in S3 as well.
    let encrypted = EncryptedFactory::new(SqliteFactory).in_s3();
    if let Some(one) = all.iter_mut().find(|one| one.name() == encrypted.name()) {
        *one = Arc::new(encrypted);
    }
    all
}

fn with_layers<F: Factory + Clone>(backend: F) -> Vec<Arc<dyn Factory>> {
    let encrypted = EncryptedFactory::new(backend.clone());
    vec![
        Arc::new(backend.clone()),
        Arc::new(encrypted.clone()),
        Arc::new(CachedFactory::new(backend)),
        Arc::new(CachedFactory::new(encrypted)),
    ]
}
