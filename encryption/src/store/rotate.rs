//! Another key for the values, while the store is in use: new values get it at once, a sweep seals the others anew, and the old
//! key is destroyed when nothing needs it any more.

use std::collections::BTreeSet;

use strongroom_core::observe::operation;
use strongroom_core::store::{
    Batch, Content, Entry, Fetch, Guard, KeyRange, Outcome, Page, Scan, Store, StoredKey, Write,
};
use strongroom_core::{Error, ErrorKind, Result};

use super::Encrypted;
use super::create::commit_alone;
use super::rows::{open_keyring, visible};
use crate::EncryptionError;
use crate::keyring::Keyring;
use crate::keys::Keys;
use crate::places::{KEYRING, SWEEP};
use crate::seal::{Binding, Envelope, RANDOMNESS_LEN};
use crate::secret::fill_random;

/// Rows that the sweep takes at a time: bounds both a batch and what an interruption costs.
const SWEEP_ROWS: usize = 500;
/// Bytes after which it takes no more.
const SWEEP_BYTES: usize = 2 << 20;

/// How far a sweep has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Rows that were looked at. Those that an interrupted sweep had done are not among them.
    pub rows: u64,
    /// Values that were sealed anew.
    pub resealed: u64,
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resealed {
    /// Rows that were looked at, and values that were sealed anew.
    pub progress: Progress,
    /// Values that do not open, and so were left as they are. Their key is not destroyed.
    pub damaged: u64,
    /// Ids of keys that were destroyed.
    pub retired: Vec<u32>,
    /// Ids of old keys that are still in use, by damaged values.
    pub kept: Vec<u32>,
}

impl<S: Store> Encrypted<S> {
    /// Makes another key for the values, and gives its id. From then on every process seals new values with it: a batch that was
    /// sealed with the old one is refused by its guard on the keyring, and sealed again.
    ///
    /// Old values keep their key until [`reseal`](Encrypted::reseal).
    ///
    /// # Errors
    ///
    /// `KeyringFull` after 63 rotations without a sweep; `HeaderMissing`, `HeaderTampered`, `Locked`; those of the store.
    pub async fn rotate(&self) -> Result<u32> {
        operation("rotate").watch(self.change_keyring(|ring| Ok((true, ring.rotate()?)))).await
    }

    /// Seals every value anew that an older key sealed, then destroys the keys that nothing needs.
    ///
    /// It works in batches beside readers and writers. Caches above are off during each, and stay off if this is dropped in
    /// the middle of one. Interrupted, it goes on where it was when it is called again, in whatever process. `progress` is
    /// told after each batch. An old key is destroyed only after a look at every row of the store has found no use of it.
    ///
    /// # Errors
    ///
    /// `HeaderMissing`, `HeaderTampered`, `Locked`; those of the store. What was done stays done.
    pub async fn reseal(&self, progress: impl FnMut(Progress) + Send) -> Result<Resealed> {
        operation("reseal").counting(self.reseal_all(progress), |done| done.progress.resealed).await
    }

    async fn reseal_all(&self, mut progress: impl FnMut(Progress) + Send) -> Result<Resealed> {
        let mut done = Resealed::default();
        let target = self.reader(&self.inner).reload().await?.ring.current().0;
        let mut range = visible(&KeyRange::ALL);
        if let Some(last) = self.swept(target).await? {
            range = range.beyond(&last, false);
        }
        let mut rows = SWEEP_ROWS.min(self.info.limits.batch_guards_max / 2).max(1);
        loop {
            let page = self.sweep_page(&range, rows).await?;
            let Some(last) = page.entries.last().map(|entry| entry.key.clone()) else { break };
            let (looked_at, more) = (page.entries.len() as u64, page.more);
            match self.reseal_page(page, target, &last).await? {
                // Somebody wrote meanwhile: once more.
                Step::Lost => continue,
                Step::TooMuch if rows > 1 => {
                    rows = rows.div_ceil(2);
                    continue;
                }
                Step::TooMuch => {
                    return Err(Error::new(ErrorKind::InvalidInput, "a value does not fit in a batch of its own"));
                }
                Step::Done { resealed, damaged } => {
                    done.damaged += damaged;
                    done.progress.rows += looked_at;
                    done.progress.resealed += resealed;
                    progress(done.progress);
                }
            }
            if !more {
                break;
            }
            range = range.beyond(&last, false);
        }
        self.retire(&mut done).await?;
        let batch = Batch { writes: [(SWEEP, Write::Delete)].into(), ..Batch::default() };
        commit_alone(&self.inner, batch).await?;
        Ok(done)
    }

    async fn sweep_page(&self, range: &KeyRange, limit: usize) -> Result<Page> {
        let limit = limit.min(self.info.limits.page_entries_max);
        let scan = Scan { range: range.clone(), reverse: false, limit, max_bytes: SWEEP_BYTES, fetch: Fetch::Values };
        self.inner.scan(&scan).await
    }

