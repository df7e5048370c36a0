//! The slots of an open store: who can unlock it. Each change is one row.

use strongroom_core::Result;
use strongroom_core::store::{Batch, Content, Guard, Revision, Row, Store, Write};

use super::Encrypted;
use super::create::commit_alone;
use crate::header::{Header, LockedHeader};
use crate::places::HEADER;
use crate::unlock::{SlotInfo, Unlock};
use crate::{Argon2Params, EncryptionError};

impl<S: Store> Encrypted<S> {
    /// The slots, in the order they were added.
    ///
    /// # Errors
    ///
    /// `HeaderMissing`, `HeaderTampered`, `Locked`; those of the store.
    pub async fn slots(&self) -> Result<Vec<SlotInfo>> {
        Ok(self.header().await?.0.slots())
    }

    /// Adds a slot that `unlock` opens; `kdf` counts if that is a passphrase.
    ///
    /// # Errors
    ///
    /// `SlotRefused`: 8 slots, a label that is taken, or one that is not 1 to 64 bytes; `ProviderFailed`; as [`slots`](Encrypted::slots).
    pub async fn add_slot(&self, label: &str, unlock: &Unlock, kdf: Argon2Params) -> Result<()> {
        loop {
            let (mut header, revision) = self.header().await?;
            header.add_slot(&self.vault.keys()?.root, label, unlock, kdf).await?;
            if self.put_header(&header, revision).await? {
                return Ok(());
            }
        }
    }

    /// Makes a slot anew under its label: how a passphrase is changed. The old one opens nothing from then on, but copies of the
    /// file from before still have it.
    ///
    /// # Errors
    ///
    /// `SlotNotFound`, and as [`add_slot`](Encrypted::add_slot).
    pub async fn replace_slot(&self, label: &str, unlock: &Unlock, kdf: Argon2Params) -> Result<()> {
        loop {
            let (mut header, revision) = self.header().await?;
            header.replace_slot(&self.vault.keys()?.root, label, unlock, kdf).await?;
            if self.put_header(&header, revision).await? {
                return Ok(());
            }
        }
    }

    /// Removes a slot. Who opened it before may have kept the keys, and copies of the file from before still have the slot.
    ///
    /// # Errors
    ///
    /// `SlotNotFound`; `SlotRefused` for the last one; as [`slots`](Encrypted::slots).
    pub async fn remove_slot(&self, label: &str) -> Result<()> {
        loop {
            let (mut header, revision) = self.header().await?;
            header.remove_slot(label)?;
            if self.put_header(&header, revision).await? {
                return Ok(());
            }
        }
    }

    /// The header as it is now, checked with the root key.
    async fn header(&self) -> Result<(Header, Revision)> {
        let keys = self.vault.keys()?;
        let row = self.inner.get(&[HEADER]).await?.rows.pop().flatten();
        match row {
            None => Err(EncryptionError::HeaderMissing.into()),
            Some(Row { revision, content: Content::Value(bytes) }) => {
                let header = LockedHeader::decode(&bytes)?.authenticate(&keys.root)?;
                Ok((header, revision))
            }
            Some(_) => Err(EncryptionError::HeaderTampered.into()),
        }
    }

    /// Writes the header if it is still what was read.
    async fn put_header(&self, header: &Header, revision: Revision) -> Result<bool> {
        let mut batch = Batch::default();
        batch.guards.push(Guard::Key { key: HEADER, revision: Some(revision) });
        batch.writes.insert(HEADER, Write::Put(header.encode(&self.vault.keys()?.root).into()));
        Ok(commit_alone(&self.inner, batch).await?.is_some())
    }
}
