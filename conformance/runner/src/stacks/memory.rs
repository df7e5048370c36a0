//! Memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use strongroom_conformance::{Can, Capability, Factory, Place, Settings};
use strongroom_core::store::Store;
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_memory::{Memory, MemoryOptions};
use strongroom_objects::object_store::{ObjectStore, memory::InMemory};

/// The objects of the places that there are.
static OBJECTS: Mutex<BTreeMap<PathBuf, Arc<InMemory>>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores in memory.
#[derive(Clone, Copy, Debug)]
pub struct MemoryFactory;

#[async_trait]
impl Factory for MemoryFactory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn can(&self, capability: Capability) -> Can {
        match capability {
            Capability::Open | Capability::Objects | Capability::Compact => Can::Yes,
            _ => Can::No("nothing outlives the process".into()),
        }
    }

    async fn open(&self, _: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        let (limits, clock) = (settings.limits, settings.clock.clone());
        Ok(Arc::new(Memory::with_options(MemoryOptions { limits, clock })))
    }

    async fn reopen(&self, _: &Place, _: &Settings) -> Result<Arc<dyn Store>> {
        Err(Error::new(ErrorKind::Unsupported, "nothing outlives the process"))
    }

    async fn objects(&self, place: &Place) -> Result<Arc<dyn ObjectStore>> {
        Ok(lock(&OBJECTS).entry(place.file()).or_default().clone())
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        lock(&OBJECTS).remove(&place.file());
        Ok(())
    }
}