    /// Seals the old values of one page anew, and notes how far the sweep has come.
    async fn reseal_page(&self, page: Page, target: u32, last: &StoredKey) -> Result<Step> {
        let keys = self.vault.keys()?;
        let mut batch = Batch::default();
        let mut damaged = 0;
        for Entry { key, revision, content, .. } in page.entries {
            let Some(Content::Value(sealed)) = content else { continue };
            match self.resealed(&keys, &key, &sealed, target) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    batch.guards.push(Guard::Key { key: key.clone(), revision: Some(revision) });
                    batch.writes.insert(key, Write::Put(value));
                }
                Err(EncryptionError::NoRandomness) => return Err(EncryptionError::NoRandomness.into()),
                Err(_) => damaged += 1,
            }
        }
        let resealed = batch.writes.len() as u64;
        if resealed == 0 {
            return Ok(Step::Done { resealed, damaged });
        }
        let keyring_guard = batch.guards.len();
        batch.guards.push(Guard::Key { key: KEYRING, revision: Some(keys.revision) });
        batch.writes.insert(SWEEP, Write::Put([&target.to_be_bytes(), last.as_bytes()].concat().into()));
        // Caches above know of what comes from above alone, and these rows get a new revision.
        let suspension = self.info.caches.suspend();
        let outcomes = self.inner.commit(vec![batch]).await;
        // If it is not known whether that happened, they stay off.
        if !outcomes.as_ref().is_err_and(|error| error.kind() == ErrorKind::CommitUnknown) {
            suspension.end();
        }
        match outcomes?.pop() {
            Some(Outcome::Committed(_)) => Ok(Step::Done { resealed, damaged }),
            Some(Outcome::Conflict { guard }) if guard == keyring_guard => {
                self.reader(&self.inner).reload_after(&keys).await?;
                Ok(Step::Lost)
            }
            Some(Outcome::Conflict { .. }) => Ok(Step::Lost),
            Some(Outcome::Rejected(error)) if error.is_limit() => Ok(Step::TooMuch),
            Some(Outcome::Rejected(error)) => Err(error),
            None => Err(Error::new(ErrorKind::CommitUnknown, "the backend gave no outcome")),
        }
    }

    /// A value as the target key seals it; `None` if that key sealed it already, or a newer one.
    fn resealed(
        &self,
        keys: &Keys,
        key: &StoredKey,
        sealed: &[u8],
        target: u32,
    ) -> Result<Option<bytes::Bytes>, EncryptionError> {
        let envelope = Envelope::parse(sealed)?;
        let id = envelope.key_id();
        if id.0 >= target {
            return Ok(None);
        }
        let database = self.vault.database();
        let bound = envelope.bound(key.as_bytes()).unwrap_or_default();
        let old = keys.value_key(database, id, bound).ok_or(EncryptionError::UnknownKeyId)?;
        let value = zeroize::Zeroizing::new(Vec::from(old.open(key.as_bytes(), &envelope)?));
        let mut randomness = [0; RANDOMNESS_LEN];
        fill_random(&mut randomness)?;
        // A stamped row's revision is known by now, so it is bound to the whole of its key.
        let current = keys.current(database, key.as_bytes());
        Ok(Some(current.seal(Binding::Key(key.as_bytes()), &value, &randomness, self.padding)))
    }

    /// Where an interrupted sweep for this key had come to.
    ///
    /// Nobody vouches for that row. If it says too much, rows are left out, and the look at all rows finds their key in use.
    async fn swept(&self, target: u32) -> Result<Option<StoredKey>> {
        let row = self.inner.get(&[SWEEP]).await?.rows.pop().flatten();
        let Some(Content::Value(bytes)) = row.map(|row| row.content) else { return Ok(None) };
        let Some((id, last)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        Ok((u32::from_be_bytes(*id) == target).then(|| StoredKey::from(last.to_vec())))
    }

    /// Destroys the keys before the current one that no row was sealed with.
    ///
    /// No row can begin to need one while this looks: whoever seals with an old key is refused by the guard on the keyring.
    async fn retire(&self, done: &mut Resealed) -> Result<()> {
        let keys = self.reader(&self.inner).reload().await?;
        let current = keys.ring.current().0;
        let mut unused: BTreeSet<u32> = keys.ring.ids().filter(|id| *id != current).collect();
        let mut range = visible(&KeyRange::ALL);
        while !unused.is_empty() {
            let page = self.sweep_page(&range, SWEEP_ROWS).await?;
            for entry in &page.entries {
                if let Some(Content::Value(sealed)) = &entry.content
                    && let Ok(envelope) = Envelope::parse(sealed)
                    && unused.remove(&envelope.key_id().0)
                {
                    done.kept.push(envelope.key_id().0);
                }
            }
            match page.entries.last() {
                Some(last) if page.more => range = range.beyond(&last.key, false),
                _ => break,
            }
        }
        done.kept.sort_unstable();
        if unused.is_empty() {
            return Ok(());
        }
        done.retired = self
            .change_keyring(|ring| {
                let retired: Vec<u32> = unused.iter().copied().filter(|id| ring.retire(*id)).collect();
                Ok((!retired.is_empty(), retired))
            })
            .await?;
        Ok(())
    }

    /// Changes the keyring as it is now, in one row. `change` says whether it changed anything, and what it gives.
    async fn change_keyring<T>(
        &self,
        change: impl Fn(&mut Keyring) -> Result<(bool, T), EncryptionError>,
    ) -> Result<T> {
        loop {
            let keys = self.vault.keys()?;
            let database = self.vault.database();
            let row = self.inner.get(&[KEYRING]).await?.rows.pop().flatten();
            let (mut ring, revision) = open_keyring(row, |bytes| Keyring::open(bytes, &keys.root, database))?;
            self.vault.learn(ring.clone(), revision)?;
            let (changed, gives) = change(&mut ring)?;
            if !changed {
                return Ok(gives);
            }
            let mut batch = Batch::default();
            batch.guards.push(Guard::Key { key: KEYRING, revision: Some(revision) });
            batch.writes.insert(KEYRING, Write::Put(ring.seal(&keys.root, database)?.into()));
            if let Some(revision) = commit_alone(&self.inner, batch).await? {
                self.vault.learn(ring, revision)?;
                return Ok(gives);
            }
        }
    }
}

/// What became of one page of a sweep.
enum Step {
    Done { resealed: u64, damaged: u64 },
    Lost,
    TooMuch,
}
