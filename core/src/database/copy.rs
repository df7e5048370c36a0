//! From one database into another of the same schema: whose store is encrypted and the other's not, is on another engine, or has
//! other keys for what is blinded.

use super::changes::{ChangeKind, ChangeList};
use super::commit::commit_alone;
use super::context::Context;
use super::keyspace::Keyspace;
use super::rows::{Erased, damaged, record_value};
use crate::key::Components;
use crate::store::{Batch, Content, Entry, Fetch, Guard, LinkTo, Scan, StoredKey, Write};
use crate::{Error, ErrorKind, Result};

/// Records that are read at a time.
const CHUNK: usize = 500;
/// Bytes after which no more are read.
const CHUNK_BYTES: usize = 4 << 20;

/// Copies every record; gives how many were new in the target.
pub(super) async fn copy(from: &Context, to: &Context, progress: &mut (dyn FnMut(u64) + Send)) -> Result<u64> {
    same_schema(from, to)?;
    let mut copied = 0;
    for erased in &from.schema.erased {
        let mut range = Keyspace::records(erased.collection.id).range();
        let limit =
            CHUNK.min(from.store.info().limits.page_entries_max).min(to.store.info().limits.get_keys_max).max(1);
        loop {
            let scan =
                Scan { range: range.clone(), reverse: false, limit, max_bytes: CHUNK_BYTES, fetch: Fetch::Values };
            let entries = from.store.scan(&scan).await?.entries;
            let Some(last) = entries.last().map(|entry| entry.key.clone()) else { break };
            copied += copy_page(from, to, erased, entries).await?;
            progress(copied);
            range = range.beyond(&last, false);
        }
    }
    Ok(copied)
}

fn same_schema(from: &Context, to: &Context) -> Result<()> {
    let (one, other) = (&from.schema, &to.schema);
    let same = one.name() == other.name()
        && one.version() == other.version()
        && one.collections().all(|collection| other.collections().any(|same| same == collection));
    if same {
        return Ok(());
    }
    let message = format!(
        "the target has schema {} version {}, this is {} version {}",
        other.name(),
        other.version(),
        one.name(),
        one.version()
    );
    Err(Error::new(ErrorKind::SchemaMismatch, message))
}

/// One record on its way.
struct Copied {
    components: Components,
    key: StoredKey,
    writes: Vec<(StoredKey, Write)>,
}

async fn copy_page(from: &Context, to: &Context, erased: &Erased, page: Vec<Entry>) -> Result<u64> {
    let place = erased.collection.name;
    let mut records = Vec::with_capacity(page.len());
    for Entry { key, content, .. } in page {
        let Some(content) = content else { continue };
        let value = record_value(content, place, &key)?;
        let value = from.schema.current(erased.collection, value, &key)?;
        if (erased.inspect)(from.codec(), &value)?.key != key {
            return Err(damaged(place, "the record of another key", &key));
        }
        let inspected = (erased.inspect)(to.codec(), &value)?;
        let links = inspected.rows.into_iter().map(|(entry, link)| (entry, Write::Link(link)));
        let writes = links.chain([(inspected.key.clone(), Write::Put(value))]).collect();
        records.push(Copied { components: inspected.components, key: inspected.key, writes });
    }
    let keys: Vec<StoredKey> = records.iter().map(|record| record.key.clone()).collect();
    let there = to.store.get(&keys).await?.rows;
    let limits = to.store.info().limits;
    let (mut batch, mut changes, mut copied) = (Batch::default(), ChangeList::default(), 0);
    for (record, there) in records.into_iter().zip(there) {
        if let Some(row) = there {
            let same = |write: &(StoredKey, Write)| match (&write.1, &row.content) {
                (Write::Put(value), Content::Value(there)) => value == there,
                _ => false,
            };
            if record.writes.last().is_some_and(same) {
                // An interrupted copy had come to it, with its entries.
                continue;
            }
            return Err(other_record(place));
        }
        let full = batch.writes.len() + record.writes.len() > limits.batch_writes_max / 2
            || batch.bytes() + changes.bytes() > limits.batch_bytes_max / 2
            || changes.bytes() > limits.value_bytes_max / 2
            || batch.guards.len() + record.writes.len() > limits.batch_guards_max / 2;
        if full && !batch.writes.is_empty() {
            commit(to, std::mem::take(&mut batch), std::mem::take(&mut changes), place).await?;
        }
        for (key, write) in record.writes {
            if matches!(write, Write::Put(_) | Write::Link(LinkTo::Key(_))) {
                batch.guards.push(Guard::Key { key: key.clone(), revision: None });
            }
            batch.writes.insert(key, write);
        }
        changes.list(erased.collection, record.components, ChangeKind::Put);
        copied += 1;
    }
    commit(to, batch, changes, place).await?;
    Ok(copied)
}

/// Commits what was copied, with the list of it for those who follow the target.
async fn commit(to: &Context, mut batch: Batch, changes: ChangeList, place: &str) -> Result<()> {
    if batch.writes.is_empty() {
        return Ok(());
    }
    changes.stamp(to.clock.now(), &mut batch)?;
    match commit_alone(&*to.store, to.bound_to_catalog(batch)).await? {
        Some(_) => Ok(()),
        None => Err(other_record(place)),
    }
}

fn other_record(place: &str) -> Error {
    let message = format!("the target has another record with this key or unique entry in collection {place}");
    Error::new(ErrorKind::AlreadyExists, message)
}
