//! The encryption layer over another stack.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_conformance::{Can, Capability, Damage, Factory, Fault, Folder, Place, Settings};
use strongroom_core::Result;
use strongroom_core::store::{Limits, Store};
use strongroom_encryption::{EncryptedObjects, EncryptedOptions, SecretKey, Unlock};
use strongroom_objects::object_store::ObjectStore;

use super::s3;

/// Bytes that a key of the layer's own has, at most; the store below must take them whatever a case asks for.
const KEY_BYTES_MIN: usize = 64;

/// Stores of `F`, encrypted.
#[derive(Clone, Debug)]
pub struct EncryptedFactory<F> {
    name: String,
    below: F,
    in_s3: bool,
}

impl<F: Factory> EncryptedFactory<F> {
    /// The layer over what `below` makes.
    pub fn new(below: F) -> Self {
        EncryptedFactory { name: format!("{}+encrypted", below.name()), below, in_s3: false }
    }

    /// With its objects in S3.
    #[must_use]
    pub fn in_s3(self) -> Self {
        EncryptedFactory { in_s3: true, ..self }
    }

    fn options(&self, settings: &Settings) -> EncryptedOptions {
        let mut options = EncryptedOptions::default();
        options.limits = Some(settings.limits);
        options
    }
}

/// A key costs no derivation, so that cases that open often are not about that.
fn unlock() -> Unlock {
    Unlock::raw_key(SecretKey::new([7; 32]))
}

/// What the store below must accept, so that the layer accepts what a case asks for.
fn below(settings: &Settings) -> Settings {
    let asked = settings.limits;
    let limits = Limits {
        key_bytes_max: asked.key_bytes_max.max(KEY_BYTES_MIN),
        value_bytes_max: asked.value_bytes_max.saturating_add(1 << 10),
        batch_bytes_max: asked.batch_bytes_max.saturating_mul(4).saturating_add(16 << 20),
        batch_writes_max: asked.batch_writes_max.saturating_add(8),
        batch_guards_max: asked.batch_guards_max.saturating_add(1),
        // Header and keyring are read together.
        get_keys_max: asked.get_keys_max.max(2),
        ..asked
    };
    Settings { limits, clock: settings.clock.clone() }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<F: Factory> Factory for EncryptedFactory<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn attend(&self) -> std::io::Result<bool> {
        self.below.attend()
    }

    fn can(&self, capability: Capability) -> Can {
        match capability {
            Capability::Objects if self.in_s3 => s3::can(),
            Capability::ObjectFiles => Can::No("objects are sealed; the bare stacks show it".into()),
            other => self.below.can(other),
        }
    }

    fn limits(&self) -> Limits {
        self.below.limits()
    }

    fn folder(&self, needs: &[Capability]) -> std::io::Result<Folder> {
        self.below.folder(needs)
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let store = self.below.open(place, &below(settings)).await?;
        Ok(Arc::new(self.options(settings).open_or_create(store, &unlock()).await?))
    }

    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let store = self.below.reopen(place, &below(settings)).await?;
        match self.options(settings).open_or_create(store.clone(), &unlock()).await {
            Ok(store) => Ok(Arc::new(store)),
            Err(error) => {
                // Nobody else can: it would stay open.
                store.close().await.ok();
                Err(error)
            }
        }
    }

    async fn objects(&self, place: &Place) -> Result<Arc<dyn ObjectStore>> {
        let below = if self.in_s3 { s3::objects(place)? } else { self.below.objects(place).await? };
        Ok(Arc::new(EncryptedObjects::new(below, &SecretKey::new([8; 32]))))
    }

    fn below_seal(&self) -> Option<&dyn Factory> {
        Some(&self.below)
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
