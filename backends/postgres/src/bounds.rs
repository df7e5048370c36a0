//! Ranges of keys as PostgreSQL compares them: from a first key on, up to before an end.

use std::borrow::Cow;
use std::ops::Bound;

use strongroom_core::store::KeyRange;

/// Bytes in one key at most, whatever the limits say: an entry of an index holds 2,704 bytes, with its header and the namespace.
pub(crate) const KEY_BYTES_END: usize = 2_600;

/// Behind every key, since it is longer than any.
static END: [u8; KEY_BYTES_END + 1] = [0xFF; KEY_BYTES_END + 1];

/// The first key of a range, and the end before which the last one stands. One form for all ranges keeps statements few.
pub(crate) fn of(range: &KeyRange) -> (Cow<'_, [u8]>, Cow<'_, [u8]>) {
    let start = match &range.start {
        Bound::Included(key) => Cow::Borrowed(key.as_bytes()),
        Bound::Excluded(key) => Cow::Owned(next(key.as_bytes())),
        Bound::Unbounded => Cow::Borrowed(&[][..]),
    };
    let end = match &range.end {
        Bound::Excluded(key) => Cow::Borrowed(key.as_bytes()),
        Bound::Included(key) => Cow::Owned(next(key.as_bytes())),
        Bound::Unbounded => Cow::Borrowed(&END[..]),
    };
    (start, end)
}

/// The key right behind this one.
fn next(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use strongroom_core::store::StoredKey;

    use super::*;

    #[test]
    fn a_range_holds_the_same_keys_in_either_form() {
        let keys: Vec<Vec<u8>> = vec![vec![], vec![0], vec![0, 0], vec![1], vec![0xFF], vec![0xFF; KEY_BYTES_END]];
        let bounds = |key: &Vec<u8>| {
            let key = StoredKey::from(key.clone());
            [Bound::Included(key.clone()), Bound::Excluded(key), Bound::Unbounded]
        };
        for start in keys.iter().flat_map(bounds) {
            for end in keys.iter().flat_map(bounds) {
                let range = KeyRange { start: start.clone(), end };
                let (from, to) = of(&range);
                for key in &keys {
                    assert_eq!(range.holds(key), *from <= key[..] && key[..] < *to);
                }
            }
        }
    }
}
