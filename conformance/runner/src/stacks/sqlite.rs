//! SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_conformance::{Can, Capability, Damage, Factory, Fault, Folder, Place, Settings};
use strongroom_core::Result;
use strongroom_core::store::{Limits, Store};
use strongroom_objects::{LocalObjects, object_store::ObjectStore};
use strongroom_sqlite::SqliteOptions;

use super::{disk, files};

/// Where a file of SQLite has its user version: 4 bytes, most significant first.
const USER_VERSION_AT: usize = 60;

/// Stores of the engine SQLite, in files.
#[derive(Clone, Copy, Debug)]
pub struct SqliteFactory;

#[async_trait]
impl Factory for SqliteFactory {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn attend(&self) -> std::io::Result<bool> {
        disk::serve()
    }

    fn can(&self, capability: Capability) -> Can {
        files::can(capability)
    }

    fn limits(&self) -> Limits {
        SqliteOptions::default().limits
    }

    fn folder(&self, needs: &[Capability]) -> std::io::Result<Folder> {
        files::folder(needs)
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let (limits, clock) = (settings.limits, settings.clock.clone());
        let options = SqliteOptions { limits, clock, cache_bytes: 2 << 20, ..SqliteOptions::default() };
        Ok(Arc::new(options.open(place.file()).await?))
    }

    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        self.open(place, settings).await
    }

    async fn objects(&self, place: &Place) -> Result<Arc<dyn ObjectStore>> {
        Ok(Arc::new(LocalObjects::open(place.objects())?))
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        files::destroy(place)
    }

    async fn crash(&self, place: &Place, seed: u64) -> Result<()> {
        disk::of(place)?.cut(seed)
    }

    async fn inject(&self, place: &Place, fault: Fault) -> Result<()> {
        disk::of(place)?.inject(fault)
    }

    async fn tamper(&self, place: &Place, damage: &Damage) -> Result<()> {
        match damage {
            // As a release with another format would: docs/format.md.
            Damage::Newer => files::change(place, |bytes| bytes[USER_VERSION_AT + 2] = 1),
            damage => files::tamper(place, damage),
        }
    }
}
