//! A slot: the root key, wrapped with the key of one passphrase, raw key or provider.
//!
//! Every kind comes down to 32 random-looking bytes: Argon2id of the passphrase, the raw key itself, or a key that is made for
//! the slot and that the provider wraps. HKDF-SHA256 makes two keys of them, under the slot's salt and the database's id: one
//! wraps the root key, one is the commitment, which lies in the slot. The commitment is compared first. Poly1305 alone would
//! let somebody make a slot that opens with many keys, and so try many passphrases at once (Len, Grubbs, Ristenpart:
//! "Partitioning Oracle Attacks", 2021).
//!
//! ```text
//! key              = Argon2id(passphrase, salt) | raw key | the key that the provider wrapped
//! commitment       = HKDF(key, salt: salt, info: "strongroom/1 slot commitment", database id)
//! wrapping key     = HKDF(key, salt: salt, info: "strongroom/1 slot encryption", database id)
//! associated data  = "strongroom/1 slot" ‖ database id ‖ the slot from its kind to its commitment
//! provider context = "strongroom/1 slot provider" ‖ database id ‖ salt
//! ```
//!
//! With these the root key is sealed as [`wrap`] draws it.

use bytes::{Buf, BufMut};
use subtle::ConstantTimeEq;

use super::{array, number};
use crate::kdf::SALT_BYTES;
use crate::provider::{ProviderError, WRAPPED_BYTES_MAX};
use crate::secret::{DatabaseId, fill_random};
use crate::unlock::{Means, SlotInfo, SlotKind, Unlock};
use crate::{Argon2Params, EncryptionError, SecretKey, wrap};

const LABEL_BYTES_MAX: usize = 64;
const COMMITMENT_BYTES: usize = 32;
const WRAPPED_ROOT_BYTES: usize = 32 + wrap::OVERHEAD;

/// Bytes of a slot, at most: that of a provider.
pub(super) const BYTES_MAX: usize = 2
    + LABEL_BYTES_MAX
    + (1 + LABEL_BYTES_MAX + 2 + WRAPPED_BYTES_MAX)
    + SALT_BYTES
    + COMMITMENT_BYTES
    + WRAPPED_ROOT_BYTES;

const PASSPHRASE: u8 = 1;
const RAW_KEY: u8 = 2;
const PROVIDER: u8 = 3;

const ENCRYPTION_LABEL: &[u8] = b"strongroom/1 slot encryption";
const COMMITMENT_LABEL: &[u8] = b"strongroom/1 slot commitment";
const CONTEXT_LABEL: &[u8] = b"strongroom/1 slot";
const PROVIDER_LABEL: &[u8] = b"strongroom/1 slot provider";

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Slot {
    label: String,
    kind: Kind,
    salt: [u8; SALT_BYTES],
    commitment: [u8; COMMITMENT_BYTES],
    wrapped_root: [u8; WRAPPED_ROOT_BYTES],
}

/// What opens a slot, and what that takes.
#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Passphrase(Argon2Params),
    RawKey,
    Provider { name: String, wrapped: Vec<u8> },
}

/// What must be random in a new slot.
pub(super) struct Fresh {
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) nonce: [u8; wrap::NONCE_BYTES],
    /// The key that a provider wraps.
    pub(super) key: SecretKey,
}

impl Fresh {
    pub(super) fn random() -> Result<Self, EncryptionError> {
        let mut fresh = Fresh { salt: [0; _], nonce: [0; _], key: SecretKey::random()? };
        fill_random(&mut fresh.salt)?;
        fill_random(&mut fresh.nonce)?;
        Ok(fresh)
    }
}

