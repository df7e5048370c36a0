//! The typed database: records, queries, snapshots and serializable transactions over any [`Store`].

mod activity;
mod catalog;
mod changes;
mod claim;
mod commit;
mod context;
mod copy;
mod digest;
mod inspect;
mod keyspace;
mod merge;
mod migrate;
mod once;
mod overlay;
mod query;
mod retention;
mod rows;
mod salvage;
mod save;
mod sizes;
mod snapshot;
mod sweep;
#[cfg(feature = "sweeper")]
mod sweeper;
mod transaction;
pub(crate) mod value;
mod walk;
mod write;

use std::future::Future;
use std::sync::Arc;

use crate::observe::operation;
use crate::schema::{Index, Key, Record, Schema};
use crate::store::{Compaction, Read, Revision, Store, StoreInfo};
use crate::{Clock, Result, SystemClock, Timestamp};

pub use activity::Activity;
pub(crate) use catalog::check_evolution;
pub use catalog::{Duplicates, FORMAT_VERSION};
pub use changes::{Change, ChangeCursor, ChangeKind, ChangePage, Changes, RecordPage, Trim};
pub use copy::{Copied, CopyPhase, CopyProgress};
pub use digest::Digest;
pub use inspect::{CollectionCount, Problem, Stats, Verification};
pub use merge::{Merge, Merged, check_merge_laws, last_writer};
pub use once::Once;
pub use query::{Cursor, Damage, Matchable, Page, Query, Sortable, Sorted, Source, Viewable};
pub use retention::{Dropped, Retained, RetentionPolicy, RetentionRule};
pub(crate) use rows::{Erased, fingerprint};
pub use salvage::Salvaged;
pub use sizes::CollectionSize;
pub use snapshot::Snapshot;
pub use sweep::{SweepOptions, Swept};
#[cfg(feature = "sweeper")]
#[cfg_attr(docsrs, doc(cfg(feature = "sweeper")))]
pub use sweeper::{Sweeper, SweeperStatus};
pub use transaction::Transaction;
pub use write::Committed;

use catalog::{Opened, Until};
use context::{Context, transaction_snapshots_max};
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
    until: Until,
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
        let (mut unheard, now) = (|_| {}, self.clock.now());
        let opening = catalog::open(&*store, &self.schema, self.until, now, &mut unheard);
        let opened = operation("open").watch(opening).await.map_err(|error| error.during("open"))?;
        Ok(self.over(store, opened))
    }

    /// The database over a store whose catalog was opened.
    fn over(self, store: Arc<dyn Store>, Opened { revision, building }: Opened) -> Database {
        let info = store.info();
        for collection in self.schema.collections().filter(|collection| collection.uncached) {
            info.caches.forbid(Keyspace::collection_range(collection.id));
        }
        changes::forbid_caches(&info.caches);
        let context = Context {
            schema: self.schema,
            clock: self.clock,
            catalog: revision.0.into(),
            building,
            queue: commit::GroupCommit::new(store.clone()),
            gate: tokio::sync::Mutex::new(()),
            transaction_snapshots: tokio::sync::Semaphore::new(transaction_snapshots_max(&info.limits)),
            store,
        };
        Database { context: Arc::new(context) }
    }
}

impl Database {
    /// Opens a store with a schema. A new store gets the schema; one that has another version of it is brought to this one
    /// where that is safe: new collections and indexes are added, an index over existing records is built, and the steps of the schema's
    /// [migrations](crate::schema::Migration) are taken, resumably. With [`migrate_later`](DatabaseBuilder::migrate_later) most of it can wait.
    ///
    /// # Errors
    ///
    /// `SchemaMismatch` with what differs, `UnsupportedVersion` for a newer format; `UniqueViolation` if a new unique index
    /// meets duplicates, with the first of them as its source, [`Duplicates`]; `Limit` if an entry of a new index would be too long;
    /// `Application` with what the function of a step returned: schema and records are then as they were. `Corrupt`, and those of the store.
    pub async fn open(store: impl Store, schema: Schema) -> Result<Self> {
        Self::builder(schema).open(Arc::new(store)).await
    }

    /// Begins a database with settings.
    pub fn builder(schema: Schema) -> DatabaseBuilder {
        DatabaseBuilder { schema, clock: Arc::new(SystemClock), until: Until::Settled }
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
        self.alone::<R, _, _, _>("insert", |tx| async move { tx.insert(record).await }).await
    }

