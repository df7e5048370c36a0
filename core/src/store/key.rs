//! Stored keys, their ranges, and revisions.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Bound, RangeBounds};

use bytes::Bytes;

/// The position of a batch in commit order. Strictly increasing; 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Before every commit.
    pub const ZERO: Revision = Revision(0);

    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key as the backend holds it: bytes, ordered as bytes. Cheap to clone.
///
/// `Debug` shows its length only: in a store without encryption a key holds ids of rooms and users.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoredKey(Bytes);

impl StoredKey {
    /// The key without bytes, before all others.
    pub const EMPTY: StoredKey = StoredKey(Bytes::new());

    /// A key of these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        StoredKey(bytes.into())
    }

    /// A key of bytes that the program holds.
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        StoredKey(Bytes::from_static(bytes))
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key from byte `at` on, sharing its memory. Empty if `at` is past the end.
    #[must_use]
    pub fn tail(&self, at: usize) -> StoredKey {
        StoredKey(self.0.slice(at.min(self.0.len())..))
    }

    /// The bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Bytes in the key.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the key has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Borrow<[u8]> for StoredKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for StoredKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for StoredKey {
    fn from(bytes: Vec<u8>) -> Self {
        StoredKey(bytes.into())
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredKey({} bytes)", self.0.len())
    }
}

/// The front of the key of a stamped row: the backend appends the batch's revision, 8 bytes, most significant first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyPrefix(pub StoredKey);

impl KeyPrefix {
    /// The whole key of the row, once the revision is known.
    pub fn stamp(&self, revision: Revision) -> StoredKey {
        let mut bytes = Vec::with_capacity(self.0.len() + 8);
        bytes.extend_from_slice(self.0.as_bytes());
        bytes.extend_from_slice(&revision.0.to_be_bytes());
        StoredKey::from(bytes)
    }
}

/// A range of keys, each end open, closed or without bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it begins.
    pub start: Bound<StoredKey>,
    /// Where it ends.
    pub end: Bound<StoredKey>,
}

impl KeyRange {
    /// Every key.
    pub const ALL: KeyRange = KeyRange { start: Bound::Unbounded, end: Bound::Unbounded };

    /// The keys that begin with `prefix`, which may be empty or end in 0xFF.
    pub fn prefix(prefix: &[u8]) -> Self {
        let end = match successor(prefix) {
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        KeyRange { start: Bound::Included(StoredKey::from(prefix.to_vec())), end }
    }

    /// Whether `key` lies in the range.
    pub fn holds(&self, key: &[u8]) -> bool {
        self.contains(key)
    }

    /// Whether no key can lie in the range, because it ends before it begins.
    ///
    /// Engines differ in what they do with such a range (some panic), so a backend asks first.
    pub fn is_empty(&self) -> bool {
        match (self.start_bound(), self.end_bound()) {
            (Bound::Unbounded, Bound::Excluded(end)) => end.is_empty(),
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start), Bound::Excluded(end)) | (Bound::Excluded(start), Bound::Included(end)) => {
                start >= end
            }
            // Between a key and its direct successor (one zero byte longer) there is nothing either.
            (Bound::Excluded(start), Bound::Excluded(end)) => {
                start >= end || (end.len() == start.len() + 1 && end.ends_with(&[0]) && end.starts_with(start))
            }
        }
    }

    /// The keys that lie in this range and in the other.
    #[must_use]
    pub fn and(&self, other: &KeyRange) -> KeyRange {
        KeyRange { start: nearer(&self.start, &other.start, false), end: nearer(&self.end, &other.end, true) }
    }

    /// What is left of the range beyond `key`, when it is walked forward or in `reverse`.
    #[must_use]
    pub fn beyond(&self, key: &StoredKey, reverse: bool) -> KeyRange {
        let edge = Bound::Excluded(key.clone());
        if reverse {
            KeyRange { start: self.start.clone(), end: edge }
        } else {
            KeyRange { start: edge, end: self.end.clone() }
        }
    }

    /// The part of the range up to and with `key`, when it is walked forward or in `reverse`.
    #[must_use]
    pub fn through(&self, key: &StoredKey, reverse: bool) -> KeyRange {
        let edge = Bound::Included(key.clone());
        if reverse {
            KeyRange { start: edge, end: self.end.clone() }
        } else {
            KeyRange { start: self.start.clone(), end: edge }
        }
    }
}

