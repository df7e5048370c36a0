//! Making the records of added collections from those of one that is there.

use async_trait::async_trait;

use super::super::rows::{fingerprint, record_value};
use super::pass::{Taken, Work, guard_free};
use super::rewrite::check_limits;
use crate::schema::{Schema, SplitStep};
use crate::store::{Batch, Entry, Guard, LinkTo, Store, StoredKey, Write};
use crate::{Error, ErrorKind, Result};

/// Puts what a step makes of each record.
pub(super) struct Splitting<'s> {
    pub(super) store: &'s dyn Store,
    pub(super) schema: &'s Schema,
    pub(super) step: &'s SplitStep,
    /// The collections that are added together with this step, which nobody writes to yet: the way back empties them.
    pub(super) added: &'s [u16],
}

#[async_trait]
impl Work for Splitting<'_> {
    async fn batch(&self, page: Vec<Entry>) -> Result<Batch> {
        let source = self.step.old.collection;
        let mut batch = Batch::default();
        for Entry { key, revision, content, .. } in page {
            let Some(content) = content else { continue };
            let value = record_value(content, source.name, &key)?;
            let value = self.schema.before(self.step.to, source, value, &key)?;
            let named = |error: Error| error.at(format!("{} (row {})", source.name, fingerprint(&key)));
            for (collection, value) in self.step.run(self.schema, &value).map_err(named)? {
                self.put(collection, value, &key, &mut batch)?;
            }
            batch.guards.push(Guard::Key { key, revision: Some(revision) });
        }
        match guard_free(self.store, &mut batch).await?.first() {
            Some(Taken { key, write, .. }) => Err(self.twice(key, write)),
            None => Ok(batch),
        }
    }
}

impl Splitting<'_> {
    fn put(&self, collection: u16, value: bytes::Bytes, source: &StoredKey, batch: &mut Batch) -> Result<()> {
        let erased = self.schema.erased.iter().find(|erased| erased.collection.id == collection);
        let Some(erased) = erased.filter(|_| self.added.contains(&collection)) else {
            let message = format!(
                "a split to version {} puts a record into collection {collection}, which this opening does not add",
                self.step.to
            );
            return Err(Error::new(ErrorKind::SchemaMismatch, message));
        };
        let (store, name) = (self.store.info(), erased.collection.name);
        let newest = self.schema.current(erased.collection, value.clone(), source)?;
        let inspected = (erased.inspect)(&*store.codec, &newest)?;
        check_limits(&store.limits, name, &inspected.key, &inspected.rows, newest.len().max(value.len()))?;
        let entries = inspected.rows.into_iter().map(|(entry, link)| (entry, Write::Link(link)));
        for (key, write) in entries.chain([(inspected.key, Write::Put(value))]) {
            if batch.writes.get(&key).is_some_and(|other| *other != write) {
                return Err(self.twice(&key, &write));
            }
            batch.writes.insert(key, write);
        }
        Ok(())
    }

    fn twice(&self, key: &StoredKey, write: &Write) -> Error {
        let (kind, what) = match write {
            Write::Link(LinkTo::Key(_)) => (ErrorKind::UniqueViolation, "entry of a unique index"),
            _ => (ErrorKind::AlreadyExists, "key"),
        };
        let message = format!(
            "the split of collection {} to version {} makes two different records of one {what} (row {})",
            self.step.old.collection.name,
            self.step.to,
            fingerprint(key)
        );
        Error::new(kind, message)
    }
}
