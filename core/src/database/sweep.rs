//! Removing records that have expired.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::Database;
use super::context::Context;
use super::keyspace::Keyspace;
use super::query::Source;
use super::rows::Erased;
use super::transaction::Transaction;
use super::write::{Base, run};
use crate::key::Component;
use crate::observe::operation;
use crate::schema::IndexRef;
use crate::store::{Content, Fetch, KeyRange, Read, Scan};
use crate::{Error, ErrorKind, Result, Timestamp};

/// Records that go in one step.
const BATCH: usize = 500;
/// Bytes of records after which a step takes no more.
const BATCH_BYTES: usize = 4 << 20;

/// How expired records are swept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepOptions {
    /// Milliseconds for which a record stays after it has expired; 0 by default. No read shows it meanwhile. A clock that runs ahead by less
    /// than that, and is set back, has cost nothing: what had not really expired is there again.
    pub grace_ms: u64,
    /// Only counts what would go.
    pub dry_run: bool,
}

/// What a sweep removed, or would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Records by the name of their collection; those of which nothing went are not in it.
    pub collections: BTreeMap<String, u64>,
    /// Records that stay because they cannot be read; [`verify`](Database::verify) names them. A dry run looks at no record, and counts them
    /// among the others.
    pub damaged: u64,
}

impl Swept {
    /// Records of all collections.
    pub fn records(&self) -> u64 {
        self.collections.values().sum()
    }

    /// Adds what another sweep removed.
    #[cfg(feature = "sweeper")]
    pub(super) fn add(&mut self, other: &Swept) {
        for (name, records) in &other.collections {
            *self.collections.entry(name.clone()).or_default() += records;
        }
        self.damaged += other.damaged;
    }
}

impl Database {
    /// Removes the records that have expired, of every collection, the longest expired first. Reads show no expired record in any case; this
    /// frees their space.
    ///
    /// It works in steps of at most 500 records, each atomic, and can be broken off at any time. In each step the record that is stored is asked,
    /// by the clock of that moment: one whose expiry was put off meanwhile stays, and when the clock is set back, the
    /// rest is as alive as it was.
    ///
    /// ```
    /// # use strongroom_core::{Database, Result};
    /// # async fn example(db: Database) -> Result<()> {
    /// let swept = db.sweep_expired().await?;
    /// println!("{} records had expired", swept.records());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`write`](Database::write). What was removed before stays so.
    pub async fn sweep_expired(&self) -> Result<Swept> {
        self.sweep(&SweepOptions::default()).await
    }

    /// As [`sweep_expired`](Database::sweep_expired), with options.
    ///
    /// # Errors
    ///
    /// As [`sweep_expired`](Database::sweep_expired).
    pub async fn sweep(&self, options: &SweepOptions) -> Result<Swept> {
        let mut swept = Swept::default();
        sweep(self, options, &mut swept, &|| true).await?;
        Ok(swept)
    }
}

/// Sweeps for as long as `go_on` says so before a step, and counts into `swept` what each step removed.
pub(super) fn sweep<'a>(
    db: &'a Database,
    options: &'a SweepOptions,
    swept: &'a mut Swept,
    go_on: &'a (dyn Fn() -> bool + Sync),
) -> BoxFuture<'a, Result<()>> {
    async move {
        let before = swept.records();
        let sweep = async {
            in_steps(db, options, swept, go_on).await?;
            Ok(swept.records() - before)
        };
        operation("sweep").counting(sweep, |records| *records).await.map(drop)
    }
    .boxed()
}

async fn in_steps(
    db: &Database,
    options: &SweepOptions,
    swept: &mut Swept,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Result<()> {
    let context = &*db.context;
    for erased in context.schema.erased.iter().filter(|erased| erased.collection.expiry.is_some()) {
        let mut left = Some(expired_range(erased, Timestamp::MAX));
        let mut limit = BATCH.min(context.store.info().limits.page_entries_max).max(1);
        while let Some(rest) = left.take().filter(|_| go_on()) {
            let time = context.clock.now().saturating_add(-i64::try_from(options.grace_ms).unwrap_or(i64::MAX));
            let range = rest.and(&expired_range(erased, time));
            let step = if options.dry_run {
                count(context, &range).await
            } else {
                let evicted = run(&db.context, Base::Direct, |tx| evict(tx, erased, range.clone(), limit, time));
                evicted.await.map(|committed| committed.value)
            };
            match step {
                Ok(step) => {
                    if step.evicted > 0 {
                        *swept.collections.entry(erased.collection.name.to_owned()).or_default() += step.evicted;
                    }
                    swept.damaged += step.damaged;
                    left = step.rest;
                }
                // Records of many entries each, or ones that are written all the time: fewer of them at a time.
                Err(error) if (error.is_limit() || error.is_conflict()) && limit > 1 => {
                    limit /= 2;
                    left = Some(rest);
                }
                Err(error) => return Err(error.during("sweep")),
            }
        }
    }
    Ok(())
}

/// The expiry entries of a collection up to and with a time.
fn expired_range(erased: &Erased, time: Timestamp) -> KeyRange {
    let mut key = Keyspace::of(erased.collection, IndexRef::Expiry).bytes().to_vec();
    let whole = KeyRange::prefix(&key);
    Timestamp::encode(&time, &mut key);
    KeyRange { start: whole.start, end: KeyRange::prefix(&key).end }
}

/// What one step did, and where the next one begins.
#[derive(Default)]
struct Step {
    evicted: u64,
    damaged: u64,
    rest: Option<KeyRange>,
}

async fn count(context: &Context, range: &KeyRange) -> Result<Step> {
    Ok(Step { evicted: context.store.summarize(range).await?.rows, ..Step::default() })
}

/// Deletes the first records of a range that have expired by `time`.
async fn evict(tx: Transaction, erased: &Erased, range: KeyRange, limit: usize, time: Timestamp) -> Result<Step> {
    let scan = Scan { range, reverse: false, limit, max_bytes: BATCH_BYTES, fetch: Fetch::Targets };
    let page = tx.read().scan(&scan).await?;
    // What begins to expire meanwhile is none of this step's business.
    tx.release_ranges()?;
    let mut step = Step::default();
    let last = page.entries.last().map(|entry| entry.key.clone());
    for entry in page.entries {
        let Some(Content::Link(key)) = entry.content else { continue };
        if Keyspace::of_key(key.as_bytes()) != Some(Keyspace::records(erased.collection.id)) {
            step.damaged += 1;
            continue;
        }
        match (erased.evict)(&tx, &key, time) {
            Ok(evicted) => step.evicted += u64::from(evicted),
            Err(error) if is_of_the_record(&error) => step.damaged += 1,
            Err(error) => return Err(error),
        }
    }
    step.rest = last.filter(|_| page.more).map(|last| scan.range.beyond(&last, false));
    Ok(step)
}

/// Whether a record cannot be read, and others can: it is damaged, of a version that the program does not know, lacks a field, or
/// is refused by a migration's function.
fn is_of_the_record(error: &Error) -> bool {
    let kinds = [ErrorKind::UnsupportedVersion, ErrorKind::SchemaMismatch, ErrorKind::Application];
    error.is_corrupt() || kinds.contains(&error.kind())
}
