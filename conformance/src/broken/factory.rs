//! A factory whose stores are all broken in the same way.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{Limits, Store};
#[cfg(feature = "media")]
use strongroom_objects::object_store::ObjectStore;

#[cfg(feature = "media")]
use super::BrokenObjects;
use super::{Broken, Control};
use crate::{Can, Capability, Damage, Factory, Fault, Folder, Place, Settings};

/// Another factory, whose stores are broken as said. Its hooks are the other's.
#[derive(Debug)]
pub struct BrokenFactory {
    name: String,
    inner: Arc<dyn Factory>,
    wrap: fn(Arc<dyn Store>) -> Arc<dyn Store>,
    #[cfg(feature = "media")]
    wrap_objects: fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>,
}

impl BrokenFactory {
    /// The stores of `inner`, broken.
    pub fn new(inner: Arc<dyn Factory>, broken: Broken) -> Self {
        BrokenFactory { wrap: broken.wrap, ..BrokenFactory::named(inner, broken.name) }
    }

    /// The stores of `inner`, made as broken ones are, without the mistake.
    pub fn control(inner: Arc<dyn Factory>, control: Control) -> Self {
        BrokenFactory { wrap: control.wrap, ..BrokenFactory::named(inner, control.name) }
    }

    /// The stores of `inner`, whose object stores are broken.
    #[cfg(feature = "media")]
    #[cfg_attr(docsrs, doc(cfg(feature = "media")))]
    pub fn objects(inner: Arc<dyn Factory>, broken: BrokenObjects) -> Self {
        BrokenFactory { wrap_objects: broken.wrap, ..BrokenFactory::named(inner, broken.name) }
    }

    /// As `inner`, under another name.
    fn named(inner: Arc<dyn Factory>, name: &str) -> Self {
        BrokenFactory {
            name: format!("{}+{name}", inner.name()),
            inner,
            wrap: |store| store,
            #[cfg(feature = "media")]
            wrap_objects: |objects| objects,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Factory for BrokenFactory {
    fn name(&self) -> &str {
        &self.name
    }

    fn attend(&self) -> std::io::Result<bool> {
        self.inner.attend()
    }

    fn can(&self, capability: Capability) -> Can {
        self.inner.can(capability)
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn folder(&self, needs: &[Capability]) -> std::io::Result<Folder> {
        self.inner.folder(needs)
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        Ok((self.wrap)(self.inner.open(place, settings).await?))
    }

    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        Ok((self.wrap)(self.inner.reopen(place, settings).await?))
    }

    #[cfg(feature = "media")]
    async fn objects(&self, place: &Place) -> Result<Arc<dyn ObjectStore>> {
        Ok((self.wrap_objects)(self.inner.objects(place).await?))
    }

    fn below_seal(&self) -> Option<&dyn Factory> {
        self.inner.below_seal()
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        self.inner.destroy(place).await
    }

    async fn settle(&self, place: &Place) -> Result<()> {
        self.inner.settle(place).await
    }

    async fn crash(&self, place: &Place, seed: u64) -> Result<()> {
        self.inner.crash(place, seed).await
    }

    async fn inject(&self, place: &Place, fault: Fault) -> Result<()> {
        self.inner.inject(place, fault).await
    }

    async fn tamper(&self, place: &Place, damage: &Damage) -> Result<()> {
        self.inner.tamper(place, damage).await
    }
}
