//! Looking at a whole database: how much there is, and whether it is consistent.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::activity::Activity;
use super::catalog::UnderWay;
use super::changes;
use super::context::Context;
use super::keyspace::{CHANGE_LOG, CHANGE_LOG_FLOOR, Keyspace, record_key};
use super::rows::{Erased, fingerprint};
use crate::schema::{IndexRef, Key, Record};
use crate::store::{
    CacheCounters, Content, Entry, Fetch, KeyRange, LinkTo, Read, Revision, Row, Scan, Snapshot, StoredKey,
};
use crate::{ErrorKind, Result};

/// Rows that one look takes at a time.
const CHUNK: usize = 1_000;
/// Bytes after which a look ends.
const CHUNK_BYTES: usize = 4 << 20;
/// Problems that are described one by one; beyond, they are counted by the last one.
const PROBLEMS_MAX: usize = 1_000;

/// Rows of one collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CollectionCount {
    /// Records, expired ones that were not swept yet among them.
    pub records: u64,
    /// Index entries, of all indexes together.
    pub entries: u64,
}

/// How much a database holds.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// The newest revision.
    #[serde(serialize_with = "revision_number")]
    pub revision: Revision,
    /// Bytes on the medium.
    pub bytes: u64,
    /// Rows by collection.
    pub collections: BTreeMap<String, CollectionCount>,
    /// Rows of the change log: transactions that it lists.
    pub changes: u64,
    /// What the caches among the store's layers have done, if there are any. To learn that alone, without a visit of each row:
    /// `db.info().caches.counters()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheCounters>,
    /// What this database has done since it was opened; also without a visit of each row: [`Database::activity`](super::Database::activity).
    pub activity: Activity,
}

/// What [`Database::verify`](super::Database::verify) found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verification {
    /// Rows by collection.
    pub collections: BTreeMap<String, CollectionCount>,
    /// What is wrong; empty if all is well. The first 1,000 one by one.
    pub problems: Vec<Problem>,
    /// How many more problems there are than are listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub problems_unlisted: u64,
}

impl Verification {
    /// Adds a problem; past 1,000 it is only counted.
    pub fn note(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.problems_unlisted += 1;
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The collection.
    pub collection: String,
    /// The index, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// A short name of the row, which gives nothing of its key away but equality.
    pub row: String,
}

/// A problem with one record.
pub(super) fn problem<R: Record>(context: &Context, key: &Key<R>, problem: String) -> Result<Problem> {
    let row = fingerprint(&record_key(context.codec(), R::COLLECTION, &key.components)?);
    Ok(Problem { collection: R::COLLECTION.name.to_owned(), index: None, problem, row })
}

/// Counts all rows.
pub(super) fn stats(context: &Context) -> BoxFuture<'_, Result<Stats>> {
    async move {
        let bytes = context.store.usage().await?.bytes;
        let snapshot = context.store.snapshot().await?;
        let mut collections = BTreeMap::new();
        for collection in context.schema.collections() {
            let mut count = CollectionCount {
                records: rows_of(&*snapshot, Keyspace::records(collection.id)).await?,
                ..CollectionCount::default()
            };
            for index in collection.index_refs() {
                count.entries += rows_of(&*snapshot, Keyspace::of(collection, index)).await?;
            }
            collections.insert(collection.name.to_owned(), count);
        }
        let cache = context.store.info().caches.counters();
        let changes = rows_of(&*snapshot, CHANGE_LOG).await?;
        Ok(Stats { revision: snapshot.revision(), bytes, collections, changes, cache, activity: context.activity() })
    }
    .boxed()
}

async fn rows_of(read: &dyn Read, space: Keyspace) -> Result<u64> {
    Ok(read.summarize(&space.range()).await?.rows)
}

/// Checks all rows of all collections.
///
/// Each look at some rows and at what belongs to them is of one view. A large store takes longer than a view may live: then the
/// next one goes on where the last one ended.
pub(super) fn verify(context: &Context) -> BoxFuture<'_, Result<Verification>> {
    async move {
        let view = context.store.snapshot().await?;
        let mut verifier = Verifier { context, view, found: Verification::default() };
        for erased in &context.schema.erased {
            verifier.collection(erased).await?;
        }
        verifier.change_log().await?;
        verifier.strangers().await?;
        Ok(verifier.found)
    }
    .boxed()
}

struct Verifier<'v> {
    context: &'v Context,
    view: Box<dyn Snapshot>,
    found: Verification,
}

/// What a look at some rows found, and where the next one begins.
type Look = Option<(u64, KeyRange)>;

