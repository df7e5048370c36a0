//! Memory.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_conformance::{Can, Capability, Factory, Place, Settings};
use strongroom_core::store::Store;
use strongroom_core::{Error, ErrorKind, Result};
use strongroom_memory::{Memory, MemoryOptions};

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
            Capability::Open | Capability::Compact => Can::Yes,
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

    async fn destroy(&self, _: &Place) -> Result<()> {
        Ok(())
    }
}
