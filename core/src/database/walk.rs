//! A walk over the records of all collections, a page at a time.

use super::context::Context;
use super::keyspace::Keyspace;
use super::rows::Erased;
use crate::Result;
use crate::store::{Entry, Fetch, KeyRange, Read, Scan};

/// Records that are read at a time.
const PAGE: usize = 500;
/// Bytes after which no more are read.
const PAGE_BYTES: usize = 4 << 20;

/// Where a walk is. A read that failed has not moved it: the walk can go on in another view.
pub(super) struct Walk<'c> {
    collections: &'c [Erased],
    /// What is left of the first collection.
    range: Option<KeyRange>,
    pub(super) limit: usize,
}

/// Some records of one collection, in key order.
pub(super) struct RecordPage<'c> {
    pub(super) erased: &'c Erased,
    pub(super) entries: Vec<Entry>,
}

impl<'c> Walk<'c> {
    /// From the beginning.
    pub(super) fn new(context: &'c Context) -> Self {
        let limit = PAGE.min(context.store.info().limits.page_entries_max).max(1);
        Walk { collections: &context.schema.erased, range: None, limit }
    }

    /// The next records; none when there are no more.
    pub(super) async fn next(&mut self, view: &dyn Read) -> Result<Option<RecordPage<'c>>> {
        while let Some(erased) = self.collections.first() {
            let Some(range) = self.range.clone().or_else(|| self.first()) else { break };
            let scan = Scan {
                range: range.clone(),
                reverse: false,
                limit: self.limit,
                max_bytes: PAGE_BYTES,
                fetch: Fetch::Values,
            };
            let entries = view.scan(&scan).await?.entries;
            if let Some(last) = entries.last() {
                self.range = Some(range.beyond(&last.key, false));
                return Ok(Some(RecordPage { erased, entries }));
            }
            (self.collections, self.range) = (&self.collections[1..], None);
        }
        Ok(None)
    }

    fn first(&self) -> Option<KeyRange> {
        self.collections.first().map(|erased| Keyspace::records(erased.collection.id).range())
    }
}
