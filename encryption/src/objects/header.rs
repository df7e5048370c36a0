//! The bytes in front of an object.
//!
//! ```text
//!  0          4         5         6         7         8              40                  72
//!  ┌──────────┬─────────┬─────────┬─────────┬─────────┬──────────────┬───────────────────┐
//!  │ "SRob"   │ version │ suite   │ log2 of │ flags   │ salt         │ commitment        │
//!  │ 53526F62 │ 01      │ 01      │ a chunk │ 00      │ 32           │ 32                │
//!  └──────────┴─────────┴─────────┴─────────┴─────────┴──────────────┴───────────────────┘
//! ```
//!
//! Suite 1 is XChaCha20-Poly1305, HKDF-SHA256 and HMAC-SHA256. Nothing here is secret, and no byte of it is taken on trust: the
//! first 8 must be these, and go into the keys together with the salt; the commitment is compared with that of the keys.

use super::sizes::Layout;
use crate::EncryptionError;

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = FRONT_LEN + SALT_LEN + COMMITMENT_LEN;

pub(super) const FRONT_LEN: usize = 8;
pub(super) const SALT_LEN: usize = 32;
pub(super) const COMMITMENT_LEN: usize = 32;

const MAGIC: [u8; 4] = *b"SRob";
const VERSION: u8 = 1;
const SUITE: u8 = 1;
const NO_FLAGS: u8 = 0;

/// A header, taken apart. Nobody vouches for it until its commitment has been compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) salt: [u8; SALT_LEN],
    pub(super) commitment: [u8; COMMITMENT_LEN],
}

/// The first 8 bytes of every object of a store.
pub(super) fn front(layout: Layout) -> [u8; FRONT_LEN] {
    let [a, b, c, d] = MAGIC;
    [a, b, c, d, VERSION, SUITE, layout.chunk_log2(), NO_FLAGS]
}

impl Header {
    pub(super) fn encode(&self, layout: Layout) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let (front_bytes, rest) = bytes.split_at_mut(FRONT_LEN);
        let (salt, commitment) = rest.split_at_mut(SALT_LEN);
        front_bytes.copy_from_slice(&front(layout));
        salt.copy_from_slice(&self.salt);
        commitment.copy_from_slice(&self.commitment);
        bytes
    }

    /// Reads the header at the front of `bytes`, which are all that there are of the object, or its first 72.
    ///
    /// Errors: `NotAnEnvelope`: foreign bytes; `UnsupportedVersion`; `OtherChunkSize`; `Truncated`: fewer than 72.
    pub(super) fn parse(bytes: &[u8], layout: Layout) -> Result<Header, EncryptionError> {
        // From the front on: how long a later header must be is not known.
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(EncryptionError::NotAnEnvelope);
        }
        let is = |at: usize, expected: u8| bytes.get(at).is_none_or(|byte| *byte == expected);
        if !is(4, VERSION) || !is(5, SUITE) || !is(7, NO_FLAGS) {
            return Err(EncryptionError::UnsupportedVersion);
        }
        if !is(6, layout.chunk_log2()) {
            return Err(EncryptionError::OtherChunkSize);
        }
        let split = |bytes: &[u8]| {
            let (_, rest) = bytes.split_first_chunk::<FRONT_LEN>()?;
            let (salt, rest) = rest.split_first_chunk()?;
            Some(Header { salt: *salt, commitment: *rest.first_chunk()? })
        };
        split(bytes).ok_or(EncryptionError::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_apart_as_it_is_drawn() {
        let layout = Layout::of_chunk_bytes(1 << 16).unwrap();
        let header = Header { salt: [0xAA; SALT_LEN], commitment: [0xBB; COMMITMENT_LEN] };
        let bytes = header.encode(layout);
        assert_eq!(bytes[..8], *b"SRob\x01\x01\x10\x00");
        assert_eq!(Header::parse(&bytes, layout), Ok(header));
        for len in 0..bytes.len() {
            assert_eq!(Header::parse(&bytes[..len], layout), Err(EncryptionError::Truncated), "{len}");
        }
    }

    #[test]
    fn what_is_not_its_front_is_refused_whatever_follows() {
        let layout = Layout::of_chunk_bytes(1 << 16).unwrap();
        let good = Header { salt: [0; SALT_LEN], commitment: [0; COMMITMENT_LEN] }.encode(layout);
        for (at, byte) in (0..FRONT_LEN).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
            let mut bytes = good;
            bytes[at] = byte;
            let expected = match at {
                _ if bytes == good => continue,
                0..4 => EncryptionError::NotAnEnvelope,
                6 => EncryptionError::OtherChunkSize,
                _ => EncryptionError::UnsupportedVersion,
            };
            for len in [at + 1, HEADER_LEN] {
                assert_eq!(Header::parse(&bytes[..len], layout), Err(expected.clone()), "{at} {byte} {len}");
            }
        }
    }
}
