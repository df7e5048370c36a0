//! Making an encrypted store, and opening one.

use strongroom_core::observe::operation;
use strongroom_core::store::{
    Batch, Content, Fetch, Guard, KeyRange, Limits, Outcome, Revision, Row, Scan, Store, Write,
};
use strongroom_core::{Error, ErrorKind, Result};

use super::Encrypted;
use super::rows::open_keyring;
use crate::header::{Header, LockedHeader};
use crate::keyring::Keyring;
use crate::keys::{Keys, Vault};
use crate::places::{HEADER, KEYRING};
use crate::seal::Envelope;
use crate::secret::SecretKey;
use crate::unlock::{SlotInfo, Unlock};
use crate::{Argon2Params, EncryptionError};

/// Rows that are looked at to tell a plain store from one that lost its header.
const SAMPLE_ROWS: usize = 64;

/// How an encrypted store is made and opened.
///
/// What is chosen here counts for a new store. One that exists keeps what it was made with, except for
/// [`limits`](Self::limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncryptedOptions {
    /// The label of a new store's first slot.
    pub label: String,
    /// How dear a guess at a passphrase is, in slots made with one.
    pub kdf: Argon2Params,
    /// Whether values are padded, so that their lengths show only roughly. On by default.
    pub padding: bool,
    /// What the store accepts, where that is less than what the one below leaves.
    pub limits: Option<Limits>,
}

impl Default for EncryptedOptions {
    fn default() -> Self {
        EncryptedOptions { label: "main".to_owned(), kdf: Argon2Params::DEFAULT, padding: true, limits: None }
    }
}

impl EncryptedOptions {
    /// Makes an encrypted store of an empty one, with one slot that `unlock` opens.
    ///
    /// Of two that do this at the same time one makes it, and the other is told `AlreadyCreated`.
    ///
    /// # Errors
    ///
    /// `AlreadyCreated`; `NotEncrypted` if there are plain rows; `SlotRefused`, `ProviderFailed`, `NoRandomness`; those of the store.
    pub async fn create<S: Store>(&self, store: S, unlock: &Unlock) -> Result<Encrypted<S>> {
        let whole = Scan { range: KeyRange::ALL, reverse: true, limit: 1, max_bytes: 1, fetch: Fetch::Keys };
        let page = store.scan(&whole).await?;
        if !page.entries.is_empty() {
            return Err(match found(&store).await? {
                Found::Header { .. } | Found::Remains => EncryptionError::AlreadyCreated.into(),
                Found::Plain => EncryptionError::NotEncrypted.into(),
                Found::Nothing => EncryptionError::AlreadyCreated.into(),
            });
        }
        let (header, root) = Header::create(self.padding, &self.label, unlock, self.kdf).await?;
        let ring = Keyring::create()?;
        let mut batch = Batch::default();
        batch.guards.push(Guard::Range { range: KeyRange::ALL, as_of: page.as_of, rows: 0 });
        batch.writes.insert(HEADER, Write::Put(header.encode(&root).into()));
        batch.writes.insert(KEYRING, Write::Put(ring.seal(&root, header.database())?.into()));
        let Some(revision) = commit_alone(&store, batch).await? else {
            return Err(EncryptionError::AlreadyCreated.into());
        };
        let vault = Vault::new(header.database(), Keys::new(root, ring, revision));
        Ok(Encrypted::new(store, vault.into(), header.padding(), self))
    }

    /// Opens an encrypted store.
    ///
    /// # Errors
    ///
    /// `WrongKeyOrDamagedSlot`, `HeaderTampered`, `HeaderMissing`, `KdfOutOfRange`, `UnsupportedVersion`; `NotCreated` for an empty
    /// store, `NotEncrypted` for a plain one; `ProviderFailed`; those of the store.
    pub async fn open<S: Store>(&self, store: S, unlock: &Unlock) -> Result<Encrypted<S>> {
        let (header, keys) = operation("unlock").watch(unlocked(&store, unlock)).await?;
        let vault = Vault::new(header.database(), keys);
        Ok(Encrypted::new(store, vault.into(), header.padding(), self))
    }

    /// Opens an encrypted store, and makes it if the one below is empty. Safe to race: all end with one key.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`create`](Self::create).
    pub async fn open_or_create<S: Store + Clone>(&self, store: S, unlock: &Unlock) -> Result<Encrypted<S>> {
        match self.open(store.clone(), unlock).await {
            Err(error) if is(&error, &EncryptionError::NotCreated) => {}
            opened => return opened,
        }
        match self.create(store.clone(), unlock).await {
            // Somebody else was faster.
            Err(error) if is(&error, &EncryptionError::AlreadyCreated) => self.open(store, unlock).await,
            created => created,
        }
    }
}

