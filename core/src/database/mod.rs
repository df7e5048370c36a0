//! The typed database: records, queries, snapshots and serializable transactions over any [`Store`].

mod catalog;
mod changes;
mod commit;
mod context;
mod copy;
mod inspect;
mod keyspace;
mod overlay;
mod query;
mod rows;
mod snapshot;
mod transaction;
mod value;
mod write;

use std::future::Future;
use std::sync::Arc;

use crate::schema::{Index, Key, Record, Schema};
use crate::store::{Compaction, Read, Revision, Store, StoreInfo};
use crate::{Clock, Result, SystemClock, Timestamp};

pub use catalog::FORMAT_VERSION;
pub use changes::{Change, ChangeCursor, ChangeKind, ChangePage, Changes, RecordPage, Trim};
pub use inspect::{CollectionCount, Problem, Stats, Verification};
pub use query::{Cursor, Damage, Matchable, Page, Query, Sortable, Sorted, Source, Viewable};
pub(crate) use rows::Erased;
pub use snapshot::Snapshot;
pub use transaction::Transaction;
pub use write::Committed;

use context::Context;
use keyspace::Keyspace;
use write::{Base, run};

/// A database of typed records over one store. A cheap handle: clone it freely.
#[derive(Clone, Debug)]
pub struct Database {
    context: Arc<Context>,
}

/// Settings of a [`Database`].
#[derive(Clone, Debug)]
pub struct DatabaseBuilder {
    schema: Schema,
    clock: Arc<dyn Clock>,
}

impl DatabaseBuilder {
    /// Sets where "now" comes from; the operating system's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the database; see [`Database::open`].
    ///
    /// # Errors
    ///
    /// As [`Database::open`].
    pub async fn open(self, store: Arc<dyn Store>) -> Result<Database> {
        let revision =
            catalog::open(&*store, &self.schema, self.clock.now()).await.map_err(|error| error.during("open"))?;
        let info = store.info();
        for collection in self.schema.collections().filter(|collection| collection.uncached) {
            info.caches.forbid(Keyspace::collection_range(collection.id));
        }
        changes::forbid_caches(&info.caches);
        let context = Context {
            schema: self.schema,
            clock: self.clock,
            catalog: revision.0.into(),
            queue: commit::GroupCommit::new(store.clone()),
            gate: tokio::sync::Mutex::new(()),
            transaction_snapshots: tokio::sync::Semaphore::new((info.limits.snapshots_max / 2).max(1)),
            store,
        };
        Ok(Database { context: Arc::new(context) })
    }
}

impl Database {
    /// Opens a store with a schema. A new store gets the schema; one that has another version of it is brought to this one
    /// where that is safe: new collections and indexes are added, an index over existing records is built, resumably.
    ///
    /// # Errors
    ///
    /// `SchemaMismatch` with what differs, `UnsupportedVersion` for a newer format, `UniqueViolation` if a new unique index
    /// meets duplicates, `Limit` if an entry of a new index would be too long (the schema is then as it was), `Corrupt`, and those of
    /// the store.
    pub async fn open(store: impl Store, schema: Schema) -> Result<Self> {
        Self::builder(schema).open(Arc::new(store)).await
    }

    /// Begins a database with settings.
    pub fn builder(schema: Schema) -> DatabaseBuilder {
        DatabaseBuilder { schema, clock: Arc::new(SystemClock) }
    }

    /// What the store is.
    pub fn info(&self) -> &StoreInfo {
        self.context.store.info()
    }

    /// The schema it was opened with.
    pub fn schema(&self) -> &Schema {
        &self.context.schema
    }

    /// The time now, by the database's clock.
    pub fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// Reads a record; `None` if there is none or it has expired.
    ///
    /// # Errors
    ///
    /// `Corrupt`, and those of the store's `get`.
    pub async fn get<R: Record>(&self, key: &Key<R>) -> Result<Option<R>> {
        let mut records = self.get_many(std::slice::from_ref(key)).await?;
        Ok(records.pop().flatten())
    }

    /// Reads several records, in the order asked. Up to the store's limit of keys (10,000) they are of one revision.
    ///
    /// # Errors
    ///
    /// As [`get`](Database::get).
    pub async fn get_many<R: Record>(&self, keys: &[Key<R>]) -> Result<Vec<Option<R>>> {
        query::read_records(self, keys).await
    }

    /// Counts the records of a collection, without the expired ones. Costs a visit of each.
    ///
    /// # Errors
    ///
    /// As a query's [`count`](Query::count).
    pub async fn count<R: Record>(&self) -> Result<u64> {
        Query::<_, R, ()>::primary(self.clone()).count().await
    }

    /// Begins a query over one of a record's indexes.
    pub fn query<R: Record, C>(&self, index: Index<R, C>) -> Query<Database, R, C> {
        Query::new(self.clone(), index)
    }

    /// Writes a record that must be new.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `UniqueViolation`, `InvalidInput` if it cannot be serialized, `Limit`, and as
    /// [`write`](Database::write).
    pub async fn insert<R: Record>(&self, record: &R) -> Result<()> {
        self.alone("insert", |tx| async move { tx.insert(record).await }).await
    }

    /// Writes a record, new or in place of the one with its key.
    ///
    /// # Errors
    ///
    /// As [`insert`](Database::insert), without `AlreadyExists`.
    pub async fn put<R: Record>(&self, record: &R) -> Result<()> {
        self.alone("put", |tx| async move { tx.put(record).await }).await
    }

