//! A row in the columns of a table, for engines that speak SQL: `revision`, `link` and `value`.
//!
//! | content | `link` | `value` |
//! |---|---|---|
//! | a value | null | its bytes |
//! | a link to a tail of the row's key | from which byte on | null |
//! | a link to another key | -1 | that key |

use bytes::Bytes;

use super::{StoredContent, StoredRow};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Content, Revision, StoredKey};

/// A link's `link` where the target's key stands in `value`.
pub const LINK_TO_VALUE: i32 = -1;

/// No store comes this far: a greater revision is damage or forged, and must not run over.
const REVISION_END: i64 = 1 << 62;

/// What stands in `link` and in `value`.
pub fn columns<'a>(row: &StoredRow<'a>) -> (Option<i32>, Option<&'a [u8]>) {
    match row.content {
        StoredContent::Value(value) => (None, Some(value)),
        StoredContent::Key(target) => (Some(LINK_TO_VALUE), Some(target)),
        StoredContent::Suffix(at) => (Some(i32::from(at)), None),
    }
}

/// What the row under `key` holds, from its `link` and `value`.
///
/// # Errors
///
/// `Corrupt` on anything that [`columns`] does not give; it never panics.
pub fn content(key: &StoredKey, link: Option<i64>, value: Option<Bytes>) -> Result<Content> {
    match (link, value) {
        (None, Some(value)) => Ok(Content::Value(value)),
        (Some(link), Some(target)) if link == i64::from(LINK_TO_VALUE) => Ok(Content::Link(StoredKey::new(target))),
        (Some(suffix), None) => match usize::try_from(suffix) {
            Ok(at) if at <= key.len() => Ok(Content::Link(key.tail(at))),
            _ => Err(Error::new(ErrorKind::Corrupt, "a stored link begins past the end of its key")),
        },
        _ => Err(damaged()),
    }
}

/// A revision from its column.
///
/// # Errors
///
/// `Corrupt`: no store has such a revision.
pub fn revision(column: i64) -> Result<Revision> {
    match column {
        0..REVISION_END => Ok(Revision(column.unsigned_abs())),
        _ => Err(damaged()),
    }
}

/// A revision for its column, or to compare with it.
pub fn revision_column(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// What stands in columns is not what this program writes.
pub fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "it is damaged: restore it from a copy")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::{LinkTo, Write};

    proptest! {
        #[test]
        fn a_row_is_what_was_put_into_its_columns(bytes: Vec<u8>, at in 0_u16..8) {
            let key = StoredKey::from(b"somebody".to_vec());
            let target = StoredKey::from(bytes.clone());
            for write in [Write::Put(bytes.into()), Write::Link(LinkTo::Key(target)), Write::Link(LinkTo::Suffix(at))] {
                let row = StoredRow::of(&write, Revision(1)).unwrap();
                let (link, value) = columns(&row);
                let read = content(&key, link.map(i64::from), value.map(Bytes::copy_from_slice)).unwrap();
                match write {
                    Write::Put(value) => prop_assert_eq!(read, Content::Value(value)),
                    Write::Link(link) => prop_assert_eq!(read, Content::Link(link.resolve(&key))),
                    Write::Delete => unreachable!(),
                }
            }
        }

        #[test]
        fn hostile_columns_are_an_error_or_a_row(link: Option<i64>, value: Option<Vec<u8>>, column: i64) {
            let key = StoredKey::from(b"key".to_vec());
            if let Err(error) = content(&key, link, value.map(Bytes::from)) {
                prop_assert!(error.is_corrupt());
            }
            match revision(column) {
                Ok(revision) => prop_assert_eq!(revision_column(revision), column),
                Err(error) => prop_assert!(error.is_corrupt()),
            }
        }
    }
}
