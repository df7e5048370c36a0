//! Out of a damaged database what can be read, and the names of what cannot.

mod parts;
mod read_only;

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::catalog::Opened;
use super::context::Context;
use super::copy::{Arrival, Target, differs, insert, same_schema};
use super::digest::{Digest, digest};
use super::inspect::Problem;
use super::keyspace::Keyspace;
use super::rows::{Erased, fingerprint};
use super::{Database, DatabaseBuilder};
use crate::schema::{IndexRef, Presence};
use crate::store::{Content, ENCRYPTION_HEADER, Entry, Fetch, Revision, Store, StoredKey};
use crate::{Error, ErrorKind, Result};

use parts::Parts;
use read_only::ReadOnly;

/// Problems that are described one by one.
const PROBLEMS_MAX: usize = 1_000;

/// What [`Database::salvage_into`] found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Salvaged {
    /// Records that are in the target. Among them may be some that an interrupted salvage into the same target could still read, and this one
    /// could not.
    pub copied: u64,
    /// Their digest.
    pub digest: Digest,
    /// What could not be copied; empty if nothing is missing. The first 1,000 one by one: a record that cannot be read, a part of the file
    /// that cannot, a record that an index knows and that is not there.
    pub problems: Vec<Problem>,
    /// How many more problems there are than are listed.
    pub problems_unlisted: u64,
}

impl DatabaseBuilder {
    /// Opens a damaged database to salvage it, without a look at its catalog: that the store has this schema is taken on trust. An encrypted
    /// store must be opened through its encryption, so its header and its keys must be whole.
    ///
    /// It is for [`Database::salvage_into`], and not to go on with. Nothing can be changed through it: whatever would write answers `Unsupported`, and so does
    /// [`compact`](Database::compact). What is there can be read as far as it is readable. But a query may miss records: entries of its index may be damaged or,
    /// since the catalog is not asked, not be built yet.
    ///
    /// An engine may change a file as it opens it, to recover from a crash that it takes the damage for. So salvage a copy of the files,
    /// and keep the damaged ones as they are.
    ///
    /// # Errors
    ///
    /// `Encrypted` if the store is, and was opened without its key; `Closed`.
    pub async fn open_damaged(self, store: Arc<dyn Store>) -> Result<Database> {
        match store.get(&[ENCRYPTION_HEADER]).await {
            Ok(rows) if rows.rows.iter().flatten().next().is_some() => {
                let message = "the store is encrypted, and was opened without its key";
                Err(Error::new(ErrorKind::Encrypted, message).during("open"))
            }
            Err(error) if error.is_closed() => Err(error.during("open")),
            // No catalog has this revision.
            _ => Ok(self.over(Arc::new(ReadOnly(store)), Opened { revision: Revision::ZERO, building: Vec::new() })),
        }
    }
}

/// Copies what can be read.
pub(super) fn salvage<'a>(
    from: &'a Context,
    to: &'a Context,
    progress: &'a mut (dyn FnMut(u64) + Send),
) -> BoxFuture<'a, Result<Salvaged>> {
    async move {
        same_schema(from, to)?;
        let Some(target) = Target::begin(to).await? else {
            return Err(Error::new(ErrorKind::AlreadyExists, "the target has records, and is no unfinished copy"));
        };
        let mut salvager =
            Salvager { from, target, copied: Digest::default(), problems: Vec::new(), problems_unlisted: 0 };
        for erased in &from.schema.erased {
            salvager.collection(erased, progress).await?;
            salvager.known_to_an_index(erased).await?;
        }
        let Salvager { mut target, copied, problems, problems_unlisted, .. } = salvager;
        let there = digest(to, &mut |_| {}).await?;
        // All that was read was looked for when it was written. What is more than that can only be of a salvage that was interrupted.
        if there != copied && !(target.resumed && there.records() > copied.records()) {
            return Err(differs());
        }
        target.finish().await?;
        Ok(Salvaged { copied: there.records(), digest: there, problems, problems_unlisted })
    }
    .boxed()
}

struct Salvager<'c> {
    from: &'c Context,
    target: Target<'c>,
    copied: Digest,
    problems: Vec<Problem>,
    problems_unlisted: u64,
}

