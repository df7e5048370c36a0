//! The worked example of the guide: a backend, and all that its author writes to have it proved.

mod file;
mod store;
mod table;

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_conformance::{Can, Capability, Damage, Factory, Place, Settings, conformance};
use strongroom_core::store::Store;
use strongroom_core::{Error, ErrorKind, Result};

use store::OneFile;

#[derive(Debug)]
struct OneFiles;

#[async_trait]
impl Factory for OneFiles {
    fn name(&self) -> &'static str {
        "one-file"
    }

    fn can(&self, capability: Capability) -> Can {
        match capability {
            Capability::Compact => Can::No("every commit writes the file anew, so it is always compact".into()),
            Capability::Share => Can::No("a file is open once at a time".into()),
            Capability::Crash | Capability::Inject => Can::No("its factory has no medium of its own".into()),
            _ => Can::Yes,
        }
    }

    async fn open(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(OneFile::open(place.file(), settings.limits, settings.clock.clone())?))
    }

    async fn reopen(&self, place: &Place, settings: &Settings) -> Result<Arc<dyn Store>> {
        self.open(place, settings).await
    }

    async fn destroy(&self, place: &Place) -> Result<()> {
        for path in [place.file(), file::lock_path(&place.file())] {
            match fs::remove_file(path) {
                // What never became a store has no lock file.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::new(ErrorKind::Io, "a file stays").with_source(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn tamper(&self, place: &Place, damage: &Damage) -> Result<()> {
        let io = |error: std::io::Error| Error::new(ErrorKind::Io, "the file cannot be changed").with_source(error);
        if let Damage::Replace(bytes) = damage {
            // Also where there is no file.
            return fs::write(place.file(), bytes).map_err(io);
        }
        let mut bytes = fs::read(place.file()).map_err(io)?;
        match damage {
            Damage::Newer => file::mark_newer(&mut bytes),
            damage => damage.apply(&mut bytes),
        }
        fs::write(place.file(), bytes).map_err(io)
    }
}

conformance!(OneFiles);
