//! redb.

use std::sync::Arc;

use async_trait::async_trait;
use redb::{Database, TableDefinition};
use strongroom_conformance::{Can, Capability, Damage, Factory, Fault, Folder, Place, Settings};
use strongroom_core::store::Store;
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_redb::RedbOptions;

use super::files;

/// Stores of the engine redb, in files.
#[derive(Clone, Copy, Debug)]
pub struct RedbFactory;

#[async_trait]
impl Factory for RedbFactory {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn can(&self, capability: Capability) -> Can {
        match capability {
            Capability::Share => Can::No("a file is open in one process at a time".into()),
            capability => files::can(capability),
        }
    }

    fn folder(&self, needs: &[Capability]) -> std::io::Result<Folder> {
        files::folder(needs)
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let (limits, clock) = (settings.limits, settings.clock.clone());
        let options = RedbOptions { limits, clock, cache_bytes: 8 << 20, ..RedbOptions::default() };
        Ok(Arc::new(options.open(place.file())?))
    }

    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        self.open(place, settings).await
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        files::destroy(place)
    }

    async fn crash(&self, place: &Place, seed: u64) -> Result<()> {
        files::crash(place, seed)
    }

    async fn inject(&self, place: &Place, fault: Fault) -> Result<()> {
        files::inject(place, fault)
    }

    async fn tamper(&self, place: &Place, damage: &Damage) -> Result<()> {
        match damage {
            Damage::Newer => mark_newer(place).map_err(|error| Error::new(ErrorKind::Io, error.to_string())),
            damage => files::tamper(place, damage),
        }
    }
}

/// As a release with another format would: docs/format.md.
fn mark_newer(place: &Place) -> Result<(), redb::Error> {
    const META: TableDefinition<'_, &str, u64> = TableDefinition::new("strongroom.meta");
    let transaction = Database::open(place.file())?.begin_write()?;
    transaction.open_table(META)?.insert("format", u64::from(u32::MAX))?;
    Ok(transaction.commit()?)
}
