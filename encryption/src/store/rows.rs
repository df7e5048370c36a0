//! Rows on their way through the layer: sealed as they are written, opened as they are read.

use std::ops::Bound;
use std::sync::Arc;

use strongroom_core::observe::{self, figures::ENCRYPTION_KEYRING_READS, figures::ENCRYPTION_VALUES};
use strongroom_core::store::sorted::yield_now;
use strongroom_core::store::{
    Batch, Content, Entry, Guard, KeyRange, LAYER_KEYS, Limits, Page, Read, Row, Rows, Scan, Store, StoredKey, Summary,
    Write,
};
use strongroom_core::{Error, ErrorKind, Limit, Result};

use super::{Encrypted, limits};
use crate::EncryptionError;
use crate::keyring::Keyring;
use crate::keys::{Keys, Vault};
use crate::places::KEYRING;
use crate::seal::{Binding, Envelope, RANDOMNESS_LEN};
use crate::secret::fill_random;

/// Values and bytes that are opened before other tasks get their turn: well below a millisecond.
const SLICE_VALUES: usize = 128;
const SLICE_BYTES: usize = 256 << 10;

impl<S: Store> Encrypted<S> {
    /// The batch as the store below gets it.
    pub(super) fn seal(&self, keys: &Keys, batch: &Batch) -> Result<Batch> {
        batch.check(&self.info.limits)?;
        let own = batch.writes.keys().next_back().is_some_and(is_layers);
        if own || batch.stamped.iter().any(|(prefix, _)| is_layers(&prefix.0)) {
            return Err(refused());
        }
        let mut guards = guards_below(&batch.guards)?;
        if !batch.is_read_only() {
            guards.push(Guard::Key { key: KEYRING, revision: Some(keys.revision) });
        }
        let puts = batch.writes.values().filter(|write| matches!(write, Write::Put(_))).count();
        // All at once: asking the system costs more than a seal.
        let mut randomness = vec![[0; RANDOMNESS_LEN]; puts + batch.stamped.len()];
        fill_random(randomness.as_flattened_mut())?;
        let mut randomness = randomness.iter();
        let mut fresh = || randomness.next().expect("there is one for each value");
        let seal = |binding, key: &StoredKey, value: &[u8], fresh| {
            let value_key = keys.current(self.vault.database(), key.as_bytes());
            value_key.seal(binding, value, fresh, self.padding)
        };
        let writes = batch.writes.iter().map(|(key, write)| {
            let write = match write {
                Write::Put(value) => Write::Put(seal(Binding::Key(key.as_bytes()), key, value, fresh())),
                write => write.clone(),
            };
            (key.clone(), write)
        });
        let writes = writes.collect();
        observe::count(&ENCRYPTION_VALUES, &["seal"], (puts + batch.stamped.len()) as u64);
        let stamped = batch.stamped.iter().map(|(prefix, value)| {
            let sealed = seal(Binding::Prefix(prefix.0.as_bytes()), &prefix.0, value, fresh());
            (prefix.clone(), sealed)
        });
        Ok(Batch { guards, stamped: stamped.collect(), writes })
    }

    /// Where in its guards a sealed batch has the one on the keyring.
    pub(super) fn keyring_guard(&self, sealed: &Batch) -> Option<usize> {
        if sealed.is_read_only() { None } else { sealed.guards.len().checked_sub(1) }
    }
}

/// The part of a range that is not the layers'.
pub(super) fn visible(range: &KeyRange) -> KeyRange {
    let end = match &range.end {
        Bound::Included(end) | Bound::Excluded(end) if *end < LAYER_KEYS => return range.clone(),
        _ => Bound::Excluded(LAYER_KEYS),
    };
    KeyRange { start: range.start.clone(), end }
}