    /// Writes records that must all be new: all of them or none, in one transaction. The fastest way to import; as many as fit in a
    /// transaction, whose [`Limits`](crate::store::Limits) are `batch_writes_max`, a row for each record and each index entry, and `batch_bytes_max`.
    ///
    /// ```
    /// # use strongroom_core::{Database, Result, Record};
    /// async fn import<R: Record + Sync>(db: &Database, records: &[R]) -> Result<()> {
    ///     for records in records.chunks(2_500) {
    ///         db.insert_many(records).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`insert`](Database::insert); it says the number of a record that is refused.
    pub async fn insert_many<R: Record>(&self, records: &[R]) -> Result<()> {
        self.operate::<R, _, _, _>("insert_many", Base::Unread, |tx| async move { tx.insert_many(records).await }).await
    }

    /// Writes a record, new or in place of the one with its key.
    ///
    /// # Errors
    ///
    /// As [`insert`](Database::insert), without `AlreadyExists`.
    pub async fn put<R: Record>(&self, record: &R) -> Result<()> {
        self.alone::<R, _, _, _>("put", |tx| async move { tx.put(record).await }).await
    }

    /// Writes records, each new or in place of the one with its key: all of them or none, in one transaction. Of two with the same key the
    /// later one stays.
    ///
    /// # Errors
    ///
    /// As [`insert_many`](Database::insert_many), without `AlreadyExists`.
    pub async fn put_many<R: Record>(&self, records: &[R]) -> Result<()> {
        self.operate::<R, _, _, _>("put_many", Base::Snapshot, |tx| async move { tx.put_many(records).await }).await
    }

    /// Writes a record in place of the one with its key, which must exist.
    ///
    /// # Errors
    ///
    /// `NotFound`, and as [`put`](Database::put).
    pub async fn update<R: Record>(&self, record: &R) -> Result<()> {
        self.alone::<R, _, _, _>("update", |tx| async move { tx.update(record).await }).await
    }

    /// Deletes a record; says whether there was one.
    ///
    /// # Errors
    ///
    /// As [`write`](Database::write).
    pub async fn delete<R: Record>(&self, key: &Key<R>) -> Result<bool> {
        self.alone::<R, _, _, _>("delete", |tx| async move { tx.delete(key).await }).await
    }

    /// One operation on one record, as a transaction of its own.
    async fn alone<R, T, F, Fut>(&self, name: &'static str, body: F) -> Result<T>
    where
        R: Record,
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        self.operate::<R, _, _, _>(name, Base::Direct, body).await
    }

    /// One operation, as a transaction of its own.
    async fn operate<R, T, F, Fut>(&self, name: &'static str, base: Base, body: F) -> Result<T>
    where
        R: Record,
        F: Fn(Transaction) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let watch = operation(name).on(R::COLLECTION.name);
        let done = watch.watch(run(&self.context, base, body)).await.map_err(|error| error.during(name))?;
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
        operation("write").watch(run(&self.context, Base::Snapshot, body)).await
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
        operation("stats").watch(inspect::stats(&self.context)).await
    }

    /// Checks every record against its index entries and every index entry against its record: each in one view, all of them in as
    /// many as it takes, since a view may not live for as long as a large store needs.
    ///
    /// # Errors
    ///
    /// Those of the store; what is wrong with the rows is in the answer.
    pub async fn verify(&self) -> Result<Verification> {
        operation("verify").watch(inspect::verify(&self.context)).await
    }

    /// A problem with a record that a check of your own has found, to be [noted](Verification::note) beside those of
    /// [`verify`](Database::verify). The text must not show what is in the record.
    ///
    /// # Errors
    ///
    /// `Limit` if no key can be that long.
    pub fn problem<R: Record>(&self, key: &Key<R>, problem: impl Into<String>) -> Result<Problem> {
        inspect::problem(&self.context, key, problem.into())
    }

    /// Gives unused space back to the operating system, where the engine can.
    ///
    /// # Errors
    ///
    /// `Busy` while snapshots are open that the engine cannot work beside, and those of the store.
    pub async fn compact(&self) -> Result<Compaction> {
        operation("compact").watch(self.context.store.compact()).await
    }

    /// Closes the store: later calls, of all handles, answer `Closed`.
    ///
    /// # Errors
    ///
    /// `Io`.
    pub async fn close(&self) -> Result<()> {
        operation("close").watch(self.context.store.close()).await
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
