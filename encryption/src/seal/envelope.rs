//! The bytes of a sealed value.
//!
//! ```text
//! ┌─────────┬───────┬───────┬────────────────┬──────────┬────────────┬────────┐
//! │ version │ suite │ flags │ key id         │ nonce    │ ciphertext │ tag    │
//! │ 1: 0x81 │ 1: 1  │ 1     │ 4, big endian  │ 24       │ any        │ 16     │
//! └─────────┴───────┴───────┴────────────────┴──────────┴────────────┴────────┘
//! ```

use std::fmt;

use crate::EncryptionError;

/// Bytes before the nonce.
pub(super) const HEADER_LEN: usize = 7;
/// Bytes of the nonce.
pub(crate) const NONCE_LEN: usize = 24;
/// Bytes of the tag.
pub(crate) const TAG_LEN: usize = 16;

/// A flag: what is encrypted has padding after the value.
pub(super) const PADDED: u8 = 1;
/// A flag: bound to the stored key without its last 8 bytes.
pub(super) const BOUND_TO_PREFIX: u8 = 1 << 1;

/// The high bit says that this is an envelope: a plain value begins with a small number or with text in ASCII.
const ENVELOPE: u8 = 0x80;
const VERSION: u8 = ENVELOPE | 1;
/// XChaCha20-Poly1305, keys and nonces by HKDF and HMAC over SHA-256.
const SUITE: u8 = 1;

/// Bytes that the backend appends to a stamped row's key.
const REVISION_LEN: usize = 8;

/// Which generation of the value key sealed a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyId(pub(crate) u32);

/// The front of an envelope, before its nonce.
pub(super) fn header(id: KeyId, flags: u8) -> [u8; HEADER_LEN] {
    let [a, b, c, d] = id.0.to_be_bytes();
    [VERSION, SUITE, flags, a, b, c, d]
}

/// A sealed value, taken apart but not opened: nothing in it is known to be true yet. `Debug` shows its key id and length.
#[derive(Clone, Copy)]
pub(crate) struct Envelope<'a> {
    header: &'a [u8; HEADER_LEN],
    nonce: &'a [u8; NONCE_LEN],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_LEN],
}

impl<'a> Envelope<'a> {
    /// Takes an envelope apart.
    ///
    /// # Errors
    ///
    /// `NotAnEnvelope`: empty, or a plain value; `UnsupportedVersion`: a version, suite or flag that is not known;
    /// `Truncated`: too short to hold a nonce and a tag.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Envelope<'a>, EncryptionError> {
        // From the front on: how long an envelope of a later form must be is not known.
        match bytes.first() {
            Some(version) if version & ENVELOPE != 0 => known(*version == VERSION)?,
            _ => return Err(EncryptionError::NotAnEnvelope),
        }
        known(bytes.get(1).is_none_or(|suite| *suite == SUITE))?;
        known(bytes.get(2).is_none_or(|flags| flags & !(PADDED | BOUND_TO_PREFIX) == 0))?;
        Envelope::split(bytes).ok_or(EncryptionError::Truncated)
    }

    fn split(bytes: &'a [u8]) -> Option<Envelope<'a>> {
        let (header, rest) = bytes.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_last_chunk()?;
        Some(Envelope { header, nonce, ciphertext, tag })
    }

    /// Which key opens it.
    pub(crate) fn key_id(&self) -> KeyId {
        let [_, _, _, id @ ..] = *self.header;
        KeyId(u32::from_be_bytes(id))
    }

    pub(super) fn is_padded(&self) -> bool {
        self.header[2] & PADDED != 0
    }

    /// What part of the stored key `key` it is bound to; none if the key is too short for a stamped row's.
    pub(crate) fn bound<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        if self.header[2] & BOUND_TO_PREFIX == 0 {
            return Some(key);
        }
        key.split_last_chunk::<REVISION_LEN>().map(|(prefix, _)| prefix)
    }

    pub(super) fn header(&self) -> &'a [u8; HEADER_LEN] {
        self.header
    }

    pub(super) fn nonce(&self) -> &'a [u8; NONCE_LEN] {
        self.nonce
    }

    pub(super) fn ciphertext(&self) -> &'a [u8] {
        self.ciphertext
    }

    pub(super) fn tag(&self) -> &'a [u8; TAG_LEN] {
        self.tag
    }
}

fn known(known: bool) -> Result<(), EncryptionError> {
    if known { Ok(()) } else { Err(EncryptionError::UnsupportedVersion) }
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({:?}, {} bytes encrypted)", self.key_id(), self.ciphertext.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> EncryptionError {
        Envelope::parse(bytes).unwrap_err()
    }

    #[test]
    fn what_was_never_sealed_is_no_envelope() {
        for plain in [&b""[..], b"\x00", b"\x01", b"\x01\x80", b"{\"a\":1}", b"\x7F", &[1; 100]] {
            assert_eq!(refused(plain), EncryptionError::NotAnEnvelope, "{plain:?}");
        }
    }

    #[test]
    fn what_a_later_version_sealed_is_not_supported_whatever_its_length() {
        let mut good = vec![0; 60];
        good[..HEADER_LEN].copy_from_slice(&header(KeyId(1), 0));
        assert!(Envelope::parse(&good).is_ok());
        let later = (0..3).flat_map(|at| (0..=255).map(move |byte| (at, byte)));
        for (at, byte) in later {
            let mut bytes = good.clone();
            bytes[at] = byte;
            let known = match at {
                0 => byte == 0x81 || byte < 0x80,
                1 => byte == 1,
                _ => byte < 4,
            };
            for len in at + 1..=bytes.len() {
                let unsupported = matches!(Envelope::parse(&bytes[..len]), Err(EncryptionError::UnsupportedVersion));
                assert_eq!(unsupported, !known, "{at} {byte} {len}");
            }
        }
    }

    #[test]
    fn what_cannot_hold_a_nonce_and_a_tag_is_truncated() {
        let mut bytes = vec![0; HEADER_LEN + NONCE_LEN + TAG_LEN];
        bytes[..HEADER_LEN].copy_from_slice(&header(KeyId(7), PADDED | BOUND_TO_PREFIX));
        for len in 1..bytes.len() {
            assert_eq!(refused(&bytes[..len]), EncryptionError::Truncated, "{len}");
        }
        assert!(Envelope::parse(&bytes).unwrap().ciphertext().is_empty());
    }

    #[test]
    fn an_envelope_comes_apart_as_it_is_drawn() {
        let bytes: Vec<u8> = [0x81, 1, 2, 0xA1, 0xA2, 0xA3, 0xA4].into_iter().chain(7..57).collect();
        let envelope = Envelope::parse(&bytes).unwrap();
        assert_eq!(envelope.key_id(), KeyId(0xA1A2_A3A4));
        assert_eq!(envelope.header()[..], bytes[..7]);
        assert_eq!(envelope.nonce()[..], bytes[7..31]);
        assert_eq!(envelope.ciphertext(), &bytes[31..41]);
        assert_eq!(envelope.tag()[..], bytes[41..]);
        assert!(!envelope.is_padded());
        assert_eq!(envelope.bound(b"prefix12345678"), Some(&b"prefix"[..]));
        assert_eq!(envelope.bound(b"12345678"), Some(&b""[..]));
        assert_eq!(envelope.bound(b"1234567"), None);
        assert_eq!(format!("{envelope:?}"), "Envelope(KeyId(2711790500), 10 bytes encrypted)");
    }
}