/// Guards as the store below gets them, each in its place.
pub(super) fn guards_below(guards: &[Guard]) -> Result<Vec<Guard>> {
    let guards = guards.iter().map(|guard| match guard {
        Guard::Key { key, .. } if is_layers(key) => Err(refused()),
        Guard::Key { .. } => Ok(guard.clone()),
        Guard::Range { range, as_of, rows } => Ok(Guard::Range { range: visible(range), as_of: *as_of, rows: *rows }),
    });
    guards.collect()
}

fn is_layers(key: &StoredKey) -> bool {
    *key >= LAYER_KEYS
}

fn refused() -> Error {
    Error::new(ErrorKind::InvalidInput, "keys that begin with 24 bytes of 0xFF belong to the encryption layer")
}

/// Reads of a store or of a snapshot.
#[derive(Clone, Copy)]
pub(super) struct Reader<'r> {
    pub(super) read: &'r dyn Read,
    pub(super) vault: &'r Vault,
    pub(super) limits: &'r Limits,
}

impl Reader<'_> {
    pub(super) async fn get(self, keys: &[StoredKey]) -> Result<Rows> {
        if keys.len() > self.limits.get_keys_max {
            return Err(Error::limit(Limit::GetKeys, self.limits.get_keys_max as u64, keys.len() as u64));
        }
        loop {
            let mut found = self.read.get(keys).await?;
            let mut opener = self.opener()?;
            for (key, row) in keys.iter().zip(&mut found.rows) {
                if is_layers(key) {
                    *row = None;
                }
                if let Some(row) = row {
                    opener.open(key, &mut row.content).await;
                }
            }
            if !self.is_worth_another_look(&opener).await? {
                return Ok(found);
            }
        }
    }

    pub(super) async fn scan(self, scan: &Scan) -> Result<Page> {
        if scan.limit > self.limits.page_entries_max {
            return Err(Error::limit(Limit::PageEntries, self.limits.page_entries_max as u64, scan.limit as u64));
        }
        let below = Scan {
            range: visible(&scan.range),
            max_bytes: limits::page_bytes(scan.max_bytes, scan.limit),
            ..scan.clone()
        };
        loop {
            let mut page = self.read.scan(&below).await?;
            let mut opener = self.opener()?;
            let (mut bytes, mut whole) = (0, 0);
            for entry in &mut page.entries {
                // Values are shorter here, so the page below may hold more than it should.
                if bytes > scan.max_bytes {
                    break;
                }
                opener.open_entry(entry).await;
                bytes += size(entry);
                whole += 1;
            }
            page.more |= whole < page.entries.len();
            page.entries.truncate(whole);
            if !self.is_worth_another_look(&opener).await? {
                return Ok(page);
            }
        }
    }

    /// Whether a row was sealed with a key that was not at hand and that the keyring has by now. A rotation may have gone on
    /// since the rows were read, and the row have been sealed anew: so they are read again, as long as the keyring moves.
    async fn is_worth_another_look(self, opener: &Opener) -> Result<bool> {
        Ok(opener.unknown && !Arc::ptr_eq(&self.reload().await?, &opener.keys))
    }

    pub(super) async fn summarize(self, range: &KeyRange) -> Result<Summary> {
        let summary = self.read.summarize(&visible(range)).await?;
        // Nothing of it is sealed, but a locked store tells nothing at all.
        self.vault.keys()?;
        Ok(summary)
    }

    /// Reads the keyring again, of the same store or snapshot.
    ///
    /// Errors: `HeaderMissing`, `HeaderTampered`, and those of the store.
    pub(super) async fn reload(self) -> Result<Arc<Keys>> {
        observe::count(&ENCRYPTION_KEYRING_READS, &[], 1);
        let keys = self.vault.keys()?;
        let row = self.read.get(&[KEYRING]).await?.rows.pop().flatten();
        let (ring, revision) = open_keyring(row, |bytes| Keyring::open(bytes, &keys.root, self.vault.database()))?;
        self.vault.learn(ring, revision)
    }

    /// Reads the keyring again after a guard on it was lost: it must have gone on.
    ///
    /// Errors: `HeaderTampered` if it went back, for example with a file that was restored beneath an open store: with it every
    /// commit would be refused for ever. As [`reload`](Self::reload) besides.
    pub(super) async fn reload_after(self, lost: &Keys) -> Result<Arc<Keys>> {
        let keys = self.reload().await?;
        if keys.revision > lost.revision { Ok(keys) } else { Err(EncryptionError::HeaderTampered.into()) }
    }

    fn opener(self) -> Result<Opener> {
        let (keys, database) = (self.vault.keys()?, self.vault.database());
        Ok(Opener { keys, database, unknown: false, values: 0, bytes: 0, opened: 0, refused: 0 })
    }
}

