//! The keyring: the row that holds the keys of the values and of the blinding, sealed with the root key.
//!
//! ```text
//!  0         1           25                                             end - 16
//!  ┌─────────┬───────────┬───────┬───────────────────────────┬──────────┬─────────┐
//!  │ version │ nonce     │ count │ each key of values        │ blinding │ tag     │
//!  │ 01      │ 24        │ u8    │ id u32, key 32            │ key, 32  │ 16      │
//!  └─────────┴───────────┴───────┴───────────────────────────┴──────────┴─────────┘
//!                        └───────────────── encrypted ──────────────────┘
//!
//! key             = HKDF(root key, salt: database id, info: "strongroom/1 keyring")
//! associated data = "strongroom/1 keyring" ‖ version ‖ database id
//! ```
//!
//! Numbers are written most significant byte first. Ids begin at 1 and increase; the last key is the current one, with which
//! new values are sealed. An id is never given twice, since the current key is never retired.

use std::collections::BTreeMap;
use std::fmt;

use bytes::{Buf, BufMut};
use zeroize::Zeroizing;

use crate::secret::{DatabaseId, fill_random};
use crate::{EncryptionError, SecretKey, wrap};

const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;

/// Keys of values in one keyring, at most. A rotation that is finished leaves one.
pub(crate) const KEYS_MAX: usize = 64;

const CONTENT_BYTES_MAX: usize = 1 + KEYS_MAX * (4 + KEY_BYTES) + KEY_BYTES;
const KEY_LABEL: &[u8] = b"strongroom/1 keyring";

/// The keys of a store.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keyring {
    /// Never empty; the last one is current.
    values: BTreeMap<u32, SecretKey>,
    blinding: SecretKey,
}

impl Keyring {
    /// The keyring of a new store. Errors: `NoRandomness`.
    pub(crate) fn create() -> Result<Self, EncryptionError> {
        let values = BTreeMap::from([(1, SecretKey::random()?)]);
        Ok(Keyring { values, blinding: SecretKey::random()? })
    }

    /// The key with which new values are sealed, and its id.
    pub(crate) fn current(&self) -> (u32, &SecretKey) {
        let (id, key) = self.values.last_key_value().expect("a keyring is never empty");
        (*id, key)
    }

    /// The key of values with this id.
    pub(crate) fn value_key(&self, id: u32) -> Option<&SecretKey> {
        self.values.get(&id)
    }

    /// The ids of all keys of values, ascending.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.values.keys().copied()
    }

    /// The key that blinds components of stored keys. It never changes.
    pub(crate) fn blinding(&self) -> &SecretKey {
        &self.blinding
    }

    /// Adds a key of values, which becomes the current one. Gives its id.
    ///
    /// Errors: `KeyringFull` if there are 64 keys, `NoRandomness`.
    pub(crate) fn rotate(&mut self) -> Result<u32, EncryptionError> {
        if self.values.len() >= KEYS_MAX {
            return Err(EncryptionError::KeyringFull);
        }
        let id = self.current().0.checked_add(1).ok_or(EncryptionError::KeyringFull)?;
        self.values.insert(id, SecretKey::random()?);
        Ok(id)
    }

    /// Removes a key that no value needs any more. Whether it was there and could be: the current one cannot.
    pub(crate) fn retire(&mut self, id: u32) -> bool {
        id != self.current().0 && self.values.remove(&id).is_some()
    }

    /// The row. Errors: `NoRandomness`.
    pub(crate) fn seal(&self, root: &SecretKey, database: DatabaseId) -> Result<Vec<u8>, EncryptionError> {
        let mut random = [0; wrap::NONCE_BYTES];
        fill_random(&mut random)?;
        Ok(self.seal_with(root, database, &random))
    }

    pub(crate) fn seal_with(
        &self,
        root: &SecretKey,
        database: DatabaseId,
        random: &[u8; wrap::NONCE_BYTES],
    ) -> Vec<u8> {
        // Made at its full length: a vector that grows leaves copies of the keys behind.
        let mut content = Zeroizing::new(Vec::with_capacity(CONTENT_BYTES_MAX));
        content.put_u8(self.values.len() as u8);
        for (id, key) in &self.values {
            content.put_u32(*id);
            content.put_slice(key.as_bytes());
        }
        content.put_slice(self.blinding.as_bytes());
        row(&content, root, database, random)
    }

    /// Reads a row. Errors: `HeaderTampered`, `UnsupportedVersion`.
    pub(crate) fn open(bytes: &[u8], root: &SecretKey, database: DatabaseId) -> Result<Self, EncryptionError> {
        let (version, sealed) = bytes.split_first().ok_or(EncryptionError::HeaderTampered)?;
        if *version != VERSION {
            return Err(EncryptionError::UnsupportedVersion);
        }
        if sealed.len() > CONTENT_BYTES_MAX + wrap::OVERHEAD {
            return Err(EncryptionError::HeaderTampered);
        }
        let content = wrap::open(&key(root, database), &context(database), sealed);
        content.and_then(|content| Keyring::decode(&content)).ok_or(EncryptionError::HeaderTampered)
    }

    /// What was sealed, if it is well formed. Only a faulty program could have sealed anything else.
    fn decode(mut content: &[u8]) -> Option<Self> {
        let bytes = &mut content;
        let count = usize::from(bytes.try_get_u8().ok()?);
        if count == 0 || count > KEYS_MAX {
            return None;
        }
        let mut values = BTreeMap::new();
        let mut last = 0;
        for _ in 0..count {
            let id = bytes.try_get_u32().ok().filter(|id| *id > last)?;
            values.insert(id, SecretKey::from_slice(bytes.split_off(..KEY_BYTES)?)?);
            last = id;
        }
        // What is left is this key and nothing else.
        let blinding = SecretKey::from_slice(bytes)?;
        Some(Keyring { values, blinding })
    }
}