impl Slot {
    /// A slot that `unlock` opens. Errors: `SlotRefused`, `ProviderFailed`, `NoMemory`.
    pub(super) async fn make(
        database: DatabaseId,
        root: &SecretKey,
        label: &str,
        unlock: &Unlock,
        kdf: Argon2Params,
        fresh: Fresh,
    ) -> Result<Slot, EncryptionError> {
        if !is_name(label) {
            let why = "a slot's label has 1 to 64 bytes and no control characters";
            return Err(EncryptionError::SlotRefused(why));
        }
        let (kind, key) = match &unlock.0 {
            Means::Passphrase(passphrase) if !passphrase.is_allowed() => {
                return Err(EncryptionError::SlotRefused("a passphrase has 1 to 1,024 bytes"));
            }
            Means::Passphrase(passphrase) => (Kind::Passphrase(kdf), kdf.derive(passphrase, fresh.salt).await?),
            Means::RawKey(key) => (Kind::RawKey, key.clone()),
            Means::Provider(provider) => {
                let name = provider.name().to_owned();
                if !is_name(&name) {
                    let why = "a key provider's name has 1 to 64 bytes and no control characters";
                    return Err(EncryptionError::SlotRefused(why));
                }
                let wrapped = provider.wrap(&fresh.key, &provider_context(database, &fresh.salt)).await;
                let wrapped = wrapped.map_err(|_| EncryptionError::ProviderFailed)?;
                if !is_wrapped(&wrapped) {
                    return Err(EncryptionError::ProviderFailed);
                }
                (Kind::Provider { name, wrapped }, fresh.key)
            }
        };
        let commitment = *derive(&key, COMMITMENT_LABEL, database, &fresh.salt).as_bytes();
        let mut slot =
            Slot { label: label.to_owned(), kind, salt: fresh.salt, commitment, wrapped_root: [0; WRAPPED_ROOT_BYTES] };
        let wrapping_key = derive(&key, ENCRYPTION_LABEL, database, &fresh.salt);
        let sealed = wrap::seal(&wrapping_key, &fresh.nonce, &slot.context(database), root.as_bytes());
        slot.wrapped_root.copy_from_slice(&sealed);
        Ok(slot)
    }

    /// The root key, if `unlock` opens this slot. Errors: `ProviderFailed`, `NoMemory`.
    pub(super) async fn open(
        &self,
        database: DatabaseId,
        unlock: &Unlock,
    ) -> Result<Option<SecretKey>, EncryptionError> {
        let Some(key) = self.key(database, unlock).await? else { return Ok(None) };
        let commitment = derive(&key, COMMITMENT_LABEL, database, &self.salt);
        if !bool::from(commitment.as_bytes().ct_eq(&self.commitment)) {
            return Ok(None);
        }
        let wrapping_key = derive(&key, ENCRYPTION_LABEL, database, &self.salt);
        let root = wrap::open(&wrapping_key, &self.context(database), &self.wrapped_root);
        Ok(root.and_then(|root| SecretKey::from_slice(&root)))
    }

    /// What `unlock` comes down to here, if it is of this slot's kind.
    async fn key(&self, database: DatabaseId, unlock: &Unlock) -> Result<Option<SecretKey>, EncryptionError> {
        match (&self.kind, &unlock.0) {
            (Kind::Passphrase(kdf), Means::Passphrase(passphrase)) if passphrase.is_allowed() => {
                kdf.derive(passphrase, self.salt).await.map(Some)
            }
            (Kind::RawKey, Means::RawKey(key)) => Ok(Some(key.clone())),
            (Kind::Provider { name, wrapped }, Means::Provider(provider)) if name == provider.name() => {
                match provider.unwrap(wrapped, &provider_context(database, &self.salt)).await {
                    Ok(key) => Ok(Some(key)),
                    Err(ProviderError::NotMine) => Ok(None),
                    Err(ProviderError::Failed) => Err(EncryptionError::ProviderFailed),
                }
            }
            _ => Ok(None),
        }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn info(&self) -> SlotInfo {
        let kind = match &self.kind {
            Kind::Passphrase(kdf) => SlotKind::Passphrase(*kdf),
            Kind::RawKey => SlotKind::RawKey,
            Kind::Provider { name, .. } => SlotKind::Provider(name.clone()),
        };
        SlotInfo { label: self.label.clone(), kind }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        self.encode_front(bytes);
        bytes.extend_from_slice(&self.wrapped_root);
    }

    /// Everything but the root key: what the root key is bound to.
    fn encode_front(&self, bytes: &mut Vec<u8>) {
        bytes.put_u8(match self.kind {
            Kind::Passphrase(_) => PASSPHRASE,
            Kind::RawKey => RAW_KEY,
            Kind::Provider { .. } => PROVIDER,
        });
        put_name(bytes, &self.label);
        match &self.kind {
            Kind::Passphrase(kdf) => {
                bytes.put_u32(kdf.memory_kib());
                bytes.put_u32(kdf.passes());
                bytes.put_u32(kdf.lanes());
            }
            Kind::RawKey => {}
            Kind::Provider { name, wrapped } => {
                put_name(bytes, name);
                bytes.put_u16(wrapped.len() as u16);
                bytes.extend_from_slice(wrapped);
            }
        }
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.commitment);
    }

