//! Ways to keep lists and registers: each leans on other guards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use strongroom_core::store::{Batch, Content, Guard, Outcome, Revision, Store, StoredKey, Write};
use strongroom_core::{
    Committed, Database, Error, ErrorKind, ManualClock, Query, Record, Result, Schema, Snapshot, Source, Timestamp,
    Transaction,
};
use tokio::task::yield_now;

use super::tasks::{Done, Step};
use crate::Checked;

/// How transactions are run.
pub(super) trait Way: Clone + Send + Sync + 'static {
    /// Over one handle of a store.
    fn open(store: Arc<dyn Store>) -> impl Future<Output = Checked<Self>>;

    /// Runs one transaction. What only reads does so on a snapshot.
    fn run(&self, steps: &[Step]) -> impl Future<Output = Result<Done>> + Send;
}

/// A list or a register in a record of its own.
#[derive(Clone, Debug, Record, Serialize, Deserialize)]
#[record(id = 1, name = "lists", key(name))]
struct List {
    name: u32,
    items: Vec<i64>,
}

/// An item of a list whose order is that of an index.
#[derive(Clone, Debug, Record, Serialize, Deserialize)]
#[record(id = 2, name = "items", key(value))]
#[index(id = 1, name = "list", on(list, position: ordered))]
struct Item {
    value: i64,
    list: u32,
    position: i64,
}

async fn database(store: Arc<dyn Store>) -> Checked<Database> {
    let schema = Schema::builder("recorded", 1).collection::<List>().collection::<Item>().build()?;
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    Ok(Database::builder(schema).clock(clock).open(store).await?)
}

/// Reads and writes of one way, as the typed layer does them.
trait Typed: Clone + Send + Sync + 'static {
    fn over(db: Database) -> Self;
    fn db(&self) -> &Database;
    fn read(tx: &Transaction, key: u32) -> impl Future<Output = Result<Vec<i64>>> + Send;
    fn look(view: &Snapshot, key: u32) -> impl Future<Output = Result<Vec<i64>>> + Send;
    fn write(tx: &Transaction, key: u32, value: i64) -> impl Future<Output = Result<()>> + Send;
}

impl<T: Typed> Way for T {
    async fn open(store: Arc<dyn Store>) -> Checked<Self> {
        Ok(T::over(database(store).await?))
    }

    async fn run(&self, steps: &[Step]) -> Result<Done> {
        if steps.iter().all(|step| matches!(step, Step::Read(_))) {
            let view = self.db().snapshot().await?;
            let mut found = Vec::new();
            for step in steps {
                if let Step::Read(key) = step {
                    found.push(T::look(&view, *key).await?);
                    yield_now().await;
                }
            }
            return Ok(Done { found, revision: view.revision(), runs: 1 });
        }
        let runs = &AtomicUsize::new(0);
        let transaction = self.db().write_at(|tx| async move {
            runs.fetch_add(1, Ordering::SeqCst);
            let mut found = Vec::new();
            for step in steps {
                match *step {
                    Step::Read(key) => found.push(T::read(&tx, key).await?),
                    Step::Write(key, value) => T::write(&tx, key, value).await?,
                }
                yield_now().await;
            }
            Ok(found)
        });
        let Committed { value: found, revision } = transaction.await?;
        Ok(Done { found, revision, runs: runs.load(Ordering::SeqCst) })
    }
}

/// Lists, each in one record: an append reads it and writes it back.
#[derive(Clone, Debug)]
pub(super) struct Records(Database);

impl Typed for Records {
    fn over(db: Database) -> Self {
        Records(db)
    }

    fn db(&self) -> &Database {
        &self.0
    }

    async fn read(tx: &Transaction, key: u32) -> Result<Vec<i64>> {
        Ok(tx.get(&List::key(&key)).await?.map_or_else(Vec::new, |list| list.items))
    }

    async fn look(view: &Snapshot, key: u32) -> Result<Vec<i64>> {
        Ok(view.get(&List::key(&key)).await?.map_or_else(Vec::new, |list| list.items))
    }

    async fn write(tx: &Transaction, key: u32, value: i64) -> Result<()> {
        let mut items = Self::read(tx, key).await?;
        items.push(value);
        tx.put(&List { name: key, items }).await
    }
}

/// Lists, each in an index: an append reads the last entry alone, and adds a record that nobody else knows of. Nothing but
/// the guard on the range that was read keeps two of them apart.
#[derive(Clone, Debug)]
pub(super) struct Lists(Database);

/// Entries of one page: a list is read in several.
const PAGE: usize = 20;

