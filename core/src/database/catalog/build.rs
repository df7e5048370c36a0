//! Building an index over the records that a collection already has.

use std::fmt;

use async_trait::async_trait;

use super::super::keyspace::{BUILD_PROGRESS, Keyspace};
use super::super::rows::{Erased, fingerprint, record_value};
use super::pass::{Pass, Taken, Work, guard_free};
use crate::observe::operation;
use crate::schema::Schema;
use crate::store::{Batch, Content, Entry, Guard, LinkTo, Revision, Store, StoredKey, Write};
use crate::{Error, ErrorKind, Result};

/// Pairs that are named where a unique index meets duplicates.
const PAIRS_MAX: usize = 5;

/// Writes the entries of one index for every record. Goes on where an interrupted run ended; `false`: the catalog has changed meanwhile.
///
/// # Errors
///
/// `UniqueViolation`, naming the index and the first records; those of the store.
pub(super) async fn build_index(
    store: &dyn Store,
    schema: &Schema,
    catalog: Revision,
    space: Keyspace,
    done: &mut (dyn FnMut(u64) + Send),
) -> Result<bool> {
    let Some(erased) = schema.erased.iter().find(|erased| erased.collection.id == space.collection) else {
        return Err(Error::new(ErrorKind::SchemaMismatch, "an index of an unknown collection is being built"));
    };
    let pass = Pass { store, catalog, collection: space.collection, progress: progress_key(space) };
    let building = Building { store, schema, erased, space };
    operation("build_index").on(erased.collection.name).watch(pass.run(&building, done)).await
}

struct Building<'b> {
    store: &'b dyn Store,
    schema: &'b Schema,
    erased: &'b Erased,
    space: Keyspace,
}

#[async_trait]
impl Work for Building<'_> {
    async fn batch(&self, page: Vec<Entry>) -> Result<Batch> {
        let codec = &*self.store.info().codec;
        let mut batch = Batch::default();
        let mut pairs = Vec::new();
        for Entry { key, revision, content, .. } in page {
            let Some(content) = content else { continue };
            let value = record_value(content, self.erased.collection.name, &key)?;
            let rows = self.schema.inspect(self.erased, codec, value, &key)?.rows;
            batch.guards.push(Guard::Key { key: key.clone(), revision: Some(revision) });
            for (entry, link) in rows {
                if Keyspace::of_key(entry.as_bytes()) != Some(self.space) {
                    continue;
                }
                if let Some(Write::Link(first)) = batch.writes.get(&entry) {
                    pairs.push((fingerprint(&first.resolve(&entry)), fingerprint(&key)));
                } else {
                    batch.writes.insert(entry, Write::Link(link));
                }
            }
        }
        for Taken { write, by, .. } in guard_free(self.store, &mut batch).await? {
            if let (Write::Link(LinkTo::Key(second)), Content::Link(first)) = (write, by) {
                pairs.push((fingerprint(&first), fingerprint(&second)));
            }
        }
        if pairs.is_empty() { Ok(batch) } else { Err(self.duplicates(pairs)) }
    }
}

impl Building<'_> {
    fn duplicates(&self, mut pairs: Vec<(String, String)>) -> Error {
        pairs.truncate(PAIRS_MAX);
        let collection = self.erased.collection;
        let index = collection.indexes.iter().find(|index| index.id == self.space.index);
        let message = format!(
            "unique index {} cannot be built: records of collection {} have the same components; the schema is as it was",
            index.map_or("expires_at", |index| index.name),
            collection.name
        );
        Error::new(ErrorKind::UniqueViolation, message).with_source(Duplicates { pairs })
    }
}

/// The first records that stand in the way of a unique index: the source of its `UniqueViolation`, which
/// [`Error::get_ref`](crate::Error::get_ref) finds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicates {
    /// Up to five pairs of records with the same components. Each by the short name of its row, as in
    /// [`Damage`](crate::Damage), which gives nothing of its key away but equality.
    pub pairs: Vec<(String, String)>,
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, second)) in self.pairs.iter().enumerate() {
            let before = if at == 0 { "rows" } else { "," };
            write!(f, "{before} {first} and {second}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Duplicates {}

/// Where the progress of one index is kept: the stored key of the last record done.
fn progress_key(space: Keyspace) -> StoredKey {
    StoredKey::from([BUILD_PROGRESS.bytes(), space.bytes()].concat())
}
