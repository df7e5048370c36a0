//! Migrations that go on while the database is in use.

use super::catalog::{self, UnderWay, Until};
use super::{Database, DatabaseBuilder};
use crate::Result;

impl DatabaseBuilder {
    /// Opens the database before everything that an older store needs is done, and leaves the rest to [`Database::migrate`].
    ///
    /// What can fail is done before it opens: the functions of rewrites are tried on every record, splits are made, unique indexes are built.
    /// Then the records are rewritten and other indexes built while they are read and written: a record of an older shape is converted as it is read,
    /// and a query over an index that is not complete answers [`IndexBuilding`](crate::ErrorKind::IndexBuilding).
    #[must_use]
    pub fn migrate_later(mut self) -> Self {
        self.until = Until::Decided;
        self
    }
}

impl Database {
    /// Does what is left of a migration, while others read and write: for a database that was opened with
    /// [`migrate_later`](DatabaseBuilder::migrate_later). `progress` is told how many records were gone over after each batch of a few hundred, by this call, once for
    /// each index and once for their new shape.
    ///
    /// It can be called at any time, also by several at once, in this process or another: where one is interrupted the next goes on. The runtime of the caller
    /// drives it:
    ///
    /// ```
    /// # use strongroom_core::{Database, Result, Schema, store::Store};
    /// # async fn example(store: std::sync::Arc<dyn Store>, schema: Schema) -> Result<()> {
    /// let db = Database::builder(schema).migrate_later().open(store).await?;
    /// let migration = tokio::spawn({
    ///     let db = db.clone();
    ///     async move { db.migrate(|records| println!("{records} records")).await }
    /// });
    /// // Meanwhile `db` is in use.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `SchemaMismatch` if a newer program has the store by now; `Corrupt` for a damaged record, which names it; those of the store. What was done stays.
    pub async fn migrate(&self, mut progress: impl FnMut(u64) + Send) -> Result<()> {
        let mut records = 0;
        let mut done = |more: u64| {
            records += more;
            progress(records);
        };
        let store = &*self.context.store;
        let now = self.context.clock.now();
        let opened = catalog::open(store, &self.context.schema, Until::Settled, now, &mut done).await;
        self.context.moved_to(opened.map_err(|error| error.during("migrate"))?.revision);
        Ok(())
    }

    /// Whether [`migrate`](Database::migrate) has something left to do.
    ///
    /// # Errors
    ///
    /// `Corrupt`, and those of the store.
    pub async fn is_migrating(&self) -> Result<bool> {
        Ok(UnderWay::of(&*self.context.store).await?.anything)
    }
}
