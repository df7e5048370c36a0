//! The store that others are compared with: a plain map, one line an idea, and nothing that is fast.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use strongroom_core::store::{
    Batch, Caches, Compaction, Content, Durability, Entry, Fetch, Guard, KeyRange, Limits, Outcome, Page, PlainCodec,
    Read, Revision, Row, Rows, Scan, Sharing, Snapshot, Store, StoreInfo, StoredKey, Summary, Usage, Write,
};
use strongroom_core::{Error, ErrorKind, Limit, Result};
use tokio::sync::watch;

/// What the histories ask of a store; it is never closed, and its snapshots neither age nor are counted.
#[derive(Debug)]
pub(crate) struct Reference {
    info: StoreInfo,
    now: Mutex<View>,
    newest: watch::Sender<Revision>,
}

/// The rows at one revision.
#[derive(Clone, Debug)]
struct View {
    rows: Arc<BTreeMap<StoredKey, Row>>,
    revision: Revision,
    limits: Limits,
}

impl Reference {
    pub(crate) fn new(limits: Limits) -> Self {
        let info = StoreInfo {
            name: "reference",
            limits,
            sharing: Sharing::Exclusive,
            durability: Durability::Volatile,
            codec: Arc::new(PlainCodec),
            caches: Caches::default(),
        };
        let view = View { rows: Arc::default(), revision: Revision::ZERO, limits };
        Reference { info, now: Mutex::new(view), newest: watch::Sender::new(Revision::ZERO) }
    }

    fn now(&self) -> MutexGuard<'_, View> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> View {
        self.now().clone()
    }
}

impl View {
    fn within<'v>(&'v self, range: &'v KeyRange) -> impl DoubleEndedIterator<Item = (&'v StoredKey, &'v Row)> {
        self.rows.iter().filter(|(key, _)| {
            let after = match &range.start {
                Bound::Unbounded => true,
                Bound::Included(start) => *key >= start,
                Bound::Excluded(start) => *key > start,
            };
            let before = match &range.end {
                Bound::Unbounded => true,
                Bound::Included(end) => *key <= end,
                Bound::Excluded(end) => *key < end,
            };
            after && before
        })
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Key { key, revision } => self.rows.get(key).map(|row| row.revision) == *revision,
            Guard::Range { range, as_of, rows } => {
                self.within(range).count() as u64 == *rows && self.within(range).all(|(_, row)| row.revision <= *as_of)
            }
        }
    }

    fn apply(&mut self, batch: &Batch) -> Outcome {
        if let Err(error) = batch.check(&self.limits) {
            return Outcome::Rejected(error);
        }
        if let Some(guard) = batch.guards.iter().position(|guard| !self.holds(guard)) {
            return Outcome::Conflict { guard };
        }
        if batch.is_read_only() {
            return Outcome::Committed(self.revision);
        }
        let revision = self.revision.next();
        let mut rows = (*self.rows).clone();
        for (key, write) in &batch.writes {
            let content = match write {
                Write::Put(value) => Content::Value(value.clone()),
                Write::Link(link) => Content::Link(link.resolve(key)),
                Write::Delete => {
                    rows.remove(key);
                    continue;
                }
            };
            rows.insert(key.clone(), Row { revision, content });
        }
        for (prefix, value) in &batch.stamped {
            rows.insert(prefix.stamp(revision), Row { revision, content: Content::Value(value.clone()) });
        }
        (self.rows, self.revision) = (Arc::new(rows), revision);
        Outcome::Committed(revision)
    }

    fn drop_range(&mut self, range: &KeyRange, guards: &[Guard]) -> Outcome {
        if let Err(error) = self.limits.check_guards(guards) {
            return Outcome::Rejected(error);
        }
        if let Some(guard) = guards.iter().position(|guard| !self.holds(guard)) {
            return Outcome::Conflict { guard };
        }
        let mut rows = (*self.rows).clone();
        self.within(range).for_each(|(key, _)| drop(rows.remove(key)));
        if rows.len() < self.rows.len() {
            (self.rows, self.revision) = (Arc::new(rows), self.revision.next());
        }
        Outcome::Committed(self.revision)
    }

    fn entry(&self, key: &StoredKey, row: &Row, fetch: Fetch) -> Entry {
        let target = match &row.content {
            Content::Link(target) if fetch == Fetch::Targets => self.rows.get(target).cloned(),
            _ => None,
        };
        let content = (fetch != Fetch::Keys).then(|| row.content.clone());
        Entry { key: key.clone(), revision: row.revision, content, target }
    }
}

#[async_trait]
impl Read for View {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        if keys.len() > self.limits.get_keys_max {
            return Err(Error::limit(Limit::GetKeys, self.limits.get_keys_max as u64, keys.len() as u64));
        }
        Ok(Rows { as_of: self.revision, rows: keys.iter().map(|key| self.rows.get(key).cloned()).collect() })
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        if scan.limit > self.limits.page_entries_max {
            return Err(Error::limit(Limit::PageEntries, self.limits.page_entries_max as u64, scan.limit as u64));
        }
        let mut found: Vec<_> = self.within(&scan.range).collect();
        if scan.reverse {
            found.reverse();
        }
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (key, row) in found.iter().take(scan.limit) {
            let entry = self.entry(key, row, scan.fetch);
            bytes += key.len() + entry.content.as_ref().map_or(0, Content::bytes);
            bytes += entry.target.as_ref().map_or(0, |target| target.content.bytes());
            entries.push(entry);
            if bytes > scan.max_bytes {
                break;
            }
        }
        let more = entries.len() < found.len();
        Ok(Page { as_of: self.revision, entries, more })
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        let newest = self.within(range).map(|(_, row)| row.revision).max().unwrap_or_default();
        Ok(Summary { as_of: self.revision, rows: self.within(range).count() as u64, newest })
    }
}

#[async_trait]
impl Snapshot for View {
    fn revision(&self) -> Revision {
        self.revision
    }
}

#[async_trait]
impl Read for Reference {
    async fn get(&self, keys: &[StoredKey]) -> Result<Rows> {
        self.view().get(keys).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Page> {
        self.view().scan(scan).await
    }

    async fn summarize(&self, range: &KeyRange) -> Result<Summary> {
        self.view().summarize(range).await
    }
}

#[async_trait]
impl Store for Reference {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(self.view()))
    }

    async fn commit(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let mut now = self.now();
        let outcomes = batches.iter().map(|batch| now.apply(batch)).collect();
        self.newest.send_replace(now.revision);
        Ok(outcomes)
    }

    async fn changed(&self, after: Revision) -> Result<Revision> {
        let mut newest = self.newest.subscribe();
        let newest = newest.wait_for(|revision| *revision > after).await;
        newest.map(|revision| *revision).map_err(|_| Error::new(ErrorKind::Closed, "the store was dropped"))
    }

    async fn drop_range(&self, range: &KeyRange, guards: &[Guard]) -> Result<Outcome> {
        let mut now = self.now();
        let outcome = now.drop_range(range, guards);
        self.newest.send_replace(now.revision);
        Ok(outcome)
    }

    async fn compact(&self) -> Result<Compaction> {
        Err(Error::new(ErrorKind::Unsupported, "a map has nothing to give back"))
    }

    async fn usage(&self) -> Result<Usage> {
        let bytes = self.now().rows.iter().map(|(key, row)| key.len() + row.content.bytes()).sum::<usize>();
        Ok(Usage { bytes: bytes as u64 })
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