async fn whole<S: Source, C>(query: Query<S, Item, C>) -> Result<Vec<i64>> {
    let query = query.limit(PAGE);
    let mut page = query.clone().page().await?;
    let mut found: Vec<i64> = page.records.iter().map(|item| item.value).collect();
    while let Some(next) = page.next {
        page = query.clone().after(next).page().await?;
        found.extend(page.records.iter().map(|item| item.value));
    }
    Ok(found)
}

impl Typed for Lists {
    fn over(db: Database) -> Self {
        Lists(db)
    }

    fn db(&self) -> &Database {
        &self.0
    }

    async fn read(tx: &Transaction, key: u32) -> Result<Vec<i64>> {
        whole(tx.query(Item::LIST).equal(&key).ascending()).await
    }

    async fn look(view: &Snapshot, key: u32) -> Result<Vec<i64>> {
        whole(view.query(Item::LIST).equal(&key).ascending()).await
    }

    async fn write(tx: &Transaction, list: u32, value: i64) -> Result<()> {
        let last = tx.query(Item::LIST).equal(&list).descending().first().await?;
        let position = last.map_or(0, |item| item.position + 1);
        tx.insert(&Item { value, list, position }).await
    }
}

/// Registers: a write looks at nothing.
#[derive(Clone, Debug)]
pub(super) struct Registers(Database);

impl Typed for Registers {
    fn over(db: Database) -> Self {
        Registers(db)
    }

    fn db(&self) -> &Database {
        &self.0
    }

    async fn read(tx: &Transaction, key: u32) -> Result<Vec<i64>> {
        Records::read(tx, key).await
    }

    async fn look(view: &Snapshot, key: u32) -> Result<Vec<i64>> {
        Records::look(view, key).await
    }

    async fn write(tx: &Transaction, key: u32, value: i64) -> Result<()> {
        tx.put(&List { name: key, items: vec![value] }).await
    }
}

/// Lists in rows of the waist, without anything above it.
#[derive(Clone, Debug)]
pub(super) struct Rows(Arc<dyn Store>);

/// How often a transaction is tried at most.
const RUNS_MAX: usize = 1_000;

impl Way for Rows {
    async fn open(store: Arc<dyn Store>) -> Checked<Self> {
        Ok(Rows(store))
    }

    async fn run(&self, steps: &[Step]) -> Result<Done> {
        for runs in 1..=RUNS_MAX {
            if let Some((found, revision)) = self.attempt(steps).await? {
                return Ok(Done { found, revision, runs });
            }
        }
        Err(Error::new(ErrorKind::Conflict, "the waist refused a transaction again and again"))
    }
}

impl Rows {
    /// Reads all on one snapshot, and commits if nothing has changed since. `None`: something has.
    async fn attempt(&self, steps: &[Step]) -> Result<Option<(Vec<Vec<i64>>, Revision)>> {
        let view = self.0.snapshot().await?;
        let (mut batch, mut found) = (Batch::default(), Vec::new());
        let mut lists = std::collections::BTreeMap::new();
        for step in steps {
            let (Step::Read(name) | Step::Write(name, _)) = step;
            let key = StoredKey::from(name.to_be_bytes().to_vec());
            if !lists.contains_key(&key) {
                let row = view.get(std::slice::from_ref(&key)).await?.rows.pop().flatten();
                batch.guards.push(Guard::Key { key: key.clone(), revision: row.as_ref().map(|row| row.revision) });
                lists.insert(key.clone(), row.map_or_else(Vec::new, |row| items(&row.content)));
            }
            let list = lists.entry(key.clone()).or_default();
            match step {
                Step::Read(_) => found.push(list.clone()),
                Step::Write(_, value) => {
                    list.push(*value);
                    let bytes: Vec<u8> = list.iter().flat_map(|item| item.to_be_bytes()).collect();
                    batch.writes.insert(key, Write::Put(bytes.into()));
                }
            }
            yield_now().await;
        }
        if batch.is_read_only() {
            return Ok(Some((found, view.revision())));
        }
        drop(view);
        match self.0.commit(vec![batch]).await?.pop() {
            Some(Outcome::Committed(revision)) => Ok(Some((found, revision))),
            Some(Outcome::Conflict { .. }) => Ok(None),
            Some(Outcome::Rejected(error)) => Err(error),
            None => Err(Error::new(ErrorKind::CommitUnknown, "no outcome of a batch")),
        }
    }
}

fn items(content: &Content) -> Vec<i64> {
    match content {
        Content::Value(value) => value.as_chunks::<8>().0.iter().map(|item| i64::from_be_bytes(*item)).collect(),
        Content::Link(_) | Content::Damaged(_) => Vec::new(),
    }
}