    pub(super) fn decode(bytes: &mut &[u8]) -> Result<Slot, EncryptionError> {
        let kind = number(bytes.try_get_u8())?;
        let label = name(bytes)?;
        let kind = match kind {
            PASSPHRASE => {
                let (memory_kib, passes) = (number(bytes.try_get_u32())?, number(bytes.try_get_u32())?);
                Kind::Passphrase(Argon2Params::new(memory_kib, passes, number(bytes.try_get_u32())?)?)
            }
            RAW_KEY => Kind::RawKey,
            PROVIDER => {
                let name = name(bytes)?;
                let length = number(bytes.try_get_u16())?;
                let wrapped = bytes.split_off(..usize::from(length)).filter(|wrapped| is_wrapped(wrapped));
                Kind::Provider { name, wrapped: wrapped.ok_or(EncryptionError::HeaderTampered)?.to_vec() }
            }
            _ => return Err(EncryptionError::UnsupportedVersion),
        };
        let (salt, commitment) = (array(bytes)?, array(bytes)?);
        Ok(Slot { label, kind, salt, commitment, wrapped_root: array(bytes)? })
    }

    /// What the wrapped root key is bound to: the store, and all the rest of the slot.
    fn context(&self, database: DatabaseId) -> Vec<u8> {
        let mut context = [CONTEXT_LABEL, &database.0].concat();
        self.encode_front(&mut context);
        context
    }
}

fn derive(key: &SecretKey, label: &[u8], database: DatabaseId, salt: &[u8]) -> SecretKey {
    key.derive(salt, &[label, &database.0])
}

/// What a provider binds the wrapped key to: the store and the slot, whose salt no other slot has.
fn provider_context(database: DatabaseId, salt: &[u8]) -> Vec<u8> {
    [PROVIDER_LABEL, &database.0, salt].concat()
}

fn is_wrapped(wrapped: &[u8]) -> bool {
    (1..=WRAPPED_BYTES_MAX).contains(&wrapped.len())
}

/// Whether it may be the name of a slot or provider. Control characters could take over a terminal that shows it, and names
/// are shown before anybody vouches for them.
fn is_name(name: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}

fn put_name(bytes: &mut Vec<u8>, name: &str) {
    bytes.put_u8(name.len() as u8);
    bytes.extend_from_slice(name.as_bytes());
}

fn name(bytes: &mut &[u8]) -> Result<String, EncryptionError> {
    let length = number(bytes.try_get_u8())?;
    let name = bytes.split_off(..usize::from(length)).and_then(|name| str::from_utf8(name).ok());
    let name = name.filter(|name| is_name(name)).ok_or(EncryptionError::HeaderTampered)?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cipher alone would accept this slot, as it would one that was made to open with many keys.
    #[tokio::test]
    async fn a_slot_that_commits_to_another_key_does_not_open() {
        let (database, root) = (DatabaseId([1; 16]), SecretKey::new([2; 32]));
        let (key, unlock) = (SecretKey::new([3; 32]), Unlock::raw_key(SecretKey::new([3; 32])));
        let fresh = Fresh { salt: [4; 16], nonce: [5; 24], key: SecretKey::new([6; 32]) };
        let mut slot = Slot::make(database, &root, "one", &unlock, Argon2Params::FLOOR, fresh).await.unwrap();
        let true_one = slot.commitment;
        let wrapping_key = derive(&key, ENCRYPTION_LABEL, database, &slot.salt);
        for bit in 0..=COMMITMENT_BYTES * 8 {
            slot.commitment = true_one;
            if let Some(byte) = slot.commitment.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            let sealed = wrap::seal(&wrapping_key, &[5; 24], &slot.context(database), root.as_bytes());
            slot.wrapped_root.copy_from_slice(&sealed);
            assert!(wrap::open(&wrapping_key, &slot.context(database), &slot.wrapped_root).is_some());
            let expected = (slot.commitment == true_one).then(|| root.clone());
            assert_eq!(slot.open(database, &unlock).await, Ok(expected), "bit {bit}");
        }
    }
}
