//! A row as an engine keeps it, and its bytes.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{LinkTo, Revision, Write};

const VALUE: u8 = 0;
const SUFFIX: u8 = 1;
const KEY: u8 = 2;
const HEADER_BYTES: usize = 1 + 8;

/// A row without its key, borrowed from the engine that keeps it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoredRow<'a> {
    /// The batch that wrote it last.
    pub revision: Revision,
    /// What it holds.
    pub content: StoredContent<'a>,
}

/// What a stored row holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StoredContent<'a> {
    /// A value, possibly empty.
    Value(&'a [u8]),
    /// A link to the tail of the row's own key, from this byte on.
    Suffix(u16),
    /// A link to this key.
    Key(&'a [u8]),
}

impl<'a> StoredRow<'a> {
    /// The row that `write` leaves behind at `revision`; none if it deletes.
    pub fn of(write: &'a Write, revision: Revision) -> Option<Self> {
        let content = match write {
            Write::Put(value) => StoredContent::Value(value),
            Write::Link(LinkTo::Suffix(at)) => StoredContent::Suffix(*at),
            Write::Link(LinkTo::Key(target)) => StoredContent::Key(target.as_bytes()),
            Write::Delete => return None,
        };
        Some(StoredRow { revision, content })
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        HEADER_BYTES
            + match self.content {
                StoredContent::Value(bytes) | StoredContent::Key(bytes) => bytes.len(),
                StoredContent::Suffix(_) => 2,
            }
    }

    /// Writes the row: a tag (1 byte), the revision (8 bytes, most significant first), then the value, the suffix's
    /// position (2 bytes, most significant first) or the target's key.
    ///
    /// # Panics
    ///
    /// If `out` is not exactly [`encoded_len`](Self::encoded_len) bytes long.
    pub fn encode(&self, out: &mut [u8]) {
        let (header, payload) = out.split_at_mut(HEADER_BYTES);
        header[1..].copy_from_slice(&self.revision.0.to_be_bytes());
        header[0] = match self.content {
            StoredContent::Value(value) => {
                payload.copy_from_slice(value);
                VALUE
            }
            StoredContent::Suffix(at) => {
                payload.copy_from_slice(&at.to_be_bytes());
                SUFFIX
            }
            StoredContent::Key(target) => {
                payload.copy_from_slice(target);
                KEY
            }
        };
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// `Corrupt` on any other bytes; it never panics.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        let damaged = || Error::new(ErrorKind::Corrupt, "a stored row is not in the form that this store writes");
        let (header, payload) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(damaged)?;
        let [tag, revision @ ..] = header;
        let content = match *tag {
            VALUE => StoredContent::Value(payload),
            SUFFIX => StoredContent::Suffix(u16::from_be_bytes(payload.try_into().map_err(|_| damaged())?)),
            KEY => StoredContent::Key(payload),
            _ => return Err(damaged()),
        };
        Ok(StoredRow { revision: Revision(u64::from_be_bytes(*revision)), content })
    }
}

/// Shows sizes only: the bytes may be somebody's message.
impl fmt::Debug for StoredRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredRow(revision {}, ", self.revision)?;
        match self.content {
            StoredContent::Value(value) => write!(f, "value of {} bytes)", value.len()),
            StoredContent::Suffix(at) => write!(f, "link to its key from byte {at})"),
            StoredContent::Key(target) => write!(f, "link to a key of {} bytes)", target.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decoding_inverts_encoding(revision: u64, at: u16, bytes: Vec<u8>) {
            for content in [StoredContent::Value(&bytes), StoredContent::Suffix(at), StoredContent::Key(&bytes)] {
                let row = StoredRow { revision: Revision(revision), content };
                let mut encoded = vec![0xAA; row.encoded_len()];
                row.encode(&mut encoded);
                prop_assert_eq!(StoredRow::decode(&encoded).unwrap(), row);
            }
        }

        #[test]
        fn hostile_bytes_are_an_error_or_a_row_that_encodes_to_them(bytes: Vec<u8>, tag in 0_u8..4) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = tag;
            }
            match StoredRow::decode(&bytes) {
                Ok(row) => {
                    let mut encoded = vec![0; row.encoded_len()];
                    row.encode(&mut encoded);
                    prop_assert_eq!(encoded, bytes);
                }
                Err(error) => prop_assert!(error.is_corrupt()),
            }
        }
    }
}
