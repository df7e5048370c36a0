//! `Encrypted`: a store over another one, which sees sealed values and blinded keys only.

mod create;
mod erase;
mod limits;
mod rotate;
mod rows;
mod slots;
mod snapshot;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::store::{
    Batch, Compaction, Guard, KeyRange, Outcome, Page, Read, Revision, Rows, Scan, Snapshot, Store, StoreInfo,
    StoredKey, Summary, Usage,
};
use strongroom_core::{Error, ErrorKind, Result};

pub use create::{EncryptedOptions, slots_of};
pub use rotate::{Progress, Resealed};

use crate::keys::{BlindingCodec, Vault};
use crate::seal::Padding;
use rows::Reader;
use snapshot::EncryptedSnapshot;

/// A store whose rows are encrypted in the store below: values are sealed and bound to their place, and the codec that it
/// gives to the typed database blinds key components that need no order.
///
/// Opened by [`EncryptedOptions`]. What it hides, and what not, is in `docs/threat-model.md`.
#[derive(Debug)]
pub struct Encrypted<S> {
    inner: S,
    vault: Arc<Vault>,
    padding: Padding,
    info: StoreInfo,
}

impl<S: Store> Encrypted<S> {
    fn new(inner: S, vault: Arc<Vault>, padding: bool, options: &EncryptedOptions) -> Self {
        let below = inner.info();
        let codec = Arc::new(BlindingCodec(vault.clone()));
        let info = StoreInfo { limits: limits::above(&below.limits, options.limits), codec, ..below.clone() };
        let padding = limits::padding(&below.limits, padding);
        Encrypted { inner, vault, padding, info }
    }

    /// The store below, with its rows as they are: for tools that look at them. What is written there past this layer is
    /// refused when it is read.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Drops the keys, and what caches hold of the rows: every call but `close` answers `Locked` until [`unlock`](Encrypted::unlock). A
    /// call that is under way may end well.
    pub fn lock(&self) {
        self.vault.lock();
        self.info.caches.clear();
    }

    /// The key of the objects that belong to this store: for [`EncryptedObjects`](crate::EncryptedObjects), so that one passphrase
    /// opens both.
    ///
    /// It is derived from the root key and the id of the database, and so is the same as long as the store lives: `rotate` makes other
    /// keys for values, not for objects, and changing a passphrase changes nothing either. Who knew it once opens all objects that
    /// it sealed; against that helps only to copy them into a store of objects under another key. Without the slots nobody derives
    /// it: [`erase`](Encrypted::erase) makes the objects unreadable, too. What has it already, keeps it: `lock` does not close a store of
    /// objects.
    ///
    /// # Errors
    ///
    /// `Locked`, `Closed`.
    #[cfg(feature = "objects")]
    pub fn objects_key(&self) -> Result<crate::SecretKey> {
        let keys = self.vault.keys().or_else(self.name("objects_key"))?;
        Ok(keys.root.derive(&self.vault.database().0, &[b"strongroom/1 objects"]))
    }

    fn reader<'r>(&'r self, read: &'r dyn Read) -> Reader<'r> {
        Reader { read, vault: &self.vault, limits: &self.info.limits }
    }

    /// Errors: `Locked`, `Closed`.
    fn unlocked(&self, operation: &'static str) -> Result<()> {
        self.vault.keys().map(drop).or_else(self.name(operation))
    }

    fn name<T>(&self, operation: &'static str) -> impl FnOnce(Error) -> Result<T> + use<T, S> {
        let backend = self.info.name;
        move |error| Err(error.on(backend).during(operation))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Read for Encrypted<S> {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.reader(&self.inner).get(keys).await.or_else(self.name("get"))
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.reader(&self.inner).scan(scan).await.or_else(self.name("scan"))
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.reader(&self.inner).summarize(range).await.or_else(self.name("summarize"))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Encrypted<S> {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.unlocked("snapshot")?;
        let inner = self.inner.snapshot().await?;
        let (vault, info) = (self.vault.clone(), self.info.clone());
        Ok(Box::new(EncryptedSnapshot { inner, vault, info }))
    }

    /// Every batch that writes has one more guard: on the keyring. So no other process that has not seen a rotation yet can
    /// seal with a key that is about to go.
    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        loop {
            let keys = self.vault.keys().or_else(self.name("commit"))?;
            let mut sealed = Vec::with_capacity(batches.len());
            let mut outcomes = Vec::with_capacity(batches.len());
            for batch in &batches {
                match self.seal(&keys, batch) {
                    Ok(batch) => {
                        sealed.push(batch);
                        outcomes.push(None);
                    }
                    Err(error) => outcomes.push(Some(Outcome::Rejected(error))),
                }
            }
            let keyring_guards: Vec<Option<usize>> = sealed.iter().map(|batch| self.keyring_guard(batch)).collect();
            // Nothing was awaited before this, so a call that was polled once has reached the store below.
            let committed = self.inner.commit(sealed).await?;
            if committed.len() != keyring_guards.len() {
                let message = "the backend gave another number of outcomes than batches";
                return Err(Error::new(ErrorKind::CommitUnknown, message)).or_else(self.name("commit"));
            }
            let lost = |(outcome, guard): (&Outcome, &Option<usize>)| matches!((outcome, guard), (Outcome::Conflict { guard: lost }, Some(at)) if lost == at);
            if committed.iter().zip(&keyring_guards).any(lost) {
                // Every batch that writes has that guard, and nothing of others comes between two batches of a call: so none
                // of them did. With the new keys, all again, in order.
                self.reader(&self.inner).reload_after(&keys).await.or_else(self.name("commit"))?;
                continue;
            }
            let mut committed = committed.into_iter();
            return Ok(outcomes.into_iter().filter_map(|outcome| outcome.or_else(|| committed.next())).collect());
        }
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        self.unlocked("changed")?;
        self.inner.changed(after).await
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        self.unlocked("drop_range")?;
        if let Err(error) = self.info.limits.check_guards(guards) {
            return Ok(Outcome::Rejected(error));
        }
        match rows::guards_below(guards) {
            Ok(guards) => self.inner.drop_range(&rows::visible(range), &guards).await,
            Err(error) => Ok(Outcome::Rejected(error)),
        }
    }

    async fn compact(&self) -> Result<Compaction> {
        self.unlocked("compact")?;
        self.inner.compact().await
    }

    async fn usage(&self) -> Result<Usage> {
        self.unlocked("usage")?;
        self.inner.usage().await
    }

    async fn close(&self) -> Result<()> {
        self.vault.close();
        self.info.caches.switch_off();
        self.inner.close().await
    }
}
