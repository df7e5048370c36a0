//! Bringing the records of a collection to the shape of now: first looked at, all of them, then written.

use async_trait::async_trait;

use super::super::keyspace::Keyspace;
use super::super::rows::{Erased, IndexRows, damaged, fingerprint, record_value};
use super::super::value;
use super::pass::{PROGRESS_KEY_BYTES_MAX, Work, page};
use crate::schema::{Rewrite, Schema};
use crate::store::{Batch, Entry, Guard, KeyCodec, Limits, Store, StoredKey, Write};
use crate::{Error, ErrorKind, Limit, Result};

/// Looks at every record of a collection as it will be, and writes nothing: what this finds nothing wrong with can be rewritten, and indexed
/// by all that is not unique. `from` is the first rewrite that is to come, `kept` the ids of the indexes whose entries stay as they are.
pub(super) async fn check(
    store: &dyn Store,
    schema: &Schema,
    erased: &Erased,
    from: Option<&Rewrite>,
    kept: &[u8],
) -> Result<()> {
    let looker = Looker { schema, erased, from, kept, codec: &*store.info().codec, limits: store.info().limits };
    let mut after: Option<StoredKey> = None;
    loop {
        let records = page(store, erased.collection.id, after.as_ref(), usize::MAX).await?;
        let Some(last) = records.last().map(|entry| entry.key.clone()) else { return Ok(()) };
        records.into_iter().try_for_each(|entry| looker.look(entry))?;
        after = Some(last);
    }
}

struct Looker<'l> {
    schema: &'l Schema,
    erased: &'l Erased,
    from: Option<&'l Rewrite>,
    kept: &'l [u8],
    codec: &'l dyn KeyCodec,
    limits: Limits,
}

impl Looker<'_> {
    fn look(&self, Entry { key, content, .. }: Entry) -> Result<()> {
        let collection = self.erased.collection;
        let Some(content) = content else { return Ok(()) };
        let old = record_value(content, collection.name, &key)?;
        let new = self.schema.current(collection, old.clone(), &key)?;
        let inspected = (self.erased.inspect)(self.codec, &new)?;
        let before = match self.from {
            None => None,
            Some(from) => {
                let value = self.schema.before(from.to, collection, old, &key)?;
                Some((from.old.inspect)(self.codec, &value)?)
            }
        };
        let was_right = before.as_ref().is_none_or(|before| before.key == key);
        if inspected.key != key {
            let wrong = damaged(collection.name, "the record of another key", &key);
            return Err(if before.is_some() && was_right { self.changes("the key", &key) } else { wrong });
        }
        if let Some(before) = before
            && self.kept_of(before.rows) != self.kept_of(inspected.rows.clone())
        {
            return Err(self.changes("entries in an index that keeps its id", &key));
        }
        check_limits(&self.limits, collection.name, &key, &inspected.rows, new.len())
    }

    fn kept_of(&self, rows: IndexRows) -> IndexRows {
        let is_kept = |entry: &StoredKey| {
            Keyspace::of_key(entry.as_bytes()).is_some_and(|space| self.kept.contains(&space.index))
        };
        rows.into_iter().filter(|(entry, _)| is_kept(entry)).collect()
    }

    fn changes(&self, what: &str, key: &StoredKey) -> Error {
        let message = format!(
            "a rewrite of collection {} changes {what} of a record (row {})",
            self.erased.collection.name,
            fingerprint(key)
        );
        Error::new(ErrorKind::SchemaMismatch, message)
    }
}

/// Refuses a record that could not be written.
pub(super) fn check_limits(
    limits: &Limits,
    place: &str,
    key: &StoredKey,
    entries: &IndexRows,
    value_bytes: usize,
) -> Result<()> {
    let at = |error: Error| Err(error.at(format!("collection {place} (row {})", fingerprint(key))));
    let longest = entries.keys().map(StoredKey::len).chain([key.len()]).max().unwrap_or(0);
    if longest > limits.key_bytes_max {
        return at(Error::limit(Limit::KeyBytes, limits.key_bytes_max as u64, longest as u64));
    }
    if value_bytes > limits.value_bytes_max {
        return at(Error::limit(Limit::ValueBytes, limits.value_bytes_max as u64, value_bytes as u64));
    }
    // The smallest batch has the record, its entries, and how far the pass has come.
    let writes = entries.len() + 2;
    if writes > limits.batch_writes_max {
        return at(Error::limit(Limit::BatchWrites, limits.batch_writes_max as u64, writes as u64));
    }
    let links: usize = entries.iter().map(|(entry, link)| entry.len() + Write::Link(link.clone()).bytes()).sum();
    let bytes = links + key.len() + value_bytes + PROGRESS_KEY_BYTES_MAX + key.len();
    if bytes > limits.batch_bytes_max {
        return at(Error::limit(Limit::BatchBytes, limits.batch_bytes_max as u64, bytes as u64));
    }
    Ok(())
}

/// Writes the records that have an older shape.
pub(super) struct Rewriting<'r> {
    pub(super) schema: &'r Schema,
    pub(super) erased: &'r Erased,
}

#[async_trait]
impl Work for Rewriting<'_> {
    async fn batch(&self, page: Vec<Entry>) -> Result<Batch> {
        let collection = self.erased.collection;
        let newest = self.schema.shape(collection.id);
        let mut batch = Batch::default();
        for Entry { key, revision, content, .. } in page {
            let Some(content) = content else { continue };
            let value = record_value(content, collection.name, &key)?;
            if value::shape(&value, collection.name)? == newest {
                continue;
            }
            let value = self.schema.current(collection, value, &key)?;
            batch.guards.push(Guard::Key { key: key.clone(), revision: Some(revision) });
            batch.writes.insert(key, Write::Put(value));
        }
        Ok(batch)
    }
}
