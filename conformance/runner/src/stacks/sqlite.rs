//! SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_conformance::{Can, Capability, Damage, Factory, Fault, Folder, Place, Settings};
use strongroom_core::Result;
use strongroom_core::store::{Limits, Store};
use strongroom_sqlite::SqliteOptions;

use super::files;

/// Stores of the engine SQLite, in files.
#[derive(Clone, Copy, Debug)]
pub struct SqliteFactory;

#[async_trait]
impl Factory for SqliteFactory {
    fn name(&self) -> &'static str {
        "sqlite"
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
        let options = SqliteOptions { limits, clock, ..SqliteOptions::default() };
        Ok(Arc::new(options.open(place.file()).await?))
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
            Damage::Newer => files::overwrite(place, USER_VERSION_AT, &i32::MAX.to_be_bytes()),
            damage => files::tamper(place, damage),
        }
    }
}

/// Where the header of a SQLite file has its `user_version`, big-endian: the store's format, as in docs/format.md.
const USER_VERSION_AT: u64 = 60;