impl Salvager<'_> {
    async fn collection(&mut self, erased: &Erased, progress: &mut (dyn FnMut(u64) + Send)) -> Result<()> {
        let store = &*self.from.store;
        let mut parts = Parts::new(store, Keyspace::records(erased.collection.id).range(), Fetch::Values);
        while let Some(entries) = parts.next(store).await? {
            let mut arrivals = Vec::with_capacity(entries.len());
            for entry in entries {
                match self.arrival(erased, &entry) {
                    Ok(arrival) => arrivals.push(arrival),
                    Err(problem) => self.problem(erased, problem, &entry.key),
                }
            }
            let inserted = insert(&mut self.target, &arrivals).await?;
            for arrival in &arrivals {
                match inserted.refused.iter().any(|refused| refused.key == arrival.key) {
                    true => self.problem(erased, "another record has a unique entry of this one", &arrival.from),
                    false => self.copied.add(erased.collection.id, &arrival.value),
                }
            }
            progress(self.copied.records());
        }
        for (range, error) in parts.unread() {
            let (std::ops::Bound::Included(key) | std::ops::Bound::Excluded(key)) = range.start else { continue };
            let problem = match error.kind() {
                ErrorKind::Io => "a part of the collection behind this row cannot be read from the medium",
                _ => "a part of the collection behind this row cannot be read: it is damaged",
            };
            self.problem(erased, problem, &key);
        }
        Ok(())
    }

    /// A record as it arrives in the target, or why it does not: never in the words of an error, which may be an application's and tell what is in
    /// the record.
    fn arrival(&self, erased: &Erased, entry: &Entry) -> Result<Arrival, &'static str> {
        let value = match &entry.content {
            Some(Content::Value(value)) => value.clone(),
            Some(Content::Damaged(_)) => return Err("the record cannot be read"),
            _ => return Err("a link where a record should be"),
        };
        let current = self.from.schema.current(erased.collection, value, &entry.key);
        let value = current.map_err(|error| match error.kind() {
            ErrorKind::UnsupportedVersion => "the record has a shape that this program does not know",
            ErrorKind::Application => "a migration of the schema does not take the record",
            _ => "the record cannot be decoded",
        })?;
        match (erased.inspect)(self.from.codec(), &value) {
            Err(_) => return Err("the record cannot be decoded"),
            Ok(inspected) if inspected.key != entry.key => return Err("the record is stored under the key of another"),
            Ok(_) => {}
        }
        Arrival::new(&self.target, erased, entry.key.clone(), value).map_err(|_| "the target cannot take the record")
    }

    /// Names the records that are not there, by an index that has an entry of each, if the collection has one.
    async fn known_to_an_index(&mut self, erased: &Erased) -> Result<()> {
        let of_all = |index: &&crate::schema::IndexDef| {
            index.while_absent.is_none() && index.components.iter().all(|part| part.presence == Presence::Required)
        };
        let Some(at) = erased.collection.indexes.iter().position(|index| of_all(&index)) else { return Ok(()) };
        let store = &*self.from.store;
        let mut parts = Parts::new(store, Keyspace::of(erased.collection, IndexRef::At(at)).range(), Fetch::Values);
        while let Some(entries) = parts.next(store).await? {
            let links = entries.into_iter().filter_map(|entry| match entry.content {
                Some(Content::Link(target)) => Some(target),
                _ => None,
            });
            let records: Vec<StoredKey> = links.collect();
            let there = match store.get(&records).await {
                Ok(rows) => rows.rows.iter().map(Option::is_some).collect(),
                Err(_) => self.one_by_one(&records).await?,
            };
            for (record, _) in records.iter().zip(there).filter(|(_, there)| !there) {
                self.problem(erased, "an index knows the record, which is not there or cannot be read", record);
            }
        }
        Ok(())
    }

    /// Which of the rows are there, though not all of them can be read.
    async fn one_by_one(&self, records: &[StoredKey]) -> Result<Vec<bool>> {
        let mut there = Vec::with_capacity(records.len());
        for record in records {
            match self.from.store.get(std::slice::from_ref(record)).await {
                Ok(rows) => there.push(rows.rows.iter().any(Option::is_some)),
                Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io) => there.push(false),
                Err(error) => return Err(error),
            }
        }
        Ok(there)
    }

    fn problem(&mut self, erased: &Erased, problem: &str, key: &StoredKey) {
        if self.problems.len() == PROBLEMS_MAX {
            self.problems_unlisted += 1;
            return;
        }
        let (collection, problem) = (erased.collection.name.to_owned(), problem.to_owned());
        self.problems.push(Problem { collection, index: None, problem, row: fingerprint(key) });
    }
}