/// The row with this content.
pub(crate) fn row(content: &[u8], root: &SecretKey, database: DatabaseId, random: &[u8; wrap::NONCE_BYTES]) -> Vec<u8> {
    let sealed = wrap::seal(&key(root, database), random, &context(database), content);
    [&[VERSION], sealed.as_slice()].concat()
}

fn key(root: &SecretKey, database: DatabaseId) -> SecretKey {
    root.derive(&database.0, &[KEY_LABEL])
}

fn context(database: DatabaseId) -> Vec<u8> {
    [KEY_LABEL, &[VERSION], &database.0].concat()
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("ids", &self.values.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: DatabaseId = DatabaseId(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");

    fn root() -> SecretKey {
        SecretKey::new([0x42; 32])
    }

    fn refused(bytes: &[u8]) -> EncryptionError {
        Keyring::open(bytes, &root(), DATABASE).unwrap_err()
    }

    #[test]
    fn the_bytes_of_a_keyring() {
        let values = BTreeMap::from([(1, SecretKey::new([0x11; 32])), (7, SecretKey::new([0x77; 32]))]);
        let keyring = Keyring { values, blinding: SecretKey::new([0xbb; 32]) };
        let bytes = keyring.seal_with(&root(), DATABASE, &[0xa9; 24]);
        let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(shown, KEYRING);
        assert_eq!(Keyring::open(&bytes, &root(), DATABASE), Ok(keyring));
    }

    /// Computed by another program, as that of the header.
    const KEYRING: &str = concat!(
        "0178ec659777d26ea50d2dab709fac65d1759fc567e6e7cf09223d2bb681bfee9894beb527f80e12cb8548b35ee12ee9e392",
        "0f3c6ad5fbf55fc80bff57a6ab9a5331437bb9f032e5ea82d477d531bf1d1bee73b528a69ce6471510abbb8f65d1496f3b0f",
        "10bd776722721b3f90f2c124a4032d82b9c6106abb7cb1bb08de42b31b239441483b6f35f607534044cd2a4a115d",
    );

    #[test]
    fn keys_are_added_and_retired_and_ids_never_come_back() {
        let mut keyring = Keyring::create().unwrap();
        let blinding = keyring.blinding().clone();
        assert_eq!(keyring.current().0, 1);
        let first = keyring.current().1.clone();
        assert_eq!(keyring.rotate(), Ok(2));
        assert!(keyring.current() == (2, keyring.value_key(2).unwrap()) && *keyring.current().1 != first);
        assert_eq!(keyring.value_key(1), Some(&first));
        assert!(!keyring.retire(2) && !keyring.retire(3));
        assert!(keyring.retire(1) && !keyring.retire(1));
        assert_eq!(keyring.value_key(1), None);
        assert_eq!(keyring.rotate(), Ok(3));
        let sealed = keyring.seal(&root(), DATABASE).unwrap();
        let opened = Keyring::open(&sealed, &root(), DATABASE).unwrap();
        assert_eq!(opened, keyring);
        assert_eq!(opened.ids().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(opened.blinding(), &blinding);
        assert_ne!(keyring.seal(&root(), DATABASE).unwrap(), sealed);
    }

    #[test]
    fn keys_are_limited() {
        let mut keyring = Keyring::create().unwrap();
        for id in 2..=64 {
            assert_eq!(keyring.rotate(), Ok(id));
        }
        let before = keyring.clone();
        assert_eq!(keyring.rotate(), Err(EncryptionError::KeyringFull));
        assert_eq!(keyring, before);
        let sealed = keyring.seal(&root(), DATABASE).unwrap();
        assert_eq!(sealed.len(), 1 + wrap::OVERHEAD + CONTENT_BYTES_MAX);
        assert_eq!(Keyring::open(&sealed, &root(), DATABASE), Ok(before));
        assert!(keyring.retire(30));
        assert_eq!(keyring.rotate(), Ok(65));
        let values = BTreeMap::from([(u32::MAX, SecretKey::new([1; 32]))]);
        let mut last = Keyring { values, blinding: SecretKey::new([2; 32]) };
        assert_eq!(last.rotate(), Err(EncryptionError::KeyringFull));
    }

    #[test]
    fn what_was_changed_cut_or_moved_is_refused() {
        let mut keyring = Keyring::create().unwrap();
        keyring.rotate().unwrap();
        let sealed = keyring.seal(&root(), DATABASE).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0 => EncryptionError::UnsupportedVersion,
                _ => EncryptionError::HeaderTampered,
            };
            assert_eq!(refused(&changed), expected, "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert_eq!(refused(&sealed[..len]), EncryptionError::HeaderTampered, "cut to {len}");
        }
        assert_eq!(refused(&[sealed.as_slice(), &[0]].concat()), EncryptionError::HeaderTampered);
        assert_eq!(refused(&[&[VERSION], vec![0; 1 << 20].as_slice()].concat()), EncryptionError::HeaderTampered);
        let elsewhere = Keyring::open(&sealed, &root(), DatabaseId([0; 16]));
        assert_eq!(elsewhere, Err(EncryptionError::HeaderTampered));
        let other_root = Keyring::open(&sealed, &SecretKey::new([0; 32]), DATABASE);
        assert_eq!(other_root, Err(EncryptionError::HeaderTampered));
    }

    #[test]
    fn what_is_sealed_but_malformed_is_refused() {
        let key_of = |id: u32| [id.to_be_bytes().as_slice(), &[7; 32]].concat();
        let blinding = [9; 32];
        let with = |count: u8, ids: &[u32]| {
            let keys: Vec<u8> = ids.iter().flat_map(|id| key_of(*id)).collect();
            [&[count], keys.as_slice(), &blinding].concat()
        };
        assert!(Keyring::decode(&with(2, &[1, 2])).is_some());
        let many: Vec<u32> = (1..=65).collect();
        let wrong = [
            Vec::new(),
            with(0, &[]),
            with(1, &[0]),
            with(2, &[1, 1]),
            with(2, &[2, 1]),
            with(1, &[1, 2]),
            with(3, &[1, 2]),
            with(65, &many),
            with(2, &[1, 2])[..80].to_vec(),
            [with(1, &[1]), vec![0]].concat(),
        ];
        for content in wrong {
            assert!(Keyring::decode(&content).is_none());
            let sealed = wrap::seal(&key(&root(), DATABASE), &[0; 24], &context(DATABASE), &content);
            assert_eq!(refused(&[&[VERSION], sealed.as_slice()].concat()), EncryptionError::HeaderTampered);
        }
    }

    #[test]
    fn no_key_is_shown_or_stored() {
        let values = BTreeMap::from([(1, SecretKey::new(*b"canary key, 32 bytes, of a test!"))]);
        let keyring = Keyring { values, blinding: SecretKey::new(*b"canary too, 32 bytes, of a test!") };
        assert_eq!(format!("{keyring:?}"), "Keyring { ids: [1], .. }");
        let sealed = keyring.seal(&root(), DATABASE).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
    }
}
