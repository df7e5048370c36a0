//! Going over all records of a collection: in batches, each with the place it has come to.

use async_trait::async_trait;

use super::super::commit::commit_alone;
use super::super::context::catalog_key;
use super::super::keyspace::Keyspace;
use crate::store::{Batch, Content, Entry, Fetch, Guard, LinkTo, Revision, Row, Scan, Store, StoredKey, Write};
use crate::{Error, ErrorKind, Result};

/// Records in one batch: bounds both its size and what an interruption costs.
const RECORDS_PER_BATCH: usize = 500;
/// Bytes after which a batch takes no more records.
const BYTES_PER_BATCH: usize = 4 << 20;
/// Bytes of the key under which the progress of a pass is kept, at most.
pub(super) const PROGRESS_KEY_BYTES_MAX: usize = 16;

/// What a pass does with the records.
#[async_trait]
pub(super) trait Work: Sync {
    /// The writes that some records ask for, guarded by what was read.
    async fn batch(&self, page: Vec<Entry>) -> Result<Batch>;
}

/// One pass over a collection.
#[derive(Debug)]
pub(super) struct Pass<'p> {
    pub(super) store: &'p dyn Store,
    /// The catalog that asks for it: under another one nothing more is written.
    pub(super) catalog: Revision,
    pub(super) collection: u16,
    /// Where its progress is kept: the stored key of the last record done. It stays when the pass has ended, so that another process at the
    /// same pass finds its end; it goes when the catalog has gone on.
    pub(super) progress: StoredKey,
}

impl Pass<'_> {
    /// Goes on where an interrupted run ended, and tells `done` how many records each batch was of. `false`: the catalog has changed meanwhile.
    pub(super) async fn run(&self, work: &dyn Work, done: &mut (dyn FnMut(u64) + Send)) -> Result<bool> {
        let limits = &self.store.info().limits;
        // What fits into one batch, and what is tried next.
        let mut records_fit = RECORDS_PER_BATCH;
        let mut records_max = records_fit;
        loop {
            let progress = row(self.store, &self.progress).await?;
            let after = match &progress {
                Some(Row { content: Content::Value(done), .. }) => Some(StoredKey::new(done.clone())),
                _ => None,
            };
            let page = page(self.store, self.collection, after.as_ref(), records_max).await?;
            let Some(last) = page.last().map(|entry| entry.key.clone()) else { return Ok(true) };
            let records = page.len();
            let mut batch = work.batch(page).await?;
            batch.writes.insert(self.progress.clone(), Write::Put(last.into_bytes()));
            let revision = progress.map(|row| row.revision);
            batch.guards.push(Guard::Key { key: self.progress.clone(), revision });
            batch.guards.push(Guard::Key { key: catalog_key(), revision: Some(self.catalog) });
            if records > 1 && batch.check(limits).is_err() {
                // Records of many entries each: fewer of them at a time.
                records_fit = records / 2;
                records_max = records_fit;
                continue;
            }
            match commit_alone(self.store, batch).await? {
                Some(_) => {
                    done(records as u64);
                    records_max = records_fit;
                }
                // A record changed, or another process is at the same pass: the progress tells where to go on. With fewer records at a time,
                // one that changes all the time delays only itself.
                None if self.is_asked_for().await? => records_max = (records / 2).max(1),
                None => return Ok(false),
            }
        }
    }

    async fn is_asked_for(&self) -> Result<bool> {
        Ok(row(self.store, &catalog_key()).await?.is_some_and(|row| row.revision == self.catalog))
    }
}

/// The next records of a collection, behind those that are done.
pub(super) async fn page(
    store: &dyn Store,
    collection: u16,
    after: Option<&StoredKey>,
    records_max: usize,
) -> Result<Vec<Entry>> {
    let mut range = Keyspace::records(collection).range();
    if let Some(done) = after {
        range = range.beyond(done, false);
    }
    let limit = records_max.min(RECORDS_PER_BATCH).min(store.info().limits.page_entries_max).max(1);
    let scan = Scan { range, reverse: false, limit, max_bytes: BYTES_PER_BATCH, fetch: Fetch::Values };
    Ok(store.scan(&scan).await?.entries)
}

/// A write that would take what another record has.
pub(super) struct Taken {
    pub(super) key: StoredKey,
    pub(super) write: Write,
    pub(super) by: Content,
}

/// Guards the writes of a batch that another record may not have: each must be free, or be written so already. Gives those that are neither.
pub(super) async fn guard_free(store: &dyn Store, batch: &mut Batch) -> Result<Vec<Taken>> {
    let alone = batch.writes.iter().filter(|(_, write)| matches!(write, Write::Put(_) | Write::Link(LinkTo::Key(_))));
    let alone: Vec<(StoredKey, Write)> = alone.map(|(key, write)| (key.clone(), write.clone())).collect();
    let mut taken = Vec::new();
    for alone in alone.chunks(store.info().limits.get_keys_max.max(1)) {
        let keys: Vec<StoredKey> = alone.iter().map(|(key, _)| key.clone()).collect();
        for ((key, write), row) in alone.iter().zip(store.get(&keys).await?.rows) {
            let revision = row.as_ref().map(|row| row.revision);
            let others = row.map(|row| row.content).filter(|content| match (write, content) {
                (Write::Link(LinkTo::Key(target)), Content::Link(owner)) => owner != target,
                (Write::Put(value), Content::Value(there)) => there != value,
                _ => false,
            });
            match others {
                Some(by) => taken.push(Taken { key: key.clone(), write: write.clone(), by }),
                None => batch.guards.push(Guard::Key { key: key.clone(), revision }),
            }
        }
    }
    Ok(taken)
}

async fn row(store: &dyn Store, key: &StoredKey) -> Result<Option<Row>> {
    let mut rows = store.get(std::slice::from_ref(key)).await?.rows;
    rows.pop()
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "the backend gave another number of rows than it was asked for"))
}