/// The keyring of a row that was read.
pub(super) fn open_keyring(
    row: Option<Row>,
    open: impl FnOnce(&[u8]) -> Result<Keyring, EncryptionError>,
) -> Result<(Keyring, strongroom_core::store::Revision)> {
    match row {
        None => Err(EncryptionError::HeaderMissing.into()),
        Some(Row { revision, content: Content::Value(bytes) }) => Ok((open(&bytes)?, revision)),
        Some(_) => Err(EncryptionError::HeaderTampered.into()),
    }
}

/// Opens values in place. What does not open becomes a damaged row, never bytes that nobody vouches for.
struct Opener {
    keys: Arc<Keys>,
    database: crate::secret::DatabaseId,
    /// Whether a key was missing that the keyring may have by now.
    unknown: bool,
    /// Since others had their turn.
    values: usize,
    bytes: usize,
    /// In all, for whoever observes.
    opened: u64,
    refused: u64,
}

impl Drop for Opener {
    fn drop(&mut self) {
        for (action, values) in [("open", self.opened), ("refuse", self.refused)] {
            if values > 0 {
                observe::count(&ENCRYPTION_VALUES, &[action], values);
            }
        }
    }
}

impl Opener {
    async fn open_entry(&mut self, entry: &mut Entry) {
        let Entry { key, content: Some(content), target, .. } = entry else { return };
        self.open(key, content).await;
        let Content::Link(points_to) = content else { return };
        // A link made to lead to the layer's own rows leads nowhere.
        *target = target.take().filter(|_| !is_layers(points_to));
        if let Some(row) = target {
            self.open(points_to, &mut row.content).await;
        }
    }

    async fn open(&mut self, key: &StoredKey, content: &mut Content) {
        let Content::Value(sealed) = content else { return };
        self.values += 1;
        self.bytes += sealed.len();
        if self.values > SLICE_VALUES || self.bytes > SLICE_BYTES {
            (self.values, self.bytes) = (0, 0);
            yield_now().await;
        }
        *content = match self.opened(key, sealed) {
            Ok(value) => {
                self.opened += 1;
                Content::Value(value)
            }
            Err(error) => {
                self.refused += 1;
                self.unknown |= error == EncryptionError::UnknownKeyId;
                Content::Damaged(error.into())
            }
        };
    }

    fn opened(&self, key: &StoredKey, sealed: &[u8]) -> Result<bytes::Bytes, EncryptionError> {
        let envelope = Envelope::parse(sealed)?;
        let bound = envelope.bound(key.as_bytes()).unwrap_or_default();
        let value_key = self.keys.value_key(self.database, envelope.key_id(), bound);
        value_key.ok_or(EncryptionError::UnknownKeyId)?.open(key.as_bytes(), &envelope)
    }
}

/// Bytes of an entry as [`Scan::max_bytes`] counts them.
fn size(entry: &Entry) -> usize {
    let held = |key: &StoredKey, content: &Content| match content {
        Content::Link(target) if key.as_bytes().ends_with(target.as_bytes()) => 0,
        content => content.bytes(),
    };
    let content = entry.content.as_ref().map_or(0, |content| held(&entry.key, content));
    let target = match (&entry.content, &entry.target) {
        (Some(Content::Link(key)), Some(row)) => held(key, &row.content),
        _ => 0,
    };
    entry.key.len() + content + target
}