impl Verifier<'_> {
    async fn collection(&mut self, erased: &Erased) -> Result<()> {
        let mut count = CollectionCount { records: self.all(erased, None).await?, entries: 0 };
        for index in erased.collection.index_refs() {
            count.entries += self.all(erased, Some(index)).await?;
        }
        self.found.collections.insert(erased.collection.name.to_owned(), count);
        Ok(())
    }

    /// Checks all records of a collection, or all entries of one of its indexes. Gives their number.
    async fn all(&mut self, erased: &Erased, index: Option<IndexRef>) -> Result<u64> {
        let space = Keyspace::of(erased.collection, index.unwrap_or(IndexRef::Primary));
        let (mut range, mut count) = (space.range(), 0);
        loop {
            let before = (self.found.problems.len(), self.found.problems_unlisted);
            let look = match index {
                None => self.some_records(erased, &range).await,
                Some(_) => self.some_entries(erased, space, &range).await,
            };
            match look {
                Ok(Some((rows, rest))) => {
                    count += rows;
                    range = rest;
                }
                Ok(None) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::SnapshotExpired => {
                    // What this look had found will be found again.
                    self.found.problems.truncate(before.0);
                    self.found.problems_unlisted = before.1;
                    self.view = self.context.store.snapshot().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn some_records(&mut self, erased: &Erased, range: &KeyRange) -> Result<Look> {
        let Some((records, rest)) = self.chunk(range, Fetch::Values).await? else { return Ok(None) };
        let rows = records.len() as u64;
        self.records(erased, records).await?;
        Ok(Some((rows, rest)))
    }

    /// Every entry is one that its record has.
    async fn some_entries(&mut self, erased: &Erased, space: Keyspace, range: &KeyRange) -> Result<Look> {
        let Some((entries, rest)) = self.chunk(range, Fetch::Targets).await? else { return Ok(None) };
        for entry in &entries {
            if let Some(problem) = wrong_entry(self.context, erased, entry) {
                self.problem(erased, Some(space), problem, &entry.key);
            }
        }
        Ok(Some((entries.len() as u64, rest)))
    }

    /// Every record is under its own key and has all its entries.
    async fn records(&mut self, erased: &Erased, records: Vec<Entry>) -> Result<()> {
        let mut expected: Vec<(StoredKey, StoredKey, StoredKey)> = Vec::new();
        for Entry { key, content, .. } in records {
            let value = match content {
                Some(Content::Value(value)) => value,
                Some(Content::Damaged(error)) => {
                    self.problem(erased, None, &format!("the record cannot be read: {error}"), &key);
                    continue;
                }
                _ => {
                    self.problem(erased, None, "a link where a record should be", &key);
                    continue;
                }
            };
            match self.context.schema.inspect(erased, self.context.codec(), value, &key) {
                Err(_) => self.problem(erased, None, "the record cannot be decoded", &key),
                Ok(inspected) if inspected.key != key => {
                    self.problem(erased, None, "the record is stored under the key of another", &key);
                }
                Ok(inspected) => expected.extend(inspected.rows.into_iter().map(|(entry, link)| {
                    let target = link.resolve(&entry);
                    (entry, target, key.clone())
                })),
            }
        }
        for expected in expected.chunks(CHUNK.min(self.context.store.info().limits.get_keys_max).max(1)) {
            let keys: Vec<StoredKey> = expected.iter().map(|(entry, ..)| entry.clone()).collect();
            let rows = self.view.get(&keys).await?.rows;
            let leads_to = |row: &Option<Row>, target: &StoredKey| match row.as_ref().map(|row| &row.content) {
                Some(Content::Link(to)) => to == target,
                _ => false,
            };
            let wrong = expected.iter().zip(&rows).filter(|((_, target, _), row)| !leads_to(row, target));
            let wrong: Vec<_> =
                wrong.map(|((entry, _, record), _)| (Keyspace::of_key(entry.as_bytes()), record)).collect();
            if wrong.is_empty() {
                continue;
            }
            let building = self.under_way().await?.building;
            for (space, record) in wrong {
                if !space.is_some_and(|space| building.contains(&space)) {
                    self.problem(erased, space, "the record has no entry in the index", record);
                }
            }
        }
        Ok(())
    }

    /// What an upgrade has not come to at the moment of the view is no problem.
    async fn under_way(&self) -> Result<UnderWay> {
        match UnderWay::of(&*self.view).await {
            // Then nobody says that anything is under way.
            Err(error) if error.is_corrupt() => Ok(UnderWay::default()),
            under_way => under_way,
        }
    }

    /// Every row of the change log can be read, and what it says of itself.
    async fn change_log(&mut self) -> Result<()> {
        self.readable(CHANGE_LOG, |row| changes::decode(row).map(drop)).await?;
        self.readable(CHANGE_LOG_FLOOR, changes::check_floor).await
    }

    async fn readable(&mut self, space: Keyspace, read: fn(Entry) -> Result<()>) -> Result<()> {
        let mut range = space.range();
        while let Some((rows, rest)) = self.patient_chunk(&range, Fetch::Values).await? {
            for row in rows {
                let key = row.key.clone();
                if let Err(error) = read(row) {
                    let problem = format!("the row cannot be read: {error}");
                    let collection = "the change log".to_owned();
                    self.list(Problem { collection, index: None, problem, row: fingerprint(&key) });
                }
            }
            range = rest;
        }
        Ok(())
    }

    /// Rows in keyspaces that the schema does not have.
    async fn strangers(&mut self) -> Result<()> {
        let mut known: Vec<Keyspace> = Vec::new();
        for collection in self.context.schema.collections() {
            known.push(Keyspace::records(collection.id));
            known.extend(collection.index_refs().map(|index| Keyspace::of(collection, index)));
        }
        known.sort_unstable();
        let mut range = KeyRange { start: Keyspace::collection_range(1).start, end: std::ops::Bound::Unbounded };
        for space in known {
            let gap = KeyRange { start: range.start.clone(), end: flip_start(space) };
            self.gap(&gap).await?;
            range.start = match space.range().end {
                std::ops::Bound::Excluded(end) => std::ops::Bound::Included(end),
                _ => return Ok(()),
            };
        }
        self.gap(&range).await
    }

    async fn gap(&mut self, gap: &KeyRange) -> Result<()> {
        if let Some((entries, _)) = self.patient_chunk(gap, Fetch::Keys).await? {
            let removed = if entries.is_empty() { Vec::new() } else { self.under_way().await?.removed };
            let is_removed = |entry: &Entry| removed.iter().any(|range| range.holds(entry.key.as_bytes()));
            for entry in entries.into_iter().filter(|entry| !is_removed(entry)) {
                let collection = self.context.place(entry.key.as_bytes());
                let problem = "the row belongs to nothing that the schema has".to_owned();
                self.list(Problem { collection, index: None, problem, row: fingerprint(&entry.key) });
            }
        }
        Ok(())
    }

    /// As [`chunk`](Verifier::chunk), in another view if this one is too old.
    async fn patient_chunk(&mut self, range: &KeyRange, fetch: Fetch) -> Result<Option<(Vec<Entry>, KeyRange)>> {
        match self.chunk(range, fetch).await {
            Err(error) if error.kind() == ErrorKind::SnapshotExpired => {
                self.view = self.context.store.snapshot().await?;
                self.chunk(range, fetch).await
            }
            chunk => chunk,
        }
    }

    async fn chunk(&self, range: &KeyRange, fetch: Fetch) -> Result<Option<(Vec<Entry>, KeyRange)>> {
        let limit = CHUNK.min(self.context.store.info().limits.page_entries_max).max(1);
        let scan = Scan { range: range.clone(), reverse: false, limit, max_bytes: CHUNK_BYTES, fetch };
        let entries = self.view.scan(&scan).await?.entries;
        let rest = entries.last().map(|last| range.beyond(&last.key, false));
        Ok(rest.map(|rest| (entries, rest)))
    }

    fn problem(&mut self, erased: &Erased, space: Option<Keyspace>, problem: &str, key: &StoredKey) {
        let collection = erased.collection;
        let name = |space: Keyspace| {
            collection.indexes.iter().find(|index| index.id == space.index).map_or("expires_at", |index| index.name)
        };
        self.list(Problem {
            collection: collection.name.to_owned(),
            index: space.map(|space| name(space).to_owned()),
            problem: problem.to_owned(),
            row: fingerprint(key),
        });
    }

    fn list(&mut self, problem: Problem) {
        self.found.note(problem);
    }
}

fn wrong_entry(context: &Context, erased: &Erased, entry: &Entry) -> Option<&'static str> {
    let Some(Content::Link(target)) = &entry.content else { return Some("a value where an index entry should be") };
    let Some(row) = &entry.target else { return Some("the entry's record does not exist") };
    // A record that cannot be read or decoded is already a problem of its own.
    let value = match &row.content {
        Content::Value(value) => value,
        Content::Damaged(_) => return None,
        Content::Link(_) => return Some("the entry leads to another entry"),
    };
    let inspected = context.schema.inspect(erased, context.codec(), value.clone(), &entry.key).ok()?;
    let link: Option<&LinkTo> = inspected.rows.get(&entry.key);
    match link {
        Some(link) if link.resolve(&entry.key) == *target => None,
        _ => Some("the record does not have this entry"),
    }
}

fn flip_start(space: Keyspace) -> std::ops::Bound<StoredKey> {
    std::ops::Bound::Excluded(StoredKey::from(space.bytes().to_vec()))
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

pub(super) fn revision_number<S: serde::Serializer>(revision: &Revision, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(revision.0)
}
