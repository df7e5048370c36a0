//! How many bytes each collection takes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Database;
use super::context::Context;
use super::keyspace::Keyspace;
use crate::Result;
use crate::observe::operation;
use crate::store::{Content, Entry, Fetch, Scan};

/// Rows that one look takes at a time.
const CHUNK: usize = 1_000;
/// Bytes after which a look ends.
const CHUNK_BYTES: usize = 4 << 20;

/// Rows of one collection, and bytes of their keys and values as the database hands them to its store: before encryption, and without
/// what the engine adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CollectionSize {
    /// Records, expired ones that were not swept yet among them.
    pub records: u64,
    /// Bytes of their keys and values. Of a record that cannot be read, those of its key.
    pub record_bytes: u64,
    /// Index entries, of all indexes together.
    pub entries: u64,
    /// Bytes of their keys; where an entry points to is the end of its key, or, in a unique index, not counted.
    pub entry_bytes: u64,
}

impl Database {
    /// Measures every collection, by name. It reads all there is, a thousand rows at a time, so it is for a person who asks where the
    /// space went and not for a dashboard: [`stats`](Database::stats) counts without reading values, and knows the bytes on the medium.
    ///
    /// Each look is of a view of its own: what is written meanwhile may be missed or counted.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn sizes(&self) -> Result<BTreeMap<String, CollectionSize>> {
        operation("sizes").watch(sizes(&self.context)).await
    }
}

async fn sizes(context: &Context) -> Result<BTreeMap<String, CollectionSize>> {
    let mut sizes = BTreeMap::new();
    for collection in context.schema.collections() {
        let (records, record_bytes) = measure(context, Keyspace::records(collection.id), Fetch::Values).await?;
        let mut size = CollectionSize { records, record_bytes, ..CollectionSize::default() };
        for index in collection.index_refs() {
            let (entries, bytes) = measure(context, Keyspace::of(collection, index), Fetch::Keys).await?;
            size.entries += entries;
            size.entry_bytes += bytes;
        }
        sizes.insert(collection.name.to_owned(), size);
    }
    Ok(sizes)
}

/// Rows of a keyspace and their bytes.
async fn measure(context: &Context, space: Keyspace, fetch: Fetch) -> Result<(u64, u64)> {
    let limit = CHUNK.min(context.store.info().limits.page_entries_max).max(1);
    let (mut range, mut rows, mut bytes) = (space.range(), 0, 0);
    loop {
        let scan = Scan { range: range.clone(), reverse: false, limit, max_bytes: CHUNK_BYTES, fetch };
        let page = context.store.scan(&scan).await?;
        rows += page.entries.len() as u64;
        bytes += page.entries.iter().map(size).sum::<u64>();
        match page.entries.last() {
            Some(last) if page.more => range = range.beyond(&last.key, false),
            _ => return Ok((rows, bytes)),
        }
    }
}

fn size(entry: &Entry) -> u64 {
    (entry.key.len() + entry.content.as_ref().map_or(0, Content::bytes)) as u64
}
