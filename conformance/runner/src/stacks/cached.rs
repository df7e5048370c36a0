//! The cache over another stack.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_conformance::{Can, Capability, Damage, Factory, Fault, Folder, Place, Settings};
use strongroom_core::Result;
use strongroom_core::cache::CacheOptions;
use strongroom_core::store::{Limits, Store};
use strongroom_objects::object_store::ObjectStore;

/// Stores of `F`, with rows in memory: so few that there are evictions.
#[derive(Clone, Debug)]
pub struct CachedFactory<F> {
    name: String,
    below: F,
}

impl<F: Factory> CachedFactory<F> {
    /// The layer over what `below` makes.
    pub fn new(below: F) -> Self {
        CachedFactory { name: format!("{}+cached", below.name()), below }
    }
}

fn cached(store: Arc<dyn Store>) -> Arc<dyn Store> {
    let mut options = CacheOptions::default();
    options.entries_max = 200;
    Arc::new(options.over(store))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<F: Factory> Factory for CachedFactory<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn attend(&self) -> std::io::Result<bool> {
        self.below.attend()
    }

    fn can(&self, capability: Capability) -> Can {
        self.below.can(capability)
    }

    fn limits(&self) -> Limits {
        self.below.limits()
    }

    fn folder(&self, needs: &[Capability]) -> std::io::Result<Folder> {
        self.below.folder(needs)
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        self.below.open(place, settings).await.map(cached)
    }

    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        self.below.reopen(place, settings).await.map(cached)
    }

    async fn objects(&self, place: &Place) -> Result<Arc<dyn ObjectStore>> {
        self.below.objects(place).await
    }

    fn below_seal(&self) -> Option<&dyn Factory> {
        self.below.below_seal()
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        self.below.destroy(place).await
    }

    async fn settle(&self, place: &Place) -> Result<()> {
        self.below.settle(place).await
    }

    async fn crash(&self, place: &Place, seed: u64) -> Result<()> {
        self.below.crash(place, seed).await
    }

    async fn inject(&self, place: &Place, fault: Fault) -> Result<()> {
        self.below.inject(place, fault).await
    }

    async fn tamper(&self, place: &Place, damage: &Damage) -> Result<()> {
        self.below.tamper(place, damage).await
    }
}
