//! Building an index over the records that a collection already has: in batches, each with the place it has come to.

use super::super::commit::commit_alone;
use super::super::keyspace::{BUILD_PROGRESS, Keyspace};
use super::super::rows::{Erased, IndexRows, record_value};
use crate::schema::Schema;
use crate::store::{Batch, Content, Entry, Fetch, Guard, LinkTo, Row, Scan, Store, StoredKey, Write};
use crate::{Error, ErrorKind, Result};

/// Records in one batch: bounds both its size and what an interruption costs.
const RECORDS_PER_BATCH: usize = 500;
/// Bytes after which a batch takes no more records.
const BYTES_PER_BATCH: usize = 4 << 20;

/// Writes the entries of one index for every record. Goes on where an interrupted run ended.
///
/// # Errors
///
/// `UniqueViolation`, naming the index; those of the store.
pub(super) async fn build_index(store: &dyn Store, schema: &Schema, space: Keyspace) -> Result<()> {
    let Some(erased) = schema.erased.iter().find(|erased| erased.collection.id == space.collection) else {
        return Err(Error::new(ErrorKind::SchemaMismatch, "an index of an unknown collection is being built"));
    };
    let limits = &store.info().limits;
    let mut records_max = RECORDS_PER_BATCH.min(limits.page_entries_max).max(1);
    loop {
        let progress = read_progress(store, space).await?;
        let mut range = Keyspace::records(space.collection).range();
        if let Some(Row { content: Content::Value(done), .. }) = &progress {
            range = range.beyond(&StoredKey::new(done.clone()), false);
        }
        let scan = Scan { range, reverse: false, limit: records_max, max_bytes: BYTES_PER_BATCH, fetch: Fetch::Values };
        let page = store.scan(&scan).await?;
        let Some(last) = page.entries.last().map(|entry| entry.key.clone()) else {
            return finish(store, space, progress).await;
        };
        let records = page.entries.len();
        let mut batch = entries_of(store, erased, space, page.entries).await?;
        let key = progress_key(space);
        batch.guards.push(Guard::Key { key: key.clone(), revision: progress.map(|row| row.revision) });
        batch.writes.insert(key, Write::Put(last.into_bytes()));
        if records > 1 && batch.check(limits).is_err() {
            // Records of many entries each: fewer of them at a time.
            records_max = records / 2;
            continue;
        }
        // A conflict: a record changed, or another process builds too. The progress row tells where to go on.
        commit_alone(store, batch).await?;
    }
}

/// The entries of one page of records, each guarded to be of the record as it was read.
async fn entries_of(store: &dyn Store, erased: &Erased, space: Keyspace, page: Vec<Entry>) -> Result<Batch> {
    let codec = &*store.info().codec;
    let mut batch = Batch::default();
    for Entry { key, revision, content, .. } in page {
        let Some(content) = content else { continue };
        let value = record_value(content, erased.collection.name, &key)?;
        let rows: IndexRows = (erased.inspect)(codec, &value)?.rows;
        batch.guards.push(Guard::Key { key, revision: Some(revision) });
        for (entry, link) in rows {
            if Keyspace::of_key(entry.as_bytes()) != Some(space) {
                continue;
            }
            if batch.writes.insert(entry, Write::Link(link)).is_some() {
                return Err(duplicates(erased, space));
            }
        }
    }
    guard_unique_entries(store, erased, space, &mut batch).await?;
    Ok(batch)
}

/// A unique entry must be free, or have been written already for the same record.
async fn guard_unique_entries(store: &dyn Store, erased: &Erased, space: Keyspace, batch: &mut Batch) -> Result<()> {
    let unique: Vec<(StoredKey, StoredKey)> = batch
        .writes
        .iter()
        .filter_map(|(entry, write)| match write {
            Write::Link(LinkTo::Key(target)) => Some((entry.clone(), target.clone())),
            _ => None,
        })
        .collect();
    for unique in unique.chunks(store.info().limits.get_keys_max.max(1)) {
        let entries: Vec<StoredKey> = unique.iter().map(|(entry, _)| entry.clone()).collect();
        for ((entry, target), row) in unique.iter().zip(store.get(&entries).await?.rows) {
            match row {
                Some(Row { content: Content::Link(owner), .. }) if owner != *target => {
                    return Err(duplicates(erased, space));
                }
                row => batch.guards.push(Guard::Key { key: entry.clone(), revision: row.map(|row| row.revision) }),
            }
        }
    }
    Ok(())
}

fn duplicates(erased: &Erased, space: Keyspace) -> Error {
    let collection = erased.collection;
    let index =
        collection.indexes.iter().find(|index| index.id == space.index).map_or("expires_at", |index| index.name);
    let message = format!(
        "unique index {index} cannot be built: two records of collection {} have the same components; the schema is as \
         it was",
        collection.name
    );
    Error::new(ErrorKind::UniqueViolation, message)
}

async fn finish(store: &dyn Store, space: Keyspace, progress: Option<Row>) -> Result<()> {
    let Some(row) = progress else { return Ok(()) };
    let key = progress_key(space);
    let mut batch = Batch::default();
    batch.guards.push(Guard::Key { key: key.clone(), revision: Some(row.revision) });
    batch.writes.insert(key, Write::Delete);
    commit_alone(store, batch).await?;
    Ok(())
}

async fn read_progress(store: &dyn Store, space: Keyspace) -> Result<Option<Row>> {
    Ok(store.get(&[progress_key(space)]).await?.rows.into_iter().next().flatten())
}

/// Where the progress of one index is kept: the stored key of the last record done.
pub(super) fn progress_key(space: Keyspace) -> StoredKey {
    StoredKey::from([BUILD_PROGRESS.bytes(), space.bytes()].concat())
}
