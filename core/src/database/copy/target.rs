//! The target of a copy, and its mark: how far the copy is.

use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::super::commit::commit_alone;
use super::super::context::Context;
use super::super::keyspace::{COPY_PROGRESS, Keyspace};
use super::super::value;
use crate::store::{Batch, Content, Fetch, Guard, Revision, Row, Scan, StoredKey, Write};
use crate::{Error, ErrorKind, Result};

/// How often a beginning is tried, while others change the target between its look and its write.
const ATTEMPTS_MAX: usize = 16;

/// A target that has the mark.
pub(in super::super) struct Target<'c> {
    pub(in super::super) context: &'c Context,
    /// The revision of the mark's row: every batch is bound to it.
    revision: Revision,
    pub(super) mark: Mark,
    /// Whether it had the mark, and so may have records, before this call.
    pub(in super::super) resumed: bool,
}

/// How far a copy is.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The source's revision that is being copied; 0 before the first record.
    pub(super) source: u64,
    /// The source's stored key of the last record done.
    #[serde(with = "serde_bytes")]
    pub(super) last: Vec<u8>,
}

impl Mark {
    pub(super) fn new(source: Revision, last: &StoredKey) -> Self {
        Mark { source: source.0, last: last.as_bytes().to_vec() }
    }
}

impl<'c> Target<'c> {
    /// The target, if it is an unfinished copy or has no records; `None` if it has some and no mark.
    pub(in super::super) async fn begin(context: &'c Context) -> Result<Option<Self>> {
        let mut resumed = true;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(row) = read(context).await? {
                let mark = match &row.content {
                    Content::Value(bytes) => value::decode(bytes, "the mark of a copy")?,
                    Content::Link(_) => return Err(Error::new(ErrorKind::Corrupt, "the mark of a copy is a link")),
                    Content::Damaged(error) => return Err(error.clone().at("the mark of a copy")),
                };
                return Ok(Some(Target { context, revision: row.revision, mark, resumed }));
            }
            let range = Keyspace::of_any_schema();
            let scan = Scan { range, reverse: false, limit: 1, max_bytes: usize::MAX, fetch: Fetch::Keys };
            let page = context.store.scan(&scan).await?;
            if !page.entries.is_empty() {
                // It may have got a mark and records between the two reads.
                if read(context).await?.is_some() {
                    continue;
                }
                return Ok(None);
            }
            let mut batch = Batch::default();
            batch.guards.push(Guard::Range { range: scan.range, as_of: page.as_of, rows: 0 });
            batch.guards.push(Guard::Key { key: mark_key(), revision: None });
            batch.writes.insert(mark_key(), Write::Put(value::encode(&Mark::default())?));
            match commit_alone(&*context.store, context.bound_to_catalog(batch)).await? {
                Some(_) => resumed = false,
                None if context.follow_catalog().await? => {}
                None => return Err(other_schema()),
            }
        }
        Err(interfered())
    }

    /// Commits a batch that stands behind the mark, with the mark, moved on if there is a new one: so whoever else works on the target finds
    /// that the mark is another. `false`: one of the batch's guards did not hold, and it was not the mark's.
    pub(super) async fn commit(&mut self, mut batch: Batch, mark: Option<Mark>) -> Result<bool> {
        let mark = mark.unwrap_or_else(|| self.mark.clone());
        batch.writes.insert(mark_key(), Write::Put(value::encode(&mark)?));
        self.commit_behind(batch, mark).await
    }

    async fn commit_behind(&mut self, mut batch: Batch, mark: Mark) -> Result<bool> {
        batch.guards.push(Guard::Key { key: mark_key(), revision: Some(self.revision) });
        loop {
            let catalog = self.context.catalog.load(Ordering::Relaxed);
            let bound = self.context.bound_to_catalog(batch.clone());
            if let Some(revision) = commit_alone(&*self.context.store, bound).await? {
                (self.revision, self.mark) = (revision, mark);
                return Ok(true);
            }
            if read(self.context).await?.is_none_or(|row| row.revision != self.revision) {
                return Err(Error::new(ErrorKind::Conflict, "another copy goes into the same target"));
            }
            if !self.context.follow_catalog().await? {
                return Err(other_schema());
            }
            // The catalog has not moved: it was a guard of the batch.
            if self.context.catalog.load(Ordering::Relaxed) == catalog {
                return Ok(false);
            }
        }
    }

    /// Takes the mark away: the copy is complete.
    pub(in super::super) async fn finish(&mut self) -> Result<()> {
        let mut batch = Batch::default();
        batch.writes.insert(mark_key(), Write::Delete);
        match self.commit_behind(batch, Mark::default()).await? {
            true => Ok(()),
            false => Err(interfered()),
        }
    }
}

/// Somebody who is no copy wrote to the target.
pub(super) fn interfered() -> Error {
    Error::new(ErrorKind::Conflict, "something else writes to the target")
}

/// The target's catalog is no longer that of the program's schema.
fn other_schema() -> Error {
    Error::new(ErrorKind::SchemaMismatch, "another program changed the schema of the target, or its catalog is gone")
}

/// Whether it is an unfinished copy.
pub(super) fn is_marked(context: &Context) -> BoxFuture<'_, Result<bool>> {
    async move { Ok(read(context).await?.is_some()) }.boxed()
}

async fn read(context: &Context) -> Result<Option<Row>> {
    Ok(context.store.get(&[mark_key()]).await?.rows.into_iter().next().flatten())
}

fn mark_key() -> StoredKey {
    StoredKey::from(COPY_PROGRESS.bytes().to_vec())
}
