//! The end of a store: without its keys, what is left of it is noise.

use strongroom_core::store::{Batch, Store, Write};
use strongroom_core::{ErrorKind, Result};

use super::Encrypted;
use super::create::commit_alone;
use crate::places::{HEADER, KEYRING, SWEEP};

impl<S: Store> Encrypted<S> {
    /// Destroys the keys of the whole store, for good, then closes it. What is left cannot be opened by anybody.
    ///
    /// The header and the keyring are deleted and, where the engine can, the space that they had is given back, so that
    /// the old rows are not left in the file. What cannot be reached from here still has them: copies of the file, and cells of
    /// a flash medium that were written before. Against those helps only that the passphrase is not known.
    ///
    /// # Errors
    ///
    /// Those of the store's `commit`, `compact` and `close`; once the rows are deleted, the keys are gone whatever fails after.
    pub async fn erase(self) -> Result<()> {
        let own = [HEADER, KEYRING, SWEEP];
        let batch = Batch { writes: own.map(|key| (key, Write::Delete)).into(), ..Batch::default() };
        commit_alone(&self.inner, batch).await?;
        self.vault.close();
        match self.inner.compact().await {
            Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        self.inner.close().await
    }
}