    /// Writes a record in place of the one with its key, which must exist.
    ///
    /// # Errors
    ///
    /// `NotFound`, and as [`put`](Database::put).
    pub async fn update<R: Record>(&self, record: &R) -> Result<()> {
        self.alone("update", |tx| async move { tx.update(record).await }).await
    }

    /// Deletes a record; says whether there was one.
    ///
    /// # Errors
    ///
    /// As [`write`](Database::write).
    pub async fn delete<R: Record>(&self, key: &Key<R>) -> Result<bool> {
        self.alone("delete", |tx| async move { tx.delete(key).await }).await
    }

    async fn alone<T, F, Fut>(&self, name: &'static str, operation: F) -> Result<T>
    where
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let done = run(&self.context, Base::Direct, operation).await.map_err(|error| error.during(name))?;
        Ok(done.value)
    }

    /// Runs a serializable transaction: `body` reads and writes through its handle, and all of it happens or nothing.
    ///
    /// Reads are of one revision and see the own writes. If something that was read has changed by the commit, `body` runs
    /// again on a new view, after three times in turn with the others that conflict. So it must do nothing but read and
    /// write through its handle; it must not wait for another `write` of the same database.
    ///
    /// Captures by reference need an `async move` block over references; captures by value a clone for each run:
    ///
    /// ```
    /// # use strongroom_core::{Database, Result, Record, Transaction};
    /// async fn rename<R: Record + Clone>(db: &Database, old: R, new: &R) -> Result<()> {
    ///     db.write(|tx| {
    ///         let old = old.clone();
    ///         async move {
    ///             tx.update(&old).await?;
    ///             tx.put(new).await
    ///         }
    ///     })
    ///     .await
    /// }
    /// ```
    ///
    /// Dropping the future at any point leaves the database usable; if the commit was under way, it happens or not.
    ///
    /// # Errors
    ///
    /// `Conflict`, naming what it lost to, after 64 attempts; what `body` returns ([`Error::application`](crate::Error::application) for an
    /// error of your own); `Limit`; `CommitUnknown`; those of the store.
    pub async fn write<T, F, Fut>(&self, body: F) -> Result<T>
    where
        F: Fn(Transaction) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        Ok(self.write_at(body).await?.value)
    }

    /// As [`write`](Database::write), and tells where in the commit order the transaction stands.
    ///
    /// # Errors
    ///
    /// As [`write`](Database::write).
    pub async fn write_at<T, F, Fut>(&self, body: F) -> Result<Committed<T>>
    where
        F: Fn(Transaction) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        run(&self.context, Base::Snapshot, body).await
    }

    /// Opens a view of this moment.
    ///
    /// # Errors
    ///
    /// `Limit(Snapshots)`, and those of the store.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::open(self.context.clone()).await
    }

    /// Waits until something was committed after `revision`, and gives the newest revision.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub async fn changed(&self, revision: Revision) -> Result<Revision> {
        self.context.store.changed(revision).await
    }

    /// Counts records and index entries, and the bytes on the medium. Visits every row.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn stats(&self) -> Result<Stats> {
        inspect::stats(&self.context).await
    }

    /// Checks every record against its index entries and every index entry against its record: each in one view, all of them in as
    /// many as it takes, since a view may not live for as long as a large store needs.
    ///
    /// # Errors
    ///
    /// Those of the store; what is wrong with the rows is in the answer.
    pub async fn verify(&self) -> Result<Verification> {
        inspect::verify(&self.context).await
    }

    /// Copies every record into another database of the same schema, and says how many were new there. So a plain store becomes
    /// an encrypted one, an encrypted one gets other keys for all that it blinds, and a store moves to another engine.
    ///
    /// It works in batches, each atomic, and `progress` is told how many records were copied after each. Interrupted, it can be called
    /// again: a record that is there already, the same, is passed over. Records that are written here meanwhile may be missed, so
    /// nobody should write; expired ones that were not swept are copied as well.
    ///
    /// Of media only the records are copied. Their bytes stay in the object store, and if they are encrypted, with a key that follows from
    /// this store: keep it, and its key, for as long as the media are wanted.
    ///
    /// # Errors
    ///
    /// `SchemaMismatch` if the schemas differ; `AlreadyExists` if the target has another record with a key or unique entry; `Corrupt` for
    /// a damaged record, which names it; those of both stores. What was copied before stays.
    pub async fn copy_into(&self, target: &Database, mut progress: impl FnMut(u64) + Send) -> Result<u64> {
        copy::copy(&self.context, &target.context, &mut progress).await.map_err(|error| error.during("copy"))
    }

    /// Gives unused space back to the operating system, where the engine can.
    ///
    /// # Errors
    ///
    /// `Busy` while snapshots are open that the engine cannot work beside, and those of the store.
    pub async fn compact(&self) -> Result<Compaction> {
        self.context.store.compact().await
    }

    /// Closes the store: later calls, of all handles, answer `Closed`.
    ///
    /// # Errors
    ///
    /// `Io`.
    pub async fn close(&self) -> Result<()> {
        self.context.store.close().await
    }
}

impl Source for Database {
    fn context(&self) -> &Arc<Context> {
        &self.context
    }

    fn read(&self) -> &dyn Read {
        &*self.context.store
    }
}

impl Viewable for Database {
    type View = Snapshot;

    async fn view(self) -> Result<Snapshot> {
        self.snapshot().await
    }
}
