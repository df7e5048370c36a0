//! The end of a store: without its keys, what is left of it is noise.

use strongroom_core::store::{Batch, Store, Write};
use strongroom_core::{ErrorKind, Result};

use super::Encrypted;
use super::create::commit_alone;
use crate::places::{HEADER, KEYRING, SWEEP};

impl<S: Store> Encrypted<S> {
    /// Destroys the keys of the whole store, for good, then closes it for all who share it. What is left cannot be opened by
    /// anybody.
    ///
    /// The header and the keyring are deleted and, where the engine can, the space that they had is given back. What cannot be
    /// reached from here may still have them: copies of the file, pages that an engine frees and does not wipe (redb: delete the file,
    /// too; SQLite leaves nothing), and cells of a flash medium that were written before. Against those helps only that the passphrase
    /// or key is not known.
    ///
    /// # Errors
    ///
    /// Those of the store's `commit`, `compact` and `close`: `Busy` while a snapshot is open that the engine cannot compact
    /// beside. The keys are gone then, and it can be called again, to compact and close.
    pub async fn erase(&self) -> Result<()> {
        let own = [HEADER, KEYRING, SWEEP];
        let batch = Batch { writes: own.map(|key| (key, Write::Delete)).into(), ..Batch::default() };
        commit_alone(&self.inner, batch).await?;
        self.vault.close();
        self.info.caches.switch_off();
        match self.inner.compact().await {
            Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        self.inner.close().await
    }
}
