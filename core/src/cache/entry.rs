//! A row in memory.

use bytes::Bytes;
use zeroize::Zeroizing;

use super::sync::{Mutex, MutexGuard};
use crate::store::{Content, Revision, Row, StoredKey};

/// A row in memory, or that there is none.
pub(super) struct Entry {
    /// Void in any other epoch.
    pub(super) epoch: u64,
    /// Since when it has been so: the row's revision; of an absence, that of the view in which it was seen.
    pub(super) since: Revision,
    /// Bytes of key and row.
    pub(super) bytes: usize,
    kept: Mutex<Kept>,
}

enum Kept {
    Row(Row),
    Absent,
    Wiped,
}

impl Entry {
    /// `None` for what is never kept: a damaged row may be whole again when its key is found.
    pub(super) fn new(key: &StoredKey, row: Option<&Row>, as_of: Revision, epoch: u64) -> Option<Self> {
        let (since, bytes, kept) = match row {
            None => (as_of, 0, Kept::Absent),
            Some(Row { revision, content }) => {
                let own = match content {
                    Content::Value(value) => Content::Value(own(value)),
                    Content::Link(target) => Content::Link(StoredKey::new(Bytes::copy_from_slice(target.as_bytes()))),
                    Content::Damaged(_) => return None,
                };
                (*revision, content.bytes(), Kept::Row(Row { revision: *revision, content: own }))
            }
        };
        Some(Entry { epoch, since, bytes: key.len() + bytes, kept: Mutex::new(kept) })
    }

    /// The row, without a copy of its value; the outer `None` if it was wiped.
    pub(super) fn row(&self) -> Option<Option<Row>> {
        match &*self.lock() {
            Kept::Row(row) => Some(Some(row.clone())),
            Kept::Absent => Some(None),
            Kept::Wiped => None,
        }
    }

    /// Lets go of the row now, whoever holds the entry.
    pub(super) fn wipe(&self) {
        *self.lock() = Kept::Wiped;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A copy of the value, since the original may be a part of a page's bytes and would keep all of them. It is overwritten when the last
/// who holds it lets go.
fn own(value: &[u8]) -> Bytes {
    Bytes::from_owner(Zeroizing::new(value.to_vec()))
}
