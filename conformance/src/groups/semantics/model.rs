//! What is in a store, as a plain map: the documentation of the reads, row by row.

use std::collections::BTreeMap;
use std::ops::Bound;

use strongroom_core::store::{
    Batch, Content, Entry, Fetch, KeyRange, LinkTo, Page, Read, Revision, Row, Scan, Store, StoredKey, Summary, Write,
};

use super::inputs::Span;
use super::support::{commit, key};
use crate::{Checked, ensure_eq};

/// What is in a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    as_of: Revision,
    rows: BTreeMap<StoredKey, (Revision, Write)>,
}

impl Model {
    /// Commits a batch that must succeed, and notes what it wrote.
    pub(super) async fn commit(&mut self, store: &dyn Store, batch: Batch) -> Checked<Revision> {
        let revision = commit(store, batch.clone()).await?;
        self.as_of = revision;
        for (prefix, value) in batch.stamped {
            self.rows.insert(prefix.stamp(revision), (revision, Write::Put(value)));
        }
        for (key, write) in batch.writes {
            match write {
                Write::Delete => drop(self.rows.remove(&key)),
                write => drop(self.rows.insert(key, (revision, write))),
            }
        }
        Ok(revision)
    }

    pub(super) fn row(&self, key: &StoredKey) -> Option<Row> {
        let (revision, write) = self.rows.get(key)?;
        let content = match write {
            Write::Put(value) => Content::Value(value.clone()),
            Write::Link(link) => Content::Link(link.resolve(key)),
            Write::Delete => return None,
        };
        Some(Row { revision: *revision, content })
    }

    pub(super) fn page(&self, scan: &Scan) -> Page {
        let mut keys: Vec<_> = self.rows.keys().filter(|key| scan.range.holds(key.as_bytes())).collect();
        if scan.reverse {
            keys.reverse();
        }
        let mut page = Page { as_of: self.as_of, entries: Vec::new(), more: false };
        let mut bytes = 0;
        for key in keys {
            if page.entries.len() == scan.limit || (bytes > scan.max_bytes && !page.entries.is_empty()) {
                page.more = true;
                break;
            }
            bytes += key.len();
            if scan.fetch != Fetch::Keys {
                bytes += self.stored_bytes(key);
            }
            let mut entry = Entry { key: key.clone(), revision: Revision::ZERO, content: None, target: None };
            if let Some(row) = self.row(key) {
                if let (Content::Link(target), Fetch::Targets) = (&row.content, scan.fetch) {
                    bytes += self.stored_bytes(target);
                    entry.target = self.row(target);
                }
                entry.revision = row.revision;
                entry.content = (scan.fetch != Fetch::Keys).then_some(row.content);
            }
            page.entries.push(entry);
        }
        page
    }

    pub(super) fn summary(&self, range: &KeyRange) -> Summary {
        let rows = self.rows.iter().filter(|(key, _)| range.holds(key.as_bytes()));
        let revisions: Vec<_> = rows.map(|(_, (revision, _))| *revision).collect();
        let newest = revisions.iter().copied().max().unwrap_or_default();
        Summary { as_of: self.as_of, rows: revisions.len() as u64, newest }
    }

    /// What a row counts for the bytes of a page, beside its key: its value, or the key that its link was given.
    fn stored_bytes(&self, key: &StoredKey) -> usize {
        match self.rows.get(key) {
            Some((_, Write::Put(value))) => value.len(),
            Some((_, Write::Link(LinkTo::Key(target)))) => target.len(),
            _ => 0,
        }
    }

    /// Checks that a view reads as this model, by each of its methods.
    pub(super) async fn check(&self, view: &dyn Read, scan: &Scan) -> Checked {
        let span = Span(scan.range.clone());
        ensure_eq!(view.scan(scan).await?, self.page(scan), "the page of {span:?}, {scan:?}");
        ensure_eq!(view.summarize(&scan.range).await?, self.summary(&scan.range), "the summary of {span:?}");
        let keys: Vec<_> = self.rows.keys().take(50).cloned().collect();
        let rows = view.get(&keys).await?;
        ensure_eq!(rows.as_of, self.as_of, "the revision of get");
        ensure_eq!(rows.rows, keys.iter().map(|key| self.row(key)).collect::<Vec<_>>(), "the rows of get");
        Ok(())
    }
}

/// Every key of up to two bytes out of three: both ends of the order, and one between. In order.
pub(super) fn small_keys() -> Vec<StoredKey> {
    const BYTES: [u8; 3] = [0, b'a', 0xFF];
    let mut keys = vec![StoredKey::EMPTY];
    for first in BYTES {
        keys.push(key([first]));
        keys.extend(BYTES.map(|second| key([first, second])));
    }
    keys
}

/// Every range over the small keys: each bound open, closed and missing, also inverted.
pub(super) fn small_ranges() -> Vec<KeyRange> {
    let mut bounds = vec![Bound::Unbounded];
    for key in small_keys() {
        bounds.extend([Bound::Included(key.clone()), Bound::Excluded(key)]);
    }
    let ranges =
        bounds.iter().map(|start| bounds.iter().map(|end| KeyRange { start: start.clone(), end: end.clone() }));
    ranges.flatten().collect()
}

/// A range with both bounds: `[b, d)` and so on.
pub(super) fn range(start: Bound<&str>, end: Bound<&str>) -> KeyRange {
    KeyRange { start: start.map(key), end: end.map(key) }
}
