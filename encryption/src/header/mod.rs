//! The header: the row that says how a store is encrypted and holds its root key, wrapped once in every slot.
//!
//! ```text
//!  0          4         5         6         7                      23        24
//!  ┌──────────┬─────────┬─────────┬─────────┬──────────────────────┬─────────┬──────────────┬──────────┐
//!  │ "SRhd"   │ version │ suite   │ flags   │ database id          │ slots   │ each slot    │ MAC      │
//!  │ 53526864 │ 01      │ 01      │         │ 16                   │ 1 to 8  │              │ 32       │
//!  └──────────┴─────────┴─────────┴─────────┴──────────────────────┴─────────┴──────────────┴──────────┘
//!
//!  a slot
//!  ┌──────┬─────────┬─────────┬────────────┬─────────┬────────────┬───────────────────────────────┐
//!  │ kind │ label's │ label   │ what the   │ salt    │ commitment │ root key, wrapped             │
//!  │ u8   │ length  │ 1 to 64 │ kind needs │ 16      │ 32         │ nonce 24, key 32, tag 16      │
//!  └──────┴─────────┴─────────┴────────────┴─────────┴────────────┴───────────────────────────────┘
//!
//!  what a kind needs
//!  1  a passphrase   memory in KiB u32, passes u32, lanes u32
//!  2  a raw key      nothing
//!  3  a provider     name's length u8, name 1 to 64, wrapped key's length u16, wrapped key 1 to 4,096
//! ```
//!
//! Numbers are written most significant byte first. Nothing follows the MAC. Suite 1 is XChaCha20-Poly1305, HKDF-SHA256,
//! HMAC-SHA256 and Argon2id. Bit 0 of the flags: values are padded; the others are 0.
//!
//! The MAC is HMAC-SHA256 (RFC 2104) of every byte before it, under a key of the root key. It takes the root key to make one,
//! so after a slot has opened, every change is seen. Before that a slot is protected by itself: see [`slot`].
//!
//! ```text
//! MAC = HMAC(HKDF(root key, salt: database id, info: "strongroom/1 header mac"), all before it)
//! ```
//!
//! Here and wherever a drawing says HKDF, each part of `info` is preceded by its length, u32.

mod slot;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Buf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::DatabaseId;
use crate::unlock::{SlotInfo, Unlock};
use crate::{Argon2Params, EncryptionError, SecretKey};
use slot::{Fresh, Slot};

const MAGIC: [u8; 4] = *b"SRhd";
const VERSION: u8 = 1;
const SUITE: u8 = 1;
const PADDING: u8 = 1;

/// Slots in one header, at most.
pub(crate) const SLOTS_MAX: usize = 8;

const MAC_BYTES: usize = 32;
const FRONT_BYTES: usize = 24;

/// Bytes of a header, at most: more is not even looked at.
const BYTES_MAX: usize = FRONT_BYTES + SLOTS_MAX * slot::BYTES_MAX + MAC_BYTES;

const MAC_LABEL: &[u8] = b"strongroom/1 header mac";

/// A header that can be trusted: just made, or read and checked with the root key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header {
    padding: bool,
    database: DatabaseId,
    slots: Vec<Slot>,
}

/// A header as it was read. Nobody vouches for it yet, so it can do nothing but be unlocked.
#[derive(Clone)]
pub(crate) struct LockedHeader {
    header: Header,
    body: Vec<u8>,
    mac: [u8; MAC_BYTES],
}

impl Header {
    /// The header of a new store, with one slot, and the root key.
    ///
    /// Errors: `SlotRefused`, `ProviderFailed`, `NoRandomness`, `NoMemory`.
    pub(crate) async fn create(
        padding: bool,
        label: &str,
        unlock: &Unlock,
        kdf: Argon2Params,
    ) -> Result<(Header, SecretKey), EncryptionError> {
        let mut header = Header { padding, database: DatabaseId::random()?, slots: Vec::new() };
        let root = SecretKey::random()?;
        header.add_slot(&root, label, unlock, kdf).await?;
        Ok((header, root))
    }

    /// Whether values are padded.
    pub(crate) fn padding(&self) -> bool {
        self.padding
    }

    /// Which store it is.
    pub(crate) fn database(&self) -> DatabaseId {
        self.database
    }

    /// What is known of the slots, in the order they were added.
    pub(crate) fn slots(&self) -> Vec<SlotInfo> {
        self.slots.iter().map(Slot::info).collect()
    }

    /// Adds a slot. `root` is the key that unlocking gave; `kdf` is used if `unlock` is a passphrase.
    ///
    /// Errors: as [`create`](Self::create); `SlotRefused` also if there are 8 slots, or one of this label.
    pub(crate) async fn add_slot(
        &mut self,
        root: &SecretKey,
        label: &str,
        unlock: &Unlock,
        kdf: Argon2Params,
    ) -> Result<(), EncryptionError> {
        if self.slots.len() >= SLOTS_MAX {
            return Err(EncryptionError::SlotRefused("there are 8 slots, which is the most; remove one first"));
        }
        if self.position(label).is_ok() {
            return Err(EncryptionError::SlotRefused("there is a slot with this label; choose another one"));
        }
        let slot = Slot::make(self.database, root, label, unlock, kdf, Fresh::random()?).await?;
        self.slots.push(slot);
        Ok(())
    }