impl<S: Store> Encrypted<S> {
    /// Takes the keys again after [`lock`](Encrypted::lock).
    ///
    /// # Errors
    ///
    /// As [`EncryptedOptions::open`].
    pub async fn unlock(&self, unlock: &Unlock) -> Result<()> {
        let (header, keys) = operation("unlock").watch(unlocked(&self.inner, unlock)).await?;
        if header.database() != self.vault.database() {
            // Another store was put in the place of this one.
            return Err(EncryptionError::HeaderTampered.into());
        }
        self.vault.unlock(keys);
        Ok(())
    }
}

/// The slots that an encrypted store says it has, without unlocking it: enough to know what to ask for. Nobody vouches for them.
///
/// # Errors
///
/// Those of [`EncryptedOptions::open`] that need no key.
pub async fn slots_of(store: &dyn Store) -> Result<Vec<SlotInfo>> {
    Ok(locked(store).await?.0.slots())
}

async fn unlocked(store: &dyn Store, unlock: &Unlock) -> Result<(Header, Keys)> {
    let (header, keyring) = locked(store).await?;
    let (header, root) = header.unlock(unlock).await?;
    let keys = keys(&header, root, keyring)?;
    Ok((header, keys))
}

async fn locked(store: &dyn Store) -> Result<(LockedHeader, Option<Row>)> {
    match found(store).await? {
        Found::Header { header, keyring } => Ok((header, keyring)),
        Found::Remains => Err(EncryptionError::HeaderMissing.into()),
        Found::Plain => Err(EncryptionError::NotEncrypted.into()),
        Found::Nothing => Err(EncryptionError::NotCreated.into()),
    }
}

fn keys(header: &Header, root: SecretKey, keyring: Option<Row>) -> Result<Keys> {
    let (ring, revision) = open_keyring(keyring, |bytes| Keyring::open(bytes, &root, header.database()))?;
    Ok(Keys::new(root, ring, revision))
}

/// What a store holds, before it is unlocked.
enum Found {
    Header {
        header: LockedHeader,
        keyring: Option<Row>,
    },
    /// Sealed rows, or a keyring, without a header.
    Remains,
    /// Rows that were never sealed.
    Plain,
    Nothing,
}

async fn found(store: &dyn Store) -> Result<Found> {
    if let Some(found) = headed(store).await? {
        return Ok(found);
    }
    let limit = SAMPLE_ROWS.min(store.info().limits.page_entries_max);
    let sample = Scan { range: KeyRange::ALL, reverse: false, limit, max_bytes: 1 << 20, fetch: Fetch::Targets };
    let entries = store.scan(&sample).await?.entries;
    if entries.is_empty() {
        return Ok(Found::Nothing);
    }
    // Somebody may have made the store between the two looks: then these rows are its own.
    if let Some(found) = headed(store).await? {
        return Ok(found);
    }
    let contents = entries.into_iter().flat_map(|entry| [entry.content, entry.target.map(|row| row.content)]);
    let sealed = contents.flatten().any(|content| match content {
        // Also one that was cut short, or that a newer program sealed.
        Content::Value(value) => !matches!(Envelope::parse(&value), Err(EncryptionError::NotAnEnvelope)),
        Content::Link(_) | Content::Damaged(_) => false,
    });
    Ok(if sealed { Found::Remains } else { Found::Plain })
}

/// What the layer's own rows say; `None` if there are none.
async fn headed(store: &dyn Store) -> Result<Option<Found>> {
    let rows = store.get(&[HEADER, KEYRING]).await?.rows;
    let [header, keyring] = <[_; 2]>::try_from(rows)
        .map_err(|_| Error::new(ErrorKind::Corrupt, "the backend gave another number of rows than it was asked for"))?;
    match header {
        Some(Row { content: Content::Value(bytes), .. }) => {
            Ok(Some(Found::Header { header: LockedHeader::decode(&bytes)?, keyring }))
        }
        Some(_) => Err(EncryptionError::HeaderTampered.into()),
        None => Ok(keyring.map(|_| Found::Remains)),
    }
}

fn is(error: &Error, what: &EncryptionError) -> bool {
    EncryptionError::of(error).as_ref() == Some(what)
}

/// Commits one batch of the layer's own; `None`: a guard did not hold.
pub(super) async fn commit_alone(store: &dyn Store, batch: Batch) -> Result<Option<Revision>> {
    match store.commit(vec![batch]).await?.pop() {
        Some(Outcome::Committed(revision)) => Ok(Some(revision)),
        Some(Outcome::Conflict { .. }) => Ok(None),
        Some(Outcome::Rejected(error)) => Err(error),
        None => Err(Error::new(ErrorKind::CommitUnknown, "the backend gave no outcome")),
    }
}