impl RangeBounds<[u8]> for KeyRange {
    fn start_bound(&self) -> Bound<&[u8]> {
        self.start.as_ref().map(StoredKey::as_bytes)
    }

    fn end_bound(&self) -> Bound<&[u8]> {
        self.end.as_ref().map(StoredKey::as_bytes)
    }
}

/// Of two starts the later one; of two `ends` the earlier one.
fn nearer(one: &Bound<StoredKey>, other: &Bound<StoredKey>, ends: bool) -> Bound<StoredKey> {
    let (first, second) = match (one, other) {
        (Bound::Unbounded, bound) | (bound, Bound::Unbounded) => return bound.clone(),
        (Bound::Included(first) | Bound::Excluded(first), Bound::Included(second) | Bound::Excluded(second)) => {
            (first, second)
        }
    };
    let one_is_nearer = if first == second { matches!(one, Bound::Excluded(_)) } else { (first > second) != ends };
    if one_is_nearer { one.clone() } else { other.clone() }
}

/// The least key that is greater than every key with this prefix; none if the prefix is all 0xFF.
fn successor(prefix: &[u8]) -> Option<StoredKey> {
    let last = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(StoredKey::from(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_range_holds_exactly_what_begins_with_it() {
        for prefix in [&b""[..], b"a", b"a\xFF", b"\xFF\xFF", b"\x00"] {
            let range = KeyRange::prefix(prefix);
            for key in [
                &b""[..],
                b"\x00",
                b"\x00\x00",
                b"a",
                b"a\xFF",
                b"a\xFF\xFF",
                b"b",
                b"\xFF",
                b"\xFF\xFF",
                b"\xFF\xFF\x00",
            ] {
                assert_eq!(range.holds(key), key.starts_with(prefix), "{prefix:?} {key:?}");
            }
        }
    }

    #[test]
    fn two_ranges_have_in_common_what_lies_in_both() {
        let keys = [&b""[..], b"a", b"b", b"c"];
        let bounds = || {
            let key = |bytes: &&[u8]| StoredKey::from(bytes.to_vec());
            let of = move |bytes| [Bound::Included(key(bytes)), Bound::Excluded(key(bytes))];
            keys.iter().flat_map(of).chain([Bound::Unbounded]).collect::<Vec<_>>()
        };
        let ranges: Vec<KeyRange> = bounds()
            .into_iter()
            .flat_map(|start| bounds().into_iter().map(move |end| KeyRange { start: start.clone(), end }))
            .collect();
        for (one, other) in ranges.iter().flat_map(|one| ranges.iter().map(move |other| (one, other))) {
            let both = one.and(other);
            assert!(
                keys.iter().all(|key| both.holds(key) == (one.holds(key) && other.holds(key))),
                "{one:?} {other:?}"
            );
        }
    }

    #[test]
    fn inverted_ranges_are_empty() {
        let key = |bytes: &[u8]| StoredKey::from(bytes.to_vec());
        let range = |start, end| KeyRange { start, end };
        assert!(range(Bound::Included(key(b"b")), Bound::Included(key(b"a"))).is_empty());
        assert!(range(Bound::Excluded(key(b"a")), Bound::Excluded(key(b"a"))).is_empty());
        assert!(range(Bound::Excluded(key(b"a")), Bound::Excluded(key(b"a\0"))).is_empty());
        assert!(range(Bound::Included(key(b"a")), Bound::Excluded(key(b"a"))).is_empty());
        assert!(range(Bound::Unbounded, Bound::Excluded(key(b""))).is_empty());
        assert!(!range(Bound::Included(key(b"a")), Bound::Included(key(b"a"))).is_empty());
        assert!(!range(Bound::Excluded(key(b"a")), Bound::Excluded(key(b"b"))).is_empty());
        assert!(!KeyRange::ALL.is_empty());
    }
}
