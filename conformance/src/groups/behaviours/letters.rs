//! A record with a unique index and others, and what the cases of copies do with many of them.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use strongroom_core::store::{Batch, Limits, Outcome, Read, Scan, Store};
use strongroom_core::{Database, Error, ErrorKind, Record, Result, Schema, Timestamp};

use super::support::{at, open_again};
use crate::context::Site;
use crate::twist::{Twist, Twisted};
use crate::{Checked, Context, Failure, ensure};

/// A record with a unique index, one that all have an entry of, and one of several entries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "letters", key(id))]
#[index(id = 1, name = "sent", on(room, sent_at: ordered))]
#[index(id = 2, name = "slug", on(slug), unique)]
#[index(id = 3, name = "tag", on(tags: multi))]
pub(super) struct Letter {
    pub(super) id: u32,
    pub(super) room: String,
    pub(super) sent_at: Timestamp,
    pub(super) slug: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) text: String,
}

/// A second collection.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 2, name = "tallies", key(name))]
pub(super) struct Tally {
    pub(super) name: String,
    pub(super) letters: u64,
}

impl Letter {
    pub(super) fn new(id: u32) -> Letter {
        Letter {
            id,
            room: format!("room {}", id % 3),
            sent_at: at(i64::from(id)),
            slug: id.is_multiple_of(2).then(|| format!("slug {id}")),
            tags: (0..id % 3).map(|tag| format!("tag {tag}")).collect(),
            text: format!("letter {id}"),
        }
    }
}

/// The name of the one tally.
pub(super) const ALL: &str = "all";

pub(super) fn schema() -> Result<Schema> {
    Schema::builder("letters", 1).collection::<Letter>().collection::<Tally>().build()
}

/// A new store for letters. Pages of so many rows, so that few records are many pages.
pub(super) async fn open(context: &Context, page: usize) -> Checked<(Database, Site)> {
    let site = context.open_with(Limits { page_entries_max: page, ..context.limits() }).await?;
    let db = open_again(&site, schema()?).await?;
    Ok((db, site))
}

/// Another handle of a database, whose store is twisted.
pub(super) async fn twisted<T: Twist>(site: &Site, twist: &Arc<T>) -> Checked<Database> {
    let store = Arc::new(Twisted::new(site.store.clone(), twist.clone()));
    Ok(Database::builder(schema()?).clock(site.clock.clone()).open(store).await?)
}

/// Writes a letter and counts it, in one step.
pub(super) async fn write(db: &Database, letter: &Letter) -> Result<()> {
    db.write(|tx| async move {
        let tally = tx.get(&Tally::key(ALL)).await?;
        let is_new = tx.get(&Letter::key(&letter.id)).await?.is_none();
        tx.put(letter).await?;
        let letters = tally.map_or(0, |tally| tally.letters) + u64::from(is_new);
        tx.put(&Tally { name: ALL.to_owned(), letters }).await
    })
    .await
}

/// Writes the letters of these numbers and counts them, in one step.
pub(super) async fn fill(db: &Database, ids: std::ops::Range<u32>) -> Result<()> {
    db.write(|tx| {
        let ids = ids.clone();
        async move {
            let tally = tx.get(&Tally::key(ALL)).await?;
            let letters = tally.map_or(0, |tally| tally.letters) + ids.len() as u64;
            for id in ids {
                tx.insert(&Letter::new(id)).await?;
            }
            tx.put(&Tally { name: ALL.to_owned(), letters }).await
        }
    })
    .await
}

/// Deletes a letter, in one step with its tally.
pub(super) async fn delete(db: &Database, id: u32) -> Result<()> {
    db.write(|tx| async move {
        if tx.delete(&Letter::key(&id)).await? {
            let letters = tx.get(&Tally::key(ALL)).await?.map_or(0, |tally| tally.letters.saturating_sub(1));
            tx.put(&Tally { name: ALL.to_owned(), letters }).await?;
        }
        Ok(())
    })
    .await
}

/// That all index entries are there, and as many letters as were counted in the same steps.
pub(super) async fn sound(db: &Database) -> Checked {
    let found = db.verify().await?;
    ensure!(found.problems.is_empty(), "{:?}", found.problems);
    let tally = db.get(&Tally::key(ALL)).await?.map_or(0, |tally| tally.letters);
    ensure!(db.count::<Letter>().await? == tally, "{} letters, {tally} counted", db.count::<Letter>().await?);
    Ok(())
}

/// All letters, by number.
pub(super) async fn letters(db: &Database) -> Checked<Vec<Letter>> {
    let mut letters = Vec::new();
    let mut page = db.query(Letter::PRIMARY).limit(500).page().await?;
    loop {
        letters.append(&mut page.records);
        match page.next {
            Some(next) => page = db.query(Letter::PRIMARY).limit(500).after(next).page().await?,
            None => break,
        }
    }
    letters.sort_unstable();
    Ok(letters)
}

/// A twist that fails at one commit, before it or after it.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) commits_left: AtomicUsize,
    pub(super) after: bool,
}

#[async_trait]
impl Twist for Failing {
    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        let fails = self.commits_left.fetch_sub(1, Ordering::SeqCst) == 0;
        if !fails || self.after {
            let outcomes = inner.commit(batches).await?;
            if !fails {
                return Ok(outcomes);
            }
        }
        Err(Error::new(ErrorKind::Io, "a fault that a test makes"))
    }
}

type Event = Box<dyn FnMut(usize) -> BoxFuture<'static, Checked> + Send>;

/// A twist that lets something happen after each scan, and is told the scan's number.
pub(super) struct AfterScans {
    event: tokio::sync::Mutex<(usize, Event)>,
    failure: Mutex<Option<Failure>>,
}

impl AfterScans {
    pub(super) fn new(event: impl FnMut(usize) -> BoxFuture<'static, Checked> + Send + 'static) -> Self {
        AfterScans { event: tokio::sync::Mutex::new((0, Box::new(event))), failure: Mutex::new(None) }
    }

    /// How many scans there were; fails if something that had to happen did not.
    pub(super) async fn scans(&self) -> Checked<usize> {
        let failure = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match failure {
            Some(failure) => Err(failure),
            None => Ok(self.event.lock().await.0),
        }
    }
}

impl fmt::Debug for AfterScans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AfterScans")
    }
}

#[async_trait]
impl Twist for AfterScans {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<strongroom_core::store::Page> {
        let page = inner.scan(scan).await;
        let mut event = self.event.lock().await;
        event.0 += 1;
        let number = event.0;
        if let Err(failed) = (event.1)(number).await {
            *self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(failed);
        }
        page
    }
}
