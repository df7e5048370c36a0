//! Reading a range of which the engine cannot read all: from its front, then from its end, then what is between in halves.

use std::collections::VecDeque;
use std::ops::Bound;

use crate::store::{Entry, Fetch, KeyRange, Scan, Store, StoredKey};
use crate::{Error, ErrorKind, Result};

/// Rows that are read at a time.
const PAGE: usize = 500;
/// Bytes after which no more are read.
const PAGE_BYTES: usize = 4 << 20;
/// How often a part is halved, of one range. Damage in one place needs none; each further place some.
const HALVES_MAX: usize = 32;

/// A range that is read part by part.
pub(super) struct Parts {
    queue: VecDeque<Part>,
    fetch: Fetch,
    page: usize,
    halves_left: usize,
    unread: Vec<(KeyRange, Error)>,
}

struct Part {
    range: KeyRange,
    reverse: bool,
    limit: usize,
}

impl Parts {
    pub(super) fn new(store: &dyn Store, range: KeyRange, fetch: Fetch) -> Self {
        let limits = store.info().limits;
        let page = PAGE.min(limits.page_entries_max).min(limits.get_keys_max).max(1);
        let queue = VecDeque::from([Part { range, reverse: false, limit: page }]);
        Parts { queue, fetch, page, halves_left: HALVES_MAX, unread: Vec::new() }
    }

    /// The next rows that can be read, not in any order; none when all are read that can be.
    pub(super) async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<Entry>>> {
        while let Some(part) = self.queue.front_mut() {
            match part.read(store, self.fetch).await {
                Ok(entries) => match entries.last() {
                    Some(last) => {
                        part.range = part.range.beyond(&last.key, part.reverse);
                        part.limit = (part.limit * 2).min(self.page);
                        return Ok(Some(entries));
                    }
                    None => drop(self.queue.pop_front()),
                },
                Err(error) if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io) => return Err(error),
                Err(_) if part.limit > 1 => part.limit /= 2,
                Err(_) if !part.reverse => part.reverse = true,
                Err(error) => {
                    if let Some(part) = self.queue.pop_front() {
                        self.halve(part.range, error);
                    }
                }
            }
        }
        Ok(None)
    }

    /// The ranges that could not be read, and why.
    pub(super) fn unread(mut self) -> Vec<(KeyRange, Error)> {
        self.unread.sort_by(|(one, _), (other, _)| first(one).cmp(&first(other)));
        self.unread.dedup_by(|(next, _), (range, _)| {
            let touch =
                matches!((&range.end, &next.start), (Bound::Excluded(end), Bound::Included(start)) if end == start);
            if touch {
                range.end = next.end.clone();
            }
            touch
        });
        self.unread
    }

    fn halve(&mut self, range: KeyRange, error: Error) {
        let middle = if self.halves_left > 0 { middle(&range) } else { None };
        let Some(middle) = middle else {
            self.unread.push((range, error));
            return;
        };
        self.halves_left -= 1;
        let front = KeyRange { start: range.start, end: Bound::Excluded(middle.clone()) };
        let back = KeyRange { start: Bound::Included(middle), end: range.end };
        self.queue.extend([front, back].map(|range| Part { range, reverse: false, limit: 1 }));
    }
}

impl Part {
    async fn read(&self, store: &dyn Store, fetch: Fetch) -> Result<Vec<Entry>> {
        let (range, reverse) = (self.range.clone(), self.reverse);
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let scan = Scan { range, reverse, limit: self.limit, max_bytes: PAGE_BYTES, fetch };
        let entries = store.scan(&scan).await?.entries;
        // A damaged page may hold anything. Only what moves on ends.
        let in_order = entries.windows(2).all(|pair| (pair[0].key < pair[1].key) != reverse);
        if in_order && entries.iter().all(|entry| scan.range.holds(entry.key.as_bytes())) {
            return Ok(entries);
        }
        Err(Error::new(ErrorKind::Corrupt, "the engine gives keys that are not in order"))
    }
}

fn first(range: &KeyRange) -> Option<&StoredKey> {
    match &range.start {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

/// A key about half way between the ends of a range; none if there is none strictly between.
fn middle(range: &KeyRange) -> Option<StoredKey> {
    let (Bound::Included(start) | Bound::Excluded(start)) = &range.start else { return None };
    let (Bound::Included(end) | Bound::Excluded(end)) = &range.end else { return None };
    // The keys as fractions: their sum, digit by digit from the last, then half of it.
    let digits = start.len().max(end.len()) + 1;
    let digit = |key: &StoredKey, at: usize| u16::from(key.as_bytes().get(at).copied().unwrap_or(0));
    let (mut sum, mut carry) = (vec![0_u8; digits], 0);
    for at in (0..digits).rev() {
        let total = digit(start, at) + digit(end, at) + carry;
        (sum[at], carry) = (total.to_le_bytes()[0], total >> 8);
    }
    let mut rest = carry;
    for byte in &mut sum {
        let value = rest << 8 | u16::from(*byte);
        (*byte, rest) = ((value / 2).to_le_bytes()[0], value % 2);
    }
    let middle = StoredKey::from(sum);
    (*start < middle && middle < *end).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &[u8], end: &[u8]) -> KeyRange {
        let key = |bytes: &[u8]| StoredKey::from(bytes.to_vec());
        KeyRange { start: Bound::Included(key(start)), end: Bound::Excluded(key(end)) }
    }

    #[test]
    fn a_middle_lies_between() {
        let ends: [(&[u8], &[u8]); 5] = [
            (b"a", b"b"),
            (b"", b"\x01"),
            (b"\x00\x01\x00", b"\x00\x02"),
            (b"abc", b"abcd"),
            (b"\xFE\xFF", b"\xFF\xFF\xFF"),
        ];
        for (start, end) in ends {
            let found = middle(&range(start, end)).unwrap();
            assert!(start < found.as_bytes() && found.as_bytes() < end, "{start:?} {found:?} {end:?}");
        }
        assert_eq!(middle(&range(b"b", b"a")), None);
        assert_eq!(middle(&KeyRange::ALL), None);
    }

    #[test]
    fn parts_that_touch_are_one() {
        let error = || Error::new(ErrorKind::Corrupt, "damaged");
        let unread = [range(b"c", b"d"), range(b"a", b"b"), range(b"b", b"c"), range(b"e", b"f")];
        let parts = Parts {
            queue: VecDeque::new(),
            fetch: Fetch::Keys,
            page: 1,
            halves_left: 0,
            unread: unread.map(|range| (range, error())).into(),
        };
        let ranges: Vec<KeyRange> = parts.unread().into_iter().map(|(range, _)| range).collect();
        assert_eq!(ranges, [range(b"a", b"d"), range(b"e", b"f")]);
    }
}