    /// Makes a slot anew under its label: how a passphrase is changed.
    ///
    /// Errors: `SlotNotFound`, and as [`create`](Self::create).
    pub(crate) async fn replace_slot(
        &mut self,
        root: &SecretKey,
        label: &str,
        unlock: &Unlock,
        kdf: Argon2Params,
    ) -> Result<(), EncryptionError> {
        let at = self.position(label)?;
        self.slots[at] = Slot::make(self.database, root, label, unlock, kdf, Fresh::random()?).await?;
        Ok(())
    }

    /// Removes a slot. Who has opened it before may still know the root key, and a copy of the row still has the slot.
    ///
    /// Errors: `SlotNotFound`; `SlotRefused` if it is the last one.
    pub(crate) fn remove_slot(&mut self, label: &str) -> Result<(), EncryptionError> {
        let at = self.position(label)?;
        if self.slots.len() == 1 {
            return Err(EncryptionError::SlotRefused("the last slot cannot be removed: nothing would open the store"));
        }
        self.slots.remove(at);
        Ok(())
    }

    /// The row.
    pub(crate) fn encode(&self, root: &SecretKey) -> Vec<u8> {
        let mut bytes = self.body();
        let mac = mac(root, self.database, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        bytes
    }

    /// The row, but for its MAC.
    fn body(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[VERSION, SUITE, if self.padding { PADDING } else { 0 }]);
        bytes.extend_from_slice(&self.database.0);
        bytes.push(self.slots.len() as u8);
        for slot in &self.slots {
            slot.encode(&mut bytes);
        }
        bytes
    }

    fn position(&self, label: &str) -> Result<usize, EncryptionError> {
        self.slots.iter().position(|slot| slot.label() == label).ok_or(EncryptionError::SlotNotFound)
    }
}

impl LockedHeader {
    /// Reads a row. Its form is checked, and that no slot asks for a derivation that is not allowed; nothing is computed.
    ///
    /// Errors: `HeaderTampered`, `UnsupportedVersion`, `KdfOutOfRange`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, EncryptionError> {
        if bytes.len() > BYTES_MAX {
            return Err(EncryptionError::HeaderTampered);
        }
        let (body, mac) = bytes.split_last_chunk::<MAC_BYTES>().ok_or(EncryptionError::HeaderTampered)?;
        let header = decode_body(body)?;
        Ok(LockedHeader { header, body: body.to_vec(), mac: *mac })
    }

    /// What the row says of its slots.
    pub(crate) fn slots(&self) -> Vec<SlotInfo> {
        self.header.slots()
    }

    /// What was read, written again, without its MAC.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn rewritten(&self) -> Vec<u8> {
        self.header.body()
    }

    /// Tries every slot that `unlock` may open, one after the other, then checks the row with the root key that was found.
    /// Gives both.
    ///
    /// Errors: `WrongKeyOrDamagedSlot`, `HeaderTampered`, `ProviderFailed`, `NoMemory`.
    pub(crate) async fn unlock(&self, unlock: &Unlock) -> Result<(Header, SecretKey), EncryptionError> {
        let mut failure = EncryptionError::WrongKeyOrDamagedSlot;
        for slot in &self.header.slots {
            match slot.open(self.header.database, unlock).await {
                Ok(Some(root)) => return Ok((self.authenticate(&root)?, root)),
                Ok(None) => {}
                // The next one may still open.
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Checks the row with a root key that is known already.
    ///
    /// Errors: `HeaderTampered`.
    pub(crate) fn authenticate(&self, root: &SecretKey) -> Result<Header, EncryptionError> {
        let mac = mac(root, self.header.database, &self.body);
        // Compares in constant time.
        mac.verify_slice(&self.mac).map_err(|_| EncryptionError::HeaderTampered)?;
        Ok(self.header.clone())
    }
}

fn decode_body(mut body: &[u8]) -> Result<Header, EncryptionError> {
    let bytes = &mut body;
    if array(bytes)? != MAGIC {
        return Err(EncryptionError::HeaderTampered);
    }
    let [version, suite, flags] = array(bytes)?;
    if version != VERSION || suite != SUITE || flags & !PADDING != 0 {
        return Err(EncryptionError::UnsupportedVersion);
    }
    let database = DatabaseId(array(bytes)?);
    let count = usize::from(number(bytes.try_get_u8())?);
    if count == 0 || count > SLOTS_MAX {
        return Err(EncryptionError::HeaderTampered);
    }
    let mut slots: Vec<Slot> = Vec::with_capacity(count);
    for _ in 0..count {
        let slot = Slot::decode(bytes)?;
        if slots.iter().any(|other| other.label() == slot.label()) {
            return Err(EncryptionError::HeaderTampered);
        }
        slots.push(slot);
    }
    if bytes.has_remaining() {
        return Err(EncryptionError::HeaderTampered);
    }
    Ok(Header { padding: flags & PADDING != 0, database, slots })
}

fn mac(root: &SecretKey, database: DatabaseId, body: &[u8]) -> Hmac<Sha256> {
    let key = root.derive(&database.0, &[MAC_LABEL]);
    let mut mac = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    mac
}

/// The next `N` bytes.
fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], EncryptionError> {
    let mut array = [0; N];
    number(bytes.try_copy_to_slice(&mut array))?;
    Ok(array)
}

/// What a getter gave; too few bytes are no header.
fn number<T>(got: Result<T, bytes::TryGetError>) -> Result<T, EncryptionError> {
    got.map_err(|_| EncryptionError::HeaderTampered)
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut header = f.debug_struct("Header");
        header.field("padding", &self.padding).field("database", &self.database).field("slots", &self.slots());
        header.finish()
    }
}

impl fmt::Debug for LockedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockedHeader").field(&self.header).finish()
    }
}
