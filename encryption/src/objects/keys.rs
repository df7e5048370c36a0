//! The keys of a store of objects, and those of one object in it.

use std::sync::Arc;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::header::{COMMITMENT_LEN, HEADER_LEN, Header, SALT_LEN, front};
use super::sizes::Layout;
use crate::seal::{Cipher, NONCE_LEN, RANDOMNESS_LEN, RowKey, TAG_LEN};
use crate::secret::fill_random;
use crate::{EncryptionError, SecretKey};

/// What begins all associated data, so that no other use of the cipher can be taken for a chunk.
const LABEL: &[u8] = b"strongroom/object/1";

/// Bytes after what is the same for all chunks of an object: the index and whether it is the last one.
const PLACE_LEN: usize = 9;

/// The keys of a store, derived once. Wiped when they are dropped.
pub(super) struct Keys {
    objects: SecretKey,
    salts: Hmac<Sha256>,
    rows: RowKey,
}

impl Keys {
    pub(super) fn new(master: &SecretKey) -> Keys {
        let part = |label: &[u8]| master.derive(&[], &[label]);
        let salts = part(b"strongroom/object/salts/1");
        Keys {
            objects: part(b"strongroom/object/objects/1"),
            salts: Hmac::new_from_slice(salts.as_bytes()).expect("HMAC takes keys of every length"),
            rows: RowKey::new(part(b"strongroom/object/row/1")),
        }
    }

    /// The salt of a new object at `path`. Errors: `NoRandomness`.
    ///
    /// Random; the time and the path go in so that a machine that was cloned with its generator does not seal two objects with the
    /// same keys.
    fn salt(&self, path: &str) -> Result<[u8; SALT_LEN], EncryptionError> {
        let mut random = [0; SALT_LEN];
        fill_random(&mut random)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut mac = self.salts.clone();
        mac.update(&random);
        mac.update(&now.as_nanos().to_be_bytes());
        mac.update(path.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }
}

/// The keys of one object: another one for each time that an object is written. Wiped when they are dropped.
pub(super) struct ObjectKey {
    store: Arc<Keys>,
    path: String,
    header: [u8; HEADER_LEN],
    cipher: Cipher,
    nonces: Hmac<Sha256>,
    /// The associated data of every chunk, but for its place.
    associated: Vec<u8>,
}

impl ObjectKey {
    /// Keys for an object that is about to be written at `path`. Errors: `NoRandomness`.
    pub(super) fn create(store: &Arc<Keys>, layout: Layout, path: &str) -> Result<ObjectKey, EncryptionError> {
        Ok(ObjectKey::with_salt(store, layout, path, store.salt(path)?))
    }

    /// The keys of the object at `path` with this header.
    ///
    /// Errors: `WrongKeyOrDamagedHeader`.
    pub(super) fn of(
        store: &Arc<Keys>,
        layout: Layout,
        path: &str,
        header: &Header,
    ) -> Result<ObjectKey, EncryptionError> {
        let key = ObjectKey::with_salt(store, layout, path, header.salt);
        let committed = key.header[HEADER_LEN - COMMITMENT_LEN..].ct_eq(&header.commitment);
        if committed.into() { Ok(key) } else { Err(EncryptionError::WrongKeyOrDamagedHeader) }
    }

    pub(super) fn with_salt(store: &Arc<Keys>, layout: Layout, path: &str, salt: [u8; SALT_LEN]) -> ObjectKey {
        let front = front(layout);
        let part = |label: &[u8]| store.objects.derive(&salt, &[label, &front]);
        let nonces = part(b"strongroom/object/nonce/1");
        // It is no secret: it says which key this is, and nothing of it.
        let commitment = *part(b"strongroom/object/commitment/1").as_bytes();
        let header = Header { salt, commitment }.encode(layout);
        // All of one length but the path, whose length stands before it.
        let length = (path.len() as u32).to_be_bytes();
        ObjectKey {
            store: store.clone(),
            path: path.to_owned(),
            header,
            cipher: Cipher::new(&part(b"strongroom/object/cipher/1")),
            nonces: Hmac::new_from_slice(nonces.as_bytes()).expect("HMAC takes keys of every length"),
            associated: [LABEL, &header, &length, path.as_bytes(), &[0; PLACE_LEN]].concat(),
        }
    }

    /// The object's first bytes.
    pub(super) fn header(&self) -> &[u8; HEADER_LEN] {
        &self.header
    }

    /// Seals `sealed`, which is a place for the nonce, the content, and a place for the tag. Errors: `NoRandomness`.
    pub(super) fn seal(&self, index: u64, last: bool, sealed: &mut [u8]) -> Result<(), EncryptionError> {
        let mut randomness = [0; RANDOMNESS_LEN];
        fill_random(&mut randomness)?;
        self.seal_with(index, last, sealed, &randomness);
        Ok(())
    }

    pub(super) fn seal_with(&self, index: u64, last: bool, sealed: &mut [u8], randomness: &[u8; RANDOMNESS_LEN]) {
        let (nonce, text, tag) = parts(sealed).expect("a chunk has places for its nonce and tag");
        *nonce = self.nonce(index, last, randomness);
        *tag = self.cipher.seal(nonce, &self.associated_data(index, last), text);
    }

