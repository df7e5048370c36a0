//! A record with every kind of index, a counter, and short words for what the cases do with them.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::TryStreamExt;
use futures_util::future::poll_fn;
use serde::{Deserialize, Serialize};
use strongroom_core::store::{
    Batch, Content, Entry, Fetch, KeyRange, Limits, Outcome, Row, Scan, Store, StoredKey, Write,
};
use strongroom_core::{Database, ErrorKind, Index, Record, Result, Schema, Timestamp};
use tokio::task::JoinHandle;

use crate::context::Site;
use crate::{Checked, Context, Failure, ensure};

/// A record with every kind of index that there is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "notes", key(room, id), expires = expires_at)]
#[index(id = 1, name = "by_time", on(room, time: ordered))]
#[index(id = 2, name = "thread", on(room, thread, time: ordered))]
#[index(id = 3, name = "tag", on(tags: multi))]
#[index(id = 4, name = "slug", on(slug), unique)]
#[index(id = 5, name = "open", on(room, time: ordered), while_absent = done_at)]
pub(super) struct Note {
    pub(super) room: String,
    pub(super) id: u32,
    pub(super) time: Timestamp,
    pub(super) thread: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) slug: Option<String>,
    pub(super) done_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) text: String,
}

impl Note {
    pub(super) fn new(room: &str, id: u32, time: i64) -> Note {
        Note {
            room: room.to_owned(),
            id,
            time: at(time),
            thread: None,
            tags: Vec::new(),
            slug: None,
            done_at: None,
            expires_at: None,
            text: format!("note {id}"),
        }
    }

    pub(super) fn with_slug(id: u32, slug: &str) -> Note {
        Note { slug: Some(slug.to_owned()), ..Note::new("r", id, 0) }
    }
}

/// A counter, for transactions that read and write back.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 2, name = "counters", key(name))]
#[index(id = 1, name = "group", on(group, value: ordered))]
pub(super) struct Counter {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) value: i64,
}

impl Counter {
    pub(super) fn new(name: &str, value: i64) -> Counter {
        Counter { name: name.to_owned(), group: "all".to_owned(), value }
    }
}

pub(super) fn schema() -> Result<Schema> {
    Schema::builder("test", 1).collection::<Note>().collection::<Counter>().build()
}

/// A schema of one collection.
pub(super) fn one<R: Record>(version: u32) -> Result<Schema> {
    Schema::builder("one", version).collection::<R>().build()
}

/// Opens a database whose clock is the site's.
pub(in crate::groups) async fn open_as(site: &Site, schema: Schema) -> Result<Database> {
    Database::builder(schema).clock(site.clock.clone()).open(site.store.clone()).await
}

/// A new store with notes and counters.
pub(super) async fn open(context: &Context) -> Checked<(Database, Site)> {
    open_with(context, context.limits()).await
}

pub(super) async fn open_with(context: &Context, limits: Limits) -> Checked<(Database, Site)> {
    let site = context.open_with(limits).await?;
    let db = open_as(&site, schema()?).await?;
    Ok((db, site))
}

/// A new store with a schema of one collection.
pub(super) async fn open_one<R: Record>(context: &Context) -> Checked<(Database, Site)> {
    let site = context.open().await?;
    let db = open_as(&site, one::<R>(1)?).await?;
    Ok((db, site))
}

/// Puts records, many in one transaction.
pub(super) async fn put_all<R: Record>(db: &Database, records: &[R]) -> Result<()> {
    for chunk in records.chunks(100) {
        db.put_many(chunk).await?;
    }
    Ok(())
}

/// Checks that every record has its entries and every entry its record.
#[track_caller]
pub(in crate::groups) fn sound(db: &Database) -> impl Future<Output = Checked> {
    let place = std::panic::Location::caller();
    async move {
        let found = db.verify().await?;
        ensure!(found.problems.is_empty(), "verify, asked at line {}: {:?}", place.line(), found.problems);
        Ok(())
    }
}

pub(in crate::groups) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn ids(notes: &[Note]) -> Vec<u32> {
    notes.iter().map(|note| note.id).collect()
}

/// For notes whose order the schema leaves open.
pub(super) fn sorted_ids(notes: &[Note]) -> Vec<u32> {
    let mut ids = ids(notes);
    ids.sort_unstable();
    ids
}

#[track_caller]
pub(super) fn some<T>(value: Option<T>) -> Checked<T> {
    value.ok_or_else(|| Failure::new("nothing where something must be"))
}

/// The kind of the error, if there is one: for what a transaction's closure tells the case.
pub(super) fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// What a task gave; a panic in it fails the case.
pub(super) async fn joined<T>(task: JoinHandle<T>) -> Checked<T> {
    task.await.map_err(|error| Failure::new(error.to_string()))
}

/// Polls a future so many times, each time that it was woken, and then drops it; its value if it was ready by then.
pub(in crate::groups) async fn poll_at_most<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|task| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(task) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The rows of one collection's records (`index` 0) or of one of its indexes, as they are stored.
///
/// The first three bytes of a key are the keyspace; what follows is the business of the store's codec.
pub(super) async fn rows(store: &dyn Store, collection: u16, index: u8) -> Checked<Vec<Entry>> {
    let [high, low] = collection.to_be_bytes();
    let mut range = KeyRange::prefix(&[high, low, index]);
    let mut rows = Vec::new();
    loop {
        let limit = store.info().limits.page_entries_max;
        let scan = Scan { range: range.clone(), reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Values };
        let page = store.scan(&scan).await?;
        rows.extend(page.entries);
        ensure!(rows.len() < 10_000, "rows without end");
        match rows.last() {
            Some(last) if page.more => range = range.beyond(&last.key, false),
            _ => return Ok(rows),
        }
    }
}

/// The bytes of a row that holds a value.
pub(super) fn value(content: Option<&Content>) -> Checked<Vec<u8>> {
    match content {
        Some(Content::Value(value)) => Ok(value.to_vec()),
        other => Err(Failure::new(format!("no value: {other:?}"))),
    }
}

/// The stored row of a record of which there is only one.
pub(super) async fn only_row(store: &dyn Store, collection: u16, index: u8) -> Checked<Entry> {
    let mut rows = rows(store, collection, index).await?;
    ensure!(rows.len() == 1, "{} rows instead of one", rows.len());
    some(rows.pop())
}

/// Writes one row past the database.
pub(super) async fn overwrite(store: &Arc<dyn Store>, key: StoredKey, write: Write) -> Checked {
    let outcomes = store.commit(vec![Batch { writes: [(key, write)].into(), ..Batch::default() }]).await?;
    ensure!(matches!(outcomes[..], [Outcome::Committed(_)]), "not committed: {outcomes:?}");
    Ok(())
}

/// The row under a key.
pub(super) async fn row(store: &dyn Store, key: &StoredKey) -> Checked<Option<Row>> {
    Ok(store.get(std::slice::from_ref(key)).await?.rows.pop().flatten())
}

/// Everything that a collection holds, sorted: equal on every stack.
pub(super) async fn all<R: Record + Ord, C: 'static>(db: &Database, primary: Index<R, C>) -> Checked<Vec<R>> {
    let mut records: Vec<R> = db.query(primary).stream().try_collect().await?;
    records.sort();
    Ok(records)
}