    /// Opens a chunk in its place and gives its content. If it does not open, there is no plaintext in it.
    ///
    /// Errors: `AuthFailed`, `Truncated`.
    pub(super) fn open<'c>(&self, index: u64, last: bool, sealed: &'c mut [u8]) -> Result<&'c [u8], EncryptionError> {
        let (nonce, text, tag) = parts(sealed).ok_or(EncryptionError::Truncated)?;
        let opened = self.cipher.open(nonce, &self.associated_data(index, last), text, tag);
        opened.map_err(|_| EncryptionError::AuthFailed { row: self.row(index) })?;
        Ok(text)
    }

    /// Random, and different for each chunk of an object whatever the generator gives.
    ///
    /// The nonce of a value is made over the value as well. Here that would hash every byte once more, which costs as much as to seal
    /// it. What is left is this: should the generator repeat itself, two contents meet under one nonce only if they were written to one
    /// path in one instant of the clock, since else their keys differ.
    fn nonce(&self, index: u64, last: bool, randomness: &[u8; RANDOMNESS_LEN]) -> [u8; NONCE_LEN] {
        let mut mac = self.nonces.clone();
        mac.update(randomness);
        mac.update(&place(index, last));
        let full = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&full[..NONCE_LEN]);
        nonce
    }

    fn associated_data(&self, index: u64, last: bool) -> Vec<u8> {
        let mut associated = self.associated.clone();
        let at = associated.len() - PLACE_LEN;
        associated[at..].copy_from_slice(&place(index, last));
        associated
    }

    /// What a chunk is called in errors.
    fn row(&self, index: u64) -> String {
        self.store.rows.name(&[self.path.as_bytes(), &index.to_be_bytes()].concat())
    }
}

fn place(index: u64, last: bool) -> [u8; PLACE_LEN] {
    let mut place = [u8::from(last); PLACE_LEN];
    place[..8].copy_from_slice(&index.to_be_bytes());
    place
}

/// Nonce, text and tag.
type Parts<'c> = (&'c mut [u8; NONCE_LEN], &'c mut [u8], &'c mut [u8; TAG_LEN]);

fn parts(sealed: &mut [u8]) -> Option<Parts<'_>> {
    let (nonce, rest) = sealed.split_first_chunk_mut()?;
    let (text, tag) = rest.split_last_chunk_mut()?;
    Some((nonce, text, tag))
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::super::sizes::OVERHEAD;
    use super::*;

    fn keys() -> Arc<Keys> {
        Arc::new(Keys::new(&SecretKey::new([0x42; 32])))
    }

    fn layout() -> Layout {
        Layout::of_chunk_bytes(4_096).unwrap()
    }

    /// The object of `tests/golden/object.bin`, which another program made.
    #[test]
    fn the_bytes_are_these_for_ever() {
        let salt = std::array::from_fn(|at| at as u8);
        let key = ObjectKey::with_salt(&keys(), layout(), "attachments/golden.bin", salt);
        let content: Vec<u8> = (0..4_101_u32).map(|at| (at % 251) as u8).collect();
        let mut object = key.header().to_vec();
        for (index, part) in content.chunks(4_096).enumerate() {
            let mut chunk = [&[0; NONCE_LEN][..], part, &[0; TAG_LEN]].concat();
            key.seal_with(index as u64, index == 1, &mut chunk, &[0xA0 + index as u8; RANDOMNESS_LEN]);
            object.extend_from_slice(&chunk);
        }
        let digest: String = Sha256::digest(&object).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "c3af13403e09783ba096de30ad3919d7fee2802a8b1d0dfe75eba0787ad5ebd4");
    }

    #[test]
    fn each_part_of_its_place_binds_a_chunk() {
        let key = ObjectKey::with_salt(&keys(), layout(), "a", [1; SALT_LEN]);
        let mut sealed = vec![0x61; OVERHEAD + 10];
        key.seal(3, false, &mut sealed).unwrap();
        assert_eq!(key.open(3, false, &mut sealed.clone()), Ok(&[0x61; 10][..]));
        let others = [
            (ObjectKey::with_salt(&keys(), layout(), "a", [1; SALT_LEN]), 3, true),
            (ObjectKey::with_salt(&keys(), layout(), "a", [1; SALT_LEN]), 2, false),
            (ObjectKey::with_salt(&keys(), layout(), "b", [1; SALT_LEN]), 3, false),
            (ObjectKey::with_salt(&keys(), layout(), "a", [2; SALT_LEN]), 3, false),
            (ObjectKey::with_salt(&keys(), Layout::of_chunk_bytes(8_192).unwrap(), "a", [1; SALT_LEN]), 3, false),
            (
                ObjectKey::with_salt(&Arc::new(Keys::new(&SecretKey::new([0x43; 32]))), layout(), "a", [1; SALT_LEN]),
                3,
                false,
            ),
        ];
        for (at, (other, index, last)) in others.iter().enumerate() {
            let mut bytes = sealed.clone();
            let refused = other.open(*index, *last, &mut bytes);
            assert_eq!(refused, Err(EncryptionError::AuthFailed { row: other.row(*index) }), "{at}");
            assert!(!bytes.windows(10).any(|window| window == [0x61; 10]), "no plaintext is left: {at}");
        }
    }

    #[test]
    fn nonces_of_an_object_differ_even_if_the_generator_repeats_itself() {
        let key = ObjectKey::with_salt(&keys(), layout(), "a", [1; SALT_LEN]);
        let places = (0..50).flat_map(|index| [(index, false), (index, true)]);
        let nonces: std::collections::BTreeSet<_> =
            places.map(|(index, last)| key.nonce(index, last, &[0; RANDOMNESS_LEN])).collect();
        assert_eq!(nonces.len(), 100);
    }

    #[test]
    fn salts_are_never_the_same() {
        let keys = keys();
        assert_ne!(keys.salt("a").unwrap(), keys.salt("a").unwrap());
    }
}
